//! `hsx doctor`: looks at the machine, judges what it finds, and says what to type.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use clap::Args;
use clap::builder::BoolishValueParser;

use crate::args::{BuilderArgs, Format, OutputArgs, ResultArgs};
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::doctor::{connections, document, exit_code, judge, screen};
use crate::project::image::{self, Bignum};
use crate::settings::{self, Arguments, Packing, Platforms, SettingsFile};
use crate::world::ask::engines;
use crate::world::ask::examine::{Question, examine};
use crate::world::ask::load::{self, ProjectFiles, Purpose};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;

const HELP: &str = "\
What is looked at:
  the container engines, rootless set-up, storage, SELinux, control groups, limits; emulation of
  other platforms, as the kernel tells it and as a program fares in a container, where an image is
  here to try it in; the builder image and whether its tag was made again; upx and other tools;
  room on the disks; engines elsewhere, as `connection` names them. Nothing is changed, nothing
  is pulled.

Marks:
  ✓  well    !  builds work, but not as well as they could    ✗  builds fail
  In a locale without Unicode: + ! x

Examples:
  hsx doctor                        this machine, and the project here if there is one
  hsx doctor -p linux/arm64         is it ready to build for linux/arm64?
  hsx doctor --engine docker        with docker
  hsx doctor --json                 for programs

Exit codes:
    0  ready
    2  usage or configuration
    3  not ready: builds would fail
  128+N  ended by signal N";

/// Is this machine ready? What to type where it is not
///
/// Looks at the engine, emulation, image, tools and disks, and prints a line for each, with the commands that mend
/// what is wrong on this system. It changes nothing.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP, after_help = "See `hsx doctor --help` for what is looked at, exit codes and examples")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub builder: BuilderArgs,

    /// Where the executables would go [default: dist-static]
    #[arg(long, value_name = "DIR", env = "HSX_OUT_DIR", hide_env = true)]
    pub out_dir: Option<Utf8PathBuf>,

    // Hidden: it only reads the variable and the settings files, and a line in the help would add nothing.
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new(), env = "HSX_UPX", hide = true)]
    pub upx: Option<bool>,

    /// The same as `--format json`
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub output: OutputArgs,
}

impl DoctorArgs {
    pub(crate) fn output(&self) -> OutputArgs {
        let format = if self.json { Format::Json } else { self.output.format };
        OutputArgs { format, messages: self.output.messages.clone() }
    }
}

/// Runs `hsx doctor`.
///
/// # Errors
/// When a settings file is not usable, or a signal came.
pub(crate) fn run(args: &DoctorArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    // Without a project that can be read, hsx still examines the machine.
    let loaded = load::load(&args.builder, Purpose::Look, &world).ok();
    let user_file = load::user_file(environment)?;
    let asked = settings::engine(&args.builder.engine, &user_file);
    let settings = loaded.as_ref().and_then(|loaded| resolved(args, loaded, environment));
    let builds = settings.iter().flat_map(|settings| &settings.platforms);
    let builds: Vec<_> = builds.map(|build| (build.platform, build.image.clone())).collect();
    let named = named_platforms(args, loaded.as_ref(), &user_file);
    let fallback = default_image(&args.builder)?;
    let typed_out_dir = args.out_dir.as_ref().map_or(environment.cwd.clone(), |dir| environment.cwd.join(dir));
    let image = |platform: Platform| {
        let build = builds.iter().find(|(known, _)| *known == platform).or(builds.first());
        Some(build.map_or_else(|| fallback.clone(), |(_, image)| image.clone()))
    };
    let lockfile = loaded.as_ref().and_then(|loaded| load::read_lockfile(&loaded.project.root).ok());
    let machine = examine(
        &Question {
            engines: asked
                .clone()
                .map_or_else(|| vec!["podman".to_owned(), "docker".to_owned()], |engine| vec![engine]),
            platforms: &named,
            image: &image,
            locked: &|reference, platform| {
                let digest = lockfile.as_ref()?.digest(reference, platform).ok()?;
                Some(digest.to_owned())
            },
            needs_hpack: load::has_package_yaml_only(args.builder.directory.as_deref(), environment),
            offline: args.builder.offline,
            out_dir: settings.as_ref().map_or(typed_out_dir, |settings| settings.out_dir.path()),
            packs: settings.as_ref().map_or(args.upx != Some(false), |settings| settings.upx != Packing::Never),
        },
        &world,
    )?;
    let mut findings = judge(&machine);
    let is_wanted = |platform: Platform| named.is_empty() || named.contains(&platform);
    let wanted = settings.iter().flat_map(|settings| &settings.platforms).filter(|build| is_wanted(build.platform));
    let connections: BTreeSet<_> = wanted.filter_map(|build| build.connection.as_ref()).collect();
    for name in connections {
        let known = engines::ask(asked.as_deref(), Some(name), &world);
        world.exec.check()?;
        let answer = known.as_ref().map(|known| (known.engine.program.as_str(), &known.info));
        findings.push(connections::judge(name, answer));
    }
    ui.print(&match args.output().format {
        Format::Text => screen(&findings, environment.unicode),
        Format::Json | Format::JsonLines => document(&findings),
    });
    Ok(exit_code(&findings))
}

/// The settings for all platforms, so that the image of each is known.
fn resolved(args: &DoctorArgs, loaded: &ProjectFiles, environment: &Environment) -> Option<settings::Settings> {
    let builder = BuilderArgs { platforms: Platform::all().collect(), ..args.builder.clone() };
    let result = ResultArgs { out_dir: args.out_dir.clone(), upx: args.upx, ..ResultArgs::default() };
    let typed = Arguments { targets: &[], builder: &builder, result: &result, platforms: Platforms::Several };
    let files = [&loaded.project_file, &loaded.user_file];
    settings::resolve(typed, files, &loaded.project, |_| Ok(Platform::Amd64), &environment.cwd).ok()
}

/// The platforms on the command line or in the settings. Programs of these must start; others are optional.
fn named_platforms(args: &DoctorArgs, loaded: Option<&ProjectFiles>, user_file: &SettingsFile) -> Vec<Platform> {
    if !args.builder.platforms.is_empty() {
        return args.builder.platforms.clone();
    }
    loaded
        .map(|loaded| loaded.project_file.platforms())
        .filter(|named| !named.is_empty())
        .unwrap_or_else(|| user_file.platforms())
}

/// The image that a build without a project would use.
fn default_image(args: &BuilderArgs) -> Result<String, Error> {
    let image = args.image.as_deref().unwrap_or(image::DEFAULT_REPOSITORY);
    let ghc = args.ghc.as_deref().unwrap_or(image::DEFAULT_GHC);
    Ok(image::reference(image, ghc, args.bignum.unwrap_or(Bignum::Gmp))?.0)
}
