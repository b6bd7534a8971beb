//! Emulation of foreign executables: what the kernel's `binfmt_misc` says, and how each system sets it up.
//!
//! Source: Linux, Documentation/admin-guide/binfmt-misc.rst.

use crate::platform::Platform;

/// Whether this machine's kernel starts executables of a foreign platform, inside containers too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Emulation {
    Ready,
    /// What is wrong, as half a sentence.
    Missing(String),
    /// The kernel in question is not this machine's, or does not tell.
    Unknown,
}

/// Decides from the files of `/proc/sys/fs/binfmt_misc`: their names and contents.
pub(crate) fn emulation(platform: Platform, entries: &[(String, String)]) -> Emulation {
    let Some((_, status)) = entries.iter().find(|(name, _)| name == "status") else { return Emulation::Unknown };
    if status.trim() != "enabled" {
        return Emulation::Missing("binfmt_misc is disabled".to_owned());
    }
    // An entry is known by what it matches: names differ between systems.
    let fitting: Vec<_> = entries
        .iter()
        .filter(|(_, text)| matches_executables_of(platform, text))
        .map(|(name, text)| (name, text))
        .collect();
    let enabled = |text: &str| text.lines().next().is_some_and(|line| line.trim() == "enabled");
    let opened_early = |text: &str| field(text, "flags:").is_some_and(|flags| flags.contains('F'));
    if fitting.iter().any(|(_, text)| enabled(text) && opened_early(text)) {
        return Emulation::Ready;
    }
    Emulation::Missing(match fitting.as_slice() {
        [] => format!("no QEMU handler for {} is registered with the kernel", platform.machine()),
        [(name, text), ..] if !enabled(text) => format!("the handler `{name}` is disabled"),
        // Without F the interpreter is looked up inside the container, where it is not.
        [(name, _), ..] => format!("the handler `{name}` lacks the flag F, without which it fails in containers"),
    })
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
        // A handler for everything is no emulator: it must look at the machine field.
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

/// What to type on this system so that executables of `platform` start in containers.
///
/// `os_release` is the text of `/etc/os-release`; empty where there is none.
pub(crate) fn setup_hint(platform: Platform, os_release: &str) -> String {
    let machine = platform.machine();
    let system = System::of(os_release);
    match system.family() {
        Family::NixOs => format!(
            "in configuration.nix: boot.binfmt.emulatedSystems = [ \"{machine}-linux\" ]; \
             boot.binfmt.preferStaticEmulators = true;"
        ),
        Family::Debian => {
            let package = if system.has_binfmt_package() { "qemu-user-binfmt" } else { "qemu-user-static" };
            format!("sudo apt-get install {package} && sudo systemctl restart systemd-binfmt")
        }
        Family::Fedora => {
            format!("sudo dnf install qemu-user-static-{machine} && sudo systemctl restart systemd-binfmt")
        }
        Family::Arch => "sudo pacman -S qemu-user-static qemu-user-static-binfmt && \
             sudo systemctl restart systemd-binfmt"
            .to_owned(),
        Family::Other => format!(
            "sudo podman run --privileged --rm docker.io/tonistiigi/binfmt --install {} (until the next reboot)",
            platform.oci_arch()
        ),
    }
}

/// How to install a container engine on this system.
pub(crate) fn engine_hint(program: &str, os_release: &str) -> String {
    let install = match (program, System::of(os_release).family()) {
        ("podman", Family::NixOs) => "in configuration.nix: virtualisation.podman.enable = true;",
        ("podman", Family::Debian) => "sudo apt-get install podman",
        ("podman", Family::Fedora) => "sudo dnf install podman",
        ("podman", Family::Arch) => "sudo pacman -S podman",
        ("podman", Family::Other) if os_release.is_empty() => {
            "brew install podman && podman machine init && podman machine start"
        }
        ("podman", Family::Other) => "https://podman.io/docs/installation",
        ("docker", Family::NixOs) => "in configuration.nix: virtualisation.docker.enable = true;",
        ("docker", Family::Debian) => "sudo apt-get install docker.io",
        ("docker", Family::Arch) => "sudo pacman -S docker",
        // Red Hat's have docker in a repository of docker's own.
        ("docker", Family::Fedora | Family::Other) => "https://docs.docker.com/get-started/get-docker/",
        _ => return "`--engine` takes `podman`, `docker`, or the path of one".to_owned(),
    };
    format!("install {program}: {install}")
}

/// A Linux distribution, as os-release(5) describes it.
struct System {
    ids: Vec<String>,
    version: Option<u32>,
}

#[derive(Clone, Copy)]
enum Family {
    NixOs,
    Debian,
    Fedora,
    Arch,
    Other,
}

impl System {
    fn of(os_release: &str) -> Self {
        let value = |key: &str| {
            let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(line.trim_matches(['"', '\'']).to_ascii_lowercase())
        };
        let ids = ["ID", "ID_LIKE"].into_iter().filter_map(value);
        let ids = ids.flat_map(|ids| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        let version = value("VERSION_ID").and_then(|version| version.split('.').next()?.parse().ok());
        Self { ids, version }
    }

    fn is(&self, id: &str) -> bool {
        self.ids.iter().any(|known| known == id)
    }

    fn family(&self) -> Family {
        let families = [
            ("nixos", Family::NixOs),
            ("debian", Family::Debian),
            ("ubuntu", Family::Debian),
            ("fedora", Family::Fedora),
            ("rhel", Family::Fedora),
            ("arch", Family::Arch),
        ];
        families.into_iter().find(|(id, _)| self.is(id)).map_or(Family::Other, |(_, family)| family)
    }

    /// Debian 13 and Ubuntu 25 split the registration into `qemu-user-binfmt`.
    fn has_binfmt_package(&self) -> bool {
        let first = if self.ids.first().is_some_and(|id| id == "debian") { 13 } else { 25 };
        self.version.is_none_or(|version| version >= first)
    }
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

    #[test]
    fn every_system_gets_its_own_advice() {
        for (os_release, expected) in [
            ("ID=debian\nVERSION_ID=\"12\"", "sudo apt-get install qemu-user-static &&"),
            ("ID=debian\nVERSION_ID=\"13\"", "sudo apt-get install qemu-user-binfmt &&"),
            ("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"", "sudo apt-get install qemu-user-static &&"),
            ("ID=nixos", "boot.binfmt.emulatedSystems = [ \"aarch64-linux\" ]"),
            ("ID=fedora\nVERSION_ID=43", "dnf install qemu-user-static-aarch64"),
            ("ID=rocky\nID_LIKE=\"rhel centos fedora\"", "dnf install"),
            ("ID=arch", "pacman"),
            ("ID=alpine", "tonistiigi/binfmt --install arm64"),
        ] {
            let hint = setup_hint(Platform::Arm64, os_release);
            assert!(hint.contains(expected), "{os_release}: {hint}");
        }
        for (program, os_release, expected) in [
            ("podman", "ID=debian", "install podman: sudo apt-get install podman"),
            ("docker", "ID=ubuntu", "install docker: sudo apt-get install docker.io"),
            ("docker", "", "install docker: https://docs.docker.com/get-started/get-docker/"),
            ("nerdctl", "ID=debian", "`--engine` takes `podman`, `docker`, or the path of one"),
        ] {
            assert_eq!(engine_hint(program, os_release), expected);
        }
    }
}
