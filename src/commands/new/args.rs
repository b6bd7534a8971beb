//! The arguments of `hsx new`, and its help.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::args::{EXIT_CODES, OutputArgs};

const HELP: &str = "\
Questions:
  On a terminal, hsx asks for what no flag says; git's `user.name`, `user.email` and `github.user`
  are what it offers. With `--yes`, or without a terminal, it takes what it would offer.

Templates of your own:
  A directory. Its files are written as they are, but for placeholders in their paths and texts,
  `{= name =}`, and conditions, `{% if nix %}` … `{% endif %}`; a file of which nothing is left is not
  written. `{= synopsis | quote =}` is a string literal. More is possible as in Jinja2.

    name, module            `hello-world`, and `HelloWorld` for its modules
    synopsis, author, maintainer, year
    github                  OWNER/NAME, or nothing
    license, license_text   SPDX identifier and text
    ghc, base               `9.10.3`, and the version of base in it
    index_state             a time for `index-state:` in cabal.project: the day before
                            today, or before SOURCE_DATE_EPOCH
    library, executable, nix
                            true or false, for conditions
    hsx_repository          where hsx is built from, or nothing

Results:
  The directory, whole or not at all: nothing that is there already is changed. It is a git
  repository with one commit, unless git is not there, does not know who you are, or the directory
  lies in another repository.

Examples:
  hsx new hello                               asks for the rest
  hsx new hello --yes                         does not
  hsx new hello -t minimal --nix --license MPL-2.0 --github ada/hello
  hsx new hello -t ~/templates/service        from a template of your own";

/// Make a new project, with all that `hsx static` and its releases need
///
/// A package that builds, with tests, the text of its licence, settings for editors and tools, and a GitHub workflow
/// that tests it and attaches static executables to each release.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{HELP}\n\n{EXIT_CODES}"), after_help = "See `hsx new --help` for templates, exit codes and examples")]
pub(crate) struct NewArgs {
    /// Name of the package and of its directory
    pub name: Option<String>,

    /// A template that `--list-templates` lists, or a directory [default: cli]
    #[arg(short, long, value_name = "TEMPLATE")]
    pub template: Option<String>,

    /// Show the templates that hsx brings
    #[arg(long)]
    pub list_templates: bool,

    /// Where the project goes [default: a new directory of its name]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<Utf8PathBuf>,

    /// Ask nothing: take what would be offered
    #[arg(short, long)]
    pub yes: bool,

    /// Make no git repository
    #[arg(long)]
    pub no_git: bool,

    /// What the project is, in a line
    #[arg(long, value_name = "TEXT", help_heading = "Project")]
    pub synopsis: Option<String>,

    /// Who writes it [default: git's `user.name`]
    #[arg(long, value_name = "NAME", help_heading = "Project")]
    pub author: Option<String>,

    /// Where to reach who maintains it [default: git's `user.email`]
    #[arg(long, value_name = "ADDRESS", help_heading = "Project")]
    pub maintainer: Option<String>,

    /// Repository on GitHub, or `none`: `cabal check` misses it then [default: NAME of git's `github.user`]
    #[arg(long, value_name = "OWNER/NAME", help_heading = "Project")]
    pub github: Option<String>,

    /// Licence [default: MIT]
    #[arg(long, value_enum, ignore_case = true, hide_possible_values = false, help_heading = "Project")]
    pub license: Option<License>,

    /// GHC version, or the beginning of one [default: 9.10.3]
    #[arg(long, value_name = "VERSION", env = "HSX_GHC", hide_env = true, help_heading = "Project")]
    pub ghc: Option<String>,

    /// What the package consists of [default: what the template is for]
    #[arg(long, value_enum, value_name = "COMPONENT", value_delimiter = ',', help_heading = "Project")]
    pub components: Vec<Component>,

    /// A flake with a development shell; default: no
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_parser = BoolishValueParser::new(), help_heading = "Project")]
    pub nix: Option<bool>,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// A licence whose text hsx has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum License {
    #[value(name = "MIT")]
    Mit,
    #[value(name = "BSD-3-Clause")]
    Bsd3Clause,
    #[value(name = "Apache-2.0")]
    Apache2,
    #[value(name = "MPL-2.0")]
    Mpl2,
    /// All rights reserved
    None,
}

/// What a package can consist of, besides its tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Component {
    Library,
    Executable,
}
