//! Packages that are added to the builder image: a C library that it lacks.

use std::process::Command;

use crate::real::support::{Engine, World, elf, output};

#[test]
fn a_c_library_is_added_on_every_engine() {
    let world = World::shared();
    for (engine, platform) in
        [(Engine::Podman, "linux/arm64"), (Engine::RootlessPodman, "linux/amd64"), (Engine::Docker, "linux/amd64")]
    {
        let hello = world.project("hello", engine);
        hello.edit("hello.cabal", "base >=4.18", "bzlib, base >=4.18");
        hello.write("hsx.toml", "[image]\npackages = [\"libbz2-dev\"]\n");
        let first = hello.hsx(&["--platform", platform]).run();
        first.exits(0);
        let result = hello.result(platform, "hello");
        assert!(!elf(&result).has_interpreter);
        assert_eq!(output(&mut Command::new(result)), "Hello from a static executable\n");
        let again = hello.hsx(&["--platform", platform, "--force"]).run();
        again.exits(0).does_not_say("image with libbz2-dev").does_not_say("bzlib-0");
        hello.assert_nothing_left();
    }
}
