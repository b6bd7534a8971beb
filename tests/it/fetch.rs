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

/// A fetch that asks for a newer index once.
const DUE: &str = "[ -e \"$FAKE/asked\" ] || { : > \"$FAKE/asked\"; exit 106; }";

#[test]
fn an_index_that_is_too_old_is_updated_and_the_fetch_starts_again() {
    for (update, heeds) in [("exit 0", "new"), ("exit 100", "as-it-is")] {
        let test = built();
        test.set_scenario("run-fetch", DUE);
        test.set_scenario("run-index", update);
        test.write("cabal.project", "packages: .\nindex-state: 2026-01-01T00:00:00Z\n");
        let run = test.hsx("static").exits(0).says("Updating linux/amd64 package index");
        let fetches = run.calls_of("run-fetch");
        assert_eq!(fetches.iter().map(|call| call.script_args()[0]).collect::<Vec<_>>(), ["ask", heeds], "{run}");
        assert_eq!(run.call("run-index").script_args(), ["2026-01-01T00:00:00Z"]);
        assert!(test.containers().is_empty());
    }
}

#[test]
fn an_index_is_updated_once_at_most() {
    let test = Test::new().scenario("run-fetch", "exit 106");
    let run = test.hsx("static").exits(3);
    assert_eq!((run.calls_of("run-index").len(), run.calls_of("run-fetch").len()), (1, 1), "{run}");
}

#[test]
fn an_update_that_the_engine_refuses_is_an_error() {
    let test = Test::new().scenario("run-index", "exit 125");
    let run = test.hsx("static").exits(3).says("the builder container failed").says("-index --rm");
    assert!(run.calls_of("run-fetch").is_empty(), "{run}");
}

#[test]
fn a_volume_is_made_and_filled_by_one_user() {
    let volumes = |test: &Test| {
        let run = test.hsx("static").exits(0);
        run.calls_of("volume-create").into_iter().map(|call| call.last().to_owned()).collect::<Vec<_>>()
    };
    let test = Test::new();
    let mine = volumes(&test);
    // The locks are in the state directory. So whoever has another one must have other volumes.
    let other = test.root().join("other").into_string();
    let test = test.env("XDG_STATE_HOME", &other);
    let others = volumes(&test);
    assert!(mine.len() == 3 && others.len() == 3, "{mine:?} {others:?}");
    assert!(mine.iter().all(|volume| !others.contains(volume)), "{mine:?} {others:?}");
}

#[test]
fn a_project_has_a_store_of_its_own_if_it_asks_or_the_user_does() {
    let store = |test: &Test, args: &str| {
        let run = test.hsx(&format!("static --force {args}")).exits(0);
        let mounts = run.call("run-build").values("--mount");
        let mount = mounts.into_iter().find(|mount| mount.contains("target=/hsx/cabal/store")).unwrap().to_owned();
        (mount, run.calls_of("run-fetch").len())
    };
    let test = Test::new();
    let (shared, _) = store(&test, "");
    assert_eq!(store(&test, "--store shared"), (shared.clone(), 0));
    let (own, fetches) = store(&test, "--store project");
    assert_ne!(own, shared);
    assert_eq!(fetches, 1, "what the shared store has was never downloaded");
    test.write("hsx.toml", "store = \"project\"\n");
    assert_eq!(store(&test, "").0, own);
    assert_eq!(store(&test, "--store shared").0, shared, "the user decides");
    let listed = test.hsx("static --dry-run --force --store project").exits(0);
    assert!(!listed.stdout.contains("volume create"), "it is there: {listed}");

    let test = Test::new().user_config("store = \"project\"\n");
    let (own, _) = store(&test, "");
    test.write("hsx.toml", "store = \"shared\"\n");
    test.hsx("static").exits(2).says("`store = \"shared\"` may not be set in a project's `hsx.toml`");
    let test = test.env("HSX_STORE", "shared");
    test.write("hsx.toml", "");
    assert_ne!(store(&test, "").0, own);
}

#[test]
fn results_of_another_store_are_not_up_to_date() {
    let test = Test::new().remembering();
    test.hsx("static").exits(0);
    assert!(test.hsx("static").exits(0).calls_of("run-build").is_empty());
    assert_eq!(test.hsx("static --store project").exits(0).calls_of("run-build").len(), 1);
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
