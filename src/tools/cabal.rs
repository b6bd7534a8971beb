//! cabal: the only file that knows its flags and what it writes.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::project::target::{Planned, is_component_name, plain};
use crate::project::{Executable, Kind};

/// The names of hsx among cabal's external commands, and what a person types for each.
pub(crate) const EXTERNAL_COMMANDS: [(&str, &str); 2] = [("cabal-static", "cabal static"), ("cabal-hsx", "cabal hsx")];

/// The first cabal that has external commands.
pub(crate) const EXTERNAL_COMMANDS_SINCE: (u32, u32) = (3, 12);

/// A command line as hsx itself takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub args: Vec<OsString>,
    /// What stands for `hsx` in its help, where cabal started it.
    pub typed: Option<&'static str>,
}

/// Reads how hsx was started: by its own name, or by cabal, which runs `cabal-NAME` for a command NAME it does not know.
///
/// cabal 3.12 to 3.16.0 repeat NAME as the first argument and set `CABAL`; later ones do not, and set
/// `CABAL_EXTERNAL_CABAL_PATH` (cabal's manual, "External Commands"; cabal #11295). A first argument that a person
/// typed, by either way or in a shell, is kept.
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

/// `cabal --numeric-version`, as far as it matters: major and minor.
pub(crate) fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// The package store, the package index and cabal's own home: a volume per platform and image.
pub(crate) const CABAL_DIR: &str = "/hsx/cabal";

/// The build directory: a volume per project, platform and image.
pub(crate) const BUILD_DIR: &str = "/hsx/build";

/// The build directory of tests: in that of builds cabal would configure all packages anew for each change between them.
const TEST_BUILD_DIR: &str = "/hsx/build/tests";

/// Arguments of `cabal test`, and of the `cabal build` before it.
pub(crate) fn test_args(targets: &[String], jobs: Option<u32>, extra: &[String]) -> Vec<String> {
    let mut args = build_args(targets, jobs, extra);
    args[0] = format!("--builddir={TEST_BUILD_DIR}");
    args.insert(1, "--enable-tests".to_owned());
    args
}

/// Arguments of `cabal build`, the same for fetching and building: another flag would make another plan.
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

/// Arguments for a plan that nothing is built by: it does not take the place of the builds' own.
pub(crate) fn solve_args(targets: &[String], extra: &[String]) -> Vec<String> {
    let mut args = build_args(targets, None, extra);
    args[0].push_str("/freeze");
    args
}

/// What cabal planned, from `cache/plan.json` of the build directory.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CabalPlan {
    /// Such as `ghc-9.6.6`.
    pub compiler_id: Option<String>,
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
    /// One component a unit, as cabal builds most packages.
    component_name: Option<String>,
    /// All components in one unit: packages with a Custom setup.
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
    /// # Errors
    /// When it is not a plan of cabal's.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The executables, or the test suites, that cabal planned to build.
    ///
    /// # Errors
    /// When one has a name that cabal gives none: the name, as it may be shown.
    pub(crate) fn components(&self, kind: Kind) -> Result<Vec<Planned>, String> {
        let mut planned = Vec::new();
        let prefix = format!("{}:", kind.word());
        for unit in self.install_plan.iter().filter(|unit| unit.kind == "configured") {
            let style = unit.style.as_deref().unwrap_or_default();
            // One from a store was built for others to use.
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

    /// The version of the GHC.
    pub(crate) fn ghc(&self) -> Option<String> {
        let version = self.compiler_id.as_deref()?.strip_prefix("ghc-")?;
        version.chars().all(|c| c.is_ascii_digit() || c == '.').then(|| version.to_owned())
    }

    /// The package of a unit.
    pub(crate) fn package_of(&self, id: &str) -> Option<&str> {
        self.install_plan.iter().find(|unit| unit.id == id).map(|unit| unit.pkg_name.as_str())
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

/// A test suite that ran.
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

/// Reads how test suites ended, from the lines that cabal notes for programs (`--test-machine-log`): a `PackageLog` as
/// Haskell shows it. The log of a suite is its path in the container.
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

/// What a failed build most likely lacks, read from the end of its output.
pub(crate) fn failure_hint(output: &str) -> Option<String> {
    // Cabal breaks its lines anywhere.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = |before: &str| {
        let rest = &output[output.find(before)? + before.len()..];
        let name = rest.split(|c: char| c.is_whitespace() || "'\"’,:;<>=^".contains(c)).next()?;
        // Of any version: the solver of cabal before 3.10 writes `libpq-any`.
        Some(name.trim_end_matches("-any")).filter(|name| !name.is_empty())
    };
    // Cabal's solver: "(conflict: pkg-config package libpq>=9, not found in the pkg-config database)"; its configure
    // step: "The pkg-config package 'libpq' is required but it could not be found", "* Missing (or bad) C library: bz2",
    // "* Missing (or bad) header file: bzlib.h"; ld: "cannot find -lpq"; lld.
    // A header is the last resort: cabal names it before the library that brings it.
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
    // "The build process was killed (i.e. SIGKILL)."
    if ["was killed (i.e. SIGKILL)", "ExitFailure (-9)", "(exit code: -9)"].iter().any(|text| output.contains(text)) {
        return Some("the compiler was killed, most likely for lack of memory: try `--jobs 1`".to_owned());
    }
    None
}

/// Whether an offline build failed for want of a package that was never downloaded.
pub(crate) fn wants_download(output: &str) -> bool {
    // Without a network cabal's own downloader and curl fail to resolve the host.
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
            // A target that is called like the command.
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

    #[test]
    fn a_version_is_read_as_far_as_it_matters() {
        for (text, version) in [("3.12.1.0\n", Some((3, 12))), ("3.4", Some((3, 4))), ("3", None), ("", None)] {
            assert_eq!(parse_version(text), version);
        }
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
        assert_eq!(plan.compiler_id.as_deref(), Some("ghc-9.6.6"));
        let shown = |kind| {
            let planned = plan.components(kind).unwrap().into_iter();
            let shown = planned.map(|Planned { component: exe, place, is_local }| {
                format!("{}-{}:{} {is_local} {}", exe.package, exe.version, exe.name, place.unwrap_or_default())
            });
            shown.collect::<Vec<_>>()
        };
        assert_eq!(
            shown(Kind::Executable),
            ["app-1:app true /src/app", "custom-3:tool true ", "git-dep-1:helper false "]
        );
        assert_eq!(shown(Kind::TestSuite), ["app-1:spec true "]);
        assert!(CabalPlan::parse("{}").is_err());
    }

    #[test]
    fn a_name_that_cabal_gives_none_is_refused() {
        for name in ["../evil", "a/b", "", "-rf", "a\u{1b}[31m"] {
            let unit = serde_json::json!({
                "type": "configured", "style": "local", "pkg-name": "p", "component-name": format!("exe:{name}"),
            });
            let text = serde_json::json!({ "install-plan": [unit] }).to_string();
            assert!(CabalPlan::parse(&text).unwrap().components(Kind::Executable).is_err(), "{name:?}");
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
        // Cabal 3.10, of an `exitcode-stdio-1.0` suite that passed, one that failed, and a `detailed-0.9` one.
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
    fn the_plan_flags_come_before_the_targets() {
        let args = build_args(&["all:exes".to_owned()], Some(2), &["--flags=+x".to_owned()]);
        assert_eq!(
            args.join(" "),
            "--builddir=/hsx/build --with-compiler=ghc --enable-executable-static --jobs=2 --flags=+x all:exes"
        );
    }
}
