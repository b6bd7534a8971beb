//! The world that a test runs hsx in: a project, a home directory, and fake programs on a PATH without others.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The description of a package `demo` with one executable, `demo`.
pub(crate) const DEMO_CABAL: &str =
    "cabal-version: 3.0\nname: demo\nversion: 0.1.0\n\nexecutable demo\n  main-is: Main.hs\n";

pub(crate) const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/riscv64"];

/// The directory with the fake programs.
const FAKES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fakes");

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A world of its own for one test.
///
/// It starts with a `demo` project in the home directory, an empty podman for linux/amd64, and nothing else; what a
/// build leaves is a static `demo` for every platform.
pub(crate) struct Test {
    root: Utf8PathBuf,
    project: Utf8PathBuf,
    cwd: Utf8PathBuf,
    env: BTreeMap<String, String>,
    remembers: bool,
    _guard: tempfile::TempDir,
}

impl Test {
    pub(crate) fn new() -> Self {
        Self::named("demo")
    }

    /// The same with another name for the project's directory.
    pub(crate) fn named(dir: &str) -> Self {
        let test = Self::empty_named(dir);
        test.write("demo.cabal", DEMO_CABAL);
        test.write("app/Main.hs", "main = pure ()\n");
        for platform in PLATFORMS {
            test.builds(platform, &[("demo:demo", &static_elf(platform))]);
        }
        test.fake("podman")
    }

    /// A world with no program and no project.
    pub(crate) fn empty() -> Self {
        Self::empty_named("demo")
    }

    fn empty_named(dir: &str) -> Self {
        let guard = tempfile::tempdir().expect("there is room for a test");
        let root = guard.path().canonicalize().expect("it was just made");
        let root = Utf8PathBuf::from_path_buf(root).expect("temporary directories are Unicode");
        let project = root.join("home").join(dir);
        for dir in
            ["bin", "fake/calls", "fake/scenario", "fake/containers", "fake/filled", "fake/out", project.as_str()]
        {
            fs_err::create_dir_all(root.join(dir)).expect("a fresh directory takes others");
        }
        let test = Self { cwd: project.clone(), project, env: BTreeMap::new(), remembers: false, root, _guard: guard };
        symlink(FAKES, test.root.join("fake/parts")).expect("a fresh directory takes links");
        test.write_at("fake/images", "");
        test.write_at("fake/volumes", "");
        test.write_at("fake/arch", "amd64\n");
        let variables = [
            ("PATH", "bin"),
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "home/.config"),
            ("XDG_STATE_HOME", "home/.state"),
            ("XDG_CACHE_HOME", "home/.cache"),
            ("FAKE", "fake"),
        ];
        // Calls come in the order of the platforms.
        let test = test.env("HSX_SERIAL", "true");
        variables.into_iter().fold(test, |test, (name, dir)| {
            let value = test.root.join(dir).into_string();
            test.env(name, &value)
        })
    }

    /// Keeps what saves work from one run to the next; other worlds forget it, for each run to do all it does.
    pub(crate) fn remembering(mut self) -> Self {
        self.remembers = true;
        self
    }

    /// Puts a fake program on PATH.
    pub(crate) fn fake(self, name: &str) -> Self {
        let script = if matches!(name, "podman" | "docker") { "engine" } else { name };
        self.fake_as(script, &format!("bin/{name}"))
    }

    /// Makes a fake program of the world at a path.
    pub(crate) fn fake_as(self, script: &str, path: &str) -> Self {
        symlink(Utf8Path::new(FAKES).join(script), self.root.join(path)).expect("there is nothing at the path");
        self
    }

    /// Puts a program of the test's own on PATH.
    pub(crate) fn own_program(self, name: &str, text: &str) -> Self {
        let path = self.root.join("bin").join(name);
        fs_err::write(&path, text).expect("the world can be written");
        fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("it is the test's own");
        self
    }

    /// Puts a program of this machine on PATH.
    pub(crate) fn real(self, name: &str) -> Self {
        let path = std::env::var_os("PATH").expect("PATH is set");
        let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.exists());
        symlink(found.expect("the program is installed"), self.root.join("bin").join(name)).expect("it is new");
        self
    }

    pub(crate) fn without(self, program: &str) -> Self {
        fs_err::remove_file(self.root.join("bin").join(program)).expect("the program was there");
        self
    }

    /// What a fake program does at calls of a kind, in sh; `fakes/engine` names the kinds.
    pub(crate) fn scenario(self, kind: &str, script: &str) -> Self {
        self.set_scenario(kind, script);
        self
    }

    pub(crate) fn set_scenario(&self, kind: &str, script: &str) {
        self.write_at(&format!("fake/scenario/{kind}"), script);
    }

    pub(crate) fn clear_scenario(&self, kind: &str) {
        fs_err::remove_file(self.root.join("fake/scenario").join(kind)).expect("the scenario was set");
    }

    /// Makes the engine one of a version.
    pub(crate) fn version(self, version: &str) -> Self {
        self.write_at("fake/version", format!("{version}\n"));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Writes a file of the project.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    pub(crate) fn without_file(self, path: &str) -> Self {
        fs_err::remove_file(self.project().join(path)).expect("the file was there");
        self
    }

    /// Writes the user's `config.toml`.
    pub(crate) fn user_config(self, text: &str) -> Self {
        self.write_at("home/.config/hsx/config.toml", text);
        self
    }

    /// Runs hsx in a directory of the project.
    pub(crate) fn dir(mut self, path: &str) -> Self {
        self.cwd = self.project().join(path);
        fs_err::create_dir_all(&self.cwd).expect("a project has directories");
        self
    }

    /// What a build for a platform leaves: `PACKAGE:EXECUTABLE` words, with content.
    pub(crate) fn builds(&self, platform: &str, executables: &[(&str, &[u8])]) {
        let out = format!("fake/out/{}", platform.replace('/', "-"));
        // Each build has a container of its own.
        let _ = fs_err::remove_dir_all(self.root.join(&out));
        let mut units = Vec::new();
        let _ = fs_err::remove_dir_all(self.root.join(&out));
        for (word, content) in executables {
            let (package, name) = word.split_once(':').expect("PACKAGE:EXECUTABLE");
            units.push(json!({
                "type": "configured", "style": "local", "pkg-name": package, "pkg-version": "0.1.0",
                "pkg-src": { "type": "local", "path": "/src/." },
                "component-name": format!("exe:{name}"),
            }));
            let path = format!("{out}/bin/{name}");
            self.write_at(&path, content);
            fs_err::set_permissions(self.root.join(path), PermissionsExt::from_mode(0o755)).expect("it is ours");
        }
        self.write_at(&format!("{out}/plan.json"), json!({ "install-plan": units }).to_string());
    }

    /// Writes a file of the project, also between runs.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.project().join(path);
        self.write_at(path.as_str(), content);
    }

    /// Writes a file of the world; `path` is as seen from its root.
    pub(crate) fn write_at(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        fs_err::create_dir_all(path.parent().expect("files are in directories")).expect("directories can be made");
        fs_err::write(path, content).expect("files can be written");
    }

    pub(crate) fn root(&self) -> &Utf8Path {
        &self.root
    }

    pub(crate) fn project(&self) -> &Utf8Path {
        &self.project
    }

    /// Every file below a directory of the project, with its content; directories end in `/`.
    pub(crate) fn tree(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let top = self.project().join(dir);
        let files = walkdir::WalkDir::new(&top).min_depth(1).into_iter().map(|entry| {
            let entry = entry.expect("the tree can be read");
            let path = Utf8Path::from_path(entry.path()).expect("paths are Unicode");
            let name = path.strip_prefix(&top).expect("it is below");
            if entry.file_type().is_dir() {
                (format!("{name}/"), Vec::new())
            } else {
                (name.to_string(), fs_err::read(path).expect("files can be read"))
            }
        });
        if top.exists() { files.collect() } else { BTreeMap::new() }
    }

    /// The names of the containers that are there.
    pub(crate) fn containers(&self) -> Vec<String> {
        let dir = fs_err::read_dir(self.root.join("fake/containers")).expect("the directory is there");
        dir.map(|entry| entry.expect("it can be read").file_name().into_string().expect("names are Unicode")).collect()
    }

    /// The calls of fake programs so far, in order; they are forgotten then.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let dir = self.root.join("fake/calls");
        let numbers = fs_err::read_dir(&dir).expect("the directory is there").map(|entry| {
            let name = entry.expect("it can be read").file_name();
            name.to_str().and_then(|name| name.parse().ok()).expect("calls are numbered")
        });
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        let calls = numbers.into_iter().map(|number| {
            let path = dir.join(number.to_string());
            let record = fs_err::read_to_string(&path).expect("arguments are Unicode");
            fs_err::remove_file(path).expect("the fakes have ended");
            Call::parse(&record)
        });
        calls.collect()
    }

    /// Runs `hsx ARGS` to its end; the arguments are words without blanks.
    pub(crate) fn hsx(&self, args: &str) -> Run {
        self.hsx_args(&args.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn hsx_args(&self, args: &[&str]) -> Run {
        self.run(self.command(env!("CARGO_BIN_EXE_hsx")).args(args))
    }

    /// Runs `hsx ARGS` with a text on its standard input.
    pub(crate) fn hsx_reading(&self, args: &str, input: &str) -> Run {
        let file = self.root.join("input");
        fs_err::write(&file, input).expect("the world can be written");
        let mut command = self.command(env!("CARGO_BIN_EXE_hsx"));
        command.args(args.split_whitespace()).stdin(fs_err::File::open(file).expect("it is there").into_parts().0);
        self.ended(command.output().expect("the program starts"))
    }

    /// Runs a program of the world's `bin` to its end.
    pub(crate) fn program(&self, name: &str, args: &[&str]) -> Run {
        self.run(self.command(self.root.join("bin").join(name).as_str()).args(args))
    }

    /// Runs a shell script as a person would paste it: with the fakes first on PATH.
    pub(crate) fn shell(&self, script: &str) -> Run {
        let path = format!("{}:/usr/bin:/bin", self.root.join("bin"));
        self.run(self.command("/bin/sh").env("PATH", path).args(["-c", script]))
    }

    /// Starts `hsx ARGS`.
    pub(crate) fn start(&self, args: &str) -> Running<'_> {
        let stderr = tempfile::NamedTempFile::new_in(&self.root).expect("the world can be written");
        let mut command = self.command(env!("CARGO_BIN_EXE_hsx"));
        command.args(args.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(stderr.reopen().expect("it is there"));
        Running { test: self, child: command.spawn().expect("hsx starts"), stderr }
    }

    /// A command in this world.
    pub(crate) fn command(&self, program: &str) -> Command {
        for dir in ["home/.cache/hsx", "home/.state/hsx/records", "home/.state/hsx/engines"] {
            if !self.remembers {
                let _ = fs_err::remove_dir_all(self.root.join(dir));
            }
        }
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env).current_dir(&self.cwd);
        command
    }

    fn run(&self, command: &mut Command) -> Run {
        command.stdin(Stdio::null());
        let output = loop {
            match command.output() {
                // Just copied, it may still be open for writing in a child that another test is starting.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::sleep(Duration::from_millis(5)),
                output => break output.expect("the program starts"),
            }
        };
        self.ended(output)
    }

    pub(crate) fn ended(&self, output: Output) -> Run {
        let text = |bytes| String::from_utf8(bytes).expect("output is Unicode");
        Run {
            code: output.status.code().or_else(|| output.status.signal().map(|signal| -signal)).expect("it has ended"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            calls: self.calls(),
            root: self.root.clone(),
        }
    }

    /// Waits until a fake has made a file in `$FAKE`.
    #[track_caller]
    pub(crate) fn wait_for(&self, file: &str) {
        let path = self.root.join("fake").join(file);
        wait_until(&format!("`{file}` is made"), || path.exists());
    }
}

#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// An hsx that runs beside the test.
pub(crate) struct Running<'a> {
    test: &'a Test,
    child: Child,
    stderr: tempfile::NamedTempFile,
}

impl Running<'_> {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("hsx still runs");
    }

    /// Waits until hsx has said something.
    #[track_caller]
    pub(crate) fn wait_until_it_says(&self, text: &str) {
        wait_until(&format!("`{text}` is said"), || self.said().contains(text));
    }

    fn said(&self) -> String {
        fs_err::read_to_string(self.stderr.path()).expect("output is Unicode")
    }

    /// Waits for the end, and tells how long that took.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Run, Duration) {
        let start = Instant::now();
        wait_until("hsx ends", || self.child.try_wait().expect("it is a child").is_some());
        let duration = start.elapsed();
        let said = self.said();
        let output = self.child.wait_with_output().expect("it has ended");
        (Run { stderr: said, ..self.test.ended(output) }, duration)
    }
}

/// What came of a program.
#[derive(Clone)]
pub(crate) struct Run {
    /// The exit code, or the negative number of the signal that ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub calls: Vec<Call>,
    root: Utf8PathBuf,
}

impl Run {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "not said: {text}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn does_not_say(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "said: {text}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "not printed: {text}\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn prints_nothing(self) -> Self {
        assert_eq!(self.stdout, "", "{self}");
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{self}"))
    }

    pub(crate) fn calls_of(&self, kind: &str) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.kind() == kind).collect()
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.calls.iter().map(Call::kind).collect()
    }

    /// The only call of a kind.
    #[track_caller]
    pub(crate) fn call(&self, kind: &str) -> &Call {
        let calls = self.calls_of(kind);
        assert_eq!(calls.len(), 1, "calls of {kind}\n{self}");
        calls[0]
    }

    /// Standard error, with what differs from world to world replaced.
    pub(crate) fn message(&self) -> String {
        normalized(&self.stderr, &self.root)
    }

    pub(crate) fn report(&self) -> String {
        normalized(&self.stdout, &self.root)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code {}\n--- stdout\n{}--- stderr\n{}--- calls", self.code, self.stdout, self.stderr)?;
        self.calls.iter().try_for_each(|call| writeln!(f, "{:?}", call.0))
    }
}

/// `text` with the world's place as `[ROOT]` and the hashes in names as `[HASH]`.
fn normalized(text: &str, root: &Utf8Path) -> String {
    let text = text.replace(root.as_str(), "[ROOT]");
    let mut words: Vec<&str> = Vec::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let (word, end) = part.split_at(part.trim_end_matches(|c: char| !c.is_ascii_hexdigit()).len());
        let after_dash = words.last().is_some_and(|before| before.ends_with('-'));
        words.extend([if word.len() == 16 && after_dash { "[HASH]" } else { word }, end]);
    }
    words.concat()
}

/// A call of a fake program: its name and arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call(pub Vec<String>);

impl Call {
    fn parse(record: &str) -> Self {
        Self(record.split_terminator('\0').map(str::to_owned).collect())
    }

    /// As `fakes/engine` calls it; for other programs their name.
    pub(crate) fn kind(&self) -> String {
        let mut words: Vec<_> = self.0.iter().map(String::as_str).collect();
        if words.get(1).is_some_and(|word| ["--connection", "--context"].contains(word)) {
            words.drain(1..3);
        }
        match *words.as_slice() {
            ["podman" | "docker", "image", "inspect", "--format", ..] => "image-arch".to_owned(),
            ["podman" | "docker", group @ ("container" | "image" | "manifest" | "system" | "volume"), word, ..] => {
                format!("{group}-{word}")
            }
            ["podman" | "docker", "run", ..] => {
                let name = self.value("--name").unwrap_or_default();
                let phase = name.rsplit('-').next().unwrap_or_default();
                format!("run-{}", phase.trim_end_matches(|c: char| c.is_ascii_digit()))
            }
            ["podman" | "docker", command, ..] => command.to_owned(),
            ["hpack", .., "-"] => "hpack-show".to_owned(),
            ["upx", .., "--version"] => "upx-version".to_owned(),
            [program, ..] => program.to_owned(),
            [] => String::new(),
        }
    }

    /// Whether it only asks, before anything is decided.
    pub(crate) fn is_fact(&self) -> bool {
        let facts = ["info", "image-inspect", "manifest-inspect", "volume-ls", "ps", "system-connection", "context"];
        facts.iter().chain(&["hpack-show", "upx-version", "git"]).any(|fact| *fact == self.kind())
    }

    pub(crate) fn program(&self) -> &str {
        &self.0[0]
    }

    pub(crate) fn last(&self) -> &str {
        self.0.last().expect("a call has a program")
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.iter().any(|arg| arg == word)
    }

    /// The word after an option's first occurrence.
    pub(crate) fn value(&self, option: &str) -> Option<&str> {
        self.values(option).first().copied()
    }

    pub(crate) fn values(&self, option: &str) -> Vec<&str> {
        self.0.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1].as_str()).collect()
    }

    /// The words after the script of a `run`, without its `$0`.
    pub(crate) fn script_args(&self) -> Vec<&str> {
        let script = self.0.iter().position(|arg| arg == "-c").expect("a run has a script");
        self.0.iter().skip(script + 3).map(String::as_str).collect()
    }
}

pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_DYNAMIC: u32 = 2;
pub(crate) const PT_INTERP: u32 = 3;

/// A static executable, as far as its headers go.
pub(crate) fn static_elf(platform: &str) -> Vec<u8> {
    elf(platform, &[(PT_LOAD, b"the program")])
}

/// A minimal ELF file: header, program headers, and what they point at.
pub(crate) fn elf(platform: &str, segments: &[(u32, &[u8])]) -> Vec<u8> {
    let machine = match platform {
        "linux/amd64" => 62_u16,
        "linux/arm64" => 183,
        "linux/riscv64" => 243,
        _ => panic!("no machine number for {platform}"),
    };
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for half in [2_u16, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [0_u64, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, u16::try_from(segments.len()).expect("there are few segments"), 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let mut offset = 64 + 56 * segments.len() as u64;
    for (kind, data) in segments {
        let size = data.len() as u64;
        file.extend(kind.to_le_bytes());
        file.extend(4_u32.to_le_bytes());
        for word in [offset, 0, 0, size, size, 8] {
            file.extend(word.to_le_bytes());
        }
        offset += size;
    }
    for (_, data) in segments {
        file.extend_from_slice(data);
    }
    file
}
