//! Unpacks a tar archive that comes out of a container, where whoever wrote the project could lay out what they liked.
//! Only plain files and directories come in, by names that the caller expects, and only so much of them. Modes, owners,
//! times and links of the archive count for nothing.

use std::io::{self, BufReader, Read, Write as _};

use rustix::fs::{Mode, fchmod};
use tar::{Archive, Entry, EntryType};

use super::root::Root;
use crate::base::harmless::{self, is_harmful};

const PIECE: usize = 64 * 1024;

/// The size of tar's blocks.
const BLOCK: usize = 512;

/// The size limit in bytes for what an archive says of an entry beside its header. One attribute may have 64 KiB.
const EXTENSION: u64 = 1 << 20;

/// The limit on the number of directories that a name goes through.
const DEPTH: usize = 64;

/// What an archive may hold in all: files and directories, and bytes of files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub entries: usize,
    pub bytes: u64,
}

/// What is expected under a name. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Directory,
    File { at_most: u64 },
    Executable { at_most: u64 },
    FileOrDirectory { at_most: u64 },
}

/// Why an archive was not unpacked.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What it holds is not let in: "`bin/x`, which is a symbolic link".
    Refused(String),
    /// It is no archive, or not all of it came.
    Broken(String),
    /// The directory cannot be written.
    Unwritable(io::Error),
}

/// Unpacks an archive into a directory. `top` is the name of the directory that was archived: podman 5 begins all names
/// with it, podman 4 and docker do not. `expected` tells what may come under a name; names are relative, and have no `.`
/// or `..` among their parts.
///
/// # Errors
/// At the first entry that is not expected or cannot be read. What came before it has been written by then.
pub(crate) fn unpack(
    from: impl Read,
    top: &str,
    into: &Root,
    limits: Limits,
    expected: impl Fn(&str) -> Option<Expected>,
) -> Result<(), Fault> {
    let mut archive = Archive::new(BufReader::with_capacity(PIECE, from));
    let mut unpacker = Unpacker { top, into, limits, left: limits, buffer: vec![0; PIECE] };
    let mut long_name = None;
    // Raw entries are as they stand in the archive. Otherwise the crate would take any amount of memory for a name.
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        unpacker.count()?;
        let header = match entry.header().entry_type() {
            EntryType::XHeader => pax_name(&extension(&mut entry)?)?,
            EntryType::GNULongName => Some(until_nul(extension(&mut entry)?)),
            _ => {
                let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                unpacker.entry(&mut entry, &name, &expected)?;
                continue;
            }
        };
        if long_name.is_some() && header.is_some() {
            return Err(Fault::Broken("an entry has two long names".to_owned()));
        }
        long_name = header.or(long_name);
    }
    ends(archive.into_inner())
}

struct Unpacker<'a> {
    top: &'a str,
    into: &'a Root,
    limits: Limits,
    left: Limits,
    buffer: Vec<u8>,
}

impl Unpacker<'_> {
    fn count(&mut self) -> Result<(), Fault> {
        let too_many = || Fault::Refused(format!("more than {} files", self.limits.entries));
        self.left.entries = self.left.entries.checked_sub(1).ok_or_else(too_many)?;
        Ok(())
    }

    /// Calls `make` with the directory of a name, which must be there, and the name's last part.
    fn make<T>(&self, name: &str, make: impl FnOnce(&Root, &str) -> io::Result<T>) -> io::Result<T> {
        match name.rsplit_once('/') {
            Some((dir, last)) => make(&self.into.dir(dir)?, last),
            None => make(self.into, name),
        }
    }

    fn entry(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        written: &[u8],
        expected: &impl Fn(&str) -> Option<Expected>,
    ) -> Result<(), Fault> {
        let (kind, size) = (entry.header().entry_type(), entry.size());
        let is_file = kind == EntryType::Regular;
        let below_top =
            |name| str::strip_prefix(name, self.top).and_then(|below| below.strip_prefix('/')).unwrap_or(name);
        let name = plain_name(written, is_file).map(below_top);
        let shown = shown(name.map_or(written, str::as_bytes));
        let refused = |why: String| Err(Fault::Refused(format!("`{shown}`, which {why}")));
        if !is_file && kind != EntryType::Directory {
            return refused(format!("is {}", what_it_is(kind)));
        }
        let name = match name {
            // The directory that was asked for itself.
            Some("") => return Ok(()),
            Some(name) if name == self.top && !is_file => return Ok(()),
            Some(name) => name,
            None => return refused("is no name that hsx takes".to_owned()),
        };
        let (at_most, is_executable) = match expected(name) {
            None => return refused("nobody asked for".to_owned()),
            Some(Expected::Directory) if is_file => {
                return refused("is a file where a directory should be".to_owned());
            }
            Some(Expected::File { .. } | Expected::Executable { .. }) if !is_file => {
                return refused("is a directory where a file should be".to_owned());
            }
            Some(Expected::Directory) => (0, false),
            Some(Expected::File { at_most } | Expected::FileOrDirectory { at_most }) => (at_most, false),
            Some(Expected::Executable { at_most }) => (at_most, true),
        };
        if !is_file {
            return self.make(name, Root::new_dir).map_err(|error| not_made(error, &shown));
        }
        if size > at_most {
            return refused(format!("has {size} bytes, more than {at_most}"));
        }
        let too_large = || Fault::Refused(format!("more than {} bytes", self.limits.bytes));
        self.left.bytes = self.left.bytes.checked_sub(size).ok_or_else(too_large)?;
        let mut file = self.make(name, Root::create).map_err(|error| not_made(error, &shown))?;
        let mut copied = 0;
        while let read @ 1.. = entry.read(&mut self.buffer).map_err(broken)? {
            copied += read as u64;
            file.write_all(&self.buffer[..read]).map_err(Fault::Unwritable)?;
        }
        if copied != size {
            return Err(cut_off());
        }
        if is_executable {
            // The umask may have taken what the container that tries the file needs.
            fchmod(&file, Mode::from_raw_mode(0o755)).map_err(|error| Fault::Unwritable(error.into()))?;
        }
        Ok(())
    }
}

/// The content of an entry that tells of the next one.
fn extension(entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>, Fault> {
    let size = entry.size();
    if size > EXTENSION {
        return Err(Fault::Broken(format!("the header of an entry has {size} bytes")));
    }
    let mut content = Vec::new();
    entry.read_to_end(&mut content).map_err(broken)?;
    if content.len() as u64 == size { Ok(content) } else { Err(cut_off()) }
}

/// The name that a POSIX extended header gives the next entry (pax(1), "pax Extended Header"). Its records are
/// `LENGTH KEYWORD=VALUE`, and a value may contain line breaks, which the crate's own reader does not expect.
fn pax_name(mut records: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut name = None;
    while !records.is_empty() {
        let record = pax_record(records).ok_or_else(|| Fault::Broken("an extended header is damaged".to_owned()))?;
        match record.keyword {
            b"path" => name = Some(record.value.to_vec()),
            // Go writes a size here only if it has 8 GiB or more.
            b"size" => return Err(Fault::Refused("a file of more than 8 GiB".to_owned())),
            keyword if keyword.starts_with(b"GNU.sparse.") => {
                return Err(Fault::Refused("a sparse file".to_owned()));
            }
            _ => {}
        }
        records = record.rest;
    }
    Ok(name)
}

struct PaxRecord<'a> {
    keyword: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

fn pax_record(records: &[u8]) -> Option<PaxRecord<'_>> {
    let blank = records.iter().position(|&byte| byte == b' ')?;
    let length: usize = str::from_utf8(&records[..blank]).ok()?.parse().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let text = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|&byte| byte == b'=')?;
    Some(PaxRecord { keyword: &text[..equals], value: &text[equals + 1..], rest })
}

fn until_nul(mut name: Vec<u8>) -> Vec<u8> {
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    name.truncate(end);
    name
}

/// The name of an entry, without what docker puts before and after it (`./bin/` for podman's `bin`). `None`: it could
/// lead elsewhere, or people could not read it.
fn plain_name(written: &[u8], is_file: bool) -> Option<&str> {
    let name = str::from_utf8(written).ok()?;
    let name = if is_file { name } else { name.strip_suffix('/').unwrap_or(name) };
    let name = name.strip_prefix("./").unwrap_or(name);
    if !is_file && matches!(name, "" | ".") {
        return Some("");
    }
    let is_plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.len() <= 255
            && !part.contains(|c: char| c == '\n' || c == '\t' || is_harmful(c))
    };
    let mut parts = name.split('/');
    (parts.clone().count() <= DEPTH && parts.all(is_plain)).then_some(name)
}

fn shown(written: &[u8]) -> String {
    let name = String::from_utf8_lossy(written);
    harmless::line(&name.chars().take(200).collect::<String>())
}

fn what_it_is(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a FIFO",
        EntryType::GNUSparse => "a sparse file",
        _ => "neither a file nor a directory",
    }
}

/// The fault when a file or directory cannot be made.
fn not_made(error: io::Error, shown: &str) -> Fault {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Fault::Refused(format!("`{shown}`, which comes twice")),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Fault::Refused(format!("`{shown}`, which comes without its directory"))
        }
        _ => Fault::Unwritable(error),
    }
}

/// Fails unless the archive has an end: two blocks of zeros, of which one has been read. A stream that was cut off
/// between two entries has none.
fn ends(rest: impl Read) -> Result<(), Fault> {
    /// In bytes. tar(1) fills its last record with zeros.
    const PADDING: u64 = 1 << 20;
    let mut padding = Vec::new();
    rest.take(PADDING + 1).read_to_end(&mut padding).map_err(broken)?;
    if padding.len() < BLOCK {
        return Err(cut_off());
    }
    if padding.len() as u64 > PADDING || padding.iter().any(|&byte| byte != 0) {
        return Err(Fault::Broken("it goes on after its end".to_owned()));
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn broken(error: io::Error) -> Fault {
    Fault::Broken(error.to_string())
}

fn cut_off() -> Fault {
    Fault::Broken("it is cut off".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use camino::Utf8Path;
    use tar::Header;

    use super::*;
    use crate::base::place::Place;

    const LIMITS: Limits = Limits { entries: 40, bytes: 4096 };

    fn expected(name: &str) -> Option<Expected> {
        match name {
            "bin" => Some(Expected::Directory),
            "plan" | "grüße" => Some(Expected::File { at_most: 1000 }),
            name if name.starts_with("bin/") => Some(Expected::Executable { at_most: 2000 }),
            name if name.starts_with("share") => Some(Expected::FileOrDirectory { at_most: 1000 }),
            _ => None,
        }
    }

    /// An entry as the archive has it; the name is not looked at.
    fn entry(kind: EntryType, name: &str, content: &[u8]) -> Vec<u8> {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o6755);
        header.set_uid(0);
        header.set_size(content.len() as u64);
        header.set_cksum();
        let padding = vec![0; content.len().next_multiple_of(BLOCK) - content.len()];
        [header.as_bytes(), content, &padding].concat()
    }

    fn file(name: &str, content: &str) -> Vec<u8> {
        entry(EntryType::Regular, name, content.as_bytes())
    }

    fn dir(name: &str) -> Vec<u8> {
        entry(EntryType::Directory, name, b"")
    }

    fn pax(keyword: &str, value: &str) -> Vec<u8> {
        let rest = format!(" {keyword}={value}\n");
        let length = (1..999).find(|length: &usize| length.to_string().len() + rest.len() == *length).unwrap();
        entry(EntryType::XHeader, "PaxHeaders/x", format!("{length}{rest}").as_bytes())
    }

    fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
        [entries.concat(), vec![0; 2 * BLOCK]].concat()
    }

    /// What is unpacked of an archive: the content of files, and `/` for directories.
    fn unpacked(archive: &[u8]) -> Result<BTreeMap<String, String>, String> {
        let guard = tempfile::tempdir().unwrap();
        let top = Utf8Path::from_path(guard.path()).unwrap().join("stage");
        fs_err::create_dir(&top).unwrap();
        let result = unpack(archive, "out", &Root::open(&Place::of_user(&top)).unwrap(), LIMITS, expected);
        let beside: Vec<_> = fs_err::read_dir(guard.path()).unwrap().collect();
        assert_eq!(beside.len(), 1, "{beside:?}");
        let entries = walkdir::WalkDir::new(&top).min_depth(1).into_iter().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
            assert!(entry.file_type().is_file() || entry.file_type().is_dir(), "{name}");
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o7000, 0, "{name}");
            if result.is_ok() {
                let is_executable = entry.file_type().is_file() && mode & 0o111 == 0o111;
                assert_eq!(name.starts_with("bin/"), is_executable, "{name}");
            }
            let content =
                if entry.file_type().is_dir() { "/".to_owned() } else { fs_err::read_to_string(entry.path()).unwrap() };
            (name, content)
        });
        let entries = entries.collect();
        match result {
            Ok(()) => Ok(entries),
            Err(Fault::Refused(what)) => Err(what),
            Err(Fault::Broken(why)) => Err(format!("broken: {why}")),
            Err(Fault::Unwritable(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_expected_comes_in_however_the_engine_writes_it() {
        let deep = format!("share/{}/{}", "d".repeat(90), "f".repeat(90));
        let podman = archive(&[
            dir("bin"),
            file("bin/x", &"x".repeat(1500)),
            pax("path", "grüße"),
            file("gre", "hello"),
            file("plan", ""),
        ]);
        let docker = archive(&[
            dir("./"),
            dir("./bin/"),
            pax("mtime", "1.5"),
            file("./bin/x", &"x".repeat(1500)),
            [pax("SCHILY.xattr.user.x", "a\nb=c"), pax("path", "./grüße")].concat(),
            file("./gre", "hello"),
            file("./plan", ""),
        ]);
        let podman_5 = archive(&[
            dir("out"),
            dir("out/bin"),
            file("out/bin/x", &"x".repeat(1500)),
            pax("path", "out/grüße"),
            file("out/gre", "hello"),
            file("out/plan", ""),
        ]);
        for archive in [podman, docker, podman_5] {
            let files = unpacked(&archive).unwrap();
            assert_eq!(files.keys().collect::<Vec<_>>(), ["bin", "bin/x", "grüße", "plan"]);
            assert_eq!((files["bin/x"].len(), files["grüße"].as_str(), files["plan"].as_str()), (1500, "hello", ""));
        }
        let gnu = archive(&[
            dir("share"),
            dir(deep.rsplit_once('/').unwrap().0),
            entry(EntryType::GNULongName, "././@LongLink", format!("{deep}\0").as_bytes()),
            file("share/cut-off", "1"),
        ]);
        assert_eq!(unpacked(&[gnu, vec![0; 9 * BLOCK]].concat()).unwrap()[&deep], "1");
        assert_eq!(unpacked(&archive(&[])).unwrap(), BTreeMap::new());
    }

    #[test]
    fn nothing_else_comes_in() {
        let link = |kind| archive(&[dir("bin"), entry(kind, "bin/x", b"")]);
        let mut sized = entry(EntryType::Regular, "plan", b"");
        sized[124..136].copy_from_slice(b"77777777777\0");
        let mut endless = Header::from_byte_slice(&sized).clone();
        endless.set_cksum();
        for (archive, why) in [
            (link(EntryType::Symlink), "`bin/x`, which is a symbolic link"),
            (link(EntryType::Link), "`bin/x`, which is a hard link"),
            (link(EntryType::Char), "`bin/x`, which is a device"),
            (link(EntryType::Block), "`bin/x`, which is a device"),
            (link(EntryType::Fifo), "`bin/x`, which is a FIFO"),
            (link(EntryType::GNUSparse), "`bin/x`, which is a sparse file"),
            (link(EntryType::Continuous), "`bin/x`, which is neither a file nor a directory"),
            (link(EntryType::XGlobalHeader), "`bin/x`, which is neither a file nor a directory"),
            (archive(&[entry(EntryType::Symlink, "bin", b""), file("bin/x", "")]), "`bin`, which is a symbolic link"),
            (archive(&[file("../x", "")]), "`../x`, which is no name that hsx takes"),
            (archive(&[file("bin/../../x", "")]), "`bin/../../x`, which is no name that hsx takes"),
            (archive(&[file("/plan", "")]), "`/plan`, which is no name that hsx takes"),
            (archive(&[file(".//plan", "")]), "`.//plan`, which is no name that hsx takes"),
            (archive(&[file("././plan", "")]), "`././plan`, which is no name that hsx takes"),
            (archive(&[file("plan/", "")]), "`plan/`, which is no name that hsx takes"),
            (archive(&[file("", "")]), "``, which is no name that hsx takes"),
            (archive(&[file(".", "")]), "`.`, which is no name that hsx takes"),
            (archive(&[file("bin/a\nb", "")]), "`bin/a\\nb`, which is no name that hsx takes"),
            (archive(&[file("bin/\u{1b}[2J", "")]), "`bin/\\u{1b}[2J`, which is no name that hsx takes"),
            (archive(&[file("bin/\u{202e}x", "")]), "`bin/\\u{202e}x`, which is no name that hsx takes"),
            (archive(&[dir("share"), dir("share/..")]), "`share/..`, which is no name that hsx takes"),
            (archive(&[dir("../")]), "`../`, which is no name that hsx takes"),
            (archive(&[file(&format!("share{}", "/a".repeat(40)), "")]), "comes without its directory"),
            (archive(&[pax("path", &format!("share{}", "/a".repeat(70))), file("x", "")]), "is no name that hsx takes"),
            (
                archive(&[pax("path", &format!("share/{}", "a".repeat(256))), file("x", "")]),
                "is no name that hsx takes",
            ),
            (archive(&[pax("path", "../../x"), file("plan", "")]), "`../../x`, which is no name that hsx takes"),
            (archive(&[pax("path", "plan\n"), file("plan", "")]), "`plan\\n`, which is no name that hsx takes"),
            (archive(&[pax("size", "9"), file("plan", "")]), "a file of more than 8 GiB"),
            (archive(&[pax("GNU.sparse.realsize", "9"), file("plan", "")]), "a sparse file"),
            (
                archive(&[pax("path", "plan"), pax("path", "bin"), file("plan", "")]),
                "broken: an entry has two long names",
            ),
            (archive(&[entry(EntryType::XHeader, "x", b"9 path=plan\n")]), "broken: an extended header is damaged"),
            (
                archive(&[entry(EntryType::XHeader, "x", b"99999999999999999999 a=b\n")]),
                "broken: an extended header is",
            ),
            (
                archive(&[entry(EntryType::XHeader, "x", &vec![b'1'; 2 << 20])]),
                "broken: the header of an entry has 2097152 ",
            ),
            (archive(&[file("disk", "")]), "`disk`, which nobody asked for"),
            (archive(&[file("plan", ""), file("./plan", "")]), "`plan`, which comes twice"),
            (archive(&[dir("bin"), dir("bin/")]), "`bin`, which comes twice"),
            (archive(&[dir("plan")]), "`plan`, which is a directory where a file should be"),
            (archive(&[file("bin", "")]), "`bin`, which is a file where a directory should be"),
            (archive(&[file("bin/x", "")]), "`bin/x`, which comes without its directory"),
            (archive(&[dir("share"), file("share/x", ""), file("share/x/y", "")]), "comes without its directory"),
            (archive(&[file("plan", &"x".repeat(1001))]), "`plan`, which has 1001 bytes, more than 1000"),
            (archive(&[endless.as_bytes().to_vec()]), "`plan`, which has 8589934591 bytes, more than 1000"),
            (
                archive(&["a", "b", "c"].map(|name| {
                    [if name == "a" { dir("bin") } else { Vec::new() }, file(&format!("bin/{name}"), &"x".repeat(2000))]
                        .concat()
                })),
                "more than 4096 bytes",
            ),
            (archive(&vec![dir("./"); 41]), "more than 40 files"),
            (archive(&vec![pax("mtime", "1"); 41]), "more than 40 files"),
        ] {
            let refused = unpacked(&archive).unwrap_err();
            assert!(refused.contains(why), "{refused}, and not {why}");
        }
    }

    #[test]
    fn an_archive_that_is_not_whole_is_none() {
        let whole = archive(&[dir("bin"), file("bin/x", &"x".repeat(1000)), pax("path", "plan"), file("plan", "1")]);
        unpacked(&whole).unwrap();
        for length in (0..whole.len()).step_by(100).chain((0..whole.len()).step_by(BLOCK)) {
            let why = unpacked(&whole[..length]).unwrap_err();
            assert!(why.starts_with("broken: "), "{length}: {why}");
        }
        let more = [whole.clone(), whole.clone()].concat();
        assert_eq!(unpacked(&more).unwrap_err(), "broken: it goes on after its end");
        let endless = [whole, vec![0; 2 << 20]].concat();
        assert_eq!(unpacked(&endless).unwrap_err(), "broken: it goes on after its end");
        assert!(unpacked(b"Error: no such container\n").unwrap_err().starts_with("broken: "));
    }

    #[test]
    fn no_link_in_the_place_is_followed() {
        let guard = tempfile::tempdir().unwrap();
        let top = Utf8Path::from_path(guard.path()).unwrap();
        for dir in ["stage", "elsewhere"] {
            fs_err::create_dir(top.join(dir)).unwrap();
        }
        let place = Root::open(&Place::of_user(top.join("stage"))).unwrap();
        symlink("../elsewhere", top.join("stage/bin")).unwrap();
        symlink("../elsewhere/plan", top.join("stage/plan")).unwrap();
        for entry in [file("plan", ""), file("bin/x", ""), dir("bin")] {
            unpack(archive(&[entry]).as_slice(), "out", &place, LIMITS, expected).unwrap_err();
        }
        assert_eq!(fs_err::read_dir(top.join("elsewhere")).unwrap().count(), 0);
    }
}
