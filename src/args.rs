//! Arguments that several commands share, as they were typed. Nothing is decided here: no default is filled in, no file
//! is read, and no two arguments are compared. `settings` does that. An argument of a single command is declared with
//! that command.

use std::str::FromStr;

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::base::platform::Platform;
use crate::project::image::Bignum;

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  the build (cabal) failed
    2  usage or configuration
    3  the host is not ready: engine, emulation, image or disk
    4  the result failed verification
  128+N  ended by signal N";

/// What a project is built with and for. Every command that starts a builder has these arguments.
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
    // `settings` rejects `--pull` with `--offline`: clap would reject `HSX_OFFLINE=false` too.
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

    /// Build in a copy of the source that may be written to: for tests and `Setup.hs` that write; yours is not touched
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_parser = BoolishValueParser::new(), env = "HSX_WRITABLE_SOURCE", hide_env = true, help_heading = "Build")]
    pub writable_source: Option<bool>,

    /// Who shares the compiled dependencies [default: shared]
    #[arg(long, value_enum, env = "HSX_STORE", hide_env = true, help_heading = "Build")]
    pub store: Option<StoreScope>,

    /// A directory outside the project that the build reads too, as links or `hs-source-dirs` lead there; may be repeated
    #[arg(long = "source-dir", value_name = "DIR", env = "HSX_SOURCE_DIR", hide_env = true, help_heading = "Build")]
    pub source_dirs: Vec<Utf8PathBuf>,

    /// A directory or file outside the project that the build may be shown, if the project names it: a package, an
    /// archive, a git directory; may be repeated
    #[arg(long = "allow-mount", value_name = "PATH", env = "HSX_ALLOW_MOUNT", hide_env = true, help_heading = "Build")]
    pub allow_mounts: Vec<Utf8PathBuf>,

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

/// Who shares the package store, which builds write to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreScope {
    /// All projects of yours that build for the platform with the image: nothing is compiled twice
    #[default]
    Shared,
    /// This project alone: no other project's build can change what it gets
    Project,
}

/// Which engine is used.
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

/// How executables are built and delivered.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is one")]
pub(crate) struct ResultArgs {
    /// Build also where nothing has changed since the last build
    #[arg(long)]
    pub force: bool,

    /// Build the project's own packages from scratch
    #[arg(long)]
    pub clean: bool,

    /// Deliver the data files too that executables look for when they run, in `share/`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_parser = BoolishValueParser::new(), env = "HSX_DATA_FILES", hide_env = true)]
    pub data_files: Option<bool>,

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
    // No `conflicts_with`: clap would reject this flag beside `HSX_STRIP` too, which the flag overrides. So with
    // `--no-upx`.
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

/// The strategy that the user asks for. `facts::strategy` chooses the one that is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize, serde::Serialize)]
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
