//! What a build reaches over the network, and when.

use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use super::servers::Server;
use crate::real::support::{Engine, Project, World, output};

#[test]
fn only_the_fetch_sees_a_network_even_if_the_user_names_one() {
    let world = World::shared();
    for engine in [Engine::Podman, Engine::Docker] {
        let hello = world.project("hello", engine);
        hello.edit("hello.cabal", "base >=4.18 && <5", "base >=4.18 && <5, directory, template-haskell");
        hello.write("Main.hs", LISTS_INTERFACES);
        hello.hsx(&["--engine-arg=--network=host"]).run().exits(0);
        assert_eq!(output(&mut Command::new(hello.result("linux/amd64", "hello"))), "lo\n");
    }
}

/// Prints the network interfaces of the machine that it was compiled on.
const LISTS_INTERFACES: &str = "\
{-# LANGUAGE TemplateHaskell #-}
module Main (main) where

import Language.Haskell.TH (litE, runIO, stringL)
import System.Directory (listDirectory)

main :: IO ()
main = putStrLn $(runIO (listDirectory \"/sys/class/net\") >>= litE . stringL . unwords)
";

#[test]
fn a_repository_of_the_projects_own_is_asked_although_the_store_is_not_new() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    hello.hsx(&[]).run().exits(0);

    // The store outlives the test, which must not find what its last run left there.
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let version = format!("{}.{}", now / 100_000, now % 100_000);
    let server = Server::files(&make_repository(&hello, &version));
    let stanza = format!("repository its-own-{version}\n  url: http://{}/\n", server.address());
    hello.write("cabal.project", &("packages: .\n".to_owned() + &stanza));
    hello.edit("hello.cabal", "base >=4.18", &format!("mini ==1.{version}, base >=4.18"));
    hello.write("Main.hs", "module Main (main) where\n\nimport Mini (mini)\n\nmain :: IO ()\nmain = putStrLn mini\n");
    hello.hsx(&["--engine-arg=--network=host"]).run().exits(0).says("Downloaded   mini-");
    assert_eq!(output(&mut Command::new(hello.result("linux/amd64", "hello"))), "small\n");
}

/// A repository in Hackage's plain format, with one small package.
fn make_repository(hello: &Project<'_>, version: &str) -> PathBuf {
    let dir = hello.beside("repository");
    let source = format!("mini-1.{version}");
    let description = MINI_CABAL.replace("VERSION", version);
    for (file, text) in [
        (format!("{source}/mini.cabal"), description.as_str()),
        (format!("{source}/Mini.hs"), MINI),
        (format!("mini/1.{version}/mini.cabal"), description.as_str()),
    ] {
        let path = dir.join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    fs_err::create_dir(dir.join("package")).unwrap();
    for (archive, content) in [("00-index.tar.gz", "mini"), (&format!("package/{source}.tar.gz"), &source)] {
        output(Command::new("tar").args(["--create", "--gzip", "--file", archive, content]).current_dir(&dir));
    }
    dir
}

const MINI_CABAL: &str = "\
cabal-version: 3.0
name: mini
version: 1.VERSION
build-type: Simple

library
  default-language: Haskell2010
  exposed-modules: Mini
  build-depends: base
";

const MINI: &str = "module Mini (mini) where\n\nmini :: String\nmini = \"small\"\n";
