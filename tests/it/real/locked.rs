//! `hsx lock` and `--locked`, with a registry and a cabal as they are.

use crate::real::support::{Engine, World};

#[test]
fn what_the_registry_has_is_locked_and_built_with() {
    let world = World::shared();
    for engine in [Engine::RootlessPodman, Engine::Docker] {
        let hello = world.project("hello", engine);
        hello.hsx_command(&["lock"]).run().exits(0).says("Locked");
        let lock = fs_err::read_to_string(hello.path("hsx.lock")).unwrap();
        let digest = lock.lines().find_map(|line| line.strip_prefix("\"linux/amd64\" = ")).unwrap().trim_matches('"');
        let outcome = hello.hsx(&["--locked", "--format", "json"]).run();
        let json = outcome.exits(0).json();
        assert!(json["platforms"][0]["image"].as_str().unwrap().ends_with(digest), "{outcome}");

        // An image that the registry does not have any more.
        let gone = format!("sha256:{}", "0".repeat(64));
        hello.write("hsx.lock", &lock.replace(digest, &gone));
        let outcome = hello.hsx(&["--locked"]).run();
        outcome.exits(3).says(&format!("stands for {digest} now, and `hsx.lock` has {gone}"));
        outcome.says("the image cannot be pulled");
        hello.assert_nothing_left();
    }
}
