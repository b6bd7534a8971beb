//! What the steps of a platform's plan share while they are followed: the way to the machine, the log, and what people
//! see. Nothing that one step makes for another goes through here.

use std::io::Write;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::channel::Channel;
use super::job::Job;
use crate::base::cmd::{Cmd, Values};
use crate::base::error::{Error, ErrorKind};
use crate::facts::advice;
use crate::report::diagnosis::Failed;
use crate::tools::engine;
use crate::tools::system::System;
use crate::world::ask::load::leading_out;
use crate::world::doors::exec::{Feed, Output, Stream, Tail};
use crate::world::doors::{Attempt, World};

/// How often a container may be started whose image mount was lost.
pub(crate) const MOUNTS: usize = 4;

/// A step that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub error: Error,
    /// Why emulation may succeed where this failed.
    pub obstacle: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, obstacle: None }
    }
}

/// How a command ended, and the end of what it said.
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub said: String,
}

impl Attempt for Ended {
    fn succeeded(&self) -> bool {
        self.status.success()
    }
    fn said(&self) -> &str {
        &self.said
    }
}

/// The machine, as the steps of one job use it.
pub(crate) struct Context<'a> {
    pub job: &'a Job,
    pub world: &'a World<'a>,
    /// The values that were not known when the plan was made.
    pub values: &'a Values,
    system: &'a System,
    log: fs_err::File,
    pub channel: Channel<'a>,
    /// The end of what the last tool said.
    tail: Tail,
    /// What could be better, for the report.
    pub notes: Vec<String>,
}

impl<'a> Context<'a> {
    /// # Errors
    /// When the log cannot be written.
    pub(crate) fn new(
        job: &'a Job,
        values: &'a Values,
        system: &'a System,
        world: &'a World<'_>,
    ) -> Result<(Self, Utf8PathBuf), Error> {
        let (path, log) = world.state.create_log(&job.key)?;
        let channel = Channel::new(job, world);
        let context = Self { job, world, values, system, log, channel, tail: Tail::default(), notes: Vec::new() };
        Ok((context, path))
    }

    /// The end of what the last tool said.
    pub(crate) fn said(&self) -> String {
        self.tail.text()
    }

    /// Says what is done for the platform now.
    pub(crate) fn say(&mut self, verb: &str, what: &str) {
        self.channel.phase(&verb.to_lowercase());
        if !self.world.ui.screen().is_live() {
            self.world.ui.status(verb, &format!("{} {what}", self.job.platform));
        }
    }

    /// Says something in the log only.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.log, "# {text}");
    }

    /// Runs a command whose output people want to follow; it goes to the log and its end is kept. A container that did not
    /// start because its image mount was lost is started again.
    pub(crate) fn streamed(&mut self, cmd: &Cmd) -> Result<Ended, Error> {
        let mut ended = self.streamed_once(cmd)?;
        for _ in 1..MOUNTS {
            if !engine::image_mount_was_lost(ended.status.code(), &ended.said) {
                break;
            }
            self.say("Retrying", "as the engine has just unmounted the image that was to be mounted");
            // One that outlives its process is still there, by the same name.
            let _ = self.world.exec.capture(&self.job.removal)?;
            ended = self.streamed_once(cmd)?;
        }
        Ok(ended)
    }

    fn streamed_once(&mut self, cmd: &Cmd) -> Result<Ended, Error> {
        self.log_command(cmd);
        let Self { world, log, tail, channel, .. } = self;
        let ended = world.exec.stream(cmd, &mut |_: Stream, bytes| {
            channel.write(bytes);
            let _ = log.write_all(bytes);
            tail.push(bytes);
        });
        channel.flush();
        Ok(Ended { status: ended?, said: tail.text() })
    }

    /// Runs a command that reads what is written for it.
    pub(crate) fn fed(&mut self, cmd: &Cmd, feed: &Feed<'_>) -> Result<Ended, Error> {
        self.log_command(cmd);
        let Self { world, log, tail, .. } = self;
        let (status, written) = world.exec.fed(cmd, feed, &mut |_: Stream, bytes| {
            let _ = log.write_all(bytes);
            tail.push(bytes);
        })?;
        // Where nobody read on, the command says why.
        match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::usage("what is to be sent to the engine cannot be read").said(&error.to_string()))
            }
            Err(_) | Ok(()) => Ok(Ended { status, said: tail.text() }),
        }
    }

    /// Runs a command that answers on standard output, and says the rest on standard error.
    pub(crate) fn answered(&mut self, cmd: &Cmd) -> Result<(Ended, String), Error> {
        self.log_command(cmd);
        let Self { world, log, tail, .. } = self;
        let (status, answer) = world.exec.answered(cmd, &mut |bytes| {
            let _ = log.write_all(bytes);
            tail.push(bytes);
        })?;
        let _ = log.write_all(answer.as_bytes());
        Ok((Ended { status, said: tail.text() }, answer))
    }

    /// A command begins, and with it what a tool says.
    pub(crate) fn log_command(&mut self, cmd: &Cmd) {
        self.tail = Tail::default();
        let _ = writeln!(self.log, "$ {cmd}");
    }

    /// Runs a command whose output only its failure makes interesting.
    pub(crate) fn quietly(&mut self, cmd: &Cmd) -> Result<Output, Error> {
        let answer = self.world.exec.capture(cmd)?;
        self.log_answer(cmd, &answer);
        Ok(answer)
    }

    pub(crate) fn log_answer(&mut self, cmd: &Cmd, answer: &Output) {
        let _ = writeln!(self.log, "$ {cmd}\n{}{}", answer.stdout, answer.stderr);
    }

    /// Runs a command of the engine that has to succeed.
    pub(crate) fn must(&mut self, cmd: &Cmd, failure: &str) -> Result<(), Error> {
        let answer = self.world.exec.capture(cmd)?;
        self.succeeded(cmd, &answer, failure)
    }

    /// Fails unless a command of the engine succeeded.
    pub(crate) fn succeeded(&mut self, cmd: &Cmd, answer: &Output, failure: &str) -> Result<(), Error> {
        self.log_answer(cmd, answer);
        if answer.success() { Ok(()) } else { Err(self.failed(cmd, answer.status, &answer.stderr).of_engine(failure)) }
    }

    /// Fails unless a container script ended well.
    pub(crate) fn container_ended(&self, cmd: &Cmd, ended: &Ended, failure: &str) -> Result<(), Failure> {
        if ended.status.success() {
            return Ok(());
        }
        let failed = self.failed(cmd, ended.status, &ended.said);
        let (obstacle, error) = (failed.emulation_may_help(), failed.in_container(failure));
        if !matches!(error.kind, ErrorKind::Build | ErrorKind::Usage) {
            return Err(Failure { error, obstacle });
        }
        let mut hints = advice::hints(&self.job.advice, &ended.said);
        if advice::NOT_THERE.iter().any(|words| ended.said.contains(words)) {
            hints.extend(leading_out(&self.job.seen).into_iter().map(|(link, to)| {
                format!("`{link}` leads to `{to}`, which the container does not see: `--source-dir DIR` shows it a directory")
            }));
        }
        Err(Failure { error: error.hints(hints), obstacle })
    }

    /// A command that failed, to be told what went wrong.
    pub(crate) fn failed<'b>(&'b self, cmd: &'b Cmd, status: ExitStatus, said: &'b str) -> Failed<'b> {
        let Job { platform, choice, elsewhere, .. } = self.job;
        let (platform, strategy) = (*platform, choice.strategy);
        Failed {
            cmd,
            code: status.code(),
            said,
            platform,
            strategy,
            system: self.system,
            is_offline: self.job.is_offline,
            elsewhere: elsewhere.as_ref(),
        }
    }

    /// Completes what is told of a failure: by the end of what the tool said, and the log.
    pub(crate) fn told(&self, mut error: Error, log: Utf8PathBuf) -> Error {
        if error.kind == ErrorKind::Build {
            self.world.ui.replay(Some(self.job.platform), &self.said());
        }
        error.log = Some(log);
        error
    }
}

/// Removes a job's containers. After a signal the engine may still be making one whose client is gone: it is looked for
/// until none has turned up for a while.
pub(crate) fn remove_containers(job: &Job, interrupted: bool, world: &World<'_>) {
    const PAUSE: Duration = Duration::from_millis(150);
    const AT_MOST: Duration = Duration::from_millis(2500);
    world.exec.clean_up(&job.removal);
    let (start, mut quiet) = (Instant::now(), 0);
    while interrupted && quiet < 3 && start.elapsed() < AT_MOST {
        thread::sleep(PAUSE);
        if world.exec.clean_up(&job.leftovers).is_some_and(|answer| answer.stdout.trim().is_empty()) {
            quiet += 1;
        } else {
            quiet = 0;
            world.exec.clean_up(&job.removal);
        }
    }
}

/// What a command is about: its last argument.
pub(crate) fn subject(cmd: &Cmd) -> &str {
    cmd.args.last().map_or("", String::as_str)
}
