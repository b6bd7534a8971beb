//! Checks that each executable that cabal planned exists, is for the platform, and is static. Meanwhile the engine
//! removes the container that they were copied out of.

use std::fs::File;
use std::io::Seek;
use std::thread;

use object::read::ReadCache;

use super::collect::{Collected, Remove};
use super::context::{Context, Failure};
use super::data::{self, OwnData, PackageData};
use super::job::Job;
use super::stage::{BUILT, Stage};
use super::step::{Step, lines};
use crate::base::digest::Hasher;
use crate::base::error::{self, Error};
use crate::base::harmless;
use crate::base::platform::Platform;
use crate::facts::strategy::Strategy;
use crate::project::target::Target;
use crate::project::{ComponentKind, Executable, one_of_each_name};
use crate::tools::linkage::{self, Fault, GmpSearch, Linkage};
use crate::world::doors::at_once::joined;
use crate::world::doors::pieces;
use crate::world::doors::write::unwritable;

#[derive(Debug)]
pub(crate) struct Verify {
    pub stage: Stage,
    pub platform: Platform,
    /// The targets that were asked for. cabal's plan tells which executables these are.
    pub targets: Vec<Target>,
    /// The project's own packages that have data files.
    pub data: Vec<OwnData>,
    pub removal: Remove,
}

/// An executable that cabal built, verified.
#[derive(Debug)]
pub(crate) struct Built {
    pub exe: Executable,
    pub size: u64,
    pub linkage: Linkage,
    pub gmp: bool,
    pub sha256: String,
    /// The packages with data files that the executable uses.
    pub data: Vec<PackageData>,
}

impl Verify {
    /// Reads and checks what the build left; `said` is the end of its output.
    fn read(&self, job: &Job, said: &str) -> Result<Vec<Built>, Failure> {
        let Self { stage, platform, .. } = self;
        let cabal = stage.cabal_plan()?;
        let planned = cabal.components(ComponentKind::Executable).map_err(|name| {
            Error::verification(format!("cabal planned an executable of a name that none has: `{name}`"))
        })?;
        let mut selected: Vec<_> = self.targets.iter().flat_map(|target| target.select(&planned)).collect();
        selected.sort();
        selected.dedup();
        let selected: Vec<_> = selected.into_iter().map(|planned| planned.component).collect();
        if selected.is_empty() {
            let error = Error::new(error::ErrorKind::Build, "cabal planned none of the executables");
            return Err(error.hint("are they `buildable` with these flags and this compiler?").into());
        }
        one_of_each_name(&selected)?;
        self.drop_all_but(&selected).map_err(|error| unwritable(&error))?;
        let units = data::units_in(stage);
        let built = selected.into_iter().map(|exe| {
            let file = stage.open().and_then(|stage| stage.dir(BUILT)?.file(&exe.name));
            let content = file.and_then(|file| Content::of(file, *platform));
            let Content { size, linkage, gmp, sha256 } = content.map_err(|error| left_out(&exe, &error, job, said))?;
            let linkage = linkage.map_err(|fault| {
                Error::verification(format!("the executable `{}` {fault}", exe.name))
                    .hint("look for `-dynamic`, `executable-dynamic` or `ld-options` in the project's files")
            })?;
            let data = data::of_executable(&cabal, &exe, &units, &self.data);
            Ok(Built { exe, size, linkage, gmp, sha256, data })
        });
        built.collect()
    }

    /// Removes from the stage the executables that were built but not asked for.
    fn drop_all_but(&self, selected: &[Executable]) -> std::io::Result<()> {
        let built = self.stage.open()?.dir(BUILT)?;
        let names = built.names()?.into_iter().filter(|name| !selected.iter().any(|exe| exe.name == *name));
        names.into_iter().try_for_each(|name| built.remove_all(&name))
    }
}

/// The failure for an executable that cabal planned but that the build did not leave.
fn left_out(exe: &Executable, error: &std::io::Error, job: &Job, said: &str) -> Failure {
    let is_cross = job.choice.strategy == Strategy::Cross;
    let obstacle = is_cross.then(|| format!("cabal built no `{}`", exe.name));
    let error_text = error.to_string();
    let error = Error::verification(format!("cabal planned `{}` but did not leave it", exe.name));
    Failure { error: error.said(if said.trim().is_empty() { &error_text } else { said }), obstacle }
}

impl Step for Verify {
    type Input = Collected;
    type Output = Vec<Built>;

    /// A shell can read ELF files only through binutils: without `readelf` the script stops here.
    fn shell(&self) -> String {
        let Self { stage, platform, removal, .. } = self;
        let body = format!(
            "  elf=$(LC_ALL=C readelf --wide --file-header --program-headers --dynamic \"$file\")\n  \
               case $elf in\n    \
                 *INTERP* | *'(NEEDED)'*) echo \"$file is not static\" >&2; exit 1 ;;\n    \
                 *Machine:*'{}'*) ;;\n    \
                 *) echo \"$file is not for {platform}\" >&2; exit 1 ;;\n  \
               esac",
            machine_name(*platform)
        );
        let targets: Vec<_> =
            self.targets.iter().map(|target| format!("`{}`", harmless::line(&target.spelled))).collect();
        let note = format!("# hsx drops what cabal did not plan for {}, and misses what it did", targets.join(", "));
        lines([removal.shell(), note, stage.for_each_built(&body)])
    }

    fn follow(&self, _: Collected, context: &mut Context<'_>) -> Result<Vec<Built>, Failure> {
        let world = context.world;
        let removal = &self.removal.cmd;
        let (job, said) = (context.job, context.said());
        let (built, removed) = thread::scope(|scope| {
            let removed = scope.spawn(|| world.exec.capture(removal));
            (self.read(job, &said), joined(removed))
        });
        context.succeeded(removal, &removed?, Remove::FAILURE)?;
        let built = built?;
        for Built { exe, size, linkage, .. } in &built {
            context.note(&format!("{} is {linkage}, {size} bytes", exe.name));
        }
        Ok(built)
    }
}

/// The name of a platform's processor in binutils.
fn machine_name(platform: Platform) -> &'static str {
    match platform {
        Platform::Amd64 => "X86-64",
        Platform::Arm64 => "AArch64",
        Platform::Riscv64 => "RISC-V",
    }
}

/// The properties of a file that should be an executable.
struct Content {
    size: u64,
    linkage: Result<Linkage, Fault>,
    gmp: bool,
    sha256: String,
}

impl Content {
    fn of(mut file: File, platform: Platform) -> std::io::Result<Self> {
        let linkage = linkage::verify(&ReadCache::new(&file), platform);
        file.rewind()?;
        let (mut size, mut gmp, mut hasher) = (0, GmpSearch::default(), Hasher::default());
        pieces::each(file, |piece| {
            size += piece.len() as u64;
            gmp.push(piece);
            hasher.update(piece);
            Ok(())
        })?;
        Ok(Self { size, linkage, gmp: gmp.found, sha256: hasher.finish() })
    }
}
