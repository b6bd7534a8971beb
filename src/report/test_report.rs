//! The results of test suites: the table that people read, and the JSON that programs read.

use camino::Utf8Path;
use serde_json::{Value, json};

use super::{error_json, render, seconds};
use crate::base::error::{Error, ErrorKind};
use crate::base::platform::Platform;
use crate::facts::strategy::Choice;
use crate::tools::cabal::Suite;

/// The results of all platforms.
#[derive(Debug)]
pub(crate) struct TestReport {
    pub platforms: Vec<PlatformTests>,
}

/// The results of one platform.
#[derive(Debug)]
pub(crate) struct PlatformTests {
    pub platform: Platform,
    pub choice: Choice,
    /// The version of GHC. `None`: the image's name does not tell it.
    pub ghc: Option<String>,
    /// What decided the version. `None`: it is that of the image.
    pub ghc_reason: Option<String>,
    pub image: String,
    pub warnings: Vec<String>,
    /// Hints about what the user could improve.
    pub notes: Vec<String>,
    /// Wall-clock time of build and tests, in seconds.
    pub seconds: f64,
    /// The suites that ran. A failed suite is a result here, not an error.
    pub result: Result<Vec<Suite>, Error>,
}

impl TestReport {
    /// The exit code of the whole run: that of the worst failure. A failed suite counts as a failed build, as it does
    /// for cabal.
    pub(crate) fn exit_code(&self) -> u8 {
        let errors = self.platforms.iter().filter_map(|platform| platform.result.as_ref().err());
        let failed = self.suites().any(|suite| !suite.passed).then_some(ErrorKind::Build);
        errors.map(|error| error.kind).chain(failed).max().map_or(0, ErrorKind::exit_code)
    }

    /// Whether every platform failed before a test ran. The errors say everything then.
    pub(crate) fn ran_nothing(&self) -> bool {
        self.suites().next().is_none()
    }

    fn suites(&self) -> impl Iterator<Item = &Suite> {
        self.platforms.iter().filter_map(|platform| platform.result.as_ref().ok()).flatten()
    }

    /// The report as one JSON document. Later versions may add keys, but remove none.
    pub(crate) fn json(&self) -> String {
        let platforms: Vec<Value> = self.platforms.iter().map(PlatformTests::json).collect();
        let document = json!({ "exit_code": self.exit_code(), "platforms": platforms });
        format!("{document:#}\n")
    }

    /// One line for each suite. Paths are relative to `cwd`.
    pub(crate) fn table(&self, cwd: &Utf8Path) -> String {
        let mut rows = vec![["PLATFORM", "SUITE", "RESULT", "LOG", "TIME", "STRATEGY"].map(str::to_owned).to_vec()];
        for tests in &self.platforms {
            match &tests.result {
                Ok(suites) => rows.extend(suites.iter().map(|suite| tests.row(suite, cwd))),
                Err(error) => rows.push(vec![tests.platform.to_string(), format!("failed: {}", error.message)]),
            }
        }
        render(&rows)
    }
}

impl PlatformTests {
    fn row(&self, suite: &Suite, cwd: &Utf8Path) -> Vec<String> {
        let result = match (suite.passed, &suite.reason) {
            (true, _) => "passed".to_owned(),
            (false, None) => "failed".to_owned(),
            (false, Some(reason)) => format!("failed, {reason}"),
        };
        let log = suite.log.as_ref().map_or("-", |log| log.strip_prefix(cwd).unwrap_or(log).as_str());
        vec![
            self.platform.to_string(),
            format!("{}:{}", suite.package, suite.name),
            result,
            log.to_owned(),
            seconds(self.seconds),
            self.choice.strategy.to_string(),
        ]
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "platform": self.platform,
            "strategy": self.choice.strategy,
            "reason": self.choice.reason,
            "ghc": self.ghc,
            "ghc_reason": self.ghc_reason,
            "image": self.image,
            "seconds": self.seconds,
            "warnings": self.warnings,
            "notes": self.notes,
        });
        match &self.result {
            Ok(suites) => value["suites"] = json!(suites),
            Err(error) => value["error"] = error_json(error),
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::strategy::Strategy;

    fn suite(name: &str, reason: Option<&str>) -> Suite {
        Suite {
            package: "demo".to_owned(),
            version: "1.0".to_owned(),
            name: name.to_owned(),
            passed: reason.is_none(),
            reason: reason.map(str::to_owned),
            log: Some(format!("/p/dist-static/linux-arm64/test-logs/demo-1.0-{name}.log").into()),
        }
    }

    fn report(result: Result<Vec<Suite>, Error>) -> TestReport {
        let tests = PlatformTests {
            platform: Platform::Arm64,
            choice: Choice { strategy: Strategy::Cross, reason: "because".to_owned() },
            ghc: None,
            ghc_reason: None,
            image: "x".to_owned(),
            warnings: Vec::new(),
            notes: Vec::new(),
            seconds: 3.0,
            result,
        };
        TestReport { platforms: vec![tests] }
    }

    #[test]
    fn a_suite_has_a_line() {
        let report = report(Ok(vec![suite("props", Some("exit code: 3")), suite("spec", None)]));
        let expected = "\
PLATFORM     SUITE       RESULT                LOG                                                   TIME  STRATEGY
linux/arm64  demo:props  failed, exit code: 3  dist-static/linux-arm64/test-logs/demo-1.0-props.log  3.0s  cross
linux/arm64  demo:spec   passed                dist-static/linux-arm64/test-logs/demo-1.0-spec.log   3.0s  cross
";
        assert_eq!(report.table("/p".into()), expected);
        assert_eq!(report.exit_code(), 1);
    }

    #[test]
    fn the_worst_failure_gives_the_exit_code() {
        assert_eq!(report(Ok(vec![suite("spec", None)])).exit_code(), 0);
        let mut both = report(Ok(vec![suite("spec", Some("exit code: 1"))]));
        both.platforms.extend(report(Err(Error::host("no engine"))).platforms);
        assert_eq!(both.exit_code(), 3);
        let json: Value = serde_json::from_str(&both.json()).unwrap();
        assert_eq!(json["platforms"][0]["suites"][0]["passed"], false);
        assert_eq!(json["platforms"][1]["error"]["exit_code"], 3);
    }
}
