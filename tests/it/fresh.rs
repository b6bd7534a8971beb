//! Up-to-date results: hsx builds again after any change that may affect them, and only then.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use camino::Utf8Path;

use crate::fake::{Run, Test, static_elf};

const RESULT: &str = "dist-static/linux-amd64/demo";

/// A project that was built, with git and with a sibling outside its directory.
fn built() -> Test {
    let test = Test::new()
        .remembering()
        .env("HSX_ALLOW_MOUNT", "../sibling")
        .file("cabal.project", "packages: . ../sibling\nimport: common.config\n")
        .file("common.config", "-- nothing\n")
        .file("../sibling/sibling.cabal", "name: sibling\nversion: 1\n")
        .file("data/extra.txt", "0")
        .file(".git/HEAD", "ref: refs/heads/main\n")
        .file(".git/refs/heads/main", "1111\n");
    symlink("extra.txt", test.project().join("data/link")).unwrap();
    builds(&test, "");
    is_fresh(&test, "");
    test
}

#[track_caller]
fn builds(test: &Test, args: &str) -> Run {
    let run = test.hsx(&format!("static {args}")).exits(0);
    assert_eq!(run.calls_of("run-build").len(), 1, "{run}");
    run
}

#[track_caller]
fn is_fresh(test: &Test, args: &str) -> Run {
    let run = test.hsx(&format!("static {args}")).exits(0);
    assert!(run.calls.is_empty(), "{run}");
    run.says("Fresh linux/amd64 is up to date").prints("PLATFORM")
}

/// Writes content, and makes the time of the last change what it was.
fn rewrite(path: &Utf8Path, content: impl AsRef<[u8]>) {
    let time = fs_err::metadata(path).unwrap().modified().unwrap();
    fs_err::write(path, content).unwrap();
    fs_err::OpenOptions::new().append(true).open(path).unwrap().file().set_modified(time).unwrap();
}

#[test]
fn any_change_of_the_project_is_built() {
    let test = built();
    let path = |name: &str| test.project().join(name);
    let mode = |name: &str, mode| fs_err::set_permissions(path(name), PermissionsExt::from_mode(mode)).unwrap();
    let changes: [(&str, &dyn Fn()); 22] = [
        ("a module", &|| test.write("app/Main.hs", "main = print 1\n")),
        ("as long, and as old", &|| rewrite(&path("app/Main.hs"), "main = print 2\n")),
        ("a new module", &|| test.write("app/New.hs", "module New where\n")),
        ("another name", &|| fs_err::rename(path("app/New.hs"), path("app/Newer.hs")).unwrap()),
        ("one less", &|| fs_err::remove_file(path("app/Newer.hs")).unwrap()),
        ("the package", &|| test.write("demo.cabal", format!("{}\n", crate::fake::DEMO_CABAL))),
        ("the project", &|| test.write("cabal.project", "packages: . ../sibling\nimport: common.config\n-- \n")),
        ("what it imports", &|| test.write("common.config", "-- something\n")),
        ("a new freeze file", &|| test.write("cabal.project.freeze", "constraints: any.text ==2\n")),
        ("its local file", &|| test.write("cabal.project.local", "-- mine\n")),
        ("a setting", &|| test.write("hsx.toml", "strip = false\n")),
        ("a data file", &|| test.write("data/extra.txt", "1")),
        ("its mode", &|| mode("data/extra.txt", 0o755)),
        ("where a link leads", &|| {
            fs_err::remove_file(path("data/link")).unwrap();
            symlink("../app/Main.hs", path("data/link")).unwrap();
        }),
        ("a link in place of a file", &|| {
            fs_err::remove_file(path("data/extra.txt")).unwrap();
            symlink("../app/Main.hs", path("data/extra.txt")).unwrap();
        }),
        ("an empty directory", &|| fs_err::create_dir(path("data/empty")).unwrap()),
        ("a hidden file", &|| test.write(".version", "1")),
        ("a package outside", &|| test.write("../sibling/src/New.hs", "module New where\n")),
        ("a commit", &|| test.write(".git/refs/heads/main", "2222\n")),
        ("a branch", &|| test.write(".git/HEAD", "ref: refs/heads/other\n")),
        ("a tag", &|| test.write(".git/packed-refs", "3333 refs/tags/v1\n")),
        ("what is staged", &|| test.write(".git/index", "something")),
    ];
    for (what, change) in changes {
        change();
        let run = test.hsx("static").exits(0);
        assert_eq!(run.calls_of("run-build").len(), 1, "{what}\n{run}");
        is_fresh(&test, "");
    }
}

#[test]
fn what_is_no_input_is_not_built_for() {
    let test = built();
    test.write("app/Main.hs", "main = pure ()\n");
    is_fresh(&test, "");
    for file in [
        "dist-newstyle/cache/plan.json",
        "../sibling/dist-newstyle/x",
        "dist-static/linux-arm64/other",
        ".git/objects/11/11",
        ".git/logs/HEAD",
        ".git/ORIG_HEAD",
    ] {
        test.write(file, "x");
        is_fresh(&test, "");
    }
    fs_err::rename(test.project().join("app"), test.project().join("app2")).unwrap();
    fs_err::rename(test.project().join("app2"), test.project().join("app")).unwrap();
    is_fresh(&test, "");
    is_fresh(&test.env("TERM", "other"), "--offline --jobs 3 -v");
}

#[test]
fn what_editors_and_others_leave_does_no_harm() {
    let test = built();
    let path = |name: &str| test.project().join(name);
    for (link, to) in [("result", "/nix/store/none"), (".#Main.hs", "somebody@host.1:2"), ("loop", ".")] {
        symlink(to, path(link)).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(path("server.sock")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, path(".pipe").as_str(), rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"entw\xfcrfe.txt");
    fs_err::write(test.project().as_std_path().join(odd), "").unwrap();
    test.write("secret", "");
    fs_err::set_permissions(path("secret"), PermissionsExt::from_mode(0o000)).unwrap();
    builds(&test, "");
    is_fresh(&test, "");
}

#[test]
fn any_change_of_the_results_is_mended() {
    let test = built();
    let result = test.project().join(RESULT);
    let elf = static_elf("linux/amd64");
    let mut tampered = elf.clone();
    *tampered.last_mut().unwrap() ^= 1;
    let changes: [&dyn Fn(); 5] = [
        &|| fs_err::remove_file(&result).unwrap(),
        &|| fs_err::write(&result, "").unwrap(),
        &|| rewrite(&result, &tampered),
        &|| fs_err::set_permissions(&result, PermissionsExt::from_mode(0o644)).unwrap(),
        &|| {
            fs_err::rename(&result, test.project().join("elsewhere")).unwrap();
            symlink("../../elsewhere", &result).unwrap();
            fs_err::write(test.project().join("dist-static/linux-amd64/extra"), "").unwrap();
        },
    ];
    for change in changes {
        change();
        builds(&test, "");
        assert_eq!(fs_err::read(&result).unwrap(), elf);
        is_fresh(&test, "");
    }
    // The same bytes in another file are the same result.
    fs_err::copy(&result, test.project().join("dist-static/copy")).unwrap();
    fs_err::rename(test.project().join("dist-static/copy"), &result).unwrap();
    is_fresh(&test, "");
}

#[test]
fn other_settings_have_results_of_their_own() {
    let test = built();
    for args in ["--no-strip", "--ghc 9.6.7", "--cabal-arg=--flags=+x", "--strategy emulate", "--engine-arg=--cpus=2"] {
        builds(&test, args);
        is_fresh(&test, args);
        builds(&test, "");
    }
    let test = test.env("SOURCE_DATE_EPOCH", "1");
    builds(&test, "");
    is_fresh(&test, "");
    let test = test.env("SOURCE_DATE_EPOCH", "2");
    builds(&test, "");
    let test = test.user_config("strip = false\n");
    builds(&test, "");
    let test = test.fake("upx");
    builds(&test, "");
    is_fresh(&test, "");
    let test = test.fake("docker");
    builds(&test, "--engine docker");
    is_fresh(&test, "--engine docker");
    builds(&test, "");
    builds(&test, "--out-dir ../elsewhere");
    is_fresh(&test, "");
    is_fresh(&test, "--out-dir ../elsewhere");
    builds(&test, "exe:demo");
    is_fresh(&test, "exe:demo");
}

#[test]
fn what_arguments_show_to_a_container_cannot_be_told() {
    let test = built();
    for _ in 0..2 {
        test.hsx_args(&["static", "--engine-arg=--env", "--engine-arg=HOME"]).exits(0).call("run-build");
        test.hsx("static --engine-arg=--volume=/opt:/opt").exits(0).call("run-build");
    }
}

#[test]
fn what_is_imported_from_elsewhere_cannot_be_told() {
    let test = Test::new().remembering().file("cabal.project", "packages: .\nimport: https://example.org/common\n");
    builds(&test, "");
    builds(&test, "");
}

#[test]
fn force_builds_and_pull_asks() {
    let test = built();
    builds(&test, "--force");
    is_fresh(&test, "");
    let run = builds(&test, "--pull");
    run.call("manifest-inspect");
    is_fresh(&test, "");
    // Another image behind the tag: nobody notices before somebody asks.
    test.set_scenario(
        "manifest-inspect",
        "say '{\"manifests\":[{\"digest\":\"sha256:new-amd64\",\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}]}'; exit 0",
    );
    is_fresh(&test, "");
    let run = builds(&test, "--pull");
    assert!(run.call("run-build").has("quay.io/benz0li/ghc-musl@sha256:new-amd64"), "{run}");
    is_fresh(&test, "");
}

#[test]
fn an_image_with_a_local_name_is_looked_at() {
    let test = Test::new().remembering();
    test.write_at("fake/images", "localhost/mine:1 amd64 id-one\n");
    let args = "static --image localhost/mine:1";
    test.hsx(args).exits(0).call("run-build");
    let kinds = test.hsx(args).exits(0).says("Fresh").kinds();
    assert_eq!(kinds, ["image-inspect"]);
    test.write_at("fake/images", "localhost/mine:1 amd64 id-two\n");
    test.hsx(args).exits(0).call("run-build");
    test.hsx(args).exits(0).says("Fresh");
    test.write_at("fake/images", "");
    test.hsx(args).exits(3);
}

#[test]
fn of_several_platforms_only_those_with_changes_are_built() {
    let test = Test::new().remembering();
    test.hsx("static -p amd64,arm64").exits(0);
    is_fresh(&test, "-p arm64,amd64").says("Fresh linux/arm64 is up to date");
    fs_err::remove_file(test.project().join("dist-static/linux-arm64/demo")).unwrap();
    let run = test.hsx("static -p arm64,amd64 --format json").exits(0).says("Fresh linux/amd64");
    assert_eq!(run.call("run-build").value("--platform"), Some("linux/arm64"));
    let json = run.json();
    let platforms = json["platforms"].as_array().unwrap();
    let told: Vec<_> = platforms.iter().map(|one| (one["platform"].as_str().unwrap(), &one["fresh"])).collect();
    assert_eq!(told, [("linux/arm64", &false.into()), ("linux/amd64", &true.into())]);
}

#[test]
fn the_report_is_that_of_the_build() {
    let test = Test::new().remembering().fake("upx").scenario("run-try", "echo 'bin demo 0\npacked demo 132'; exit 0");
    let built = test.hsx("static --format json").exits(0).json();
    let fresh = test.hsx("static --format json").exits(0);
    assert!(fresh.calls.is_empty(), "{fresh}");
    let without = |mut json: serde_json::Value| {
        let platform = json["platforms"][0].as_object_mut().unwrap();
        assert!(platform.remove("seconds").is_some() && platform.remove("fresh").is_some());
        json
    };
    assert_eq!(without(fresh.json()), without(built));
    test.hsx("static").exits(0).prints("note: linux/amd64: demo is not packed: `demo --help` dies of SIGILL");
}

#[test]
fn a_failed_build_is_never_up_to_date() {
    let test = built();
    test.write("app/Main.hs", "main = nonsense\n");
    test.set_scenario("run-build", "exit 100");
    for _ in 0..2 {
        test.hsx("static").exits(1).call("run-build");
    }
    test.clear_scenario("run-build");
    builds(&test, "");
    test.set_scenario("run-try", "echo 'bin demo 127'; exit 0");
    test.write("app/Main.hs", "main = pure ()\n");
    test.builds("linux/amd64", &[("demo:demo", &[static_elf("linux/amd64"), vec![0]].concat())]);
    for _ in 0..2 {
        test.hsx("static").exits(4).call("run-build");
    }
}

#[test]
fn what_changes_during_a_build_is_built_next_time() {
    let test = built();
    test.write("app/Main.hs", "main = print 1\n");
    let main = test.project().join("app/Main.hs");
    test.set_scenario("run-build", &format!("echo 'main = print 2' > {main}"));
    builds(&test, "");
    test.set_scenario("run-build", "");
    builds(&test, "");
    is_fresh(&test, "");
}

#[test]
fn what_changes_during_a_build_and_back_is_built_next_time() {
    let test = built();
    test.write("app/Main.hs", "main = print 1\n");
    let main = test.project().join("app/Main.hs");
    test.set_scenario("run-build", &format!("echo 'main = print 2' > {main}; echo 'main = print 1' > {main}"));
    builds(&test, "");
    test.set_scenario("run-build", "");
    builds(&test, "");
    is_fresh(&test, "");
}

#[test]
fn a_spoilt_record_is_no_record() {
    let test = built();
    for topic in ["records", "trees"] {
        for entry in fs_err::read_dir(test.root().join("home/.state/hsx").join(topic)).unwrap() {
            let path = entry.unwrap().path();
            let mut content = fs_err::read(&path).unwrap();
            content.pop();
            fs_err::write(&path, content).unwrap();
        }
        builds(&test, "");
        is_fresh(&test, "");
    }
    fs_err::remove_dir_all(test.root().join("home/.state/hsx")).unwrap();
    builds(&test, "");
}

#[test]
fn the_dry_run_says_so() {
    let test = built();
    let run = test.hsx("static --dry-run").exits(0);
    assert!(run.calls.is_empty(), "{run}");
    assert_eq!(run.stdout, "# linux/amd64: up to date; `--force` builds again\n");
    test.hsx("static --dry-run --force").exits(0).prints("podman run");
}

#[test]
fn an_engine_that_has_gone_is_asked_again() {
    let test = built();
    test.write("app/Main.hs", "main = print 1\n");
    test.set_scenario("info", "echo 'cannot connect' >&2; exit 1");
    // It is remembered, so it is not asked.
    assert!(builds(&test, "").calls_of("info").is_empty());
    test.write("app/Main.hs", "main = print 2\n");
    test.set_scenario("volume-ls", "echo 'cannot connect' >&2; exit 1");
    let run = test.hsx("static").exits(3).says("the container engine `podman` does not answer");
    run.call("info");
    test.clear_scenario("info");
    test.clear_scenario("volume-ls");
    builds(&test, "").call("info");
}
