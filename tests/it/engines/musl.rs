//! What hsx is for: ghc-musl's own image, or a twin of it (`scripts/builder-images --musl`), and programs that are static
//! against musl. `cross` must do without any emulated tool there.

use std::process::Command;

use super::hello::greets;
use super::without_emulation::Disabled;
use crate::world::{Emulated, Engine, Outcome, Project, World, c_library, elf, output};

const ARM64: &str = "linux/arm64";
const CROSS: [&str; 5] = ["--platform", ARM64, "--no-upx", "--format", "json"];

#[test]
fn hello_is_compiled_opened_and_run_by_rootless_podman() {
    let world = World::shared();
    let hello = world.project("hello", Engine::RootlessPodman).on_musl();
    let emulated = hello.emulated();
    let both = ["--platform", "linux/amd64,linux/arm64", "--no-upx", "--format", "json"];
    let outcome = hello.hsx(&both).watched(&emulated).run();
    outcome.exits(0);
    assert_eq!(outcome.json()["platforms"][0]["strategy"], "native", "{outcome}");
    assert_eq!(outcome.json()["platforms"][1]["strategy"], "cross", "{outcome}");
    only_planned(&emulated, &outcome, &[]);
    for platform in ["linux/amd64", ARM64] {
        is_static_against_musl(&hello, platform, "hello");
        greets(&hello, platform);
    }

    let shell = ["shell", "-p", ARM64, "--", "cabal", "run", "-v0", "exe:hello"];
    let outcome = hello.hsx_command(&shell).watched(&emulated).run();
    assert_eq!(outcome.exits(0).stdout, "Hello from a static executable\n", "{outcome}");
    only_planned(&emulated, &outcome, &["/hello"]);

    let outcome = hello.hsx_command(&["run", "-p", ARM64, "--", "exit", "7"]).watched(&emulated).run();
    outcome.exits(7);
    only_planned(&emulated, &outcome, &[]);
    hello.assert_nothing_left();
}

#[test]
fn c_hsc2hs_and_template_haskell_run_only_what_they_must_on_podman() {
    let world = World::shared();
    let foundry = world.project("foundry", Engine::Podman).on_musl();
    let emulated = foundry.emulated();
    let outcome = foundry.hsx(&[&["metal"], &CROSS[..]].concat()).watched(&emulated).run();
    is_cross(&outcome);
    only_planned(&emulated, &outcome, &["/Ore_hsc_make", "/ghc-iserv"]);
    is_static_against_musl(&foundry, ARM64, "metal");
    let said = "haematite melts at 1565 and yields 120\ntwice 21 is 42\narch: aarch64 aarch64 aarch64\n";
    assert_eq!(output(&mut Command::new(foundry.result(ARM64, "metal"))), said);

    let outcome = foundry.hsx_command(&["test", "-p", ARM64, "metal", "--format", "json"]).watched(&emulated).run();
    let suite = &outcome.exits(0).json()["platforms"][0]["suites"][0];
    assert_eq!((&suite["name"], &suite["passed"]), (&"assay".into(), &true.into()), "{outcome}");
    only_planned(&emulated, &outcome, &["/Ore_hsc_make", "/ghc-iserv", "/assay"]);
    foundry.assert_nothing_left();
}

#[test]
fn a_custom_setup_runs_on_the_platform_on_docker() {
    let world = World::shared();
    let foundry = world.project("foundry", Engine::Docker).on_musl();
    let emulated = foundry.emulated();
    let outcome = foundry.hsx(&[&["mould"], &CROSS[..]].concat()).watched(&emulated).run();
    is_cross(&outcome);
    let calls = only_planned(&emulated, &outcome, &["/setup"]);
    assert!(calls.iter().any(|call| call.contains("/setup/setup\t")), "{calls:#?}");
    is_static_against_musl(&foundry, ARM64, "mould");
    assert_eq!(output(&mut Command::new(foundry.result(ARM64, "mould"))), "arch: aarch64 aarch64\n");
    foundry.assert_nothing_left();
}

#[test]
fn under_emulation_all_is_the_platforms_own_on_docker() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Docker).on_musl();
    let emulated = hello.emulated();
    let outcome = hello.hsx(&[&CROSS[..], &["--strategy", "emulate"]].concat()).watched(&emulated).run();
    assert_eq!(outcome.exits(0).json()["platforms"][0]["strategy"], "emulate", "{outcome}");
    let calls = emulated.calls();
    for program in ["ghc-9.10.3", "cabal", "ld.lld"] {
        let program = format!("/{program}\t");
        assert!(calls.iter().any(|call| call.contains(&program)), "{program}: {calls:#?}");
    }
    is_static_against_musl(&hello, ARM64, "hello");
    greets(&hello, ARM64);
    hello.assert_nothing_left();
}

#[test]
fn without_emulation_hello_is_built_all_the_same() {
    let world = World::alone();
    let hello = world.project("hello", Engine::Podman).on_musl();
    let handlers = Disabled::arm64();
    let outcome = hello.hsx(&CROSS).run();
    drop(handlers);
    is_cross(&outcome);
    let [executable] = &outcome.executables(ARM64)[..] else { panic!("one executable\n{outcome}") };
    assert_eq!(executable["started"], false, "{outcome}");
    is_static_against_musl(&hello, ARM64, "hello");
    greets(&hello, ARM64);
    hello.assert_nothing_left();
}

fn is_cross(outcome: &Outcome) {
    let platform = &outcome.exits(0).json()["platforms"][0];
    assert_eq!((&platform["platform"], &platform["strategy"]), (&ARM64.into(), &"cross".into()), "{outcome}");
}

/// Fails if a foreign program has started that is not planned, by the end of its path. `uname` always is: its answer must
/// be the platform's.
fn only_planned(emulated: &Emulated, outcome: &Outcome, planned: &[&str]) -> Vec<String> {
    let calls = emulated.calls();
    let is_planned = |call: &String| {
        let program = call.split('\t').next().unwrap();
        program == "/bin/uname" || planned.iter().any(|planned| program.ends_with(planned))
    };
    let others: Vec<_> = calls.iter().filter(|call| !is_planned(call)).collect();
    assert!(others.is_empty(), "{} emulated calls that no plan names: {others:#?}\n{outcome}", others.len());
    // Nothing at all would mean that nothing was watched.
    assert!(!calls.is_empty(), "not even uname was called\n{outcome}");
    calls
}

fn is_static_against_musl(project: &Project<'_>, platform: &str, name: &str) {
    let result = project.result(platform, name);
    let elf = elf(&result);
    assert_eq!((elf.machine, elf.has_interpreter), (&platform["linux/".len()..], false), "{}", result.display());
    assert_eq!(c_library(&result), ["musl"], "{}", result.display());
}
