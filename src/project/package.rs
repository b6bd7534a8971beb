//! A package of the project, as its `.cabal` file tells.

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
    /// Directories and files of the build that are not below `dir`, as written.
    pub outside: Vec<Utf8PathBuf>,
    /// No conditional decides whether it is one of the project's.
    pub is_certain: bool,
}

/// An executable or a test suite of a `.cabal` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stanza {
    pub name: String,
    /// Nothing in the file says that it is not always buildable.
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
    /// One of its components.
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
    /// As cabal spells it in targets.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Executable => "exe",
            Self::TestSuite => "test",
        }
    }

    /// For messages.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::TestSuite => "test suite",
        }
    }

    /// The word that its stanzas begin with.
    pub(crate) fn stanza(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::TestSuite => "test-suite",
        }
    }

    /// The article before that word.
    pub(crate) fn article(self) -> &'static str {
        match self {
            Self::Executable => "an",
            Self::TestSuite => "a",
        }
    }

    /// Those of a package.
    pub(crate) fn stanzas(self, package: &Package) -> &[Stanza] {
        match self {
            Self::Executable => &package.executables,
            Self::TestSuite => &package.test_suites,
        }
    }
}
