//! The exit codes of the scripts in `scripts/container`, in one table. A code means the same in every script, and no
//! engine, shell or signal uses it. Each script lists its own codes at its top.
//!
//! The tests include this file, so it imports nothing.
#![allow(dead_code, reason = "hsx heeds some codes only, and tests check others; the table has all")]

/// How a script fails. Any other exit code comes from the engine or the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum ExitCode {
    /// cabal failed: the project does not build, or a dependency is not available.
    CabalFailed = 100,
    /// An executable could not be stripped.
    StripFailed = 101,
    /// The image lacks what the script needs; its output says what.
    ImageUnfit = 102,
    /// The test suites were built, and at least one failed.
    TestFailed = 103,
    /// The archive of the source was cut short on its way to the engine.
    SourceCut = 104,
    /// The volumes do not hold the source that the sender expects there.
    SourceUnknown = 105,
    /// The package index is missing or too old. hsx updates it in a container of its own, and starts the script again.
    IndexDue = 106,
}

impl ExitCode {
    /// Whether `code` is this exit code. It is `None` for a process that a signal ended.
    pub(crate) fn is(self, code: Option<i32>) -> bool {
        code == Some(self as i32)
    }
}
