//! Moves the executables to the output directory: the packed ones where they behave like the unpacked ones. Nothing is
//! replaced unless all executables are good, and none is unless all can be.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;

use object::read::ReadCache;

use super::context::{Context, Failure};
use super::pack::Form;
use super::stage::{BESIDE, BUILT, PACKED, Stage};
use super::step::Step;
use super::try_out::{self, Trial, Tried};
use super::verify::Built;
use crate::base::cmd::{late, quote};
use crate::base::error::Error;
use crate::base::place::Place;
use crate::base::platform::Platform;
use crate::report::Delivered;
use crate::tools::linkage;
use crate::world::doors::root::{Move, Root, move_all};
use crate::world::doors::write::unwritable;

#[derive(Debug)]
pub(crate) struct Deliver {
    pub stage: Stage,
    pub out_dir: Place,
    pub platform: Platform,
    /// Data files were delivered too, in `share` beside the executables.
    pub has_data_beside: bool,
}

impl Step for Deliver {
    type Input = Vec<Tried>;
    type Output = Vec<Delivered>;

    fn shell(&self) -> String {
        let name = late("name");
        let [packed, to] = [self.stage.packed(&name), self.out_dir.path().join(&name)].map(|path| quote(path.as_str()));
        let body =
            format!("  name=${{file##*/}}\n  [ -e {packed} ] || mv -f \"$file\" {packed}\n  mv -f {packed} {to}");
        let note = "# hsx takes a packed file only if it starts and exits like the unpacked one";
        let all = "# hsx moves all of them, or none";
        format!("{note}\n{all}\n{}", self.stage.for_each_built(&body))
    }

    fn follow(&self, tried: Vec<Tried>, context: &mut Context<'_>) -> Result<Vec<Delivered>, Failure> {
        let mut chosen = Vec::new();
        for tried in tried {
            if let Some(trial) = &tried.trial
                && let Some(fault) = fault(trial)
            {
                let error = Error::verification(format!("the executable `{}` {fault}", tried.built.exe.name));
                return Err(error.said(&trial.said.join("\n")).into());
            }
            let packed = self.packed(&tried);
            if packed.is_ok() {
                try_out::remember(&tried, context);
            }
            chosen.push((tried, packed));
        }
        let (sizes, packages) = self.place(&chosen).map_err(|error| unwritable(&error))?;
        let out_dir = self.out_dir.path();
        for package in packages {
            context.world.ui.status("Delivered", out_dir.join("share").join(package).as_str());
        }
        let placed = chosen.into_iter().zip(sizes).map(|((Tried { built, trial, .. }, packed), size)| {
            let (packed, unpacked_reason) = match packed {
                Ok(packed) => (packed, None),
                Err(why) => (None, Some(why)),
            };
            let path = out_dir.join(&built.exe.name);
            context.world.ui.status("Delivered", path.as_str());
            let trial = trial.unwrap_or_default();
            let status = trial.bin;
            Delivered {
                name: built.exe.name,
                package: built.exe.package,
                version: built.exe.version,
                path,
                built_size: built.size,
                size,
                packed: packed.is_some(),
                unpacked_reason,
                linkage: built.linkage,
                sha256: packed.unwrap_or(built.sha256),
                started: status.is_some(),
                help_status: status.filter(|&status| !stopped(status)),
                help_said: trial.said,
                data: built.data.into_iter().map(|data| data.package).collect(),
                has_data_beside: self.has_data_beside,
                gmp: built.gmp,
            }
        });
        Ok(placed.collect())
    }
}

impl Deliver {
    /// The digest of the packed file if it is to be delivered, `None` if none was made, or the reason against
    /// delivering it.
    fn packed(&self, Tried { built, form, trial }: &Tried) -> Result<Option<String>, String> {
        match form {
            Form::Unpacked => Ok(None),
            Form::Failed(why) => Err(why.clone()),
            Form::Packed { sha256, known_fault } => {
                self.packed_is_good(&built.exe.name, &trial.clone().unwrap_or_default(), *known_fault)?;
                Ok(Some(sha256.clone()))
            }
        }
    }

    /// Moves all executables to their places, and the packages' data files, or nothing. Returns the executables' sizes in
    /// bytes, and the packages.
    fn place(&self, chosen: &[(Tried, Result<Option<String>, String>)]) -> io::Result<(Vec<u64>, Vec<String>)> {
        let (stage, out_dir) = (self.stage.open()?, Root::make(&self.out_dir)?);
        let (built, packed) = (stage.dir(BUILT)?, stage.dir(PACKED)?);
        let (mut moves, mut sizes) = (Vec::new(), Vec::new());
        for (Tried { built: Built { exe, .. }, .. }, form) in chosen {
            let from = if matches!(form, Ok(Some(_))) { &packed } else { &built };
            let file = from.file(&exe.name)?;
            file.set_permissions(Permissions::from_mode(0o755))?;
            sizes.push(file.metadata()?.len());
            moves.push(Move { from: (from, &exe.name), to: (&out_dir, &exe.name) });
        }
        let data = if self.has_data_beside && stage.has(BESIDE) {
            Some((stage.dir(BESIDE)?, out_dir.make_dir("share", 0o777)?))
        } else {
            None
        };
        let packages = data.as_ref().map(|(beside, _)| beside.names()).transpose()?.unwrap_or_default();
        if let Some((beside, share)) = &data {
            moves.extend(packages.iter().map(|name| Move { from: (beside, name), to: (share, name) }));
        }
        move_all(&moves)?;
        Ok((sizes, packages))
    }

    /// Fails unless a packed executable is still static, and starts and exits like the unpacked one. The error is the
    /// reason.
    fn packed_is_good(&self, name: &str, trial: &Trial, known_fault: Option<&str>) -> Result<(), String> {
        let file = self.stage.open().and_then(|stage| stage.dir(PACKED)?.file(name));
        let file = file.map_err(|error| error.to_string())?;
        let linkage = linkage::verify(&ReadCache::new(file), self.platform);
        linkage.map_err(|fault| format!("the packed file {fault}"))?;
        if trial.packed == trial.bin {
            return Ok(());
        }
        let [packed, unpacked] =
            [trial.packed, trial.bin].map(|status| status.map_or("is not known".to_owned(), describe));
        let known = known_fault.map(|fault| format!("; {fault}")).unwrap_or_default();
        Err(format!("`{name} --help` {packed} when packed, and {unpacked} when not{known}"))
    }
}

/// Why an executable must not be delivered after its trial.
fn fault(trial: &Trial) -> Option<String> {
    let does_not_start = |status| does_not_start(status, &trial.said);
    trial.bin.map_or(Some("was not tried".to_owned()), does_not_start)
}

/// Reads the exit status of the trial's shell: the program did not start, or a fault of its own code killed it
/// (signal(7)).
fn does_not_start(status: u8, said: &[String]) -> Option<String> {
    // A program may exit with 126 or 127 too. When it did not start, `timeout` has printed an error.
    let by_timeout = said.is_empty() || said[0].starts_with("timeout: ");
    match status {
        126 | 127 if by_timeout => Some("does not start".to_owned()),
        132 | 135 | 136 | 139 => Some(format!("{} when started", describe(status))),
        _ => None,
    }
}

/// Whether `timeout` stopped the program: its own statuses, and those of a program that it killed.
fn stopped(status: u8) -> bool {
    matches!(status, 124 | 137 | 143)
}

fn describe(status: u8) -> String {
    match status {
        status if stopped(status) => "runs on".to_owned(),
        132 => "dies of SIGILL".to_owned(),
        135 => "dies of SIGBUS".to_owned(),
        136 => "dies of SIGFPE".to_owned(),
        139 => "dies of SIGSEGV".to_owned(),
        status => format!("exits with {status}"),
    }
}
