//! hsx verifies a result before it delivers it; a bad result replaces nothing.

use snapbox::{assert_data_eq, str};

use crate::fake::{DEMO_CABAL, PT_DYNAMIC, PT_INTERP, PT_LOAD, Run, Test, elf, static_elf};

const AMD64: &str = "linux/amd64";

/// A world with results of an earlier build.
fn delivered() -> Test {
    let test = Test::new();
    test.hsx("static").exits(0);
    test
}

/// Builds something bad, and checks that what was there before is there still, and nothing else.
#[track_caller]
fn refused(test: &Test, args: &str) -> Run {
    let before = test.tree("dist-static");
    assert!(before.contains_key("linux-amd64/demo"));
    let run = test.hsx(args).exits(4).prints_nothing();
    assert_eq!(test.tree("dist-static"), before, "{run}");
    assert!(test.containers().is_empty(), "{run}");
    run
}

fn dynamic(tag: u64) -> Vec<u8> {
    [tag, 1, 0, 0].into_iter().flat_map(u64::to_le_bytes).collect()
}

#[test]
fn a_dynamic_executable_is_refused() {
    let test = delivered();
    test.builds(AMD64, &[("demo:demo", &elf(AMD64, &[(PT_INTERP, b"/lib/ld-musl-x86_64.so.1\0")]))]);
    let run = refused(&test, "static");
    assert_data_eq!(
        run.message(),
        str![[r#"
    Building linux/amd64 with GHC 9.10.3 by hsx's default (native)
Linking demo
error: linux/amd64: the executable `demo` is dynamic: it asks for the interpreter /lib/ld-musl-x86_64.so.1
hint: look for `-dynamic`, `executable-dynamic` or `ld-options` in the project's files
  log: [ROOT]/home/.state/hsx/logs/demo-linux-amd64-[HASH].log

"#]]
    );
}

#[test]
fn an_executable_that_needs_libraries_is_refused() {
    let test = delivered();
    test.builds(AMD64, &[("demo:demo", &elf(AMD64, &[(PT_DYNAMIC, &dynamic(1))]))]);
    refused(&test, "static").says("the executable `demo` is dynamic: it needs shared libraries");
}

#[test]
fn an_executable_of_another_machine_is_refused() {
    let test = delivered();
    test.builds(AMD64, &[("demo:demo", &static_elf("linux/arm64"))]);
    refused(&test, "static").says("the executable `demo` is for linux/arm64, not for linux/amd64");
}

#[test]
fn what_is_no_elf_file_is_refused() {
    let test = delivered();
    for content in [&b"#!/bin/sh\n"[..], b"", b"\x7fELF"] {
        test.builds(AMD64, &[("demo:demo", content)]);
        refused(&test, "static").says("the executable `demo` is not a readable 64-bit ELF file");
    }
}

#[test]
fn a_static_pie_is_static() {
    let test = Test::new();
    test.builds(AMD64, &[("demo:demo", &elf(AMD64, &[(PT_LOAD, b""), (PT_DYNAMIC, &dynamic(7))]))]);
    let json = test.hsx("static --format json").exits(0).json();
    assert_eq!(json["platforms"][0]["executables"][0]["linkage"], "static-pie");
}

#[test]
fn a_planned_executable_that_is_missing_is_an_error() {
    let test = delivered();
    fs_err::remove_file(test.root().join("fake/out/linux-amd64/bin/demo")).unwrap();
    refused(&test, "static").says("cabal planned `demo` but did not leave it");
}

#[test]
fn an_executable_that_cabal_did_not_plan_is_left_out() {
    let test = Test::new().file("demo.cabal", &format!("{DEMO_CABAL}\nexecutable off\n  buildable: False\n"));
    let run = test.hsx("static").exits(0);
    assert_eq!(test.tree("dist-static/linux-amd64").len(), 1, "{run}");
    test.builds(AMD64, &[]);
    test.hsx("static").exits(1).says("cabal planned none of the executables").says("buildable");
}

#[test]
fn an_executable_that_dies_is_refused() {
    let test = delivered();
    for (status, says) in [
        (139, "the executable `demo` dies of SIGSEGV when started"),
        (132, "the executable `demo` dies of SIGILL when started"),
        (127, "the executable `demo` does not start"),
        (126, "the executable `demo` does not start"),
    ] {
        test.set_scenario("run-try", &format!("echo 'bin demo {status}'; exit 0"));
        refused(&test, "static").says(says);
    }
    test.set_scenario("run-try", "exit 0");
    refused(&test, "static").says("the executable `demo` was not tried");
}

#[test]
fn an_executable_may_have_no_help() {
    let test = Test::new().scenario("run-try", "echo 'bin demo 64'; exit 0");
    let json = test.hsx("static --format json").exits(0).json();
    assert_eq!(json["platforms"][0]["executables"][0]["help_status"], 64);
}

#[test]
fn one_bad_executable_keeps_back_all_of_its_platform() {
    let test = delivered();
    test.write("demo.cabal", format!("{DEMO_CABAL}\nexecutable tool\n  main-is: T.hs\n"));
    let new = elf(AMD64, &[(PT_LOAD, b"a newer program")]);
    test.builds(AMD64, &[("demo:demo", &new), ("demo:tool", b"no program")]);
    refused(&test, "static").says("`tool`");
}

#[test]
fn results_are_replaced_whole_and_executable() {
    use std::os::unix::fs::PermissionsExt;
    let test = delivered();
    let new = elf(AMD64, &[(PT_LOAD, b"a newer program")]);
    test.builds(AMD64, &[("demo:demo", &new)]);
    test.hsx("static").exits(0);
    let path = test.project().join("dist-static/linux-amd64/demo");
    assert_eq!(fs_err::read(&path).unwrap(), new);
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(
        test.tree("dist-static").into_keys().collect::<Vec<_>>(),
        [".gitignore", "linux-amd64/", "linux-amd64/demo"]
    );
    assert_eq!(fs_err::read_to_string(test.project().join("dist-static/.gitignore")).unwrap(), "*\n");
}

#[test]
fn gmp_is_noticed() {
    let test = Test::new();
    let gmp = elf(AMD64, &[(PT_LOAD, b"\0GNU MP: Cannot allocate memory (size=%lu)\n\0")]);
    test.builds(AMD64, &[("demo:demo", &gmp)]);
    test.hsx("static").exits(0).prints("note: linux/amd64: demo contains GMP (LGPL)");
}

#[test]
fn what_else_is_in_the_output_directory_stays() {
    let test = Test::new().file("dist-static/linux-amd64/notes.txt", "mine\n");
    test.hsx("static").exits(0);
    let names: Vec<_> = test.tree("dist-static").into_keys().collect();
    assert_eq!(names, ["linux-amd64/", "linux-amd64/demo", "linux-amd64/notes.txt"], "a directory of the user's own");
}

#[test]
fn an_executable_is_never_in_memory_as_a_whole() {
    const SIZE: usize = 32 << 20;
    let test = Test::new().fake("upx");
    test.builds(AMD64, &[("demo:demo", &elf(AMD64, &[(PT_LOAD, &vec![1; SIZE])]))]);
    // By then all of it was read: to be verified, packed, and kept as packed. Then what is kept is copied.
    let peak = "while read -r word kib unit; do
  [ \"$word\" != VmHWM: ] || echo \"$kib\" > \"$FAKE/peak\"
done < /proc/$PPID/status\n";
    let test = test.remembering().scenario("run-try", peak);
    for again in [false, true] {
        if again {
            fs_err::remove_dir_all(test.root().join("home/.cache/hsx/trials")).unwrap();
        }
        test.hsx("static --force").exits(0);
        let kib: usize = fs_err::read_to_string(test.root().join("fake/peak")).unwrap().trim().parse().unwrap();
        assert!(kib << 10 < SIZE, "{kib} KiB");
        fs_err::remove_file(test.root().join("fake/peak")).unwrap();
    }
}
