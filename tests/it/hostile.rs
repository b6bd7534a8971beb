//! Hostile projects and builds: they cannot harm the user who runs hsx.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::fake::Test;

#[test]
fn a_file_of_the_project_that_never_ends_is_not_read() {
    for (name, command) in [("hsx.toml", "static --dry-run"), ("hsx.lock", "static --locked --dry-run")] {
        let test = Test::new();
        let path = test.project().join(name);
        symlink("/dev/zero", &path).unwrap();
        let endless = test.hsx(command);
        fs_err::remove_file(&path).unwrap();
        mknodat(CWD, path.as_str(), FileType::Fifo, Mode::RUSR, 0).unwrap();
        for run in [endless, test.hsx(command)] {
            run.exits(2).prints_nothing().says(name).says("is no regular file");
        }
    }
}

#[test]
fn project_files_that_import_each_other_are_counted() {
    let import = "import: cabal.project\n".repeat(10);
    let test = Test::new().file("cabal.project", &format!("packages: .\n{import}"));
    test.hsx("static --dry-run").exits(2).says("is one of more than 100 project files");
}

#[test]
fn a_pattern_of_many_stars_is_no_work() {
    let stars = format!("packages: {}b .\n", "*a".repeat(12));
    let test = Test::new().file("cabal.project", &stars).file(&"a".repeat(200), "");
    test.hsx("static --dry-run").exits(0);
    let deep = format!("{}x", "d/".repeat(60));
    let test = Test::new().file("cabal.project", "packages: **/**/**/*/**/**/*.cabal .\n").file(&deep, "");
    test.hsx("static --dry-run").exits(0);
}

/// What a build says that is to reach neither terminal nor log as it is.
const HOSTILE: &str =
    r"printf '\033]0;pwned\007\033[1mbold\033[0m\n::error::forged\n[1 of 1] Compiling \033[2JX ( x )\n'";

#[test]
fn escape_sequences_of_a_build_reach_its_log_only() {
    let test = Test::new().scenario("run-build", HOSTILE);
    let run = test.hsx("static").exits(0).says("\u{1b}[1mbold\u{1b}[0m\n::error::forged\n");
    assert!(!run.stderr.contains("pwned") && !run.stderr.contains("\u{1b}[2J"), "{run}");
    let logs = fs_err::read_dir(test.root().join("home/.state/hsx/logs")).unwrap();
    let log = fs_err::read_to_string(logs.last().unwrap().unwrap().path()).unwrap();
    assert!(log.contains("\u{1b}]0;pwned\u{7}"), "{log}");
}

#[test]
fn workflow_commands_of_a_build_reach_nobody() {
    for args in ["static", "static -v", "static -p amd64,arm64"] {
        let test = Test::new().env("GITHUB_ACTIONS", "true").scenario("run-build", HOSTILE);
        let run = test.hsx(args).exits(0).says("error::forged");
        assert!(run.stderr.lines().all(|line| !line.trim_start().starts_with("::error")), "{run}");
    }
    let test = Test::new().env("GITHUB_ACTIONS", "true").scenario("run-build", &format!("{HOSTILE}; exit 100"));
    let run = test.hsx("static -q").exits(1).says("error::forged");
    assert!(run.stderr.lines().all(|line| !line.trim_start().starts_with("::error")), "{run}");
}

#[test]
fn an_endless_line_is_looked_through_once() {
    let line = "exec 3>&1; i=0; while [ $i -lt 4096 ]; do printf %8192s x >&3; i=$((i + 1)); done";
    let run = Test::new().scenario("run-build", line).hsx("static -q").exits(0);
    assert_eq!(run.stderr, "");
}

#[test]
fn a_setting_is_one_line() {
    for (settings, key) in [
        ("out-dir = \"x\\nid >pasted #\"\n", "out-dir"),
        ("cabal-args = [\"--flags=a\\u001b]0;pwned\\u0007\"]\n", "cabal-args"),
        ("image = { ref = \"a\\nb:1\" }\n", "image"),
    ] {
        let run = Test::new().file("hsx.toml", settings).hsx("static --dry-run").exits(2).prints_nothing();
        run.says(&format!("error: `{key}` in `hsx.toml` has a line break"));
    }
}

#[test]
fn what_cannot_be_printed_is_a_failure() {
    for (args, code) in [
        ("static", 3),
        ("static --format json", 3),
        ("static --dry-run", 3),
        ("man static", 3),
        ("completions bash", 3),
        ("source", 3),
        ("source --list", 3),
        ("--help", 3),
        ("static --format json --platform none", 2),
    ] {
        let test = Test::new();
        let mut command = test.command(env!("CARGO_BIN_EXE_hsx"));
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap().into_parts().0;
        command.args(args.split(' ')).stdin(Stdio::null()).stdout(full);
        let run = test.ended(command.output().unwrap()).exits(code);
        if code == 3 && args != "--help" {
            run.says("error: what hsx has to tell cannot be written to standard output\n").says("No space left");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for args in ["static --dry-run", "static --format json", "man static", "--help"] {
        let test = Test::new();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = test.command(env!("CARGO_BIN_EXE_hsx"));
        command.args(args.split(' ')).stdin(Stdio::null()).stdout(writer);
        test.ended(command.output().unwrap()).exits(0).does_not_say("error");
    }
}

#[test]
fn git_starts_nothing_that_the_project_names() {
    let test = Test::new().real("git");
    let monitor = test.root().join("monitor");
    fs_err::write(&monitor, format!("#!/bin/sh\n: > {}\n", test.root().join("ran"))).unwrap();
    fs_err::set_permissions(&monitor, PermissionsExt::from_mode(0o755)).unwrap();
    let nested = test.project().join("nested");
    fs_err::create_dir(&nested).unwrap();
    fs_err::write(nested.join("file"), "").unwrap();
    let git = |dir: &str, args: &[&str]| {
        let status = Command::new("git").args(["-C", dir]).args(args).status().unwrap();
        assert!(status.success(), "{args:?}");
    };
    for dir in [test.project().as_str(), nested.as_str()] {
        git(dir, &["init", "--quiet"]);
        git(dir, &["config", "core.fsmonitor", monitor.as_str()]);
    }
    git(test.project().as_str(), &["-c", "core.fsmonitor=false", "add", "demo.cabal"]);
    let monitored = || test.root().join("ran").exists();
    assert!(!monitored());
    test.hsx("source --list").exits(0).prints("/src/demo.cabal\n").prints("/src/nested/file\n");
    assert!(!monitored());
    // Asked without care, git does start it.
    git(test.project().as_str(), &["status", "--short"]);
    assert!(monitored());
}

#[test]
fn only_files_of_the_project_are_sent() {
    // Git's index is a file that a project can ship, and says whatever it likes.
    let git =
        "#!/bin/sh\nprintf '%s\\n' demo.cabal ../victim/file app/../demo.cabal /etc/passwd link/file app/Main.hs\n";
    let test = Test::new().own_program("git", git);
    test.write_at("home/victim/file", "precious");
    symlink("../victim", test.project().join("link")).unwrap();
    let run = test.hsx("source --list").exits(0);
    assert_eq!(run.stdout, "/src/app/Main.hs\n/src/demo.cabal\n", "{run}");
}

#[test]
fn an_empty_entry_of_path_is_no_directory() {
    let test = Test::new();
    let path = format!(":{}", test.root().join("bin"));
    let podman = test.project().join("podman");
    fs_err::write(&podman, format!("#!/bin/sh\n: > {}\n", test.root().join("ran"))).unwrap();
    fs_err::set_permissions(&podman, PermissionsExt::from_mode(0o755)).unwrap();
    let run = test.env("PATH", &path).hsx("static").exits(0);
    assert!(!podman.parent().unwrap().join("../../ran").exists(), "{run}");
}

#[test]
fn a_second_signal_ends_hsx_at_once() {
    // The engine does not even let its containers be removed.
    let stuck = "trap '' INT TERM HUP; : > \"$FAKE/running\"; /bin/sleep 8";
    let test = Test::new().scenario("run-build", stuck).scenario("rm", ": > \"$FAKE/removing\"; /bin/sleep 8");
    let hsx = test.start("static");
    test.wait_for("running");
    hsx.signal(Signal::INT);
    test.wait_for("removing");
    hsx.signal(Signal::TERM);
    let (run, _) = hsx.end();
    // Nothing was said any more.
    run.exits(143).does_not_say("interrupted").prints_nothing();
}
