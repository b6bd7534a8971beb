//! Writes the files that people asked hsx to write, and says why one cannot be written.

use std::io;

use camino::Utf8Path;

use super::root::{Root, link_in};
use crate::base::error::{Error, ErrorKind};
use crate::base::place::Place;
use crate::report::diagnosis::full_disk;

/// Writes a file completely or not at all, and makes its directory if needed. It replaces an existing file only when
/// `force` is set.
///
/// # Errors
/// When the file exists and `force` is not set, when a link is where a project could have put it, or the directory is
/// not writable.
pub(crate) fn replace(dir: &Place, name: &str, text: &str, force: bool) -> Result<(), Error> {
    Root::make(dir)
        .and_then(|dir| dir.replace(name, text, force))
        .map_err(|error| failed(&dir.path().join(name), &error))
}

/// Fails when [`replace`] would for a link, before hsx takes the time to find out what to write.
///
/// # Errors
/// When the file is a link.
pub(crate) fn is_no_link(dir: &Place, name: &str) -> Result<(), Error> {
    let looked = Root::open(dir).and_then(|dir| dir.is_no_link(name));
    looked.map_err(|error| failed(&dir.path().join(name), &error))
}

fn failed(path: &Utf8Path, error: &io::Error) -> Error {
    match link_in(error) {
        Some(link) => is_link(link).hint("remove the link, or put the file that it leads to in its place"),
        None if error.kind() == io::ErrorKind::AlreadyExists => exists(path),
        None => Error::usage(format!("`{path}` cannot be written")).said(&error.to_string()),
    }
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

/// The error for results that cannot be written.
pub(crate) fn unwritable(error: &io::Error) -> Error {
    if let Some(link) = link_in(error) {
        return is_link(link)
            .hint("if you want the results where it leads, name that directory yourself: `--out-dir DIR`, or `out-dir` in your own `config.toml`")
            .hint("else remove the link");
    }
    let error_line = error.to_string();
    if error.kind() == io::ErrorKind::IsADirectory {
        return Error::usage("a directory has the name of a file that is to be delivered")
            .said(&error_line)
            .hint("rename it, or choose another place for the results with `--out-dir`");
    }
    if error.kind() == io::ErrorKind::StorageFull {
        return full_disk().said(&error_line);
    }
    Error::new(ErrorKind::Usage, "the output directory is not writable")
        .said(&error_line)
        .hint("choose another with `--out-dir`")
}

fn is_link(path: &Utf8Path) -> Error {
    Error::usage(format!("`{path}` is a link, and below a project hsx writes through none"))
}
