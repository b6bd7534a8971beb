//! Downloads everything that the build needs. The build itself then has no network.

use super::context::{Context, Failure};
use super::step::Step;
use crate::base::cmd::Cmd;

/// Runs in the builder.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/index.sh"),
    include_str!("../../scripts/container/fetch.sh")
);

#[derive(Debug)]
pub(crate) struct Fetch {
    pub cmd: Cmd,
}

impl Step for Fetch {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        self.cmd.to_string()
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<(), Failure> {
        context.say("Fetching", "dependencies");
        let cmd = self.cmd.with(context.values);
        let ended = context.streamed(&cmd)?;
        context.container_ended(&cmd, &ended, "fetching the dependencies failed")
    }
}
