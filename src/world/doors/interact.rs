//! Commands that have hsx's own input, output and terminal. Signals go to them, and their exit status becomes hsx's.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;

use super::exec::{Event, Exec, HEARTBEAT, Spawned, Streams, command, spawn};
use crate::base::cmd::Cmd;
use crate::base::error::Error;

/// How long a command may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// How a command ended.
pub(crate) struct SessionEnd {
    /// The exit code; 128+N for signal N.
    pub code: u8,
    /// A signal ended it or was passed on to it, so it may have left something behind.
    pub signalled: bool,
}

impl Exec<'_> {
    /// Replaces hsx by the command's program, which inherits hsx's input, output and terminal. Returns only when that
    /// fails.
    pub(crate) fn replace(&self, cmd: &Cmd) -> Error {
        if let Err(error) = self.check() {
            return error;
        }
        self.ui.command(cmd);
        match command(cmd) {
            Ok(mut command) => {
                let error = command.exec();
                Error::host(format!("`{}` cannot be started", cmd.program)).said(&error.to_string())
            }
            Err(error) => error,
        }
    }

    /// Runs a command to its end, and passes signals on to it. `end` is run when the command does not stop within the
    /// grace period.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn interact(&self, cmd: &Cmd, end: &Cmd) -> Result<SessionEnd, Error> {
        self.check()?;
        self.ui.command(cmd);
        self.hands_on.store(true, Ordering::SeqCst);
        let ended = self.until_it_ends(cmd, end);
        self.hands_on.store(false, Ordering::SeqCst);
        ended
    }

    fn until_it_ends(&self, cmd: &Cmd, end: &Cmd) -> Result<SessionEnd, Error> {
        let Spawned { pid: child, events, .. } = spawn(cmd, Streams::Inherited)?;
        let (mut signalled, mut asked_at) = (false, None::<Instant>);
        loop {
            match events.recv_timeout(HEARTBEAT) {
                Ok(Event::Exited(mut child)) => {
                    let lost = |error: std::io::Error| Error::host("a command was lost").said(&error.to_string());
                    let status = child.wait().map_err(lost)?;
                    signalled |= self.take_signal().is_some() || status.code().is_none();
                    return Ok(SessionEnd { code: code(status), signalled });
                }
                Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if let Some(signal) = self.take_signal() {
                signalled = true;
                // The terminal has sent Ctrl-C to the command too, and the command may use it for something else than
                // to end.
                if signal != Signal::INT || !is_in_foreground() {
                    let _ = kill_process(child, signal);
                    asked_at.get_or_insert_with(Instant::now);
                }
            }
            if asked_at.is_some_and(|at| at.elapsed() > GRACE) {
                self.clean_up(end);
                let _ = kill_process(child, Signal::TERM);
                asked_at = Some(Instant::now());
            }
        }
    }

    /// The signal that has come since the last call.
    fn take_signal(&self) -> Option<Signal> {
        let number = self.received.swap(0, Ordering::SeqCst);
        i32::try_from(number).ok().and_then(Signal::from_named_raw)
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Whether hsx is in the terminal's foreground group, so that Ctrl-C reaches hsx and the command alike.
fn is_in_foreground() -> bool {
    fs_err::File::open("/dev/tty")
        .is_ok_and(|terminal| tcgetpgrp(terminal.file()).is_ok_and(|group| group == getpgrp()))
}
