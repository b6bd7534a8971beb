//! Engines on other machines: which one is used, what is sent to it, and that it mounts no directory of this machine.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::fake::{Call, DEMO_CABAL, Run, Test};

/// A world with an engine elsewhere, of an architecture, that a program knows by a name.
fn with_engine(test: Test, program: &str, name: &str, arch: &str) -> Test {
    let dir = format!("fake/connections/{name}");
    for file in ["images", "volumes"] {
        test.write_at(&format!("{dir}/{file}"), "");
    }
    test.write_at(&format!("{dir}/arch"), format!("{arch}\n"));
    for sub in ["containers", "filled"] {
        fs_err::create_dir(test.root().join(&dir).join(sub)).unwrap();
    }
    if program == "docker" {
        test.write_at(&format!("{dir}/docker"), "");
    }
    test
}

fn graviton() -> Test {
    with_engine(Test::new(), "podman", "graviton", "arm64").user_config(ALLOWED)
}

/// What the user lets projects take.
const ALLOWED: &str = "connections = [\"graviton\"]\n";

const TABLE: &str = "[platform.\"linux/arm64\"]\nconnection = \"graviton\"\n";

/// Whether a call goes to an engine by its name.
fn goes_to(call: &Call, name: &str) -> bool {
    call.value("--connection").or(call.value("--context")) == Some(name)
}

/// What the engine was sent last: names, and `gone PATH`.
fn sent(test: &Test) -> Vec<String> {
    let report = fs_err::read_to_string(test.root().join("fake/connections/graviton/sent")).unwrap();
    report.lines().map(str::to_owned).collect()
}

#[track_caller]
fn shows_nothing_of_this_machine(run: &Run) {
    let mounts = run.calls.iter().flat_map(|call| call.values("--mount"));
    for mount in mounts {
        assert!(mount.starts_with("type=volume,") || mount.starts_with("type=image,"), "{mount}");
    }
}

#[test]
fn a_platform_is_built_on_the_engine_that_its_connection_names() {
    let test = graviton().file("hsx.toml", TABLE);
    let run = test.hsx("static -p linux/amd64,linux/arm64").exits(0).prints("linux/arm64").prints("native");
    for call in run.calls_of("run-build") {
        let is_arm = call.value("--platform") == Some("linux/arm64");
        assert_eq!(goes_to(call, "graviton"), is_arm, "{call:?}");
    }
    assert!(run.call("run-send").has("--interactive") && goes_to(run.call("run-send"), "graviton"), "{run}");
    assert_eq!(run.calls_of("cp").len(), 2);
    for platform in ["linux-amd64", "linux-arm64"] {
        assert!(test.project().join("dist-static").join(platform).join("demo").exists());
    }
    let engine = test.root().join("fake/connections/graviton");
    assert_eq!(fs_err::read_to_string(engine.join("source/src/app/Main.hs")).unwrap(), "main = pure ()\n");
    assert!(!engine.join("source/src/dist-static").exists(), "results are no source");
}

#[test]
fn an_engine_elsewhere_is_shown_no_directory_of_this_machine() {
    const SUITE: &str = "test-suite spec\n  type: exitcode-stdio-1.0\n";
    const TESTED: &str = "/bin/mkdir -p \"$world/out/linux-arm64/logs\"
        say 'suite demo-0.1.0 spec PASS' > \"$world/out/linux-arm64/results\"";
    for args in ["static", "static -p amd64", "test -p arm64", "shell -p arm64 -- ghc", "static --freeze=image"] {
        let test = graviton().file("hsx.toml", "connection = \"graviton\"\n").scenario("run-test", TESTED);
        test.write("demo.cabal", format!("{DEMO_CABAL}\n{SUITE}"));
        test.write("cabal.project.freeze", "constraints: any.base ==4.20.2.0\n");
        let run = test.hsx(args);
        shows_nothing_of_this_machine(&run);
        assert!(run.calls.iter().filter(|call| !call.is_fact()).all(|call| goes_to(call, "graviton")), "{args}\n{run}");
        assert!(!run.calls_of("run-send").is_empty(), "{args}\n{run}");
    }
}

#[test]
fn a_project_alone_sends_nothing_anywhere() {
    let test = graviton().user_config("").file("hsx.toml", TABLE);
    for args in ["static -p arm64", "static -p amd64,arm64", "test -p arm64", "shell -p arm64", "freeze -p arm64"] {
        let run =
            test.hsx(args).exits(2).says("`hsx.toml` names the connection `graviton`, which you have not allowed");
        let run = run.says("hint: take it: `--connection linux/arm64=graviton`").says("`connections = [\"graviton\"]`");
        assert!(run.calls.iter().all(Call::is_fact), "{run}");
    }
    let test = test.file("hsx.toml", "connection = \"graviton\"\n");
    for args in ["static", "lock"] {
        test.hsx(args).exits(2).says("hint: take it: `--connection graviton`");
    }
    test.hsx("static --connection graviton").exits(0);
    test.hsx("static -p amd64").exits(2);
    let own = "`connections` may not be set in a project's `hsx.toml`";
    test.file("hsx.toml", ALLOWED).hsx("static").exits(2).says(own);
}

#[test]
fn a_docker_context_is_as_good() {
    let test = with_engine(Test::new().fake("docker"), "docker", "graviton", "arm64");
    let test = test.user_config(ALLOWED).file("hsx.toml", TABLE);
    let run = test.hsx("static -p linux/amd64,linux/arm64").exits(0);
    for call in run.calls_of("run-build") {
        let is_arm = call.value("--platform") == Some("linux/arm64");
        assert_eq!((call.program() == "docker", call.value("--context").is_some()), (is_arm, is_arm), "{call:?}");
    }
}

#[test]
fn a_name_that_nobody_knows_is_no_connection() {
    let test = graviton().fake("docker");
    let run = test.hsx("static --connection pluto").exits(2).says("no container engine knows the connection `pluto`");
    run.says("`podman` knows `graviton`").says("`docker` knows `default`").says("system connection add pluto");
    // An engine that is asked for is asked alone.
    test.hsx("static --engine docker --connection graviton").exits(2).does_not_say("podman");
}

#[test]
fn the_flag_is_stronger_than_the_variable_and_that_than_the_files() {
    let connection = |test: &Test, args: &str| {
        let run = test.hsx(args).exits(0);
        run.call("run-build").value("--connection").unwrap_or("here").to_owned()
    };
    let test =
        with_engine(graviton(), "podman", "mars", "arm64").user_config(&format!("connection = \"mars\"\n{ALLOWED}"));
    assert_eq!(connection(&test, "static -p arm64"), "mars");
    let test = test.file("hsx.toml", TABLE);
    assert_eq!(connection(&test, "static -p arm64 --force"), "graviton");
    let test = test.env("HSX_CONNECTION", "linux/arm64=mars");
    assert_eq!(connection(&test, "static -p arm64 --force"), "mars");
    assert_eq!(connection(&test, "static -p arm64 --force --connection graviton"), "graviton");
    assert_eq!(connection(&test, "static -p arm64 --force --connection arm64="), "here");
}

#[test]
fn without_a_platform_it_is_that_of_the_engine_which_all_are_built_on() {
    let run = graviton().hsx("static --connection graviton").exits(0);
    assert_eq!(run.call("run-build").value("--platform"), Some("linux/arm64"));
}

#[test]
fn only_what_has_changed_is_sent() {
    let test = graviton().file("hsx.toml", TABLE).file("src/Old.hs", "module Old where\n").remembering();
    test.hsx("static -p arm64").exits(0).says("Sending linux/arm64 the source");
    assert!(sent(&test).contains(&"src/src/Old.hs".to_owned()));

    test.write("app/Main.hs", "main = mempty\n");
    fs_err::remove_dir_all(test.project().join("src")).unwrap();
    test.hsx("static -p arm64").exits(0).says("Sending linux/arm64 what has changed");
    assert_eq!(sent(&test), ["gone /src/src", "gone /src/src/Old.hs", "src/app/Main.hs", "src/.hsx-source"]);
    let source = test.root().join("fake/connections/graviton/source/src");
    assert!(!source.join("src").exists());
    assert_eq!(fs_err::read_to_string(source.join("app/Main.hs")).unwrap(), "main = mempty\n");

    test.hsx("static -p arm64 --force").exits(0).says("the source is there");
    assert_eq!(sent(&test), ["src/.hsx-source"]);
    let fresh = test.hsx("static -p arm64").exits(0).says("up to date");
    assert_eq!(fresh.calls, []);
}

#[test]
fn a_volume_that_is_not_as_it_was_left_gets_all() {
    let test = graviton().file("hsx.toml", TABLE);
    test.hsx("static -p arm64").exits(0);
    test.write_at("fake/connections/graviton/source/src/.hsx-source", "another's");
    let run = test.hsx("static -p arm64").exits(0);
    assert_eq!(run.calls_of("run-send").len(), 2);
    assert!(sent(&test).contains(&"src/app/Main.hs".to_owned()));
    // One that went is noticed before anything is sent.
    test.write_at("fake/connections/graviton/volumes", "");
    let run = test.hsx("static -p arm64").exits(0);
    assert_eq!(run.calls_of("run-send").len(), 1);
    assert!(sent(&test).contains(&"src/app/Main.hs".to_owned()));
}

#[test]
fn a_transfer_that_is_cut_short_is_made_anew() {
    let test = graviton().file("hsx.toml", TABLE);
    test.hsx("static -p arm64").exits(0);
    let result = test.tree("dist-static");
    test.write("app/Main.hs", "main = mempty\n");
    test.set_scenario("run-send", "IFS= read -r line; say 'Error: unexpected EOF' >&2; exit 125");
    let run = test.hsx("static -p arm64").exits(3);
    let run = run.says("the connection `graviton` to the engine was lost").says("`podman --connection graviton info`");
    assert!(run.calls_of("run-build").is_empty() && test.tree("dist-static") == result, "{run}");
    test.clear_scenario("run-send");
    test.hsx("static -p arm64").exits(0);
    assert!(sent(&test).contains(&"src/demo.cabal".to_owned()), "all is sent: {:?}", sent(&test));
}

#[test]
fn a_connection_that_is_lost_delivers_nothing() {
    for (phase, said) in [
        ("run-build", "Error: Post \"http://d/v4/wait\": dial unix /run/p.sock: connect: no such file or directory"),
        ("run-build", "error during connect: Get \"http://box/wait\": EOF"),
        ("cp", "Error: read tcp 10.0.0.1:22: connection reset by peer"),
    ] {
        let test = graviton().file("hsx.toml", TABLE);
        test.hsx("static -p arm64").exits(0);
        let result = test.tree("dist-static");
        test.set_scenario(phase, &format!("say '{said}' >&2; exit 125"));
        let run = test.hsx("static -p arm64 --force").exits(3);
        run.says("the connection `graviton` to the engine was lost").says("`podman --connection graviton info`");
        assert_eq!(test.tree("dist-static"), result);
        test.clear_scenario(phase);
        test.hsx("static -p arm64 --force").exits(0);
    }
}

#[test]
fn an_engine_that_does_not_answer_is_named_by_its_connection() {
    let test = graviton().file("hsx.toml", TABLE);
    let test =
        test.scenario("info", "[ -z \"$connection\" ] || fail 'ssh: connect to host box port 22: Connection refused'");
    let run = test.hsx("static -p arm64").exits(3).says("the engine behind the connection `graviton` does not answer");
    run.says("Connection refused").says("`podman --connection graviton info`");
    // The other platform's is not waited for in vain.
    test.hsx("static").exits(0);
}

#[test]
fn what_is_printed_is_what_is_done() {
    let test = graviton().file("hsx.toml", TABLE);
    symlink(env!("CARGO_BIN_EXE_hsx"), test.root().join("bin/hsx")).unwrap();
    let dry = test.hsx("static -p arm64 --dry-run").exits(0).prints("hsx source --directory");
    assert!(dry.calls.iter().all(Call::is_fact), "{dry}");
    let volumes = test.root().join("fake/connections/graviton/volumes");
    let images = test.root().join("fake/connections/graviton/images");
    let pasted = test.shell(&dry.stdout).exits(0);
    let by_hand = test.tree("");
    fs_err::write(volumes, "").unwrap();
    fs_err::write(images, "").unwrap();
    fs_err::remove_dir_all(test.project().join("dist-static")).unwrap();
    let real = test.hsx("static -p arm64").exits(0);
    let done: Vec<_> = real.calls.iter().filter(|call| !call.is_fact()).cloned().collect();
    assert_eq!(pasted.calls, done);
    assert_eq!(by_hand, test.tree(""));
}

#[test]
fn the_address_tells_whether_dockers_engine_is_elsewhere() {
    for (address, is_sent) in
        [("unix:///run/docker.sock", false), ("tcp://10.0.0.1:2376", true), ("ssh://me@box", true)]
    {
        let test = Test::new().without("podman").fake("docker").env("DOCKER_HOST", address);
        // The fake takes what it is shown, but not to receive a source.
        let run = test.hsx("static --dry-run").exits(0);
        assert_eq!(run.stdout.contains("-send "), is_sent, "{address}\n{run}");
        assert_eq!(run.stdout.contains("type=bind"), !is_sent, "{address}\n{run}");
    }
}

#[test]
fn what_git_ignores_is_not_sent_but_for_what_decides_the_plan() {
    let test = Test::new().real("git").file(".gitignore", "secret\n*.local\n/dist-*\n").file("secret", "x");
    let test = test.file("cabal.project.local", "jobs: 1\n").file("cabal.project", "packages: .\n");
    let test = test.file("dist-newstyle/cache/plan.json", "{}").file("gone.txt", "x").file("untracked.txt", "x");
    let git = |words: &str| test.program("git", &words.split(' ').collect::<Vec<_>>()).exits(0);
    git("init --quiet");
    git("add gone.txt cabal.project demo.cabal app .gitignore");
    fs_err::remove_file(test.project().join("gone.txt")).unwrap();
    // The client prints a name that is not UTF-8, and goes on.
    let odd = std::ffi::OsStr::from_bytes(b"r\xe9sum\xe9.txt");
    fs_err::write(test.project().as_std_path().join(odd), "").unwrap();
    let list = test.hsx("source --list").exits(0).stdout;
    for there in
        ["/src/app/Main.hs", "/src/untracked.txt", "/src/cabal.project.local", "/src/.git/HEAD", "/src/.gitignore"]
    {
        assert!(list.lines().any(|line| line == there), "{there}\n{list}");
    }
    for absent in ["secret", "dist-newstyle", "gone.txt"] {
        assert!(!list.contains(absent), "{absent}\n{list}");
    }
}

#[test]
fn the_doctor_asks_the_engines_that_connections_lead_to() {
    let test = graviton().file("hsx.toml", TABLE);
    test.hsx("doctor").prints("`graviton` leads to podman 5.4.2, linux/arm64");
    let test = test.scenario("info", "[ -z \"$connection\" ] || fail 'ssh: connection refused'");
    test.hsx("doctor").exits(3).prints("the engine behind the connection `graviton` does not answer: Error: ssh:");
    let run = test.hsx("doctor -p amd64").exits(0);
    assert!(!run.stdout.contains("graviton"), "{run}");
}

#[test]
fn the_cache_of_an_engine_elsewhere_is_looked_at_by_its_name() {
    let test = graviton();
    let run = test.hsx("cache list --connection graviton").exits(0);
    assert!(run.calls_of("ps").iter().all(|call| goes_to(call, "graviton")), "{run}");
    test.hsx("cache list --connection arm64=graviton").exits(2).says("one engine");
}
