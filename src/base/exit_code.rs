//! The exit codes of the scripts in `scripts/container`: the one table. Each code means one thing in all scripts, and no
//! engine, shell or signal uses it. Each script names at its top those that it exits with.
//!
//! The tests include this file, so it imports nothing.
#![allow(dead_code, reason = "hsx heeds some codes only, and tests check others; the table has all")]

/// How a script ends that does not succeed; every other code is the engine's or the shell's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum ExitCode {
    /// cabal failed: the project does not build, or its dependencies are not to be had.
    CabalFailed = 100,
    /// An executable could not be stripped.
    StripFailed = 101,
    /// The image lacks what the script needs; its output says what.
    ImageUnfit = 102,
    /// The test suites were built, and at least one failed.
    TestFailed = 103,
    /// The source that was sent did not arrive to its end.
    SourceCut = 104,
    /// The volumes do not hold the source that the sender believes them to hold.
    SourceUnknown = 105,
}

impl ExitCode {
    /// Whether a process ended with this code; `None` is one that a signal ended.
    pub(crate) fn is(self, code: Option<i32>) -> bool {
        code == Some(self as i32)
    }
}
