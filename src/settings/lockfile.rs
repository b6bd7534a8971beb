//! `hsx.lock`: the images and the package index that a project is built with, whoever builds it.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::base::date;
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::project::Project;

/// The file's name in the project's directory.
pub(crate) const FILE_NAME: &str = "hsx.lock";

/// The version of hsx that writes the file.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The content of the file.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Lockfile {
    /// The version of hsx that wrote the file: its scripts affect the result too.
    hsx: String,
    /// The time of the package index, as cabal spells it.
    index_state: String,
    /// The digest of each image, by the image's name and the platform.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    image: BTreeMap<String, BTreeMap<String, String>>,
}

impl Lockfile {
    /// `images` has the digests of each image, by its name and the platform. `now` is in seconds since 1970.
    pub(crate) fn new(project: &Project, images: BTreeMap<String, BTreeMap<Platform, String>>, now: i64) -> Self {
        let image = images.into_iter().map(|(name, digests)| {
            (name, digests.into_iter().map(|(platform, digest)| (platform.to_string(), digest)).collect())
        });
        Self {
            hsx: VERSION.to_owned(),
            index_state: project.index_state.clone().unwrap_or_else(|| date::index_state(now)),
            image: image.collect(),
        }
    }

    /// Reads the file; `path` is for messages.
    ///
    /// # Errors
    /// When it is not what hsx writes.
    pub(crate) fn parse(text: &str, path: &Utf8Path) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| {
            Error::usage(format!("`{path}` is not valid")).said(error.to_string().trim_end()).hint(WRITE)
        })
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let table = toml::to_string(self).expect("text and tables of text are TOML");
        format!("# Written by `hsx lock`; `--locked` builds with what is here.\n{table}")
    }

    /// The differences from an older file, one line each.
    pub(crate) fn changes(&self, old: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, digests) in &self.image {
            let before = old.image.get(name);
            for (platform, digest) in digests {
                match before.and_then(|digests| digests.get(platform)) {
                    Some(before) if before == digest => {}
                    Some(before) => lines.push(format!("{name} {platform}: {before} -> {digest}")),
                    None => lines.push(format!("{name} {platform}: {digest}")),
                }
            }
        }
        let gone = old.image.keys().filter(|name| !self.image.contains_key(*name));
        lines.extend(gone.map(|name| format!("{name} is gone")));
        lines
    }

    /// The digest of an image for a platform.
    ///
    /// # Errors
    /// When the file has none: the image that is asked for is not one that was locked.
    pub(crate) fn digest(&self, image: &str, platform: Platform) -> Result<&str, Error> {
        let digest = self.image.get(image).and_then(|digests| digests.get(&platform.to_string()));
        digest.map(String::as_str).ok_or_else(|| {
            let names: Vec<_> = self.image.keys().map(|name| format!("`{name}`")).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::usage(format!("`{FILE_NAME}` has no digest of the image `{image}` for {platform}"))
                .hint(format!("images that it has: {names}; {WRITE}"))
        })
    }

    /// The index-state that the file gives to a project; `None` if the project sets one itself.
    ///
    /// # Errors
    /// When the version of hsx, or the project's index-state, is not the one that was locked.
    pub(super) fn index_state_for(&self, project: &Project) -> Result<Option<&str>, Error> {
        let drift = |what: String| Err(Error::usage(format!("`{FILE_NAME}` is out of date: {what}")).hint(WRITE));
        if self.hsx != VERSION {
            return drift(format!("hsx {} wrote it, and this is hsx {VERSION}", self.hsx));
        }
        match &project.index_state {
            Some(state) if *state != self.index_state => {
                drift(format!("it has the index-state {}, and the project {state}", self.index_state))
            }
            Some(_) => Ok(None),
            None => Ok(Some(&self.index_state)),
        }
    }
}

/// The error for a project that has no lock file.
pub(crate) fn missing(root: &Utf8Path) -> Error {
    Error::usage(format!("`--locked` needs a `{FILE_NAME}` in `{root}`")).hint(WRITE)
}

/// The hint for everything that may be wrong with the file.
const WRITE: &str = "`hsx lock` writes it anew";

#[cfg(test)]
mod tests {
    use super::*;

    fn lockfile(digest: &str) -> Lockfile {
        let digests = BTreeMap::from([(Platform::Amd64, digest.to_owned()), (Platform::Arm64, "sha256:b".to_owned())]);
        Lockfile {
            index_state: "2026-01-01T00:00:00Z".to_owned(),
            hsx: VERSION.to_owned(),
            image: BTreeMap::from([(
                "quay.io/x:9.6.7".to_owned(),
                digests.into_iter().map(|(platform, digest)| (platform.to_string(), digest)).collect(),
            )]),
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let written = lockfile("sha256:a");
        let expected = format!(
            "# Written by `hsx lock`; `--locked` builds with what is here.\nhsx = \"{VERSION}\"\n\
             index-state = \"2026-01-01T00:00:00Z\"\n\n[image.\"quay.io/x:9.6.7\"]\n\"linux/amd64\" = \"sha256:a\"\n\
             \"linux/arm64\" = \"sha256:b\"\n"
        );
        assert_eq!(written.text(), expected);
        assert_eq!(Lockfile::parse(&expected, "hsx.lock".into()).unwrap(), written);
        assert!(Lockfile::parse("hsx = 1", "hsx.lock".into()).unwrap_err().message.contains("not valid"));
    }

    #[test]
    fn changes_name_both_digests() {
        let (old, new) = (lockfile("sha256:a"), lockfile("sha256:c"));
        assert_eq!(new.changes(&old), ["quay.io/x:9.6.7 linux/amd64: sha256:a -> sha256:c"]);
        assert!(new.changes(&new).is_empty());
        let empty = Lockfile { image: BTreeMap::new(), ..lockfile("sha256:a") };
        assert_eq!(old.changes(&empty).len(), 2);
        assert_eq!(empty.changes(&old), ["quay.io/x:9.6.7 is gone"]);
    }
}
