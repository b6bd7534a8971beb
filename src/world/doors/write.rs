//! Writes the files that people asked hsx to write, in their projects above all.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use tempfile::{Builder, NamedTempFile};

use crate::base::error::{Error, ErrorKind};
use crate::report::diagnosis::full_disk;

/// Writes a file completely or not at all. It replaces an existing file only when `force` is set.
///
/// # Errors
/// When the file exists and `force` is not set, or the directory is not writable.
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

/// A temporary file that `persist` gives its name once it is complete; otherwise it is removed. The user's umask
/// decides who may read it, as for any other file.
///
/// # Errors
/// When the directory is not writable.
pub(super) fn unfinished(dir: &Utf8Path) -> io::Result<NamedTempFile> {
    Builder::new().prefix(".hsx-").permissions(Permissions::from_mode(0o666)).tempfile_in(dir)
}

/// Writes a file, replaces an existing one, and creates the directory if needed.
///
/// # Errors
/// When the directory cannot be made or is not writable.
pub(crate) fn replace_in_made_dir(path: &Utf8Path, text: &str) -> Result<(), Error> {
    let dir = path.parent().unwrap_or(path);
    fs_err::create_dir_all(dir)
        .map_err(|error| Error::usage(format!("`{path}` cannot be written")).said(&error.to_string()))?;
    replace(path, text, true)
}

/// The error for a file that exists already.
pub(crate) fn exists(path: &Utf8Path) -> Error {
    Error::usage(format!("there is a `{path}` already")).hint("replace it with `--force`")
}

/// Appends text to a file. A failure is ignored: the text is only for people to read.
pub(crate) fn append(path: &Utf8Path, text: &str) {
    let file = fs_err::OpenOptions::new().create(true).append(true).open(path);
    let _ = file.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
}

/// The error for an output directory that is not writable.
pub(crate) fn unwritable(error: &io::Error) -> Error {
    let error_line = error.to_string();
    if error.kind() == io::ErrorKind::StorageFull {
        return full_disk().said(&error_line);
    }
    Error::new(ErrorKind::Usage, "the output directory is not writable")
        .said(&error_line)
        .hint("choose another with `--out-dir`")
}
