//! What people see: results on standard output, all else on standard error.

use std::io::{BufRead, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::exec::Exec;
use crate::cli::Color;
use crate::cmd::Cmd;
use crate::error::Error;

/// How much is said besides results and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// The printer. Writing never fails: a closed terminal must not keep hsx from cleaning up.
pub(crate) struct Ui {
    verbosity: Verbosity,
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();

impl Ui {
    pub(crate) fn new(verbosity: Verbosity, color: Color) -> Self {
        match color {
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        Self { verbosity }
    }

    /// A result.
    #[expect(clippy::unused_self, reason = "the one way to standard output")]
    pub(crate) fn print(&self, text: &str) {
        let mut out = anstream::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Columns of the terminal that results go to; without one, as many as they need.
    #[expect(clippy::unused_self, reason = "it is the same terminal that the others write to")]
    pub(crate) fn width(&self) -> usize {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return usize::MAX;
        }
        rustix::termios::tcgetwinsize(&stdout).ok().map_or(80, |size| usize::from(size.ws_col)).max(40)
    }

    /// Shows something and asks a question about it; `None` where there is no terminal to ask on.
    #[expect(clippy::unused_self, reason = "it is the same terminal that the others write to")]
    pub(crate) fn confirm(&self, about: &str, question: &str) -> Option<bool> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let mut err = anstream::stderr().lock();
        let _ = write!(err, "{about}{question} [y/N] ").and_then(|()| err.flush());
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        Some(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
    }

    /// What hsx does now, in the manner of cargo.
    pub(crate) fn status(&self, verb: &str, what: &str) {
        if self.verbosity >= Verbosity::Normal {
            line(&format!("{GOOD}{verb:>12}{GOOD:#} {what}"));
        }
    }

    /// A command that is about to run.
    pub(crate) fn command(&self, cmd: &Cmd) {
        if self.verbosity >= Verbosity::Verbose {
            line(&format!("{DIM}$ {}{DIM:#}", cmd.brief()));
        }
    }

    /// A tool's own output, as it comes.
    pub(crate) fn stream(&self, bytes: &[u8]) {
        if self.verbosity >= Verbosity::Normal {
            let mut err = std::io::stderr().lock();
            let _ = err.write_all(bytes).and_then(|()| err.flush());
        }
    }

    /// Output that was held back because it streams only at [`Verbosity::Normal`].
    pub(crate) fn replay(&self, text: &str) {
        if self.verbosity == Verbosity::Quiet {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }

    #[expect(clippy::unused_self, reason = "warnings are said at every verbosity")]
    pub(crate) fn warning(&self, text: &str) {
        line(&format!("{WARNING}warning:{WARNING:#} {text}"));
    }

    pub(crate) fn error(&self, error: &Error) {
        line(&format!("{BAD}error:{BAD:#} {}", error.message));
        self.details(error);
    }

    /// All of an error but its message.
    #[expect(clippy::unused_self, reason = "they are said at every verbosity")]
    pub(crate) fn details(&self, error: &Error) {
        if let Some(tried) = &error.tried {
            line(&format!("  tried: {tried}"));
        }
        for said in &error.said {
            line(&format!("  | {said}"));
        }
        for hint in &error.hints {
            line(&format!("{HINT}hint:{HINT:#} {hint}"));
        }
        if let Some(log) = &error.log {
            line(&format!("  log: {log}"));
        }
    }

    /// Whether a person sees what is asked, and can answer.
    #[expect(clippy::unused_self, reason = "it is the same terminal that the others write to")]
    pub(crate) fn has_somebody_to_ask(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks a question on the terminal, and waits for a line.
    ///
    /// # Errors
    /// When there will be no answer: the person has typed Ctrl-D, or a signal came.
    #[expect(clippy::unused_self, reason = "it is the same terminal that the others write to")]
    pub(crate) fn ask(&self, question: &str, exec: &Exec<'_>) -> Result<String, Error> {
        let mut err = anstream::stderr().lock();
        let _ = write!(err, "{HINT}?{HINT:#} {question}").and_then(|()| err.flush());
        let stdin = std::io::stdin();
        let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        // A terminal gives whole lines, so none is left behind in the buffer.
        while !matches!(poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&wait)), Ok(1..)) {
            exec.check()?;
        }
        let mut answer = String::new();
        if let Ok(1..) = stdin.lock().read_line(&mut answer) {
            return Ok(answer);
        }
        let _ = writeln!(err);
        Err(Error::usage("there was no answer").hint("`--yes` asks nothing, and each question has a flag"))
    }
}

fn line(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{text}");
}
