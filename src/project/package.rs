//! A package of the project, as its `.cabal` file describes it.

use camino::Utf8PathBuf;
use serde::Serialize;

/// A local package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub name: String,
    pub version: String,
    pub executables: Vec<Stanza>,
    pub test_suites: Vec<Stanza>,
    /// All `tested-with:` fields, as written.
    pub tested_with: Option<String>,
    /// Its directory on the host.
    pub dir: Utf8PathBuf,
    /// `data-files:`, as written.
    pub data_files: Vec<String>,
    /// `data-dir:`, where the data files are.
    pub data_dir: Option<Utf8PathBuf>,
    /// Directories and files that the build needs outside `dir`, as written.
    pub outside: Vec<Utf8PathBuf>,
    /// Whether it belongs to the project in any case, without a conditional that decides.
    pub is_certain: bool,
}

/// An executable or a test suite of a `.cabal` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stanza {
    pub name: String,
    /// Whether it is always buildable, as far as the file tells.
    pub is_certain: bool,
}

impl Stanza {
    #[cfg(test)]
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), is_certain: true }
    }
}

/// An executable component of a local package, or a test suite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Executable {
    pub package: String,
    pub version: String,
    pub name: String,
}

impl Package {
    /// The package's component of this name.
    pub(crate) fn component(&self, name: &str) -> Executable {
        Executable { package: self.name.clone(), version: self.version.clone(), name: name.to_owned() }
    }
}

/// A kind of component that can be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComponentKind {
    Executable,
    TestSuite,
}

impl ComponentKind {
    /// The kind's word in cabal's targets.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Executable => "exe",
            Self::TestSuite => "test",
        }
    }

    /// The kind's name in messages.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::TestSuite => "test suite",
        }
    }

    /// The word at the beginning of its stanzas.
    pub(crate) fn stanza(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::TestSuite => "test-suite",
        }
    }

    /// The article for the stanza's word, in messages.
    pub(crate) fn article(self) -> &'static str {
        match self {
            Self::Executable => "an",
            Self::TestSuite => "a",
        }
    }

    /// The package's stanzas of this kind.
    pub(crate) fn stanzas(self, package: &Package) -> &[Stanza] {
        match self {
            Self::Executable => &package.executables,
            Self::TestSuite => &package.test_suites,
        }
    }
}
