//! What hsx remembers between runs: image digests, what was fetched, locks and logs.
//!
//! All of it may be deleted at any time: the next run is slower, never wrong. But hsx must be able to write it: without
//! locks, two runs would damage each other's build.

use std::convert::Infallible;
use std::fmt::{self, Display, Formatter};
use std::fs::{File, TryLockError};
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};

use super::root::Root;
use crate::base::digest::short_hash;
use crate::base::error::Error;
use crate::base::place::Place;

/// A kind of thing that is remembered: a subdirectory of the state directory, with a one-line file for each name.
pub(crate) struct Topic<T> {
    dir: &'static str,
    value: PhantomData<T>,
}

impl<T> Topic<T> {
    const fn new(dir: &'static str) -> Self {
        Self { dir, value: PhantomData }
    }
}

/// Key: image and platform (`REFERENCE linux/ARCH`). Value: the digest that the registry last gave for the tag.
pub(crate) const DIGESTS: Topic<String> = Topic::new("digests");
/// Key: the engine's name for an image that hsx made. Value: whether everything that was to be added is in it.
pub(crate) const DERIVED: Topic<Derived> = Topic::new("derived");
/// Key: volume. Present once a cross toolchain, or a copy of an image, is completely in the volume.
pub(crate) const FILLED: Topic<Filled> = Topic::new("filled");
/// Key: the key of a build. Value: a digest of everything that decides what its last fetch phase downloaded.
pub(crate) const FETCHED: Topic<String> = Topic::new("fetched");
/// Key: the key of a build and the number of packages that it built. Value: how long this took last time, in seconds.
pub(crate) const DURATIONS: Topic<u64> = Topic::new("durations");
/// Key: a digest of everything that decides an engine's answer. Value: what the engine said of itself, as JSON of
/// `ask::engines`.
pub(crate) const ENGINES: Topic<String> = Topic::new("engines");
/// Key: volume. Value: what was last sent to an engine on another machine, as JSON of `steps::send`.
pub(crate) const SOURCES: Topic<String> = Topic::new("source");

/// Key: a digest of a project's root and of a path outside of it. Value: the path, which the user has agreed to show to
/// that project's builds.
pub(crate) const AGREED: Topic<String> = Topic::new("agreed");

const LOGS: &str = "logs";
const LOCKS: &str = "locks";

/// Whether everything that was to be added to an image is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derived {
    Whole,
    /// Some of the optional tools could not be installed.
    InPart,
}

impl Display for Derived {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "yes",
            Self::InPart => "in part",
        })
    }
}

impl FromStr for Derived {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "in part" { Self::InPart } else { Self::Whole })
    }
}

/// The note on a filled volume: what a better image would improve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    pub note: Option<String>,
}

impl Display for Filled {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.note.as_deref().unwrap_or("yes"))
    }
}

impl FromStr for Filled {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self { note: (text != "yes").then(|| text.to_owned()) })
    }
}

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

    /// The value that is remembered for a name.
    pub(crate) fn recall<T: FromStr>(&self, topic: &Topic<T>, name: &str) -> Option<T> {
        fs_err::read_to_string(self.path(topic.dir, name)).ok()?.trim_end().parse().ok()
    }

    /// Remembers a one-line value. A failure is ignored: hsx finds the value out again next time.
    pub(crate) fn remember<T: Display>(&self, topic: &Topic<T>, name: &str, value: &T) {
        let write = || {
            let dir = Root::make(&Place::of_user(self.dir.join(topic.dir)))?;
            dir.replace(&file_name(name), &format!("{value}\n"), true)
        };
        let _ = write();
    }

    /// Forgets the value for a name.
    pub(crate) fn forget<T>(&self, topic: &Topic<T>, name: &str) {
        let _ = fs_err::remove_file(self.path(topic.dir, name));
    }

    fn path(&self, dir: &str, name: &str) -> Utf8PathBuf {
        self.dir.join(dir).join(file_name(name))
    }

    /// An empty file.
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

    /// A file with a text, for containers to see in place of one of the project. It is named by its content.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn file_with(&self, text: &str) -> Result<Utf8PathBuf, Error> {
        let (dir, name) = (self.dir.join("amended"), short_hash(&[text]));
        let path = dir.join(&name);
        if !fs_err::read_to_string(&path).is_ok_and(|there| there == text) {
            super::write::replace(&Place::of_user(dir), &name, text, true)?;
        }
        Ok(path)
    }

    /// Creates the log of a build, in place of the last run's.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn create_log(&self, key: &str) -> Result<(Utf8PathBuf, fs_err::File), Error> {
        let path = self.log_path(key);
        let create = || {
            fs_err::create_dir_all(self.dir.join(LOGS))?;
            fs_err::File::create(&path)
        };
        let file = create().map_err(|error| unwritable("the log cannot be written", &error))?;
        Ok((path, file))
    }

    /// Removes the log of a build.
    pub(crate) fn remove_log(&self, key: &str) {
        let _ = fs_err::remove_file(self.log_path(key));
    }

    fn log_path(&self, key: &str) -> Utf8PathBuf {
        self.path(LOGS, &format!("{key}.log"))
    }

    /// The file of a named lock, not yet locked. The kernel releases the lock when the process ends, however it ends.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, Error> {
        let path = self.path(LOCKS, name);
        let open = || {
            fs_err::create_dir_all(self.dir.join(LOCKS))?;
            fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path)
        };
        let file = open().map_err(|error| unwritable("the lock cannot be opened", &error))?;
        Ok(file.into_parts().0)
    }

    /// The real path of the directory that holds the locks.
    pub(crate) fn locks_dir(&self) -> Utf8PathBuf {
        let dir = self.dir.join(LOCKS);
        // A path that is not there yet cannot be resolved. Whoever needs a lock reports that it cannot be made.
        let _ = fs_err::create_dir_all(&dir);
        dir.canonicalize_utf8().unwrap_or(dir)
    }

    /// Records that the thing behind a lock is used now.
    pub(crate) fn mark_used(lock: &File) {
        let _ = lock.set_modified(SystemTime::now());
    }

    /// When the thing behind a lock was last used.
    pub(crate) fn last_use(&self, name: &str) -> Option<SystemTime> {
        fs_err::metadata(self.path(LOCKS, name)).and_then(|meta| meta.modified()).ok()
    }

    /// Whether a running hsx holds a lock.
    pub(crate) fn is_held(&self, name: &str) -> bool {
        if !self.path(LOCKS, name).exists() {
            return false;
        }
        let Ok(file) = self.lock_file(name) else { return true };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }
}

/// The name of the file for something that is remembered.
fn file_name(name: &str) -> String {
    // Names contain image references, whose slashes and colons must not become directories.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    name.chars().map(plain).collect()
}

fn unwritable(message: &str, error: &std::io::Error) -> Error {
    Error::host(message).said(&error.to_string()).hint("name a directory of yours for it: set XDG_STATE_HOME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(Utf8PathBuf::from_path_buf(dir.path().join("state")).unwrap());
        let note = Filled { note: Some("clang would be faster".to_owned()) };
        assert_eq!(state.recall(&FILLED, "a"), None);
        for (name, value) in [("a", &Filled::default()), ("b/c:d", &note)] {
            state.remember(&FILLED, name, value);
            assert_eq!(state.recall(&FILLED, name).as_ref(), Some(value));
        }
        state.remember(&FILLED, "a", &note);
        assert_eq!(state.recall(&FILLED, "a"), Some(note));
        state.forget(&FILLED, "a");
        assert_eq!(state.recall(&FILLED, "a"), None);
        for derived in [Derived::Whole, Derived::InPart] {
            state.remember(&DERIVED, "x", &derived);
            assert_eq!(state.recall(&DERIVED, "x"), Some(derived));
        }
        state.remember(&DURATIONS, "x", &7);
        assert_eq!(state.recall(&DURATIONS, "x"), Some(7));
        fs_err::write(state.dir().join("durations/x"), "long").unwrap();
        assert_eq!(state.recall(&DURATIONS, "x"), None, "spoilt");
    }
}
