//! upx, which packs executables on the host.

use camino::{Utf8Path, Utf8PathBuf};

use crate::base::cmd::Cmd;
use crate::base::platform::Platform;

/// The upx that is installed, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packer {
    pub program: Utf8PathBuf,
    /// The version that it reports; `None` if it reports none.
    pub version: Option<String>,
    /// The user's own arguments.
    pub args: Vec<String>,
}

impl Packer {
    /// Packs `input` into `output`, which must not exist; the input stays as it is.
    ///
    /// It packs at upx's default level: `--best` took 413 s for a 14 MB executable where the default took 1.7 s.
    pub(crate) fn pack(&self, input: &Utf8Path, output: &Utf8Path) -> Cmd {
        let quiet = ["--quiet", "--quiet", "--no-progress"];
        let files = ["-o", output.as_str(), input.as_str()];
        Cmd::new(self.program.as_str()).args(quiet).args(self.args.iter().cloned()).args(files)
    }
}

pub(crate) fn version(program: &Utf8Path) -> Cmd {
    Cmd::new(program.as_str()).arg("--version")
}

/// The version in the first line of `upx --version`: `upx 4.2.2`.
pub(crate) fn parse_version(output: &str) -> Option<&str> {
    output.lines().next()?.strip_prefix("upx ")?.split_whitespace().next()
}

/// A known fault of a version of upx that may explain why a packed file fails.
pub(crate) fn known_fault(version: &str, platform: Platform) -> Option<&'static str> {
    match (version, platform) {
        ("4.2.2", Platform::Arm64) => Some("upx 4.2.2 breaks static arm64 executables; 4.2.3 mends it (upx #758)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_second_word() {
        assert_eq!(parse_version("upx 4.2.4\nUCL data compression library 1.03\n"), Some("4.2.4"));
        assert_eq!(parse_version("something else"), None);
    }

    #[test]
    fn only_the_known_pair_is_blamed() {
        assert!(known_fault("4.2.2", Platform::Arm64).is_some());
        assert!(known_fault("4.2.2", Platform::Amd64).is_none());
        assert!(known_fault("4.2.4", Platform::Arm64).is_none());
    }
}
