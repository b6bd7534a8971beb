//! Builds the project in the builder, without network.

use super::context::{Context, Failure};
use super::step::Step;
use crate::base::cmd::Cmd;

/// Runs in the builder.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/offline.sh"),
    include_str!("../../scripts/container/build.sh")
);

/// Where the scripts for builds and tests leave their results in the container.
pub(crate) const RESULTS: &str = "/hsx/out";

#[derive(Debug)]
pub(crate) struct Build {
    pub cmd: Cmd,
}

/// A stopped container that holds results.
#[derive(Debug)]
pub(crate) struct Results;

impl Step for Build {
    type Input = ();
    type Output = Results;

    fn shell(&self) -> String {
        self.cmd.to_string()
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<Results, Failure> {
        context.say("Building", &format!("with {}", context.job.compiler()));
        let cmd = self.cmd.with(context.values);
        let ended = context.streamed(&cmd)?;
        context.container_ended(&cmd, &ended, "cabal build failed")?;
        context.channel.remember();
        Ok(Results)
    }
}
