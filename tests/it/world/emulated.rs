//! Which foreign programs a build starts: the kernel's handler is one of the tests' own, which tells before it starts QEMU.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Hsx, Project, file_name, output};

const HANDLERS: &str = "/proc/sys/fs/binfmt_misc";

/// `EM_AARCH64` is 183; in the handlers' magic it follows `ET_EXEC`.
const ARM64: &str = "0200b700";

/// The files of all handlers of arm64 programs.
pub(crate) fn arm64_handlers() -> Vec<PathBuf> {
    let entries = fs_err::read_dir(HANDLERS).unwrap().map(|entry| entry.unwrap().path());
    let handlers: Vec<_> =
        entries.filter(|path| fs_err::read_to_string(path).is_ok_and(|text| text.contains(ARM64))).collect();
    assert!(!handlers.is_empty(), "this machine has no handler for arm64: run `scripts/setup-host`");
    handlers
}

const PREFIX: &str = "hsx-test-";

/// A handler of arm64 programs that tells which it starts, until dropped. It goes before the machine's own, for all of
/// the machine, and does the same.
pub(super) struct Handler(PathBuf);

impl Handler {
    /// Makes its program in a directory.
    pub(super) fn register(dir: &Path) -> Self {
        remove_left_handlers();
        let is_ready = |text: &String| text.starts_with("enabled") && field(text, "flags:").contains('F');
        let handlers = arm64_handlers().into_iter().filter(|path| !file_name(path).starts_with(PREFIX));
        let mut ready = handlers.filter_map(|path| fs_err::read_to_string(path).ok()).filter(is_ready);
        let text = ready.next().expect("no handler for arm64 is enabled and works in containers");

        let program = dir.join("emulator");
        let mut gcc = Command::new("gcc");
        gcc.args(["-static", "-O2", "-o"]).arg(&program);
        gcc.arg(format!("-DQEMU=\"{}\"", field(&text, "interpreter")));
        output(gcc.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/world/emulator.c")));

        let name = format!("{PREFIX}{}", std::process::id());
        let [magic, mask] = ["magic", "mask"].map(|key| escaped(field(&text, key)));
        let offset = field(&text, "offset");
        let handler = format!(":{name}:M:{offset}:{magic}:{mask}:{}:PF", program.display());
        fs_err::write(Path::new(HANDLERS).join("register"), handler).unwrap();
        Self(Path::new(HANDLERS).join(name))
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        let _ = fs_err::write(&self.0, "-1");
    }
}

/// A test that was killed leaves its handler.
pub(super) fn remove_left_handlers() {
    for path in arm64_handlers() {
        let Some(pid) = file_name(&path).strip_prefix(PREFIX) else { continue };
        if pid == std::process::id().to_string() || !Path::new("/proc").join(pid).exists() {
            let _ = fs_err::write(&path, "-1");
        }
    }
}

fn field<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim()
}

/// Hexadecimal digits as the kernel takes bytes.
fn escaped(hex: &str) -> String {
    hex.as_bytes().chunks(2).flat_map(|digits| ["\\x", str::from_utf8(digits).unwrap()]).collect()
}

/// What of a project's builds ran emulated, but for the trial of the results.
pub(crate) struct Emulated {
    dir: PathBuf,
}

impl Project<'_> {
    /// Watches the runs that are [`Hsx::watched`].
    pub(crate) fn emulated(&self) -> Emulated {
        self.world.shared.handler.get_or_init(|| Handler::register(self.world.shared.dir.path()));
        let dir = self.beside("emulated");
        fs_err::create_dir(&dir).unwrap();
        fs_err::write(dir.join("calls"), "").unwrap();
        self.engine.own(&dir);
        Emulated { dir }
    }
}

impl Emulated {
    /// The foreign programs that have started since this was asked, with their arguments, between tabs.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = self.dir.join("calls");
        let text = fs_err::read_to_string(&calls).unwrap();
        fs_err::write(calls, "").unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Hsx {
    pub(crate) fn watched(self, by: &Emulated) -> Self {
        self.env("HSX_ENGINE_ARG", format!("--volume={}:/hsx/emulated", by.dir.display()))
    }
}
