//! What hsx writes: below the project it follows no link, and results come all together or not at all.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

use camino::Utf8PathBuf;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::fake::{Call, DEMO_CABAL, Run, Test, static_elf};

/// The user's own directory beside the project, and what is in it.
struct Victim(Utf8PathBuf);

impl Victim {
    fn of(test: &Test) -> Self {
        let dir = test.root().join("home/victim");
        test.write_at("home/victim/file", "precious");
        test.write_at("home/victim/linux-amd64/file", "precious");
        Self(dir)
    }

    #[track_caller]
    fn is_untouched(&self, run: &Run) {
        let files = walkdir::WalkDir::new(&self.0).min_depth(1).sort_by_file_name().into_iter();
        let files: Vec<_> = files.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned()).collect();
        assert_eq!(files, ["file", "linux-amd64", "file"], "{run}");
        for file in ["file", "linux-amd64/file"] {
            assert_eq!(fs_err::read_to_string(self.0.join(file)).unwrap(), "precious", "{run}");
        }
    }
}

/// A build that waits until the test lets it go on.
const WAITS: &str = ": > \"$FAKE/running\"; until [ -e \"$FAKE/go\" ]; do /bin/sleep 0.05; done";

#[test]
fn a_link_in_the_place_of_results_is_named_before_anything_is_pulled() {
    for (link, to) in [
        ("dist-static", "../victim"),
        ("dist-static", "nowhere"),
        ("dist-static/linux-amd64", "../../victim"),
        ("dist-static/linux-amd64", "../app"),
        ("dist-static/linux-amd64", "nowhere"),
    ] {
        for args in ["static", "static --dry-run", "static --data-files", "test", "run"] {
            let suite = "\ntest-suite spec\n  type: exitcode-stdio-1.0\n  main-is: Spec.hs\n";
            let test = Test::new().file("demo.cabal", &format!("{DEMO_CABAL}{suite}"));
            let (victim, path) = (Victim::of(&test), test.project().join(link));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(to, &path).unwrap();
            let run = test.hsx(args).exits(2).prints_nothing();
            let run = run.says(&format!("error: `{path}` is a link, and below a project hsx writes through none\n"));
            let run = run.says("`--out-dir DIR`").says("else remove the link");
            assert!(run.calls.iter().all(Call::is_fact), "{run}");
            victim.is_untouched(&run);
            assert!(path.is_symlink() && !path.parent().unwrap().join("nowhere").exists(), "{run}");
        }
    }
}

#[test]
fn only_the_user_names_a_directory_through_a_link() {
    let through_link = || {
        let test = Test::new();
        fs_err::create_dir(test.root().join("disk")).unwrap();
        symlink(test.root().join("disk"), test.project().join("out")).unwrap();
        test
    };
    let delivered = |test: &Test| test.root().join("disk/linux-amd64/demo").exists();
    let test = through_link();
    test.hsx("static --out-dir out").exits(0);
    assert!(delivered(&test));
    let test = through_link();
    let user = format!("out-dir = \"{}\"\n", test.project().join("out"));
    let test = test.user_config(&user);
    test.hsx("static").exits(0);
    assert!(delivered(&test));
    // A name below the project is the project's, whoever gave it.
    for test in
        [through_link().file("hsx.toml", "out-dir = \"out\"\n"), through_link().user_config("out-dir = \"out\"\n")]
    {
        test.hsx("static").exits(2).says("/out` is a link");
        assert!(!delivered(&test));
    }
    // Below the user's directory there may be a project's link again.
    let test = Test::new();
    let victim = Victim::of(&test);
    fs_err::create_dir(test.project().join("out")).unwrap();
    symlink("../../victim", test.project().join("out/linux-amd64")).unwrap();
    victim.is_untouched(&test.hsx("static --out-dir out").exits(2).says("/out/linux-amd64` is a link"));
}

#[test]
fn names_that_the_project_took_lead_nowhere() {
    let test = Test::new().scenario("run-build", "echo \"$FAKE\"/../home/demo/dist-static/.hsx-* > \"$FAKE/stage\"");
    test.hsx("static").exits(0);
    let stage = fs_err::read_to_string(test.root().join("fake/stage")).unwrap();
    let stage = test.project().join("dist-static").join(stage.trim().rsplit('/').next().unwrap());
    let (out, victim) = (test.project().join("dist-static"), Victim::of(&test));
    let links = [(stage.clone(), "../../victim"), (out.join("linux-amd64/.hsx-probe"), "../../../victim/file")];
    for (path, to) in &links {
        symlink(to, path).unwrap();
    }
    fs_err::remove_file(out.join("linux-amd64/demo")).unwrap();
    symlink("../../../victim/file", out.join("linux-amd64/demo")).unwrap();
    let run = test.hsx("static").exits(0);
    victim.is_untouched(&run);
    assert!(!stage.is_symlink() && out.join("linux-amd64/.hsx-probe").is_symlink(), "{run}");
    assert_eq!(fs_err::read(out.join("linux-amd64/demo")).unwrap(), static_elf("linux/amd64"));
    assert!(!out.join("linux-amd64/demo").is_symlink(), "a verified file is in the link's place");
}

#[test]
fn a_link_that_comes_during_the_build_is_not_followed() {
    let swap = |dir: &str| {
        let path = format!("\"$FAKE/../home/demo/{dir}\"");
        format!("/bin/mv {path} \"$FAKE/moved\"; /bin/ln -s \"$FAKE/../home/victim\" {path}")
    };
    for (kind, dir, code) in [
        ("run-build", "dist-static", None),
        ("run-build", "dist-static/linux-amd64", Some(2)),
        ("run-try", "dist-static/linux-amd64", Some(2)),
        // The fake engine looks for what is to be tried where it was; a real one holds on to what it has mounted.
        ("run-try", "dist-static", None),
    ] {
        let test = Test::new().scenario(kind, &swap(dir));
        let victim = Victim::of(&test);
        let run = test.hsx("static");
        victim.is_untouched(&run);
        assert!(code.is_none_or(|code| run.code == code) && run.code > 0, "{run}");
        if code.is_some() {
            run.says(&format!("`{}` is a link", test.project().join(dir)));
        }
    }
}

#[test]
fn a_lock_and_a_freeze_replace_no_link() {
    for (args, name) in [
        ("lock", "hsx.lock"),
        ("freeze --from image", "cabal.project.freeze"),
        ("freeze --from image --force", "cabal.project.freeze"),
    ] {
        for to in ["../victim/file", "nowhere"] {
            let test = Test::new();
            let (victim, path) = (Victim::of(&test), test.project().join(name));
            symlink(to, &path).unwrap();
            let run = test.hsx(args).exits(2);
            victim.is_untouched(&run);
            assert!(path.is_symlink() && !test.project().join("nowhere").exists(), "{run}");
            assert!(run.calls_of("manifest-inspect").is_empty() && run.calls_of("run-freeze").is_empty(), "{run}");
            if !args.contains("from") || args.contains("force") {
                run.says(&format!("error: `{path}` is a link, and below a project hsx writes through none\n"))
                    .says("hint: remove the link, or put the file that it leads to in its place");
            }
        }
    }
}

#[test]
fn a_file_that_is_written_is_whole_and_leaves_nothing_beside_it() {
    for (args, name) in [("lock", "hsx.lock"), ("freeze --from image --force", "cabal.project.freeze")] {
        let test = Test::new();
        test.hsx(args).exits(0);
        let whole = fs_err::read(test.project().join(name)).unwrap();
        fs_err::remove_file(test.project().join(name)).unwrap();
        mknodat(CWD, test.project().join(name).as_str(), FileType::Fifo, Mode::RUSR, 0).unwrap();
        if name == "cabal.project.freeze" {
            // A FIFO is not read as a freeze file either.
            fs_err::remove_file(test.project().join(name)).unwrap();
        }
        test.hsx(args).exits(0);
        assert_eq!(fs_err::read(test.project().join(name)).unwrap(), whole);
        assert!(test.tree("").keys().all(|file| !file.contains(".hsx-")));
    }
}

/// A world with a package of two executables, and results of an earlier build.
fn two() -> Test {
    let other = DEMO_CABAL.split("\n\n").nth(1).unwrap().replace("executable demo", "executable other");
    let test = Test::new().file("demo.cabal", &format!("{DEMO_CABAL}\n{other}"));
    let elf = static_elf("linux/amd64");
    test.builds("linux/amd64", &[("demo:demo", &elf), ("demo:other", &elf)]);
    for file in ["demo", "share/demo/old.txt", "notes.txt"] {
        test.write(&format!("dist-static/linux-amd64/{file}"), "old");
    }
    test
}

#[test]
fn executables_come_all_together_or_not_at_all() {
    let test = two();
    test.write("dist-static/linux-amd64/other/file", "the user's");
    let before = test.tree("dist-static");
    let run = test.hsx("static --data-files").exits(2).prints_nothing();
    let run = run.says("error: linux/amd64: a directory has the name of a file that is to be delivered\n");
    let run = run.says(&format!("| `{}`: Is a directory", test.project().join("dist-static/linux-amd64/other")));
    assert_eq!(test.tree("dist-static"), before, "{run}");
    fs_err::remove_dir_all(test.project().join("dist-static/linux-amd64/other")).unwrap();
    mknodat(CWD, test.project().join("dist-static/linux-amd64/other").as_str(), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let run = test.hsx("static --data-files").exits(0);
    let elf = static_elf("linux/amd64");
    let after = test.tree("dist-static");
    assert_eq!(after["linux-amd64/demo"], elf, "{run}");
    assert_eq!(after["linux-amd64/other"], elf, "{run}");
    assert_eq!(after["linux-amd64/notes.txt"], b"old", "what is not of this build stays\n{run}");
    let other = fs_err::symlink_metadata(test.project().join("dist-static/linux-amd64/other")).unwrap();
    assert!(!other.file_type().is_fifo() && other.mode() & 0o777 == 0o755, "{run}");
}

#[test]
fn data_files_come_with_the_executables() {
    let test = two().file("words/de.txt", "new");
    let described = fs_err::read_to_string(test.project().join("demo.cabal")).unwrap();
    test.write("demo.cabal", described.replacen("\n\nexecutable", "\ndata-files: words/*.txt\n\nexecutable", 1));
    // A file where a directory of data is to be.
    fs_err::remove_dir_all(test.project().join("dist-static/linux-amd64/share/demo")).unwrap();
    test.write("dist-static/linux-amd64/share/demo", "the user's");
    let before = test.tree("dist-static");
    let run = test.hsx("static --data-files").exits(2).says("share/demo`: Not a directory");
    assert_eq!(test.tree("dist-static"), before, "{run}");
    fs_err::remove_file(test.project().join("dist-static/linux-amd64/share/demo")).unwrap();
    test.write("dist-static/linux-amd64/share/demo/old.txt", "old");
    let run = test.hsx("static --data-files").exits(0).says("Delivered").says("linux-amd64/share/demo\n");
    let after = test.tree("dist-static/linux-amd64");
    assert_eq!(after["share/demo/words/de.txt"], b"new", "{run}");
    assert!(!after.contains_key("share/demo/old.txt"), "{run}");
    // A link in its place, or above it.
    for link in ["dist-static/linux-amd64/share/demo", "dist-static/linux-amd64/share"] {
        let (victim, path) = (Victim::of(&test), test.project().join(link));
        fs_err::remove_dir_all(&path).unwrap();
        symlink(test.root().join("home/victim"), &path).unwrap();
        let run = test.hsx("static --data-files").exits(2).says(&format!("`{path}` is a link"));
        victim.is_untouched(&run);
        fs_err::remove_file(&path).unwrap();
        fs_err::create_dir_all(&path).unwrap();
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_the_build() {
    for dir in ["/proc/none", "/proc/self/fdinfo"] {
        let test = Test::new();
        let run = test.hsx(&format!("static --out-dir {dir}")).exits(2).says("the output directory is not writable");
        assert!(run.calls_of("run-build").is_empty(), "{run}");
    }
}

#[test]
fn only_the_user_enters_the_stage() {
    let test = Test::new().scenario("run-build", WAITS);
    let hsx = test.start("static");
    test.wait_for("running");
    let out = test.project().join("dist-static");
    let stages: Vec<_> = out.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect();
    let stage = stages.iter().find(|path| path.file_name().unwrap().starts_with(".hsx-")).unwrap();
    assert_eq!(fs_err::metadata(stage).unwrap().permissions().mode() & 0o777, 0o700);
    test.write_at("fake/go", "");
    hsx.end().0.exits(0);
    assert!(!stage.exists());
}

#[test]
fn a_stage_is_swept_by_any_later_build_but_not_while_it_is_used() {
    let stages = |test: &Test| -> Vec<String> {
        let out = test.project().join("dist-static");
        let entries = out.read_dir_utf8().unwrap().map(|entry| entry.unwrap());
        let stages = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        stages.map(|entry| entry.file_name().to_owned()).filter(|name| name.starts_with(".hsx-")).collect()
    };
    let test = Test::new().scenario("run-build", WAITS);
    let killed = test.start("static");
    test.wait_for("running");
    killed.signal(Signal::KILL);
    killed.end();
    let left = stages(&test);
    assert_eq!(left.len(), 1, "{left:?}");
    // What is no stage of hsx's stays: a link, a file.
    symlink("../app", test.project().join("dist-static/.hsx-link")).unwrap();
    test.write("dist-static/.hsx-file", "");
    fs_err::remove_file(test.root().join("fake/running")).unwrap();
    let using = test.start("static --ghc 9.6.6");
    test.wait_for("running");
    let used = stages(&test);
    assert!(used.len() == 1 && used != left, "{used:?} {left:?}");
    test.clear_scenario("run-build");
    // Another state has locks of its own, and yet it sees that the stage is in use.
    let state = test.root().join("home/other-state");
    let mut other = test.command(env!("CARGO_BIN_EXE_hsx"));
    let other = other.env("XDG_STATE_HOME", state).args(["static", "--ghc", "9.8.4"]).output().unwrap();
    test.ended(other).exits(0);
    assert_eq!(stages(&test), used);
    test.write_at("fake/go", "");
    using.end().0.exits(0);
    assert_eq!(stages(&test), [""; 0]);
    assert!(test.project().join("app/Main.hs").exists() && test.project().join("dist-static/.hsx-link").is_symlink());
}

/// Another user's files in a directory where everybody may write, above the project, need root to be made.
#[test]
fn what_another_user_put_above_the_project_is_not_heeded() {
    let test = Test::new().dir("mine");
    let planted = |name: &str, text: &str| {
        test.write(name, text);
        std::os::unix::fs::chown(test.project().join(name), Some(65534), Some(65534)).is_ok()
    };
    test.write("mine/mine.cabal", DEMO_CABAL.replace("name: demo", "name: mine"));
    test.write("mine/app/Main.hs", "main = pure ()\n");
    if !planted("cabal.project", "packages: .\n") {
        // Without root nobody can be somebody else.
        return;
    }
    let project = || test.hsx("static --dry-run").exits(0);
    let warning = format!("`{}` is not heeded", test.project().join("cabal.project"));
    let mount = |dir: &str| format!("source={},target=/src", test.project().join(dir).as_str().trim_end_matches('/'));
    fs_err::set_permissions(test.project(), PermissionsExt::from_mode(0o755)).unwrap();
    project().does_not_say("not heeded").prints(&mount(""));
    fs_err::set_permissions(test.project(), PermissionsExt::from_mode(0o1777)).unwrap();
    project().says(&warning).prints(&mount("mine"));
    // Named, it is the user's choice.
    test.hsx(&format!("static --dry-run -C {}", test.project())).exits(0).does_not_say("not heeded");
    // So with settings beside a project that is the user's own.
    std::os::unix::fs::chown(test.project().join("cabal.project"), Some(rustix::process::geteuid().as_raw()), None)
        .unwrap();
    assert!(planted("hsx.toml", "image = \"evil.example/x:1\"\n"));
    test.hsx("static --dry-run").exits(2).says("hsx.toml` is not heeded: it is another user's");
}
