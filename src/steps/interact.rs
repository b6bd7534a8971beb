//! Runs a command that has hsx's own terminal, input and output. hsx exits with its exit code.

use super::context::{Context, Failure, remove_containers};
use super::step::Step;
use crate::base::cmd::Cmd;

/// Opens a person's shell with the environment of a build; runs in the builder.
pub(crate) const SHELL: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/shell.sh")
);

/// Replaces the shell by the program that was built; runs in the platform's image.
pub(crate) const PROGRAM: &str = "exec \"$@\"";

#[derive(Debug)]
pub(crate) struct Interact {
    pub cmd: Cmd,
}

impl Step for Interact {
    type Input = ();
    /// The exit code.
    type Output = u8;

    fn shell(&self) -> String {
        self.cmd.to_string()
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<u8, Failure> {
        context.channel.clear();
        context.log_command(&self.cmd);
        let ended = context.world.exec.interact(&self.cmd, &context.job.removal)?;
        if ended.signalled {
            remove_containers(context.job, true, context.world);
        }
        Ok(ended.code)
    }
}
