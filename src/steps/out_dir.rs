//! Creates the output directory, with a `.gitignore` that keeps it out of git.

use crate::base::cmd::quote;
use crate::base::error::Error;
use crate::base::place::Place;
use crate::facts::Facts;
use crate::settings::Settings;
use crate::world::doors::root::Root;
use crate::world::doors::write::unwritable;

#[derive(Debug)]
pub(crate) struct MakeOutDir {
    dir: Place,
}

impl MakeOutDir {
    /// The step. `None`: the directory exists.
    ///
    /// # Errors
    /// When nothing can be delivered there.
    pub(crate) fn of(settings: &Settings, facts: &Facts) -> Result<Option<Self>, Error> {
        let exists = facts.out_dir_exists.clone()?;
        Ok((!exists).then(|| Self { dir: settings.out_dir.clone() }))
    }

    pub(crate) fn shell(&self) -> String {
        format!("mkdir -p {0}\necho '*' > {0}/.gitignore", quote(self.dir.path().as_str()))
    }

    /// # Errors
    /// When the directory cannot be created.
    pub(crate) fn follow(&self) -> Result<(), Error> {
        let made = Root::make(&self.dir).and_then(|dir| dir.replace(".gitignore", "*\n", true));
        made.map_err(|error| unwritable(&error))
    }
}
