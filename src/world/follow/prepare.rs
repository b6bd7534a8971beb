//! The first steps of a plan, which are for all platforms together.

use camino::Utf8PathBuf;

use crate::base::error::Error;
use crate::plan::Step;
use crate::world::doors::World;
use crate::world::doors::write::unwritable;

/// One of the plan's first steps.
///
/// # Errors
/// When hpack fails, or the output directory cannot be made.
pub(crate) fn follow(step: &Step, world: &World<'_>) -> Result<(), Error> {
    match step {
        Step::MakeOutDir(dir) => make_out_dir(dir),
        Step::Sweep(cmd) => {
            world.ui.status("Sweeping", "containers that a killed hsx left behind");
            let _ = world.exec.capture(cmd)?;
            Ok(())
        }
        step => {
            let Some(cmd) = step.cmd() else { return Ok(()) };
            let answer = world.exec.capture(cmd)?;
            if answer.success() {
                return Ok(());
            }
            Err(Error::usage("`package.yaml` is not usable").tried(cmd.to_string()).said(&answer.stderr))
        }
    }
}

/// Makes the directory of the results, which git is told to ignore.
fn make_out_dir(dir: &Utf8PathBuf) -> Result<(), Error> {
    let made = fs_err::create_dir_all(dir).and_then(|()| fs_err::write(dir.join(".gitignore"), "*\n"));
    made.map_err(|error| unwritable(&error))
}
