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
fn a_git_file_shows_a_build_no_directory_of_its_choice() {
    let test = Test::new();
    for (path, text) in [("HEAD", "ref: x\n"), ("objects/x", ""), (".ssh/id_ed25519", "KEY\n")] {
        test.write_at(&format!("victim/{path}"), text);
    }
    let victim = test.root().join("victim");
    for (named, more) in [
        (victim.to_string(), None),
        ("../../victim".to_owned(), None),
        ("fake".to_owned(), Some(("fake/commondir", victim.to_string()))),
    ] {
        test.write(".git", format!("gitdir: {named}\n"));
        fs_err::create_dir_all(test.project().join("fake")).unwrap();
        if let Some((path, text)) = more {
            test.write(path, text);
        }
        for command in ["static", "static --dry-run", "source"] {
            let run = test.hsx(command).exits(2).prints_nothing().says(&format!("| {victim}: the git directory that"));
            let run = run.says(&format!("add `--allow-mount {victim}`"));
            assert!(run.calls.is_empty(), "{run}");
        }
    }
    let run = test.hsx(&format!("static --allow-mount {victim}")).exits(0);
    assert!(run.call("run-build").values("--mount").iter().any(|mount| mount.contains("/victim,")), "{run}");
}

#[test]
fn every_package_beside_the_project_is_named_before_it_is_shown() {
    let test = Test::new().file("cabal.project", "packages: . ../*/ ../*/dist/*.tar.gz\n");
    test.write("../secret/secret.cabal", "name: secret\n");
    test.write("../notes/private.txt", "");
    test.write("../packed/dist/packed-1.tar.gz", "");
    // A link leads where it leads, whatever its own place.
    fs_err::create_dir(test.root().join("elsewhere")).unwrap();
    fs_err::write(test.root().join("elsewhere/e.cabal"), "name: e\n").unwrap();
    symlink(test.root().join("elsewhere"), test.project().join("../linked")).unwrap();
    let root = test.root().to_owned();
    let run = test.hsx("static").exits(2).prints_nothing();
    let run = run.says(&format!("| {root}/elsewhere: a package")).says(&format!("| {root}/home/secret: a package"));
    run.says(&format!("| {root}/home/packed/dist/packed-1.tar.gz: an archive")).does_not_say("notes");
    test.hsx("static --allow-mount ..").exits(2).says("elsewhere: a package").does_not_say("secret: ");
}

#[test]
fn hpack_makes_a_file_of_the_project_only() {
    let world = || Test::new().without_file("demo.cabal").fake("hpack");
    let test = world().file("package.yaml", "name: ../../evil\n");
    let run = test.hsx("static").exits(2).says("names the package `../../evil`, which is no name of one");
    assert!(run.calls_of("run-build").is_empty() && !test.root().join("evil.cabal").exists(), "{run}");
    // A link is neither followed nor replaced.
    let test = world().file("package.yaml", "name: demo\n");
    let victim = test.root().join("victim");
    symlink(&victim, test.project().join("demo.cabal")).unwrap();
    test.hsx("static").exits(2).says("demo.cabal`");
    assert!(!victim.exists());
    let pasted = test.shell(&test.hsx("static --dry-run").exits(0).stdout);
    assert!(pasted.code != 0 && !victim.exists(), "{pasted}");
    // Nor is a directory that is a link.
    let test = Test::new().fake("hpack").file("cabal.project", "packages: . sub\n");
    test.write_at("victim/package.yaml", "name: evil\n");
    symlink(test.root().join("victim"), test.project().join("sub")).unwrap();
    let run = test.hsx("static").exits(2).says("sub/package.yaml` leads out of the project");
    assert!(run.calls_of("hpack-show").is_empty() && !test.root().join("victim/evil.cabal").exists(), "{run}");
}

#[test]
fn hpack_reads_what_the_build_is_shown_and_asks_nobody_else() {
    let test = Test::new().without_file("demo.cabal").fake("hpack");
    test.write_at("victim.yaml", "x: 1\n");
    symlink(test.root().join("victim.yaml"), test.project().join("linked.yaml")).unwrap();
    test.write("a.yaml", "defaults:\n- local: ../../victim.yaml\n");
    test.write("good.yaml", "ghc-options: -Wall\n");
    for (defaults, said) in [
        ("  local: ../../victim.yaml", "victim.yaml` leads out of the project"),
        ("  local: linked.yaml", "linked.yaml` leads out of the project"),
        ("  local: a.yaml", "victim.yaml` leads out of the project"),
        ("  github: sol/hpack-template", "| github: sol/hpack-template"),
        ("  {local: good.yaml}", "| {local: good.yaml}"),
    ] {
        test.write("package.yaml", format!("name: demo\ndefaults:\n{defaults}\n"));
        let run = test.hsx("static").exits(2).says(said).says("run `hpack` yourself");
        assert!(run.calls_of("hpack-show").is_empty(), "{run}");
    }
    test.write("package.yaml", "name: demo\ndefaults:\n  local: a.yaml\n");
    let victim = test.root().join("victim.yaml");
    test.hsx(&format!("static --allow-mount {victim}")).exits(0);
    fs_err::remove_file(test.project().join("demo.cabal")).unwrap();
    test.write("package.yaml", "name: demo\ndefaults:\n  local: good.yaml\n");
    test.hsx("static").exits(0);
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
fn git_fetches_nothing_that_the_project_lacks() {
    let test = Test::new().real("git");
    let (fetcher, ran) = (test.root().join("fetcher"), test.root().join("ran"));
    fs_err::write(&fetcher, format!("#!/bin/sh\n: > {ran}\n")).unwrap();
    fs_err::set_permissions(&fetcher, PermissionsExt::from_mode(0o755)).unwrap();
    test.write("far/file", "far\n");
    test.write("near/file", "");
    let git = |args: &[&str]| {
        let output = Command::new("git").args(["-C", test.project().as_str()]).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["-c", "user.name=x", "-c", "user.email=x", "commit", "--quiet", "--message=x"]);
    // The index has a directory as a whole, and what is in it is promised by a repository elsewhere.
    git(&["sparse-checkout", "set", "--cone", "--sparse-index", "near"]);
    let object = git(&["rev-parse", "HEAD:far"]);
    for (key, value) in [
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.url", test.root().as_str()),
        ("remote.origin.promisor", "true"),
        ("remote.origin.uploadpack", fetcher.as_str()),
    ] {
        git(&["config", key, value]);
    }
    fs_err::remove_file(test.project().join(".git/objects").join(&object[..2]).join(&object[2..])).unwrap();
    test.hsx("source --list").exits(0).prints("/src/near/file\n");
    assert!(!ran.exists());
    // Asked without care, git does start it.
    let list = ["-C", test.project().as_str(), "ls-files", "--cached"];
    let _ = Command::new("git").args(list).output().unwrap();
    assert!(ran.exists());
}

#[test]
fn an_index_sends_nothing_from_outside_the_project() {
    let test = Test::new().real("git");
    let git = |args: &[&str]| {
        let output = Command::new("git").args(["-C", test.project().as_str()]).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    test.write_at("victim/key", "KEY\n");
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    let object = git(&["hash-object", "-w", "demo.cabal"]);
    // A directory of the index is a link in the project.
    git(&["update-index", "--add", "--cacheinfo", &format!("100644,{object},linked/key")]);
    symlink(test.root().join("victim"), test.project().join("linked")).unwrap();
    // git itself takes no such name.
    let outside = "../../victim/key";
    let placeholder = "x".repeat(outside.len());
    git(&["update-index", "--add", "--cacheinfo", &format!("100644,{object},{placeholder}")]);
    let path = test.project().join(".git/index");
    let mut index = fs_err::read(&path).unwrap();
    let at = index.windows(outside.len()).position(|bytes| bytes == placeholder.as_bytes()).unwrap();
    index[at..at + outside.len()].copy_from_slice(outside.as_bytes());
    // A checksum of zeros is none.
    let end = index.len() - 20;
    index[end..].fill(0);
    fs_err::write(&path, index).unwrap();
    let listed = git(&["ls-files"]);
    assert!(listed.contains(outside) && listed.contains("linked/key"), "{listed}");
    let run = test.hsx("source --list").exits(0).prints("/src/demo.cabal\n").prints("/src/linked\n");
    assert!(!run.stdout.contains("key"), "{run}");
    let mut command = test.command(env!("CARGO_BIN_EXE_hsx"));
    let sent = command.arg("source").stdin(Stdio::null()).output().unwrap();
    assert!(sent.status.success() && !sent.stdout.windows(4).any(|bytes| bytes == b"KEY\n"), "{sent:?}");
}

#[test]
fn an_entry_of_path_that_means_the_project_is_no_directory() {
    for entry in ["", ".", "bin", "./bin"] {
        let test = Test::new();
        let path = format!("{entry}:{}", test.root().join("bin"));
        let podman = test.project().join(entry).join("podman");
        fs_err::create_dir_all(podman.parent().unwrap()).unwrap();
        let ran = test.root().join("ran");
        fs_err::write(&podman, format!("#!/bin/sh\n: > {ran}\n")).unwrap();
        fs_err::set_permissions(&podman, PermissionsExt::from_mode(0o755)).unwrap();
        let run = test.env("PATH", &path).hsx("static").exits(0);
        assert!(!ran.exists(), "{entry}\n{run}");
    }
}

#[test]
fn dockers_own_proxies_do_not_reach_what_has_no_network() {
    const NAMES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"];
    let test = Test::new().without("podman").fake("docker");
    let run = test.hsx("static --no-upx").exits(0);
    for phase in ["run-build", "run-try"] {
        let given = run.call(phase).values("--env");
        for name in NAMES.map(str::to_owned).into_iter().chain(NAMES.map(str::to_lowercase)) {
            assert!(given.contains(&format!("{name}=").as_str()), "{name} in {phase}\n{run}");
        }
    }
    // What has a network needs them.
    let given = run.call("run-fetch").values("--env");
    assert!(given.iter().all(|variable| !variable.to_lowercase().contains("proxy")), "{run}");
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
