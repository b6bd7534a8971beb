//! A program that may take all memory, fill the disk or never end: it is watched, and stopped in time.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// More memory than hsx, or a program that it starts, has a reason to take, in bytes.
pub(crate) const MEMORY: u64 = 512 << 20;

/// How long anything may take that takes seconds otherwise.
const LIMIT: Duration = Duration::from_secs(240);

/// How long hsx may take after a signal. It is far more than it needs, for the machine may be busy.
const HEEDS: Duration = Duration::from_secs(20);

/// How a watched program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code, or the negated signal.
    pub code: i32,
    /// Why it had to be stopped.
    pub stopped: Option<String>,
    pub stdout: String,
    pub stderr: String,
    /// The most memory that it, or a program that it started, had at once, in bytes.
    pub memory: u64,
    pub took: Duration,
}

impl Ended {
    /// How it ended, in a few words.
    pub(crate) fn told(&self) -> String {
        let error = self.stderr.lines().find(|line| line.starts_with("error")).unwrap_or_default();
        let error: String = error.chars().filter(|c| !c.is_control()).take(80).collect();
        format!("exit {} {error}", self.code).trim_end().to_owned()
    }

    /// How much time and memory it took.
    pub(crate) fn cost(&self) -> String {
        format!("{:.1} s, {} MiB", self.took.as_secs_f32(), self.memory >> 20)
    }

    /// Everything that it said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a program to its end, or until the time is over, or it has too much memory. Then it gets SIGTERM first, to see
/// whether it heeds that.
pub(crate) fn watch(command: Command) -> Ended {
    watch_while(command, || None)
}

/// Runs a program as `watch` does, or until `look`, which is asked all the time, has seen enough.
pub(crate) fn watch_while(mut command: Command, mut look: impl FnMut() -> Option<String>) -> Ended {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
    command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let start = Instant::now();
    let (mut memory, mut stopped) = (0, None);
    let status = loop {
        memory = memory.max(memory_of(&child));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        stopped = look().or_else(|| match () {
            () if memory > MEMORY => Some(format!("{} MiB of memory, and growing", memory >> 20)),
            () if start.elapsed() > LIMIT => Some(format!("still at it after {} s", LIMIT.as_secs())),
            () => None,
        });
        if let Some(why) = &mut stopped {
            break stop(&mut child, why);
        }
        thread::sleep(Duration::from_millis(10));
    };
    let code = status.code().unwrap_or_else(|| -status.signal().unwrap());
    let took = start.elapsed();
    Ended { code, stopped, stdout: text(&mut stdout), stderr: text(&mut stderr), memory, took }
}

/// Ends a program: politely first.
fn stop(child: &mut Child, why: &mut String) -> std::process::ExitStatus {
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    let start = Instant::now();
    while start.elapsed() < HEEDS {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        thread::sleep(Duration::from_millis(10));
    }
    *why += ", and heeds no SIGTERM";
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait().unwrap()
}

/// The most memory that a program, or one that it started, has had, in bytes (proc(5)).
fn memory_of(child: &Child) -> u64 {
    let tasks = fs_err::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().filter_map(Result::ok);
    let children: String =
        tasks.map(|task| fs_err::read_to_string(task.path().join("children")).unwrap_or_default()).collect();
    let own = child.id().to_string();
    children.split_whitespace().chain([own.as_str()]).map(resident).max().unwrap_or(0)
}

fn resident(process: &str) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
}

fn text(file: &mut File) -> String {
    const ENOUGH: u64 = 16 << 20;
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.take(ENOUGH).read_to_end(&mut bytes)).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
