//! `hsx freeze` and `hsx static --freeze`: whom they ask, how they translate the answers, and what they write.

use std::os::unix::fs::symlink;

use snapbox::{assert_data_eq, file, str};

use crate::fake::{Call, Run, Test};

const FILE: &str = "cabal.project.freeze";

/// What cabal says in a shell with GHC 9.12.
const HOST: &str = "\
active-repositories: :none
constraints: any.base ==4.21.0.0,
             any.ghc-internal ==9.1201.0,
             any.hashable ==1.4.6.0,
             any.random ==1.2.1.2,
             any.text ==2.1.2,
             text -developer
index-state: HEAD
";

/// A world with a cabal and a ghc-pkg, and the tools that the script for the host uses.
fn with_host() -> Test {
    let test = Test::new().fake("cabal").fake("ghc-pkg");
    test.write_at("fake/freeze", HOST);
    for tool in ["cat", "ln", "mkdir", "mktemp", "rm"] {
        let dirs = ["/bin", "/usr/bin"].map(|dir| format!("{dir}/{tool}"));
        let program = dirs.iter().find(|path| std::path::Path::new(path).exists()).expect("every system has it");
        symlink(program, test.root().join("bin").join(tool)).unwrap();
    }
    let tmp = test.root().join("tmp");
    fs_err::create_dir(&tmp).unwrap();
    test.env("TMPDIR", tmp.as_str())
}

fn written(test: &Test) -> Option<String> {
    fs_err::read_to_string(test.project().join(FILE)).ok()
}

/// The text that the container was asked to check.
fn checked(run: &Run) -> &str {
    run.calls_of("run-freeze").last().unwrap().script_args()[1]
}

#[test]
fn freeze_help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("freeze --help").exits(0).stdout, file!["snapshots/freeze-help.txt"]);
}

#[test]
fn without_a_cabal_here_the_containers_decides() {
    let test = Test::new();
    let before = test.tree("");
    let run = test.hsx("freeze").exits(0);
    let pinned = "constraints: any.base ==4.20.2.0,\n             any.random ==1.2.1.2\n\
        index-state: hackage.haskell.org 2026-01-01T00:00:00Z\n";
    assert_eq!(run.stdout, "cabal.project.freeze: 2 constraints\n");
    assert_eq!(written(&test).as_deref(), Some(pinned));
    let calls = run.calls_of("run-freeze");
    assert_eq!(calls.len(), 2, "one to ask, one to check\n{run}");
    let cabal = ["--builddir=/hsx/build/freeze", "--with-compiler=ghc", "--enable-executable-static"];
    assert_eq!(calls[0].script_args(), [&["new", "solve", "", ""], &cabal[..]].concat());
    assert_eq!(calls[1].script_args(), [&["ask", pinned, "2026-01-01T00:00:00Z", ""], &cabal[..], &["all"]].concat());
    let mut after = test.tree("");
    after.remove(FILE);
    assert_eq!(after, before, "something else was written");
    assert_eq!(test.containers(), Vec::<String>::new());
}

#[test]
fn what_came_with_the_hosts_ghc_is_left_out_and_told() {
    let test = with_host();
    let run = test.hsx("freeze").exits(0);
    assert_data_eq!(
        run.report(),
        str![[r#"
CHANGE   LINE                         REASON
dropped  active-repositories: :none   it was made without a repository, and the container has to download
dropped  any.base ==4.21.0.0          GHC 9.10.3 comes with base 4.20.2.0
dropped  any.ghc-internal ==9.1201.0  GHC 9.10.3 has no ghc-internal, and only a GHC can bring it
dropped  any.text ==2.1.2             GHC 9.10.3 comes with text 2.1.3
dropped  text -developer              the flags of an installed package are decided: GHC 9.10.3 comes with text 2.1.3
added    hashable -arch-native        hashable 1.4.5 and 1.4.6 compile for the processor of the machine that builds (`-march=native`)
dropped  index-state: HEAD            `HEAD` is whatever the index holds when cabal runs: it pins nothing
cabal.project.freeze: 3 constraints

"#]]
    );
    let pinned = "constraints: any.hashable ==1.4.6.0,\n             hashable -arch-native,\n             any.random ==1.2.1.2\n";
    assert_eq!((written(&test).as_deref(), checked(&run)), (Some(pinned), pinned));
    assert_eq!(run.calls_of("run-freeze")[0].script_args()[1], "ask");
    assert!(test.tree("").keys().all(|path| !path.contains("dist-newstyle")), "{run}");
    let left = fs_err::read_dir(test.root().join("tmp")).unwrap().count();
    assert_eq!(left, 0, "the copy is left");
}

#[test]
fn the_json_has_each_change_and_the_text() {
    let test = with_host();
    let json = test.hsx("freeze --format json").exits(0).json();
    assert_eq!(json["exit_code"], 0);
    assert!(json["path"].as_str().unwrap().ends_with("/demo/cabal.project.freeze"));
    assert_eq!(json["text"].as_str(), written(&test).as_deref());
    assert_eq!(
        (&json["changes"][1]["action"], &json["changes"][1]["line"]),
        (&"dropped".into(), &"any.base ==4.21.0.0".into())
    );
}

#[test]
fn what_a_nix_shell_has_installed_is_pinned_and_its_index_is_not() {
    let test = with_host().scenario("ghc-pkg", "packages='base-4.20.2.0 text-2.1.3 aeson-2.2.3.0'");
    test.write_at(
        "fake/freeze",
        "constraints: any.aeson ==2.2.3.0,\n any.base ==4.20.2.0\nindex-state: hackage.haskell.org 2021-01-01T00:00:00Z\n",
    );
    let run = test.hsx("freeze").exits(0).says("the host had aeson installed").prints("the host's index may be older");
    assert_eq!(checked(&run), "constraints: any.aeson ==2.2.3.0,\n             any.base ==4.20.2.0\n");
}

#[test]
fn ghc_pkg_alone_will_do() {
    let test = Test::new().fake("ghc-pkg").scenario("ghc-pkg", "packages='base-4.20.2.0 aeson-2.2.3.0 demo-0.1.0'");
    let run = test.hsx("freeze --from host").exits(0);
    assert_eq!(checked(&run), "constraints: any.aeson ==2.2.3.0,\n             any.base ==4.20.2.0\n");
    // Which to ask is the project's to say.
    let test = Test::new().file("cabal.project", "packages: .\nwith-compiler: ghc-9.6.6\n");
    let test = test.fake_as("ghc-pkg", "bin/ghc-pkg-9.6.6");
    test.hsx("freeze --from host").exits(0);
    let run = Test::new().hsx("freeze --from host").exits(3).says("neither `cabal` nor `ghc-pkg`");
    run.says("`--from image`");
}

#[test]
fn cabal_here_is_not_asked_where_the_image_is_to_decide() {
    let run = with_host().hsx("freeze --from image").exits(0);
    assert!(run.calls_of("cabal").is_empty() && run.calls_of("ghc-pkg").is_empty(), "{run}");
}

#[test]
fn the_compiler_of_the_shell_stands_in_for_the_projects() {
    let test = with_host().file("cabal.project", "packages: .\nwith-compiler: ghc-9.10.3\n");
    let run = test.hsx("freeze").exits(0);
    assert!(!run.call("cabal").has("--with-compiler=ghc"), "there is no other\n{run}");
    let test = test.fake_as("ghc-pkg", "bin/ghc");
    assert!(test.hsx("freeze --force").exits(0).call("cabal").has("--with-compiler=ghc"));
    let test = test.fake_as("ghc-pkg", "bin/ghc-9.10.3");
    assert!(!test.hsx("freeze --force").exits(0).call("cabal").has("--with-compiler=ghc"));
}

#[test]
fn the_present_file_is_translated() {
    let test = with_host().file(FILE, "constraints: any.base ==4.18.2.1,\n             any.random ==1.2.1.2\n");
    test.hsx("freeze --from file").exits(2).says("`--force`");
    let run = test.hsx("freeze --from file --force").exits(0).prints("any.base ==4.18.2.1  GHC 9.10.3 comes with base");
    assert_eq!(written(&test).as_deref(), Some("constraints: any.random ==1.2.1.2\n"));
    assert!(run.calls_of("cabal").is_empty() && run.calls_of("run-freeze")[0].script_args()[1] == "ask", "{run}");
    Test::new().hsx("freeze --from file").exits(2).says("there is no `").says("/demo/cabal.project.freeze`");
    let run = test.hsx("static --freeze=file --no-upx").exits(0);
    assert!(run.call("run-build").has("--constraint=any.random ==1.2.1.2"));
}

#[test]
fn a_project_that_tells_cabal_what_to_start_is_frozen_in_the_container() {
    let project = |more: &str| format!("packages: .\n{more}\n");
    let named = |more: &str| with_host().file("cabal.project", &project(more));
    for (test, named) in [
        (named("with-compiler: ./ghc-evil"), "`with-compiler: ./ghc-evil` in cabal.project"),
        (with_host().file("cabal.project.local", "with-hc-pkg: x\n"), "`with-hc-pkg: x` in cabal.project.local"),
        (named("import: https://example.org/x"), "`import: https://example.org/x` in cabal.project"),
        (
            named("import: sub/a.config").file("sub/a.config", "import: b.config\n"),
            "an `import:` in sub/a.config, which hsx cannot judge",
        ),
        (
            named("import: a.config").file("a.config", "if os(linux)\n  extra-prog-path: .\n"),
            "`extra-prog-path: .` in a.config",
        ),
        (named("import: cabal.project"), "imports that are nested deeper than hsx reads"),
        (
            with_host().file("hsx.toml", "cabal-args = [\"--with-compiler=./ghc-evil\"]\n"),
            "`--with-compiler=./ghc-evil` in `cabal-args` of hsx.toml",
        ),
        (named("with-compiler: ghc-9.10.3").file("ghc-9.10.3", ""), "the file `ghc-9.10.3`"),
    ] {
        let run = test.hsx("freeze").exits(0).says("warning: the container's cabal chooses the versions: ").says(named);
        assert_eq!(run.stderr.matches("the container's cabal chooses").count(), 1, "{run}");
        assert!(run.calls_of("cabal").is_empty() && run.calls_of("ghc-pkg").is_empty(), "{run}");
        assert_eq!(run.calls_of("run-freeze")[0].script_args()[1], "solve");
        let run = test.hsx("freeze --dry-run --force").exits(0).prints(named);
        assert!(!run.stdout.contains("ghc_pkg=$1"), "{run}");
        let run = test.hsx("static --freeze --no-upx").exits(0).says(named);
        assert!(run.calls_of("cabal").is_empty(), "{run}");
        for args in ["freeze --force --from host", "static --freeze=host", "freeze --force --from host --dry-run"] {
            let run = test.hsx(args).exits(2).prints_nothing().says(named).says("`--from image`");
            assert!(run.calls_of("cabal").is_empty(), "{run}");
        }
    }
    // What the user types is the user's, and what is on PATH too.
    let test = with_host().file("cabal.project", &project("with-compiler: ghc-9.10.3"));
    test.hsx("freeze --cabal-arg=--with-gcc=./mine").exits(0).call("cabal");
}

#[test]
fn cabal_here_looks_for_no_project_above_the_copy() {
    let test = with_host().scenario("cabal", "[ -e cabal.project ] || exit 1");
    test.hsx("freeze").exits(0);
    assert!(!test.project().join("cabal.project").exists());
    test.write("cabal.project", "packages: demo.cabal\n");
    test.set_scenario("cabal", "read -r line < cabal.project; [ \"$line\" = 'packages: demo.cabal' ] || exit 1");
    test.hsx("freeze --force").exits(0);
}

#[test]
fn every_platform_is_asked_and_has_to_agree() {
    let test = Test::new().scenario(
        "run-freeze",
        "[ \"$platform\" != linux/arm64 ] || [ \"$2\" != ask ] || {\n\
         printf '%s\\n' 'ghc 9.12.2' 'packages base-4.21.0.0' 'repositories hackage.haskell.org'; exit; }",
    );
    let run = test.hsx("freeze -p amd64,arm64").exits(0);
    let run = run.prints("any.base ==4.20.2.0  linux/arm64: GHC 9.12.2 comes with base 4.21.0.0");
    let platforms: Vec<_> = run.calls_of("run-freeze").iter().map(|call| call.value("--platform").unwrap()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64", "linux/amd64", "linux/arm64"]);
    let tasks: Vec<_> = run.calls_of("run-freeze").iter().map(|call| call.script_args()[1]).collect();
    assert_eq!(tasks[..2], ["solve", "ask"]);
}

#[test]
fn where_the_survey_had_to_be_emulated_so_is_the_check() {
    let test = Test::new().scenario("run-cross", "echo 'cross: no shell'; exit 102");
    let dry = test.hsx("freeze -p arm64 --dry-run").exits(0);
    dry.prints("# where what comes before had to be emulated, hsx emulates this too\n");
    let run = test.hsx("freeze -p arm64").exits(0).says("FAILED");
    let entries: Vec<_> = run.calls_of("run-freeze").iter().map(|call| call.value("--entrypoint").unwrap()).collect();
    assert_eq!(entries, ["/bin/sh", "/bin/sh"], "{run}");
    let dry = Test::new().hsx("freeze --dry-run").exits(0);
    assert!(!dry.stdout.contains("had to be emulated"), "{dry}");
}

#[test]
fn an_unfit_freeze_is_not_written() {
    let fails = "case $2 in ask | solve) ;; *) echo 'Error: Could not resolve dependencies' >&2; exit 100 ;; esac";
    let test = Test::new().scenario("run-freeze", fails).file(FILE, "mine");
    let run = test.hsx("freeze --force").exits(1).prints_nothing().says("Could not resolve dependencies");
    run.says("linux/amd64: the container cannot honour the freeze").says("log: ");
    assert_eq!(written(&test).as_deref(), Some("mine"));
    let names: Vec<_> = test.tree("").into_keys().filter(|path| path.contains("hsx")).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_failing_cabal_says_why() {
    let test = with_host().scenario("cabal", "echo 'Error: no ghc' >&2; exit 1");
    let run = test.hsx("freeze").exits(1).says("Error: no ghc\n").says("error: `cabal freeze` failed on the host");
    let run = run.says("hint: let the container's cabal choose");
    assert!(run.calls_of("run-freeze").is_empty(), "{run}");
    test.hsx("freeze -q").exits(1).says("Error: no ghc\n");
    Test::new().scenario("run-freeze", "exit 100").hsx("freeze").exits(1).says("linux/amd64: cabal freeze failed");
}

#[test]
fn a_freeze_file_is_replaced_only_by_force() {
    let test = Test::new().file(FILE, "mine");
    let run = test.hsx("freeze").exits(2).prints_nothing().says("cabal.project.freeze` already").says("`--force`");
    assert!(run.calls_of("run-freeze").is_empty(), "{run}");
    assert_eq!(written(&test).as_deref(), Some("mine"));
    test.hsx("freeze --force").exits(0);
    assert!(written(&test).unwrap().starts_with("constraints: "));
}

#[test]
fn one_that_appears_meanwhile_is_kept() {
    let script = "printf mine > \"$source/cabal.project.freeze\"";
    let test = Test::new();
    let script = script.replace("$source", test.project().as_str());
    let test = test.scenario("run-freeze", &script);
    test.hsx("freeze").exits(2).says("cabal.project.freeze` already");
    assert_eq!(written(&test).as_deref(), Some("mine"));
}

#[test]
fn a_dry_run_prints_what_it_would_ask() {
    let test = with_host();
    let before = test.tree("");
    let run = test.hsx("freeze --dry-run").exits(0);
    assert!(run.calls.iter().all(Call::is_fact), "{run}");
    assert_eq!(test.tree(""), before);
    let run = run
        .prints("/bin/sh -c '")
        .prints("cabal freeze")
        .prints("ghc-pkg solve ")
        .prints("${freeze:?the text of the freeze file}");
    run.prints("/demo/cabal.project.freeze\n");
}

#[test]
fn offline_nothing_is_downloaded() {
    let test = Test::new();
    test.hsx("static").exits(0);
    let run = test.hsx("freeze --offline").exits(0);
    assert!(run.calls_of("run-freeze").iter().all(|call| call.value("--network") == Some("none")), "{run}");
}

#[test]
fn a_sibling_package_is_in_the_copy() {
    let test = with_host();
    test.write_at("home/lib/lib.cabal", "name: lib\nversion: 1\n");
    let test =
        test.file("cabal.project", "packages: . ../lib\n").scenario("cabal", "[ -e ../lib/lib.cabal ] || exit 1");
    test.hsx("freeze --allow-mount ../lib").exits(0);
}

#[test]
fn static_freeze_is_for_one_build() {
    let test = with_host();
    let before = test.tree("");
    let run = test.hsx("static --freeze --no-upx").exits(0).says("any.base ==4.21.0.0: GHC 9.10.3 comes with base");
    let constraints = ["any.hashable ==1.4.6.0", "hashable -arch-native", "any.random ==1.2.1.2"];
    let constraints = constraints.map(|constraint| format!("--constraint={constraint}"));
    for phase in ["run-fetch", "run-build"] {
        let args = run.call(phase).script_args();
        assert!(constraints.iter().all(|constraint| args.contains(&constraint.as_str())), "{run}");
        assert!(run.call(phase).values("--mount").iter().all(|mount| !mount.contains("freeze")), "{run}");
    }
    let mut after = test.tree("");
    after.retain(|path, _| !path.starts_with("dist-static/"));
    assert_eq!(after, before);
}

#[test]
fn static_freeze_does_without_the_file_that_is_there() {
    let test = with_host().file(FILE, "constraints: any.base ==1\n");
    let run = test.hsx("static --freeze=image --no-upx --format json").exits(0);
    for phase in ["run-fetch", "run-build"] {
        let mounts = run.call(phase).values("--mount");
        let hidden = mounts.iter().find(|mount| mount.contains("target=/src/cabal.project.freeze,readonly")).unwrap();
        let source = hidden.strip_prefix("type=bind,source=").and_then(|rest| rest.split(',').next()).unwrap();
        assert_eq!(fs_err::read_to_string(source).unwrap(), "");
    }
    assert_eq!(run.call("run-fetch").script_args()[1], "2026-01-01T00:00:00Z");
    let json = run.json();
    assert_eq!(json["platforms"][0]["executables"][0]["name"], "demo");
    assert!(json["freeze"]["text"].as_str().unwrap().contains("any.random ==1.2.1.2"));
    assert_eq!(written(&test).as_deref(), Some("constraints: any.base ==1\n"));
    test.hsx("static --freeze=host --dry-run").exits(0).prints(" \"$@\"").prints("cabal freeze");
}
