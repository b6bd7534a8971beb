//! Writes a `.cabal` file of what the user's hpack prints for a `package.yaml`.

use crate::base::error::Error;
use crate::base::place::Place;
use crate::project::hpack::HpackPackage;
use crate::project::parse_package;
use crate::world::doors::{World, write};

#[derive(Debug)]
pub(crate) struct Hpack {
    pub package: HpackPackage,
}

impl Hpack {
    pub(crate) fn shell(&self) -> String {
        self.package.shell()
    }

    /// # Errors
    /// When hpack fails, or the file cannot be written.
    pub(crate) fn follow(&self, world: &World<'_>) -> Result<(), Error> {
        let HpackPackage { top, dir, name } = &self.package;
        let cmd = HpackPackage::show(dir);
        let answer = world.exec.capture(&cmd)?;
        let unusable = || Error::usage("`package.yaml` is not usable").tried(cmd.to_string());
        if !answer.success() {
            return Err(unusable().said(&answer.stderr));
        }
        if parse_package(&answer.stdout, "").name != *name {
            return Err(unusable().said("it has changed meanwhile"));
        }
        let place = Place::of_user(top.clone()).join(dir.strip_prefix(top).unwrap_or(dir));
        write::replace(&place, &self.package.file_name(), &answer.stdout, false)
    }
}
