//! Ctrl-C, SIGTERM and SIGKILL at every moment: hsx ends at once and takes all that it started with it.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::servers::Server;
use crate::real::support::{Engine, Hsx, Project, Running, To, World};

const ENGINES: [Engine; 3] = [Engine::Podman, Engine::RootlessPodman, Engine::Docker];

/// However busy the machine and slow the engine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A project with the result of an earlier build, for each engine in turn.
fn on_every_engine(test: impl Fn(&Project<'_>, Engine)) {
    let world = World::shared();
    for engine in ENGINES {
        let hello = world.project("hello", engine);
        hello.put_previous_result();
        test(&hello, engine);
    }
}

/// Sends the signal, and fails unless hsx ends at once as if nothing had been.
#[track_caller]
fn ends_at_once(mut run: Running, hello: &Project<'_>, signal: Signal, to: To) {
    run.send(signal, to);
    let outcome = run.finish();
    outcome.exits(128 + signal.as_raw());
    assert!(outcome.took < AT_ONCE, "{outcome}");
    assert_eq!(outcome.left, [""; 0], "processes are left\n{outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert!(outcome.errors().len() <= 1, "{outcome}");
    hello.assert_untouched();
}

fn with_registry(hsx: Hsx, server: &Server, hello: &Project<'_>) -> Hsx {
    // Podman leaves a directory in TMPDIR, else in /var/tmp, when it is interrupted.
    let hsx = hsx.env("TMPDIR", hello.beside(""));
    hsx.env("HSX_IMAGE", server.address() + "/builder:1")
        .env("CONTAINERS_REGISTRIES_CONF", server.registries_conf(hello))
}

#[test]
fn ctrl_c_while_the_registry_is_asked() {
    on_every_engine(|hello, _| {
        let registry = Server::silent();
        let mut run = with_registry(hello.hsx(&[]), &registry, hello).start();
        run.wait_until("question", |_| registry.keeps_waiting());
        ends_at_once(run, hello, Signal::INT, To::Group);
    });
}

#[test]
fn ctrl_c_during_the_pull() {
    on_every_engine(|hello, _| {
        let registry = Server::without_layers();
        let mut run = with_registry(hello.hsx(&[]), &registry, hello).start();
        run.wait_until("pull", |said| said.contains("Pulling") && registry.keeps_waiting());
        ends_at_once(run, hello, Signal::INT, To::Group);
    });
}

#[test]
fn ctrl_c_during_the_fetch() {
    on_every_engine(|hello, _| {
        let hackage = Server::silent();
        // Newer than any index that is there, so that the fetch asks for one.
        let project = "packages: .\nindex-state: 2999-12-31T00:00:00Z\n";
        let repository = format!("repository stalled\n  url: http://{}/\n", hackage.address());
        hello.write("cabal.project", &(project.to_owned() + &repository));
        let mut run = hello.hsx(&["--engine-arg=--network=host"]).start();
        run.wait_until("download", |said| said.contains("Fetching") && hackage.keeps_waiting());
        ends_at_once(run, hello, Signal::INT, To::Group);
    });
}

#[test]
fn ctrl_c_during_the_build() {
    on_every_engine(|hello, _| {
        hello.sleep_while_compiling();
        let mut run = hello.hsx(&[]).start();
        run.wait_for("Compiling Main");
        ends_at_once(run, hello, Signal::INT, To::Group);
    });
}

#[test]
fn ctrl_c_while_the_executables_are_tried_out() {
    on_every_engine(|hello, _| {
        hello.edit("Main.hs", "import System.Exit", "import Control.Concurrent (threadDelay)\nimport System.Exit");
        hello.edit("Main.hs", "putStrLn \"Usage: hello [exit N]\"", "threadDelay 60000000");
        let mut run = hello.hsx(&[]).start();
        run.wait_until("trial", |said| said.contains("Checking") && !hello.containers().is_empty());
        ends_at_once(run, hello, Signal::INT, To::Group);
    });
}

/// The moments while the engine makes a container are the hard ones: it may appear after its client has gone.
#[test]
fn ctrl_c_while_a_container_is_made() {
    on_every_engine(|hello, _| {
        for pause in [0, 30, 60, 100, 150, 200, 300, 400] {
            let mut run = hello.hsx(&[]).start();
            run.wait_for("Fetching");
            thread::sleep(Duration::from_millis(pause));
            ends_at_once(run, hello, Signal::INT, To::Group);
        }
        thread::sleep(Duration::from_secs(1));
        hello.assert_untouched();
    });
}

#[test]
fn a_signal_for_hsx_alone_ends_what_it_started() {
    on_every_engine(|hello, _| {
        hello.sleep_while_compiling();
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let mut run = hello.hsx(&[]).start();
            run.wait_for("Compiling Main");
            ends_at_once(run, hello, signal, To::Hsx);
        }
    });
}

#[test]
fn the_next_run_sweeps_what_a_killed_hsx_left() {
    on_every_engine(|hello, _| {
        hello.sleep_while_compiling();
        let mut run = hello.hsx(&[]).start();
        run.wait_for("Compiling Main");
        run.send(Signal::KILL, To::Hsx);
        run.finish().exits(-9);
        assert_ne!(hello.containers(), "", "nothing to sweep");

        hello.edit("Main.hs", "60000000", "0");
        hello.hsx(&[]).run().exits(0).says("Sweeping");
        hello.assert_nothing_left();
    });
}
