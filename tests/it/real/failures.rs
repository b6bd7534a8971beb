//! What can go wrong in earnest: each has its exit code, says what is the matter, and replaces no result.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::real::support::{Engine, Outcome, Project, World, output};

const ENGINES: [Engine; 2] = [Engine::Podman, Engine::Docker];

/// A `hello` with the result of an earlier build, which the test's failure must not touch.
fn failing(engine: Engine, test: impl FnOnce(&Project<'_>) -> Outcome) -> Outcome {
    let world = World::shared();
    let hello = world.project("hello", engine);
    hello.put_previous_result();
    let outcome = test(&hello);
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert_eq!(outcome.errors().len(), 1, "one error, last of all\n{outcome}");
    hello.assert_untouched();
    outcome
}

#[test]
fn a_program_that_does_not_compile() {
    let outcome = failing(Engine::Podman, |hello| {
        hello.edit("Main.hs", "putStrLn \"Hello", "putLine \"Hello");
        hello.hsx(&[]).run()
    });
    outcome.exits(1).says("cabal build failed");
    let [compilers, ours] = ["Variable not in scope: putLine", "\nerror: "].map(|text| outcome.stderr.find(text));
    assert!(compilers.is_some() && compilers < ours, "the compiler speaks first\n{outcome}");
}

#[test]
fn quietly_the_compilers_message_is_still_shown() {
    let outcome = failing(Engine::Podman, |hello| {
        hello.edit("Main.hs", "putStrLn \"Hello", "putLine \"Hello");
        hello.hsx(&["--quiet"]).run()
    });
    outcome.exits(1).says("Variable not in scope: putLine").does_not_say("Building linux/amd64");
}

#[test]
fn a_cabal_file_that_cabal_rejects() {
    let outcome = failing(Engine::Docker, |hello| {
        hello.edit("hello.cabal", "  main-is:          Main.hs", "  main-is: Main.hs\n }{");
        hello.hsx(&[]).run()
    });
    outcome.exits(1).says("hello.cabal:").says("fetching the dependencies failed");
}

#[test]
fn a_dependency_that_does_not_exist() {
    let outcome = failing(Engine::Docker, |hello| {
        hello.edit("hello.cabal", "base >=4.18", "no-such-package, base >=4.18");
        hello.hsx(&[]).run()
    });
    outcome.exits(1).says("unknown package: no-such-package").says("fetching the dependencies failed");
}

#[test]
fn a_c_library_that_the_image_lacks() {
    let outcome = failing(Engine::Docker, |hello| {
        hello.edit("hello.cabal", "base >=4.18", "lzma, base >=4.18");
        hello.hsx(&[]).run()
    });
    outcome.exits(1).says("hint: the builder image has no static C library `liblzma`");
    let outcome = failing(Engine::Docker, |hello| {
        hello.edit("hello.cabal", "main-is:", "ld-options: -lnowhere\n  main-is:");
        hello.hsx(&[]).run()
    });
    outcome.exits(1).says("hint: the builder image has no static C library `nowhere`");
}

#[test]
fn a_result_that_is_dynamic() {
    for engine in ENGINES {
        failing(engine, |hello| hello.hsx(&["--cabal-arg=--disable-executable-static"]).run())
            .exits(4)
            .says("the executable `hello` is dynamic: it asks for the interpreter /lib")
            .says("hint: look for `-dynamic`");
    }
}

#[test]
fn a_result_that_does_not_start() {
    let outcome = failing(Engine::Podman, |hello| {
        hello.edit("hello.cabal", "main-is:", "c-sources: die.c\n  main-is:");
        hello.write("die.c", "__attribute__((constructor)) static void die(void) { __builtin_trap(); }\n");
        hello.hsx(&[]).run()
    });
    outcome.exits(4).says("the executable `hello` dies of SIGILL when started");
}

#[test]
fn an_image_that_does_not_exist() {
    for engine in ENGINES {
        let outcome = failing(engine, |hello| hello.hsx(&["--ghc", "9.6.99"]).run());
        outcome.exits(3).says(":9.6.99` for linux/amd64 is not to be had").says("GHC 9.6.1, 9.6.2");
        outcome.does_not_say("trying again");
    }
}

#[test]
fn an_image_that_is_not_made_for_the_platform() {
    for engine in ENGINES {
        let outcome = failing(engine, |hello| hello.hsx(&["--platform", "riscv64"]).run());
        outcome.exits(3).says("is not made for linux/riscv64").says("it is made for linux/amd64, linux/arm64");
    }
}

#[test]
fn a_full_disk() {
    for engine in ENGINES {
        let outcome = failing(engine, |hello| {
            let disk = Tmpfs::mount(&hello.path("dist-static"), "size=1m");
            hello.put_previous_result();
            let outcome = hello.hsx(&[]).run();
            hello.assert_untouched();
            drop(disk);
            outcome
        });
        outcome
            .exits(3)
            .says("the disk is full")
            .says("No space left on device")
            .says("`--out-dir`")
            .does_not_say("system df");
        assert!(outcome.stderr.lines().all(|line| line.len() < 1000), "{outcome}");
    }
}

#[test]
fn a_full_disk_in_the_container() {
    for engine in ENGINES {
        failing(engine, |hello| hello.hsx(&["--engine-arg=--tmpfs=/tmp:size=4k"]).run())
            .exits(3)
            .says("the disk is full");
    }
}

#[test]
fn an_output_directory_that_is_read_only() {
    let outcome = failing(Engine::Podman, |hello| {
        let disk = Tmpfs::mount(&hello.path("dist-static"), "ro");
        let outcome = hello.hsx(&[]).run();
        drop(disk);
        outcome
    });
    outcome.exits(2).says("the output directory is not writable").says("Read-only file system").says("--out-dir");
}

#[test]
fn an_engine_that_is_not_running() {
    let outcome = failing(Engine::Docker, |hello| hello.hsx(&[]).env("DOCKER_HOST", "unix:///nowhere.sock").run());
    outcome
        .exits(3)
        .says("`docker` does not answer")
        .says("Cannot connect to the Docker daemon")
        .says("hint: mend it: sudo ");
    assert!(outcome.stderr.lines().all(|line| line.len() < 200), "it quotes what nobody can read\n{outcome}");
}

#[test]
fn an_engine_that_the_user_may_not_reach() {
    let outcome = failing(Engine::RootlessPodman, |hello| hello.hsx(&[]).env("HSX_ENGINE", "docker").run());
    outcome.exits(3).says("`docker` does not answer").says("permission denied").says("--groups docker");
    assert!(outcome.stderr.lines().all(|line| line.len() < 250), "it quotes what nobody can read\n{outcome}");
}

#[test]
fn a_container_that_somebody_kills() {
    for engine in ENGINES {
        let outcome = failing(engine, |hello| {
            hello.sleep_while_compiling();
            let mut run = hello.hsx(&[]).start();
            run.wait_for("Compiling Main");
            engine.ask(&["kill", "--signal", "KILL", hello.containers().trim()]);
            run.finish()
        });
        outcome.exits(3).says("the builder container failed").says("the container was killed");
    }
}

/// As the kernel does when memory runs out.
#[test]
fn a_compiler_that_somebody_kills() {
    let outcome = failing(Engine::RootlessPodman, |hello| {
        hello.edit("hello.cabal", "base >=4.18 && <5", "base >=4.18 && <5, template-haskell, unix");
        hello.write("Main.hs", DIES_WHILE_COMPILING);
        hello.hsx(&[]).run()
    });
    outcome.exits(1).says("hint: the compiler was killed, most likely for lack of memory");
}

const DIES_WHILE_COMPILING: &str = "\
{-# LANGUAGE TemplateHaskell #-}
module Main (main) where

import Language.Haskell.TH (runIO)
import System.Posix.Signals (raiseSignal, sigKILL)

main :: IO ()
main = $(runIO (raiseSignal sigKILL) >> [| pure () |])
";

/// A file system of its own, until dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(dir: &Path, options: &str) -> Self {
        fs_err::create_dir_all(dir).unwrap();
        output(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir));
        Self(dir.to_owned())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
