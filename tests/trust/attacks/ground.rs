//! Where an attack takes place: a hostile project, and beside it what belongs to its victim.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Engine, Project, World};
use crate::watch::{Ended, watch, watch_while};

pub(super) struct Ground<'a> {
    pub world: &'a World,
    pub project: Project<'a>,
    pub engine: Engine,
    before: BTreeMap<PathBuf, String>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(world: &'a World, engine: Engine) -> Self {
        let project = world.project("hello", engine);
        let mut ground = Self { world, project, engine, before: BTreeMap::new() };
        let victim = ground.victim("");
        fs_err::create_dir_all(victim.join("bin")).unwrap();
        fs_err::write(victim.join("file"), "precious\n").unwrap();
        fs_err::write(victim.join("bin/tool"), "#!/bin/sh\necho the victim\n").unwrap();
        fs_err::set_permissions(victim.join("bin/tool"), PermissionsExt::from_mode(0o755)).unwrap();
        engine.own(&victim);
        ground.before = ground.victims();
        ground
    }

    /// What is the victim's: beside the project, so that `../victim` leads there from the project's top.
    pub(super) fn victim(&self, name: &str) -> PathBuf {
        self.project.beside("victim").join(name)
    }

    /// What the victim has: paths and contents.
    fn victims(&self) -> BTreeMap<PathBuf, String> {
        let files = crate::support::walk(&self.victim(""));
        let read = |path: &Path| fs_err::read_to_string(path).unwrap_or_else(|error| format!("{:?}", error.kind()));
        files.into_iter().map(|path| (path.clone(), read(&path))).collect()
    }

    /// `Err` if anything of the victim's is another, gone or new.
    pub(super) fn victim_is_as_before(&self, otherwise: String) -> Result<String, String> {
        let now = self.victims();
        let paths = self.before.keys().chain(now.keys());
        let changed = paths.into_iter().find(|path| self.before.get(*path) != now.get(*path));
        changed.map_or(Ok(otherwise), |path| {
            let name = path.strip_prefix(self.project.beside("")).unwrap().display();
            let how = match (self.before.contains_key(path), now.contains_key(path)) {
                (true, false) => "is gone",
                (false, true) => "is new",
                _ => "has another content",
            };
            Err(format!("{name} {how}"))
        })
    }

    /// A link of the project's.
    pub(super) fn link(&self, name: &str, to: &str) {
        let path = self.project.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, &path).unwrap();
        self.engine.own(self.project.root());
    }

    /// Makes the project's only executable `name`; while it is compiled, a script runs as root in the builder.
    pub(super) fn hostile(&self, name: &str, script: &str) {
        self.project.write("hello.cabal", &format!("{HEAD}{}", executable(name, "Main.hs")));
        self.project.write("Main.hs", MAIN);
        self.project.write("script", script);
    }

    /// What the build leaves in `/hsx/out` is what a script makes of it: it runs after the builder's own last word,
    /// which is to copy cabal's plan there, as another `cp` that is found first.
    pub(super) fn lays_out(&self, script: &str) {
        self.hostile("hello", &SET_UP_CP.replace("SCRIPT", script));
    }

    /// A command of hsx, in the project.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.engine.command(self.project.programs().join("hsx"));
        command.args(args);
        self.project.settings(self.engine, command)
    }

    /// Runs hsx in the project, watched.
    pub(super) fn hsx(&self, args: &[&str]) -> Ended {
        watch(self.command(args))
    }

    /// The same with something to be looked for all the time.
    pub(super) fn hsx_while(&self, args: &[&str], look: impl FnMut() -> Option<String>) -> Ended {
        watch_while(self.command(args), look)
    }

    /// A build without upx: what is done to its results only takes time here.
    pub(super) fn builds(&self) -> Ended {
        self.hsx(&["static", "--no-upx"])
    }

    /// What is written into a file of the victim's, if it is.
    pub(super) fn marker(&self) -> PathBuf {
        self.victim("ran")
    }

    /// A program that tells that it ran.
    pub(super) fn tells(&self, path: &Path) {
        let script = format!("#!/bin/sh\nid -un > {}\nexit 1\n", self.marker().display());
        fs_err::write(path, script).unwrap();
        fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        self.engine.own(path);
    }
}

pub(super) const HEAD: &str = "\
cabal-version: 3.0
name: hello
version: 0.1.0
build-type: Simple
tested-with: GHC ==9.6.6

";

pub(super) fn executable(name: &str, main: &str) -> String {
    format!(
        "executable {name}\n  default-language: Haskell2010\n  main-is: {main}\n  build-depends: base, process, template-haskell\n\n"
    )
}

const MAIN: &str = "\
{-# LANGUAGE TemplateHaskell #-}
module Main (main) where

import Language.Haskell.TH.Syntax (runIO)
import System.Process (callCommand)

main :: IO ()
main = $(runIO (callCommand \"sh $(ls /src/script /src/*/script 2>/dev/null)\") >> [| putStrLn \"hello\" |])
";

const SET_UP_CP: &str = "\
real=$(command -v cp)
mkdir -p /usr/local/bin
cat > /usr/local/bin/cp <<'END'
#!/bin/sh
REAL \"$@\" || exit
case $2 in */plan.json) ;; *) exit 0 ;; esac
cd /hsx/out
SCRIPT
END
sed -i \"s|^REAL|$real|\" /usr/local/bin/cp
chmod 755 /usr/local/bin/cp
";
