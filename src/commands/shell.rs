//! `hsx shell`: opens a shell, or runs a command, in the container that a build would run in.

use clap::Args;

use super::gather::{PlanInputs, gather};
use crate::args::{BuilderArgs, EXIT_CODES, MessageArgs, ResultArgs, StrategyChoice};
use crate::base::cmd::Values;
use crate::base::error::Error;
use crate::facts::Facts;
use crate::facts::strategy::Strategy;
use crate::plan::builder::{Again, Builder, choose, with_fallback};
use crate::plan::{Lock, Plan, PlatformPlan};
use crate::project::{Project, Selection};
use crate::settings::{Arguments, Platforms, Settings};
use crate::steps::interact;
use crate::steps::prepare::Prepare;
use crate::tools::cabal;
use crate::tools::engine::{Container, Network};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::follow::platform;

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
    let planner = Planner { project: &project, settings: &settings, facts: &facts, args };
    let preparation = planner.preparation()?;
    let plan = Plan { prepare: Prepare::all(&project, &facts), platforms: vec![preparation], ..Plan::default() };
    let first = &plan.platforms[0];
    if args.dry_run {
        ui.print(&plan.shell_then(&planner.session(first.job.choice.strategy)?.commands()));
        return Ok(0);
    }
    for step in &plan.prepare {
        step.follow(&world)?;
    }
    let mut strategy = first.job.choice.strategy;
    if first.is_prepared() {
        first.warnings.iter().for_each(|warning| ui.warning(warning));
    } else {
        let prepared = platform::follow(first, &Values::default(), &facts.system, &world);
        prepared.result.map_err(|error| error.on(first.job.platform))?;
        strategy = prepared.choice.strategy;
    }
    let session = planner.session(strategy)?;
    let ended = platform::follow(&session, &Values::default(), &facts.system, &world).result;
    Ok(ended.map_err(|error| error.on(session.job.platform))?)
}

struct Planner<'a> {
    project: &'a Project,
    settings: &'a Settings,
    facts: &'a Facts,
    args: &'a ShellArgs,
}

impl Planner<'_> {
    /// Plans the preparation. It is separate from the session: it locks what it makes, and a shell may be open for
    /// long.
    fn preparation(&self) -> Result<PlatformPlan<()>, Error> {
        let Self { project, settings, facts, .. } = self;
        let build = &settings.platforms[0];
        with_fallback(build, facts, |choice, again| {
            let builder = Builder::new(project, settings, facts, build, choice, again);
            let names = builder.container_names(&["copy", "cross"]);
            builder.plan(&builder.key, &names, builder.locks(), builder.preparation(), ())
        })
    }

    /// Plans the session, with the strategy that the preparation ended with.
    fn session(&self, strategy: Strategy) -> Result<PlatformPlan<u8>, Error> {
        let build = &self.settings.platforms[0];
        let asked = match strategy {
            Strategy::Emulate => StrategyChoice::Emulate,
            Strategy::Native | Strategy::Cross => build.strategy,
        };
        let choice = choose(build, asked, self.facts)?;
        let builder = Builder::new(self.project, self.settings, self.facts, build, choice, Again::Yes);
        let Builder { settings, facts, .. } = &builder;
        let key = format!("{}-shell", builder.key);
        let mut parts = builder.parts(&format!("shell{}", facts.process));
        parts.labels = builder.labels_of_build(&key);
        let flags = cabal::build_args(&[], settings.jobs, &settings.cabal_args);
        let words = [builder.build.platform.to_string(), flags.len().to_string()].into_iter().chain(flags);
        let container = Container {
            network: if self.args.network { Network::Default } else { Network::None },
            stdin: facts.stdin,
            ..builder.container(&parts, interact::SHELL, words.chain(self.args.command.iter().cloned()).collect())
        };
        // A build holds its locks alone, because it changes things. A shell only uses them, so that other shells can,
        // too.
        let locks = builder.locks().into_iter().map(|lock| Lock { shared: true, ..lock }).collect();
        Ok(builder.interactive(&key, locks, &container))
    }
}
