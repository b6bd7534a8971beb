//! hsx as an external command of cabal: the links, and the two ways in which cabal starts hsx by them.

use std::os::unix::fs::symlink;

use snapbox::{assert_data_eq, file};

use crate::fake::Test;

/// The ways of cabal 3.12 to 3.16.0 and of later ones, to run a command: the repeated name, and the variable.
const WAYS: [(bool, &str); 2] = [(true, "CABAL"), (false, "CABAL_EXTERNAL_CABAL_PATH")];

/// What cabal passes to `cabal-NAME` when somebody types `cabal NAME ARGS`.
fn passed<'a>(repeats: bool, name: &'a str, args: &[&'a str]) -> Vec<&'a str> {
    let name = Some(name).filter(|_| repeats);
    name.into_iter().chain(args.iter().copied()).collect()
}

fn linked(test: Test) -> Test {
    for name in ["cabal-static", "cabal-hsx"] {
        symlink(env!("CARGO_BIN_EXE_hsx"), test.root().join("bin").join(name)).unwrap();
    }
    test
}

#[test]
fn cabal_static_is_hsx_static_by_either_protocol() {
    let plan = Test::new().hsx("static -p arm64 --dry-run").exits(0).stdout.lines().count();
    for (repeats, variable) in WAYS {
        let test = linked(Test::new()).env(variable, "/usr/bin/cabal");
        for (name, args) in [
            ("cabal-static", passed(repeats, "static", &["-p", "arm64", "--dry-run"])),
            ("cabal-hsx", passed(repeats, "hsx", &["static", "-p", "arm64", "--dry-run"])),
        ] {
            let run = test.program(name, &args).exits(0).prints("# linux/arm64: cross");
            assert_eq!(run.stdout.lines().count(), plan, "{run}");
        }
        let run = test.program("cabal-static", &passed(repeats, "static", &["demo"])).exits(0);
        assert_eq!(run.call("run-build").script_args().last(), Some(&"demo:exes"));
        assert!(test.project().join("dist-static/linux-amd64/demo").exists());
    }
}

#[test]
fn a_target_may_be_called_like_the_command() {
    for (repeats, variable) in WAYS {
        let description = "cabal-version: 3.0\nname: static\nversion: 1\n\nexecutable static\n  main-is: Main.hs\n";
        let test = linked(Test::new()).file("static/static.cabal", description).file("demo.cabal", description);
        let test = test.without_file("demo.cabal").dir("static").env(variable, "/usr/bin/cabal");
        let run = test.program("cabal-static", &passed(repeats, "static", &["static", "--dry-run"]));
        run.exits(0).prints("static:exes");
    }
}

#[test]
fn its_help_says_what_is_typed() {
    for (repeats, variable) in WAYS {
        let test = linked(Test::empty()).env(variable, "/usr/bin/cabal");
        // `cabal static --help` and `cabal help static` are the same to hsx.
        let run = test.program("cabal-static", &passed(repeats, "static", &["--help"])).exits(0);
        let run = run.prints("Usage: cabal static [OPTIONS] [TARGET]...");
        let own = test.hsx("static --help").stdout.replace("Usage: hsx static", "Usage: cabal static");
        assert_eq!(run.stdout, own);
        let run = test.program("cabal-hsx", &passed(repeats, "hsx", &["--help"])).exits(0);
        run.prints("Usage: cabal hsx <COMMAND>");
        let run = test.program("cabal-static", &passed(repeats, "static", &["--platfrom", "arm64"])).exits(2);
        run.says("Usage: cabal static --platform <PLATFORM> [TARGET]...");
    }
}

#[test]
fn setup_cabal_help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("setup-cabal --help").exits(0).stdout, file!["snapshots/setup-cabal-help.txt"]);
    assert_data_eq!(test.hsx("setup-cabal -h").exits(0).stdout, file!["snapshots/setup-cabal-h.txt"]);
}

/// An hsx of the test's own, at `bin/hsx`: the links go beside it.
fn installed() -> Test {
    let test = Test::new();
    fs_err::copy(env!("CARGO_BIN_EXE_hsx"), test.root().join("bin/hsx")).unwrap();
    test
}

fn target(test: &Test, path: &str) -> String {
    fs_err::read_link(test.root().join(path)).unwrap().to_str().unwrap().replace(test.root().as_str(), "[ROOT]")
}

#[test]
fn the_links_are_made_beside_hsx_once() {
    let test = installed();
    let run = test.program("hsx", &["setup-cabal"]).exits(0).does_not_say("warning");
    assert_eq!(run.report(), "[ROOT]/bin/cabal-static\n[ROOT]/bin/cabal-hsx\n");
    for name in ["bin/cabal-static", "bin/cabal-hsx"] {
        assert_eq!(target(&test, name), "hsx");
    }
    test.program("cabal-static", &["--help"]).exits(0).prints("cabal static");
    let json = test.program("hsx", &["setup-cabal", "--format", "json"]).exits(0).does_not_say("Linked").json();
    assert_eq!((&json["links"][0]["made"], &json["links"][1]["command"]), (&false.into(), &"cabal hsx".into()));
}

#[test]
fn another_directory_gets_links_to_where_hsx_is() {
    let test = installed();
    fs_err::create_dir(test.root().join("other")).unwrap();
    let run = test.program("hsx", &["setup-cabal", "--dir", "../../other"]).exits(0);
    assert!(run.message().contains("[ROOT]/other` is not on PATH"), "{run}");
    assert_eq!(run.report(), "[ROOT]/other/cabal-static\n[ROOT]/other/cabal-hsx\n");
    assert_eq!(target(&test, "other/cabal-static"), "[ROOT]/bin/hsx");
    test.program("hsx", &["setup-cabal", "--dir", "nowhere"]).exits(2).says("there is no directory");
}

#[test]
fn links_of_an_hsx_that_moved_are_renewed() {
    let test = installed();
    symlink("/gone/hsx", test.root().join("bin/cabal-hsx")).unwrap();
    test.program("hsx", &["setup-cabal"]).exits(0).says("Linked");
    assert_eq!(target(&test, "bin/cabal-hsx"), "hsx");
}

#[test]
fn what_is_not_hsxs_stays() {
    let test = installed();
    test.write_at("bin/cabal-hsx", "mine");
    let run = test.program("hsx", &["setup-cabal"]).exits(2).prints_nothing().says("is no link to hsx");
    run.says("`--dir`");
    assert_eq!(fs_err::read_to_string(test.root().join("bin/cabal-hsx")).unwrap(), "mine");
    assert!(!test.root().join("bin/cabal-static").exists(), "half of it was made");
    fs_err::remove_file(test.root().join("bin/cabal-hsx")).unwrap();
    symlink("/usr/bin/true", test.root().join("bin/cabal-static")).unwrap();
    test.program("hsx", &["setup-cabal"]).exits(2);
    assert_eq!(target(&test, "bin/cabal-static"), "/usr/bin/true");
}

#[test]
fn a_cabal_that_is_too_old_is_named() {
    let test = installed().fake("cabal").scenario("cabal", "version=3.10.3.0");
    test.program("hsx", &["setup-cabal"]).exits(0).says("cabal 3.10.3.0 knows no external commands");
    test.set_scenario("cabal", "version=3.12.1.0");
    test.program("hsx", &["setup-cabal"]).exits(0).does_not_say("warning");
}
