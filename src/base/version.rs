//! Versions of GHC, cabal, engines and QEMU: numbers with dots between them, compared number by number.

use std::fmt;
use std::str::FromStr;

/// A version, such as `9.10.3`, or the first numbers of one, such as `9.10`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(Vec<u32>);

/// The error for a text that is not a version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoVersion;

impl Version {
    /// The version that a text begins with, whatever follows it: `4.9.4` of `4.9.4-dev`, `3.12` of `3.12+really`.
    pub(crate) fn leading(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        text[..end].trim_end_matches('.').parse().ok()
    }

    /// The first number.
    pub(crate) fn major(&self) -> u32 {
        self.0[0]
    }

    /// The second number; `None` where there is only one.
    pub(crate) fn minor(&self) -> Option<u32> {
        self.0.get(1).copied()
    }

    /// How many numbers it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first two numbers: `9.10` of `9.10.3`.
    pub(crate) fn series(&self) -> Self {
        Self(self.0.iter().copied().take(2).collect())
    }

    /// Whether the version's first numbers are those of `beginning`: `9.10.3` starts with `9.10`, but not with `9.1`.
    pub(crate) fn starts_with(&self, beginning: &Self) -> bool {
        self.0.starts_with(&beginning.0)
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let number = |part: &str| part.parse().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()));
        text.split('.').map(number).collect::<Option<_>>().map(Self).ok_or(NoVersion)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(u32::to_string).collect();
        f.pad(&parts.join("."))
    }
}

/// Whether one text is an older version than another; `None` when one of them is no version (`latest`).
pub(crate) fn is_older(text: &str, than: &str) -> Option<bool> {
    Some(text.parse::<Version>().ok()? < than.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        for (older, newer) in [("9.6.7", "9.10.1"), ("9.10", "9.10.1"), ("3.4", "10.0"), ("8.10.7", "9.0.1")] {
            assert!(version(older) < version(newer), "{older} {newer}");
            assert_eq!(is_older(older, newer), Some(true));
        }
        assert_eq!((is_older("9.2", "9.2"), is_older("latest", "9.2")), (Some(false), None));
    }

    #[test]
    fn only_numbers_with_dots_are_versions() {
        for text in ["", "9.", ".9", "9..6", "latest", "v9", "9.6-rc1", "+9", "9.99999999999"] {
            assert_eq!(text.parse::<Version>(), Err(NoVersion), "{text}");
        }
        assert_eq!(version("9.10.3").to_string(), "9.10.3");
        assert_eq!((version("9.10.3").major(), version("9.10.3").minor(), version("9").minor()), (9, Some(10), None));
    }

    #[test]
    fn what_follows_a_version_is_no_matter() {
        for (text, expected) in [
            ("3.12.1.0\n", Some("3.12.1.0")),
            ("4.9.4-dev", Some("4.9.4")),
            ("20.10.24+dfsg1", Some("20.10.24")),
            ("7.2. ", Some("7.2")),
            ("podman", None),
            ("", None),
        ] {
            assert_eq!(Version::leading(text), expected.map(version), "{text}");
        }
    }

    #[test]
    fn a_series_is_no_beginning_of_digits() {
        assert!(version("9.10.3").starts_with(&version("9.10")) && version("9.10").starts_with(&version("9.10")));
        assert!(!version("9.10.3").starts_with(&version("9.1")) && !version("9.10").starts_with(&version("9.10.3")));
        assert_eq!(version("9.10.3").series(), version("9.10"));
    }
}
