//! Finds what a build is to be shown of this machine: the project with its git repository, and what the project names
//! outside of it. A project may come from anybody, and a build can read and send away all that it is shown. So what lies
//! outside of the user's clone is shown only if the user agrees.

use std::io::Read;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use flate2::read::GzDecoder;

use crate::base::version::Version;
use crate::project::target::plain;
use crate::project::{SourceMount, lay_out};
use crate::world::doors::{pieces, read};

/// What decides the mounts of a project.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub root: &'a Utf8Path,
    /// The directories of all packages.
    pub packages: &'a [Utf8PathBuf],
    /// Packages packed by `cabal sdist`.
    pub archives: &'a [Utf8PathBuf],
    /// The directories of `--source-dir`.
    pub source_dirs: &'a [Utf8PathBuf],
    /// What the user has agreed to show, with links resolved.
    pub agreed: &'a [Utf8PathBuf],
    pub home: Option<&'a Utf8Path>,
}

/// What a build is shown, and what it is not shown for want of an agreement.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub mounts: Vec<SourceMount>,
    /// The project's root in the container.
    pub workdir: String,
    /// What is shown because the user has agreed to it.
    pub agreed: Vec<Utf8PathBuf>,
    pub refused: Vec<Refused>,
}

/// Something outside the project that its files name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its path, with links resolved.
    pub path: Utf8PathBuf,
    /// Why a build wants to see it.
    pub reason: String,
}

/// Finds what a project's build is shown.
pub(crate) fn find(wanted: Wanted<'_>) -> Shown {
    let Wanted { root, packages, archives, source_dirs, home, .. } = wanted;
    let mut found = Found::new(wanted);
    match top(root, home).filter(|top| *top == root || is_of_same_user(top, root)) {
        Some(top) => {
            found.own.push(top.to_owned());
            let reason = if top == root { "the project" } else { "the project, with its git repository" };
            found.roots.push((top.to_owned(), reason.to_owned()));
            found.git(top);
        }
        None => found.roots.push((root.to_owned(), "the project".to_owned())),
    }
    for dir in packages {
        if found.is_own(dir) {
            continue;
        }
        match top(dir, home).filter(|top| top == dir || is_of_same_user(top, dir)) {
            // Only the directory may have been agreed to, and not all of its repository.
            Some(top) if found.may_show(top) || !found.may_show(dir) => {
                if found.want(top, "the repository of a package in `packages:`", Place::Relative) {
                    found.git(top);
                }
            }
            _ => {
                found.want(dir, "a package in `packages:`", Place::Relative);
            }
        }
    }
    found.roots.extend(source_dirs.iter().map(|dir| (dir.clone(), "`--source-dir`".to_owned())));
    for archive in archives {
        // An archive outside all mounted directories is mounted alone, at its own place.
        if !found.roots.iter().any(|(root, _)| archive.starts_with(root)) {
            let real = real(archive);
            // What is shown anyway need not be unpacked, which takes time at each start.
            if !found.may_show(&real) && is_source_package(&real) {
                found.own.push(real);
            }
            found.want(archive, "an archive in `packages:`", Place::Relative);
        }
    }
    found.shown()
}

/// Where something is in the container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Only its place relative to the project matters.
    Relative,
    /// At its full path, which git follows as it is written.
    Absolute,
}

/// What was found so far.
struct Found<'a> {
    wanted: Wanted<'a>,
    /// The user's clone, and what is known to belong to it.
    own: Vec<Utf8PathBuf>,
    roots: Vec<(Utf8PathBuf, String)>,
    fixed: Vec<SourceMount>,
    agreed: Vec<Utf8PathBuf>,
    refused: Vec<Refused>,
}

impl<'a> Found<'a> {
    fn new(wanted: Wanted<'a>) -> Self {
        Self {
            wanted,
            own: vec![wanted.root.to_owned()],
            roots: Vec::new(),
            fixed: Vec::new(),
            agreed: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Whether a path, as it is written, is below what needs no agreement. Where it leads out by a link, it leads nowhere
    /// in the container.
    fn is_own(&self, path: &Utf8Path) -> bool {
        self.own.iter().any(|own| path.starts_with(own))
    }

    /// Whether a path, with links resolved, is the user's clone or was agreed to.
    fn may_show(&self, path: &Utf8Path) -> bool {
        let real = real(path);
        let Wanted { agreed, source_dirs, .. } = self.wanted;
        self.own.iter().chain(agreed).chain(source_dirs).any(|shown| real.starts_with(shown))
    }

    /// Takes something outside of the project, if the user has agreed to it. Returns whether it is shown.
    fn want(&mut self, path: &Utf8Path, reason: &str, place: Place) -> bool {
        if !self.may_show(path) {
            let refused = Refused { path: real(path), reason: reason.to_owned() };
            if !self.refused.contains(&refused) {
                self.refused.push(refused);
            }
            return false;
        }
        let real = real(path);
        if !self.own.iter().chain(self.wanted.source_dirs).any(|own| real.starts_with(own)) {
            self.agreed.push(real);
        }
        match place {
            Place::Relative => self.roots.push((path.to_owned(), reason.to_owned())),
            Place::Absolute => self.fixed.push(SourceMount {
                source: path.to_owned(),
                target: path.to_string(),
                reason: reason.to_owned(),
            }),
        }
        true
    }

    /// Takes the git directories of a work tree that are outside of it, and the objects that they borrow.
    fn git(&mut self, top: &Utf8Path) {
        let mut git_dirs = vec![top.join(".git")];
        // The git directory of a submodule in a worktree is inside that of the main repository.
        for tree in [top.to_owned()].into_iter().chain(submodules(top)) {
            let Some(outside) = outside_git_dir(&tree) else { continue };
            let OutsideGitDir { path, place, points_back } = outside;
            if points_back {
                self.own.push(path.clone());
            }
            let reason = format!("the git directory that `{}` names", tree.join(".git"));
            if self.want(&path, &reason, place) {
                git_dirs.push(path);
            }
        }
        for git_dir in git_dirs {
            let reason = format!("objects that `{git_dir}` borrows");
            for objects in alternates(&git_dir) {
                self.want(&objects, &reason, Place::Absolute);
            }
        }
    }

    fn shown(mut self) -> Shown {
        let (mut mounts, workdir) = lay_out(self.wanted.root, self.roots);
        self.fixed.sort_by(|a, b| a.target.cmp(&b.target));
        self.fixed.dedup_by(|a, b| a.target == b.target);
        self.fixed.retain(|fixed| !mounts.iter().any(|mount| mount.target == fixed.target));
        mounts.extend(self.fixed);
        self.agreed.sort();
        self.agreed.dedup();
        Shown { mounts, workdir, agreed: self.agreed, refused: self.refused }
    }
}

fn real(path: &Utf8Path) -> Utf8PathBuf {
    path.canonicalize_utf8().unwrap_or_else(|_| plain(path))
}

/// The work tree that a directory is in. A home directory that is kept in git is none: it is not mounted whole.
fn top<'p>(dir: &'p Utf8Path, home: Option<&Utf8Path>) -> Option<&'p Utf8Path> {
    let top = dir.ancestors().find(|dir| dir.join(".git").exists())?;
    home.is_none_or(|home| !home.starts_with(top)).then_some(top)
}

/// Whether a repository above a directory is the user's, or of whoever owns the directory. In a directory that many
/// write to, such as `/tmp`, it may be anybody's.
fn is_of_same_user(top: &Utf8Path, dir: &Utf8Path) -> bool {
    let owner = |path: &Utf8Path| fs_err::metadata(path).map(|meta| meta.uid()).ok();
    is_trusted(owner(&top.join(".git")), rustix::process::geteuid().as_raw(), owner(dir))
}

fn is_trusted(owner: Option<u32>, user: u32, owner_of_dir: Option<u32>) -> bool {
    owner.is_some_and(|owner| owner == user || Some(owner) == owner_of_dir)
}

/// Whether an archive is a package as `cabal sdist` packs it: `NAME-VERSION.tar.gz` with a `NAME-VERSION/NAME.cabal`. Such
/// an archive is made to be given away, so a build may see it unasked, where a backup beside it may not be seen.
fn is_source_package(archive: &Utf8Path) -> bool {
    /// In bytes, unpacked.
    const LIMIT: u64 = 64 << 20;
    let Some(package) = archive.file_name().and_then(|name| name.strip_suffix(".tar.gz")) else { return false };
    let Some((name, version)) = package.rsplit_once('-') else { return false };
    let description = format!("{package}/{name}.cabal");
    let is_it = |entry: std::io::Result<tar::Entry<'_, _>>| {
        entry.is_ok_and(|entry| entry.header().entry_type().is_file() && *entry.path_bytes() == *description.as_bytes())
    };
    let Ok(file) = pieces::open(archive) else { return false };
    let unpacked = GzDecoder::new(file).take(LIMIT);
    version.parse::<Version>().is_ok()
        && tar::Archive::new(unpacked).entries().is_ok_and(|mut entries| entries.any(is_it))
}

/// The directories that `.gitmodules` lists and that are checked out.
fn submodules(top: &Utf8Path) -> Vec<Utf8PathBuf> {
    listed_submodules(top).into_iter().filter(|dir| dir.join(".git").is_file()).collect()
}

pub(crate) fn listed_submodules(top: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(text) = read::text(top.join(".gitmodules")) else { return Vec::new() };
    let paths = text.lines().filter_map(|line| line.trim().strip_prefix("path")?.trim().strip_prefix('='));
    paths.map(|path| plain(&top.join(path.trim()))).filter(|dir| dir.starts_with(top)).collect()
}

/// The object directories that a repository borrows from others (`git clone --shared`, `--reference`). A path counts
/// only if it is the object directory of a repository. Git follows the path as it is written.
fn alternates(git_dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(text) = read::text(git_dir.join("objects/info/alternates")) else { return Vec::new() };
    let is_objects = |path: &Utf8PathBuf| {
        let is_repository = path.parent().is_some_and(|git_dir| git_dir.join("HEAD").is_file());
        path.is_absolute() && path.file_name() == Some("objects") && path.is_dir() && is_repository
    };
    text.lines().take(16).map(Utf8PathBuf::from).filter(is_objects).collect()
}

/// A git directory outside the work tree, which the `.git` file names.
struct OutsideGitDir {
    /// The directory that all worktrees share.
    path: Utf8PathBuf,
    place: Place,
    /// The git directory names this work tree in turn, as git itself arranges it for worktrees and submodules. Whoever
    /// wrote the `.git` file could write there too, so nothing is shown that was not theirs.
    points_back: bool,
}

/// Where the `.git` file of a work tree leads (gitrepository-layout(5)).
fn outside_git_dir(top: &Utf8Path) -> Option<OutsideGitDir> {
    let file = top.join(".git");
    let text = read::text(&file).ok()?;
    let named = Utf8Path::new(text.trim().strip_prefix("gitdir:")?.trim());
    let git_dir = top.join(named).canonicalize_utf8().ok()?;
    let leads_to = |path: &str, place: &Utf8Path| {
        git_dir.join(path.trim()).canonicalize_utf8().is_ok_and(|path| Some(path) == place.canonicalize_utf8().ok())
    };
    let common = read::text(git_dir.join("commondir")).ok();
    let common = common.and_then(|path| git_dir.join(path.trim()).canonicalize_utf8().ok());
    let is_repository = |dir: &Utf8Path| dir.join("HEAD").is_file() && dir.join("objects").is_dir();
    let points_back = if let Some(common) = &common {
        // A worktree: `worktrees/NAME` of the shared directory has a file with the path of the `.git` file.
        git_dir.parent() == Some(&common.join("worktrees"))
            && is_repository(common)
            && read::text(git_dir.join("gitdir")).is_ok_and(|path| leads_to(&path, &file))
    } else {
        // A submodule: `core.worktree` is the path of the work tree.
        let config = read::text(git_dir.join("config")).unwrap_or_default();
        let tree = config.lines().find_map(|line| line.trim().strip_prefix("worktree")?.trim().strip_prefix('='));
        is_repository(&git_dir) && tree.is_some_and(|path| leads_to(path, top))
    };
    let place = if named.is_absolute() { Place::Absolute } else { Place::Relative };
    Some(OutsideGitDir { path: common.unwrap_or(git_dir), place, points_back })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::load::tests::tree;
    use super::*;

    /// What a project is shown, as `SOURCE TARGET`, and what it is not shown; paths are seen from the tree's place.
    fn shown(root: &Utf8Path, project: &str, packages: &[&str], agreed: &[&str]) -> (Vec<String>, Vec<String>) {
        let below = |paths: &[&str]| paths.iter().map(|path| root.join(path)).collect::<Vec<_>>();
        let (archives, dirs) = packages.iter().partition(|path| path.ends_with(".tar.gz"));
        let (archives, dirs): (Vec<&str>, Vec<&str>) = (archives, dirs);
        let found = find(Wanted {
            root: &root.join(project),
            packages: &below(&dirs),
            archives: &below(&archives),
            source_dirs: &[],
            agreed: &below(agreed),
            home: Some(&root.join("home")),
        });
        let seen = |text: &str| text.replace(&format!("{root}/"), "");
        let mounts = found.mounts.iter().map(|mount| seen(&format!("{} {}", mount.source, mount.target))).collect();
        (mounts, found.refused.iter().map(|refused| seen(refused.path.as_str())).collect())
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn the_project_and_its_clone_need_no_agreement() {
        let (_guard, root) = tree(&["mono/.git/HEAD", "mono/app/app.cabal", "mono/lib/lib.cabal", "lone/lone.cabal"]);
        let (mounts, refused) = shown(&root, "mono/app", &["mono/app", "mono/lib"], &[]);
        assert_eq!((&mounts[..], refused), (&["mono /src".to_owned()][..], vec![]));
        assert_eq!(shown(&root, "lone", &["lone"], &[]).0, ["lone /src"]);
        // A home that is kept in git is not shown whole.
        let (_guard, root) = tree(&[".git/HEAD", "home/p/p.cabal", "home/q/q.cabal"]);
        let (mounts, refused) = shown(&root, "home/p", &["home/p", "home/q"], &[]);
        assert_eq!((&mounts[..], &refused[..]), (&["home/p /src".to_owned()][..], &["home/q".to_owned()][..]));
    }

    #[test]
    fn a_package_made_to_be_given_away_needs_no_agreement() {
        let archive = |name: &str| {
            let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            archive.append_data(&mut header.clone(), "lib-1.0/Lib.hs", &b""[..]).unwrap();
            archive.append_data(&mut header, name, &b""[..]).unwrap();
            archive.into_inner().unwrap().finish().unwrap()
        };
        let (_guard, root) = tree(&["app/app.cabal", "lib-2.0.tar.gz=text"]);
        fs_err::write(root.join("lib-1.0.tar.gz"), archive("lib-1.0/lib.cabal")).unwrap();
        fs_err::write(root.join("backup-1.0.tar.gz"), archive("home/letters")).unwrap();
        fs_err::write(root.join("letters.tar.gz"), archive("letters/letters.cabal")).unwrap();
        symlink("backup-1.0.tar.gz", root.join("lib-3.0.tar.gz")).unwrap();
        let all = ["lib-1.0.tar.gz", "lib-2.0.tar.gz", "lib-3.0.tar.gz", "letters.tar.gz", "none-1.tar.gz"];
        let (mounts, refused) = shown(&root, "app", &all, &[]);
        assert_eq!(mounts, ["app /src/app", "lib-1.0.tar.gz /src/lib-1.0.tar.gz"]);
        assert_eq!(refused, ["lib-2.0.tar.gz", "backup-1.0.tar.gz", "letters.tar.gz", "none-1.tar.gz"]);
    }

    #[test]
    fn a_strangers_repository_above_is_not_the_projects() {
        for (owner, is) in [(Some(1), true), (Some(2), true), (Some(3), false), (Some(0), false), (None, false)] {
            assert_eq!(is_trusted(owner, 1, Some(2)), is, "{owner:?}");
        }
        assert!(!is_trusted(None, 1, None));
    }

    #[test]
    fn what_is_beside_the_project_is_shown_by_agreement() {
        let files =
            ["app/app.cabal", "lib/lib.cabal", "repo/.git/HEAD", "repo/in/in.cabal", "v/x-1.tar.gz", "v/secret"];
        let (_guard, root) = tree(&files);
        let packages = ["app", "lib", "repo/in", "v/x-1.tar.gz"];
        let (mounts, refused) = shown(&root, "app", &packages, &[]);
        assert_eq!(mounts, ["app /src"]);
        assert_eq!(refused, ["lib", "repo", "v/x-1.tar.gz"]);
        let (mounts, refused) = shown(&root, "app", &packages, &["lib", "repo/in", "v"]);
        assert_eq!(mounts, ["app /src/app", "lib /src/lib", "repo/in /src/repo/in", "v/x-1.tar.gz /src/v/x-1.tar.gz"]);
        assert_eq!(refused, NONE);
        let (mounts, _) = shown(&root, "app", &packages, &["."]);
        assert!(mounts.contains(&"repo /src/repo".to_owned()), "{mounts:?}");
    }

    #[test]
    fn an_agreement_is_about_the_place_that_a_link_leads_to() {
        let (_guard, root) = tree(&["code/app/app.cabal", "secret/s.cabal", "secret/x-1.tar.gz"]);
        symlink(root.join("secret"), root.join("code/lib")).unwrap();
        symlink(root.join("secret/x-1.tar.gz"), root.join("code/x-1.tar.gz")).unwrap();
        let packages = ["code/app", "code/lib", "code/x-1.tar.gz"];
        let (mounts, refused) = shown(&root, "code/app", &packages, &["code"]);
        assert_eq!(
            (mounts, refused),
            (vec!["code/app /src".to_owned()], vec!["secret".into(), "secret/x-1.tar.gz".into()])
        );
        let (mounts, _) = shown(&root, "code/app", &packages, &["secret"]);
        assert_eq!(mounts.len(), 3, "{mounts:?}");
        // A directory of the project that leads out is a link in the container, which leads nowhere.
        symlink(root.join("secret"), root.join("code/app/in")).unwrap();
        assert_eq!(shown(&root, "code/app", &["code/app/in"], &[]).0, ["code/app /src"]);
    }

    const WORKTREE: [&str; 6] = [
        "main/.git/HEAD",
        "main/.git/objects/x",
        "main/.git/worktrees/w/commondir=../..",
        "main/.git/worktrees/w/gitdir=ROOT/w/.git\n",
        "w/.git=gitdir: ROOT/main/.git/worktrees/w\n",
        "w/demo.cabal",
    ];

    #[test]
    fn a_worktree_brings_its_repository() {
        let (_guard, root) = tree(&WORKTREE);
        let (mounts, refused) = shown(&root, "w", &["w"], &[]);
        assert_eq!(mounts, ["w /src", "main/.git main/.git"]);
        assert_eq!(refused, NONE);
        // Both must say so.
        for other in ["", "ROOT/v/.git", "/", "ROOT/w"] {
            fs_err::write(root.join("main/.git/worktrees/w/gitdir"), other.replace("ROOT", root.as_str())).unwrap();
            let (mounts, refused) = shown(&root, "w", &["w"], &[]);
            assert_eq!((mounts, refused), (vec!["w /src".to_owned()], vec!["main/.git".to_owned()]), "{other}");
        }
        assert_eq!(shown(&root, "w", &["w"], &["main"]).0.len(), 2);
    }

    #[test]
    fn a_git_directory_of_the_projects_own_making_shows_nothing_else() {
        for (text, refused) in [
            ("gitdir: ROOT/victim\n", "victim"),
            ("gitdir: ../victim\n", "victim"),
            // It points back, but what it shares is elsewhere.
            ("gitdir: fake\n", "victim"),
            ("gitdir: worktrees/fake\n", "victim"),
        ] {
            let (_guard, root) = tree(&[
                "victim/HEAD",
                "victim/objects/x",
                "p/p.cabal",
                "p/fake/gitdir=ROOT/p/.git",
                "p/fake/commondir=ROOT/victim",
                "p/fake/HEAD",
                "p/fake/objects/x",
                "p/fake/config=[core]\n\tworktree = ..\n",
                "p/worktrees/fake/gitdir=ROOT/p/.git",
                "p/worktrees/fake/commondir=ROOT/victim",
                &format!("p/.git={text}"),
            ]);
            let (mounts, found) = shown(&root, "p", &["p"], &[]);
            assert_eq!((mounts, found), (vec!["p /src".to_owned()], vec![refused.to_owned()]), "{text}");
        }
    }

    #[test]
    fn a_submodule_brings_its_git_directory() {
        let files = [
            "super/.git/modules/sub/HEAD",
            "super/.git/modules/sub/objects/x",
            "super/.git/modules/sub/config=[core]\n\tbare = false\n\tworktree = ../../../sub\n",
            "super/sub/.git=gitdir: ../.git/modules/sub\n",
            "super/sub/sub.cabal",
        ];
        let (_guard, root) = tree(&files);
        let (mounts, refused) = shown(&root, "super/sub", &["super/sub"], &[]);
        assert_eq!(mounts, ["super/.git/modules/sub /src/.git/modules/sub", "super/sub /src/sub"]);
        assert_eq!(refused, NONE);
        fs_err::write(root.join("super/.git/modules/sub/config"), "[core]\n\tworktree = ../../../other\n").unwrap();
        assert_eq!(shown(&root, "super/sub", &["super/sub"], &[]).1, ["super/.git/modules/sub"]);
    }

    #[test]
    fn a_submodule_of_a_worktree_brings_its_repository() {
        let more = [
            "main/.git/worktrees/w/modules/sub/HEAD=x",
            "w/.gitmodules=[submodule \"sub\"]\n\tpath = sub\n",
            "w/sub/.git=gitdir: ../../main/.git/worktrees/w/modules/sub\n",
        ];
        let (_guard, root) = tree(&[&WORKTREE[..], &more].concat());
        let (mounts, refused) = shown(&root, "w", &["w"], &[]);
        assert_eq!(
            mounts,
            [
                "main/.git/worktrees/w/modules/sub /src/main/.git/worktrees/w/modules/sub",
                "w /src/w",
                "main/.git main/.git"
            ]
        );
        assert_eq!(refused, NONE);
    }

    #[test]
    fn borrowed_objects_are_shown_by_agreement_where_they_are() {
        let (_guard, root) = tree(&[
            "other/.git/HEAD=x",
            "other/.git/objects/aa/b",
            "no/objects/x",
            "p/.git/HEAD=x",
            "p/p.cabal",
            "p/.git/objects/info/alternates=ROOT/other/.git/objects\nROOT/no/objects\n../relative\n",
        ]);
        let (mounts, refused) = shown(&root, "p", &["p"], &[]);
        assert_eq!((mounts, refused), (vec!["p /src".to_owned()], vec!["other/.git/objects".to_owned()]));
        let (mounts, _) = shown(&root, "p", &["p"], &["other"]);
        assert_eq!(mounts, ["p /src", "other/.git/objects other/.git/objects"]);
    }
}
