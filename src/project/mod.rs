//! A Haskell project as hsx guesses it before cabal has run: its packages, executables and compiler. Also what else
//! belongs to a project: freeze files, the image it is built in, and the files of a new one. cabal decides which
//! packages and components there are. What is read here is for messages, for mounts, and for the choice of GHC. No file
//! is opened here: text comes in, facts go out.

mod fields;
mod files;
pub(crate) mod freeze;
pub(crate) mod ghc;
pub(crate) mod hpack;
pub(crate) mod image;
mod package;
pub(crate) mod starts;
pub(crate) mod target;
pub(crate) mod template;
mod tested_with;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::base::error::Error;
pub(crate) use files::{ProjectFile, Setting, parse_package, parse_project_file};
use hpack::HpackPackage;
pub(crate) use package::{ComponentKind, Executable, Package};
use target::{Target, plain};

/// A project, and everything that the container must see of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Project {
    /// The directory of `cabal.project`, or of the only `.cabal` file.
    pub root: Utf8PathBuf,
    pub packages: Vec<Package>,
    /// `with-compiler:` of the project files.
    pub with_compiler: Option<String>,
    /// What the project files import, as written.
    pub imports: Vec<String>,
    /// `resolver:` of a `stack.yaml` beside them.
    pub resolver: Option<String>,
    /// Settings of the project files that are for the developer's machine, or in the way of a static build.
    pub settings: Vec<Setting>,
    /// Whether there are packages that only cabal can find: from git, from elsewhere, in archives, or in files that hsx
    /// cannot read.
    pub has_unseen_packages: bool,
    /// `index-state:`, where it is a time; in ISO 8601, so that times compare as text.
    pub index_state: Option<String>,
    /// Places that `packages:` names, but where there is no package.
    pub empty_packages: Vec<EmptyPackage>,
    /// A project of stack, in this directory or above it.
    pub stack: Option<StackProject>,
    /// Package repositories in directories that the container sees under other paths than those in the project files.
    pub repositories: Vec<Utf8PathBuf>,
    /// Package repositories in directories that the container does not see.
    pub unseen_repositories: Vec<Utf8PathBuf>,
    /// The directories outside the project that `--source-dir` names.
    pub source_dirs: Vec<Utf8PathBuf>,
    /// What is mounted only because the user has agreed to it.
    pub agreed: Vec<Utf8PathBuf>,
    /// Host directories to mount, and where.
    pub mounts: Vec<SourceMount>,
    /// The project root inside the container.
    pub workdir: String,
    /// Paths and contents of all files that decide cabal's plan. They tell whether a project has changed.
    pub plan_inputs: Vec<(Utf8PathBuf, String)>,
    /// Packages whose `.cabal` file hpack must make first.
    pub hpack: Vec<HpackPackage>,
    /// What the project's files may make cabal start on the machine that it runs on, for messages.
    pub starts: Vec<String>,
}

/// A directory that should be a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmptyPackage {
    /// The path, as written.
    pub path: String,
    /// Whether `.gitmodules` lists it.
    pub is_submodule: bool,
}

/// What a `stack.yaml` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StackProject {
    pub dir: Utf8PathBuf,
    /// Its `packages:`, as written; `.` if it lists none.
    pub packages: Vec<String>,
}

/// A host directory of the project, and its place in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SourceMount {
    pub source: Utf8PathBuf,
    pub target: String,
    /// Why the container is shown it, for people.
    pub reason: String,
}

/// What to build: targets for cabal, and the executables or test suites that the project's files suggest for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Selection {
    pub targets: Vec<Target>,
    /// A guess: cabal's plan decides.
    pub guess: Vec<Executable>,
}

impl Selection {
    /// The targets as cabal takes them.
    pub(crate) fn words(&self) -> Vec<String> {
        self.targets.iter().map(|target| target.spelled.clone()).collect()
    }
}

impl Project {
    /// The project's name for people: that of its only package, or of its directory.
    pub(crate) fn name(&self) -> &str {
        match self.packages.as_slice() {
            [package] => &package.name,
            _ => self.root.file_name().unwrap_or("project"),
        }
    }

    /// The text of its freeze file, if it has one.
    pub(crate) fn freeze_file(&self) -> Option<&str> {
        let path = self.root.join(freeze::FILE);
        self.plan_inputs.iter().find(|(input, _)| *input == path).map(|(_, text)| text.as_str())
    }

    /// Makes the container see another file in place of one in the project's directory.
    pub(crate) fn hide(&mut self, name: &str, by: Utf8PathBuf) {
        let target = format!("{}/{name}", self.workdir);
        self.mounts.push(SourceMount { source: by, target, reason: format!("instead of `{name}`") });
    }

    /// The host directory that is mounted at [`SOURCE`], and the project's path below it.
    pub(crate) fn place(&self) -> (&Utf8Path, String) {
        let below = self.workdir.strip_prefix(SOURCE).unwrap_or_default().trim_start_matches('/');
        let depth = below.split('/').filter(|part| !part.is_empty()).count();
        (self.root.ancestors().nth(depth).unwrap_or(&self.root), below.to_owned())
    }

    /// The components of a kind that the project's files name.
    pub(crate) fn components(&self, kind: ComponentKind) -> impl Iterator<Item = Executable> {
        self.packages
            .iter()
            .flat_map(move |package| kind.stanzas(package).iter().map(|stanza| package.component(&stanza.name)))
    }

    /// Reads targets as cabal spells them. An empty list means every executable.
    ///
    /// # Errors
    /// When one cannot stand for an executable, or two executables would get one file name.
    pub(crate) fn select(&self, targets: &[String]) -> Result<Selection, Error> {
        let selection = self.select_of(ComponentKind::Executable, targets)?;
        let certain: Vec<_> = selection.guess.iter().filter(|exe| self.is_certain(exe)).cloned().collect();
        one_of_each_name(&certain)?;
        Ok(selection)
    }

    /// Whether nothing in the project's files says that cabal may leave an executable out.
    pub(crate) fn is_certain(&self, exe: &Executable) -> bool {
        self.packages.iter().any(|package| {
            let is_it = |stanza: &package::Stanza| stanza.name == exe.name && stanza.is_certain;
            package.name == exe.package && package.is_certain && package.executables.iter().any(is_it)
        })
    }

    /// Reads targets that stand for test suites. An empty list means every test suite.
    ///
    /// # Errors
    /// When one cannot stand for a test suite.
    pub(crate) fn select_tests(&self, targets: &[String]) -> Result<Selection, Error> {
        self.select_of(ComponentKind::TestSuite, targets)
    }

    fn select_of(&self, kind: ComponentKind, targets: &[String]) -> Result<Selection, Error> {
        let all: Vec<_> = self.components(kind).collect();
        let what = kind.description();
        let mut selection = Selection { targets: Vec::new(), guess: Vec::new() };
        if targets.is_empty() {
            // Every component needs a stanza, so a project without the word has none.
            if !self.has_unseen_packages && !self.mentions(kind.stanza()) {
                let purpose = if kind == ComponentKind::Executable { " to build" } else { "" };
                return Err(Error::usage(format!("this project has no {what}{purpose}")).hint(format!(
                    "add {} `{}` stanza to a `.cabal` file",
                    kind.article(),
                    kind.stanza()
                )));
            }
            selection.targets.push(Target::all(kind));
            selection.guess.clone_from(&all);
        }
        for text in targets {
            let target = Target::parse(text, kind, &self.packages, |path| self.typed_place(path))
                .filter(|target| self.may_have(target));
            let Some(target) = target else {
                let known: Vec<_> =
                    all.iter().map(|exe| format!("`{}:{}:{}`", exe.package, kind.word(), exe.name)).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Error::usage(format!("no {what} matches the target `{text}`"))
                    .hint(format!("{what}s of this project: {known}")));
            };
            selection.guess.extend(self.guess(kind, &target));
            selection.targets.push(target);
        }
        selection.guess.sort();
        selection.guess.dedup();
        Ok(selection)
    }

    /// The components that a target stands for, as far as the project's files tell.
    fn guess(&self, kind: ComponentKind, target: &Target) -> Vec<Executable> {
        let planned = self.packages.iter().flat_map(|package| {
            kind.stanzas(package).iter().map(|stanza| target::Planned {
                component: package.component(&stanza.name),
                place: self.place_of(&package.dir),
                is_local: true,
            })
        });
        target.select(&planned.collect::<Vec<_>>()).into_iter().map(|planned| planned.component).collect()
    }

    /// Whether cabal may know a target: the project's files mention it, or there are packages that hsx does not see.
    fn may_have(&self, target: &Target) -> bool {
        self.has_unseen_packages
            || target.needs().into_iter().chain(target.names_package()).all(|name| self.mentions(name))
    }

    /// Whether a text occurs in one of the files that decide cabal's plan, in upper or lower case.
    fn mentions(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let is_named = |package: &Package| package.name.to_lowercase() == text;
        self.packages.iter().any(is_named)
            || self.plan_inputs.iter().any(|(_, input)| input.to_lowercase().contains(&text))
    }

    /// Paths that packages name and the container does not see: the package, and the path as written.
    pub(crate) fn unseen_paths(&self) -> Vec<(&str, &Utf8Path)> {
        let of = |package: &'_ Package, path: &Utf8PathBuf| self.place_of(&package.dir.join(path)).is_none();
        let unseen = self.packages.iter().flat_map(|package| {
            let paths = package.outside.iter().filter(move |path| of(package, path));
            paths.map(move |path| (package.name.as_str(), path.as_path()))
        });
        unseen.collect()
    }

    /// The place in the container of a path on the host; `None` if the container does not see it.
    pub(crate) fn place_of(&self, path: &Utf8Path) -> Option<Utf8PathBuf> {
        let path = plain(path);
        let covering = self.mounts.iter().filter(|mount| path.starts_with(&mount.source));
        let mount = covering.max_by_key(|mount| mount.source.as_str().len())?;
        let below = path.strip_prefix(&mount.source).ok()?;
        Some(plain(&Utf8Path::new(&mount.target).join(below)))
    }

    /// The place in the container of a path that was typed, both absolute and relative to the project's root there.
    fn typed_place(&self, text: &str) -> Option<(Utf8PathBuf, String)> {
        let place = self.place_of(&self.root.join(text))?;
        let seen = self.seen_from_workdir(&place);
        Some((place, seen))
    }

    fn seen_from_workdir(&self, place: &Utf8Path) -> String {
        match place.strip_prefix(&self.workdir) {
            Ok(below) if below.as_str().is_empty() => ".".to_owned(),
            Ok(below) => format!("./{below}"),
            Err(_) => place.to_string(),
        }
    }
}

/// Checks that no two executables get the same file name.
///
/// # Errors
/// When two do. The hint says how to build one of them.
pub(crate) fn one_of_each_name(executables: &[Executable]) -> Result<(), Error> {
    let mut names: Vec<_> = executables.iter().map(|exe| (&exe.name, &exe.package)).collect();
    names.sort();
    let Some(pair) = names.windows(2).find(|pair| pair[0].0 == pair[1].0) else { return Ok(()) };
    let ((name, one), (_, other)) = (pair[0], pair[1]);
    Err(Error::usage(format!("two executables are named `{name}`: in `{one}` and in `{other}`"))
        .hint(format!("build one at a time: `hsx static {one}:exe:{name} --out-dir …`")))
}

/// Places the host's directories under `/src`, so that the relative paths between them stay as they are.
///
/// `roots` are the project root and the directories outside it, each with the reason why it is shown. A directory inside
/// another one needs no mount of its own. Returns the mounts and the project root's place.
pub(crate) fn lay_out(root: &Utf8Path, mut roots: Vec<(Utf8PathBuf, String)>) -> (Vec<SourceMount>, String) {
    let mut outer: Vec<(Utf8PathBuf, String)> = Vec::new();
    roots.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (path, reason) in roots {
        if !outer.iter().any(|(covering, _)| path.starts_with(covering)) {
            outer.push((path, reason));
        }
    }
    let common = common_ancestor(&outer.iter().map(|(path, _)| path).collect::<Vec<_>>());
    let place = |path: &Utf8Path| {
        let below = path.strip_prefix(&common).unwrap_or(path);
        if below.as_str().is_empty() { SOURCE.to_owned() } else { format!("{SOURCE}/{below}") }
    };
    let mount = |(path, reason): &(Utf8PathBuf, String)| SourceMount {
        source: path.clone(),
        target: place(path),
        reason: reason.clone(),
    };
    (outer.iter().map(mount).collect(), place(root))
}

/// Where the source is in the container. The place is fixed, so that no host path gets into an executable.
pub(crate) const SOURCE: &str = "/src";

fn common_ancestor(paths: &[&Utf8PathBuf]) -> Utf8PathBuf {
    let Some((first, rest)) = paths.split_first() else { return Utf8PathBuf::from("/") };
    let covers_all = |ancestor: &&Utf8Path| rest.iter().all(|path| path.starts_with(ancestor));
    first.ancestors().find(covers_all).unwrap_or(Utf8Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::package::Stanza;
    use super::*;

    fn package(name: &str, executables: &[&str]) -> Package {
        let executables = executables.iter().map(|name| Stanza::new(name)).collect();
        Package { name: name.to_owned(), executables, is_certain: true, ..Package::default() }
    }

    fn project(packages: Vec<Package>) -> Project {
        let words = packages.iter().flat_map(|package| {
            let stanzas = package.executables.iter().map(|stanza| format!("executable {}\n", stanza.name));
            stanzas.chain([format!("name: {}\n", package.name)])
        });
        let plan_inputs = vec![("/p/p.cabal".into(), words.collect())];
        Project { root: "/p".into(), workdir: SOURCE.to_owned(), packages, plan_inputs, ..Project::default() }
    }

    fn names(selection: &Selection) -> Vec<&str> {
        selection.guess.iter().map(|exe| exe.name.as_str()).collect()
    }

    #[test]
    fn what_targets_stand_for_is_guessed() {
        let project = project(vec![package("app", &["app", "tool"]), package("lib", &[]), package("x", &["y"])]);
        for (targets, spelled, executables) in [
            (&[][..], "all:exes", &["app", "tool", "y"][..]),
            (&["app", "x:y"], "app:exes x:exe:y", &["app", "tool", "y"]),
            (&["lib"], "lib:exes", &[]),
        ] {
            let targets: Vec<_> = targets.iter().map(|&target| target.to_owned()).collect();
            let selection = project.select(&targets).unwrap();
            assert_eq!((selection.words().join(" ").as_str(), &names(&selection)[..]), (spelled, executables));
        }
    }

    #[test]
    fn what_no_file_names_is_refused() {
        let project = project(vec![package("app", &["app", "tool"])]);
        for target in ["nope", "exe:nope", "nope:exe:app", "lib:app", "a:b:c:d"] {
            let error = project.select(&[target.to_owned()]).unwrap_err();
            assert!(error.message.contains(target), "{error:?}");
            assert_eq!(error.hints, ["executables of this project: `app:exe:app`, `app:exe:tool`"]);
        }
        let unseen = Project { has_unseen_packages: true, ..project };
        assert_eq!(unseen.select(&["exe:nope".to_owned()]).unwrap().words(), ["exe:nope"]);
    }

    #[test]
    fn two_executables_of_one_name_need_a_choice() {
        let project = |certain| {
            let stanza = Stanza { name: "server".to_owned(), is_certain: certain };
            super::tests::project(vec![
                package("a", &["server"]),
                Package { executables: vec![stanza], ..package("b", &[]) },
            ])
        };
        let error = project(true).select(&[]).unwrap_err();
        assert_eq!(error.message, "two executables are named `server`: in `a` and in `b`");
        assert_eq!(names(&project(true).select(&["b:exe:server".to_owned()]).unwrap()), ["server"]);
        // Only cabal knows whether the second is built.
        assert!(project(false).select(&[]).is_ok());
    }

    #[test]
    fn a_project_without_executables_is_an_error() {
        let library = Project { plan_inputs: vec![("/p/p.cabal".into(), "library".to_owned())], ..Project::default() };
        assert_eq!(library.select(&[]).unwrap_err().message, "this project has no executable to build");
        assert_eq!(library.select_tests(&[]).unwrap_err().message, "this project has no test suite");
        let unseen = Project { has_unseen_packages: true, ..library };
        assert!(unseen.select(&[]).is_ok() && unseen.select_tests(&[]).is_ok());
    }

    #[test]
    fn the_project_has_its_place_below_the_source() {
        let mut project = project(Vec::new());
        project.root = "/home/mono/app".into();
        for (workdir, top, below) in
            [("/src", "/home/mono/app", ""), ("/src/app", "/home/mono", "app"), ("/src/mono/app", "/home", "mono/app")]
        {
            workdir.clone_into(&mut project.workdir);
            assert_eq!(project.place(), (Utf8Path::new(top), below.to_owned()));
        }
    }

    #[test]
    fn siblings_keep_their_relative_places() {
        let roots = ["/home/me/code/app", "/home/me/code/lib", "/home/me/code/app/inner"];
        let roots = roots.map(|path| (path.into(), String::new())).to_vec();
        let (mounts, workdir) = lay_out("/home/me/code/app".into(), roots);
        let pairs: Vec<_> = mounts.iter().map(|mount| (mount.source.as_str(), mount.target.as_str())).collect();
        assert_eq!(pairs, [("/home/me/code/app", "/src/app"), ("/home/me/code/lib", "/src/lib")]);
        assert_eq!(workdir, "/src/app");
    }

    #[test]
    fn a_project_below_its_repository_is_mounted_with_it() {
        let roots = ["/r/mono", "/r/mono/app"].map(|path| (path.into(), format!("because of {path}"))).to_vec();
        let (mounts, workdir) = lay_out("/r/mono/app".into(), roots);
        let reason = "because of /r/mono".to_owned();
        assert_eq!(mounts, [SourceMount { source: "/r/mono".into(), target: "/src".to_owned(), reason }]);
        assert_eq!(workdir, "/src/app");
    }
}
