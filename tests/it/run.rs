//! `hsx run`: it builds an executable, then becomes it.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use snapbox::{assert_data_eq, file};

use crate::fake::Test;

/// A program for the machine that runs the tests: it copies its input to its output and exits with the number of words it
/// was called with.
fn program() -> (&'static str, Vec<u8>) {
    #[cfg(target_arch = "x86_64")]
    let (platform, machine, code): (_, u16, &[u8]) = (
        "linux/amd64",
        62,
        b"\x48\x8b\x1c\x24\x48\x81\xec\x00\x10\x00\x00\x31\xc0\x31\xff\x48\x89\xe6\xba\x00\x10\x00\x00\x0f\x05\
          \x89\xc2\xb8\x01\x00\x00\x00\xbf\x01\x00\x00\x00\x48\x89\xe6\x0f\x05\xb8\x3c\x00\x00\x00\x89\xdf\x0f\x05",
    );
    // ldr x19,[sp]; sub sp,sp,#4096; read(0, sp, 4096); write(1, sp, x0); exit(x19)
    #[cfg(target_arch = "aarch64")]
    let (platform, machine, code): (_, u16, &[u8]) = (
        "linux/arm64",
        183,
        b"\xf3\x03\x40\xf9\xff\x07\x40\xd1\x00\x00\x80\xd2\xe1\x03\x00\x91\x02\x00\x82\xd2\xe8\x07\x80\xd2\
          \x01\x00\x00\xd4\xe2\x03\x00\xaa\x20\x00\x80\xd2\xe1\x03\x00\x91\x08\x08\x80\xd2\x01\x00\x00\xd4\
          \xe0\x03\x13\xaa\xa8\x0b\x80\xd2\x01\x00\x00\xd4",
    );
    // ELF header, and one loadable segment over all of the file (elf(5)).
    let (base, entry) = (0x40_0000_u64, 0x40_0000_u64 + 120);
    let size = 120 + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2, machine].map(u16::to_le_bytes).concat());
    elf.extend(1_u32.to_le_bytes());
    elf.extend([entry, 64, 0].map(u64::to_le_bytes).concat());
    elf.extend(0_u32.to_le_bytes());
    elf.extend([64_u16, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
    elf.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    elf.extend([0, base, base, size, size, 0x1000].map(u64::to_le_bytes).concat());
    elf.extend(code);
    (platform, elf)
}

/// A world whose engine is this machine's, with a `demo` that runs on it.
fn runnable() -> Test {
    let (platform, program) = program();
    let test = Test::new();
    test.write_at("fake/arch", format!("{}\n", &platform["linux/".len()..]));
    test.builds(platform, &[("demo:demo", &program)]);
    let built = test.root().join("fake/out").join(platform.replace('/', "-")).join("bin/demo");
    fs_err::set_permissions(built, PermissionsExt::from_mode(0o755)).unwrap();
    test
}

/// A world whose engine runs on another machine, of another platform.
fn elsewhere() -> Test {
    let test = Test::new();
    test.write_at("fake/arch", "riscv64\n");
    test
}

#[test]
fn help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("run --help").exits(0).stdout, file!["snapshots/run-help.txt"]);
}

#[test]
fn the_program_gets_arguments_and_input_and_gives_the_exit_code() {
    let test = runnable();
    let run = test.hsx_reading("run -- --port 80", "what was typed\n").exits(3).says("Building").says("Delivered");
    assert_eq!(run.stdout, "what was typed\n", "nothing else is there");
    test.hsx_reading("run demo -q", "x").exits(1).does_not_say("Building");
    assert!(test.containers().is_empty());
}

#[test]
fn a_program_that_is_up_to_date_starts_without_an_engine() {
    let test = runnable().remembering();
    test.hsx("run").exits(1).says("Building");
    for args in ["run", "static"] {
        let run = test.hsx(args);
        assert!(run.calls.is_empty(), "{run}");
    }
    test.hsx_reading("run -- two", "x").exits(2).does_not_say("Building");
    test.write("app/Main.hs", "main = print 1\n");
    test.hsx("run").exits(1).says("Building");
    test.hsx("run --force").exits(1).says("Building");
}

#[test]
fn what_hsx_static_has_built_with_others_is_up_to_date_too() {
    let (platform, program) = program();
    let two = "name: demo\nversion: 0.1.0\nexecutable demo\n  main-is: M.hs\nexecutable tool\n  main-is: M.hs\n";
    let test = runnable().file("demo.cabal", two).remembering();
    test.builds(platform, &[("demo:demo", &program), ("demo:tool", &program)]);
    test.hsx("static").exits(0);
    for (args, code) in [("run tool -- x", 2), ("run demo:exe:demo", 1)] {
        let run = test.hsx(args).exits(code);
        assert!(run.calls.is_empty(), "{run}");
    }
    test.write("app/Main.hs", "main = print 1\n");
    test.hsx("run tool").exits(1).says("Building");
}

#[test]
fn the_platforms_of_hsx_toml_are_those_that_are_delivered() {
    let (platform, _) = program();
    let test = runnable().file("hsx.toml", "platforms = [\"linux/riscv64\", \"linux/arm64\", \"linux/amd64\"]\n");
    let run = test.hsx("run").exits(1);
    assert_eq!(run.call("run-build").value("--platform"), Some(platform), "{run}");
    test.hsx("run -p amd64,arm64").exits(2).says("one platform at a time");
}

#[test]
fn a_failed_build_runs_nothing() {
    let test = runnable().scenario("run-build", "exit 100");
    test.hsx("run").exits(1).prints_nothing().says("error:").says("cabal build failed");
}

#[test]
fn of_several_executables_one_must_be_named() {
    let two = "name: demo\nversion: 0.1.0\nexecutable demo\n  main-is: M.hs\nexecutable tool\n  main-is: M.hs\n";
    let test = runnable().file("demo.cabal", two);
    let run = test.hsx("run").exits(2).prints_nothing().says("there are several executables to run");
    let run = run.says("name one: `hsx run demo:exe:demo`, `hsx run demo:exe:tool`");
    assert_eq!(run.kinds(), ["info"], "{run}");
    test.hsx("run demo:exe:demo -- x").exits(2);
    let test = test.file("hsx.toml", "targets = [\"exe:demo\"]\n");
    test.hsx("run").exits(1);
}

#[test]
fn the_dry_run_ends_with_the_program() {
    let test = runnable();
    let (platform, _) = program();
    let dry = test.hsx("run --dry-run -- a b").exits(0);
    let path = test.project().join("dist-static").join(platform.replace('/', "-")).join("demo");
    assert_eq!(dry.stdout.lines().last(), Some(format!("exec {path} a b").as_str()));
    test.shell(&dry.stdout).exits(3);
}

#[test]
fn where_the_kernel_is_another_the_program_runs_in_a_container() {
    let test = elsewhere().scenario("run-run", "/bin/cat; exit 41");
    let run = test.hsx_reading("run -- a b", "what was typed\n").exits(41);
    assert_eq!(run.stdout, "what was typed\n", "{run}");
    let call = run.call("run-run");
    assert!(call.has("--interactive") && !call.has("--tty") && call.has("--rm") && call.has("--init"), "{run}");
    assert_eq!(call.script_args(), ["/hsx/run/demo", "a", "b"]);
    let dir = test.project().join("dist-static/linux-riscv64");
    assert_eq!(call.values("--mount"), [format!("type=bind,source={dir},target=/hsx/run,readonly")]);
    assert!(test.containers().is_empty(), "{run}");
}

#[test]
fn the_dry_run_of_a_container_ends_with_it() {
    let test = elsewhere().scenario("run-run", "exit 41");
    test.shell(&test.hsx("run --dry-run -- a b").exits(0).stdout).exits(41);
}

#[test]
fn signals_are_the_programs() {
    for (signal, code) in [(Signal::INT, 7), (Signal::TERM, 7), (Signal::HUP, 7)] {
        let heeds = "trap 'exit 7' INT TERM HUP; : > \"$FAKE/running\"; /bin/sleep 30 > /dev/null & wait";
        let test = elsewhere().scenario("run-run", heeds);
        let hsx = test.start("run");
        test.wait_for("running");
        hsx.signal(signal);
        let (run, _) = hsx.end();
        let run = run.exits(code).does_not_say("error:");
        assert!(test.containers().is_empty(), "{run}");
    }
}

#[test]
fn a_program_that_heeds_no_signal_is_ended_all_the_same() {
    let deaf = "trap '' TERM; : > \"$FAKE/running\"; while [ -e \"$FAKE/containers/$name\" ]; do /bin/sleep 0.05; done; exit 137";
    let test = elsewhere().scenario("run-run", deaf);
    let hsx = test.start("run");
    test.wait_for("running");
    hsx.signal(Signal::TERM);
    let (run, _) = hsx.end();
    let run = run.exits(137);
    assert!(test.containers().is_empty(), "{run}");
}

#[test]
fn a_client_that_is_killed_leaves_no_container() {
    let test = elsewhere().scenario("run-run", "kill -KILL $$");
    let run = test.hsx("run").exits(137);
    assert!(test.containers().is_empty(), "{run}");
}

#[test]
fn a_container_that_people_use_is_not_swept() {
    let test = elsewhere().scenario("run-run", ": > \"$FAKE/running\"; exec /bin/sleep 30");
    let hsx = test.start("run");
    test.wait_for("running");
    test.hsx("static").exits(0).does_not_say("Sweeping").does_not_say("Waiting");
    assert_eq!(test.containers().len(), 1);
    hsx.signal(Signal::TERM);
    let (run, _) = hsx.end();
    run.exits(143);
}
