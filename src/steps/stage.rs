//! The stage: a directory beside the results where files wait until they are verified. It is empty at first; what a
//! killed run left in it is removed.

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Failure};
use super::results;
use super::step::{Step, lines};
use crate::base::cmd::quote;
use crate::base::error::Error;
use crate::tools::cabal::CabalPlan;
use crate::world::doors::pieces;
use crate::world::doors::write::unwritable;

/// The subdirectories of the stage that hold executables to be started.
pub(crate) const TRIED: [&str; 2] = ["bin", "packed"];

/// The directory of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage(pub Utf8PathBuf);

impl Stage {
    /// An executable as the container built it.
    pub(crate) fn built(&self, name: &str) -> Utf8PathBuf {
        self.0.join("bin").join(name)
    }

    pub(crate) fn packed(&self, name: &str) -> Utf8PathBuf {
        self.0.join("packed").join(name)
    }

    /// A directory with one file for each executable whose trial is remembered.
    pub(crate) fn known(&self) -> Utf8PathBuf {
        self.0.join("known")
    }

    /// The file with the test results that cabal wrote.
    pub(crate) fn test_results(&self) -> Utf8PathBuf {
        self.0.join("results")
    }

    pub(crate) fn test_logs(&self) -> Utf8PathBuf {
        self.0.join("logs")
    }

    /// The calls of a cross build's C compiler that had to be emulated, with their counts.
    pub(crate) fn emulated_calls(&self) -> Utf8PathBuf {
        self.0.join("emulated-calls")
    }

    /// The list of units in the store that have data files, one per line.
    pub(crate) fn data_units(&self) -> Utf8PathBuf {
        self.0.join("data")
    }

    /// The data files of a unit in the store.
    pub(crate) fn data_of(&self, unit: &str) -> Utf8PathBuf {
        self.0.join("share").join(unit)
    }

    /// cabal's build plan, `plan.json`.
    ///
    /// # Errors
    /// When the container left no plan that can be read.
    pub(crate) fn cabal_plan(&self) -> Result<CabalPlan, Error> {
        let unreadable = |error: String| Error::host("the container left no build plan").said(&error);
        let text = pieces::text_of(self.0.join("plan.json"), results::CABAL_PLAN)
            .map_err(|error| unreadable(error.to_string()))?;
        CabalPlan::parse(&text).map_err(|error| unreadable(error.to_string()))
    }

    /// A shell loop over the executables in `bin`; `body` uses `$file` for the current one.
    pub(crate) fn for_each_built(&self, body: &str) -> String {
        format!("for file in {}/bin/*; do\n{body}\ndone", quote(self.0.as_str()))
    }
}

/// Steps that use a stage. The stage is created before them and removed after them.
#[derive(Debug)]
pub(crate) struct InStage<S> {
    pub stage: Stage,
    /// The directory where the results end up.
    pub out_dir: Utf8PathBuf,
    pub steps: S,
}

impl<S: Step> Step for InStage<S> {
    type Input = S::Input;
    type Output = S::Output;

    fn shell(&self) -> String {
        let [stage, out_dir] = [&self.stage.0, &self.out_dir].map(|path| quote(path.as_str()));
        let make = format!("rm -rf {stage}\nmkdir -p {stage}/packed {out_dir}");
        lines([make, self.steps.shell(), format!("rm -rf {stage}")])
    }

    fn follow(&self, input: S::Input, context: &mut Context<'_>) -> Result<S::Output, Failure> {
        let Self { stage: Stage(stage), out_dir, steps } = self;
        let make = || {
            if stage.exists() {
                fs_err::remove_dir_all(stage)?;
            }
            fs_err::create_dir_all(stage.join("packed"))?;
            fs_err::create_dir_all(out_dir)?;
            // This is checked now, because a build that cannot be delivered should not start.
            probe(out_dir)
        };
        make().map_err(|error| unwritable(&error))?;
        context.world.exec.check()?;
        let output = steps.follow(input, context)?;
        context.world.exec.check()?;
        fs_err::remove_dir_all(stage).map_err(|error| unwritable(&error))?;
        Ok(output)
    }
}

/// Writes and removes a file in a directory, to check that it is writable.
fn probe(dir: &Utf8Path) -> std::io::Result<()> {
    let probe = dir.join(".hsx-probe");
    fs_err::write(&probe, "")?;
    fs_err::remove_file(&probe)
}
