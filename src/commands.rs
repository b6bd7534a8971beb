//! The subcommands: one file each, named as it is typed.

pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod freeze;
pub(crate) mod lock;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod run;
pub(crate) mod setup_cabal;
pub(crate) mod shell;
pub(crate) mod r#static;
pub(crate) mod test;

use crate::cli::Command;
use crate::error::Error;
use crate::facts::Facts;
use crate::plan::Step;
use crate::project::{Project, hpack_write};
use crate::settings::{self, Settings, Typed};
use crate::world::host::{self, Environment};
use crate::world::ui::Ui;
use crate::world::{World, load};

/// Runs a command, and tells its exit code.
///
/// # Errors
/// Whatever keeps it from starting.
pub(crate) fn run(command: &Command, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    match command {
        Command::Static(args) => r#static::run(args, environment, ui),
        Command::Run(args) => run::run(args, environment, ui),
        Command::Test(args) => test::run(args, environment, ui),
        Command::Shell(args) => shell::run(args, environment, ui),
        Command::Lock(args) => lock::run(args, environment, ui),
        Command::Freeze(args) => freeze::run(args, environment, ui),
        Command::SetupCabal(args) => setup_cabal::run(args, environment, ui),
        Command::Cache(args) => cache::run(args, environment, ui),
        Command::Completions(args) => Ok(completions::run(args, ui)),
        Command::Man(args) => Ok(man::run(args, environment, ui)?),
        Command::New(args) => new::run(args, environment, ui),
    }
}

/// What every command that starts a builder does first.
pub(crate) fn preparation(project: &Project, facts: &Facts) -> Vec<Step> {
    let sweep = (!facts.stale.is_empty()).then(|| Step::Sweep(facts.engine.remove(&facts.stale)));
    sweep.into_iter().chain(project.hpack.iter().map(|dir| Step::Hpack(hpack_write(dir)))).collect()
}

/// What every command that starts a builder knows before it plans.
pub(crate) struct Gathered<S> {
    pub project: Project,
    pub settings: Settings,
    /// What of the project the command is about.
    pub selection: S,
    pub facts: Facts,
}

/// Finds the project, resolves its settings and selects from it what the command is about, then asks the machine.
///
/// # Errors
/// When there is no project, no engine or no image, or a setting or the selection is not usable.
pub(crate) fn gather<S>(
    typed: Typed<'_>,
    select: impl FnOnce(&Project, &Settings) -> Result<S, Error>,
    world: &World<'_>,
) -> Result<Gathered<S>, Error> {
    let environment = world.environment;
    let loaded = load::load(typed.builder.directory.as_deref(), environment, world)?;
    let mut project = loaded.project;
    let (engine, info) = host::engine(settings::engine(&typed.builder.engine, &loaded.user_file), world)?;
    let host = info.platform.ok_or_else(|| Error::host("the engine's host is of a platform that hsx does not know"))?;
    let files = [&loaded.project_file, &loaded.user_file];
    let mut settings = settings::resolve(typed, files, &project, host, &environment.cwd)?;
    if typed.builder.locked {
        load::read_lockfile(&project.root)?.apply(&mut project, &mut settings)?;
    }
    // A target that is not there is found out before the registry is asked.
    let selection = select(&project, &settings)?;
    let facts = host::facts(engine, &info, host, &project, &settings, world)?;
    Ok(Gathered { project, settings, selection, facts })
}
