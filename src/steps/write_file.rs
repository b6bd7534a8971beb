//! Writes a file of the project, completely or not at all.

use crate::base::cmd::{Values, quote};
use crate::base::error::Error;
use crate::base::place::Place;
use crate::world::doors::{World, write};

#[derive(Debug)]
pub(crate) struct WriteFile {
    pub dir: Place,
    pub name: &'static str,
    /// The text, which may contain values that are not known when the plan is made.
    pub text: String,
    /// Replaces a file that is there already.
    pub force: bool,
    /// What is done, for the status line.
    pub verb: &'static str,
}

impl WriteFile {
    pub(crate) fn shell(&self) -> String {
        let Self { dir, name, text, force, .. } = self;
        // With `set -C` the shell does not write over a file.
        let (before, after) = if *force { ("", "") } else { ("set -C\n", "\nset +C") };
        format!("{before}printf %s {} > {}{after}", quote(text), quote(dir.path().join(name).as_str()))
    }

    /// # Errors
    /// When the file exists and must not be replaced, or the directory is not writable.
    pub(crate) fn follow(&self, values: &Values, world: &World<'_>) -> Result<(), Error> {
        let Self { dir, name, text, force, verb } = self;
        write::replace(dir, name, &values.text(text), *force)?;
        world.ui.status(verb, dir.path().join(name).as_str());
        Ok(())
    }
}
