//! `hsx shell`: a shell for people, with the environment of a build.

use rustix::process::Signal;
use snapbox::{assert_data_eq, file};

use crate::fake::{Call, Test};

#[test]
fn help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("shell --help").exits(0).stdout, file!["snapshots/shell-help.txt"]);
}

#[test]
fn the_shell_sees_what_a_build_sees() {
    for platform in ["linux/amd64", "linux/arm64"] {
        let test = Test::new();
        let of_build = test.hsx(&format!("static --jobs 3 --cabal-arg=--flags=+x -p {platform}")).exits(0);
        let run = test.hsx(&format!("shell --jobs 3 --cabal-arg=--flags=+x -p {platform} -- ghc --info")).exits(0);
        let (build, shell) = (of_build.call("run-build"), run.call("run-shell"));
        for option in ["--mount", "--env", "--workdir", "--entrypoint", "--platform", "--network", "--security-opt"] {
            assert_eq!(shell.values(option), build.values(option), "{run}");
        }
        assert!(shell.has("--interactive") && !shell.has("--tty") && shell.has("--rm"), "{run}");
        let flags =
            ["--builddir=/hsx/build", "--with-compiler=ghc", "--enable-executable-static", "--jobs=3", "--flags=+x"];
        assert_eq!(shell.script_args(), [&[platform, "5"], &flags[..], &["ghc", "--info"]].concat());
        assert!(test.containers().is_empty());
    }
}

#[test]
fn input_and_exit_code_pass_through() {
    let test = Test::new().scenario("run-shell", "/bin/cat; echo oops >&2; exit 42");
    let run = test.hsx_reading("shell -q", "what was typed\n").exits(42);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("what was typed\n", "oops\n"));
    assert!(test.tree("dist-static").is_empty(), "nothing is delivered");
}

#[test]
fn what_is_missing_is_made_once() {
    let test = Test::new();
    let first = test.hsx("shell -p arm64").exits(0).says("Pulling").says("Preparing");
    assert_eq!(first.calls_of("volume-create").len(), 4, "{first}");
    assert_eq!(first.kinds().last().map(String::as_str), Some("run-shell"), "{first}");
    let second = test.hsx("shell -p arm64").exits(0).does_not_say("Pulling").does_not_say("Preparing");
    assert!(second.calls.iter().all(|call| call.is_fact() || call.kind() == "run-shell"), "{second}");
    test.hsx("static -p arm64").exits(0).does_not_say("Preparing");
}

#[test]
fn where_no_toolchain_can_be_made_the_shell_is_the_platforms_own() {
    let test = Test::new().scenario("run-cross", "echo 'cross: no shell'; exit 102");
    let run = test.hsx("shell -p arm64").exits(0).says("FAILED").says("no shell");
    assert_eq!(run.call("run-shell").value("--entrypoint"), Some("/bin/sh"), "{run}");
    test.hsx("shell -p arm64 --strategy cross").exits(3);
}

#[test]
fn a_network_is_given_to_those_who_ask() {
    let test = Test::new();
    assert_eq!(test.hsx("shell").exits(0).call("run-shell").value("--network"), Some("none"));
    assert_eq!(test.hsx("shell --network").exits(0).call("run-shell").value("--network"), None);
}

#[test]
fn the_dry_run_is_the_run() {
    for platform in ["amd64", "arm64"] {
        let test = Test::new().scenario("run-shell", "exit 9");
        let dry = test.hsx(&format!("shell -p {platform} --dry-run -- ghc")).exits(0);
        assert!(dry.calls.iter().all(Call::is_fact), "{dry}");
        let pasted = test.shell(&dry.stdout).exits(9);
        assert_eq!(pasted.call("run-shell").script_args().last(), Some(&"ghc"));
        test.hsx(&format!("shell -p {platform} -- ghc")).exits(9).does_not_say("Pulling");
    }
}

const WAITS: &str = ": > \"$FAKE/running\"; until [ -e \"$FAKE/go\" ]; do /bin/sleep 0.01; done";

#[test]
fn two_shells_may_be_open_but_a_build_waits() {
    let test = Test::new();
    test.hsx("static").exits(0);
    test.set_scenario("run-shell", &format!("[ -e \"$FAKE/running\" ] || {{ {WAITS}; }}"));
    let first = test.start("shell");
    test.wait_for("running");
    test.hsx("shell").exits(0).does_not_say("Waiting").does_not_say("Sweeping");
    assert_eq!(test.containers().len(), 1);
    let build = test.start("static");
    build.wait_until_it_says("Waiting");
    test.write_at("fake/go", "");
    let (first, _) = first.end();
    let (build, _) = build.end();
    first.exits(0);
    build.exits(0);
}

#[test]
fn what_a_killed_hsx_left_open_is_swept() {
    let test = Test::new();
    test.hsx("static").exits(0);
    test.set_scenario("run-shell", ": > \"$FAKE/running\"; exec /bin/sleep 30 > /dev/null");
    let hsx = test.start("shell");
    test.wait_for("running");
    hsx.signal(Signal::KILL);
    hsx.end();
    assert_eq!(test.containers().len(), 1);
    test.hsx("static").exits(0).says("Sweeping");
    assert!(test.containers().is_empty());
}

#[test]
fn a_signal_before_the_shell_is_open_ends_hsx() {
    let test = Test::new().scenario("run-cross", ": > \"$FAKE/running\"; exec /bin/sleep 30");
    let hsx = test.start("shell -p arm64");
    test.wait_for("running");
    hsx.signal(Signal::INT);
    let (run, _) = hsx.end();
    run.exits(130).says("interrupted by SIGINT");
    assert!(test.containers().is_empty());
}
