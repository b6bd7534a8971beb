//! Projects in places that a mount, a shell or git may trip over.

use std::process::Command;

use crate::real::support::{Engine, World, output};

#[test]
fn a_worktree_with_a_sibling_package_keeps_its_commit() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let (tree, sibling) = (hello.beside("tree"), hello.beside("sibling"));
    fs_err::create_dir(&sibling).unwrap();
    fs_err::write(sibling.join("sibling.cabal"), SIBLING_CABAL).unwrap();
    fs_err::write(
        sibling.join("Sibling.hs"),
        "module Sibling (greeting) where\n\ngreeting :: String\ngreeting = \"Hej\"\n",
    )
    .unwrap();
    hello.write("cabal.project", "packages: . ../sibling\n");
    hello.edit("hello.cabal", "base >=4.18 && <5", "base >=4.18 && <5, process, sibling, template-haskell");
    hello.write("Main.hs", GREETS_WITH_COMMIT);
    hello.commit();
    hello.git(&["worktree", "add", "--quiet", tree.to_str().unwrap()]);
    // The main work tree is another one's by now.
    hello.write("later", "");
    hello.commit();

    let hello = hello.rooted_at(tree);
    // The repository names this worktree, as git arranged it; the sibling is the user's to show.
    let named = format!("{}: a package in `packages:`", sibling.canonicalize().unwrap().display());
    hello.hsx(&[]).run().exits(2).says(&named);
    hello.hsx(&["--allow-mount", sibling.to_str().unwrap()]).run().exits(0);
    let commit = hello.git(&["rev-parse", "HEAD"]);
    assert_eq!(output(&mut Command::new(hello.result("linux/amd64", "hello"))), format!("Hej from {commit}"));
    assert_eq!(hello.git(&["status", "--porcelain"]), "");
    hello.assert_nothing_left();
}

const SIBLING_CABAL: &str = "\
cabal-version: 3.0
name: sibling
version: 1
build-type: Simple

library
  default-language: Haskell2010
  exposed-modules: Sibling
  build-depends: base
";

const GREETS_WITH_COMMIT: &str = "\
{-# LANGUAGE TemplateHaskell #-}
module Main (main) where

import Language.Haskell.TH (litE, runIO, stringL)
import Sibling (greeting)
import System.Process (readProcess)

main :: IO ()
main = putStr (greeting ++ \" from \" ++ $(runIO (readProcess \"git\" [\"rev-parse\", \"HEAD\"] \"\") >>= litE . stringL))
";

#[test]
fn blanks_commas_colons_quotes_and_umlauts_in_a_path_do_no_harm() {
    let world = World::shared();
    for engine in [Engine::Podman, Engine::Docker] {
        let hello = world.project("hello", engine);
        let odd = hello.beside("ein \"schönes\", it's: $HOME");
        fs_err::rename(hello.root(), &odd).unwrap();
        let hello = hello.rooted_at(odd);
        hello.hsx(&[]).run().exits(0);
        let greeting = output(&mut Command::new(hello.result("linux/amd64", "hello")));
        assert_eq!(greeting, "Hello from a static executable\n");
        hello.assert_nothing_left();
    }
}
