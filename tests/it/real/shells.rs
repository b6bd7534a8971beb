//! Completions in the shells that load them, and manual pages in the program that formats them.

use std::process::Command;

use crate::real::support::output;

fn hsx(args: &[&str]) -> String {
    output(Command::new(env!("CARGO_BIN_EXE_hsx")).args(args))
}

/// Writes the completions for a shell where it will look for them; tells the directory.
fn completions(shell: &str, file: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join(file), hsx(&["completions", shell])).unwrap();
    dir
}

#[test]
fn bash_completes_commands_and_values() {
    let dir = completions("bash", "hsx");
    let complete = |words: &str, current: &str| {
        let script = format!(
            ". ./hsx && COMP_WORDS=({words}) COMP_CWORD={current} && _hsx hsx \"${{COMP_WORDS[$COMP_CWORD]}}\" \
             \"${{COMP_WORDS[$COMP_CWORD-1]}}\" && echo \"${{COMPREPLY[*]}}\""
        );
        output(Command::new("bash").args(["--norc", "-euc", &script]).current_dir(dir.path()))
    };
    assert_eq!(complete("hsx sta", "1"), "static\n");
    assert_eq!(complete("hsx static --strat", "2"), "--strategy\n");
    assert_eq!(complete("hsx static --strategy ''", "3"), "auto cross emulate\n");
}

#[test]
fn zsh_finds_and_loads_them() {
    let dir = completions("zsh", "_hsx");
    let script = "fpath=($PWD $fpath); autoload -U compinit && compinit -u -D && print $_comps[hsx] && autoload +X _hsx && \
                  functions _hsx | grep -c strategy";
    let said = output(Command::new("zsh").args(["-f", "-e", "-c", script]).current_dir(dir.path()));
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("_hsx"));
    assert!(lines.next().is_some_and(|count| count != "0"), "{said}");
}

#[test]
fn fish_completes_commands_and_values() {
    let dir = completions("fish", "hsx.fish");
    let complete = |line: &str| {
        let script = format!("source hsx.fish; complete --do-complete '{line}'");
        output(
            Command::new("fish").args(["--no-config", "-c", &script]).current_dir(dir.path()).env("HOME", dir.path()),
        )
    };
    assert!(complete("hsx sta").starts_with("static\tBuild static executables"));
    let values = complete("hsx static --strategy ");
    assert!(["auto\t", "cross\t", "emulate\t"].iter().all(|value| values.contains(value)), "{values}");
}

#[test]
fn groff_formats_every_page_without_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("man1");
    hsx(&["man", "--dir", path.to_str().unwrap()]);
    for entry in fs_err::read_dir(&path).unwrap() {
        let page = entry.unwrap().path();
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tutf8", "-Kutf8", "-ww", "-P-cbou"]).arg(&page);
        let formatted = groff.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&formatted.stderr), "", "{}", page.display());
        assert!(String::from_utf8_lossy(&formatted.stdout).contains("SYNOPSIS"), "{}", page.display());
    }
}
