//! The platforms that executables are built for, spelled as images spell them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A Linux platform, such as `linux/arm64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Platform {
    Amd64,
    Arm64,
    Riscv64,
}

/// The fixed facts about a platform.
struct Facts {
    platform: Platform,
    /// The architecture as the image specification spells it (Go's `GOARCH`).
    oci: &'static str,
    /// The architecture as the kernel (`uname -m`), QEMU and the GNU triples spell it.
    machine: &'static str,
    /// `e_machine` of its ELF files (ELF specification, "Machine").
    elf_machine: u16,
    /// Other spellings people type.
    aliases: &'static [&'static str],
}

/// The platforms of ghc-musl: all of them 64-bit and little-endian.
const PLATFORMS: &[Facts] = &[
    Facts {
        platform: Platform::Amd64,
        oci: "amd64",
        machine: "x86_64",
        elf_machine: object::elf::EM_X86_64.0,
        aliases: &["x86-64", "x64"],
    },
    Facts {
        platform: Platform::Arm64,
        oci: "arm64",
        machine: "aarch64",
        elf_machine: object::elf::EM_AARCH64.0,
        aliases: &["arm64/v8"],
    },
    Facts {
        platform: Platform::Riscv64,
        oci: "riscv64",
        machine: "riscv64",
        elf_machine: object::elf::EM_RISCV.0,
        aliases: &[],
    },
];

impl Platform {
    fn facts(self) -> &'static Facts {
        PLATFORMS.iter().find(|facts| facts.platform == self).expect("every platform is in the table")
    }

    /// All platforms, in the order of the table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        PLATFORMS.iter().map(|facts| facts.platform)
    }

    /// The architecture as images spell it: `arm64`.
    pub(crate) fn oci_arch(self) -> &'static str {
        self.facts().oci
    }

    /// The architecture as the kernel and QEMU spell it: `aarch64`.
    pub(crate) fn machine(self) -> &'static str {
        self.facts().machine
    }

    /// `e_machine` of an executable for this platform.
    pub(crate) fn elf_machine(self) -> u16 {
        self.facts().elf_machine
    }

    /// The platform as one path component: `linux-arm64`.
    pub(crate) fn slug(self) -> String {
        format!("linux-{}", self.oci_arch())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("linux/{}", self.oci_arch()))
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The error for a text that names no platform hsx knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownPlatform(String);

impl fmt::Display for UnknownPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = Platform::all().map(|platform| format!("`{platform}`")).collect();
        write!(f, "unknown platform `{}`; known: {}", self.0, known.join(", "))
    }
}

impl std::error::Error for UnknownPlatform {}

impl FromStr for Platform {
    type Err = UnknownPlatform;

    fn from_str(text: &str) -> Result<Self, UnknownPlatform> {
        let lower = text.trim().to_ascii_lowercase();
        let arch = lower.strip_prefix("linux/").or_else(|| lower.strip_prefix("linux-")).unwrap_or(&lower);
        PLATFORMS
            .iter()
            .find(|facts| facts.oci == arch || facts.machine == arch || facts.aliases.contains(&arch))
            .map(|facts| facts.platform)
            .ok_or_else(|| UnknownPlatform(text.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_platform_has_many_spellings() {
        for text in ["linux/arm64", "arm64", "aarch64", "linux/arm64/v8", "ARM64", "linux-arm64", "linux/aarch64"] {
            assert_eq!(text.parse(), Ok(Platform::Arm64), "{text}");
        }
        for text in ["linux/amd64", "x86_64", "x86-64", "x64"] {
            assert_eq!(text.parse(), Ok(Platform::Amd64), "{text}");
        }
    }

    #[test]
    fn an_unknown_platform_names_the_known_ones() {
        let error = "windows/amd64".parse::<Platform>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown platform `windows/amd64`; known: `linux/amd64`, `linux/arm64`, `linux/riscv64`"
        );
    }

    #[test]
    fn the_display_parses_back() {
        for platform in Platform::all() {
            assert_eq!(platform.to_string().parse(), Ok(platform));
            assert_eq!(platform.slug().parse(), Ok(platform));
        }
    }
}
