//! Moves each executable to the output directory: the packed one if it behaves like the unpacked one. Nothing is
//! replaced unless all executables are good.

use camino::{Utf8Path, Utf8PathBuf};
use object::read::ReadCache;

use super::context::{Context, Failure};
use super::pack::Form;
use super::stage::Stage;
use super::step::Step;
use super::try_out::{self, Trial, Tried};
use crate::base::cmd::{late, quote};
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::report::Delivered;
use crate::tools::linkage;
use crate::world::doors::pieces;
use crate::world::doors::write::unwritable;

#[derive(Debug)]
pub(crate) struct Deliver {
    pub stage: Stage,
    pub out_dir: Utf8PathBuf,
    pub platform: Platform,
    /// Data files were delivered too, in `share` beside the executables.
    pub has_data_beside: bool,
}

impl Step for Deliver {
    type Input = Vec<Tried>;
    type Output = Vec<Delivered>;

    fn shell(&self) -> String {
        let name = late("name");
        let [packed, to] = [self.stage.packed(&name), self.out_dir.join(&name)].map(|path| quote(path.as_str()));
        let body =
            format!("  name=${{file##*/}}\n  [ -e {packed} ] || mv -f \"$file\" {packed}\n  mv -f {packed} {to}");
        let note = "# hsx takes a packed file only if it starts and exits like the unpacked one";
        format!("{note}\n{}", self.stage.for_each_built(&body))
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
        let placed = chosen.into_iter().map(|(Tried { built, trial, .. }, packed)| {
            let (packed, unpacked_reason) = match packed {
                Ok(packed) => (packed, None),
                Err(why) => (None, Some(why)),
            };
            let name = &built.exe.name;
            let from = if packed.is_some() { self.stage.packed(name) } else { self.stage.built(name) };
            let path = self.out_dir.join(name);
            let size = place(&from, &path).map_err(|error| unwritable(&error))?;
            context.world.ui.status("Delivered", path.as_str());
            let trial = trial.unwrap_or_default();
            let status = trial.bin;
            Ok(Delivered {
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
            })
        });
        placed.collect()
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

    /// Fails unless a packed executable is still static, and starts and exits like the unpacked one. The error is the
    /// reason.
    fn packed_is_good(&self, name: &str, trial: &Trial, known_fault: Option<&str>) -> Result<(), String> {
        let file = pieces::open(self.stage.packed(name)).map_err(|error| error.to_string())?;
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

/// Makes a file executable and moves it to its place. Returns its size in bytes.
fn place(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<u64> {
    use std::os::unix::fs::PermissionsExt;
    let size = fs_err::metadata(from)?.len();
    fs_err::set_permissions(from, PermissionsExt::from_mode(0o755))?;
    fs_err::rename(from, to)?;
    Ok(size)
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
