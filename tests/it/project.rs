//! How hsx finds the project, its packages, and the targets to build.

use snapbox::{assert_data_eq, str};

use crate::fake::{Call, DEMO_CABAL, Run, Test, static_elf};

fn cabal(name: &str, executables: &[&str]) -> String {
    let stanzas: Vec<_> = executables.iter().map(|exe| format!("\nexecutable {exe}\n  main-is: Main.hs\n")).collect();
    format!("cabal-version: 3.0\nname: {name}\nversion: 1.0\n{}", stanzas.concat())
}

/// The bind mounts of the build, as `SOURCE TARGET` seen from the home directory.
fn mounts(run: &Run, test: &Test) -> Vec<String> {
    let home = test.root().join("home").into_string();
    let binds = run.call("run-build").values("--mount").into_iter().filter_map(|mount| {
        let (source, target) = mount.strip_prefix("type=bind,source=")?.split_once(",target=")?;
        Some(format!("{} {}", source.replace(&home, "~"), target.trim_end_matches(",readonly")))
    });
    binds.collect()
}

#[test]
fn the_project_is_found_from_below() {
    let test = Test::new().dir("app/deep/er");
    let run = test.hsx("static").exits(0);
    assert_eq!(mounts(&run, &test), ["~/demo /src"]);
    assert!(test.project().join("dist-static/linux-amd64/demo").is_file());
    // As seen from where hsx was typed, or else in full.
    assert!(run.stdout.contains(test.project().join("dist-static/linux-amd64/demo").as_str()), "{run}");
}

#[test]
fn a_directory_can_be_named() {
    let test = Test::empty().fake("podman").file("inner/demo.cabal", DEMO_CABAL);
    test.builds("linux/amd64", &[("demo:demo", &static_elf("linux/amd64"))]);
    for flag in ["-C", "--directory"] {
        let run = test.hsx(&format!("static {flag} inner")).exits(0);
        assert_eq!(mounts(&run, &test), ["~/demo/inner /src"]);
        assert!(run.stdout.contains(" inner/dist-static/linux-amd64/demo "), "{run}");
    }
    test.hsx("static -C nowhere").exits(2).says("nowhere` cannot be read");
}

#[test]
fn cabals_own_flags_for_the_place_of_a_project_are_heeded_or_refused() {
    let test =
        Test::new().file("ci.project", "packages: other\n").file("other/other.cabal", "name: other\nversion: 1\n");
    test.hsx("static --dry-run --cabal-arg=--project-file=ci.project").exits(2).says("this project has no executable");
    test.hsx("static --cabal-arg=--project-file=none.project").exits(2).says("list the packages in `none.project`");
    test.hsx("static --cabal-arg=--project-dir=other").exits(2).says("hint: `--directory DIR` names the project");
}

#[test]
fn without_a_project_it_is_said_what_one_is() {
    let run = Test::empty().fake("podman").hsx("static").exits(2).prints_nothing();
    assert!(run.calls.is_empty(), "{run}");
    assert_data_eq!(
        run.message(),
        str![[r#"
error: no Haskell project in `[ROOT]/home/demo` or above it
hint: hsx looks for a `cabal.project`, a `.cabal` file or a `package.yaml`; `--directory` names a place

"#]]
    );
}

#[test]
fn a_project_file_above_a_package_is_the_project() {
    let test = Test::new().without_file("demo.cabal").file("cabal.project", "packages: */*.cabal\n");
    let test = test.file("a/a.cabal", &cabal("a", &["one"])).file("b/b.cabal", &cabal("b", &[])).dir("a");
    test.builds("linux/amd64", &[("a:one", &static_elf("linux/amd64"))]);
    let run = test.hsx("static").exits(0);
    assert_eq!(mounts(&run, &test), ["~/demo /src"]);
    assert_eq!(run.call("run-build").script_args().last(), Some(&"all:exes"));
    assert!(run.call("run-build").value("--name").unwrap().starts_with("hsx-demo-linux-amd64-"), "{run}");
}

#[test]
fn a_package_without_a_project_file_may_have_its_companions() {
    for file in ["cabal.project.freeze", "cabal.project.local"] {
        let test = Test::new().file(file, "constraints: any.base ==4.18.2.1\n");
        let run = test.hsx("static").exits(0);
        assert_eq!(run.call("run-build").script_args().last(), Some(&"all:exes"));
    }
}

/// A project that names a package beside it.
fn with_sibling() -> Test {
    let test = Test::new().file("cabal.project", "packages: .\n          ../lib/\n");
    test.write("../lib/lib.cabal", cabal("lib", &[]));
    test
}

#[test]
fn packages_beside_the_project_are_mounted_beside_it_by_agreement() {
    for flags in ["--allow-mount ../lib", "--allow-mount .."] {
        let test = with_sibling();
        let run = test.hsx(&format!("static {flags}")).exits(0);
        assert_eq!(mounts(&run, &test), ["~/demo /src/demo", "~/lib /src/lib"]);
        assert_eq!(run.call("run-build").value("--workdir"), Some("/src/demo"));
        let json = test.hsx(&format!("static {flags} --format json")).exits(0).json();
        assert_eq!(json["mounts"][1]["target"], "/src/lib");
        assert_eq!(json["mounts"][1]["reason"], "a package in `packages:`");
        let plan = test.hsx(&format!("static --force --dry-run {flags}")).exits(0);
        let home = test.root().join("home");
        plan.prints(&format!("# it sees {home}/demo: the project\n# it sees {home}/lib: a package in `packages:`\n"));
    }
}

#[test]
fn what_the_user_has_not_agreed_to_is_not_shown() {
    let test = with_sibling();
    for command in
        ["static", "static --dry-run", "run", "test", "shell", "freeze", "static --freeze=image", "source --list"]
    {
        let run = test.hsx(command).exits(2).prints_nothing();
        assert!(run.calls.is_empty(), "{run}");
        assert_data_eq!(
            run.message(),
            str![[r#"
error: `[ROOT]/home/demo` names what lies outside of it, and you have not agreed to show it
  | [ROOT]/home/lib: a package in `packages:`
hint: a build can read all that it is shown. If this may be, add `--allow-mount [ROOT]/home/lib`
hint: for good: `allow-mounts = ["[ROOT]/home/lib"]` in your `config.toml`

"#]]
        );
    }
    // Nothing is mounted where nothing is built.
    for command in ["lock --dry-run", "doctor"] {
        test.hsx(command).exits(0);
    }
    test.hsx("static --allow-mount ../none").exits(2).says("`--allow-mount ../none` leads nowhere");
    test.hsx("static --source-dir ../lib").exits(0);
}

#[test]
fn an_agreement_comes_from_a_flag_a_variable_or_the_users_file() {
    let test = with_sibling().user_config("allow-mounts = [\"~/lib\"]\n");
    test.hsx("static").exits(0);
    let test = test.user_config("allow-mounts = [\"lib\"]\n");
    test.hsx("static").exits(2).says("`lib` in `allow-mounts` of your `config.toml` is no full path");
    let test = with_sibling().env("HSX_ALLOW_MOUNT", "../lib");
    test.hsx("static").exits(0);
    let test = with_sibling().file("hsx.toml", "allow-mounts = [\"../lib\"]\n");
    test.hsx("static").exits(2).says("`allow-mounts` may not be set in a project's `hsx.toml`");
}

#[test]
fn a_terminal_is_asked_once_what_may_be_shown() {
    let test = with_sibling();
    let asked = |answer: &str| {
        let hsx = env!("CARGO_BIN_EXE_hsx");
        let line =
            format!("echo '{answer}' | script --quiet --return --command \"PATH=$FAKE/../bin {hsx} static\" /dev/null");
        test.shell(&line)
    };
    let question = "May its builds read this, now and later? [y/N]";
    let run = asked("n").exits(2).prints(question).prints("/home/lib: a package in `packages:`");
    assert!(run.calls.is_empty(), "{run}");
    let run = asked("y").exits(0).prints(question);
    assert_eq!(mounts(&run, &test), ["~/demo /src/demo", "~/lib /src/lib"]);
    test.hsx("static --force").exits(0);
    // Another directory is another question, and so is another project.
    test.write("../other/other.cabal", cabal("other", &[]));
    test.write("cabal.project", "packages: . ../lib ../other\n");
    let run = test.hsx("static").exits(2).says("/home/other: a package");
    run.does_not_say("/home/lib: ");
    test.write("../second/cabal.project", "packages: ../lib\n");
    test.hsx("static -C ../second").exits(2).says("/home/lib: ");
}

#[test]
fn the_repository_is_mounted_with_its_history() {
    let test = Test::new().without_file("demo.cabal").file(".git/HEAD", "ref: refs/heads/main\n");
    let test = test.file("tools/demo.cabal", DEMO_CABAL).dir("tools");
    let run = test.hsx("static").exits(0);
    assert_eq!(mounts(&run, &test), ["~/demo /src"]);
    assert_eq!(run.call("run-build").value("--workdir"), Some("/src/tools"));
}

#[test]
fn a_home_directory_in_git_is_not_mounted_whole() {
    let test = Test::new();
    test.write("../.git/HEAD", "ref: refs/heads/main\n");
    let run = test.hsx("static").exits(0);
    assert_eq!(mounts(&run, &test), ["~/demo /src"]);
    // By whatever path the home is known.
    let link = test.root().join("link");
    std::os::unix::fs::symlink(test.root().join("home"), &link).unwrap();
    let test = test.env("HOME", link.as_str());
    assert_eq!(mounts(&test.hsx("static").exits(0), &test), ["~/demo /src"]);
}

#[test]
fn hpack_writes_what_is_missing() {
    let test = Test::new().without_file("demo.cabal").file("package.yaml", "name: demo\n").fake("hpack");
    test.hsx("static --dry-run").exits(0);
    assert!(!test.project().join("demo.cabal").exists(), "a dry run writes nothing");
    let run = test.hsx("static").exits(0);
    assert!(test.project().join("demo.cabal").exists());
    // hpack is asked what the project is, and again when the plan is followed; hsx writes what it prints.
    let position = |kind| run.kinds().iter().rposition(|known| known == kind);
    assert_eq!(run.calls_of("hpack-show").len(), 2, "{run}");
    assert!(position("hpack-show") < position("run-fetch"), "{run}");
    assert!(test.hsx("static").exits(0).calls_of("hpack-show").is_empty(), "it is there now");
}

#[test]
fn without_hpack_the_way_on_is_told() {
    let run = Test::new().without_file("demo.cabal").file("package.yaml", "name: demo\n").hsx("static").exits(2);
    assert_data_eq!(
        run.message(),
        str![[r#"
error: `[ROOT]/home/demo` has a `package.yaml` and no `.cabal` file, and hpack is not on PATH
hint: install it with `cabal install hpack`, or write the `.cabal` file and keep it in git

"#]]
    );
    let written = Test::new().file("package.yaml", "name: demo\n");
    written.hsx("static").exits(0);
}

#[test]
fn a_failing_hpack_is_quoted() {
    let test = Test::new().without_file("demo.cabal").file("package.yaml", "nmae: demo\n").fake("hpack");
    let said = "echo 'package.yaml: Error while parsing $ - expected Object' >&2; exit 1";
    let run = test.scenario("hpack", said).hsx("static").exits(2);
    assert_data_eq!(
        run.message(),
        str![[r#"
error: `[ROOT]/home/demo/package.yaml` is not usable
  tried: hpack --silent [ROOT]/home/demo/package.yaml -
  | package.yaml: Error while parsing $ - expected Object

"#]]
    );
}

#[test]
fn targets_are_what_cabal_calls_them() {
    let test = Test::new().file("demo.cabal", &cabal("demo", &["demo", "tool"]));
    for (typed, cabals, wanted) in [
        ("", "all:exes", "'*:*'"),
        ("exe:tool", "exe:tool", "'*:tool'"),
        ("tool", "exe:tool", "'*:tool tool:*'"),
        ("demo:exe:tool", "demo:exe:tool", "demo:tool"),
        ("demo:tool", "demo:exe:tool", "demo:tool"),
        ("demo", "demo:exes", "'*:demo demo:*'"),
        ("all", "all:exes", "'*:*'"),
        (".", ".:exes", "'*:*'"),
        ("./demo.cabal", "./demo.cabal:exes", "'*:*'"),
    ] {
        let flags = "--builddir=/hsx/build --with-compiler=ghc --enable-executable-static";
        let run = test.hsx(&format!("static --dry-run {typed}")).exits(0);
        run.prints(&format!(" hsx strip reuse '' no-data {wanted} {flags} {cabals}\n"));
    }
}

#[test]
fn an_unknown_target_lists_what_there_is() {
    let test = Test::new().file("demo.cabal", &cabal("demo", &["demo", "tool"]));
    let run = test.hsx("static exe:tol").exits(2).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
error: no executable matches the target `exe:tol`
hint: executables of this project: `demo:exe:demo`, `demo:exe:tool`

"#]]
    );
}

#[test]
fn two_executables_of_one_name_need_a_choice() {
    let test =
        Test::new().file("cabal.project", "packages: . other\n").file("other/o.cabal", &cabal("other", &["demo"]));
    let run = test.hsx("static").exits(2);
    assert_data_eq!(
        run.message(),
        str![[r#"
error: two executables are named `demo`: in `demo` and in `other`
hint: build one at a time: `hsx static demo:exe:demo --out-dir …`

"#]]
    );
    test.hsx("static --dry-run other:exe:demo").exits(0);
}

#[test]
fn a_project_that_makes_nothing_is_an_error() {
    Test::new().file("demo.cabal", &cabal("demo", &[])).hsx("static").exits(2).says("no executable to build");
    Test::new().file("cabal.project", "packages: nowhere/\n").hsx("static").exits(2).says("names no package");
}

#[test]
fn a_package_of_another_name_than_its_directory_has_volumes_of_its_own() {
    let names = |test: &Test| {
        let run = test.hsx("static").exits(0);
        run.calls_of("volume-create").into_iter().map(Call::last).map(str::to_owned).collect::<Vec<_>>()
    };
    let one = Test::new();
    let (store, build) = match names(&one).as_slice() {
        [store, _, build] => (store.clone(), build.clone()),
        other => panic!("three volumes, not {other:?}"),
    };
    assert!(store.starts_with("hsx-store-linux-amd64-") && build.starts_with("hsx-build-demo-linux-amd64-"));
    // Another project in the same world shares the store and the index, and nothing else.
    one.write("../other/demo.cabal", DEMO_CABAL);
    let run = one.hsx("static -C ../other").exits(0);
    let made = run.call("volume-create").last();
    assert!(made.starts_with("hsx-build-demo-linux-amd64-") && made != build, "{run}");
}
