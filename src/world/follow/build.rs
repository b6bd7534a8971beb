//! Follows the plan of one platform.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use super::channel::Channel;
use super::run::{Done, Run};
use crate::base::cmd::Cmd;
use crate::base::error::{Error, Kind};
use crate::base::platform::Platform;
use crate::plan::facts;
use crate::plan::strategy::Choice;
use crate::plan::{PlatformPlan, Step, cross};
use crate::project::image;
use crate::report::diagnosis::Failed;
use crate::tools::engine;
use crate::tools::system::System;
use crate::world::doors::at_once::joined;
use crate::world::doors::exec::{Answer, Feed, Source, Tail};
use crate::world::doors::state::State;
use crate::world::doors::write::unwritable;
use crate::world::doors::{Attempt, World};
use camino::{Utf8Path, Utf8PathBuf};

/// What is remembered of a shared volume that is as it should be; a better image's gain takes its place.
const FILLED: &str = "yes";

/// How often a container may be started whose image mount was lost.
const MOUNTS: usize = 4;

/// How the build for a platform ended, and by which strategy: the plan's, or its fallback's.
pub(crate) struct Outcome {
    pub choice: Choice,
    /// What could be better.
    pub notes: Vec<String>,
    pub result: Result<Done, Error>,
}

/// Builds for one platform, and leaves nothing behind when it fails.
pub(crate) fn build(plan: &PlatformPlan, system: &System, world: &World<'_>) -> Outcome {
    for warning in &plan.warnings {
        world.ui.warning(warning);
    }
    let (mut result, reason) = follow(plan, system, world);
    let mut choice = plan.choice.clone();
    let mut toolchain = plan.toolchain.as_ref();
    if let (Some(fallback), Some(reason)) = (&plan.fallback, &reason) {
        world.ui.warning(&format!(
            "{}: THE `cross` STRATEGY FAILED: {reason}; building again under emulation, which is slower",
            plan.platform
        ));
        result = follow(fallback, system, world).0;
        choice = Choice { reason: format!("`cross` failed: {reason}"), ..fallback.choice.clone() };
        toolchain = None;
    } else if let (Err(error), Some(reason)) = (&mut result, reason) {
        error.hints.insert(0, format!("{reason}: `--strategy emulate` does without `cross`"));
    }
    let note = toolchain.and_then(|volume| world.state.recall("filled", volume)).filter(|note| note != FILLED);
    let of_build = result.iter().flat_map(|done| done.notes.clone());
    Outcome { choice, notes: note.into_iter().chain(of_build).collect(), result }
}

/// Follows a plan. With its failure comes the reason why emulation may do better, if there is one.
fn follow(plan: &PlatformPlan, system: &System, world: &World<'_>) -> (Result<Done, Error>, Option<String>) {
    let opened = world.exec.check().and_then(|()| open(plan, world));
    let (_locks, (log_path, log)) = match opened {
        Ok(opened) => opened,
        Err(error) => return (Err(error), None),
    };
    let mut run = Run {
        plan,
        world,
        system,
        log,
        channel: Channel::new(plan, world),
        tail: Tail::default(),
        built: Vec::new(),
        packed: BTreeMap::new(),
        data_units: Vec::new(),
        trials: BTreeMap::new(),
        done: Done::default(),
        signalled: false,
        is_untried: false,
        obstacle: None,
    };
    let result = run.steps();
    run.channel.clear();
    world.ui.group(&format!("{}: all that was said", plan.platform), &log_path);
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
        waited |= world.wait_for(|| if lock.shared { file.try_lock_shared() } else { file.try_lock() }.is_ok())?;
        State::mark_used(&file);
        files.push(file);
    }
    Ok((files, waited))
}

impl Run<'_> {
    fn steps(&mut self) -> Result<(), Error> {
        let mut steps = &self.plan.steps[..];
        while let Some((step, mut rest)) = steps.split_first() {
            self.world.exec.check()?;
            match (step, rest) {
                (Step::Remove(cmd), [Step::Verify, after @ ..]) => {
                    self.verify_meanwhile(cmd)?;
                    rest = after;
                }
                _ => self.step(step)?,
            }
            steps = rest;
        }
        Ok(())
    }

    /// Reads the results while the engine removes the container that they were copied out of.
    fn verify_meanwhile(&mut self, removal: &Cmd) -> Result<(), Error> {
        let world = self.world;
        let (verified, removed) = thread::scope(|scope| {
            let removed = scope.spawn(|| world.exec.capture(removal));
            (self.verify(), joined(removed))
        });
        self.succeeded(removal, &removed?, "the container cannot be removed")?;
        verified
    }

    fn step(&mut self, step: &Step) -> Result<(), Error> {
        let Self { plan, world, .. } = *self;
        match step {
            Step::Sweep(_) | Step::Hpack(_) | Step::MakeOutDir(_) => Ok(()),
            Step::Pull { platform, cmd } => {
                let turn = world.turn_of_images(plan);
                let _held = turn.lock();
                self.channel.phase("pulling");
                world.ui.status("Pulling", &format!("{platform} {}", subject(cmd)));
                self.pull(cmd)
            }
            Step::CheckImage { platform, cmd } => self.check_image(*platform, cmd),
            Step::Derive { platform, memory, addition, commands, .. } => {
                let turn = world.turn_of_images(plan);
                let _held = turn.lock();
                if world.state.recall("derived", memory).is_some() {
                    return Ok(());
                }
                self.channel.phase("preparing");
                world.ui.status("Preparing", &format!("{platform} image with {addition}"));
                self.derive(*platform, memory, commands)
            }
            Step::CreateVolume(cmd) => self.create_volume(cmd),
            Step::Send { source, is_new, cmd } => self.send(source, *is_new, cmd),
            Step::Fill { volume, cmd } => self.fill(volume, cmd),
            Step::MakeStage => self.make_stage(),
            Step::Fetch(cmd) => {
                self.say("Fetching", "dependencies");
                let status = self.streamed(cmd)?;
                self.container_ended(cmd, status, "fetching the dependencies failed")
            }
            Step::Solve { cmd, status: (verb, what), failure } => {
                self.say(verb, what);
                let status = self.answered(cmd)?;
                self.container_ended(cmd, status, failure)
            }
            Step::Build(cmd) => {
                let ghc = image::ghc_name(plan.ghc.as_deref());
                self.say("Building", &format!("with {ghc} ({})", plan.choice.strategy));
                let status = self.streamed(cmd)?;
                self.container_ended(cmd, status, "cabal build failed")?;
                self.channel.remember();
                Ok(())
            }
            Step::Collect(cmd) => self.collect(cmd),
            Step::Remove(cmd) => self.must(cmd, "the container cannot be removed"),
            Step::Verify => self.verify(),
            Step::Pack(packer) => self.pack(packer),
            Step::Try { cmd, is_sent } => self.try_out(cmd, *is_sent),
            Step::Deliver => self.deliver(),
            Step::Test(cmd) => {
                let ghc = image::ghc_name(plan.ghc.as_deref());
                self.say("Testing", &format!("with {ghc} ({})", plan.choice.strategy));
                self.test(cmd)
            }
            Step::DeliverLogs => self.deliver_logs(),
            Step::Interact(cmd) => {
                self.channel.clear();
                self.interact(cmd)
            }
            Step::Clean => fs_err::remove_dir_all(&plan.stage.0).map_err(|error| unwritable(&error)),
        }
    }

    /// Says what is done for the platform now.
    pub(crate) fn say(&mut self, verb: &str, what: &str) {
        self.channel.phase(&verb.to_lowercase());
        if !self.world.ui.screen().is_live() {
            self.world.ui.status(verb, &format!("{} {what}", self.plan.platform));
        }
    }

    /// Runs a command whose output people want to follow; it goes to the log and its end is kept. A container that did not
    /// start because its image mount was lost is started again.
    pub(crate) fn streamed(&mut self, cmd: &Cmd) -> Result<ExitStatus, Error> {
        let mut status = self.streamed_once(cmd)?;
        for _ in 1..MOUNTS {
            if !engine::image_mount_was_lost(status.code(), &self.tail.text()) {
                break;
            }
            self.say("Retrying", "as the engine has just unmounted the image that was to be mounted");
            // One that outlives its process is still there, by the same name.
            let _ = self.world.exec.capture(&self.plan.removal)?;
            status = self.streamed_once(cmd)?;
        }
        Ok(status)
    }

    fn streamed_once(&mut self, cmd: &Cmd) -> Result<ExitStatus, Error> {
        let Self { world, log, tail, channel, .. } = self;
        *tail = Tail::default();
        let _ = writeln!(log, "$ {cmd}");
        let ended = world.exec.stream(cmd, &mut |_: Source, bytes| {
            channel.write(bytes);
            let _ = log.write_all(bytes);
            tail.push(bytes);
        });
        channel.flush();
        ended
    }

    /// The same for one that reads what is written for it.
    pub(crate) fn fed(&mut self, cmd: &Cmd, feed: &Feed<'_>) -> Result<ExitStatus, Error> {
        let Self { world, log, tail, .. } = self;
        *tail = Tail::default();
        let _ = writeln!(log, "$ {cmd}");
        let (status, written) = world.exec.fed(cmd, feed, &mut |_: Source, bytes| {
            let _ = log.write_all(bytes);
            tail.push(bytes);
        })?;
        // Where nobody read on, the command says why.
        match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::usage("what is to be sent to the engine cannot be read").said(&error.to_string()))
            }
            Err(_) | Ok(()) => Ok(status),
        }
    }

    /// The same for one that answers on standard output, and says the rest on standard error.
    fn answered(&mut self, cmd: &Cmd) -> Result<ExitStatus, Error> {
        let Self { world, log, tail, done, .. } = self;
        *tail = Tail::default();
        let _ = writeln!(log, "$ {cmd}");
        let (status, answer) = world.exec.answered(cmd, &mut |bytes| {
            let _ = log.write_all(bytes);
            tail.push(bytes);
        })?;
        let _ = log.write_all(answer.as_bytes());
        done.answer = answer;
        Ok(status)
    }

    /// Runs a command whose output only its failure makes interesting.
    pub(crate) fn quietly(&mut self, cmd: &Cmd) -> Result<Answer, Error> {
        let answer = self.world.exec.capture(cmd)?;
        self.log_answer(cmd, &answer);
        Ok(answer)
    }

    pub(crate) fn log_answer(&mut self, cmd: &Cmd, answer: &Answer) {
        let _ = writeln!(self.log, "$ {cmd}\n{}{}", answer.stdout, answer.stderr);
    }

    /// Says something in the log only.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.log, "# {text}");
    }

    fn collect(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let answer = self.quietly(cmd)?;
        if answer.success() {
            let counted = head_of(&self.plan.stage.emulated_calls());
            self.done.notes = cross::emulated_calls(&counted);
            return Ok(());
        }
        let failed = self.failed(cmd, answer.status, &answer.stderr);
        Err(failed.in_writing("the results cannot be copied out of the container"))
    }

    fn must(&mut self, cmd: &Cmd, failure: &str) -> Result<(), Error> {
        let answer = self.world.exec.capture(cmd)?;
        self.succeeded(cmd, &answer, failure)
    }

    fn succeeded(&mut self, cmd: &Cmd, answer: &Answer, failure: &str) -> Result<(), Error> {
        self.log_answer(cmd, answer);
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

    /// Makes an image with something added.
    fn derive(&mut self, platform: Platform, memory: &str, [install, commit, remove]: &[Cmd; 3]) -> Result<(), Error> {
        let status = self.streamed(install)?;
        if !status.success() {
            let said = self.tail.text();
            return Err(self.failed(install, status, &said).on(platform).in_package_manager());
        }
        let is_whole =
            !self.tail.text().lines().any(|line| line.starts_with("hsx: ") && line.ends_with(" cannot be added"));
        self.must(commit, "the image with the additions cannot be kept")?;
        self.must(remove, "the container cannot be removed")?;
        self.world.state.remember(
            "derived",
            memory,
            Some(if is_whole { facts::DERIVED } else { facts::DERIVED_IN_PART }),
        );
        Ok(())
    }

    /// Fills a shared volume, unless another build has done so since the plan was made: its lock was waited for.
    fn fill(&mut self, volume: &str, cmd: &Cmd) -> Result<(), Error> {
        let world = self.world;
        if world.state.recall("filled", volume).is_some() {
            return Ok(());
        }
        self.say("Preparing", "toolchain from the image");
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
    pub(crate) fn container_ended(&mut self, cmd: &Cmd, status: ExitStatus, failure: &str) -> Result<(), Error> {
        if status.success() {
            return Ok(());
        }
        let said = self.tail.text();
        let failed = self.failed(cmd, status, &said);
        let (obstacle, error) = (failed.emulation_may_help(), failed.in_container(failure));
        self.obstacle = obstacle;
        Err(error)
    }

    pub(crate) fn failed<'b>(&'b self, cmd: &'b Cmd, status: ExitStatus, said: &'b str) -> Failed<'b> {
        let PlatformPlan { platform, choice, .. } = self.plan;
        let (platform, strategy) = (*platform, choice.strategy);
        let elsewhere = self.plan.elsewhere.as_ref();
        Failed { cmd, code: status.code(), said, platform, strategy, system: self.system, elsewhere }
    }
}

/// Writes and removes a file in a directory, to see whether that is possible.
fn tempfile_in(dir: &Utf8Path) -> std::io::Result<()> {
    let probe = dir.join(".hsx-probe");
    fs_err::write(&probe, "")?;
    fs_err::remove_file(&probe)
}

/// The beginning of a small file that a container wrote; nothing where there is none.
fn head_of(path: &Utf8Path) -> String {
    const LIMIT: u64 = 1 << 16;
    let mut text = Vec::new();
    let is_file = fs_err::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    let file = is_file.then(|| fs_err::File::open(path).ok()).flatten();
    let _ = file.map(|file| file.take(LIMIT).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
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

impl Attempt for Pulled {
    fn succeeded(&self) -> bool {
        self.status.success()
    }
    fn said(&self) -> &str {
        &self.said
    }
}
