//! `hsx test`: suites run where they were built, whatever the engine, and the logs are the caller's.

use super::without_emulation::Disabled;
use crate::real::support::{Engine, Project, World, assert_owned};

const ENGINES: [Engine; 3] = [Engine::Podman, Engine::RootlessPodman, Engine::Docker];

const SUITES: &str = "
test-suite good
  type:             exitcode-stdio-1.0
  default-language: Haskell2010
  main-is:          Good.hs
  build-depends:    base

test-suite bad
  type:             exitcode-stdio-1.0
  default-language: Haskell2010
  main-is:          Bad.hs
  build-depends:    base
";

fn with_suites(hello: &Project<'_>) {
    let cabal = fs_err::read_to_string(hello.path("hello.cabal")).unwrap();
    hello.write("hello.cabal", &(cabal + SUITES));
    let good = "import System.Environment\nimport System.Info\nmain :: IO ()\nmain = getArgs >>= \\args -> print (arch, args)\n";
    hello.write("Good.hs", good);
    hello.write("Bad.hs", "import System.Exit\nmain :: IO ()\nmain = exitWith (ExitFailure 3)\n");
}

#[test]
fn each_suite_has_a_line_and_a_log_on_every_engine() {
    let world = World::shared();
    for engine in ENGINES {
        let hello = world.project("hello", engine);
        with_suites(&hello);
        let both = ["test", "-p", "linux/amd64,linux/arm64", "--test-option=a b", "--format", "json"];
        let outcome = hello.hsx_command(&both).run();
        let json = outcome.exits(1).json();
        for (index, platform, arch) in [(0, "linux-amd64", "x86_64"), (1, "linux-arm64", "aarch64")] {
            let suites = &json["platforms"][index]["suites"];
            assert_eq!(
                (&suites[0]["name"], &suites[0]["reason"]),
                (&"bad".into(), &"exit code: 3".into()),
                "{outcome}"
            );
            assert_eq!((&suites[1]["name"], &suites[1]["passed"]), (&"good".into(), &true.into()), "{outcome}");
            let logs = hello.path("dist-static").join(platform).join("test-logs");
            let log = fs_err::read_to_string(logs.join("hello-0.1.0-good.log")).unwrap();
            assert!(log.contains(&format!("({arch:?},[\"a b\"])")), "{log}");
        }
        assert_eq!(json["platforms"][1]["strategy"], "cross", "{outcome}");
        assert_owned(hello.root(), engine);

        // One of them, which is built already.
        let outcome = hello.hsx_command(&["test", "good"]).run();
        assert!(
            outcome.exits(0).stdout.contains("hello:good  passed  dist-static/linux-amd64/test-logs/"),
            "{outcome}"
        );
        outcome.does_not_say("Compiling");
        hello.assert_nothing_left();
    }
}

#[test]
fn tests_do_not_make_builds_start_over() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    with_suites(&hello);
    hello.hsx(&[]).run().exits(0).says("Compiling Main");
    hello.hsx_command(&["test", "good"]).run().exits(0);
    let again = hello.hsx(&["--force"]).run();
    again.exits(0).does_not_say("Configuring").does_not_say("Linking").does_not_say("Fetching");
    hello.write("Bad.hs", "main :: IO ()\nmain = putLine\n");
    hello.hsx_command(&["test"]).run().exits(1).says("Variable not in scope").says("cabal build of the tests failed");
    hello.assert_nothing_left();
}

#[test]
fn without_emulation_foreign_tests_are_refused() {
    let world = World::alone();
    let hello = world.project("hello", Engine::Podman);
    with_suites(&hello);
    let handlers = Disabled::arm64();
    let outcome = hello.hsx_command(&["test", "-p", "linux/arm64"]).run();
    let run = hello.hsx_command(&["run", "-p", "linux/arm64"]).run();
    drop(handlers);
    for outcome in [outcome, run] {
        outcome.exits(3).says("linux/arm64 programs do not start on this machine: the handler `");
        outcome.says("is disabled").says("hint: set it up: ").does_not_say("Fetching");
    }
}
