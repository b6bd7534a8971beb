//! Creates the output directory, with a `.gitignore` that keeps it out of git.

use camino::Utf8PathBuf;

use crate::base::cmd::quote;
use crate::base::error::Error;
use crate::facts::Facts;
use crate::settings::Settings;
use crate::world::doors::write::unwritable;

#[derive(Debug)]
pub(crate) struct MakeOutDir {
    dir: Utf8PathBuf,
}

impl MakeOutDir {
    /// The step. `None`: the directory exists.
    pub(crate) fn of(settings: &Settings, facts: &Facts) -> Option<Self> {
        (!facts.out_dir_exists).then(|| Self { dir: settings.out_dir.clone() })
    }

    pub(crate) fn shell(&self) -> String {
        format!("mkdir -p {0}\necho '*' > {0}/.gitignore", quote(self.dir.as_str()))
    }

    /// # Errors
    /// When the directory cannot be created.
    pub(crate) fn follow(&self) -> Result<(), Error> {
        let Self { dir } = self;
        let made = fs_err::create_dir_all(dir).and_then(|()| fs_err::write(dir.join(".gitignore"), "*\n"));
        made.map_err(|error| unwritable(&error))
    }
}
