//! Collects the data files that are to be beside the executables, which look for them when they run. They are delivered
//! together with these.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use super::context::{Context, Failure};
use super::data::{OwnData, PackageData};
use super::stage::{BESIDE, Stage};
use super::step::Step;
use super::try_out::Tried;
use crate::base::error::Error;
use crate::base::place::Place;
use crate::world::ask::load::data_files;
use crate::world::doors::pieces;
use crate::world::doors::write::unwritable;

/// Limits on the number of files and on their bytes: a package that is meant to be delivered stays below them.
const FILES: usize = 20_000;
const BYTES: u64 = 1 << 30;

/// Puts the data files of each package into the stage, from where they are delivered to `share/PACKAGE`.
#[derive(Debug)]
pub(crate) struct DeliverData {
    pub stage: Stage,
    pub out_dir: Place,
    pub own: Vec<OwnData>,
}

impl Step for DeliverData {
    type Input = Vec<Tried>;
    type Output = Vec<Tried>;

    fn shell(&self) -> String {
        format!("# hsx puts the packages' data files into {}/share", self.out_dir.path())
    }

    fn follow(&self, tried: Vec<Tried>, context: &mut Context<'_>) -> Result<Vec<Tried>, Failure> {
        let mut files = BTreeMap::new();
        for PackageData { package, unit } in tried.iter().flat_map(|tried| &tried.built.data) {
            let found = match unit {
                Some(unit) => Some(of_store(&self.stage.data_of(unit))),
                None => self.own.iter().find(|own| own.package == *package).map(of_project),
            };
            files.extend(found.map(|found| (package.clone(), found)));
        }
        let sizes = files.values().flatten().filter_map(|(from, _)| fs_err::symlink_metadata(from).ok());
        let (count, bytes) = sizes.fold((0, 0), |(count, bytes), meta| (count + 1, bytes + meta.len()));
        if count > FILES || bytes > BYTES {
            let message = format!("{count} data files of {bytes} bytes are more than are delivered");
            return Err(Error::verification(message).into());
        }
        let copy = || -> io::Result<()> {
            let stage = self.stage.open()?;
            for (package, files) in &files {
                let dir = stage.make_dir(Utf8Path::new(BESIDE).join(package), 0o777)?;
                for (from, below) in files {
                    let (from, name) = (pieces::open(from)?, below.file_name().unwrap_or_default());
                    let to = dir.make_dir(below.parent().unwrap_or("".into()), 0o777)?.create(name)?;
                    let mode = from.metadata()?.permissions().mode() & 0o777;
                    to.set_permissions(Permissions::from_mode(mode))?;
                    io::copy(&mut &from, &mut &to)?;
                }
            }
            Ok(())
        };
        copy().map_err(|error| unwritable(&error))?;
        for package in files.keys() {
            context.note(&format!("{package} has data files"));
        }
        Ok(tried)
    }
}

/// The data files of one of the project's packages, and their paths below its data directory.
fn of_project(own: &OwnData) -> Vec<(Utf8PathBuf, Utf8PathBuf)> {
    let Ok(top) = own.dir.canonicalize_utf8() else { return Vec::new() };
    let found = data_files(&top, &own.files).into_iter();
    // A link counts as the file that it leads to, but only when that file is in the package.
    let inside =
        found.filter(|path| path.is_file() && path.canonicalize_utf8().is_ok_and(|real| real.starts_with(&top)));
    inside.filter_map(|path| Some((path.clone(), path.strip_prefix(&top).ok()?.to_owned()))).take(FILES + 1).collect()
}

/// The regular files that the container copied out of the store, and their paths.
fn of_store(dir: &Utf8Path) -> Vec<(Utf8PathBuf, Utf8PathBuf)> {
    let entries = WalkDir::new(dir).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file()).take(FILES + 1);
    let paths = files.filter_map(|entry| Utf8PathBuf::from_path_buf(entry.into_path()).ok());
    paths.filter_map(|path| Some((path.clone(), path.strip_prefix(dir).ok()?.to_owned()))).collect()
}
