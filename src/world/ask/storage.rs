//! Finds and removes what hsx keeps in an engine.

use std::collections::BTreeMap;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use super::host::ask;
use super::machine::state_id;
use crate::base::error::Error;
use crate::report::storage::{Item, LockState, Refusal, item};
use crate::tools::engine::storage::{ObjectKind, StoredObject, parse_stored, parse_usage};
use crate::tools::engine::{Engine, Info, words};
use crate::world::doors::World;
use crate::world::doors::at_once::joined;
use crate::world::doors::state::{FETCHED, FILLED, SOURCES, State};

/// Whether to measure volumes, which takes time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Yes,
    No,
}

/// Everything that hsx keeps in the engine, in an order in which it can be removed.
///
/// # Errors
/// When the engine fails.
pub(crate) fn items(engine: &Engine, info: &Info, measure: Measure, world: &World<'_>) -> Result<Vec<Item>, Error> {
    let kinds = [ObjectKind::Container, ObjectKind::Volume, ObjectKind::Image];
    let (stored, sizes) = thread::scope(|scope| {
        let stored = kinds.map(|kind| scope.spawn(move || stored(kind, engine, world)));
        let sizes = scope.spawn(|| match measure {
            Measure::Yes => world.exec.capture(&engine.usage()).map(|answer| parse_usage(&answer.stdout)),
            Measure::No => Ok(BTreeMap::new()),
        });
        (stored.map(joined), joined(sizes))
    });
    world.exec.check()?;
    // Without this answer only the sizes are missing.
    let sizes = sizes.unwrap_or_else(|_| BTreeMap::new());
    let (state_id, now) = (state_id(engine, info, world), seconds(SystemTime::now()));
    let known =
        |lock: &str| LockState { is_held: world.state.is_held(lock), used: world.state.last_use(lock).map(seconds) };
    let mut items = Vec::new();
    for stored in stored {
        for mut stored in stored? {
            if stored.kind == ObjectKind::Volume {
                stored.size = sizes.get(&stored.id).copied();
            }
            items.extend(item(stored, &state_id, now, known));
        }
    }
    items.sort_by(|a, b| (a.kind, &a.purpose, &a.name).cmp(&(b.kind, &b.purpose, &b.name)));
    Ok(items)
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn stored(kind: ObjectKind, engine: &Engine, world: &World<'_>) -> Result<Vec<StoredObject>, Error> {
    let listed = ask(&engine.list(kind), world)?;
    let mut ids: Vec<_> = words::items(&listed.stdout).map(str::to_owned).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let cmd = engine.inspect(kind, &ids);
    let answer = world.exec.capture(&cmd)?;
    // The command fails when an item has disappeared since, but still lists the others.
    parse_stored(kind, &answer.stdout)
        .map_err(|_| Error::host("the container engine failed").tried(cmd.brief()).said(&answer.stderr))
}

/// Removes one item under its lock, and forgets what was remembered of it.
///
/// # Errors
/// When a signal came.
pub(crate) fn remove(
    item: &Item,
    all: &[Item],
    engine: &Engine,
    world: &World<'_>,
) -> Result<Result<(), Refusal>, Error> {
    let lock = world.state.lock_file(item.lock_name())?;
    if lock.try_lock().is_err() {
        return Ok(Err(Refusal::InUse("a running hsx uses it".to_owned())));
    }
    let answer = world.exec.capture(&item.removal(engine))?;
    if !answer.success() {
        let said = words::reason(&answer.stderr).unwrap_or("the engine gives no reason").to_owned();
        return Ok(Err(if words::is_in_use(&said) { Refusal::InUse(said) } else { Refusal::Failed(said) }));
    }
    forget(item, all, &world.state);
    Ok(Ok(()))
}

/// Forgets what was remembered of a removed volume and its content; `all` holds the items before the removal.
fn forget(item: &Item, all: &[Item], state: &State) {
    if item.kind != ObjectKind::Volume {
        return;
    }
    match item.purpose.as_str() {
        "build" => {
            state.forget(&FETCHED, item.lock_name());
            state.remove_log(item.lock_name());
        }
        // Other builds did not download what the store had.
        "store" => {
            let same = |other: &&Item| {
                other.purpose == "build" && (&other.platform, &other.image) == (&item.platform, &item.image)
            };
            all.iter().filter(same).for_each(|build| state.forget(&FETCHED, build.lock_name()));
        }
        "source" => state.forget(&SOURCES, &item.name),
        _ => state.forget(&FILLED, &item.name),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;
    use crate::base::platform::Platform;
    use crate::world::doors::state::Filled;

    fn volume(name: &str, purpose: &str) -> Item {
        Item {
            kind: ObjectKind::Volume,
            name: name.to_owned(),
            purpose: purpose.to_owned(),
            platform: Some(Platform::Arm64),
            project: None,
            image: Some("i".to_owned()),
            size: None,
            created: String::new(),
            unused: None,
            held: None,
        }
    }

    #[test]
    fn what_was_in_a_volume_is_forgotten_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap());
        let all = [volume("hsx-store-a", "store"), volume("hsx-build-k", "build"), volume("hsx-cross-c", "cross")];
        for (gone, fetched, log, filled) in [(0, false, true, true), (1, false, false, true), (2, true, true, false)] {
            state.remember(&FETCHED, "k", &"inputs".to_owned());
            state.remember(&FILLED, "hsx-cross-c", &Filled::default());
            let (path, _) = state.create_log("k").unwrap();
            forget(&all[gone], &all, &state);
            let left =
                (state.recall(&FETCHED, "k").is_some(), path.exists(), state.recall(&FILLED, "hsx-cross-c").is_some());
            assert_eq!(left, (fetched, log, filled), "{}", all[gone].name);
        }
    }
}
