//! Work without end: hsx is to refuse it, or to end when it is told to, and to take little memory meanwhile.

use std::fmt::Write as _;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::container::unless_stopped;
use super::{Attack, Ground, Seen};
use crate::support::Engine::{Docker, Podman, RootlessPodman};
use crate::watch::watch;

pub(super) fn attacks() -> Vec<Attack> {
    let new = Attack::new;
    vec![
        new("endless files", Podman, endless_files, "files of the project are links to /dev/zero"),
        new("files that wait", RootlessPodman, files_that_wait, "files of the project are FIFOs"),
        new("imports", Podman, imports, "cabal.project imports itself ten times"),
        new("stars", Docker, stars, "packages: *a*a*a…*b, and a long name"),
        new("double stars", Podman, double_stars, "packages: **/**/…/*.cabal, and a deep tree"),
        new("nested lists", Podman, nested_lists, "a million brackets in hsx.toml and hsx.lock"),
        new("one line", RootlessPodman, one_line, "the build prints 60 MB without an end of line"),
        new("flood of a trial", Podman, flood_of_a_trial, "what is tried prints without end"),
        new("aliases of package.yaml", Podman, aliases, "ten lines that are billions of elements, for hpack"),
    ]
}

/// The files of a project that hsx reads, with the command that does.
const READ: [(&str, &[&str]); 7] = [
    ("hsx.toml", &["static", "--dry-run"]),
    ("hsx.lock", &["static", "--dry-run", "--locked"]),
    ("cabal.project", &["static", "--dry-run"]),
    ("cabal.project.freeze", &["static", "--dry-run"]),
    ("hello.cabal", &["static", "--dry-run"]),
    (".git", &["static", "--dry-run"]),
    ("cabal.project.local", &["static", "--dry-run"]),
];

fn files(ground: &Ground<'_>, make: impl Fn(&str)) -> Seen {
    let mut most = 0;
    for (name, command) in READ {
        let path = ground.project.path(name);
        let text = fs_err::read_to_string(&path).ok();
        let _ = fs_err::remove_file(&path);
        make(name);
        let ended = watch(ground.command(command));
        most = most.max(ended.memory);
        unless_stopped(ended).map_err(|why| format!("{name}: {why}"))?;
        fs_err::remove_file(&path).unwrap();
        if let Some(text) = text {
            ground.project.write(name, &text);
        }
    }
    Ok(format!("at most {} MiB", most >> 20))
}

fn endless_files(ground: &Ground<'_>) -> Seen {
    files(ground, |name| ground.link(name, "/dev/zero"))
}

fn files_that_wait(ground: &Ground<'_>) -> Seen {
    files(ground, |name| {
        mknodat(CWD, ground.project.path(name), FileType::Fifo, Mode::from_bits_truncate(0o644), 0).unwrap();
    })
}

fn imports(ground: &Ground<'_>) -> Seen {
    ground.project.write("cabal.project", &format!("packages: .\n{}", "import: cabal.project\n".repeat(10)));
    unless_stopped(ground.hsx(&["static", "--dry-run"]))
}

fn stars(ground: &Ground<'_>) -> Seen {
    ground.project.write(&"a".repeat(200), "");
    ground.project.write("cabal.project", &format!("packages: {}b .\n", "*a".repeat(30)));
    unless_stopped(ground.hsx(&["static", "--dry-run"]))
}

fn double_stars(ground: &Ground<'_>) -> Seen {
    ground.project.write(&format!("{}x", "d/".repeat(60)), "");
    ground.project.write("cabal.project", &format!("packages: {}*.cabal .\n", "**/".repeat(8)));
    unless_stopped(ground.hsx(&["static", "--dry-run"]))
}

fn nested_lists(ground: &Ground<'_>) -> Seen {
    ground.project.write("hsx.toml", &format!("targets = {}\n", "[".repeat(1_000_000)));
    let seen = unless_stopped(ground.hsx(&["static", "--dry-run"]))?;
    ground.project.write("hsx.toml", "");
    ground.project.write("hsx.lock", &format!("x = {}\n", "{a=".repeat(1_000_000)));
    let ended = ground.hsx(&["static", "--dry-run", "--locked"]);
    if ended.code < 0 { Err(ended.told()) } else { unless_stopped(ended).map(|_| seen) }
}

fn one_line(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", "head -c 60M /dev/zero | tr '\\0' x; echo");
    unless_stopped(ground.hsx(&["static", "--no-upx", "-q"]))
}

fn flood_of_a_trial(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", "true");
    // To its own output, and past the pipe that limits it to that of the script which tries it.
    let floods = "for fd in /proc/[0-9]*/fd/1; do cat /dev/zero > $fd & done; cat /dev/zero";
    ground.project.edit("Main.hs", "putStrLn \"hello\"", &format!("callCommand \"{floods}\""));
    unless_stopped(ground.builds())
}

fn aliases(ground: &Ground<'_>) -> Seen {
    fs_err::remove_file(ground.project.path("hello.cabal")).unwrap();
    let mut text = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let nine = format!("*{from},").repeat(9);
        let _ = writeln!(text, "{to}: &{to} [{}]", nine.trim_end_matches(','));
    }
    ground.project.write("package.yaml", &(text + "name: *i\n"));
    unless_stopped(ground.hsx(&["static", "--dry-run"]))
}
