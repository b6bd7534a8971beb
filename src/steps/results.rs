//! What the scripts for builds and tests may leave in a container, by name and size. Nothing else is let out of it.

use camino::Utf8Path;

use crate::project::target::is_component_name;
use crate::world::doors::incoming::{Expected, Limits};

/// The name of the directory with the results ([`super::build::RESULTS`]).
pub(super) const TOP: &str = "out";

/// The limits on all results of a container together. Data files have narrower ones when they are delivered.
pub(super) const ALL: Limits = Limits { entries: 50_000, bytes: 8 << 30 };

/// The size limits in bytes for single results. With debug information, an executable may have more than a GiB.
const EXECUTABLE: u64 = 4 << 30;
/// Plans of hundreds of packages have a few MiB.
pub(super) const CABAL_PLAN: u64 = 64 << 20;
pub(super) const TEST_RESULTS: u64 = 16 << 20;
const TEST_LOG: u64 = 1 << 30;
pub(super) const LIST: u64 = 1 << 20;
const DATA_FILE: u64 = 1 << 30;

/// What may be under a name.
pub(super) fn expected(name: &str) -> Option<Expected> {
    let text = |at_most| Some(Expected::File { at_most });
    match *name.split('/').collect::<Vec<_>>() {
        ["bin" | "logs" | "share"] => Some(Expected::Directory),
        ["bin", name] => is_component_name(name).then_some(Expected::Executable { at_most: EXECUTABLE }),
        ["plan.json"] => text(CABAL_PLAN),
        ["results"] => text(TEST_RESULTS),
        ["data" | "emulated-calls"] => text(LIST),
        ["logs", log] if Utf8Path::new(log).extension() == Some("log") && !log.starts_with('.') => text(TEST_LOG),
        ["share", unit] if is_unit_id(unit) => Some(Expected::Directory),
        ["share", unit, ..] if is_unit_id(unit) => Some(Expected::FileOrDirectory { at_most: DATA_FILE }),
        // Two executables have this name, so the script keeps neither.
        [mark] if mark.strip_prefix("twice-").is_some_and(is_component_name) => text(0),
        _ => None,
    }
}

/// Whether a unit in cabal's store may have this id.
pub(super) fn is_unit_id(id: &str) -> bool {
    id.chars().all(|c| c.is_alphanumeric() || "-_.+".contains(c)) && !id.is_empty() && !id.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_scripts_leave_is_expected() {
        for name in [
            "bin",
            "bin/hello",
            "bin/grüße-2a",
            "bin/foo_bar",
            "plan.json",
            "results",
            "data",
            "emulated-calls",
            "twice-tool",
            "logs",
            "logs/demo-0.1.0-spec.log",
            "share",
            "share/pandoc-3.1-0a1b",
            "share/pandoc-3.1-0a1b/x86_64-linux-ghc-9.6.6/pandoc-3.1/data/a b.css",
        ] {
            assert!(expected(name).is_some(), "{name}");
        }
        for name in [
            "",
            "disk",
            "packed",
            "packed/hello",
            "known",
            "results.tar",
            "bin/.a",
            "bin/-a",
            "bin/a b",
            "bin/hello/x",
            "twice-",
            "twice-.a",
            "logs/.log",
            "logs/x",
            "logs/a/b.log",
            "share/.x",
            "share/a b/c",
            "plan.json/x",
        ] {
            assert_eq!(expected(name), None, "{name}");
        }
    }
}
