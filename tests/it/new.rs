//! `hsx new`: the files it writes and the questions it asks. It writes nothing when something is wrong.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use snapbox::{assert_data_eq, file, str};

use crate::fake::{Run, Test};

/// A world without programs, on 24 November 2026.
fn world() -> Test {
    Test::empty().env("SOURCE_DATE_EPOCH", "1795500000")
}

/// A world with git, which knows somebody.
fn world_with_git() -> Test {
    let test = world().real("git").env("GIT_CONFIG_NOSYSTEM", "1");
    test.write_at("home/.gitconfig", "[user]\nname = Ada Lovelace\nemail = ada@example.org\n[github]\nuser = ada\n");
    test
}

/// The names of a project's files, one a line, without those of git.
fn names(test: &Test, dir: &str) -> String {
    let names = test.tree(dir).into_keys().filter(|name| !name.ends_with('/') && !name.starts_with(".git/"));
    names.map(|name| name + "\n").collect()
}

fn text(test: &Test, path: &str) -> String {
    fs_err::read_to_string(test.project().join(path)).unwrap()
}

/// Fails if anything was written.
#[track_caller]
fn assert_empty(test: &Test) {
    assert!(test.tree("").is_empty(), "something was written: {:?}", test.tree("").keys());
}

#[test]
fn a_project_of_each_template() {
    for template in ["cli", "minimal"] {
        let test = world();
        let run = test.hsx(&format!("new hello --yes --template {template} --nix")).exits(0);
        assert_eq!(run.stdout, format!("{}/hello\n", test.project()));
        let snapshot = format!("tests/it/snapshots/new-{template}.txt");
        assert_data_eq!(names(&test, "hello"), snapbox::Data::read_from(snapshot.as_ref(), None));
    }
}

#[test]
fn the_description_of_the_package() {
    let test = world_with_git();
    test.hsx("new hello-world --yes --license BSD-3-Clause").exits(0);
    assert_data_eq!(text(&test, "hello-world/hello-world.cabal"), file!["snapshots/new-hello-world.cabal"]);
    assert_data_eq!(
        text(&test, "hello-world/cabal.project"),
        str![[r#"
packages: .

-- The compiler of this project, in `hsx static` too; `ghcup install ghc 9.10.3` puts it on PATH.
with-compiler: ghc-9.10.3

-- Packages as Hackage had them then: builds find the same ones every time.
index-state: 2026-11-23T00:00:00Z

"#]]
    );
    let license = text(&test, "hello-world/LICENSE");
    assert!(license.starts_with("BSD 3-Clause License\n\nCopyright (c) 2026 Ada Lovelace\n"), "{license}");
}

const COMPONENTS: [&str; 3] = ["library", "executable", "library,executable"];
const LICENSES: [&str; 5] = ["MIT", "BSD-3-Clause", "Apache-2.0", "MPL-2.0", "none"];

/// Every combination of what decides which lines there are; and each licence somewhere.
#[test]
fn whatever_is_chosen_the_files_are_clean_and_free_of_traps() {
    let mut licenses = LICENSES.into_iter().cycle();
    for template in ["cli", "minimal"] {
        for components in COMPONENTS {
            for github in ["none", "ada/hello"] {
                for nix in ["true", "false"] {
                    let license = licenses.next().unwrap();
                    let test = world();
                    let flags = format!("--template {template} --components {components} --github {github}");
                    let args = format!("new hello --yes {flags} --nix={nix} --license {license}");
                    test.hsx(&args).exits(0);
                    check_files(&test, &args);
                    let has = |name: &str| test.project().join("hello").join(name).exists();
                    assert_eq!(has("LICENSE"), license != "none", "{args}");
                    assert_eq!(has("flake.nix"), nix == "true", "{args}");
                    assert_eq!(has("app/Main.hs"), components.contains("executable"), "{args}");
                    assert_eq!(has("hsx.toml"), components.contains("executable"), "{args}");
                    let readme = text(&test, "hello/README.md");
                    assert_eq!(readme.contains("badge.svg"), github != "none", "{args}");
                    assert_eq!(readme.contains("preferStaticEmulators"), nix == "true" && has("app"), "{args}");
                }
            }
        }
    }
}

fn check_files(test: &Test, args: &str) {
    for (name, content) in test.tree("hello").into_iter().filter(|(name, _)| !name.ends_with('/')) {
        let made = String::from_utf8(content).unwrap();
        let place = format!("{name} of `{args}`:\n{made}");
        for left in ["{=", "=}", "{%", "%}", "\t", "\n\n\n"] {
            assert!(!made.contains(left), "{left:?} in {place}");
        }
        assert!(made.ends_with('\n') && !made.ends_with("\n\n") && !made.starts_with('\n'), "{place}");
        assert!(name == "LICENSE" || made.lines().all(|line| line == line.trim_end()), "{place}");
        // Traps of other templates: what holds for one machine, one day or one compiler only.
        assert!(name == ".github/workflows/ci.yml" || !made.contains("-Werror"), "{place}");
        assert!(name != ".gitignore" || !made.contains(".cabal\n"), "{place}");
        for trap in ["-with-rtsopts", "package *", "getCurrentTime", "hpack"] {
            assert!(!made.contains(trap), "{trap} in {place}");
        }
    }
}

#[test]
fn hsx_static_reads_the_project() {
    let test = Test::new().without_file("demo.cabal").without_file("app/Main.hs");
    test.hsx("new demo --yes --dir other").exits(0);
    let run = test.hsx("static --dry-run --directory other").exits(0);
    run.prints("quay.io/benz0li/ghc-musl").prints("# linux/amd64").prints("# linux/arm64").prints("9.10.3");
}

/// The script of a step of the workflow.
fn script(workflow: &str, step: &str) -> String {
    let rest = workflow.split_once(&format!("- name: {step}\n")).unwrap().1.split_once("run: |\n").unwrap().1;
    rest.lines().map_while(|line| line.strip_prefix("          ")).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn the_workflow_makes_an_archive_for_each_platform() {
    for license in ["MIT", "none"] {
        let test = world();
        test.hsx(&format!("new hello --yes --license {license} --dir .")).exits(0);
        for platform in ["linux-amd64", "linux-arm64"] {
            test.write(&format!("dist-static/{platform}/hello"), platform);
        }
        let workflow = text(&test, ".github/workflows/ci.yml");
        test.shell(&format!("set -e\n{}", script(&workflow, "Make the archives"))).exits(0);
        test.shell("cd archives && sha256sum --quiet --check SHA256SUMS").exits(0);
        let list = test.shell("tar --list --file archives/hello-0.1.0.0-linux-arm64.tar.gz").exits(0).stdout;
        let has_license = list.contains("hello-0.1.0.0-linux-arm64/LICENSE\n");
        assert_eq!(has_license, license == "MIT", "{list}");
        let program = "tar -xOf archives/hello-0.1.0.0-linux-amd64.tar.gz hello-0.1.0.0-linux-amd64/hello";
        assert_eq!(test.shell(program).exits(0).stdout, "linux-amd64");
        let install = script(&workflow, "Install hsx");
        test.shell(&format!("set -e\n{install}"))
            .exits(1)
            .prints("::error::set the repository variable HSX_REPOSITORY");
    }
}

#[test]
fn what_is_typed_is_in_the_project() {
    let test = world();
    let args = ["new", "demo", "--yes", "--no-git", "--author", "Bo", "--maintainer", "bo@example.org", "--ghc", "9.6"];
    let run = test.hsx_args(&[&args[..], &["--synopsis", r#"Says "no" \ more"#, "--github", "bo/demo"]].concat());
    run.exits(0).does_not_say("warning");
    let cabal = text(&test, "demo/demo.cabal");
    for line in [
        "synopsis:        Says \"no\" \\ more\n",
        "author:          Bo\n",
        "maintainer:      bo@example.org\n",
        "tested-with:     GHC ==9.6.7\n",
        "  location: https://github.com/bo/demo.git\n",
        "base >=4.18 && <5\n",
    ] {
        assert!(cabal.contains(line), "{line}\n{cabal}");
    }
    assert!(text(&test, "demo/src/Demo/Cli.hs").contains(r#"progDesc "Says \"no\" \\ more""#));
    let test = world().env("HSX_GHC", "9.8.4");
    test.hsx("new demo --yes --license mpl-2.0").exits(0);
    assert!(text(&test, "demo/cabal.project").contains("with-compiler: ghc-9.8.4\n"));
    assert!(text(&test, "demo/demo.cabal").contains("license:         MPL-2.0\n"));
}

#[test]
fn the_templates_are_listed() {
    assert_data_eq!(
        world().hsx("new --list-templates").exits(0).stdout,
        str![[r#"
cli      A library and a thin executable with optparse-applicative; `--version` tells the git commit
minimal  An executable that needs nothing but base

"#]]
    );
    let json = world().hsx("new --list-templates --format json").exits(0).json();
    assert_eq!(json["templates"][0]["name"], "cli");
}

#[test]
fn programs_are_told_what_was_made() {
    let test = world_with_git();
    let run = test.hsx("new demo --yes --format json -q").exits(0);
    assert_eq!(run.stderr, "");
    let json = run.json();
    assert_eq!((&json["exit_code"], &json["git"]), (&0.into(), &"committed".into()));
    assert_eq!(json["directory"], test.project().join("demo").as_str());
    assert_eq!(json["files"].as_array().unwrap().len(), names(&test, "demo").lines().count());
    let run = test.hsx("new demo --yes --format json").exits(2);
    assert_eq!(run.json()["exit_code"], 2);
}

// Git.

#[test]
fn the_project_is_a_repository_with_one_commit() {
    let test = world_with_git();
    let run = test.hsx("new hello --yes").exits(0).does_not_say("warning");
    assert_data_eq!(
        run.message(),
        str![[r#"
     Created `hello` from the template `cli`: 16 files, a git repository with one commit
             cd hello
             hsx static   static executables, in dist-static

"#]]
    );
    let git = |args: &str| test.shell(&format!("git -C hello {args}")).exits(0).stdout;
    assert_eq!(git("log --format='%an <%ae> %s'"), "Ada Lovelace <ada@example.org> Start hello\n");
    assert_eq!(git("status --porcelain"), "");
    assert_eq!(git("rev-parse --abbrev-ref HEAD"), "main\n");
    assert_eq!(git("ls-files").lines().count(), names(&test, "hello").lines().count());
    assert!(text(&test, "hello/hello.cabal").contains("https://github.com/ada/hello"));
}

#[test]
fn without_git_the_project_is_made_all_the_same() {
    let test = world();
    let run = test.hsx("new hello --yes").exits(0);
    assert_data_eq!(
        run.message(),
        str![[r#"
warning: git does not know your name: The hello authors is the author in `hello.cabal`
warning: there is no git repository: git is not on PATH; the files are all there
hint: `--no-git` asks for none
     Created `hello` from the template `cli`: 16 files
             cd hello
             hsx static   static executables, in dist-static

"#]]
    );
    world().hsx("new hello --yes --no-git --author Bo").exits(0).does_not_say("git");
}

#[test]
fn somebody_git_does_not_know_is_told_so() {
    let test = world_with_git();
    test.write_at("home/.gitconfig", "[user]\nuseConfigOnly = true\n");
    let run = test.hsx("new hello --yes").exits(0);
    run.says("there is no first commit; the files are all there").says("git config --global user.name NAME");
    assert!(test.project().join("hello/.git/HEAD").exists());
    assert!(test.project().join("hello/hello.cabal").exists());
}

#[test]
fn a_part_of_a_repository_gets_none_of_its_own() {
    let test = world_with_git();
    test.shell("git init --quiet").exits(0);
    test.hsx("new hello --yes").exits(0).does_not_say("warning");
    assert!(!test.project().join("hello/.git").exists());
    assert_eq!(test.hsx("new other --yes --format json").exits(0).json()["git"], "within another");
    assert_eq!(test.hsx("new beside --yes --format json --dir ../beside").exits(0).json()["git"], "committed");
}

// Places.

#[test]
fn the_project_goes_where_it_is_told_to() {
    let test = world();
    test.hsx("new hello --yes --no-git --dir deep/down/here").exits(0);
    assert!(test.project().join("deep/down/here/hello.cabal").exists());
    let mode = fs_err::metadata(test.project().join("deep/down/here")).unwrap().permissions().mode();
    let parents = fs_err::metadata(test.project().join("deep")).unwrap().permissions().mode();
    assert_eq!(mode, parents, "the project is more private than other directories");
}

#[test]
fn an_empty_directory_is_filled_even_the_one_we_are_in() {
    let test = world_with_git();
    test.hsx("new hello --yes --dir .").exits(0).says("Created `.` from").does_not_say("cd ");
    assert!(test.project().join("hello.cabal").exists() && test.project().join(".git").exists());
    assert_eq!(test.shell("git status --porcelain").exits(0).stdout, "");
    assert!(!test.tree("").keys().any(|name| name.starts_with(".hsx")), "the stage is left");
}

#[test]
fn a_place_that_is_taken_is_left_alone() {
    let test = world().file("hello/notes.txt", "mine").file("note", "mine too");
    let before = test.tree("");
    let run = test.hsx("new hello --yes").exits(2).prints_nothing();
    run.says("hello` is there already, and not empty").says("`--dir` names another place");
    test.hsx("new hello --yes --dir note").exits(2).says("note` is a file");
    test.hsx("new hello --yes --dir note/below").exits(2).says("cannot be");
    assert_eq!(test.tree(""), before);
}

// What is wrong leaves nothing.

#[test]
fn a_name_that_cabal_refuses_is_refused() {
    let test = world();
    let run = test.hsx("new my_app --yes").exits(2).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
error: `my_app` cannot be the name of a package: `_` is neither a letter of ASCII, nor a digit, nor `-`
hint: `my-app` can

"#]]
    );
    for name in ["app-2", "base", "all", "Prelude", "a--b", "naïve"] {
        test.hsx_args(&["new", name, "--yes"]).exits(2).says("cannot be the name of a package");
    }
    test.hsx("new --yes").exits(2).says("a project needs a name").says("`hsx new NAME`");
    test.hsx("new").exits(2).says("a project needs a name");
    assert_empty(&test);
}

#[test]
fn flags_that_are_not_usable_are_refused() {
    let test = world();
    for (args, said) in [
        ("--license GPL-3.0", "possible values: MIT, BSD-3-Clause, Apache-2.0, MPL-2.0, none"),
        ("--components tests", "possible values: library, executable"),
        ("--ghc 9.99", "there is no GHC 9.99"),
        ("--github nobody", "`nobody` is no repository of GitHub"),
        ("--template nope", "the template `nope` cannot be read"),
        ("--template nope", "name a directory, or one of `cli`, `minimal`"),
    ] {
        test.hsx(&format!("new hello --yes {args}")).exits(2).prints_nothing().says(said);
    }
    assert_empty(&test);
}

#[test]
fn a_template_of_ones_own() {
    let test = world_with_git();
    for (path, content) in [
        ("{=name=}.cabal", "cabal-version: 3.0\nname: {= name =}\nversion: 0\n"),
        ("src/{= module =}.hs", "module {= module =} where\n-- ${{ untouched }}\n"),
        ("LICENSE", "{= license_text =}"),
        ("nix.md", "{% if nix %}\nNix\n{% endif %}\n"),
        ("empty", ""),
        (".git/HEAD", "not the project's"),
    ] {
        test.write_at(&format!("template/{path}"), content);
    }
    test.write_at("template/logo", [0xff, 0x00, b'{', b'=']);
    test.write_at("template/run", "#!/bin/sh\n");
    let script = test.root().join("template/run");
    fs_err::set_permissions(script, PermissionsExt::from_mode(0o755)).unwrap();
    test.hsx("new my-own --yes --template ../../template --license none").exits(0).says("5 files");
    let tree = test.tree("my-own");
    assert_eq!(names(&test, "my-own"), "empty\nlogo\nmy-own.cabal\nrun\nsrc/MyOwn.hs\n");
    assert_eq!(tree["src/MyOwn.hs"], b"module MyOwn where\n-- ${{ untouched }}\n");
    assert_eq!(tree["logo"], [0xff, 0x00, b'{', b'=']);
    let mode = |name: &str| fs_err::metadata(test.project().join("my-own").join(name)).unwrap().permissions().mode();
    assert_eq!((mode("run") & 0o100, mode("empty") & 0o100), (0o100, 0));
}

#[test]
fn a_template_with_an_unknown_placeholder_makes_nothing() {
    let test = world();
    test.write_at("template/a", "fine\n");
    test.write_at("template/b", "{% if nix %}\n{= nmae =}\n{% endif %}\n");
    let run = test.hsx("new hello --yes --template ../../template").exits(2).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
error: the text of the template's `b` has an unknown placeholder `nmae`
hint: placeholders: `author`, `base`, `executable`, `ghc`, `github`, `hsx_repository`, `index_state`, `library`, `license`, `license_text`, `maintainer`, `module`, `name`, `nix`, `synopsis`, `year`

"#]]
    );
    test.write_at("template/b", "1\n{% if nix %}\n");
    let run = test.hsx("new hello --yes --template ../../template").exits(2);
    run.says("the text of the template's `b` is not valid, line").says("unexpected end of input");
    assert_empty(&test);
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    for dir in ["hello", "."] {
        let test = world();
        let git = "#!/bin/sh\ncase $* in *init*) : >\"$FAKE/started\"; while :; do /bin/sleep 1; done ;; esac\n";
        test.write_at("bin/git", git);
        fs_err::set_permissions(test.root().join("bin/git"), PermissionsExt::from_mode(0o755)).unwrap();
        let running = test.start(&format!("new hello --yes --dir {dir}"));
        test.wait_for("started");
        running.signal(Signal::INT);
        running.end().0.exits(130).prints_nothing().says("interrupted by SIGINT");
        assert_empty(&test);
    }
}

#[test]
fn what_a_killed_run_left_is_swept_by_the_next_and_nothing_else_is() {
    for dir in ["hello", "."] {
        let test = world();
        let waits = ": >\"$FAKE/started\"; while [ -e \"$FAKE/started\" ]; do /bin/sleep 0.1; done";
        test.write_at("bin/git", format!("#!/bin/sh\ncase $* in *init*) {waits} ;; esac\n"));
        fs_err::set_permissions(test.root().join("bin/git"), PermissionsExt::from_mode(0o755)).unwrap();
        let killed = test.start(&format!("new hello --yes --dir {dir}"));
        test.wait_for("started");
        let stages = || {
            test.tree("")
                .into_keys()
                .filter(|name| name.matches('/').count() == 1 && name.ends_with('/') && name.starts_with(".hsx-new-"))
                .count()
        };
        assert_eq!(stages(), 1);
        test.hsx("new other --yes --no-git --dir other").exits(0);
        assert_eq!(stages(), 1, "somebody is at it");
        fs_err::remove_dir_all(test.project().join("other")).unwrap();
        killed.signal(Signal::KILL);
        killed.end();
        assert_eq!(stages(), 1);
        test.hsx(&format!("new hello --yes --no-git --dir {dir}")).exits(0);
        assert_eq!(stages(), 0);
        assert!(test.project().join(dir).join("hello.cabal").exists());
        fs_err::remove_file(test.root().join("fake/started")).unwrap();
    }
}

// Questions.

/// An hsx at a terminal of its own.
struct AtTerminal<'a> {
    test: &'a Test,
    terminal: File,
    child: Child,
    shown: Vec<u8>,
}

impl<'a> AtTerminal<'a> {
    fn start(test: &'a Test, args: &str) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let mut command = test.command(env!("CARGO_BIN_EXE_hsx"));
        command.args(args.split_whitespace()).stdin(open()).stderr(open()).stdout(Stdio::piped());
        // With the command go this process's ends of the terminal: it is closed when hsx ends.
        Self { test, terminal: terminal.into(), child: command.spawn().unwrap(), shown: Vec::new() }
    }

    fn types(mut self, text: &str) -> Self {
        self.terminal.write_all(text.as_bytes()).unwrap();
        self
    }

    fn wait_for(mut self, text: &str) -> Self {
        while !String::from_utf8_lossy(&self.shown).contains(text) {
            let mut byte = [0];
            self.terminal.read_exact(&mut byte).unwrap();
            self.shown.extend(byte);
        }
        self
    }

    fn ends(mut self) -> Run {
        // A closed terminal is an error to read from.
        let _ = self.terminal.read_to_end(&mut self.shown);
        let mut run = self.test.ended(self.child.wait_with_output().unwrap());
        run.stderr = String::from_utf8(self.shown).unwrap().replace("\r\n", "\n");
        run
    }
}

/// Runs hsx at a terminal, where somebody types.
fn at_terminal(test: &Test, args: &str, typed: &str) -> Run {
    AtTerminal::start(test, args).types(typed).ends()
}

#[test]
fn somebody_at_a_terminal_is_asked_for_what_no_flag_says() {
    let test = world_with_git();
    let typed = "my_app\nmy-app\nDoes it\n\n\nnone\nMPL-2.0\n9.6\nexecutable\ny\n";
    let run = at_terminal(&test, "new --color never", typed).exits(0);
    for question in [
        "? Name of the package: ",
        "error: `my_app` cannot be the name of a package",
        "? What it is, in a line [The my-app program]: ",
        "? Author [Ada Lovelace]: ",
        "? Maintainer's address [ada@example.org]: ",
        "? GitHub repository, OWNER/NAME, `none` [ada/my-app]: ",
        "? Licence: MIT, BSD-3-Clause, Apache-2.0, MPL-2.0, `none` [MIT]: ",
        "? GHC [9.10.3]: ",
        "? Components: library, executable, or both [library,executable]: ",
        "? Nix flake [no]: ",
        "Created `my-app`",
    ] {
        assert!(run.stderr.contains(question), "{question}\n{run}");
    }
    let cabal = text(&test, "my-app/my-app.cabal");
    assert!(cabal.contains("synopsis:        Does it\n") && !cabal.contains("\nlibrary\n"), "{cabal}");
    assert!(test.project().join("my-app/flake.nix").exists());
}

#[test]
fn yes_asks_nothing() {
    let test = world_with_git();
    let run = at_terminal(&test, "new hello --yes", "").exits(0);
    assert!(!run.stderr.contains('?'), "{run}");
}

#[test]
fn nothing_is_asked_for_a_place_that_is_taken() {
    let test = world().file("hello/notes.txt", "mine");
    let run = at_terminal(&test, "new hello", "").exits(2).says("is there already, and not empty");
    assert!(!run.stderr.contains('?'), "{run}");
}

#[test]
fn somebody_who_leaves_gets_nothing() {
    let test = world();
    // Ctrl-D
    let run = at_terminal(&test, "new", "hello\n\n\x04").exits(2);
    assert!(run.stderr.contains("there was no answer"), "{run}");
    assert_empty(&test);
}

#[test]
fn a_signal_ends_the_questions() {
    let test = world();
    let hsx = AtTerminal::start(&test, "new hello").wait_for("What it is");
    kill_process(Pid::from_child(&hsx.child), Signal::INT).unwrap();
    hsx.ends().exits(130).says("interrupted by SIGINT");
    assert_empty(&test);
}
