//! The machine of an executable, and whether it is static. Both are read from the ELF file, not from a tool's output.

use std::fmt;

use object::LittleEndian;
use object::elf::{DT_NEEDED, FileHeader64, PT_DYNAMIC, PT_INTERP};
use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

use crate::base::platform::Platform;

/// How a static executable is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Linkage {
    Static,
    /// Static and position independent: it has a dynamic section, which needs no library.
    StaticPie,
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Static => "static",
            Self::StaticPie => "static-pie",
        })
    }
}

/// Why a file is not a static executable for a platform, as half a sentence.
pub(crate) type Fault = String;

/// The longest path that Linux takes (limits.h, `PATH_MAX`).
const PATH: u64 = 4096;

/// More than any dynamic section has, in bytes: 65536 entries.
const DYNAMIC: u64 = 1 << 20;

/// Checks that `data` is a static executable for `platform`.
///
/// # Errors
/// When it is not an ELF file, is for another machine, has an interpreter, or needs a shared library.
pub(crate) fn verify<'data>(data: impl ReadRef<'data>, platform: Platform) -> Result<Linkage, Fault> {
    let malformed = |error: object::Error| format!("is not a readable 64-bit ELF file ({error})");
    let header = FileHeader64::<LittleEndian>::parse(data).map_err(malformed)?;
    let endian: LittleEndian = header.endian().map_err(malformed)?;
    let machine = header.e_machine(endian).0;
    if machine != platform.elf_machine() {
        let found = Platform::all().find(|known| known.elf_machine() == machine);
        let found = found.map_or_else(|| format!("ELF machine {machine}"), |known| known.to_string());
        return Err(format!("is for {found}, not for {platform}"));
    }
    let segments = header.program_headers(endian, data).map_err(malformed)?;
    if let Some(interpreter) = segments.iter().find(|segment| segment.p_type(endian) == PT_INTERP) {
        let size = interpreter.p_filesz(endian);
        if size > PATH {
            return Err(format!("is dynamic: it asks for an interpreter, by {size} bytes that are no path"));
        }
        let path = interpreter.data(endian, data).unwrap_or_default();
        let path = String::from_utf8_lossy(path);
        return Err(format!("is dynamic: it asks for the interpreter {}", path.trim_end_matches('\0')));
    }
    let mut linkage = Linkage::Static;
    for segment in segments {
        if segment.p_type(endian) == PT_DYNAMIC && segment.p_filesz(endian) > DYNAMIC {
            return Err("has a dynamic section larger than any".to_owned());
        }
        let Some(entries) = segment.dynamic(endian, data).map_err(malformed)? else { continue };
        linkage = Linkage::StaticPie;
        if entries.iter().any(|entry| entry.tag(endian) == DT_NEEDED) {
            return Err("is dynamic: it needs shared libraries".to_owned());
        }
    }
    Ok(linkage)
}

/// Searches a static executable, which comes in pieces, for GMP, which is LGPL. It looks for a message of GMP's own
/// allocator.
#[derive(Default)]
pub(crate) struct GmpSearch {
    pub found: bool,
    /// The end of the last piece: the message may continue in the next one.
    end: Vec<u8>,
}

impl GmpSearch {
    const MESSAGE: &[u8] = b"GNU MP: Cannot allocate memory";

    pub(crate) fn push(&mut self, piece: &[u8]) {
        let finds = |data: &[u8]| memchr::memmem::find(data, Self::MESSAGE).is_some();
        let kept = Self::MESSAGE.len() - 1;
        self.end.extend_from_slice(&piece[..piece.len().min(kept)]);
        self.found = self.found || finds(&self.end) || finds(piece);
        if piece.len() > kept {
            self.end.clear();
            self.end.extend_from_slice(&piece[piece.len() - kept..]);
        }
        self.end.drain(..self.end.len().saturating_sub(kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A minimal ELF file: header, program headers, and what they point at.
    fn elf(machine: u16, segments: &[(u32, &[u8])]) -> Vec<u8> {
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend(2_u16.to_le_bytes());
        file.extend(machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend([0; 8]);
        file.extend(64_u64.to_le_bytes());
        file.extend([0; 8]);
        file.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, u16::try_from(segments.len()).unwrap(), 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let mut offset = 64 + 56 * segments.len() as u64;
        for (kind, data) in segments {
            file.extend(kind.to_le_bytes());
            file.extend(4_u32.to_le_bytes());
            file.extend(offset.to_le_bytes());
            file.extend([0; 16]);
            file.extend((data.len() as u64).to_le_bytes());
            file.extend((data.len() as u64).to_le_bytes());
            file.extend(8_u64.to_le_bytes());
            offset += data.len() as u64;
        }
        for (_, data) in segments {
            file.extend_from_slice(data);
        }
        file
    }

    fn dynamic(tag: u64) -> Vec<u8> {
        [tag, 1, 0, 0].into_iter().flat_map(u64::to_le_bytes).collect()
    }

    const PT_LOAD: u32 = 1;
    const PT_DYNAMIC: u32 = 2;
    const PT_INTERP: u32 = 3;
    const AARCH64: u16 = 183;

    #[test]
    fn static_executables_pass() {
        assert_eq!(verify(elf(AARCH64, &[(PT_LOAD, b"")]).as_slice(), Platform::Arm64), Ok(Linkage::Static));
        let relocations_only = dynamic(7);
        let pie = elf(AARCH64, &[(PT_LOAD, b""), (PT_DYNAMIC, &relocations_only)]);
        assert_eq!(verify(pie.as_slice(), Platform::Arm64), Ok(Linkage::StaticPie));
    }

    #[test]
    fn everything_else_says_what_it_is() {
        let interpreter = elf(AARCH64, &[(PT_INTERP, b"/lib/ld-musl-aarch64.so.1\0")]);
        let needed = dynamic(1);
        for (file, platform, fault) in [
            (interpreter, Platform::Arm64, "is dynamic: it asks for the interpreter /lib/ld-musl-aarch64.so.1"),
            (elf(AARCH64, &[(PT_DYNAMIC, &needed)]), Platform::Arm64, "is dynamic: it needs shared libraries"),
            (
                elf(AARCH64, &[(PT_INTERP, &[b'A'; 5000])]),
                Platform::Arm64,
                "is dynamic: it asks for an interpreter, by 5000",
            ),
            (elf(AARCH64, &[(PT_DYNAMIC, &vec![0; 2 << 20])]), Platform::Arm64, "has a dynamic section larger"),
            (elf(AARCH64, &[]), Platform::Amd64, "is for linux/arm64, not for linux/amd64"),
            (elf(3, &[]), Platform::Amd64, "is for ELF machine 3, not for linux/amd64"),
            (b"#!/bin/sh\n".to_vec(), Platform::Amd64, "is not a readable 64-bit ELF file"),
            (Vec::new(), Platform::Amd64, "is not a readable 64-bit ELF file"),
        ] {
            let said = verify(file.as_slice(), platform).unwrap_err();
            assert!(said.starts_with(fault), "{said}");
        }
    }

    #[test]
    fn gmp_is_found_by_its_message() {
        let contains_gmp = |pieces: &[&[u8]]| {
            let mut search = GmpSearch::default();
            for piece in pieces {
                search.push(piece);
            }
            search.found
        };
        let long = [0; 100];
        let message = b"\0GNU MP: Cannot allocate memory (size=%lu)\n\0";
        assert!(contains_gmp(&[message, &long]));
        for middle in 0..message.len() {
            let (start, end) = message.split_at(middle);
            assert!(contains_gmp(&[&long, start, end, &long]));
            assert!(contains_gmp(&[&[&long, start].concat(), &[end, &long].concat()]));
        }
        assert!(contains_gmp(&message.iter().map(std::slice::from_ref).collect::<Vec<_>>()));
        assert!(!contains_gmp(&[b"GNU MP: Cannot", &long, b" allocate memory"]));
        assert!(!contains_gmp(&[]));
    }
}
