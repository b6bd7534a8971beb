//! Creates a volume.

use super::context::{Context, Failure};
use super::step::{Step, unless_done};
use crate::base::cmd::Cmd;
use crate::facts::Host;

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
        // Another hsx has created it since the plan was made. Docker reports no error then; podman before 4.6 has no
        // flag for that.
        if answer.success() || answer.stderr.contains("already exists") {
            return Ok(());
        }
        let failed = context.failed(&self.cmd, answer.status, &answer.stderr);
        Err(failed.of_engine("the volume cannot be created").into())
    }
}
