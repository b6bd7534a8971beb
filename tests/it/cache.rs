//! `hsx cache`: what it lists, and what it removes.

use snapbox::{assert_data_eq, file, str};

use crate::fake::{Run, Test};

/// Volumes as an engine tells of them: two of hsx's, one that is only called so, and one with only the label.
const VOLUMES: &str = r#"
say '[{"Name":"hsx-store-linux-amd64-01234567","CreatedAt":"2020-01-01T00:00:00Z",
  "Labels":{"hsx.kind":"store","hsx.platform":"linux/amd64","hsx.image":"i"}},
 {"Name":"hsx-build-demo-linux-arm64-01234567","CreatedAt":"2999-01-01T00:00:00Z",
  "Labels":{"hsx.kind":"build","hsx.platform":"linux/arm64","hsx.image":"i","hsx.project":"/p%2Cq"}},
 {"Name":"hsx-build-mine","CreatedAt":"2020-01-01T00:00:00Z","Labels":null},
 {"Name":"mine","CreatedAt":"2020-01-01T00:00:00Z","Labels":{"hsx.kind":"store"}}]'
exit
"#;

const SIZES: &str = r#"
say 'Local Volumes space usage:'
say
say 'VOLUME NAME                     LINKS       SIZE'
say 'hsx-store-linux-amd64-01234567  0           1.5GB'
say 'hsx-build-mine                  0           7GB'
exit
"#;

fn world() -> Test {
    let test = Test::new().scenario("volume-inspect", VOLUMES).scenario("system-df", SIZES);
    test.write_at(
        "fake/volumes",
        "hsx-store-linux-amd64-01234567\nhsx-build-demo-linux-arm64-01234567\nhsx-build-mine\nmine\n",
    );
    test
}

fn removed(run: &Run) -> Vec<String> {
    let kinds = ["volume-rm", "image-rm", "rm"];
    run.calls.iter().filter(|call| kinds.contains(&call.kind().as_str())).map(|call| call.last().to_owned()).collect()
}

#[test]
fn help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("cache --help").exits(0).stdout, file!["snapshots/cache-help.txt"]);
    assert_data_eq!(test.hsx("cache list --help").exits(0).stdout, file!["snapshots/cache-list-help.txt"]);
    assert_data_eq!(test.hsx("cache prune --help").exits(0).stdout, file!["snapshots/cache-prune-help.txt"]);
}

#[test]
fn what_hsx_made_is_listed() {
    let run = world().hsx("cache list").exits(0);
    assert_data_eq!(
        run.stdout,
        str![[r#"
FOR    NAME                                 SIZE     UNUSED     PLATFORM     PROJECT
build  hsx-build-demo-linux-arm64-01234567  -        0 min      linux/arm64  /p,q
store  hsx-store-linux-amd64-01234567       1.4 GiB  [..] days  linux/amd64  -
2 items, 1.4 GiB

"#]]
    );
    let json = world().hsx("cache list --format json").exits(0).json();
    assert_eq!((json["engine"].as_str(), json["size"].as_u64()), (Some("podman"), Some(1_500_000_000)));
    assert_eq!(json["items"][0]["project"], "/p,q");
    assert_eq!(json["items"][1]["kind"], "volume");
    Test::new().hsx("cache list").exits(0).prints_nothing().says("Nothing of hsx's is in podman");
}

#[test]
fn nothing_is_removed_unasked() {
    let test = world();
    let run = test.hsx("cache prune").exits(2).says("not told what to remove").says("`--older-than 30d`");
    assert!(run.calls.is_empty(), "{run}");
    let run = test.hsx("cache prune --all").exits(2).says("no terminal to ask on").says("`--yes`");
    assert!(removed(&run).is_empty(), "{run}");
    test.hsx("cache prune --all --older-than 1d").exits(2).says("cannot be used with");
    test.hsx("cache prune --older-than soon").exits(2).says("`soon` is no age");
}

#[test]
fn a_terminal_is_asked() {
    for (answer, count) in [("n", 0), ("", 0), ("y", 2), ("YES", 2)] {
        let test = world();
        let hsx = env!("CARGO_BIN_EXE_hsx");
        let line = format!(
            "echo '{answer}' | script --quiet --return --command \"PATH=$FAKE/../bin {hsx} cache prune --all\" /dev/null"
        );
        let run = test.shell(&line).exits(0).prints("Remove this? [y/N]").prints("2 items, 1.4 GiB");
        assert_eq!(removed(&run).len(), count, "{answer}: {run}");
    }
}

#[test]
fn only_what_is_hsxs_goes() {
    let run = world().hsx("cache prune --all --yes").exits(0).says("Removed 2 items");
    assert_eq!(removed(&run), ["hsx-build-demo-linux-arm64-01234567", "hsx-store-linux-amd64-01234567"]);
    assert!(run.calls_of("volume-rm").iter().all(|call| !call.has("--force")), "{run}");
}

#[test]
fn conditions_choose() {
    for (args, names) in [
        ("--older-than 30d", vec!["hsx-store-linux-amd64-01234567"]),
        ("--platform arm64", vec!["hsx-build-demo-linux-arm64-01234567"]),
        ("--project /p,q", vec!["hsx-build-demo-linux-arm64-01234567"]),
        ("--project /p,q --platform amd64", vec![]),
    ] {
        let run = world().hsx(&format!("cache prune --yes {args}")).exits(0);
        assert_eq!(removed(&run), names, "{args}");
    }
}

#[test]
fn a_dry_run_prints_what_a_run_does() {
    let run = world().hsx("cache prune --all --dry-run").exits(0);
    assert!(removed(&run).is_empty(), "{run}");
    let done = world().hsx("cache prune --all --yes").exits(0);
    let lines: Vec<_> = removed(&done).iter().map(|name| format!("podman volume rm {name}")).collect();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn what_the_engine_keeps_stays_and_is_told() {
    let test = world().scenario("volume-rm", "fail 'volume is being used by the following container(s): 1'");
    let run = test.hsx("cache prune --all --yes --format json").exits(0).says("stays: Error: volume is being used");
    assert_eq!((run.json()["kept"].as_array().map(Vec::len), run.json()["freed"].as_u64()), (Some(2), Some(0)));
    let test = world().scenario("volume-rm", "fail 'input/output error'");
    test.hsx("cache prune --all --yes").exits(3).says("stays: Error: input/output error");
}

#[test]
fn what_a_running_hsx_uses_stays() {
    let test =
        Test::new().scenario("run-build", "true > $FAKE/building; until [ -e $FAKE/go ]; do /bin/sleep 0.01; done");
    let hsx = test.start("static");
    test.wait_for("building");
    let volumes = fs_err::read_to_string(test.root().join("fake/volumes")).unwrap();
    let labels = r#""CreatedAt":"2020-01-01T00:00:00Z","Labels":{"hsx.kind":"build"}"#;
    let volumes: Vec<_> = volumes.lines().map(|name| format!(r#"{{"Name":"{name}",{labels}}}"#)).collect();
    assert_eq!(volumes.len(), 3, "a store, an index and a build directory");
    test.set_scenario("volume-inspect", &format!("say '[{}]'; exit", volumes.join(",")));
    let run = test.hsx("cache prune --all --yes").exits(0).says("stays: a running hsx uses it");
    assert!(removed(&run).is_empty(), "{run}");
    let json = test.hsx("cache list --format json").exits(0).json();
    assert_eq!(json["items"][0]["held"], "a running hsx uses it");
    test.write_at("fake/go", "");
    hsx.end().0.exits(0);

    let run = test.hsx("cache prune --all --yes").exits(0);
    assert_eq!(removed(&run).len(), 3, "{run}");
}

#[test]
fn a_build_that_used_it_makes_it_young_and_pruning_forgets_it() {
    let test = Test::new();
    let built = test.hsx("static").exits(0);
    let labels = |call: &crate::fake::Call| {
        let labels = call.values("--label").into_iter().map(|label| label.split_once('=').unwrap());
        labels.map(|(key, value)| format!(r#""{key}":"{value}""#)).collect::<Vec<_>>().join(",")
    };
    let volumes = built.calls_of("volume-create").into_iter().map(|call| {
        format!(r#"{{"Name":"{}","CreatedAt":"2020-01-01T00:00:00Z","Labels":{{{}}}}}"#, call.last(), labels(call))
    });
    let volumes = volumes.collect::<Vec<_>>().join(",");
    test.set_scenario("volume-inspect", &format!("say '[{volumes}]'; exit"));
    assert!(removed(&test.hsx("cache prune --older-than 1d --yes").exits(0)).is_empty(), "they were used just now");
    assert!(test.hsx("static").exits(0).calls_of("run-fetch").is_empty(), "all was fetched");

    // The store goes; that the build directory was fetched for is no longer true, although the store will be back.
    test.hsx("cache prune --all --yes").exits(0);
    assert_eq!(test.hsx("static").exits(0).calls_of("run-fetch").len(), 1);
}
