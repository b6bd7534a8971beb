//! Gathers what every command that starts a builder needs: finds the project, resolves its settings, and asks the
//! machine.

use crate::base::error::{Error, ErrorKind};
use crate::facts::Facts;
use crate::project::{Project, Selection};
use crate::settings::{self, Arguments, Settings};
use crate::tools::cabal;
use crate::world::ask::engines::{AskPolicy, Engines, EnginesByConnection};
use crate::world::ask::host;
use crate::world::ask::load::{self, ProjectFiles, Purpose};
use crate::world::doors::World;

/// Selects the part of a project that a command is about. This is a `dyn Fn`, so that what follows is compiled once and
/// not once for each command.
pub(crate) type Select<'a> = &'a dyn Fn(&Project, &Settings) -> Result<Selection, Error>;

/// Everything that a command which starts a builder knows before it plans.
pub(crate) struct PlanInputs {
    pub project: Project,
    pub settings: Settings,
    /// The part of the project that the command is about.
    pub selection: Selection,
    pub known: EnginesByConnection,
    pub facts: Facts,
}

/// The project and its settings, as far as they are known without new questions to the machine.
pub(crate) struct ResolvedProject {
    pub project: Project,
    pub settings: Settings,
    pub selection: Selection,
    pub known: EnginesByConnection,
}

/// Resolves a project's settings, selects the part that the command is about, and finds the engines. `None`: an engine
/// is not remembered, and must not be asked.
///
/// # Errors
/// When no engine answers, or a setting or the selection is not usable.
pub(crate) fn find(
    typed: Arguments<'_>,
    loaded: &ProjectFiles,
    select: Select<'_>,
    engines: &Engines<'_>,
    world: &World<'_>,
) -> Result<Option<ResolvedProject>, Error> {
    let mut project = loaded.project.clone();
    let files = [&loaded.project_file, &loaded.user_file];
    let mut is_known = true;
    let host = |connection: Option<&str>| {
        let known = engines.get(connection)?;
        is_known = known.is_some();
        known.ok_or_else(|| Error::host("the engine has not been asked"))?.platform()
    };
    let settings = settings::resolve(typed, files, &project, host, &world.environment.cwd);
    if !is_known {
        return Ok(None);
    }
    let mut settings = settings?;
    let (args, told) = cabal::overrides(&project.settings, |path| project.place_of(path.into()).is_some());
    // The arguments that the user typed come last, because the last one wins.
    settings.cabal_args.splice(0..0, args);
    if let Some(first) = settings.platforms.first_mut() {
        // One platform has these warnings for all, so that they appear once.
        first.warnings.extend(told);
    }
    if typed.builder.locked {
        settings.apply(load::read_lockfile(&project.root)?, &mut project)?;
    }
    // An unknown target is reported before the registry is asked.
    let selection = select(&project, &settings)?;
    let known = engines.of(&settings)?;
    Ok(known.map(|known| ResolvedProject { project, settings, selection, known }))
}

/// Finds and reads the project.
///
/// # Errors
/// When there is no project, or one of its files is not usable.
pub(crate) fn load(typed: Arguments<'_>, world: &World<'_>) -> Result<ProjectFiles, Error> {
    load::load(typed.builder, Purpose::Build, world)
}

/// Finds the project, resolves its settings, selects the part that the command is about, and asks the machine.
///
/// # Errors
/// When there is no project, no engine or no image, or a setting or the selection is not usable.
pub(crate) fn gather(typed: Arguments<'_>, select: Select<'_>, world: &World<'_>) -> Result<PlanInputs, Error> {
    gather_loaded(typed, &load(typed, world)?, select, world)
}

/// Does the work of [`gather`] for a project that has been read. When the work fails with a remembered engine, it asks
/// the engine again and repeats the work.
///
/// # Errors
/// As [`gather`].
pub(crate) fn gather_loaded(
    typed: Arguments<'_>,
    loaded: &ProjectFiles,
    select: Select<'_>,
    world: &World<'_>,
) -> Result<PlanInputs, Error> {
    let asked = settings::engine(&typed.builder.engine, &loaded.user_file);
    let asked = asked.as_deref();
    let gather = |engines: &Engines<'_>| {
        let found = find(typed, loaded, select, engines, world)?;
        let Some(ResolvedProject { project, settings, selection, known }) = found else {
            return Err(Error::host("the engine has not been asked"));
        };
        let facts = host::facts(&known, &project, &settings, world)?;
        Ok(PlanInputs { project, settings, selection, known, facts })
    };
    let engines = Engines::new(asked, AskPolicy::MemoryFirst, world);
    match gather(&engines) {
        Err(error) if error.kind == ErrorKind::Host && engines.forget() => {
            gather(&Engines::new(asked, AskPolicy::MemoryFirst, world))
        }
        ended => ended,
    }
}
