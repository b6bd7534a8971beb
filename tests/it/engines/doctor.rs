//! `hsx doctor` on this machine: as it is, and with one thing after another spoilt. What it says to type is typed then, as
//! far as the machine allows, and what was wrong must be well.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::without_emulation::Disabled;
use crate::world::{Engine, Hsx, Outcome, Project, World, output, setting};

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

fn doctor(project: &Project<'_>, args: &[&str]) -> Hsx {
    let image = format!("{}:9.6.6", setting("HSX_TEST_IMAGE").unwrap());
    project.hsx_command(&[&["doctor", "--json"], args].concat()).env("HSX_IMAGE", image)
}

/// The finding about something.
#[track_caller]
fn finding(outcome: &Outcome, about: &str) -> Value {
    let json = outcome.json();
    let findings = json["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|finding| finding["about"] == about)
        .unwrap_or_else(|| panic!("nothing about {about}\n{outcome}"))
        .clone()
}

/// Types what a finding says first. The tests run as root, and not every machine has sudo.
#[track_caller]
fn mend(finding: &Value) {
    let fix = finding["fixes"][0].as_str().unwrap_or_else(|| panic!("nothing to type: {finding}"));
    output(Command::new("sh").args(["-euc", &fix.replace("sudo ", "")]));
}

#[test]
fn this_machine_is_ready() {
    let world = World::shared();
    for engine in [Engine::Podman, Engine::RootlessPodman, Engine::Docker] {
        let hello = world.project("hello", engine);
        let outcome = doctor(&hello, &["-p", "linux/arm64"]).run();
        outcome.exits(0);
        let about = finding(&outcome, "linux/arm64");
        assert!(about["mark"] == "good" && about["text"].as_str().unwrap().contains("QEMU "), "{outcome}");
        assert_ne!(finding(&outcome, "image")["mark"], "bad", "{outcome}");
        if engine == Engine::RootlessPodman {
            assert_eq!(finding(&outcome, "rootless")["mark"], "good", "{outcome}");
        }
        assert_eq!(hello.containers(), "");
    }
}

#[test]
fn emulation_that_does_not_work_is_mended_by_what_is_said() {
    let world = World::alone();
    let hello = world.project("hello", Engine::Podman);
    let ask = || doctor(&hello, &["-p", "linux/arm64"]).run();
    let well = || {
        let outcome = ask();
        assert_eq!(finding(outcome.exits(0), "linux/arm64")["mark"], "good", "{outcome}");
    };
    let ill = |why: &str| {
        let outcome = ask();
        let finding = finding(outcome.exits(3), "linux/arm64");
        assert!(finding["mark"] == "bad" && finding["text"].as_str().unwrap().contains(why), "{outcome}");
        mend(&finding);
    };
    well();

    let disabled = Disabled::arm64();
    ill("is disabled");
    well();
    drop(disabled);

    let handler = Handler::of_arm64();
    handler.unregister();
    ill("no QEMU handler for aarch64 is registered");
    well();

    handler.unregister();
    handler.register_without_f();
    ill("lacks the flag F");
    well();
}

/// The kernel's handler of arm64 programs, as a package's file describes it; there again when dropped.
struct Handler {
    entry: PathBuf,
    file: PathBuf,
}

impl Handler {
    fn of_arm64() -> Self {
        let file = PathBuf::from("/usr/lib/binfmt.d/qemu-aarch64.conf");
        assert!(file.exists(), "{} is not there: run `scripts/setup-host`", file.display());
        let entry = Path::new(BINFMT).join("qemu-aarch64");
        assert!(entry.exists(), "{} is not there: run `scripts/setup-host`", entry.display());
        Self { entry, file }
    }

    fn unregister(&self) {
        fs_err::write(&self.entry, "-1").unwrap();
    }

    /// As the file says, but for the flag F, at the line's end.
    fn register_without_f(&self) {
        let line = fs_err::read_to_string(&self.file).unwrap();
        let (head, flags) = line.trim_end().rsplit_once(':').unwrap();
        fs_err::write(Path::new(BINFMT).join("register"), format!("{head}:{}", flags.replace('F', ""))).unwrap();
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        let is_well = fs_err::read_to_string(&self.entry).is_ok_and(|text| {
            text.starts_with("enabled") && text.lines().any(|line| line.starts_with("flags:") && line.contains('F'))
        });
        if !is_well {
            let _ = fs_err::write(&self.entry, "-1");
            let line = fs_err::read(&self.file).unwrap_or_default();
            let _ = fs_err::write(Path::new(BINFMT).join("register"), line);
        }
    }
}

#[test]
fn an_engine_that_is_not_reached_is_said_to_be_started() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Docker);
    let outcome = doctor(&hello, &[]).env("DOCKER_HOST", "unix:///var/empty/docker.sock").run();
    let finding = finding(outcome.exits(3), "engine");
    let fix = finding["fixes"][0].as_str().unwrap();
    assert!(finding["mark"] == "bad" && fix.starts_with("sudo ") && fix.contains(" docker"), "{outcome}");
}

#[test]
fn a_registry_that_is_down_is_noticed() {
    let world = World::shared();
    for engine in [Engine::Podman, Engine::Docker] {
        let hello = world.project("hello", engine);
        let outcome = doctor(&hello, &[]).env("HSX_IMAGE", "127.0.0.1:9/ghc-musl:9.6.6").run();
        let finding = finding(outcome.exits(3), "image");
        assert!(finding["mark"] == "bad" && finding["text"].as_str().unwrap().contains("refused"), "{outcome}");
    }
}

#[test]
fn a_bad_upx_is_noticed_until_a_better_one_comes_first() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    // Not every machine has one: Debian 12 does.
    if let Some(bad) = setting("HSX_TEST_BAD_UPX") {
        let dir = hello.beside("bin");
        fs_err::create_dir(&dir).unwrap();
        symlink(bad, dir.join("upx")).unwrap();
        let outcome = doctor(&hello, &[]).path_first(&dir).run();
        let bad = finding(outcome.exits(0), "upx");
        assert!(bad["mark"] == "warning" && bad["text"].as_str().unwrap().contains("4.2.2"), "{outcome}");
    }
    assert_eq!(finding(&doctor(&hello, &[]).run(), "upx")["mark"], "good");
}

#[test]
fn a_user_without_subordinate_ids_is_told_how_to_get_them() {
    let world = World::shared();
    let hello = world.project("hello", Engine::RootlessPodman);
    let user = setting("HSX_TEST_ROOTLESS_USER").unwrap();
    // Files of its own for this run only: nothing of the machine's changes.
    let outcome = doctor(&hello, &[]).without_subids().run();
    let finding = finding(outcome.exits(3), "rootless");
    let fix = finding["fixes"][0].as_str().unwrap();
    assert!(fix.starts_with("sudo usermod --add-subuids ") && fix.contains(&user), "{outcome}");
}
