//! The containers, volumes and images that hsx keeps in an engine: which are hsx's, which are to be removed, and how.

use std::fmt::Write as _;

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use super::{bytes, render};
use crate::base::age::Age;
use crate::base::cmd::Cmd;
use crate::base::date::seconds_since_epoch;
use crate::base::platform::Platform;
use crate::facts::container_name::key_of;
use crate::tools::engine::storage::{ObjectKind, StoredObject};
use crate::tools::engine::{Engine, LABEL};

/// The prefix of the names of images that hsx makes.
const DERIVED: &str = "localhost/hsx-derived:";

/// A container younger than this (in seconds) may belong to another user's running build.
const SOMEBODYS: Age = Age(24 * 60 * 60);

/// A volume, container or image that hsx made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub kind: ObjectKind,
    pub name: String,
    /// Its purpose, from its label: `store`, `build`, `source`, `cross`, `native`, `run`, `image`.
    pub purpose: String,
    pub platform: Option<Platform>,
    pub project: Option<Utf8PathBuf>,
    /// The image that it was made with, by the name that the engine was given.
    pub image: Option<String>,
    /// Its size in bytes. `None`: the engine does not tell.
    pub size: Option<u64>,
    /// When it was made, in RFC 3339, as the engine writes it.
    pub created: String,
    /// The time since this user's hsx last used it; when that is not known, the time since it was made.
    pub unused: Option<Age>,
    /// Why it must stay. `None`: it may be removed.
    pub held: Option<&'static str>,
}

/// Which items are to be removed: those that meet all conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub older_than: Option<Age>,
    pub project: Option<Utf8PathBuf>,
    pub platforms: Vec<Platform>,
}

/// What the state directory tells of an item, by the name of its lock.
pub(crate) struct LockState {
    /// A running hsx holds its lock.
    pub is_held: bool,
    /// When it was last used, in seconds since 1970.
    pub used: Option<i64>,
}

/// Why something was not removed.
pub(crate) enum Refusal {
    /// A running hsx or a container uses it.
    InUse(String),
    /// The engine could not remove it, and said this.
    Failed(String),
}

/// The item for an object in the engine's storage. `None`: hsx did not make it. hsx's objects carry hsx's label and
/// also a name that hsx gives. A label alone proves nothing: containers inherit the labels of their image.
pub(crate) fn item(
    stored: StoredObject,
    state_id: &str,
    now: i64,
    known: impl FnOnce(&str) -> LockState,
) -> Option<Item> {
    let purpose = stored.labels.get(LABEL)?.clone();
    let name = match stored.kind {
        ObjectKind::Image if stored.names.is_empty() => stored.id.clone(),
        ObjectKind::Image => stored.names.iter().find(|name| name.starts_with(DERIVED))?.clone(),
        ObjectKind::Container if purpose != "run" => return None,
        ObjectKind::Volume | ObjectKind::Container => {
            stored.names.first().filter(|name| name.starts_with("hsx-"))?.clone()
        }
    };
    let known = known(lock_name(stored.kind, &name));
    let made = seconds_since_epoch(&stored.created);
    let age = made.max(known.used).map(|then| Age((now - then).max(0)));
    let label = |key: &str| stored.labels.get(key).cloned();
    let is_mine = label("hsx.state").is_none_or(|state| state == state_id);
    let held = if known.is_held {
        Some("a running hsx uses it")
    } else if stored.kind == ObjectKind::Container
        && !is_mine
        && (stored.running || age.is_none_or(|age| age.0 < SOMEBODYS.0))
    {
        Some("it is another user's")
    } else {
        None
    };
    Some(Item {
        kind: stored.kind,
        name,
        purpose,
        platform: label("hsx.platform").and_then(|platform| platform.parse().ok()),
        project: label("hsx.project").map(Utf8PathBuf::from),
        image: label("hsx.image"),
        size: stored.size,
        created: stored.created,
        unused: age,
        held,
    })
}

/// The name of the lock that a running hsx holds while it uses the object.
fn lock_name(kind: ObjectKind, name: &str) -> &str {
    match kind {
        ObjectKind::Image => name,
        ObjectKind::Volume => name.strip_prefix("hsx-build-").unwrap_or(name),
        ObjectKind::Container => key_of(name).unwrap_or(name),
    }
}

impl Item {
    pub(crate) fn lock_name(&self) -> &str {
        lock_name(self.kind, &self.name)
    }

    pub(crate) fn fits(&self, filter: &Filter) -> bool {
        filter.older_than.is_none_or(|limit| self.unused.is_some_and(|unused| unused.0 >= limit.0))
            && filter.project.as_ref().is_none_or(|project| self.project.as_ref() == Some(project))
            && (filter.platforms.is_empty() || self.platform.is_some_and(|own| filter.platforms.contains(&own)))
    }

    pub(crate) fn removal(&self, engine: &Engine) -> Cmd {
        match self.kind {
            ObjectKind::Container => engine.remove(std::slice::from_ref(&self.name)),
            ObjectKind::Volume => engine.remove_volume(&self.name),
            ObjectKind::Image => engine.remove_image(&self.name),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "kind": match self.kind {
                ObjectKind::Container => "container",
                ObjectKind::Volume => "volume",
                ObjectKind::Image => "image",
            },
            "name": self.name,
            "purpose": self.purpose,
            "platform": self.platform,
            "project": self.project,
            "image": self.image,
            "size": self.size,
            "created": self.created,
            "unused_seconds": self.unused.map(|age| age.0),
            "held": self.held,
        })
    }
}

/// The size of the items in bytes. Items of unknown size count as nothing.
pub(crate) fn total(items: &[Item]) -> u64 {
    items.iter().filter_map(|item| item.size).sum()
}

/// `3 items, 1.2 GiB`.
pub(crate) fn summary(items: &[Item]) -> String {
    format!("{} item{}, {}", items.len(), if items.len() == 1 { "" } else { "s" }, bytes(total(items)))
}

pub(crate) fn table(items: &[Item]) -> String {
    let mut rows = vec![["FOR", "NAME", "SIZE", "UNUSED", "PLATFORM", "PROJECT"].map(str::to_owned).to_vec()];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    rows.extend(items.iter().map(|item| {
        vec![
            item.purpose.clone(),
            item.name.clone(),
            or_dash(item.size.map(bytes)),
            if item.held.is_some() { "in use".to_owned() } else { or_dash(item.unused.map(|age| age.to_string())) },
            or_dash(item.platform.map(|platform| platform.to_string())),
            or_dash(item.project.as_ref().map(ToString::to_string)),
        ]
    }));
    let mut text = render(&rows);
    let _ = writeln!(text, "{}", summary(items));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::engine::Dialect;

    const NOW: i64 = 1_795_475_799;

    fn stored(kind: ObjectKind, name: &str, labels: &[(&str, &str)]) -> StoredObject {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        StoredObject {
            kind,
            names: vec![name.to_owned()],
            id: name.to_owned(),
            created: "2026-11-21T23:16:39Z".to_owned(),
            labels,
            size: Some(1024),
            running: false,
        }
    }

    fn free(_: &str) -> LockState {
        LockState { is_held: false, used: None }
    }

    #[test]
    fn only_what_has_both_label_and_name_is_hsxs() {
        for (stored, is_ours) in [
            (stored(ObjectKind::Volume, "hsx-store-a", &[(LABEL, "store")]), true),
            (stored(ObjectKind::Volume, "hsx-store-a", &[]), false),
            (stored(ObjectKind::Volume, "hsx-store-a", &[("hsx.kindly", "store")]), false),
            (stored(ObjectKind::Volume, "mine", &[(LABEL, "store")]), false),
            (stored(ObjectKind::Container, "hsx-k-build", &[(LABEL, "run")]), true),
            (stored(ObjectKind::Container, "hsx-shell", &[(LABEL, "image")]), false),
            (stored(ObjectKind::Container, "romantic_heron", &[(LABEL, "run")]), false),
            (stored(ObjectKind::Image, "localhost/hsx-derived:1", &[(LABEL, "image")]), true),
            (stored(ObjectKind::Image, "localhost/mine:1", &[(LABEL, "image")]), false),
            (StoredObject { names: Vec::new(), ..stored(ObjectKind::Image, "sha256:1", &[(LABEL, "image")]) }, true),
        ] {
            let what = format!("{stored:?}");
            assert_eq!(item(stored, "me", NOW, free).is_some(), is_ours, "{what}");
        }
    }

    #[test]
    fn what_is_used_stays() {
        let held = |stored: &StoredObject, is_held| {
            item(stored.clone(), "me", NOW, |_| LockState { is_held, used: None }).unwrap().held.is_some()
        };
        let volume = stored(ObjectKind::Volume, "hsx-build-k", &[(LABEL, "build")]);
        assert!(held(&volume, true) && !held(&volume, false));
        let mine = stored(ObjectKind::Container, "hsx-k-build", &[(LABEL, "run"), ("hsx.state", "me")]);
        assert!(!held(&StoredObject { running: true, ..mine.clone() }, false), "a leftover: nobody holds its lock");
        let other = stored(ObjectKind::Container, "hsx-k-build", &[(LABEL, "run"), ("hsx.state", "other")]);
        assert!(!held(&other, false), "its build has long ended");
        assert!(held(&StoredObject { running: true, ..other.clone() }, false));
        assert!(held(&StoredObject { created: "2026-11-23T23:00:00Z".to_owned(), ..other }, false));
    }

    #[test]
    fn locks_are_found_by_name() {
        for (kind, name, lock) in [
            (ObjectKind::Volume, "hsx-build-demo-linux-amd64-01234567", "demo-linux-amd64-01234567"),
            (ObjectKind::Volume, "hsx-store-linux-amd64-01234567", "hsx-store-linux-amd64-01234567"),
            (ObjectKind::Container, "hsx-demo-linux-amd64-01234567-try", "demo-linux-amd64-01234567"),
            (ObjectKind::Image, "localhost/hsx-derived:01234567", "localhost/hsx-derived:01234567"),
        ] {
            assert_eq!(lock_name(kind, name), lock);
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        let labels = [(LABEL, "build"), ("hsx.platform", "linux/arm64"), ("hsx.project", "/p")];
        let used = |used| {
            item(stored(ObjectKind::Volume, "hsx-build-k", &labels), "me", NOW, |_| LockState { is_held: false, used })
        };
        let item = used(None).unwrap();
        assert_eq!(item.unused, Some(Age(2 * 24 * 60 * 60)));
        let filter = |age, project: &str, platforms: &[Platform]| Filter {
            older_than: age,
            project: (!project.is_empty()).then(|| project.into()),
            platforms: platforms.to_vec(),
        };
        let days = |days: i64| Some(Age(days * 24 * 60 * 60));
        for (filter, fits) in [
            (Filter::default(), true),
            (filter(days(2), "", &[]), true),
            (filter(days(3), "", &[]), false),
            (filter(days(1), "/p", &[Platform::Arm64]), true),
            (filter(None, "/other", &[Platform::Arm64]), false),
            (filter(None, "/p", &[Platform::Amd64]), false),
        ] {
            assert_eq!(item.fits(&filter), fits, "{filter:?}");
        }
        let lately = used(Some(NOW - 60)).unwrap();
        assert!(!lately.fits(&filter(days(1), "", &[])), "it was made long ago, but used a minute ago");
    }

    #[test]
    fn removal_is_never_by_force_but_of_containers() {
        let engine = Engine { program: "podman".to_owned(), dialect: Dialect::Podman, connection: None };
        let removal = |stored| item(stored, "me", NOW, free).unwrap().removal(&engine).to_string();
        assert_eq!(
            removal(stored(ObjectKind::Volume, "hsx-store-a", &[(LABEL, "store")])),
            "podman volume rm hsx-store-a"
        );
        let image = stored(ObjectKind::Image, "localhost/hsx-derived:1", &[(LABEL, "image")]);
        assert_eq!(removal(image), "podman image rm localhost/hsx-derived:1");
    }
}
