//! hsx as a command of a real cabal.

use crate::real::support::{Engine, World};

#[test]
fn cabal_runs_hsx() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let bin = hello.beside("bin");
    fs_err::create_dir(&bin).unwrap();
    hello.hsx_command(&["setup-cabal", "--dir", bin.to_str().unwrap()]).path_first(&bin).run().exits(0);

    let cabal = |args: &[&str]| hello.cabal(args).path_first(&bin).run();
    let usage = "Usage: cabal static [OPTIONS] [TARGET]...";
    for words in [&["static", "--help"], &["help", "static"]] {
        let outcome = cabal(words);
        assert!(outcome.exits(0).stdout.contains(usage), "{outcome}");
    }
    let plan = cabal(&["hsx", "static", "--dry-run"]);
    assert!(plan.exits(0).stdout.contains("linux/amd64: native"), "{plan}");
    cabal(&["static", "nonesuch"]).exits(2).says("no executable matches the target `nonesuch`");

    let outcome = cabal(&["static", "hello", "--format", "json"]);
    let [executable] = &outcome.exits(0).executables("linux/amd64")[..] else { panic!("one executable\n{outcome}") };
    assert_eq!(executable["linkage"], "static", "{outcome}");
}
