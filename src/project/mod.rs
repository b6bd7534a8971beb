//! A Haskell project as hsx needs to know it before cabal runs: its packages, executables and compiler, and beside it
//! what else is a project's own: freeze files, the image it is built in, the files of a new one. The readers here take
//! only the fields hsx decides by; everything else stays cabal's business. No file is opened here: text comes in, facts
//! go out.

mod fields;
pub(crate) mod freeze;
pub(crate) mod image;
pub(crate) mod template;

use camino::{Utf8Path, Utf8PathBuf};

use crate::base::cmd::Cmd;
use crate::base::error::Error;
use fields::fields;

/// A project and everything of it that the container must see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// The directory of `cabal.project`, or of the only `.cabal` file.
    pub root: Utf8PathBuf,
    pub packages: Vec<Package>,
    /// `with-compiler:` of the project files.
    pub with_compiler: Option<String>,
    /// `index-state:`, where it is a time; in ISO 8601, so that times compare as text.
    pub index_state: Option<String>,
    /// Host directories to mount, and where.
    pub mounts: Vec<SourceMount>,
    /// The project root inside the container.
    pub workdir: String,
    /// Paths and contents of all files that decide cabal's plan, for recognising an unchanged one.
    pub plan_inputs: Vec<(Utf8PathBuf, String)>,
    /// Packages whose `.cabal` file hpack must write first.
    pub hpack: Vec<Utf8PathBuf>,
}

/// A local package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub name: String,
    pub version: String,
    pub executables: Vec<String>,
    pub test_suites: Vec<String>,
    /// `tested-with:`, as written.
    pub tested_with: Option<String>,
}

/// A host directory of the project's and its place in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceMount {
    pub source: Utf8PathBuf,
    pub target: String,
}

/// An executable component of a local package, or a test suite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Executable {
    pub package: String,
    pub version: String,
    pub name: String,
}

/// What to build: cabal's own target words, and the executables or test suites they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub targets: Vec<String>,
    pub executables: Vec<Executable>,
}

impl Project {
    /// The name people know the project by: its only package, or its directory.
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

    /// Has the container see another file in place of one in the project's directory.
    pub(crate) fn hide(&mut self, name: &str, by: Utf8PathBuf) {
        self.mounts.push(SourceMount { source: by, target: format!("{}/{name}", self.workdir) });
    }

    /// The host's directory that is [`SOURCE`] in the container, and the project's place below it.
    pub(crate) fn place(&self) -> (&Utf8Path, String) {
        let below = self.workdir.strip_prefix(SOURCE).unwrap_or_default().trim_start_matches('/');
        let depth = below.split('/').filter(|part| !part.is_empty()).count();
        (self.root.ancestors().nth(depth).unwrap_or(&self.root), below.to_owned())
    }

    fn components(&self, kind: Kind) -> impl Iterator<Item = Executable> {
        self.packages.iter().flat_map(move |package| {
            kind.names(package).iter().map(|name| Executable {
                package: package.name.clone(),
                version: package.version.clone(),
                name: name.clone(),
            })
        })
    }

    /// Resolves targets as cabal spells them; none means every executable.
    ///
    /// # Errors
    /// When a target is unknown, stands for no executable, or two executables would get one file name.
    pub(crate) fn select(&self, targets: &[String]) -> Result<Selection, Error> {
        let selection = self.select_of(Kind::Executable, targets)?;
        if selection.executables.is_empty() {
            return Err(Error::usage("this project has no executable to build")
                .hint("add an `executable` stanza to a `.cabal` file"));
        }
        let mut names: Vec<_> = selection.executables.iter().map(|exe| (&exe.name, &exe.package)).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let ((name, one), (_, other)) = (pair[0], pair[1]);
            return Err(Error::usage(format!("two executables are named `{name}`: in `{one}` and in `{other}`"))
                .hint(format!("build one at a time: `hsx static {one}:exe:{name} --out-dir …`")));
        }
        Ok(selection)
    }

    /// The same for test suites; none means every one.
    ///
    /// # Errors
    /// When a target is unknown or stands for no test suite, or there is none.
    pub(crate) fn select_tests(&self, targets: &[String]) -> Result<Selection, Error> {
        let selection = self.select_of(Kind::TestSuite, targets)?;
        if selection.executables.is_empty() {
            return Err(
                Error::usage("this project has no test suite").hint("add a `test-suite` stanza to a `.cabal` file")
            );
        }
        Ok(selection)
    }

    fn select_of(&self, kind: Kind, targets: &[String]) -> Result<Selection, Error> {
        let mut selection = Selection { targets: Vec::new(), executables: Vec::new() };
        if targets.is_empty() {
            selection.targets.push(format!("all:{}s", kind.word()));
            selection.executables.extend(self.components(kind));
        }
        for target in targets {
            let (spelled, executables) = self.resolve(kind, target)?;
            selection.targets.push(spelled);
            selection.executables.extend(executables);
        }
        selection.executables.sort();
        selection.executables.dedup();
        Ok(selection)
    }

    /// One target: cabal's spelling of it, narrowed to components of a kind, and what it stands for.
    fn resolve(&self, kind: Kind, target: &str) -> Result<(String, Vec<Executable>), Error> {
        let all: Vec<_> = self.components(kind).collect();
        let (word, words) = (kind.word(), format!("{}s", kind.word()));
        let of_package = |name: &str| all.iter().filter(|exe| exe.package == name).cloned().collect::<Vec<_>>();
        let named = |package: Option<&str>, name: &str| {
            let fits = |exe: &&Executable| exe.name == name && package.is_none_or(|package| exe.package == package);
            all.iter().filter(fits).cloned().collect::<Vec<_>>()
        };
        let is_package = |name: &str| self.packages.iter().any(|package| package.name == name);
        let (spelled, found) = match *target.split(':').collect::<Vec<_>>() {
            ["all"] => (format!("all:{words}"), all.clone()),
            ["all", plural] if plural == words => (format!("all:{words}"), all.clone()),
            [singular, name] if singular == word => (target.to_owned(), named(None, name)),
            [package, singular, name] if singular == word => (target.to_owned(), named(Some(package), name)),
            ["pkg", package] if is_package(package) => (format!("{package}:{words}"), of_package(package)),
            [package, plural] | ["pkg", package, plural] if plural == words && is_package(package) => {
                (format!("{package}:{words}"), of_package(package))
            }
            [name] if is_package(name) => (format!("{name}:{words}"), of_package(name)),
            [name] => (format!("{word}:{name}"), named(None, name)),
            [package, name] => (format!("{package}:{word}:{name}"), named(Some(package), name)),
            _ => (String::new(), Vec::new()),
        };
        if found.is_empty() {
            let known: Vec<_> = all.iter().map(|exe| format!("`{}:{word}:{}`", exe.package, exe.name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let what = kind.description();
            return Err(Error::usage(format!("no {what} matches the target `{target}`"))
                .hint(format!("{what}s of this project: {known}")));
        }
        Ok((spelled, found))
    }
}

/// A kind of component that can be selected.
#[derive(Clone, Copy)]
enum Kind {
    Executable,
    TestSuite,
}

impl Kind {
    /// As cabal spells it in targets.
    fn word(self) -> &'static str {
        match self {
            Self::Executable => "exe",
            Self::TestSuite => "test",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::TestSuite => "test suite",
        }
    }

    fn names(self, package: &Package) -> &[String] {
        match self {
            Self::Executable => &package.executables,
            Self::TestSuite => &package.test_suites,
        }
    }
}

/// What a project file says that hsx decides by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectFile {
    /// `packages:` and `optional-packages:`, as written.
    pub packages: Vec<String>,
    pub with_compiler: Option<String>,
    pub index_state: Option<String>,
    /// `import:`; cabal reads them as if they stood here.
    pub imports: Vec<String>,
}

/// Reads a `cabal.project`, or a file it imports. Top-level fields only: stanzas and conditionals hold none of these.
pub(crate) fn parse_project_file(text: &str) -> ProjectFile {
    let mut file = ProjectFile::default();
    for (name, value) in fields(text) {
        match name.as_str() {
            "packages" | "optional-packages" => {
                let words = value.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
                file.packages.extend(words.map(str::to_owned));
            }
            "with-compiler" => file.with_compiler = Some(value),
            "index-state" => file.index_state = newest_time(&value),
            "import" => file.imports.push(value),
            _ => {}
        }
    }
    file
}

/// The newest of the times in an `index-state:`, which may name one for each repository, or `HEAD`.
fn newest_time(value: &str) -> Option<String> {
    let words = value.split(|c: char| c.is_whitespace() || c == ',');
    let is_time = |word: &&str| word.contains('T') && word.ends_with('Z');
    words.filter(is_time).max().map(str::to_owned)
}

/// Reads the name, version, executables, test suites and `tested-with` of a `.cabal` file. `None` when it has no name.
pub(crate) fn parse_package(text: &str) -> Option<Package> {
    let mut package = Package::default();
    for (name, value) in fields(text) {
        match name.as_str() {
            "name" => package.name = value,
            "version" => package.version = value,
            "tested-with" => package.tested_with = Some(value),
            _ => {}
        }
    }
    let stanzas = |word: &str| {
        let named = text.lines().filter_map(|line| {
            let (keyword, rest) = line.split_once(char::is_whitespace)?;
            keyword.eq_ignore_ascii_case(word).then(|| rest.trim().trim_end_matches('{').trim().to_owned())
        });
        named.filter(|name| !name.is_empty()).collect()
    };
    package.executables = stanzas("executable");
    package.test_suites = stanzas("test-suite");
    (!package.name.is_empty()).then_some(package)
}

/// Places the host's directories under `/src` so that the relative paths between them stay as they are.
///
/// `roots` are the project root and whatever lies outside it; nested ones are covered by the outer one.
/// Returns the mounts and the project root's place.
pub(crate) fn lay_out(root: &Utf8Path, roots: &[Utf8PathBuf]) -> (Vec<SourceMount>, String) {
    let mut outer: Vec<&Utf8PathBuf> = Vec::new();
    let mut sorted: Vec<_> = roots.iter().collect();
    sorted.sort();
    for path in sorted {
        if !outer.iter().any(|covering| path.starts_with(covering)) {
            outer.push(path);
        }
    }
    let common = common_ancestor(&outer);
    let place = |path: &Utf8Path| {
        let below = path.strip_prefix(&common).unwrap_or(path);
        if below.as_str().is_empty() { SOURCE.to_owned() } else { format!("{SOURCE}/{below}") }
    };
    let mounts = outer.iter().map(|path| SourceMount { source: (*path).clone(), target: place(path) }).collect();
    (mounts, place(root))
}

/// What hpack would write for the `package.yaml` in a directory, on standard output.
pub(crate) fn hpack_show(dir: &Utf8Path) -> Cmd {
    Cmd::new("hpack").args(["--silent", dir.join("package.yaml").as_str(), "-"])
}

/// Writes the `.cabal` file beside `package.yaml`, where hpack's users expect it.
pub(crate) fn hpack_write(dir: &Utf8Path) -> Cmd {
    Cmd::new("hpack").args(["--silent", dir.join("package.yaml").as_str()])
}

/// Where the source is seen in the container: a fixed place, so that no host path gets into an executable.
pub(crate) const SOURCE: &str = "/src";

fn common_ancestor(paths: &[&Utf8PathBuf]) -> Utf8PathBuf {
    let Some((first, rest)) = paths.split_first() else { return Utf8PathBuf::from("/") };
    let covers_all = |ancestor: &&Utf8Path| rest.iter().all(|path| path.starts_with(ancestor));
    first.ancestors().find(covers_all).unwrap_or(Utf8Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, executables: &[&str]) -> Package {
        let executables = executables.iter().map(|&name| name.to_owned()).collect();
        Package { name: name.to_owned(), version: "1.0".to_owned(), executables, ..Package::default() }
    }

    fn project(packages: Vec<Package>) -> Project {
        Project {
            root: "/p".into(),
            packages,
            with_compiler: None,
            index_state: None,
            mounts: Vec::new(),
            workdir: SOURCE.to_owned(),
            plan_inputs: Vec::new(),
            hpack: Vec::new(),
        }
    }

    fn names(selection: &Selection) -> Vec<&str> {
        selection.executables.iter().map(|exe| exe.name.as_str()).collect()
    }

    #[test]
    fn targets_are_spelled_as_cabal_spells_them() {
        let project = project(vec![package("app", &["app", "tool"]), package("lib", &[]), package("x", &["y"])]);
        for (target, spelled, executables) in [
            ("exe:tool", "exe:tool", vec!["tool"]),
            ("tool", "exe:tool", vec!["tool"]),
            ("app", "app:exes", vec!["app", "tool"]),
            ("app:exes", "app:exes", vec!["app", "tool"]),
            ("pkg:app", "app:exes", vec!["app", "tool"]),
            ("app:exe:tool", "app:exe:tool", vec!["tool"]),
            ("app:tool", "app:exe:tool", vec!["tool"]),
            ("all", "all:exes", vec!["app", "tool", "y"]),
        ] {
            let selection = project.select(&[target.to_owned()]).unwrap();
            assert_eq!((selection.targets[0].as_str(), names(&selection)), (spelled, executables), "{target}");
        }
        assert_eq!(project.select(&[]).unwrap().targets, ["all:exes"]);
    }

    #[test]
    fn test_suites_are_selected_alike() {
        let suites = |name, suites: &[&str]| Package {
            test_suites: suites.iter().map(|&suite| suite.to_owned()).collect(),
            ..package(name, &["exe"])
        };
        let project = project(vec![suites("app", &["spec", "props"]), suites("lib", &["spec"])]);
        for (target, spelled, found) in [
            ("spec", "test:spec", vec!["spec", "spec"]),
            ("test:props", "test:props", vec!["props"]),
            ("lib", "lib:tests", vec!["spec"]),
            ("lib:tests", "lib:tests", vec!["spec"]),
            ("app:test:spec", "app:test:spec", vec!["spec"]),
            ("all", "all:tests", vec!["props", "spec", "spec"]),
        ] {
            let selection = project.select_tests(&[target.to_owned()]).unwrap();
            assert_eq!((selection.targets[0].as_str(), names(&selection)), (spelled, found), "{target}");
        }
        let error = project.select_tests(&["exe".to_owned()]).unwrap_err();
        assert_eq!(error.message, "no test suite matches the target `exe`");
        assert!(super::tests::project(vec![package("x", &["y"])]).select_tests(&[]).is_err());
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
    fn an_unknown_target_lists_the_executables() {
        let project = project(vec![package("app", &["app", "tool"])]);
        for target in ["nope", "exe:nope", "nope:exe:app", "lib:app", "a:b:c:d"] {
            let error = project.select(&[target.to_owned()]).unwrap_err();
            assert!(error.message.contains(target), "{error:?}");
            assert_eq!(error.hints, ["executables of this project: `app:exe:app`, `app:exe:tool`"]);
        }
    }

    #[test]
    fn two_executables_of_one_name_need_a_choice() {
        let project = project(vec![package("a", &["server"]), package("b", &["server"])]);
        let error = project.select(&[]).unwrap_err();
        assert_eq!(error.message, "two executables are named `server`: in `a` and in `b`");
        assert_eq!(names(&project.select(&["b:exe:server".to_owned()]).unwrap()), ["server"]);
    }

    #[test]
    fn a_project_without_executables_is_an_error() {
        assert!(project(vec![package("lib", &[])]).select(&[]).is_err());
    }

    #[test]
    fn project_files_are_read_leniently() {
        let text = "-- a comment\npackages: app/*.cabal, ../lib\n          ./third/\noptional-packages:\n  vendor/*\n\
            with-compiler: ghc-9.6.6\nindex-state: 2026-01-01T00:00:00Z\nimport: common.config\nsource-repository-package\n  type: git\n  packages: no\n\
            package *\n  ghc-options: -O2\nif impl(ghc >= 9)\n  packages: neither\n";
        let file = parse_project_file(text);
        assert_eq!(file.packages, ["app/*.cabal", "../lib", "./third/", "vendor/*"]);
        assert_eq!(file.with_compiler.as_deref(), Some("ghc-9.6.6"));
        assert_eq!(file.imports, ["common.config"]);
        assert_eq!(file.index_state.as_deref(), Some("2026-01-01T00:00:00Z"));
        for (value, time) in [
            ("HEAD", None),
            ("hackage.haskell.org 2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
            ("a 2026-01-01T00:00:00Z, b 2026-02-01T00:00:00Z,\n  c HEAD", Some("2026-02-01T00:00:00Z")),
        ] {
            assert_eq!(parse_project_file(&format!("index-state: {value}")).index_state.as_deref(), time, "{value}");
        }
    }

    #[test]
    fn a_cabal_file_gives_name_version_and_executables() {
        let text = "cabal-version: 3.0\nName:          demo\nversion:       0.1.2\ntested-with:\n  GHC ==9.6.6\n   \
            || ==9.8.4\n\ncommon warnings\n  ghc-options: -Wall\n\nexecutable demo\n  main-is: Main.hs\n\
            Executable demo-tool {\n  main-is: Tool.hs\n}\ntest-suite spec\n  type: exitcode-stdio-1.0\n";
        let package = parse_package(text).unwrap();
        assert_eq!((package.name.as_str(), package.version.as_str()), ("demo", "0.1.2"));
        assert_eq!(package.executables, ["demo", "demo-tool"]);
        assert_eq!(package.test_suites, ["spec"]);
        assert_eq!(package.tested_with.as_deref(), Some("GHC ==9.6.6 || ==9.8.4"));
        assert_eq!(parse_package("version: 1"), None);
    }

    #[test]
    fn siblings_keep_their_relative_places() {
        let roots = ["/home/me/code/app".into(), "/home/me/code/lib".into(), "/home/me/code/app/inner".into()];
        let (mounts, workdir) = lay_out("/home/me/code/app".into(), &roots);
        let pairs: Vec<_> = mounts.iter().map(|mount| (mount.source.as_str(), mount.target.as_str())).collect();
        assert_eq!(pairs, [("/home/me/code/app", "/src/app"), ("/home/me/code/lib", "/src/lib")]);
        assert_eq!(workdir, "/src/app");
    }

    #[test]
    fn a_project_below_its_repository_is_mounted_with_it() {
        let (mounts, workdir) = lay_out("/r/mono/app".into(), &["/r/mono".into(), "/r/mono/app".into()]);
        assert_eq!(mounts, [SourceMount { source: "/r/mono".into(), target: "/src".to_owned() }]);
        assert_eq!(workdir, "/src/app");
    }
}
