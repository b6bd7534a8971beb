//! A place that hsx writes to: how much of its path the user chose, and how much a project did.

use camino::{Utf8Path, Utf8PathBuf};

/// A directory that hsx writes to. Links in the user's part of the path are the user's own, and are followed. Below it
/// a project may have put links, so none is followed there (`world::doors::root`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    root: Utf8PathBuf,
    below: Utf8PathBuf,
}

impl Place {
    /// A directory that the user chose.
    pub(crate) fn of_user(path: impl Into<Utf8PathBuf>) -> Self {
        Self { root: path.into(), below: Utf8PathBuf::new() }
    }

    /// A directory below this one, without following links. A path with `..` in it cannot be opened.
    pub(crate) fn join(&self, below: impl AsRef<Utf8Path>) -> Self {
        Self { root: self.root.clone(), below: self.below.join(below) }
    }

    /// The user's part of the path.
    pub(crate) fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The part below, which may be empty.
    pub(crate) fn below(&self) -> &Utf8Path {
        &self.below
    }

    /// The whole path, for commands and for people to read.
    pub(crate) fn path(&self) -> Utf8PathBuf {
        if self.below.as_str().is_empty() { self.root.clone() } else { self.root.join(&self.below) }
    }
}
