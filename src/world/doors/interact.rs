//! Commands that have hsx's own input, output and terminal: signals and the exit status are theirs.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;

use super::exec::{Event, Exec, HEARTBEAT, Streams, command, spawn};
use crate::base::cmd::Cmd;
use crate::base::error::Error;

/// How long a command may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// How a command ended.
pub(crate) struct Ended {
    /// The exit code; 128+N for signal N.
    pub code: u8,
    /// It was ended from outside, so that it may have left something behind.
    pub signalled: bool,
}

impl Exec<'_> {
    /// Becomes the program of a command, with everything that hsx itself was started with. Returns only if that fails.
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

    /// Runs a command to its end, whatever signals come: they are the command's. Where it does not heed one that is to
    /// end it, `end` does.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn interact(&self, cmd: &Cmd, end: &Cmd) -> Result<Ended, Error> {
        self.check()?;
        self.ui.command(cmd);
        self.hands_on.store(true, Ordering::SeqCst);
        let ended = self.until_it_ends(cmd, end);
        self.hands_on.store(false, Ordering::SeqCst);
        ended
    }

    fn until_it_ends(&self, cmd: &Cmd, end: &Cmd) -> Result<Ended, Error> {
        let (child, _, events) = spawn(cmd, Streams::Inherited)?;
        let (mut signalled, mut asked_at) = (false, None::<Instant>);
        loop {
            match events.recv_timeout(HEARTBEAT) {
                Ok(Event::Exited(mut child)) => {
                    let lost = |error: std::io::Error| Error::host("a command was lost").said(&error.to_string());
                    let status = child.wait().map_err(lost)?;
                    signalled |= self.take_signal().is_some() || status.code().is_none();
                    return Ok(Ended { code: code(status), signalled });
                }
                Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if let Some(signal) = self.take_signal() {
                signalled = true;
                // Ctrl-C went to the command too; and it may mean something else than the end.
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

    /// A signal that has come since the last time.
    fn take_signal(&self) -> Option<Signal> {
        let number = self.received.swap(0, Ordering::SeqCst);
        i32::try_from(number).ok().and_then(Signal::from_named_raw)
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Whether the keys of a terminal send hsx, and so the command, their signals.
fn is_in_foreground() -> bool {
    fs_err::File::open("/dev/tty")
        .is_ok_and(|terminal| tcgetpgrp(terminal.file()).is_ok_and(|group| group == getpgrp()))
}
