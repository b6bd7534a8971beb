//! The scripts that run in containers, run here with a fake cabal.

use std::os::unix::fs::PermissionsExt;

use crate::exit_code::ExitCode;
use crate::fake::{Run, Test};

/// A cabal that fails, and says so on both its outputs.
const BROKEN_CABAL: &str = "#!/bin/sh\necho \"$1\"; echo 'Error: no' >&2; echo 'and so on'; exit 1\n";

const FETCH: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/index.sh"),
    include_str!("../../scripts/container/fetch.sh")
);

const BUILD: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/offline.sh"),
    include_str!("../../scripts/container/build.sh")
);

const TEST: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/offline.sh"),
    include_str!("../../scripts/container/test.sh")
);
const RECEIVE: &str = include_str!("../../scripts/container/receive.sh");

/// A world with a program on its PATH.
fn with_program(name: &str, text: &str) -> Test {
    Test::empty().own_program(name, text)
}

/// Runs a script of `scripts/container` as in a container.
fn script(test: &Test, source: &str, args: &str) -> Run {
    let dir = test.root().join("cabal");
    fs_err::create_dir_all(&dir).unwrap();
    test.shell(&format!("CABAL_DIR={dir} HOME={dir}/home; export CABAL_DIR HOME; set -- {args}\n{source}"))
}

#[test]
fn what_cabal_says_keeps_its_order() {
    for (text, args, said) in [
        (BUILD, "strip reuse '' no-data '*:*' --flag", "build\nError: no\nand so on\n"),
        (
            FETCH,
            "as-it-is '' --flag",
            "hsx: the package index could not be updated: going on with the packages that are there\n\
             build\nError: no\nand so on\n",
        ),
    ] {
        let test = with_program("cabal", BROKEN_CABAL);
        let run = script(&test, &at_home(text, &test), args).exits(ExitCode::CabalFailed as i32);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (said, ""));
    }
}

/// A script whose `/hsx` is the root of a test.
fn at_home(script: &str, test: &Test) -> String {
    script.replace("/hsx/", &format!("{}/", test.root()))
}

/// A world with a package index of two repositories, and a project in its root that calls one of them its own.
fn with_index() -> Test {
    // Says where cabal's configuration and index come from.
    let cabal = "#!/bin/sh\necho \"$*\"; cat \"$CABAL_DIR/config\"; cd \"$CABAL_DIR/packages\"; ls -d */*\n";
    let test = with_program("cabal", cabal);
    for file in ["index/packages/hackage/01-index.tar", "index/packages/mine/01-index.tar", "index/updated"] {
        test.write_at(file, "2026-01-01T00:00:00Z");
    }
    test.write_at("index/config", "configured\n");
    test
}

#[test]
fn every_container_has_a_home_of_its_own_with_the_index_of_all() {
    let test = with_index();
    let project = "repository mine\n  url: https://example.com/\nrepository local\n  url: file+noindex:///a\n";
    test.write("cabal.project", project);
    // What an earlier build of the project left.
    test.write_at("build/packages/hackage/01-index.tar", "forged");
    test.write_at("build/packages/hackage/a-1.tar.gz", "");
    let dir = test.project().to_string();
    let fetch = at_home(FETCH, &test);
    let run = script(&test, &format!("cd {dir}\n{fetch}"), "ask '' --flag").exits(0);
    assert_eq!(
        run.stdout,
        format!(
            "update --builddir={root}/build mine\nconfigured\nhackage/01-index.tar\nhackage/a-1.tar.gz\n\
             build --only-download --flag\nconfigured\nhackage/01-index.tar\nhackage/a-1.tar.gz\n",
            root = test.root()
        )
    );
    let index = fs_err::read_to_string(test.root().join("build/packages/hackage/01-index.tar")).unwrap();
    assert_eq!(index, "2026-01-01T00:00:00Z", "not the forged one");
    test.write_at("build/tests/cache/plan.json", "{}");
    script(&test, &format!("cd {dir}\n{}", at_home(TEST, &test)), "--flag").exits(0).prints("configured");
}

#[test]
fn a_fetch_asks_for_a_newer_index_only_where_it_can_be_had() {
    let due = ExitCode::IndexDue as i32;
    for (args, code) in [
        ("ask 2026-02-02T00:00:00Z", due),
        ("ask 2025-12-31T00:00:00Z", 0),
        ("ask ''", 0),
        ("new 2026-02-02T00:00:00Z", 0),
        ("as-it-is 2026-02-02T00:00:00Z", 0),
    ] {
        let test = with_index();
        let fetch = at_home(FETCH, &test);
        script(&test, &fetch, args).exits(code);
        fs_err::remove_file(test.root().join("index/updated")).unwrap();
        script(&test, &fetch, args).exits(if args.starts_with("ask") { due } else { 0 });
    }
    // The index is not new, so a newer one may have what is missing.
    let test = with_program("cabal", BROKEN_CABAL);
    test.write_at("index/updated", "2026-01-01T00:00:00Z");
    let fetch = at_home(FETCH, &test);
    script(&test, &fetch, "ask ''").exits(ExitCode::CabalFailed as i32);
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let updated = fs_err::OpenOptions::new().write(true).open(test.root().join("index/updated")).unwrap();
    updated.set_modified(long_ago).unwrap();
    script(&test, &fetch, "ask ''").exits(due);
    script(&test, &fetch, "new ''").exits(ExitCode::CabalFailed as i32);
}

#[test]
fn an_image_without_a_package_manager_is_unfit() {
    let derive = format!("PATH=/nowhere\n{}", include_str!("../../scripts/container/derive.sh"));
    let run = script(&Test::empty(), &derive, "xz-static").exits(ExitCode::ImageUnfit as i32);
    run.prints("derive: the image has neither apk nor apt-get\n");
}

#[test]
fn an_executable_that_cannot_be_stripped_is_told_from_one_that_is_not_built() {
    let test = with_program("cabal", "#!/bin/sh\n").own_program("strip", "#!/bin/sh\nexit 1\n");
    let binary = test.root().join("build/build/linux/ghc/demo-0.1.0/x/demo/build/demo/demo");
    test.write_at("build/build/linux/ghc/demo-0.1.0/x/demo/build/demo/demo", "");
    test.write_at("build/cache/plan.json", format!("{{\"bin-file\":\"{binary}\"}}"));
    let script_text = BUILD.replace("/hsx/", &format!("{}/", test.root()));
    script(&test, &script_text, "strip reuse '' no-data 'demo:demo'").exits(ExitCode::StripFailed as i32);
    script(&test, &script_text, "keep reuse '' no-data 'demo:demo'").exits(0);
}

#[test]
fn a_failed_test_is_told_from_a_failed_build() {
    let test_script = |cabal: &str| {
        let world = with_program("cabal", &format!("#!/bin/sh\n{cabal}\n"));
        let text = TEST.replace("/hsx/", &format!("{}/", world.root()));
        world.write_at("build/tests/cache/plan.json", "{}");
        script(&world, &text, "--flag")
    };
    test_script("exit 0").exits(0);
    test_script("[ $1 = build ]").exits(ExitCode::TestFailed as i32);
    test_script("exit 1").exits(ExitCode::CabalFailed as i32);
}

#[test]
fn source_that_is_not_there_as_believed_is_told_from_source_that_was_cut() {
    let test = Test::empty();
    test.write_at("src/old", "");
    // Two blocks of zeros: an archive without a file.
    test.write_at("archive", "\0".repeat(1024));
    let (dir, archive) = (test.root().join("src"), test.root().join("archive"));
    let receive = |known: &str| {
        let sent = format!("{{ printf '%s\\n' {dir}/marker '{known}' ''; cat {archive}; }}");
        script(&test, &format!("{sent} | {{\n{RECEIVE}}}"), dir.as_str())
    };
    receive("what was sent before").exits(ExitCode::SourceUnknown as i32);
    assert!(dir.join("old").exists(), "all is as it was");
    receive("").exits(ExitCode::SourceCut as i32);
    assert!(!dir.join("old").exists());
}

#[test]
fn a_program_that_heeds_no_signal_is_ended_by_its_trial() {
    let test = Test::empty();
    let dir = test.root().join("try");
    for (name, text) in
        [("deaf", "trap '' TERM; while :; do /bin/sleep 1; done"), ("good", "exit 0"), ("bad", "exit 3")]
    {
        let path = format!("try/bin/{name}");
        test.write_at(&path, format!("#!/bin/sh\n{text}\n"));
        fs_err::set_permissions(test.root().join(path), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let source = include_str!("../../scripts/container/try.sh");
    let source = source.replace("/tmp/", &format!("{}/", test.root())).replace("/hsx/try", dir.as_str());
    let run = test.shell(&format!("set -- 1\n{source}")).exits(0);
    let ended: Vec<_> = run.stdout.lines().filter(|line| line.starts_with("bin ")).collect();
    assert_eq!(ended, ["bin bad 3", "bin deaf 137", "bin good 0"]);
}

#[test]
fn what_the_tests_leave_out_for_want_of_an_image_is_said_once_at_the_end() {
    let test = with_program("cargo", "#!/bin/sh\necho \"cargo $*\" >&2\n");
    let as_root = "#!/bin/sh\ncase $* in *--musl) [ -z \"$MUSL\" ] || echo \"$MUSL\" ;; *images*) echo image ;; esac\n";
    test.write_at("clone/scripts/as-root", as_root);
    let executable = PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(test.root().join("clone/scripts/as-root"), executable).unwrap();
    test.write_at("clone/scripts/caller.sh", "");
    test.write_at("clone/scripts/test", include_str!("../../scripts/test"));
    let run = |musl: &str| {
        let clone = test.root().join("clone");
        test.shell(&format!("dirname() {{ echo {clone}/scripts; }}; MUSL={musl}; export MUSL\n. {clone}/scripts/test"))
            .exits(0)
    };
    let without = run("");
    let said: Vec<_> = without.stderr.lines().collect();
    let [cargo, left_out] = said[..] else { panic!("{without}") };
    assert!(cargo.starts_with("cargo test ") && cargo.contains(" real-engines"), "{without}");
    assert!(left_out.starts_with("test: LEFT OUT: the tests on musl"), "{without}");
    let with = run("image");
    assert!(with.stderr.lines().count() == 1 && with.stderr.contains(" musl-images"), "{with}");
}
