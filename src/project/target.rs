//! Targets, as cabal spells them: what each stands for, and which components of cabal's plan match it.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::package::{ComponentKind, Executable, Package};

/// A target that stands for components of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    /// The target that cabal is given. It names only components of the kind, as far as the project's files allow that.
    pub spelled: String,
    pub means: Means,
}

/// What a target stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Means {
    /// All of the project's own packages.
    All,
    Package(String),
    Component {
        package: Option<String>,
        name: String,
    },
    /// A name that may be either: cabal looks for a package first.
    PackageOrComponent(String),
    /// The package in a directory, or of a `.cabal` file; the path is one in the container.
    Place(Utf8PathBuf),
}

/// An executable or a test suite of cabal's plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Planned {
    pub component: Executable,
    /// Its package's directory in the container.
    pub place: Option<Utf8PathBuf>,
    /// Whether it belongs to one of the project's own packages, not to a dependency.
    pub is_local: bool,
}

impl Target {
    /// The target for all components of a kind.
    pub(crate) fn all(kind: ComponentKind) -> Self {
        Self { spelled: format!("all:{}s", kind.word()), means: Means::All }
    }

    /// Reads a target. Returns `None` if it stands for components of another kind, or is not in a form that cabal
    /// knows.
    ///
    /// `packages` are the known ones. `place` returns a path's place in the container, and how cabal is told that
    /// place.
    pub(crate) fn parse(
        text: &str,
        kind: ComponentKind,
        packages: &[Package],
        place: impl Fn(&str) -> Option<(Utf8PathBuf, String)>,
    ) -> Option<Self> {
        let (word, words) = (kind.word(), format!("{}s", kind.word()));
        let parts: Vec<_> = text.split(':').collect();
        if parts[0].starts_with('.') || parts[0].contains('/') {
            let (place, seen) = place(parts[0])?;
            let spelled = format!("{seen}:{words}");
            return match &parts[1..] {
                [] => Some(Self { spelled, means: Means::Place(place) }),
                [plural] if *plural == words => Some(Self { spelled, means: Means::Place(place) }),
                _ => None,
            };
        }
        let is_name = |part: &&str| !part.is_empty() && part.chars().all(is_of_name);
        if !parts.iter().all(is_name) {
            return None;
        }
        // A component may have the name that cabal uses for all of its kind, such as a suite `tests`. Then `pkg:` tells
        // cabal that a package is meant.
        let all_of = |name: &str| {
            let of_package = packages.iter().filter(|package| package.name == name);
            let is_ambiguous = of_package.flat_map(|package| kind.stanzas(package)).any(|known| known.name == words);
            if is_ambiguous { format!("pkg:{name}:{words}") } else { format!("{name}:{words}") }
        };
        let of_package = |name: &str| Self { spelled: all_of(name), means: Means::Package(name.to_owned()) };
        let component = |spelled: String, package: Option<&str>, name: &str| Self {
            spelled,
            means: Means::Component { package: package.map(str::to_owned), name: name.to_owned() },
        };
        let is_kind = |part: &str| {
            ["lib", "flib", "exe", "test", "bench", "libs", "flibs", "exes", "tests", "benches", "benchmarks"]
                .contains(&part)
        };
        Some(match *parts {
            ["all"] => Self::all(kind),
            ["all", plural] if plural == words => Self::all(kind),
            [name] => {
                let is_package = packages.iter().any(|package| package.name == name);
                let is_component =
                    packages.iter().flat_map(|package| kind.stanzas(package)).any(|known| known.name == name);
                let spelled = match () {
                    () if is_package => all_of(name),
                    () if is_component => format!("{word}:{name}"),
                    () => name.to_owned(),
                };
                Self { spelled, means: Means::PackageOrComponent(name.to_owned()) }
            }
            ["pkg", package] => of_package(package),
            [singular, name] if singular == word => component(text.to_owned(), None, name),
            ["pkg", package, plural] | [package, plural] if plural == words => of_package(package),
            [package, name] if !is_kind(name) && !is_kind(package) => {
                component(format!("{package}:{word}:{name}"), Some(package), name)
            }
            [package, singular, name] if singular == word => component(text.to_owned(), Some(package), name),
            _ => return None,
        })
    }

    /// The components of cabal's plan that the target stands for. Those of other packages count only if the project has
    /// none.
    pub(crate) fn select(&self, planned: &[Planned]) -> Vec<Planned> {
        let is_package = |name: &str| planned.iter().any(|planned| planned.component.package == name);
        let fits = |planned: &&Planned| {
            let Executable { package, name, .. } = &planned.component;
            match &self.means {
                Means::All => planned.is_local,
                Means::Package(wanted) => package == wanted,
                Means::Component { package: of, name: wanted } => {
                    name == wanted && of.as_ref().is_none_or(|of| package == of)
                }
                Means::PackageOrComponent(wanted) if is_package(wanted) => package == wanted,
                Means::PackageOrComponent(wanted) => name == wanted,
                Means::Place(wanted) => planned.place.as_ref().is_some_and(|place| {
                    wanted == place || wanted.extension() == Some("cabal") && wanted.parent() == Some(place)
                }),
            }
        };
        let (local, foreign): (Vec<_>, Vec<_>) =
            planned.iter().filter(fits).cloned().partition(|planned| planned.is_local);
        if local.is_empty() { foreign } else { local }
    }

    /// Shell patterns for `PACKAGE:NAME` that match at least everything the target stands for.
    pub(crate) fn patterns(&self) -> Vec<String> {
        match &self.means {
            Means::All | Means::Place(_) => vec!["*:*".to_owned()],
            Means::Package(package) => vec![format!("{package}:*")],
            Means::Component { package, name } => vec![format!("{}:{name}", package.as_deref().unwrap_or("*"))],
            Means::PackageOrComponent(name) => vec![format!("{name}:*"), format!("*:{name}")],
        }
    }

    /// A word that must occur in some file of the project if cabal is to know the target.
    pub(crate) fn needs(&self) -> Option<&str> {
        match &self.means {
            Means::All | Means::Place(_) => None,
            Means::Package(name) | Means::PackageOrComponent(name) | Means::Component { name, .. } => Some(name),
        }
    }

    /// The package that the target names, if it does.
    pub(crate) fn names_package(&self) -> Option<&str> {
        match &self.means {
            Means::Package(name) => Some(name),
            Means::Component { package, .. } => package.as_deref(),
            Means::All | Means::Place(_) | Means::PackageOrComponent(_) => None,
        }
    }
}

/// The path without `.` and `..`, as far as the text alone allows.
pub(crate) fn plain(path: &Utf8Path) -> Utf8PathBuf {
    let mut plain = Utf8PathBuf::new();
    for part in path.components() {
        match part.as_str() {
            "." => {}
            ".." => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Whether a name may be that of a package or a component, and of a file. cabal's documentation allows words of letters and
/// digits between hyphens, but cabal keeps the name of a stanza as it is (Cabal's `parseName`): `foo_bar`, `a.b` and `x-1` are
/// built. No name here means another directory, a hidden file or an option.
pub(crate) fn is_component_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    starts_well && name.len() <= 200 && name.chars().all(is_of_name)
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || "-_.+".contains(c)
}

#[cfg(test)]
mod tests {
    use super::super::package::Stanza;
    use super::super::{Project, SOURCE, SourceMount};
    use super::*;

    fn project() -> Project {
        let package = |name: &str, executables: &[&str]| Package {
            name: name.to_owned(),
            executables: executables.iter().map(|name| Stanza::new(name)).collect(),
            ..Package::default()
        };
        Project {
            root: "/h/p".into(),
            packages: vec![package("app", &["app", "tool"]), package("lib", &[]), package("x", &["y"])],
            mounts: vec![SourceMount { source: "/h/p".into(), target: SOURCE.to_owned(), reason: String::new() }],
            workdir: SOURCE.to_owned(),
            ..Project::default()
        }
    }

    fn parse(text: &str, kind: ComponentKind) -> Option<Target> {
        let project = project();
        Target::parse(text, kind, &project.packages, |path| project.typed_place(path))
    }

    fn planned(package: &str, name: &str, is_local: bool) -> Planned {
        let component = Executable { package: package.to_owned(), version: "1".to_owned(), name: name.to_owned() };
        Planned { component, place: Some(format!("/src/{package}").into()), is_local }
    }

    #[test]
    fn a_suite_that_is_called_like_all_of_them_is_no_ambiguity() {
        let suites = ["tests", "other"].map(Stanza::new).into();
        let metal = [Package { name: "metal".to_owned(), test_suites: suites, ..Package::default() }];
        for (text, spelled) in
            [("metal", "pkg:metal:tests"), ("pkg:metal", "pkg:metal:tests"), ("metal:test:tests", "metal:test:tests")]
        {
            assert_eq!(Target::parse(text, ComponentKind::TestSuite, &metal, |_| None).unwrap().spelled, spelled);
        }
    }

    #[test]
    fn a_target_is_what_cabal_planned_for_it() {
        let plan = [
            planned("app", "app", true),
            planned("app", "tool", true),
            planned("x", "y", true),
            planned("x", "other", true),
            planned("dep", "dep-tool", false),
            planned("dep", "tool", false),
        ];
        for (text, spelled, selected, pattern) in [
            ("all", "all:exes", "app:app app:tool x:y x:other", "*:*"),
            ("all:exes", "all:exes", "app:app app:tool x:y x:other", "*:*"),
            ("exe:tool", "exe:tool", "app:tool", "*:tool"),
            ("tool", "exe:tool", "app:tool", "tool:* *:tool"),
            ("app", "app:exes", "app:app app:tool", "app:* *:app"),
            ("app:exes", "app:exes", "app:app app:tool", "app:*"),
            ("pkg:app", "app:exes", "app:app app:tool", "app:*"),
            ("pkg:app:exes", "app:exes", "app:app app:tool", "app:*"),
            ("app:exe:tool", "app:exe:tool", "app:tool", "app:tool"),
            ("app:tool", "app:exe:tool", "app:tool", "app:tool"),
            ("./x", "./x:exes", "x:y x:other", "*:*"),
            ("x/", "./x:exes", "x:y x:other", "*:*"),
            ("x/x.cabal", "./x/x.cabal:exes", "x:y x:other", "*:*"),
            ("/h/p/app:exes", "./app:exes", "app:app app:tool", "*:*"),
            // Only cabal knows whether this is a package or a component.
            ("other", "other", "x:other", "other:* *:other"),
            ("exe:dep-tool", "exe:dep-tool", "dep:dep-tool", "*:dep-tool"),
            ("nothing", "nothing", "", "nothing:* *:nothing"),
        ] {
            let target = parse(text, ComponentKind::Executable).unwrap();
            let found = target.select(&plan);
            let found: Vec<_> = found
                .iter()
                .map(|planned| format!("{}:{}", planned.component.package, planned.component.name))
                .collect();
            assert_eq!((target.spelled.as_str(), found.join(" ").as_str()), (spelled, selected), "{text}");
            assert_eq!(target.patterns().join(" "), pattern, "{text}");
        }
    }

    #[test]
    fn other_kinds_are_no_targets_here() {
        for text in
            ["lib:app", "app:lib", "test:x", "app:tests", "a:b:c:d", "", ":", "app:", "all:libs", "a*", "a b", "-x y"]
        {
            assert_eq!(parse(text, ComponentKind::Executable), None, "{text}");
        }
        let suite = parse("spec", ComponentKind::TestSuite).unwrap();
        assert_eq!(suite.spelled, "spec");
    }

    #[test]
    fn names_are_those_that_cabal_gives() {
        for name in ["a", "a-b", "tool2", "x-1", "12", "grüße", "A1-b2", "x-²", "a_b", "_", "a.b", "a..b", "a-", "c++"]
        {
            assert!(is_component_name(name), "{name}");
        }
        for name in ["", "-a", "a/b", "..", ".", ".a", "a b", "a\nb", "a:b", "a\"b", "a\u{1b}[31m", "a\u{202e}b"] {
            assert!(!is_component_name(name), "{name:?}");
        }
    }
}
