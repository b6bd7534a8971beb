//! `hsx lock` and `--locked`: a build uses the locked versions, or says why it cannot.

use snapbox::{assert_data_eq, file};

use crate::fake::Test;

/// The registry after the tag was built again.
const REBUILT: &str = "printf '{\"manifests\":['; for arch in amd64 arm64; do [ $arch = amd64 ] || printf ,; \
    printf '{\"digest\":\"sha256:new-%s\",\"platform\":{\"architecture\":\"%s\",\"os\":\"linux\"}}' $arch $arch; done; \
    say ']}'; exit 0";

const PROJECT: &str = "packages: .\nindex-state: 2026-01-01T00:00:00Z\n";

/// A project that is locked.
fn locked() -> Test {
    let test = Test::new().file("cabal.project", PROJECT);
    test.hsx("lock").exits(0).prints_nothing().says("Locked");
    test
}

#[test]
fn help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("lock --help").exits(0).stdout, file!["snapshots/lock-help.txt"]);
}

#[test]
fn the_file_holds_every_platform_of_the_tag() {
    let test = locked();
    let content = fs_err::read_to_string(test.project().join("hsx.lock")).unwrap();
    let expected = format!(
        "# Written by `hsx lock`; `--locked` builds with what is here.\nhsx = \"{}\"\n\
         index-state = \"2026-01-01T00:00:00Z\"\n\n[image.\"quay.io/benz0li/ghc-musl:9.10.3\"]\n\
         \"linux/amd64\" = \"sha256:9.10.3-amd64\"\n\"linux/arm64\" = \"sha256:9.10.3-arm64\"\n\
         \"linux/riscv64\" = \"sha256:9.10.3-riscv64\"\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(content, expected);
}

#[test]
fn the_dry_run_is_the_run() {
    let test = locked();
    let path = test.project().join("hsx.lock");
    let written = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, "hsx = \"0\"\n").unwrap();
    let dry = test.hsx("lock --dry-run").exits(0);
    assert_eq!(dry.kinds(), ["info", "manifest-inspect"], "{dry}");
    assert_eq!(fs_err::read_to_string(&path).unwrap(), "hsx = \"0\"\n", "{dry}");
    test.shell(&dry.stdout).exits(0);
    assert_eq!(fs_err::read_to_string(&path).unwrap(), written, "{dry}");
}

#[test]
fn an_image_of_one_platform_is_locked_with_the_others() {
    let test = Test::new().file("hsx.toml", "[platform.\"linux/arm64\"]\nghc = \"9.6.7\"\n");
    let content = test.hsx("lock --dry-run").exits(0).stdout;
    assert!(content.contains(":9.6.7\"]\n") && content.contains(":9.10.3\"]\n"), "{content}");
}

#[test]
fn every_command_builds_with_what_is_locked() {
    let test = locked();
    test.write("demo.cabal", format!("{}test-suite spec\n  main-is: S.hs\n", crate::fake::DEMO_CABAL));
    test.set_scenario("manifest-inspect", REBUILT);
    for command in ["static", "test", "shell", "run"] {
        for platform in ["linux/amd64", "linux/arm64"] {
            let plan = test.hsx(&format!("{command} --locked --dry-run -p {platform}")).exits(0);
            let image = format!("ghc-musl@sha256:9.10.3-{}", &platform["linux/".len()..]);
            assert!(plan.stdout.contains(&image) && !plan.stdout.contains("sha256:new"), "{plan}");
        }
    }
    test.hsx("static --locked -p arm64").exits(0);
}

#[test]
fn a_tag_that_has_moved_on_is_said_with_both_digests() {
    let test = locked();
    test.set_scenario("manifest-inspect", REBUILT);
    let said = "warning: the tag of `quay.io/benz0li/ghc-musl:9.10.3` for linux/amd64 stands for sha256:new-amd64 now, and \
                `hsx.lock` has sha256:9.10.3-amd64";
    test.hsx("static --locked").exits(0).says(said);
    // The image is there now: the registry is not asked any more. What others found out is remembered.
    let run = test.hsx("static --locked").exits(0).does_not_say("warning");
    assert!(run.calls_of("manifest-inspect").is_empty(), "{run}");
    test.hsx("static --pull").exits(0);
    test.hsx("static --locked --offline").exits(0).says(said);
    let run = test
        .hsx("lock")
        .exits(0)
        .says("quay.io/benz0li/ghc-musl:9.10.3 linux/amd64: sha256:9.10.3-amd64 -> sha256:new-amd64");
    run.says("linux/arm64: sha256:9.10.3-arm64 -> sha256:new-arm64");
    test.hsx("static --locked").exits(0).does_not_say("warning");
}

#[test]
fn a_registry_that_does_not_answer_is_no_matter_for_what_is_locked() {
    let test = locked().scenario("manifest-inspect", "fail 'no such host'");
    test.hsx("static --locked").exits(0);
    test.hsx("lock").exits(3).says("the digests of the image").says("no such host");
}

#[test]
fn the_index_state_is_the_projects_or_the_days() {
    let test = Test::new();
    test.hsx("lock").exits(0);
    let content = fs_err::read_to_string(test.project().join("hsx.lock")).unwrap();
    let state =
        content.lines().find_map(|line| line.strip_prefix("index-state = ")).unwrap().trim_matches('"').to_owned();
    assert!(state.starts_with("20") && state.ends_with('Z') && state.len() == 20, "{state}");
    let run = test.hsx("static --locked").exits(0);
    let flag = format!("--index-state={state}");
    assert_eq!(run.call("run-fetch").script_args()[1], state);
    for phase in ["run-fetch", "run-build"] {
        assert!(run.call(phase).script_args().contains(&flag.as_str()), "{run}");
    }
    assert!(!test.hsx("static").exits(0).stdout.contains("--index-state"));
}

#[test]
fn what_fits_no_more_is_refused_before_anything_is_asked() {
    for (change, said) in [
        ("version", "hsx 0.0.1 wrote it, and this is hsx"),
        ("index", "it has the index-state 2026-01-01T00:00:00Z, and the project 2026-02-02T00:00:00Z"),
        ("ghc", "`hsx.lock` has no digest of the image `quay.io/benz0li/ghc-musl:9.6.7` for linux/amd64"),
        ("file", "`--locked` needs a `hsx.lock` in `"),
        ("syntax", "hsx.lock` is not valid"),
    ] {
        let test = locked();
        let content = fs_err::read_to_string(test.project().join("hsx.lock")).unwrap();
        match change {
            "version" => test.write("hsx.lock", content.replace(env!("CARGO_PKG_VERSION"), "0.0.1")),
            "index" => test.write("cabal.project", PROJECT.replace("01-01", "02-02")),
            "ghc" => test.write("hsx.toml", "ghc = \"9.6.7\"\n"),
            "file" => fs_err::remove_file(test.project().join("hsx.lock")).unwrap(),
            _ => test.write("hsx.lock", "nonsense"),
        }
        let run = test.hsx("static --locked").exits(2).prints_nothing().says(said).says("`hsx lock` writes it anew");
        assert_eq!(run.kinds(), ["info"], "{change}\n{run}");
        let run = test.env("HSX_LOCKED", "true").hsx("static --format json").exits(2);
        assert_eq!(run.json()["exit_code"], 2, "{run}");
    }
}

#[test]
fn flags_that_contradict_the_lock_are_refused() {
    let test = locked();
    test.hsx("static --locked --pull").exits(2).says("`--pull` asks for a newer image");
    test.hsx("lock --offline").exits(2).says("`hsx lock` asks the registry");
}

#[test]
fn offline_needs_the_locked_image() {
    let test = locked();
    test.hsx("static --locked --offline").exits(3).says("@sha256:9.10.3-amd64` for linux/amd64 is not to be had");
}
