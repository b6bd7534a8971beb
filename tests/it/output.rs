//! What goes to standard output, what goes to standard error, and in which format.

use snapbox::{assert_data_eq, str};

use crate::fake::{Test, static_elf};

#[test]
fn the_report_is_a_table_and_nothing_else() {
    let run = Test::new().fake("upx").hsx("static -p amd64,arm64").exits(0);
    assert_data_eq!(
        run.report(),
        str![[r#"
PLATFORM     PATH                          SIZE   BUILT  LINKAGE  SHA256        TIME  STRATEGY
linux/amd64  dist-static/linux-amd64/demo  0 KiB  0 KiB  static   602e471e9276  [..]s  native
linux/arm64  dist-static/linux-arm64/demo  0 KiB  0 KiB  static   641ddfcaed6b  [..]s  cross

"#]]
    );
}

#[test]
fn progress_goes_to_standard_error() {
    let run = Test::new().fake("upx").hsx("static -p arm64").exits(0);
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
Linking demo
     Packing linux/arm64 demo
    Checking linux/arm64 that what was built starts
   Delivered [ROOT]/home/demo/dist-static/linux-arm64/demo

"#]]
    );
}

#[test]
fn quiet_shows_only_the_report() {
    let run = Test::new().hsx("static -q").exits(0).prints("PLATFORM");
    assert_eq!(run.stderr, "");
}

#[test]
fn verbose_shows_every_command() {
    let run = Test::new().hsx("static -v").exits(0);
    let shown: Vec<_> = run.stderr.lines().filter(|line| line.starts_with("$ ")).collect();
    assert_eq!(shown.len(), run.calls.len(), "{run}");
    assert!(
        shown.iter().any(|line| line.starts_with("$ podman run --name hsx-demo-")
            && line.ends_with("/bin/sh quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64 -c …")),
        "{run}"
    );
}

#[test]
fn json_of_a_success_is_one_document() {
    let run = Test::new().hsx("static --format json").exits(0);
    let json = run.json();
    assert_eq!(json["exit_code"], 0);
    let platform = &json["platforms"][0];
    assert_eq!(platform["platform"], "linux/amd64");
    assert_eq!(platform["strategy"], "native");
    assert_eq!(platform["ghc"], "9.10.3");
    assert_eq!(platform["image"], "quay.io/benz0li/ghc-musl@sha256:9.10.3-amd64");
    let exe = &platform["executables"][0];
    assert_eq!((&exe["name"], &exe["package"], &exe["version"]), (&"demo".into(), &"demo".into(), &"0.1.0".into()));
    assert_eq!((&exe["linkage"], &exe["help_status"], &exe["gmp"]), (&"static".into(), &0.into(), &false.into()));
    assert!(exe["path"].as_str().unwrap().ends_with("/home/demo/dist-static/linux-amd64/demo"), "{run}");
    assert_eq!(exe["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn json_can_be_asked_for_by_variable() {
    Test::new().env("HSX_FORMAT", "json").hsx("static").exits(0).json();
}

#[test]
fn the_digest_is_that_of_the_file() {
    use sha2::Digest;
    let json = Test::new().hsx("static --format json").exits(0).json();
    let digest = sha2::Sha256::digest(static_elf("linux/amd64"));
    let digest: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(json["platforms"][0]["executables"][0]["sha256"], digest.concat());
}

#[test]
fn json_of_a_failed_build_has_its_error() {
    let test = Test::new()
        .scenario("run-build", "[ \"$platform\" = linux/amd64 ] || { echo 'Missing C library: pq'; exit 100; }");
    let run = test.hsx("static --format json -p arm64,amd64").exits(1);
    let json = run.json();
    assert_eq!(json["exit_code"], 1);
    let error = &json["platforms"][0]["error"];
    assert_eq!((&error["exit_code"], &error["message"]), (&1.into(), &"cabal build failed".into()));
    assert!(error["hints"][0].as_str().unwrap().contains("`pq`"), "{run}");
    assert!(fs_err::read_to_string(error["log"].as_str().unwrap()).unwrap().contains("Missing C library: pq"));
    assert_eq!(json["platforms"][1]["executables"][0]["name"], "demo");
}

#[test]
fn json_of_an_early_error_is_a_document_too() {
    for (test, args, code) in [
        (Test::empty().fake("podman"), "static", 2),
        (Test::new().without("podman"), "static", 3),
        (Test::new().file("hsx.toml", "nope = 1\n"), "static", 2),
        (Test::new(), "static exe:nope", 2),
        (Test::new().scenario("manifest-inspect", "echo no >&2; exit 1"), "static", 3),
        (Test::new(), "static --upx", 3),
        (Test::new().file("dist-static", ""), "static", 2),
    ] {
        let run = test.hsx(&format!("{args} --format json")).exits(code);
        assert_eq!(run.json()["exit_code"], code, "{run}");
        run.says("error: ");
    }
}

#[test]
fn json_of_an_interrupted_run_is_a_document_too() {
    let test = Test::new().scenario("run-build", ": > \"$FAKE/running\"; exec /bin/sleep 30");
    let hsx = test.start("static --format json");
    test.wait_for("running");
    hsx.signal(rustix::process::Signal::INT);
    let (run, _) = hsx.end();
    assert_eq!(run.exits(130).json()["exit_code"], 130);
}

#[test]
fn colours_are_for_people() {
    let escaped = |run: crate::fake::Run| run.exits(0).stderr.contains('\u{1b}');
    assert!(!escaped(Test::new().hsx("static")), "no terminal");
    assert!(escaped(Test::new().hsx("static --color always")));
    assert!(escaped(Test::new().env("NO_COLOR", "1").hsx("static --color always")), "a flag is stronger");
    assert!(!escaped(Test::new().env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1").hsx("static --color never")));
    assert!(!escaped(Test::new().env("NO_COLOR", "1").hsx("static")));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let test = Test::new();
    let hsx = env!("CARGO_BIN_EXE_hsx");
    for args in ["--help", "static --dry-run", "static"] {
        let run = test.shell(&format!("{{ {hsx} {args}; echo $? > status; }} | exec true; cat status"));
        assert_eq!(run.stdout.trim(), "0", "{run}");
        run.does_not_say("panicked");
    }
}
