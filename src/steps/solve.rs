//! Asks GHC and cabal in the container. hsx reads the answer from their standard output.

use super::context::{Context, Ended, Failure};
use super::index::Index;
use super::step::Step;
use crate::base::cmd::Cmd;

/// Reports the versions in the image, and what cabal freezes the project at; runs in the builder.
pub(crate) const SURVEY: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/index.sh"),
    include_str!("../../scripts/container/copy.sh"),
    include_str!("../../scripts/container/survey.sh")
);

/// Checks whether cabal finds a plan with a freeze; runs in the builder.
pub(crate) const CHECK: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/index.sh"),
    include_str!("../../scripts/container/copy.sh"),
    include_str!("../../scripts/container/check.sh")
);

#[derive(Debug)]
pub(crate) struct Solve {
    /// The command, which may contain values that are not known when the plan is made.
    pub cmd: Cmd,
    pub index: Index,
    /// The status line: a verb, and the text after the platform.
    pub status: (&'static str, &'static str),
    pub failure: &'static str,
}

impl Step for Solve {
    type Input = ();
    type Output = String;

    fn shell(&self) -> String {
        self.index.shell(&self.cmd)
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<String, Failure> {
        let (verb, what) = self.status;
        let (cmd, ended, answer) = self.index.follow(
            context,
            |(_, ended, _): &(Cmd, Ended, String)| ended.status.code(),
            |context, values| {
                let cmd = self.cmd.with(values);
                context.say(verb, what);
                let (ended, answer) = context.answered(&cmd)?;
                Ok((cmd, ended, answer))
            },
        )?;
        context.container_ended(&cmd, &ended, self.failure)?;
        Ok(answer)
    }
}
