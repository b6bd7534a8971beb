//! Reads the project and the settings files from disk.

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use crate::args::BuilderArgs;
use crate::base::error::Error;
use crate::project::target::plain;
use crate::project::{
    EmptyPackage, Package, Project, ProjectFile, SourceMount, StackProject, hpack_show, lay_out, parse_package,
    parse_project_file,
};
use crate::settings::lockfile::{self, Lockfile};
use crate::settings::{self, SettingsFile};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::pieces::sha256_of;
use crate::world::doors::read;

/// How many project files are read: `cabal.project` and everything that it imports.
const FILES: usize = 100;

/// How many files and directories one pattern of `packages:` may visit.
const LOOKED_AT: usize = 100_000;

/// The project and the settings as the files have them, before anything is decided.
pub(crate) struct ProjectFiles {
    pub project: Project,
    pub project_file: SettingsFile,
    pub user_file: SettingsFile,
}

/// Finds and reads the project at or above a directory.
///
/// # Errors
/// When there is no project, or one of its files is not usable.
pub(crate) fn load(args: &BuilderArgs, environment: &Environment, world: &World<'_>) -> Result<ProjectFiles, Error> {
    let start = args.directory.as_ref().map_or_else(|| environment.cwd.clone(), |dir| environment.cwd.join(dir));
    let start = start
        .canonicalize_utf8()
        .map_err(|error| Error::usage(format!("the directory `{start}` cannot be read")).said(&error.to_string()))?;
    let root = find_root(&start, environment.home.as_deref()).ok_or_else(|| {
        let stack = stack_project(&start, environment.home.as_deref()).map(|stack| {
            let (dir, packages) = (stack.dir, stack.packages.join(" "));
            format!("there is a `stack.yaml` in `{dir}`: write a `cabal.project` there: `packages: {packages}`")
        });
        Error::usage(format!("no Haskell project in `{start}` or above it"))
            .hints(stack)
            .hint("hsx looks for a `cabal.project`, a `.cabal` file or a `package.yaml`; `--directory` names a place")
    })?;
    let planted = ancestors(&start, environment.home.as_deref()).map(|dir| dir.join("cabal.project"));
    for path in planted.filter(|path| *path != root.join("cabal.project") && is_planted(path, &start)) {
        world.ui.warning(&format!("`{path}` is not heeded: {PLANTED}"));
    }
    let user_file = user_file(environment)?;
    let path = root.join("hsx.toml");
    if is_planted(&path, &start) {
        return Err(Error::usage(format!("`{path}` is not heeded: {PLANTED}"))
            .hint("`--directory` names the project, if its settings are to be heeded all the same"));
    }
    let project_file =
        if path.exists() { settings::parse_project(&read(&path)?, &path)? } else { SettingsFile::default() };
    let cabal_args = settings::cabal_args(&args.cabal_args, [&project_file, &user_file]);
    let dirs = args.source_dirs.iter().map(|dir| source_dir(dir, environment)).collect::<Result<Vec<_>, _>>()?;
    let project = read_project(root, environment.home.as_deref(), &cabal_args, dirs, world)?;
    Ok(ProjectFiles { project, project_file, user_file })
}

/// Reads `hsx.lock` of a project.
///
/// # Errors
/// When there is no such file, or it is not valid.
pub(crate) fn read_lockfile(root: &Utf8Path) -> Result<Lockfile, Error> {
    let path = root.join(lockfile::FILE_NAME);
    if !path.exists() {
        return Err(lockfile::missing(root));
    }
    Lockfile::parse(&read(&path)?, &path)
}

/// Whether the project at or above a directory has only a `package.yaml`, which hpack must read first.
pub(crate) fn has_package_yaml_only(directory: Option<&Utf8Path>, environment: &Environment) -> bool {
    let start = directory.map_or_else(|| environment.cwd.clone(), |dir| environment.cwd.join(dir));
    let root = find_root(&start, environment.home.as_deref());
    root.is_some_and(|root| root.join("package.yaml").is_file() && entries_with_extension(&root, "cabal").is_empty())
}

/// Reads the user's own settings file.
///
/// # Errors
/// When they are not usable.
pub(crate) fn user_file(environment: &Environment) -> Result<SettingsFile, Error> {
    match &environment.config_file {
        Some(path) if path.exists() => settings::parse(&read(path)?, path),
        _ => Ok(SettingsFile::default()),
    }
}

/// A path with links resolved. When nothing is there, the path without dots.
pub(crate) fn real_path(path: &Utf8Path) -> Utf8PathBuf {
    let plain = |path: &Utf8Path| path.components().filter(|part| part.as_str() != ".").collect::<Utf8PathBuf>();
    path.canonicalize_utf8().unwrap_or_else(|_| plain(path))
}

/// The nearest `cabal.project` up to the home directory, as cabal looks for it; else the nearest package.
fn find_root(start: &Utf8Path, home: Option<&Utf8Path>) -> Option<Utf8PathBuf> {
    let mut package = None;
    for dir in ancestors(start, home) {
        let is_there = |path: &Utf8PathBuf| path.is_file() && !is_planted(path, start);
        if is_there(&dir.join("cabal.project")) {
            return Some(dir.to_owned());
        }
        let described = || entries_with_extension(dir, "cabal").into_iter().chain([dir.join("package.yaml")]);
        if package.is_none() && described().any(|path| is_there(&path)) {
            package = Some(dir.to_owned());
        }
    }
    package
}

/// A directory and those above it, up to the home directory.
fn ancestors<'a>(start: &'a Utf8Path, home: Option<&'a Utf8Path>) -> impl Iterator<Item = &'a Utf8Path> {
    let mut is_past_home = false;
    start.ancestors().take_while(move |dir| !std::mem::replace(&mut is_past_home, Some(*dir) == home))
}

/// Why a planted file is not heeded.
const PLANTED: &str = "it is another user's, in a directory that everybody can write to";

/// Whether a file above the directory where the user stands may have been put there by anybody: it is another user's, in
/// a directory that everybody can write to, such as `/tmp`. Where the user stands is the user's own choice.
fn is_planted(path: &Utf8Path, start: &Utf8Path) -> bool {
    let owners = [0, rustix::process::geteuid().as_raw()];
    let is_anybodys = |dir: &Utf8Path| fs_err::metadata(dir).is_ok_and(|meta| meta.mode() & 0o002 != 0);
    path.parent().is_some_and(|dir| dir != start && is_anybodys(dir))
        && fs_err::symlink_metadata(path).is_ok_and(|meta| !owners.contains(&meta.uid()))
}

/// A directory of `--source-dir`, with links resolved.
fn source_dir(dir: &Utf8Path, environment: &Environment) -> Result<Utf8PathBuf, Error> {
    let path = environment.cwd.join(dir);
    let real = path.canonicalize_utf8();
    let is_usable = |path: &Utf8PathBuf| path.is_dir() && path.parent().is_some();
    real.ok()
        .filter(is_usable)
        .ok_or_else(|| Error::usage(format!("`--source-dir {dir}` is no directory that can be seen")))
}

/// The names of the project's files, which `--project-file` may set.
#[derive(Clone, Debug)]
struct Names {
    project: String,
    is_named: bool,
}

impl Names {
    fn of(cabal_args: &[String]) -> Self {
        let joined = cabal_args.iter().rev().find_map(|arg| arg.strip_prefix("--project-file="));
        let apart =
            || cabal_args.windows(2).rev().find(|pair| pair[0] == "--project-file").map(|pair| pair[1].as_str());
        let named = joined.or_else(apart).filter(|name| !name.is_empty());
        Self { project: named.unwrap_or("cabal.project").to_owned(), is_named: named.is_some() }
    }
}

fn read_project(
    root: Utf8PathBuf,
    home: Option<&Utf8Path>,
    cabal_args: &[String],
    source_dirs: Vec<Utf8PathBuf>,
    world: &World<'_>,
) -> Result<Project, Error> {
    let names = Names::of(cabal_args);
    let mut inputs = Vec::new();
    let mut file = ProjectFile::default();
    for end in ["", ".freeze", ".local"] {
        read_project_file(&root.join(format!("{}{end}", names.project)), &mut file, &mut inputs, 0)?;
    }
    // Like cabal: a freeze file or local file alone lists no packages.
    if !names.is_named && !root.join("cabal.project").is_file() {
        file.packages.push("./".to_owned());
    }
    let mut found = Found::default();
    for pattern in &file.packages {
        world.exec.check()?;
        found.look(&root, pattern);
    }
    found.places.sort();
    found.places.dedup();

    let (mut packages, mut dirs, mut hpack) = (Vec::new(), Vec::new(), Vec::new());
    for place in found.places {
        let (dir, package) = match place {
            Place::CabalFile(path) => {
                let text = read(&path)?;
                let package = parse_package(&text, path.file_stem().unwrap_or_default());
                inputs.push((path.clone(), text));
                (path.parent().unwrap_or(&root).to_owned(), package)
            }
            Place::PackageYaml(dir) => {
                let text = generate(&dir, world)?;
                let package = parse_package(&text, dir.file_name().unwrap_or_default());
                inputs.push((dir.join("package.yaml"), text));
                hpack.push(dir.clone());
                (dir, package)
            }
        };
        let is_certain = !file.has_conditionals;
        packages.push(Package { dir: dir.clone(), is_certain, ..package });
        dirs.push(dir);
    }
    for archive in &found.archives {
        // Any change of the archive may change cabal's plan.
        let digest = sha256_of(archive).unwrap_or_default();
        inputs.push((archive.clone(), digest));
    }
    if packages.is_empty() && !found.has_unseen && found.archives.is_empty() && !file.has_foreign_packages {
        return Err(Error::usage(format!("`{root}` names no package"))
            .hint("list the packages in `cabal.project`: `packages: .`"));
    }
    let is_remote = |import: &String| import.contains("://");
    let has_unseen_packages = found.has_unseen
        || !found.archives.is_empty()
        || file.has_foreign_packages
        || file.imports.iter().any(is_remote);
    // Directories of `--source-dir` are mounted like those of packages.
    dirs.extend(source_dirs.iter().cloned());
    let (mut mounts, workdir) = mounts(&root, &dirs, &found.archives, home);
    // They are mounted at their full path too, because links may use it; but not where the image has its own
    // directories.
    let of_image =
        ["bin", "boot", "dev", "etc", "hsx", "lib", "lib64", "native", "proc", "run", "sbin", "src", "sys", "usr"];
    let is_free = |dir: &&Utf8PathBuf| dir.iter().nth(1).is_some_and(|first| !of_image.contains(&first));
    let whole =
        source_dirs.iter().filter(is_free).map(|dir| SourceMount { source: dir.clone(), target: dir.to_string() });
    mounts.extend(whole.collect::<Vec<_>>());
    let (repositories, unseen_repositories) =
        file.repositories.into_iter().partition(|path| mounts.iter().any(|mount| path.starts_with(&mount.source)));
    Ok(Project {
        packages,
        with_compiler: file.with_compiler,
        imports: file.imports,
        resolver: resolver(&root),
        settings: file.settings,
        has_unseen_packages,
        index_state: file.index_state,
        empty_packages: found.empty,
        stack: stack_project(&root, home),
        repositories,
        unseen_repositories,
        source_dirs,
        mounts,
        workdir,
        plan_inputs: inputs,
        hpack,
        root,
    })
}

/// Whether `.gitmodules` in a directory above lists this one.
fn is_submodule(root: &Utf8Path, dir: &Utf8Path) -> bool {
    root.ancestors()
        .filter(|top| top.join(".gitmodules").is_file())
        .any(|top| listed_submodules(top).contains(&plain(dir)))
}

/// The nearest `stack.yaml`, here or above. It is not read when there is a `cabal.project`.
fn stack_project(root: &Utf8Path, home: Option<&Utf8Path>) -> Option<StackProject> {
    let mut dirs = root.ancestors().take_while(|dir| Some(*dir) != home);
    let dir = dirs.find(|dir| dir.join("stack.yaml").is_file())?;
    if dir.join("cabal.project").is_file() {
        return None;
    }
    let text = read(&dir.join("stack.yaml")).ok()?;
    let mut lines = text.lines().skip_while(|line| line.trim_end() != "packages:").skip(1);
    let items = std::iter::from_fn(|| {
        lines.next()?.trim().strip_prefix("- ").map(|item| item.trim().trim_matches(['"', '\'']).to_owned())
    });
    let mut packages: Vec<_> = items.take(100).collect();
    if packages.is_empty() {
        packages.push(".".to_owned());
    }
    Some(StackProject { dir: dir.to_owned(), packages })
}

/// The snapshot that a `stack.yaml` beside the project names.
fn resolver(root: &Utf8Path) -> Option<String> {
    let text = read(&root.join("stack.yaml")).ok()?;
    let value =
        text.lines().find_map(|line| line.strip_prefix("resolver:").or_else(|| line.strip_prefix("snapshot:")))?;
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// Reads a project file, and the local files that it imports, into `file`. Later values win.
fn read_project_file(
    path: &Utf8Path,
    file: &mut ProjectFile,
    inputs: &mut Vec<(Utf8PathBuf, String)>,
    depth: usize,
) -> Result<(), Error> {
    // Nobody nests this deep. cabal reports an import that leads back to itself.
    if depth > 8 || !path.is_file() {
        return Ok(());
    }
    // A file that imports itself several times would be read exponentially often.
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
    file.imports.extend(parsed.imports);
    file.settings.extend(parsed.settings);
    file.repositories.extend(parsed.repositories);
    file.has_foreign_packages |= parsed.has_foreign_packages;
    file.has_conditionals |= parsed.has_conditionals;
    file.with_compiler = parsed.with_compiler.or(file.with_compiler.take());
    file.index_state = parsed.index_state.or(file.index_state.take());
    Ok(())
}

/// Where the description of a package is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    CabalFile(Utf8PathBuf),
    /// A directory with `package.yaml` and no `.cabal` file.
    PackageYaml(Utf8PathBuf),
}

/// Everything that the patterns of `packages:` match.
#[derive(Debug, Default)]
struct Found {
    places: Vec<Place>,
    /// Packages packed by `cabal sdist`.
    archives: Vec<Utf8PathBuf>,
    /// Some patterns name packages that are not on this machine.
    has_unseen: bool,
    /// Directories that are named but contain no package.
    empty: Vec<EmptyPackage>,
}

impl Found {
    /// Looks up a pattern: `.cabal` files, directories or archives, with `*` and `{a,b}` in any component.
    fn look(&mut self, root: &Utf8Path, pattern: &str) {
        if pattern.contains("://") {
            self.has_unseen = true;
            return;
        }
        for pattern in alternatives(pattern) {
            // hpack has not written this file yet.
            let of_file = Utf8Path::new(&pattern);
            let of_file = of_file.file_name().filter(|_| of_file.extension() == Some("cabal"));
            if let Some(name) = of_file
                && expand(root, &pattern).is_empty()
            {
                let dirs = expand(root, pattern.strip_suffix(name).unwrap_or_default());
                self.places.extend(dirs.into_iter().filter(|dir| is_hpacks(dir)).map(Place::PackageYaml));
            }
            for path in expand(root, &pattern) {
                if path.as_str().ends_with(".tar.gz") {
                    self.archives.extend(path.is_file().then_some(path));
                } else if path.is_file() {
                    self.places.extend((path.extension() == Some("cabal")).then_some(Place::CabalFile(path)));
                } else if is_hpacks(&path) {
                    self.places.push(Place::PackageYaml(path));
                } else {
                    let files = entries_with_extension(&path, "cabal");
                    if files.is_empty() && !pattern.contains('*') {
                        let is_submodule = is_submodule(root, &path);
                        let path = pattern.trim_end_matches('/').trim_start_matches("./").to_owned();
                        self.empty.push(EmptyPackage { path, is_submodule });
                    }
                    self.places.extend(files.into_iter().map(Place::CabalFile));
                }
            }
        }
    }
}

/// Whether a directory has a `package.yaml` and no `.cabal` file.
fn is_hpacks(dir: &Utf8Path) -> bool {
    dir.join("package.yaml").is_file() && entries_with_extension(dir, "cabal").is_empty()
}

/// The alternatives of a pattern with braces, as in cabal's globs: `./{a,b}/*.cabal`.
fn alternatives(pattern: &str) -> Vec<String> {
    /// No real pattern has this many.
    const LIMIT: usize = 1000;
    let mut done = Vec::new();
    let mut todo = vec![pattern.to_owned()];
    while let Some(pattern) = todo.pop() {
        let braces = pattern.find('{').and_then(|start| Some((start, start + pattern[start..].find('}')?)));
        match braces {
            Some((start, end)) if done.len() + todo.len() < LIMIT => {
                let inner = pattern[start + 1..end].split(',').rev();
                todo.extend(inner.map(|one| format!("{}{}{}", &pattern[..start], one.trim(), &pattern[end + 1..])));
            }
            _ => done.push(pattern),
        }
    }
    done
}

fn expand(root: &Utf8Path, pattern: &str) -> Vec<Utf8PathBuf> {
    let absolute = pattern.starts_with('/');
    let mut paths = vec![if absolute { Utf8PathBuf::from("/") } else { root.to_owned() }];
    // A file tree can be huge, and a pattern can lead through it many times.
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

/// The items, until `left` is used up.
fn counted<T>(items: impl Iterator<Item = T>, left: &mut usize) -> impl Iterator<Item = T> {
    items.take_while(move |_| {
        *left = left.saturating_sub(1);
        *left > 0
    })
}

/// The files below a directory that the patterns of `data-files:` match. `**` is any number of directories.
pub(crate) fn data_files(dir: &Utf8Path, patterns: &[String]) -> Vec<Utf8PathBuf> {
    let inside =
        patterns.iter().filter(|pattern| !pattern.starts_with('/') && !pattern.split('/').any(|part| part == ".."));
    let mut files: Vec<_> = inside.flat_map(|pattern| expand(dir, pattern)).collect();
    files.sort();
    files.dedup();
    files
}

/// Links in the directories that lead out of all of them: the link, and its target. Only the first few are returned.
pub(crate) fn leading_out(dirs: &[Utf8PathBuf]) -> Vec<(Utf8PathBuf, Utf8PathBuf)> {
    const ENTRIES: usize = 100_000;
    const LINKS: usize = 3;
    let is_source = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_str().unwrap_or_default();
        entry.depth() == 0 || ![".git", "dist-newstyle", "dist-static", ".stack-work", ".direnv"].contains(&name)
    };
    let walk = dirs.iter().flat_map(|dir| WalkDir::new(dir).sort_by_file_name().into_iter().filter_entry(is_source));
    let links = walk.take(ENTRIES).filter_map(Result::ok).filter(walkdir::DirEntry::path_is_symlink);
    let paths = links.filter_map(|entry| Utf8PathBuf::from_path_buf(entry.into_path()).ok());
    let out = paths.filter_map(|link| {
        let to = link.canonicalize_utf8().ok().filter(|to| !dirs.iter().any(|dir| to.starts_with(dir)))?;
        Some((link, to))
    });
    out.take(LINKS).collect()
}

/// A directory and all directories below it, except hidden ones and the output of cabal and hsx.
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
    // A directory called just `.cabal` is cabal's old home.
    entries(dir).filter(|path| path.extension() == Some(extension) && path.is_file()).collect()
}

/// Whether a name matches a pattern with `*`. Text between two stars is matched at its first occurrence: a later one
/// would leave less for the rest of the pattern.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = name.strip_prefix(first).and_then(|name| name.strip_suffix(last));
    let after = |name: &str, part: &str| name.find(part).map(|at| at + part.len());
    inner.is_some_and(|name| {
        middle.split('*').try_fold(name, |name, part| after(name, part).map(|at| &name[at..])).is_some()
    })
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

/// Everything that the container must see: the project with its repository, packages outside it with theirs, and
/// archives.
fn mounts(
    root: &Utf8Path,
    packages: &[Utf8PathBuf],
    archives: &[Utf8PathBuf],
    home: Option<&Utf8Path>,
) -> (Vec<SourceMount>, String) {
    let (mut roots, mut fixed) = (Vec::new(), Vec::new());
    let mut git_dirs = Vec::new();
    for dir in [root.to_owned()].iter().chain(packages.iter().filter(|dir| !dir.starts_with(root))) {
        let Some(top) = dir.ancestors().find(|dir| dir.join(".git").exists()) else {
            roots.push(dir.clone());
            continue;
        };
        // A home directory that is kept in git is not mounted whole.
        let whole = home.is_none_or(|home| !home.starts_with(top));
        roots.push(if whole { top.to_owned() } else { dir.clone() });
        git_dirs.extend([top.join(".git")]);
        // The git directory of a submodule in a worktree is inside that of the main repository.
        let submodules = submodules(top);
        let outside = outside_git_dir(top).into_iter().chain(submodules.iter().filter_map(|dir| outside_git_dir(dir)));
        for git_dir in outside {
            match git_dir {
                GitDir::Absolute(path) => {
                    git_dirs.push(path.clone());
                    fixed.push(SourceMount { target: path.to_string(), source: path });
                }
                GitDir::Relative(path) => {
                    git_dirs.push(path.clone());
                    roots.push(path);
                }
            }
        }
    }
    // An archive outside all mounted directories is mounted alone, at its own place.
    let is_outside = |archive: &&Utf8PathBuf| !roots.iter().any(|root| archive.starts_with(root));
    let alone: Vec<_> = archives.iter().filter(is_outside).cloned().collect();
    roots.extend(alone);
    let (mut mounts, workdir) = lay_out(root, &roots);
    for git_dir in &git_dirs {
        fixed
            .extend(alternates(git_dir).into_iter().map(|path| SourceMount { target: path.to_string(), source: path }));
    }
    fixed.sort_by(|a, b| a.target.cmp(&b.target));
    fixed.dedup();
    fixed.retain(|mount| !mounts.contains(mount));
    mounts.extend(fixed);
    (mounts, workdir)
}

/// The directories that `.gitmodules` lists and that are checked out.
fn submodules(top: &Utf8Path) -> Vec<Utf8PathBuf> {
    listed_submodules(top).into_iter().filter(|dir| dir.join(".git").is_file()).collect()
}

fn listed_submodules(top: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(text) = read(&top.join(".gitmodules")) else { return Vec::new() };
    let paths = text.lines().filter_map(|line| line.trim().strip_prefix("path")?.trim().strip_prefix('='));
    paths.map(|path| plain(&top.join(path.trim()))).filter(|dir| dir.starts_with(top)).collect()
}

/// The object directories that a repository borrows from others (`git clone --shared`, `--reference`). A path counts
/// only if it is the object directory of a repository. Git follows the path as it is written.
fn alternates(git_dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(text) = read(&git_dir.join("objects/info/alternates")) else { return Vec::new() };
    let is_objects = |path: &Utf8PathBuf| {
        let is_repository = path.parent().is_some_and(|git_dir| git_dir.join("HEAD").is_file());
        path.is_absolute() && path.file_name() == Some("objects") && path.is_dir() && is_repository
    };
    text.lines().take(16).map(Utf8PathBuf::from).filter(is_objects).collect()
}

/// A git directory outside the work tree, which the `.git` file names.
enum GitDir {
    /// The directory of a worktree. Git follows the path as written, so it must exist in the container.
    Absolute(Utf8PathBuf),
    /// The directory of a submodule. Only its place relative to the work tree matters.
    Relative(Utf8PathBuf),
}

/// Where the `.git` file of a work tree leads (gitrepository-layout(5)): the git directory that all worktrees share.
fn outside_git_dir(top: &Utf8Path) -> Option<GitDir> {
    let text = read::text(top.join(".git")).ok()?;
    let named = Utf8Path::new(text.trim().strip_prefix("gitdir:")?.trim());
    let git_dir = top.join(named).canonicalize_utf8().ok()?;
    let common = read::text(git_dir.join("commondir")).ok();
    let common = common.and_then(|path| git_dir.join(path.trim()).canonicalize_utf8().ok()).unwrap_or(git_dir);
    Some(if named.is_absolute() { GitDir::Absolute(common) } else { GitDir::Relative(common) })
}

/// Reads a file of the project. Invalid UTF-8 is replaced, as cabal does.
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

    /// Creates a directory tree from `PATH` or `PATH=TEXT` words.
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
        let files = |pattern| {
            let mut found = Found::default();
            found.look(&root, pattern);
            found.places
        };
        let cabal = |path: &str| Place::CabalFile(root.join(path));
        assert_eq!(files("./a"), [cabal("a/a.cabal")]);
        assert_eq!(files("a/a.cabal"), [cabal("a/a.cabal")]);
        assert_eq!(files("*/"), [cabal("a/a.cabal"), Place::PackageYaml(root.join("b"))]);
        assert_eq!(files("*/*.cabal"), [cabal("a/a.cabal")]);
        assert_eq!(files("**/*.cabal"), [cabal("a/a.cabal"), cabal("deep/er/d.cabal")]);
        assert_eq!(files("{a,c,deep/er}/*.cabal"), [cabal("a/a.cabal"), cabal("deep/er/d.cabal")]);
        assert_eq!(files("b/*.cabal"), [Place::PackageYaml(root.join("b"))]);
        assert_eq!(files("b/b.cabal"), [Place::PackageYaml(root.join("b"))]);
        assert_eq!(files("https://example.org/x.tar.gz"), []);
    }

    #[test]
    fn a_worktree_brings_its_repository() {
        let (_guard, root) = tree(&["main/.git/worktrees/w/commondir=../..", "w/demo.cabal"]);
        let git_file = format!("gitdir: {root}/main/.git/worktrees/w\n");
        fs_err::write(root.join("w/.git"), git_file).unwrap();
        let (mounts, workdir) = mounts(&root.join("w"), &[root.join("w")], &[], None);
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
        let (mounts, workdir) = mounts(&root.join("mono/app"), &[root.join("mono/app"), root.join("lib")], &[], None);
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.as_str()).collect();
        assert_eq!(targets, ["/src/lib", "/src/mono"]);
        assert_eq!(workdir, "/src/mono/app");
    }

    #[test]
    fn an_archive_beside_the_project_is_mounted_alone() {
        let (_guard, root) = tree(&["app/app.cabal", "vendor/x-1.tar.gz", "vendor/secret"]);
        let mut found = Found::default();
        found.look(&root.join("app"), "../vendor/*.tar.gz");
        assert_eq!(found.archives, [root.join("vendor/x-1.tar.gz")]);
        let (mounts, workdir) = mounts(&root.join("app"), &[root.join("app")], &found.archives, None);
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.as_str()).collect();
        assert_eq!(targets, ["/src/app", "/src/vendor/x-1.tar.gz"]);
        assert_eq!(workdir, "/src/app");
    }

    #[test]
    fn a_submodule_of_a_worktree_brings_its_repository() {
        let (_guard, root) = tree(&[
            "main/.git/worktrees/w/commondir=../..",
            "main/.git/worktrees/w/modules/sub/HEAD=x",
            "w/.gitmodules=[submodule \"sub\"]\n\tpath = sub\n",
            "w/sub/.git=gitdir: ../../main/.git/worktrees/w/modules/sub\n",
            "w/demo.cabal",
        ]);
        fs_err::write(root.join("w/.git"), format!("gitdir: {root}/main/.git/worktrees/w\n")).unwrap();
        let (mounts, workdir) = mounts(&root.join("w"), &[root.join("w")], &[], None);
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.as_str()).collect();
        let repository = root.join("main/.git");
        assert_eq!(targets, ["/src/main/.git/worktrees/w/modules/sub", "/src/w", repository.as_str()]);
        assert_eq!(workdir, "/src/w");
    }

    #[test]
    fn borrowed_objects_are_mounted_where_they_are() {
        let (_guard, root) =
            tree(&["other/.git/HEAD=x", "other/.git/objects/aa/b", "no/objects/x", "p/.git/HEAD=x", "p/p.cabal"]);
        let text = format!("{root}/other/.git/objects\n{root}/no/objects\n../relative\n");
        fs_err::create_dir_all(root.join("p/.git/objects/info")).unwrap();
        fs_err::write(root.join("p/.git/objects/info/alternates"), text).unwrap();
        let (mounts, _) = mounts(&root.join("p"), &[root.join("p")], &[], None);
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.as_str()).collect();
        assert_eq!(targets, ["/src", root.join("other/.git/objects").as_str()]);
    }

    #[test]
    fn links_that_lead_out_are_found() {
        let (_guard, root) = tree(&["p/src/x", "p/.git/x", "shared/y", "lib/z"]);
        for (link, to) in
            [("p/src/in", "x"), ("p/src/out", "../../shared"), ("p/gone", "/none/such"), ("p/lib", "../lib")]
        {
            std::os::unix::fs::symlink(to, root.join(link)).unwrap();
        }
        let found = leading_out(&[root.join("p"), root.join("lib")]);
        assert_eq!(found, [(root.join("p/src/out"), root.join("shared"))]);
    }

    #[test]
    fn the_project_file_is_the_one_that_cabal_is_told() {
        for (args, name) in [
            (&[][..], "cabal.project"),
            (&["--project-file=ci.project"], "ci.project"),
            (&["--project-file", "x/ci.project", "-v"], "x/ci.project"),
        ] {
            let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
            assert_eq!(Names::of(&args).project, name);
        }
    }

    #[test]
    fn files_of_any_encoding_are_read_and_no_device_is() {
        let (_guard, root) = tree(&["x"]);
        fs_err::write(root.join("x"), b"author: M\xfcller\n").unwrap();
        assert_eq!(read(&root.join("x")).unwrap(), "author: M\u{fffd}ller\n");
        assert!(read("/dev/zero".into()).is_err());
        fs_err::write(root.join("x"), vec![b' '; (8 << 20) + 1]).unwrap();
        assert!(read(&root.join("x")).is_err());
    }
}
