//! When hsx fetches again, and when it skips the fetch phase.

use crate::fake::Test;

const PROJECT: &str = "packages: .\n";

/// A project that has been built once.
fn built() -> Test {
    let test = Test::new().file("cabal.project", PROJECT);
    assert_eq!(test.hsx("static").exits(0).calls_of("run-fetch").len(), 1);
    test
}

#[track_caller]
fn fetches(test: &Test, args: &str) -> bool {
    !test.hsx(&format!("static {args}")).exits(0).calls_of("run-fetch").is_empty()
}

#[test]
fn the_second_run_fetches_nothing() {
    let test = built();
    assert!(!fetches(&test, ""));
    test.write("app/Main.hs", "main = print 2\n");
    assert!(!fetches(&test, ""), "a module changes no plan");
}

#[test]
fn whatever_decides_the_plan_is_fetched_for_again() {
    for (file, text) in [
        ("demo.cabal", format!("{}  build-depends: aeson\n", crate::fake::DEMO_CABAL)),
        ("cabal.project", format!("{PROJECT}constraints: aeson ==2.2.3.0\n")),
        ("cabal.project.freeze", "constraints: any.aeson ==2.2.3.0\n".to_owned()),
        ("cabal.project.local", "flags: +release\n".to_owned()),
    ] {
        let test = built();
        test.write(file, text);
        assert!(fetches(&test, ""), "{file}");
        assert!(!fetches(&test, ""), "{file}");
    }
}

#[test]
fn other_flags_compilers_and_platforms_are_fetched_for() {
    for args in ["--cabal-arg=--flags=+x", "--ghc 9.6.7", "-p arm64", "demo:exe:demo"] {
        let test = built();
        assert!(fetches(&test, args), "{args}");
        assert!(!fetches(&test, args), "{args}");
    }
}

#[test]
fn a_volume_that_is_gone_is_filled_again() {
    let test = built();
    let volumes = fs_err::read_to_string(test.root().join("fake/volumes")).unwrap();
    for line in volumes.lines() {
        let others = volumes.replace(&format!("{line}\n"), "");
        test.write_at("fake/volumes", others);
        let run = test.hsx("static").exits(0);
        assert_eq!(run.call("volume-create").last(), line);
        assert_eq!(run.calls_of("run-fetch").len(), 1, "{run}");
    }
}

#[test]
fn a_failed_build_is_fetched_for_again() {
    let test = built();
    test.set_scenario("run-build", "exit 100");
    test.hsx("static").exits(1);
    test.clear_scenario("run-build");
    assert!(fetches(&test, ""));
}

#[test]
fn a_failed_fetch_is_a_failed_build() {
    let test = Test::new().scenario("run-fetch", "echo 'Could not resolve dependencies:'; exit 100");
    let run = test.hsx("static").exits(1).says("error: linux/amd64: fetching the dependencies failed");
    assert!(run.calls_of("run-build").is_empty(), "{run}");
    assert!(test.containers().is_empty());
}

#[test]
fn what_hsx_remembers_may_be_deleted() {
    let test = built();
    fs_err::remove_dir_all(test.root().join("home/.state")).unwrap();
    let run = test.hsx("static").exits(0);
    assert_eq!(run.calls_of("run-fetch").len(), 1, "{run}");
    assert!(run.calls_of("pull").is_empty() && run.calls_of("volume-create").is_empty(), "{run}");
}
