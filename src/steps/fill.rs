//! Fills a volume that all later builds use unchanged: with a cross toolchain, or with the copy of an image.

use super::context::{Context, Failure};
use super::step::{Step, unless_done};
use crate::base::cmd::Cmd;
use crate::facts::cross;
use crate::world::doors::state::{FILLED, Filled, State};

#[derive(Debug)]
pub(crate) struct Fill {
    pub volume: String,
    pub cmd: Cmd,
}

impl Step for Fill {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        format!("{}\n{}", unless_done("filled the volume"), self.cmd)
    }

    /// Does nothing when another build has filled the volume since the plan was made. This build has waited for that
    /// one's lock.
    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<(), Failure> {
        let Self { volume, cmd } = self;
        let world = context.world;
        if world.state.recall(&FILLED, volume).is_some() {
            return Ok(());
        }
        context.say("Preparing", "toolchain from the image");
        let ended = context.streamed(cmd)?;
        if !ended.status.success() {
            let failed = context.failed(cmd, ended.status, &ended.said);
            let obstacle = failed.why_no_toolchain();
            return Err(Failure { error: failed.of_engine("the cross toolchain cannot be made"), obstacle });
        }
        let note = cross::note(&ended.said).map(str::to_owned);
        world.state.remember(&FILLED, volume, &Filled { note });
        Ok(())
    }
}

/// The note on the toolchain in a volume: what a better image would improve.
pub(crate) fn note_of(volume: &str, state: &State) -> Option<String> {
    state.recall(&FILLED, volume)?.note
}
