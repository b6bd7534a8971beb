//! `hsx doctor` on this machine: as it is, and with one thing after another spoilt. What it says to type is typed then,
//! word for word, and what was wrong must be well.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::servers::Server;
use super::without_emulation::Disabled;
use crate::real::support::{Engine, Hsx, Machine, Outcome, Project, World, output, setting};

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

fn doctor(project: &Project<'_>, args: &[&str]) -> Hsx {
    project.hsx_command(&[&["doctor", "--json"], args].concat()).env("HSX_IMAGE", image())
}

fn image() -> String {
    format!("{}:9.6.6", setting("HSX_TEST_IMAGE").unwrap())
}

/// The finding about something.
#[track_caller]
fn finding(outcome: &Outcome, about: &str) -> Value {
    finding_with(outcome, about, "")
}

/// The same where there are several; its text contains a word.
#[track_caller]
fn finding_with(outcome: &Outcome, about: &str, word: &str) -> Value {
    let json = outcome.json();
    let mut findings = json["findings"].as_array().unwrap().iter();
    let found = findings
        .find(|finding| finding["about"] == about && finding["text"].as_str().is_some_and(|text| text.contains(word)));
    found.unwrap_or_else(|| panic!("nothing about {about}\n{outcome}")).clone()
}

/// What to type, the best first.
fn fixes(finding: &Value) -> Vec<&str> {
    finding["fixes"].as_array().unwrap().iter().map(|fix| fix.as_str().unwrap()).collect()
}

/// Types what a finding says first, as root.
#[track_caller]
fn mend(finding: &Value) {
    let fix = fixes(finding)[0];
    output(Command::new("sh").args(["-euc", fix]));
}

/// Types what a finding says, one line after the other, until what it is about is well. Not every line works on every
/// machine, and not every one is enough.
#[track_caller]
fn mend_on(machine: &Machine, engine: Engine, project: &Project<'_>, finding: &Value, is_well: impl Fn() -> bool) {
    let path = format!("{}:{}", project.programs().display(), setting("PATH").unwrap());
    for fix in fixes(finding) {
        // On a terminal, for some commands ask; whoever pastes them says yes.
        let mut typed = engine.command("script");
        typed.args(["--quiet", "--return", "--command", fix, "/dev/null"]).env("PATH", &path);
        let typed = project.settings(engine, typed);
        let mut child = machine.command(&typed).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"y\n").unwrap();
        let start = Instant::now();
        if !child.wait().unwrap().success() {
            continue;
        }
        // What it started may not be up yet.
        while start.elapsed() < Duration::from_secs(20) {
            if is_well() {
                return;
            }
            thread::sleep(Duration::from_millis(300));
        }
    }
    panic!("nothing of this mends it: {finding}");
}

#[test]
fn this_machine_is_ready() {
    let world = World::shared();
    for engine in [Engine::Podman, Engine::RootlessPodman, Engine::Docker] {
        let hello = world.project("hello", engine);
        let outcome = doctor(&hello, &["-p", "linux/arm64"]).run();
        outcome.exits(0);
        let about = finding(&outcome, "linux/arm64");
        assert!(about["mark"] == "good" && about["text"].as_str().unwrap().contains("QEMU "), "{outcome}");
        assert_ne!(finding(&outcome, "image")["mark"], "bad", "{outcome}");
        if engine == Engine::RootlessPodman {
            assert_eq!(finding(&outcome, "rootless")["mark"], "good", "{outcome}");
        }
        assert_eq!(hello.containers(), "");
    }
}

#[test]
fn emulation_that_does_not_work_is_mended_by_what_is_said() {
    let world = World::alone();
    let hello = world.project("hello", Engine::Podman);
    let ask = || doctor(&hello, &["-p", "linux/arm64"]).run();
    let well = || {
        let outcome = ask();
        assert_eq!(finding(outcome.exits(0), "linux/arm64")["mark"], "good", "{outcome}");
    };
    let ill = |why: &str| {
        let outcome = ask();
        let finding = finding(outcome.exits(3), "linux/arm64");
        assert!(finding["mark"] == "bad" && finding["text"].as_str().unwrap().contains(why), "{outcome}");
        mend(&finding);
    };
    well();

    let disabled = Disabled::arm64();
    ill("is disabled");
    well();
    drop(disabled);

    let handler = Handler::of_arm64();
    handler.unregister();
    ill("no QEMU handler for aarch64 is registered");
    well();

    handler.unregister();
    handler.register_without_f();
    ill("lacks the flag F");
    well();
}

/// The kernel's handler of arm64 programs, as a package's file describes it; there again when dropped.
struct Handler {
    entry: PathBuf,
    file: PathBuf,
}

impl Handler {
    fn of_arm64() -> Self {
        let file = PathBuf::from("/usr/lib/binfmt.d/qemu-aarch64.conf");
        assert!(file.exists(), "{} is not there: run `scripts/setup-host`", file.display());
        let entry = Path::new(BINFMT).join("qemu-aarch64");
        assert!(entry.exists(), "{} is not there: run `scripts/setup-host`", entry.display());
        Self { entry, file }
    }

    fn unregister(&self) {
        fs_err::write(&self.entry, "-1").unwrap();
    }

    /// As the file says, but for the flag F, at the line's end.
    fn register_without_f(&self) {
        let line = fs_err::read_to_string(&self.file).unwrap();
        let (head, flags) = line.trim_end().rsplit_once(':').unwrap();
        fs_err::write(Path::new(BINFMT).join("register"), format!("{head}:{}", flags.replace('F', ""))).unwrap();
    }
}

impl Drop for Handler {
    /// Always anew: an emulator that a test has installed must not stay the kernel's.
    fn drop(&mut self) {
        let _ = fs_err::write(&self.entry, "-1");
        let line = fs_err::read(&self.file).unwrap_or_default();
        let _ = fs_err::write(Path::new(BINFMT).join("register"), line);
    }
}

#[test]
fn an_emulator_that_is_not_installed_is_installed_by_what_is_said() {
    let world = World::alone();
    let machine = Machine::new();
    let hello = world.project("hello", Engine::Podman);
    let handler = Handler::of_arm64();
    handler.unregister();
    machine.sh(WITHOUT_QEMU);
    let ask = || doctor(&hello, &["-p", "linux/arm64"]);
    let outcome = ask().on(&machine).run();
    let missing = finding(outcome.exits(3), "linux/arm64");
    assert!(missing["text"].as_str().unwrap().contains("no QEMU handler for aarch64 is registered"), "{outcome}");
    let fix = fixes(&missing)[0];
    let package = fix.strip_prefix("sudo apt-get install ").and_then(|rest| rest.split(' ').next()).unwrap();
    machine.sh(&format!("package={package}\n{A_REPOSITORY}"));
    let is_well = || finding(&ask().on(&machine).run(), "linux/arm64")["mark"] == "good";
    mend_on(&machine, Engine::Podman, &hello, &missing, is_well);
    let outcome = ask().run();
    assert_eq!(finding(outcome.exits(0), "linux/arm64")["mark"], "good", "the kernel is everybody's\n{outcome}");
}

#[test]
fn handlers_that_are_not_mounted_are_mounted_by_what_is_said() {
    let world = World::shared();
    let machine = Machine::new();
    let hello = world.project("hello", Engine::Podman);
    machine.sh("umount /proc/sys/fs/binfmt_misc");
    let ask = || finding(&doctor(&hello, &["-p", "linux/arm64"]).on(&machine).run(), "linux/arm64");
    let hidden = ask();
    assert!(hidden["text"].as_str().unwrap().contains("binfmt_misc is not mounted"), "{hidden}");
    mend_on(&machine, Engine::Podman, &hello, &hidden, || ask()["mark"] == "good");
}

/// Removes QEMU's packages as dpkg does, from files of the machine's own, and keeps what is needed of them.
const WITHOUT_QEMU: &str = r#"
mkdir /mnt/kept
handler=/usr/lib/binfmt.d/qemu-aarch64.conf
cp --dereference --parents $handler "$(cut -d: -f7 $handler)" /mnt/kept
for dir in /usr /var/lib/dpkg /var/lib/apt /var/cache/apt; do
  mkdir -p /mnt/upper$dir /mnt/work$dir
  mount -t overlay -o lowerdir=$dir,upperdir=/mnt/upper$dir,workdir=/mnt/work$dir overlay $dir
done
# What the packages do when they are removed is not the kernel's business: it is everybody's.
mkdir /mnt/empty
mount --bind /mnt/empty /proc/sys/fs/binfmt_misc
for package in qemu-user-static qemu-user-binfmt qemu-user; do
  ! dpkg-query --show $package >/dev/null 2>&1 || dpkg --purge --force-depends $package >/dev/null 2>&1
done
umount /proc/sys/fs/binfmt_misc
rm -f /usr/lib/binfmt.d/qemu-*.conf
"#;

/// Makes a repository that has the package with what was kept, and no other.
const A_REPOSITORY: &str = r#"
mkdir -p /mnt/kept/DEBIAN /mnt/repository
cat >/mnt/kept/DEBIAN/control <<END
Package: $package
Version: 1:99
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: QEMU, as it was on this machine
END
cd /mnt/repository
dpkg-deb --build /mnt/kept qemu.deb >/dev/null
{
  cat /mnt/kept/DEBIAN/control
  echo "Filename: ./qemu.deb"
  echo "Size: $(stat --format %s qemu.deb)"
  echo "SHA256: $(sha256sum qemu.deb | cut -d' ' -f1)"
} >Packages
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/mnt/repository ./' >/etc/apt/sources.list
apt-get -qq update
"#;

#[test]
fn an_engine_that_is_not_reached_is_said_to_be_started() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Docker);
    let outcome = doctor(&hello, &[]).env("DOCKER_HOST", "unix:///var/empty/docker.sock").run();
    let finding = finding(outcome.exits(3), "engine");
    let fix = finding["fixes"][0].as_str().unwrap();
    assert!(finding["mark"] == "bad" && fix.starts_with("sudo ") && fix.contains(" docker"), "{outcome}");
}

#[test]
fn a_docker_that_is_stopped_is_started_by_what_is_said() {
    let world = World::shared();
    let machine = Machine::new();
    let hello = world.project("hello", Engine::Docker);
    let ask = || doctor(&hello, &[]).on(&machine).run();
    let is_well = || finding(&ask(), "engine")["mark"] == "good";
    for _ in 0..2 {
        let outcome = ask();
        let stopped = finding(outcome.exits(3), "engine");
        assert!(stopped["mark"] == "bad" && stopped["text"].as_str().unwrap().contains("docker does not answer"));
        mend_on(&machine, Engine::Docker, &hello, &stopped, is_well);
        machine.sh("pid=$(cat /run/docker.pid); kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.1; done");
    }
}

#[test]
fn a_socket_that_the_user_may_not_open_is_opened_by_what_is_said() {
    let world = World::shared();
    let machine = Machine::new();
    let hello = world.project("hello", Engine::RootlessPodman);
    machine.start_dockerd();
    let ask = || doctor(&hello, &[]).env("HSX_ENGINE", "docker").on(&machine).run();
    let outcome = ask();
    let denied = finding(outcome.exits(3), "engine");
    assert!(denied["text"].as_str().unwrap().contains("permission denied"), "{outcome}");
    // A command of the test begins as a log-in does: with all groups of the user.
    mend_on(&machine, Engine::RootlessPodman, &hello, &denied, || finding(&ask(), "engine")["mark"] == "good");
}

#[test]
fn a_user_without_subordinate_ids_gets_them_by_what_is_said() {
    let world = World::shared();
    let machine = Machine::new();
    let hello = world.project("hello", Engine::RootlessPodman);
    let ask = || doctor(&hello, &[]).on(&machine).run();
    assert_eq!(finding(&ask(), "rootless")["mark"], "good");
    machine.sh("sed -i 's/^[^:]*/somebody/' /etc/subuid /etc/subgid");
    let outcome = ask();
    let missing = finding(outcome.exits(3), "rootless");
    let given = machine.sh("cat /etc/subuid /etc/subgid");
    let ends =
        given.lines().map(|line| line.rsplit(':').take(2).map(|number| number.parse::<u32>().unwrap()).sum::<u32>());
    let next = ends.max().unwrap();
    let range = format!("--add-subuids {next}-{} ", next + 65535);
    assert!(fixes(&missing)[0].contains(&range), "nobody else's are given away\n{outcome}");
    mend_on(&machine, Engine::RootlessPodman, &hello, &missing, || finding(&ask(), "rootless")["mark"] == "good");
}

#[test]
fn a_full_disk_of_the_engine_is_made_room_on_by_what_is_said() {
    let world = World::shared();
    let machine = Machine::new();
    let hello = world.project("hello", Engine::Docker);
    // Room for 8 GiB, of which nothing is ever written.
    let disk = hello.beside("disk.img");
    machine.sh(&format!("truncate --size 8G {0}; mkfs.ext4 -q {0}; mount -o loop {0} /var/lib/docker", disk.display()));
    machine.start_dockerd();
    let ask = || doctor(&hello, &[]).on(&machine).run();
    let disk = || finding_with(&ask(), "disk", "the engine");
    assert_eq!(disk()["mark"], "good");
    let store = "hsx-store-linux-amd64-full";
    machine.sh(&format!(
        "docker volume create --label hsx.kind=store --label hsx.platform=linux/amd64 {store}; \
         fallocate --length 7G /var/lib/docker/volumes/{store}/_data/packages"
    ));
    let full = disk();
    assert_eq!(full["mark"], "bad", "{full}");
    ask().exits(3);
    mend_on(&machine, Engine::Docker, &hello, &full, || disk()["mark"] == "good");
}

#[test]
fn full_disks_of_results_and_state_are_left_by_what_is_said() {
    let world = World::shared();
    let machine = Machine::new();
    let hello = world.project("hello", Engine::Podman);
    let (results, state, elsewhere) = (hello.path("dist-static"), hello.beside("full"), hello.beside("elsewhere"));
    for dir in [&results, &state, &elsewhere] {
        fs_err::create_dir_all(dir).unwrap();
        machine.sh(&format!("mount -t tmpfs -o size=64k tmpfs {}", dir.display()));
    }
    machine.sh(&format!("mount -o remount,size=1g {}", elsewhere.display()));
    for (purpose, variable, is_full) in
        [("the results", "HSX_OUT_DIR", "dist-static"), ("locks", "XDG_STATE_HOME", "full")]
    {
        let ask = || doctor(&hello, &[]).env("XDG_STATE_HOME", &state);
        let outcome = ask().on(&machine).run();
        let full = finding_with(outcome.exits(3), "disk", purpose);
        assert!(full["mark"] == "bad" && full["text"].as_str().unwrap().contains(is_full), "{outcome}");
        let typed = fixes(&full)[0].split("  #").next().unwrap();
        assert_eq!(typed, format!("export {variable}=DIR"));
        let outcome = ask().env(variable, &elsewhere).on(&machine).run();
        assert_eq!(finding_with(&outcome, "disk", purpose)["mark"], "good", "{outcome}");
    }
}

#[test]
fn a_registry_that_is_down_is_noticed_until_it_is_up() {
    let world = World::shared();
    for engine in [Engine::Podman, Engine::Docker] {
        let hello = world.project("hello", engine);
        let port = Server::free_port();
        let image = format!("127.0.0.1:{port}/ghc-musl:9.6.6");
        let registries = hello.beside("registries.conf");
        fs_err::write(&registries, format!("[[registry]]\nlocation = \"127.0.0.1:{port}\"\ninsecure = true\n"))
            .unwrap();
        let ask = || doctor(&hello, &[]).env("HSX_IMAGE", &image).env("CONTAINERS_REGISTRIES_CONF", &registries).run();
        let outcome = ask();
        let down = finding(outcome.exits(3), "image");
        assert!(down["mark"] == "bad" && down["text"].as_str().unwrap().contains("refused"), "{outcome}");
        assert_eq!(fixes(&down)[0], "export HSX_IMAGE=REPOSITORY  # another image");
        let _up = Server::without_layers_at(port);
        let outcome = ask();
        assert_eq!(finding(outcome.exits(0), "image")["mark"], "good", "{outcome}");
    }
}

#[test]
fn the_registry_of_ghc_musl_has_a_mirror() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let known = setting("HSX_TEST_IMAGE").unwrap();
    let registries = hello.beside("registries.conf");
    let entry = |prefix: &str, location: &str| {
        format!("[[registry]]\nprefix = \"{prefix}/benz0li/ghc-musl\"\nlocation = \"{location}\"\ninsecure = true\n")
    };
    let text = [entry("quay.io", "127.0.0.1:9/ghc-musl"), entry("docker.io", &known)].concat();
    fs_err::write(&registries, text).unwrap();
    let ask = |image: &str| {
        let ask = doctor(&hello, &["--ghc", "9.6.6"]).env("CONTAINERS_REGISTRIES_CONF", &registries);
        ask.env("HSX_IMAGE", image).run()
    };
    let outcome = ask("");
    let down = finding(outcome.exits(3), "image");
    let fix = fixes(&down)[0];
    let mirror = output(Command::new("sh").args(["-euc", &format!("{fix}\necho $HSX_IMAGE")]));
    let outcome = ask(mirror.trim());
    assert_eq!(finding(outcome.exits(0), "image")["mark"], "good", "{outcome}");
}

#[test]
fn a_bad_upx_is_noticed_until_a_better_one_comes_first() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    // Not every machine has one: Debian 12 does.
    if let Some(bad) = setting("HSX_TEST_BAD_UPX") {
        let dir = hello.beside("bin");
        fs_err::create_dir(&dir).unwrap();
        symlink(bad, dir.join("upx")).unwrap();
        let outcome = doctor(&hello, &[]).path_first(&dir).run();
        let bad = finding(outcome.exits(0), "upx");
        assert!(bad["mark"] == "warning" && bad["text"].as_str().unwrap().contains("4.2.2"), "{outcome}");
        let [newer, without] = fixes(&bad)[..] else { panic!("two ways out: {bad}") };
        assert!(newer.starts_with("curl ") && without.starts_with("export HSX_UPX=false"), "{bad}");
        let outcome = doctor(&hello, &[]).path_first(&dir).env("HSX_UPX", "false").run();
        assert_eq!(finding(&outcome, "upx")["mark"], "good", "{outcome}");
    }
    assert_eq!(finding(&doctor(&hello, &[]).run(), "upx")["mark"], "good");
}
