//! Reads the project and the settings files from disk.

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use super::mounts::{self, Refused, Wanted, listed_submodules};
use crate::args::BuilderArgs;
use crate::base::cmd::Cmd;
use crate::base::digest::hash;
use crate::base::error::Error;
use crate::base::harmless;
use crate::project::hpack::{self, HpackPackage, is_package_name};
use crate::project::target::plain;
use crate::project::{
    EmptyPackage, Package, Project, ProjectFile, SourceMount, StackProject, parse_package, parse_project_file, starts,
};
use crate::settings::lockfile::{self, Lockfile};
use crate::settings::{self, SettingsFile};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::pieces::sha256_of;
use crate::world::doors::read;
use crate::world::doors::state::AGREED;

/// How many project files are read: `cabal.project` and everything that it imports.
const FILES: usize = 100;

/// How deep imports may be nested: deeper than anybody does it.
const DEPTH: usize = 8;

/// How many files and directories one pattern of `packages:` may visit.
const LOOKED_AT: usize = 100_000;

/// The project and the settings as the files have them, before anything is decided.
pub(crate) struct ProjectFiles {
    pub project: Project,
    pub project_file: SettingsFile,
    pub user_file: SettingsFile,
}

/// What a project is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A build, which is shown what the project names outside of itself, if the user agrees.
    Build,
    /// Only to know about it: no container is shown anything, and nobody is asked.
    Look,
}

/// Finds and reads the project at or above a directory.
///
/// # Errors
/// When there is no project, or one of its files is not usable, or it names something outside of itself that the user
/// has not agreed to show.
pub(crate) fn load(args: &BuilderArgs, purpose: Purpose, world: &World<'_>) -> Result<ProjectFiles, Error> {
    let environment = world.environment;
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
    let agreed = agreed(&args.allow_mounts, &user_file, environment)?;
    let mut project = read_project(root, &cabal_args, &Outside { dirs, agreed, purpose }, world)?;
    if args.cabal_args.is_empty() {
        project.starts.extend(starts::of_cabal_args(project_file.cabal_args()));
    }
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

/// What the user says about the world outside of the project.
struct Outside {
    /// The directories of `--source-dir`.
    dirs: Vec<Utf8PathBuf>,
    /// What builds may be shown, with links resolved.
    agreed: Vec<Utf8PathBuf>,
    purpose: Purpose,
}

/// What the user has agreed to show: what was typed, and what is in the user's file.
fn agreed(
    typed: &[Utf8PathBuf],
    user_file: &SettingsFile,
    environment: &Environment,
) -> Result<Vec<Utf8PathBuf>, Error> {
    let typed = typed.iter().map(|path| {
        let real = environment.cwd.join(path).canonicalize_utf8();
        real.map_err(|error| Error::usage(format!("`--allow-mount {path}` leads nowhere")).said(&error.to_string()))
    });
    let listed = user_file.allow_mounts().iter().map(|path| {
        let below_home = path.strip_prefix("~").ok().and_then(|below| Some(environment.home.as_ref()?.join(below)));
        let path = below_home.unwrap_or_else(|| path.clone());
        if path.is_absolute() {
            // It may be of another machine that has the same settings.
            return Ok(real_path(&path));
        }
        Err(Error::usage(format!("`{path}` in `allow-mounts` of your `config.toml` is no full path")))
    });
    typed.chain(listed).collect()
}

/// The error for what the user has not agreed to show.
fn not_agreed(root: &Utf8Path, refused: &[Refused]) -> Error {
    let mut error = Error::usage(format!("`{root}` names what lies outside of it, and you have not agreed to show it"));
    error.said = refused.iter().map(|refused| format!("{}: {}", refused.path, refused.reason)).collect();
    let flags = refused.iter().flat_map(|refused| ["--allow-mount", refused.path.as_str()]);
    let words: Vec<_> = flags.map(|word| Cmd::new(word).to_string()).collect();
    let listed: Vec<_> = refused.iter().map(|refused| toml::Value::from(refused.path.as_str()).to_string()).collect();
    error
        .hint(format!("a build can read all that it is shown. If this may be, add `{}`", words.join(" ")))
        .hint(format!("for good: `allow-mounts = [{}]` in your `config.toml`", listed.join(", ")))
}

/// Asks the user to agree, where there is a terminal, and remembers the answer.
fn ask(root: &Utf8Path, refused: &[Refused], world: &World<'_>) -> bool {
    let lines = refused
        .iter()
        .map(|refused| format!("  {}\n", harmless::line(&format!("{}: {}", refused.path, refused.reason))));
    let about = format!("`{root}` names what lies outside of it:\n{}", lines.collect::<String>());
    let answer = world.ui.confirm(&about, "May its builds read this, now and later?");
    if answer == Some(true) {
        for Refused { path, .. } in refused {
            world.state.remember(&AGREED, &agreement(root, path), &path.to_string());
        }
    }
    answer == Some(true)
}

/// The name under which an agreement is remembered.
fn agreement(root: &Utf8Path, path: &Utf8Path) -> String {
    hash(&[root.as_str(), path.as_str()])
}

/// Finds what the project's builds are shown, and asks the user about what needs an agreement.
///
/// # Errors
/// When the user does not agree.
fn shown(wanted: Wanted<'_>, purpose: Purpose, world: &World<'_>) -> Result<mounts::Shown, Error> {
    let Wanted { root, agreed, .. } = wanted;
    let mut agreed = agreed.to_vec();
    let mut found = mounts::find(wanted);
    let is_remembered = |refused: &Refused| {
        world.state.recall(&AGREED, &agreement(root, &refused.path)) == Some(refused.path.to_string())
    };
    // With a directory, new things may come into sight, such as what a repository borrows.
    while purpose == Purpose::Build && !found.refused.is_empty() {
        let (remembered, open): (Vec<_>, Vec<_>) = found.refused.into_iter().partition(is_remembered);
        if remembered.is_empty() && !ask(root, &open, world) {
            return Err(not_agreed(root, &open));
        }
        let more = if remembered.is_empty() { open } else { remembered };
        agreed.extend(more.into_iter().map(|refused| refused.path));
        found = mounts::find(Wanted { agreed: &agreed, ..wanted });
    }
    Ok(found)
}

fn read_project(
    root: Utf8PathBuf,
    cabal_args: &[String],
    outside: &Outside,
    world: &World<'_>,
) -> Result<Project, Error> {
    let home = world.environment.home.as_deref();
    let names = Names::of(cabal_args);
    // The container has the project at another place, and cabal looks for it where it is started.
    if cabal_args.iter().any(|arg| arg == "--project-dir" || arg.starts_with("--project-dir=")) {
        return Err(
            Error::usage("`--project-dir` is for cabal on this machine").hint("`--directory DIR` names the project")
        );
    }
    let mut inputs = Vec::new();
    let mut file = ProjectFile::default();
    for end in ["", ".freeze", ".local"] {
        read_project_file(&root.join(format!("{}{end}", names.project)), &mut file, &mut inputs, 0)?;
    }
    // Like cabal: a freeze file or local file alone lists no packages.
    if !names.is_named && !root.join("cabal.project").is_file() {
        file.packages.push("./".to_owned());
    }
    let starts = started(&root, &inputs, file.is_cut);
    let mut found = Found::default();
    for pattern in &file.packages {
        world.exec.check()?;
        found.look(&root, pattern);
    }
    found.places.sort();
    found.places.dedup();

    let dirs: Vec<_> = found.places.iter().map(|place| place.dir().to_owned()).collect();
    let mounts::Shown { mut mounts, workdir, agreed, refused } = shown(
        Wanted {
            root: &root,
            packages: &dirs,
            archives: &found.archives,
            source_dirs: &outside.dirs,
            agreed: &outside.agreed,
            home,
        },
        outside.purpose,
        world,
    )?;
    let (mut packages, mut hpack) = (Vec::new(), Vec::new());
    for place in found.places {
        let (dir, package) = match place {
            Place::CabalFile(path) => {
                let text = read(&path)?;
                let package = parse_package(&text, path.file_stem().unwrap_or_default());
                inputs.push((path.clone(), text));
                (path.parent().unwrap_or(&root).to_owned(), package)
            }
            Place::PackageYaml(dir) if refused.iter().any(|refused| dir.starts_with(&refused.path)) => continue,
            Place::PackageYaml(dir) => {
                let seen = || mounts.iter().map(|mount| &mount.source).chain(&outside.agreed);
                let text = generate(&dir, &|path| is_below(path, seen()), world)?;
                let package = parse_package(&text, dir.file_name().unwrap_or_default());
                inputs.push((dir.join("package.yaml"), text));
                let covering = mounts.iter().map(|mount| &mount.source).find(|top| dir.starts_with(top));
                let top = covering.unwrap_or(&dir).clone();
                hpack.push(HpackPackage { top, dir: dir.clone(), name: package.name.clone() });
                (dir, package)
            }
        };
        let is_certain = !file.has_conditionals;
        packages.push(Package { dir, is_certain, ..package });
    }
    for archive in &found.archives {
        // Any change of the archive may change cabal's plan.
        let digest = sha256_of(archive).unwrap_or_default();
        inputs.push((archive.clone(), digest));
    }
    if packages.is_empty() && !found.has_unseen && found.archives.is_empty() && !file.has_foreign_packages {
        return Err(Error::usage(format!("`{root}` names no package"))
            .hint(format!("list the packages in `{}`: `packages: .`", names.project)));
    }
    let is_remote = |import: &String| import.contains("://");
    let has_unseen_packages = found.has_unseen
        || !found.archives.is_empty()
        || file.has_foreign_packages
        || file.imports.iter().any(is_remote);
    mounts.extend(source_dir_mounts(&outside.dirs));
    let (repositories, unseen_repositories) =
        file.repositories.into_iter().partition(|path| mounts.iter().any(|mount| path.starts_with(&mount.source)));
    let amended = file.amended;
    let mut project = Project {
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
        source_dirs: outside.dirs.clone(),
        agreed,
        mounts,
        workdir,
        plan_inputs: inputs,
        hpack,
        starts,
        root,
    };
    mount_amended(amended, &mut project, world)?;
    Ok(project)
}

/// Directories of `--source-dir` are mounted at their full path too, because links may use it; but not where the image
/// has its own directories.
fn source_dir_mounts(dirs: &[Utf8PathBuf]) -> impl Iterator<Item = SourceMount> {
    let of_image =
        ["bin", "boot", "dev", "etc", "hsx", "lib", "lib64", "native", "proc", "run", "sbin", "src", "sys", "usr"];
    let is_free = move |dir: &&Utf8PathBuf| dir.iter().nth(1).is_some_and(|first| !of_image.contains(&first));
    dirs.iter().filter(is_free).map(|dir| SourceMount {
        source: dir.clone(),
        target: dir.to_string(),
        reason: "`--source-dir`".to_owned(),
    })
}

/// Shows builds other texts in place of project files that are in the way of a static build.
fn mount_amended(amended: Vec<(Utf8PathBuf, String)>, project: &mut Project, world: &World<'_>) -> Result<(), Error> {
    for (path, text) in amended {
        if let Some(target) = project.place_of(&path) {
            let source = world.state.file_with(&text)?;
            let reason = format!("`{path}`, without what is in the way of a static build");
            project.mounts.push(SourceMount { source, target: target.into_string(), reason });
        }
    }
    Ok(())
}

/// What the project files may make cabal start, and files of the project that cabal may take for its compiler.
/// `is_cut`: not all imports were read.
fn started(root: &Utf8Path, files: &[(Utf8PathBuf, String)], is_cut: bool) -> Vec<String> {
    let compilers = entries(root).filter_map(|path| path.file_name().map(str::to_owned));
    let compilers = compilers.filter(|name| starts::is_compilers(name)).map(|name| format!("the file `{name}`"));
    let of_files = files.iter().flat_map(|(path, text)| {
        let name = path.strip_prefix(root).unwrap_or(path);
        let mut found = starts::of_project_file(name.as_str(), text);
        // Versions of cabal differ in where a path in an imported file begins.
        if path.parent() != Some(root) && !parse_project_file(text).imports.is_empty() {
            found.push(format!("an `import:` in {name}, which hsx cannot judge"));
        }
        found
    });
    let cut = || "imports that are nested deeper than hsx reads".to_owned();
    of_files.chain(compilers).chain(is_cut.then(cut)).collect()
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
    // cabal reports an import that leads back to itself.
    if depth > DEPTH || !path.is_file() {
        file.is_cut |= depth > DEPTH;
        return Ok(());
    }
    // A file that imports itself several times would be read exponentially often.
    if inputs.len() >= FILES {
        return Err(Error::usage(format!("`{path}` is one of more than {FILES} project files that import each other")));
    }
    let text = read(path)?;
    let mut parsed = parse_project_file(&text);
    file.amended.extend(parsed.amend(&text).map(|amended| (path.to_owned(), amended)));
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

impl Place {
    fn dir(&self) -> &Utf8Path {
        match self {
            Self::CabalFile(path) => path.parent().unwrap_or(path),
            Self::PackageYaml(dir) => dir,
        }
    }
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

/// Whether a path leads below one of some directories, whatever links are in it.
fn is_below<'a>(path: &Utf8Path, mut dirs: impl Iterator<Item = &'a Utf8PathBuf>) -> bool {
    path.canonicalize_utf8().is_ok_and(|path| dirs.any(|dir| path.starts_with(real_path(dir))))
}

/// Fails if hpack would read what `may_read` refuses, or ask the network.
fn judge_defaults(file: &Utf8Path, may_read: &dyn Fn(&Utf8Path) -> bool, depth: usize) -> Result<(), Error> {
    let yourself = "where you trust it, run `hpack` yourself: hsx takes the `.cabal` file that is there";
    if fs_err::symlink_metadata(file).is_err() {
        // hpack says that it is missing.
        return Ok(());
    }
    if !may_read(file) || depth > DEPTH {
        return Err(Error::usage(format!("`{file}` leads out of the project")).hint(yourself));
    }
    let text = read(file)?;
    let paths = hpack::defaults(&text).map_err(|line| {
        Error::usage(format!("`{file}` has defaults that hsx does not let hpack follow")).said(line).hint(yourself)
    })?;
    let dir = file.parent().unwrap_or(file);
    paths.into_iter().try_for_each(|path| judge_defaults(&dir.join(path), may_read, depth + 1))
}

/// What hpack makes of the `package.yaml` in a directory.
fn generate(dir: &Utf8Path, may_read: &dyn Fn(&Utf8Path) -> bool, world: &World<'_>) -> Result<String, Error> {
    if world.environment.find("hpack").is_none() {
        return Err(Error::usage(format!(
            "`{dir}` has a `package.yaml` and no `.cabal` file, and hpack is not on PATH"
        ))
        .hint("install it with `cabal install hpack`, or write the `.cabal` file and keep it in git"));
    }
    judge_defaults(&dir.join("package.yaml"), may_read, 0)?;
    let cmd = HpackPackage::show(dir);
    let answer = world.exec.capture(&cmd)?;
    if answer.success() {
        let name = parse_package(&answer.stdout, dir.file_name().unwrap_or_default()).name;
        if !is_package_name(&name) {
            return Err(Error::usage(format!(
                "`{dir}/package.yaml` names the package `{name}`, which is no name of one"
            )));
        }
        return Ok(answer.stdout);
    }
    Err(Error::usage(format!("`{dir}/package.yaml` is not usable")).tried(cmd.to_string()).said(&answer.stderr))
}

/// Reads a file of the project. Invalid UTF-8 is replaced, as cabal does.
fn read(path: &Utf8Path) -> Result<String, Error> {
    read::text(path).map_err(|error| Error::usage(format!("`{path}` cannot be read")).said(&error.to_string()))
}

#[cfg(test)]
pub(super) mod tests {
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

    /// Creates a directory tree from `PATH` or `PATH=TEXT` words; `ROOT` in a text stands for the tree's place.
    pub(in super::super) fn tree(files: &[&str]) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        for file in files {
            let (path, text) = file.split_once('=').unwrap_or((file, ""));
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text.replace("ROOT", root.as_str())).unwrap();
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
