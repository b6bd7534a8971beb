//! Where each setting comes from, and which settings a file must not hold.

use snapbox::{assert_data_eq, str};

use crate::fake::{DEMO_CABAL, Run, Test};

/// The references the registry was asked for.
fn asked(run: &Run) -> Vec<String> {
    run.calls_of("manifest-inspect").into_iter().map(|call| call.last().to_owned()).collect()
}

/// The tag of the image for the only platform.
#[track_caller]
fn tag(test: &Test, args: &str) -> String {
    let run = test.hsx(&format!("static --dry-run --pull {args}")).exits(0);
    let reference = asked(&run).pop().expect("the registry was asked");
    reference.rsplit_once(':').expect("references have a tag").1.to_owned()
}

#[test]
fn the_ghc_comes_from_the_first_place_that_has_it() {
    let mut test = Test::new();
    assert_eq!(tag(&test, ""), "9.10.3", "the default");
    test.write("demo.cabal", format!("tested-with: GHC ==9.4.8 || ==9.2.8\n{DEMO_CABAL}"));
    assert_eq!(tag(&test, ""), "9.4.8", "tested-with");
    test.write("cabal.project", "packages: .\nwith-compiler: ghc-9.6.6\n");
    assert_eq!(tag(&test, ""), "9.6.6", "with-compiler");
    test = test.user_config("ghc = \"9.8.1\"\n");
    assert_eq!(tag(&test, ""), "9.8.1", "the user's file");
    test = test.user_config("ghc = \"9.8.1\"\n[platform.amd64]\nghc = \"9.8.2\"\n");
    assert_eq!(tag(&test, ""), "9.8.2", "the user's file, for the platform");
    test.write("hsx.toml", "ghc = \"9.6.1\"\n");
    assert_eq!(tag(&test, ""), "9.6.1", "the project's file");
    test.write("hsx.toml", "ghc = \"9.6.1\"\n[platform.\"linux/amd64\"]\nghc = \"9.6.2\"\n");
    assert_eq!(tag(&test, ""), "9.6.2", "the project's file, for the platform");
    assert_eq!(tag(&test, "-p arm64"), "9.6.1", "the project's file, for another platform");
    test = test.env("HSX_GHC", "9.6.4");
    assert_eq!(tag(&test, ""), "9.6.4", "the environment");
    assert_eq!(tag(&test, "--ghc 9.6.5"), "9.6.5", "the flag");
    assert_eq!(tag(&test, "--ghc 9.6"), "9.6", "the beginning of a version");
}

#[test]
fn the_later_project_file_wins() {
    let test = Test::new()
        .file("cabal.project", "packages: .\nimport: common.config\nwith-compiler: ghc-9.6.1\n")
        .file("common.config", "with-compiler: ghc-9.4.1\n");
    assert_eq!(tag(&test, ""), "9.6.1");
    test.write("cabal.project.local", "with-compiler: /opt/ghc/9.8.4/bin/ghc-9.8.4\n");
    assert_eq!(tag(&test, ""), "9.8.4");
}

#[test]
fn every_setting_has_the_same_order_of_places() {
    /// A setting in four places, and what the plan says for each.
    struct Row(&'static str, (&'static str, &'static str), &'static str, &'static str, [&'static str; 4]);
    let rows = [
        Row("--jobs=1", ("HSX_JOBS", "2"), "jobs = 3", "jobs = 4", ["--jobs=1", "--jobs=2", "--jobs=3", "--jobs=4"]),
        Row(
            "--image=a/one:t",
            ("HSX_IMAGE", "a/two:t"),
            "image = { ref = \"a/three:t\" }",
            "image = { ref = \"a/four:t\" }",
            ["a/one@sha256:t-amd64", "a/two@sha256:t-amd64", "a/three@sha256:t-amd64", "a/four@sha256:t-amd64"],
        ),
        Row(
            "--cabal-arg=-f1",
            ("HSX_CABAL_ARG", "-f2"),
            "cabal-args = [\"-f3\"]",
            "cabal-args = [\"-f4\"]",
            [" -f1 ", " -f2 ", " -f3 ", " -f4 "],
        ),
        Row(
            "--out-dir=o1",
            ("HSX_OUT_DIR", "o2"),
            "out-dir = \"o3\"",
            "out-dir = \"o4\"",
            ["/o1/linux-amd64", "/o2/linux-amd64", "/o3/linux-amd64", "/o4/linux-amd64"],
        ),
        Row(
            "--bignum=gmp",
            ("HSX_BIGNUM", "native"),
            "bignum = \"gmp\"",
            "bignum = \"native\"",
            [":9.10.3-amd64", ":9.10.3-int-native-amd64", ":9.10.3-amd64", ":9.10.3-int-native-amd64"],
        ),
        Row(
            "--platform=riscv64",
            ("HSX_PLATFORM", "arm64"),
            "platforms = [\"riscv64\"]",
            "platforms = [\"arm64\"]",
            ["\n# linux/riscv64", "\n# linux/arm64", "\n# linux/riscv64", "\n# linux/arm64"],
        ),
    ];
    for Row(flag, (variable, value), project, user, expected) in rows {
        let check = |test: &Test, args: &str, index: usize| {
            let run = test.hsx(&format!("static --dry-run {args}")).exits(0);
            let text = format!("\n{}", run.stdout);
            for other in expected {
                assert_eq!(text.contains(other), other == expected[index], "{other}\n{run}");
            }
        };
        let test = Test::new().user_config(user);
        check(&test, "", 3);
        test.write("hsx.toml", project);
        check(&test, "", 2);
        let test = test.env(variable, value);
        check(&test, "", 1);
        check(&test, flag, 0);
    }
}

#[test]
fn switches_come_from_files_too() {
    let test = Test::new().fake("upx").file("hsx.toml", "strip = false\nupx = false\n");
    let run = test.hsx("static").exits(0);
    assert!(run.calls_of("upx").is_empty(), "{run}");
    assert_eq!(run.call("run-build").script_args()[0], "keep");
    assert!(!test.hsx("static --upx").exits(0).calls_of("upx").is_empty());
    let test = test.env("HSX_UPX", "true");
    assert!(!test.hsx("static").exits(0).calls_of("upx").is_empty());
    assert!(test.hsx("static --upx=false").exits(0).calls_of("upx").is_empty());
}

#[test]
fn a_switch_has_the_same_order_of_places() {
    let stripped = |test: &Test, args: &str| {
        let run = test.hsx(&format!("static {args}")).exits(0);
        run.call("run-build").script_args()[0] == "strip"
    };
    let test = Test::new();
    assert!(stripped(&test, ""), "the default");
    let test = test.user_config("strip = false\n");
    assert!(!stripped(&test, ""), "the user's file");
    test.write("hsx.toml", "strip = true\n");
    assert!(stripped(&test, ""), "the project's file");
    let test = test.env("HSX_STRIP", "0");
    assert!(!stripped(&test, ""), "the environment");
    assert!(stripped(&test, "--strip") && stripped(&test, "--strip=yes"), "the flag");
    let test = test.env("HSX_STRIP", "1");
    assert!(!stripped(&test, "--no-strip") && !stripped(&test, "--strip=no"), "the flag");
}

#[test]
fn targets_come_from_the_file_unless_typed() {
    let cabal = format!("{DEMO_CABAL}\nexecutable tool\n  main-is: Tool.hs\n");
    let test = Test::new().file("demo.cabal", &cabal).file("hsx.toml", "targets = [\"exe:tool\"]\n");
    assert!(test.hsx("static --dry-run").exits(0).stdout.contains(" exe:tool\n"));
    let run = test.hsx("static --dry-run demo:exe:demo").exits(0);
    assert!(run.stdout.contains(" demo:exe:demo\n") && !run.stdout.contains("exe:tool"), "{run}");
    let test = test.env("HSX_TARGET", "exe:demo,demo:exe:tool");
    test.hsx("static --dry-run").exits(0).prints(" exe:demo demo:exe:tool\n");
    test.hsx("static --dry-run tool").exits(0).prints("--enable-executable-static exe:tool\n");
}

#[test]
fn a_platform_may_have_its_own_image() {
    let toml =
        "image = { ref = \"a/common\" }\n[platform.\"linux/arm64\"]\nimage = { ref = \"a/own:t\" }\nghc = \"9.8.4\"\n";
    let test = Test::new().file("hsx.toml", toml);
    let mut references = asked(&test.hsx("static --dry-run -p amd64,arm64").exits(0));
    references.sort();
    assert_eq!(references, ["a/common:9.10.3", "a/own:t"]);
}

#[test]
fn platforms_are_named_once_whatever_their_spelling() {
    let run = Test::new().hsx("static --dry-run -p arm64 -p linux/arm64/v8,aarch64 -p x86_64").exits(0);
    let heads: Vec<_> = run.stdout.lines().filter(|line| line.starts_with("# linux/")).collect();
    assert_eq!(heads.len(), 2, "{run}");
    assert!(
        heads[0].starts_with("# linux/arm64: cross (this GHC compiles for linux/arm64 on linux/amd64), GHC 9.10.3"),
        "{run}"
    );
    assert!(heads[1].starts_with("# linux/amd64: native"), "{run}");
}

#[test]
fn native_bignum_has_images_of_its_own() {
    assert_eq!(tag(&Test::new(), "--bignum native"), "9.10.3-int-native");
    let run = Test::new().hsx("static --bignum native --ghc 9.4.8").exits(2).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
error: there is no `-int-native` image of GHC 9.4.8
hint: `--bignum native` works with GHC 9.6.7, 9.8.4, 9.10.1, 9.10.2, 9.10.3, 9.12.2, 9.12.3, 9.12.4, 9.14.1

"#]]
    );
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let test = Test::new().file("hsx.toml", "jobs = 2\nplatform = { arm64 = { jobs = 3 } }\n");
    test.hsx("static").exits(2).says("`jobs`").says("line 2");
    let run = Test::new().file("hsx.toml", "# mine\n\nplatfroms = [\"arm64\"]\n").hsx("static").exits(2);
    assert!(run.calls.is_empty(), "no engine was asked\n{run}");
    assert_data_eq!(
        run.message(),
        str![[r#"
error: `[ROOT]/home/demo/hsx.toml` is not valid
  | TOML parse error at line 3, column 1
  |   |
  | 3 | platfroms = ["arm64"]
  |   | ^^^^^^^^^
  | unknown field `platfroms`, expected one of `platforms`, `targets`, `out-dir`, `jobs`, `cabal-args`, `strip`, `upx`, `writable-source`, `data-files`, `store`, `ghc`, `bignum`, `strategy`, `image`, `connection`, `platform`

"#]]
    );
}

#[test]
fn a_file_that_is_not_toml_is_shown_where() {
    let run = Test::new().file("hsx.toml", "ghc = 9.6.7\n").hsx("static").exits(2).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
error: `[ROOT]/home/demo/hsx.toml` is not valid
  | TOML parse error at line 1, column 10
  |   |
  | 1 | ghc = 9.6.7
  |   |          ^^
  | invalid float, expected nothing
hint: a version is written as text: ghc = "9.6.7"

"#]]
    );
    let run = Test::new().user_config("nope = 1\n").hsx("static").exits(2);
    run.says("config.toml` is not valid").says("`engine`, `engine-args`, `upx-args`");
    let test = Test::new().user_config("jobs = \"two\"\n");
    test.hsx("static").exits(2).says("config.toml` is not valid").says("line 1");
}

#[test]
fn a_file_with_an_unknown_platform_is_refused() {
    for toml in ["platforms = [\"vax\"]\n", "[platform.vax]\nghc = \"9.6.7\"\n"] {
        let run = Test::new().file("hsx.toml", toml).hsx("static -p amd64").exits(2);
        run.says("hsx.toml` is not valid").says("unknown platform `vax`; known: `linux/amd64`");
    }
}

#[test]
fn a_cloned_project_may_not_reach_the_host() {
    for key in ["engine = \"./evil\"", "engine-args = [\"--privileged\"]", "upx-args = [\"-o/etc/passwd\"]"] {
        let test = Test::new().file("hsx.toml", &format!("{key}\n"));
        let run = test.hsx("static").exits(2).prints_nothing().says("may not be set in a project's `hsx.toml`");
        assert!(run.calls.is_empty(), "{run}");
    }
    for dir in ["/etc", "../other", "a/../../b"] {
        let test = Test::new().file("hsx.toml", &format!("out-dir = \"{dir}\"\n"));
        test.hsx("static").exits(2).says("leads out of the project").says("--out-dir");
    }
    let run = Test::new().file("hsx.toml", "engine = \"./evil\"\n").hsx("static");
    assert_data_eq!(
        run.message(),
        str![[r#"
error: `engine` may not be set in a project's `hsx.toml`: it reaches the host
hint: set it in your own `config.toml`, see `hsx static --help`

"#]]
    );
}

#[test]
fn the_users_file_may_reach_the_host() {
    let test = Test::new().fake("upx").user_config("upx-args = [\"--lzma\"]\nengine-args = [\"--cpus=1\"]\n");
    let run = test.hsx("static").exits(0);
    assert!(run.call("upx").has("--lzma") && run.call("run-build").has("--cpus=1"), "{run}");
}

#[test]
fn offline_takes_no_for_an_answer() {
    for (value, offline) in [("1", true), ("true", true), ("0", false), ("false", false), ("no", false)] {
        let run = Test::new().env("HSX_OFFLINE", value).hsx("static --dry-run");
        assert_eq!(asked(&run).is_empty(), offline, "{value}\n{run}");
    }
}
