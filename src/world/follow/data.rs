//! Data files, beside the executables that look for them when they run.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use super::run::Run;
use crate::base::error::Error;
use crate::plan::OwnData;
use crate::project::target::is_component_name;
use crate::world::ask::load::data_files;
use crate::world::doors::write::unwritable;

/// More files, or more bytes, than any package has that is meant to be delivered.
const FILES: usize = 20_000;
const BYTES: u64 = 1 << 30;

/// The packages whose data files were delivered into a directory of results.
pub(crate) fn delivered_data(dir: &Utf8Path) -> Vec<String> {
    let entries = WalkDir::new(dir.join("share")).min_depth(1).max_depth(1).sort_by_file_name().into_iter();
    let dirs = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_dir());
    dirs.filter_map(|entry| entry.file_name().to_str().map(str::to_owned))
        .filter(|name| is_component_name(name))
        .collect()
}

impl Run<'_> {
    /// Puts the data files of each package beside the executables, in `share/PACKAGE`.
    pub(crate) fn deliver_data(&self) -> Result<(), Error> {
        let mut files = BTreeMap::new();
        for package in self.built.iter().flat_map(|built| &built.data) {
            if let Some(own) = self.plan.data.iter().find(|own| own.package == *package) {
                files.insert(package.clone(), of_project(own));
            } else if let Some((_, unit)) = self.data_units.iter().find(|(name, _)| name == package) {
                files.insert(package.clone(), of_store(&self.plan.stage.data_of(unit)));
            }
        }
        let sizes = files.values().flatten().filter_map(|(from, _)| fs_err::symlink_metadata(from).ok());
        let (count, bytes) = sizes.fold((0, 0), |(count, bytes), meta| (count + 1, bytes + meta.len()));
        if count > FILES || bytes > BYTES {
            return Err(Error::verification(format!(
                "{count} data files of {bytes} bytes are more than are delivered"
            )));
        }
        let share = self.plan.out_dir.join("share");
        let place = || -> std::io::Result<()> {
            for (package, files) in &files {
                let dir = share.join(package);
                if dir.exists() {
                    fs_err::remove_dir_all(&dir)?;
                }
                for (from, below) in files {
                    let to = dir.join(below);
                    fs_err::create_dir_all(to.parent().unwrap_or(&dir))?;
                    fs_err::copy(from, &to)?;
                }
            }
            Ok(())
        };
        place().map_err(|error| unwritable(&error))?;
        for package in files.keys() {
            self.world.ui.status("Delivered", share.join(package).as_str());
        }
        Ok(())
    }
}

/// The files of one of the project's packages, and their places below its data directory.
fn of_project(own: &OwnData) -> Vec<(Utf8PathBuf, Utf8PathBuf)> {
    let Ok(top) = own.dir.canonicalize_utf8() else { return Vec::new() };
    let found = data_files(&top, &own.files).into_iter();
    // Links within the package are what they lead to; others are not the package's.
    let inside =
        found.filter(|path| path.is_file() && path.canonicalize_utf8().is_ok_and(|real| real.starts_with(&top)));
    inside.filter_map(|path| Some((path.clone(), path.strip_prefix(&top).ok()?.to_owned()))).take(FILES + 1).collect()
}

/// The regular files that a container left, and their places.
fn of_store(dir: &Utf8Path) -> Vec<(Utf8PathBuf, Utf8PathBuf)> {
    let entries = WalkDir::new(dir).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file()).take(FILES + 1);
    let paths = files.filter_map(|entry| Utf8PathBuf::from_path_buf(entry.into_path()).ok());
    paths.filter_map(|path| Some((path.clone(), path.strip_prefix(dir).ok()?.to_owned()))).collect()
}
