//! git, as hsx asks it about a project.

use camino::Utf8Path;

use crate::base::cmd::Cmd;

/// Arguments that keep a repository's own configuration from starting programs. The one that `ls-files` would start is
/// the file monitor (git-config(1), `core.fsmonitor`). Hooks are switched off as well. Nothing else in the repository
/// is trusted, and git itself refuses a repository that belongs to somebody else (`safe.directory`).
const NO_PROGRAMS: [&str; 4] = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];

/// Variables that keep git from the network, and from what it would start to get there. A repository can lack objects
/// that git then fetches, by a program that its configuration names (`remote.NAME.uploadpack`). Versions without the
/// second variable heed the first.
const NO_NETWORK: [&str; 2] = ["GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1"];

/// Lists the files of a directory that git tracks or does not ignore, one a line. git quotes names that are not plain
/// ASCII, so that a line break in a name does not split it.
pub(crate) fn list(dir: &Utf8Path) -> Cmd {
    let words = ["-c", "core.quotePath=true", "ls-files", "--cached", "--others", "--exclude-standard"];
    Cmd::new("/usr/bin/env").args(NO_NETWORK).args(["git", "-C", dir.as_str()]).args(NO_PROGRAMS).args(words)
}
