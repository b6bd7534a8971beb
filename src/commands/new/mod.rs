//! `hsx new`: learn what the project is to be, make its files in memory, then write them all or none.

mod answers;
mod name;

use anstyle::{AnsiColor, Style};
use camino::{Utf8Path, Utf8PathBuf};
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::base::cmd::quote;
use crate::base::error::Error;
use crate::cli::{EXIT_CODES, Format, OutputArgs};
use crate::project::template::{BUILTINS, Builtin, File, render};
use crate::world::ask::host::Environment;
use crate::world::doors::World;
use crate::world::doors::ui::Ui;
use crate::world::follow::scaffold::{self, Git};
use answers::{Answers, answers, values};

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

/// Runs `hsx new`.
///
/// # Errors
/// When something that was typed or answered is not usable, the template is not, or the place is taken.
pub(crate) fn run(args: &NewArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    if args.list_templates {
        list_templates(args.output.format, ui);
        return Ok(0);
    }
    let world = World::new(environment, ui)?;
    let place = |name: &str| environment.cwd.join(args.dir.as_deref().unwrap_or(Utf8Path::new(name)));
    if let Some(name) = &args.name {
        // Nobody likes to answer questions first.
        scaffold::is_free(&place(name))?;
    }
    let template = args.template.as_deref().unwrap_or(BUILTINS[0].name);
    let (files, library) = match Builtin::find(template) {
        Some(builtin) => (builtin.files(), builtin.library),
        None => (own_template(template, environment)?, true),
    };
    let identity = scaffold::identity(&world)?;
    let mut ask = |question: &str| ui.ask(question, &world.exec);
    let may_ask = !args.yes && ui.has_somebody_to_ask();
    let complain = |error: &Error| ui.error(error);
    let ask: Option<&mut answers::Ask<'_>> = if may_ask { Some(&mut ask) } else { None };
    let answers = answers(args, &identity, library, ask, &complain)?;
    let files = render(&files, &values(&answers, environment.now)?)?;

    let dir = place(&answers.name);
    let git = scaffold::create(&dir, &files, (!args.no_git).then_some(answers.name.as_str()), &world)?;
    if identity.name.is_none() && args.author.is_none() && !may_ask {
        ui.warning(&format!(
            "git does not know your name: {} is the author in `{}.cabal`",
            answers.author, answers.name
        ));
    }
    report(args, &answers, &Made { template, dir: &dir, files: &files, git }, environment, ui);
    Ok(0)
}

fn list_templates(format: Format, ui: &Ui) {
    let text = match format {
        Format::Text => BUILTINS.map(|Builtin { name, about, .. }| format!("{name:<8} {about}\n")).concat(),
        Format::Json | Format::JsonLines => {
            let list: Vec<_> =
                BUILTINS.iter().map(|Builtin { name, about, .. }| json!({ "name": name, "about": about })).collect();
            format!("{:#}\n", json!({ "exit_code": 0, "templates": list }))
        }
    };
    ui.print(&text);
}

/// The files of a directory that somebody names as a template.
fn own_template(named: &str, environment: &Environment) -> Result<Vec<File>, Error> {
    scaffold::read_template(&environment.cwd.join(named)).map_err(|error| {
        let known: Vec<_> = BUILTINS.iter().map(|builtin| format!("`{}`", builtin.name)).collect();
        Error::usage(format!("the template `{named}` cannot be read"))
            .said(&error)
            .hint(format!("name a directory, or one of {}", known.join(", ")))
    })
}

/// What was made.
struct Made<'a> {
    template: &'a str,
    dir: &'a Utf8Path,
    files: &'a [File],
    git: Git,
}

/// Says what was made, and what to type next.
fn report(args: &NewArgs, answers: &Answers, made: &Made<'_>, environment: &Environment, ui: &Ui) {
    let Made { template, dir, files, git } = made;
    let shown = dir.strip_prefix(&environment.cwd).unwrap_or(dir);
    let shown = if shown.as_str().is_empty() { Utf8Path::new(".") } else { shown };
    if let Git::Failed(error) = git {
        ui.warning(&format!("{}; the files are all there", error.message));
        ui.details(error);
    }
    let repository = match git {
        Git::Committed => ", a git repository with one commit",
        Git::Failed(_) | Git::None | Git::Within => "",
    };
    ui.status("Created", &format!("`{shown}` from the template `{template}`: {} files{repository}", files.len()));
    for (command, about) in next_steps(shown, answers) {
        let style: Style = AnsiColor::Cyan.on_default();
        ui.status("", &format!("{style}{command}{style:#}{about}"));
    }
    match args.output.format {
        Format::Text => ui.print(&format!("{dir}\n")),
        Format::Json | Format::JsonLines => {
            let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
            let git = match git {
                Git::Committed => "committed",
                Git::Failed(_) => "failed",
                Git::Within => "within another",
                Git::None => "none",
            };
            let document = json!({
                "exit_code": 0, "name": answers.name, "template": template, "directory": dir.as_str(),
                "files": paths, "git": git,
            });
            ui.print(&format!("{document:#}\n"));
        }
    }
}

fn next_steps(dir: &Utf8Path, answers: &Answers) -> Vec<(String, &'static str)> {
    let enter = (dir != ".").then(|| (format!("cd {}", quote(dir.as_str())), ""));
    let build = if answers.executable {
        ("hsx static".to_owned(), "   static executables, in dist-static")
    } else {
        ("cabal test".to_owned(), "")
    };
    enter.into_iter().chain([build]).collect()
}
