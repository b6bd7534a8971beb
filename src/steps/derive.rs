//! Makes an image by adding something to another, unless another build has made it since the plan was made.

use super::context::{Context, Failure};
use super::step::{Step, unless_done};
use crate::base::cmd::Cmd;
use crate::base::platform::Platform;
use crate::facts::Addition;
use crate::world::doors::state::{DERIVED, Derived};

#[derive(Debug)]
pub(crate) struct Derive {
    pub platform: Platform,
    /// The name under which hsx remembers that the image is made.
    pub memory: String,
    pub addition: Addition,
    /// Installs the addition in a container.
    pub install: Cmd,
    /// Makes the image from the container.
    pub commit: Cmd,
    /// Removes the container.
    pub remove: Cmd,
}

impl Step for Derive {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        let Self { install, commit, remove, .. } = self;
        format!("{}\n{install}\n{commit}\n{remove}", unless_done("made the image"))
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<(), Failure> {
        let Self { platform, memory, addition, install, commit, remove } = self;
        let world = context.world;
        let turn = world.turn_of_images(context.job.elsewhere.as_ref());
        let _held = turn.lock();
        if world.state.recall(&DERIVED, memory).is_some() {
            return Ok(());
        }
        context.channel.phase("preparing");
        world.ui.status("Preparing", &format!("{platform} image with {addition}"));
        let ended = context.streamed(install)?;
        if !ended.status.success() {
            let failed = context.failed(install, ended.status, &ended.said);
            return Err(failed.on(*platform).in_package_manager().into());
        }
        let is_missing = |line: &str| line.starts_with("hsx: ") && line.ends_with(" cannot be added");
        let is_whole = !ended.said.lines().any(is_missing);
        context.must(commit, "the image with the additions cannot be kept")?;
        context.must(remove, "the container cannot be removed")?;
        world.state.remember(&DERIVED, memory, if is_whole { &Derived::Whole } else { &Derived::InPart });
        Ok(())
    }
}
