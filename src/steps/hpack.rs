//! Writes a `.cabal` file from `package.yaml`, with the user's hpack.

use camino::Utf8Path;

use crate::base::cmd::Cmd;
use crate::base::error::Error;
use crate::project::hpack_write;
use crate::world::doors::World;

#[derive(Debug)]
pub(crate) struct Hpack {
    cmd: Cmd,
}

impl Hpack {
    /// The step for the package in a directory.
    pub(crate) fn new(dir: &Utf8Path) -> Self {
        Self { cmd: hpack_write(dir) }
    }

    pub(crate) fn shell(&self) -> String {
        self.cmd.to_string()
    }

    /// # Errors
    /// When hpack fails.
    pub(crate) fn follow(&self, world: &World<'_>) -> Result<(), Error> {
        let answer = world.exec.capture(&self.cmd)?;
        if answer.success() {
            return Ok(());
        }
        Err(Error::usage("`package.yaml` is not usable").tried(self.cmd.to_string()).said(&answer.stderr))
    }
}
