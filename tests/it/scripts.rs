//! The scripts that run in containers, with a cabal of the test's own.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Run, Test};

/// A cabal that fails, and says so on both its outputs.
const CABAL: &str = "#!/bin/sh\necho \"$1\"; echo 'Error: no' >&2; echo 'and so on'; exit 1\n";

const FETCH: &str =
    concat!(include_str!("../../scripts/container/index.sh"), include_str!("../../scripts/container/fetch.sh"));

const BUILD: &str =
    concat!(include_str!("../../scripts/container/offline.sh"), include_str!("../../scripts/container/build.sh"));

/// Runs a script of `scripts/container` as in a container.
fn script(source: &str, args: &str) -> Run {
    let test = Test::empty();
    test.write_at("bin/cabal", CABAL);
    fs_err::set_permissions(test.root().join("bin/cabal"), PermissionsExt::from_mode(0o755)).unwrap();
    let dir = test.root().join("cabal");
    fs_err::create_dir(&dir).unwrap();
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
        let run = script(text, args).exits(100);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (said, ""));
    }
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
