//! cabal: this is the only file that knows cabal's flags and what cabal writes.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::project::ghc;
use crate::project::target::{Planned, is_component_name, plain};
use crate::project::{ComponentKind, Executable, Setting};

/// hsx's names as an external command of cabal, and what a person types for each.
pub(crate) const EXTERNAL_COMMANDS: [(&str, &str); 2] = [("cabal-static", "cabal static"), ("cabal-hsx", "cabal hsx")];

/// The first version of cabal that has external commands.
pub(crate) const EXTERNAL_COMMANDS_SINCE: &str = "3.12";

/// A command line in the form that hsx itself parses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub args: Vec<OsString>,
    /// What the help shows in place of `hsx`, if cabal started it.
    pub typed: Option<&'static str>,
}

/// Reads how hsx was started: by its own name, or by cabal, which runs `cabal-NAME` for a command NAME it does not know.
///
/// cabal 3.12 to 3.16.0 repeat NAME as the first argument and set `CABAL`. Later versions do not repeat it, and set
/// `CABAL_EXTERNAL_CABAL_PATH` (cabal's manual, "External Commands"; cabal #11295). A first argument that a person
/// typed is kept, whether cabal or a shell started hsx.
pub(crate) fn command_line(args: impl IntoIterator<Item = OsString>, is_set: impl Fn(&str) -> bool) -> CommandLine {
    let mut args: Vec<_> = args.into_iter().collect();
    let started_as = args.first().and_then(|program| Path::new(program).file_name()).and_then(OsStr::to_str);
    let known = EXTERNAL_COMMANDS.into_iter().find(|(name, _)| Some(*name) == started_as);
    let Some((name, typed)) = known else { return CommandLine { args, typed: None } };
    let command = name.trim_start_matches("cabal-");
    let is_repeated = is_set("CABAL") && !is_set("CABAL_EXTERNAL_CABAL_PATH");
    if is_repeated && args.get(1).is_some_and(|arg| arg == command) {
        args.remove(1);
    }
    if command == "hsx" {
        return CommandLine { args, typed: Some(typed) };
    }
    args.insert(1, command.into());
    CommandLine { args, typed: Some("cabal") }
}

/// cabal's own directory, with its configuration. Each container makes it anew (`home.sh`), so that no build leaves
/// anything there for another.
pub(crate) const CABAL_DIR: &str = "/hsx/cabal";

/// The home of the user in the container, which each container makes anew too.
pub(crate) const HOME: &str = "/hsx/home";

/// The package store: compiled dependencies. It is a volume per platform and image, or also per project.
pub(crate) const STORE_DIR: &str = "/hsx/cabal/store";

/// The package index. It is a volume per platform and image, which no project's code can write to.
pub(crate) const INDEX_DIR: &str = "/hsx/index";

/// The build directory, and what the project downloaded. It is a volume per project, platform and image.
pub(crate) const BUILD_DIR: &str = "/hsx/build";

/// The build directory of tests. In the one of builds, cabal would configure all packages anew after each change
/// between the two.
const TEST_BUILD_DIR: &str = "/hsx/build/tests";

/// Arguments of `cabal test`, and of the `cabal build` before it.
pub(crate) fn test_args(targets: &[String], jobs: Option<u32>, extra: &[String]) -> Vec<String> {
    let mut args = build_args(targets, jobs, extra);
    args[0] = format!("--builddir={TEST_BUILD_DIR}");
    args.insert(1, "--enable-tests".to_owned());
    args
}

/// Arguments of `cabal build`. They are the same for fetching and building: another flag would make another plan.
pub(crate) fn build_args(targets: &[String], jobs: Option<u32>, extra: &[String]) -> Vec<String> {
    let mut args = vec![
        format!("--builddir={BUILD_DIR}"),
        // The image's own compiler, whatever path or version the project files name on the host.
        "--with-compiler=ghc".to_owned(),
        "--enable-executable-static".to_owned(),
    ];
    args.extend(jobs.map(|jobs| format!("--jobs={jobs}")));
    args.extend(extra.iter().cloned());
    args.extend(targets.iter().cloned());
    args
}

/// Arguments for solving without building. The plan goes to another directory, so that it does not replace the builds'
/// plan.
pub(crate) fn solve_args(targets: &[String], extra: &[String]) -> Vec<String> {
    let mut args = build_args(targets, None, extra);
    args[0].push_str("/freeze");
    args
}

/// Arguments that override what project files set for the developer's machine, or in the way of a static build. Also
/// returns what the user must know about that.
pub(crate) fn overrides(settings: &[Setting], is_seen: impl Fn(&str) -> bool) -> (Vec<String>, Vec<String>) {
    let (mut args, mut names, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for setting @ Setting { name, value, package, is_amended } in settings {
        let of = package.as_ref().map(|package| format!(" of `{package}`")).unwrap_or_default();
        if *is_amended {
            names.push(format!("`{name}: {value}`{of}"));
            continue;
        }
        let arg = match name.as_str() {
            "executable-static" => "--enable-executable-static".to_owned(),
            "library-vanilla" => "--enable-library-vanilla".to_owned(),
            "executable-dynamic" => "--disable-executable-dynamic".to_owned(),
            "documentation" => "--disable-documentation".to_owned(),
            "write-ghc-environment-files" => "--write-ghc-environment-files=never".to_owned(),
            "store-dir" => format!("--store-dir={STORE_DIR}"),
            // One more directory on PATH does no harm, and cabal uses the compiler that it is given.
            "extra-prog-path" | "ghc-location" => continue,
            _ if let Some(in_image) = setting.program_in_image() => {
                format!("--with-{}={in_image}", if in_image == "ghc-pkg" { "hc-pkg" } else { in_image })
            }
            _ => {
                let unseen = value.split([' ', ',']).find(|path| path.starts_with('/') && !is_seen(path));
                told.extend(
                    unseen.map(|path| format!("`{name}: {path}` names a directory that the container does not see")),
                );
                continue;
            }
        };
        // An argument does not override what is set for one package alone.
        if package.as_ref().is_some_and(|package| package != "*") {
            told.push(format!("`{name}: {value}`{of} is in the way of a static build"));
            continue;
        }
        if !args.contains(&arg) {
            args.push(arg);
            names.push(format!("`{name}: {value}`{of}"));
        }
    }
    if !names.is_empty() {
        told.push(format!(
            "what the project's files set for your machine does not hold in the container: {}",
            names.join(", ")
        ));
    }
    (args, told)
}

/// What cabal planned, from `cache/plan.json` of the build directory.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CabalPlan {
    install_plan: Vec<Unit>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Unit {
    #[serde(default)]
    id: String,
    #[serde(rename = "type")]
    kind: String,
    style: Option<String>,
    pkg_name: String,
    #[serde(default)]
    pkg_version: String,
    pkg_src: Option<PackageSource>,
    /// The only component of the unit. cabal builds most packages in this way.
    component_name: Option<String>,
    /// All components of the unit, for a package with a Custom setup.
    #[serde(default)]
    components: BTreeMap<String, Needs>,
    #[serde(flatten)]
    needs: Needs,
}

#[derive(Debug, Deserialize)]
struct PackageSource {
    path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Needs {
    #[serde(default)]
    depends: Vec<String>,
}

impl CabalPlan {
    /// Reads `plan.json`.
    ///
    /// # Errors
    /// When it is not a plan of cabal's.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The executables, or the test suites, that cabal planned to build.
    ///
    /// # Errors
    /// When a name is not one that cabal gives to components: the error is that name, made harmless.
    pub(crate) fn components(&self, kind: ComponentKind) -> Result<Vec<Planned>, String> {
        let mut planned = Vec::new();
        let prefix = format!("{}:", kind.word());
        for unit in self.install_plan.iter().filter(|unit| unit.kind == "configured") {
            let style = unit.style.as_deref().unwrap_or_default();
            // A unit in the store was built as a dependency.
            if style == "global" {
                continue;
            }
            let components = unit.component_name.iter().chain(unit.components.keys());
            for name in components.filter_map(|component| component.strip_prefix(&prefix)) {
                if let Some(bad) = [name, &unit.pkg_name].into_iter().find(|name| !is_component_name(name)) {
                    return Err(bad.escape_debug().take(100).collect());
                }
                let component = Executable {
                    package: unit.pkg_name.clone(),
                    version: unit.pkg_version.clone(),
                    name: name.to_owned(),
                };
                let path = unit.pkg_src.as_ref().and_then(|source| source.path.as_deref());
                let place = path.map(|path| plain(path.into()));
                planned.push(Planned { component, place, is_local: style == "local" });
            }
        }
        planned.sort();
        planned.dedup();
        Ok(planned)
    }

    /// The ids of the units that an executable is made of, with their packages' names.
    pub(crate) fn units_of(&self, exe: &Executable) -> BTreeMap<&str, &str> {
        let by_id: BTreeMap<_, _> = self.install_plan.iter().map(|unit| (unit.id.as_str(), unit)).collect();
        let component = format!("exe:{}", exe.name);
        let own = self.install_plan.iter().filter(|unit| {
            unit.pkg_name == exe.package
                && (unit.component_name.as_ref() == Some(&component) || unit.components.contains_key(&component))
        });
        let mut todo: Vec<&Unit> = own.collect();
        let mut found = BTreeMap::new();
        while let Some(unit) = todo.pop() {
            if found.insert(unit.id.as_str(), unit.pkg_name.as_str()).is_none() {
                let parts = unit.components.values().flat_map(|needs| &needs.depends);
                todo.extend(unit.needs.depends.iter().chain(parts).filter_map(|id| by_id.get(id.as_str()).copied()));
            }
        }
        found
    }
}

/// The variable that tells a program where the data files of a package are (Cabal's `Paths_NAME`).
pub(crate) fn data_variable(package: &str) -> String {
    format!("{}_datadir", package.replace('-', "_"))
}

/// The result of a test suite that ran.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Suite {
    pub package: String,
    pub version: String,
    pub name: String,
    pub passed: bool,
    /// Why it failed, in cabal's words.
    pub reason: Option<String>,
    /// Its log, where there is one.
    pub log: Option<Utf8PathBuf>,
}

/// Reads the results of test suites from the lines that cabal writes for programs (`--test-machine-log`): each is a
/// `PackageLog` as Haskell shows it. A suite's log is given by its path in the container.
pub(crate) fn test_suites(log: &str) -> Vec<Suite> {
    let text_after = |text: &str, key: &str| {
        let rest = &text[text.find(key)? + key.len()..];
        let start = rest.find('"')? + 1;
        Some(rest[start..].split('"').next()?.to_owned())
    };
    let packages = log.split("PackageLog {").skip(1);
    let suites = packages.flat_map(|package| {
        let name = text_after(package, "pkgName = ").unwrap_or_default();
        // "pkgVersion = mkVersion [0,2]"
        let version = package.split_once("pkgVersion = mkVersion [").and_then(|(_, rest)| rest.split(']').next());
        let version = version.unwrap_or_default().replace(',', ".");
        let of_package = move |suite: &str| Some((name.clone(), text_after(suite, "testSuiteName = ")?));
        package.split("TestSuiteLog {").skip(1).filter_map(move |suite| {
            let (package, name) = of_package(suite)?;
            let fault = ["testResult = Fail ", "testResult = Error "].iter().find_map(|key| text_after(suite, key));
            Some(Suite {
                version: version.clone(),
                package,
                name,
                passed: fault.is_none(),
                reason: fault,
                log: text_after(suite, "logFile = ").map(Into::into),
            })
        })
    });
    suites.collect()
}

/// A hint at what a failed build most likely lacks, from the end of its output.
pub(crate) fn failure_hint(output: &str) -> Option<String> {
    // cabal may break its lines at any blank.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = |before: &str| {
        let rest = &output[output.find(before)? + before.len()..];
        let name = rest.split(|c: char| c.is_whitespace() || "'\"’,:;<>=^".contains(c)).next()?;
        // The solver of cabal before 3.10 writes `libpq-any` for any version.
        Some(name.trim_end_matches("-any")).filter(|name| !name.is_empty())
    };
    // Cabal's solver: "(conflict: pkg-config package libpq>=9, not found in the pkg-config database)"; its configure
    // step: "The pkg-config package 'libpq' is required but it could not be found", "* Missing (or bad) C library: bz2",
    // "* Missing (or bad) header file: bzlib.h"; ld: "cannot find -lpq"; lld.
    // Headers come last: cabal names a missing header before the library that it belongs to.
    let patterns = [
        ("(conflict: pkg-config package ", "static C library"),
        ("pkg-config package '", "static C library"),
        ("Missing (or bad) C library: ", "static C library"),
        ("Missing (or bad) C libraries: ", "static C library"),
        ("Missing C library: ", "static C library"),
        ("cannot find -l", "static C library"),
        ("unable to find library -l", "static C library"),
        ("Missing (or bad) header file: ", "C header"),
    ];
    if let Some((name, what)) = patterns.into_iter().find_map(|(before, what)| Some((named(before)?, what))) {
        if name.starts_with("HS") {
            return Some("the project asks for shared Haskell libraries: look for `-dynamic` in its files".to_owned());
        }
        return Some(format!(
            "the builder image has no {what} `{name}`: add the package that has it (`--image-package`, or `packages` in `[image]`)"
        ));
    }
    if let Some(hint) = undefined_reference(&output).or_else(|| foreign_base(&output)) {
        return Some(hint);
    }
    if output.contains("Read-only file system") {
        return Some("the source is read-only in the container: `--writable-source` builds in a copy of it".to_owned());
    }
    if output.contains(NO_INDEX) && is_unsolvable(&output) {
        return Some(
            "the package index could not be updated: does the engine's host reach Hackage, or a mirror?".to_owned(),
        );
    }
    // "The build process was killed (i.e. SIGKILL)."
    if ["was killed (i.e. SIGKILL)", "ExitFailure (-9)", "(exit code: -9)"].iter().any(|text| output.contains(text)) {
        return Some("the compiler was killed, most likely for lack of memory: try `--jobs 1`".to_owned());
    }
    None
}

/// What `index.sh` prints if `cabal update` failed.
const NO_INDEX: &str = "hsx: the package index could not be updated";

/// The hint for when the solver rejects the compiler's own `base`: "base-4.20.2.0/installed-inplace (conflict: tracker
/// => base^>=4.18.0.0)".
fn foreign_base(output: &str) -> Option<String> {
    let (before, rest) = output.split_once("=> base")?;
    let package = before.rsplit([' ', '(']).find(|word| !word.is_empty())?;
    let range = rest.split(')').next()?;
    if !before.contains("rejecting: base-") {
        return None;
    }
    let series = ghc::series_of_base(range)?;
    Some(format!("`{package}` wants base {range}, which is that of GHC {series}: `--ghc {series}`"))
}

/// How the symbols of C libraries begin, and the libraries.
const SYMBOLS: [(&str, &str); 21] = [
    ("BZ2_", "bz2"),
    ("lzma_", "lzma"),
    ("ZSTD_", "zstd"),
    ("LZ4", "lz4"),
    ("XML_", "expat"),
    ("SSL_", "ssl"),
    ("EVP_", "crypto"),
    ("BIO_", "crypto"),
    ("X509_", "crypto"),
    ("PQ", "pq"),
    ("pg_", "pgcommon"),
    ("sqlite3_", "sqlite3"),
    ("pcre_", "pcre"),
    ("__gmp", "gmp"),
    ("tget", "tinfo"),
    ("setupterm", "tinfo"),
    ("deflate", "z"),
    ("inflate", "z"),
    ("crc32", "z"),
    ("mysql_", "mysqlclient"),
    ("icu", "icuuc"),
];

/// The hint for a missing library that a static library needs without naming it. GNU's `ld` reports an "undefined
/// reference", `lld` an "undefined symbol".
fn undefined_reference(output: &str) -> Option<String> {
    let after =
        ["undefined reference to ", "undefined symbol: "].iter().find_map(|words| Some(output.split_once(words)?.1))?;
    let symbol: String = after
        .trim_start_matches(['`', '\'', '"', '‘'])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(80)
        .collect();
    let library = SYMBOLS.iter().find(|(start, _)| symbol.starts_with(start)).map(|(_, library)| *library);
    Some(match library {
        Some(library) => format!(
            "`{symbol}` is of the C library `{library}`, which has to be named where a static library needs it: \
             `--cabal-arg=--ghc-options=-optl-l{library}`, or `extra-libraries` in the `.cabal` file"
        ),
        None => format!(
            "a static library needs `{symbol}` of another, which has to be named: `--cabal-arg=--ghc-options=-optl-lNAME`, or \
             `extra-libraries` in the `.cabal` file"
        ),
    })
}

/// Whether cabal's output says that it does not know a target.
pub(crate) fn is_unknown_target(output: &str) -> bool {
    output.contains("Unknown target '") || output.contains("Unrecognised target syntax")
}

/// Whether cabal's output says that it found no plan.
pub(crate) fn is_unsolvable(output: &str) -> bool {
    output.contains("Could not resolve dependencies")
}

/// The messages of GHC and cabal at the end of a failed build's output. Each keeps its lines as they were printed.
pub(crate) fn messages(output: &str) -> Vec<String> {
    const LIMIT: usize = 50;
    let begins = |line: &str| {
        // "src/Main.hs:3:18: error: [GHC-1] …", "Error: cabal: …", "Error: [Cabal-7125]"
        line.starts_with("Error:")
            || line.contains(": error:")
                && line.split(':').nth(1).is_some_and(|number| {
                    let number = number.trim_start_matches('(');
                    number.starts_with(|c: char| c.is_ascii_digit())
                })
    };
    let mut messages: Vec<String> = Vec::new();
    let mut is_within = false;
    for line in output.lines().map(str::trim_end) {
        if begins(line) {
            messages.push(line.to_owned());
            is_within = true;
        } else if line.is_empty() {
            is_within = false;
        } else if let (true, Some(last)) = (is_within, messages.last_mut()) {
            last.push('\n');
            last.push_str(line);
        }
    }
    messages.truncate(LIMIT);
    messages
}

/// Whether an offline build failed for want of a package that was never downloaded.
pub(crate) fn wants_download(output: &str) -> bool {
    // Without a network, cabal's own downloader and curl fail to resolve the host's name.
    ["Failed to download", "getAddrInfo", "Could not resolve host"].iter().any(|words| output.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exe(package: &str, name: &str) -> Executable {
        Executable { package: package.to_owned(), version: "1.0".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn cabals_external_commands_are_commands_of_hsx() {
        let (old, new, both) =
            (&["CABAL"][..], &["CABAL_EXTERNAL_CABAL_PATH"][..], &["CABAL", "CABAL_EXTERNAL_CABAL_PATH"][..]);
        for (words, variables, args, typed) in [
            ("/bin/cabal-static static -p arm64", old, "static -p arm64", Some("cabal")),
            ("/bin/cabal-static -p arm64", new, "static -p arm64", Some("cabal")),
            ("cabal-static static --help", old, "static --help", Some("cabal")),
            ("cabal-static --help", new, "static --help", Some("cabal")),
            ("cabal-static static", old, "static", Some("cabal")),
            // The second `static` is a target that has the command's name.
            ("cabal-static static static", old, "static static", Some("cabal")),
            ("cabal-static static", new, "static static", Some("cabal")),
            ("cabal-static static", both, "static static", Some("cabal")),
            ("cabal-static static", &[], "static static", Some("cabal")),
            ("cabal-static -q", old, "static -q", Some("cabal")),
            ("cabal-hsx hsx static -q", old, "static -q", Some("cabal hsx")),
            ("cabal-hsx static -q", new, "static -q", Some("cabal hsx")),
            ("cabal-hsx hsx --help", old, "--help", Some("cabal hsx")),
            ("hsx static -q", old, "static -q", None),
            ("./hsx hsx", old, "hsx", None),
        ] {
            let line = command_line(words.split(' ').map(OsString::from), |name| variables.contains(&name));
            let read: Vec<_> = line.args[1..].iter().map(|arg| arg.to_str().unwrap()).collect();
            assert_eq!((read.join(" ").as_str(), line.typed), (args, typed), "{words} {variables:?}");
        }
        let nothing = CommandLine { args: Vec::new(), typed: None };
        assert_eq!(command_line([], |_| true), nothing);
    }

    /// What cabal 3.10 and 3.12 write, shortened.
    const PLAN: &str = r#"{"cabal-version":"3.10.3.0","compiler-id":"ghc-9.6.6","install-plan":[
        {"type":"pre-existing","id":"base-4.18","pkg-name":"base","pkg-version":"4.18","depends":[]},
        {"type":"configured","id":"app-1","style":"local","pkg-name":"app","pkg-version":"1","component-name":"exe:app",
         "pkg-src":{"type":"local","path":"/src/app/."},"bin-file":"/x","depends":["base-4.18","app-1-lib"]},
        {"type":"configured","id":"app-1-lib","style":"local","pkg-name":"app","pkg-version":"1","component-name":"lib",
         "depends":["data-2-abc"]},
        {"type":"configured","id":"app-1-spec","style":"local","pkg-name":"app","pkg-version":"1","component-name":"test:spec"},
        {"type":"configured","id":"custom-3","style":"local","pkg-name":"custom","pkg-version":"3",
         "components":{"lib":{"depends":["data-2-abc"]},"exe:tool":{"bin-file":"/y","depends":[]}}},
        {"type":"configured","id":"git-1","style":"inplace","pkg-name":"git-dep","pkg-version":"1","component-name":"exe:helper"},
        {"type":"configured","id":"data-2-abc","style":"global","pkg-name":"data","pkg-version":"2","component-name":"lib"},
        {"type":"configured","id":"happy-1","style":"global","pkg-name":"happy","pkg-version":"1","component-name":"exe:happy"}]}"#;

    #[test]
    fn what_cabal_planned_is_read_from_both_styles_of_units() {
        let plan = CabalPlan::parse(PLAN).unwrap();
        let shown = |kind| {
            let planned = plan.components(kind).unwrap().into_iter();
            let shown = planned.map(|Planned { component: exe, place, is_local }| {
                format!("{}-{}:{} {is_local} {}", exe.package, exe.version, exe.name, place.unwrap_or_default())
            });
            shown.collect::<Vec<_>>()
        };
        assert_eq!(
            shown(ComponentKind::Executable),
            ["app-1:app true /src/app", "custom-3:tool true ", "git-dep-1:helper false "]
        );
        assert_eq!(shown(ComponentKind::TestSuite), ["app-1:spec true "]);
        assert!(CabalPlan::parse("{}").is_err());
    }

    #[test]
    fn a_name_that_cabal_gives_none_is_refused() {
        for name in ["../evil", "a/b", "", "-rf", "a\u{1b}[31m"] {
            let unit = serde_json::json!({
                "type": "configured", "style": "local", "pkg-name": "p", "component-name": format!("exe:{name}"),
            });
            let text = serde_json::json!({ "install-plan": [unit] }).to_string();
            assert!(CabalPlan::parse(&text).unwrap().components(ComponentKind::Executable).is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_executable_is_made_of_all_that_its_parts_need() {
        let plan = CabalPlan::parse(PLAN).unwrap();
        let units = |package, name| plan.units_of(&exe(package, name)).into_keys().collect::<Vec<_>>();
        assert_eq!(units("app", "app"), ["app-1", "app-1-lib", "base-4.18", "data-2-abc"]);
        assert_eq!(units("custom", "tool"), ["custom-3", "data-2-abc"]);
    }

    #[test]
    fn a_suite_is_read_as_cabal_shows_it() {
        // From cabal 3.10: an `exitcode-stdio-1.0` suite that passed, one that failed, and a `detailed-0.9` one.
        let log = "PackageLog {package = PackageIdentifier {pkgName = PackageName \"b\", pkgVersion = mkVersion [0,2]}, \
            compiler = CompilerId GHC (mkVersion [9,6,6]), platform = Platform X86_64 Linux, testSuites = [TestSuiteLog \
            {testSuiteName = UnqualComponentName \"spec\", testLogs = TestLog {testName = \"spec\", testOptionsReturned = \
            [], testResult = Pass}, logFile = \"/b/test/b-0.2-spec.log\"},TestSuiteLog {testSuiteName = \
            UnqualComponentName \"props\", testLogs = GroupLogs {groupName = \"all\", groupLogs = [TestLog {testName = \
            \"one\", testOptionsReturned = [], testResult = Pass},TestLog {testName = \"two\", testOptionsReturned = [], \
            testResult = Error \"boom\"}]}, logFile = \"/b/test/b-0.2-props.log\"}]}\nPackageLog {package = \
            PackageIdentifier {pkgName = PackageName \"a\", pkgVersion = mkVersion [1]}, testSuites = [TestSuiteLog \
            {testSuiteName = UnqualComponentName \"bad\", testLogs = TestLog {testName = \"bad\", testOptionsReturned = \
            [], testResult = Fail \"exit code: 3\"}, logFile = \"/b/test/a-1-bad.log\"}]}\n";
        let suites = test_suites(log);
        let read: Vec<_> =
            suites.iter().map(|suite| (suite.package.as_str(), suite.name.as_str(), suite.reason.as_deref())).collect();
        assert_eq!(read, [("b", "spec", None), ("b", "props", Some("boom")), ("a", "bad", Some("exit code: 3"))]);
        assert_eq!(suites[0].log.as_deref(), Some("/b/test/b-0.2-spec.log".into()));
        assert_eq!([&suites[0].version, &suites[2].version], ["0.2", "1"]);
        assert!(test_suites("").is_empty());
    }

    #[test]
    fn a_missing_c_library_is_named() {
        for (output, name) in [
            ("* The pkg-config package 'libpq' is required but it could not be found.", "`libpq`"),
            ("[__2] rejecting: lzma:+pkgconfig (conflict: pkg-config package\nliblzma>=5.2.2,\nnot found", "`liblzma`"),
            ("(conflict: pkg-config package\nlibcrypto-any, not found in the pkg-config database)", "`libcrypto`"),
            ("* Missing (or bad) header file: bzlib.h\n* Missing (or bad) C library: bz2\n", "static C library `bz2`"),
            ("* Missing (or bad) header file: bzlib.h", "no C header `bzlib.h`"),
            ("ld: cannot find -lHSbase-4.18.2.1-ghc9.6.6: No such file or directory", "`-dynamic`"),
            ("/usr/bin/ld: cannot find -llzma: No such file or directory", "`lzma`"),
        ] {
            let hint = failure_hint(output).unwrap();
            assert!(hint.contains(name), "{hint}");
        }
        assert_eq!(failure_hint("src/Main.hs:1:1: error: parse error"), None);
        let killed = failure_hint("The build process\nwas killed (i.e. SIGKILL). The typical reason").unwrap();
        assert!(killed.contains("memory"), "{killed}");
    }

    #[test]
    fn settings_of_the_developers_machine_are_taken_back() {
        let setting = |name: &str, value: &str, package: Option<&str>| Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            package: package.map(str::to_owned),
            is_amended: false,
        };
        for (given, args, told) in [
            (setting("executable-dynamic", "True", None), "--disable-executable-dynamic", "`executable-dynamic: True`"),
            (setting("executable-static", "False", None), "--enable-executable-static", "`executable-static: False`"),
            (setting("documentation", "True", Some("*")), "--disable-documentation", "`documentation: True` of `*`"),
            (setting("executable-dynamic", "True", Some("x")), "", "of `x` is in the way of a static build"),
            (
                Setting { is_amended: true, ..setting("documentation", "True", Some("x")) },
                "",
                "does not hold in the container: `documentation: True` of `x`",
            ),
            (setting("with-hc-pkg", "/opt/ghc-pkg", None), "--with-hc-pkg=ghc-pkg", "/opt/ghc-pkg"),
            (setting("gcc-location", "/usr/bin/gcc-12", None), "--with-gcc=gcc", "gcc-12"),
            (setting("write-ghc-environment-files", "always", None), "--write-ghc-environment-files=never", "always"),
            (setting("store-dir", "/home/me", None), "--store-dir=/hsx/cabal/store", "/home/me"),
            (setting("extra-lib-dirs", "/opt/lib", None), "", "does not see"),
            (setting("extra-lib-dirs", "/seen/lib cbits", None), "", ""),
            (setting("extra-prog-path", "/opt/bin", None), "", ""),
        ] {
            let (found, warnings) = overrides(std::slice::from_ref(&given), |path| path.starts_with("/seen"));
            assert_eq!(found.join(" "), args, "{given:?}");
            assert_eq!(warnings.is_empty(), told.is_empty(), "{warnings:?}");
            assert!(warnings.iter().all(|warning| warning.contains(told)), "{warnings:?}");
        }
        let twice = [setting("documentation", "True", None), setting("documentation", "True", Some("*"))];
        assert_eq!(overrides(&twice, |_| true).0, ["--disable-documentation"]);
    }

    #[test]
    fn what_people_really_meet_has_a_hint() {
        for (output, hint) in [
            (
                "[__1] rejecting: base-4.20.2.0/installed-inplace (conflict: tracker => base^>=4.18.0.0)\n[__1] fail",
                "`--ghc 9.6`",
            ),
            ("rejecting: base-4.20.2.0/installed-4.20 (conflict: old =>\nbase>=4.9 && <4.15)", "`--ghc 8.10`"),
            ("/usr/bin/ld: x.o: in function `f':\nundefined reference to `BZ2_bzCompress'", "-optl-lbz2"),
            ("ld.lld: error: undefined symbol: deflateInit_", "-optl-lz"),
            ("undefined reference to `frobnicate'", "`frobnicate`"),
            ("cbits/version.h: withFile: permission denied (Read-only file system)", "--writable-source"),
            ("hsx: the package index could not be updated: x\nCould not resolve dependencies:", "reach Hackage"),
        ] {
            let found = failure_hint(output).unwrap();
            assert!(found.contains(hint), "{found}");
        }
        assert_eq!(failure_hint("rejecting: base-4.20 (conflict: x => base<1)"), None);
    }

    #[test]
    fn messages_are_kept_whole() {
        let output = "[1 of 2] Compiling A\nA.hs:3:18: error: [GHC-1]\n    • no\n  |\n3 | x\n\nBuilding\nB.hs:(1,2)-(3,4): error: \
            bad\nError: [Cabal-7125]\nFailed to build x-0.1.\n";
        assert_eq!(
            messages(output),
            [
                "A.hs:3:18: error: [GHC-1]\n    • no\n  |\n3 | x",
                "B.hs:(1,2)-(3,4): error: bad",
                "Error: [Cabal-7125]\nFailed to build x-0.1."
            ]
        );
        assert!(messages("fine\nmessage: error: none").is_empty());
    }

    #[test]
    fn the_plan_flags_come_before_the_targets() {
        let args = build_args(&["all:exes".to_owned()], Some(2), &["--flags=+x".to_owned()]);
        assert_eq!(
            args.join(" "),
            "--builddir=/hsx/build --with-compiler=ghc --enable-executable-static --jobs=2 --flags=+x all:exes"
        );
    }
}
