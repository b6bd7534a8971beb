//! Whether `cross` makes what the platform's own compiler makes, under emulation: the code, and what it does.

use std::process::Command;

use crate::world::{Engine, Project, World, output};

const ARM64: &str = "linux/arm64";

#[test]
fn ghc_9_6_makes_the_same_code() {
    makes_the_same_code("9.6.6");
}

#[test]
fn ghc_9_10_makes_the_same_code() {
    makes_the_same_code("9.10.3");
}

/// `menagerie` has one of each that a cross compiler can get wrong.
fn makes_the_same_code(ghc: &str) {
    let world = World::shared();
    let menagerie = world.project("menagerie", Engine::Podman);
    menagerie.edit("cabal.project", "ghc-9.6.6", &format!("ghc-{ghc}"));
    let crossed = compiled(&menagerie, "cross");
    assert_eq!(crossed.lines().count(), 8, "{crossed}");
    assert_eq!(crossed, compiled(&menagerie, "emulate"), "a file differs");
    assert_eq!(without_arch(&report(&menagerie, ARM64)), without_arch(&report(&menagerie, "linux/amd64")));
}

/// What GHC makes of instances, numbers, CPP and literate Haskell for arm64: assembly and objects, by checksum and name.
///
/// The objects are the same, too, for GNU's assembler assembles them in both. Emulated, all of it would take minutes.
fn compiled(menagerie: &Project<'_>, strategy: &str) -> String {
    let script = "cp -r menagerie /tmp/m && cd /tmp/m/src/Menagerie && \
        ghc -v0 -O1 -c -keep-s-files Instances.hs Numbers.hs Target.hs Literate.lhs && sha256sum *.s *.o";
    let args = ["shell", "-q", "-p", ARM64, "--strategy", strategy];
    let args = [&args[..], &["--", "sh", "-c", script]].concat();
    let outcome = menagerie.hsx_command(&args).run();
    outcome.exits(0);
    outcome.stdout
}

/// What the project's program says of itself, built by what `auto` takes.
fn report(menagerie: &Project<'_>, platform: &str) -> String {
    let outcome = menagerie.hsx(&["--platform", platform, "--no-upx", "--format", "json"]).run();
    outcome.exits(0);
    let strategy = if platform == ARM64 { "cross" } else { "native" };
    assert_eq!(outcome.json()["platforms"][0]["strategy"], strategy, "{outcome}");
    output(&mut Command::new(menagerie.result(platform, "menagerie")))
}

fn without_arch(report: &str) -> Vec<&str> {
    report.lines().filter(|line| !line.starts_with("arch")).collect()
}

/// A compiler plugin is code of the platform that the compiler would have to load.
#[test]
fn a_plugin_is_built_with_under_emulation_and_that_is_said() {
    let world = World::shared();
    let plugged = world.project("plugged", Engine::Podman);
    let outcome = plugged.hsx(&["--platform", ARM64, "--format", "json"]).run();
    outcome.exits(0).says("THE `cross` STRATEGY FAILED: GHC plugins need a compiler of the platform's own");
    let report = &outcome.json()["platforms"][0];
    assert_eq!(report["strategy"], "emulate", "{outcome}");
    assert!(report["reason"].as_str().unwrap().starts_with("`cross` failed: GHC plugins"), "{outcome}");
    plugged.assert_nothing_left();
    let asked = plugged.hsx(&["--platform", ARM64, "--strategy", "cross"]).run();
    asked.exits(1).says("hint: GHC plugins need a compiler of the platform's own: `--strategy emulate` does without");
}
