//! Reads the project and the settings files from disk.

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use crate::base::error::Error;
use crate::project::{
    Package, Project, ProjectFile, SourceMount, hpack_show, lay_out, parse_package, parse_project_file,
};
use crate::settings::lockfile::{self, Lockfile};
use crate::settings::{self, SettingsFile};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::read;

/// How many files may be a project's `cabal.project`, with all that is imported.
const FILES: usize = 100;

/// How many files and directories are looked at for a pattern of `packages:`.
const LOOKED_AT: usize = 100_000;

/// What the disk says, before anything is decided.
pub(crate) struct Loaded {
    pub project: Project,
    pub project_file: SettingsFile,
    pub user_file: SettingsFile,
}

/// Finds and reads the project at or above a directory.
///
/// # Errors
/// When there is none, or one of its files is not usable.
pub(crate) fn load(
    directory: Option<&Utf8Path>,
    environment: &Environment,
    world: &World<'_>,
) -> Result<Loaded, Error> {
    let start = directory.map_or_else(|| environment.cwd.clone(), |dir| environment.cwd.join(dir));
    let start = start
        .canonicalize_utf8()
        .map_err(|error| Error::usage(format!("the directory `{start}` cannot be read")).said(&error.to_string()))?;
    let root = find_root(&start, environment.home.as_deref()).ok_or_else(|| {
        Error::usage(format!("no Haskell project in `{start}` or above it"))
            .hint("hsx looks for a `cabal.project`, a `.cabal` file or a `package.yaml`; `--directory` names a place")
    })?;
    let user_file = user_file(environment)?;
    let path = root.join("hsx.toml");
    let project_file =
        if path.exists() { settings::parse_project(&read(&path)?, &path)? } else { SettingsFile::default() };
    Ok(Loaded { project: read_project(root, environment.home.as_deref(), world)?, project_file, user_file })
}

/// Reads `hsx.lock` of a project.
///
/// # Errors
/// When there is none, or it is not valid.
pub(crate) fn read_lockfile(root: &Utf8Path) -> Result<Lockfile, Error> {
    let path = root.join(lockfile::FILE_NAME);
    if !path.exists() {
        return Err(lockfile::missing(root));
    }
    Lockfile::parse(&read(&path)?, &path)
}

/// Writes it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_lockfile(root: &Utf8Path, lockfile: &Lockfile) -> Result<(), Error> {
    let path = root.join(lockfile::FILE_NAME);
    fs_err::write(&path, lockfile.text())
        .map_err(|error| Error::usage(format!("`{path}` cannot be written")).said(&error.to_string()))
}

/// Whether the project at or above a directory is one that hpack must read first.
pub(crate) fn has_package_yaml_only(directory: Option<&Utf8Path>, environment: &Environment) -> bool {
    let start = directory.map_or_else(|| environment.cwd.clone(), |dir| environment.cwd.join(dir));
    let root = find_root(&start, environment.home.as_deref());
    root.is_some_and(|root| root.join("package.yaml").is_file() && entries_with_extension(&root, "cabal").is_empty())
}

/// The user's own settings.
///
/// # Errors
/// When they are not usable.
pub(crate) fn user_file(environment: &Environment) -> Result<SettingsFile, Error> {
    match &environment.config_file {
        Some(path) if path.exists() => settings::parse(&read(path)?, path),
        _ => Ok(SettingsFile::default()),
    }
}

/// A path without links and dots, also where nothing is there any more.
pub(crate) fn real_path(path: &Utf8Path) -> Utf8PathBuf {
    let plain = |path: &Utf8Path| path.components().filter(|part| part.as_str() != ".").collect::<Utf8PathBuf>();
    path.canonicalize_utf8().unwrap_or_else(|_| plain(path))
}

/// The nearest `cabal.project` up to the home directory, as cabal looks for it; else the nearest package.
fn find_root(start: &Utf8Path, home: Option<&Utf8Path>) -> Option<Utf8PathBuf> {
    let mut package = None;
    for dir in start.ancestors() {
        if dir.join("cabal.project").is_file() {
            return Some(dir.to_owned());
        }
        if package.is_none() && (!entries_with_extension(dir, "cabal").is_empty() || dir.join("package.yaml").is_file())
        {
            package = Some(dir.to_owned());
        }
        if Some(dir) == home {
            break;
        }
    }
    package
}

fn read_project(root: Utf8PathBuf, home: Option<&Utf8Path>, world: &World<'_>) -> Result<Project, Error> {
    let mut inputs = Vec::new();
    let mut file = ProjectFile::default();
    for name in ["cabal.project", "cabal.project.freeze", "cabal.project.local"] {
        read_project_file(&root.join(name), &mut file, &mut inputs, 0)?;
    }
    // As cabal: a freeze or local file alone lists no packages.
    if !root.join("cabal.project").is_file() {
        file.packages.push("./".to_owned());
    }
    let mut places = Vec::new();
    for pattern in &file.packages {
        world.exec.check()?;
        places.extend(package_places(&root, pattern));
    }
    places.sort();
    places.dedup();

    let (mut packages, mut dirs, mut hpack) = (Vec::new(), Vec::new(), Vec::new());
    for place in places {
        let (dir, package) = match place {
            Place::CabalFile(path) => {
                let text = read(&path)?;
                let package = read_package(&text, &path)?;
                inputs.push((path.clone(), text));
                (path.parent().unwrap_or(&root).to_owned(), package)
            }
            Place::PackageYaml(dir) => {
                let text = generate(&dir, world)?;
                let package = read_package(&text, &dir.join("package.yaml"))?;
                inputs.push((dir.join("package.yaml"), text));
                hpack.push(dir.clone());
                (dir, package)
            }
        };
        packages.push(package);
        dirs.push(dir);
    }
    if packages.is_empty() {
        return Err(Error::usage(format!("`{root}` names no package"))
            .hint("list the packages in `cabal.project`: `packages: .`"));
    }
    let (mounts, workdir) = mounts(&root, &dirs, home);
    Ok(Project {
        packages,
        with_compiler: file.with_compiler,
        index_state: file.index_state,
        mounts,
        workdir,
        plan_inputs: inputs,
        hpack,
        root,
    })
}

/// Reads a project file and the local ones it imports into `file`; a later value wins.
fn read_project_file(
    path: &Utf8Path,
    file: &mut ProjectFile,
    inputs: &mut Vec<(Utf8PathBuf, String)>,
    depth: usize,
) -> Result<(), Error> {
    // Deeper than anybody nests: an import that leads back to itself is cabal's to report.
    if depth > 8 || !path.is_file() {
        return Ok(());
    }
    // One that leads back to itself several times would be read as often as a power of that.
    if inputs.len() >= FILES {
        return Err(Error::usage(format!("`{path}` is one of more than {FILES} project files that import each other")));
    }
    let text = read(path)?;
    let parsed = parse_project_file(&text);
    inputs.push((path.to_owned(), text));
    let dir = path.parent().unwrap_or(path);
    for import in parsed.imports.iter().filter(|import| !import.contains("://")) {
        read_project_file(&dir.join(import), file, inputs, depth + 1)?;
    }
    file.packages.extend(parsed.packages);
    file.with_compiler = parsed.with_compiler.or(file.with_compiler.take());
    file.index_state = parsed.index_state.or(file.index_state.take());
    Ok(())
}

/// Where a package's description is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    CabalFile(Utf8PathBuf),
    /// A directory with `package.yaml` and no `.cabal` file.
    PackageYaml(Utf8PathBuf),
}

/// What a `packages:` pattern stands for: `.cabal` files or directories, with `*` in any component.
fn package_places(root: &Utf8Path, pattern: &str) -> Vec<Place> {
    if pattern.contains("://") || pattern.ends_with(".tar.gz") {
        return Vec::new();
    }
    let found = expand(root, pattern);
    let described = found.into_iter().flat_map(|path| {
        if path.is_file() {
            return vec![Place::CabalFile(path)];
        }
        let files = entries_with_extension(&path, "cabal");
        if files.is_empty() && path.join("package.yaml").is_file() {
            return vec![Place::PackageYaml(path)];
        }
        files.into_iter().map(Place::CabalFile).collect()
    });
    described.filter(|place| !matches!(place, Place::CabalFile(path) if path.extension() != Some("cabal"))).collect()
}

fn expand(root: &Utf8Path, pattern: &str) -> Vec<Utf8PathBuf> {
    let absolute = pattern.starts_with('/');
    let mut paths = vec![if absolute { Utf8PathBuf::from("/") } else { root.to_owned() }];
    // A tree can be larger than anybody waits for, and a pattern can lead through it many times.
    let mut left = LOOKED_AT;
    let mut parts: Vec<_> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.dedup_by(|one, other| *one == "**" && *other == "**");
    for part in parts {
        let mut found = Vec::new();
        for path in paths {
            match part {
                ".." => found.extend(path.parent().map(Utf8Path::to_owned)),
                "**" => found.extend(counted(all_directories(&path), &mut left)),
                part if part.contains('*') => {
                    let fits = |entry: &Utf8PathBuf| entry.file_name().is_some_and(|name| matches(part, name));
                    found.extend(counted(entries(&path), &mut left).filter(fits));
                }
                part => found.push(path.join(part)),
            }
        }
        found.retain(|path| path.exists());
        found.sort();
        found.dedup();
        paths = found;
    }
    paths
}

/// The items until none is left to be looked at.
fn counted<T>(items: impl Iterator<Item = T>, left: &mut usize) -> impl Iterator<Item = T> {
    items.take_while(move |_| {
        *left = left.saturating_sub(1);
        *left > 0
    })
}

/// A directory and all below it, but for what cabal and git keep there.
fn all_directories(dir: &Utf8Path) -> impl Iterator<Item = Utf8PathBuf> {
    let kept = |name: &str| !name.starts_with('.') && name != "dist-newstyle" && name != "dist-static";
    WalkDir::new(dir)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(move |entry| {
            entry.file_type().is_dir() && (entry.depth() == 0 || entry.file_name().to_str().is_some_and(kept))
        })
        .filter_map(|entry| Utf8PathBuf::from_path_buf(entry.ok()?.into_path()).ok())
}

fn entries(dir: &Utf8Path) -> impl Iterator<Item = Utf8PathBuf> {
    let walk = WalkDir::new(dir).min_depth(1).max_depth(1).sort_by_file_name();
    walk.into_iter().filter_map(|entry| Utf8PathBuf::from_path_buf(entry.ok()?.into_path()).ok())
}

fn entries_with_extension(dir: &Utf8Path, extension: &str) -> Vec<Utf8PathBuf> {
    // A file called just `.cabal` is cabal's old home, and a directory.
    entries(dir).filter(|path| path.extension() == Some(extension) && path.is_file()).collect()
}

/// Whether a name fits a pattern with `*`. What stands between two stars is taken where it comes first: a later place
/// leaves less for what follows.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = name.strip_prefix(first).and_then(|name| name.strip_suffix(last));
    let after = |name: &str, part: &str| name.find(part).map(|at| at + part.len());
    inner.is_some_and(|name| {
        middle.split('*').try_fold(name, |name, part| after(name, part).map(|at| &name[at..])).is_some()
    })
}

fn read_package(text: &str, path: &Utf8Path) -> Result<Package, Error> {
    parse_package(text).ok_or_else(|| Error::usage(format!("`{path}` names no package")))
}

fn generate(dir: &Utf8Path, world: &World<'_>) -> Result<String, Error> {
    if world.environment.find("hpack").is_none() {
        return Err(Error::usage(format!(
            "`{dir}` has a `package.yaml` and no `.cabal` file, and hpack is not on PATH"
        ))
        .hint("install it with `cabal install hpack`, or write the `.cabal` file and keep it in git"));
    }
    let cmd = hpack_show(dir);
    let answer = world.exec.capture(&cmd)?;
    if answer.success() {
        return Ok(answer.stdout);
    }
    Err(Error::usage(format!("`{dir}/package.yaml` is not usable")).tried(cmd.to_string()).said(&answer.stderr))
}

/// All that the container must see: the project with its repository, packages outside it with theirs.
fn mounts(root: &Utf8Path, packages: &[Utf8PathBuf], home: Option<&Utf8Path>) -> (Vec<SourceMount>, String) {
    let (mut roots, mut fixed) = (Vec::new(), Vec::new());
    for dir in [root.to_owned()].iter().chain(packages.iter().filter(|dir| !dir.starts_with(root))) {
        let Some(top) = dir.ancestors().find(|dir| dir.join(".git").exists()) else {
            roots.push(dir.clone());
            continue;
        };
        // A home directory kept in git is no project: it is not mounted whole.
        let whole = home.is_none_or(|home| !home.starts_with(top));
        roots.push(if whole { top.to_owned() } else { dir.clone() });
        match outside_git_dir(top) {
            Some(GitDir::Absolute(path)) => fixed.push(SourceMount { target: path.to_string(), source: path }),
            Some(GitDir::Relative(path)) => roots.push(path),
            None => {}
        }
    }
    let (mut mounts, workdir) = lay_out(root, &roots);
    fixed.retain(|mount| !mounts.contains(mount));
    mounts.extend(fixed);
    (mounts, workdir)
}

/// A git directory outside the work tree, as the `.git` file names it.
enum GitDir {
    /// Of a worktree: git follows the path as written, so it must exist in the container.
    Absolute(Utf8PathBuf),
    /// Of a submodule: only its place beside the work tree matters.
    Relative(Utf8PathBuf),
}

/// Where a work tree's `.git` file leads (gitrepository-layout(5)): the git directory shared by all worktrees.
fn outside_git_dir(top: &Utf8Path) -> Option<GitDir> {
    let text = read::text(top.join(".git")).ok()?;
    let named = Utf8Path::new(text.trim().strip_prefix("gitdir:")?.trim());
    let git_dir = top.join(named).canonicalize_utf8().ok()?;
    let common = read::text(git_dir.join("commondir")).ok();
    let common = common.and_then(|path| git_dir.join(path.trim()).canonicalize_utf8().ok()).unwrap_or(git_dir);
    Some(if named.is_absolute() { GitDir::Absolute(common) } else { GitDir::Relative(common) })
}

fn read(path: &Utf8Path) -> Result<String, Error> {
    read::text(path).map_err(|error| Error::usage(format!("`{path}` cannot be read")).said(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_within_a_component() {
        for (pattern, name, fits) in [
            ("*", "anything", true),
            ("*.cabal", "demo.cabal", true),
            ("*.cabal", "demo.cabal.bak", false),
            ("lib-*", "lib-a", true),
            ("a*b*c", "a-b-b-c", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("a*a", "a", false),
            ("*b*a*", "xaxbxa", true),
            ("*b*a*", "xaxb", false),
            ("é*é", "éé", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    /// A directory tree from `PATH` or `PATH=TEXT` words.
    fn tree(files: &[&str]) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        for file in files {
            let (path, text) = file.split_once('=').unwrap_or((file, ""));
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        (dir, root)
    }

    #[test]
    fn the_project_is_found_from_below() {
        let (_guard, root) = tree(&["p/cabal.project", "p/app/app.cabal", "p/app/src/Main.hs", "lone/lone.cabal"]);
        assert_eq!(find_root(&root.join("p/app/src"), Some(&root)), Some(root.join("p")));
        assert_eq!(find_root(&root.join("lone"), Some(&root)), Some(root.join("lone")));
        assert_eq!(find_root(&root, Some(&root)), None);
    }

    #[test]
    fn patterns_give_cabal_files_and_hpack_directories() {
        let (_guard, root) =
            tree(&["a/a.cabal", "b/package.yaml", "c/notes.txt", "deep/er/d.cabal", "a/dist-newstyle/x/x.cabal"]);
        let files = |pattern| package_places(&root, pattern);
        let cabal = |path: &str| Place::CabalFile(root.join(path));
        assert_eq!(files("./a"), [cabal("a/a.cabal")]);
        assert_eq!(files("a/a.cabal"), [cabal("a/a.cabal")]);
        assert_eq!(files("*/"), [cabal("a/a.cabal"), Place::PackageYaml(root.join("b"))]);
        assert_eq!(files("*/*.cabal"), [cabal("a/a.cabal")]);
        assert_eq!(files("**/*.cabal"), [cabal("a/a.cabal"), cabal("deep/er/d.cabal")]);
        assert_eq!(files("https://example.org/x.tar.gz"), []);
    }

    #[test]
    fn a_worktree_brings_its_repository() {
        let (_guard, root) = tree(&["main/.git/worktrees/w/commondir=../..", "w/demo.cabal"]);
        let git_file = format!("gitdir: {root}/main/.git/worktrees/w\n");
        fs_err::write(root.join("w/.git"), git_file).unwrap();
        let (mounts, workdir) = mounts(&root.join("w"), &[root.join("w")], None);
        let repository = root.join("main/.git");
        assert_eq!(
            mounts,
            [
                SourceMount { source: root.join("w"), target: crate::project::SOURCE.to_owned() },
                SourceMount { target: repository.to_string(), source: repository },
            ]
        );
        assert_eq!(workdir, "/src");
    }

    #[test]
    fn a_sibling_and_the_repository_above_are_mounted() {
        let (_guard, root) = tree(&["mono/.git/HEAD", "mono/app/app.cabal", "lib/lib.cabal"]);
        let (mounts, workdir) = mounts(&root.join("mono/app"), &[root.join("mono/app"), root.join("lib")], None);
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.as_str()).collect();
        assert_eq!(targets, ["/src/lib", "/src/mono"]);
        assert_eq!(workdir, "/src/mono/app");
    }
}
