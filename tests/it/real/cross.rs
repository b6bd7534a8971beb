//! The host's GHC on the platform's libraries, on the engines that the other tests do not build so with.

use std::process::Command;

use super::without_emulation::Disabled;
use crate::real::support::{Engine, World, elf, output};

const ARM64: [&str; 4] = ["--platform", "linux/arm64", "--format", "json"];

/// Podman mounts the host's image; docker 20.10 cannot, and gets a copy of it.
#[test]
fn cross_is_the_default_on_rootless_podman_and_docker() {
    let world = World::shared();
    for engine in [Engine::RootlessPodman, Engine::Docker] {
        let hello = world.project("hello", engine);
        let outcome = hello.hsx(&ARM64).run();
        outcome.exits(0);
        assert_eq!(outcome.json()["platforms"][0]["strategy"], "cross", "{outcome}");
        let result = hello.result("linux/arm64", "hello");
        assert_eq!(elf(&result).machine, "arm64");
        assert_eq!(output(&mut Command::new(result)), "Hello from a static executable\n");
        hello.assert_nothing_left();
    }
}

#[test]
fn without_emulation_a_plain_project_is_built_and_template_haskell_is_named() {
    let world = World::alone();
    let hello = world.project("hello", Engine::Podman);
    let handlers = Disabled::arm64();
    let outcome = hello.hsx(&ARM64).run();
    outcome.exits(0);
    let [executable] = &outcome.executables("linux/arm64")[..] else { panic!("one executable\n{outcome}") };
    assert_eq!((&executable["started"], &executable["packed"]), (&false.into(), &false.into()), "{outcome}");

    hello.sleep_while_compiling();
    let outcome = hello.hsx(&["--platform", "linux/arm64"]).run();
    drop(handlers);
    outcome.exits(3).says("Template Haskell has to run linux/arm64 programs").says("hint: set up emulation: ");
    assert_eq!(output(&mut Command::new(hello.result("linux/arm64", "hello"))), "Hello from a static executable\n");
}
