//! The steps of a plan that are about tests.

use camino::Utf8Path;

use super::run::Run;
use crate::base::cmd::Cmd;
use crate::base::error::{Error, Kind};
use crate::tools::cabal;
use crate::world::doors::read;
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
        let results = read::text(plan.stage.test_results())
            .map_err(|error| Error::host("the container left no test results").said(&error.to_string()))?;
        let logs = plan.test_logs();
        let place = || {
            if logs.exists() {
                fs_err::remove_dir_all(&logs)?;
            }
            fs_err::rename(plan.stage.test_logs(), &logs)
        };
        place().map_err(|error| unwritable(&error))?;
        let mut suites = cabal::test_suites(&results, &plan.executables);
        for suite in &mut suites {
            suite.log = suite.log.take().and_then(|log| Some(logs.join(Utf8Path::new(log.as_str()).file_name()?)));
            suite.log = suite.log.take().filter(|log| log.exists());
        }
        if suites.is_empty() {
            return Err(Error::new(Kind::Build, "cabal ran none of the test suites")
                .hint("are they `buildable` with these flags and this compiler?"));
        }
        suites.sort();
        self.done.suites = suites;
        Ok(())
    }
}
