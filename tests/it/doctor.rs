//! `hsx doctor`: its findings and their texts. It must change nothing.

use snapbox::{assert_data_eq, file};

use crate::fake::{Run, Test};

fn world() -> Test {
    Test::new().fake("upx").env("LANG", "C.UTF-8")
}

/// The line about something, with the lines below it.
#[track_caller]
fn finding(run: &Run, about: &str) -> String {
    let mut lines = run.stdout.lines().skip_while(|line| line.split_whitespace().nth(1) != Some(about));
    let first = lines.next().unwrap_or_else(|| panic!("nothing about {about}\n{run}"));
    [first].into_iter().chain(lines.take_while(|line| line.starts_with("   "))).collect::<Vec<_>>().join("\n")
}

#[test]
fn help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("doctor --help").exits(0).stdout, file!["snapshots/doctor-help.txt"]);
}

#[test]
fn a_machine_that_is_ready_gets_a_line_for_each_part() {
    let run = world().hsx("doctor").exits(0);
    assert_eq!(finding(&run, "engine"), "✓ engine       podman 5.4.2, rootless, linux/amd64");
    assert_eq!(
        finding(&run, "image"),
        "✓ image        quay.io/benz0li/ghc-musl:9.10.3, sha256:9.10.3-amd64; the first build pulls it"
    );
    assert_eq!(finding(&run, "upx"), "✓ upx          upx 4.2.4");
    assert!(finding(&run, "linux/arm64").starts_with("! linux/arm64  whether programs start is up to the engine"));
    run.prints("\nready, with ");
}

#[test]
fn without_unicode_the_marks_are_ascii() {
    let run = world().env("LANG", "C").hsx("doctor").exits(0);
    assert!(run.stdout.is_ascii() && finding(&run, "engine").starts_with("+ engine"), "{run}");
    let run = world().env("LANG", "C").env("LC_ALL", "de_DE.utf8").hsx("doctor").exits(0);
    assert!(finding(&run, "engine").starts_with("✓ "), "LC_ALL decides\n{run}");
}

#[test]
fn json_says_the_same() {
    let test = world();
    let run = test.hsx("doctor --json").exits(0);
    let mut json = run.json();
    let mut by_format = test.hsx("doctor --format json").exits(0).json();
    // How much of the disk is free may be another number by then.
    for findings in [&mut json, &mut by_format].map(|json| json["findings"].as_array_mut().unwrap()) {
        findings.retain(|finding| finding["about"] != "disk");
    }
    assert_eq!(json, by_format);
    assert_eq!((json["ready"].as_bool(), json["exit_code"].as_u64()), (Some(true), Some(0)));
    assert_eq!(
        (json["findings"][0]["about"].as_str(), json["findings"][0]["mark"].as_str()),
        (Some("engine"), Some("good"))
    );
}

#[test]
fn without_an_engine_it_is_not_ready() {
    let run = Test::empty().env("LANG", "C.UTF-8").hsx("doctor").exits(3);
    assert!(finding(&run, "engine").starts_with("✗ engine  `podman` and `docker` not on PATH\n"), "{run}");
    assert!(finding(&run, "engine").contains("install podman: "), "{run}");
    run.prints("\nnot ready: 1 problem, ");
}

#[test]
fn an_engine_that_does_not_answer_is_a_problem_unless_another_does() {
    let stopped = "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock' >&2; exit 1";
    let test = world().fake("docker").scenario("docker.info", stopped);
    let run = test.hsx("doctor --engine docker").exits(3);
    assert!(finding(&run, "engine").starts_with("✗ engine  docker does not answer: Cannot connect to"), "{run}");
    assert!(finding(&run, "engine").contains(" docker"), "{run}");
    let run = test.hsx("doctor").exits(0);
    assert!(finding(&run, "engine").starts_with("✓ engine       podman"), "{run}");
    run.prints("! engine       docker does not answer");
}

#[test]
fn a_registry_that_is_down_is_a_problem_while_the_image_is_not_here() {
    let down = "fail 'dial tcp 127.0.0.1:5000: connect: connection refused'";
    let test = world().scenario("manifest-inspect", down);
    let run = test.hsx("doctor").exits(3);
    assert!(finding(&run, "image").starts_with("✗ image"), "{run}");
    assert!(finding(&run, "image").contains("connection refused\n"), "{run}");
    assert!(finding(&run, "image").contains("podman manifest inspect quay.io/benz0li/ghc-musl:9.10.3"), "{run}");
    test.clear_scenario("manifest-inspect");
    test.hsx("static").exits(0);
    test.set_scenario("manifest-inspect", down);
    assert!(finding(&test.hsx("doctor").exits(0), "image").starts_with("! image"));
    let run = test.hsx("doctor --offline").exits(0);
    assert!(run.calls_of("manifest-inspect").is_empty() && finding(&run, "image").starts_with("✓ image"), "{run}");
}

#[test]
fn a_tag_that_was_made_again_is_noticed() {
    let test = world();
    test.hsx("static").exits(0);
    let again =
        r#"say '{"manifests":[{"digest":"sha256:new","platform":{"architecture":"amd64","os":"linux"}}]}'; exit"#;
    test.set_scenario("manifest-inspect", again);
    let run = test.hsx("doctor").exits(0);
    assert!(finding(&run, "image").contains("was made again") && finding(&run, "image").ends_with("hsx static --pull"));
}

#[test]
fn what_is_locked_is_compared_too() {
    let test = world();
    test.hsx("lock").exits(0);
    let again =
        r#"say '{"manifests":[{"digest":"sha256:new","platform":{"architecture":"amd64","os":"linux"}}]}'; exit"#;
    test.set_scenario("manifest-inspect", again);
    assert!(finding(&test.hsx("doctor").exits(0), "image").contains("was made again"));
}

#[test]
fn a_bad_upx_is_named() {
    let run = world().scenario("upx-version", "version=4.2.2").hsx("doctor").exits(0);
    assert!(finding(&run, "upx").starts_with("! upx          upx 4.2.2: upx 4.2.2 breaks static arm64"), "{run}");
    let run = Test::new().hsx("doctor").exits(0);
    assert!(finding(&run, "upx").contains("not on PATH"), "{run}");
}

#[test]
fn a_package_yaml_needs_hpack() {
    let test = world().without_file("demo.cabal").file("package.yaml", "name: demo\n");
    let run = test.hsx("doctor").exits(3);
    assert!(finding(&run, "hpack").starts_with("✗ hpack"), "{run}");
}

#[test]
fn a_program_is_started_where_an_image_is_here() {
    let test = world();
    assert!(test.hsx("doctor -p arm64").exits(0).calls_of("run-probe").is_empty(), "there is no image");
    test.hsx("static -p arm64 --strategy emulate").exits(0);
    let run = test.hsx("doctor -p arm64").exits(0);
    assert_eq!(run.call("run-probe").value("--platform"), Some("linux/arm64"));
    assert!(finding(&run, "linux/arm64").starts_with("✓ linux/arm64  programs start, as one did just now"), "{run}");

    test.set_scenario("run-probe", "fail 'exec format error'");
    let run = test.hsx("doctor -p arm64").exits(3);
    assert!(finding(&run, "linux/arm64").contains("the engine says `Error: exec format error`"), "{run}");
    assert!(finding(&run, "linux/arm64").contains("tonistiigi/binfmt --install arm64"), "{run}");
    assert!(test.containers().is_empty());
    let run = test.hsx("doctor").exits(0);
    assert!(finding(&run, "linux/arm64").starts_with("! "), "nobody asked for it\n{run}");
    let run = test.file("hsx.toml", "platforms = [\"arm64\"]\n").hsx("doctor").exits(3);
    assert!(finding(&run, "linux/arm64").starts_with("✗ "), "the project wants it\n{run}");
}

#[test]
fn it_only_asks() {
    let test = world();
    test.hsx("static -p amd64,arm64 --strategy emulate").exits(0);
    let before = test.tree("..");
    let run = test.hsx("doctor").exits(0);
    let asking = [
        "info",
        "ps",
        "volume-ls",
        "volume-inspect",
        "image-ls",
        "image-inspect",
        "manifest-inspect",
        "upx-version",
        "run-probe",
    ];
    let changing: Vec<_> = run.kinds().into_iter().filter(|kind| !asking.contains(&kind.as_str())).collect();
    assert!(changing.is_empty(), "{changing:?}\n{run}");
    let after = test.tree("..");
    let new: Vec<_> =
        after.iter().filter(|(path, data)| before.get(*path) != Some(data)).map(|(path, _)| path).collect();
    assert!(new.iter().all(|path| path.starts_with(".state/hsx/locks/")), "{new:?}");
}
