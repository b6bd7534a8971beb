//! A project as people have them: two packages, three executables, dependencies from Hackage, C, Template Haskell.

use std::process::Command;

use serde_json::Value;

use crate::real::support::{Engine, Outcome, Project, World, assert_owned, elf, output};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];
const BOTH: [&str; 4] = ["--platform", "linux/amd64,linux/arm64", "--format", "json"];

/// One test, because the build of the dependencies is the longest of all.
#[test]
fn a_project_is_built_for_two_platforms_and_only_once() {
    let world = World::shared();
    let dice = world.project("dice", Engine::Podman);
    // Git must not see the results because of hsx's own doing, not because the project hides them.
    dice.edit(".gitignore", "dist-static/\n", "");
    dice.commit();

    let first = dice.hsx(&BOTH).run();
    first.exits(0).says("Fetching").says("Compiling Dice");
    let strategies: Vec<_> = (0..2).map(|index| first.json()["platforms"][index]["strategy"].clone()).collect();
    assert_eq!(strategies, ["native", "cross"], "{first}");
    for platform in PLATFORMS {
        all_executables_are_delivered(&first, platform);
        they_run(&dice, platform);
    }
    the_source_is_untouched(&dice);

    dice.hsx(&BOTH).run().exits(0).says("Fresh linux/amd64").says("Fresh linux/arm64");
    let again = dice.hsx(&[&BOTH[..], &["--force"]].concat()).run();
    again.exits(0).does_not_say("Fetching").does_not_say("Compiling");
    assert_eq!(hashes(&again), hashes(&first), "{again}");

    dice.edit("dice-tools/app/Odds.hs", "\" ways\"", "\" possibilities\"");
    let edited = dice.hsx(&BOTH).run();
    edited.exits(0).does_not_say("Fetching").says("Compiling Main").does_not_say("Compiling Dice");
    for platform in PLATFORMS {
        assert_eq!(program(&dice, platform, "odds", &["1d1"]), "1d1: 1 possibilities\n1\t1\n");
    }

    let other = world.project("dice", Engine::Podman);
    let shared = other.hsx(&["--format", "json"]).run();
    shared.exits(0).says("Compiling Dice").does_not_say("requires build").does_not_say("System.Random");
    all_executables_are_delivered(&shared, "linux/amd64");
}

fn all_executables_are_delivered(outcome: &Outcome, platform: &str) {
    let executables = outcome.executables(platform);
    let names: Vec<_> = executables.iter().map(|executable| executable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dice", "odds", "roll-stats"], "{outcome}");
    for executable in &executables {
        assert_eq!((&executable["linkage"], &executable["packed"]), (&"static".into(), &true.into()), "{outcome}");
        assert_eq!(
            (&executable["help_status"], &executable["unpacked_reason"]),
            (&0.into(), &Value::Null),
            "{outcome}"
        );
        let path = executable["path"].as_str().unwrap();
        let elf = elf(path.as_ref());
        assert_eq!((elf.machine, elf.has_interpreter), (&platform["linux/".len()..], false), "{path}");
        let sum = output(Command::new("sha256sum").arg(path));
        assert_eq!(sum.split(' ').next(), executable["sha256"].as_str(), "{path}");
    }
}

fn they_run(dice: &Project<'_>, platform: &str) {
    let commit = dice.git(&["rev-parse", "--short=12", "HEAD"]);
    let version = format!("dice 0.3.1 ({})\n", commit.trim());
    assert_eq!(program(dice, platform, "dice", &["--version"]), version);
    let rolls = program(dice, platform, "dice", &["--seed", "foo", "2d6+1", "3d20"]);
    assert_eq!(rolls, "2d6+1: 4 1 1 = 6\n3d20: 18 15 19 = 52\n");
    assert_eq!(program(dice, platform, "odds", &["1d2"]), "1d2: 2 ways\n1\t1\n2\t1\n");
    assert_eq!(program(dice, platform, "roll-stats", &["--seed", "x", "--times", "9", "1d1"]), "1d1: 9 rolls\n1\t9\n");
}

/// Runs a delivered program on this machine, by QEMU where it is foreign.
fn program(dice: &Project<'_>, platform: &str, name: &str, args: &[&str]) -> String {
    output(Command::new(dice.result(platform, name)).args(args))
}

fn the_source_is_untouched(dice: &Project<'_>) {
    assert_eq!(dice.git(&["status", "--porcelain", "--untracked-files=all"]), "");
    assert_owned(dice.root(), Engine::Podman);
    dice.assert_nothing_left();
}

fn hashes(outcome: &Outcome) -> Vec<Value> {
    let executables = PLATFORMS.into_iter().flat_map(|platform| outcome.executables(platform));
    executables.map(|executable| executable["sha256"].clone()).collect()
}
