//! Files that people asked hsx to write into their projects.

use camino::Utf8Path;

use crate::base::error::{Error, Kind};
use crate::report::diagnosis::full_disk;

/// Writes a file whole or not at all, and over another one only where that is wanted.
///
/// # Errors
/// When there is one already, or the directory is not writable.
pub(crate) fn replace(path: &Utf8Path, text: &str, force: bool) -> Result<(), Error> {
    let fresh = path.with_file_name(format!(".{}.hsx-new", path.file_name().unwrap_or_default()));
    let written = fs_err::write(&fresh, text).and_then(|()| {
        // A link to it fails where there is a file by now; a rename would replace it.
        if force { fs_err::rename(&fresh, path) } else { fs_err::hard_link(&fresh, path) }
    });
    let _ = fs_err::remove_file(&fresh);
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => Error::usage(format!("`{path}` cannot be written")).said(&error.to_string()),
    })
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
    let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
}

/// The error of an output directory that cannot be written.
pub(crate) fn unwritable(error: &std::io::Error) -> Error {
    let error_line = error.to_string();
    if error.kind() == std::io::ErrorKind::StorageFull {
        return full_disk().said(&error_line);
    }
    Error::new(Kind::Usage, "the output directory is not writable")
        .said(&error_line)
        .hint("choose another with `--out-dir`")
}
