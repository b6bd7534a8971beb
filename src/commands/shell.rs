//! `hsx shell`: a shell, or a command, in the builder as a build sees it.

use clap::Args;

use super::gather::{Gathered, gather, preparation};
use crate::args::{BuilderArgs, EXIT_CODES, MessageArgs, ResultArgs, StrategyChoice};
use crate::base::error::Error;
use crate::plan::builder::{Again, Builder, choose};
use crate::plan::facts::Facts;
use crate::plan::strategy::Strategy;
use crate::plan::{Lock, PlatformPlan, Step};
use crate::project::Project;
use crate::settings::{Platforms, Settings, Typed};
use crate::tools::cabal;
use crate::tools::engine::{Container, Network};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::follow::build::build;
use crate::world::follow::prepare;

const SHELL: &str =
    concat!(include_str!("../../scripts/container/repositories.sh"), include_str!("../../scripts/container/shell.sh"));

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
/// Whatever keeps the shell from starting.
pub(crate) fn run(args: &ShellArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let result = ResultArgs { no_upx: true, ..ResultArgs::default() };
    let typed = Typed { targets: &[], builder: &args.builder, result: &result, platforms: Platforms::One };
    let Gathered { project, settings, facts, .. } = gather(typed, |_, _| Ok(()), &world)?;
    let planner = Planner { project: &project, settings: &settings, facts: &facts, args };
    let first = planner.preparation()?;
    let prepare = preparation(&project, &facts);
    if args.dry_run {
        for step in prepare.iter().filter_map(Step::cmd) {
            ui.print(&format!("{step}\n"));
        }
        ui.print(&format!("{}{}", first.shell(), planner.session(first.choice.strategy)?.commands()));
        return Ok(0);
    }
    for step in &prepare {
        prepare::follow(step, &world)?;
    }
    let mut strategy = first.choice.strategy;
    if first.steps.is_empty() {
        first.warnings.iter().for_each(|warning| ui.warning(warning));
    } else {
        let prepared = build(&first, &facts.system, &world);
        prepared.result.map_err(|error| error.on(first.platform))?;
        strategy = prepared.choice.strategy;
    }
    let session = planner.session(strategy)?;
    let ended = build(&session, &facts.system, &world).result;
    Ok(ended.map_err(|error| error.on(session.platform))?.exit_code)
}

struct Planner<'a> {
    project: &'a Project,
    settings: &'a Settings,
    facts: &'a Facts,
    args: &'a ShellArgs,
}

impl Planner<'_> {
    fn builder(&self, asked: StrategyChoice, again: Again) -> Result<Builder<'_>, Error> {
        let build = &self.settings.platforms[0];
        let choice = choose(build, asked, self.facts)?;
        Ok(Builder::new(self.project, self.settings, self.facts, build, choice, again))
    }

    /// What must be there first. A plan of its own: it locks what it makes, and a shell may be open for long.
    fn preparation(&self) -> Result<PlatformPlan, Error> {
        let plan = |builder: Builder<'_>| {
            let names = builder.container_names(&["copy", "cross"]);
            builder.plan(&builder.key, &names, builder.locks(), builder.preparation())
        };
        let asked = self.settings.platforms[0].strategy;
        let mut first = plan(self.builder(asked, Again::No)?);
        if first.choice.strategy == Strategy::Cross && asked == StrategyChoice::Auto {
            let emulated = self.builder(StrategyChoice::Emulate, Again::Yes).ok();
            first.fallback = emulated.map(|builder| Box::new(plan(builder)));
        }
        Ok(first)
    }

    /// The shell itself, by the strategy that could be prepared for.
    fn session(&self, strategy: Strategy) -> Result<PlatformPlan, Error> {
        let asked = match strategy {
            Strategy::Emulate => StrategyChoice::Emulate,
            Strategy::Native | Strategy::Cross => self.settings.platforms[0].strategy,
        };
        let builder = self.builder(asked, Again::Yes)?;
        let Builder { settings, facts, .. } = &builder;
        let key = format!("{}-shell", builder.key);
        let mut parts = builder.parts(&format!("shell{}", facts.process));
        parts.labels = builder.labels_of_build(&key);
        let flags = cabal::build_args(&[], settings.jobs, &settings.cabal_args);
        let words = [builder.build.platform.to_string(), flags.len().to_string()].into_iter().chain(flags);
        let container = Container {
            network: if self.args.network { Network::Default } else { Network::None },
            stdin: facts.stdin,
            ..builder.container(&parts, SHELL, words.chain(self.args.command.iter().cloned()).collect())
        };
        // What a build makes, it makes alone; a shell uses what is there, beside other shells.
        let locks = builder.locks().into_iter().map(|lock| Lock { shared: true, ..lock }).collect();
        Ok(builder.interactive(&key, locks, &container))
    }
}
