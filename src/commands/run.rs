//! `hsx run`: what `hsx static` does for one executable, then the executable itself.

use clap::Args;

use super::gather::{Gathered, gather_loaded, load};
use super::r#static;
use crate::args::{BuilderArgs, EXIT_CODES, MessageArgs, ResultArgs};
use crate::base::cmd::{Cmd, Values};
use crate::base::error::Error;
use crate::facts::{Facts, strategy};
use crate::plan::builder::{Again, Builder, choose};
use crate::plan::{Lock, Plan, PlatformPlan};
use crate::project::{Executable, Project, Selection};
use crate::report::Delivered;
use crate::settings::{PlatformSettings, Platforms, Settings, Typed};
use crate::steps::interact;
use crate::tools::binfmt::Emulation;
use crate::tools::engine::{Container, Mount, Network};
use crate::world::ask::fresh::Wanted;
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::follow::platform;

const HELP: &str = "\
What is built is delivered as `hsx static` delivers it, and this is what runs: by itself on this
machine's platform and where QEMU is set up, else (on macOS) in a container of the builder image,
which sees none of your files. Standard input, the terminal, signals and the exit code are the
program's own; hsx writes to standard error only.

Settings are those of `hsx static`; see `hsx static --help`.

Examples:
  hsx run                                     the project's only executable
  hsx run server -- --port 8080               one of several, with arguments
  hsx run -p arm64 -- --version               the one for another platform, emulated
  hsx run -q tool < data > result             in a pipeline";

/// Build an executable if needed, then run it
///
/// Builds one executable as `hsx static` does, and runs it with the arguments after `--`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{HELP}\n\n{EXIT_CODES}\n  Once the program runs, the exit code is its own."), after_help = "See `hsx run --help` for examples and exit codes")]
pub(crate) struct RunArgs {
    /// What to run, as cabal spells it: `NAME`, `exe:NAME`, `PACKAGE:exe:NAME`; default: the only executable
    #[arg(value_name = "TARGET", env = "HSX_TARGET", hide_env = true)]
    target: Option<String>,

    /// Arguments for the program
    #[arg(last = true, value_name = "ARG")]
    args: Vec<String>,

    #[command(flatten)]
    builder: BuilderArgs,

    #[command(flatten)]
    result: ResultArgs,

    /// Print the commands instead of running them, as shell
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    pub messages: MessageArgs,
}

/// Runs `hsx run`. Where the program runs by itself, this does not return.
///
/// # Errors
/// Whatever keeps the program from starting, but for a failed build, which is reported.
pub(crate) fn run(args: &RunArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let targets: Vec<_> = args.target.iter().flat_map(|target| target.split(',')).map(str::to_owned).collect();
    let typed = Typed { targets: &targets, builder: &args.builder, result: &args.result, platforms: Platforms::One };
    let loaded = load(typed, &world)?;
    if let Some((platform, program)) = r#static::fresh_program(typed, &loaded, select, &world)? {
        let start = Cmd::new(program).args(&args.args);
        if !args.dry_run {
            return Err(world.exec.replace(&start).into());
        }
        let plan = Plan::<Vec<Delivered>> { fresh: vec![platform], ..Plan::default() };
        ui.print(&plan.shell_then(&Start::Here(start).shell()));
        return Ok(0);
    }
    let Gathered { project, settings, selection, known, facts } = gather_loaded(typed, &loaded, select, &world)?;
    let plan = r#static::plan(&project, &settings, &selection, &facts)?;
    let start = start(&project, &settings, &selection.executables[0], &args.args, &facts)?;
    if args.dry_run {
        ui.print(&plan.shell_then(&start.shell()));
        return Ok(0);
    }
    let wanted = Wanted { project: &project, settings: &settings, selection: &selection, known: &known };
    let report = r#static::execute(&plan, &facts, Some(wanted), &world)?;
    for platform in &report.platforms {
        if let Err(error) = &platform.result {
            ui.error(&error.clone().on(platform.platform));
            return Ok(report.exit_code());
        }
    }
    match start {
        Start::Here(cmd) => Err(world.exec.replace(&cmd).into()),
        Start::Container(plan) => Ok(platform::follow(&plan, &Values::default(), &facts.system, &world).result?),
    }
}

/// The one executable to run.
fn select(project: &Project, settings: &Settings) -> Result<Selection, Error> {
    let selection = project.select(&settings.targets)?;
    if let [_] = selection.executables[..] {
        return Ok(selection);
    }
    let names: Vec<_> =
        selection.executables.iter().map(|exe| format!("`hsx run {}:exe:{}`", exe.package, exe.name)).collect();
    Err(Error::usage("there are several executables to run").hint(format!("name one: {}", names.join(", "))))
}

/// How the program starts.
#[derive(Debug)]
enum Start {
    /// hsx becomes the program.
    Here(Cmd),
    /// In a container, where this machine's kernel is not the engine's.
    Container(Box<PlatformPlan<u8>>),
}

impl Start {
    fn shell(&self) -> String {
        match self {
            Self::Here(cmd) => format!("exec {cmd}\n"),
            Self::Container(plan) => plan.commands(),
        }
    }
}

/// Decides how the program starts.
///
/// # Errors
/// When it does not start on this machine, for want of emulation.
fn start(
    project: &Project,
    settings: &Settings,
    exe: &Executable,
    args: &[String],
    facts: &Facts,
) -> Result<Start, Error> {
    let build = &settings.platforms[0];
    let dir = settings.out_dir.join(build.platform.slug());
    if facts.machine == Some(build.platform) {
        return Ok(Start::Here(Cmd::new(dir.join(&exe.name)).args(args)));
    }
    let host = facts.host(build.platform);
    let here = facts.emulation.get(&build.platform).unwrap_or(&Emulation::Unknown);
    match if host.is_remote { here } else { host.emulation(build.platform) } {
        Emulation::Ready => Ok(Start::Here(Cmd::new(dir.join(&exe.name)).args(args))),
        Emulation::Missing(why) => {
            let setup = facts.system.setup_emulation(build.platform);
            Err(strategy::missing_emulation(build.platform, why, &setup))
        }
        Emulation::Unknown if host.is_remote => {
            let message = format!("{} programs do not start on this machine", build.platform);
            Err(Error::host(message).hint(format!("`{dir}` has the executable: start it where it does")))
        }
        Emulation::Unknown => Ok(Start::Container(Box::new(in_container(project, settings, build, exe, args, facts)?))),
    }
}

/// Where the container sees the delivered executables.
const DIR: &str = "/hsx/run";

fn in_container(
    project: &Project,
    settings: &Settings,
    build: &PlatformSettings,
    exe: &Executable,
    args: &[String],
    facts: &Facts,
) -> Result<PlatformPlan<u8>, Error> {
    let builder = Builder::new(project, settings, facts, build, choose(build, build.strategy, facts)?, Again::Yes);
    let mounts = [Mount::ReadOnly { source: settings.out_dir.join(build.platform.slug()), target: DIR.to_owned() }];
    // Of its own: a program that runs for long keeps nobody from building.
    let key = format!("{}-exec", builder.key);
    let name = format!("hsx-{key}-run{}", facts.process);
    let container = Container {
        network: Network::Default,
        stdin: facts.stdin,
        labels: &builder.labels_of_build(&key),
        mounts: &mounts,
        extra: &settings.engine_args,
        args: [format!("{DIR}/{}", exe.name)].into_iter().chain(args.iter().cloned()).collect(),
        ..Container::new(&name, build.platform, &builder.image.reference, interact::PROGRAM)
    };
    let lock = Lock { name: key.clone(), shared: true };
    Ok(builder.interactive(&key, vec![lock], &container))
}
