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

/// All of `menagerie`, which has one of each that a cross compiler can get wrong.
fn makes_the_same_code(ghc: &str) {
    let world = World::shared();
    let menagerie = world.project("menagerie", Engine::Podman);
    menagerie.edit("cabal.project", "ghc-9.6.6", &format!("ghc-{ghc}"));
    let emulated = report(&menagerie, ARM64, "emulate");
    let crossed = report(&menagerie, ARM64, "cross");
    assert_eq!(crossed, emulated);
    let native = report(&menagerie, "linux/amd64", "native");
    assert_eq!(without_arch(&crossed), without_arch(&native));
    let [one, other] = &assembly(&menagerie)[..] else { panic!("a build directory for each strategy") };
    assert!(one.lines().count() > 10, "too little was kept:\n{one}");
    assert_eq!(one, other, "a file of assembly differs");
}

/// Builds the project; what its program reports.
fn report(menagerie: &Project<'_>, platform: &str, strategy: &str) -> String {
    let asked = if strategy == "native" { "auto" } else { strategy };
    let keep = "--cabal-arg=--ghc-options=-ddump-asm -ddump-to-file -dumpdir /hsx/build/asm/";
    let args = ["--platform", platform, "--strategy", asked, "--no-upx", keep, "--format", "json"];
    let outcome = menagerie.hsx(&args).run();
    outcome.exits(0);
    assert_eq!(outcome.json()["platforms"][0]["strategy"], strategy, "{outcome}");
    output(&mut Command::new(menagerie.result(platform, "menagerie")))
}

fn without_arch(report: &str) -> Vec<&str> {
    report.lines().filter(|line| !line.starts_with("arch")).collect()
}

/// The assembly that GHC wrote for arm64, as checksums and paths, of each of the project's build directories.
fn assembly(menagerie: &Project<'_>) -> Vec<String> {
    // Several packages have a `Main`, and those are dumped to one file.
    let list = "cd /b/asm && find . -name '*.dump-asm' ! -name '*Main.*' -exec sha256sum {} + | sort -k 2";
    let volumes = menagerie.build_volumes(ARM64).into_iter();
    volumes.map(|volume| menagerie.in_volume(&volume, "/b", list)).collect()
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
