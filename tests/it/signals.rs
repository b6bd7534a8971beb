//! Interrupted runs: hsx cleans up after a signal, and a later run cleans up after a killed one.

use std::time::Duration;

use rustix::process::Signal;

use crate::fake::Test;

const SIGNALS: [(Signal, i32, &str); 3] =
    [(Signal::INT, 130, "SIGINT"), (Signal::TERM, 143, "SIGTERM"), (Signal::HUP, 129, "SIGHUP")];

/// A container that runs on until its client is ended.
const RUNS_ON: &str = ": > \"$FAKE/running\"; exec /bin/sleep 30";

/// How long a signal may take, at most.
const PROMPT: Duration = Duration::from_secs(5);

#[test]
fn a_signal_ends_the_build_and_its_containers() {
    for (signal, code, name) in SIGNALS {
        for engine in ["podman", "docker"] {
            let test = Test::new().without("podman").fake(engine);
            test.hsx("static").exits(0);
            let before = test.tree("dist-static");
            test.set_scenario("run-build", RUNS_ON);
            let hsx = test.start("static");
            test.wait_for("running");
            hsx.signal(signal);
            let (run, duration) = hsx.end();
            let run = run.exits(code).prints_nothing().says(&format!("error: linux/amd64: interrupted by {name}\n"));
            assert!(duration < PROMPT, "{duration:?}");
            assert!(test.containers().is_empty(), "{run}");
            assert_eq!(test.tree("dist-static"), before, "{run}");
        }
    }
}

#[test]
fn a_client_that_heeds_no_signal_is_ended_all_the_same() {
    let deaf = "trap '' INT TERM HUP; : > \"$FAKE/running\"; /bin/sleep 8";
    let test = Test::new().scenario("run-build", deaf);
    let hsx = test.start("static");
    test.wait_for("running");
    hsx.signal(Signal::INT);
    let (run, duration) = hsx.end();
    assert!(duration < PROMPT, "{duration:?}");
    assert!(test.containers().is_empty(), "{}", run.exits(130));
}

#[test]
fn a_signal_is_heeded_at_every_step() {
    for kind in [
        "info",
        "manifest-inspect",
        "ps",
        "pull",
        "volume-create",
        "run-cross",
        "run-index",
        "run-fetch",
        "cp",
        "rm",
        "run-try",
    ] {
        let test = Test::new().scenario(kind, &format!("[ -e \"$FAKE/running\" ] || {{ {RUNS_ON}; }}"));
        let hsx = test.start("static -p arm64,amd64");
        test.wait_for("running");
        hsx.signal(Signal::TERM);
        let (run, duration) = hsx.end();
        let run = run.exits(143).prints_nothing().says("interrupted by SIGTERM");
        assert_eq!(run.stderr.matches("error:").count(), 1, "{kind}\n{run}");
        assert!(duration < PROMPT, "{kind} {duration:?}");
        assert!(test.containers().is_empty(), "{kind}\n{run}");
        assert!(test.tree("dist-static").keys().all(|file| !file.contains(".hsx-")), "{kind}\n{run}");
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_registry() {
    let test = Test::new().scenario("manifest-inspect", ": > \"$FAKE/running\"; echo 'status code 503' >&2; exit 125");
    let hsx = test.start("static");
    test.wait_for("running");
    hsx.signal(Signal::INT);
    let (run, duration) = hsx.end();
    run.exits(130).prints_nothing().says("interrupted by SIGINT");
    assert!(duration < PROMPT, "{duration:?}");
}

#[test]
fn an_upx_that_takes_its_time_can_be_stopped() {
    let test = Test::new().fake("upx").scenario("upx", RUNS_ON);
    let hsx = test.start("static");
    test.wait_for("running");
    hsx.signal(Signal::INT);
    let (run, duration) = hsx.end();
    run.exits(130);
    assert!(duration < PROMPT, "{duration:?}");
    assert!(test.tree("dist-static").keys().all(|file| !file.contains(".hsx-")));
}

#[test]
fn what_a_killed_hsx_left_is_swept_by_the_next() {
    let test = Test::new().scenario("run-build", RUNS_ON);
    let hsx = test.start("static");
    test.wait_for("running");
    hsx.signal(Signal::KILL);
    hsx.end();
    let left = test.containers();
    assert_eq!(left.len(), 1);
    test.clear_scenario("run-build");
    let run = test.hsx("static").exits(0).says("Sweeping");
    assert_eq!(run.calls_of("rm")[0].last(), format!("id-{}", left[0]), "{run}");
    assert!(test.containers().is_empty());
    assert_eq!(
        test.tree("dist-static").into_keys().collect::<Vec<_>>(),
        [".gitignore", "linux-amd64/", "linux-amd64/demo"]
    );
}

#[test]
fn what_is_up_to_date_is_built_again_where_a_killed_hsx_left_something() {
    let test = Test::new().remembering();
    test.hsx("static").exits(0);
    test.set_scenario("run-build", RUNS_ON);
    let hsx = test.start("static --force");
    test.wait_for("running");
    hsx.signal(Signal::KILL);
    hsx.end();
    assert_eq!(test.containers().len(), 1);
    test.clear_scenario("run-build");
    test.hsx("static").exits(0).says("Sweeping");
    assert!(test.containers().is_empty());
    assert!(test.tree("dist-static").keys().all(|file| !file.contains(".hsx-")));
    test.hsx("static").exits(0).says("up to date");
    // After a signal that hsx could heed, nothing is left.
    test.set_scenario("run-build", &RUNS_ON.replace("running", "again"));
    let hsx = test.start("static --force");
    test.wait_for("again");
    hsx.signal(Signal::INT);
    hsx.end().0.exits(130);
    test.hsx("static").exits(0).says("up to date");
}

#[test]
fn what_a_living_hsx_uses_is_not_swept() {
    let test = Test::new();
    test.write("../other/demo.cabal", crate::fake::DEMO_CABAL);
    test.hsx("static").exits(0); // so that the store is not waited for
    test.set_scenario("run-build", &format!("[ -e \"$FAKE/running\" ] || {{ {RUNS_ON}; }}"));
    let hsx = test.start("static");
    test.wait_for("running");
    let theirs = test.containers();
    test.hsx("static -C ../other").exits(0).does_not_say("Sweeping");
    assert_eq!(test.containers(), theirs);
    hsx.signal(Signal::TERM);
    let (run, _) = hsx.end();
    run.exits(143);
}

#[test]
fn a_foreign_container_is_not_swept() {
    let test = Test::new();
    test.write_at("fake/containers/hsx-demo-linux-amd64-00000000-build", "platform=linux/amd64\nhsx.state=ffffffff\n");
    test.write_at("fake/containers/database", "platform=linux/amd64\n");
    test.hsx("static").exits(0).does_not_say("Sweeping");
    assert_eq!(test.containers().len(), 2);
}

#[test]
fn a_signal_between_platforms_is_not_lost() {
    // upx is asked for its version only to explain itself; the signal must count although the answer does not.
    let test = Test::new().fake("upx").scenario("upx-version", RUNS_ON);
    test.set_scenario("run-try", "echo 'bin demo 0\npacked demo 132'; exit 0");
    let hsx = test.start("static -p amd64,arm64");
    test.wait_for("running");
    hsx.signal(Signal::INT);
    let (run, duration) = hsx.end();
    run.exits(130).says("interrupted by SIGINT");
    assert!(duration < PROMPT, "{duration:?}");
    assert!(!test.project().join("dist-static/linux-arm64/demo").exists());
}

/// Waits in a call until the test says so.
const WAITS: &str = ": > \"$FAKE/running\"; until [ -e \"$FAKE/go\" ]; do /bin/sleep 0.01; done";

#[test]
fn a_second_hsx_waits_for_the_first() {
    // Both see a world in which nothing is there yet.
    let test = Test::new().scenario("volume-create", WAITS);
    let first = test.start("static");
    test.wait_for("running");
    let second = test.start("static");
    second.wait_until_it_says("Waiting");
    test.write_at("fake/go", "");
    let (first, _) = first.end();
    let (second, _) = second.end();
    first.exits(0);
    second.exits(0).says("Waiting for another hsx that builds the same");
    assert!(test.containers().is_empty());
}

#[test]
fn two_projects_may_make_their_store_at_once() {
    let test = Test::new().scenario("volume-create", WAITS);
    test.write("../other/demo.cabal", crate::fake::DEMO_CABAL);
    let first = test.start("static");
    test.wait_for("running");
    let second = test.start("static -C ../other");
    second.wait_until_it_says("Waiting");
    test.write_at("fake/go", "");
    let (first, _) = first.end();
    let (second, _) = second.end();
    first.exits(0);
    second.exits(0);
}

#[test]
fn a_wait_for_another_can_be_ended() {
    let test = Test::new().scenario("run-build", WAITS);
    let first = test.start("static");
    test.wait_for("running");
    let second = test.start("static");
    second.wait_until_it_says("Waiting");
    second.signal(Signal::INT);
    let (run, duration) = second.end();
    run.exits(130).says("interrupted by SIGINT");
    assert!(duration < PROMPT, "{duration:?}");
    assert_eq!(test.containers().len(), 1, "the first is left alone");
    test.write_at("fake/go", "");
    let (first, _) = first.end();
    first.exits(0);
}

#[test]
fn whoever_waited_for_a_killed_hsx_sweeps_up_behind_it() {
    let test = Test::new().scenario("run-build", &format!("[ -e \"$FAKE/running\" ] || {{ {RUNS_ON}; }}"));
    let first = test.start("static");
    test.wait_for("running");
    let second = test.start("static");
    second.wait_until_it_says("Waiting");
    first.signal(Signal::KILL);
    let (second, _) = second.end();
    second.exits(0);
    assert!(test.containers().is_empty());
}
