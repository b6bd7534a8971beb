//! Which engine hsx uses, and its error when none works.

use snapbox::{assert_data_eq, str};

use crate::fake::{Call, Run, Test};

/// The programs that were called to build.
fn builders(run: &Run) -> Vec<&str> {
    let mut programs: Vec<_> = run.calls.iter().filter(|call| !call.is_fact()).map(Call::program).collect();
    programs.dedup();
    programs
}

const PERMISSION: &str = r#"
echo '{"ServerErrors":["permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"]}'
exit 1"#;
const BROKEN: &str = "echo 'Error: cannot set up namespace using \"newuidmap\": exit status 1' >&2; exit 125";

#[test]
fn podman_comes_first_where_both_work() {
    let run = Test::new().fake("docker").hsx("static").exits(0);
    assert_eq!(builders(&run), ["podman"]);
}

#[test]
fn docker_is_taken_where_podman_is_broken_or_missing() {
    let broken = Test::new().fake("docker").scenario("podman.info", BROKEN);
    assert_eq!(builders(&broken.hsx("static").exits(0)), ["docker"]);
    let missing = Test::new().without("podman").fake("docker");
    assert_eq!(builders(&missing.hsx("static").exits(0)), ["docker"]);
}

#[test]
fn an_engine_can_be_asked_for() {
    let run = Test::new().fake("docker").hsx("static --engine docker").exits(0);
    assert_eq!(builders(&run), ["docker"]);
    assert!(run.calls.iter().all(|call| call.program() == "docker"), "podman was not even asked\n{run}");
    let by_variable = Test::new().fake("docker").env("HSX_ENGINE", "docker").hsx("static").exits(0);
    assert_eq!(builders(&by_variable), ["docker"]);
    let by_file = Test::new().fake("docker").user_config("engine = \"docker\"\n").hsx("static").exits(0);
    assert_eq!(builders(&by_file), ["docker"]);
    let flag_first = Test::new().fake("docker").user_config("engine = \"docker\"\n").env("HSX_ENGINE", "docker");
    assert_eq!(builders(&flag_first.hsx("static --engine podman").exits(0)), ["podman"]);
}

#[test]
fn an_engine_can_be_a_path() {
    let test = Test::new().without("podman").fake_as("engine", "podman");
    let path = test.root().join("podman");
    assert_eq!(builders(&test.hsx(&format!("static --engine {path}")).exits(0)), ["podman"]);
}

#[test]
fn an_engine_that_is_asked_for_has_no_substitute() {
    let test = Test::new().fake("docker").scenario("docker.info", BROKEN);
    test.hsx("static --engine docker").exits(3).says("the container engine `docker` does not answer");
    let run = Test::new().hsx("static --engine docker").exits(3);
    assert_data_eq!(
        without_last_line(&run),
        str![[r#"
error: no container engine: `docker` not on PATH

"#]]
    );
    Test::new().hsx("static --engine /nowhere/podman").exits(3).says("`/nowhere/podman` cannot be started");
}

#[test]
fn a_docker_that_is_podman_is_spoken_to_as_podman() {
    let test = Test::new().without("podman").fake("docker");
    for kind in ["info", "rm", "volume-create"] {
        test.set_scenario(&format!("docker.{kind}"), "dialect=podman");
    }
    let run = test.hsx("static").exits(0);
    assert!(run.call("rm").has("--ignore"), "{run}");
}

#[test]
fn without_an_engine_the_installation_is_told() {
    let run = Test::new().without("podman").hsx("static").exits(3).prints_nothing();
    assert_data_eq!(
        without_last_line(&run),
        str![[r#"
error: no container engine: `podman` and `docker` not on PATH

"#]]
    );
    assert!(run.stderr.lines().last().unwrap().starts_with("hint: install podman: "), "{run}");
}

#[test]
fn the_installation_is_that_of_the_engine_that_was_asked_for() {
    Test::new().hsx("static --engine docker").exits(3).says("hint: install docker: ").does_not_say("install podman");
    let run = Test::new().hsx("static --engine nerdctl").exits(3);
    run.says("hint: `--engine` takes `podman`, `docker`, or the path of one");
}

/// The message without the advice that differs between systems.
fn without_last_line(run: &Run) -> String {
    let lines: Vec<_> = run.stderr.split_inclusive('\n').collect();
    lines[..lines.len() - 1].concat()
}

#[test]
fn a_denied_socket_says_how_to_be_let_in() {
    let test = Test::new().without("podman").fake("docker").scenario("info", PERMISSION);
    let run = test.hsx("static").exits(3).prints_nothing();
    assert_data_eq!(
        run.message(),
        str![[r#"
error: the container engine `docker` does not answer
  tried: docker info --format '{{json .}}'
  | permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock
hint: mend it: sudo usermod --append --groups docker [..]  # then log in again
hint: `hsx doctor` looks at all that hsx needs

"#]]
    );
}

#[test]
fn a_daemon_that_is_not_running_can_be_started() {
    for said in [
        r#"echo '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"]}'; exit 1"#,
        r#"echo '{"ServerVersion":""}'; echo 'Cannot connect to the Docker daemon' >&2"#,
    ] {
        let test = Test::new().without("podman").fake("docker").scenario("info", said);
        test.hsx("static")
            .exits(3)
            .says("Cannot connect to the Docker daemon")
            .says("hint: mend it: sudo ")
            .says("docker")
            .says("hint: `hsx doctor` looks at all that hsx needs");
    }
}

#[test]
fn when_both_are_broken_both_are_named() {
    let test = Test::new().fake("docker").scenario("podman.info", BROKEN).scenario("docker.info", PERMISSION);
    let run = test.hsx("static").exits(3);
    assert_data_eq!(
        run.message(),
        str![[r#"
error: the container engine `podman` does not answer
  tried: podman info --format '{{json .}}'
  | Error: cannot set up namespace using "newuidmap": exit status 1
  | `docker` does not answer either: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock
hint: mend it: [..]
hint: mend it: sudo usermod --append --groups docker [..]  # then log in again
hint: `hsx doctor` looks at all that hsx needs

"#]]
    );
}

#[test]
fn the_engines_own_platform_is_the_default() {
    let test = Test::new();
    test.write_at("fake/arch", "arm64\n");
    let run = test.hsx("static").exits(0);
    assert_eq!(run.call("run-build").value("--platform"), Some("linux/arm64"));
    assert!(run.stdout.contains("native"), "{run}");
}

#[test]
fn an_engine_of_an_unknown_platform_is_an_error() {
    let test = Test::new();
    test.write_at("fake/arch", "s390x\n");
    test.hsx("static").exits(3).says("platform that hsx does not know");
}

#[test]
fn engine_args_are_only_for_run() {
    let test = Test::new().user_config("engine-args = [\"--memory=4g\"]\n").env("HSX_ENGINE_ARG", "--cpus=1");
    let run = test.hsx("static").exits(0);
    for call in &run.calls {
        let both = call.has("--memory=4g") && call.has("--cpus=1");
        assert_eq!(both, call.kind().starts_with("run-"), "{call:?}");
    }
    let run = test.hsx_args(&["static", "--engine-arg=--cpus=2", "--engine-arg", "--pids-limit=9"]).exits(0);
    let build = run.call("run-build");
    assert!(build.has("--cpus=2") && build.has("--pids-limit=9") && !build.has("--cpus=1"), "{run}");
}
