//! Starts each executable in a container, unpacked and packed. Files that were started in this image before are not
//! started again.

use camino::Utf8Path;

use super::context::{Context, Failure};
use super::pack::{Form, Packed};
use super::stage::{KNOWN, Stage, TRIED};
use super::step::Step;
use super::verify::Built;
use crate::base::cmd::{Cmd, quote};
use crate::base::digest::hash;
use crate::base::error::Error;
use crate::world::doors::exec::{Output, Stream, keep};
use crate::world::doors::write::unwritable;

/// Runs in the platform's image, where the stage is mounted.
pub(crate) const SCRIPT: &str = include_str!("../../scripts/container/try.sh");

/// Runs in the platform's image, to which the executables are sent.
pub(crate) const SCRIPT_SENT: &str =
    concat!(include_str!("../../scripts/container/try-sent.sh"), include_str!("../../scripts/container/try.sh"));

#[derive(Debug)]
pub(crate) struct TryOut {
    pub stage: Stage,
    /// `None`: the engine's host starts no programs of the platform.
    pub trial: Option<TrialRun>,
}

/// The container that starts the executables.
#[derive(Debug)]
pub(crate) struct TrialRun {
    pub cmd: Cmd,
    /// The executables are sent to the engine, because it runs on another machine.
    pub is_sent: bool,
}

/// An executable, and how its unpacked and packed forms exited.
#[derive(Debug)]
pub(crate) struct Tried {
    pub built: Built,
    pub form: Form,
    /// `None`: the engine's host starts no programs of the platform.
    pub trial: Option<Trial>,
}

/// The exit statuses of an executable's unpacked and packed forms when called with `--help`. `None`: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trial {
    pub bin: Option<u8>,
    pub packed: Option<u8>,
    /// The output of the unpacked form, when it did not succeed.
    pub said: Vec<String>,
}

impl Step for TryOut {
    type Input = Vec<Packed>;
    type Output = Vec<Tried>;

    fn shell(&self) -> String {
        let Some(TrialRun { cmd, is_sent }) = &self.trial else { return String::new() };
        let note = "# hsx leaves out what has been started in the same image before";
        if !is_sent {
            return format!("{note}\n{cmd}");
        }
        let stage = quote(self.stage.path().as_str());
        format!("{note}\ntar --create --directory {stage} {} | {cmd}", TRIED.join(" "))
    }

    fn follow(&self, packed: Vec<Packed>, context: &mut Context<'_>) -> Result<Vec<Tried>, Failure> {
        let untried = |Packed { built, form }| Tried { built, form, trial: None };
        let mut all: Vec<_> = packed.into_iter().map(untried).collect();
        let Some(trial) = &self.trial else { return Ok(all) };
        let mut names = Vec::new();
        for tried in &mut all {
            tried.trial = recall(tried, context);
            if tried.trial.is_some() {
                let mark = || self.stage.open()?.make_dir(KNOWN, 0o777)?.create(&tried.built.exe.name);
                mark().map_err(|error| unwritable(&error))?;
            } else {
                names.push(tried.built.exe.name.clone());
            }
        }
        if names.is_empty() {
            context.note("all of these files were started before");
            return Ok(all);
        }
        context.say("Checking", "that what was built starts");
        let answer = self.run(trial, &names, context)?;
        if !answer.success() {
            let failed = context.failed(&trial.cmd, answer.status, &answer.stderr);
            if !failed.lacks_emulation() {
                return Err(failed.of_engine("the executables could not be tried out").into());
            }
            // Emulation was not known to be missing, because `cross` did not need it. An executable that cannot be
            // tried is not packed.
            let untried = |tried| Tried { form: Form::Unpacked, trial: None, ..tried };
            return Ok(all.into_iter().map(untried).collect());
        }
        for tried in all.iter_mut().filter(|tried| tried.trial.is_none()) {
            tried.trial = Some(read(&answer.stdout, &tried.built.exe.name));
        }
        Ok(all)
    }
}

impl TryOut {
    /// Runs the trial. An engine on another machine is sent the executables that are to be started, as a tar archive. The
    /// programs that are tried can write to the script's own output, so only so much of it is kept.
    fn run(&self, trial: &TrialRun, names: &[String], context: &mut Context<'_>) -> Result<Output, Error> {
        /// In bytes. The script prints at most 2,000 for an executable.
        const ANSWER: usize = 4 << 20;
        let TrialRun { cmd, is_sent } = trial;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut output = |source, bytes: &[u8]| match source {
            Stream::Stdout => keep(&mut stdout, bytes, ANSWER),
            Stream::Stderr => keep(&mut stderr, bytes, ANSWER),
        };
        let feed = |to: &mut dyn std::io::Write| {
            let mut archive = tar::Builder::new(to);
            let stage = self.stage.open()?;
            for form in TRIED {
                let dir = stage.dir(form)?;
                for name in names.iter().filter(|name| dir.has(name)) {
                    archive.append_file(Utf8Path::new(form).join(name), &mut dir.file(name)?)?;
                }
            }
            archive.into_inner()?.flush()
        };
        let exec = &context.world.exec;
        let (status, written) =
            if *is_sent { exec.fed(cmd, &feed, &mut output)? } else { (exec.stream(cmd, &mut output)?, Ok(())) };
        if let (true, Err(error)) = (status.success(), written) {
            return Err(Error::host("the executables could not be sent to the engine").said(&error.to_string()));
        }
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let answer = Output { status, stdout, stderr };
        context.log_answer(cmd, &answer);
        Ok(answer)
    }
}

/// Reads the script's answer about an executable. A line holds a form, a name and an exit status; or `said`, a name and
/// a line of output.
fn read(answer: &str, name: &str) -> Trial {
    let mut trial = Trial::default();
    for line in answer.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(form), Some(named), Some(rest)) = (words.next(), words.next(), words.next()) else { continue };
        match (form, rest.parse()) {
            _ if named != name => {}
            ("bin", Ok(status)) => trial.bin = Some(status),
            ("packed", Ok(status)) => trial.packed = Some(status),
            ("said", _) if trial.said.len() < 5 => trial.said.push(shown(rest)),
            _ => {}
        }
    }
    trial
}

/// A line of a program's output that is safe to show: without control characters, and not too long.
fn shown(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The remembered trial of the same files in the same image.
fn recall(tried: &Tried, context: &Context<'_>) -> Option<Trial> {
    let entry = context.world.cache.get("trials", &key(tried, context))?;
    let mut lines = str::from_utf8(&entry).ok()?.lines();
    let exits: Vec<u8> = lines.next()?.split(' ').filter_map(|word| word.parse().ok()).collect();
    let said = lines.map(str::to_owned).collect();
    Some(Trial { bin: Some(*exits.first()?), packed: exits.get(1).copied(), said })
}

/// Remembers a good trial. A failed one is not remembered, so it is repeated.
pub(crate) fn remember(tried: &Tried, context: &Context<'_>) {
    let Trial { bin, packed, said } = tried.trial.clone().unwrap_or_default();
    if bin.is_some() && recall(tried, context).is_none() {
        let statuses: Vec<_> = [bin, packed].into_iter().flatten().map(|status| status.to_string()).collect();
        let lines: Vec<_> = [statuses.join(" ")].into_iter().chain(said).collect();
        context.world.cache.put("trials", &key(tried, context), lines.join("\n").as_bytes());
    }
}

fn key(Tried { built, form, .. }: &Tried, context: &Context<'_>) -> String {
    let packed = match form {
        Form::Packed { sha256, .. } => sha256.as_str(),
        Form::Unpacked | Form::Failed(_) => "",
    };
    let job = context.job;
    hash(&[&job.image, &job.platform.to_string(), &built.exe.name, &built.sha256, packed])
}
