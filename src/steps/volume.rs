//! Creates a volume.

use super::context::{Context, Failure};
use super::step::{Step, unless_done};
use crate::base::cmd::Cmd;
use crate::facts::Host;
use crate::tools::engine::words;

#[derive(Debug)]
pub(crate) struct CreateVolume {
    cmd: Cmd,
}

impl CreateVolume {
    /// The step that creates a volume. `None`: the engine has it.
    pub(crate) fn unless_there(host: &Host, name: &str, labels: &[(&str, String)]) -> Option<Self> {
        (!host.volumes.contains(name)).then(|| Self { cmd: host.engine.volume_create(name, labels) })
    }
}

impl Step for CreateVolume {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        format!("{}\n{}", unless_done("created the volume"), self.cmd)
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<(), Failure> {
        let answer = context.quietly(&self.cmd)?;
        // Another hsx may have created it since the plan was made.
        if answer.success() || words::exists_already(&answer.stderr) {
            return Ok(());
        }
        let failed = context.failed(&self.cmd, answer.status, &answer.stderr);
        Err(failed.of_engine("the volume cannot be created").into())
    }
}
