//! What a project and its build say is to reach people without effect on their terminal, their log or their shell.

use std::process::Command;

use super::{Attack, Ground, Seen};
use crate::support::Engine::{Podman, RootlessPodman};
use crate::support::output;
use crate::watch::watch;

pub(super) fn attacks() -> Vec<Attack> {
    let new = Attack::new;
    vec![
        new("build speaks to the terminal", Podman, build_speaks, "escape sequences in output and in progress"),
        new("failure speaks to the terminal", RootlessPodman, failure_speaks, "escape sequences in what is quoted"),
        new("names speak to the terminal", Podman, names_speak, "escape sequences in a name, a hint, a plan"),
        new("file speaks to the terminal", Podman, file_speaks, "escape sequences in what an ELF file names"),
        new("workflow command", Podman, workflow_command, "::error:: and ::set-output from a build, in GitHub's log"),
        new("pasted plan", Podman, pasted_plan, "a newline in out-dir, a command behind it"),
    ]
}

/// Sequences that set the title and write to the clipboard.
const SEQUENCES: &str = r"\033]0;pwned\007\033]52;c;cHduZWQ=\007\033[2J";

/// `Err` if a sequence that is not a colour is left in what was shown.
fn without_effect(shown: &str) -> Seen {
    let found =
        ["\u{1b}]0;", "\u{1b}]52;", "\u{9d}", "\u{1b}[2J"].into_iter().find(|sequence| shown.contains(sequence));
    found.map_or(Ok(format!("{} characters, none harmful", shown.chars().count())), |sequence| {
        Err(format!("{sequence:?} reached the terminal"))
    })
}

/// What a terminal shows of a command of hsx.
fn in_terminal(ground: &Ground<'_>, args: &[&str]) -> String {
    ground.project.hsx_command(args).in_terminal().finish().stdout
}

fn build_speaks(ground: &Ground<'_>) -> Seen {
    let says = format!("printf '{SEQUENCES}x\\n[1 of 1] Compiling {SEQUENCES}X ( x, y )\\n'; sleep 1");
    ground.hostile("hello", &says);
    without_effect(&in_terminal(ground, &["static", "--no-upx"]))
}

fn failure_speaks(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", &format!("printf 'cannot find -l{SEQUENCES}x\\n' >&2; exit 1"));
    without_effect(&in_terminal(ground, &["static", "--no-upx", "-q"]))
}

fn names_speak(ground: &Ground<'_>) -> Seen {
    let name = output(Command::new("printf").arg(SEQUENCES));
    ground.project.write("other.cabal.in", "");
    let text = format!(
        "cabal-version: 3.0\nname: hello\nversion: 1\ntested-with: GHC ==9.6.6\nexecutable {name}x\n  main-is: Main.hs\n"
    );
    ground.project.write("hello.cabal", &text);
    for args in
        [&["static", "--dry-run"][..], &["static", "nothing"], &["static", "--dry-run", &format!("{name}y")], &["run"]]
    {
        without_effect(&in_terminal(ground, args))?;
    }
    Ok("nothing harmful".to_owned())
}

fn file_speaks(ground: &Ground<'_>) -> Seen {
    // A header, one PT_INTERP segment after it, and what it names (elf(5)).
    ground.project.write("interpreter", &output(Command::new("printf").arg(format!("{SEQUENCES}::error::forged\\n"))));
    let header = r"\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0\1\0\0\0\0\0\0\0\0\0\0\0\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\100\0\70\0\1\0\0\0\0\0\0\0";
    let segment = r"\3\0\0\0\4\0\0\0\170\0\0\0\0\0\0\0\170\0\0\0\0\0\0\0\170\0\0\0\0\0\0\0\50\0\0\0\0\0\0\0\50\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0";
    ground.lays_out(&format!("{{ printf '{header}{segment}'; cat /src/interpreter; printf '\\0'; }} > bin/hello"));
    let shown = in_terminal(ground, &["static", "--no-upx"]);
    if !shown.contains("interpreter") {
        return Err(format!("it was not looked at: {shown}"));
    }
    without_effect(&shown)
}

fn workflow_command(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", "printf '::error::forged\\n  ::set-output name=x::y\\n##[error]forged\\n'");
    let mut command = ground.command(&["static", "--no-upx", "-v"]);
    command.env("GITHUB_ACTIONS", "true");
    let ended = watch(command);
    let said = ended.said();
    let forged = said.lines().find(|line| {
        let line = line.trim_start();
        (line.starts_with("::") || line.starts_with("##[")) && (line.contains("forged") || line.contains("set-output"))
    });
    match forged {
        Some(line) => Err(format!("a line of its own: {line}")),
        None if said.contains("forged") => Ok("shown, but no command".to_owned()),
        None => Err(format!("not shown at all: {said}")),
    }
}

fn pasted_plan(ground: &Ground<'_>) -> Seen {
    let (marker, bin) = (ground.marker(), ground.project.beside("only-id"));
    fs_err::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink("/usr/bin/id", bin.join("id")).unwrap();
    for setting in [
        format!("out-dir = \"x\\nid > {} #\"\n", marker.display()),
        format!("cabal-args = [\"--flags=x\\nid > {} #\", \"';id > {};'\"]\n", marker.display(), marker.display()),
        format!("image = {{ ref = \"x:1\\nid > {} #\" }}\n", marker.display()),
        format!("image = {{ packages = [\"$(id > {})\", \"`id > {}`\"] }}\n", marker.display(), marker.display()),
    ] {
        ground.project.write("hsx.toml", &setting);
        let plan = ground.hsx(&["static", "--dry-run"]).stdout;
        // As if it was pasted, but of all programs only `id` is there.
        let mut sh = Command::new("/bin/sh");
        sh.args(["-c", &plan.replace("set -e", ": ")]).env("PATH", &bin).current_dir(ground.victim("bin"));
        let _ = sh.output();
        if marker.exists() {
            return Err(format!("a pasted plan ran a command of the project's: {setting}"));
        }
    }
    Ok("refused or quoted".to_owned())
}
