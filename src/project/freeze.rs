//! Reads freeze files, and translates them for the GHC and the repositories of a builder image.
//!
//! `cabal freeze` also pins the packages that came with a GHC, so no plan fits another GHC. It also writes down the
//! repositories of the machine that it ran on. Every line that is dropped or changed is reported, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use super::fields::fields;
use super::image;
use crate::base::platform::Platform;

/// The freeze file of a project, beside its `cabal.project`.
pub(crate) const FILE: &str = "cabal.project.freeze";

/// Where the versions come from, as the user asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Origin {
    /// The host where it has cabal, and the project does not tell that what to start; else the image
    #[default]
    Auto,
    /// cabal here, or `ghc-pkg` alone
    Host,
    /// cabal in the builder image
    Image,
    /// The freeze file that is there
    File,
}

/// What a builder image, or the host, has to build with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    pub ghc: Option<String>,
    /// The versions of each package in the GHC's global database.
    packages: BTreeMap<String, BTreeSet<String>>,
    repositories: BTreeSet<String>,
    /// The freeze file that cabal made there.
    pub freeze: Option<String>,
}

/// A freeze file for the images, and how it came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frozen {
    pub constraints: Vec<String>,
    pub active_repositories: Option<String>,
    pub index_state: Option<String>,
    pub changes: Vec<Change>,
    /// Other remarks for the user.
    pub notes: Vec<String>,
}

/// A line that was dropped, changed or added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub action: Action,
    /// The line before the change, or the line that was added.
    pub line: String,
    /// The line after the change; `None` if it was dropped or added.
    pub becomes: Option<String>,
    pub reason: String,
}

impl Change {
    /// The change as text: what happened, and to which line.
    pub(crate) fn shown(&self) -> String {
        let action = match self.action {
            Action::Dropped => "dropped",
            Action::Changed => "changed",
            Action::Added => "added",
        };
        let becomes = self.becomes.as_ref().map(|becomes| format!(" -> {becomes}")).unwrap_or_default();
        format!("{action} {}{becomes}", self.line)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Dropped,
    Changed,
    Added,
}

/// Translates a freeze file for images. `host` is what the file was made with, if that is known and is not an image.
pub(crate) fn translate(text: &str, host: Option<&Survey>, images: &[(Platform, Survey)]) -> Frozen {
    let mut frozen = Frozen::default();
    let (mut constraints, mut index_states) = (Vec::new(), Vec::new());
    for (name, value) in fields(text) {
        let items = value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned);
        match name.as_str() {
            "constraints" => constraints.extend(items.filter_map(|item| Constraint::parse(&item))),
            "index-state" => index_states.extend(items),
            "active-repositories" => frozen.active_repositories = frozen.repositories(&value, images),
            _ => frozen.drop(format!("{name}: {value}"), "no freeze file of cabal's has this field".to_owned()),
        }
    }
    frozen.constrain(constraints, host, images);
    let foreign = frozen.installed(host, images);
    frozen.index_state = frozen.index_state(index_states, !foreign.is_empty(), images);
    if !foreign.is_empty() {
        frozen.notes.push(format!(
            "the host had {} installed, with flags that nobody knows: the container builds {} with default flags",
            foreign.join(", "),
            if foreign.len() == 1 { "it" } else { "them" }
        ));
    }
    frozen
}

impl Frozen {
    /// The file's text, in the form that cabal writes.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(repositories) = &self.active_repositories {
            let _ = writeln!(text, "active-repositories: {repositories}");
        }
        if !self.constraints.is_empty() {
            let _ = writeln!(text, "constraints: {}", self.constraints.join(",\n             "));
        }
        if let Some(state) = &self.index_state {
            let _ = writeln!(text, "index-state: {state}");
        }
        text
    }

    /// The constraints and the index-state as arguments of `cabal build`, for a build that leaves no file. The
    /// repositories have no argument, and need none: the versions are pinned.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let constraints = self.constraints.iter().map(|constraint| format!("--constraint={constraint}"));
        let state = self.index_state.iter().map(|state| format!("--index-state={state}"));
        constraints.chain(state).collect()
    }

    /// The latest time in its index-state.
    pub(crate) fn time(&self) -> Option<String> {
        let words = self.index_state.iter().flat_map(|state| state.split([' ', ',']));
        words.filter(|word| word.contains('T') && word.ends_with('Z')).max().map(str::to_owned)
    }

    fn drop(&mut self, line: String, reason: String) {
        self.changes.push(Change { action: Action::Dropped, line, becomes: None, reason });
    }

    /// The packages that are pinned at a version that the host had installed, and that an image would have to build.
    fn installed(&self, host: Option<&Survey>, images: &[(Platform, Survey)]) -> Vec<String> {
        let pinned = self.constraints.iter().filter_map(|line| Constraint::parse(line));
        let was_installed = |pin: &Constraint| host.is_some_and(|host| host.has_one_of(&pin.name, &pin.versions));
        let is_foreign = |pin: &Constraint| images.iter().any(|(_, image)| !image.packages.contains_key(&pin.name));
        pinned.filter(|pin| was_installed(pin) && is_foreign(pin)).map(|pin| pin.name).collect()
    }

    fn constrain(&mut self, lines: Vec<Constraint>, host: Option<&Survey>, images: &[(Platform, Survey)]) {
        let mut gone = BTreeMap::new();
        for line in lines.iter().filter(|line| !line.versions.is_empty()) {
            if let Some(reason) = misfit(line, host, images) {
                gone.insert(line.name.clone(), reason);
            }
        }
        for line in lines {
            match gone.get(&line.name) {
                Some(reason) if line.versions.is_empty() => {
                    self.drop(line.text, format!("the flags of an installed package are decided: {reason}"));
                }
                Some(reason) => self.drop(line.text, reason.clone()),
                None => self.constraints.push(line.text),
            }
        }
        self.keep_off_this_machine();
    }

    /// Adds the flag that keeps hashable 1.4.5 and 1.4.6 from compiling C for the processor of the machine that builds.
    fn keep_off_this_machine(&mut self) {
        const FLAG: &str = "-arch-native";
        let reason = "hashable 1.4.5 and 1.4.6 compile for the processor of the machine that builds (`-march=native`)";
        let is_hashables = |line: &Constraint| line.name == "hashable";
        let lines: Vec<_> = self.constraints.iter().filter_map(|line| Constraint::parse(line)).collect();
        let versions = lines.iter().filter(|line| is_hashables(line)).flat_map(|line| &line.versions);
        if !versions.into_iter().any(|version| ["1.4.5", "1.4.6"].iter().any(|bad| version.starts_with(bad))) {
            return;
        }
        let of_flags = lines.iter().position(|line| is_hashables(line) && line.versions.is_empty());
        let (action, line, becomes) = match of_flags {
            Some(at) if lines[at].text.split(' ').any(|word| word == FLAG) => return,
            Some(at) => {
                let line = lines[at].text.clone();
                let words = line.split(' ').filter(|word| *word != "+arch-native").chain([FLAG]);
                let becomes = words.collect::<Vec<_>>().join(" ");
                self.constraints[at].clone_from(&becomes);
                (Action::Changed, line, Some(becomes))
            }
            None => {
                let line = format!("hashable {FLAG}");
                let at = lines.iter().position(is_hashables).unwrap_or(0);
                self.constraints.insert(at + 1, line.clone());
                (Action::Added, line, None)
            }
        };
        self.changes.push(Change { action, line, becomes, reason: reason.to_owned() });
    }

    /// The value of `active-repositories:`, unless it rules out all repositories or names one that an image does not
    /// know.
    fn repositories(&mut self, value: &str, images: &[(Platform, Survey)]) -> Option<String> {
        let reason = if value.contains(":none") {
            "it was made without a repository, and the container has to download".to_owned()
        } else {
            let names = value.split(',').map(|entry| entry.trim().split(':').next().unwrap_or_default());
            let unknown = names.into_iter().find(|name| !name.is_empty() && !is_known(name, images));
            let Some(unknown) = unknown else { return Some(value.to_owned()) };
            format!("the container knows no repository `{unknown}`")
        };
        self.drop(format!("active-repositories: {value}"), reason);
        None
    }

    /// The value of `index-state:`, without the parts that do not hold for the images.
    fn index_state(
        &mut self,
        states: Vec<String>,
        of_installed: bool,
        images: &[(Platform, Survey)],
    ) -> Option<String> {
        let mut kept = Vec::new();
        for state in states {
            let repository = state.split_once(' ').map(|(name, _)| name);
            let unknown = repository.filter(|name| !is_known(name, images));
            let reason = if state.ends_with("HEAD") {
                "`HEAD` is whatever the index holds when cabal runs: it pins nothing".to_owned()
            } else if let Some(unknown) = unknown {
                format!("the container knows no repository `{unknown}`")
            } else if of_installed {
                "the host's index may be older than the versions, which are those it had installed".to_owned()
            } else {
                kept.push(state);
                continue;
            };
            self.drop(format!("index-state: {state}"), reason);
        }
        (!kept.is_empty()).then(|| kept.join(", "))
    }
}

fn is_known(repository: &str, images: &[(Platform, Survey)]) -> bool {
    images.iter().all(|(_, image)| image.repositories.contains(repository))
}

/// Why a pinned version does not fit an image.
fn misfit(line: &Constraint, host: Option<&Survey>, images: &[(Platform, Survey)]) -> Option<String> {
    let name = &line.name;
    let only_with_a_ghc = PARTS_OF_GHC.contains(&name.as_str());
    // The container can build whatever the host's cabal would have built. Only a package that came with a GHC may not
    // fit.
    let came_with_a_ghc = only_with_a_ghc || host.is_none_or(|host| host.has_one_of(name, &line.versions));
    images.iter().find_map(|(platform, image)| {
        if image.has_one_of(name, &line.versions) {
            return None;
        }
        let ghc = image::ghc_name(image.ghc.as_deref());
        let fact = match image.packages.get(name) {
            Some(versions) if came_with_a_ghc => {
                let versions: Vec<_> = versions.iter().map(String::as_str).collect();
                format!("{ghc} comes with {name} {}", versions.join(" and "))
            }
            None if only_with_a_ghc => format!("{ghc} has no {name}, and only a GHC can bring it"),
            None if came_with_a_ghc && NOT_WITH_EVERY_GHC.contains(&name.as_str()) && is_another_ghc(host, image) => {
                format!("{name} came with the host's GHC, and {ghc} has none: cabal chooses one if it needs one")
            }
            _ => return None,
        };
        Some(if images.len() > 1 { format!("{platform}: {fact}") } else { fact })
    })
}

/// Whether the image's GHC is not the host's. Each version of base belongs to one GHC.
fn is_another_ghc(host: Option<&Survey>, image: &Survey) -> bool {
    host.is_some_and(|host| host.packages.get("base") != image.packages.get("base"))
}

/// Packages that come with later GHCs only. Earlier ones can do without them, and can build them.
const NOT_WITH_EVERY_GHC: [&str; 5] = ["Cabal-syntax", "exceptions", "file-io", "os-string", "semaphore-compat"];

/// Packages that cannot be built: they belong to the GHC that they came with.
const PARTS_OF_GHC: [&str; 20] = [
    "base",
    "ghc",
    "ghc-bignum",
    "ghc-boot",
    "ghc-boot-th",
    "ghc-compact",
    "ghc-experimental",
    "ghc-heap",
    "ghc-internal",
    "ghc-platform",
    "ghc-prim",
    "ghc-toolchain",
    "ghci",
    "hpc",
    "integer-gmp",
    "integer-simple",
    "libiserv",
    "rts",
    "system-cxx-std-lib",
    "template-haskell",
];

/// A constraint on a package's version or flags.
struct Constraint {
    text: String,
    name: String,
    /// The versions after `==`, joined by `||`. Empty for flags, and for forms that cabal does not write into freeze
    /// files.
    versions: Vec<String>,
}

impl Constraint {
    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(' ')?;
        // The name follows `any.`, `setup.` or `OTHER:setup.`, and has no dot itself.
        let name = name.rsplit('.').next().unwrap_or(name).to_owned();
        let versions =
            rest.split("||").map(|part| part.trim().strip_prefix("==").map(|version| version.trim().to_owned()));
        let versions = versions.collect::<Option<Vec<_>>>().unwrap_or_default();
        Some(Self { text: text.to_owned(), name, versions })
    }
}

impl Survey {
    fn has_one_of(&self, name: &str, versions: &[String]) -> bool {
        self.packages.get(name).is_some_and(|installed| versions.iter().any(|version| installed.contains(version)))
    }

    /// Reads what `scripts/container/survey.sh` and `freeze-host.sh` print.
    pub(crate) fn parse(text: &str) -> Self {
        let mut survey = Self::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            let mut words = value.split_whitespace();
            match key {
                "ghc" => survey.ghc = words.next().map(str::to_owned),
                "packages" => {
                    for (name, version) in words.filter_map(|id| id.rsplit_once('-')) {
                        survey.packages.entry(name.to_owned()).or_default().insert(version.to_owned());
                    }
                }
                "repositories" => survey.repositories.extend(words.map(str::to_owned)),
                "freeze" => survey.freeze = Some(lines.by_ref().flat_map(|line| [line, "\n"]).collect()),
                _ => {}
            }
        }
        survey
    }

    /// A freeze file of all installed packages but the project's own, for a host that has no cabal to make one.
    pub(crate) fn freeze_installed(&self, own: &[&str]) -> String {
        let others = self.packages.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let pins = others.map(|(name, versions)| {
            let versions: Vec<_> = versions.iter().map(|version| format!("=={version}")).collect();
            format!("any.{name} {}", versions.join(" || "))
        });
        format!("constraints: {}\n", pins.collect::<Vec<_>>().join(",\n             "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(text: &str) -> Survey {
        Survey::parse(text)
    }

    fn image() -> Vec<(Platform, Survey)> {
        let text = "ghc 9.6.6\npackages base-4.18.2.1 ghc-prim-0.10.0 text-2.0.2 mtl-2.3.1\nrepositories hackage.haskell.org\n";
        vec![(Platform::Amd64, survey(text))]
    }

    fn host() -> Survey {
        survey("packages base-4.20.2.0 ghc-internal-9.1003.0 text-2.1.3 mtl-2.3.1 os-string-2.0.7\n")
    }

    fn constraints(lines: &[&str]) -> String {
        format!("constraints: {}\n", lines.join(",\n             "))
    }

    fn changes(frozen: &Frozen) -> Vec<String> {
        frozen.changes.iter().map(|change| format!("{}: {}", change.shown(), change.reason)).collect()
    }

    #[test]
    fn what_came_with_another_ghc_goes() {
        for (line, reason) in [
            ("any.base ==4.20.2.0", Some("GHC 9.6.6 comes with base 4.18.2.1")),
            ("any.text ==2.1.3", Some("GHC 9.6.6 comes with text 2.0.2")),
            ("setup.text ==2.1.3", Some("GHC 9.6.6 comes with text 2.0.2")),
            ("any.text ==2.1.3 || ==2.1.2", Some("GHC 9.6.6 comes with text 2.0.2")),
            ("any.ghc-internal ==9.1003.0", Some("GHC 9.6.6 has no ghc-internal, and only a GHC can bring it")),
            ("any.ghc-prim ==0.12.0", Some("GHC 9.6.6 comes with ghc-prim 0.10.0")),
            // The first came with the host's GHC. The others are in the image, or the image can build them.
            ("any.os-string ==2.0.7", Some("os-string came with the host's GHC, and GHC 9.6.6 has none")),
            ("any.mtl ==2.3.1", None),
            ("any.os-string ==2.0.6", None),
            ("any.mtl ==2.3.1 || ==2.2.2", None),
            ("any.random ==1.2.1.2", None),
            ("any.text ==2.1.1", None),
            ("any.text >=2", None),
        ] {
            let frozen = translate(&constraints(&[line]), Some(&host()), &image());
            let told = changes(&frozen).concat();
            let expected = reason.map(|reason| format!("dropped {line}: {reason}")).unwrap_or_default();
            assert!(told.starts_with(&expected) && told.is_empty() == expected.is_empty(), "{told}");
            assert_eq!(frozen.constraints.is_empty(), reason.is_some(), "{line}");
        }
    }

    #[test]
    fn without_the_hosts_packages_the_images_decide() {
        let frozen = translate(&constraints(&["any.text ==2.1.1", "any.random ==1.2"]), None, &image());
        assert_eq!(frozen.constraints, ["any.random ==1.2"]);
    }

    #[test]
    fn what_one_platform_misses_goes_for_all() {
        let arm = survey("ghc 9.10.3\npackages base-4.20.2.0 mtl-2.3.1\n");
        let images = [image(), vec![(Platform::Arm64, arm)]].concat();
        let frozen = translate(&constraints(&["any.base ==4.18.2.1", "any.mtl ==2.3.1"]), None, &images);
        assert_eq!(changes(&frozen), ["dropped any.base ==4.18.2.1: linux/arm64: GHC 9.10.3 comes with base 4.20.2.0"]);
        assert_eq!(frozen.constraints, ["any.mtl ==2.3.1"]);
    }

    #[test]
    fn flags_go_with_their_package() {
        let text = constraints(&["any.text ==2.1.3", "text -developer +simdutf", "any.splitmix ==0.1", "splitmix -x"]);
        let frozen = translate(&text, Some(&host()), &image());
        assert_eq!(frozen.constraints, ["any.splitmix ==0.1", "splitmix -x"]);
        assert!(changes(&frozen)[1].starts_with("dropped text -developer +simdutf: the flags of an installed package"));
    }

    #[test]
    fn hashable_is_not_compiled_for_one_machine() {
        for (lines, kept, action) in [
            (
                &["any.hashable ==1.4.5.0"][..],
                &["any.hashable ==1.4.5.0", "hashable -arch-native"][..],
                Some(Action::Added),
            ),
            (
                &["any.hashable ==1.4.6.0", "hashable +arch-native -random-initial-seed"],
                &["any.hashable ==1.4.6.0", "hashable -random-initial-seed -arch-native"],
                Some(Action::Changed),
            ),
            (
                &["any.hashable ==1.4.6.0", "hashable +integer-gmp"],
                &["any.hashable ==1.4.6.0", "hashable +integer-gmp -arch-native"],
                Some(Action::Changed),
            ),
            (
                &["any.hashable ==1.4.6.0", "hashable -arch-native"],
                &["any.hashable ==1.4.6.0", "hashable -arch-native"],
                None,
            ),
            (&["any.hashable ==1.4.7.0"], &["any.hashable ==1.4.7.0"], None),
            (
                &["any.hashable ==1.5.0.0", "hashable +arch-native"],
                &["any.hashable ==1.5.0.0", "hashable +arch-native"],
                None,
            ),
        ] {
            let frozen = translate(&constraints(lines), None, &image());
            assert_eq!(frozen.constraints, kept);
            assert_eq!(frozen.changes.first().map(|change| change.action), action, "{lines:?}");
        }
    }

    #[test]
    fn repositories_are_those_of_the_image() {
        for (text, kept, reason) in [
            ("active-repositories: :none\n", None, Some("it was made without a repository")),
            (
                "active-repositories: hackage.haskell.org:merge\n",
                Some("active-repositories: hackage.haskell.org:merge\n"),
                None,
            ),
            ("active-repositories: hackage.haskell.org, mine:override\n", None, Some("no repository `mine`")),
            ("active-repositories: :rest\n", Some("active-repositories: :rest\n"), None),
            ("index-state: HEAD\n", None, Some("pins nothing")),
            ("index-state: hackage.haskell.org HEAD\n", None, Some("pins nothing")),
            (
                "index-state: hackage.haskell.org 2026-01-01T00:00:00Z, mine 2026-01-02T00:00:00Z\n",
                Some("index-state: hackage.haskell.org 2026-01-01T00:00:00Z\n"),
                Some("no repository `mine`"),
            ),
            ("index-state: 2026-01-01T00:00:00Z\n", Some("index-state: 2026-01-01T00:00:00Z\n"), None),
            ("with-compiler: ghc-9.8\n", None, Some("no freeze file of cabal's has this field")),
        ] {
            let frozen = translate(text, Some(&host()), &image());
            assert_eq!(frozen.text(), kept.unwrap_or_default());
            let told = changes(&frozen).concat();
            assert!(reason.map_or(told.is_empty(), |reason| told.contains(reason)), "{text}: {told}");
        }
    }

    #[test]
    fn the_index_of_a_host_that_had_all_installed_says_nothing() {
        let nix = survey("packages base-4.18.2.1 aeson-2.1.2.1 lens-5.2.3\n");
        let text = constraints(&["any.aeson ==2.1.2.1", "any.lens ==5.2.3"]) + "index-state: 2021-01-01T00:00:00Z\n";
        let frozen = translate(&text, Some(&nix), &image());
        assert_eq!(frozen.constraints, ["any.aeson ==2.1.2.1", "any.lens ==5.2.3"]);
        assert!(changes(&frozen)[0].contains("the host's index may be older than the versions"));
        assert!(frozen.notes[0].starts_with("the host had aeson, lens installed"), "{:?}", frozen.notes);
        assert_eq!((frozen.index_state, translate(&text, None, &image()).changes), (None, Vec::new()));
    }

    #[test]
    fn a_file_that_fits_stays_as_it_is() {
        let text = "active-repositories: hackage.haskell.org:merge\nconstraints: any.base ==4.18.2.1,\n             \
            any.random ==1.2.1.2\nindex-state: hackage.haskell.org 2026-01-01T00:00:00Z\n";
        let frozen = translate(text, None, &image());
        assert_eq!((frozen.text().as_str(), frozen.changes.len()), (text, 0));
        assert_eq!(frozen.time().as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(
            frozen.arguments(),
            [
                "--constraint=any.base ==4.18.2.1",
                "--constraint=any.random ==1.2.1.2",
                "--index-state=hackage.haskell.org 2026-01-01T00:00:00Z",
            ]
        );
        assert_eq!(translate("", None, &image()).text(), "");
    }

    #[test]
    fn a_survey_ends_with_the_freeze_file() {
        let text = "ghc 9.6.6\npackages base-4.18 a-b-1.0 a-b-2.0\nrepositories x y\nfreeze\nconstraints: any.a ==1,\n any.b ==2\n";
        let survey = Survey::parse(text);
        assert_eq!(survey.ghc.as_deref(), Some("9.6.6"));
        assert_eq!(survey.packages["a-b"].len(), 2);
        assert_eq!(survey.freeze.as_deref(), Some("constraints: any.a ==1,\n any.b ==2\n"));
        let installed = survey.freeze_installed(&["base"]);
        assert_eq!(installed, "constraints: any.a-b ==1.0 || ==2.0\n");
    }
}
