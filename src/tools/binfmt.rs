//! Emulation of foreign executables: what the kernel's `binfmt_misc` says.
//!
//! Source: Linux, Documentation/admin-guide/binfmt-misc.rst.

use crate::base::platform::Platform;

/// Whether this machine's kernel starts executables of a foreign platform, inside containers too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Emulation {
    Ready,
    /// What is wrong, as half a sentence.
    Missing(String),
    /// The engine's kernel is not this machine's, or does not tell.
    Unknown,
}

/// The kernel's handler for executables of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    /// The engine's kernel is not this machine's, or `binfmt_misc` is not mounted.
    Unknown,
    /// `binfmt_misc` as a whole is disabled.
    AllDisabled,
    NotThere,
    /// The handler is registered, but disabled.
    Disabled(Entry),
    /// The handler lacks the flag F, so the kernel looks for the interpreter inside the container, where it is not.
    NotForContainers(Entry),
    Ready(Entry),
}

/// A file of `binfmt_misc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub name: String,
    /// The path of the emulator, on the host.
    pub interpreter: String,
    pub flags: String,
}

/// Decides whether emulation works, from the files of `/proc/sys/fs/binfmt_misc`: their names and contents.
pub(crate) fn emulation(platform: Platform, entries: &[(String, String)]) -> Emulation {
    Emulation::Missing(match handler(platform, entries) {
        Handler::Unknown => return Emulation::Unknown,
        Handler::Ready(_) => return Emulation::Ready,
        Handler::AllDisabled => "binfmt_misc is disabled".to_owned(),
        Handler::NotThere => format!("no QEMU handler for {} is registered with the kernel", platform.machine()),
        Handler::Disabled(entry) => format!("the handler `{}` is disabled", entry.name),
        Handler::NotForContainers(entry) => {
            format!("the handler `{}` lacks the flag F, without which it fails in containers", entry.name)
        }
    })
}

/// Finds the handler by the files' names and contents.
pub(crate) fn handler(platform: Platform, entries: &[(String, String)]) -> Handler {
    let Some((_, status)) = entries.iter().find(|(name, _)| name == "status") else { return Handler::Unknown };
    if status.trim() != "enabled" {
        return Handler::AllDisabled;
    }
    // Entries are told apart by what they match: their names differ between systems.
    let fitting = entries.iter().filter(|(_, text)| matches_executables_of(platform, text));
    let is_enabled = |text: &str| text.lines().next().is_some_and(|line| line.trim() == "enabled");
    let handlers = fitting.map(|(name, text)| {
        let interpreter = text.lines().find_map(|line| line.strip_prefix("interpreter ")).unwrap_or_default();
        let flags = field(text, "flags:").unwrap_or_default();
        let entry = Entry { name: name.clone(), interpreter: interpreter.to_owned(), flags: flags.to_owned() };
        match (is_enabled(text), flags.contains('F')) {
            (false, _) => Handler::Disabled(entry),
            (true, false) => Handler::NotForContainers(entry),
            (true, true) => Handler::Ready(entry),
        }
    });
    let handlers: Vec<_> = handlers.collect();
    let ready = handlers.iter().find(|handler| matches!(handler, Handler::Ready(_)));
    ready.or(handlers.first()).cloned().unwrap_or(Handler::NotThere)
}

fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

/// Whether an entry's magic, under its mask, matches the ELF header of an executable.
fn matches_executables_of(platform: Platform, text: &str) -> bool {
    let bytes = |key| field(text, key).and_then(unhex);
    let Some(magic) = bytes("magic") else { return false };
    if field(text, "offset").is_some_and(|offset| offset != "0") {
        return false;
    }
    let mask = bytes("mask").unwrap_or_else(|| vec![0xff; magic.len()]);
    let header = elf_header(platform);
    magic.len() <= header.len()
        && magic.len() == mask.len()
        // A handler for every executable is no emulator: an emulator's handler checks the machine field.
        && magic.len() >= 20
        && magic.iter().zip(&mask).zip(&header).all(|((magic, mask), byte)| magic & mask == byte & mask)
}

/// The first 20 bytes of an executable: 64-bit, little-endian, `ET_EXEC`, then the machine.
fn elf_header(platform: Platform) -> Vec<u8> {
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];
    header.extend(platform.elf_machine().to_le_bytes());
    header
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AARCH64: &str = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POF\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

    fn entries(status: &str, entry: Option<(&str, &str)>) -> Vec<(String, String)> {
        let entry = entry.map(|(name, text)| (name.to_owned(), text.to_owned()));
        [("status".to_owned(), format!("{status}\n"))].into_iter().chain(entry).collect()
    }

    #[test]
    fn a_handler_is_known_by_what_it_matches() {
        for name in ["qemu-aarch64", "aarch64-linux"] {
            assert_eq!(emulation(Platform::Arm64, &entries("enabled", Some((name, AARCH64)))), Emulation::Ready);
        }
        let Emulation::Missing(why) = emulation(Platform::Riscv64, &entries("enabled", Some(("x", AARCH64)))) else {
            panic!("no handler for riscv64")
        };
        assert_eq!(why, "no QEMU handler for riscv64 is registered with the kernel");
    }

    #[test]
    fn what_is_missing_is_said() {
        let without_f = AARCH64.replace("POF", "PO");
        let disabled = AARCH64.replace("enabled", "disabled");
        for (entries, why) in [
            (entries("enabled", Some(("q", &without_f))), "the handler `q` lacks the flag F"),
            (entries("enabled", Some(("q", &disabled))), "the handler `q` is disabled"),
            (entries("disabled", Some(("q", AARCH64))), "binfmt_misc is disabled"),
        ] {
            let Emulation::Missing(said) = emulation(Platform::Arm64, &entries) else { panic!("{why}") };
            assert!(said.starts_with(why), "{said}");
        }
        assert_eq!(emulation(Platform::Arm64, &[]), Emulation::Unknown);
    }
}
