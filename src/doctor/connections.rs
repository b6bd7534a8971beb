//! Judges the engines on other machines that the platforms' settings name.

use super::finding::Finding;
use crate::base::error::Error;
use crate::tools::engine::Info;

/// Judges a connection. `answer` holds the program that knows the connection, and what its engine said of itself.
pub(crate) fn judge(name: &str, answer: Result<(&str, &Info), &Error>) -> Finding {
    match answer {
        Ok((program, Info { version, platform: Some(platform), .. })) => {
            Finding::good("connection", format!("`{name}` leads to {program} {version}, {platform}"))
        }
        Ok((program, Info { version, platform: None, .. })) => {
            let text = format!("`{name}` leads to {program} {version}, whose platform is none that hsx knows");
            Finding::bad("connection", text).fix("`--connection` takes another")
        }
        Err(error) => {
            let why = error.said.last().map(|line| format!(": {line}")).unwrap_or_default();
            let finding = Finding::bad("connection", format!("{}{why}", error.message));
            error.hints.iter().cloned().fold(finding, Finding::fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    #[test]
    fn an_engine_that_does_not_answer_is_bad() {
        let error = Error::host("nobody is there").said("refused").hint("type this");
        let finding = judge("far", Err(&error));
        assert_eq!((finding.mark, finding.text.as_str()), (Mark::Bad, "nobody is there: refused"));
        assert_eq!(finding.fixes, ["type this"]);
    }
}
