//! Asks cabal, or ghc-pkg, on this machine for the versions to freeze.

use crate::base::cmd::Cmd;
use crate::base::error::{Error, ErrorKind};
use crate::project::freeze::Survey;
use crate::world::doors::World;
use crate::world::doors::exec::Tail;

/// Runs on the host, in a copy of the project that is made of links.
const SCRIPT: &str =
    concat!(include_str!("../../scripts/container/copy.sh"), include_str!("../../scripts/container/freeze-host.sh"));

#[derive(Debug)]
pub(crate) struct AskHost {
    cmd: Cmd,
}

impl AskHost {
    pub(crate) fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self { cmd: Cmd::new("/bin/sh").args(["-c", SCRIPT, "hsx"]).args(words) }
    }

    pub(crate) fn shell(&self) -> String {
        self.cmd.to_string()
    }

    /// # Errors
    /// When cabal finds no plan.
    pub(crate) fn follow(&self, world: &World<'_>) -> Result<Survey, Error> {
        world.ui.status("Asking", "the host what to freeze");
        let mut said = Tail::default();
        let (status, answer) = world.exec.answered(&self.cmd, &mut |bytes| said.push(bytes))?;
        if status.success() {
            return Ok(Survey::parse(&answer));
        }
        world.ui.replay(None, &said.text());
        Err(Error::new(ErrorKind::Build, "`cabal freeze` failed on the host")
            .hint("let the container's cabal choose: `--from image`"))
    }
}
