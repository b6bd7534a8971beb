//! Freeze files, honoured by a real cabal.

use std::os::unix::fs::PermissionsExt;

use crate::real::support::{Engine, Project, World, walk};

/// What `cabal freeze` of cabal 3.12 wrote for the project `dice` beside GHC 9.10.3, and `ghc-pkg` of its packages.
const FREEZE: &str = include_str!("../snapshots/dice-9.10.3.freeze");
const PACKAGES: &str = "Cabal-3.12.1.0 array-0.5.8.0 base-4.20.2.0 bytestring-0.12.2.0 containers-0.7 deepseq-1.5.0.0 \
    directory-1.3.8.5 exceptions-0.10.9 filepath-1.5.4.0 ghc-9.10.3 ghc-bignum-1.3 ghc-boot-th-9.10.3 \
    ghc-internal-9.1003.0 ghc-prim-0.12.0 mtl-2.3.1 os-string-2.0.7 pretty-1.1.3.6 process-1.6.26.1 rts-1.0.2 \
    stm-2.5.3.1 template-haskell-2.22.0.0 text-2.1.3 time-1.12.2 transformers-0.6.1.1 unix-2.8.7.0";

/// Puts a cabal and a ghc-pkg of GHC 9.10.3 beside a project.
fn put_ghc_9_10(project: &Project<'_>) -> std::path::PathBuf {
    let bin = project.beside("bin");
    fs_err::create_dir(&bin).unwrap();
    fs_err::write(bin.join("freeze"), FREEZE).unwrap();
    let cabal = format!("#!/bin/sh\n[ \"$1\" = freeze ] && cp {}/freeze cabal.project.freeze\n", bin.display());
    for (name, script) in [("cabal", cabal), ("ghc-pkg", format!("#!/bin/sh\necho {PACKAGES}\n"))] {
        fs_err::write(bin.join(name), script).unwrap();
        fs_err::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    bin
}

#[test]
fn a_freeze_of_ghc_9_10_fits_an_image_of_9_6() {
    let world = World::shared();
    let dice = world.project("dice", Engine::Podman);
    let bin = put_ghc_9_10(&dice);
    let before = walk(dice.root());

    // As it is, nothing fits.
    dice.write("cabal.project.freeze", &FREEZE.replace("active-repositories: local:merge\n", ""));
    dice.hsx(&["exe:odds"]).run().exits(1).says("requires ==4.20.2.0");

    let outcome = dice.hsx_command(&["freeze", "--force", "--format", "json"]).path_first(&bin).run();
    let json = outcome.exits(0).json();
    let reasons: Vec<_> =
        json["changes"].as_array().unwrap().iter().map(|change| change["reason"].to_string()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("GHC 9.6.6 comes with base 4.18.2.1")), "{outcome}");
    assert!(reasons.iter().any(|reason| reason.contains("no ghc-internal")), "{outcome}");
    let text = fs_err::read_to_string(dice.path("cabal.project.freeze")).unwrap();
    assert!(text.contains("any.random ==1.2.1.2") && !text.contains("any.base"), "{text}");
    let mut after = walk(dice.root());
    after.retain(|path| !path.ends_with("cabal.project.freeze") && !path.ends_with("dist-static/.gitignore"));
    after.retain(|path| !path.starts_with(dice.path("dist-static")));
    assert_eq!(after, before, "something else was written");
    dice.assert_nothing_left();

    // What the image cannot have is not written.
    fs_err::write(bin.join("freeze"), FREEZE.replace("random ==1.2.1.2", "random ==1.2.1.1")).unwrap();
    let outcome = dice.hsx_command(&["freeze", "--force"]).path_first(&bin).run();
    outcome.exits(1).says("the container cannot honour the freeze").says("requires ==1.2.1.1");
    assert_eq!(fs_err::read_to_string(dice.path("cabal.project.freeze")).unwrap(), text);
}

#[test]
fn the_images_own_freeze_is_for_both_platforms() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Docker);
    hello
        .hsx_command(&["freeze", "--from", "image", "--platform", "linux/amd64,linux/arm64", "--strategy", "emulate"])
        .run()
        .exits(0);
    let text = fs_err::read_to_string(hello.path("cabal.project.freeze")).unwrap();
    assert!(text.contains("any.base =="), "{text}");
    hello.hsx_command(&["freeze"]).run().exits(2).says("`--force`");
}

#[test]
fn a_freeze_for_one_build_takes_the_place_of_the_file() {
    let world = World::shared();
    let hello = world.project("hello", Engine::RootlessPodman);
    hello.write("cabal.project.freeze", "constraints: any.base ==1\n");
    hello.hsx(&["--freeze=image"]).run().exits(0).says("Compiling Main");
    let text = fs_err::read_to_string(hello.path("cabal.project.freeze")).unwrap();
    assert_eq!(text, "constraints: any.base ==1\n");
    hello.assert_nothing_left();
}
