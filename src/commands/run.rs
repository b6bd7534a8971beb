//! `hsx run`: builds one executable as `hsx static` does, then runs it.

use camino::Utf8Path;
use clap::Args;

use super::gather::{PlanInputs, gather_loaded, load};
use super::r#static::{self, only};
use crate::args::{BuilderArgs, EXIT_CODES, MessageArgs, ResultArgs};
use crate::base::cmd::{Cmd, Values};
use crate::base::error::Error;
use crate::facts::container_name::{Phase, container_name};
use crate::facts::{Facts, strategy};
use crate::plan::builder::{Again, Builder, choose};
use crate::plan::{Lock, Plan, PlatformPlan};
use crate::project::{Project, Selection};
use crate::report::Delivered;
use crate::settings::{Arguments, PlatformSettings, Platforms, Settings};
use crate::steps::data::delivered_data;
use crate::steps::interact;
use crate::tools::binfmt::Emulation;
use crate::tools::cabal::data_variable;
use crate::tools::engine::{Container, Mount, Network};
use crate::world::ask::fresh::BuildRequest;
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

/// Runs `hsx run`. When the program runs without a container, it replaces hsx, and this does not return.
///
/// # Errors
/// When something keeps the program from starting. A failed build is reported, and is no error here.
pub(crate) fn run(args: &RunArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let targets: Vec<_> = args.target.iter().flat_map(|target| target.split(',')).map(str::to_owned).collect();
    let typed =
        Arguments { targets: &targets, builder: &args.builder, result: &args.result, platforms: Platforms::One };
    let loaded = load(typed, &world)?;
    if let Some((platform, program)) = r#static::fresh_program(typed, &loaded, &select, &world)? {
        let dir = program.path.parent().unwrap_or(&program.path);
        let start = here(dir, &program.name, &args.args, &loaded.project);
        if !args.dry_run {
            return Err(world.exec.replace(&start).into());
        }
        let plan = Plan::<Vec<Delivered>> { fresh: vec![platform], ..Plan::default() };
        ui.print(&plan.shell_then(&Start::Here(start).shell()));
        return Ok(0);
    }
    let PlanInputs { project, settings, selection, known, facts } = gather_loaded(typed, &loaded, &select, &world)?;
    let plan = r#static::plan(&project, &settings, &selection, &facts)?;
    // A missing emulation is reported before anything is built. The name is a guess until cabal has planned.
    let guess = selection.guess.first().map_or("EXECUTABLE", |exe| exe.name.as_str());
    let guessed = start(&project, &settings, guess, &args.args, &facts)?;
    if args.dry_run {
        ui.print(&plan.shell_then(&guessed.shell()));
        return Ok(0);
    }
    let wanted = BuildRequest { project: &project, settings: &settings, selection: &selection, known: &known };
    let report = r#static::execute(&plan, &Values::default(), &facts, Some(wanted), &world)?;
    for platform in &report.platforms {
        if let Err(error) = &platform.result {
            ui.error(&error.clone().on(platform.platform));
            return Ok(report.exit_code());
        }
    }
    let delivered = report.platforms.iter().filter_map(|platform| platform.result.as_ref().ok()).flatten();
    let delivered: Vec<_> = delivered.cloned().collect();
    let program = only(&delivered, &selection.targets)
        .ok_or_else(|| several(delivered.iter().map(|exe| (exe.package.as_str(), exe.name.as_str()))))?;
    match start(&project, &settings, &program.name, &args.args, &facts)? {
        Start::Here(cmd) => Err(world.exec.replace(&cmd).into()),
        Start::Container(plan) => Ok(platform::follow(&plan, &Values::default(), &facts.system, &world).result?),
    }
}

/// Selects what to run. Fails at once when the project's files leave no doubt that there are several executables.
fn select(project: &Project, settings: &Settings) -> Result<Selection, Error> {
    let selection = project.select(&settings.targets)?;
    let certain: Vec<_> = selection.guess.iter().filter(|exe| project.is_certain(exe)).collect();
    if certain.len() > 1 {
        return Err(several(certain.iter().map(|exe| (exe.package.as_str(), exe.name.as_str()))));
    }
    Ok(selection)
}

fn several<'a>(executables: impl Iterator<Item = (&'a str, &'a str)>) -> Error {
    let names: Vec<_> = executables.map(|(package, name)| format!("`hsx run {package}:exe:{name}`")).collect();
    Error::usage("there are several executables to run").hint(format!("name one: {}", names.join(", ")))
}

/// The command that starts the program. Like `cabal run`, it sets variables for the data files: those of the project's
/// packages are in the project, those of other packages in the output directory.
fn here(dir: &Utf8Path, name: &str, args: &[String], project: &Project) -> Cmd {
    let program = Cmd::new(dir.join(name)).args(args);
    let own = project.packages.iter().filter(|package| !package.data_files.is_empty()).map(|package| {
        let data = package.data_dir.as_ref().map_or_else(|| package.dir.clone(), |data| package.dir.join(data));
        (package.name.clone(), data)
    });
    let delivered = delivered_data(dir).into_iter().map(|name| (name.clone(), dir.join("share").join(name)));
    let variables: Vec<_> = delivered.chain(own).map(|(name, dir)| format!("{}={dir}", data_variable(&name))).collect();
    if variables.is_empty() {
        return program;
    }
    Cmd::new("/usr/bin/env").args(variables).arg(program.program).args(program.args)
}

/// How the program starts.
#[derive(Debug)]
enum Start {
    /// hsx becomes the program.
    Here(Cmd),
    /// The program runs in a container, because the engine's kernel is not this machine's.
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
/// When the program does not start on this machine without emulation.
fn start(project: &Project, settings: &Settings, name: &str, args: &[String], facts: &Facts) -> Result<Start, Error> {
    let build = &settings.platforms[0];
    let dir = settings.out_dir.path().join(build.platform.slug());
    if facts.machine == Some(build.platform) {
        return Ok(Start::Here(here(&dir, name, args, project)));
    }
    let host = facts.host(build.platform);
    let starts = facts.emulation.get(&build.platform).unwrap_or(&Emulation::Unknown);
    match if host.is_remote { starts } else { host.emulation(build.platform) } {
        Emulation::Ready => Ok(Start::Here(here(&dir, name, args, project))),
        Emulation::Missing(why) => {
            let setup = facts.system.setup_emulation(build.platform);
            Err(strategy::missing_emulation(build.platform, why, &setup))
        }
        Emulation::Unknown if host.is_remote => {
            let message = format!("{} programs do not start on this machine", build.platform);
            Err(Error::host(message).hint(format!("`{dir}` has the executable: start it where it does")))
        }
        Emulation::Unknown => {
            Ok(Start::Container(Box::new(in_container(project, settings, build, name, args, facts)?)))
        }
    }
}

/// Where the container sees the delivered executables.
const DIR: &str = "/hsx/run";

fn in_container(
    project: &Project,
    settings: &Settings,
    build: &PlatformSettings,
    name: &str,
    args: &[String],
    facts: &Facts,
) -> Result<PlatformPlan<u8>, Error> {
    let dir = settings.out_dir.path().join(build.platform.slug());
    let env: Vec<_> = delivered_data(&dir)
        .iter()
        .map(|package| format!("{}={DIR}/share/{package}", data_variable(package)))
        .collect();
    let builder = Builder::new(project, settings, facts, build, choose(build, build.strategy, facts)?, Again::Yes);
    let mounts = [Mount::ReadOnly { source: dir, target: DIR.to_owned() }];
    // The lock is separate from the build's: a program that runs for long must not keep others from building.
    let key = format!("{}-exec", builder.key);
    let name_of_container = container_name(&key, Phase::Run(facts.process));
    let container = Container {
        network: Network::Default,
        stdin: facts.stdin,
        labels: &builder.labels_of_build(&key),
        env: &env,
        mounts: &mounts,
        extra: &settings.engine_args,
        args: [format!("{DIR}/{name}")].into_iter().chain(args.iter().cloned()).collect(),
        ..Container::new(&name_of_container, build.platform, &builder.image.reference, interact::PROGRAM)
    };
    let lock = Lock { name: key.clone(), shared: true };
    Ok(builder.interactive(&key, vec![lock], &container))
}
