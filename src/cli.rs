//! The parser: which commands there are, how they are typed, and which code runs for each. A command's arguments are
//! declared in its own file or in `args`, and `settings` decides what they mean.

use std::ffi::{OsStr, OsString};

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::args::{EXIT_CODES, Format, OutputArgs};
use crate::base::error::Error;
use crate::commands::{
    cache, completions, doctor, freeze, lock, man, new, run, setup_cabal, shell, source, r#static, test,
};
use crate::tools::cabal::CommandLine;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Fully static Haskell executables for every architecture, from any machine, with one command
#[derive(Debug, Parser)]
#[command(name = "hsx", version, styles = STYLES, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line and the `HSX_*` variables. An empty variable counts as not set: CI templates leave some
    /// empty.
    ///
    /// # Errors
    /// When the command line is not valid, or only asks for help or the version.
    pub(crate) fn read(
        line: &CommandLine,
        is_empty: impl Fn(&OsStr) -> bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ClapAnswer> {
        let mut command = heed(Self::command(), &is_empty);
        if let Some(typed) = line.typed {
            command = command.bin_name(typed);
        }
        let matches = command.try_get_matches_from_mut(line.args.iter().cloned());
        let read = matches.and_then(|matches| Self::from_arg_matches(&matches));
        read.map_err(|error| ClapAnswer {
            format: wanted_format(&line.args, variable("HSX_FORMAT").as_deref()),
            error: error.format(&mut command),
        })
    }
}

/// A command line that runs no command: clap's error, help or version, and the format for reporting it.
pub(crate) struct ClapAnswer {
    pub error: clap::Error,
    pub format: Format,
}

impl ClapAnswer {
    /// The usage error as an error of hsx; `None` if help or the version was asked for.
    pub(crate) fn told(&self) -> Option<Error> {
        let text = self.error.render().to_string();
        let mut lines = text.lines().map(str::trim);
        let message = lines.next()?.strip_prefix("error: ")?.to_owned();
        let hints = lines.filter_map(|line| Some(line.strip_prefix("tip: ")?.to_owned()));
        Some(Error::usage(message).hints(hints))
    }
}

/// The format of the report, looked for in the whole command line: clap stops at the first error.
fn wanted_format(args: &[OsString], variable: Option<&str>) -> Format {
    let words: Vec<_> = args.iter().map_while(|arg| arg.to_str().filter(|arg| *arg != "--")).collect();
    let typed = words.iter().enumerate().find_map(|(at, word)| match *word {
        "--json" => Some("json"),
        "--format" => words.get(at + 1).copied(),
        _ => word.strip_prefix("--format="),
    });
    let format = typed.or(variable);
    format.and_then(|format| Format::from_str(format, false).ok()).unwrap_or_default()
}

/// The command and its subcommands, so changed that arguments ignore variables that are empty.
fn heed(command: clap::Command, is_empty: &impl Fn(&OsStr) -> bool) -> clap::Command {
    let heed_arg = |arg: Arg| if arg.get_env().is_some_and(is_empty) { arg.env(None::<&str>) } else { arg };
    command.mut_args(heed_arg).mut_subcommands(|command| heed(command, is_empty))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build static executables for one or more platforms
    Static(Box<r#static::StaticArgs>),
    /// Build an executable if needed, then run it
    Run(Box<run::RunArgs>),
    /// Build and run test suites for one or more platforms
    Test(Box<test::TestArgs>),
    /// Open a shell in the builder, or run a command there
    Shell(Box<shell::ShellArgs>),
    /// Write the image digests and the index-state to hsx.lock
    Lock(Box<lock::LockArgs>),
    Freeze(Box<freeze::FreezeArgs>),
    /// Make a new project, with all that `hsx static` and its releases need
    New(Box<new::args::NewArgs>),
    SetupCabal(setup_cabal::SetupCabalArgs),
    Doctor(Box<doctor::DoctorArgs>),
    Cache(cache::CacheArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    Source(source::SourceArgs),
}

impl Command {
    /// Runs the command, and returns the exit code.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub(crate) fn run(&self, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
        match self {
            Self::Static(args) => r#static::run(args, environment, ui),
            Self::Run(args) => run::run(args, environment, ui),
            Self::Test(args) => test::run(args, environment, ui),
            Self::Shell(args) => shell::run(args, environment, ui),
            Self::Lock(args) => lock::run(args, environment, ui),
            Self::Freeze(args) => freeze::run(args, environment, ui),
            Self::SetupCabal(args) => setup_cabal::run(args, environment, ui),
            Self::Doctor(args) => doctor::run(args, environment, ui),
            Self::Cache(args) => cache::run(args, environment, ui),
            Self::Completions(args) => Ok(completions::run(args, Cli::command(), ui)),
            Self::Man(args) => Ok(man::run(args, Cli::command(), environment, ui)?),
            Self::Source(args) => source::run(args, environment, ui),
            Self::New(args) => new::run(args, environment, ui),
        }
    }

    /// How the command reports.
    pub(crate) fn output(&self) -> OutputArgs {
        match self {
            Self::Static(args) => args.output.clone(),
            // Standard output belongs to the program that runs.
            Self::Run(args) => OutputArgs { format: Format::Text, messages: args.messages.clone() },
            Self::Test(args) => args.output.clone(),
            Self::Shell(args) => OutputArgs { format: Format::Text, messages: args.messages.clone() },
            Self::Lock(args) => OutputArgs { format: Format::Text, messages: args.messages.clone() },
            Self::Freeze(args) => args.output.clone(),
            Self::SetupCabal(args) => args.output.clone(),
            Self::Doctor(args) => args.output(),
            Self::Cache(args) => args.output().clone(),
            // Standard output carries the archive of the source.
            Self::Source(args) => OutputArgs { format: Format::Text, messages: args.messages.clone() },
            Self::Completions(_) | Self::Man(_) => OutputArgs::default(),
            Self::New(args) => args.output.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    /// The variables that can set the arguments of a command and its subcommands, each with the argument's name.
    fn variables(command: &clap::Command) -> Vec<(String, String)> {
        let own = command.get_arguments().filter_map(|arg| {
            let positional = || Some(arg.get_value_names()?.first()?.to_ascii_lowercase());
            let name = arg.get_long().map(str::to_owned).or_else(positional)?;
            Some((arg.get_env()?.to_str()?.to_owned(), name))
        });
        own.chain(command.get_subcommands().flat_map(variables)).collect()
    }

    #[test]
    fn every_variable_is_named_like_its_flag() {
        let variables = variables(&Cli::command());
        assert!(variables.len() > 20);
        for (variable, flag) in variables {
            assert_eq!(variable, format!("HSX_{}", flag.to_ascii_uppercase().replace('-', "_")));
        }
    }

    #[test]
    fn every_setting_has_a_variable() {
        let known: Vec<_> = variables(&Cli::command()).into_iter().map(|(variable, _)| variable).collect();
        let keys = settings::keys();
        assert!(keys.len() > 10);
        for key in keys {
            let name = format!("HSX_{}", key.to_ascii_uppercase().replace('-', "_"));
            assert!(known.contains(&name) || known.iter().any(|known| *known == name.trim_end_matches('S')), "{name}");
        }
    }

    #[test]
    fn every_command_has_a_page() {
        fn check(command: &clap::Command) {
            assert!(man::page(command).contains(".SH SYNOPSIS"), "{command}");
            command.get_subcommands().for_each(check);
        }
        let mut hsx = Cli::command();
        hsx.build();
        check(&hsx);
    }
}
