//! Lets the results out of the container into the stage: the engine writes them as a tar archive, and hsx unpacks it.

use super::build::{RESULTS, Results};
use super::context::{Context, Failure};
use super::results;
use super::stage::Stage;
use super::step::Step;
use crate::base::cmd::{Cmd, quote};
use crate::base::error::Error;
use crate::facts::cross;
use crate::tools::engine::{self, Dialect, Engine};
use crate::world::doors::incoming::{Fault, unpack};
use crate::world::doors::pieces;
use crate::world::doors::write::unwritable;

#[derive(Debug)]
pub(crate) struct Collect {
    stage: Stage,
    cmd: Cmd,
    dialect: Dialect,
}

/// Shows that the results are in the stage.
#[derive(Debug)]
pub(crate) struct Collected;

impl Collect {
    pub(crate) fn new(engine: &Engine, container: &str, stage: &Stage) -> Self {
        let cmd = engine.copy_out(container, RESULTS);
        Self { cmd, stage: stage.clone(), dialect: engine.dialect }
    }
}

impl Step for Collect {
    type Input = Results;
    type Output = Collected;

    fn shell(&self) -> String {
        let again = match self.dialect {
            Dialect::Podman => "# where the engine unmounts the container meanwhile, hsx copies once more\n",
            Dialect::Docker => "",
        };
        // Podman 5 begins the names with that of the directory.
        let top = quote(self.stage.path().join(results::TOP).as_str());
        let note = "# hsx unpacks this itself, and takes only files of names that cabal gives, and only so much";
        let safely = "--no-same-owner --no-same-permissions --keep-old-files";
        let [stage, archive] =
            [self.stage.path(), self.stage.path().join("results.tar")].map(|path| quote(path.as_str()));
        format!(
            "{again}{note}\n{} > {archive}\ntar --extract --file {archive} --directory {stage} {safely}\n[ ! -d {top} ] || mv {top}/* {stage}",
            self.cmd
        )
    }

    fn follow(&self, _: Results, context: &mut Context<'_>) -> Result<Collected, Failure> {
        const FAILURE: &str = "the results cannot be copied out of the container";
        let stage = self.stage.open().map_err(|error| unwritable(&error))?;
        let mut copy = || {
            context.read(&self.cmd, |archive| unpack(archive, results::TOP, &stage, results::ALL, results::expected))
        };
        let (mut ended, mut unpacked) = copy()?;
        if !ended.status.success() && engine::copied_mount_was_lost(&ended.said) {
            Stage::empty(&stage).map_err(|error| unwritable(&error))?;
            (ended, unpacked) = copy()?;
        }
        match unpacked {
            Err(Fault::Refused(what)) => {
                let error = Error::verification(format!("the container left {what}"));
                return Err(error.hint("hsx takes only plain files out of it, by the names that cabal gives").into());
            }
            Err(Fault::Unwritable(error)) => return Err(unwritable(&error).into()),
            Err(Fault::Broken(why)) => {
                let broken = format!("the archive that the engine wrote is broken: {why}");
                // A client that fails breaks off, and its own words say why.
                let said = if ended.said.trim().is_empty() { &broken } else { &ended.said };
                let failed = context.failed(&self.cmd, ended.status, said);
                return Err(failed.of_engine(FAILURE).into());
            }
            Ok(()) if !ended.status.success() => {
                return Err(context.failed(&self.cmd, ended.status, &ended.said).of_engine(FAILURE).into());
            }
            Ok(()) => {}
        }
        let calls = pieces::text_of(self.stage.emulated_calls(), results::LIST).unwrap_or_default();
        context.notes.extend(cross::emulated_calls(&calls));
        Ok(Collected)
    }
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
