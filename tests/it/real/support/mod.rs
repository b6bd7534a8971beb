//! The real engines and real projects: what the end-to-end tests build with, and what they find afterwards.
//!
//! `scripts/test` prepares the machine and says where the image is. What is missing fails, nothing is skipped.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tempfile::TempDir;

mod emulated;
mod machine;
mod run;

pub(crate) use emulated::{Emulated, arm64_handlers};
pub(crate) use machine::Machine;
pub(crate) use run::{Hsx, Outcome, Running, To};

/// The variables of `scripts/test`.
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn required(name: &str) -> String {
    setting(name).unwrap_or_else(|| panic!("{name} is not set: run the tests with `scripts/test`"))
}

/// Locked by all tests that use the machine as it is, and by the one that changes it (no emulation) for itself; a file,
/// for somebody else may be testing on this machine too.
const TURNS: &str = "/var/tmp/hsx-test.lock";

/// The locks of all tests. Who shares locks shares volumes, and these outlive the tests: nothing is built twice.
fn locks(engine: Engine) -> PathBuf {
    Path::new("/var/tmp/hsx-test-locks").join(engine.name())
}

/// What all tests that run at a time share: the program, and its locks, for they share the package stores too.
static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

struct Shared {
    /// Before `dir`, where its program is.
    handler: OnceLock<emulated::Handler>,
    dir: TempDir,
}

impl Shared {
    fn get() -> Arc<Self> {
        let mut slot = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        slot.upgrade().unwrap_or_else(|| {
            let shared = Arc::new(Self::new());
            *slot = Arc::downgrade(&shared);
            shared
        })
    }

    /// Outside `/root`, `/home` and `/tmp`, so that the rootless user reads it and no tmpfs fills up.
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("hsx-test-").tempdir_in("/var/tmp").unwrap();
        open(dir.path());
        fs_err::copy(env!("CARGO_BIN_EXE_hsx"), dir.path().join("hsx")).unwrap();
        for engine in [Engine::Podman, Engine::RootlessPodman, Engine::Docker] {
            let locks = locks(engine);
            fs_err::create_dir_all(&locks).unwrap();
            open(locks.parent().unwrap());
            lchown(&locks, Some(engine.ids().0), Some(engine.ids().1)).unwrap();
        }
        Self { handler: OnceLock::new(), dir }
    }
}

pub(crate) fn open(dir: &Path) {
    fs_err::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A container engine of this machine, and the user it is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Podman,
    RootlessPodman,
    Docker,
}

impl Engine {
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Podman | Self::RootlessPodman => "podman",
            Self::Docker => "docker",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::RootlessPodman => "rootless",
            Self::Docker => "docker",
        }
    }

    /// A command of this engine's user.
    pub(crate) fn command(self, program: impl AsRef<Path>) -> Command {
        match self {
            Self::Podman | Self::Docker => Command::new(program.as_ref()),
            Self::RootlessPodman => as_rootless(program),
        }
    }

    /// Runs the engine itself; its standard output.
    pub(crate) fn ask(self, args: &[&str]) -> String {
        output(self.command(self.program()).args(args).current_dir("/"))
    }

    /// The user and group that files of this engine's user have.
    pub(crate) fn ids(self) -> (u32, u32) {
        match self {
            Self::Podman | Self::Docker => (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()),
            Self::RootlessPodman => {
                let user = required("HSX_TEST_ROOTLESS_USER");
                let id = |kind: &str| output(Command::new("id").args([kind, user.as_str()])).trim().parse().unwrap();
                (id("--user"), id("--group"))
            }
        }
    }

    /// Removes what [`Self::left`] tells.
    pub(crate) fn remove_all_of(self, root: &Path) {
        let (containers, volumes) = self.left(root);
        let remove = |what: &[&str], names: &str| {
            let mut command = self.command(self.program());
            let _ = command.args(what).args(names.split_whitespace()).current_dir("/").output();
        };
        if !containers.is_empty() {
            remove(&["rm", "--force"], &containers);
        }
        if !volumes.is_empty() {
            remove(&["volume", "rm"], &volumes);
        }
    }

    /// Gives a directory and all in it to this engine's user.
    pub(crate) fn own(self, dir: &Path) {
        let (user, group) = self.ids();
        for path in walk(dir) {
            lchown(path, Some(user), Some(group)).unwrap();
        }
    }

    /// The ids of the containers, running or not, and the names of the volumes that hsx made for a project.
    pub(crate) fn left(self, root: &Path) -> (String, String) {
        let value = root.to_str().unwrap().replace('%', "%25").replace(',', "%2C").replace('"', "%22");
        let label = format!("label=hsx.project={value}");
        let containers = self.ask(&["ps", "--all", "--quiet", "--filter", &label]);
        (containers, self.ask(&["volume", "ls", "--quiet", "--filter", &label]))
    }
}

/// A command of the user without privileges. The file must be readable by everybody.
pub(crate) fn as_rootless(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/as-rootless"));
    command.arg(program.as_ref());
    command
}

/// Standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Every file and directory from `dir` down, `dir` first.
pub(crate) fn walk(dir: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(dir).into_iter().map(|entry| entry.unwrap().into_path()).collect()
}

/// The right to use the engines. One a test: a second one may wait for the first.
pub(crate) struct World {
    shared: Arc<Shared>,
    _turn: File,
}

impl World {
    /// Beside other tests.
    pub(crate) fn shared() -> Self {
        let turn = turns();
        turn.lock_shared().unwrap();
        Self { shared: Shared::get(), _turn: turn }
    }

    /// While no other test uses an engine.
    pub(crate) fn alone() -> Self {
        let turn = turns();
        turn.lock().unwrap();
        emulated::remove_left_handlers();
        Self { shared: Shared::get(), _turn: turn }
    }

    /// A copy of a project of `tests/projects`, in a directory of its own.
    pub(crate) fn project(&self, name: &str, engine: Engine) -> Project<'_> {
        let dir = tempfile::Builder::new().prefix("").tempdir_in(self.shared.dir.path()).unwrap();
        open(dir.path());
        let root = dir.path().join(name);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects").join(name);
        copy_tree(&from, &root);
        engine.own(dir.path());
        Project { world: self, dir, root, engine, image: required("HSX_TEST_IMAGE") }
    }
}

fn turns() -> File {
    fs_err::OpenOptions::new().create(true).append(true).open(TURNS).unwrap().into_parts().0
}

fn copy_tree(from: &Path, to: &Path) {
    let ignored = |name: &str| name == "dist-newstyle" || name == "dist-static";
    let tree = walkdir::WalkDir::new(from).into_iter();
    for entry in tree.filter_entry(|entry| !entry.file_name().to_str().is_some_and(ignored)) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(target).unwrap();
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}

/// A Haskell project to build with an engine. What the builds left in the engine goes with it.
pub(crate) struct Project<'a> {
    world: &'a World,
    /// The project's parent, for what must lie beside it.
    dir: TempDir,
    root: PathBuf,
    engine: Engine,
    image: String,
}

impl Project<'_> {
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path beside the project, which is removed with it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Builds from another directory from now on.
    pub(crate) fn rooted_at(mut self, root: PathBuf) -> Self {
        self.engine.own(&root);
        self.root = root;
        self
    }

    /// Builds in the image that links against musl from now on.
    pub(crate) fn on_musl(mut self) -> Self {
        self.image = required("HSX_TEST_MUSL_IMAGE");
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where an executable is delivered.
    pub(crate) fn result(&self, platform: &str, name: &str) -> PathBuf {
        self.path("dist-static").join(platform.replace('/', "-")).join(name)
    }

    /// Makes the compilation of `hello` last a minute: 60000000 microseconds.
    pub(crate) fn sleep_while_compiling(&self) {
        self.edit("hello.cabal", "base >=4.18 && <5", "base >=4.18 && <5, template-haskell");
        self.write("Main.hs", SLEEPS_WHILE_COMPILING);
    }

    /// Writes a file of the project, as its user.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self.engine.own(&self.root);
    }

    /// Replaces a text that a file of the project contains.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs_err::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} does not contain {from:?}");
        self.write(name, &text.replace(from, to));
    }

    /// Runs git in the project.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=test", "-c", "user.email=test@example.org"]).args(args);
        // Only this project's own settings, whoever owns it.
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let safe = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")];
        output(git.envs(safe).current_dir(&self.root))
    }

    /// Makes the project a git repository with one commit.
    pub(crate) fn commit(&self) {
        self.git(&["init", "--quiet"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "All of it"]);
        self.engine.own(&self.root);
    }

    /// `hsx static` with arguments, to be run in the project by the engine's user.
    pub(crate) fn hsx(&self, args: &[&str]) -> Hsx {
        self.hsx_as(self.engine, args)
    }

    /// The same by another engine's user.
    pub(crate) fn hsx_as(&self, engine: Engine, args: &[&str]) -> Hsx {
        let mut command = engine.command(self.world.shared.dir.path().join("hsx"));
        command.arg("static").args(args);
        self.prepared(engine, command)
    }

    /// Any command of hsx.
    pub(crate) fn hsx_command(&self, args: &[&str]) -> Hsx {
        let mut command = self.engine.command(self.world.shared.dir.path().join("hsx"));
        command.args(args);
        self.prepared(self.engine, command)
    }

    /// A cabal that has external commands.
    pub(crate) fn cabal(&self, args: &[&str]) -> Hsx {
        let mut command = self.engine.command(required("HSX_TEST_CABAL"));
        command.args(args).env("HOME", self.dir.path());
        self.prepared(self.engine, command)
    }

    /// Where hsx is.
    pub(crate) fn programs(&self) -> &Path {
        self.world.shared.dir.path()
    }

    /// A command as hsx is to be run.
    fn prepared(&self, engine: Engine, command: Command) -> Hsx {
        Hsx { command: self.settings(engine, command), input: None }
    }

    /// A command in the project, with settings of the test's own.
    pub(crate) fn settings(&self, engine: Engine, mut command: Command) -> Command {
        command.current_dir(&self.root);
        // Nothing of the person who runs the tests.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HSX_")) {
            command.env_remove(name);
        }
        command.env("HSX_IMAGE", &self.image).env("HSX_ENGINE", engine.program());
        command.env("XDG_STATE_HOME", self.state(engine)).env("XDG_CONFIG_HOME", self.beside("config"));
        command.env("XDG_CACHE_HOME", self.state(engine).join("cache"));
        // A process group of its own, as a shell gives each command: Ctrl-C goes to all of it and to nothing else.
        command.process_group(0);
        command
    }

    /// The project's own state, so that no test sweeps what another one left on purpose; with the locks of all.
    fn state(&self, engine: Engine) -> PathBuf {
        let state = self.beside("state").join(engine.name());
        if !state.exists() {
            fs_err::create_dir_all(state.join("hsx")).unwrap();
            symlink(locks(engine), state.join("hsx/locks")).unwrap();
            engine.own(&state);
        }
        state
    }

    /// Leaves a result as an earlier build would have. Its bytes tell whether it was replaced.
    pub(crate) fn put_previous_result(&self) {
        self.write("dist-static/.gitignore", "*\n");
        self.write("dist-static/linux-amd64/hello", "the previous result");
    }

    /// Fails unless all is as before a build that came to nothing: the previous result and no stage, no container.
    pub(crate) fn assert_untouched(&self) {
        self.assert_previous_result();
        self.assert_nothing_left();
    }

    pub(crate) fn assert_previous_result(&self) {
        let previous = fs_err::read_to_string(self.path("dist-static/linux-amd64/hello"));
        assert_eq!(previous.unwrap(), "the previous result");
        assert_eq!(self.stages(), Vec::<PathBuf>::new(), "stages are left");
    }

    fn stages(&self) -> Vec<PathBuf> {
        walk(&self.root).into_iter().filter(|path| file_name(path).starts_with(".hsx-")).collect()
    }

    /// Fails if there is a container or a stage.
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.containers(), "", "containers are left");
        assert_eq!(self.stages(), Vec::<PathBuf>::new(), "stages are left");
    }

    /// The ids of this project's containers, one a line.
    pub(crate) fn containers(&self) -> String {
        self.engine.left(&self.root).0
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        self.engine.remove_all_of(&self.root);
    }
}

const SLEEPS_WHILE_COMPILING: &str = "\
{-# LANGUAGE TemplateHaskell #-}
module Main (main) where

import Control.Concurrent (threadDelay)
import Language.Haskell.TH (runIO)

main :: IO ()
main = $(runIO (threadDelay 60000000) >> [| putStrLn \"Good morning\" |])
";

pub(crate) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// What a file is, read from its ELF header.
pub(crate) struct Elf {
    pub machine: &'static str,
    /// It asks for a program interpreter, so it is dynamic.
    pub has_interpreter: bool,
}

/// Reads an executable's header and segments (elf(5)); it must be 64-bit and little-endian.
pub(crate) fn elf(path: &Path) -> Elf {
    let data = fs_err::read(path).unwrap();
    assert_eq!(&data[..6], b"\x7fELF\x02\x01", "{} is no 64-bit, little-endian ELF file", path.display());
    let number = |at: usize, bytes: usize| {
        data[at..at + bytes].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let (segments, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let machine = match number(18, 2) {
        62 => "amd64",
        183 => "arm64",
        _ => "other",
    };
    Elf { machine, has_interpreter: (0..count).any(|index| number(segments + index * size, 4) == 3) }
}

/// The C library in a static executable that is not packed, by the variables that its start and its locales heed.
pub(crate) fn c_library(path: &Path) -> Vec<&'static str> {
    let data = fs_err::read(path).unwrap();
    let has = |name: &str| data.windows(name.len()).any(|window| window == name.as_bytes());
    [("MUSL_LOCPATH", "musl"), ("GLIBC_TUNABLES", "glibc")]
        .into_iter()
        .filter_map(|(variable, library)| has(variable).then_some(library))
        .collect()
}

/// Fails unless all files from `dir` down belong to the engine's user.
pub(crate) fn assert_owned(dir: &Path, engine: Engine) {
    for path in walk(dir) {
        let meta = fs_err::symlink_metadata(&path).unwrap();
        assert_eq!((meta.uid(), meta.gid()), engine.ids(), "{} belongs to somebody else", path.display());
    }
}
