//! `hsx shell`: the terminal, signals and exit code are those of what runs in the container.

use std::time::Duration;

use rustix::process::Signal;

use crate::real::support::{Engine, To, World};

const ENGINES: [Engine; 3] = [Engine::Podman, Engine::RootlessPodman, Engine::Docker];

#[test]
fn a_shell_has_the_terminal() {
    let world = World::shared();
    for engine in ENGINES {
        let hello = world.project("hello", engine);
        let mut terminal = hello.hsx_command(&["shell"]).in_terminal();
        terminal.wait_for("hsx linux/amd64:/src# ");
        terminal.type_in("tty && echo in-$((40 + 2))\n");
        terminal.wait_for("in-42");
        // Ctrl-C ends what runs in the shell, not the shell. It is one program that says so and waits: bash takes no
        // notice of a signal that comes between two.
        terminal.type_in("sh -c 'echo waits-$((40 + 3)); exec sleep 600'\n");
        terminal.wait_for("waits-43");
        terminal.type_in("\u{3}");
        terminal.type_in("echo status-$?-$((40 + 4))\n");
        terminal.wait_for("status-130-44");
        terminal.type_in("cabal build -v1 exe:hello\n");
        terminal.wait_for("Linking");
        terminal.type_in("exit 5\n");
        let outcome = terminal.finish();
        outcome.exits(5);
        assert!(outcome.stdout.contains("/dev/pts/") || outcome.stdout.contains("/dev/console"), "{outcome}");
        assert!(!hello.path("dist-newstyle").exists() && !hello.path("dist-static").exists());
        hello.assert_nothing_left();
    }
}

#[test]
fn a_command_has_input_and_output() {
    let world = World::shared();
    for engine in ENGINES {
        let hello = world.project("hello", engine);
        let script = "cat; pwd; ls; ghc --numeric-version >&2; exit 41";
        let outcome = hello.hsx_command(&["shell", "-q", "--", "sh", "-c", script]).reading("what was typed\n").run();
        outcome.exits(41);
        assert_eq!(outcome.stdout, "what was typed\n/src\nMain.hs\nhello.cabal\n", "{outcome}");
        assert_eq!(outcome.stderr, "9.6.6\n", "{outcome}");
        hello.assert_nothing_left();
    }
}

#[test]
fn a_foreign_platforms_shell_compiles_for_it() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let flag = "--cabal-arg=--ghc-options=-DQUOTES=\"a\\ b\"";
    let outcome = hello.hsx_command(&["shell", "-p", "arm64", flag, "--", "cabal", "run", "-v0", "exe:hello"]).run();
    outcome.exits(0);
    assert_eq!(outcome.stdout, "Hello from a static executable\n", "{outcome}");
    let outcome = hello.hsx_command(&["shell", "-p", "arm64", flag, "--", "cabal", "list-bin", "exe:hello"]).run();
    assert!(outcome.exits(0).stdout.contains("/hsx/build/build/aarch64-linux/"), "{outcome}");
    hello.assert_nothing_left();
}

#[test]
fn a_foreign_platforms_tools_run_its_splices() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let library = "\nlibrary\n  default-language: Haskell2010\n  hs-source-dirs: lib\n  exposed-modules: Place\n  \
        build-depends: base, template-haskell\n";
    hello.edit("hello.cabal", "base >=4.18 && <5", &format!("base >=4.18 && <5, hello\n{library}"));
    let place = "{-# LANGUAGE TemplateHaskell #-}\nmodule Place where\n\nimport Language.Haskell.TH\n\
        import System.Info (arch)\n\n-- | Where it runs, and where its splice ran.\nplace :: String\n\
        place = arch ++ ' ' : $(runIO (pure (LitE (StringL arch))))\n";
    hello.write("lib/Place.hs", place);
    hello.write("Main.hs", "module Main (main) where\n\nimport Place\n\nmain :: IO ()\nmain = putStrLn place\n");
    let script = "set -e
cabal haddock >&2
grep -o 'where its splice ran' \"$(find /hsx/build -name Place.html)\"
echo 'putStrLn place' | cabal repl -v0 --repl-options=-v0 lib:hello
runghc -ilib Main.hs
runhaskell -ilib Main.hs
cabal build -v1 --enable-coverage exe:hello >&2
\"$(find /hsx/build -name hello -type f)\"
mix=$(find /hsx/build -name Place.mix)
hpc report --exclude=Main --hpcdir=\"${mix%/*/*}\" hello.tix >&2";
    let script = format!("cd /tmp && cp -R /src . && cd src && {script}");
    let outcome = hello.hsx_command(&["shell", "-p", "arm64", "--", "sh", "-c", &script]).run();
    outcome.exits(0);
    let arch = "aarch64 aarch64\n".repeat(4);
    assert_eq!(outcome.stdout, format!("where its splice ran\n{arch}"), "{outcome}");
}

#[test]
fn a_signal_ends_the_command_and_its_container() {
    let world = World::shared();
    for engine in ENGINES {
        let hello = world.project("hello", engine);
        for (signal, to) in [(Signal::INT, To::Group), (Signal::TERM, To::Hsx), (Signal::HUP, To::Hsx)] {
            let mut run = hello.hsx_command(&["shell", "--", "sh", "-c", "echo up >&2; exec sleep 60"]).start();
            run.wait_for("up");
            run.send(signal, to);
            let outcome = run.finish();
            outcome.exits(128 + signal.as_raw());
            assert!(outcome.took < Duration::from_secs(5), "{outcome}");
            hello.assert_nothing_left();
        }
    }
}
