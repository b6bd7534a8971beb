//! Builds and runs test suites, without network, and copies out their logs.

use camino::Utf8Path;

use super::build::Results;
use super::collect::Collected;
use super::context::{Context, Failure};
use super::results;
use super::stage::{LOGS, Stage};
use super::step::Step;
use crate::base::cmd::{Cmd, quote};
use crate::base::error::{Error, ErrorKind};
use crate::base::exit_code::ExitCode;
use crate::base::place::Place;
use crate::project::target::{Planned, Target};
use crate::project::{ComponentKind as Component, Executable};
use crate::tools::cabal::{self, Suite};
use crate::world::doors::pieces;
use crate::world::doors::root::{Move, Root, move_all};
use crate::world::doors::write::unwritable;

/// The directory of the logs, beside a platform's executables.
const DELIVERED_LOGS: &str = "test-logs";

/// Runs in the builder.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("../../scripts/container/repositories.sh"),
    include_str!("../../scripts/container/home.sh"),
    include_str!("../../scripts/container/offline.sh"),
    include_str!("../../scripts/container/test.sh")
);

/// Builds and runs the suites. A failed suite is a result like any other.
#[derive(Debug)]
pub(crate) struct RunTests {
    pub cmd: Cmd,
}

impl Step for RunTests {
    type Input = ();
    type Output = Results;

    fn shell(&self) -> String {
        let failed = ExitCode::TestFailed as i32;
        format!("{} || [ $? -eq {failed} ] # {failed}: a test failed; the logs are of interest then", self.cmd)
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<Results, Failure> {
        context.say("Testing", &format!("with {}", context.job.compiler()));
        let ended = context.streamed(&self.cmd)?;
        if ExitCode::TestFailed.is(ended.status.code()) {
            context.world.ui.replay(Some(context.job.platform), &ended.said);
        } else {
            context.container_ended(&self.cmd, &ended, "cabal build of the tests failed")?;
        }
        Ok(Results)
    }
}

/// Replaces the logs of the last run by those of the suites, and reads how the suites ended.
#[derive(Debug)]
pub(crate) struct DeliverLogs {
    pub stage: Stage,
    /// The directory in which the logs end up, in one of their own.
    pub out_dir: Place,
    /// The targets that were asked for. cabal's plan tells which suites these are.
    pub targets: Vec<Target>,
}

impl Step for DeliverLogs {
    type Input = Collected;
    type Output = Vec<Suite>;

    fn shell(&self) -> String {
        let [from, to] =
            [&self.stage.test_logs(), &self.out_dir.path().join(DELIVERED_LOGS)].map(|path| quote(path.as_str()));
        format!("rm -rf {to}\nmv {from} {to}")
    }

    fn follow(&self, _: Collected, _: &mut Context<'_>) -> Result<Vec<Suite>, Failure> {
        let Self { stage, out_dir, targets } = self;
        let results = pieces::text_of(stage.test_results(), results::TEST_RESULTS)
            .map_err(|error| Error::host("the container left no test results").said(&error.to_string()))?;
        let place = || {
            let (stage, out_dir) = (stage.open()?, Root::make(out_dir)?);
            move_all(&[Move { from: (&stage, LOGS), to: (&out_dir, DELIVERED_LOGS) }])
        };
        place().map_err(|error| unwritable(&error))?;
        let logs = out_dir.path().join(DELIVERED_LOGS);
        let mut suites = cabal::test_suites(&results);
        for suite in &mut suites {
            suite.log = suite.log.take().and_then(|log| Some(logs.join(Utf8Path::new(log.as_str()).file_name()?)));
            suite.log = suite.log.take().filter(|log| log.exists());
        }
        if suites.is_empty() {
            let error = Error::new(ErrorKind::Build, "cabal ran none of the test suites");
            return Err(error.hint("are they `buildable` with these flags and this compiler?").into());
        }
        let planned = stage.cabal_plan()?.components(Component::TestSuite).map_err(|name| {
            Error::verification(format!("cabal planned a test suite of a name that none has: `{name}`"))
        })?;
        let missing = targets.iter().flat_map(|target| target.select(&planned)).find(|planned| {
            let Executable { package, name, .. } = &planned.component;
            !suites.iter().any(|suite| suite.package == *package && suite.name == *name)
        });
        if let Some(Planned { component: Executable { package, name, .. }, .. }) = missing {
            let message = format!("cabal planned the test suite `{package}:test:{name}` but did not run it");
            return Err(Error::new(ErrorKind::Build, message).into());
        }
        suites.sort();
        Ok(suites)
    }
}
