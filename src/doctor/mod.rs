//! Judges whether this machine is ready: takes what was found (`machine`), and returns findings (`finding`) that say
//! what works, what does not, and what to type then. `world::ask::examine` looks at the machine; nothing is asked or
//! changed here.

pub(crate) mod connections;
pub(crate) mod emulation;
pub(crate) mod engines;
pub(crate) mod finding;
pub(crate) mod machine;
pub(crate) mod tools;

use std::fmt::Write as _;

use serde_json::{Value, json};

use finding::{Finding, Mark};
use machine::Machine;

/// Judges everything. The most important findings come first.
pub(crate) fn judge(machine: &Machine) -> Vec<Finding> {
    let mut findings = engines::judge(machine);
    findings.extend(emulation::judge(machine));
    findings.extend(tools::judge(machine));
    findings
}

/// The exit code: 3 when a build would fail, else 0.
pub(crate) fn exit_code(findings: &[Finding]) -> u8 {
    if findings.iter().any(|finding| finding.mark == Mark::Bad) { 3 } else { 0 }
}

/// One line for each finding, with its fixes below it.
pub(crate) fn screen(findings: &[Finding], unicode: bool) -> String {
    let width = findings.iter().map(|finding| finding.about.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for finding in findings {
        let mark = match (finding.mark, unicode) {
            (Mark::Good, true) => "✓",
            (Mark::Bad, true) => "✗",
            (Mark::Warning, _) => "!",
            (Mark::Good, false) => "+",
            (Mark::Bad, false) => "x",
        };
        let said = if unicode { finding.text.clone() } else { finding.text.replace('…', "...").replace('≥', ">=") };
        let _ = writeln!(text, "{mark} {:<width$}  {said}", finding.about);
        for fix in &finding.fixes {
            let _ = writeln!(text, "  {:<width$}    {fix}", "");
        }
    }
    let count = |mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let plural = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let (bad, warnings) = (count(Mark::Bad), count(Mark::Warning));
    let _ = match (bad, warnings) {
        (0, 0) => writeln!(text, "\nready"),
        (0, _) => writeln!(text, "\nready, with {}", plural(warnings, "warning")),
        _ => writeln!(text, "\nnot ready: {}, {}", plural(bad, "problem"), plural(warnings, "warning")),
    };
    text
}

/// The findings as one JSON document. Later versions may add keys, but remove none.
pub(crate) fn document(findings: &[Finding]) -> String {
    let findings_json: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let mark = match finding.mark {
                Mark::Good => "good",
                Mark::Warning => "warning",
                Mark::Bad => "bad",
            };
            json!({ "mark": mark, "about": finding.about, "text": finding.text, "fixes": finding.fixes })
        })
        .collect();
    let code = exit_code(findings);
    format!("{:#}\n", json!({ "exit_code": code, "ready": code == 0, "findings": findings_json }))
}

#[cfg(test)]
mod tests {
    use super::machine::tests::machine;
    use super::*;

    #[test]
    fn a_machine_where_all_is_well_is_ready() {
        let findings = judge(&machine());
        assert!(findings.iter().all(|finding| finding.mark == Mark::Good), "{}", screen(&findings, true));
        assert_eq!(exit_code(&findings), 0);
    }

    fn findings() -> Vec<Finding> {
        vec![
            Finding::good("engine", "podman 5.4.2"),
            Finding::warning("upx", "not installed").fix("sudo apt-get install upx-ucl"),
            Finding::bad("linux/arm64", "no handler").fix("one").fix("two"),
        ]
    }

    #[test]
    fn the_screen_has_a_line_a_finding_and_its_commands_below() {
        let expected = "\
✓ engine       podman 5.4.2
! upx          not installed
                 sudo apt-get install upx-ucl
✗ linux/arm64  no handler
                 one
                 two

not ready: 1 problem, 1 warning
";
        assert_eq!(screen(&findings(), true), expected);
        assert!(screen(&findings(), false).is_ascii());
        assert!(screen(&findings()[..2], true).ends_with("\nready, with 1 warning\n"));
        assert!(screen(&findings()[..1], true).ends_with("\nready\n"));
    }

    #[test]
    fn only_what_spoils_builds_makes_it_not_ready() {
        assert_eq!((exit_code(&findings()), exit_code(&findings()[..2])), (3, 0));
        let json: Value = serde_json::from_str(&document(&findings())).unwrap();
        assert_eq!((json["exit_code"].as_u64(), json["ready"].as_bool()), (Some(3), Some(false)));
        assert_eq!(json["findings"][2]["fixes"][1], "two");
    }
}
