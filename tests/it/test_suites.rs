//! `hsx test`: it builds and runs suites in the builder, prints a line for each, and keeps their logs.

use rustix::process::Signal;
use serde_json::json;
use snapbox::{assert_data_eq, file, str};

use crate::fake::{Call, Test};

const CABAL: &str = "cabal-version: 3.0\nname: demo\nversion: 0.1.0\n\nlibrary\n\ntest-suite spec\n  main-is: Spec.hs\n\n\
    test-suite props\n  main-is: Props.hs\n";

/// A world with a library and two suites, which end as told; `None`: it passed.
fn suites(ends: &[(&str, Option<&str>)]) -> Test {
    let test = Test::new().file("demo.cabal", CABAL);
    for platform in ["linux/amd64", "linux/arm64"] {
        leaves(&test, platform, ends);
    }
    test
}

/// What cabal leaves of a run.
fn leaves(test: &Test, platform: &str, ends: &[(&str, Option<&str>)]) {
    let out = format!("fake/out/{}", platform.replace('/', "-"));
    let _ = fs_err::remove_dir_all(test.root().join(&out));
    let results = ends.iter().map(|(name, fault)| {
        test.write_at(&format!("{out}/logs/demo-0.1.0-{name}.log"), format!("the log of {name}\n"));
        let result = fault.map_or("Pass".to_owned(), |fault| format!("Fail \"{fault}\""));
        format!(
            "PackageLog {{package = PackageIdentifier {{pkgName = PackageName \"demo\", pkgVersion = mkVersion [0,1,0]}}, \
             testSuites = [TestSuiteLog {{testSuiteName = UnqualComponentName \"{name}\", testLogs = TestLog {{testName = \
             \"{name}\", testOptionsReturned = [], testResult = {result}}}, logFile = \
             \"/hsx/build/tests/x/test/demo-0.1.0-{name}.log\"}}]}}\n"
        )
    });
    test.write_at(&format!("{out}/results"), results.collect::<String>());
    let units = ends.iter().map(|(name, _)| {
        json!({
            "type": "configured", "style": "local", "pkg-name": "demo", "pkg-version": "0.1.0",
            "component-name": format!("test:{name}"),
        })
    });
    test.write_at(&format!("{out}/plan.json"), json!({ "install-plan": units.collect::<Vec<_>>() }).to_string());
}

/// The report without the times.
fn table(report: &str) -> String {
    let words = report
        .split(' ')
        .map(|word| if word.ends_with('s') && word.starts_with(|c: char| c.is_ascii_digit()) { "0.1s" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("test --help").exits(0).stdout, file!["snapshots/test-help.txt"]);
}

#[test]
fn a_suite_that_passes_has_a_line_and_a_log() {
    let test = suites(&[("spec", None)]);
    let run = test.hsx("test -p amd64,arm64").exits(0).says("Testing linux/arm64");
    assert_data_eq!(
        table(&run.stdout),
        str![[r#"
PLATFORM     SUITE      RESULT  LOG                                                    TIME  STRATEGY
linux/amd64  demo:spec  passed  dist-static/linux-amd64/test-logs/demo-0.1.0-spec.log  0.1s  native
linux/arm64  demo:spec  passed  dist-static/linux-arm64/test-logs/demo-0.1.0-spec.log  0.1s  cross

"#]]
    );
    let files: Vec<_> = test.tree("dist-static").into_keys().filter(|file| !file.ends_with('/')).collect();
    assert_eq!(
        files,
        [".gitignore", "linux-amd64/test-logs/demo-0.1.0-spec.log", "linux-arm64/test-logs/demo-0.1.0-spec.log"]
    );
    assert!(test.containers().is_empty());
}

#[test]
fn a_suite_that_fails_is_a_result_with_cabals_exit_code() {
    let test = suites(&[("props", Some("exit code: 3")), ("spec", None)]).scenario("run-test", "exit 103");
    let run =
        test.hsx("test").exits(1).prints("demo:props  failed, exit code: 3  dist-static/").prints("demo:spec   passed");
    assert!(!run.stderr.contains("error:"), "{run}");
    assert!(test.containers().is_empty(), "{run}");

    // The logs are those of the last run.
    test.clear_scenario("run-test");
    leaves(&test, "linux/amd64", &[("spec", None)]);
    test.hsx("test spec").exits(0);
    assert_eq!(test.tree("dist-static/linux-amd64/test-logs").into_keys().collect::<Vec<_>>(), ["demo-0.1.0-spec.log"]);
}

#[test]
fn a_suite_that_does_not_build_is_an_error_that_leaves_the_logs() {
    let test = suites(&[("spec", None)]);
    test.hsx("test").exits(0);
    let before = test.tree("dist-static");
    test.set_scenario("run-test", "exit 100");
    test.hsx("test").exits(1).prints_nothing().says("error: linux/amd64: cabal build of the tests failed");
    assert_eq!(test.tree("dist-static"), before);
    test.set_scenario("run-test", "exit 1");
    test.hsx("test").exits(3).says("the builder container failed");
    leaves(&test, "linux/amd64", &[]);
    test.write_at("fake/out/linux-amd64/logs/x.log", "");
    test.clear_scenario("run-test");
    test.hsx("test").exits(1).says("cabal ran none of the test suites");
}

#[test]
fn the_report_for_programs_has_every_suite() {
    let test = suites(&[("props", Some("exit code: 3")), ("spec", None)]).scenario("run-test", "exit 103");
    let run = test.hsx("test --format json").exits(1);
    let json = run.json();
    let suites = &json["platforms"][0]["suites"];
    assert_eq!((&json["exit_code"], &json["platforms"][0]["platform"]), (&1.into(), &"linux/amd64".into()), "{run}");
    assert_eq!(
        (&suites[0]["name"], &suites[0]["passed"], &suites[0]["reason"]),
        (&"props".into(), &false.into(), &"exit code: 3".into())
    );
    assert_eq!((&suites[1]["package"], &suites[1]["version"]), (&"demo".into(), &"0.1.0".into()));
    assert!(suites[1]["log"].as_str().unwrap().ends_with("/test-logs/demo-0.1.0-spec.log"));
}

#[test]
fn tests_are_built_apart_with_the_settings_of_builds() {
    let test = suites(&[("spec", None)]).file("hsx.toml", "targets = [\"exe:server\"]\njobs = 3\n");
    let run = test.hsx_args(&["test", "spec", "--test-option=--match=a b", "--test-options", "-x -y"]).exits(0);
    let cabal = [
        "--builddir=/hsx/build/tests",
        "--enable-tests",
        "--with-compiler=ghc",
        "--enable-executable-static",
        "--jobs=3",
        "test:spec",
    ];
    assert_eq!(run.call("run-fetch").script_args(), [&["new", ""], &cabal[..]].concat());
    let options = ["--test-option=--match=a b", "--test-options=-x -y"];
    assert_eq!(run.call("run-test").script_args(), [&options, &cabal[..]].concat());
    assert_eq!(run.call("run-test").value("--network"), Some("none"));
    assert_eq!(run.call("run-fetch").value("--network"), None);
    let again = test.hsx("test spec").exits(0);
    assert!(again.calls_of("run-fetch").is_empty(), "nothing has changed: {again}");
    assert!(!test.hsx("test").exits(0).calls_of("run-fetch").is_empty(), "other targets");
}

#[test]
fn tests_and_builds_fetch_each_for_themselves() {
    let test = Test::new().file("demo.cabal", &format!("{CABAL}\nexecutable demo\n  main-is: M.hs\n"));
    test.hsx("static").exits(0);
    leaves(&test, "linux/amd64", &[("spec", None)]);
    assert_eq!(test.hsx("test").exits(0).calls_of("run-fetch").len(), 1);
    assert!(test.hsx("test").exits(0).calls_of("run-fetch").is_empty());
    test.builds("linux/amd64", &[("demo:demo", &crate::fake::static_elf("linux/amd64"))]);
    assert!(test.hsx("static").exits(0).calls_of("run-fetch").is_empty());
    assert!(test.project().join("dist-static/linux-amd64/test-logs/demo-0.1.0-spec.log").exists());
}

#[test]
fn targets_are_suites() {
    let run = suites(&[]).hsx("test demo:exe:demo").exits(2).says("no test suite matches the target `demo:exe:demo`");
    run.says("`demo:test:spec`, `demo:test:props`");
    Test::new().hsx("test").exits(2).says("this project has no test suite");
}

#[test]
fn the_dry_run_is_the_run() {
    let test = suites(&[("props", Some("exit code: 3"))]).scenario("run-test", "exit 103");
    let dry = test.hsx("test -p arm64 --dry-run").exits(0);
    assert!(dry.calls.iter().all(Call::is_fact), "{dry}");
    let pasted = test.shell(&dry.stdout).exits(0);
    let by_hand = test.tree("");
    fs_err::remove_dir_all(test.project().join("dist-static")).unwrap();
    test.write_at("fake/images", "");
    test.write_at("fake/volumes", "");
    let run = test.hsx("test -p arm64").exits(1);
    let run = run.calls.iter().filter(|call| !call.is_fact());
    assert_eq!(pasted.calls, run.cloned().collect::<Vec<_>>());
    assert_eq!(test.tree(""), by_hand);
}

#[test]
fn a_signal_ends_the_tests() {
    let test = suites(&[("spec", None)]).scenario("run-test", ": > \"$FAKE/running\"; exec /bin/sleep 30");
    let hsx = test.start("test -p amd64,arm64");
    test.wait_for("running");
    hsx.signal(Signal::INT);
    let (run, _) = hsx.end();
    let run = run.exits(130).prints_nothing().says("interrupted by SIGINT");
    assert!(test.containers().is_empty(), "{run}");
    assert!(test.tree("dist-static").keys().all(|file| !file.contains(".hsx-")), "{run}");
}
