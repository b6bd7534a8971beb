//! The smallest project, on every engine.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::real::support::{Engine, Project, World, assert_owned, elf, output, setting};

#[test]
fn rootless_podman_delivers_both_platforms_to_its_user() {
    delivers_both_platforms_to_the_caller(Engine::RootlessPodman);
}

#[test]
fn docker_delivers_both_platforms_to_the_caller() {
    delivers_both_platforms_to_the_caller(Engine::Docker);
}

fn delivers_both_platforms_to_the_caller(engine: Engine) {
    let world = World::shared();
    let hello = world.project("hello", engine);
    let both = ["--platform", "linux/amd64,linux/arm64", "--strategy", "emulate", "--format", "json"];
    let outcome = hello.hsx(&both).run();
    outcome.exits(0);
    for platform in ["linux/amd64", "linux/arm64"] {
        let [executable] = &outcome.executables(platform)[..] else { panic!("one executable\n{outcome}") };
        assert_eq!((&executable["linkage"], &executable["packed"]), (&"static".into(), &true.into()), "{outcome}");
        assert_eq!(elf(&hello.result(platform, "hello")).machine, &platform["linux/".len()..]);
        greets(&hello, platform);
    }
    assert_owned(hello.root(), engine);
    hello.assert_nothing_left();
}

pub(super) fn greets(hello: &Project<'_>, platform: &str) {
    let result = hello.result(platform, "hello");
    assert_eq!(output(&mut Command::new(&result)), "Hello from a static executable\n");
    let status = Command::new(result).args(["exit", "7"]).status().unwrap();
    assert_eq!(status.code(), Some(7));
}

/// upx 4.2.2 packs arm64 programs that die of SIGILL when they end (upx #758).
#[test]
fn a_packed_program_that_dies_is_not_delivered() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Docker);
    let bin = hello.beside("bin");
    fs_err::create_dir(&bin).unwrap();
    match setting("HSX_TEST_BAD_UPX") {
        Some(upx) => symlink(upx, bin.join("upx")).unwrap(),
        None => fake_bad_upx(&bin),
    }
    let outcome = hello.hsx(&["--platform", "linux/arm64", "--format", "json"]).path_first(&bin).run();
    outcome.exits(0);
    let [executable] = &outcome.executables("linux/arm64")[..] else { panic!("one executable\n{outcome}") };
    assert_eq!(executable["packed"], false, "{outcome}");
    let reason = executable["unpacked_reason"].as_str().unwrap();
    for words in ["SIGILL", "upx 4.2.2", "4.2.3"] {
        assert!(reason.contains(words), "{reason}");
    }
    greets(&hello, "linux/arm64");
}

/// For machines whose upx is a better one: what this one packs is a program that dies just so.
fn fake_bad_upx(bin: &Path) {
    // ELF header, one loadable segment over all of the file, and `udf #0`, which is no instruction (elf(5)).
    let (base, size, entry) = (0x40_0000_u64, 124_u64, 0x40_0000_u64 + 120);
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2_u16, 183].map(u16::to_le_bytes).concat());
    elf.extend(1_u32.to_le_bytes());
    elf.extend([entry, 64, 0].map(u64::to_le_bytes).concat());
    elf.extend(0_u32.to_le_bytes());
    elf.extend([64_u16, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
    elf.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    elf.extend([0, base, base, size, size, 0x1000].map(u64::to_le_bytes).concat());
    elf.extend(0_u32.to_le_bytes());
    fs_err::write(bin.join("packed"), elf).unwrap();
    let script = "#!/bin/sh\n[ \"$1\" != --version ] || { echo upx 4.2.2; exit; }\n\
        while [ \"$1\" != -o ]; do shift; done\ncp \"${0%/*}/packed\" \"$2\"\n";
    fs_err::write(bin.join("upx"), script).unwrap();
    for name in ["packed", "upx"] {
        fs_err::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
}

#[test]
fn the_dry_run_pasted_into_a_shell_builds_the_same() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let plan = hello.hsx(&["--dry-run"]).run();
    plan.exits(0);
    assert!(!hello.path("dist-static").exists(), "a dry run made something\n{plan}");
    output(Command::new("sh").args(["-e", "-c", &plan.stdout]).current_dir(hello.root()));
    greets(&hello, "linux/amd64");
    hello.assert_nothing_left();

    let pasted = fs_err::read(hello.result("linux/amd64", "hello")).unwrap();
    hello.hsx(&[]).run().exits(0);
    assert_eq!(fs_err::read(hello.result("linux/amd64", "hello")).unwrap(), pasted, "hsx does something else");
}

#[test]
fn two_at_once_take_turns() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let mut first = hello.hsx(&[]).start();
    first.wait_for("Fetching");
    let second = hello.hsx(&[]).run();
    second.exits(0).says("Waiting for another hsx that builds the same").does_not_say("Sweeping");
    first.finish().exits(0).says("Compiling Main");
    greets(&hello, "linux/amd64");
}

#[test]
fn offline_builds_with_what_is_there() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    hello.hsx(&[]).run().exits(0);
    hello.edit("Main.hs", "Usage:", "How to use it:");
    let outcome = hello.hsx(&["--offline"]).run();
    outcome.exits(0).does_not_say("Resolving 1").does_not_say("Fetching").says("Compiling Main");
    hello.edit("hello.cabal", "base >=4.18", "no-such-package, base >=4.18");
    hello.hsx(&["--offline"]).run().exits(1).says("unknown package: no-such-package");
}

/// The docker client, with podman behind the socket. Podman before 4.6 tells it that every `run --rm` went well, so a
/// failed fetch may be noticed only in the build.
#[test]
fn podmans_service_is_as_good_as_dockerd() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let service = PodmanService::start(&hello);
    let outcome = hello.hsx_as(Engine::Docker, &[]).env("DOCKER_HOST", service.host()).run();
    outcome.exits(0);
    greets(&hello, "linux/amd64");

    let result = fs_err::read(hello.result("linux/amd64", "hello")).unwrap();
    hello.edit("Main.hs", "putStrLn \"Hello", "putLine \"Hello");
    let outcome = hello.hsx_as(Engine::Docker, &[]).env("DOCKER_HOST", service.host()).run();
    outcome.exits(1).says("Variable not in scope").says("cabal build failed");
    hello.edit("hello.cabal", "base >=4.18", "no-such-package, base >=4.18");
    let outcome = hello.hsx_as(Engine::Docker, &[]).env("DOCKER_HOST", service.host()).run();
    outcome.exits(1).says("unknown package: no-such-package");
    assert_eq!(fs_err::read(hello.result("linux/amd64", "hello")).unwrap(), result, "a failed build replaced it");
    hello.assert_nothing_left();
}

#[test]
fn a_service_that_stops_during_the_build_is_named() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    hello.put_previous_result();
    hello.sleep_while_compiling();
    let service = PodmanService::start(&hello);
    let mut run = hello.hsx_as(Engine::Docker, &[]).env("DOCKER_HOST", service.host()).start();
    run.wait_for("Compiling Main");
    drop(service);
    run.finish().exits(3).says("the builder container failed").says("the engine stopped");

    // What a stopped service cannot remove goes with the next run.
    assert_ne!(hello.containers(), "");
    hello.edit("Main.hs", "60000000", "0");
    let service = PodmanService::start(&hello);
    let next = hello.hsx_as(Engine::Docker, &[]).env("DOCKER_HOST", service.host()).run();
    next.exits(0).says("Sweeping");
    hello.assert_nothing_left();
}

/// `podman system service`, until dropped.
struct PodmanService {
    child: Child,
    socket: PathBuf,
}

impl PodmanService {
    fn start(project: &Project<'_>) -> Self {
        let socket = project.beside("podman.sock");
        let mut command = Command::new("podman");
        command.args(["system", "service", "--time", "0"]).arg(format!("unix://{}", socket.display()));
        let service = Self { child: command.stderr(Stdio::null()).spawn().unwrap(), socket };
        while UnixStream::connect(&service.socket).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        service
    }

    fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }
}

impl Drop for PodmanService {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
        let _ = fs_err::remove_file(&self.socket);
    }
}
