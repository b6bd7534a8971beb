//! Errors say what was tried, what the tool printed, where the log is, and what to type next.

use snapbox::{assert_data_eq, str};

use crate::fake::{Run, Test, static_elf};

/// The log that the message names.
#[track_caller]
fn log(run: &Run) -> String {
    let path = run.stderr.lines().find_map(|line| line.strip_prefix("  log: ")).expect("the message names a log");
    fs_err::read_to_string(path).unwrap()
}

const CABAL_FAILS: &str = r"
exec >&2 # in one stream, to be in one order
echo '[1 of 1] Compiling Main'
echo 'app/Main.hs:1:8: error: [GHC-88464]'
echo '    Variable not in scope: puer'
echo 'Error: [Cabal-7125]'
echo 'Failed to build demo-0.1.0.'
exit 100";

#[test]
fn a_build_that_fails_ends_with_cabals_words_and_one_error() {
    let test = Test::new().scenario("run-build", CABAL_FAILS);
    let run = test.hsx("static").exits(1).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
   Resolving quay.io/benz0li/ghc-musl:9.10.3
     Pulling linux/amd64 quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64
quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64
    Updating linux/amd64 package index
Downloading the latest package list
    Fetching linux/amd64 dependencies
All dependencies are there
    Building linux/amd64 with GHC 9.10.3 by hsx's default (native)
[1 of 1] Compiling Main
app/Main.hs:1:8: error: [GHC-88464]
    Variable not in scope: puer
Error: [Cabal-7125]
Failed to build demo-0.1.0.
error: linux/amd64: cabal build failed
  log: [ROOT]/home/.state/hsx/logs/demo-linux-amd64-[HASH].log

"#]]
    );
    assert!(log(&run).contains("[1 of 1] Compiling Main\n"));
    assert!(log(&run).contains("Failed to build demo-0.1.0.\n"));
    assert_eq!(run.stderr.matches("error:").count(), 2, "GHC's own and hsx's\n{run}");
    assert!(test.containers().is_empty());
}

/// What podman says where it has unmounted the container that it copies from.
const LOSES_ITS_MOUNT: &str = "echo 'Error: 1 error occurred:' >&2
echo '	* copying from container: copier: get: globs [/hsx/out] matched nothing (0 filtered out): no such file or directory' >&2
exit 125";

#[test]
fn a_container_that_was_unmounted_while_it_was_copied_from_is_copied_from_again() {
    let once = format!("[ -e \"$FAKE/lost\" ] || {{ true > \"$FAKE/lost\"; {LOSES_ITS_MOUNT}; }}");
    let run = Test::new().scenario("cp", &once).hsx("static").exits(0).prints("demo");
    assert_eq!(run.calls_of("cp").len(), 2, "{run}");

    let run = Test::new().scenario("cp", LOSES_ITS_MOUNT).hsx("static").exits(3).prints_nothing();
    assert_eq!(run.calls_of("cp").len(), 2, "{run}");
    run.says("the results cannot be copied out of the container").says("globs [/hsx/out] matched nothing");
}

#[test]
fn a_quiet_build_that_fails_shows_what_cabal_said() {
    let test = Test::new().scenario("run-build", CABAL_FAILS);
    let run = test.hsx("static --quiet").exits(1);
    assert_data_eq!(
        run.message(),
        str![[r#"
[1 of 1] Compiling Main
app/Main.hs:1:8: error: [GHC-88464]
    Variable not in scope: puer
Error: [Cabal-7125]
Failed to build demo-0.1.0.
error: linux/amd64: cabal build failed
  log: [ROOT]/home/.state/hsx/logs/demo-linux-amd64-[HASH].log

"#]]
    );
}

#[test]
fn a_missing_c_library_is_named() {
    for said in [
        "* Missing (or bad) C library: pq",
        "The pkg-config package 'pq' is required but it could not be found.",
        "ld: cannot find -lpq: No such file or directory",
    ] {
        let test = Test::new().scenario("run-build", &format!("say \"{said}\" >&2; exit 100"));
        test.hsx("static").exits(1).says("hint: the builder image has no static C library `pq`").says("--image");
    }
}

#[test]
fn the_engines_own_failures_are_the_hosts() {
    for (status, said, hint) in [
        (125, "Error: error during connect: EOF", "hint: the engine stopped: start it and run this again"),
        (126, "Error: OCI runtime: open /dev/net/tun: no such device", "hint: rootless containers are not set up"),
        (127, "Error: crun: executable file not found", ""),
        (137, "", "hint: the container was killed: by somebody, or for lack of memory; try `--jobs 1`"),
        (125, "write /var/lib/docker/x: no space left on device", "hint: free some space: `podman system df`"),
        (125, "permission denied while trying to connect to unix:///run/podman.sock", "hint: your user may not reach"),
    ] {
        let test = Test::new().scenario("run-build", &format!("echo '{said}' >&2; exit {status}"));
        let run = test.hsx("static").exits(3).prints_nothing().says(hint).says("tried: podman run --name hsx-demo-");
        assert!(said.is_empty() || run.stderr.contains(&format!("  | {said}\n")), "{run}");
        assert!(log(&run).contains(said));
        assert!(test.containers().is_empty(), "{run}");
    }
}

#[test]
fn without_emulation_it_is_said_how_to_set_it_up() {
    let test = Test::new().scenario("run-fetch", "echo 'exec /bin/sh: exec format error' >&2; exit 1");
    let run = test.hsx("static -p arm64").exits(3).prints_nothing();
    run.says("error: linux/arm64 programs do not start on this machine: no QEMU handler").says("hint: set it up: ");
}

#[test]
fn a_full_disk_is_the_hosts_even_where_cabal_meets_it() {
    let test = Test::new().scenario("run-build", "echo 'ar: /hsx/build/x.a: No space left on device' >&2; exit 100");
    test.hsx("static").exits(3).says("error: linux/amd64: the disk is full").says("system df");
}

#[test]
fn every_other_step_names_itself() {
    for (kind, says) in [
        ("volume-create", "the volume cannot be created"),
        ("cp", "the results cannot be copied out of the container"),
        ("rm", "the container cannot be removed"),
        ("run-try", "the executables could not be tried out"),
        ("image-arch", "is not there after its pull"),
        ("volume-ls", "the container engine failed"),
        ("ps", "the container engine failed"),
    ] {
        let test = Test::new().scenario(kind, "echo 'Error: out of luck' >&2; exit 125");
        let run = test.hsx("static").exits(3).prints_nothing();
        let run = run.says(says).says("tried: podman ").says("| Error: out of luck");
        assert_eq!(run.stderr.matches("error:").count(), 1, "{run}");
        assert!(test.tree("dist-static/linux-amd64").is_empty(), "{run}");
    }
}

#[test]
fn an_output_directory_that_cannot_be_written_is_named() {
    let test = Test::new().file("dist-static", "a file\n");
    let run = test.hsx("static").exits(2).prints_nothing();
    assert!(run.calls_of("run-build").is_empty(), "it is looked at before the build\n{run}");
    assert_data_eq!(
        run.message(),
        str![[r#"
   Resolving quay.io/benz0li/ghc-musl:9.10.3
error: the output directory is not writable
  | `[ROOT]/home/demo/dist-static`: Not a directory (os error 20)
hint: choose another with `--out-dir`

"#]]
    );
    let test = Test::new();
    let run = test.hsx("static --out-dir demo.cabal/out").exits(2).prints_nothing();
    run.says("the output directory is not writable").says("hint: choose another with `--out-dir`");
}

#[test]
fn one_platform_that_fails_does_not_stop_the_other() {
    let fails_on_arm64 = "[ \"$platform\" != linux/arm64 ] || { echo 'Failed to build demo-0.1.0.' >&2; exit 100; }";
    for platforms in ["arm64,amd64", "amd64,arm64"] {
        let test = Test::new().scenario("run-build", fails_on_arm64);
        let run = test.hsx(&format!("static -p {platforms}")).exits(1);
        assert!(test.project().join("dist-static/linux-amd64/demo").is_file());
        assert!(!test.project().join("dist-static/linux-arm64/demo").exists());
        let run = run.prints("linux/arm64  failed: cabal build failed\n");
        run.prints("linux/amd64  dist-static/linux-amd64/demo").says("error: linux/arm64: cabal build failed");
    }
}

#[test]
fn the_worst_failure_is_the_exit_code() {
    let test = Test::new().scenario("run-build", "[ \"$platform\" != linux/arm64 ] || exit 100");
    test.builds("linux/amd64", &[("demo:demo", &static_elf("linux/arm64"))]);
    test.hsx("static -p arm64,amd64")
        .exits(4)
        .says("error: linux/arm64: cabal build failed")
        .says("error: linux/amd64: the executable");
}

#[test]
fn the_log_holds_every_command_and_its_output() {
    let test = Test::new();
    let log_of = |test: &Test| {
        let dir = fs_err::read_dir(test.root().join("home/.state/hsx/logs")).unwrap();
        let files: Vec<_> = dir.map(|entry| fs_err::read_to_string(entry.unwrap().path()).unwrap()).collect();
        assert_eq!(files.len(), 1);
        files.concat()
    };
    test.hsx("static").exits(0);
    let log = log_of(&test);
    for part in
        ["$ podman pull --platform linux/amd64", "$ podman run --name hsx-demo-", "Linking demo\n", "bin demo 0\n"]
    {
        assert!(log.contains(part), "{part}\n{log}");
    }
    test.hsx("static").exits(0);
    assert!(!log_of(&test).contains("podman pull"), "it is that of the last run");
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    let test = Test::new();
    test.write_at("home/.state", "a file\n");
    let run = test.hsx("static").exits(3).prints_nothing();
    run.says("error: linux/amd64: the lock cannot be opened")
        .says("hint: name a directory of yours for it: set XDG_STATE");
    let elsewhere = test.root().join("elsewhere").into_string();
    test.env("XDG_STATE_HOME", &elsewhere).hsx("static").exits(0);
}
