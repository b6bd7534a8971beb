//! Writes a file of the project, completely or not at all.

use camino::Utf8PathBuf;

use crate::base::cmd::{Values, quote};
use crate::base::error::Error;
use crate::world::doors::{World, write};

#[derive(Debug)]
pub(crate) struct WriteFile {
    pub path: Utf8PathBuf,
    /// The text, which may contain values that are not known when the plan is made.
    pub text: String,
    /// Replaces a file that is there already.
    pub force: bool,
    /// What is done, for the status line.
    pub verb: &'static str,
}

impl WriteFile {
    pub(crate) fn shell(&self) -> String {
        let Self { path, text, force, .. } = self;
        // With `set -C` the shell does not write over a file.
        let (before, after) = if *force { ("", "") } else { ("set -C\n", "\nset +C") };
        format!("{before}printf %s {} > {}{after}", quote(text), quote(path.as_str()))
    }

    /// # Errors
    /// When the file exists and must not be replaced, or the directory is not writable.
    pub(crate) fn follow(&self, values: &Values, world: &World<'_>) -> Result<(), Error> {
        let Self { path, text, force, verb } = self;
        write::replace(path, &values.text(text), *force)?;
        world.ui.status(verb, path.as_str());
        Ok(())
    }
}
