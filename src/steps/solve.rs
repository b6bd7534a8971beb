//! Asks GHC and cabal in the container; what they answer on standard output is for hsx.

use super::context::{Context, Failure};
use super::step::Step;
use crate::base::cmd::Cmd;

/// What there is to build with, and what cabal freezes the project at; runs in the builder.
pub(crate) const SURVEY: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/index.sh"),
    include_str!("../../scripts/container/copy.sh"),
    include_str!("../../scripts/container/survey.sh")
);

/// Whether cabal finds a plan with a freeze; runs in the builder.
pub(crate) const CHECK: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/index.sh"),
    include_str!("../../scripts/container/copy.sh"),
    include_str!("../../scripts/container/check.sh")
);

#[derive(Debug)]
pub(crate) struct Solve {
    /// May have values that are not known when the plan is made.
    pub cmd: Cmd,
    /// What it says that hsx does: a verb, and what follows the platform.
    pub status: (&'static str, &'static str),
    pub failure: &'static str,
}

impl Step for Solve {
    type Input = ();
    type Output = String;

    fn shell(&self) -> String {
        self.cmd.to_string()
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<String, Failure> {
        let cmd = self.cmd.with(context.values);
        let (verb, what) = self.status;
        context.say(verb, what);
        let (ended, answer) = context.answered(&cmd)?;
        context.container_ended(&cmd, &ended, self.failure)?;
        Ok(answer)
    }
}
