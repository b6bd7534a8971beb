//! From arm64 to amd64, as people with Apple silicon or Graviton build: the engine says that its machine is arm64, and
//! that machine's own programs run under QEMU.

use std::os::unix::fs::PermissionsExt;

use super::hello::greets;
use crate::world::{Engine, Outcome, Project, World, elf};

/// A podman on an arm64 machine, as far as it tells.
const ARM64_PODMAN: &str = r#"#!/bin/sh
[ "$1" = info ] || exec podman "$@"
podman "$@" | sed 's/"arch": *"amd64"/"arch":"arm64"/'
"#;

const AMD64: [&str; 6] = ["--platform", "linux/amd64", "--no-upx", "-v", "--format", "json"];

#[test]
fn debians_images_build_for_amd64_on_arm64() {
    let world = World::shared();
    crosses_to_amd64(&world.project("hello", Engine::Podman));
}

#[cfg(feature = "musl-images")]
#[test]
fn an_image_with_musl_builds_for_amd64_on_arm64() {
    let world = World::shared();
    let hello = world.project("hello", Engine::RootlessPodman).on_musl();
    // Not a call was left to the platform's own compiler. On Debian some are: its arm64 image has no clang.
    crosses_to_amd64(&hello).does_not_say("clang failed").does_not_say("done by the platform's own compiler");
    assert_eq!(crate::world::c_library(&hello.result("linux/amd64", "hello")), ["musl"]);
}

fn crosses_to_amd64(hello: &Project<'_>) -> Outcome {
    let podman = hello.beside("arm64-podman");
    fs_err::write(&podman, ARM64_PODMAN).unwrap();
    fs_err::set_permissions(&podman, PermissionsExt::from_mode(0o755)).unwrap();
    let outcome = hello.hsx(&AMD64).env("HSX_ENGINE", &podman).run();
    outcome.exits(0);
    let platform = &outcome.json()["platforms"][0];
    assert_eq!((&platform["platform"], &platform["strategy"]), (&"linux/amd64".into(), &"cross".into()), "{outcome}");
    let elf = elf(&hello.result("linux/amd64", "hello"));
    assert_eq!((elf.machine, elf.has_interpreter), ("amd64", false));
    greets(hello, "linux/amd64");
    hello.assert_nothing_left();
    outcome
}
