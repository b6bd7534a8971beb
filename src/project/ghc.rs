//! Which GHC a project is for, and why, as far as its files tell.

use super::Project;
use super::image::{self, DEFAULT_GHC};
use super::tested_with::TestedWith;
use crate::base::error::Error;
use crate::base::version::Version;

/// A version of GHC, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ghc {
    pub version: String,
    /// What decided it, as it follows "GHC X.Y.Z by".
    pub reason: String,
}

/// The reason for a GHC that neither the user nor the project names.
const BY_DEFAULT: &str = "hsx's default";

/// Stackage's long-term snapshots, and the series of GHC that each is made with (<https://www.stackage.org>).
const SNAPSHOTS: [(u32, &str); 13] = [
    (12, "8.4"),
    (13, "8.6"),
    (14, "8.6"),
    (15, "8.8"),
    (16, "8.8"),
    (17, "8.10"),
    (18, "8.10"),
    (19, "9.0"),
    (20, "9.2"),
    (21, "9.4"),
    (22, "9.6"),
    (23, "9.8"),
    (24, "9.10"),
];

/// The series of GHC that a snapshot is made with. The snapshot may be named anywhere in the text, as in an address.
pub(crate) fn series_of_snapshot(text: &str) -> Option<&'static str> {
    let after = text.find("lts-").map(|at| &text[at + 4..]).or_else(|| Some(text.split_once("/lts/")?.1))?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    let number: u32 = digits.parse().ok()?;
    SNAPSHOTS.iter().find(|(known, _)| *known == number).map(|(_, series)| *series)
}

/// The first two numbers of versions of `base`, and the series of GHC that each belongs to.
const BASES: [(&str, &str); 11] = [
    ("4.22", "9.14"),
    ("4.21", "9.12"),
    ("4.20", "9.10"),
    ("4.19", "9.8"),
    ("4.18", "9.6"),
    ("4.17", "9.4"),
    ("4.16", "9.2"),
    ("4.15", "9.0"),
    ("4.14", "8.10"),
    ("4.13", "8.8"),
    ("4.12", "8.6"),
];

/// The newest series of GHC whose `base` is in a range.
pub(crate) fn series_of_base(range: &str) -> Option<&'static str> {
    let range = TestedWith::parse(&format!("GHC {range}"));
    let ends = ["0.0", "1.0", "2.0", "2.1", "3.0", "3.1", "4.0"];
    let has = |base: &str| {
        ends.iter().filter_map(|end| format!("{base}.{end}").parse().ok()).any(|version| range.accepts(&version))
    };
    BASES.iter().find(|(base, _)| has(base)).map(|(_, series)| *series)
}

/// Reads a version as people type it: `9.6.6`, `9.6`, `ghc-9.6.6`, `latest`.
///
/// # Errors
/// When the text is no version.
pub(crate) fn typed(text: &str) -> Result<String, Error> {
    let lower = text.trim().to_ascii_lowercase();
    let version = ["ghc-", "ghc", "v"].iter().find_map(|prefix| lower.strip_prefix(prefix)).unwrap_or(&lower).trim();
    let parts: Vec<_> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.len() <= 10 && part.chars().all(|c| c.is_ascii_digit());
    if version == "latest" || (2..=4).contains(&parts.len()) && parts.iter().all(is_number) {
        return Ok(version.to_owned());
    }
    let error = Error::usage(format!("`{text}` is no version of GHC"));
    Err(match series_of_snapshot(&lower) {
        Some(series) => {
            error.hint(format!("`{text}` is a snapshot of Stackage, made with GHC {series}: `--ghc {series}`"))
        }
        None => error.hint("a version is written as `9.6.6`, or as `9.6` for the newest of its series"),
    })
}

/// The GHC that a project names, or else hsx's own choice.
pub(crate) fn of_project(project: &Project) -> Ghc {
    let named = |version: String, reason: &str| Ghc { version, reason: reason.to_owned() };
    if let Some(version) = project.with_compiler.as_deref().and_then(image::compiler_version) {
        return named(version, "`with-compiler`");
    }
    if let Some((name, series)) = project.imports.iter().find_map(|import| Some((import, series_of_snapshot(import)?)))
        && let Some(version) = image::full_version(series)
    {
        return named(version, &format!("the snapshot `{name}`"));
    }
    tested(project)
        .or_else(|| {
            let resolver = project.resolver.as_deref()?;
            let version = image::full_version(series_of_snapshot(resolver)?)?;
            Some(named(version, &format!("`{resolver}` in stack.yaml")))
        })
        .unwrap_or_else(|| named(DEFAULT_GHC.to_owned(), BY_DEFAULT))
}

/// The newest published, unbroken GHC that all packages accept by `tested-with:`, or else as many packages as possible.
fn tested(project: &Project) -> Option<Ghc> {
    let fields = project.packages.iter().filter_map(|package| Some((package, package.tested_with.as_deref()?)));
    let tested: Vec<_> = fields
        .map(|(package, field)| (package, TestedWith::parse(field)))
        .filter(|(_, tested)| !tested.says_nothing())
        .collect();
    let sound = image::published().filter(|(text, _)| !image::is_broken(text));
    let count = |version: &Version| tested.iter().filter(|(_, tested)| tested.accepts(version)).count();
    // `max_by_key` takes the last of several maxima, which is the newest version.
    let (accepted, version) = sound.map(|(text, version)| (count(&version), text)).max_by_key(|(count, _)| *count)?;
    if accepted == 0 {
        return None;
    }
    let reason = match tested.as_slice() {
        _ if accepted < tested.len() => format!("`tested-with` of {accepted} of {} packages", tested.len()),
        [(package, _)] => format!("`tested-with` of `{}`", package.name),
        all => format!("`tested-with` of {} packages", all.len()),
    };
    Some(Ghc { version: version.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::super::Package;
    use super::*;

    fn project(tested: &[&str]) -> Project {
        let package = |(number, field): (usize, &&str)| Package {
            name: format!("p{number}"),
            tested_with: Some((*field).to_owned()),
            ..Package::default()
        };
        Project { packages: tested.iter().enumerate().map(package).collect(), ..Project::default() }
    }

    #[test]
    fn packages_agree_on_a_ghc_where_they_can() {
        for (tested, version, reason) in [
            (&["GHC ==9.6.6"][..], "9.6.6", "`tested-with` of `p0`"),
            (&["GHC == 9.4.8 || == 9.6.6, GHC ==9.8.2"], "9.8.2", "`tested-with` of `p0`"),
            (&["GHC ==9.6.*"], "9.6.7", "`tested-with` of `p0`"),
            (&["GHC ^>=9.4.3"], "9.4.8", "`tested-with` of `p0`"),
            (&["GHC ==9.12.3 || ==9.12.2"], "9.12.2", "`tested-with` of `p0`"),
            (&["GHC == 9.6.6, GHC == 9.99.1"], "9.6.6", "`tested-with` of `p0`"),
            (&["GHC ==9.8.4 || ==9.6.6", "GHC ==9.6.6 || ==9.4.8"], "9.6.6", "`tested-with` of 2 packages"),
            (&["GHC ==9.8.4", "GHC ==9.6.6", "GHC ==9.6.*"], "9.6.6", "`tested-with` of 2 of 3 packages"),
            (&["GHC", "GHC ==9.6.6"], "9.6.6", "`tested-with` of `p1`"),
            (&["GHC -any"], DEFAULT_GHC, BY_DEFAULT),
            (&["GHCJS ==8.4"], DEFAULT_GHC, BY_DEFAULT),
            (&["GHC ==9.99.1"], DEFAULT_GHC, BY_DEFAULT),
            (&[], DEFAULT_GHC, BY_DEFAULT),
        ] {
            let ghc = of_project(&project(tested));
            assert_eq!((ghc.version.as_str(), ghc.reason.as_str()), (version, reason), "{tested:?}");
        }
    }

    #[test]
    fn the_compiler_comes_before_the_snapshot_and_that_before_tests() {
        let mut project = project(&["GHC ==9.8.4"]);
        project.resolver = Some("lts-21.25".to_owned());
        assert_eq!(of_project(&project).version, "9.8.4");
        project.imports.push("https://www.stackage.org/lts-22.44/cabal.config".to_owned());
        let ghc = of_project(&project);
        assert_eq!(ghc.version, "9.6.7");
        assert!(ghc.reason.contains("lts-22.44"), "{ghc:?}");
        project.with_compiler = Some("ghc-9.4.8".to_owned());
        assert_eq!(of_project(&project).version, "9.4.8");
        let bare = Project { resolver: Some("lts-21.25".to_owned()), ..Project::default() };
        assert_eq!(of_project(&bare).reason, "`lts-21.25` in stack.yaml");
    }

    #[test]
    fn versions_are_read_as_people_type_them() {
        for (text, version) in [
            ("9.6.6", "9.6.6"),
            ("9.6", "9.6"),
            ("ghc-9.6.6", "9.6.6"),
            ("GHC 9.6.6", "9.6.6"),
            ("v9.10.3", "9.10.3"),
            ("latest", "latest"),
        ] {
            assert_eq!(typed(text).unwrap(), version, "{text}");
        }
        for (text, hint) in [
            ("lts-22.44", "`--ghc 9.6`"),
            ("lts-23", "`--ghc 9.8`"),
            ("nightly-2026-01-01", "`9.6.6`"),
            ("lts-1", "`9.6.6`"),
            ("", "`9.6.6`"),
            ("9", "`9.6.6`"),
            ("9.6.x", "`9.6.6`"),
            ("9..6", "`9.6.6`"),
            ("ghc-head", "`9.6.6`"),
        ] {
            let error = typed(text).unwrap_err();
            assert!(error.hints[0].contains(hint), "{text}: {error:?}");
        }
    }
}
