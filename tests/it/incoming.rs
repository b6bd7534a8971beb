//! What a container leaves comes in through one reader. Whatever a hostile build lays out, the build ends with one error
//! that names it, and nothing of it is delivered.

use std::os::unix::fs::{PermissionsExt, symlink};

use camino::Utf8PathBuf;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use tar::{EntryType, Header};

use crate::fake::{Run, Test, static_elf};

const OUT: &str = "fake/out/linux-amd64";

/// The error for what is not let in.
#[track_caller]
fn refuses(test: &Test, what: &str) -> Run {
    let run = test.hsx("static").exits(4).says(&format!("error: linux/amd64: the container left {what}\n"));
    assert!(test.tree("dist-static/linux-amd64").is_empty(), "{run}");
    assert!(test.containers().is_empty(), "{run}");
    assert!(!test.root().join("home/victim").exists(), "{run}");
    run
}

/// The place of something that a build leaves.
fn out(test: &Test, name: &str) -> Utf8PathBuf {
    test.root().join(OUT).join(name)
}

/// Changes what a build leaves.
type LayOut = dyn Fn(&Test);

#[test]
fn only_plain_files_of_names_that_cabal_gives_come_in() {
    let lay_out: [(&str, &LayOut); 10] = [
        ("`bin/evil`, which is a symbolic link", &|test| symlink("demo", out(test, "bin/evil")).unwrap()),
        ("`plan.json`, which is a symbolic link", &|test| {
            fs_err::remove_file(out(test, "plan.json")).unwrap();
            symlink("/dev/zero", out(test, "plan.json")).unwrap();
        }),
        ("`bin`, which is a symbolic link", &|test| {
            fs_err::remove_dir_all(out(test, "bin")).unwrap();
            symlink("../../../victim", out(test, "bin")).unwrap();
        }),
        ("`bin/fifo`, which is a FIFO", &|test| {
            mknodat(CWD, out(test, "bin/fifo").as_str(), FileType::Fifo, Mode::RUSR, 0).unwrap();
        }),
        ("`disk`, which nobody asked for", &|test| fs_err::write(out(test, "disk"), "").unwrap()),
        ("`bin/a\\nb`, which is no name that hsx takes", &|test| fs_err::write(out(test, "bin/a\nb"), "").unwrap()),
        (r"`bin/a\u{1b}[2J`, which is no name that hsx takes", &|test| {
            fs_err::write(out(test, "bin/a\u{1b}[2J"), "").unwrap();
        }),
        ("`bin/..evil`, which nobody asked for", &|test| fs_err::write(out(test, "bin/..evil"), "").unwrap()),
        ("`bin/evil`, which is a directory where a file should be", &|test| {
            fs_err::create_dir(out(test, "bin/evil")).unwrap();
        }),
        ("`plan.json`, which has 1073741824 bytes, more than 67108864", &|test| {
            // A file of holes alone: the archive has all of its zeros.
            fs_err::OpenOptions::new().write(true).open(out(test, "plan.json")).unwrap().set_len(1 << 30).unwrap();
        }),
    ];
    for (what, lay_out) in lay_out {
        let test = Test::new();
        lay_out(&test);
        refuses(&test, what);
    }
    let test = Test::new();
    // The second name of a file is a link to the first in the archive.
    fs_err::hard_link(out(&test, "bin/demo"), out(&test, "bin/evil")).unwrap();
    let run = test.hsx("static").exits(4).says("which is a hard link");
    assert!(test.tree("dist-static/linux-amd64").is_empty(), "{run}");
}

/// An entry of an archive, with a name that no tar(1) would write.
fn entry(kind: EntryType, name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_mode(0o4755);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [header.as_bytes(), content, &padding].concat()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(EntryType::Regular, name, content)
}

/// Has the engine write the entries, and then what the script writes.
fn writing(entries: &[Vec<u8>], then: &str) -> Test {
    let test = Test::new().scenario("cp", &format!("/bin/cat \"$FAKE/archive\"; {then}"));
    let plan = fs_err::read(test.root().join(OUT).join("plan.json")).unwrap();
    let good = [
        entry(EntryType::Directory, "bin/", b""),
        file("bin/demo", &static_elf("linux/amd64")),
        file("./plan.json", &plan),
    ];
    test.write_at("fake/archive", [good.concat(), entries.concat()].concat());
    test
}

const END: &str = "printf '%01024d' 0 | /bin/tr 0 '\\000'; exit 0";

#[test]
fn what_the_engine_writes_is_as_little_believed() {
    let run = writing(&[], END).hsx("static").exits(0).says("Delivered");
    assert_eq!(run.calls_of("cp")[0].0.last().unwrap(), "-");
    let long = b"29 path=../../../home/victim\n";
    for (entries, what) in [
        (vec![file("../victim", b"x")], "`../victim`, which is no name that hsx takes"),
        (vec![file("/tmp/victim", b"x")], "`/tmp/victim`, which is no name that hsx takes"),
        (vec![file("bin/demo", b"x")], "`bin/demo`, which comes twice"),
        (vec![entry(EntryType::Block, "bin/disk", b"")], "`bin/disk`, which is a device"),
        (vec![entry(EntryType::GNUSparse, "bin/x", b"")], "`bin/x`, which is a sparse file"),
        (
            vec![entry(EntryType::XHeader, "x", long), file("bin/x", b"x")],
            "`../../../home/victim`, which is no name that hsx takes",
        ),
        (vec![file("share/x/y", b"")], "`share/x/y`, which comes without its directory"),
        (vec![entry(EntryType::Directory, "./", b""); 50_000], "more than 50000 files"),
    ] {
        refuses(&writing(&entries, END), what);
    }
}

#[test]
fn an_endless_entry_is_not_read() {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..7].copy_from_slice(b"results");
    header.set_size(1 << 32);
    header.set_cksum();
    let test = writing(&[header.as_bytes().to_vec()], "/bin/cat /dev/zero");
    refuses(&test, "`results`, which has 4294967296 bytes, more than 16777216");
    let test = writing(&[], "exec /bin/cat /dev/zero");
    test.hsx("static").exits(3).says("it goes on after its end");
}

#[test]
fn a_stream_that_breaks_off_delivers_nothing() {
    for (entries, then, why) in [
        (vec![], "exit 0", "it is cut off"),
        (vec![file("results", &[0; 1024])[..900].to_vec()], "exit 0", "it is cut off"),
        (vec![b"cut".to_vec()], "exit 0", "failed to read entire block"),
        (vec![vec![b'x'; 512]], "exit 0", "broken: "),
        (vec![], "echo Error: lost >&2; exit 125", "Error: lost"),
        (vec![vec![0; 1024]], "echo Error: lost >&2; exit 125", "Error: lost"),
    ] {
        let test = writing(&entries, then);
        let run = test.hsx("static").exits(3).says("the results cannot be copied out of the container").says(why);
        assert!(test.tree("dist-static/linux-amd64").is_empty(), "{run}");
    }
}

#[test]
fn modes_of_the_container_are_none_of_ours() {
    let test = Test::new();
    for (name, mode) in [("bin/demo", 0o6777), ("plan.json", 0o4000)] {
        fs_err::set_permissions(test.root().join(OUT).join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    // A look at the stage from the trial, while everything is there.
    test.set_scenario("run-try", "/bin/ls -ld \"${source%/*}\" \"$source/bin/demo\" > \"$FAKE/seen\"");
    test.hsx("static").exits(0);
    let seen = fs_err::read_to_string(test.root().join("fake/seen")).unwrap();
    assert!(seen.contains("drwx------") && seen.contains("-rwxr-xr-x"), "{seen}");
    let delivered = fs_err::metadata(test.project().join("dist-static/linux-amd64/demo")).unwrap();
    assert_eq!(delivered.permissions().mode() & 0o7777, 0o755);
}

#[test]
fn a_signal_ends_it_whatever_the_client_does() {
    for then in [
        ": > \"$FAKE/started\"; trap '' TERM; while :; do /bin/sleep 0.1; done",
        ": > \"$FAKE/started\"; while :; do printf %8192s x; /bin/sleep 0.01; done",
        // The client ends, and something that it started keeps the pipe open.
        "/bin/sleep 60 & : > \"$FAKE/started\"; while :; do /bin/sleep 0.1; done",
    ] {
        let endless = entry(EntryType::Regular, "bin/large", b"");
        let mut header = Header::from_byte_slice(&endless).clone();
        header.set_size(4 << 30);
        header.set_cksum();
        let test = writing(&[header.as_bytes().to_vec()], then);
        let running = test.start("static");
        test.wait_for("started");
        running.signal(Signal::TERM);
        let (run, _) = running.end();
        run.exits(143);
        assert!(test.containers().is_empty());
    }
}

#[test]
fn a_process_that_keeps_the_pipe_open_is_not_waited_for() {
    let test = writing(&[vec![0; 1024]], "/bin/sleep 60 & exit 0");
    test.hsx("static").exits(0).says("Delivered");
}

#[test]
fn a_trial_that_is_flooded_is_none() {
    let flood = "i=0; while [ $i -lt 1024 ]; do printf '%8192s\\n' x; i=$((i + 1)); done";
    let test = Test::new().scenario("run-try", flood);
    test.hsx("static").exits(4).says("the executable `demo` was not tried");
    assert!(test.tree("dist-static/linux-amd64").is_empty());
}

#[test]
fn data_files_and_logs_come_in_by_the_same_reader() {
    let test = Test::new();
    let unit = format!("{OUT}/share/dep-1.0-abc");
    let plan = r#"{"install-plan":[
        {"type":"configured","style":"local","id":"demo","pkg-name":"demo","pkg-version":"0.1.0","component-name":"exe:demo","depends":["dep-1.0-abc"]},
        {"type":"configured","style":"global","id":"dep-1.0-abc","pkg-name":"dep","pkg-version":"1.0","component-name":"lib"}]}"#;
    test.write_at(&format!("{OUT}/plan.json"), plan);
    test.write_at(&format!("{OUT}/data"), "dep-1.0-abc\n");
    let deep = format!("{}/{}/größe 1.css", "a".repeat(90), "b".repeat(90));
    test.write_at(&format!("{unit}/{deep}"), "css");
    test.hsx("static --data-files").exits(0);
    let tree = test.tree("dist-static/linux-amd64/share");
    assert_eq!(tree[&format!("dep/{deep}")], b"css", "{tree:?}");
    symlink("/etc/passwd", test.root().join(&unit).join("link")).unwrap();
    let run = test.hsx("static --data-files").exits(4);
    run.says("the container left `share/dep-1.0-abc/link`, which is a symbolic link");
}
