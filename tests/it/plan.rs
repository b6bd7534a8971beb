//! The plan: a dry run prints what a run does, for every command.

use crate::fake::{Call, PT_DYNAMIC, PT_INTERP, PT_LOAD, Test, elf, static_elf};

/// Runs what the dry run printed, with sh, then hsx itself in the same world, and compares the calls and the results.
#[track_caller]
fn dry_run_is_run(test: &Test, args: &[&str]) {
    let before = test.tree("");
    same_calls(test, args, "", 0);
    assert_ne!(test.tree(""), before, "nothing was delivered");
}

/// The same for a command that ends with a code; `late` sets what is not known before the plan is followed.
#[track_caller]
fn same_calls(test: &Test, args: &[&str], late: &str, code: i32) {
    let before = test.tree("");
    // What the command itself is given comes last.
    let options = args.iter().position(|arg| *arg == "--").unwrap_or(args.len());
    let dry = test.hsx_args(&[&args[..options], &["--dry-run"], &args[options..]].concat()).exits(0);
    assert!(dry.calls.iter().all(Call::is_fact), "{dry}");
    assert_eq!(test.tree(""), before, "the dry run wrote to the project");

    let world = |file: &str| test.root().join("fake").join(file);
    let restored = ["images", "volumes"].map(|file| (file, fs_err::read(world(file)).unwrap()));
    let stale = test.containers();
    let pasted = test.shell(&format!("{late}{}", dry.stdout)).exits(code);
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
    let real = test.hsx_args(args).exits(code);
    // A program that runs by itself is told by its number.
    let own = |call: &Call| call.0.iter().map(|word| without_process(word).to_owned()).collect::<Vec<_>>();
    // hpack is asked in the same words before anything is decided, and by the plan.
    let mut asked = dry.calls_of("hpack-show").len();
    let mut is_done = |call: &&Call| {
        let is_first = call.kind() == "hpack-show" && asked > 0;
        asked -= usize::from(is_first);
        call.kind() == "hpack-show" && !is_first || !call.is_fact()
    };
    let done: Vec<_> = real.calls.iter().filter(|call| is_done(call)).map(own).collect();
    let pasted = pasted.calls.iter().map(own).collect::<Vec<_>>();
    assert_eq!(pasted, done, "{dry}{real}");
    assert_eq!(by_hand, test.tree(""));
}

/// A word without the process id that ends the name of a container that people use.
fn without_process(word: &str) -> &str {
    let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if ["-shell", "-run"].iter().any(|end| name.ends_with(end)) { name } else { word }
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

#[test]
fn a_dry_run_of_what_people_use_is_its_run() {
    for platform in ["amd64", "arm64"] {
        same_calls(&Test::new().scenario("run-shell", "exit 9"), &["shell", "-p", platform, "--", "ghc"], "", 9);
    }
    let elsewhere = Test::new().scenario("run-run", "exit 41");
    elsewhere.write_at("fake/arch", "riscv64\n");
    same_calls(&elsewhere, &["run", "--", "a", "b c"], "", 41);
}

#[test]
fn a_dry_run_of_a_freeze_is_its_run() {
    let late = "freeze='constraints: any.base ==4.20.2.0,\n             any.random ==1.2.1.2\n\
        index-state: hackage.haskell.org 2026-01-01T00:00:00Z\n' index_state=2026-01-01T00:00:00Z\n";
    same_calls(&Test::new(), &["freeze", "-p", "amd64,arm64"], late, 0);
    let lines = "set -- '--constraint=any.base ==4.20.2.0' '--constraint=any.random ==1.2.1.2' \
        '--index-state=hackage.haskell.org 2026-01-01T00:00:00Z'\n";
    same_calls(&Test::new(), &["static", "--freeze", "-p", "amd64,arm64"], &format!("{late}{lines}"), 0);
    let again = Test::new();
    again.hsx("static --freeze -p amd64,arm64").exits(0);
    fs_err::remove_dir_all(again.project().join("dist-static")).unwrap();
    same_calls(&again, &["static", "--freeze", "-p", "amd64,arm64"], &format!("{late}{lines}"), 0);
    for args in ["freeze", "static --freeze"] {
        let test = Test::new();
        let dry = test.hsx(&format!("{args} --dry-run")).exits(0);
        let pasted = test.shell(&dry.stdout).exits(2);
        assert_eq!(pasted.kinds().last().map(String::as_str), Some("run-freeze"), "{pasted}");
        pasted.says("the text of the freeze file");
    }
}

#[test]
fn the_plan_says_what_is_left_out_when_another_hsx_was_faster() {
    let dry = Test::new().hsx("static -p arm64 --dry-run").exits(0);
    for (what, command) in [
        ("created the volume", "podman volume create"),
        ("made the image", "podman run"),
        ("filled the volume", "podman run"),
    ] {
        let note = format!("# hsx leaves this out where another hsx has {what} meanwhile\n{command} ");
        assert!(dry.stdout.contains(&note), "{note}{dry}");
    }
}

#[test]
fn where_nothing_is_to_be_built_the_plan_says_so() {
    let test = Test::new().remembering();
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    test.write_at("fake/arch", format!("{arch}\n"));
    test.hsx("static").exits(0);
    let run = test.hsx("run --dry-run -- a").exits(0);
    let path = test.project().join(format!("dist-static/linux-{arch}/demo"));
    assert_eq!(run.stdout, format!("set -eu\n# linux/{arch}: up to date; `--force` builds again\nexec {path} a\n"));
    assert!(run.calls.is_empty(), "{run}");
}

#[test]
fn a_pasted_plan_stops_at_the_first_error() {
    for (kind, last) in [("pull", "pull"), ("volume-create", "volume-create"), ("run-build", "run-build"), ("cp", "cp")]
    {
        let test = Test::new();
        let dry = test.hsx("static --dry-run").exits(0);
        test.set_scenario(kind, "exit 100");
        let pasted = test.shell(&dry.stdout).exits(100);
        assert_eq!(pasted.kinds().last().map(String::as_str), Some(last), "{pasted}");
        assert!(test.tree("dist-static/linux-amd64").is_empty(), "{pasted}");
    }
}

#[test]
fn a_pasted_plan_verifies_what_it_delivers() {
    let needed = [1_u64, 0, 0, 0].map(u64::to_le_bytes).concat();
    let load = (PT_LOAD, &b"the program"[..]);
    for (content, why) in [
        (elf("linux/amd64", &[load, (PT_INTERP, b"/lib/ld.so\0")]), "demo is not static"),
        (elf("linux/amd64", &[load, (PT_DYNAMIC, &needed)]), "demo is not static"),
        (static_elf("linux/arm64"), "demo is not for linux/amd64"),
        (b"no executable".to_vec(), ""),
    ] {
        let test = Test::new();
        test.builds("linux/amd64", &[("demo:demo", &content)]);
        let dry = test.hsx("static --dry-run").exits(0);
        let pasted = test.shell(&dry.stdout).exits(1).says(why);
        assert!(pasted.calls_of("run-try").is_empty() && test.tree("dist-static/linux-amd64").is_empty(), "{pasted}");
    }
}

#[test]
fn a_pasted_plan_takes_no_image_of_another_architecture() {
    let test = Test::new();
    let dry = test.hsx("static --dry-run").exits(0);
    test.set_scenario("image-arch", "echo s390x; exit 0");
    let pasted = test.shell(&dry.stdout).exits(1).says("is not for linux/amd64");
    assert_eq!(pasted.kinds(), ["pull", "image-arch"]);
}

#[test]
fn a_pasted_plan_delivers_what_upx_fails_at() {
    let test = Test::new().fake("upx");
    let dry = test.hsx("static --dry-run").exits(0);
    test.set_scenario("upx", "exit 2");
    test.shell(&dry.stdout).exits(0);
    assert_eq!(test.tree("dist-static/linux-amd64")["demo"], static_elf("linux/amd64"));
}

/// A run for a foreign and the own platform with either engine, for what must hold of all calls.
fn runs() -> [crate::fake::Run; 2] {
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
        for kind in ["run-fetch", "run-build"] {
            let call = run.calls_of(kind)[1];
            assert_eq!(call.value("--workdir"), Some("/src"));
            assert_eq!(targets(call), ["/src,readonly", "/hsx/cabal/store", "/hsx/index,ro", "/hsx/build"], "{run}");
        }
    }
}

/// Where a container sees what it is shown, and whether only to read.
fn targets(call: &Call) -> Vec<&str> {
    call.values("--mount").into_iter().map(|mount| mount.split_once("target=").unwrap().1).collect()
}

#[test]
fn what_all_projects_read_is_written_where_no_project_is() {
    let test = Test::new();
    for command in ["static", "freeze", "shell"] {
        let run = test.hsx(&format!("{command} --dry-run")).exits(0);
        assert!(!run.stdout.contains("target=/hsx/cabal "), "cabal's configuration is the container's own\n{run}");
    }
    let run = test.hsx("static").exits(0);
    let update = run.call("run-index");
    assert_eq!(targets(update), ["/hsx/index"], "{run}");
    assert_eq!((update.value("--workdir"), update.value("--network")), (Some("/"), None));
    for call in run.calls.iter().filter(|call| call.kind().starts_with("run-") && call.kind() != "run-index") {
        assert!(!targets(call).contains(&"/hsx/index"), "{call:?}");
    }
    assert_eq!(targets(run.call("run-try")), ["/hsx/try,readonly"], "what was built sees no volume");
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
        assert_eq!(names.len(), 7, "a store, an index and a build directory each, and a toolchain\n{run}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 7, "{run}");
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
    assert_eq!(run.call("run-fetch").script_args(), [&["new", "2026-01-01T00:00:00Z"], &cabal[..]].concat());
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
