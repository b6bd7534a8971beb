//! Reads files that others have written: only regular files, and only up to a limit. A project may hold a link to
//! `/dev/zero`, or a FIFO that nobody writes to.

use std::io::{Error, Read as _};
use std::path::Path;

use super::pieces;

/// The size limit in bytes for files that people write: `.cabal` files, settings, freeze files.
const TEXT: u64 = 8 << 20;

/// The content of a file of at most `limit` bytes.
///
/// # Errors
/// When it cannot be read, is not a regular file, or is longer.
pub(crate) fn bytes(path: impl AsRef<Path>, limit: u64) -> std::io::Result<Vec<u8>> {
    let path = path.as_ref();
    let file = pieces::open(path)?;
    let length = file.metadata()?.len();
    let mut content = Vec::with_capacity(usize::try_from(length.min(limit)).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(Error::other(format!("`{}` is larger than {} MiB", path.display(), limit >> 20)));
    }
    Ok(content)
}

/// The content of a file that people write. Invalid UTF-8 is replaced, as cabal does.
///
/// # Errors
/// As [`bytes`].
pub(crate) fn text(path: impl AsRef<Path>) -> std::io::Result<String> {
    let bytes = bytes(path, TEXT)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_files_are_read_and_no_more_than_they_may_have() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs_err::write(path("file"), "12345678").unwrap();
        symlink(path("file"), path("link")).unwrap();
        symlink("/dev/zero", path("endless")).unwrap();
        mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(bytes(path("file"), 8).unwrap(), b"12345678");
        assert_eq!(text(path("link")).unwrap(), "12345678");
        for (name, limit, said) in [
            ("file", 7, "is larger than"),
            ("endless", 8, "is no regular file"),
            ("fifo", 8, "is no regular file"),
            ("", 8, "is no regular file"),
            ("nothing", 8, "No such file"),
        ] {
            let error = bytes(path(name), limit).unwrap_err().to_string();
            assert!(error.contains(said), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_not_unicode_is_replaced() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), b"a\xffb").unwrap();
        assert_eq!(text(file.path()).unwrap(), "a\u{fffd}b");
    }
}
