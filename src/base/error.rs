//! Errors as part of the product: what failed, what was tried, what the tool said, what to type next.

use std::fmt;

use camino::Utf8PathBuf;

use super::platform::Platform;

/// The reason why hsx fails, which decides its exit code. `hsx --help` documents the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ErrorKind {
    /// cabal failed: the project does not build.
    Build,
    /// The command line, `hsx.toml` or the project is not usable as it is.
    Usage,
    /// The engine, emulation, image or disk is not as a build needs it.
    Host,
    /// The result is not a static executable for the platform.
    Verification,
    /// A signal ended hsx.
    Signal(i32),
}

impl ErrorKind {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Build => 1,
            Self::Usage => 2,
            Self::Host => 3,
            Self::Verification => 4,
            Self::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

/// An expected failure, with everything a person needs to go on.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    pub kind: ErrorKind,
    /// One sentence without a full stop.
    pub message: String,
    /// The command that failed, as typed.
    pub tried: Option<String>,
    /// The lines of the tool's output that matter.
    pub said: Vec<String>,
    /// The compiler's messages, for programs that read the report. People have seen them in the output already.
    pub messages: Vec<String>,
    /// What to do about it, most promising first.
    pub hints: Vec<String>,
    /// The path of the full log.
    pub log: Option<Utf8PathBuf>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            tried: None,
            said: Vec::new(),
            messages: Vec::new(),
            hints: Vec::new(),
            log: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    pub(crate) fn host(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Host, message)
    }

    pub(crate) fn verification(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Verification, message)
    }

    /// Puts the platform before the message, unless the message already begins with it.
    pub(crate) fn on(mut self, platform: Platform) -> Self {
        if !self.message.starts_with(&platform.to_string()) {
            self.message = format!("{platform}: {}", self.message);
        }
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    pub(crate) fn tried(mut self, command: impl Into<String>) -> Self {
        self.tried = Some(command.into());
        self
    }

    /// Keeps the last five lines of a tool's output that are not empty: earlier lines rarely tell what went wrong.
    pub(crate) fn said(mut self, output: &str) -> Self {
        let lines: Vec<_> = output.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let skipped = lines.len().saturating_sub(5);
        self.said = lines.into_iter().skip(skipped).map(shortened).collect();
        self
    }
}

/// Shortens a long line to its two ends. Engines print whole data structures in one line, and say what went wrong at
/// its beginning or end.
fn shortened(line: &str) -> String {
    const ENDS: usize = 150;
    let chars: Vec<_> = line.chars().collect();
    if chars.len() <= 3 * ENDS {
        return line.to_owned();
    }
    let text = |part: &[char]| part.iter().collect::<String>();
    format!("{} … {}", text(&chars[..ENDS]), text(&chars[chars.len() - ENDS..]))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let kinds = [
            ErrorKind::Build,
            ErrorKind::Usage,
            ErrorKind::Host,
            ErrorKind::Verification,
            ErrorKind::Signal(2),
            ErrorKind::Signal(15),
        ];
        assert_eq!(kinds.map(ErrorKind::exit_code), [1, 2, 3, 4, 130, 143]);
    }

    #[test]
    fn the_platform_is_said_once() {
        let on = |message: &str| Error::host(message).on(Platform::Arm64).message;
        assert_eq!(on("cabal build failed"), "linux/arm64: cabal build failed");
        assert_eq!(on("linux/arm64 programs do not start"), "linux/arm64 programs do not start");
    }

    #[test]
    fn only_the_last_lines_are_quoted() {
        let error = Error::host("x").said("1\n2\n\n3\n4\n5\n6\n");
        assert_eq!(error.said, ["2", "3", "4", "5", "6"]);
    }

    #[test]
    fn of_an_endless_line_both_ends_are_quoted() {
        let error = Error::host("x").said(&format!("Error: {}: disk full", "{}, ".repeat(1000)));
        let line = &error.said[0];
        assert!(line.starts_with("Error: ") && line.ends_with(": disk full") && line.len() < 400, "{line}");
    }
}
