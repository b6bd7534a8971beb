//! What hsx remembers between runs: image digests, what was fetched, locks and logs.
//!
//! All of it may be deleted at any time: the next run is slower, never wrong. But it must be possible to write it:
//! without locks two runs would spoil each other's build.

use std::fs::{File, TryLockError};
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};

use crate::base::error::Error;

/// The state directory, `$XDG_STATE_HOME/hsx`.
pub(crate) struct State {
    dir: Utf8PathBuf,
}

impl State {
    pub(crate) fn new(dir: Utf8PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// A remembered value: one line of text under a topic and a name.
    pub(crate) fn recall(&self, topic: &str, name: &str) -> Option<String> {
        fs_err::read_to_string(self.path(topic, name)).ok().map(|text| text.trim_end().to_owned())
    }

    /// Remembers a value, or forgets it. Best effort: what was not remembered is found out again.
    pub(crate) fn remember(&self, topic: &str, name: &str, value: Option<&str>) {
        let path = self.path(topic, name);
        let _ = match value {
            Some(value) => {
                fs_err::create_dir_all(self.dir.join(topic)).and_then(|()| fs_err::write(path, format!("{value}\n")))
            }
            None => fs_err::remove_file(path),
        };
    }

    fn path(&self, topic: &str, name: &str) -> Utf8PathBuf {
        // Names hold image references: slashes and colons must not become directories.
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
        self.dir.join(topic).join(name.chars().map(plain).collect::<String>())
    }

    /// A file with nothing in it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn empty_file(&self) -> Result<Utf8PathBuf, Error> {
        let path = self.dir.join("empty");
        let create = || {
            fs_err::create_dir_all(&self.dir)?;
            fs_err::write(&path, "")
        };
        create().map_err(|error| unwritable("an empty file cannot be made", &error))?;
        Ok(path)
    }

    /// The log of a build: that of its last run, in full.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn create_log(&self, key: &str) -> Result<(Utf8PathBuf, fs_err::File), Error> {
        let path = self.path("logs", &format!("{key}.log"));
        let create = || {
            fs_err::create_dir_all(self.dir.join("logs"))?;
            fs_err::File::create(&path)
        };
        let file = create().map_err(|error| unwritable("the log cannot be written", &error))?;
        Ok((path, file))
    }

    /// The lock of a name, not yet taken. The kernel frees it when its process ends, however it ends.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, Error> {
        let path = self.path("locks", name);
        let open = || {
            fs_err::create_dir_all(self.dir.join("locks"))?;
            fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path)
        };
        let file = open().map_err(|error| unwritable("the lock cannot be opened", &error))?;
        Ok(file.into_parts().0)
    }

    /// Notes that what a lock guards is used now.
    pub(crate) fn mark_used(lock: &File) {
        let _ = lock.set_modified(SystemTime::now());
    }

    /// When what a lock guards was last used.
    pub(crate) fn last_use(&self, name: &str) -> Option<SystemTime> {
        fs_err::metadata(self.path("locks", name)).and_then(|meta| meta.modified()).ok()
    }

    /// Whether a living hsx holds a lock.
    pub(crate) fn is_held(&self, name: &str) -> bool {
        if !self.path("locks", name).exists() {
            return false;
        }
        let Ok(file) = self.lock_file(name) else { return true };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }
}

fn unwritable(message: &str, error: &std::io::Error) -> Error {
    Error::host(message).said(&error.to_string()).hint("name a directory of yours for it: set XDG_STATE_HOME")
}
