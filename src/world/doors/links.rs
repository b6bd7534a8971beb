//! Symbolic links: reading and making them.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::symlink;

use crate::base::error::Error;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Present {
    Nothing,
    /// A link, and the path that it finally leads to; the text of the link when it leads nowhere.
    Link(Utf8PathBuf),
    Other,
}

/// The directory at a path, with links resolved.
///
/// # Errors
/// When there is none.
pub(crate) fn directory(path: &Utf8Path) -> Result<Utf8PathBuf, Error> {
    let dir = path.canonicalize_utf8().ok().filter(|dir| dir.is_dir());
    dir.ok_or_else(|| Error::usage(format!("there is no directory `{path}`")))
}

pub(crate) fn find(path: &Utf8Path) -> Present {
    match fs_err::read_link(path) {
        Ok(target) => {
            let said = Utf8PathBuf::from_path_buf(target).unwrap_or_default();
            Present::Link(path.canonicalize_utf8().unwrap_or(said))
        }
        Err(_) if fs_err::symlink_metadata(path).is_ok() => Present::Other,
        Err(_) => Present::Nothing,
    }
}

/// Makes a link, and replaces an existing one atomically.
///
/// # Errors
/// When the directory is not writable.
pub(crate) fn make(path: &Utf8Path, target: &Utf8Path) -> Result<(), Error> {
    // A link beside its target holds the name alone, so that both can be moved together.
    let beside = path.parent() == target.parent();
    let target = target.file_name().filter(|_| beside).map_or(target, Utf8Path::new);
    let fresh = path.with_extension("hsx-new");
    let _ = fs_err::remove_file(&fresh);
    symlink(target, &fresh).and_then(|()| fs_err::rename(&fresh, path)).map_err(|error| {
        Error::usage(format!("the link `{path}` cannot be made"))
            .said(&error.to_string())
            .hint("choose a directory of yours with `--dir`, one that is on PATH")
    })
}
