//! The plan: what the dry run prints is what a run does, and what every command of it holds to.

use crate::support::{Call, Test, static_elf};

/// Runs what the dry run printed, with sh, then hsx itself in the same world, and compares the calls and the results.
#[track_caller]
fn dry_run_is_run(test: &Test, args: &[&str]) {
    let before = test.tree("");
    let dry = test.hsx_args(&[args, &["--dry-run"]].concat()).exits(0);
    assert!(dry.calls.iter().all(Call::is_fact), "{dry}");
    assert_eq!(test.tree(""), before, "the dry run wrote to the project");

    let world = |file: &str| test.root().join("fake").join(file);
    let restored = ["images", "volumes"].map(|file| (file, fs_err::read(world(file)).unwrap()));
    let stale = test.containers();
    let pasted = test.shell(&dry.stdout).exits(0);
    let by_hand = test.tree("");

    for (file, content) in restored {
        fs_err::write(world(file), content).unwrap();
    }
    for name in stale {
        let label = format!("hsx.state={}", state_id(&dry.calls));
        fs_err::write(world("containers").join(name), format!("platform=linux/amd64\n{label}\n")).unwrap();
    }
    for file in by_hand.keys().rev().filter(|file| !before.contains_key(*file)) {
        let path = test.project().join(file);
        if path.is_dir() { fs_err::remove_dir(path).unwrap() } else { fs_err::remove_file(path).unwrap() }
    }
    let real = test.hsx_args(args).exits(0);
    let done: Vec<_> = real.calls.iter().filter(|call| !call.is_fact()).cloned().collect();
    assert_eq!(pasted.calls, done, "{dry}{real}");
    assert_eq!(by_hand, test.tree(""));
    assert_ne!(by_hand, before, "nothing was delivered");
}

/// What tells this user's containers apart, from the question for them.
fn state_id(calls: &[Call]) -> String {
    let ps = calls.iter().find(|call| call.kind() == "ps").expect("the stale containers were asked for");
    ps.last().strip_prefix("label=hsx.state=").expect("by their label").to_owned()
}

#[test]
fn a_dry_run_is_a_run_with_either_engine() {
    dry_run_is_run(&Test::new(), &["static"]);
    dry_run_is_run(&Test::new().without("podman").fake("docker"), &["static"]);
}

#[test]
fn a_dry_run_is_a_run_across_platforms() {
    dry_run_is_run(&Test::new(), &["static", "-p", "arm64"]);
    for version in ["20.10.24", "28.0.1"] {
        let test = Test::new().without("podman").fake("docker").version(version);
        dry_run_is_run(&test, &["static", "-p", "arm64"]);
        fs_err::remove_dir_all(test.project().join("dist-static")).unwrap();
        dry_run_is_run(&test, &["static", "-p", "arm64"]);
    }
}

#[test]
fn a_dry_run_is_a_run_for_several_platforms_and_packed() {
    let test = Test::new().fake("upx");
    dry_run_is_run(&test, &["static", "-p", "linux/arm64,linux/amd64", "--upx-arg=--lzma", "--upx-arg", "-9"]);
}

#[test]
fn a_dry_run_is_a_run_at_the_second_time() {
    let test = Test::new();
    test.hsx("static").exits(0);
    fs_err::remove_dir_all(test.project().join("dist-static")).unwrap();
    dry_run_is_run(&test, &["static"]);
}

#[test]
fn a_dry_run_is_a_run_where_names_need_quotes() {
    let test = Test::named("it's $HOME, \"and\" more").fake("upx");
    let args =
        ["static", "--cabal-arg", "--ghc-options=-Wall -O2", "--cabal-arg=it's", "--engine-arg=--annotation=a b"];
    dry_run_is_run(&test, &args);
}

#[test]
fn a_dry_run_is_a_run_with_hpack() {
    let test = Test::new().without_file("demo.cabal").file("package.yaml", "name: demo\n").fake("hpack");
    dry_run_is_run(&test, &["static"]);
}

#[test]
fn a_dry_run_is_a_run_into_another_directory() {
    for dir in ["build/out", "../elsewhere"] {
        let test = Test::new().dir("app");
        dry_run_is_run(&test, &["static", "--out-dir", dir]);
    }
}

#[test]
fn a_dry_run_is_a_run_after_a_killed_one() {
    let test = Test::new();
    let state = state_id(&test.hsx("static --dry-run").calls);
    let name = "hsx-demo-linux-amd64-00000000-build";
    test.write_at(&format!("fake/containers/{name}"), format!("platform=linux/amd64\nhsx.state={state}\n"));
    dry_run_is_run(&test, &["static"]);
    assert!(test.containers().is_empty());
}

#[test]
fn a_dry_run_is_a_run_of_several_executables() {
    let test = Test::new()
        .file("cabal.project", "packages: a b\n")
        .file("a/a.cabal", "name: a\nversion: 1\nexecutable one\n  main-is: M.hs\nexecutable two\n  main-is: M.hs\n")
        .file("b/b.cabal", "name: b\nversion: 2\nexecutable three\n  main-is: M.hs\n");
    let elf = static_elf("linux/amd64");
    test.builds("linux/amd64", &[("a:one", &elf), ("a:two", &elf), ("b:three", &elf)]);
    dry_run_is_run(&test, &["static"]);
    assert_eq!(
        test.tree("dist-static/linux-amd64").into_keys().collect::<Vec<_>>(),
        ["one", "three", "two"],
        "each has its place"
    );
}

/// A run for a foreign and the own platform with either engine, for what must hold of all calls.
fn runs() -> [crate::support::Run; 2] {
    ["podman", "docker"].map(|engine| {
        let test = Test::new().without("podman").fake(engine);
        test.hsx("static -p arm64,amd64").exits(0)
    })
}

fn image_for(platform: Option<&str>) -> String {
    let arch = platform.expect("the platform is explicit").trim_start_matches("linux/");
    format!("quay.io/benz0li/ghc-musl@sha256:9.10.3-{arch}")
}

#[test]
fn the_platform_is_always_explicit() {
    for run in runs() {
        for kind in ["run-fetch", "run-build", "run-try"] {
            let platforms: Vec<_> = run.calls_of(kind).into_iter().map(|call| call.value("--platform")).collect();
            assert_eq!(platforms, [Some("linux/arm64"), Some("linux/amd64")], "{kind}\n{run}");
        }
        for call in run.calls.iter().filter(|call| call.kind().starts_with("run-")) {
            // The toolchain is made in the host's image with tools added, which is on no registry.
            let added = ["run-cross", "run-copy"].contains(&call.kind().as_str())
                && call.0.iter().any(|word| word.starts_with("localhost/hsx-derived:"));
            let image = added || call.has(&image_for(call.value("--platform")));
            assert!(call.has("--pull=never") && image, "{:?}", &call.0[..8]);
        }
        for call in run.calls_of("pull") {
            assert_eq!(call.last(), image_for(call.value("--platform")));
        }
    }
}

#[test]
fn only_the_fetch_phase_has_a_network() {
    for run in runs() {
        assert!(run.calls_of("run-fetch").iter().all(|call| !call.has("--network")), "{run}");
        for kind in ["run-cross", "run-build", "run-try"] {
            assert!(run.calls_of(kind).iter().all(|call| call.value("--network") == Some("none")), "{run}");
        }
    }
}

const INSTALLERS: [&str; 8] = [
    "--cap-add=CHOWN",
    "--cap-add=DAC_OVERRIDE",
    "--cap-add=FOWNER",
    "--cap-add=FSETID",
    "--cap-add=SETFCAP",
    "--cap-add=SETGID",
    "--cap-add=SETUID",
    "--cap-add=SYS_CHROOT",
];

#[test]
fn containers_have_the_least_privilege() {
    for run in runs() {
        for call in run.calls.iter().filter(|call| call.kind().starts_with("run-")) {
            assert!(call.values("--security-opt").contains(&"no-new-privileges"), "{call:?}");
            assert!(call.has("--cap-drop=all"), "{call:?}");
            let added: Vec<_> = call.0.iter().filter(|arg| arg.starts_with("--cap-add")).collect();
            let wanted: &[&str] = match call.kind().as_str() {
                // Packages have owners, and apk and apt change user or root; nothing of a project is there.
                "run-derive" | "run-copy" => &INSTALLERS,
                // To read what the user has closed to others; docker's root is no user.
                _ => &["--cap-add=DAC_OVERRIDE"],
            };
            assert_eq!(added, wanted, "{call:?}");
            let more = ["--privileged", "--device", "--userns", "--pid=", "--volume", "-v", "--user"];
            assert!(call.0.iter().all(|arg| !more.iter().any(|flag| arg.starts_with(flag))), "{call:?}");
            assert!(!call.values("--mount").iter().any(|mount| mount.contains("docker.sock")), "{call:?}");
        }
    }
}

#[test]
fn the_users_files_are_only_read() {
    for run in runs() {
        for call in run.calls.iter().filter(|call| call.kind().starts_with("run-")) {
            for mount in call.values("--mount") {
                let read_only = mount.ends_with(",readonly") || mount.starts_with("type=image,");
                assert!(mount.starts_with("type=volume,") || read_only, "{mount}");
            }
        }
        let build = run.calls_of("run-build")[1];
        let targets: Vec<_> =
            build.values("--mount").into_iter().filter_map(|mount| mount.split_once("target=")).collect();
        let targets: Vec<_> = targets.into_iter().map(|(_, target)| target).collect();
        assert_eq!(targets, ["/src,readonly", "/hsx/cabal", "/hsx/build"]);
        assert_eq!(build.value("--workdir"), Some("/src"));
    }
}

#[test]
fn what_hsx_makes_is_labelled() {
    for run in runs() {
        let made = run.calls.iter().filter(|call| call.kind() == "volume-create" || call.kind().starts_with("run-"));
        for call in made {
            assert!(call.values("--label").iter().any(|label| label.starts_with("hsx.kind=")), "{call:?}");
        }
    }
}

#[test]
fn platforms_share_no_volume() {
    for run in runs() {
        let mut names: Vec<_> = run.calls_of("volume-create").into_iter().map(Call::last).collect();
        assert_eq!(names.len(), 5, "a store and a build directory each, and a toolchain\n{run}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 5, "{run}");
    }
}

#[test]
fn the_build_phase_gets_the_flags_of_the_fetch_phase() {
    let test = Test::new().file("cabal.project", "packages: .\nindex-state: 2026-01-01T00:00:00Z\n");
    let run = test.hsx_args(&["static", "--jobs", "3", "--cabal-arg", "--flags=+x y"]).exits(0);
    let cabal = [
        "--builddir=/hsx/build",
        "--with-compiler=ghc",
        "--enable-executable-static",
        "--jobs=3",
        "--flags=+x y",
        "all:exes",
    ];
    assert_eq!(run.call("run-fetch").script_args(), [&["2026-01-01T00:00:00Z"], &cabal[..]].concat());
    assert_eq!(run.call("run-build").script_args(), [&["strip", "reuse", "", "no-data", "*:*"], &cabal[..]].concat());
    let run = test.hsx("static --no-strip").exits(0);
    assert_eq!(run.call("run-build").script_args()[0], "keep");
}

#[test]
fn proxies_and_the_build_date_are_passed_by_name() {
    let test = Test::new().env("https_proxy", "http://me:secret@proxy").env("SOURCE_DATE_EPOCH", "1");
    let run = test.hsx("static").exits(0);
    for (kind, has_network) in [("run-fetch", true), ("run-build", false)] {
        let call = run.call(kind);
        let passed = call.values("--env");
        assert!(passed.contains(&"SOURCE_DATE_EPOCH"), "{run}");
        // Where there is no network, a proxy's password could only be spied out.
        assert_eq!(passed.contains(&"https_proxy"), has_network, "{run}");
        assert_eq!(call.has("--http-proxy=false"), !has_network, "{run}");
    }
    assert!(run.calls.iter().all(|call| !call.0.concat().contains("secret")), "{run}");
}

#[test]
fn emulated_starts_get_more_time() {
    for run in runs() {
        let limits: Vec<_> = run.calls_of("run-try").into_iter().map(|call| call.script_args()[0]).collect();
        assert_eq!(limits, ["60", "10"], "{run}");
    }
}
