//! Checks that each executable that cabal planned is there, of the platform, and static. They are read while the engine
//! removes the container that they were copied out of.

use std::io::Seek;
use std::thread;

use camino::Utf8Path;
use object::read::ReadCache;

use super::collect::{Collected, Remove};
use super::context::{Context, Failure};
use super::stage::Stage;
use super::step::{Step, lines};
use crate::base::digest::Hasher;
use crate::base::error::{Error, Kind};
use crate::base::platform::Platform;
use crate::project::Executable;
use crate::tools::cabal;
use crate::tools::linkage::{self, Fault, GmpSearch, Linkage};
use crate::world::doors::at_once::joined;
use crate::world::doors::pieces;

#[derive(Debug)]
pub(crate) struct Verify {
    pub stage: Stage,
    pub platform: Platform,
    /// Those that were asked for; cabal may not plan all of them.
    pub executables: Vec<Executable>,
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
}

impl Verify {
    fn read(&self) -> Result<Vec<Built>, Error> {
        let Self { stage, platform, executables, .. } = self;
        let unreadable =
            |error: &dyn std::fmt::Display| Error::host("the container left no build plan").said(&error.to_string());
        let text = fs_err::read_to_string(stage.plan_json()).map_err(|error| unreadable(&error))?;
        let planned = cabal::planned_executables(&text, executables).map_err(|error| unreadable(&error))?;
        if planned.is_empty() {
            return Err(Error::new(Kind::Build, "cabal planned none of the executables")
                .hint("are they `buildable` with these flags and this compiler?"));
        }
        let built = planned.into_iter().map(|exe| {
            let path = stage.built(&exe.name);
            let Content { size, linkage, gmp, sha256 } = Content::of(&path, *platform).map_err(|error| {
                Error::verification(format!("cabal planned `{}` but did not leave it", exe.name))
                    .said(&error.to_string())
            })?;
            let linkage = linkage.map_err(|fault| {
                Error::verification(format!("the executable `{}` {fault}", exe.name))
                    .hint("look for `-dynamic`, `executable-dynamic` or `ld-options` in the project's files")
            })?;
            Ok(Built { exe, size, linkage, gmp, sha256 })
        });
        built.collect()
    }
}

impl Step for Verify {
    type Input = Collected;
    type Output = Vec<Built>;

    /// The shell has no ELF reader but binutils': without `readelf` the script stops here.
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
        lines([removal.shell(), stage.for_each_built(&body)])
    }

    fn follow(&self, _: Collected, context: &mut Context<'_>) -> Result<Vec<Built>, Failure> {
        let world = context.world;
        let removal = &self.removal.cmd;
        let (built, removed) = thread::scope(|scope| {
            let removed = scope.spawn(|| world.exec.capture(removal));
            (self.read(), joined(removed))
        });
        context.succeeded(removal, &removed?, Remove::FAILURE)?;
        let built = built?;
        for Built { exe, size, linkage, .. } in &built {
            context.note(&format!("{} is {linkage}, {size} bytes", exe.name));
        }
        Ok(built)
    }
}

/// A platform's processor as binutils call it.
fn machine_name(platform: Platform) -> &'static str {
    match platform {
        Platform::Amd64 => "X86-64",
        Platform::Arm64 => "AArch64",
        Platform::Riscv64 => "RISC-V",
    }
}

/// What is in a file that should be an executable.
struct Content {
    size: u64,
    linkage: Result<Linkage, Fault>,
    gmp: bool,
    sha256: String,
}

impl Content {
    fn of(path: &Utf8Path, platform: Platform) -> std::io::Result<Self> {
        let mut file = pieces::open(path)?;
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
