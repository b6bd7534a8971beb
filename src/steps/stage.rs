//! The stage: a directory beside the results where files wait until they are verified. Only the user can enter it. It is
//! empty at first; what killed runs left, in it or in stages of other builds, is removed.

use std::io;
use std::thread;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::context::{Context, Failure};
use super::results;
use super::step::{Step, lines};
use crate::base::cmd::quote;
use crate::base::error::Error;
use crate::base::place::Place;
use crate::tools::cabal::CabalPlan;
use crate::world::doors::pieces;
use crate::world::doors::root::Root;
use crate::world::doors::write::unwritable;

/// The subdirectory for executables as the container built them.
pub(crate) const BUILT: &str = "bin";

/// The subdirectory for packed executables.
pub(crate) const PACKED: &str = "packed";

/// The subdirectory with one file for each executable whose trial is remembered.
pub(crate) const KNOWN: &str = "known";

/// The subdirectory with the logs of test suites.
pub(crate) const LOGS: &str = "logs";

/// The subdirectory for the data files of packages, ready to be delivered.
pub(crate) const BESIDE: &str = "beside";

/// The subdirectories of the stage that hold executables to be started.
pub(crate) const TRIED: [&str; 2] = [BUILT, PACKED];

/// How the names of stages begin.
const PREFIX: &str = ".hsx-";

/// The directory inside a stage that holds the files. The stage is closed to others, but an engine whose root is nobody
/// here has to enter what it mounts.
const FILES: &str = "stage";

/// The directory of a stage's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The output directory, of all platforms.
    around: Place,
    name: String,
}

impl Stage {
    /// The stage of the build with this key.
    pub(crate) fn of(out_dir: &Place, key: &str) -> Self {
        Self { around: out_dir.clone(), name: format!("{PREFIX}{key}") }
    }

    /// The path of the files, for commands.
    pub(crate) fn path(&self) -> Utf8PathBuf {
        self.place().path()
    }

    fn place(&self) -> Place {
        self.around.join(&self.name).join(FILES)
    }

    /// Opens the directory of the files.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn open(&self) -> io::Result<Root> {
        Root::open(&self.place())
    }

    /// Removes what has been unpacked into the stage.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub(crate) fn empty(files: &Root) -> io::Result<()> {
        files.names()?.iter().filter(|name| *name != PACKED).try_for_each(|name| files.remove_all(name))
    }

    /// Removes the stage. A failure is ignored: the next run removes it.
    pub(crate) fn remove(&self) {
        let _ = Root::open(&self.around).and_then(|around| around.remove_all(&self.name));
    }

    /// An executable as the container built it.
    pub(crate) fn built(&self, name: &str) -> Utf8PathBuf {
        self.path().join(BUILT).join(name)
    }

    pub(crate) fn packed(&self, name: &str) -> Utf8PathBuf {
        self.path().join(PACKED).join(name)
    }

    /// The file with the test results that cabal wrote.
    pub(crate) fn test_results(&self) -> Utf8PathBuf {
        self.path().join("results")
    }

    pub(crate) fn test_logs(&self) -> Utf8PathBuf {
        self.path().join(LOGS)
    }

    /// The calls of a cross build's C compiler that had to be emulated, with their counts.
    pub(crate) fn emulated_calls(&self) -> Utf8PathBuf {
        self.path().join("emulated-calls")
    }

    /// The list of units in the store that have data files, one per line.
    pub(crate) fn data_units(&self) -> Utf8PathBuf {
        self.path().join("data")
    }

    /// The data files of a unit in the store.
    pub(crate) fn data_of(&self, unit: &str) -> Utf8PathBuf {
        self.path().join("share").join(unit)
    }

    /// cabal's build plan, `plan.json`.
    ///
    /// # Errors
    /// When the container left no plan that can be read.
    pub(crate) fn cabal_plan(&self) -> Result<CabalPlan, Error> {
        let unreadable = |error: String| Error::host("the container left no build plan").said(&error);
        let plan = pieces::text_of(self.path().join("plan.json"), results::CABAL_PLAN);
        let text = plan.map_err(|error| unreadable(error.to_string()))?;
        CabalPlan::parse(&text).map_err(|error| unreadable(error.to_string()))
    }

    /// A shell loop over the executables in `bin`; `body` uses `$file` for the current one.
    pub(crate) fn for_each_built(&self, body: &str) -> String {
        format!("for file in {}/bin/*; do\n{body}\ndone", quote(self.path().as_str()))
    }
}

/// Steps that use a stage. The stage is created before them and removed after them.
#[derive(Debug)]
pub(crate) struct InStage<S> {
    pub stage: Stage,
    /// The directory where the results end up.
    pub out_dir: Place,
    pub steps: S,
}

impl<S: Step> Step for InStage<S> {
    type Input = S::Input;
    type Output = S::Output;

    fn shell(&self) -> String {
        let outer = self.stage.around.join(&self.stage.name).path();
        let [outer, stage, out_dir] = [outer, self.stage.path(), self.out_dir.path()].map(|path| quote(path.as_str()));
        let make = format!("rm -rf {outer}\nmkdir -p {out_dir}\nmkdir -m 700 {outer}\nmkdir -p {stage}/packed");
        lines([make, self.steps.shell(), format!("rm -rf {outer}")])
    }

    fn follow(&self, input: S::Input, context: &mut Context<'_>) -> Result<S::Output, Failure> {
        let Self { stage, out_dir, steps } = self;
        let make = || {
            let around = Root::make(&stage.around)?;
            sweep(&around);
            let made = make(&around, &stage.name)?;
            // This is checked now, because a build that cannot be delivered should not start.
            Root::make(out_dir)?.probe()?;
            Ok((around, made))
        };
        let (around, _locked) = make().map_err(|error: io::Error| unwritable(&error))?;
        context.world.exec.check()?;
        let output = steps.follow(input, context)?;
        context.world.exec.check()?;
        around.remove_all(&stage.name).map_err(|error| unwritable(&error))?;
        Ok(output)
    }
}

/// Makes a stage, and locks it: as long as it is open, no other hsx sweeps it.
fn make(around: &Root, name: &str) -> io::Result<Root> {
    /// How often at most: the other hsx that may be sweeping the old one is soon done. Without locks, as on some file
    /// systems in a network, nobody sweeps.
    const ATTEMPTS: usize = 20;
    let mut attempt = 0;
    loop {
        around.remove_all(name)?;
        let stage = around.make_dir(name, 0o700)?;
        let is_ours = stage.try_lock();
        attempt += 1;
        if is_ours && stage.is(name, around) || attempt == ATTEMPTS {
            stage.make_dir(format!("{FILES}/{PACKED}"), 0o777)?;
            return Ok(stage);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Removes the stages that killed runs left behind: nobody holds their locks. Failures are ignored: what cannot be removed
/// does not harm a build.
fn sweep(around: &Root) {
    let names = around.names().unwrap_or_default();
    for name in names.iter().filter(|name| name.starts_with(PREFIX)) {
        // Opened until it is gone, it stays locked.
        if let Ok(stage) = around.dir(name)
            && stage.try_lock()
        {
            let _ = around.remove_all(name);
        }
    }
}
