//! `hsx setup-cabal`: creates links, by which cabal finds hsx as external commands.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde_json::json;

use crate::args::{EXIT_CODES, Format, OutputArgs};
use crate::base::cmd::Cmd;
use crate::base::error::Error;
use crate::base::version::is_older;
use crate::tools::cabal::{EXTERNAL_COMMANDS, EXTERNAL_COMMANDS_SINCE};
use crate::world::doors::World;
use crate::world::doors::environment;
use crate::world::doors::environment::Environment;
use crate::world::doors::links::{self, Present};
use crate::world::doors::ui::Ui;

const HELP: &str = "\
Makes two links to hsx, `cabal-static` and `cabal-hsx`: cabal 3.12 and later runs programs of such
names, from PATH, as commands of its own. Run it again after hsx has moved; links that are right
stay as they are, and a file that is no link to hsx is never replaced.

Examples:
  hsx setup-cabal                             links beside hsx
  hsx setup-cabal --dir ~/.local/bin          or in another directory of PATH
  cabal static -p linux/arm64                 is then `hsx static -p linux/arm64`
  cabal help static                           and this its help";

/// Let cabal know hsx: `cabal static`, and `cabal hsx` for the other commands
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{HELP}\n\n{EXIT_CODES}"), after_help = "See `hsx setup-cabal --help` for examples and exit codes")]
pub(crate) struct SetupCabalArgs {
    /// Where the links go; default: beside hsx
    #[arg(long, value_name = "DIR")]
    dir: Option<Utf8PathBuf>,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `hsx setup-cabal`.
///
/// # Errors
/// When a file that is not hsx's is in the way of a link, or a link cannot be made.
pub(crate) fn run(args: &SetupCabalArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let program = environment::this_program()?;
    let beside = program.parent().unwrap_or(Utf8Path::new("/"));
    let dir = links::directory(&args.dir.as_ref().map_or_else(|| beside.to_owned(), |dir| environment.cwd.join(dir)))?;
    let places = EXTERNAL_COMMANDS.map(|(name, typed)| (dir.join(name), typed));
    // All links are checked before the first one is created.
    let links = places.iter().map(|(path, typed)| Ok((path, typed, decide(path, &links::find(path), &program)?)));
    let links = links.collect::<Result<Vec<_>, Error>>()?;
    for (path, typed, action) in &links {
        match action {
            Action::Keep => ui.status("Kept", &format!("{path}, for `{typed}`")),
            Action::Link => {
                links::make(path, &program)?;
                ui.status("Linked", &format!("{path}, for `{typed}`"));
            }
        }
    }
    for warning in doubts(&dir, &world)? {
        ui.warning(&warning);
    }
    match args.output.format {
        Format::Text => links.iter().for_each(|(path, ..)| ui.print(&format!("{path}\n"))),
        Format::Json | Format::JsonLines => {
            let links = links.iter().map(|(path, typed, action)| {
                json!({ "path": path, "target": program, "command": typed, "made": *action == Action::Link })
            });
            ui.print(&format!("{:#}\n", json!({ "exit_code": 0, "links": links.collect::<Vec<_>>() })));
        }
    }
    Ok(0)
}

/// What to do about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Keep,
    Link,
}

/// Decides about a link. hsx replaces only a link that leads, or led, to a program called `hsx`.
fn decide(path: &Utf8Path, found: &Present, program: &Utf8Path) -> Result<Action, Error> {
    let is_hsx = |target: &Utf8PathBuf| target.file_name() == program.file_name() || target.file_name() == Some("hsx");
    match found {
        Present::Nothing => Ok(Action::Link),
        Present::Link(target) if target == program => Ok(Action::Keep),
        Present::Link(target) if is_hsx(target) => Ok(Action::Link),
        Present::Link(_) | Present::Other => Err(Error::usage(format!("`{path}` is there, and is no link to hsx"))
            .hint("move it away, or choose another directory with `--dir`")),
    }
}

/// Reasons why cabal may not find or use the links.
fn doubts(dir: &Utf8Path, world: &World<'_>) -> Result<Vec<String>, Error> {
    let mut doubts = Vec::new();
    if !world.environment.is_on_path(dir) {
        doubts.push(format!("`{dir}` is not on PATH, where cabal looks for its commands: add it, or use `--dir`"));
    }
    if world.environment.find("cabal").is_some() {
        let answer = world.exec.capture(&Cmd::new("cabal").arg("--numeric-version"))?;
        let version = answer.stdout.trim();
        if is_older(version, EXTERNAL_COMMANDS_SINCE) == Some(true) {
            doubts
                .push(format!("cabal {version} knows no external commands: they came with {EXTERNAL_COMMANDS_SINCE}"));
        }
    }
    Ok(doubts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_hsx_are_replaced() {
        let program = Utf8Path::new("/opt/hsx/bin/hsx");
        let link = |target: &str| Present::Link(target.into());
        for (found, action) in [
            (Present::Nothing, Some(Action::Link)),
            (link("/opt/hsx/bin/hsx"), Some(Action::Keep)),
            (link("/old/place/hsx"), Some(Action::Link)),
            (link("/usr/bin/true"), None),
            (Present::Other, None),
        ] {
            let path = Utf8Path::new("/bin/cabal-static");
            assert_eq!(decide(path, &found, program).ok(), action, "{found:?}");
        }
    }
}
