//! Finds the packages with data files, which executables look for when they run.

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use super::results;
use super::stage::Stage;
use crate::project::target::is_component_name;
use crate::project::{Executable, Package};
use crate::tools::cabal::CabalPlan;
use crate::world::doors::pieces;

/// The packages whose data files are in `share` below an output directory.
pub(crate) fn delivered_data(dir: &Utf8Path) -> Vec<String> {
    let entries = WalkDir::new(dir.join("share")).min_depth(1).max_depth(1).sort_by_file_name().into_iter();
    let dirs = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_dir());
    dirs.filter_map(|entry| entry.file_name().to_str().map(str::to_owned))
        .filter(|name| is_component_name(name))
        .collect()
}

/// The data files of one of the project's own packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnData {
    pub package: String,
    /// The directory of the files on the host.
    pub dir: Utf8PathBuf,
    /// The patterns of `data-files:`, as written.
    pub files: Vec<String>,
}

impl OwnData {
    /// The data files of a package. `None`: it has none.
    pub(crate) fn of(package: &Package) -> Option<Self> {
        let dir = package.data_dir.as_ref().map_or_else(|| package.dir.clone(), |dir| package.dir.join(dir));
        let files = package.data_files.clone();
        (!files.is_empty()).then(|| Self { package: package.name.clone(), dir, files })
    }
}

/// A package with data files that an executable uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackageData {
    pub package: String,
    /// The package's unit in the store. `None`: it is one of the project's own packages.
    pub unit: Option<String>,
}

/// The ids of the units in the store that have data files.
pub(crate) fn units_in(stage: &Stage) -> Vec<String> {
    let text = pieces::text_of(stage.data_units(), results::LIST).unwrap_or_default();
    text.lines().filter(|id| results::is_unit_id(id)).map(str::to_owned).collect()
}

/// The packages with data files that an executable uses; `units` are the units of the store that have some.
pub(crate) fn of_executable(
    cabal: &CabalPlan,
    exe: &Executable,
    units: &[String],
    own: &[OwnData],
) -> Vec<PackageData> {
    let all = cabal.units_of(exe);
    let with_data = all.iter().filter_map(|(id, package)| {
        let is_own = own.iter().any(|own| own.package == *package);
        let unit = units.iter().find(|unit| *unit == id).filter(|_| !is_own).cloned();
        (is_own || unit.is_some()).then(|| PackageData { package: (*package).to_owned(), unit })
    });
    let mut data: Vec<_> = with_data.filter(|data| is_component_name(&data.package)).collect();
    data.sort();
    data.dedup_by(|a, b| a.package == b.package);
    data
}
