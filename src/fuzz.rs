//! Fuzz tests: whatever engines, containers, projects and the system say, hsx reads it without panicking and without
//! running forever. Each test damages what such tools really wrote (`tests/samples`): bits flip, words come in, parts
//! go, come again, or come from another sample. `cargo test` tries a few hundred texts in each test, always the same ones.
//! `HSX_FUZZ_CASES` and `HSX_FUZZ_SEED` choose how many, and which; each test then says what it took (CONTRIBUTING.md).
#![expect(clippy::disallowed_methods, reason = "archives are unpacked into directories of the tests' own")]

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::Just;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::base::place::Place;
use crate::base::platform::Platform;
use crate::base::version::Version;
use crate::base::{cmd, harmless};
use crate::facts::cross;
use crate::project::target;
use crate::project::{self, ComponentKind as Component, freeze};
use crate::report::progress::Progress;
use crate::settings;
use crate::settings::lockfile::Lockfile;
use crate::tools::engine::connection::parse_connections;
use crate::tools::engine::health::parse_health;
use crate::tools::engine::storage::{ObjectKind, parse_stored, parse_usage};
use crate::tools::engine::{self, Dialect};
use crate::tools::linkage::{GmpSearch, verify};
use crate::tools::system::System;
use crate::tools::{binfmt, cabal, git_index, upx};
use crate::world::ask::tree::{Tree, unescaped};
use crate::world::doors::incoming::{Expected, Limits, unpack};
use crate::world::doors::root::Root;

/// Text that has a special meaning to one parser or another.
const WORDS: [&[u8]; 30] = [
    b"\0",
    b"\xff\xfe",
    b"\n",
    b"\r\n",
    b"\t",
    b"..",
    b"/",
    b"**",
    b"*",
    b"{",
    b"}",
    b"[[",
    b"]",
    b"\"",
    b"'",
    b"\\",
    b":",
    b",",
    b"==",
    b"||",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"null",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"\xc3",
    b"    ",
    b"--",
];

/// One way to damage a text.
#[derive(Clone, Debug)]
enum Change {
    Flip(u8),
    Insert(Vec<u8>),
    Remove(usize),
    Repeat {
        length: usize,
        times: usize,
    },
    /// A piece of a sample.
    Splice {
        sample: usize,
        from: u32,
        length: usize,
    },
    CutOff,
}

fn changes() -> impl Strategy<Value = Vec<(u32, Change)>> {
    let change = prop_oneof![
        (0..8_u8).prop_map(Change::Flip),
        select(WORDS.to_vec()).prop_map(|word| Change::Insert(word.to_vec())),
        vec(any::<u8>(), 1..9).prop_map(Change::Insert),
        (1..40_usize).prop_map(Change::Remove),
        (1..60_usize, 1..400_usize).prop_map(|(length, times)| Change::Repeat { length, times }),
        (any::<usize>(), any::<u32>(), 1..300_usize).prop_map(|(sample, from, length)| Change::Splice {
            sample,
            from,
            length
        }),
        Just(Change::CutOff),
    ];
    vec((any::<u32>(), change), 0..12)
}

fn changed(text: &[u8], changes: &[(u32, Change)], samples: &[Vec<u8>]) -> Vec<u8> {
    let mut text = text.to_vec();
    for (at, change) in changes {
        let place = |at: u32, text: &[u8]| usize::try_from(at).unwrap() % (text.len() + 1);
        let at = place(*at, &text);
        match change {
            Change::Flip(bit) => text.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit),
            Change::Insert(word) => drop(text.splice(at..at, word.iter().copied())),
            Change::Remove(length) => drop(text.drain(at..text.len().min(at + length))),
            Change::Repeat { length, times } => {
                let part = text[at..text.len().min(at + length)].repeat(*times);
                drop(text.splice(at..at, part));
            }
            Change::Splice { sample, from, length } => {
                let sample = &samples[sample % samples.len()];
                let from = place(*from, sample);
                drop(text.splice(at..at, sample[from..sample.len().min(from + length)].iter().copied()));
            }
            Change::CutOff => text.truncate(at),
        }
    }
    text
}

/// Calls `read` with the texts, damaged in many ways.
fn read_spoilt(texts: &[&[u8]], read: impl Fn(&[u8])) {
    let variable = |name: &str| {
        #[expect(clippy::disallowed_methods, reason = "the person who tests says how long")]
        std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok())
    };
    let (cases, seed) = (variable("HSX_FUZZ_CASES"), variable("HSX_FUZZ_SEED").unwrap_or(1));
    let mut seeds = [0; 32];
    seeds[..4].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: cases.unwrap_or(256), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seeds));
    let samples: Vec<_> = texts.iter().map(|text| text.to_vec()).collect();
    let others = samples.clone();
    let spoilt = (select(samples), changes()).prop_map(move |(text, changes)| changed(&text, &changes, &others));
    let (slowest, longest) = (Cell::new(Duration::ZERO), Cell::new(0));
    let start = Instant::now();
    let run = runner.run(&spoilt, |text| {
        let start = worked();
        read(&text);
        slowest.set(slowest.get().max(worked().saturating_sub(start)));
        longest.set(longest.get().max(text.len()));
        Ok(())
    });
    run.unwrap();
    if let Some(cases) = cases {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let size: usize = texts.iter().map(|text| text.len()).sum();
        // Past the test harness, which keeps what tests print.
        let _ = writeln!(
            std::io::stderr(),
            "{test}: {} samples of {size} bytes, {cases} cases in {} s, slowest {:?}, longest {} bytes, at most {} MiB of memory",
            texts.len(),
            start.elapsed().as_secs(),
            slowest.get(),
            longest.get(),
            most_memory() >> 10,
        );
    }
}

/// How long the processor has worked for this thread: other programs do not count.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// The most memory that this process has had, in KiB (proc(5)); 0 where the system does not tell.
fn most_memory() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// Calls `read` with the texts, damaged in many ways, but always valid UTF-8.
fn read_spoilt_text(texts: &[&str], read: impl Fn(&str)) {
    let texts: Vec<_> = texts.iter().map(|text| text.as_bytes()).collect();
    read_spoilt(&texts, |text| read(&String::from_utf8_lossy(text)));
}

const PODMAN: &str = r#"{"host":{"arch":"amd64","hostname":"box","kernel":"6.1","security":{"rootless":true},"serviceIsRemote":false,"cpus":4,"memTotal":68719476736},"version":{"Version":"5.4.2"}}"#;
const DOCKER: &str = r#"{"ServerVersion":"28.0.1","Architecture":"x86_64","OperatingSystem":"Fake","KernelVersion":"6.1","Name":"box","NCPU":4,"MemTotal":68719476736,"ClientInfo":{"Context":"default"},"SecurityOptions":["name=seccomp"]}"#;
const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:a","platform":{"architecture":"amd64","os":"linux"}},{"digest":"sha256:b","platform":{"architecture":"arm64","os":"linux","variant":"v8"}}]}"#;
const IMAGE: &str = r#"[{"Id":"sha256:1","Architecture":"amd64","Config":{"Env":["A=B"]}}]"#;
const STORED: &str = r#"[{"Id":"c1","Name":"hsx-k","Created":"2026-01-01T00:00:00Z","CreatedAt":"2026-01-01T00:00:00Z","State":{"Status":"exited","FinishedAt":"x"},"Labels":{"hsx.kind":"store"},"Config":{"Labels":{"hsx.kind":"run"}},"Size":9,"RepoTags":["x:1"]}]"#;
const USAGE: &str = r#"{"Volumes":[{"Name":"hsx-store","Size":"21.08kB","Links":"0"},{"Name":"o","Size":"1.5GB"}]}"#;

/// A file of `tests/samples`, as a tool wrote it.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../tests/samples/", $name))
    };
}

/// As podman 4.3 and docker 20.10 said it.
const ENGINES: [&str; 8] = [
    sample!("podman-info.json"),
    sample!("podman-image.json"),
    sample!("podman-volumes.json"),
    sample!("docker-info.json"),
    sample!("docker-image.json"),
    sample!("docker-volumes.json"),
    sample!("manifest.json"),
    "NAME LINKS SIZE\nhsx-x 0 7.5GB\n",
];

#[test]
fn answers_of_engines() {
    read_spoilt_text(&[&ENGINES[..], &[PODMAN, DOCKER, MANIFEST, IMAGE, STORED, USAGE]].concat(), |text| {
        let _ = engine::parse_info(text);
        let _ = engine::parse_manifest(text);
        let _ = engine::parse_image(text);
        for kind in [ObjectKind::Container, ObjectKind::Image, ObjectKind::Volume] {
            let _ = parse_stored(kind, text);
        }
        parse_usage(text);
        parse_health(text);
        for dialect in [Dialect::Docker, Dialect::Podman] {
            parse_connections(dialect, text);
        }
        engine::image_mount_was_lost(Some(125), text);
        engine::container_was_never_made(Some(127), text);
    });
}

#[test]
fn plans_of_cabal() {
    let plan = r#"{"cabal-version":"3.10","install-plan":[{"type":"pre-existing","id":"base-4.18","pkg-name":"base"},
        {"type":"configured","style":"local","pkg-name":"demo","component-name":"exe:demo","bin-file":"/x"},
        {"type":"configured","style":"local","pkg-name":"other","components":{"lib":{},"exe:demo":{"bin-file":"/y"}}}]}"#;
    read_spoilt_text(&[sample!("plan.json"), plan], |text| {
        if let Ok(plan) = cabal::CabalPlan::parse(text) {
            let _ = plan.components(Component::Executable);
        }
    });
}

#[test]
fn what_a_container_says() {
    let log = r#"PackageLog {package = PackageIdentifier {pkgName = PackageName "demo", pkgVersion = mkVersion [0,2]},
        testSuites = [TestSuiteLog {testSuiteName = UnqualComponentName "spec", testLogs = TestLog {testName = "spec",
        testResult = Fail "exit code: 3"}, logFile = "/hsx/build/tests/x.log"}]}"#;
    let output = "In order, the following will be built (use -v for more details):\n - demo-0.1 (exe:demo) (first run)\n\
        Starting     demo-0.1 (exe:demo)\n[ 1 of 28] Compiling Demo ( D.hs, D.o )\nBuilding executable 'demo' for \
        demo-0.1..\nld: cannot find -lpq: No such file\n(conflict: pkg-config package\nliblzma>=5.2.2,\nnot found";
    read_spoilt_text(&[log, output], |text| {
        cabal::test_suites(text);
        cabal::failure_hint(text);
        cabal::wants_download(text);
        let _ = Version::leading(text);
        cabal::messages(text);
        cross::emulated_calls(text);
        upx::parse_version(text);
        cross::why_no_toolchain(text);
        cross::note(text);
        cross::emulation_may_help(text);
        cross::needed_emulation(text);
        let mut progress = Progress::default();
        for line in text.lines() {
            progress.read(line);
        }
        let shown = progress.text();
        assert!(!shown.contains(harmless::is_harmful), "{shown:?}");
    });
}

#[test]
fn archives_that_come_out_of_a_container() {
    let entry = |kind, name: &str, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_cksum();
        let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
        [header.as_bytes(), content, &padding].concat()
    };
    let archive = [
        entry(tar::EntryType::Directory, "bin/", b""),
        entry(tar::EntryType::XHeader, "x", b"10 path=a\n15 path=bin/ab\n"),
        entry(tar::EntryType::Regular, "bin/x", b"abc"),
        entry(tar::EntryType::GNULongName, "x", b"bin/long\0"),
        entry(tar::EntryType::Regular, "plan", b"{}"),
        vec![0; 1024],
    ];
    let guard = tempfile::tempdir().unwrap();
    let stage = Utf8Path::from_path(guard.path()).unwrap().join("stage");
    // Damage nearly always shows in the checksum, so every header gets a right one again.
    let mended = |archive: &[u8]| -> Vec<u8> {
        let block = |block: &[u8]| match <[u8; 512]>::try_from(block) {
            Ok(bytes) if bytes[257..262] == *b"ustar" => {
                let mut header = tar::Header::from_byte_slice(&bytes).clone();
                header.set_cksum();
                header.as_bytes().to_vec()
            }
            _ => block.to_vec(),
        };
        archive.chunks(512).flat_map(block).collect()
    };
    read_spoilt(&[&archive.concat()], |data| {
        fs_err::create_dir(&stage).unwrap();
        let limits = Limits { entries: 9, bytes: 4096 };
        let expected = |name: &str| (name != "plan").then_some(Expected::FileOrDirectory { at_most: 999 });
        let _ = unpack(mended(data).as_slice(), "out", &Root::open(&Place::of_user(&stage)).unwrap(), limits, expected);
        let beside = fs_err::read_dir(guard.path()).unwrap().count();
        assert_eq!(beside, 1);
        fs_err::remove_dir_all(&stage).unwrap();
    });
}

#[test]
fn executables() {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    elf.extend([0_u64, 64, 0].into_iter().flat_map(u64::to_le_bytes));
    elf.extend([0_u16, 0, 64, 56, 2, 64, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    for kind in [3_u32, 2] {
        elf.extend([kind, 4].into_iter().flat_map(u32::to_le_bytes));
        elf.extend([176_u64, 0, 0, 32, 32, 8].into_iter().flat_map(u64::to_le_bytes));
    }
    elf.extend(b"GNU MP: Cannot allocate memory\0\0");
    // A real one too: this test's own, whose head says all that hsx asks for.
    let own = fs_err::read(std::env::current_exe().unwrap()).unwrap();
    read_spoilt(&[&elf, &own[..own.len().min(4096)]], |data| {
        for platform in Platform::all() {
            let _ = verify(data, platform);
        }
        let mut search = GmpSearch::default();
        data.chunks(7).for_each(|piece| search.push(piece));
    });
}

#[test]
fn releases_of_systems() {
    let release = "NAME=\"Debian GNU/Linux\"\nID=debian\nID_LIKE='a b'\nVERSION_ID=\"12\"\n";
    read_spoilt_text(&[sample!("os-release"), release], |text| {
        System::of(text).setup_emulation(Platform::Arm64);
    });
}

#[test]
fn handlers_of_binfmt() {
    let handler =
        "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\nmagic 7f454c46\nmask ffffff\n";
    read_spoilt_text(&[sample!("binfmt"), handler], |text| {
        let entries =
            [("status", "enabled\n"), ("qemu-aarch64", text)].map(|(name, text)| (name.to_owned(), text.to_owned()));
        binfmt::emulation(Platform::Arm64, &entries);
    });
}

#[test]
fn settings_of_a_project() {
    let toml = "platforms = [\"linux/amd64\"]\ntargets = [\"exe:demo\"]\nghc = \"9.6.7\"\nbignum = \"native\"\njobs = 2\n\
        image = { ref = \"x/y:1\", packages = [\"xz-dev\"] }\nout-dir = \"a/b\"\n[platform.\"linux/arm64\"]\nghc = \"9.8.4\"\n";
    let lock = "hsx = \"0.1.0\"\nindex-state = \"2026-01-01T00:00:00Z\"\n\n[image.\"quay.io/x:9.10.3\"]\n\"linux/amd64\" = \"sha256:a\"\n";
    read_spoilt_text(&[toml, lock], |text| {
        let path = Utf8Path::new("file");
        let _ = settings::parse(text, path);
        let _ = settings::parse_project(text, path);
        let _ = Lockfile::parse(text, path);
    });
}

#[test]
fn descriptions_of_packages() {
    let cabal = "cabal-version: 3.0\nname: demo\nversion: 0.1.0\ntested-with: GHC ==9.6.6 || ^>=9.8.1, GHC ==9.12.{1,2}\n\n\
        executable demo\n  main-is: Main.hs\ntest-suite spec\n  type: exitcode-stdio-1.0\n";
    let real = include_str!("../tests/projects/hello/hello.cabal");
    read_spoilt_text(&[real, cabal], |text| {
        project::parse_package(text, "demo");
        target::plain(Utf8Path::new(text));
    });
}

#[test]
fn project_files() {
    let file = "packages: ./ ../lib */*.cabal\noptional-packages: **/x.cabal\nwith-compiler: ghc-9.6.6\nindex-state: \
        2026-01-01T00:00:00Z\nimport: x.config\nsource-repository-package\n  type: git\n";
    let real = include_str!("../tests/projects/foundry/cabal.project");
    read_spoilt_text(&[real, file], |text| {
        project::parse_project_file(text);
    });
}

#[test]
fn freezes() {
    let freeze = "active-repositories: hackage.haskell.org:merge\nconstraints: any.base ==4.18.2.1,\n    any.hashable \
        ==1.4.5.0 || ==1.4.6,\n    hashable +arch-native -random\nindex-state: hackage.haskell.org 2026-01-01T00:00:00Z\n";
    let survey = "ghc 9.10.3\npackages base-4.20.2.0 text-2.1.3\nrepositories hackage.haskell.org\nfreeze\nconstraints: any.x ==1\n";
    let real = include_str!("../tests/it/snapshots/dice-9.10.3.freeze");
    read_spoilt_text(&[real, freeze, survey], |text| {
        let images = [(Platform::Amd64, freeze::Survey::parse(survey))];
        let frozen = freeze::translate(text, Some(&freeze::Survey::parse(text)), &images);
        frozen.text();
        frozen.time();
    });
}

#[test]
fn indexes_and_what_is_remembered() {
    let mut index = b"DIRC\0\0\0\x02\0\0\0\x01".to_vec();
    index.extend([0; 24]);
    index.extend(b"\0\0\x81\xa4");
    index.extend([0; 12]);
    index.extend([1; 20]);
    index.extend(b"\0\x01a\0\0\0\0\0\0\0\0\0TREE\0\0\0\x03abc");
    index.extend([7; 20]);
    let tree = b"1700000000000000000\nf 33188 5 1 1600000000000000000 1600000000000000000 - /a\\x20b\n";
    let real = include_bytes!("../tests/samples/git-index");
    read_spoilt(&[&index, real, tree], |data| {
        git_index::meaning(data);
        let text = String::from_utf8_lossy(data);
        Tree::parse(&text);
        unescaped(&text);
    });
}

#[test]
fn nothing_that_is_said_is_obeyed() {
    let said = "\u{1b}]0;t\u{7}\u{1b}[1mb\u{1b}[0m\r\n::error::x\r##[y]\u{1b}[2J\u{202e}";
    read_spoilt_text(&[said], |text| {
        let shown = harmless::lines(text, true);
        assert!(shown.lines().all(|line| !line.trim_start().starts_with("::") && !line.contains("##[")), "{shown:?}");
        let mut colors = shown.replace("\u{1b}[", "");
        let _ = write!(colors, "{}", harmless::line(text));
        assert!(!colors.contains(harmless::is_harmful), "{colors:?}");
        assert!(!cmd::quote(text).contains(harmless::is_harmful));
    });
}
