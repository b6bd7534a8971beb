//! What saves work and may be deleted at any time, in `$XDG_CACHE_HOME/hsx`: packed executables, and how trials ended.
//!
//! An entry is named by the digest of all that decides it, and begins with the digest of its content.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};

use crate::digest::sha256;

/// How much is kept: what was used last.
const BYTES: u64 = 512 << 20;
const ENTRIES: usize = 4096;

/// The cache directory. Without a home there is none, and nothing is kept.
pub(crate) struct Cache {
    dir: Option<Utf8PathBuf>,
}

impl Cache {
    pub(crate) fn new(dir: Option<Utf8PathBuf>) -> Self {
        Self { dir }
    }

    /// An entry as it was put. One that was spoilt since is none.
    pub(crate) fn get(&self, topic: &str, key: &str) -> Option<Vec<u8>> {
        let path = self.dir.as_ref()?.join(topic).join(key);
        let mut content = fs_err::read(&path).ok()?;
        let end = content.iter().position(|&byte| byte == b'\n')?;
        let rest = content.split_off(end + 1);
        if content[..end] != *sha256(&rest).as_bytes() {
            let _ = fs_err::remove_file(&path);
            return None;
        }
        // What is used is young: the old go first.
        let _ = fs_err::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|file| file.file().set_modified(SystemTime::now()));
        Some(rest)
    }

    /// Keeps an entry. Best effort: what is not kept is made again.
    pub(crate) fn put(&self, topic: &str, key: &str, content: &[u8]) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Some(dir) = self.dir.as_ref().map(|dir| dir.join(topic)) else { return };
        // Readers see all of it or nothing.
        let fresh = dir.join(format!(".{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        let text = [sha256(content).as_bytes(), b"\n", content].concat();
        let put = || {
            fs_err::create_dir_all(&dir)?;
            fs_err::write(&fresh, text)?;
            fs_err::rename(&fresh, dir.join(key))
        };
        if put().is_err() {
            let _ = fs_err::remove_file(&fresh);
        }
        limit(&dir, BYTES, ENTRIES);
    }
}

/// Removes the entries that were not used for longest, until the others are within the limits.
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
            // Nothing older is kept, however small.
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

    fn cache() -> (tempfile::TempDir, Utf8PathBuf, Cache) {
        let guard = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        (guard, dir.clone(), Cache::new(Some(dir)))
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
    fn without_a_home_nothing_is_kept() {
        let cache = Cache::new(None);
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
