//! Pulls an image, and tries again when the registry fails temporarily.

use super::context::{Context, Failure, subject};
use super::step::Step;
use crate::base::cmd::Cmd;
use crate::base::platform::Platform;
use crate::tools::engine::Engine;

#[derive(Debug)]
pub(crate) struct Pull {
    platform: Platform,
    cmd: Cmd,
}

impl Pull {
    pub(crate) fn new(engine: &Engine, platform: Platform, reference: &str) -> Self {
        Self { platform, cmd: engine.pull(platform, reference) }
    }
}

impl Step for Pull {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        let note = "# hsx tries again, after 1 s and after 4 s, where the registry's failure may pass";
        format!("{note}\n{}", self.cmd)
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<(), Failure> {
        let world = context.world;
        let turn = world.turn_of_images(context.job.elsewhere.as_ref());
        let _held = turn.lock();
        context.channel.phase("pulling");
        world.ui.status("Pulling", &format!("{} {}", self.platform, subject(&self.cmd)));
        let ended = world.retried(&self.cmd, |cmd| context.streamed(cmd))?;
        if ended.status.success() {
            return Ok(());
        }
        Err(context.failed(&self.cmd, ended.status, &ended.said).of_engine("the image cannot be pulled").into())
    }
}
