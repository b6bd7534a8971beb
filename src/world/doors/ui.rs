//! Shows things to people: results on standard output, everything else on standard error.

use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use camino::Utf8Path;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::pieces;
use super::screen::Screen;
use crate::args::{Color, Format};
use crate::base::cmd::Cmd;
use crate::base::error::Error;
use crate::base::harmless::{self, Filter};
use crate::base::platform::Platform;
use crate::report::event::{Entry, Event};

/// How much is shown besides results and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// How many events are kept for a page of timings. No real build has more; the limit bounds memory.
const EVENTS: usize = 100_000;

/// The printer. A failed write is not an error at once, because a closed terminal must not keep hsx from cleaning up;
/// for results the error is reported at the end. Text from tools and projects is made harmless here.
pub(crate) struct Ui {
    verbosity: Verbosity,
    screen: Screen,
    /// Several platforms are built at once, so each line names its platform.
    several: AtomicBool,
    /// Standard error is GitHub's log, which folds output that is marked as a group.
    groups: bool,
    /// Events are printed to standard output as they happen.
    streams_events: bool,
    started: Instant,
    events: Mutex<Vec<Entry>>,
    /// One filter serves all tools, because their output is shown in the order in which it arrives.
    filter: Mutex<Filter>,
    for_github: bool,
    /// Why a result could not be written.
    unwritten: Mutex<Option<std::io::Error>>,
}

/// What reads standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Anybody,
    /// The cursor cannot be moved: a log, or a terminal without that ability.
    Log,
    GitHub,
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();

impl Ui {
    pub(crate) fn new(verbosity: Verbosity, color: Color, format: Format, reader: Reader) -> Self {
        match color {
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        Self {
            verbosity,
            screen: Screen::new(verbosity == Verbosity::Normal && reader == Reader::Anybody),
            several: AtomicBool::new(false),
            groups: reader == Reader::GitHub && verbosity == Verbosity::Normal,
            streams_events: format == Format::JsonLines,
            started: Instant::now(),
            events: Mutex::default(),
            filter: Mutex::new(Filter::new(reader == Reader::GitHub)),
            for_github: reader == Reader::GitHub,
            unwritten: Mutex::default(),
        }
    }

    /// The error that kept results from being written to standard output. A reader that has closed the pipe is not an
    /// error.
    pub(crate) fn unwritten(&self) -> Option<Error> {
        let error = self.unwritten.lock().ok()?.take()?;
        Some(unwritten(&error))
    }

    pub(crate) fn screen(&self) -> &Screen {
        &self.screen
    }

    pub(crate) fn has_several(&self) -> bool {
        self.several.load(Ordering::Relaxed)
    }

    /// Sets how many platforms are built at once from now on.
    pub(crate) fn expect(&self, platforms: usize) {
        self.several.store(platforms > 1, Ordering::Relaxed);
    }

    /// Prints a whole log as a group, when it was not streamed.
    pub(crate) fn group(&self, title: &str, log: &Utf8Path) {
        if self.groups
            && let Ok(log) = pieces::open(log)
        {
            self.line(&format!("::group::{title}"));
            let (mut filter, mut err) = (Filter::new(true), std::io::stderr().lock());
            let _ = pieces::each(log, |piece| err.write_all(filter.push(piece).as_bytes()));
            drop(err);
            // The blank line comes first because the log may not end with a line break.
            self.line("\n::endgroup::");
        }
    }

    /// Records an event of one platform.
    pub(crate) fn event(&self, platform: Platform, event: Event) {
        self.note(Some(platform), event);
    }

    /// Records an event of the whole run.
    pub(crate) fn tell(&self, event: Event) {
        self.note(None, event);
    }

    fn note(&self, platform: Option<Platform>, event: Event) {
        let time = (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        let entry = Entry { event, platform, time };
        if self.streams_events {
            self.print(&entry.line());
        }
        if let Ok(mut events) = self.events.lock()
            && events.len() < EVENTS
        {
            events.push(entry);
        }
    }

    /// All events of the run so far.
    pub(crate) fn events(&self) -> Vec<Entry> {
        self.events.lock().map(|events| events.clone()).unwrap_or_default()
    }

    /// Prints a result. Programs get it unchanged.
    pub(crate) fn print(&self, text: &str) {
        let shown = std::io::stdout().is_terminal().then(|| harmless::lines(text, false));
        let mut out = anstream::stdout().lock();
        let written = out.write_all(shown.as_deref().unwrap_or(text).as_bytes()).and_then(|()| out.flush());
        if let (Err(error), Ok(mut unwritten)) = (written, self.unwritten.lock())
            && error.kind() != ErrorKind::BrokenPipe
        {
            unwritten.get_or_insert(error);
        }
    }

    /// The width of the terminal that results are printed to, in columns. Without a terminal there is no limit.
    #[expect(clippy::unused_self, reason = "it is the same terminal that the others write to")]
    pub(crate) fn width(&self) -> usize {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return usize::MAX;
        }
        rustix::termios::tcgetwinsize(&stdout).ok().map_or(80, |size| usize::from(size.ws_col)).max(40)
    }

    /// Shows text and asks a yes-no question about it. `None`: there is no terminal to ask on.
    pub(crate) fn confirm(&self, about: &str, question: &str) -> Option<bool> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let mut err = anstream::stderr().lock();
        let about = harmless::lines(about, self.for_github);
        let _ = write!(err, "{about}{question} [y/N] ").and_then(|()| err.flush());
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        Some(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
    }

    fn line(&self, text: &str) {
        self.screen.above(|| {
            let mut err = anstream::stderr().lock();
            let _ = writeln!(err, "{text}");
        });
    }

    /// Shows what hsx does now, in the style of cargo.
    pub(crate) fn status(&self, verb: &str, what: &str) {
        if self.verbosity >= Verbosity::Normal {
            // The text may contain colours of hsx's own.
            let what = harmless::lines(&what.replace('\n', " "), self.for_github);
            self.line(&format!("{GOOD}{verb:>12}{GOOD:#} {what}"));
        }
    }

    /// Shows a command that is about to run.
    pub(crate) fn command(&self, cmd: &Cmd) {
        if self.verbosity >= Verbosity::Verbose {
            self.line(&format!("{DIM}$ {}{DIM:#}", harmless::line(&cmd.brief())));
        }
    }

    /// Shows a tool's own output as it arrives.
    pub(crate) fn stream(&self, bytes: &[u8]) {
        let shown = self.verbosity == Verbosity::Verbose || !(self.screen.is_live() || self.groups);
        if self.verbosity >= Verbosity::Normal && shown {
            let text = self.filter.lock().map(|mut filter| filter.push(bytes)).unwrap_or_default();
            let mut err = std::io::stderr().lock();
            let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
        }
    }

    /// Shows the end of output that was held back. When several platforms are built at once, each line names its
    /// platform.
    pub(crate) fn replay(&self, platform: Option<Platform>, text: &str) {
        const LINES: usize = 40;
        let text = harmless::lines(text, self.for_github);
        let platform = platform.filter(|_| self.several.load(Ordering::Relaxed));
        let named = platform
            .map(|name| text.lines().map(|line| format!("{name} | {line}")).collect::<Vec<_>>().join("\n") + "\n");
        let text = named.as_deref().unwrap_or(&text);
        if self.verbosity == Verbosity::Quiet {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        } else if self.screen.is_live() {
            let lines: Vec<_> = text.lines().collect();
            self.line(&lines[lines.len().saturating_sub(LINES)..].join("\n"));
        }
    }

    pub(crate) fn warning(&self, text: &str) {
        self.line(&format!("{WARNING}warning:{WARNING:#} {}", harmless::line(text)));
    }

    pub(crate) fn error(&self, error: &Error) {
        self.line(&format!("{BAD}error:{BAD:#} {}", harmless::line(&error.message)));
        self.details(error);
    }

    /// Shows all of an error except its message.
    pub(crate) fn details(&self, error: &Error) {
        if let Some(tried) = &error.tried {
            self.line(&format!("  tried: {}", harmless::lines(tried, self.for_github)));
        }
        for said in &error.said {
            self.line(&format!("  | {}", harmless::line(said)));
        }
        for hint in &error.hints {
            self.line(&format!("{HINT}hint:{HINT:#} {}", harmless::line(hint)));
        }
        if let Some(log) = &error.log {
            self.line(&format!("  log: {log}"));
        }
    }

    /// Whether a person is at the terminal, to see a question and to answer it.
    #[expect(clippy::unused_self, reason = "it is the same terminal that the others write to")]
    pub(crate) fn has_somebody_to_ask(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks a question on the terminal and waits for a line. `check` fails when hsx has to stop waiting.
    ///
    /// # Errors
    /// When no answer comes: the user typed Ctrl-D, or a signal came.
    #[expect(clippy::unused_self, reason = "it is the same terminal that the others write to")]
    pub(crate) fn ask(&self, question: &str, check: impl Fn() -> Result<(), Error>) -> Result<String, Error> {
        let mut err = anstream::stderr().lock();
        let _ = write!(err, "{HINT}?{HINT:#} {question}").and_then(|()| err.flush());
        let stdin = std::io::stdin();
        let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        // A terminal delivers whole lines, so no part of an answer waits in the buffer.
        while !matches!(poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&wait)), Ok(1..)) {
            check()?;
        }
        let mut answer = String::new();
        if let Ok(1..) = stdin.lock().read_line(&mut answer) {
            return Ok(answer);
        }
        let _ = writeln!(err);
        Err(Error::usage("there was no answer").hint("`--yes` asks nothing, and each question has a flag"))
    }
}
/// The error for standard output that takes no more.
pub(crate) fn unwritten(error: &std::io::Error) -> Error {
    Error::host("what hsx has to tell cannot be written to standard output").said(&error.to_string())
}
