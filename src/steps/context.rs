//! What the steps of a platform's plan share while they are followed: the machine, the log, and the output to people. A
//! step's results for a later step do not go through here.

use std::io::{Read, Write};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::channel::Channel;
use super::job::Job;
use crate::base::cmd::{Cmd, Values};
use crate::base::error::{Error, ErrorKind};
use crate::facts::advice;
use crate::report::diagnosis::FailedCommand;
use crate::tools::engine;
use crate::tools::system::System;
use crate::world::ask::load::leading_out;
use crate::world::doors::exec::{Feed, Output, Stream, Tail};
use crate::world::doors::{Attempt, World};

/// How many times a container is started in all when the engine loses its image mount.
pub(crate) const MOUNTS: usize = 4;

/// The failure of a step.
#[derive(Debug)]
pub(crate) struct Failure {
    pub error: Error,
    /// Why emulation may succeed where this step failed.
    pub obstacle: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, obstacle: None }
    }
}

/// How a command ended, and the end of its output.
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

/// How many bytes of a command's output are in the log.
const LOG: usize = 256 << 20;

/// The file with what all tools of a job said.
struct Log {
    file: fs_err::File,
    /// How many bytes of the last command's output may still be added.
    left: usize,
}

impl Log {
    fn begin(&mut self, cmd: &Cmd) {
        self.left = LOG;
        let _ = writeln!(self.file, "$ {cmd}");
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let kept = bytes.len().min(self.left);
        self.file.write_all(&bytes[..kept])?;
        self.left -= kept;
        if kept > 0 && self.left == 0 {
            writeln!(self.file, "\n# the rest is left out: the command said more than {} MiB", LOG >> 20)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// The machine, the log and the output, for the steps of one job.
pub(crate) struct Context<'a> {
    pub job: &'a Job,
    pub world: &'a World<'a>,
    /// The values that were not known when the plan was made.
    pub values: &'a Values,
    system: &'a System,
    log: Log,
    pub channel: Channel<'a>,
    /// The end of the last tool's output.
    tail: Tail,
    /// Hints about what the user could improve, for the report.
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
        let (path, file) = world.state.create_log(&job.key)?;
        let log = Log { file, left: LOG };
        let channel = Channel::new(job, world);
        let context = Self { job, world, values, system, log, channel, tail: Tail::default(), notes: Vec::new() };
        Ok((context, path))
    }

    /// The end of the last tool's output.
    pub(crate) fn said(&self) -> String {
        self.tail.text()
    }

    /// Shows what is being done for the platform.
    pub(crate) fn say(&mut self, verb: &str, what: &str) {
        self.channel.phase(&verb.to_lowercase());
        if !self.world.ui.screen().is_live() {
            self.world.ui.status(verb, &format!("{} {what}", self.job.platform));
        }
    }

    /// Writes a line to the log only.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.log.file, "# {text}");
    }

    /// Runs a command and shows its output. The output goes to the log, and its end is kept. A container that did not
    /// start because the engine lost its image mount is started again.
    pub(crate) fn streamed(&mut self, cmd: &Cmd) -> Result<Ended, Error> {
        let mut ended = self.streamed_once(cmd)?;
        for _ in 1..MOUNTS {
            if !engine::image_mount_was_lost(ended.status.code(), &ended.said) {
                break;
            }
            self.say("Retrying", "as the engine has just unmounted the image that was to be mounted");
            // The container may outlive its client and still have the same name.
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

    /// Runs a command and writes its standard input with `feed`.
    pub(crate) fn fed(&mut self, cmd: &Cmd, feed: &Feed<'_>) -> Result<Ended, Error> {
        self.log_command(cmd);
        let Self { world, log, tail, .. } = self;
        let (status, written) = world.exec.fed(cmd, feed, &mut |_: Stream, bytes| {
            let _ = log.write_all(bytes);
            tail.push(bytes);
        })?;
        // When the command stopped reading, its own error explains why.
        match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::usage("what is to be sent to the engine cannot be read").said(&error.to_string()))
            }
            Err(_) | Ok(()) => Ok(Ended { status, said: tail.text() }),
        }
    }

    /// Runs a command and returns its standard output as the answer. Its standard error goes to the log, and its end is
    /// kept.
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

    /// Runs a command whose standard output is read by `reader`. Its standard error goes to the log. The end of the last
    /// tool's output stays what it was.
    pub(crate) fn read<T: Send>(
        &mut self,
        cmd: &Cmd,
        reader: impl FnOnce(&mut dyn Read) -> T + Send,
    ) -> Result<(Ended, T), Error> {
        self.log.begin(cmd);
        let mut tail = Tail::default();
        let log = &mut self.log;
        let (status, answer) = self.world.exec.read(cmd, reader, &mut |bytes| {
            let _ = log.write_all(bytes);
            tail.push(bytes);
        })?;
        Ok((Ended { status, said: tail.text() }, answer))
    }

    /// Writes a command to the log, and starts its output.
    pub(crate) fn log_command(&mut self, cmd: &Cmd) {
        self.tail = Tail::default();
        self.log.begin(cmd);
    }

    /// Runs a command whose output goes to the log only.
    pub(crate) fn quietly(&mut self, cmd: &Cmd) -> Result<Output, Error> {
        let answer = self.world.exec.capture(cmd)?;
        self.log_answer(cmd, &answer);
        Ok(answer)
    }

    pub(crate) fn log_answer(&mut self, cmd: &Cmd, answer: &Output) {
        self.log.begin(cmd);
        let _ = writeln!(self.log, "{}{}", answer.stdout, answer.stderr);
    }

    /// Runs a command of the engine, and fails unless it succeeds.
    pub(crate) fn must(&mut self, cmd: &Cmd, failure: &str) -> Result<(), Error> {
        let answer = self.world.exec.capture(cmd)?;
        self.succeeded(cmd, &answer, failure)
    }

    /// Fails unless a command of the engine has succeeded.
    pub(crate) fn succeeded(&mut self, cmd: &Cmd, answer: &Output, failure: &str) -> Result<(), Error> {
        self.log_answer(cmd, answer);
        if answer.success() { Ok(()) } else { Err(self.failed(cmd, answer.status, &answer.stderr).of_engine(failure)) }
    }

    /// Fails unless a container script has succeeded.
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

    /// A failed command with the facts that its diagnosis needs.
    pub(crate) fn failed<'b>(&'b self, cmd: &'b Cmd, status: ExitStatus, said: &'b str) -> FailedCommand<'b> {
        let Job { platform, choice, elsewhere, .. } = self.job;
        let (platform, strategy) = (*platform, choice.strategy);
        FailedCommand {
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

    /// Completes an error: shows the end of a failed build's output, and adds the path of the log.
    pub(crate) fn told(&self, mut error: Error, log: Utf8PathBuf) -> Error {
        if error.kind == ErrorKind::Build {
            self.world.ui.replay(Some(self.job.platform), &self.said());
        }
        error.log = Some(log);
        error
    }
}

/// Removes a job's containers. After a signal the engine may still be creating one although its client is gone, so this
/// looks for containers until none has appeared for a while.
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

/// The subject of a command: its last argument.
pub(crate) fn subject(cmd: &Cmd) -> &str {
    cmd.args.last().map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_the_beginning_of_what_is_endless() {
        let (file, path) = tempfile::NamedTempFile::new().unwrap().into_parts();
        let mut log = Log { file: fs_err::File::from_parts(file, &path), left: 5 };
        for piece in ["abc", "def", "ghi"] {
            log.write_all(piece.as_bytes()).unwrap();
        }
        log.begin(&Cmd::new("next"));
        log.write_all(b"jkl").unwrap();
        let text = fs_err::read_to_string(&path).unwrap();
        assert_eq!(text, "abcde\n# the rest is left out: the command said more than 256 MiB\n$ next\njkl");
    }
}
