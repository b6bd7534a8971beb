//! The command line, as typed. Everything here is resolved by `settings` before it is used.

use std::ffi::{OsStr, OsString};
use std::str::FromStr;

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::commands::cache::CacheArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::freeze::{FreezeArgs, Origin};
use crate::commands::lock::LockArgs;
use crate::commands::man::ManArgs;
use crate::commands::new::NewArgs;
use crate::commands::run::RunArgs;
use crate::commands::setup_cabal::SetupCabalArgs;
use crate::commands::shell::ShellArgs;
use crate::commands::source::SourceArgs;
use crate::commands::test::TestArgs;
use crate::project::image::Bignum;
use crate::tools::cabal::CommandLine;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  the build (cabal) failed
    2  usage or configuration
    3  the host is not ready: engine, emulation, image or disk
    4  the result failed verification
  128+N  ended by signal N";

/// Fully static Haskell executables for every architecture, from any machine, with one command
#[derive(Debug, Parser)]
#[command(name = "hsx", version, styles = STYLES, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line, and the variables that are set to something: CI templates set others to nothing.
    ///
    /// # Errors
    /// When it is none, or asks for help only.
    pub(crate) fn read(
        line: &CommandLine,
        is_empty: impl Fn(&OsStr) -> bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Rejected> {
        let mut command = heed(Self::command(), &is_empty);
        if let Some(typed) = line.typed {
            command = command.bin_name(typed);
        }
        let matches = command.try_get_matches_from_mut(line.args.iter().cloned());
        let read = matches.and_then(|matches| Self::from_arg_matches(&matches));
        read.map_err(|error| Rejected {
            format: wanted_format(&line.args, variable("HSX_FORMAT").as_deref()),
            error: error.format(&mut command),
        })
    }
}

/// A command line that nothing comes of, and the form in which that is to be told.
pub(crate) struct Rejected {
    pub error: clap::Error,
    pub format: Format,
}

impl Rejected {
    /// As an error of hsx's; `None` where help was asked for.
    pub(crate) fn told(&self) -> Option<Error> {
        let text = self.error.render().to_string();
        let mut lines = text.lines().map(str::trim);
        let message = lines.next()?.strip_prefix("error: ")?.to_owned();
        let hints = lines.filter_map(|line| Some(line.strip_prefix("tip: ")?.to_owned()));
        Some(Error::usage(message).hints(hints))
    }
}

/// The form of the report, as typed before whatever is wrong or behind it: clap reads no further than to that.
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

/// The command and those below it, without the variables that are set to nothing.
fn heed(command: clap::Command, is_empty: &impl Fn(&OsStr) -> bool) -> clap::Command {
    let heed_arg = |arg: Arg| if arg.get_env().is_some_and(is_empty) { arg.env(None::<&str>) } else { arg };
    command.mut_args(heed_arg).mut_subcommands(|command| heed(command, is_empty))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build static executables for one or more platforms
    Static(Box<StaticArgs>),
    /// Build an executable if needed, then run it
    Run(Box<RunArgs>),
    /// Build and run test suites for one or more platforms
    Test(Box<TestArgs>),
    /// Open a shell in the builder, or run a command there
    Shell(Box<ShellArgs>),
    /// Write the image digests and the index-state to hsx.lock
    Lock(Box<LockArgs>),
    Freeze(Box<FreezeArgs>),
    /// Make a new project, with all that `hsx static` and its releases need
    New(Box<NewArgs>),
    SetupCabal(SetupCabalArgs),
    Doctor(Box<DoctorArgs>),
    Cache(CacheArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    #[command(hide = true)]
    Source(SourceArgs),
}

impl Command {
    /// How the command reports.
    pub(crate) fn output(&self) -> OutputArgs {
        match self {
            Self::Static(args) => args.output.clone(),
            // Standard output is the program's own.
            Self::Run(args) => OutputArgs { format: Format::Text, messages: args.messages.clone() },
            Self::Test(args) => args.output.clone(),
            Self::Shell(args) => OutputArgs { format: Format::Text, messages: args.messages.clone() },
            Self::Lock(args) => OutputArgs { format: Format::Text, messages: args.messages.clone() },
            Self::Freeze(args) => args.output.clone(),
            Self::SetupCabal(args) => args.output.clone(),
            Self::Doctor(args) => args.output(),
            Self::Cache(args) => args.output().clone(),
            // Standard output is what is sent.
            Self::Source(args) => OutputArgs { format: Format::Text, messages: args.messages.clone() },
            Self::Completions(_) | Self::Man(_) => OutputArgs::default(),
            Self::New(args) => args.output.clone(),
        }
    }
}

const STATIC_HELP: &str = "\
Settings:
  Each is taken from the first place that has it: the flag, its HSX_* variable (HSX_OUT_DIR,
  HSX_TARGET, …; an empty one counts as unset), the project's `hsx.toml`, your `config.toml` (in
  $XDG_CONFIG_HOME/hsx or ~/.config/hsx), what the project says (`with-compiler:` in cabal.project,
  `tested-with:` in the .cabal file), the default.

  # hsx.toml
  platforms = [\"linux/amd64\", \"linux/arm64\"]
  targets = [\"exe:server\"]
  ghc = \"9.6.7\"
  bignum = \"native\"
  image = { ref = \"quay.io/benz0li/ghc-musl\", packages = [\"xz-dev\", \"xz-static\"] }
  cabal-args = [\"--flags=+release\"]
  [platform.\"linux/arm64\"]
  ghc = \"9.10.3\"

  Also: strategy, connection, out-dir, jobs, strip, upx; `native-packages` in `image`, for `cross`.
  Only in your `config.toml`, because they reach the host: engine, engine-args, upx-args.

Results:
  dist-static/linux-ARCH/NAME, each replaced only by a verified one. Where neither they nor anything
  in the mounted directories, the settings and the image has changed since they were built, nothing
  is started: `--force` builds all the same. Not looked at: `dist-newstyle`, `dist-static` and git's
  objects; `--pull` asks whether the image has changed. Your source is mounted
  read-only; the package store and the build directory are volumes labelled `hsx.kind`.

Engines elsewhere:
  `connection` names a podman connection or a docker context, for all platforms or for one; where it
  leads is the engine's own to know (`podman system connection add`, `docker context create`).
  Platforms of several engines are built at the same time. The source is sent, and only what has
  changed since the last time: in a git repository what git does not ignore, the files that decide
  cabal's plan, and `.git`. So it is where DOCKER_HOST or CONTAINER_HOST leads to another machine.
  `--connection PLATFORM=` takes the engine here all the same.

Events:
  `--format json-lines` prints a line of JSON for each event, as it comes: `event` is its kind,
  `platform` what it is about, `time` the seconds since hsx began. Kinds: `phase`; `package` and
  `module`, with `number` and `of`; `finish`, with what `--format json` has of the platform; and
  `end`, the last, with `exit_code`. New kinds and keys may come, none goes.

Examples:
  hsx static                                  every executable, for this machine's architecture
  hsx static -p linux/amd64,linux/arm64       for both
  hsx static exe:server --ghc 9.6.7           one executable, with another compiler
  hsx static -p amd64,arm64 --connection arm64=graviton    one of them on an engine elsewhere
  hsx static --dry-run                        the commands, to read or to paste into a shell";

/// Build static executables for one or more platforms
///
/// Runs cabal inside the ghc-musl image of each platform, takes the executables out, checks that they
/// are static, packs them with upx where that is installed, and proves that the packed ones still start.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{STATIC_HELP}\n\n{EXIT_CODES}"), after_help = "See `hsx static --help` for settings, exit codes and examples")]
pub(crate) struct StaticArgs {
    /// What to build, as cabal spells it: `exe:NAME`, `PACKAGE:exe:NAME`, `PACKAGE`; default: every executable
    #[arg(value_name = "TARGET", value_delimiter = ',', env = "HSX_TARGET", hide_env = true)]
    pub targets: Vec<String>,

    #[command(flatten)]
    pub builder: BuilderArgs,

    #[command(flatten)]
    pub result: ResultArgs,

    /// Freeze the versions for this build only, as `hsx freeze` would in a file
    #[arg(long, value_enum, value_name = "FROM", num_args = 0..=1, default_missing_value = "auto", require_equals = true, help_heading = "Build")]
    pub freeze: Option<Origin>,

    /// Write a page that shows what took how long, beside the logs
    #[arg(long)]
    pub timings: bool,

    /// Print the commands instead of running them, as shell
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// What a project is built with and for: of every command that starts a builder.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct BuilderArgs {
    /// Platforms to build for, such as `linux/arm64`, `arm64` or `aarch64`; default: this machine's
    #[arg(
        short,
        long = "platform",
        value_name = "PLATFORM",
        value_delimiter = ',',
        env = "HSX_PLATFORM",
        hide_env = true
    )]
    pub platforms: Vec<Platform>,

    /// Directory of the project; default: the nearest one up from here
    #[arg(short = 'C', long, value_name = "DIR")]
    pub directory: Option<Utf8PathBuf>,

    /// GHC version, or the beginning of one [default: what the project says, else 9.10.3]
    #[arg(long, value_name = "VERSION", env = "HSX_GHC", hide_env = true, help_heading = "Compiler and image")]
    pub ghc: Option<String>,

    /// Builder image; without a tag it gets the one of the GHC version [default: quay.io/benz0li/ghc-musl]
    #[arg(long, value_name = "REF", env = "HSX_IMAGE", hide_env = true, help_heading = "Compiler and image")]
    pub image: Option<String>,

    /// A package of the image's distribution to add to it, such as `xz-static`; may be repeated
    #[arg(
        long = "image-package",
        value_name = "NAME",
        value_delimiter = ',',
        env = "HSX_IMAGE_PACKAGE",
        hide_env = true,
        help_heading = "Compiler and image"
    )]
    pub image_packages: Vec<String>,

    /// A package to add to this machine's image of a `cross` build, beside the tools that hsx adds; may be repeated
    #[arg(
        long = "native-package",
        value_name = "NAME",
        value_delimiter = ',',
        env = "HSX_NATIVE_PACKAGE",
        hide_env = true,
        help_heading = "Compiler and image"
    )]
    pub native_packages: Vec<String>,

    /// Integer library: GMP (LGPL), or GHC's own from the `-int-native` images
    #[arg(long, value_enum, env = "HSX_BIGNUM", hide_env = true, help_heading = "Compiler and image")]
    pub bignum: Option<Bignum>,

    /// Ask the registry for a newer image behind the tag
    // `settings` looks at the conflict with `offline`: clap would find one with `HSX_OFFLINE=false` too.
    #[arg(
        long,
        value_parser = BoolishValueParser::new(),
        env = "HSX_PULL",
        hide_env = true,
        help_heading = "Compiler and image"
    )]
    pub pull: bool,

    /// Build with the image digests and the index-state of hsx.lock, which `hsx lock` writes
    #[arg(
        long,
        value_parser = BoolishValueParser::new(),
        env = "HSX_LOCKED",
        hide_env = true,
        help_heading = "Compiler and image"
    )]
    pub locked: bool,

    /// Use only what earlier builds fetched: no registry, no Hackage
    #[arg(
        long,
        value_parser = BoolishValueParser::new(),
        env = "HSX_OFFLINE",
        hide_env = true,
        help_heading = "Compiler and image"
    )]
    pub offline: bool,

    /// How to build for a foreign platform
    #[arg(long, value_enum, env = "HSX_STRATEGY", hide_env = true, help_heading = "Build")]
    pub strategy: Option<StrategyChoice>,

    /// Packages that cabal builds at once
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), env = "HSX_JOBS", hide_env = true, help_heading = "Build")]
    pub jobs: Option<u32>,

    /// An argument for `cabal build`; may be repeated
    #[arg(
        long = "cabal-arg",
        value_name = "ARG",
        allow_hyphen_values = true,
        env = "HSX_CABAL_ARG",
        hide_env = true,
        help_heading = "Build"
    )]
    pub cabal_args: Vec<String>,

    #[command(flatten)]
    pub engine: EngineArgs,

    /// An argument for the engine's `run`; may be repeated
    #[arg(
        long = "engine-arg",
        value_name = "ARG",
        allow_hyphen_values = true,
        env = "HSX_ENGINE_ARG",
        hide_env = true,
        help_heading = "Engine"
    )]
    pub engine_args: Vec<String>,
}

/// Which engine is asked.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct EngineArgs {
    /// Container engine: `podman`, `docker`, or the path of one [default: podman where both work]
    #[arg(long = "engine", value_name = "PROGRAM", env = "HSX_ENGINE", hide_env = true, help_heading = "Engine")]
    pub program: Option<String>,

    /// Build on an engine elsewhere, by the name of a podman connection or a docker context; `PLATFORM=NAME` for one platform
    #[arg(
        long = "connection",
        value_name = "NAME",
        value_delimiter = ',',
        env = "HSX_CONNECTION",
        hide_env = true,
        help_heading = "Engine"
    )]
    pub connections: Vec<Connection>,
}

/// The name of a connection, for one platform or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub platform: Option<Platform>,
    pub name: String,
}

impl FromStr for Connection {
    type Err = <Platform as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (platform, name) = match text.split_once('=') {
            Some((platform, name)) => (Some(platform.parse()?), name),
            None => (None, text),
        };
        Ok(Self { platform, name: name.to_owned() })
    }
}

/// What becomes of the executables.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is one")]
pub(crate) struct ResultArgs {
    /// Build also where nothing has changed since the last build
    #[arg(long)]
    pub force: bool,

    /// Build for one platform after the other; default: at once, as cores and memory allow
    #[arg(long, value_parser = BoolishValueParser::new(), env = "HSX_SERIAL", hide_env = true, help_heading = "Build")]
    pub serial: bool,

    /// Where the executables go [default: dist-static]
    #[arg(long, value_name = "DIR", env = "HSX_OUT_DIR", hide_env = true)]
    pub out_dir: Option<Utf8PathBuf>,

    /// Strip symbols; default: yes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_parser = BoolishValueParser::new(), env = "HSX_STRIP", hide_env = true, help_heading = "Build")]
    pub strip: Option<bool>,

    /// Leave symbols in
    // No conflict with `strip`: clap would find one with `HSX_STRIP` too, and the flag is stronger. So for upx.
    #[arg(long, help_heading = "Build")]
    pub no_strip: bool,

    /// Pack with upx; default: where upx is installed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_parser = BoolishValueParser::new(), env = "HSX_UPX", hide_env = true, help_heading = "Build")]
    pub upx: Option<bool>,

    /// Do not pack
    #[arg(long, help_heading = "Build")]
    pub no_upx: bool,

    /// An argument for upx, such as `--lzma`; may be repeated
    #[arg(
        long = "upx-arg",
        value_name = "ARG",
        allow_hyphen_values = true,
        env = "HSX_UPX_ARG",
        hide_env = true,
        help_heading = "Build"
    )]
    pub upx_args: Vec<String>,
}

/// How a command reports.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OutputArgs {
    /// How to report on standard output
    #[arg(long, value_enum, default_value_t, env = "HSX_FORMAT", hide_env = true)]
    pub format: Format,

    #[command(flatten)]
    pub messages: MessageArgs,
}

/// What is said on standard error.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct MessageArgs {
    /// Show each command before it runs
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Show only errors and the report
    #[arg(short, long)]
    pub quiet: bool,

    /// Use colours
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", env = "HSX_COLOR", hide_env = true)]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table
    #[default]
    Text,
    /// One JSON document
    Json,
    /// A line of JSON for each event, as it comes; `hsx static` only
    JsonLines,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// Where a person looks: a terminal, and `NO_COLOR` is not set
    #[default]
    Auto,
    Always,
    Never,
}

/// The strategy as asked for; `plan` chooses the one taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StrategyChoice {
    /// The fastest that works: `cross` where the host and the GHC allow it
    #[default]
    Auto,
    /// This machine's compiler on the platform's libraries, at native speed
    Cross,
    /// The platform's own compiler, under QEMU where the platform is foreign
    Emulate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_stands_as_it_was_written() {
        for line in STATIC_HELP.lines() {
            assert!(line.chars().count() <= 100, "clap would wrap: {line}");
        }
    }
}
