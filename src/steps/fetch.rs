//! Downloads everything that the build needs. The build itself then has no network.

use super::context::{Context, Ended, Failure};
use super::index::Index;
use super::step::Step;
use crate::base::cmd::Cmd;

/// Runs in the builder.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/index.sh"),
    include_str!("../../scripts/container/fetch.sh")
);

#[derive(Debug)]
pub(crate) struct Fetch {
    /// The command, whose first argument says how it heeds the index.
    pub cmd: Cmd,
    pub index: Index,
}

impl Step for Fetch {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        self.index.shell(&self.cmd)
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<(), Failure> {
        let (cmd, ended) = self.index.follow(
            context,
            |(_, ended): &(Cmd, Ended)| ended.status.code(),
            |context, values| {
                let cmd = self.cmd.with(values);
                context.say("Fetching", "dependencies");
                let ended = context.streamed(&cmd)?;
                Ok((cmd, ended))
            },
        )?;
        context.container_ended(&cmd, &ended, "fetching the dependencies failed")
    }
}
