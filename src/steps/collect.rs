//! Copies the results out of the container into the stage. The engine's client writes the files, so they belong to the
//! caller.

use std::io::Read as _;

use camino::Utf8Path;

use super::build::{RESULTS, Results};
use super::context::{Context, Failure};
use super::stage::Stage;
use super::step::Step;
use crate::base::cmd::Cmd;
use crate::facts::cross;
use crate::tools::engine::Engine;

#[derive(Debug)]
pub(crate) struct Collect {
    stage: Stage,
    cmd: Cmd,
}

/// Shows that the results are in the stage.
#[derive(Debug)]
pub(crate) struct Collected;

impl Collect {
    pub(crate) fn new(engine: &Engine, container: &str, stage: &Stage) -> Self {
        Self { cmd: engine.copy_out(container, RESULTS, stage.path().as_str()), stage: stage.clone() }
    }
}

impl Step for Collect {
    type Input = Results;
    type Output = Collected;

    fn shell(&self) -> String {
        self.cmd.to_string()
    }

    fn follow(&self, _: Results, context: &mut Context<'_>) -> Result<Collected, Failure> {
        let answer = context.quietly(&self.cmd)?;
        if !answer.success() {
            let failed = context.failed(&self.cmd, answer.status, &answer.stderr);
            return Err(failed.in_writing("the results cannot be copied out of the container").into());
        }
        context.notes.extend(cross::emulated_calls(&head_of(&self.stage.emulated_calls())));
        Ok(Collected)
    }
}

/// The first bytes of a file that a container wrote, as text; empty when there is no such file.
fn head_of(path: &Utf8Path) -> String {
    const LIMIT: u64 = 1 << 16;
    let mut text = Vec::new();
    let is_file = fs_err::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    let file = is_file.then(|| fs_err::File::open(path).ok()).flatten();
    let _ = file.map(|file| file.take(LIMIT).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// Removes the container that the results were copied out of.
#[derive(Debug)]
pub(crate) struct Remove {
    pub cmd: Cmd,
}

impl Remove {
    pub(crate) const FAILURE: &str = "the container cannot be removed";

    pub(crate) fn new(engine: &Engine, container: &str) -> Self {
        Self { cmd: engine.remove(&[container.to_owned()]) }
    }
}

impl Step for Remove {
    type Input = Collected;
    type Output = Collected;

    fn shell(&self) -> String {
        self.cmd.to_string()
    }

    fn follow(&self, collected: Collected, context: &mut Context<'_>) -> Result<Collected, Failure> {
        context.must(&self.cmd, Self::FAILURE)?;
        Ok(collected)
    }
}
