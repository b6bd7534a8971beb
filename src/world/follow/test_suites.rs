//! The steps of a plan that are about tests.

use camino::Utf8Path;

use super::deliver::read_plan;
use super::run::Run;
use crate::base::cmd::Cmd;
use crate::base::error::{Error, Kind};
use crate::project::target::Planned;
use crate::project::{Executable, Kind as Component};
use crate::tools::cabal;
use crate::world::doors::pieces;
use crate::world::doors::write::unwritable;

/// The exit status of the container script when a test failed.
const TEST_FAILED: i32 = 103;

impl Run<'_> {
    /// Builds and runs the suites. A failed one is a result like any other.
    pub(crate) fn test(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let status = self.streamed(cmd)?;
        if status.code() == Some(TEST_FAILED) {
            self.world.ui.replay(&self.tail.text());
            return Ok(());
        }
        self.container_ended(cmd, status, "cabal build of the tests failed")
    }

    /// Reads what the suites came to, and puts their logs in the place of those of the last run.
    pub(crate) fn deliver_logs(&mut self) -> Result<(), Error> {
        let plan = self.plan;
        let results = pieces::text_of(plan.stage.test_results(), 16 << 20)
            .map_err(|error| Error::host("the container left no test results").said(&error.to_string()))?;
        let logs = plan.test_logs();
        let place = || {
            if logs.exists() {
                fs_err::remove_dir_all(&logs)?;
            }
            fs_err::rename(plan.stage.test_logs(), &logs)
        };
        place().map_err(|error| unwritable(&error))?;
        let mut suites = cabal::test_suites(&results);
        for suite in &mut suites {
            suite.log = suite.log.take().and_then(|log| Some(logs.join(Utf8Path::new(log.as_str()).file_name()?)));
            suite.log = suite.log.take().filter(|log| log.exists());
        }
        if suites.is_empty() {
            return Err(Error::new(Kind::Build, "cabal ran none of the test suites")
                .hint("are they `buildable` with these flags and this compiler?"));
        }
        let planned = read_plan(&plan.stage.plan_json())?.components(Component::TestSuite);
        let planned = planned.map_err(|name| {
            Error::verification(format!("cabal planned a test suite of a name that none has: `{name}`"))
        })?;
        let missing = plan.targets.iter().flat_map(|target| target.select(&planned)).find(|planned| {
            let Executable { package, name, .. } = &planned.component;
            !suites.iter().any(|suite| suite.package == *package && suite.name == *name)
        });
        if let Some(Planned { component: Executable { package, name, .. }, .. }) = missing {
            return Err(Error::new(
                Kind::Build,
                format!("cabal planned the test suite `{package}:test:{name}` but did not run it"),
            ));
        }
        suites.sort();
        self.done.suites = suites;
        Ok(())
    }
}
