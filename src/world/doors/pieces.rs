//! Reads files piece by piece: executables are large, and hsx reads those of several platforms at the same time.

use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::base::digest::Hasher;

const PIECE: usize = 64 * 1024;

/// Passes the rest of a file to `take`, in pieces.
///
/// # Errors
/// When it cannot be read, or `take` fails.
pub(crate) fn each(from: impl Read, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(PIECE, from);
    loop {
        let length = match reader.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(piece) => {
                take(piece)?;
                piece.len()
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        reader.consume(length);
    }
}

/// The SHA-256 of a file's content.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn sha256_of(path: impl AsRef<Path>) -> std::io::Result<String> {
    sha256(open(path.as_ref())?)
}

/// The SHA-256 of the rest of a file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn sha256(from: impl Read) -> std::io::Result<String> {
    let mut hasher = Hasher::default();
    each(from, |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(hasher.finish())
}

/// The text of a regular file (not a link) of at most `limit` bytes. Invalid UTF-8 is replaced.
///
/// # Errors
/// When it is not a regular file, is longer, or cannot be read.
pub(crate) fn text_of(path: impl AsRef<Path>, limit: u64) -> std::io::Result<String> {
    let refused = |why: &str| Err(Error::new(ErrorKind::InvalidData, why));
    if !fs_err::symlink_metadata(path.as_ref())?.is_file() {
        return refused("it is no regular file");
    }
    let mut bytes = Vec::new();
    open(path.as_ref())?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return refused("it is longer than it may be");
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens a regular file for reading, without ever blocking. The error names the file.
///
/// # Errors
/// When it cannot be opened, or is not a regular file: a device or FIFO may never end.
pub(crate) fn open(path: impl AsRef<Path>) -> std::io::Result<File> {
    let path = path.as_ref();
    let named = |error: Error| Error::new(error.kind(), format!("failed to open file `{}`: {error}", path.display()));
    // Without `NONBLOCK`, the call would wait until somebody opens a FIFO for writing.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| named(error.into()))?;
    let file = File::from(file);
    if !file.metadata().map_err(named)?.is_file() {
        return Err(Error::other(format!("`{}` is no regular file", path.display())));
    }
    Ok(file)
}
