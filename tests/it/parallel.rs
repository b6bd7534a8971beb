//! Builds for several platforms at the same time, and their output.

use crate::fake::Test;

/// A world where both platforms are built at once on any machine: the fakes wait for each other.
fn at_once() -> Test {
    Test::new().env("HSX_SERIAL", "").scenario("run-build", MEET)
}

/// Waits until both builds are under way.
const MEET: &str = ": > \"$FAKE/${platform#linux/}.is-built\"\npatience=2000\n\
    until [ -e \"$FAKE/amd64.is-built\" ] && [ -e \"$FAKE/arm64.is-built\" ]; do\n\
    [ $((patience -= 1)) -gt 0 ] || fail 'they are not built at once'\n/bin/sleep 0.01\ndone\n";

#[test]
fn platforms_are_built_at_once_and_reported_in_order() {
    let run = at_once().hsx("static -p arm64,amd64 --format json").exits(0);
    let json = run.json();
    let platforms: Vec<_> = json["platforms"].as_array().unwrap().iter().map(|one| &one["platform"]).collect();
    assert_eq!(platforms, ["linux/arm64", "linux/amd64"]);
    for call in run.calls_of("run-build") {
        assert!(call.0.iter().any(|arg| arg.starts_with("--jobs=")), "the cores are shared out\n{run}");
    }
    run.says("linux/amd64 | Linking demo\n").says("linux/arm64 | Linking demo\n");
}

#[test]
fn a_failing_platform_does_not_stop_the_others() {
    let fails = format!("{MEET}[ \"$platform\" = linux/amd64 ] || {{ printf 'no newline'; exit 100; }}");
    let test = at_once().scenario("run-build", &fails);
    let run = test.hsx("static -p arm64,amd64").exits(1);
    run.clone().says("error: linux/arm64: cabal build failed").says("linux/arm64 | no newline\n");
    run.prints("linux/arm64  failed: cabal build failed").prints("dist-static/linux-amd64/demo");
}

#[test]
fn a_signal_ends_all_of_them() {
    let test = at_once().scenario("run-build", &format!("{MEET}: > \"$FAKE/running\"; exec /bin/sleep 30"));
    let hsx = test.start("static -p arm64,amd64");
    test.wait_for("running");
    hsx.signal(rustix::process::Signal::INT);
    let (run, _) = hsx.end();
    run.exits(130).says("interrupted by SIGINT");
    assert!(test.containers().is_empty());
    assert!(test.tree("dist-static/linux-amd64").is_empty() && test.tree("dist-static/linux-arm64").is_empty());
}

#[test]
fn serial_is_one_after_the_other() {
    for (flag, variable) in [("--serial", ""), ("", "true")] {
        let test = Test::new().env("HSX_SERIAL", variable);
        let run = test.hsx(&format!("static -p arm64,amd64 {flag}")).exits(0).does_not_say("linux/amd64 | ");
        let built: Vec<_> = run.calls_of("run-build").into_iter().map(|call| call.value("--platform")).collect();
        assert_eq!(built, [Some("linux/arm64"), Some("linux/amd64")]);
        assert!(run.calls.iter().all(|call| !call.0.iter().any(|arg| arg.starts_with("--jobs="))), "{run}");
    }
}

#[test]
fn sharing_the_cores_out_fetches_nothing_anew() {
    let test = at_once();
    test.hsx("static -p arm64,amd64").exits(0);
    let run = test.hsx("static -p arm64,amd64 --serial").exits(0);
    assert!(run.calls_of("run-fetch").is_empty(), "{run}");
}

#[test]
fn github_gets_groups_and_a_summary() {
    let test = Test::new().env("GITHUB_ACTIONS", "true");
    let summary = test.root().join("summary.md");
    let test = test.env("GITHUB_STEP_SUMMARY", summary.as_str());
    let run = test.hsx("static -p amd64,arm64").exits(0);
    for platform in ["linux/amd64", "linux/arm64"] {
        let title = format!("::group::{platform}: all that was said\n");
        let (_, group) = run.stderr.split_once(&title).unwrap_or_else(|| panic!("no {title}\n{run}"));
        let (group, _) = group.split_once("\n::endgroup::\n").expect("a group ends");
        assert!(group.contains("Linking demo"), "{group}");
    }
    assert_eq!(run.stderr.matches("Linking demo").count(), 2, "only there\n{run}");
    let table = fs_err::read_to_string(summary).unwrap();
    assert!(table.starts_with("| platform | executable |"), "{table}");
    assert!(table.contains("| linux/arm64 | `dist-static/linux-arm64/demo` |"), "{table}");
}
