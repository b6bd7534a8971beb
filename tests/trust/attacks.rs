//! What a hostile project, and code that its build runs, may try. Each attack is a line of the table; one that
//! succeeds fails the test, unless `NOT_YET` says why it may.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::support::{Engine, World, setting};
use crate::table;

mod bounds;
mod container;
mod domains;
mod ground;
mod host;
mod mounts;
mod outside;
mod screen;

use ground::Ground;

/// `Ok`: it came to nothing. `Err`: it succeeded. Both with what was seen.
type Seen = Result<String, String>;

struct Attack {
    name: &'static str,
    tried: &'static str,
    engine: Engine,
    run: fn(&Ground<'_>) -> Seen,
}

impl Attack {
    const fn new(name: &'static str, engine: Engine, run: fn(&Ground<'_>) -> Seen, tried: &'static str) -> Self {
        Self { name, tried, engine, run }
    }
}

/// The kinds of attacks, by what they are after.
fn all() -> Vec<(&'static str, Attack)> {
    let kinds: [(&str, Vec<Attack>); 8] = [
        ("writes outside", outside::attacks()),
        ("left by a build", container::attacks()),
        ("runs on the host", host::attacks()),
        ("reads outside", mounts::attacks()),
        ("other projects", domains::attacks()),
        ("time and memory", bounds::attacks()),
        ("screen", screen::attacks()),
        ("stays behind", container::remains()),
    ];
    kinds.into_iter().flat_map(|(kind, attacks)| attacks.into_iter().map(move |attack| (kind, attack))).collect()
}

/// Attacks that succeed still, and why. One that does not any more has to leave this table.
const NOT_YET: &[(&str, &str)] = &[];

/// How many attacks are tried at a time.
const AT_ONCE: usize = 3;

/// A name's part that `HSX_TRUST_ATTACK` may give chooses the attacks; the table is then checked for these only.
#[test]
fn no_attack_succeeds() {
    let world = World::shared();
    let chosen = setting("HSX_TRUST_ATTACK").unwrap_or_default();
    let attacks: VecDeque<_> =
        all().into_iter().filter(|(_, attack)| attack.name.contains(&chosen)).enumerate().collect();
    let (queue, done) = (Mutex::new(attacks), Mutex::new(Vec::new()));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((number, (kind, attack))) = next() {
                    let start = Instant::now();
                    let run = || (attack.run)(&Ground::new(&world, attack.engine));
                    let seen = catch_unwind(AssertUnwindSafe(run))
                        .unwrap_or_else(|_| Err("the attack itself failed: see above".to_owned()));
                    let done = &mut *done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((number, kind, attack, seen, start.elapsed().as_secs()));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, ..)| *number);

    let mut lines = vec![table::line(&["KIND", "ATTACK", "ENGINE", "RESULT", "S", "TRIED", "SEEN"])];
    let mut wrong = Vec::new();
    for (_, kind, attack, seen, seconds) in &done {
        let known = NOT_YET.iter().find(|(name, _)| *name == attack.name).map(|(_, why)| why);
        let (result, seen) = match (seen, known) {
            (Ok(seen), None) => ("safe", seen.clone()),
            (Ok(seen), Some(_)) => ("SAFE NOW", seen.clone()),
            (Err(seen), None) => ("VULNERABLE", seen.clone()),
            (Err(seen), Some(why)) => ("not yet", format!("{seen} ({why})")),
        };
        if result.chars().all(|c| !c.is_lowercase()) {
            wrong.push(format!("{}: {result}: {seen}", attack.name));
        }
        let engine = format!("{:?}", attack.engine).to_lowercase();
        let seen: String = seen.lines().next().unwrap_or_default().chars().take(160).collect();
        lines.push(table::line(&[kind, attack.name, &engine, result, &seconds.to_string(), attack.tried, &seen]));
    }
    let count = |result| lines.iter().filter(|line| line[3] == result).count();
    let [safe, vulnerable, not_yet] = ["safe", "VULNERABLE", "not yet"].map(count);
    table::print(&format!("{safe} safe, {vulnerable} VULNERABLE, {not_yet} not yet"), &lines);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!done.is_empty(), "no attack's name contains {chosen:?}");
}
