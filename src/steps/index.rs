//! Updates the package index, which all projects share, where nothing of a project is. A project's code may run while
//! its dependencies are downloaded, so the index is read-only there: a script that needs a newer one says so, and is
//! started again.

use super::context::{Context, Failure};
use crate::base::cmd::{Cmd, Values, late};
use crate::base::error::Error;
use crate::base::exit_code::ExitCode;

/// Runs in the builder, without the project.
pub(crate) const UPDATE: &str =
    concat!(include_str!("../../scripts/container/index.sh"), include_str!("../../scripts/container/update.sh"));

/// The late value of a script's first argument: how it heeds the index.
const HEED: &str = "index";

/// The first argument of a script that needs the index.
pub(crate) fn heed() -> String {
    late(HEED)
}

/// How a script can get a newer index.
#[derive(Debug)]
pub(crate) struct Index {
    /// Updates the index. `None`: the build is offline.
    pub update: Option<Cmd>,
    /// The volume that holds the index.
    pub volume: String,
    /// The volume is new, so the index is updated before the script is started.
    pub is_new: bool,
}

impl Index {
    /// The lines of a shell script that start a command which needs the index.
    pub(crate) fn shell(&self, cmd: &Cmd) -> String {
        let Some(update) = &self.update else { return format!("index=as-it-is\n{cmd}") };
        let update = format!("if {update}; then index=new; else index=as-it-is; fi");
        if self.is_new {
            return format!("{update}\n{cmd}");
        }
        let due = ExitCode::IndexDue as i32;
        format!(
            "with_index() {{ {cmd}; }}\nindex=ask\nwith_index \"$@\" || {{ code=$?; [ \"$code\" -eq {due} ] || exit \"$code\"; {update}; with_index \"$@\"; }} # {due}: the index is too old"
        )
    }

    /// Starts a command that needs the index with `start`, once more where that asks for a newer index. `start` gets
    /// the values of the command's late arguments.
    pub(crate) fn follow<T>(
        &self,
        context: &mut Context<'_>,
        code: impl Fn(&T) -> Option<i32>,
        mut start: impl FnMut(&mut Context<'_>, &Values) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let mut values = context.values.clone();
        let mut start = |context: &mut Context<'_>, word: &str| {
            values.words.insert(HEED, word.to_owned());
            start(context, &values)
        };
        let Some(update) = &self.update else { return Ok(start(context, "as-it-is")?) };
        if !self.is_new {
            let ended = start(context, "ask")?;
            if !ExitCode::IndexDue.is(code(&ended)) {
                return Ok(ended);
            }
        }
        let is_updated = self.update(update, context)?;
        context.world.exec.check()?;
        Ok(start(context, if is_updated { "new" } else { "as-it-is" })?)
    }

    /// Updates the index, and returns whether that succeeded: without it there may still be all that is needed.
    fn update(&self, cmd: &Cmd, context: &mut Context<'_>) -> Result<bool, Failure> {
        let world = context.world;
        // Two updates of one index at the same time would damage it. The builds that read it hold another lock.
        let lock = world.state.lock_file(&format!("{}-update", self.volume))?;
        world.wait_for(|| lock.try_lock().is_ok())?;
        context.say("Updating", "package index");
        let ended = context.streamed(cmd)?;
        if ended.status.success() {
            return Ok(true);
        }
        if ExitCode::CabalFailed.is(ended.status.code()) {
            return Ok(false);
        }
        context.container_ended(cmd, &ended, "updating the package index failed").map(|()| true)
    }
}
