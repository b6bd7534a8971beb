//! `hsx run`: input, terminal, signals and exit code are the program's own.

use std::time::Duration;

use crate::real::support::{Engine, World};

/// Says whether it reads from a terminal, then what it reads, then waits.
const LISTENS: &str = "\
module Main (main) where

import Control.Concurrent (threadDelay)
import System.Environment (getArgs)
import System.IO (hFlush, hIsTerminalDevice, stdin, stdout)

main :: IO ()
main = do
  arguments <- getArgs
  case arguments of
    [\"listen\"] -> do
      terminal <- hIsTerminalDevice stdin
      putStrLn (\"terminal: \" ++ show terminal)
      hFlush stdout
      line <- getLine
      putStrLn (\"heard \" ++ line)
      hFlush stdout
      threadDelay 60000000
    _ -> pure ()
";

#[test]
fn a_program_runs_for_either_platform() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    for platform in ["linux/amd64", "linux/arm64"] {
        let outcome = hello.hsx_command(&["run", "-p", platform, "--", "exit", "7"]).run();
        outcome.exits(7).says("Delivered");
        let outcome = hello.hsx_command(&["run", "-p", platform, "-q"]).run();
        outcome.exits(0);
        assert_eq!(outcome.stdout, "Hello from a static executable\n", "{outcome}");
    }
    hello.assert_nothing_left();
}

#[test]
fn a_program_has_the_terminal_and_ctrl_c() {
    let world = World::shared();
    for engine in [Engine::RootlessPodman, Engine::Docker] {
        let hello = world.project("hello", engine);
        hello.write("Main.hs", LISTENS);
        let mut terminal = hello.hsx_command(&["run", "--no-upx", "--", "listen"]).in_terminal();
        terminal.wait_for("terminal: True");
        terminal.type_in("a line\n");
        terminal.wait_for("heard a line");
        terminal.type_in("\u{3}");
        let outcome = terminal.finish();
        outcome.exits(130);
        assert!(outcome.took < Duration::from_secs(10) && !outcome.stdout.contains("error:"), "{outcome}");

        let outcome = hello.hsx_command(&["run", "--no-upx", "--", "listen"]).reading("").run();
        assert!(outcome.exits(1).stdout.starts_with("terminal: False\n"), "{outcome}");
        hello.assert_nothing_left();
    }
}
