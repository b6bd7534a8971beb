//! The names of hsx's containers: `hsx-KEY-PHASE`. Whoever holds the lock of the build with that key knows that a
//! container of such a name is a leftover.

use std::fmt;

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Adds something to an image.
    Derive,
    /// Receives the source.
    Send,
    /// Copies an image into a volume.
    Copy,
    /// Makes the toolchain of the cross strategy.
    Cross,
    /// Updates the package index.
    Index,
    Fetch,
    Build,
    /// Runs test suites.
    Test,
    /// Starts the executables once.
    Try,
    Freeze,
    /// Shows `hsx doctor` whether programs start.
    Probe,
    /// A person's shell; the number is the process id of hsx, for there may be several.
    Shell(u32),
    /// A person's program; the number is the process id of hsx.
    Run(u32),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Derive => f.write_str("derive"),
            Self::Send => f.write_str("send"),
            Self::Copy => f.write_str("copy"),
            Self::Cross => f.write_str("cross"),
            Self::Index => f.write_str("index"),
            Self::Fetch => f.write_str("fetch"),
            Self::Build => f.write_str("build"),
            Self::Test => f.write_str("test"),
            Self::Try => f.write_str("try"),
            Self::Freeze => f.write_str("freeze"),
            Self::Probe => f.write_str("probe"),
            Self::Shell(process) => write!(f, "shell{process}"),
            Self::Run(process) => write!(f, "run{process}"),
        }
    }
}

/// The name of a phase's container; `key` is its build's.
pub(crate) fn container_name(key: &str, phase: Phase) -> String {
    format!("hsx-{key}-{phase}")
}

/// The key of the build that a container belongs to. `None`: hsx gives no such name.
pub(crate) fn key_of(name: &str) -> Option<&str> {
    Some(name.strip_prefix("hsx-")?.rsplit_once('-')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_key() {
        for phase in [Phase::Derive, Phase::Try, Phase::Shell(12), Phase::Run(7)] {
            assert_eq!(key_of(&container_name("demo-linux-amd64-0a", phase)), Some("demo-linux-amd64-0a"), "{phase}");
        }
        assert_eq!([key_of("demo-build"), key_of("hsx-build")], [None, None]);
    }
}
