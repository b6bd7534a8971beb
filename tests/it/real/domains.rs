//! What a hostile project can leave for the next one.

use std::process::Command;

use crate::real::support::{Engine, Project, World, output};

/// Leaves marks wherever the next build may look; runs while dependencies are downloaded, and again while a module is
/// compiled. The paths begin with that of the mark.
const LEAVES_MARKS: &str = "\
for path in cabal/config cabal/bin/ghc home/.cabal/config home/.config/cabal/config home/.gitconfig home/.ghci \\
  home/.ghc/environment home/.local/bin/gcc index/config index/updated index/packages/hackage.haskell.org/01-index.tar \\
  cabal/packages/hackage.haskell.org/a/1/a-1.tar.gz build/packages/b/1/b-1.tar.gz cabal/store/mark; do
  mkdir -p \"/hsx/${path%/*}\" 2> /dev/null || :
  echo left-by-another > \"/hsx/$path\" 2> /dev/null || :
done
";

/// Says at run time what a command said while it was compiled.
const SAYS: &str = "\
{-# LANGUAGE TemplateHaskell #-}
module Main (main) where

import Language.Haskell.TH (litE, runIO, stringL)
import System.Process (readProcess)

main :: IO ()
main = putStr $(runIO (readProcess \"sh\" [\"/src/command.sh\"] \"\") >>= litE . stringL)
";

/// A project that runs a command in the builder.
fn running<'a>(world: &'a World, engine: Engine, command: &str) -> Project<'a> {
    let project = world.project("hello", engine);
    project.edit("hello.cabal", "base >=4.18 && <5", "base >=4.18 && <5, process, template-haskell");
    project.write("Main.hs", SAYS);
    project.write("command.sh", command);
    project
}

#[test]
fn a_build_finds_nothing_of_another_project() {
    let world = World::shared();
    for engine in [Engine::Podman, Engine::Docker, Engine::RootlessPodman] {
        let hostile = running(&world, engine, LEAVES_MARKS);
        hostile.write("dep/dep.cabal", "cabal-version: 3.0\nname: dep\nversion: 1\nlibrary\n");
        hostile.write("post.sh", &format!("#!/bin/sh\n{LEAVES_MARKS}"));
        hostile.commit();
        let commit = hostile.git(&["rev-parse", "HEAD"]);
        let dep = format!(
            "source-repository-package\n  type: git\n  location: file:///src/.git\n  subdir: dep\n  tag: {commit}  \
             post-checkout-command: sh /src/post.sh\n"
        );
        hostile.write("cabal.project", &format!("packages: .\n{dep}"));
        hostile.hsx(&["--no-upx"]).run().exits(0);

        let finds = "grep -r -l left-by-another /hsx --exclude-dir=out 2> /dev/null || :";
        let innocent = running(&world, engine, finds);
        innocent.hsx(&["--no-upx"]).run().exits(0);
        let found = output(&mut Command::new(innocent.result("linux/amd64", "hello")));
        assert_eq!(found, "/hsx/cabal/store/mark\n", "a store is shared, and nothing else: {engine:?}");
        innocent.hsx(&["--no-upx", "--store=project"]).run().exits(0);
        assert_eq!(output(&mut Command::new(innocent.result("linux/amd64", "hello"))), "", "{engine:?}");
        hostile.write("command.sh", "rm -f /hsx/cabal/store/mark\n");
        hostile.hsx(&["--no-upx", "--clean"]).run().exits(0);
    }
}
