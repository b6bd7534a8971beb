//! The events of `--format json-lines`, and the page of timings that is made from them.

use serde_json::Value;

use crate::fake::{Run, Test};

const SAYS: &str = "echo 'In order, the following will be built (use -v for more details):
 - demo-0.1.0 (exe:demo) (first run)
Building executable '\\''demo'\\'' for demo-0.1.0..
[1 of 2] Compiling Main ( app/Main.hs, x.o )'
printf '[2 of 2] Linking x'";

fn events(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}\n{run}"))).collect()
}

#[test]
fn events_are_lines_of_json() {
    let run = Test::new().fake("upx").scenario("run-build", SAYS).hsx("static --format json-lines").exits(0);
    let events = events(&run);
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let kind = event["event"].as_str().unwrap();
            assert!(event["time"].is_f64(), "{run}");
            assert_eq!(event["platform"], if kind == "end" { Value::Null } else { "linux/amd64".into() });
            format!("{kind} {}", event[kind].as_str().unwrap_or_default())
        })
        .collect();
    let expected = [
        "phase pulling",
        "phase updating",
        "phase fetching",
        "phase building",
        "package demo-0.1.0",
        "module Main",
        "module linking",
        "phase packing",
        "phase checking",
        "finish ",
        "end ",
    ];
    assert_eq!(told, expected, "{run}");
    assert_eq!((&events[5]["number"], &events[5]["of"]), (&1.into(), &2.into()));
    assert_eq!(events[9]["executables"][0]["name"], "demo");
    assert_eq!(events[10]["exit_code"], 0);
}

#[test]
fn events_of_failures_and_of_nothing_to_do_end_too() {
    let test = Test::new().remembering().scenario("run-build", "exit 100");
    let run = test.hsx("static --format json-lines").exits(1);
    let told = events(&run);
    let [.., finish, end] = &told[..] else { panic!("{run}") };
    assert_eq!((&finish["event"], &finish["error"]["exit_code"]), (&"finish".into(), &1.into()));
    assert_eq!((&end["event"], &end["exit_code"]), (&"end".into(), &1.into()));
    test.clear_scenario("run-build");
    test.hsx("static").exits(0);
    let run = test.hsx("static --format json-lines").exits(0);
    let told = events(&run);
    assert_eq!((told.len(), &told[0]["event"], &told[0]["fresh"]), (2, &"finish".into(), &true.into()));
    for (args, code) in [("static exe:nope --format json-lines", 2), ("test --format json-lines", 2)] {
        let run = test.hsx(args).exits(code);
        let told = events(&run);
        assert_eq!((told.len(), &told[0]["event"], &told[0]["exit_code"]), (1, &"end".into(), &code.into()));
    }
}

#[test]
fn timings_are_a_page_by_itself() {
    let test = Test::new().scenario("run-build", SAYS);
    test.hsx("static --timings").exits(0).says("Timings ");
    let durations = fs_err::read_dir(test.root().join("home/.state/hsx/durations")).unwrap();
    assert_eq!(durations.count(), 1, "for the next build to tell how long it may take");
    let page = fs_err::read_to_string(test.root().join("home/.state/hsx/logs/demo-timings.html")).unwrap();
    for text in ["<h2>linux/amd64</h2>", "building", "demo-0.1.0", "Main", "</html>"] {
        assert!(page.contains(text), "no {text}\n{page}");
    }
    assert!(!page.contains("http"), "it needs nothing from elsewhere");
}
