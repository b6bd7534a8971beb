//! Writes below a directory of which a project may decide what is in it: results, the freeze file, `hsx.lock`, a
//! `.cabal` file, the stage. The user's part of the path is opened as it is; from there on everything is done relative
//! to opened directories, and no link is followed. So what a project put there, or puts there meanwhile, cannot lead
//! hsx elsewhere.
//!
//! Linux resolves a path so in one call (openat2(2)). Where a kernel does not, or a sandbox forbids it, hsx opens one
//! component after the other, which is as safe.

use std::ffi::CStr;
use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::base::place::Place;

/// Who may use a directory that hsx makes: the umask decides.
const ANYBODY: u32 = 0o777;

/// An opened directory. What is done below it follows no link.
#[derive(Debug)]
pub(crate) struct Root {
    dir: OwnedFd,
    /// Where it was when it was opened, for messages.
    path: Utf8PathBuf,
    resolution: Resolution,
}

/// How a path of several components is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// By the kernel, in one call; one after the other where it cannot.
    Kernel,
    /// One component after the other. Only tests ask for it.
    Components,
}

/// The cause of an error: a link where hsx follows none.
#[derive(Debug)]
struct IsLink(Utf8PathBuf);

impl Display for IsLink {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is a link", self.0)
    }
}

impl std::error::Error for IsLink {}

/// The link that an operation failed for. `None`: it failed for another reason.
pub(crate) fn link_in(error: &io::Error) -> Option<&Utf8Path> {
    error.get_ref()?.downcast_ref::<IsLink>().map(|IsLink(path)| path.as_path())
}

impl Root {
    /// Opens a place.
    ///
    /// # Errors
    /// When there is no such directory, or a link below the user's part of the path.
    pub(crate) fn open(place: &Place) -> io::Result<Self> {
        Self::of_user(place.root())?.dir(place.below())
    }

    /// Opens a place, and makes the directories that are missing.
    ///
    /// # Errors
    /// When one cannot be made, or there is a link below the user's part of the path.
    pub(crate) fn make(place: &Place) -> io::Result<Self> {
        fs_err::create_dir_all(place.root())?;
        Self::of_user(place.root())?.make_dir(place.below(), ANYBODY)
    }

    /// Opens a directory that the user chose.
    fn of_user(path: &Utf8Path) -> io::Result<Self> {
        let dir = rustix::fs::open(path.as_std_path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Ok(Self {
            dir: dir.map_err(|error| named(path, error))?,
            path: path.to_owned(),
            resolution: Resolution::Kernel,
        })
    }

    /// Opens a directory below this one.
    ///
    /// # Errors
    /// When it does not exist, or there is a link on the way to it.
    pub(crate) fn dir(&self, below: impl AsRef<Utf8Path>) -> io::Result<Self> {
        let below = below.as_ref();
        // What the kernel refuses is refused once more below, by its name.
        if let Some(dir) = self.by_kernel(below) {
            return Ok(self.opened(dir, below));
        }
        self.by_components(below, |dir, name| directory(dir, name))
    }

    /// Opens a directory below this one, and makes those that are missing on the way, with these permissions.
    ///
    /// # Errors
    /// When one cannot be made, or there is a link on the way.
    pub(crate) fn make_dir(&self, below: impl AsRef<Utf8Path>, mode: u32) -> io::Result<Self> {
        self.by_components(below.as_ref(), |dir, name| match directory(dir, name) {
            Err(Errno::NOENT) => match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(mode as _)) {
                // Another hsx may have made it meanwhile.
                Ok(()) | Err(Errno::EXIST) => directory(dir, name),
                Err(error) => Err(error),
            },
            opened => opened,
        })
    }

    fn opened(&self, dir: OwnedFd, below: &Utf8Path) -> Self {
        let path = if below.as_str().is_empty() { self.path.clone() } else { self.path.join(below) };
        Self { dir, path, resolution: self.resolution }
    }

    #[cfg(target_os = "linux")]
    fn by_kernel(&self, below: &Utf8Path) -> Option<OwnedFd> {
        use rustix::fs::{ResolveFlags, openat2};
        if self.resolution == Resolution::Components || !is_plain(below) || below.as_str().is_empty() {
            return None;
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        openat2(&self.dir, below.as_std_path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve).ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn by_kernel(&self, _: &Utf8Path) -> Option<OwnedFd> {
        None
    }

    fn by_components(
        &self,
        below: &Utf8Path,
        open: impl Fn(&OwnedFd, &str) -> Result<OwnedFd, Errno>,
    ) -> io::Result<Self> {
        if !is_plain(below) {
            return Err(named(&self.path.join(below), Errno::INVAL));
        }
        let mut reached = self.opened(self.dir.try_clone()?, Utf8Path::new(""));
        for part in below.components().map(|part| part.as_str()).filter(|part| *part != ".") {
            let dir = open(&reached.dir, part).map_err(|error| reached.fault(part, error))?;
            reached = reached.opened(dir, Utf8Path::new(part));
        }
        Ok(reached)
    }

    /// The error for a name in this directory.
    fn fault(&self, name: &str, error: Errno) -> io::Error {
        // For a link, systems say that it is no directory, or that there are too many links.
        let may_be_link = matches!(error, Errno::LOOP | Errno::NOTDIR);
        if may_be_link && matches!(self.kind_of(name), Ok(Some(FileType::Symlink))) {
            return io::Error::other(IsLink(self.path.join(name)));
        }
        named(&self.path.join(name), error)
    }

    /// What has a name here. `None`: nothing.
    fn kind_of(&self, name: &str) -> io::Result<Option<FileType>> {
        match self.stat(name) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode as _))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(named(&self.path.join(name), error)),
        }
    }

    fn stat(&self, name: &str) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.dir, single(name)?, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Creates a file, which nothing may have the name of.
    ///
    /// # Errors
    /// When the name is taken, or the directory is not writable.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // The umask decides who may read it, as for any other file.
        let mode = Mode::from_raw_mode(0o666);
        let open = |name| rustix::fs::openat(&self.dir, name, flags, mode);
        single(name).and_then(open).map(File::from).map_err(|error| self.fault(name, error))
    }

    /// Makes a directory, which nothing may have the name of.
    ///
    /// # Errors
    /// When the name is taken, or the directory around it is not writable.
    pub(crate) fn new_dir(&self, name: &str) -> io::Result<()> {
        let make = |name| rustix::fs::mkdirat(&self.dir, name, Mode::from_raw_mode(ANYBODY as _));
        single(name).and_then(make).map_err(|error| self.fault(name, error))
    }

    /// Opens a regular file for reading, without ever blocking.
    ///
    /// # Errors
    /// When there is none, or something else has its name.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        // Without `NONBLOCK`, the call would wait until somebody opens a FIFO for writing.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = |name| rustix::fs::openat(&self.dir, name, flags, Mode::empty());
        let file = single(name).and_then(open).map(File::from).map_err(|error| self.fault(name, error))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other(format!("`{}` is no regular file", self.path.join(name))));
        }
        Ok(file)
    }

    /// Whether something has a name here, be it a link that leads nowhere.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.stat(name).is_ok()
    }

    /// The names of what is here that are Unicode, in their order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let entries = entries(&self.dir).map_err(|error| named(&self.path, error))?;
        let mut names: Vec<_> = entries.iter().filter_map(|name| name.to_str().ok()).map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Removes a file, or a link itself.
    ///
    /// # Errors
    /// When there is none, it is a directory, or the directory around it is not writable.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        let remove = |name| rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
        single(name).and_then(remove).map_err(|error| named(&self.path.join(name), error))
    }

    /// Removes whatever has a name, with everything that is in it. Nothing there is no error.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub(crate) fn remove_all(&self, name: &str) -> io::Result<()> {
        let remove = |name| remove_all(&self.dir, name);
        single(name).and_then(remove).map_err(|error| named(&self.path.join(name), error))
    }

    /// Fails unless files can be made in this directory.
    ///
    /// # Errors
    /// When they cannot.
    pub(crate) fn probe(&self) -> io::Result<()> {
        self.unfinished().map(drop)
    }

    /// A file under a name that nobody can guess, until it is finished.
    ///
    /// # Errors
    /// When the directory is not writable.
    pub(crate) fn unfinished(&self) -> io::Result<Unfinished<'_>> {
        loop {
            let name = format!(".hsx-{:016x}", random());
            match self.create(&name) {
                Ok(file) => return Ok(Unfinished { root: self, name, file, is_finished: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Fails when a name is a link's. It would be replaced, not followed; but somebody may have put it there for a reason.
    ///
    /// # Errors
    /// When it is, or the directory cannot be read.
    pub(crate) fn is_no_link(&self, name: &str) -> io::Result<()> {
        match self.kind_of(name)? {
            Some(FileType::Symlink) => Err(io::Error::other(IsLink(self.path.join(name)))),
            _ => Ok(()),
        }
    }

    /// Writes a file completely or not at all. It replaces an existing one only when `force` is set.
    ///
    /// # Errors
    /// When the name is taken and `force` is not set, when it is a link's, or the directory is not writable.
    pub(crate) fn replace(&self, name: &str, text: &str, force: bool) -> io::Result<()> {
        self.is_no_link(name)?;
        let mut unfinished = self.unfinished()?;
        unfinished.file.write_all(text.as_bytes())?;
        unfinished.finish(name, force)
    }

    /// Locks the directory until it is dropped: so others see that hsx works in it. `false`: somebody else has locked
    /// it, or the file system knows no locks.
    pub(crate) fn try_lock(&self) -> bool {
        rustix::fs::flock(&self.dir, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Whether this opened directory still has a name in another.
    pub(crate) fn is(&self, name: &str, around: &Self) -> bool {
        let same = |one: Stat, other: Stat| one.st_dev == other.st_dev && one.st_ino == other.st_ino;
        rustix::fs::fstat(&self.dir).is_ok_and(|own| around.stat(name).is_ok_and(|there| same(own, there)))
    }
}

/// A file that has no name of its own yet. It is removed unless it gets one.
#[derive(Debug)]
pub(crate) struct Unfinished<'a> {
    root: &'a Root,
    name: String,
    pub file: File,
    is_finished: bool,
}

impl Unfinished<'_> {
    /// Gives the file its name. It takes that of another only when `force` is set.
    ///
    /// # Errors
    /// When the name is taken.
    pub(crate) fn finish(mut self, name: &str, force: bool) -> io::Result<()> {
        let Self { root: Root { dir, .. }, name: own, .. } = &self;
        let done = single(name).and_then(|name| {
            if force { rustix::fs::renameat(dir, own, dir, name) } else { rename_to_new(dir, own, dir, name) }
        });
        done.map_err(|error| named(&self.root.path.join(name), error))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = self.root.remove_file(&self.name);
        }
    }
}

/// Something that is to be moved: a file or a directory, to the place of another of its kind or of nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move<'a> {
    pub from: (&'a Root, &'a str),
    pub to: (&'a Root, &'a str),
}

/// Moves all of these, or none: when one cannot be moved, what was in the places of those before it is put back. What was
/// replaced ends up where the new came from. Nobody finds a name without a file that had one.
///
/// # Errors
/// When one cannot be moved: a directory is where a file is to be, say.
pub(crate) fn move_all(moves: &[Move<'_>]) -> io::Result<()> {
    moves.iter().try_for_each(Move::check)?;
    let mut done = Vec::new();
    for one in moves {
        match one.go() {
            Ok(way) => done.push((one, way)),
            Err(error) => {
                for (earlier, way) in done.into_iter().rev() {
                    let _ = earlier.back(way);
                }
                let (to, name) = one.to;
                return Err(named(&to.path.join(name), error));
            }
        }
    }
    Ok(())
}

/// How something was moved, for moving it back.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// There was nothing in its place.
    IntoNothing,
    /// The two have changed places.
    Exchanged,
    /// What was in its place is kept beside where it came from.
    Kept,
}

impl Move<'_> {
    /// Fails when what is in the place must not be replaced.
    fn check(&self) -> io::Result<()> {
        let ((from, source), (to, name)) = (self.from, self.to);
        let is_dir = |kind| kind == Some(FileType::Directory);
        let moved_is_dir = is_dir(from.kind_of(source)?);
        match to.kind_of(name)? {
            there if is_dir(there) && !moved_is_dir => Err(named(&to.path.join(name), Errno::ISDIR)),
            Some(FileType::Symlink) if moved_is_dir => Err(io::Error::other(IsLink(to.path.join(name)))),
            there if there.is_some() && !is_dir(there) && moved_is_dir => {
                Err(named(&to.path.join(name), Errno::NOTDIR))
            }
            _ => Ok(()),
        }
    }

    fn go(&self) -> Result<Way, Errno> {
        let (from, source, to, name) = self.ends()?;
        match rename_to_new(from, source, to, name) {
            Ok(()) => return Ok(Way::IntoNothing),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        let kept = kept(source);
        remove_all(from, kept.as_str())?;
        // A second name leaves the old file where it is until the new one takes its place. Directories get none.
        if rustix::fs::linkat(to, name, from, &kept, AtFlags::empty()).is_ok() {
            return self.go_over(&kept);
        }
        match rustix::fs::renameat_with(from, source, to, name, RenameFlags::EXCHANGE) {
            // Some file systems cannot, such as those in a network.
            Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => {}
            exchanged => return exchanged.map(|()| Way::Exchanged),
        }
        rustix::fs::renameat(to, name, from, &kept)?;
        self.go_over(&kept)
    }

    /// Moves to the place of what is kept under a name.
    fn go_over(&self, kept: &str) -> Result<Way, Errno> {
        let (from, source, to, name) = self.ends()?;
        let moved = rustix::fs::renameat(from, source, to, name);
        if moved.is_err() {
            let _ = rustix::fs::renameat(from, kept, to, name);
        }
        moved.map(|()| Way::Kept)
    }

    fn back(&self, way: Way) -> Result<(), Errno> {
        let (from, source, to, name) = self.ends()?;
        match way {
            Way::IntoNothing => rustix::fs::renameat(to, name, from, source),
            Way::Exchanged => rustix::fs::renameat_with(from, source, to, name, RenameFlags::EXCHANGE),
            Way::Kept => {
                // A directory is not renamed over another. Over a file, nobody finds the name without one.
                let is_dir = rustix::fs::statat(from, kept(source), AtFlags::SYMLINK_NOFOLLOW)
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode as _) == FileType::Directory);
                if is_dir {
                    rustix::fs::renameat(to, name, from, source)?;
                }
                rustix::fs::renameat(from, kept(source), to, name)
            }
        }
    }

    fn ends(&self) -> Result<(&OwnedFd, &str, &OwnedFd, &str), Errno> {
        let ((from, source), (to, name)) = (self.from, self.to);
        Ok((&from.dir, single(source)?, &to.dir, single(name)?))
    }
}

/// The name under which what was replaced is kept.
fn kept(source: &str) -> String {
    format!(".hsx-old-{source}")
}

/// Renames only where nothing has the new name.
fn rename_to_new(from: &OwnedFd, source: &str, to: &OwnedFd, name: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(from, source, to, name, RenameFlags::NOREPLACE) {
        Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => {}
        done => return done,
    }
    // A second name fails where there is one. Directories cannot have a second.
    match rustix::fs::linkat(from, source, to, name, AtFlags::empty()) {
        Ok(()) => rustix::fs::unlinkat(from, source, AtFlags::empty()),
        Err(Errno::EXIST) => Err(Errno::EXIST),
        Err(_) if rustix::fs::statat(to, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() => Err(Errno::EXIST),
        Err(_) => rustix::fs::renameat(from, source, to, name),
    }
}

/// Opens a directory by its name in another; a link is none.
fn directory(dir: &OwnedFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// Removes what has a name in a directory, with everything that is in it. A link is removed itself.
fn remove_all(dir: &OwnedFd, name: impl rustix::path::Arg + Copy) -> Result<(), Errno> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // For a directory, systems say the one or the other.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    let inner = directory(dir, name)?;
    for entry in entries(&inner)? {
        let entry: &CStr = &entry;
        remove_all(&inner, entry)?;
    }
    match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        done => done,
    }
}

/// The names of what is in a directory.
fn entries(dir: impl AsFd) -> Result<Vec<std::ffi::CString>, Errno> {
    let names = Dir::read_from(dir)?.map(|entry| entry.map(|entry| entry.file_name().to_owned()));
    let is_other = |name: &Result<std::ffi::CString, Errno>| {
        !name.as_ref().is_ok_and(|name| matches!(name.to_bytes(), b"." | b".."))
    };
    names.filter(is_other).collect()
}

/// A name, if it is one: a path would lead elsewhere.
fn single(name: &str) -> Result<&str, Errno> {
    let mut parts = Utf8Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Utf8Component::Normal(part)), None) if part == name => Ok(name),
        _ => Err(Errno::INVAL),
    }
}

/// Whether a path leads downwards only.
fn is_plain(below: &Utf8Path) -> bool {
    below.components().all(|part| matches!(part, Utf8Component::Normal(_) | Utf8Component::CurDir))
}

fn named(path: &Utf8Path, error: Errno) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("`{path}`: {error}"))
}

/// A number that nobody can guess: the standard library seeds its hashers with random keys.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use rustix::fs::{CWD, mknodat};

    use super::*;

    /// A project's directory, opened, beside a directory `victim` with a file of the user's.
    struct Case {
        _guard: tempfile::TempDir,
        top: Utf8PathBuf,
        root: Root,
    }

    /// One case for each way to open a path.
    fn cases() -> Vec<Case> {
        [Resolution::Kernel, Resolution::Components].map(case).into()
    }

    fn case(resolution: Resolution) -> Case {
        let guard = tempfile::tempdir().unwrap();
        let top = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        for dir in ["victim", "project/real/inner"] {
            fs_err::create_dir_all(top.join(dir)).unwrap();
        }
        fs_err::write(top.join("victim/file"), "precious").unwrap();
        let root = Root { resolution, ..Root::of_user(&top.join("project")).unwrap() };
        Case { _guard: guard, top, root }
    }

    impl Case {
        fn path(&self, name: &str) -> Utf8PathBuf {
            self.top.join("project").join(name)
        }

        fn read(&self, name: &str) -> String {
            fs_err::read_to_string(self.path(name)).unwrap()
        }

        /// The user's directory is as it was.
        fn is_safe(&self) {
            let victim = self.top.join("victim");
            assert_eq!(fs_err::read_to_string(victim.join("file")).unwrap(), "precious");
            assert_eq!(fs_err::read_dir(victim).unwrap().count(), 1);
        }
    }

    fn link_of<T: fmt::Debug>(result: io::Result<T>) -> Utf8PathBuf {
        let error = result.unwrap_err();
        link_in(&error).unwrap_or_else(|| panic!("{error}")).to_owned()
    }

    #[test]
    fn a_link_on_the_way_is_named_and_not_followed() {
        for case in cases() {
            for (link, to) in
                [("link", "../victim"), ("real/link", "../../victim"), ("inside", "real"), ("dangling", "no")]
            {
                symlink(to, case.path(link)).unwrap();
            }
            for (below, link) in [
                ("link", "link"),
                ("link/new", "link"),
                ("real/link", "real/link"),
                ("real/link/new/deep", "real/link"),
                ("inside/inner", "inside"),
                ("dangling", "dangling"),
            ] {
                assert_eq!(link_of(case.root.dir(below)), case.path(link), "{below}");
                assert_eq!(link_of(case.root.make_dir(below, ANYBODY)), case.path(link), "{below}");
            }
            assert!(!case.path("no").exists());
            case.is_safe();
        }
    }

    #[test]
    fn a_path_leads_downwards() {
        for case in cases() {
            for below in ["..", "../victim", "real/../../victim", "/", case.top.join("victim").as_str()] {
                case.root.dir(below).unwrap_err();
                case.root.make_dir(below, ANYBODY).unwrap_err();
            }
            for name in ["", ".", "..", "a/b", "../victim/file", "a/", "/a", "./a"] {
                case.root.create(name).unwrap_err();
                case.root.file(name).unwrap_err();
                case.root.remove_file(name).unwrap_err();
                case.root.remove_all(name).unwrap_err();
                case.root.replace(name, "", true).unwrap_err();
                assert!(!case.root.has(name), "{name}");
            }
            case.is_safe();
        }
    }

    #[test]
    fn directories_are_opened_and_made() {
        for case in cases() {
            assert_eq!(case.root.dir("real/inner").unwrap().path, case.path("real/inner"));
            assert_eq!(case.root.dir("./real").unwrap().names().unwrap(), ["inner"]);
            assert_eq!(case.root.dir("").unwrap().names().unwrap(), ["real"]);
            let error = case.root.dir("real/none").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert!(error.to_string().starts_with(&format!("`{}`: ", case.path("real/none"))), "{error}");
            case.root.make_dir("real/new/closed", 0o700).unwrap();
            assert_eq!(fs_err::metadata(case.path("real/new/closed")).unwrap().mode() & 0o777, 0o700);
            case.root.make_dir("real/new", 0o700).unwrap().replace("file", "", false).unwrap();
            assert_eq!(case.root.make_dir("real/new/file/x", 0o700).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        }
    }

    #[test]
    fn a_directory_that_is_replaced_by_a_link_stays_the_opened_one() {
        for case in cases() {
            let opened = case.root.dir("real").unwrap();
            assert!(opened.is("real", &case.root));
            fs_err::rename(case.path("real"), case.path("moved")).unwrap();
            symlink("../victim", case.path("real")).unwrap();
            assert!(!opened.is("real", &case.root));
            opened.replace("file", "new", true).unwrap();
            opened.remove_all("inner").unwrap();
            assert_eq!(case.read("moved/file"), "new");
            case.is_safe();
        }
    }

    #[test]
    fn a_file_is_written_whole_under_a_name_of_its_own() {
        for case in cases() {
            case.root.replace("file", "one", false).unwrap();
            let taken = case.root.replace("file", "two", false).unwrap_err();
            assert_eq!((taken.kind(), case.read("file").as_str()), (io::ErrorKind::AlreadyExists, "one"));
            case.root.replace("file", "two", true).unwrap();
            assert_eq!(case.read("file"), "two");
            symlink("../victim/file", case.path("link")).unwrap();
            symlink("none", case.path("dangling")).unwrap();
            for name in ["link", "dangling"] {
                assert_eq!(link_of(case.root.replace(name, "three", true)), case.path(name));
                assert_eq!(link_of(case.root.file(name)), case.path(name));
                assert_eq!(case.root.create(name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
                assert!(case.root.has(name));
            }
            mknodat(CWD, case.path("fifo").as_str(), FileType::Fifo, Mode::RUSR, 0).unwrap();
            case.root.file("fifo").unwrap_err();
            case.root.replace("fifo", "four", true).unwrap();
            assert_eq!(case.read("fifo"), "four");
            case.root.replace("real", "five", true).unwrap_err();
            case.root.probe().unwrap();
            assert_eq!(
                case.root.names().unwrap(),
                ["dangling", "fifo", "file", "link", "real"],
                "and no temporary file"
            );
            case.is_safe();
        }
    }

    #[test]
    fn what_is_removed_is_below() {
        for case in cases() {
            case.root.make_dir("real/a/b", ANYBODY).unwrap().replace("file", "", true).unwrap();
            for (link, to) in
                [("real/a/link", "../../../victim"), ("real/file", "../../victim/file"), ("link", "../victim")]
            {
                symlink(to, case.path(link)).unwrap();
            }
            for name in ["real", "link", "none"] {
                case.root.remove_all(name).unwrap();
            }
            assert!(case.root.names().unwrap().is_empty());
            case.is_safe();
        }
    }

    /// A case with a stage of new things, and places with old ones.
    fn moving() -> (Case, Root, Root) {
        let case = case(Resolution::Kernel);
        let (stage, out) = (case.root.make_dir("stage", 0o700).unwrap(), case.root.make_dir("out", ANYBODY).unwrap());
        for name in ["a", "b", "c"] {
            stage.replace(name, &format!("new {name}"), true).unwrap();
        }
        stage.make_dir("share", ANYBODY).unwrap().replace("data", "new", true).unwrap();
        out.replace("a", "old a", true).unwrap();
        out.make_dir("share", ANYBODY).unwrap().replace("old", "", true).unwrap();
        (case, stage, out)
    }

    fn moves<'a>(stage: &'a Root, out: &'a Root, names: &'a [&'a str]) -> Vec<Move<'a>> {
        names.iter().map(|name| Move { from: (stage, name), to: (out, name) }).collect()
    }

    #[test]
    fn all_are_moved() {
        let (case, stage, out) = moving();
        symlink("../../victim/file", case.path("out/b")).unwrap();
        mknodat(CWD, case.path("out/c").as_str(), FileType::Fifo, Mode::RUSR, 0).unwrap();
        move_all(&moves(&stage, &out, &["a", "b", "c", "share"])).unwrap();
        assert_eq!(
            ["out/a", "out/b", "out/c", "out/share/data"].map(|name| case.read(name)),
            ["new a", "new b", "new c", "new"]
        );
        assert!(!case.path("out/share/old").exists());
        case.is_safe();
    }

    #[test]
    fn when_one_cannot_be_moved_none_is() {
        let (case, stage, out) = moving();
        symlink("../../victim", case.path("out/link")).unwrap();
        stage.make_dir("link", ANYBODY).unwrap();
        stage.make_dir("c2", ANYBODY).unwrap();
        out.make_dir("c", ANYBODY).unwrap().replace("x", "", true).unwrap();
        out.replace("c2", "a file", true).unwrap();
        let before = out.names().unwrap();
        for bad in ["c", "c2", "link", "none"] {
            stage.replace("a", "new a", true).unwrap();
            move_all(&moves(&stage, &out, &["a", "b", "share", bad])).unwrap_err();
            assert_eq!(out.names().unwrap(), before, "{bad}");
            assert_eq!(case.read("out/a"), "old a", "{bad}");
            assert!(case.path("out/share/old").exists() && case.path("stage/share/data").exists(), "{bad}");
        }
        case.is_safe();
    }

    #[test]
    fn where_nothing_can_be_exchanged_the_old_is_put_aside() {
        let (case, stage, out) = moving();
        let directory = Move { from: (&stage, "share"), to: (&out, "share") };
        let aside = kept("share");
        let put_aside = || rustix::fs::renameat(&out.dir, "share", &stage.dir, &aside).unwrap();
        put_aside();
        let way = directory.go_over(&aside).unwrap();
        assert!(case.path("out/share/data").exists() && !stage.has("share"));
        directory.back(way).unwrap();
        assert!(case.path("out/share/old").exists() && case.path("stage/share/data").exists());
        // What cannot be moved leaves the old one where it was.
        put_aside();
        Move { from: (&stage, "none"), ..directory }.go_over(&aside).unwrap_err();
        assert!(case.path("out/share/old").exists());
    }

    #[test]
    fn a_file_that_was_replaced_is_put_back() {
        let (case, stage, out) = moving();
        let one = Move { from: (&stage, "a"), to: (&out, "a") };
        let way = one.go().unwrap();
        assert_eq!((case.read("out/a"), case.read(&format!("stage/{}", kept("a")))), ("new a".into(), "old a".into()));
        one.back(way).unwrap();
        assert_eq!(case.read("out/a"), "old a");
    }

    #[test]
    fn a_directory_is_locked_by_one() {
        let case = case(Resolution::Kernel);
        let opened = case.root.dir("real").unwrap();
        assert!(opened.try_lock());
        assert!(!case.root.dir("real").unwrap().try_lock());
        drop(opened);
        assert!(case.root.dir("real").unwrap().try_lock());
    }

    #[test]
    fn what_cannot_be_written_says_so() {
        let case = case(Resolution::Kernel);
        if rustix::process::geteuid().is_root() {
            // Root writes everywhere but in what the kernel itself holds.
            let proc = Root::of_user("/proc/self".into()).unwrap();
            proc.probe().unwrap_err();
            return;
        }
        fs_err::set_permissions(case.path("real"), std::fs::Permissions::from_mode(0o555)).unwrap();
        assert_eq!(case.root.dir("real").unwrap().probe().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
