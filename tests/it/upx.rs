//! Packing with upx: a packed executable is delivered only if it behaves like the unpacked one.

use snapbox::{assert_data_eq, str};

use crate::fake::{DEMO_CABAL, PT_LOAD, Test, elf, static_elf};

fn delivered(test: &Test) -> Vec<u8> {
    fs_err::read(test.project().join("dist-static/linux-amd64/demo")).unwrap()
}

fn plain() -> Vec<u8> {
    static_elf("linux/amd64")
}

fn packed() -> Vec<u8> {
    [plain(), b"UPX!".to_vec()].concat()
}

#[test]
fn without_upx_nothing_is_packed() {
    let test = Test::new();
    let json = test.hsx("static --format json").exits(0).json();
    assert_eq!(delivered(&test), plain());
    let exe = &json["platforms"][0]["executables"][0];
    assert_eq!((exe["packed"].as_bool(), exe["unpacked_reason"].as_str()), (Some(false), None));
}

#[test]
fn upx_that_is_asked_for_must_be_there() {
    for (args, variable, toml) in [("--upx", "", ""), ("", "true", ""), ("", "", "upx = true\n")] {
        let mut test = Test::new().file("hsx.toml", toml);
        if !variable.is_empty() {
            test = test.env("HSX_UPX", variable);
        }
        let run = test.hsx(&format!("static {args}")).exits(3).prints_nothing();
        assert!(run.calls_of("run-build").is_empty(), "{run}");
        assert_data_eq!(
            run.message().lines().skip(1).collect::<Vec<_>>().join("\n"),
            str![[r#"
error: upx is asked for but not on PATH
hint: install upx, or build with `--no-upx`
"#]]
        );
    }
}

#[test]
fn what_upx_packs_well_is_delivered_packed() {
    let test = Test::new().fake("upx");
    let json = test.hsx("static --format json").exits(0).json();
    assert_eq!(delivered(&test), packed());
    let exe = &json["platforms"][0]["executables"][0];
    assert_eq!(exe["packed"], true);
    assert_eq!(exe["size"].as_u64(), Some(packed().len() as u64));
    assert_eq!(exe["built_size"].as_u64(), Some(plain().len() as u64));
}

#[test]
fn upx_can_be_left_out() {
    for (args, variable) in [("--no-upx", ""), ("--upx=false", ""), ("", "false")] {
        let mut test = Test::new().fake("upx");
        if !variable.is_empty() {
            test = test.env("HSX_UPX", variable);
        }
        let run = test.hsx(&format!("static {args}")).exits(0);
        assert!(run.calls_of("upx").is_empty(), "{run}");
        assert_eq!(delivered(&test), plain());
    }
}

#[test]
fn arguments_come_in_order_before_the_files() {
    let test = Test::new().fake("upx");
    let run = test.hsx_args(&["static", "--upx-arg=--lzma", "--upx-arg", "-9"]).exits(0);
    let args = &run.call("upx").0;
    assert_eq!(args[1..7], ["--quiet", "--quiet", "--no-progress", "--lzma", "-9", "-o"], "{run}");
    assert!(args[7].ends_with("/packed/demo") && args[8].ends_with("/bin/demo"), "{run}");
    let test = Test::new().fake("upx").env("HSX_UPX_ARG", "--brute");
    assert!(test.hsx("static").exits(0).call("upx").has("--brute"));
}

#[test]
fn a_failing_upx_leaves_the_executable_as_it_was() {
    let test = Test::new().fake("upx").scenario("upx", "echo 'upx: demo: NotCompressibleException' >&2; exit 2");
    let run = test.hsx("static").exits(0);
    assert_eq!(delivered(&test), plain());
    run.prints("note: linux/amd64: demo is not packed: upx failed: upx: demo: NotCompressibleException\n");
}

#[test]
fn a_packed_file_that_behaves_otherwise_is_not_delivered() {
    let other = "echo 'bin demo 0'; echo 'packed demo 132'; exit 0";
    let test = Test::new().fake("upx").scenario("run-try", other);
    let run = test.hsx("static").exits(0);
    assert_eq!(delivered(&test), plain());
    run.prints(
        "note: linux/amd64: demo is not packed: `demo --help` dies of SIGILL when packed, and exits with 0 when not\n",
    );

    let known = Test::new().fake("upx").scenario("run-try", other).scenario("upx-version", "version=4.2.2");
    let run = known.hsx("static -p arm64").exits(0);
    run.prints("; upx 4.2.2 breaks static arm64 executables; 4.2.3 mends it (upx #758)\n");
}

#[test]
fn a_packed_file_that_was_not_tried_is_not_delivered() {
    let test = Test::new().fake("upx").scenario("run-try", "echo 'bin demo 0'; exit 0");
    test.hsx("static").exits(0).prints("demo is not packed: `demo --help` is not known when packed");
    assert_eq!(delivered(&test), plain());
}

#[test]
fn a_packed_file_that_is_no_longer_static_is_not_delivered() {
    let test = Test::new().fake("upx").scenario("upx", "printf 'oops' > \"$output\"; exit 0");
    test.hsx("static").exits(0).prints("demo is not packed: the packed file is not a readable 64-bit ELF file");
    assert_eq!(delivered(&test), plain());
}

#[test]
fn every_executable_is_judged_by_itself() {
    let test = Test::new().fake("upx").file("demo.cabal", &format!("{DEMO_CABAL}\nexecutable tool\n  main-is: T.hs\n"));
    test.builds("linux/amd64", &[("demo:demo", &plain()), ("demo:tool", &plain())]);
    test.set_scenario("run-try", "echo 'bin demo 0\npacked demo 139\nbin tool 1\npacked tool 1'; exit 0");
    let json = test.hsx("static --format json").exits(0).json();
    let exes = json["platforms"][0]["executables"].as_array().unwrap();
    let packed: Vec<_> =
        exes.iter().map(|exe| (exe["name"].as_str().unwrap(), exe["packed"].as_bool().unwrap())).collect();
    assert_eq!(packed, [("demo", false), ("tool", true)]);
}

#[test]
fn a_program_that_serves_on_is_the_same_packed_and_not() {
    for status in [124, 137, 143] {
        let test = Test::new()
            .fake("upx")
            .scenario("run-try", &format!("echo 'bin demo {status}\npacked demo {status}'; exit 0"));
        let json = test.hsx("static --format json").exits(0).json();
        let exe = &json["platforms"][0]["executables"][0];
        assert_eq!((&exe["packed"], &exe["help_status"]), (&true.into(), &serde_json::Value::Null));
    }
}

#[test]
fn what_was_packed_and_tried_before_is_taken() {
    let test = Test::new().remembering().fake("upx");
    let first = test.hsx("static --force --format json").exits(0);
    let again = test.hsx("static --force --format json").exits(0);
    assert_eq!(delivered(&test), packed());
    assert!(again.calls_of("upx").is_empty() && again.calls_of("run-try").is_empty(), "{again}");
    assert_eq!(again.json()["platforms"][0]["executables"], first.json()["platforms"][0]["executables"]);
}

#[test]
fn only_what_is_new_is_tried() {
    let test = Test::new()
        .remembering()
        .fake("upx")
        .file("demo.cabal", &format!("{DEMO_CABAL}\nexecutable tool\n  main-is: T.hs\n"));
    let tried = "for exe in demo tool; do [ -e \"$source/known/$exe\" ] || say \"$exe\"; done > \"$FAKE/tried\"\n";
    test.set_scenario("run-try", tried);
    for (content, tried) in [("one", "demo\ntool\n"), ("other", "tool\n")] {
        let tool = elf("linux/amd64", &[(PT_LOAD, content.as_bytes())]);
        test.builds("linux/amd64", &[("demo:demo", &plain()), ("demo:tool", &tool)]);
        let json = test.hsx("static --force --format json").exits(0).json();
        assert_eq!(fs_err::read_to_string(test.root().join("fake/tried")).unwrap(), tried);
        for executable in json["platforms"][0]["executables"].as_array().unwrap() {
            assert_eq!((executable["started"].as_bool(), executable["packed"].as_bool()), (Some(true), Some(true)));
        }
    }
}

#[test]
fn another_file_or_upx_or_argument_is_packed_anew() {
    let test = Test::new().remembering().fake("upx");
    test.hsx("static --force").exits(0).call("upx");
    let other = elf("linux/amd64", &[(PT_LOAD, b"another program")]);
    test.builds("linux/amd64", &[("demo:demo", &other)]);
    test.hsx("static --force").exits(0).call("upx");
    assert_eq!(delivered(&test), [other, b"UPX!".to_vec()].concat());
    test.hsx_args(&["static", "--force", "--upx-arg=--lzma"]).exits(0).call("upx");
    test.set_scenario("upx-version", "version=5.0.0");
    test.hsx("static --force").exits(0).call("upx");
    test.clear_scenario("upx-version");
    assert!(test.hsx("static --force").exits(0).calls_of("upx").is_empty());
}

#[test]
fn an_upx_that_tells_no_version_is_asked_each_time() {
    let test = Test::new().remembering().fake("upx").scenario("upx-version", "exit 1");
    for _ in 0..2 {
        test.hsx("static --force").exits(0).call("upx");
        assert_eq!(delivered(&test), packed());
    }
}

#[test]
fn a_spoilt_cache_does_no_harm() {
    let test = Test::new().remembering().fake("upx");
    test.hsx("static --force").exits(0);
    let cache = test.root().join("home/.cache/hsx");
    for entry in walkdir::WalkDir::new(&cache).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() {
            let mut content = fs_err::read(entry.path()).unwrap();
            *content.last_mut().unwrap() ^= 1;
            fs_err::write(entry.path(), content).unwrap();
        }
    }
    let run = test.hsx("static --force").exits(0);
    run.call("upx");
    run.call("run-try");
    assert_eq!(delivered(&test), packed());
    fs_err::remove_dir_all(&cache).unwrap();
    fs_err::write(&cache, "").unwrap();
    test.hsx("static --force").exits(0).call("upx");
    assert_eq!(delivered(&test), packed());
}

#[test]
fn what_did_not_behave_is_tried_again() {
    let test =
        Test::new().remembering().fake("upx").scenario("run-try", "echo 'bin demo 0'; echo 'packed demo 132'; exit 0");
    test.hsx("static --force").exits(0).prints("dies of SIGILL when packed").call("run-try");
    test.clear_scenario("run-try");
    let run = test.hsx("static --force").exits(0);
    assert!(run.calls_of("upx").is_empty(), "{run}");
    run.call("run-try");
    assert_eq!(delivered(&test), packed());
    test.set_scenario("run-try", "echo 'bin demo 127'; exit 0");
    test.hsx("static --force --no-upx").exits(4);
    test.hsx("static --force --no-upx").exits(4).call("run-try");
}

#[test]
fn one_file_of_several_that_is_new_has_all_of_them_tried() {
    let test = Test::new()
        .remembering()
        .fake("upx")
        .file("demo.cabal", &format!("{DEMO_CABAL}\nexecutable tool\n  main-is: T.hs\n"));
    test.builds("linux/amd64", &[("demo:demo", &plain()), ("demo:tool", &plain())]);
    assert_eq!(test.hsx("static --force").exits(0).calls_of("upx").len(), 2);
    test.builds("linux/amd64", &[("demo:demo", &plain()), ("demo:tool", &elf("linux/amd64", &[(PT_LOAD, b"new")]))]);
    let run = test.hsx("static --force").exits(0);
    assert!(run.call("upx").last().ends_with("/bin/tool"), "{run}");
    assert_eq!(run.calls_of("run-try").len(), 1, "{run}");
}
