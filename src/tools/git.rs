//! git, as hsx asks it about a project.

use camino::Utf8Path;

use crate::base::cmd::Cmd;

/// What a repository's own configuration may not decide: which programs run. Of what `ls-files` heeds that is the monitor
/// of files (git-config(1), `core.fsmonitor`); no hook is run by it either. Nothing else of the repository is trusted, and
/// git itself refuses one that belongs to somebody else (`safe.directory`).
const NO_PROGRAMS: [&str; 4] = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];

/// Lists what git knows of a directory, or does not ignore, a line each. Names that are not plain ASCII are quoted, and so
/// come whole.
pub(crate) fn list(dir: &Utf8Path) -> Cmd {
    let words = ["-c", "core.quotePath=true", "ls-files", "--cached", "--others", "--exclude-standard"];
    Cmd::new("git").args(["-C", dir.as_str()]).args(NO_PROGRAMS).args(words)
}
