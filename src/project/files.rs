//! Reads `cabal.project` and `.cabal` files as far as hsx needs them. The result is a guess, for messages and mounts:
//! cabal decides.

use camino::Utf8PathBuf;

use super::fields::{Element, parse, words};
use super::package::{Package, Stanza};

/// What a project file says, in all branches of its conditionals: only cabal knows which branches apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectFile {
    /// `packages:` and `optional-packages:`, as written.
    pub packages: Vec<String>,
    pub with_compiler: Option<String>,
    pub index_state: Option<String>,
    /// `import:`, as written. cabal reads the imported files as if their text stood here.
    pub imports: Vec<String>,
    /// Whether it has packages from outside the project: from `source-repository-package`, or from elsewhere.
    pub has_foreign_packages: bool,
    /// Package repositories in directories: absolute paths, as cabal wants them.
    pub repositories: Vec<Utf8PathBuf>,
    /// Whether it imports more files, nested deeper than hsx reads.
    pub is_cut: bool,
    /// Whether some of this depends on conditionals.
    pub has_conditionals: bool,
    /// Settings that are for the developer's machine, or in the way of a static build.
    pub settings: Vec<Setting>,
    /// Project files with other values than the user's, and those texts.
    pub amended: Vec<(Utf8PathBuf, String)>,
}

/// A setting of a project file that hsx overrides or reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Setting {
    pub name: String,
    pub value: String,
    /// The package of the section it stands in, or `*`.
    pub package: Option<String>,
    /// The container is shown the file with another value.
    pub is_amended: bool,
}

impl Setting {
    /// The value that is right in the container, where an argument of cabal's could not set it.
    fn amended(&self) -> Option<String> {
        match self.name.as_str() {
            "executable-dynamic" | "documentation" => Some("False".to_owned()),
            "executable-static" | "library-vanilla" => Some("True".to_owned()),
            _ => self.program_in_image().map(str::to_owned),
        }
    }

    /// The program's name in the image, for a setting that says where a program is.
    pub(crate) fn program_in_image(&self) -> Option<&str> {
        let program = self.name.strip_suffix("-location").or_else(|| self.name.strip_prefix("with-"))?;
        Some(if program == "hc-pkg" { "ghc-pkg" } else { program })
    }
}

/// Reads a `cabal.project`, or a file it imports.
pub(crate) fn parse_project_file(text: &str) -> ProjectFile {
    let mut file = ProjectFile::default();
    file.read(&parse(text), None);
    file
}

impl ProjectFile {
    /// The file's text as the container must see it: with other values in the sections of packages, which no argument
    /// of cabal's overrides. `None`: the text holds as it is.
    pub(crate) fn amend(&mut self, text: &str) -> Option<String> {
        let mut amended = text.to_owned();
        for setting in self.settings.iter().filter(|setting| setting.package.is_some()) {
            if let Some(value) = setting.amended() {
                amended = with_value(&amended, setting, &value);
            }
        }
        let left = parse_project_file(&amended).settings;
        for setting in self.settings.iter_mut().filter(|setting| setting.package.is_some()) {
            setting.is_amended = !left.contains(setting);
        }
        (amended != text).then_some(amended)
    }

    fn read(&mut self, elements: &[Element], package: Option<&str>) {
        for element in elements {
            match element {
                Element::Field { name, value } => self.field(name, value, package),
                Element::Section { name, argument, elements } => match name.as_str() {
                    "if" | "elif" | "else" => {
                        self.has_conditionals = true;
                        self.read(elements, package);
                    }
                    "repository" => self.repositories.extend(repository(elements)),
                    "source-repository-package" => self.has_foreign_packages = true,
                    "package" => self.settings_of(elements, Some(argument)),
                    "program-locations" => self.settings_of(elements, None),
                    _ => {}
                },
            }
        }
    }

    fn field(&mut self, name: &str, value: &str, package: Option<&str>) {
        match name {
            "packages" | "optional-packages" => self.packages.extend(words(value)),
            "extra-packages" => self.has_foreign_packages = true,
            "with-compiler" => self.with_compiler = Some(value.to_owned()),
            "index-state" => self.index_state = newest_time(value),
            "import" => self.imports.push(value.to_owned()),
            _ => self.setting(name, value, package),
        }
    }

    fn settings_of(&mut self, elements: &[Element], package: Option<&str>) {
        for element in elements {
            match element {
                Element::Field { name, value } => self.setting(name, value, package),
                Element::Section { elements, .. } => self.settings_of(elements, package),
            }
        }
    }

    fn setting(&mut self, name: &str, value: &str, package: Option<&str>) {
        let is_on = value.eq_ignore_ascii_case("true");
        let matters = match name {
            "executable-dynamic" | "documentation" => is_on,
            "executable-static" | "library-vanilla" => value.eq_ignore_ascii_case("false"),
            "write-ghc-environment-files" => value != "never",
            "with-hc-pkg"
            | "store-dir"
            | "extra-lib-dirs"
            | "extra-lib-dirs-static"
            | "extra-include-dirs"
            | "extra-prog-path" => true,
            _ => name.ends_with("-location") || (name.starts_with("with-") && name != "with-compiler"),
        };
        if matters && !value.is_empty() {
            let (name, value) = (name.to_owned(), value.to_owned());
            self.settings.push(Setting { name, value, package: package.map(str::to_owned), is_amended: false });
        }
    }
}

/// The text with another value wherever it has this setting, `NAME: VALUE`.
fn with_value(text: &str, setting: &Setting, value: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut changed = String::new();
    let mut done = 0;
    for (at, name) in lower.match_indices(&setting.name) {
        let starts = text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || c == '{');
        let after = text[at + name.len()..].trim_start().strip_prefix(':').map(str::trim_start);
        let Some(rest) = after.and_then(|after| after.strip_prefix(setting.value.as_str())).filter(|_| starts) else {
            continue;
        };
        let end = text.len() - rest.len();
        if rest.chars().next().is_none_or(|c| c.is_whitespace() || c == '}') && at >= done {
            changed.push_str(&text[done..end - setting.value.len()]);
            changed.push_str(value);
            done = end;
        }
    }
    changed + &text[done..]
}

/// The directory of a repository in files: `url: file+noindex:///path`.
fn repository(elements: &[Element]) -> Option<Utf8PathBuf> {
    let url = elements.iter().find_map(|element| match element {
        Element::Field { name, value } if name == "url" => Some(value),
        _ => None,
    })?;
    let path = url.strip_prefix("file+noindex:").or_else(|| url.strip_prefix("file:"))?;
    let path = path.strip_prefix("//").unwrap_or(path).split('#').next()?.trim_end_matches('/');
    (path.starts_with('/') && path.len() > 1 && !path.split('/').any(|part| part == "..")).then(|| path.into())
}

/// The newest of the times in an `index-state:`, which may name one for each repository, or `HEAD`.
fn newest_time(value: &str) -> Option<String> {
    let is_time = |word: &String| word.contains('T') && word.ends_with('Z');
    words(value).into_iter().filter(is_time).max()
}

/// Reads a `.cabal` file. A package without a `name:` gets the name of the file.
pub(crate) fn parse_package(text: &str, file_stem: &str) -> Package {
    let elements = parse(text);
    let mut package = Package { name: file_stem.to_owned(), ..Package::default() };
    let mut tested = Vec::new();
    for element in &elements {
        match element {
            Element::Field { name, value } => match name.as_str() {
                "name" => package.name = unquoted(value),
                "version" => package.version.clone_from(value),
                "tested-with" => tested.push(value.as_str()),
                "data-files" => package.data_files.extend(words(value)),
                "data-dir" => package.data_dir = Some(unquoted(value).into()),
                // Before cabal 1.2 an executable was a field, not a stanza.
                "executable" => package.executables.push(Stanza { name: unquoted(value), is_certain: true }),
                _ => {}
            },
            Element::Section { name, argument, elements: inner } => {
                let stanza = || Stanza { name: unquoted(argument), is_certain: !mentions_buildable(inner, &elements) };
                match name.as_str() {
                    "executable" => package.executables.push(stanza()),
                    "test-suite" => package.test_suites.push(stanza()),
                    _ => {}
                }
            }
        }
    }
    package.outside.extend(outside(&elements));
    package.outside.sort();
    package.outside.dedup();
    package.tested_with = (!tested.is_empty()).then(|| tested.join(", "));
    package.executables.retain(|stanza| !stanza.name.is_empty());
    package.test_suites.retain(|stanza| !stanza.name.is_empty());
    package
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}

/// Whether a stanza, or a common stanza that it imports, has a `buildable:` field.
fn mentions_buildable(stanza: &[Element], file: &[Element]) -> bool {
    stanza.iter().any(|element| match element {
        Element::Field { name, .. } if name == "buildable" => true,
        Element::Field { name, value } if name == "import" => words(value).iter().any(|common| {
            file.iter().any(|element| match element {
                Element::Section { name, argument, elements } => {
                    name == "common" && argument == common && mentions_buildable(elements, &[])
                }
                Element::Field { .. } => false,
            })
        }),
        Element::Field { .. } => false,
        Element::Section { elements, .. } => mentions_buildable(elements, file),
    })
}

/// Directories and files that the build needs outside the package's own directory, as written.
fn outside(elements: &[Element]) -> Vec<Utf8PathBuf> {
    const FIELDS: [&str; 9] = [
        "hs-source-dirs",
        "hs-source-dir",
        "c-sources",
        "cxx-sources",
        "include-dirs",
        "data-dir",
        "extra-source-files",
        "extra-lib-dirs",
        "main-is",
    ];
    elements
        .iter()
        .flat_map(|element| match element {
            Element::Field { name, value } if FIELDS.contains(&name.as_str()) => {
                let out = words(value).into_iter().filter(|word| word.split('/').any(|part| part == ".."));
                out.map(Utf8PathBuf::from).collect()
            }
            Element::Field { .. } => Vec::new(),
            Element::Section { elements, .. } => outside(elements),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_branches_of_a_project_file_are_read() {
        let text = "-- a comment\npackages: app/*.cabal, ../lib\n          ./third/\noptional-packages:\n  vendor/*\n\
            with-compiler: ghc-9.6.6\nindex-state: 2026-01-01T00:00:00Z\nimport: common.config\n\
            package *\n  ghc-options: -O2\nif impl(ghc >= 9)\n  packages: new\n  import: new.config\nelse\n  packages: old\n";
        let file = parse_project_file(text);
        assert_eq!(file.packages, ["app/*.cabal", "../lib", "./third/", "vendor/*", "new", "old"]);
        assert_eq!(file.with_compiler.as_deref(), Some("ghc-9.6.6"));
        assert_eq!(file.imports, ["common.config", "new.config"]);
        assert_eq!(file.index_state.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert!(!file.has_foreign_packages && file.settings.is_empty(), "{file:?}");
        let foreign = parse_project_file("source-repository-package\n  type: git\n  packages: no\n");
        assert!(foreign.has_foreign_packages && foreign.packages.is_empty(), "{foreign:?}");
        for (value, time) in [
            ("HEAD", None),
            ("hackage.haskell.org 2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
            ("a 2026-01-01T00:00:00Z, b 2026-02-01T00:00:00Z,\n  c HEAD", Some("2026-02-01T00:00:00Z")),
        ] {
            assert_eq!(parse_project_file(&format!("index-state: {value}")).index_state.as_deref(), time, "{value}");
        }
    }

    #[test]
    fn settings_of_the_developers_machine_are_noticed() {
        let settings = |text: &str| {
            let settings = parse_project_file(text).settings.into_iter();
            let shown = settings.map(|setting| {
                let of = setting.package.map(|package| format!("@{package}")).unwrap_or_default();
                format!("{}={}{of}", setting.name, setting.value)
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        for (text, expected) in [
            ("executable-dynamic: True", "executable-dynamic=True"),
            ("executable-dynamic: False", ""),
            ("documentation: true", "documentation=true"),
            ("package *\n  documentation: True", "documentation=True@*"),
            ("package foo\n  library-vanilla: False\n  executable-static: True", "library-vanilla=False@foo"),
            ("package foo\n  executable-dynamic: True", "executable-dynamic=True@foo"),
            ("write-ghc-environment-files: always", "write-ghc-environment-files=always"),
            ("write-ghc-environment-files: never", ""),
            ("with-compiler: ghc-9.6.6", ""),
            ("with-hc-pkg: /opt/ghc/bin/ghc-pkg", "with-hc-pkg=/opt/ghc/bin/ghc-pkg"),
            ("program-locations\n  gcc-location: /usr/bin/gcc-12", "gcc-location=/usr/bin/gcc-12"),
            ("if os(linux)\n  store-dir: /home/me/store", "store-dir=/home/me/store"),
            ("optimization: 2\ntests: True\nflags: +x", ""),
        ] {
            assert_eq!(settings(text), expected, "{text}");
        }
    }

    #[test]
    fn what_no_argument_overrides_gets_another_value() {
        for (text, amended) in [
            ("package foo\n  executable-dynamic: True\n", "package foo\n  executable-dynamic: False\n"),
            ("package foo {Executable-Dynamic :true}", "package foo {Executable-Dynamic :False}"),
            ("package foo\n  executable-static:\n    False", "package foo\n  executable-static:\n    True"),
            (
                "if os(linux)\n  package *\n    documentation: True",
                "if os(linux)\n  package *\n    documentation: False",
            ),
            (
                "-- wéll\npackage a\n  ghc-options: -O2\n  program-locations\n    gcc-location: /usr/bin/gcc-12\n",
                "-- wéll\npackage a\n  ghc-options: -O2\n  program-locations\n    gcc-location: gcc\n",
            ),
            (
                "package a\n  documentation: True\npackage b\n  documentation: True",
                "package a\n  documentation: False\npackage b\n  documentation: False",
            ),
        ] {
            let mut file = parse_project_file(text);
            assert_eq!(file.amend(text).as_deref(), Some(amended), "{text}");
            assert!(file.settings.iter().all(|setting| setting.is_amended), "{text}");
        }
        for text in
            ["executable-dynamic: True\n", "package foo\n  executable-dynamic: False\n", "", "package *\n  x: y"]
        {
            assert_eq!(parse_project_file(text).amend(text), None, "{text}");
        }
    }

    #[test]
    fn a_cabal_file_gives_what_hsx_guesses_by() {
        let text = "cabal-version: 3.0\nName:          demo\nversion:       0.1.2\ntested-with:\n  GHC ==9.6.6\n   \
            || ==9.8.4\n\ncommon warnings\n  ghc-options: -Wall\n\ncommon off\n  buildable: False\n\nexecutable demo\n  \
            main-is: Main.hs\nExecutable demo-tool {\n  main-is: Tool.hs\n}\nexecutable old\n  import: warnings, off\n\
            executable some\n  if flag(x)\n    buildable: False\ntest-suite spec\n  type: exitcode-stdio-1.0\n\
            tested-with: GHC ==9.10.1\n";
        let package = parse_package(text, "file");
        assert_eq!((package.name.as_str(), package.version.as_str()), ("demo", "0.1.2"));
        let executables: Vec<_> =
            package.executables.iter().map(|stanza| (stanza.name.as_str(), stanza.is_certain)).collect();
        assert_eq!(executables, [("demo", true), ("demo-tool", true), ("old", false), ("some", false)]);
        assert_eq!(package.test_suites, [Stanza::new("spec")]);
        assert_eq!(package.tested_with.as_deref(), Some("GHC ==9.6.6 || ==9.8.4, GHC ==9.10.1"));
        assert_eq!(parse_package("version: 1", "stem").name, "stem");
    }

    #[test]
    fn executables_of_old_layouts_are_found() {
        for (text, name) in [
            ("name: tiny\nexecutable tiny { main-is: Main.hs\n  build-depends: base\n}\n", "tiny"),
            ("Name: flat\nExecutable:     flat\nMain-is:        Main.hs\n", "flat"),
            ("  name: shifted\n\n  executable shifted\n    main-is: Main.hs\n", "shifted"),
            ("Name:\tcaps\nExecutable\tcaps\n{\n\tMain-Is:\tMain.hs\n}\n", "caps"),
            ("name: quoted\nexecutable \"quoted-tool\"\n  main-is: Main.hs\n", "quoted-tool"),
            ("name:\n  spread\nexecutable spread\n{\nmain-is: Main.hs\n}\n", "spread"),
            (
                "name: wordy\ndescription: {\n\nexecutable wordy2 has no flags\n\n}\n\nexecutable wordy\n  main-is: M\n",
                "wordy",
            ),
        ] {
            let found: Vec<_> = parse_package(text, "x").executables.into_iter().map(|stanza| stanza.name).collect();
            assert_eq!(found, [name], "{text}");
        }
    }

    #[test]
    fn what_lies_outside_a_package_is_noticed() {
        let text =
            "data-dir: ../data\nexecutable a\n  hs-source-dirs: . ../shared\n  if os(linux)\n    c-sources: ../c/x.c\n";
        assert_eq!(parse_package(text, "x").outside, ["../c/x.c", "../data", "../shared"]);
        assert!(parse_package("executable a\n  hs-source-dirs: src a..b\n", "x").outside.is_empty());
    }
}
