//! Caches results in `$XDG_CACHE_HOME/hsx`: packed executables, and how trials ended. All of it may be deleted at any
//! time.
//!
//! The name of an entry is a digest of everything that decides its content. The file begins with a digest of the
//! content.

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};

use super::pieces;
use super::root::Root;
use crate::base::digest::{Hasher, sha256};
use crate::base::place::Place;

/// How many bytes are kept. The entries that were used last stay.
const BYTES: u64 = 512 << 20;
const ENTRIES: usize = 4096;

/// The length of a digest, in characters.
const DIGEST: usize = 64;

/// The cache directory. Without a home directory there is no cache, and nothing is kept.
pub(crate) struct BlobStore {
    dir: Option<Utf8PathBuf>,
}

impl BlobStore {
    pub(crate) fn new(dir: Option<Utf8PathBuf>) -> Self {
        Self { dir }
    }

    /// The content of an entry. `None`: there is no entry, or it was damaged.
    pub(crate) fn get(&self, topic: &str, key: &str) -> Option<Vec<u8>> {
        let mut entry = self.open(topic, key)?;
        let mut content = Vec::new();
        entry.rest.read_to_end(&mut content).ok()?;
        entry.is_whole(&sha256(&content)).then_some(content)
    }

    /// Writes an entry to a new file as an executable program, and returns its digest. `None`: there is no usable entry,
    /// and no file is left behind.
    ///
    /// # Errors
    /// When the program cannot be written.
    pub(crate) fn copy_to(&self, topic: &str, key: &str, dir: &Root, name: &str) -> std::io::Result<Option<String>> {
        let Some(entry) = self.open(topic, key) else { return Ok(None) };
        let (mut program, mut hasher) = (dir.create(name)?, Hasher::default());
        pieces::each(&entry.rest, |piece| {
            hasher.update(piece);
            program.write_all(piece)
        })?;
        program.set_permissions(Permissions::from_mode(0o755))?;
        let digest = hasher.finish();
        if entry.is_whole(&digest) {
            return Ok(Some(digest));
        }
        dir.remove_file(name)?;
        Ok(None)
    }

    fn open(&self, topic: &str, key: &str) -> Option<Entry> {
        let path = self.dir.as_ref()?.join(topic).join(key);
        let mut rest = pieces::open(&path).ok()?;
        let mut head = [0; DIGEST + 1];
        rest.read_exact(&mut head).ok()?;
        let digest = head.strip_suffix(b"\n").and_then(|digest| str::from_utf8(digest).ok()).unwrap_or_default();
        Some(Entry { digest: digest.to_owned(), path, rest })
    }

    /// Writes an entry. A failure is ignored: hsx then does the work again next time.
    pub(crate) fn put(&self, topic: &str, key: &str, content: &[u8]) {
        self.write(topic, key, &sha256(content), |file| file.write_all(content));
    }

    /// Writes an entry from a file whose digest is known. A failure is ignored.
    pub(crate) fn put_file(&self, topic: &str, key: &str, from: &File, sha256: &str) {
        self.write(topic, key, sha256, |file| pieces::each(from, |piece| file.write_all(piece)));
    }

    fn write(&self, topic: &str, key: &str, digest: &str, content: impl FnOnce(&mut File) -> std::io::Result<()>) {
        let Some(dir) = self.dir.as_ref().map(|dir| dir.join(topic)) else { return };
        let put = || {
            let dir = Root::make(&Place::of_user(&dir))?;
            // A reader sees the whole entry or none: the file gets its name only when it is complete.
            let mut entry = dir.unfinished()?;
            writeln!(entry.file, "{digest}")?;
            content(&mut entry.file)?;
            entry.finish(key, true)
        };
        let _ = put();
        limit(&dir, BYTES, ENTRIES);
    }
}

/// An entry of the cache, opened.
struct Entry {
    path: Utf8PathBuf,
    /// The digest that its content should have.
    digest: String,
    /// The part of its content that has not been read yet.
    rest: File,
}

impl Entry {
    /// Whether the content still has its digest. A damaged entry is removed. A good one is marked as just used, because
    /// the oldest entries are removed first.
    fn is_whole(&self, digest: &str) -> bool {
        if self.digest != digest {
            let _ = fs_err::remove_file(&self.path);
            return false;
        }
        let _ = fs_err::OpenOptions::new()
            .append(true)
            .open(&self.path)
            .and_then(|file| file.file().set_modified(SystemTime::now()));
        true
    }
}

/// Removes the least recently used entries until the rest is within the limits.
fn limit(dir: &Utf8Path, mut bytes: u64, mut entries: usize) {
    let Ok(listing) = fs_err::read_dir(dir) else { return };
    let files = listing.filter_map(|entry| {
        let entry = entry.ok()?;
        let meta = entry.metadata().ok()?;
        Some((meta.modified().ok()?, meta.len(), entry.path()))
    });
    let mut files: Vec<_> = files.collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    for (_, size, path) in files {
        if entries == 0 || size > bytes {
            // The limits are reached: all older entries go, however small they are.
            (entries, bytes) = (0, 0);
            let _ = fs_err::remove_file(path);
        } else {
            (entries, bytes) = (entries - 1, bytes - size);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cache() -> (tempfile::TempDir, Utf8PathBuf, BlobStore) {
        let guard = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        (guard, dir.clone(), BlobStore::new(Some(dir)))
    }

    #[test]
    fn an_entry_comes_back_unless_it_was_spoilt() {
        let (_guard, dir, cache) = cache();
        assert_eq!(cache.get("packed", "key"), None);
        cache.put("packed", "key", b"con\ntent");
        assert_eq!(cache.get("packed", "key").unwrap(), b"con\ntent");
        let path = dir.join("packed/key");
        let spoilt = fs_err::read_to_string(&path).unwrap().replace("tent", "tend");
        fs_err::write(&path, spoilt).unwrap();
        assert_eq!(cache.get("packed", "key"), None);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_comes_back_as_a_program_unless_it_was_spoilt() {
        let (_guard, dir, cache) = cache();
        let (root, to) = (Root::open(&Place::of_user(&dir)).unwrap(), dir.join("to"));
        let content = b"content ".repeat(20_000);
        fs_err::write(dir.join("from"), &content).unwrap();
        cache.put_file("packed", "key", &root.file("from").unwrap(), &sha256(&content));
        assert_eq!(cache.copy_to("packed", "key", &root, "to").unwrap(), Some(sha256(&content)));
        cache.copy_to("packed", "key", &root, "to").unwrap_err();
        assert_eq!(fs_err::read(&to).unwrap(), content);
        assert_eq!(fs_err::metadata(&to).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(cache.get("packed", "key").unwrap(), content);
        let path = dir.join("packed/key");
        fs_err::write(&path, &fs_err::read(&path).unwrap()[..100_000]).unwrap();
        root.remove_file("to").unwrap();
        assert_eq!(cache.copy_to("packed", "key", &root, "to").unwrap(), None);
        assert!(!path.exists() && !to.exists());
    }

    #[test]
    fn without_a_home_nothing_is_kept() {
        let cache = BlobStore::new(None);
        cache.put("packed", "key", b"content");
        assert_eq!(cache.get("packed", "key"), None);
    }

    #[test]
    fn what_was_used_last_stays() {
        let (_guard, dir, cache) = cache();
        for (age, key) in [(3, "oldest"), (2, "old"), (1, "young")] {
            cache.put("packed", key, b"0123456789");
            let file = fs_err::OpenOptions::new().append(true).open(dir.join("packed").join(key)).unwrap();
            file.file().set_modified(SystemTime::now() - Duration::from_hours(age)).unwrap();
        }
        cache.get("packed", "oldest").unwrap();
        limit(&dir.join("packed"), 160, 9);
        assert!(cache.get("packed", "old").is_none() && cache.get("packed", "young").is_some());
        limit(&dir.join("packed"), 1000, 1);
        assert!(cache.get("packed", "oldest").is_none() && cache.get("packed", "young").is_some());
    }
}
