//! Follows the plan of one platform.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use super::exec::{Answer, Source};
use super::{World, unwritable};
use crate::cabal;
use crate::cmd::Cmd;
use crate::cross;
use crate::diagnosis::Failed;
use crate::digest::sha256;
use crate::error::{Error, Kind};
use crate::image;
use crate::linkage::{self, Linkage};
use crate::plan::{PlatformPlan, Step};
use crate::platform::Platform;
use crate::project::Executable;
use crate::report::Delivered;
use crate::strategy::Choice;
use crate::upx;
use camino::{Utf8Path, Utf8PathBuf};

/// What is remembered of a shared volume that is as it should be; a better image's gain takes its place.
const FILLED: &str = "yes";

/// How the build for a platform ended, and by which strategy: the plan's, or its fallback's.
pub(crate) struct Outcome {
    pub choice: Choice,
    /// What could be better.
    pub notes: Vec<String>,
    pub result: Result<Done, Error>,
}

/// What came of a plan's steps.
#[derive(Default)]
pub(crate) struct Done {
    pub delivered: Vec<Delivered>,
    /// How the command ended that had hsx's own terminal.
    pub exit_code: u8,
}

/// Builds for one platform, and leaves nothing behind when it fails.
pub(crate) fn build(plan: &PlatformPlan, os_release: &str, world: &World<'_>) -> Outcome {
    for warning in &plan.warnings {
        world.ui.warning(warning);
    }
    let (mut result, reason) = follow(plan, os_release, world);
    let mut choice = plan.choice.clone();
    let mut toolchain = plan.toolchain.as_ref();
    if let (Some(fallback), Some(reason)) = (&plan.fallback, &reason) {
        world.ui.warning(&format!(
            "{}: THE `cross` STRATEGY FAILED: {reason}; building again under emulation, which is slower",
            plan.platform
        ));
        result = follow(fallback, os_release, world).0;
        choice = Choice { reason: format!("`cross` failed: {reason}"), ..fallback.choice.clone() };
        toolchain = None;
    } else if let (Err(error), Some(reason)) = (&mut result, reason) {
        error.hints.insert(0, format!("{reason}: `--strategy emulate` does without `cross`"));
    }
    let note = toolchain.and_then(|volume| world.state.recall("filled", volume)).filter(|note| note != FILLED);
    Outcome { choice, notes: note.into_iter().collect(), result }
}

/// Follows a plan. With its failure comes the reason why emulation may do better, if there is one.
fn follow(plan: &PlatformPlan, os_release: &str, world: &World<'_>) -> (Result<Done, Error>, Option<String>) {
    let opened = world.exec.check().and_then(|()| open(plan, world));
    let (_locks, (log_path, log)) = match opened {
        Ok(opened) => opened,
        Err(error) => return (Err(error), None),
    };
    let mut run = Run {
        plan,
        world,
        os_release,
        log,
        tail: Tail::default(),
        built: Vec::new(),
        trials: BTreeMap::new(),
        unpacked: BTreeMap::new(),
        done: Done::default(),
        signalled: false,
        obstacle: None,
    };
    let result = plan.steps.iter().try_for_each(|step| {
        world.exec.check()?;
        run.step(step)
    });
    if run.signalled {
        remove_containers(plan, true, world);
    }
    let Err(mut error) = result else {
        if let Some(inputs) = &plan.fetch_inputs {
            world.state.remember("fetched", &plan.key, Some(inputs));
        }
        return (Ok(run.done), None);
    };
    remove_containers(plan, matches!(error.kind, Kind::Signal(_)), world);
    let _ = fs_err::remove_dir_all(&plan.stage.0);
    // What was fetched for may not be what is there: the next run looks again.
    if plan.fetch_inputs.is_some() {
        world.state.remember("fetched", &plan.key, None);
    }
    let said = run.tail.text();
    if error.kind == Kind::Build {
        world.ui.replay(&said);
    }
    error.log = Some(log_path);
    (Err(error), run.obstacle)
}

/// Removes the plan's containers. After a signal the engine may still be making one whose client is gone: it is looked
/// for until none has turned up for a while.
fn remove_containers(plan: &PlatformPlan, interrupted: bool, world: &World<'_>) {
    const PAUSE: Duration = Duration::from_millis(150);
    const AT_MOST: Duration = Duration::from_millis(2500);
    world.exec.clean_up(&plan.removal);
    let (start, mut quiet) = (Instant::now(), 0);
    while interrupted && quiet < 3 && start.elapsed() < AT_MOST {
        thread::sleep(PAUSE);
        if world.exec.clean_up(&plan.leftovers).is_some_and(|answer| answer.stdout.trim().is_empty()) {
            quiet += 1;
        } else {
            quiet = 0;
            world.exec.clean_up(&plan.removal);
        }
    }
}

/// Takes what a plan needs before its first step: its locks, and its log.
fn open(plan: &PlatformPlan, world: &World<'_>) -> Result<(Vec<File>, (Utf8PathBuf, fs_err::File)), Error> {
    let (locks, waited) = lock(plan, world)?;
    if waited {
        // Whoever was waited for may have been killed, and its containers bear the names of these.
        let _ = world.exec.capture(&plan.removal)?;
    }
    Ok((locks, world.state.create_log(&plan.key)?))
}

/// Takes the plan's locks, in its order; they are held until dropped. Tells whether another hsx had to be waited for.
fn lock(plan: &PlatformPlan, world: &World<'_>) -> Result<(Vec<File>, bool), Error> {
    let (mut files, mut waited) = (Vec::new(), false);
    for lock in &plan.locks {
        let file = world.state.lock_file(&lock.name)?;
        waited |= wait_for(world, || if lock.shared { file.try_lock_shared() } else { file.try_lock() }.is_ok())?;
        files.push(file);
    }
    Ok((files, waited))
}

fn wait_for(world: &World<'_>, mut take: impl FnMut() -> bool) -> Result<bool, Error> {
    if take() {
        return Ok(false);
    }
    world.ui.status("Waiting", "for another hsx that builds the same");
    while !take() {
        world.exec.check()?;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(true)
}

/// A platform's build on its way.
struct Run<'a> {
    plan: &'a PlatformPlan,
    world: &'a World<'a>,
    os_release: &'a str,
    log: fs_err::File,
    tail: Tail,
    /// The executables that cabal built, verified.
    built: Vec<Built>,
    /// The exit statuses of the trial, by form (`bin`, `packed`) and name.
    trials: BTreeMap<(String, String), u8>,
    /// Why an executable could not be packed.
    unpacked: BTreeMap<String, String>,
    done: Done,
    /// A command that had hsx's own terminal was asked to end.
    signalled: bool,
    /// Why emulation may succeed where this failed.
    obstacle: Option<String>,
}

struct Built {
    exe: Executable,
    size: u64,
    linkage: Linkage,
    gmp: bool,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<(), Error> {
        let Self { plan, world, .. } = *self;
        let say = |verb: &str, what: &str| world.ui.status(verb, &format!("{} {what}", plan.platform));
        match step {
            Step::Sweep(_) | Step::Hpack(_) | Step::MakeOutDir(_) => Ok(()),
            Step::Pull { platform, cmd } => {
                world.ui.status("Pulling", &format!("{platform} {}", subject(cmd)));
                self.pull(cmd)
            }
            Step::CheckImage { platform, cmd } => self.check_image(*platform, cmd),
            Step::Derive { platform, reference, packages, commands } => {
                if world.state.recall("derived", reference).is_some() {
                    return Ok(());
                }
                world.ui.status("Preparing", &format!("{platform} image with {}", packages.join(", ")));
                self.derive(*platform, reference, commands)
            }
            Step::CreateVolume(cmd) => self.create_volume(cmd),
            Step::Fill { volume, cmd } => self.fill(volume, cmd),
            Step::MakeStage => self.make_stage(),
            Step::Fetch(cmd) => {
                say("Fetching", "dependencies");
                let status = self.streamed(cmd)?;
                self.container_ended(cmd, status, "fetching the dependencies failed")
            }
            Step::Build(cmd) => {
                let ghc = image::ghc_name(plan.ghc.as_deref());
                say("Building", &format!("with {ghc} ({})", plan.choice.strategy));
                let status = self.streamed(cmd)?;
                self.container_ended(cmd, status, "cabal build failed")
            }
            Step::Collect(cmd) => self.must(cmd, "the results cannot be copied out of the container"),
            Step::Remove(cmd) => self.must(cmd, "the container cannot be removed"),
            Step::Verify => self.verify(),
            Step::Pack { name, cmd } => {
                say("Packing", name);
                self.pack(name, cmd)
            }
            Step::Try(cmd) => {
                say("Checking", "that what was built starts");
                self.try_out(cmd)
            }
            Step::Deliver => self.deliver(),
            Step::Interact(cmd) => self.interact(cmd),
            Step::Clean => fs_err::remove_dir_all(&plan.stage.0).map_err(|error| unwritable(&error)),
        }
    }

    /// Runs a command whose output people want to follow; it goes to the log and its end is kept.
    fn streamed(&mut self, cmd: &Cmd) -> Result<ExitStatus, Error> {
        let Self { world, log, tail, .. } = self;
        *tail = Tail::default();
        let _ = writeln!(log, "$ {cmd}");
        world.exec.stream(cmd, &mut |_: Source, bytes| {
            world.ui.stream(bytes);
            let _ = log.write_all(bytes);
            tail.push(bytes);
        })
    }

    /// Runs a command whose output only its failure makes interesting.
    fn quietly(&mut self, cmd: &Cmd) -> Result<Answer, Error> {
        let _ = writeln!(self.log, "$ {cmd}");
        let answer = self.world.exec.capture(cmd)?;
        let _ =
            self.log.write_all(answer.stdout.as_bytes()).and_then(|()| self.log.write_all(answer.stderr.as_bytes()));
        Ok(answer)
    }

    fn must(&mut self, cmd: &Cmd, failure: &str) -> Result<(), Error> {
        let answer = self.quietly(cmd)?;
        if answer.success() { Ok(()) } else { Err(self.failed(cmd, answer.status, &answer.stderr).of_engine(failure)) }
    }

    fn create_volume(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let answer = self.quietly(cmd)?;
        // Another hsx made it since this one asked. Docker says nothing then; podman has no flag for it before 4.6.
        if answer.success() || answer.stderr.contains("already exists") {
            return Ok(());
        }
        Err(self.failed(cmd, answer.status, &answer.stderr).of_engine("the volume cannot be created"))
    }

    fn pull(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let world = self.world;
        let pulled = world.retried(cmd, |cmd| {
            let status = self.streamed(cmd)?;
            Ok(Pulled { status, said: self.tail.text() })
        })?;
        if pulled.status.success() {
            return Ok(());
        }
        Err(self.failed(cmd, pulled.status, &pulled.said).of_engine("the image cannot be pulled"))
    }

    /// Makes an image with packages added.
    fn derive(
        &mut self,
        platform: Platform,
        reference: &str,
        [install, commit, remove]: &[Cmd; 3],
    ) -> Result<(), Error> {
        let status = self.streamed(install)?;
        if !status.success() {
            let said = self.tail.text();
            return Err(self.failed(install, status, &said).on(platform).in_package_manager());
        }
        self.must(commit, "the image with the packages cannot be kept")?;
        self.must(remove, "the container cannot be removed")?;
        self.world.state.remember("derived", reference, Some("yes"));
        Ok(())
    }

    /// Fills a shared volume, unless another build has done so since the plan was made: its lock was waited for.
    fn fill(&mut self, volume: &str, cmd: &Cmd) -> Result<(), Error> {
        let Self { plan, world, .. } = *self;
        if world.state.recall("filled", volume).is_some() {
            return Ok(());
        }
        world.ui.status("Preparing", &format!("{} toolchain from the image", plan.platform));
        let status = self.streamed(cmd)?;
        if !status.success() {
            let said = self.tail.text();
            let failed = self.failed(cmd, status, &said);
            let (obstacle, error) = (failed.why_no_toolchain(), failed.of_engine("the cross toolchain cannot be made"));
            self.obstacle = obstacle;
            return Err(error);
        }
        world.state.remember("filled", volume, Some(cross::note(&self.tail.text()).unwrap_or(FILLED)));
        Ok(())
    }

    /// Podman may store, and then run, an image of another architecture with only a warning.
    fn check_image(&mut self, platform: Platform, cmd: &Cmd) -> Result<(), Error> {
        let answer = self.quietly(cmd)?;
        let reference = subject(cmd);
        let arch = answer.stdout.trim();
        if answer.success() && arch == platform.oci_arch() {
            return Ok(());
        }
        let message = if arch.is_empty() {
            format!("the image `{reference}` is not there after its pull")
        } else {
            format!("the image `{reference}` is for linux/{arch}, not for {platform}")
        };
        Err(Error::host(message).tried(cmd.to_string()).said(&answer.stderr).hint("choose another with `--image`"))
    }

    fn interact(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let _ = writeln!(self.log, "$ {cmd}");
        let ended = self.world.exec.interact(cmd, &self.plan.removal)?;
        self.done.exit_code = ended.code;
        self.signalled = ended.signalled;
        Ok(())
    }

    fn make_stage(&mut self) -> Result<(), Error> {
        let stage = &self.plan.stage;
        let make = || {
            if stage.0.exists() {
                fs_err::remove_dir_all(&stage.0)?;
            }
            fs_err::create_dir_all(stage.0.join("packed"))?;
            fs_err::create_dir_all(&self.plan.out_dir)?;
            // Looked at now: a build that cannot be delivered should not start.
            tempfile_in(&self.plan.out_dir)
        };
        make().map_err(|error| unwritable(&error))
    }

    /// Fails unless a container script ended well.
    fn container_ended(&mut self, cmd: &Cmd, status: ExitStatus, failure: &str) -> Result<(), Error> {
        if status.success() {
            return Ok(());
        }
        let said = self.tail.text();
        let failed = self.failed(cmd, status, &said);
        let (obstacle, error) = (failed.emulation_may_help(), failed.in_container(failure));
        self.obstacle = obstacle;
        Err(error)
    }

    fn failed<'b>(&'b self, cmd: &'b Cmd, status: ExitStatus, said: &'b str) -> Failed<'b> {
        let PlatformPlan { platform, choice, .. } = self.plan;
        let (platform, strategy) = (*platform, choice.strategy);
        Failed { cmd, code: status.code(), said, platform, strategy, os_release: self.os_release }
    }

    /// Checks every executable that cabal planned: it exists, is of the platform, and static.
    fn verify(&mut self) -> Result<(), Error> {
        let stage = &self.plan.stage;
        let unreadable =
            |error: &dyn std::fmt::Display| Error::host("the container left no build plan").said(&error.to_string());
        let text = fs_err::read_to_string(stage.plan_json()).map_err(|error| unreadable(&error))?;
        let planned = cabal::planned_executables(&text, &self.plan.executables).map_err(|error| unreadable(&error))?;
        if planned.is_empty() {
            return Err(Error::new(Kind::Build, "cabal planned none of the executables")
                .hint("are they `buildable` with these flags and this compiler?"));
        }
        for exe in planned {
            let path = stage.built(&exe.name);
            let data = fs_err::read(&path).map_err(|error| {
                Error::verification(format!("cabal planned `{}` but did not leave it", exe.name))
                    .said(&error.to_string())
            })?;
            let linkage = linkage::verify(&data, self.plan.platform).map_err(|fault| {
                Error::verification(format!("the executable `{}` {fault}", exe.name))
                    .hint("look for `-dynamic`, `executable-dynamic` or `ld-options` in the project's files")
            })?;
            let _ = writeln!(self.log, "# {} is {linkage}, {} bytes", exe.name, data.len());
            self.built.push(Built { exe, size: data.len() as u64, linkage, gmp: linkage::contains_gmp(&data) });
        }
        Ok(())
    }

    fn pack(&mut self, name: &str, cmd: &Cmd) -> Result<(), Error> {
        if !self.built.iter().any(|built| built.exe.name == name) {
            return Ok(());
        }
        let answer = self.quietly(cmd)?;
        if !answer.success() {
            let mut said = answer.stdout.lines().chain(answer.stderr.lines()).map(str::trim);
            let why = said.rfind(|line| !line.is_empty()).unwrap_or("it gave no reason");
            self.unpacked.insert(name.to_owned(), format!("upx failed: {why}"));
            let _ = fs_err::remove_file(self.plan.stage.packed(name));
        }
        Ok(())
    }

    fn try_out(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let answer = self.quietly(cmd)?;
        if !answer.success() {
            let failed = self.failed(cmd, answer.status, &answer.stderr);
            return Err(failed.of_engine("the executables could not be tried out"));
        }
        for line in answer.stdout.lines() {
            if let [form, name, status] = *line.split(' ').collect::<Vec<_>>()
                && let Ok(status) = status.parse()
            {
                self.trials.insert((form.to_owned(), name.to_owned()), status);
            }
        }
        Ok(())
    }

    fn trial(&self, form: &str, name: &str) -> Option<u8> {
        self.trials.get(&(form.to_owned(), name.to_owned())).copied()
    }

    /// Chooses between packed and unpacked, then puts each file in its place; nothing is replaced unless all are good.
    fn deliver(&mut self) -> Result<(), Error> {
        let mut chosen = Vec::new();
        for built in std::mem::take(&mut self.built) {
            let name = &built.exe.name;
            let status = self.trial("bin", name);
            let was_tried = self.plan.steps.iter().any(|step| matches!(step, Step::Try(_)));
            let fault = status.map_or(was_tried.then(|| "was not tried".to_owned()), does_not_start);
            if let Some(fault) = fault {
                return Err(Error::verification(format!("the executable `{name}` {fault}")));
            }
            let packed = self.plan.stage.packed(name);
            if packed.exists()
                && let Err(why) = self.packed_is_good(name, &packed, status)
            {
                self.unpacked.insert(name.clone(), why);
            }
            let reason = self.unpacked.remove(name);
            let from = if packed.exists() && reason.is_none() { packed } else { self.plan.stage.built(name) };
            chosen.push((built, from, reason, status));
        }
        for (built, from, unpacked_reason, status) in chosen {
            let packed = from == self.plan.stage.packed(&built.exe.name);
            let path = self.plan.out_dir.join(&built.exe.name);
            let (size, sha256) = place(&from, &path).map_err(|error| unwritable(&error))?;
            self.world.ui.status("Delivered", path.as_str());
            self.done.delivered.push(Delivered {
                name: built.exe.name,
                package: built.exe.package,
                version: built.exe.version,
                path,
                built_size: built.size,
                size,
                packed,
                unpacked_reason,
                linkage: built.linkage,
                sha256,
                started: status.is_some(),
                help_status: status.filter(|&status| !stopped(status)),
                gmp: built.gmp,
            });
        }
        Ok(())
    }

    /// Whether a packed executable is still static, and starts and exits like the unpacked one; if not, why.
    fn packed_is_good(&self, name: &str, path: &Utf8Path, unpacked: Option<u8>) -> Result<(), String> {
        let data = fs_err::read(path).map_err(|error| error.to_string())?;
        linkage::verify(&data, self.plan.platform).map_err(|fault| format!("the packed file {fault}"))?;
        let packed = self.trial("packed", name);
        if packed == unpacked {
            return Ok(());
        }
        let [packed, unpacked] = [packed, unpacked].map(|status| status.map_or("is not known".to_owned(), describe));
        let known = self.known_upx_fault().map(|fault| format!("; {fault}")).unwrap_or_default();
        Err(format!("`{name} --help` {packed} when packed, and {unpacked} when not{known}"))
    }

    fn known_upx_fault(&self) -> Option<&'static str> {
        let pack = self.plan.steps.iter().find_map(|step| match step {
            Step::Pack { cmd, .. } => Some(cmd),
            _ => None,
        })?;
        let answer = self.world.exec.capture(&upx::version(Utf8Path::new(&pack.program))).ok()?;
        upx::known_fault(upx::parse_version(&answer.stdout)?, self.plan.platform)
    }
}

/// Moves a file to its place, executable, and tells its size and SHA-256.
fn place(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<(u64, String)> {
    use std::os::unix::fs::PermissionsExt;
    let data = fs_err::read(from)?;
    fs_err::set_permissions(from, PermissionsExt::from_mode(0o755))?;
    fs_err::rename(from, to)?;
    Ok((data.len() as u64, sha256(&data)))
}

/// Writes and removes a file in a directory, to see whether that is possible.
fn tempfile_in(dir: &Utf8Path) -> std::io::Result<()> {
    let probe = dir.join(".hsx-probe");
    fs_err::write(&probe, "")?;
    fs_err::remove_file(&probe)
}

/// What the exit status of a shell says when a program did not start, or died of its own code (signal(7)).
fn does_not_start(status: u8) -> Option<String> {
    match status {
        126 | 127 => Some("does not start".to_owned()),
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

/// The end of a tool's output.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    const KEPT: usize = 16 * 1024;

    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let excess = self.0.len().saturating_sub(Self::KEPT);
        self.0.drain(..excess);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// What a command is about: its last argument.
fn subject(cmd: &Cmd) -> &str {
    cmd.args.last().map_or("", String::as_str)
}

/// How a pull ended, and what it said.
pub(crate) struct Pulled {
    pub status: ExitStatus,
    pub said: String,
}
