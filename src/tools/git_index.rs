//! Git's index (gitformat-index(5)), as far as hsx must know what is staged.

/// The staged content of an index, without the times and inodes of the work tree, which every `git status` may change.
/// For an index that hsx does not understand, the whole index.
pub(crate) fn meaning(data: &[u8]) -> Vec<u8> {
    entries(data).unwrap_or_else(|| data.to_vec())
}

/// Mode, object, flags and path of each entry; `None` if the index is not understood.
fn entries(data: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?));
    // Version 4 compresses paths. Repositories with SHA-256 have longer object names.
    if data.get(..4)? != b"DIRC" || !(2..=3).contains(&number(4)?) {
        return None;
    }
    let (mut at, mut said) = (12, Vec::new());
    for _ in 0..number(8)? {
        let (mode, object, flags) = (data.get(at + 24..at + 28)?, data.get(at + 40..at + 60)?, at + 60);
        let extended = data.get(flags)? & 0x40 != 0;
        let path = flags + if extended { 4 } else { 2 };
        let length = data.get(path..)?.iter().position(|&byte| byte == 0)?;
        for part in [mode, object, data.get(flags..path)?, data.get(path..=path + length)?] {
            said.extend_from_slice(part);
        }
        // Entries end with one to eight zeros, at a multiple of eight.
        at += (path + length - at) / 8 * 8 + 8;
    }
    // The extensions that hold caches or resolved conflicts say nothing about what is staged. Any other may.
    let end = data.len().checked_sub(20)?;
    while at < end {
        let (name, size) = (data.get(at..at + 4)?, number(at + 4)?);
        if ![b"TREE", b"REUC", b"UNTR", b"FSMN", b"EOIE", b"IEOT"].iter().any(|known| *known == name) {
            return None;
        }
        at = at.checked_add(8)?.checked_add(usize::try_from(size).ok()?)?;
    }
    (at == end).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(files: &[(&str, u8, u8)], extension: [u8; 4]) -> Vec<u8> {
        let count = u32::try_from(files.len()).unwrap();
        let mut data = [b"DIRC", &2_u32.to_be_bytes()[..], &count.to_be_bytes()].concat();
        for &(path, time, object) in files {
            let mut entry = [&[time; 24][..], &0o100_644_u32.to_be_bytes(), &[time; 12], &[object; 20]].concat();
            entry.extend(u16::try_from(path.len()).unwrap().to_be_bytes());
            entry.extend(path.as_bytes());
            entry.resize(entry.len() / 8 * 8 + 8, 0);
            data.extend(entry);
        }
        data.extend([&extension[..], &3_u32.to_be_bytes(), b"abc", &[7; 20]].concat());
        data
    }

    #[test]
    fn only_what_is_staged_counts() {
        let base = meaning(&index(&[("a", 1, 1), ("dir/file", 1, 2)], *b"TREE"));
        assert_eq!(base, meaning(&index(&[("a", 9, 1), ("dir/file", 8, 2)], *b"UNTR")), "other times");
        assert_ne!(base, meaning(&index(&[("a", 1, 3), ("dir/file", 1, 2)], *b"TREE")), "another content");
        assert_ne!(base, meaning(&index(&[("b", 1, 1), ("dir/file", 1, 2)], *b"TREE")), "another name");
        assert_ne!(base, meaning(&index(&[("a", 1, 1)], *b"TREE")), "one less");
    }

    #[test]
    fn what_is_not_understood_counts_in_full() {
        for data in
            [index(&[("a", 1, 1)], *b"link"), b"DIRC\0\0\0\x04".to_vec(), b"".to_vec(), b"something else".to_vec()]
        {
            assert_eq!(meaning(&data), data);
        }
    }
}
