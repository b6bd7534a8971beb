//! Sends the source to an engine on another machine, as a tar stream. It sends what has changed since the last time, or
//! everything when a volume is new or its content is not what hsx remembers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

use super::context::{Context, Ended, Failure};
use super::step::Step;
use crate::base::cmd::Cmd;
use crate::base::digest::{sha256, short_hash};
use crate::base::error::Error;
use crate::base::exit_code::ExitCode;
use crate::facts::source::Source;
use crate::project::SOURCE;
use crate::tools::git;
use crate::world::ask::tree::{Stamp, now, unescaped};
use crate::world::doors::World;
use crate::world::doors::pieces::{self, sha256_of};
use crate::world::doors::read;
use crate::world::doors::state::{SOURCES, State};
use crate::world::doors::ui::unwritten;

/// Receives the source; runs in the builder.
pub(crate) const RECEIVE: &str = include_str!("../../scripts/container/receive.sh");

#[derive(Debug)]
pub(crate) struct Send {
    pub source: Source,
    /// One of the source's volumes is new, and so empty.
    pub is_new: bool,
    pub cmd: Cmd,
}

/// The files that the container is to have: the path in the container, without its leading slash, and the path on this
/// machine.
pub(crate) struct Listing {
    files: BTreeMap<Vec<u8>, PathBuf>,
    /// The path, in the container, of the file that marks the source as complete.
    marker: String,
}

/// Lists the files that a container is to see. Of a git repository these are the files that git tracks or does not
/// ignore, and the `.git` directory; otherwise everything except build output of cabal and hsx.
///
/// # Errors
/// When a signal came.
pub(crate) fn list(source: &Source, world: &World<'_>) -> Result<Listing, Error> {
    let mut files = BTreeMap::new();
    let (dirs, single): (Vec<_>, Vec<_>) = source.mounts.iter().partition(|mount| mount.source.is_dir());
    let mut add = |path: &Path| {
        // Packages may be nested. A file belongs to the innermost mount, and to all places where that is mounted.
        let covering: Vec<_> = dirs.iter().filter(|mount| path.starts_with(&mount.source)).collect();
        let innermost = covering.iter().map(|mount| mount.source.as_str().len()).max();
        for mount in covering.into_iter().filter(|mount| Some(mount.source.as_str().len()) == innermost) {
            for path in path.ancestors().take_while(|path| *path != mount.source) {
                let below = path.strip_prefix(&mount.source).unwrap_or(path);
                let name = Path::new(mount.target.trim_start_matches('/')).join(below);
                if files.insert(name.as_os_str().as_bytes().to_vec(), path.to_owned()).is_some() {
                    break;
                }
            }
        }
    };
    for mount in &dirs {
        let mut found = Vec::new();
        if !known_to_git(&mount.source, &mut found, world)? {
            everything(mount.source.as_std_path(), &mut found);
        }
        for path in &found {
            add(path);
        }
    }
    let generated = source.packages.iter().flat_map(|dir| cabal_files(dir));
    // A link to a directory is sent as a link, without the directory's content.
    let real = |path: Utf8PathBuf| Some(path.parent()?.canonicalize_utf8().ok()?.join(path.file_name()?));
    for path in source.inputs.iter().cloned().chain(generated).filter_map(real).filter(|path| path.is_file()) {
        add(path.as_std_path());
    }
    for mount in single {
        files.insert(mount.target.trim_start_matches('/').as_bytes().to_vec(), mount.source.clone().into());
    }
    Ok(Listing { files, marker: marker(source) })
}

/// The path of the marker: where git does not list it, if there is a git repository.
fn marker(source: &Source) -> String {
    let is_repository = source.mounts.iter().any(|mount| mount.target == SOURCE && mount.source.join(".git").is_dir());
    match source.volumes.get(1) {
        _ if is_repository => format!("{SOURCE}/.git/hsx-source"),
        // The git directory of a worktree.
        Some(volume) => format!("{}/hsx-source", volume.target),
        None => format!("{SOURCE}/.hsx-source"),
    }
}

/// Collects the files that git lists in a directory and in repositories below it, and the `.git` directories
/// themselves. `false`: git cannot list the directory.
fn known_to_git(dir: &Utf8Path, found: &mut Vec<PathBuf>, world: &World<'_>) -> Result<bool, Error> {
    if world.environment.find("git").is_none() {
        return Ok(false);
    }
    let answer = world.exec.capture(&git::list(dir))?;
    if !answer.success() {
        return Ok(false);
    }
    // An index may name anything: also files outside of the directory, or behind a link that leads there.
    let top = dir.canonicalize_utf8().unwrap_or_else(|_| dir.to_owned());
    let mut parents: BTreeMap<PathBuf, bool> = BTreeMap::new();
    for name in answer.stdout.lines().map(unquoted) {
        let name = name.strip_suffix(b"/").unwrap_or(&name);
        let text = String::from_utf8_lossy(name);
        let path = dir.as_std_path().join(OsStr::from_bytes(name));
        let Some(parent) = path.parent().filter(|_| !is_hsx(&text) && leads_down(name)) else { continue };
        let is_inside = || fs_err::canonicalize(parent).is_ok_and(|parent| parent.starts_with(&top));
        if !*parents.entry(parent.to_owned()).or_insert_with(is_inside) {
            continue;
        }
        match fs_err::symlink_metadata(&path) {
            // A submodule, or a repository that was not added to this one.
            Ok(meta) if meta.is_dir() => {
                let Some(path) = Utf8Path::from_path(&path).filter(|path| path.join(".git").exists()) else { continue };
                if !known_to_git(path, found, world)? {
                    everything(path.as_std_path(), found);
                }
            }
            Ok(_) => found.push(path),
            // git tracks the file, but it is deleted.
            Err(_) => {}
        }
    }
    everything(dir.join(".git").as_std_path(), found);
    Ok(true)
}

/// Whether a name leads downwards only.
fn leads_down(name: &[u8]) -> bool {
    Path::new(OsStr::from_bytes(name)).components().all(|part| matches!(part, Component::Normal(_)))
}

/// The bytes of a name that git printed: verbatim, or quoted with C's escapes.
fn unquoted(name: &str) -> Vec<u8> {
    let Some(quoted) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return name.into() };
    let mut bytes = quoted.bytes().peekable();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        let Some(escaped) = bytes.next() else { break };
        plain.push(match escaped {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            b'0'..=b'7' => {
                let mut value = escaped - b'0';
                for _ in 0..2 {
                    if let Some(digit) = bytes.next_if(|byte| (b'0'..=b'7').contains(byte)) {
                        value = value.wrapping_mul(8).wrapping_add(digit - b'0');
                    }
                }
                value
            }
            other => other,
        });
    }
    plain
}

/// Whether a path is a stage of hsx, or lies in one.
fn is_hsx(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with(".hsx-"))
}

fn everything(dir: &Path, found: &mut Vec<PathBuf>) {
    let is_source = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let is_output = entry.file_type().is_dir()
            && (["dist-newstyle", "dist-static", ".stack-work"].contains(&name.as_ref()) || hides_itself(entry.path()));
        // git's lock files belong to processes of this machine.
        entry.depth() == 0 || !(is_output || is_hsx(&name) || (in_git(entry.path()) && name.ends_with(".lock")))
    };
    let entries = WalkDir::new(dir).into_iter().filter_entry(is_source).filter_map(Result::ok);
    let kept = entries.filter(|entry| {
        let kind = entry.file_type();
        kind.is_file() || kind.is_symlink() || kind.is_dir()
    });
    found.extend(kept.map(DirEntry::into_path));
}

fn in_git(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".git")
}

/// Whether a directory's own `.gitignore` excludes all of it, like the one that hsx writes into its output directory.
fn hides_itself(dir: &Path) -> bool {
    read::text(dir.join(".gitignore")).is_ok_and(|text| text.trim_ascii() == "*")
}

fn cabal_files(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = WalkDir::new(dir).min_depth(1).max_depth(1).into_iter().filter_map(Result::ok);
    let paths = entries.filter_map(|entry| Utf8PathBuf::from_path_buf(entry.into_path()).ok());
    paths.filter(|path| path.extension() == Some("cabal")).collect()
}

/// What was sent, and the content of the marker file that says so.
#[derive(Debug, Deserialize, Serialize)]
struct Manifest {
    marker: String,
    /// When the files were looked at, in nanoseconds since 1970.
    taken: i128,
    /// Sent files by their path in the container, with its bytes escaped.
    files: BTreeMap<String, Sent>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Sent {
    stamp: Stamp,
    /// The modification time of the file in the container, in seconds since 1970, the unit of a tar archive.
    time: i64,
    content: String,
}

/// The changes since the source was last sent.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    changed: Vec<String>,
    gone: Vec<String>,
}

impl Manifest {
    /// Takes the state of the files. It reads a file only when the state alone does not show whether the file has
    /// changed.
    fn take(listing: &Listing, before: Option<&Self>) -> Self {
        let taken = now();
        let files = listing.files.iter().filter_map(|(name, path)| {
            let stamp = Stamp::of(&fs_err::symlink_metadata(path).ok()?);
            let key = name.escape_ascii().to_string();
            let old = before.and_then(|before| Some((before, before.files.get(&key)?)));
            let unchanged = old.filter(|(before, old)| old.stamp == stamp && stamp.is_settled(before.taken));
            let content = match unchanged {
                Some((_, old)) => old.content.clone(),
                None => content(path, stamp),
            };
            let mut sent = Sent { stamp, time: stamp.seconds(), content };
            if let Some((_, old)) = old {
                if sent.is_same(old) {
                    sent.time = old.time;
                } else if sent.time == old.time {
                    // Two changes within one second: cabal looks at a file again only when its time has changed.
                    sent.time += 1;
                }
            }
            Some((key, sent))
        });
        let files: BTreeMap<_, _> = files.collect();
        let seed = format!("{taken} {} {}", std::process::id(), files.len());
        Self { marker: short_hash(&[&seed]), taken, files }
    }

    /// The changes that turn what was sent before into this.
    fn since(&self, before: Option<&Self>) -> Difference {
        let Some(before) = before else {
            return Difference { changed: self.files.keys().cloned().collect(), gone: Vec::new() };
        };
        let is_same = |name: &String, sent: &Sent| before.files.get(name).is_some_and(|old| sent.is_same(old));
        let is_there =
            |name: &String, old: &Sent| self.files.get(name).is_some_and(|sent| sent.stamp.kind() == old.stamp.kind());
        let changed = self.files.iter().filter(|(name, sent)| !is_same(name, sent)).map(|(name, _)| name.clone());
        let gone = before.files.iter().filter(|(name, old)| !is_there(name, old)).map(|(name, _)| name.clone());
        Difference { changed: changed.collect(), gone: gone.collect() }
    }
}

impl Sent {
    /// Whether the file is the one that was sent before.
    fn is_same(&self, old: &Self) -> bool {
        self.stamp.mode() == old.stamp.mode() && (self.stamp.is_dir() || self.content == old.content)
    }
}

/// The digest of a file's content or of a link's target; empty when that cannot be read.
fn content(path: &Path, stamp: Stamp) -> String {
    let digest = match () {
        () if stamp.is_dir() => None,
        () if stamp.is_file() => sha256_of(path).ok(),
        () => fs_err::read_link(path).ok().map(|to| sha256(to.as_os_str().as_bytes())),
    };
    digest.unwrap_or_default()
}

impl Step for Send {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        let note = "# hsx sends only what has changed since the last time, this sends all of it";
        format!("{note}\n{} | {}", self.source.cmd(), self.cmd)
    }

    /// Does nothing when the source was already sent for another platform of this run.
    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<(), Failure> {
        let Self { source, is_new, cmd } = self;
        let world = context.world;
        let turn = world.turn(source.name());
        let mut is_sent = turn.lock().expect("no holder panics");
        if *is_sent {
            return Ok(());
        }
        let lock = world.state.lock_file(source.name())?;
        world.wait_for(|| lock.try_lock().is_ok())?;
        State::mark_used(&lock);
        let before = if *is_new { None } else { recall(source, world) };
        // Nothing counts as sent until everything has arrived.
        world.state.forget(&SOURCES, source.name());
        let listing = list(source, world)?;
        let (mut ended, mut manifest) = self.send_since(before.as_ref(), &listing, context)?;
        if ExitCode::SourceUnknown.is(ended.status.code()) && before.is_some() {
            context.note("the volume does not hold what was sent last: all is sent");
            (ended, manifest) = self.send_since(None, &listing, context)?;
        }
        if !ended.status.success() {
            let failed = context.failed(cmd, ended.status, &ended.said);
            return Err(failed.of_engine("the source cannot be sent to the engine").into());
        }
        if let Ok(text) = serde_json::to_string(&manifest) {
            world.state.remember(&SOURCES, source.name(), &text);
        }
        *is_sent = true;
        Ok(())
    }
}

impl Send {
    fn send_since(
        &self,
        before: Option<&Manifest>,
        listing: &Listing,
        context: &mut Context<'_>,
    ) -> Result<(Ended, Manifest), Error> {
        let manifest = Manifest::take(listing, before);
        let mut before = before;
        let mut difference = manifest.since(before);
        if difference.gone.iter().any(|name| name.contains("\\n")) {
            // The list of removed files has one name per line, and this name contains a line break: everything is sent
            // instead.
            (before, difference) = (None, manifest.since(None));
        }
        let Difference { changed, gone } = &difference;
        context.say(
            "Sending",
            &match (before, changed.len(), gone.len()) {
                (None, files, _) => format!("the source, {files} files"),
                (Some(_), 0, 0) => "nothing: the source is there".to_owned(),
                (Some(_), files, gone) => format!("what has changed, {} files", files + gone),
            },
        );
        let known = before.map(|before| before.marker.as_str());
        let ended = context.fed(&self.cmd, &|to| write(to, known, listing, &manifest, &difference))?;
        Ok((ended, manifest))
    }
}

fn recall(source: &Source, world: &World<'_>) -> Option<Manifest> {
    serde_json::from_str(&world.state.recall(&SOURCES, source.name())?).ok()
}

/// Writes the whole source to standard output, as an engine without any of it would receive it.
///
/// # Errors
/// When it cannot be read, or not be written.
pub(crate) fn print(source: &Source, world: &World<'_>) -> Result<(), Error> {
    let listing = list(source, world)?;
    let manifest = Manifest::take(&listing, None);
    let mut to = Output { to: io::stdout().lock(), has_failed: false };
    match write(&mut to, None, &listing, &manifest, &manifest.since(None)) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) if to.has_failed => Err(unwritten(&error)),
        written => written.map_err(|error| Error::usage("the source cannot be read").said(&error.to_string())),
    }
}

/// Standard output, and whether it was at fault when the source could not be copied there.
struct Output<W> {
    to: W,
    has_failed: bool,
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes);
        self.has_failed |= written.is_err();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.to.flush();
        self.has_failed |= flushed.is_err();
        flushed
    }
}

/// The files of a source by their paths in the container, one per line.
///
/// # Errors
/// As [`list`].
pub(crate) fn names(source: &Source, world: &World<'_>) -> Result<String, Error> {
    let listing = list(source, world)?;
    let files = listing.files.iter().filter(|(_, path)| !path.is_dir() || path.is_symlink());
    let names = files.map(|(name, _)| String::from_utf8_lossy(name));
    Ok(names.flat_map(|name| ["/".to_owned(), name.into_owned(), "\n".to_owned()]).collect())
}

/// Writes the input of `receive.sh`.
fn write(
    to: &mut dyn Write,
    known: Option<&str>,
    listing: &Listing,
    manifest: &Manifest,
    difference: &Difference,
) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(64 << 10, to);
    writeln!(to, "{}\n{}", listing.marker, known.unwrap_or_default())?;
    for name in &difference.gone {
        to.write_all(b"/")?;
        to.write_all(&unescaped(name).unwrap_or_default())?;
        to.write_all(b"\n")?;
    }
    writeln!(to)?;
    let mut archive = tar::Builder::new(to);
    for name in &difference.changed {
        let (Some(bytes), Some(sent)) = (unescaped(name), manifest.files.get(name)) else { continue };
        if let Some(path) = listing.files.get(&bytes) {
            append(&mut archive, Path::new(OsStr::from_bytes(&bytes)), path, sent)?;
        }
    }
    let mut header =
        header(tar::EntryType::Regular, 0o644, manifest.taken.div_euclid(1_000_000_000).try_into().unwrap_or(0));
    header.set_size(manifest.marker.len() as u64);
    archive.append_data(&mut header, listing.marker.trim_start_matches('/'), manifest.marker.as_bytes())?;
    archive.into_inner()?.flush()
}

/// A tar header that names root as the owner: owners on this machine mean nothing in the container.
fn header(kind: tar::EntryType, mode: u32, time: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode & 0o7777);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_size(0);
    header
}

fn append(archive: &mut tar::Builder<impl Write>, name: &Path, path: &Path, sent: &Sent) -> io::Result<()> {
    let stamp = sent.stamp;
    let time = u64::try_from(sent.time).unwrap_or(0);
    if stamp.is_dir() {
        return archive.append_data(&mut header(tar::EntryType::Directory, stamp.mode(), time), name, io::empty());
    }
    if !stamp.is_file() {
        // The file was deleted after it was listed. The next run notices that.
        let Ok(to) = fs_err::read_link(path) else { return Ok(()) };
        return archive.append_link(&mut header(tar::EntryType::Symlink, 0o777, time), name, to);
    }
    let file = match pieces::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let size = file.metadata()?.len();
    let mut header = header(tar::EntryType::Regular, stamp.mode(), time);
    header.set_size(size);
    // A file that has shrunk meanwhile is padded to the size in its header.
    archive.append_data(&mut header, name, file.chain(io::repeat(0)).take(size))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A directory that is sent to `/src`.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new(files: &[&str]) -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            for file in files {
                place.write(file, "0", 1000);
            }
            place
        }

        /// Writes a file whose modification time is `time` seconds after 1970.
        fn write(&self, name: &str, text: &str, time: u64) {
            let path = self.0.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, text).unwrap();
            let file = fs_err::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(time)).unwrap();
        }

        fn listing(&self) -> Listing {
            let mut found = Vec::new();
            everything(self.0.path(), &mut found);
            let below = found.into_iter().filter(|path| path != self.0.path());
            let named = below.map(|path| {
                let name = Path::new("src").join(path.strip_prefix(self.0.path()).unwrap());
                (name.as_os_str().as_bytes().to_vec(), path)
            });
            Listing { files: named.collect(), marker: "/src/.hsx-source".to_owned() }
        }

        fn take(&self, before: Option<&Manifest>) -> Manifest {
            Manifest::take(&self.listing(), before)
        }
    }

    /// A manifest as it comes back from the state directory.
    fn remembered(manifest: &Manifest) -> Manifest {
        serde_json::from_str(&serde_json::to_string(manifest).unwrap()).unwrap()
    }

    #[test]
    fn what_changed_is_sent_and_what_went_is_named() {
        let place = Place::new(&["a", "dir/b", "dir/c", "old/d", "turns"]);
        let before = remembered(&place.take(None));
        assert_eq!(before.since(None).changed.len(), 7);
        let same = place.take(Some(&before));
        assert_eq!(same.since(Some(&before)), Difference::default());

        place.write("dir/b", "another", 2000);
        fs_err::remove_dir_all(place.0.path().join("old")).unwrap();
        fs_err::remove_file(place.0.path().join("turns")).unwrap();
        symlink("a", place.0.path().join("turns")).unwrap();
        fs_err::set_permissions(place.0.path().join("a"), PermissionsExt::from_mode(0o755)).unwrap();
        let after = place.take(Some(&before));
        let difference = after.since(Some(&before));
        assert_eq!(difference.changed, ["src/a", "src/dir/b", "src/turns"]);
        assert_eq!(difference.gone, ["src/old", "src/old/d", "src/turns"]);
    }

    #[test]
    fn a_change_that_does_not_show_in_the_times_is_found_and_shows_there() {
        let place = Place::new(&["a"]);
        let before = remembered(&place.take(None));
        place.write("a", "1", 1000);
        let after = place.take(Some(&before));
        assert_eq!(after.since(Some(&before)).changed, ["src/a"]);
        assert_eq!((before.files["src/a"].time, after.files["src/a"].time), (1000, 1001));
        // The adjusted time stays the same.
        let again = place.take(Some(&remembered(&after)));
        assert_eq!((again.since(Some(&after)), again.files["src/a"].time), (Difference::default(), 1001));
    }

    #[test]
    fn what_is_built_is_no_source() {
        let place = Place::new(&["a", "dist-newstyle/x", "dist-static/x", ".hsx-stage/x", ".git/index.lock", "out/x"]);
        place.write("out/.gitignore", "*\n", 1000);
        let names: Vec<_> = place.listing().files.into_keys().map(|name| String::from_utf8(name).unwrap()).collect();
        assert_eq!(names, ["src/.git", "src/a"]);
    }

    #[test]
    fn an_archive_holds_what_there_is() {
        let place = Place::new(&["a", "dir/b"]);
        let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
        place.write(&long, "far down", 1000);
        symlink("dir/b", place.0.path().join("link")).unwrap();
        let (listing, manifest) = (place.listing(), place.take(None));
        let mut stream = Vec::new();
        write(&mut stream, None, &listing, &manifest, &manifest.since(None)).unwrap();
        let archive = stream.strip_prefix(b"/src/.hsx-source\n\n\n").expect("the head comes first");
        let mut archive = tar::Archive::new(archive);
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let (path, link) = (entry.path().unwrap().into_owned(), entry.link_name().unwrap().map(PathBuf::from));
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (0, 0));
            found.push((path.to_str().unwrap().to_owned(), text, link));
        }
        let named = |name: &str| found.iter().find(|(path, ..)| path == name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(named("src/dir/b").1, "0");
        assert_eq!(named(&format!("src/{long}")).1, "far down");
        assert_eq!(named("src/link").2, Some(PathBuf::from("dir/b")));
        assert_eq!(
            found.last().map(|(path, text, _)| (path.as_str(), text)),
            Some(("src/.hsx-source", &manifest.marker))
        );
    }
}
