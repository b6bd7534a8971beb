//! The `cross` strategy: hsx runs the host's compiler against the target's libraries, and emulates where that fails.

use rustix::process::Signal;
use serde_json::Value;
use snapbox::{assert_data_eq, str};

use crate::fake::{Call, DEMO_CABAL, PLATFORMS, Run, Test, static_elf};

const REPOSITORY: &str = "quay.io/benz0li/ghc-musl";

/// What podman says where another container's end has unmounted the image that this one was to mount.
const LOSES_ITS_MOUNT: &str = r#"echo 'Error: runc: error mounting "/s/overlay-containers/5/userdata/overlay/3/merge" to rootfs at "/native": no such file or directory: OCI runtime attempted to invoke a command that was not found' >&2; exit 127"#;

/// A build that fails with the host's compiler, but not under emulation.
const HAS_A_PLUGIN: &str =
    "[ -z \"$toolchain\" ] || { echo 'ghc-9.10.3: Plugins require -fno-external-interpreter'; exit 100; }";

/// A registry that has each image for linux/arm64 only.
const ONLY_ARM64: &str =
    r#"say '{"manifests":[{"digest":"sha256:x-arm64","platform":{"architecture":"arm64","os":"linux"}}]}'; exit 0"#;

/// The strategy and the reason for it, as the report has them.
#[track_caller]
fn reported(run: &Run) -> (String, String) {
    let platform = &run.json()["platforms"][0];
    let text = |key: &str| platform[key].as_str().expect("it is a text").to_owned();
    (text("strategy"), text("reason"))
}

#[track_caller]
fn mount_of<'a>(call: &'a Call, target: &str) -> &'a str {
    let target = format!(",target={target}");
    let mounts = call.values("--mount");
    mounts.into_iter().find(|mount| mount.contains(&target)).unwrap_or_else(|| panic!("{call:?}"))
}

#[test]
fn it_is_what_auto_takes() {
    let test = Test::new();
    test.hsx("static -p arm64 --dry-run")
        .exits(0)
        .prints(
            "# linux/arm64: cross (this GHC compiles for linux/arm64 on linux/amd64), GHC 9.10.3 by hsx's default\n",
        )
        .prints("# where this fails and emulation may not, hsx builds once more, emulated\n");
    let run = test.hsx("static -p arm64 --format json").exits(0);
    let reason = "this GHC compiles for linux/arm64 on linux/amd64".to_owned();
    assert_eq!(reported(&run), ("cross".to_owned(), reason));
    let build = run.call("run-build");
    assert_eq!(build.value("--platform"), Some("linux/arm64"));
    assert_eq!(build.value("--entrypoint"), Some("/hsx/cross/boot/ld.so"));
    assert_eq!(run.call("run-fetch").value("--entrypoint"), Some("/hsx/cross/boot/ld.so"));
    assert_eq!(run.call("run-try").value("--entrypoint"), Some("/bin/sh"), "what was built starts by itself");
}

#[test]
fn it_can_be_asked_for_and_has_no_fallback_then() {
    let test = Test::new();
    let dry = test.hsx("static -p arm64 --strategy cross --dry-run").exits(0);
    assert!(!dry.stdout.contains("emulation may not"), "{dry}");
    let run = test.hsx("static -p arm64 --strategy cross --format json").exits(0);
    assert_eq!(reported(&run), ("cross".to_owned(), "asked for".to_owned()));
    let run = test.hsx("static --strategy cross --format json").exits(0);
    assert_eq!(reported(&run).0, "native");
}

#[test]
fn both_images_are_pinned_for_their_own_platform() {
    let run = Test::new().hsx("static -p arm64").exits(0);
    assert_eq!(run.call("manifest-inspect").last(), format!("{REPOSITORY}:9.10.3"), "the registry is asked once");
    let pulled: Vec<_> =
        run.calls_of("pull").into_iter().map(|call| (call.value("--platform").unwrap(), call.last())).collect();
    let [arm64, amd64] = ["arm64", "amd64"].map(|arch| format!("{REPOSITORY}@sha256:9.10.3-{arch}"));
    assert_eq!(pulled, [("linux/arm64", arm64.as_str()), ("linux/amd64", amd64.as_str())]);
    assert_eq!(run.calls_of("image-arch").len(), 3, "they and the one with tools are looked at\n{run}");
    let build = run.call("run-build");
    assert!(build.has(&arm64), "{run}");
    let install = run.call("run-derive");
    assert!(install.has(&amd64) && install.value("--platform") == Some("linux/amd64"), "{run}");
    assert_eq!(install.script_args(), ["aarch64"]);
    let with_tools = run.call("commit").last();
    assert_eq!(mount_of(build, "/native"), format!("type=image,source={with_tools},target=/native"));
    let maker = run.call("run-cross");
    assert!(maker.has(with_tools) && maker.value("--platform") == Some("linux/amd64"), "{run}");
    assert_eq!(maker.script_args(), ["aarch64"]);
}

#[test]
fn the_toolchain_is_made_once() {
    let test = Test::new();
    let first = test.hsx("static -p arm64").exits(0).says("Preparing linux/arm64 toolchain");
    assert!(mount_of(first.call("run-cross"), "/hsx/cross").ends_with(",target=/hsx/cross"));
    let second = test.hsx("static -p arm64").exits(0).does_not_say("Preparing");
    assert!(second.calls_of("run-cross").is_empty() && second.calls_of("pull").is_empty(), "{second}");
    assert!(mount_of(second.call("run-build"), "/hsx/cross").ends_with(",target=/hsx/cross,ro"));
    let dry = test.hsx("static -p arm64 --dry-run").exits(0);
    assert!(!dry.stdout.contains("volume create") && !dry.stdout.contains("-cross "), "{dry}");
    // It belongs to the images, not to the project.
    test.write("../other/demo.cabal", DEMO_CABAL);
    assert!(test.hsx("static -p arm64 -C ../other").exits(0).calls_of("run-cross").is_empty());
    assert_eq!(test.hsx("static -p arm64 --ghc 9.6.7").exits(0).calls_of("run-cross").len(), 1);
}

#[test]
fn a_toolchain_that_is_gone_or_unknown_is_made_again() {
    let test = Test::new();
    let volume = |run: &Run| mount_of(run.call("run-cross"), "/hsx/cross").to_owned();
    let first = volume(&test.hsx("static -p arm64").exits(0));
    test.write_at("fake/volumes", "");
    assert_eq!(volume(&test.hsx("static -p arm64").exits(0)), first);
    assert!(test.hsx("static -p arm64").exits(0).calls_of("run-cross").is_empty());
    fs_err::remove_dir_all(test.root().join("home/.state")).unwrap();
    let run = test.hsx("static -p arm64").exits(0);
    assert!(volume(&run) == first && run.calls_of("volume-create").is_empty(), "{run}");
}

#[test]
fn a_container_whose_mount_the_engine_has_lost_is_started_again() {
    let once = format!("[ -e \"$FAKE/lost\" ] || {{ true > \"$FAKE/lost\"; {LOSES_ITS_MOUNT}; }}");
    let run = Test::new().scenario("run-build", &once).hsx("static -p arm64 --format json").exits(0);
    let run = run.says("Retrying linux/arm64").does_not_say("FAILED");
    assert_eq!(reported(&run).0, "cross");
    assert_eq!(run.calls_of("run-build").len(), 2, "{run}");

    let run = Test::new().scenario("run-build", LOSES_ITS_MOUNT).hsx("static -p arm64").exits(3).prints_nothing();
    let run = run.says("error: linux/arm64: the builder container failed").does_not_say("FAILED");
    assert_eq!(run.calls_of("run-build").len(), 4, "{run}");
}

#[test]
fn an_older_docker_gets_a_copy_of_the_image() {
    let test = Test::new().without("podman").fake("docker").version("20.10.24");
    let run = test.hsx("static -p arm64,riscv64 --ghc 9.12.4").exits(0);
    let copies = run.calls_of("run-copy");
    assert_eq!(copies.len(), 2, "one of the image with tools for each platform\n{run}");
    assert_eq!(run.calls_of("run-cross").len(), 2, "a toolchain for each platform\n{run}");
    for (copy, builds) in copies.iter().zip(["linux/arm64", "linux/riscv64"]) {
        assert_eq!(copy.value("--platform"), Some("linux/amd64"), "{run}");
        let volume = mount_of(copy, "/hsx/native").trim_end_matches(",target=/hsx/native");
        for kind in ["run-fetch", "run-build"] {
            let calls = run.calls_of(kind);
            let call = calls.iter().find(|call| call.value("--platform") == Some(builds)).expect("it is built for");
            assert_eq!(mount_of(call, "/native"), format!("{volume},target=/native,ro"));
        }
    }
    let run = test.hsx("static -p arm64,riscv64 --ghc 9.12.4").exits(0);
    assert!(run.calls_of("run-copy").is_empty(), "{run}");
}

#[test]
fn a_newer_docker_and_podman_mount_the_image() {
    for (engine, version) in [("docker", "28.0.0"), ("docker", "29.1.3"), ("podman", "4.3.1")] {
        let test = Test::new().without("podman").fake(engine).version(version);
        let run = test.hsx("static -p arm64").exits(0);
        assert!(run.calls_of("run-copy").is_empty(), "{run}");
        assert!(mount_of(run.call("run-build"), "/native").starts_with("type=image,"), "{run}");
    }
}

#[test]
fn where_emulation_may_do_better_it_is_tried_and_that_is_said() {
    let test = Test::new().fake("upx").scenario("run-build", HAS_A_PLUGIN);
    let run = test.hsx("static -p arm64").exits(0);
    assert_data_eq!(
        run.message(),
        str![[r#"
   Resolving quay.io/benz0li/ghc-musl:9.10.3
     Pulling linux/arm64 quay.io/benz0li/ghc-musl@sha256:9.10.3-arm64
quay.io/benz0li/ghc-musl@sha256:9.10.3-arm64
     Pulling linux/amd64 quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64
quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64
   Preparing linux/amd64 image with tools for linux/arm64
Installing aarch64
   Preparing linux/arm64 toolchain from the image
    Updating linux/arm64 package index
Downloading the latest package list
    Fetching linux/arm64 dependencies
All dependencies are there
    Building linux/arm64 with GHC 9.10.3 by hsx's default (cross)
ghc-9.10.3: Plugins require -fno-external-interpreter
warning: linux/arm64: THE `cross` STRATEGY FAILED: GHC plugins need a compiler of the platform's own; building again under emulation, which is slower
    Fetching linux/arm64 dependencies
All dependencies are there
    Building linux/arm64 with GHC 9.10.3 by hsx's default (emulate)
Linking demo
     Packing linux/arm64 demo
    Checking linux/arm64 that what was built starts
   Delivered [ROOT]/home/demo/dist-static/linux-arm64/demo

"#]]
    );
    let [cross, emulated] = run.calls_of("run-build")[..] else { panic!("two builds\n{run}") };
    assert_eq!(emulated.value("--entrypoint"), Some("/bin/sh"));
    let build_volume = |call| mount_of(call, "/hsx/build").to_owned();
    assert_ne!(build_volume(cross), build_volume(emulated), "neither sees the other's files");
    assert_eq!(mount_of(cross, "/hsx/index"), mount_of(emulated, "/hsx/index"), "the index is the same");
    assert!(test.containers().is_empty(), "{run}");
    run.prints("  emulate\n");

    let quiet = test.hsx("static -p arm64 --quiet --format json").exits(0).says("THE `cross` STRATEGY FAILED");
    let reason = "`cross` failed: GHC plugins need a compiler of the platform's own".to_owned();
    assert_eq!(reported(&quiet), ("emulate".to_owned(), reason));
}

#[test]
fn a_toolchain_that_cannot_be_made_is_no_end_either() {
    let test = Test::new().scenario("run-cross", "echo 'cross: the image has no ghc-iserv'; exit 102");
    let run = test.hsx("static -p arm64 --format json").exits(0);
    assert_eq!(reported(&run), ("emulate".to_owned(), "`cross` failed: the image has no ghc-iserv".to_owned()));
    assert_eq!(run.calls_of("run-build").len(), 1, "{run}");
    let run = test.hsx("static -p arm64 --strategy cross").exits(3).prints_nothing();
    run.says("error: linux/arm64: the cross toolchain cannot be made")
        .says("| cross: the image has no ghc-iserv")
        .says("hint: the image has no ghc-iserv: `--strategy emulate` does without `cross`");
}

#[test]
fn tools_that_do_not_start_are_no_end_either() {
    let test = Test::new().scenario("run-fetch", "[ -z \"$toolchain\" ] || { echo 'sh: mkdir: not found'; exit 127; }");
    let run = test.hsx("static -p arm64 --format json").exits(0);
    let reason = "`cross` failed: the host's tools do not start in the platform's container";
    assert_eq!(reported(&run), ("emulate".to_owned(), reason.to_owned()));
}

#[test]
fn an_engine_that_can_start_no_container_fails_for_both() {
    for said in [
        r#"could not find pasta, the network namespace can't be configured: exec: "pasta": executable file not found in $PATH"#,
        "netavark: nftables error: unable to execute nft: No such file or directory (os error 2)",
    ] {
        let test =
            Test::new().scenario("run-fetch", &format!("echo 'Error: {}' >&2; exit 127", said.replace('\'', "'\\''")));
        let run = test.hsx("static -p arm64").exits(3).prints_nothing().does_not_say("STRATEGY");
        assert_eq!(run.calls_of("run-fetch").len(), 1, "{run}");
        run.says("error: linux/arm64: the builder container failed\n").says("hint: ");
    }
}

#[test]
fn an_engine_that_fails_fails_for_both() {
    for script in ["echo 'no space left on device'; exit 1", "echo 'Error: no storage' >&2; exit 125"] {
        let run = Test::new().scenario("run-cross", script).hsx("static -p arm64").exits(3).prints_nothing();
        assert!(run.calls_of("run-build").is_empty(), "{run}");
        run.does_not_say("building again").does_not_say("--strategy emulate");
    }
}

#[test]
fn what_a_better_image_would_gain_is_noted_each_time() {
    let test = Test::new().scenario("run-cross", "echo 'note: C is emulated'");
    for _ in 0..2 {
        test.hsx("static -p arm64").exits(0).prints("note: linux/arm64: C is emulated\n");
    }
    let run = test.hsx("static -p arm64 --format json").exits(0);
    assert_eq!(run.json()["platforms"][0]["notes"][0], "C is emulated");
    let run = test.hsx("static -p arm64 --strategy emulate").exits(0);
    assert!(!run.stdout.contains("C is emulated"), "{run}");
}

#[test]
fn calls_that_fell_back_to_the_platforms_own_compiler_are_counted() {
    let test = Test::new();
    test.write_at("fake/out/linux-arm64/emulated-calls", "      2 link lld\n      1 compile clang\n");
    let run = test.hsx("static -p arm64").exits(0);
    run.prints(
        "note: linux/arm64: linking: 2 calls done by the platform's own compiler, emulated; GNU's linker for the platform in \
         the image (binutils) would do it\n",
    )
    .prints(
        "note: linux/arm64: compiling C: 1 call done by the platform's own compiler, emulated; the log has what clang said\n",
    );
}

#[test]
fn a_failure_that_emulation_shares_is_not_built_twice() {
    for said in [
        "Main.hs:1:8: error: [GHC-88464] Variable not in scope: puer",
        "Could not resolve dependencies:",
        "Main.hs:1:8: error: Plugins require -fno-external-interpreter, says this message of the project",
    ] {
        let test = Test::new().scenario("run-build", &format!("echo '{said}'; exit 100"));
        let run = test.hsx("static -p arm64").exits(1).prints_nothing().does_not_say("STRATEGY");
        assert_eq!(run.calls_of("run-build").len(), 1, "{run}");
        assert!(test.containers().is_empty(), "{run}");
    }
}

#[test]
fn a_failure_of_both_is_emulations() {
    let fails = format!("{HAS_A_PLUGIN}\necho 'Failed to build demo-0.1.0.'; exit 100");
    let test = Test::new().scenario("run-build", &fails);
    let run = test.hsx("static -p arm64 --format json").exits(1).says("THE `cross` STRATEGY FAILED");
    assert_eq!(reported(&run).0, "emulate");
    assert_eq!(run.stderr.matches("error: linux/arm64: cabal build failed\n").count(), 1, "{run}");
    assert_eq!(run.calls_of("run-build").len(), 2, "{run}");
}

#[test]
fn asked_for_it_does_not_fall_back() {
    let test = Test::new().scenario("run-build", HAS_A_PLUGIN);
    let run = test.hsx("static -p arm64 --strategy cross").exits(1).prints_nothing();
    assert_eq!(run.calls_of("run-build").len(), 1, "{run}");
    run.says("error: linux/arm64: cabal build failed")
        .does_not_say("building again")
        .says("hint: GHC plugins need a compiler of the platform's own: `--strategy emulate` does without `cross`");
}

#[test]
fn a_ghc_that_cannot_is_emulated() {
    let run = Test::new().hsx("static -p arm64 --ghc 9.0.2 --format json").exits(0).does_not_say("warning");
    let reason = "GHC 9.0.2 cannot compile for linux/arm64 on linux/amd64, GHC 9.2 and later can".to_owned();
    assert_eq!(reported(&run), ("emulate".to_owned(), reason));
    assert_eq!(run.calls_of("pull").len(), 1, "the host's image is not even pulled\n{run}");

    let run = Test::new().hsx("static -p arm64 --ghc 9.0.2 --strategy cross").exits(2).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
   Resolving quay.io/benz0li/ghc-musl:9.0.2
error: `--strategy cross` does not work for linux/arm64: GHC 9.0.2 cannot compile for linux/arm64 on linux/amd64, GHC 9.2 and later can
hint: `--strategy auto` emulates where it has to

"#]]
    );
}

#[test]
fn an_image_that_is_not_there_for_the_host_is_emulated() {
    let test = Test::new().scenario("manifest-inspect", ONLY_ARM64);
    let run = test.hsx("static -p arm64 --format json").exits(0);
    let reason = format!("the image `{REPOSITORY}:9.10.3` is not made for linux/amd64");
    assert_eq!(reported(&run), ("emulate".to_owned(), reason.clone()));
    let run = test.hsx("static -p arm64 --strategy cross").exits(2).prints_nothing();
    run.says(&format!("error: `--strategy cross` does not work for linux/arm64: {reason}"));
}

#[test]
fn an_image_of_one_platform_is_emulated() {
    let single = "echo 'Error: the image is a single image, not a manifest list' >&2; exit 125";
    let test = Test::new().scenario("manifest-inspect", single);
    for _ in 0..2 {
        let run = test.hsx("static -p arm64 --image my/image:1 --format json").exits(0);
        assert_eq!(reported(&run).1, "the image `my/image:1` is of one platform only");
        assert!(run.calls_of("pull").iter().all(|call| call.value("--platform") == Some("linux/arm64")), "{run}");
    }
}

/// A world whose engine's host is this machine, but of another architecture; and a platform whose programs do not
/// start on it, because a kernel has no handler for what it runs itself.
fn without_emulation() -> (Test, &'static str) {
    let (host, platform) = if cfg!(target_arch = "x86_64") { ("arm64", PLATFORMS[0]) } else { ("amd64", PLATFORMS[1]) };
    let info = r#"
read -r hostname < /proc/sys/kernel/hostname
read -r kernel < /proc/sys/kernel/osrelease
say '{"host":{"arch":"'"$arch"'","hostname":"'"$hostname"'","kernel":"'"$kernel"'"},"version":{"Version":"5.4.2"}}'
exit 0"#;
    let test = Test::new().fake("upx").scenario("info", &format!("arch={host}\n{info}"));
    test.write_at("fake/arch", format!("{host}\n"));
    (test, platform)
}

#[test]
fn without_emulation_it_builds_and_says_that_nothing_was_started() {
    // Where there is no binfmt_misc, the kernel says nothing of emulation, and it is tried as ever.
    let told = fs_err::exists("/proc/sys/fs/binfmt_misc/status").unwrap();
    let (test, platform) = without_emulation();
    let dry = test.hsx(&format!("static -p {platform} --dry-run")).exits(0);
    assert_eq!(dry.stdout.contains("emulation may not"), !told, "{dry}");
    let run = test.hsx(&format!("static -p {platform}")).exits(0);
    let note = format!("note: {platform}: not started (no emulation), verified by ELF inspection only; not packed\n");
    assert_eq!(run.stdout.contains(&note), told, "{run}");
    assert_eq!((run.calls_of("run-try").is_empty(), run.calls_of("upx").is_empty()), (told, told), "{run}");
    let json = test.hsx(&format!("static -p {platform} --format json")).exits(0).json();
    let exe = &json["platforms"][0]["executables"][0];
    assert_eq!(exe["started"], Value::Bool(!told));

    test.set_scenario("run-build", HAS_A_PLUGIN);
    let run = test.hsx(&format!("static -p {platform}"));
    assert_eq!(run.calls_of("run-build").len(), if told { 1 } else { 2 }, "no fallback that cannot work\n{run}");
    let run = test.hsx(&format!("static -p {platform} --strategy emulate"));
    assert_eq!(run.code, if told { 3 } else { 0 }, "{run}");

    test.set_scenario("run-build", "echo 'x/ghc-iserv: posix_spawnp: invalid argument (Exec format error)'; exit 100");
    let run = test.hsx(&format!("static -p {platform} --strategy cross")).exits(3).says("hint: set up emulation: ");
    run.says(&format!("error: {platform}: Template Haskell has to run {platform} programs, which do not start on"));
}

/// A container that runs on until its client is ended.
const RUNS_ON: &str = ": > \"$FAKE/running\"; exec /bin/sleep 30";

#[test]
fn what_was_interrupted_while_it_was_filled_is_filled_again() {
    for (kind, target) in [("run-copy", "/hsx/native"), ("run-cross", "/hsx/cross")] {
        let test = Test::new().without("podman").fake("docker").version("20.10.24").scenario(kind, RUNS_ON);
        let hsx = test.start("static -p arm64");
        test.wait_for("running");
        hsx.signal(Signal::INT);
        let (run, _) = hsx.end();
        let run = run.exits(130).prints_nothing().says("error: linux/arm64: interrupted by SIGINT\n");
        assert!(test.containers().is_empty(), "{run}");
        let volume = mount_of(run.call(kind), target).to_owned();
        test.clear_scenario(kind);
        let run = test.hsx("static -p arm64").exits(0);
        assert_eq!(mount_of(run.call(kind), target), volume);
        assert!(run.calls_of("volume-create").iter().all(|call| !volume.contains(call.last())), "{run}");
    }
}

#[test]
fn two_that_need_a_toolchain_make_one() {
    let waits = ": > \"$FAKE/running\"; until [ -e \"$FAKE/go\" ]; do /bin/sleep 0.01; done";
    let test = Test::new().scenario("run-cross", waits);
    test.write("../other/demo.cabal", DEMO_CABAL);
    test.hsx("static -p arm64 --strategy emulate").exits(0); // so that the store is not waited for
    let first = test.start("static -p arm64");
    test.wait_for("running");
    let second = test.start("static -p arm64 -C ../other");
    second.wait_until_it_says("Waiting");
    test.write_at("fake/go", "");
    let (first, _) = first.end();
    let (second, _) = second.end();
    let made = [&first, &second].map(|run| run.calls_of("run-cross").len());
    assert_eq!(made.iter().sum::<usize>(), 1, "{first}{second}");
    first.exits(0);
    second.exits(0).does_not_say("Preparing");
}

#[test]
fn the_results_of_both_strategies_have_the_same_place() {
    let test = Test::new();
    test.hsx("static -p arm64 --strategy emulate").exits(0);
    let newer = [static_elf("linux/arm64"), b"newer".to_vec()].concat();
    test.builds("linux/arm64", &[("demo:demo", &newer)]);
    test.hsx("static -p arm64 --strategy cross").exits(0);
    assert_eq!(fs_err::read(test.project().join("dist-static/linux-arm64/demo")).unwrap(), newer);
}

#[test]
fn where_nobody_knew_of_emulation_its_lack_shows_at_the_end() {
    let test = Test::new().fake("upx");
    test.set_scenario("run-try", "echo 'exec /bin/sh: exec format error' >&2; exit 1");
    let run = test.hsx("static -p arm64 --format json").exits(0);
    let executable = &run.json()["platforms"][0]["executables"][0];
    assert_eq!((&executable["started"], &executable["packed"]), (&Value::Bool(false), &Value::Bool(false)), "{run}");
    assert_eq!(executable["unpacked_reason"], Value::Null, "{run}");
    test.hsx("static -p arm64")
        .exits(0)
        .prints("not started (no emulation), verified by ELF inspection only; not packed");
    test.hsx("static -p arm64 --strategy emulate").exits(3).says("hint: set it up: ");
}
