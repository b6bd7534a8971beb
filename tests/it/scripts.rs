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
    test.shell(&format!("CABAL_DIR={dir}; export CABAL_DIR; set -- {args}\n{source}"))
}

#[test]
fn what_cabal_says_keeps_its_order() {
    for (text, args, said) in [
        (BUILD, "strip reuse '' no-data '*:*' --flag", "build\nError: no\nand so on\n"),
        (
            FETCH,
            "'' --flag",
            "update\nError: no\nand so on\n\
             hsx: the package index could not be updated: going on with the packages that are there\n\
             build\nError: no\nand so on\n",
        ),
    ] {
        let run = script(&with_program("cabal", BROKEN_CABAL), text, args).exits(ExitCode::CabalFailed as i32);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (said, ""));
    }
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
