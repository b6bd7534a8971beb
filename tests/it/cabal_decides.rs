//! cabal decides which packages, executables and test suites exist; hsx only guesses from the project's files.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::fake::{DEMO_CABAL, Run, Test, static_elf};

const AMD64: &str = "linux/amd64";

/// A world in which a build leaves executables, whatever the project's files say.
fn leaving(executables: &[&str]) -> Test {
    let test = Test::new();
    let elf = static_elf(AMD64);
    test.builds(AMD64, &executables.iter().map(|&exe| (exe, &elf[..])).collect::<Vec<_>>());
    test
}

fn delivered(test: &Test) -> Vec<String> {
    test.tree("dist-static/linux-amd64").into_keys().collect()
}

/// What the build's script was told, but for cabal's own arguments.
fn told(run: &Run) -> Vec<String> {
    run.call("run-build").script_args()[..5].iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn all_that_cabal_planned_is_delivered() {
    let test = leaving(&["demo:demo", "hidden:tool"]);
    test.hsx("static").exits(0);
    assert_eq!(delivered(&test), ["demo", "tool"]);
}

#[test]
fn of_what_was_built_only_what_was_asked_for_is_delivered() {
    let test = leaving(&["demo:demo", "demo:tool", "hidden:other"])
        .file("demo.cabal", &format!("{DEMO_CABAL}\nexecutable tool\n  main-is: T.hs\n-- other hidden\n"));
    for (target, names) in
        [("tool", &["tool"][..]), ("demo", &["demo", "tool"]), ("exe:other", &["other"]), ("hidden", &["other"])]
    {
        let test_dir = test.project().join("dist-static");
        let _ = fs_err::remove_dir_all(test_dir);
        test.hsx(&format!("static {target}")).exits(0);
        assert_eq!(delivered(&test), names, "{target}");
    }
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["../evil", "a/b", "-rf"] {
        let test = leaving(&["demo:demo"]);
        let unit = json!({
            "type": "configured", "style": "local", "pkg-name": "demo", "component-name": format!("exe:{name}"),
        });
        test.write_at("fake/out/linux-amd64/plan.json", json!({ "install-plan": [unit] }).to_string());
        test.hsx("static").exits(4).says("of a name that none has");
        assert!(delivered(&test).is_empty());
    }
    // A plan is a file, and no link to one.
    let test = leaving(&["demo:demo"]);
    let plan = test.root().join("fake/out/linux-amd64/plan.json");
    fs_err::rename(&plan, test.root().join("plan")).unwrap();
    symlink(test.root().join("plan"), &plan).unwrap();
    test.hsx("static").exits(4).says("the container left `plan.json`, which is a symbolic link");
}

#[test]
fn two_of_one_name_are_an_error_that_names_them() {
    let test = leaving(&["a:tool", "b:tool"]);
    test.hsx("static")
        .exits(2)
        .says("two executables are named `tool`: in `a` and in `b`")
        .says("hsx static a:exe:tool");
    assert!(delivered(&test).is_empty());
}

#[test]
fn a_target_that_cabal_does_not_know_is_a_usage_error_with_the_guess() {
    let test = Test::new().file("cabal.project", "packages: .\nsource-repository-package\n  type: git\n");
    test.set_scenario("run-fetch", "echo \"cabal: Unknown target 'tol'.\"; exit 100");
    test.hsx("static tol")
        .exits(2)
        .says("hint: executables, as hsx reads the project's files (a guess): `demo:exe:demo`");
}

#[test]
fn a_target_may_be_a_path() {
    let test = Test::new().file("cabal.project", "packages: .\n").dir("app");
    let run = test.hsx("static ..").exits(0);
    assert_eq!(run.call("run-build").script_args().last(), Some(&".:exes"));
}

#[test]
fn which_of_several_to_run_is_asked_when_cabal_has_planned() {
    let test = leaving(&["demo:demo", "hidden:tool"]);
    test.hsx("run").exits(2).says("there are several executables to run").says("`hsx run hidden:exe:tool`");
    // The files leave no doubt: nothing is built first.
    let test = test.file("demo.cabal", &format!("{DEMO_CABAL}\nexecutable tool\n  main-is: T.hs\n"));
    let run = test.hsx("run").exits(2).says("`hsx run demo:exe:tool`");
    assert!(run.calls_of("run-build").is_empty(), "{run}");
}

#[test]
fn a_planned_suite_that_did_not_run_is_an_error_by_its_name() {
    let test = Test::new().file("demo.cabal", "name: demo\nversion: 0.1.0\ntest-suite spec\n  main-is: S.hs\n");
    let unit = |name: &str| json!({"type": "configured", "style": "local", "pkg-name": "demo", "component-name": name});
    let plan = json!({ "install-plan": [unit("test:spec"), unit("test:props")] });
    test.write_at("fake/out/linux-amd64/plan.json", plan.to_string());
    test.write_at("fake/out/linux-amd64/logs/demo-0.1.0-spec.log", "");
    test.write_at(
        "fake/out/linux-amd64/results",
        "PackageLog {package = PackageIdentifier {pkgName = PackageName \"demo\", pkgVersion = mkVersion [0,1,0]}, testSuites \
         = [TestSuiteLog {testSuiteName = UnqualComponentName \"spec\", testLogs = TestLog {testResult = Pass}, logFile = \
         \"/x\"}]}\n",
    );
    test.hsx("test").exits(1).says("cabal planned the test suite `demo:test:props` but did not run it");
    test.hsx("test spec").exits(0);
}

#[test]
fn the_ghc_and_its_reason_are_in_the_plan_and_the_report() {
    let tested = |text: &str| {
        Test::new().file("demo.cabal", &DEMO_CABAL.replace("\n\nexecutable", &format!("\n{text}\n\nexecutable")))
    };
    tested("tested-with: GHC ==9.4.8 GHC ==9.6.6")
        .hsx("static --dry-run")
        .exits(0)
        .prints(", GHC 9.6.6 by `tested-with` of `demo`\n");
    Test::new()
        .file("stack.yaml", "resolver: lts-22.44\n")
        .hsx("static --dry-run")
        .exits(0)
        .prints(", GHC 9.6.7 by `lts-22.44`");
    Test::new().hsx("static --dry-run --ghc ghc-9.8.4").exits(0).prints(", GHC 9.8.4 by `--ghc`\n");
    Test::new().hsx("static --dry-run").exits(0).prints(", GHC 9.10.3 by hsx's default\n");
    let reason = |run: &Run| run.json()["platforms"][0]["ghc_reason"].clone();
    let test = tested("tested-with: GHC ==9.6.6").remembering();
    let run = test.hsx("static --format json").exits(0).says("with GHC 9.6.6 by `tested-with` of `demo` (native)");
    assert_eq!(reason(&run), "`tested-with` of `demo`", "{run}");
    // The same compiler for another reason: nothing is built, and the reason is the new one.
    let run = test.hsx("static --format json --ghc 9.6.6").exits(0).says("is up to date");
    assert_eq!(reason(&run), "`--ghc`", "{run}");
    let run = test.hsx("static --format json --image some/image:9.8.4").exits(0);
    assert_eq!(reason(&run), Value::Null, "{run}");
    Test::new().hsx("static --ghc lts-22.44").exits(2).says("`lts-22.44` is no version of GHC").says("`--ghc 9.6`");
}

#[test]
fn settings_of_the_developers_machine_are_taken_back_and_said_once() {
    let test = Test::new().file("cabal.project", "packages: .\n");
    let test = test.file("cabal.project.local", "with-hc-pkg: /opt/ghc-pkg\nexecutable-dynamic: True\n");
    let run =
        test.hsx("static -p amd64,arm64").exits(0).says("does not hold in the container: `with-hc-pkg: /opt/ghc-pkg`");
    assert_eq!(run.stderr.matches("does not hold").count(), 1, "{run}");
    for call in run.calls_of("run-build").iter().chain(&run.calls_of("run-fetch")) {
        assert!(call.has("--with-hc-pkg=ghc-pkg") && call.has("--disable-executable-dynamic"), "{run}");
    }
}

#[test]
fn a_copy_of_the_source_may_be_written_to() {
    for args in ["static --writable-source", "static"] {
        let test = Test::new().file("hsx.toml", if args == "static" { "writable-source = true\n" } else { "" });
        let run = test.hsx(args).exits(0);
        let mounts = run.call("run-build").values("--mount");
        let source: Vec<_> = mounts.iter().filter(|mount| mount.contains("target=/src")).collect();
        assert!(source.len() == 1 && source[0].starts_with("type=volume,") && !source[0].ends_with(",ro"), "{run}");
        assert_eq!(run.calls_of("run-send").len(), 1, "{run}");
        assert!(mounts.iter().all(|mount| !mount.starts_with("type=bind")), "{run}");
    }
}

#[test]
fn values_that_a_build_is_given_and_clean_builds_are_told_to_its_script() {
    let test = Test::new().env("RELEASE", "1.0");
    assert_eq!(told(&test.hsx("static").exits(0))[1..3], ["reuse", ""]);
    assert_eq!(told(&test.hsx("static --clean").exits(0))[1..3], ["clean", ""]);
    let given = |test: &Test, args: &str| told(&test.hsx(&format!("static {args}")).exits(0))[2].clone();
    let one = given(&test, "--engine-arg=--env=RELEASE");
    assert_eq!(given(&test, "--engine-arg=--env=RELEASE"), one);
    let test = test.env("RELEASE", "2.0");
    assert_ne!(given(&test, "--engine-arg=--env=RELEASE"), one);
    assert_ne!(given(&test, "--engine-arg=--env=RELEASE=1.1"), one);
}

#[test]
fn a_failure_has_the_hint_that_the_project_calls_for() {
    let failing = |said: &str| Test::new().scenario("run-build", &format!("say '{said}'; exit 100"));
    let lacking = "Error: can'\"'\"'t find source for Shared in src";
    let test = failing("rejecting: base-4.20.2.0/installed (conflict: demo => base^>=4.18.0.0)");
    test.hsx("static").exits(1).says("`--ghc 9.6`");
    let test = failing("cbits/v.h: withFile: permission denied (Read-only file system)");
    test.hsx("static").exits(1).says("`--writable-source`");
    let test = failing("(constraint from project config /src/cabal.project.freeze requires ==1)");
    test.file("cabal.project.freeze", "constraints: any.base ==1\n").hsx("static").exits(1).says("`--freeze=file`");
    let test = failing("The package directory vendor/parser does not contain any .cabal file");
    let test = test
        .file("cabal.project", "packages: . vendor/parser\n")
        .file(".gitmodules", "[submodule \"p\"]\n\tpath = vendor/parser\n");
    fs_err::create_dir_all(test.project().join("vendor/parser")).unwrap();
    test.hsx("static").exits(1).says("`git submodule update --init`");
    let test = failing("[__1] unknown package: protocol").file("stack.yaml", "packages:\n- server\n- protocol\n");
    test.hsx("static").exits(1).says("`packages: server protocol`");
    let test = failing(lacking);
    test.write("../shared/Shared.hs", "");
    symlink("../../shared", test.project().join("app/linked")).unwrap();
    test.hsx("static").exits(1).says("app/linked` leads to `").says("`--source-dir DIR`");
    let test = failing(lacking).file("demo.cabal", &format!("{DEMO_CABAL}  hs-source-dirs: . ../shared\n"));
    test.hsx("static").exits(1).says("`../shared` of `demo` is not seen in the container");
    fs_err::create_dir_all(test.project().join("../shared")).unwrap();
    let run = test.hsx("static --source-dir ../shared").exits(1).does_not_say("is not seen");
    let shared = test.project().join("../shared").canonicalize_utf8().unwrap();
    for place in ["/src/shared", shared.as_str()] {
        let mount = format!("type=bind,source={shared},target={place},readonly");
        assert!(run.call("run-build").has(&mount), "{mount}\n{run}");
    }
}

#[test]
fn what_is_set_for_one_package_alone_is_another_value_in_the_container() {
    let local = "package demo\n  executable-dynamic: True\n  ghc-options: -O0\nwith-hc-pkg: /opt/ghc-pkg\n";
    let test = Test::new().file("cabal.project.local", local).remembering();
    let run = test
        .hsx("static")
        .exits(0)
        .says("does not hold in the container: `executable-dynamic: True` of `demo`, `with-hc-pkg: /opt/ghc-pkg`");
    let call = run.call("run-build");
    assert!(call.script_args().contains(&"--with-hc-pkg=ghc-pkg"), "{run}");
    let mount = call.0.iter().find(|word| word.ends_with(",target=/src/cabal.project.local,readonly")).unwrap();
    let shown = mount.split(['=', ',']).nth(3).unwrap();
    assert_eq!(fs_err::read_to_string(shown).unwrap(), local.replace("True", "False"));
    assert_eq!(fs_err::read_to_string(test.project().join("cabal.project.local")).unwrap(), local);
    test.hsx("static").exits(0).says("is up to date");
    test.write("cabal.project.local", local.replace("-O0", "-O1"));
    assert_eq!(test.hsx("static").exits(0).calls_of("run-build").len(), 1);
}

#[test]
fn offline_is_blamed_only_where_it_was_typed() {
    let test = Test::new().scenario("run-build", "say 'curl: (6) Could not resolve host: example.org'; exit 100");
    test.hsx("static").exits(1).says("builds have no network").does_not_say("--offline");
    test.hsx("static --offline").exits(1).says("run it again without `--offline`");
    let test = Test::new();
    test.hsx("static").exits(0);
    test.set_scenario("run-build", "say 'Could not resolve dependencies:'; exit 100");
    test.hsx("static --offline --force").exits(1).says("run it again without `--offline`");
}

#[test]
fn the_json_of_a_failed_build_has_the_compilers_messages() {
    let said =
        "printf '%s\\n' 'A.hs:3:1: error: [GHC-1]' '    no' '' 'Error: [Cabal-7125]' 'Failed to build x.'; exit 100";
    let json = Test::new().scenario("run-build", said).hsx("static --format json").exits(1).json();
    let messages = &json["platforms"][0]["error"]["messages"];
    assert_eq!(*messages, json!(["A.hs:3:1: error: [GHC-1]\n    no", "Error: [Cabal-7125]\nFailed to build x."]));
}

#[test]
fn two_failing_platforms_say_whose_output_is_whose() {
    let failing = "say \"A.hs:1:1: error: $platform\"; exit 100";
    let test = Test::new().env("HSX_SERIAL", "false").scenario("run-build", failing);
    let run = test.hsx("static -p amd64,arm64 --quiet").exits(1);
    for platform in ["linux/amd64", "linux/arm64"] {
        assert!(run.stderr.contains(&format!("{platform} | A.hs:1:1: error: {platform}\n")), "{run}");
        assert_eq!(run.stderr.matches(&format!("error: {platform}: cabal build failed")).count(), 1, "{run}");
    }
}

/// A world with a package that has data files, and one in the store that has too.
fn with_data() -> Test {
    let test = leaving(&["demo:demo"]);
    let test =
        test.file("demo.cabal", &DEMO_CABAL.replace("\n\nexecutable", "\ndata-files: words/*.txt\n\nexecutable"));
    let test = test.file("words/en.txt", "apple\n").file("words/secret", "");
    let unit = |id: &str, style: &str, package: &str, component: &str, depends: &[&str]| {
        json!({
            "type": "configured", "id": id, "style": style, "pkg-name": package, "pkg-version": "1",
            "component-name": component, "depends": depends,
        })
    };
    let units =
        [unit("demo-1-x", "local", "demo", "exe:demo", &["lib-1-abc"]), unit("lib-1-abc", "global", "lib", "lib", &[])];
    test.write_at("fake/out/linux-amd64/plan.json", json!({ "install-plan": units }).to_string());
    test.write_at("fake/out/linux-amd64/data", "lib-1-abc\nother-2-def\n");
    test.write_at("fake/out/linux-amd64/share/lib-1-abc/templates/x.html", "<x>");
    test
}

#[test]
fn data_files_are_told_of_and_delivered_on_request() {
    let test = with_data().remembering();
    let note = "note: linux/amd64: demo is built of `demo`, `lib` with data files, which are not in it: `--data-files` delivers them";
    test.hsx("static").exits(0).prints(note).prints("`demo_datadir=DIR lib_datadir=DIR`");
    assert_eq!(delivered(&test), ["demo"]);
    let run = test.hsx("static --data-files").exits(0);
    assert_eq!(told(&run)[3], "data");
    assert_eq!(
        delivered(&test),
        [
            "demo",
            "share/",
            "share/demo/",
            "share/demo/words/",
            "share/demo/words/en.txt",
            "share/lib/",
            "share/lib/templates/",
            "share/lib/templates/x.html"
        ]
    );
    test.hsx("static --data-files").exits(0).says("is up to date");
    for damage in [
        |test: &Test| fs_err::remove_dir_all(test.project().join("dist-static/linux-amd64/share")).unwrap(),
        |test: &Test| {
            fs_err::write(test.project().join("dist-static/linux-amd64/share/demo/words/en.txt"), "").unwrap();
        },
    ] {
        damage(&test);
        let run = test.hsx("static --data-files").exits(0);
        assert_eq!(run.calls_of("run-build").len(), 1, "{run}");
        let words = test.project().join("dist-static/linux-amd64/share/demo/words/en.txt");
        assert_eq!(fs_err::read_to_string(words).unwrap(), "apple\n");
    }
    let json: Value = test.hsx("static --force --format json").exits(0).json();
    assert_eq!(json["platforms"][0]["executables"][0]["data"], json!(["demo", "lib"]));
}

#[test]
fn a_program_is_told_where_its_data_files_are() {
    let test = with_data();
    let run = test.hsx("run --dry-run").exits(0);
    let own = format!("exec /usr/bin/env demo_datadir={} ", test.project());
    assert!(run.stdout.contains(&own), "{run}");
    test.hsx("static --data-files").exits(0);
    test.hsx("run --dry-run")
        .exits(0)
        .prints(&format!(" lib_datadir={}/share/lib", test.project().join("dist-static/linux-amd64")));
}

#[test]
fn what_the_trial_saw_is_in_the_report() {
    let test = Test::new();
    test.set_scenario("run-try", "printf '%s\\n' 'bin demo 1' 'said demo TERM is not set'; exit 0");
    test.hsx("static").exits(0).prints("note: linux/amd64: demo starts, and `--help` exits with 1: TERM is not set");
    // A program may exit with 127 too.
    test.set_scenario("run-try", "printf '%s\\n' 'bin demo 127' 'said demo usage: demo'; exit 0");
    test.hsx("static").exits(0);
    test.set_scenario("run-try", "printf '%s\\n' 'bin demo 127' 'said demo timeout: failed to run command'; exit 0");
    test.hsx("static").exits(4).says("does not start").says("timeout: failed to run command");
}
