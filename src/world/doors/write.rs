//! Files that people asked hsx to write into their projects.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use tempfile::{Builder, NamedTempFile};

use crate::base::error::{Error, ErrorKind};
use crate::report::diagnosis::full_disk;

/// Writes a file whole or not at all, and over another one only where that is wanted.
///
/// # Errors
/// When there is one already, or the directory is not writable.
pub(crate) fn replace(path: &Utf8Path, text: &str, force: bool) -> Result<(), Error> {
    let write = || {
        let mut file = unfinished(path.parent().unwrap_or(path))?;
        file.write_all(text.as_bytes())?;
        if force {
            file.persist(path)?
        } else {
            file.persist_noclobber(path)?
        };
        Ok(())
    };
    write().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => Error::usage(format!("`{path}` cannot be written")).said(&error.to_string()),
    })
}

/// A file that gets its name once it is whole, by `persist`, and is removed otherwise. The user's umask decides who
/// may read it, as of any other file.
///
/// # Errors
/// When the directory is not writable.
pub(super) fn unfinished(dir: &Utf8Path) -> io::Result<NamedTempFile> {
    Builder::new().prefix(".hsx-").permissions(Permissions::from_mode(0o666)).tempfile_in(dir)
}

/// Writes a file in a directory that is made where it is not there, over another one if there is one.
///
/// # Errors
/// When the directory cannot be made or is not writable.
pub(crate) fn replace_in_made_dir(path: &Utf8Path, text: &str) -> Result<(), Error> {
    let dir = path.parent().unwrap_or(path);
    fs_err::create_dir_all(dir)
        .map_err(|error| Error::usage(format!("`{path}` cannot be written")).said(&error.to_string()))?;
    replace(path, text, true)
}

/// The error of a file that is in the way.
pub(crate) fn exists(path: &Utf8Path) -> Error {
    Error::usage(format!("there is a `{path}` already")).hint("replace it with `--force`")
}

/// Adds text to the end of a file. Best effort: it is for reading only.
pub(crate) fn append(path: &Utf8Path, text: &str) {
    let file = fs_err::OpenOptions::new().create(true).append(true).open(path);
    let _ = file.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
}

/// The error of an output directory that cannot be written.
pub(crate) fn unwritable(error: &io::Error) -> Error {
    let error_line = error.to_string();
    if error.kind() == io::ErrorKind::StorageFull {
        return full_disk().said(&error_line);
    }
    Error::new(ErrorKind::Usage, "the output directory is not writable")
        .said(&error_line)
        .hint("choose another with `--out-dir`")
}
