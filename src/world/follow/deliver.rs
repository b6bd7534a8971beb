//! From what a container left to the results: verified, packed, tried out, put in their places.

use std::collections::BTreeMap;
use std::io::Seek;
use std::time::Duration;

use camino::Utf8Path;
use object::read::ReadCache;

use super::run::{Built, Packed, Run, Trial};
use crate::base::cmd::Cmd;
use crate::base::digest::{Hasher, hash};
use crate::base::error::{Error, Kind};
use crate::base::platform::Platform;
use crate::plan::strategy::Strategy;
use crate::plan::{Step, TRIED};
use crate::project::target::is_component_name;
use crate::project::{Executable, Kind as Component, one_of_each_name};
use crate::report::Delivered;
use crate::tools::cabal::CabalPlan;
use crate::tools::linkage::{self, Fault, GmpSearch, Linkage};
use crate::tools::upx::{self, Packer};
use crate::world::doors::at_once::{cores, side_by_side};
use crate::world::doors::exec::{Answer, Source, keep};
use crate::world::doors::pieces::{self, sha256_of};
use crate::world::doors::write::unwritable;

/// How long upx may take for a file: a thousand times what it takes for a large one.
const PACKING: Duration = Duration::from_secs(600);

impl Run<'_> {
    /// Checks every executable that cabal planned: it exists, is of the platform, and static.
    pub(crate) fn verify(&mut self) -> Result<(), Error> {
        let plan = self.plan;
        let cabal = read_plan(&plan.stage.plan_json())?;
        let planned = cabal.components(Component::Executable).map_err(|name| {
            Error::verification(format!("cabal planned an executable of a name that none has: `{name}`"))
        })?;
        let mut selected: Vec<_> = plan.targets.iter().flat_map(|target| target.select(&planned)).collect();
        selected.sort();
        selected.dedup();
        let selected: Vec<_> = selected.into_iter().map(|planned| planned.component).collect();
        if selected.is_empty() {
            return Err(Error::new(Kind::Build, "cabal planned none of the executables")
                .hint("are they `buildable` with these flags and this compiler?"));
        }
        one_of_each_name(&selected)?;
        self.drop_all_but(&selected).map_err(|error| unwritable(&error))?;
        let data = self.data_units();
        for exe in selected {
            let path = plan.stage.built(&exe.name);
            let content = Content::of(&path, plan.platform);
            let Content { size, linkage, gmp, sha256 } = content.map_err(|error| self.left_out(&exe, &error))?;
            let linkage = linkage.map_err(|fault| {
                Error::verification(format!("the executable `{}` {fault}", exe.name))
                    .hint("look for `-dynamic`, `executable-dynamic` or `ld-options` in the project's files")
            })?;
            self.note(&format!("{} is {linkage}, {size} bytes", exe.name));
            let units = cabal.units_of(&exe);
            let has_data = |id: &str, package: &str| {
                data.iter().any(|unit| unit == id) || plan.data.iter().any(|own| own.package == package)
            };
            let mut data: Vec<_> = units
                .iter()
                .filter(|(id, package)| has_data(id, package))
                .map(|(_, package)| (*package).to_owned())
                .collect();
            data.sort();
            data.dedup();
            data.retain(|package| is_component_name(package));
            self.built.push(Built { exe, size, linkage, gmp, sha256, data });
        }
        self.data_units = data.into_iter().filter_map(|id| Some((cabal.package_of(&id)?.to_owned(), id))).collect();
        self.done.ghc = cabal.ghc();
        Ok(())
    }

    /// Removes from the stage what was built and not asked for.
    fn drop_all_but(&self, selected: &[Executable]) -> std::io::Result<()> {
        let dir = self.plan.stage.0.join("bin");
        for entry in fs_err::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if !selected.iter().any(|exe| name == exe.name.as_str()) && entry.file_type()?.is_file() {
                fs_err::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// The ids of the units in the store that have data files.
    fn data_units(&self) -> Vec<String> {
        let text = pieces::text_of(self.plan.stage.data_units(), 1 << 20).unwrap_or_default();
        let is_id = |id: &&str| id.chars().all(|c| c.is_alphanumeric() || "-_.+".contains(c)) && !id.starts_with('.');
        text.lines().filter(is_id).map(str::to_owned).collect()
    }

    /// The error of an executable that cabal planned, and said nothing of.
    fn left_out(&mut self, exe: &Executable, error: &std::io::Error) -> Error {
        if self.plan.choice.strategy == Strategy::Cross {
            self.obstacle = Some(format!("cabal built no `{}`", exe.name));
        }
        let said = self.tail.text();
        Error::verification(format!("cabal planned `{}` but did not leave it", exe.name))
            .said(if said.trim().is_empty() { error.to_string() } else { said }.as_str())
    }

    /// Packs the executables side by side. What the same upx made of the same file before is taken as it is.
    pub(crate) fn pack(&mut self, packer: &Packer) -> Result<(), Error> {
        let stage = &self.plan.stage;
        let pack = |built: &Built| {
            let name = built.exe.name.clone();
            Pack { cmd: packer.pack(&stage.built(&name), &stage.packed(&name)), name }
        };
        let files: Vec<_> = self.built.iter().map(pack).collect();
        let mut fresh = Vec::new();
        for pack in files {
            let key = self.pack_key(packer, &pack);
            let path = self.plan.stage.packed(&pack.name);
            let known = key.as_ref().map(|key| self.world.cache.copy_to("packed", key, &path)).transpose();
            match known.map_err(|error| unwritable(&error))?.flatten() {
                Some(sha256) => {
                    self.note(&format!("{} was packed before", pack.name));
                    self.packed.insert(pack.name.clone(), Packed::Yes(sha256));
                }
                None => fresh.push((pack, key)),
            }
        }
        for (pack, _) in &fresh {
            self.say("Packing", &pack.name);
        }
        let answers = side_by_side(&fresh, cores(), |(pack, _)| self.world.exec.capture_within(&pack.cmd, PACKING));
        for ((pack, key), answer) in fresh.iter().zip(answers) {
            let result = if let Some(answer) = answer? {
                self.log_answer(&pack.cmd, &answer);
                self.packed_by(pack, &answer)
            } else {
                let _ = fs_err::remove_file(self.plan.stage.packed(&pack.name));
                Packed::No(format!("upx was ended, as it had not ended after {} minutes", PACKING.as_secs() / 60))
            };
            if let (Packed::Yes(sha256), Some(key)) = (&result, key) {
                self.world.cache.put_file("packed", key, &self.plan.stage.packed(&pack.name), sha256);
            }
            self.packed.insert(pack.name.clone(), result);
        }
        Ok(())
    }

    /// Names what an upx makes of a file. `None`: nobody can tell one upx from another.
    fn pack_key(&self, packer: &Packer, pack: &Pack) -> Option<String> {
        let built = self.built.iter().find(|built| built.exe.name == pack.name)?;
        let words = [packer.version.as_deref()?, &built.sha256].into_iter();
        Some(hash(&words.chain(packer.args.iter().map(String::as_str)).collect::<Vec<_>>()))
    }

    fn packed_by(&self, pack: &Pack, answer: &Answer) -> Packed {
        let path = self.plan.stage.packed(&pack.name);
        let why = if answer.success() {
            match sha256_of(&path) {
                Ok(sha256) => return Packed::Yes(sha256),
                Err(error) => error.to_string(),
            }
        } else {
            let mut said = answer.stdout.lines().chain(answer.stderr.lines()).map(str::trim);
            said.rfind(|line| !line.is_empty()).unwrap_or("it gave no reason").to_owned()
        };
        let _ = fs_err::remove_file(&path);
        Packed::No(format!("upx failed: {why}"))
    }

    /// Starts each executable, unless the same file was started before in the same image, and behaved.
    pub(crate) fn try_out(&mut self, cmd: &Cmd, is_sent: bool) -> Result<(), Error> {
        let known = self.built.iter().filter_map(|built| Some((built.exe.name.clone(), self.known_trial(built)?)));
        self.trials = known.collect();
        if self.trials.len() == self.built.len() {
            self.note("all of these files were started before");
            return Ok(());
        }
        let stage = &self.plan.stage;
        let mark =
            |name| fs_err::create_dir_all(stage.known()).and_then(|()| fs_err::write(stage.known().join(name), ""));
        self.trials.keys().try_for_each(mark).map_err(|error| unwritable(&error))?;
        self.say("Checking", "that what was built starts");
        let answer = if is_sent { self.with_stage(cmd)? } else { self.quietly(cmd)? };
        if !answer.success() {
            let failed = self.failed(cmd, answer.status, &answer.stderr);
            if failed.lacks_emulation() {
                // Nobody knew before, and `cross` had no need of it. What cannot be tried is not packed.
                (self.is_untried, self.packed) = (true, BTreeMap::new());
                return Ok(());
            }
            return Err(failed.of_engine("the executables could not be tried out"));
        }
        for line in answer.stdout.lines() {
            let mut words = line.splitn(3, ' ');
            let (Some(form), Some(name), Some(rest)) = (words.next(), words.next(), words.next()) else { continue };
            if !self.built.iter().any(|built| built.exe.name == name) {
                continue;
            }
            let trial = self.trials.entry(name.to_owned()).or_default();
            match (form, rest.parse()) {
                ("bin", Ok(status)) => trial.bin = Some(status),
                ("packed", Ok(status)) => trial.packed = Some(status),
                ("said", _) if trial.said.len() < 5 => trial.said.push(shown(rest)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs a command that reads the executables that are to be started, as a tar archive.
    fn with_stage(&mut self, cmd: &Cmd) -> Result<Answer, Error> {
        let stage = self.plan.stage.0.clone();
        let names = self.built.iter().map(|built| &built.exe.name).filter(|name| !self.trials.contains_key(*name));
        let names: Vec<_> = names.cloned().collect();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let feed = |to: &mut dyn std::io::Write| {
            let mut archive = tar::Builder::new(to);
            for name in TRIED.iter().flat_map(|form| names.iter().map(move |name| Utf8Path::new(form).join(name))) {
                let path = stage.join(&name);
                if path.exists() {
                    archive.append_path_with_name(path, name)?;
                }
            }
            archive.into_inner()?.flush()
        };
        let (status, written) = self.world.exec.fed(cmd, &feed, &mut |source, bytes| match source {
            Source::Stdout => keep(&mut stdout, bytes),
            Source::Stderr => keep(&mut stderr, bytes),
        })?;
        if let (true, Err(error)) = (status.success(), written) {
            return Err(Error::host("the executables could not be sent to the engine").said(&error.to_string()));
        }
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let answer = Answer { status, stdout, stderr };
        self.log_answer(cmd, &answer);
        Ok(answer)
    }

    fn known_trial(&self, built: &Built) -> Option<Trial> {
        let content = self.world.cache.get("trials", &self.trial_key(built))?;
        let mut lines = str::from_utf8(&content).ok()?.lines();
        let statuses: Vec<u8> = lines.next()?.split(' ').filter_map(|word| word.parse().ok()).collect();
        let said = lines.map(str::to_owned).collect();
        Some(Trial { bin: Some(*statuses.first()?), packed: statuses.get(1).copied(), said })
    }

    fn trial_key(&self, built: &Built) -> String {
        let packed = match self.packed.get(&built.exe.name) {
            Some(Packed::Yes(sha256)) => sha256.as_str(),
            Some(Packed::No(_)) | None => "",
        };
        hash(&[&self.plan.image, &self.plan.platform.to_string(), &built.exe.name, &built.sha256, packed])
    }

    /// Remembers a trial in which nothing was wrong: what failed is tried again.
    fn remember_trial(&self, built: &Built) {
        let trial = self.trials.get(&built.exe.name).cloned().unwrap_or_default();
        let statuses = [trial.bin, trial.packed].into_iter().flatten().map(|status| status.to_string());
        let lines = [statuses.collect::<Vec<_>>().join(" ")].into_iter().chain(trial.said);
        if trial.bin.is_some() && self.known_trial(built).is_none() {
            self.world.cache.put("trials", &self.trial_key(built), lines.collect::<Vec<_>>().join("\n").as_bytes());
        }
    }

    /// Chooses between packed and unpacked, then puts each file in its place; nothing is replaced unless all are good.
    pub(crate) fn deliver(&mut self) -> Result<(), Error> {
        if self.plan.delivers_data {
            self.deliver_data()?;
        }
        let was_tried = !self.is_untried && self.plan.steps.iter().any(|step| matches!(step, Step::Try { .. }));
        let mut chosen = Vec::new();
        for built in std::mem::take(&mut self.built) {
            let name = &built.exe.name;
            let trial = self.trials.get(name).cloned().unwrap_or_default();
            let status = trial.bin;
            let fault = match status {
                Some(status) => does_not_start(status, &trial.said),
                None => was_tried.then(|| "was not tried".to_owned()),
            };
            if let Some(fault) = fault {
                return Err(
                    Error::verification(format!("the executable `{name}` {fault}")).said(&trial.said.join("\n"))
                );
            }
            let packed = match self.packed.get(name) {
                Some(Packed::Yes(sha256)) => self.packed_is_good(name).map(|()| Some(sha256.clone())),
                Some(Packed::No(why)) => Err(why.clone()),
                None => Ok(None),
            };
            if packed.is_ok() {
                self.remember_trial(&built);
            }
            chosen.push((built, packed, trial));
        }
        for (built, packed, trial) in chosen {
            let status = trial.bin;
            let (packed, unpacked_reason) = match packed {
                Ok(packed) => (packed, None),
                Err(why) => (None, Some(why)),
            };
            let name = &built.exe.name;
            let stage = &self.plan.stage;
            let from = if packed.is_some() { stage.packed(name) } else { stage.built(name) };
            let path = self.plan.out_dir.join(name);
            let size = place(&from, &path).map_err(|error| unwritable(&error))?;
            self.world.ui.status("Delivered", path.as_str());
            self.done.delivered.push(Delivered {
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
                data: built.data,
                gmp: built.gmp,
            });
        }
        Ok(())
    }

    /// Whether a packed executable is still static, and starts and exits like the unpacked one; if not, why.
    fn packed_is_good(&self, name: &str) -> Result<(), String> {
        let file = pieces::open(self.plan.stage.packed(name)).map_err(|error| error.to_string())?;
        let linkage = linkage::verify(&ReadCache::new(file), self.plan.platform);
        linkage.map_err(|fault| format!("the packed file {fault}"))?;
        let trial = self.trials.get(name).cloned().unwrap_or_default();
        if trial.packed == trial.bin {
            return Ok(());
        }
        let [packed, unpacked] =
            [trial.packed, trial.bin].map(|status| status.map_or("is not known".to_owned(), describe));
        let known = self.known_upx_fault().map(|fault| format!("; {fault}")).unwrap_or_default();
        Err(format!("`{name} --help` {packed} when packed, and {unpacked} when not{known}"))
    }

    fn known_upx_fault(&self) -> Option<&'static str> {
        let packer = self.plan.steps.iter().find_map(|step| match step {
            Step::Pack(packer) => Some(packer),
            _ => None,
        })?;
        upx::known_fault(upx::parse_version(packer.version.as_deref()?)?, self.plan.platform)
    }
}

/// One executable to be packed.
struct Pack {
    name: String,
    cmd: Cmd,
}

/// What cabal planned.
///
/// # Errors
/// When the container left no plan that can be read.
pub(crate) fn read_plan(path: &Utf8Path) -> Result<CabalPlan, Error> {
    /// Plans of hundreds of packages have a few MiB.
    const LIMIT: u64 = 64 << 20;
    let unreadable = |error: String| Error::host("the container left no build plan").said(&error);
    let text = pieces::text_of(path, LIMIT).map_err(|error| unreadable(error.to_string()))?;
    CabalPlan::parse(&text).map_err(|error| unreadable(error.to_string()))
}

/// A line that a program said, as it may be shown: without control characters, and not too long.
fn shown(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(200).collect()
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

/// Moves a file to its place, executable, and tells its size.
fn place(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<u64> {
    use std::os::unix::fs::PermissionsExt;
    let size = fs_err::metadata(from)?.len();
    fs_err::set_permissions(from, PermissionsExt::from_mode(0o755))?;
    fs_err::rename(from, to)?;
    Ok(size)
}

/// What the exit status of a shell says when a program did not start, or died of its own code (signal(7)).
fn does_not_start(status: u8, said: &[String]) -> Option<String> {
    // A program may exit with these too: what starts it says so where it did not.
    let by_timeout = said.is_empty() || said[0].starts_with("timeout: ");
    match status {
        126 | 127 if by_timeout => Some("does not start".to_owned()),
        132 | 135 | 136 | 139 => Some(format!("{} when started", describe(status))),
        _ => None,
    }
}

/// The statuses of `timeout` and of a program it ended.
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
