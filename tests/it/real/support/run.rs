//! A run of hsx on the real engines, and what came of it.

use std::fmt::Write as _;
use std::io::{Read, Seek, Write as _};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use super::{Machine, required};

/// How long anything may take before a test gives up on it: an emulated build on a slow machine takes minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A run of hsx that is being prepared.
pub(crate) struct Hsx {
    pub(super) command: Command,
    /// What it reads; `None`: nothing.
    pub(super) input: Option<Stdio>,
}

impl Hsx {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.command.env(name, value.as_ref());
        self
    }

    /// Runs on a machine of the test's own.
    pub(crate) fn on(self, machine: &Machine) -> Self {
        Self { command: machine.command(&self.command), ..self }
    }

    /// Puts a directory first on PATH.
    pub(crate) fn path_first(self, dir: &Path) -> Self {
        let path = format!("{}:{}", dir.display(), required("PATH"));
        self.env("PATH", path)
    }

    /// Gives it a text to read.
    pub(crate) fn reading(mut self, text: &str) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).and_then(|()| file.rewind()).unwrap();
        self.input = Some(file.into());
        self
    }

    /// Runs it in a terminal, as script(1) makes one; what is written to both outputs comes on standard output then.
    pub(crate) fn in_terminal(self) -> Terminal {
        let words = [self.command.get_program()].into_iter().chain(self.command.get_args());
        let quoted = words.map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")));
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command"]).arg(quoted.collect::<Vec<_>>().join(" ")).arg("/dev/null");
        command.current_dir(self.command.get_current_dir().unwrap()).process_group(0);
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut running = Self { command, input: Some(Stdio::piped()) }.start();
        let keyboard = running.child.stdin.take().unwrap();
        Terminal { running, keyboard }
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Outcome {
        self.start().finish()
    }

    pub(crate) fn start(mut self) -> Running {
        self.command.stdin(self.input.take().unwrap_or_else(Stdio::null)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let stdout = Text::collect(child.stdout.take().unwrap());
        let stderr = Text::collect(child.stderr.take().unwrap());
        Running { child, stdout, stderr, signalled: None }
    }
}

/// The output of a running program so far.
#[derive(Clone)]
struct Text(Arc<Mutex<(Vec<u8>, bool)>>);

impl Text {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Self(Arc::default());
        let collected = text.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                collected.lock().0.extend_from_slice(&buffer[..read]);
            }
            collected.lock().1 = true;
        });
        text
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Vec<u8>, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.lock().0).into_owned()
    }

    fn is_complete(&self) -> bool {
        self.lock().1
    }
}

/// Who gets a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// All that hsx started too, as by Ctrl-C in a terminal.
    Group,
    /// Only hsx, as by `kill` or a supervisor.
    Hsx,
}

/// A running hsx.
pub(crate) struct Running {
    child: Child,
    stdout: Text,
    stderr: Text,
    signalled: Option<Instant>,
}

impl Running {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until standard error contains a text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |stderr| stderr.contains(text));
    }

    /// Waits until something is so; told what standard error holds by then.
    pub(crate) fn wait_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !is_so(&self.stderr.so_far()) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "hsx ended with {ended:?} before {what}:\n{}{}",
                self.stdout.so_far(),
                self.stderr.so_far()
            );
            assert!(
                start.elapsed() < PATIENCE / 3,
                "no {what} in time:\n{}{}",
                self.stdout.so_far(),
                self.stderr.so_far()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn send(&mut self, signal: Signal, to: To) {
        self.signalled = Some(Instant::now());
        match to {
            To::Group => kill_process_group(self.pid(), signal).unwrap(),
            To::Hsx => kill_process(self.pid(), signal).unwrap(),
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Outcome {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > PATIENCE {
                let _ = kill_process_group(self.pid(), Signal::KILL);
                panic!("hsx did not end:\n{}", self.stderr.so_far());
            }
            thread::sleep(Duration::from_millis(10));
        };
        let took = self.signalled.unwrap_or(start).elapsed();
        // What hsx left running would keep the pipes open: it must not keep the test from telling.
        while !(self.stdout.is_complete() && self.stderr.is_complete())
            && start.elapsed() < took + Duration::from_secs(2)
        {
            thread::sleep(Duration::from_millis(10));
        }
        Outcome {
            code: status.code().unwrap_or_else(|| -status.signal().unwrap()),
            stdout: self.stdout.so_far(),
            stderr: self.stderr.so_far(),
            took,
            left: group(self.pid()),
        }
    }
}

/// The command lines of all processes of a group (proc(5)).
fn group(leader: Pid) -> Vec<String> {
    let processes = fs_err::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let command = |process: PathBuf| {
        let stat = fs_err::read_to_string(process.join("stat")).ok()?;
        // The name before it, in parentheses, may contain anything.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let (state, group) = (fields.next()?, fields.nth(1)?);
        let words = fs_err::read_to_string(process.join("cmdline")).ok()?.replace('\0', " ");
        // A zombie has ended; it waits for init to take notice.
        (group == leader.to_string() && state != "Z").then(|| format!("{state} {} {words}", process.display()))
    };
    processes.filter_map(command).collect()
}

/// An hsx that runs in a terminal.
pub(crate) struct Terminal {
    running: Running,
    keyboard: ChildStdin,
}

impl Terminal {
    /// Waits until a text is on the screen.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let screen = self.running.stdout.clone();
        self.running.wait_until(text, |_| screen.so_far().contains(text));
    }

    /// Types text; `\u{3}` is Ctrl-C.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn finish(self) -> Outcome {
        self.running.finish()
    }
}

/// How a run of hsx ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code, or the negated signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// Since the signal, if one was sent, else since one waits for the end.
    pub took: Duration,
    /// The processes left in hsx's group: what it started.
    pub left: Vec<String>,
}

impl Outcome {
    /// Fails unless it ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Fails unless standard error contains the text.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "nothing says {text:?}\n{self}");
        self
    }

    /// Fails if standard error contains the text.
    #[track_caller]
    pub(crate) fn does_not_say(&self, text: &str) -> &Self {
        assert!(!self.stderr.contains(text), "something says {text:?}\n{self}");
        self
    }

    /// The JSON document that standard output consists of.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// The report's executables of a platform.
    #[track_caller]
    pub(crate) fn executables(&self, platform: &str) -> Vec<Value> {
        let json = self.json();
        let platforms = json["platforms"].as_array().unwrap().iter();
        let report = platforms.clone().find(|report| report["platform"] == platform);
        let report = report.unwrap_or_else(|| panic!("nothing about {platform}\n{self}"));
        report["executables"].as_array().unwrap_or_else(|| panic!("{platform} failed\n{self}")).clone()
    }

    /// The error lines: exactly one for each failed platform, whatever the tools said before.
    pub(crate) fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("error:")).collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        let _ = writeln!(text, "hsx ended with {} after {:?}", self.code, self.took);
        let _ = writeln!(text, "--- stdout\n{}--- stderr\n{}---", self.stdout, self.stderr);
        f.write_str(&text)
    }
}
