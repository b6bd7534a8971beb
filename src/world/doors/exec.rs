//! Runs commands. Their output is captured or streamed, and signals are handled.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::at_once::joined;
use super::environment::path_for_programs;
use super::ui::Ui;
use crate::base::cmd::Cmd;
use crate::base::error::{Error, ErrorKind};

/// How often hsx checks for a signal while it waits.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(50);

/// How long an interrupted tool may take to end by itself before hsx ends it.
const GRACE: Duration = Duration::from_millis(1500);

/// How long hsx may take to remove containers after an interruption.
const CLEAN_UP: Duration = Duration::from_secs(4);

/// How long after a signal another one counts as the same. timeout(1) sends each signal twice: to hsx, and to its
/// process group.
const SAME: Duration = Duration::from_millis(500);

/// How many pieces of output may wait to be read. When the queue is full, the command has to wait.
const WAITING: usize = 64;

/// How many bytes of an answer are kept; the rest is dropped. No tool has to answer hsx at such length.
const ANSWER: usize = 64 << 20;

/// How long to wait for output after a command has ended: a process that it left behind may keep the pipe open.
const DRAIN: Duration = Duration::from_millis(500);

/// Runs commands.
pub(crate) struct Exec<'a> {
    pub ui: &'a Ui,
    pub received: Arc<AtomicUsize>,
    /// Set while hsx passes signals on to a command: a second signal does not end hsx then.
    pub hands_on: Arc<AtomicBool>,
}

/// The result of a command whose output was captured.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    pub(crate) fn success(&self) -> bool {
        self.status.success()
    }
}

/// The output that a piece came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// The end of a tool's output.
#[derive(Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    const KEPT: usize = 16 * 1024;

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let excess = self.0.len().saturating_sub(Self::KEPT);
        self.0.drain(..excess);
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// Writes the standard input of a command.
pub(crate) type Feed<'a> = dyn Fn(&mut dyn Write) -> std::io::Result<()> + Sync + 'a;

/// Has the other end of one of a command's pipes.
enum Partner<'t> {
    Writer(&'t mut dyn FnMut(ChildStdin)),
    Reader(&'t mut dyn FnMut(ChildStdout)),
}

/// The standard output of a command, for a reader on a thread of its own. It also ends when a signal has come, and when
/// the command has ended and nothing comes any more: a process that it left behind may keep the pipe open.
struct Answer<'a> {
    pipe: ChildStdout,
    has_ended: &'a AtomicBool,
    received: &'a AtomicUsize,
}

impl Read for Answer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let wait = Timespec { tv_sec: 0, tv_nsec: HEARTBEAT.subsec_nanos().into() };
        loop {
            let has_ended = self.has_ended.load(Ordering::SeqCst);
            if self.received.load(Ordering::SeqCst) != 0 {
                return Ok(0);
            }
            match poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], Some(&wait)) {
                Ok(0) if has_ended => return Ok(0),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return self.pipe.read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// An event in the life of a running command.
pub(crate) enum Event {
    Output(Stream, Vec<u8>),
    Closed,
    /// The child has ended, but nobody has waited for it yet: until then no other process can get its id.
    Exited(Child),
}

/// What a signal does to the running command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnSignal {
    End,
    /// A signal ends the command, and so does this time limit.
    EndAlsoAfter(Duration),
    /// The command cleans up after a signal. Only a time limit ends it.
    Ignore,
}

impl<'a> Exec<'a> {
    /// Starts to listen for SIGINT, SIGTERM and SIGHUP. The first signal asks hsx to stop, and hsx cleans up. The
    /// second one ends hsx at once; the next run then sweeps what is left.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub(crate) fn new(ui: &'a Ui) -> anyhow::Result<Self> {
        // The signal handler itself sets this: a thread could be too late, because podman ends within 3 ms of Ctrl-C,
        // with status 1.
        let received = Arc::new(AtomicUsize::new(0));
        let (hands_on, is_second) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        // nohup ignores SIGHUP, and hsx keeps it so.
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if signal != SIGHUP || !hangup_is_ignored() {
                // Handlers run in the order of registration: the first signal finds `is_second` still unset.
                flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_second))
                    .and_then(|_| {
                        flag::register_usize(signal, Arc::clone(&received), usize::try_from(signal).unwrap_or(0))
                    })
                    .context("signals cannot be caught")?;
            }
        }
        let (seen, exempt) = (Arc::clone(&received), Arc::clone(&hands_on));
        thread::spawn(move || {
            while seen.load(Ordering::SeqCst) == 0 || exempt.load(Ordering::SeqCst) {
                thread::sleep(HEARTBEAT);
            }
            thread::sleep(SAME);
            is_second.store(true, Ordering::SeqCst);
        });
        Ok(Self { ui, received, hands_on })
    }

    /// The signal that asked hsx to stop, if there was one.
    pub(crate) fn interrupted(&self) -> Option<i32> {
        i32::try_from(self.received.load(Ordering::SeqCst)).ok().filter(|&signal| signal != 0)
    }

    /// Fails when a signal has come. Callers check this between steps.
    ///
    /// # Errors
    /// With the signal as its kind.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(signal) = self.interrupted() else { return Ok(()) };
        let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
        Err(Error::new(ErrorKind::Signal(signal), format!("interrupted by {name}")))
    }

    /// Runs a command to its end and captures its output.
    ///
    /// # Errors
    /// When it cannot be started, or a signal came.
    pub(crate) fn capture(&self, cmd: &Cmd) -> Result<Output, Error> {
        self.captured(cmd, OnSignal::End)
    }

    /// Runs a command and captures its output. `None`: the command took longer than `limit` and was ended.
    ///
    /// # Errors
    /// As [`Self::capture`].
    pub(crate) fn capture_within(&self, cmd: &Cmd, limit: Duration) -> Result<Option<Output>, Error> {
        let started = Instant::now();
        let answer = self.captured(cmd, OnSignal::EndAlsoAfter(limit))?;
        Ok(Some(answer).filter(|answer| answer.success() || started.elapsed() < limit))
    }

    /// Runs a clean-up command, even after a signal, for a few seconds at most. Its failure is ignored.
    pub(crate) fn clean_up(&self, cmd: &Cmd) -> Option<Output> {
        self.captured(cmd, OnSignal::Ignore).ok()
    }

    fn captured(&self, cmd: &Cmd, on_signal: OnSignal) -> Result<Output, Error> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = self.run(cmd, on_signal, &mut |source, bytes| match source {
            Stream::Stdout => keep(&mut stdout, bytes, ANSWER),
            Stream::Stderr => keep(&mut stderr, bytes, ANSWER),
        })?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Output { status, stdout: text(stdout), stderr: text(stderr) })
    }

    /// Runs a command and passes its output on as it arrives.
    ///
    /// # Errors
    /// When it cannot be started, or a signal came.
    pub(crate) fn stream(&self, cmd: &Cmd, output: &mut dyn FnMut(Stream, &[u8])) -> Result<ExitStatus, Error> {
        self.run(cmd, OnSignal::End, output)
    }

    /// Runs a command, writes its standard input, and passes its output on. The result of the writing matters only when
    /// the command succeeds: a command that fails may not have read everything.
    ///
    /// # Errors
    /// When it cannot be started, or a signal came.
    pub(crate) fn fed(
        &self,
        cmd: &Cmd,
        feed: &Feed<'_>,
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<(ExitStatus, std::io::Result<()>), Error> {
        thread::scope(|scope| {
            let mut writer = None;
            let mut start = |mut pipe: ChildStdin| writer = Some(scope.spawn(move || feed(&mut pipe)));
            let status = self.run_with(cmd, OnSignal::End, output, Some(Partner::Writer(&mut start)))?;
            let written = writer.map_or(Ok(()), |writer| writer.join().expect("a writer does not panic"));
            Ok((status, written))
        })
    }

    /// Runs a command whose standard output is read by `reader`, while its standard error is passed on. A reader that
    /// stops early closes the pipe, so the command's failure may be the reader's doing.
    ///
    /// # Errors
    /// When it cannot be started, or a signal came.
    pub(crate) fn read<T: Send>(
        &self,
        cmd: &Cmd,
        reader: impl FnOnce(&mut dyn Read) -> T + Send,
        said: &mut dyn FnMut(&[u8]),
    ) -> Result<(ExitStatus, T), Error> {
        let (has_ended, received) = (AtomicBool::new(false), &*self.received);
        let read = thread::scope(|scope| {
            let (has_ended, mut reader, mut reading) = (&has_ended, Some(reader), None);
            let mut start = |pipe| {
                reading =
                    reader.take().map(|read| scope.spawn(move || read(&mut Answer { pipe, has_ended, received })));
            };
            let partner = Partner::Reader(&mut start);
            let status = self.run_with(cmd, OnSignal::End, &mut |_, bytes| said(bytes), Some(partner));
            has_ended.store(true, Ordering::SeqCst);
            let answer = reading.map(joined);
            Ok((status?, answer.expect("what has ended was started, and its reader with it")))
        });
        self.check()?;
        read
    }

    /// Runs a command that answers on standard output. Its standard error is shown, and passed on.
    ///
    /// # Errors
    /// When it cannot be started, or a signal came.
    pub(crate) fn answered(&self, cmd: &Cmd, said: &mut dyn FnMut(&[u8])) -> Result<(ExitStatus, String), Error> {
        let mut stdout = Vec::new();
        let status = self.stream(cmd, &mut |source, bytes| match source {
            Stream::Stdout => keep(&mut stdout, bytes, ANSWER),
            Stream::Stderr => {
                self.ui.stream(bytes);
                said(bytes);
            }
        })?;
        Ok((status, String::from_utf8_lossy(&stdout).into_owned()))
    }

    fn run(&self, cmd: &Cmd, on_signal: OnSignal, output: &mut dyn FnMut(Stream, &[u8])) -> Result<ExitStatus, Error> {
        self.run_with(cmd, on_signal, output, None)
    }

    fn run_with(
        &self,
        cmd: &Cmd,
        on_signal: OnSignal,
        output: &mut dyn FnMut(Stream, &[u8]),
        partner: Option<Partner<'_>>,
    ) -> Result<ExitStatus, Error> {
        if on_signal != OnSignal::Ignore {
            self.check()?;
        }
        self.ui.command(cmd);
        let streams = match partner {
            None => Streams::Piped,
            Some(Partner::Writer(_)) => Streams::Fed,
            Some(Partner::Reader(_)) => Streams::Read,
        };
        let Spawned { pid: child, stdin, stdout, events } = spawn(cmd, streams)?;
        match (partner, stdin, stdout) {
            (Some(Partner::Writer(start)), Some(pipe), _) => start(pipe),
            (Some(Partner::Reader(start)), _, Some(pipe)) => start(pipe),
            _ => {}
        }
        let started = Instant::now();
        let (mut open, mut status, mut ended_at, mut asked_at) = (2, None, None, None::<Instant>);
        loop {
            match events.recv_timeout(HEARTBEAT) {
                Ok(Event::Output(source, bytes)) => output(source, &bytes),
                Ok(Event::Closed) => open -= 1,
                Ok(Event::Exited(mut child)) => {
                    let lost = |error: std::io::Error| Error::host("a command was lost").said(&error.to_string());
                    status = Some(child.wait().map_err(lost)?);
                    ended_at = Some(Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => open = 0,
            }
            if let Some(status) = status
                && (open == 0 || ended_at.is_some_and(|at| at.elapsed() > DRAIN))
            {
                if on_signal != OnSignal::Ignore {
                    self.settle(status);
                    self.check()?;
                }
                return Ok(status);
            }
            let end = match on_signal {
                OnSignal::End => self.interrupted().is_some(),
                OnSignal::EndAlsoAfter(limit) => self.interrupted().is_some() || started.elapsed() > limit,
                OnSignal::Ignore => started.elapsed() > CLEAN_UP,
            };
            if end && status.is_none() {
                let first = asked_at.is_none();
                let asked = *asked_at.get_or_insert_with(Instant::now);
                if first {
                    let _ = kill_process(child, Signal::TERM);
                } else if asked.elapsed() > GRACE {
                    let _ = kill_process(child, Signal::KILL);
                }
            }
        }
    }

    /// Waits a moment for hsx's own signal. Ctrl-C reaches the tool and hsx at the same time, so a tool that it ended
    /// may be seen first, with any exit status (podman's is 1).
    fn settle(&self, status: ExitStatus) {
        if !status.success() && self.interrupted().is_none() {
            thread::sleep(HEARTBEAT * 2);
        }
    }
}

/// What the standard streams of a command are connected to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Its input is empty, and hsx reads its output.
    Piped,
    /// hsx writes its input, and reads its output.
    Fed,
    /// Its input is empty, and hsx reads its output apart from its errors.
    Read,
    /// It has hsx's own input and output.
    Inherited,
}

/// A command that runs.
pub(crate) struct Spawned {
    pub pid: Pid,
    stdin: Option<ChildStdin>,
    /// Unless its output comes as events.
    stdout: Option<ChildStdout>,
    pub events: Receiver<Event>,
}

pub(crate) fn spawn(cmd: &Cmd, streams: Streams) -> Result<Spawned, Error> {
    let mut command = command(cmd)?;
    if streams != Streams::Inherited {
        let stdin = if streams == Streams::Fed { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let mut child = command.spawn().map_err(|error| cannot_start(cmd, &error))?;
    let pid = Pid::from_child(&child);
    let (stdin, mut stdout) = (child.stdin.take(), child.stdout.take());
    let (sender, events) = sync_channel(WAITING);
    let forwarded = if streams == Streams::Read { None } else { stdout.take() };
    forward(forwarded, Stream::Stdout, &sender);
    forward(child.stderr.take(), Stream::Stderr, &sender);
    thread::spawn(move || wait(child, &sender));
    Ok(Spawned { pid, stdin, stdout, events })
}

/// Converts a command to the standard library's type. xshell only builds commands here: its own `run` does not handle
/// signals, and returns output only after the command has ended.
#[expect(clippy::disallowed_types, reason = "all programs are started by what is made here")]
pub(crate) fn command(cmd: &Cmd) -> Result<std::process::Command, Error> {
    let shell = xshell::Shell::new().map_err(|error| cannot_start(cmd, &error))?;
    let mut command = std::process::Command::from(shell.cmd(&cmd.program).args(&cmd.args));
    if let Some(path) = path_for_programs() {
        command.env("PATH", path);
    }
    Ok(command)
}

/// Appends a piece of output to an answer, which has `at_most` so many bytes then. The rest is dropped.
pub(crate) fn keep(answer: &mut Vec<u8>, piece: &[u8], at_most: usize) {
    let left = at_most.saturating_sub(answer.len());
    answer.extend_from_slice(&piece[..piece.len().min(left)]);
}

fn cannot_start(cmd: &Cmd, error: &dyn std::fmt::Display) -> Error {
    Error::host(format!("`{}` cannot be started", cmd.program)).tried(cmd.brief()).said(&error.to_string())
}

fn forward(pipe: Option<impl Read + Send + 'static>, source: Stream, sender: &SyncSender<Event>) {
    let sender = sender.clone();
    thread::spawn(move || {
        let mut pipe = pipe;
        let mut buffer = [0; 16 * 1024];
        while let Some(Ok(read @ 1..)) = pipe.as_mut().map(|pipe| pipe.read(&mut buffer)) {
            if sender.send(Event::Output(source, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::Closed);
    });
}

fn wait(child: Child, sender: &SyncSender<Event>) {
    let pid = Pid::from_child(&child);
    let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
    let _ = sender.send(Event::Exited(child));
}

/// Whether SIGHUP was ignored when hsx started, as Linux reports it (proc(5), `SigIgn`).
fn hangup_is_ignored() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}
