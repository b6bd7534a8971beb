//! `hsx shell`: opens a shell, or runs a command, in the container that a build would run in.

use clap::Args;

use super::gather::{PlanInputs, gather};
use crate::args::{BuilderArgs, EXIT_CODES, MessageArgs, ResultArgs};
use crate::base::cmd::Values;
use crate::base::error::Error;
use crate::facts::Facts;
use crate::facts::container_name::Phase;
use crate::plan::builder::{Builder, sequel, with_fallback};
use crate::plan::{Lock, Plan, PlatformPlan, Sequel};
use crate::project::{Project, Selection};
use crate::settings::{Arguments, Platforms, Settings};
use crate::steps::interact;
use crate::steps::prepare::Prepare;
use crate::tools::cabal;
use crate::tools::engine::{Container, Network};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::follow::{platform, prepare};

const HELP: &str = "\
The container is that of `hsx static`: your source at its place, read-only; the platform's package
store and the project's build directory; ghc and cabal, for a foreign platform with the cross
toolchain entered; no network, unless you ask for it. `cabal build`, `repl`, `test` and the like get
the flags that hsx gives them. What you change outside the volumes is gone when you leave.

A terminal is passed on where standard input and output are one; the exit code is the command's.
While the shell is open, a build of the same project and platform waits for it.

Settings are those of `hsx static`; see `hsx static --help`.

Examples:
  hsx shell                                   a shell for this machine's platform
  hsx shell -p arm64 -- cabal build -v2       one command, for another
  hsx shell -- ghc-pkg list > packages.txt    in a pipeline";

/// Open a shell in the builder, or run a command there
///
/// Starts the container that a build runs in, with the project, the package store and the compiler as it sees them.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{HELP}\n\n{EXIT_CODES}\n  Once the shell or command runs, the exit code is its own."), after_help = "See `hsx shell --help` for examples and exit codes")]
pub(crate) struct ShellArgs {
    /// A command to run instead of a shell, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,

    /// Give the container a network; a build has none
    #[arg(long)]
    network: bool,

    #[command(flatten)]
    builder: BuilderArgs,

    /// Print the commands instead of running them, as shell
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    pub messages: MessageArgs,
}

/// Runs `hsx shell`.
///
/// # Errors
/// When something keeps the shell from starting.
pub(crate) fn run(args: &ShellArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let result = ResultArgs { no_upx: true, ..ResultArgs::default() };
    let typed = Arguments { targets: &[], builder: &args.builder, result: &result, platforms: Platforms::One };
    let PlanInputs { project, settings, facts, .. } = gather(typed, &|_, _| Ok(Selection::default()), &world)?;
    let plan = plan(&project, &settings, &facts, args)?;
    if args.dry_run {
        ui.print(&plan.shell());
        return Ok(0);
    }
    let ShellPlan { preparation, session } = &plan;
    prepare(preparation, &world)?;
    let mut strategy = session.as_chosen.job.choice.strategy;
    for platform in &preparation.platforms {
        if platform.is_prepared() {
            platform.warnings.iter().for_each(|warning| ui.warning(warning));
            continue;
        }
        let prepared = platform::follow(platform, &Values::default(), &facts.system, &world);
        prepared.result.map_err(|error| error.on(platform.job.platform))?;
        strategy = prepared.choice.strategy;
    }
    let session = session.after(strategy);
    let ended = platform::follow(session, &Values::default(), &facts.system, &world).result;
    Ok(ended.map_err(|error| error.on(session.job.platform))?)
}

/// The plan of a shell. The session stands by itself: the preparation locks what it makes, and a shell may be open for
/// long.
struct ShellPlan {
    preparation: Plan<()>,
    session: Sequel<u8>,
}

impl ShellPlan {
    /// The plan as a shell script.
    fn shell(&self) -> String {
        self.preparation.shell_then(&self.session.shell())
    }
}

/// Decides everything that a run does.
///
/// # Errors
/// When the platform cannot be built for on this machine.
fn plan(project: &Project, settings: &Settings, facts: &Facts, args: &ShellArgs) -> Result<ShellPlan, Error> {
    let build = &settings.platforms[0];
    let builder = |choice, again| Builder::new(project, settings, facts, build, choice, again);
    let preparation = with_fallback(build, facts, |choice, again| preparation(&builder(choice, again)))?;
    Ok(ShellPlan {
        preparation: Plan { prepare: Prepare::all(project, facts), platforms: vec![preparation], ..Plan::default() },
        session: sequel(build, facts, |choice, again| session(&builder(choice, again), args))?,
    })
}

fn preparation(builder: &Builder<'_>) -> PlatformPlan<()> {
    let names = builder.container_names(&[Phase::Copy, Phase::Cross]);
    builder.plan(&builder.key, &names, builder.locks(), builder.preparation(), ())
}

fn session(builder: &Builder<'_>, args: &ShellArgs) -> PlatformPlan<u8> {
    let Builder { settings, facts, .. } = builder;
    let key = format!("{}-shell", builder.key);
    let mut parts = builder.parts(Phase::Shell(facts.process));
    parts.labels = builder.labels_of_build(&key);
    let flags = cabal::build_args(&[], settings.jobs, &settings.cabal_args);
    let words = [builder.build.platform.to_string(), flags.len().to_string()].into_iter().chain(flags);
    let container = Container {
        network: if args.network { Network::Default } else { Network::None },
        stdin: facts.stdin,
        ..builder.container(&parts, interact::SHELL, words.chain(args.command.iter().cloned()).collect())
    };
    // A build holds its locks alone, because it changes things. A shell only uses them, so that other shells can, too.
    let locks = builder.locks().into_iter().map(|lock| Lock { shared: true, ..lock }).collect();
    builder.interactive(&key, locks, &container)
}
