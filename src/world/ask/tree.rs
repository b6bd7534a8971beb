//! What a build can read in the project's directories: the state of every file, and its content where the state is not
//! enough.
//!
//! The method is that of git's index: a file counts as unchanged while its size, mode, inode and times are. When it was
//! changed so shortly before it was looked at that another change might not show in its times, its content decides.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::{DirEntry, WalkDir};

use crate::base::digest::sha256;
use crate::tools::git_index;
use crate::world::doors::at_once::{cores, side_by_side};
use crate::world::doors::pieces::sha256_of;
use crate::world::doors::read;

/// For how long after a change, in nanoseconds, another one may not show in the times: FAT counts in two seconds.
const RACY: i128 = 2_500_000_000;

/// How many files a thread looks at in one go.
const PART: usize = 256;

/// Larger files, in bytes, are not read: any change of their state counts as a change of the file.
const READ_AT_MOST: u64 = 64 << 20;

/// The state of a file, which changes when the file does. Times are in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(crate) struct Stamp {
    mode: u32,
    size: u64,
    inode: u64,
    modified: i128,
    changed: i128,
}

impl Stamp {
    pub(crate) fn of(meta: &std::fs::Metadata) -> Self {
        let time = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Self {
            mode: meta.mode(),
            size: meta.size(),
            inode: meta.ino(),
            modified: time(meta.mtime(), meta.mtime_nsec()),
            changed: time(meta.ctime(), meta.ctime_nsec()),
        }
    }

    pub(crate) fn mode(self) -> u32 {
        self.mode
    }

    /// The bits of the mode that distinguish files, directories and links (inode(7)).
    pub(crate) fn kind(self) -> u32 {
        self.mode & 0o170_000
    }

    pub(crate) fn is_file(self) -> bool {
        self.kind() == 0o100_000
    }

    pub(crate) fn is_dir(self) -> bool {
        self.kind() == 0o040_000
    }

    /// The time of the last modification, in whole seconds since 1970.
    pub(crate) fn seconds(self) -> i64 {
        i64::try_from(self.modified.div_euclid(1_000_000_000)).unwrap_or(0)
    }

    /// Whether every change after `at` would show in the state.
    pub(crate) fn is_settled(self, at: i128) -> bool {
        self.modified.max(self.changed) < at - RACY
    }
}

/// The current time in nanoseconds since 1970, as in the times of files.
pub(crate) fn now() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i128::try_from(time.as_nanos()).unwrap_or(0))
}

/// The content of a set of directories at a certain time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    taken: i128,
    /// Sorted by path.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    path: PathBuf,
    kind: EntryKind,
    stamp: Stamp,
    /// For a link: its target. For a file: the digest of its content, once it was read.
    content: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKind {
    /// Only its existence and mode count: what it contains has entries of its own.
    Directory,
    File,
    /// Git's index. Its content counts, but not the times of files that it caches.
    GitIndex,
    Link,
    /// A socket or a device.
    Other,
}

impl EntryKind {
    const ALL: [(char, Self); 5] =
        [('d', Self::Directory), ('f', Self::File), ('g', Self::GitIndex), ('l', Self::Link), ('o', Self::Other)];

    fn letter(self) -> char {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or('o', |(letter, _)| *letter)
    }
}

impl Tree {
    /// Takes the state of everything below the directories, except hsx's own files and what cabal and git keep for
    /// themselves.
    ///
    /// # Errors
    /// When the state of a file cannot be read.
    pub(crate) fn take(roots: &[Utf8PathBuf], is_own: &dyn Fn(&Utf8Path) -> bool) -> std::io::Result<Self> {
        let taken = now();
        let mut found = Vec::new();
        for root in roots {
            // A git directory may be a root of its own: it is mounted for a work tree elsewhere.
            let mut repository = is_repository(root.as_std_path()).then(|| (0, root.as_std_path().to_owned()));
            let mut walk = WalkDir::new(root).into_iter();
            while let Some(entry) = walk.next() {
                let entry = entry?;
                if repository.as_ref().is_some_and(|(depth, _)| entry.depth() <= *depth && entry.depth() > 0) {
                    repository = None;
                }
                let inside = repository.as_ref().map(|(_, path)| path.as_path());
                if entry.depth() > 0 && is_skipped(&entry, inside, is_own) {
                    if entry.file_type().is_dir() {
                        walk.skip_current_dir();
                    }
                    continue;
                }
                let is_inside = inside.is_some();
                if !is_inside && entry.file_type().is_dir() && entry.file_name() == ".git" {
                    repository = Some((entry.depth(), entry.path().to_owned()));
                }
                found.push((entry, is_inside));
            }
        }
        // Asking for each file's state takes most of the time.
        let parts: Vec<_> = found.chunks(PART).collect();
        let parts = side_by_side(&parts, cores(), |part| {
            part.iter().map(|(entry, is_inside)| Entry::new(entry, *is_inside)).collect::<std::io::Result<Vec<_>>>()
        });
        let mut entries = parts.into_iter().collect::<std::io::Result<Vec<_>>>()?.concat();
        entries.sort_unstable_by(|one, other| one.path.as_os_str().cmp(other.path.as_os_str()));
        entries.dedup_by(|one, other| one.path == other.path);
        Ok(Self { taken, entries })
    }

    /// A digest of all states, which reads no file. `true`: every later change will change the digest.
    pub(crate) fn digest(&self) -> (String, bool) {
        let mut text = Vec::with_capacity(self.entries.len() * 128);
        for entry in &self.entries {
            text.extend_from_slice(entry.path.as_os_str().as_bytes());
            // Neither digits nor paths contain a zero byte.
            text.extend([0, entry.kind.letter() as u8, 0]);
            let Stamp { mode, size, inode, modified, changed } = entry.stamp;
            text.extend(mode.to_le_bytes());
            if entry.kind != EntryKind::Directory {
                text.extend([size, inode].map(u64::to_le_bytes).concat());
                text.extend([modified, changed].map(i128::to_le_bytes).concat());
            }
        }
        (sha256(&text), self.entries.iter().all(|entry| entry.is_settled(self.taken)))
    }

    /// Whether this later tree has the same content as `before`. Content that is read for this is kept.
    pub(crate) fn is_same(&mut self, before: &Self) -> bool {
        self.entries.len() == before.entries.len()
            && self.entries.iter_mut().zip(&before.entries).all(|(entry, old)| {
                if entry.is_unchanged(old, before.taken) {
                    entry.content.clone_from(&old.content);
                    return true;
                }
                let alike = entry.path == old.path && entry.kind == old.kind && entry.stamp.mode == old.stamp.mode;
                if !alike || (entry.is_plain() && entry.stamp.size != old.stamp.size) {
                    return false;
                }
                // Of a directory, a pipe or a socket only its existence and mode count.
                if matches!(entry.kind, EntryKind::Directory | EntryKind::Other) {
                    return true;
                }
                entry.read();
                entry.content.is_some() && entry.content == old.content
            })
    }

    /// Whether nothing was changed since `before`, not even changed and changed back, which the times would show.
    pub(crate) fn is_untouched(&mut self, before: &Self) -> bool {
        self.entries.len() == before.entries.len()
            && self.entries.iter_mut().zip(&before.entries).all(|(entry, old)| {
                let is_same = entry.path == old.path && entry.kind == old.kind && entry.stamp.mode == old.stamp.mode;
                // Git rewrites its index even for `git status`.
                if entry.kind == EntryKind::GitIndex && entry.stamp != old.stamp {
                    entry.read();
                    return is_same && entry.content == old.content;
                }
                is_same && (entry.kind == EntryKind::Directory || entry.stamp == old.stamp)
            })
    }

    /// Reads every file whose content is not known from an earlier tree.
    pub(crate) fn read(&mut self, before: Option<&Self>) {
        let old = before.map(|tree| tree.entries.iter().map(|entry| (&entry.path, entry)).collect::<HashMap<_, _>>());
        let unread: Vec<_> = self.entries.iter_mut().filter(|entry| entry.content.is_none()).collect();
        for entry in unread {
            match old.as_ref().and_then(|old| old.get(&entry.path)).zip(before) {
                Some((old, before)) if entry.is_unchanged(old, before.taken) => entry.content.clone_from(&old.content),
                _ => entry.read(),
            }
        }
    }

    /// The tree as text, for [`Tree::parse`].
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.taken);
        for entry in &self.entries {
            let Stamp { mode, size, inode, modified, changed } = entry.stamp;
            let (kind, content) = (entry.kind.letter(), entry.content.as_deref().unwrap_or("-"));
            let path = entry.path.as_os_str().as_bytes().escape_ascii();
            let _ = writeln!(text, "{kind} {mode} {size} {inode} {modified} {changed} {content} {path}");
        }
        text
    }

    /// Parses the text of a tree. `None`: another version of hsx wrote it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (taken, rest) = text.split_once('\n')?;
        let entries = rest.lines().map(|line| {
            let words: Vec<_> = line.splitn(8, ' ').collect();
            let [kind, mode, size, inode, modified, changed, content, path] = words[..] else { return None };
            Some(Entry {
                path: PathBuf::from(std::ffi::OsStr::from_bytes(&unescaped(path)?)),
                kind: EntryKind::ALL.iter().find(|(letter, _)| kind == letter.to_string())?.1,
                stamp: Stamp {
                    mode: mode.parse().ok()?,
                    size: size.parse().ok()?,
                    inode: inode.parse().ok()?,
                    modified: modified.parse().ok()?,
                    changed: changed.parse().ok()?,
                },
                content: Some(content.to_owned()).filter(|content| content != "-"),
            })
        });
        Some(Self { taken: taken.parse().ok()?, entries: entries.collect::<Option<_>>()? })
    }
}

/// Reverses [`slice::escape_ascii`].
pub(crate) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
                }
                quoted => quoted,
            },
            plain => plain,
        });
    }
    Some(bytes)
}

fn is_repository(dir: &Path) -> bool {
    dir.join("HEAD").is_file() && dir.join("objects").is_dir()
}

/// Whether an entry cannot affect a build: the output of cabal and hsx, and those of git's own files that add nothing
/// to the others.
fn is_skipped(entry: &DirEntry, repository: Option<&Path>, is_own: &dyn Fn(&Utf8Path) -> bool) -> bool {
    if let Some(repository) = repository {
        // Objects never change, and HEAD, the references and the index name those in use.
        let told = ["objects", "logs", "lfs", "FETCH_HEAD", "ORIG_HEAD", "COMMIT_EDITMSG", "gc.log"];
        let is_told = entry.file_name().to_str().is_some_and(|name| told.contains(&name));
        // The repositories of submodules lie below. A branch may have any of these names.
        return is_told && entry.path().parent().is_some_and(|dir| dir == repository || dir.join("HEAD").is_file());
    }
    let is_output = entry.file_name() == "dist-newstyle" || entry.file_name() == "dist-static";
    (is_output && entry.file_type().is_dir()) || Utf8Path::from_path(entry.path()).is_some_and(is_own)
}

impl Entry {
    fn new(entry: &DirEntry, in_repository: bool) -> std::io::Result<Self> {
        let stamp = Stamp::of(&entry.metadata()?);
        let kind = entry.file_type();
        let kind = match () {
            () if kind.is_dir() => EntryKind::Directory,
            () if kind.is_symlink() => EntryKind::Link,
            () if !kind.is_file() => EntryKind::Other,
            () if in_repository && entry.file_name() == "index" => EntryKind::GitIndex,
            () => EntryKind::File,
        };
        Ok(Self { path: entry.path().to_owned(), kind, stamp, content: None })
    }

    fn is_plain(&self) -> bool {
        self.kind == EntryKind::File
    }

    fn is_settled(&self, at: i128) -> bool {
        self.kind == EntryKind::Directory || self.stamp.is_settled(at)
    }

    fn is_unchanged(&self, old: &Self, taken: i128) -> bool {
        let same = self.path == old.path && self.kind == old.kind;
        match self.kind {
            EntryKind::Directory => same && self.stamp.mode == old.stamp.mode,
            _ => same && self.stamp == old.stamp && old.is_settled(taken),
        }
    }

    /// Reads the content of a file or link.
    fn read(&mut self) {
        self.content = match self.kind {
            EntryKind::Directory | EntryKind::Other => None,
            EntryKind::Link => fs_err::read_link(&self.path).ok().map(|to| sha256(to.as_os_str().as_bytes())),
            EntryKind::File | EntryKind::GitIndex if self.stamp.size > READ_AT_MOST => None,
            EntryKind::File => sha256_of(&self.path).ok(),
            EntryKind::GitIndex => {
                read::bytes(&self.path, READ_AT_MOST).ok().map(|data| sha256(&git_index::meaning(&data)))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct World {
        root: Utf8PathBuf,
        _guard: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let guard = tempfile::tempdir().unwrap();
            let root = Utf8PathBuf::from_path_buf(guard.path().canonicalize().unwrap()).unwrap();
            fs_err::create_dir_all(root.join("src/dist-newstyle")).unwrap();
            fs_err::create_dir_all(root.join(".git/objects")).unwrap();
            for file in ["a", "src/b", "src/c", ".git/HEAD"] {
                fs_err::write(root.join(file), "0").unwrap();
            }
            Self { root, _guard: guard }
        }

        fn take(&self) -> Tree {
            Tree::take(std::slice::from_ref(&self.root), &|path| path.ends_with("own")).unwrap()
        }

        /// The content, without times and inodes.
        fn meaning(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
            let entries = self.take().entries.into_iter().map(|entry| {
                let content = match entry.kind {
                    EntryKind::Link => fs_err::read_link(&entry.path).unwrap().as_os_str().as_bytes().to_vec(),
                    EntryKind::Directory => Vec::new(),
                    _ => fs_err::read(&entry.path).unwrap(),
                };
                (entry.path, (entry.stamp.mode, content))
            });
            entries.collect()
        }

        /// Waits until the file system's clock has advanced, so that a later change gets a later time.
        fn tick(&self) {
            let probe = || {
                fs_err::write(self.root.join("own"), "").unwrap();
                Stamp::of(&fs_err::metadata(self.root.join("own")).unwrap()).changed
            };
            let start = probe();
            while probe() == start {}
        }
    }

    /// Writes content, and restores the time of the last change.
    fn rewrite(path: &Utf8Path, content: &str) {
        let time = fs_err::metadata(path).unwrap().modified().unwrap();
        fs_err::write(path, content).unwrap();
        fs_err::OpenOptions::new().append(true).open(path).unwrap().file().set_modified(time).unwrap();
    }

    /// A generator of reproducible random numbers (splitmix64).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((number ^ (number >> 31)) % u64::try_from(bound).unwrap()).unwrap()
        }
    }

    /// Makes a random change; some change nothing.
    fn change(root: &Utf8Path, numbers: &mut Numbers) {
        let names = ["a", "src/b", "src/c", "src/new", ".git/HEAD", ".git/refs-like", "lone"];
        let mut name = || root.join(names[numbers.below(names.len())]);
        let (path, other) = (name(), name());
        let is_file = |path: &Utf8Path| fs_err::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
        let digit = numbers.below(3).to_string();
        let _ = match numbers.below(11) {
            0 => fs_err::write(&path, digit),
            1 if is_file(&path) => {
                rewrite(&path, &digit);
                Ok(())
            }
            2 => fs_err::rename(&path, &other),
            3 => fs_err::remove_file(&path),
            4 if is_file(&path) => {
                fs_err::set_permissions(&path, PermissionsExt::from_mode([0o644, 0o755][numbers.below(2)]))
            }
            5 => fs_err::remove_file(&path).and_then(|()| symlink(names[numbers.below(3)], &path)),
            6 if is_file(&path) => fs_err::copy(&path, &other).map(|_| ()),
            7 => fs_err::create_dir(root.join(["empty", "src/dir"][numbers.below(2)])),
            8 => fs_err::remove_dir(root.join(["empty", "src/dir"][numbers.below(2)])),
            9 => fs_err::write(
                root.join(["src/dist-newstyle/x", ".git/objects/x", ".git/ORIG_HEAD"][numbers.below(3)]),
                digit,
            ),
            _ => Ok(()),
        };
    }

    /// Walks through many states. Two trees must be the same exactly when the files they describe are.
    fn walk(seed: u64, steps: usize, is_old: bool) {
        let (world, mut numbers) = (World::new(), Numbers(seed));
        let (mut before, mut meant) = (world.take(), world.meaning());
        before.read(None);
        for step in 0..steps {
            if is_old {
                // As if the tree had been taken long after the last change, so that only times count.
                world.tick();
                before.taken += 10_000_000_000;
            }
            change(&world.root, &mut numbers);
            let (mut tree, meaning) = (world.take(), world.meaning());
            let (digest, settled) = before.digest();
            if settled && tree.digest().0 == digest {
                assert_eq!(meaning, meant, "seed {seed}, step {step}: the digest tells no change");
            }
            assert_eq!(tree.is_same(&before), meaning == meant, "seed {seed}, step {step}");
            tree.read(Some(&before));
            let again = Tree::parse(&tree.text()).unwrap();
            assert_eq!(again, tree, "seed {seed}, step {step}");
            (before, meant) = (again, meaning);
        }
    }

    #[test]
    fn no_change_escapes_and_nothing_else_counts() {
        for seed in 0..20 {
            walk(seed, 60, false);
        }
    }

    #[test]
    fn no_change_escapes_where_only_times_are_looked_at() {
        for seed in 0..4 {
            walk(seed, 40, true);
        }
    }

    #[test]
    fn files_changed_just_now_are_read() {
        let world = World::new();
        let mut before = world.take();
        assert!(!before.digest().1, "a later change need not show");
        before.read(None);
        rewrite(&world.root.join("a"), "1");
        assert!(!world.take().is_same(&before));
        rewrite(&world.root.join("a"), "0");
        assert!(world.take().is_same(&before));
    }

    #[test]
    fn paths_of_any_bytes_are_kept() {
        let world = World::new();
        for name in [&b"with blank"[..], b"new\nline", b"quote\"'\\", b"\xff\xfe", "ä".as_bytes()] {
            fs_err::write(world.root.as_std_path().join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        let mut tree = world.take();
        tree.read(None);
        assert_eq!(Tree::parse(&tree.text()).unwrap(), tree);
    }

    #[test]
    fn what_git_keeps_for_itself_is_left_out_wherever_it_is() {
        let world = World::new();
        for file in [".git/modules/m/HEAD", ".git/modules/m/objects/x", ".git/refs/heads/objects", ".git/logs/HEAD"] {
            fs_err::create_dir_all(world.root.join(file).parent().unwrap()).unwrap();
            fs_err::write(world.root.join(file), "").unwrap();
        }
        let tree = world.take();
        let has = |path: &str| tree.entries.iter().any(|entry| entry.path == world.root.join(path));
        assert!(has(".git/modules/m/HEAD") && has(".git/refs/heads/objects") && has(".git/HEAD"));
        assert!(!has(".git/modules/m/objects") && !has(".git/logs") && !has(".git/objects"));
        let bare = Tree::take(&[world.root.join(".git")], &|_| false).unwrap();
        assert!(!bare.entries.iter().any(|entry| entry.path == world.root.join(".git/objects")), "mounted by itself");
    }
}
