//! A directory beside the results where files wait until they are verified. The steps within it find an empty one: what
//! a killed run left in it is gone.

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Failure};
use super::step::{Step, lines};
use crate::base::cmd::quote;
use crate::base::error::Error;
use crate::tools::cabal::CabalPlan;
use crate::world::doors::pieces;
use crate::world::doors::write::unwritable;

/// The directories of a stage with what is to be started.
pub(crate) const TRIED: [&str; 2] = ["bin", "packed"];

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage(pub Utf8PathBuf);

impl Stage {
    /// What the container laid out: `plan.json` and `bin/NAME`.
    pub(crate) fn built(&self, name: &str) -> Utf8PathBuf {
        self.0.join("bin").join(name)
    }

    pub(crate) fn packed(&self, name: &str) -> Utf8PathBuf {
        self.0.join("packed").join(name)
    }

    /// A file for each executable that was started before.
    pub(crate) fn known(&self) -> Utf8PathBuf {
        self.0.join("known")
    }

    /// What cabal notes of tests.
    pub(crate) fn test_results(&self) -> Utf8PathBuf {
        self.0.join("results")
    }

    pub(crate) fn test_logs(&self) -> Utf8PathBuf {
        self.0.join("logs")
    }

    /// What the toolchain of a cross build could not do, counted.
    pub(crate) fn emulated_calls(&self) -> Utf8PathBuf {
        self.0.join("emulated-calls")
    }

    /// The units of the store that have data files, a line each.
    pub(crate) fn data_units(&self) -> Utf8PathBuf {
        self.0.join("data")
    }

    /// The data files of a unit of the store.
    pub(crate) fn data_of(&self, unit: &str) -> Utf8PathBuf {
        self.0.join("share").join(unit)
    }

    /// What cabal planned.
    ///
    /// # Errors
    /// When the container left no plan that can be read.
    pub(crate) fn cabal_plan(&self) -> Result<CabalPlan, Error> {
        /// Plans of hundreds of packages have a few MiB.
        const LIMIT: u64 = 64 << 20;
        let unreadable = |error: String| Error::host("the container left no build plan").said(&error);
        let text = pieces::text_of(self.0.join("plan.json"), LIMIT).map_err(|error| unreadable(error.to_string()))?;
        CabalPlan::parse(&text).map_err(|error| unreadable(error.to_string()))
    }

    /// A shell loop over what the container laid out in `bin`; `body` knows it as `$file`.
    pub(crate) fn for_each_built(&self, body: &str) -> String {
        format!("for file in {}/bin/*; do\n{body}\ndone", quote(self.0.as_str()))
    }
}

/// Steps that use a stage: it is made before them and removed after them.
#[derive(Debug)]
pub(crate) struct InStage<S> {
    pub stage: Stage,
    /// Where the results end up.
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
            // Looked at now: a build that cannot be delivered should not start.
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

/// Writes and removes a file in a directory, to see whether that is possible.
fn probe(dir: &Utf8Path) -> std::io::Result<()> {
    let probe = dir.join(".hsx-probe");
    fs_err::write(&probe, "")?;
    fs_err::remove_file(&probe)
}
