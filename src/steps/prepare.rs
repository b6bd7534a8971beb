//! The steps that come before those of all platforms.

use super::hpack::Hpack;
use super::out_dir::MakeOutDir;
use super::sweep::Sweep;
use crate::base::error::Error;
use crate::facts::Facts;
use crate::project::Project;
use crate::settings::Settings;
use crate::world::doors::World;

#[derive(Debug)]
pub(crate) enum Prepare {
    Sweep(Sweep),
    Hpack(Hpack),
    MakeOutDir(MakeOutDir),
}

impl Prepare {
    /// The first steps of every command that starts a builder.
    pub(crate) fn all(project: &Project, facts: &Facts) -> Vec<Self> {
        let sweep = facts.hosts.iter().filter_map(Sweep::of).map(Self::Sweep);
        sweep.chain(project.hpack.iter().map(|package| Self::Hpack(Hpack { package: package.clone() }))).collect()
    }

    /// The first steps of a command that delivers results: those of [`Self::all`], then creating the output directory.
    ///
    /// # Errors
    /// When nothing can be delivered to the output directory.
    pub(crate) fn to_deliver(project: &Project, settings: &Settings, facts: &Facts) -> Result<Vec<Self>, Error> {
        let out_dir = MakeOutDir::of(settings, facts)?.map(Self::MakeOutDir);
        Ok(Self::all(project, facts).into_iter().chain(out_dir).collect())
    }

    pub(crate) fn shell(&self) -> String {
        match self {
            Self::Sweep(step) => step.shell(),
            Self::Hpack(step) => step.shell(),
            Self::MakeOutDir(step) => step.shell(),
        }
    }

    /// # Errors
    /// Those of the step.
    pub(crate) fn follow(&self, world: &World<'_>) -> Result<(), Error> {
        match self {
            Self::Sweep(step) => step.follow(world),
            Self::Hpack(step) => step.follow(world),
            Self::MakeOutDir(step) => step.follow(),
        }
    }
}
