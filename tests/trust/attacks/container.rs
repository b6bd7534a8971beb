//! What a build leaves in the container, for hsx to take: not what executables and plans are.

use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::ground::{HEAD, executable};
use super::{Attack, Ground, Seen};
use crate::support::Engine::{Docker, Podman, RootlessPodman};
use crate::support::{To, file_name};
use crate::watch::Ended;

pub(super) fn attacks() -> Vec<Attack> {
    let new = Attack::new;
    vec![
        new("name leads out", Podman, name_leads_out, "cabal's plan names an executable ../../../victim/bin/stolen"),
        new("executable is a link", RootlessPodman, executable_is_a_link, "it leads to another file once delivered"),
        new("bin is a link", Podman, bin_is_a_link, "the results' directory leads to the victim's static tool"),
        new("executable is a FIFO", Podman, executable_is_a_fifo, "a reader waits for it for ever"),
        new("plan is a link", Podman, plan_is_a_link, "plan.json leads to /dev/zero"),
        new("devices, podman", Podman, special_files, "device nodes, FIFOs and set-user-ID programs among the results"),
        new("devices, docker", Docker, special_files, "the same by docker's client, as root"),
        new("executable has no end", Podman, executable_has_no_end, "a sparse file of 1 TiB among the results"),
        new("files without number", Podman, files_without_number, "60000 files among the results"),
        new("plan has no end", RootlessPodman, plan_has_no_end, "plan.json of 600 MB"),
        new("one of two fails", Podman, one_of_two_fails, "a directory stands where the second executable goes"),
    ]
}

pub(super) fn remains() -> Vec<Attack> {
    vec![Attack::new("stage of a killed run", Podman, stage_of_a_killed_run, "another GHC's build comes next")]
}

fn name_leads_out(ground: &Ground<'_>) -> Seen {
    // The file that it leads to in the stage is there, and static.
    let rename = "mkdir -p victim/bin; cp bin/hello victim/bin/stolen; cp bin/hello bin/stolen
        sed -i 's|exe:hello|exe:../../../victim/bin/stolen|g' plan.json";
    ground.lays_out(rename);
    let ended = ground.builds();
    ground.victim_is_as_before(ended.told())?;
    if ended.code == 0 { Err("hsx says that it was delivered".to_owned()) } else { Ok(ended.told()) }
}

fn executable_is_a_link(ground: &Ground<'_>) -> Seen {
    // From the stage it leads to what was built, and from dist-static/linux-amd64 to a file of the project's.
    ground.lays_out("mkdir x; mv bin/hello x/hello; ln -s ../x/hello bin/hello");
    ground.project.write("dist-static/x/hello", "#!/bin/sh\necho unverified\n");
    let ended = ground.builds();
    let meta = fs_err::symlink_metadata(ground.project.result("linux/amd64", "hello"));
    match meta {
        Ok(meta) if !meta.is_file() => Err("a link was delivered".to_owned()),
        _ => ground.victim_is_as_before(ended.told()),
    }
}

fn bin_is_a_link(ground: &Ground<'_>) -> Seen {
    ground.hostile("tool", "true");
    let first = ground.builds();
    if first.code != 0 {
        return Err(format!("no static file to begin with: {}", first.said()));
    }
    // The victim's own program, which hsx would take for what was built.
    fs_err::copy(ground.project.result("linux/amd64", "tool"), ground.victim("bin/tool")).unwrap();
    ground.engine.own(&ground.victim(""));
    let precious = fs_err::read(ground.victim("bin/tool")).unwrap();
    ground.lays_out("rm -r bin; ln -s ../../../victim/bin bin; sed -i 's|exe:hello|exe:tool|g' plan.json");
    let ended = ground.builds();
    match fs_err::read(ground.victim("bin/tool")) {
        Ok(now) if now == precious => Ok(ended.told()),
        _ => Err("victim/bin/tool is gone".to_owned()),
    }
}

fn executable_is_a_fifo(ground: &Ground<'_>) -> Seen {
    ground.lays_out("rm bin/hello; mkfifo bin/hello");
    unless_stopped(ground.builds())
}

/// Safe unless it had to be stopped.
pub(super) fn unless_stopped(ended: Ended) -> Seen {
    match ended.stopped {
        Some(why) => Err(why),
        None => Ok(format!("{}; {}", ended.cost(), ended.told())),
    }
}

fn plan_is_a_link(ground: &Ground<'_>) -> Seen {
    ground.lays_out("ln -sf /dev/zero plan.json");
    unless_stopped(ground.builds())
}

fn plan_has_no_end(ground: &Ground<'_>) -> Seen {
    ground.lays_out("rm plan.json; head -c 600M /dev/zero | tr '\\\\0' '[' > plan.json");
    let ended = unless_stopped(ground.builds())?;
    ground.victim_is_as_before(ended)
}

fn special_files(ground: &Ground<'_>) -> Seen {
    ground.lays_out(
        "mkfifo bin/fifo; cp /bin/true suid; chmod 6755 suid; mknod disk b 254 0 && chmod 666 disk
        head -c 100M /dev/zero > big",
    );
    let mut seen = BTreeSet::new();
    let root = ground.project.path("dist-static");
    let ended = ground.hsx_while(&["static", "--no-upx"], || {
        special_below(&root, &mut seen);
        None
    });
    special_below(&root, &mut seen);
    if seen.is_empty() { Ok(ended.told()) } else { Err(Vec::from_iter(seen).join(", ")) }
}

/// Adds what is neither file nor directory nor link below a directory, and what has a set-user-ID bit.
fn special_below(dir: &Path, seen: &mut BTreeSet<String>) {
    for entry in walkdir::WalkDir::new(dir).into_iter().filter_map(Result::ok) {
        let Ok(meta) = fs_err::symlink_metadata(entry.path()) else { continue };
        let kind = meta.file_type();
        let what = match () {
            () if kind.is_block_device() || kind.is_char_device() => "a device",
            () if kind.is_fifo() => "a FIFO",
            () if kind.is_file() && meta.permissions().mode() & 0o6000 != 0 => "set-user-ID",
            () => continue,
        };
        seen.insert(format!("{what} {}", file_name(entry.path())));
    }
}

/// Space that files below a directory take, in bytes, and how many files there are.
fn taken_below(dir: &Path) -> (u64, usize) {
    let entries = walkdir::WalkDir::new(dir).into_iter().filter_map(Result::ok);
    let sizes = entries.filter_map(|entry| fs_err::symlink_metadata(entry.path()).ok()).map(|meta| meta.blocks() * 512);
    sizes.fold((0, 0), |(bytes, count), size| (bytes + size, count + 1))
}

fn executable_has_no_end(ground: &Ground<'_>) -> Seen {
    const ENOUGH: u64 = 1 << 30;
    ground.lays_out("truncate -s 1T bin/hello");
    let root = ground.project.path("dist-static");
    unless_stopped(ground.hsx_while(&["static", "--no-upx"], || {
        let (bytes, _) = taken_below(&root);
        (bytes > ENOUGH).then(|| format!("{} MiB of the disk are full, and more to come", bytes >> 20))
    }))
}

fn files_without_number(ground: &Ground<'_>) -> Seen {
    const ENOUGH: usize = 55_000;
    ground.lays_out("mkdir many; cd many; seq 60000 | xargs touch");
    let root = ground.project.path("dist-static");
    unless_stopped(ground.hsx_while(&["static", "--no-upx"], || {
        let (_, count) = taken_below(&root);
        (count > ENOUGH).then(|| format!("{count} files, and more to come"))
    }))
}

fn one_of_two_fails(ground: &Ground<'_>) -> Seen {
    ground.hostile("first", "true");
    ground
        .project
        .write("hello.cabal", &format!("{HEAD}{}{}", executable("first", "Main.hs"), executable("second", "Main.hs")));
    ground.project.write("dist-static/linux-amd64/first", "the previous result");
    ground.project.write("dist-static/linux-amd64/second/file", "in the way");
    let ended = ground.builds();
    let first = fs_err::read(ground.project.result("linux/amd64", "first")).unwrap_or_default();
    match (ended.code, first == b"the previous result") {
        (0, _) => Err("hsx says that both were delivered".to_owned()),
        (_, false) => Err(format!("the first was replaced, the second was not: {}", ended.told())),
        (_, true) => Ok(ended.told()),
    }
}

fn stage_of_a_killed_run(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", "sleep 60");
    let stages = || {
        let entries = fs_err::read_dir(ground.project.path("dist-static")).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| file_name(path).starts_with(".hsx-"))
            .collect::<Vec<_>>()
    };
    let mut run = ground.project.hsx(&[]).start();
    run.wait_until("stage", |_| !stages().is_empty());
    run.send(Signal::KILL, To::Hsx);
    run.finish();
    ground.hostile("hello", "true");
    let ended = ground.hsx(&["static", "--no-upx", "--ghc", "9.10.3"]);
    std::thread::sleep(Duration::from_millis(100));
    if stages().is_empty() { Ok(ended.told()) } else { Err(format!("{:?} after: {}", stages(), ended.told())) }
}
