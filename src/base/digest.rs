//! SHA-256 in the forms hsx needs.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The SHA-256 of some data, in hexadecimal.
pub(crate) fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

/// Computes the SHA-256 of data that comes in pieces.
#[derive(Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// One SHA-256 of several texts, in hexadecimal. It also depends on where one text ends and the next begins.
pub(crate) fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

/// The first 64 bits of [`hash`], in hexadecimal. They are enough to tell a person's projects and images apart, and too
/// many for an attacker to make a project that gets the name of another.
pub(crate) fn short_hash(parts: &[&str]) -> String {
    hash(parts)[..16].to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_file_has_the_well_known_digest() {
        assert!(sha256(b"").starts_with("e3b0c44298fc1c149afbf4c8996fb924"));
    }

    #[test]
    fn pieces_have_the_digest_of_the_whole() {
        let mut hasher = Hasher::default();
        for piece in [&b"stat"[..], b"", b"ic"] {
            hasher.update(piece);
        }
        assert_eq!(hasher.finish(), sha256(b"static"));
    }

    #[test]
    fn where_one_text_ends_matters() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(short_hash(&["x"]).len(), 16);
    }
}
