//! How hsx finds, pins and pulls the builder image.

use snapbox::{assert_data_eq, str};

use crate::fake::{Run, Test};

const REPOSITORY: &str = "quay.io/benz0li/ghc-musl";
const UNKNOWN: &str = "echo 'Error: reading manifest: manifest unknown' >&2; exit 125";
/// One 503, then an answer.
const ONCE_503: &str =
    "[ -e \"$FAKE/failed\" ] || { : > \"$FAKE/failed\"; echo 'Error: status code 503' >&2; exit 125; }";

fn image_of(run: &Run, kind: &str) -> String {
    let call = run.call(kind);
    let at = call.0.iter().position(|arg| arg == "-c").expect("a run has a script");
    call.0[at - 1].clone()
}

#[test]
fn the_image_is_pinned_by_digest() {
    let run = Test::new().hsx("static -p arm64 --strategy emulate --ghc 9.6.7").exits(0);
    assert_eq!(run.call("manifest-inspect").last(), format!("{REPOSITORY}:9.6.7"));
    let pinned = format!("{REPOSITORY}@sha256:9.6.7-arm64");
    assert_eq!(run.call("pull").last(), pinned);
    for kind in ["run-fetch", "run-build", "run-try"] {
        assert_eq!(image_of(&run, kind), pinned);
    }
}

#[test]
fn the_registry_is_asked_once_for_all_platforms() {
    let test = Test::new();
    let run = test.hsx("static --dry-run -p amd64,arm64,riscv64").exits(0);
    assert_eq!(run.call("manifest-inspect").last(), format!("{REPOSITORY}:9.10.3"));
    assert_eq!(run.stderr, format!("   Resolving {REPOSITORY}:9.10.3\n"));
    let run = Test::new().scenario("manifest-inspect", UNKNOWN).hsx("static -p amd64,arm64").exits(3);
    assert_eq!(run.calls_of("manifest-inspect").len(), 1, "a no counts for all\n{run}");
}

#[test]
fn the_digest_is_remembered() {
    let test = Test::new();
    test.hsx("static").exits(0);
    let run = test.hsx("static").exits(0);
    assert!(run.calls_of("manifest-inspect").is_empty() && run.calls_of("pull").is_empty(), "{run}");
}

#[test]
fn a_pull_asks_again_and_takes_the_newer_image() {
    let test = Test::new();
    test.hsx("static").exits(0);
    let newer = r#"echo '{"manifests":[{"digest":"sha256:new-amd64","platform":{"architecture":"amd64","os":"linux"}}]}'; exit 0"#;
    test.set_scenario("manifest-inspect", newer);
    assert!(test.hsx("static").exits(0).calls_of("pull").is_empty());
    let run = test.hsx("static --pull").exits(0);
    assert_eq!(run.call("pull").last(), format!("{REPOSITORY}@sha256:new-amd64"));
    assert!(test.hsx("static").exits(0).calls_of("pull").is_empty(), "the newer one is the one remembered");
    assert_eq!(image_of(&test.hsx("static").exits(0), "run-build"), format!("{REPOSITORY}@sha256:new-amd64"));
}

#[test]
fn an_image_that_was_removed_is_pulled_again() {
    let test = Test::new();
    test.hsx("static").exits(0);
    test.write_at("fake/images", "");
    let run = test.hsx("static").exits(0);
    assert_eq!(run.call("pull").last(), format!("{REPOSITORY}@sha256:9.10.3-amd64"));
}

#[test]
fn a_tag_that_is_not_published_names_its_neighbours() {
    let test = Test::new().scenario("manifest-inspect", UNKNOWN);
    let run = test.hsx("static --ghc 9.8.9").exits(3).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
   Resolving quay.io/benz0li/ghc-musl:9.8.9
error: the image `quay.io/benz0li/ghc-musl:9.8.9` for linux/amd64 is not to be had
  | Error: reading manifest: manifest unknown
hint: ghc-musl has GHC 9.8.1, 9.8.2, 9.8.3, 9.8.4: choose one with `--ghc`
hint: is the name right, and the registry reachable? `--image` names another, also one of your own making

"#]]
    );
    let run = test.hsx("static --image my/image:1").exits(3).does_not_say("ghc-musl");
    assert!(run.stderr.contains("the image `my/image:1` for linux/amd64 is not to be had"), "{run}");
}

#[test]
fn an_image_without_the_platform_says_which_it_has() {
    let only = r#"echo '{"manifests":[{"digest":"sha256:x","platform":{"architecture":"amd64","os":"linux"}},
        {"digest":"sha256:y","platform":{"architecture":"arm64","os":"linux"}},
        {"digest":"sha256:z","platform":{"architecture":"unknown","os":"unknown"}}]}'; exit 0"#;
    let run = Test::new().scenario("manifest-inspect", only).hsx("static -p riscv64").exits(3);
    assert_data_eq!(
        run.message(),
        str![[r#"
   Resolving quay.io/benz0li/ghc-musl:9.10.3
error: the image `quay.io/benz0li/ghc-musl:9.10.3` is not made for linux/riscv64
hint: it is made for linux/amd64, linux/arm64; choose another with `--image` or `--ghc`

"#]]
    );
}

#[test]
fn a_registry_that_fails_once_is_asked_again() {
    let run = Test::new().scenario("manifest-inspect", ONCE_503).hsx("static --dry-run").exits(0);
    assert_eq!(run.calls_of("manifest-inspect").len(), 2);
    run.says("warning: the registry failed, trying again in 1 s");
}

#[test]
fn a_pull_that_fails_once_is_tried_again() {
    let run = Test::new().scenario("pull", ONCE_503).hsx("static").exits(0);
    assert_eq!(run.calls_of("pull").len(), 2);
    run.says("warning: the registry failed, trying again in 1 s");
}

#[test]
fn a_pull_that_is_refused_is_not_tried_again() {
    let refused = "echo 'Error: initializing source: unauthorized: access to the requested resource is not authorized' >&2; exit 125";
    let run = Test::new().scenario("pull", refused).hsx("static").exits(3).prints_nothing();
    assert_eq!(run.calls_of("pull").len(), 1);
    run.says("error: linux/amd64: the image cannot be pulled")
        .says("tried: podman pull --platform linux/amd64")
        .says("| Error: initializing source: unauthorized");
}

#[test]
fn an_image_of_one_platform_is_taken_where_it_fits() {
    // Docker prints the image's own manifest; podman before 5 cannot.
    for (engine, single) in [
        ("docker", "echo '{\"schemaVersion\":2,\"config\":{},\"layers\":[]}'; exit 0"),
        ("podman", "echo 'Error: the image is a single image, not a manifest list' >&2; exit 125"),
    ] {
        let test = Test::new().without("podman").fake(engine).scenario("manifest-inspect", single);
        let run = test.hsx("static --image my/image:1").exits(0);
        assert_eq!(run.call("pull").last(), "my/image:1");
        let run = test.hsx("static --image my/image:1").exits(0);
        assert!(run.calls_of("pull").is_empty(), "it is there now\n{run}");

        // An engine stores what the registry has, whatever platform was asked for.
        let test = test.scenario("pull", "say \"$last amd64 id-x\" >> \"$FAKE/images\"; exit 0");
        let run = test.hsx("static -p arm64 --image my/other:1").exits(3);
        run.says("the image `my/other:1` is for linux/amd64, not for linux/arm64");
    }
}

#[test]
fn a_wrong_architecture_after_the_pull_is_never_run() {
    let wrong = Test::new().scenario("pull", "say \"$last arm64 id-x\" >> \"$FAKE/images\"; exit 0");
    let run = wrong.hsx("static").exits(3).prints_nothing();
    assert!(run.kinds().iter().all(|kind| !kind.starts_with("run-")), "{run}");
    assert_data_eq!(
        run.message(),
        str![[r#"
   Resolving quay.io/benz0li/ghc-musl:9.10.3
     Pulling linux/amd64 quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64
error: linux/amd64: the image `quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64` is for linux/arm64, not for linux/amd64
  tried: podman image inspect --format '{{.Architecture}}' quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64
hint: choose another with `--image`
  log: [ROOT]/home/.state/hsx/logs/demo-linux-amd64-[HASH].log

"#]]
    );
}

#[test]
fn an_image_on_no_registry_is_taken_from_storage() {
    let test = Test::new().scenario("manifest-inspect", UNKNOWN);
    test.write_at("fake/images", "my/image:1 amd64 0123abcd\nlocalhost/mine:1 amd64 4567\n");
    let run = test.hsx("static --image my/image:1").exits(0);
    assert_eq!(image_of(&run, "run-build"), "0123abcd");
    let run = test.hsx("static --image localhost/mine:1").exits(0);
    assert!(run.calls_of("manifest-inspect").is_empty(), "{run}");
    assert_eq!(image_of(&run, "run-build"), "4567");
    test.hsx("static --image localhost/mine:1 -p arm64").exits(3).says("not to be had");
}

#[test]
fn offline_needs_what_is_there() {
    let test = Test::new();
    let run = test.hsx("static --offline").exits(3);
    assert_data_eq!(
        run.message(),
        str![[r#"
error: the image `quay.io/benz0li/ghc-musl:9.10.3` for linux/amd64 is not to be had
  | `--offline` keeps hsx from asking the registry
hint: run it once without `--offline`

"#]]
    );
    test.hsx("static").exits(0);
    let run = test.hsx("static --offline").exits(0);
    for kind in ["manifest-inspect", "pull", "run-fetch"] {
        assert!(run.calls_of(kind).is_empty(), "{run}");
    }
}

#[test]
fn offline_says_when_something_was_never_downloaded() {
    let test = Test::new();
    test.hsx("static").exits(0);
    test.set_scenario("run-build", "echo 'Failed to download aeson-2.2.3.0'; exit 100");
    let run = test.hsx("static --offline").exits(1);
    run.says("hint: something was never downloaded: run it again without `--offline`");
}

#[test]
fn a_broken_compiler_is_warned_of() {
    let run = Test::new().hsx("static --ghc 9.12.3").exits(0);
    let run = run.says("warning: ghc-musl calls GHC 9.12.3 broken on linux/amd64; GHC 9.12.4 is the one to use");
    assert_eq!(run.stderr.matches("warning:").count(), 1, "{run}");
    let run = Test::new().hsx("static --ghc 9.12.3 --dry-run").exits(0);
    run.prints("# warning: ghc-musl calls GHC 9.12.3 broken");
}

#[test]
fn the_ghc_of_a_named_image_is_what_its_tag_tells() {
    let test = Test::new().file("cabal.project", "packages: .\nwith-compiler: ghc-9.6.6\n");
    let ghc = |image: &str| {
        let run = test.hsx(&format!("static --format json --image {image}")).exits(0);
        (run.json()["platforms"][0]["ghc"].clone(), run)
    };
    let (version, run) = ghc("my/image:1");
    assert_eq!(version, serde_json::Value::Null);
    run.says("Building linux/amd64 with the image's GHC (native)").does_not_say("warning");
    let run = test.hsx("static --dry-run --image my/image@sha256:0-amd64").exits(0);
    run.prints("# linux/amd64: native (this is the host's platform), the image's GHC\n");
    let (version, run) = ghc("my/ghc-musl:9.12.3-int-native");
    assert_eq!(version, "9.12.3");
    run.says("Building linux/amd64 with GHC 9.12.3 (native)").says("warning: ghc-musl calls GHC 9.12.3 broken");
    assert_eq!(ghc("my/image").0, "9.6.6", "without a tag it is the project's");
}

#[test]
fn a_ghc_that_the_named_image_does_not_have_is_warned_of() {
    let warning = |args: &str| {
        let run = Test::new().hsx(&format!("static --format json {args}")).exits(0);
        run.json()["platforms"][0]["warnings"].clone()
    };
    let said = "GHC 9.6.7 is asked for, but the image `my/image:9.8.4` is taken as it is named";
    assert_eq!(warning("--ghc 9.6.7 --image my/image:9.8.4"), serde_json::json!([said]));
    assert_eq!(warning("--ghc 9.6.7 --image my/image:1").as_array().unwrap().len(), 1);
    for args in ["--ghc 9.8 --image my/image:9.8.4", "--ghc 9.8.4 --image my/image", "--image my/image:9.8.4"] {
        assert_eq!(warning(args), serde_json::json!([]), "{args}");
    }
}

#[test]
fn a_loopback_registry_needs_no_certificate() {
    let test = Test::new().without("podman").fake("docker");
    let run = test.hsx("static --dry-run --image 127.0.0.1:5000/ghc-musl").exits(0);
    assert!(run.call("manifest-inspect").has("--insecure"), "{run}");
}

/// The name of the only image that was made.
fn derived(run: &Run) -> String {
    let commit = run.call("commit");
    assert_eq!(run.calls_of("rm")[0].last(), commit.0[commit.0.len() - 2], "the container goes\n{run}");
    let reference = commit.last().to_owned();
    assert!(reference.starts_with("localhost/hsx-derived:"), "{reference}");
    reference
}

#[test]
fn packages_are_added_to_the_image_once() {
    let test = Test::new().file("hsx.toml", "[image]\npackages = [\"xz-static\", \"xz-dev\", \"xz-dev\"]\n");
    test.set_scenario("run-build", "exit 100");
    let run = test.hsx("static").exits(1).says("   Preparing linux/amd64 image with xz-dev, xz-static\n");
    let pinned = format!("{REPOSITORY}@sha256:9.10.3-amd64");
    assert_eq!((run.call("pull").last(), image_of(&run, "run-derive")), (pinned.as_str(), pinned.clone()));
    let install = run.call("run-derive");
    assert_eq!(install.script_args(), ["xz-dev", "xz-static"]);
    assert!(install.values("--network").is_empty() && install.values("--mount").is_empty(), "{install:?}");
    let reference = run.call("commit").last().to_owned();
    assert_eq!(image_of(&run, "run-fetch"), reference);
    let checked: Vec<_> = run.calls_of("image-arch").iter().map(|call| call.last()).collect();
    assert_eq!(checked, [&pinned, &reference], "{run}");
    test.clear_scenario("run-build");

    let again = test.hsx("static").exits(0);
    assert!(again.calls_of("run-derive").is_empty() && again.calls_of("commit").is_empty(), "{again}");
    assert_eq!(image_of(&again, "run-build"), reference);
    let other = test.hsx("static --image-package xz-dev").exits(0);
    assert_ne!(derived(&other), reference, "another package makes another image");
    assert!(other.calls_of("pull").is_empty(), "{other}");
}

#[test]
fn with_packages_an_image_has_a_store_of_its_own() {
    let test = Test::new();
    test.hsx("static").exits(0);
    let run = test.hsx("static --image-package xz-dev").exits(0).says("Fetching");
    assert_eq!(run.calls_of("volume-create").len(), 3, "{run}");
}

/// The arguments of the scripts that add something to an image, by the platform of the image.
fn additions(run: &Run) -> Vec<(&str, Vec<&str>)> {
    let calls = run.calls_of("run-derive").into_iter();
    calls.map(|call| (call.value("--platform").unwrap(), call.script_args())).collect()
}

#[test]
fn packages_are_the_targets_and_native_packages_the_hosts() {
    let toml = "[platform.arm64.image]\npackages = [\"xz-static\"]\nnative-packages = [\"mold\"]\n";
    let test = Test::new().file("hsx.toml", toml);
    let run = test.hsx("static -p amd64,arm64 --format json").exits(0);
    assert_eq!(
        additions(&run),
        [("linux/arm64", vec!["xz-static"]), ("linux/amd64", vec!["aarch64", "mold"])],
        "{run}"
    );
    let references: Vec<_> = run.calls_of("commit").iter().map(|call| call.last().to_owned()).collect();
    let toolchain = run.call("run-cross");
    assert!(toolchain.has(&references[1]), "{toolchain:?}");
    let builds = run.calls_of("run-build");
    assert!(builds[0].has(&format!("{REPOSITORY}@sha256:9.10.3-amd64")) && builds[1].has(&references[0]), "{run}");
    let native = builds[1].values("--mount").into_iter().find(|mount| mount.ends_with(",target=/native")).unwrap();
    assert_eq!(native, format!("type=image,source={},target=/native", references[1]));

    let typed = test.hsx("static -p arm64 --native-package gold").exits(0);
    assert_eq!(additions(&typed), [("linux/amd64", vec!["aarch64", "gold"])], "{typed}");
    let emulated = test.hsx("static -p arm64 --strategy emulate").exits(0);
    assert!(additions(&emulated).is_empty(), "{emulated}");
    let odd = test.hsx("static -p arm64 --native-package=--root=/").exits(2);
    odd.says("`--root=/` is not the name of an image's package");
}

#[test]
fn offline_cross_goes_on_with_what_the_hosts_image_has() {
    let test = Test::new();
    test.hsx("static -p amd64,arm64 --strategy emulate").exits(0); // so that both images are there
    let run = test.hsx("static -p arm64 --offline --force").exits(0);
    assert!(additions(&run).is_empty(), "{run}");
    assert!(run.call("run-cross").has(&format!("{REPOSITORY}@sha256:9.10.3-amd64")), "{run}");
    // With a network it gets what is missing, and keeps it.
    let run = test.hsx("static -p arm64 --force").exits(0);
    assert_eq!(additions(&run), [("linux/amd64", vec!["aarch64"])], "{run}");
    let run = test.hsx("static -p arm64 --offline --force").exits(0);
    let native = run.call("run-build").values("--mount").into_iter().any(|mount| mount.contains("hsx-derived:"));
    assert!(native && run.calls_of("run-cross").is_empty(), "{run}");
}

#[test]
fn tools_that_were_not_to_be_had_are_asked_for_again_by_pull() {
    let says = |tools: &str| format!("echo 'hsx: {tools} cannot be added'");
    let test = Test::new().scenario("run-derive", &says("binutils-aarch64"));
    let first = test.hsx("static -p arm64").exits(0);
    let reference = derived(&first);
    let again = test.hsx("static -p arm64 --force").exits(0);
    assert!(additions(&again).is_empty() && again.calls_of("run-cross").is_empty(), "{again}");
    test.clear_scenario("run-derive");
    let pulled = test.hsx("static -p arm64 --pull").exits(0);
    assert_eq!(derived(&pulled), reference);
    assert_eq!(pulled.calls_of("run-cross").len(), 1, "the toolchain is of the new one\n{pulled}");
    let pulled = test.hsx("static -p arm64 --pull").exits(0);
    assert!(additions(&pulled).is_empty() && pulled.calls_of("run-cross").is_empty(), "{pulled}");
}

#[test]
fn a_native_package_that_is_not_there_is_a_matter_of_configuration() {
    let test = Test::new().scenario("run-derive", "echo 'E: Unable to locate package mould'; exit 100");
    let run = test.hsx("static -p arm64 --native-package mould").exits(2);
    run.says("error: linux/arm64: the image's distribution has not all of the packages\n");
    assert!(test.containers().is_empty());
}

#[test]
fn an_image_that_was_removed_is_made_again() {
    let test = Test::new();
    let reference = derived(&test.hsx("static --image-package xz-dev --no-upx").exits(0));
    let images = fs_err::read_to_string(test.root().join("fake/images")).unwrap();
    let rest: String = images.split_inclusive('\n').filter(|line| !line.starts_with(&reference)).collect();
    test.write_at("fake/images", rest);
    assert_eq!(derived(&test.hsx("static --image-package xz-dev").exits(0)), reference);
}

#[test]
fn packages_that_are_not_there_are_a_matter_of_configuration() {
    let test = Test::new().scenario(
        "run-derive",
        "echo 'ERROR: unable to select packages:'; echo '  xz-statik (no such package):'; exit 1",
    );
    test.hsx("static --image-package xz-statik")
        .exits(2)
        .says("error: linux/amd64: the image's distribution has not all of the packages\n")
        .says("  |   xz-statik (no such package):\n")
        .says("hint: ghc-musl is Alpine Linux: https://pkgs.alpinelinux.org lists its packages");
    assert!(test.containers().is_empty());
    let odd =
        test.hsx("static --image-package=--root=/").exits(2).says("`--root=/` is not the name of an image's package");
    assert!(odd.calls_of("pull").is_empty());
}
