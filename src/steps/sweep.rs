//! Removes the containers that a killed hsx left behind in an engine.

use crate::base::cmd::Cmd;
use crate::base::error::Error;
use crate::facts::Host;
use crate::world::doors::World;

#[derive(Debug)]
pub(crate) struct Sweep {
    cmd: Cmd,
}

impl Sweep {
    /// The step. `None`: there is nothing to remove.
    pub(crate) fn of(host: &Host) -> Option<Self> {
        (!host.stale.is_empty()).then(|| Self { cmd: host.engine.remove(&host.stale) })
    }

    pub(crate) fn shell(&self) -> String {
        self.cmd.to_string()
    }

    /// Failures are ignored: a container that cannot be removed does not harm a build.
    pub(crate) fn follow(&self, world: &World<'_>) -> Result<(), Error> {
        world.ui.status("Sweeping", "containers that a killed hsx left behind");
        world.exec.capture(&self.cmd).map(drop)
    }
}
