//! Help texts and usage errors of the command line.

use std::collections::BTreeSet;

use snapbox::{assert_data_eq, file, str};

use crate::fake::Test;

#[test]
fn help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("--help").exits(0).stdout, file!["snapshots/help.txt"]);
    assert_data_eq!(test.hsx("-h").exits(0).stdout, file!["snapshots/help.txt"]);
}

#[test]
fn static_help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("static --help").exits(0).stdout, file!["snapshots/static-help.txt"]);
    assert_data_eq!(test.hsx("static -h").exits(0).stdout, file!["snapshots/static-h.txt"]);
}

#[test]
fn new_help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("new --help").exits(0).stdout, file!["snapshots/new-help.txt"]);
    assert_data_eq!(test.hsx("new -h").exits(0).stdout, file!["snapshots/new-h.txt"]);
}

#[test]
fn the_version_is_the_packages() {
    let version = format!("hsx {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Test::empty().hsx("--version").exits(0).stdout, version);
    assert_eq!(Test::empty().hsx("-V").exits(0).stdout, version);
}

#[test]
fn without_a_command_the_help_is_shown() {
    let run = Test::empty().hsx("").exits(2);
    assert_data_eq!(run.stderr, file!["snapshots/help.txt"]);
}

#[test]
fn a_misspelt_flag_is_named_and_corrected() {
    let run = Test::empty().hsx("static --platfrom arm64").exits(2).prints_nothing();
    assert_data_eq!(
        run.stderr,
        str![[r#"
error: unexpected argument '--platfrom' found

  tip: a similar argument exists: '--platform'

Usage: hsx static --platform <PLATFORM> [TARGET]...

For more information, try '--help'.

"#]]
    );
}

#[test]
fn a_misspelt_command_is_named_and_corrected() {
    Test::empty().hsx("statik").exits(2).says("unrecognized subcommand 'statik'").says("'static'");
}

#[test]
fn an_unknown_platform_names_the_known_ones() {
    let run = Test::new().hsx("static -p linux/arm64,windows/amd64").exits(2).prints_nothing();
    assert_data_eq!(
        run.stderr,
        str![[r#"
error: invalid value 'windows/amd64' for '--platform <PLATFORM>': unknown platform `windows/amd64`; known: `linux/amd64`, `linux/arm64`, `linux/riscv64`

For more information, try '--help'.

"#]]
    );
}

#[test]
fn programs_are_told_of_a_command_line_that_is_wrong() {
    let test = Test::new();
    let run = test.hsx("static --platfrom arm64 --format json").exits(2).says("unexpected argument '--platfrom' found");
    let json = run.json();
    assert_eq!((json["exit_code"].as_u64(), json["error"]["exit_code"].as_u64()), (Some(2), Some(2)));
    assert_eq!(json["error"]["message"], "unexpected argument '--platfrom' found");
    assert!(json["error"]["hints"][0].as_str().unwrap().contains("'--platform'"), "{run}");
    assert_eq!(test.hsx("doctor --json --jobs").exits(2).json()["exit_code"], 2);
    let lines = test.hsx("static --format=json-lines -p vax").exits(2);
    assert_eq!((lines.json()["event"].as_str(), lines.json()["exit_code"].as_u64()), (Some("end"), Some(2)));
    assert_eq!(Test::new().env("HSX_FORMAT", "json").hsx("static --nonsense").exits(2).json()["exit_code"], 2);
    assert!(test.hsx("static --format json --help").exits(0).stdout.contains("Usage: "), "help is for people");
}

#[test]
fn values_are_checked_wherever_they_come_from() {
    for (args, variable, value) in [
        ("static --jobs 0", "", ""),
        ("static --bignum fast", "", ""),
        ("static --strategy guess", "", ""),
        ("static --format xml", "", ""),
        ("static", "HSX_JOBS", "many"),
        ("static", "HSX_BIGNUM", "fast"),
        ("static", "HSX_PLATFORM", "vax"),
        ("static", "HSX_UPX", "perhaps"),
    ] {
        let test = Test::new().env(variable, value);
        let run = test.hsx(args).exits(2).prints_nothing();
        assert!(run.calls.is_empty(), "{run}");
    }
}

/// The variable of each flag, and of the targets; one that hsx does not know does no harm.
fn variables() -> Vec<String> {
    let words = include_str!("snapshots/static-help.txt").split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let flags: BTreeSet<_> = words.filter_map(|word| word.strip_prefix("--")).chain(["target"]).collect();
    flags.into_iter().map(|flag| format!("HSX_{}", flag.to_ascii_uppercase().replace('-', "_"))).collect()
}

#[test]
fn a_variable_that_is_set_to_nothing_is_unset() {
    let test = Test::new();
    let plan = test.hsx("static --dry-run").exits(0).stdout;
    assert!(variables().len() > 20);
    let test = variables().iter().fold(test, |test, variable| test.env(variable, ""));
    assert_eq!(test.hsx("static --dry-run").exits(0).stdout, plan);
    test.hsx("static -p arm64 --jobs 2 --dry-run").exits(0).prints("# linux/arm64").prints(" --jobs=2 ");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    Test::new().hsx("static -q -v").exits(2).says("cannot be used with");
    Test::new().hsx("static --pull --offline").exits(2).says("`--pull` asks the registry");
    Test::new().env("HSX_OFFLINE", "1").hsx("static --pull").exits(2).says("`HSX_OFFLINE` rules out");
    Test::new().env("HSX_PULL", "1").hsx("static --offline").exits(2).says("`--pull` asks the registry");
}

#[test]
fn a_flag_overrules_a_variable_that_contradicts_it() {
    let test = Test::new().fake("upx").env("HSX_UPX", "true");
    assert!(test.hsx("static --no-upx").exits(0).calls_of("upx").is_empty());
    assert!(test.hsx("static --upx --no-upx").exits(0).calls_of("upx").is_empty(), "packing is the extra");
    let test = Test::new().env("HSX_STRIP", "true");
    assert_eq!(test.hsx("static --no-strip").exits(0).call("run-build").script_args()[0], "keep");
    Test::new().env("HSX_OFFLINE", "0").hsx("static --dry-run --pull").exits(0);
}
