//! `hsx cache`: lists and removes what hsx made in an engine.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::args::{EngineArgs, Format, OutputArgs};
use crate::base::age::Age;
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::report::storage::{Filter, Item, Refusal, summary, table, total};
use crate::settings;
use crate::tools::engine::Engine;
use crate::world::ask::engines::{self, EngineFacts};
use crate::world::ask::load;
use crate::world::ask::storage::{self, Measure};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;

const KEPT: &str = "\
What is kept:
  store   the package store of a platform and image: compiled dependencies. One with a project is
          that project's own (`--store project`), the others are shared
  index   the package index of a platform and image
  build   the build directory of a project, and what it downloaded
  cross   the toolchain of the cross strategy
  native  the image that a toolchain is made from, where the engine had to copy it
  image   an image with packages added
  run     containers, which only a killed hsx leaves behind

  All of it carries the label `hsx.kind`. Images that hsx pulled are the engine's own and not among
  it. Everything may be removed: the next build is slower, never wrong. On the host there are packed
  executables besides, in $XDG_CACHE_HOME/hsx or ~/.cache/hsx: at most 512 MiB, which hsx sees to.";

const EXIT_CODES: &str = "\
Exit codes:
    0  done
    2  usage
    3  the engine does not answer, or refuses
  128+N  ended by signal N";

/// List or remove what hsx keeps in the container engine
#[derive(Args, Clone, Debug)]
#[command(after_long_help = format!("{KEPT}\n\n{EXIT_CODES}"), after_help = "See `hsx cache --help` for what is kept")]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub command: CacheCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CacheCommand {
    List(ListArgs),
    Prune(PruneArgs),
}

impl CacheArgs {
    pub(crate) fn output(&self) -> &OutputArgs {
        match &self.command {
            CacheCommand::List(args) => &args.output,
            CacheCommand::Prune(args) => &args.output,
        }
    }
}

/// List what hsx keeps, with its size, age, platform and project
///
/// The age is the time since a build of yours last used it, or since it was made.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = format!("{KEPT}\n\n{EXIT_CODES}"), after_help = "See `hsx cache list --help` for what is kept")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub engine: EngineArgs,

    #[command(flatten)]
    pub output: OutputArgs,
}

const PRUNE_HELP: &str = "\
Examples:
  hsx cache prune --older-than 30d            what no build has used for a month
  hsx cache prune --project . -p arm64        the build directories of this project for linux/arm64
  hsx cache prune --all --yes                 everything, without a question
  hsx cache prune --all --dry-run             the commands, to read or to paste into a shell";

/// Remove what hsx keeps, or some of it
///
/// Removes what fits all of the conditions, and never what a running hsx uses or what is not hsx's own. On a terminal
/// it asks first.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = format!("{PRUNE_HELP}\n\n{KEPT}\n\n{EXIT_CODES}"), after_help = "See `hsx cache prune --help` for examples")]
pub(crate) struct PruneArgs {
    /// What was not used for this long: `12h`, `30d`, `4w`
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<Age>,

    /// What belongs to the project in this directory, which may be gone
    #[arg(long, value_name = "DIR")]
    pub project: Option<Utf8PathBuf>,

    /// What belongs to these platforms
    #[arg(short, long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    pub platforms: Vec<Platform>,

    /// Everything
    #[arg(long, conflicts_with_all = ["older_than", "project", "platforms"])]
    pub all: bool,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Print the commands instead of running them, as shell
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub engine: EngineArgs,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `hsx cache`.
///
/// # Errors
/// When no engine answers, or the user did not say what to remove.
pub(crate) fn run(args: &CacheArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    Ok(match &args.command {
        CacheCommand::List(args) => list(args, &world),
        CacheCommand::Prune(args) => prune(args, &world),
    }?)
}

fn list(args: &ListArgs, world: &World<'_>) -> Result<u8, Error> {
    let (engine, items) = gather(&args.engine, world)?;
    match args.output.format {
        Format::Text if items.is_empty() => world.ui.status("Nothing", &format!("of hsx's is in {}", engine.program)),
        Format::Text => world.ui.print(&table(&items)),
        Format::Json | Format::JsonLines => {
            let entries: Vec<_> = items.iter().map(Item::json).collect();
            let document = json!({ "exit_code": 0, "engine": engine.program, "size": total(&items), "items": entries });
            world.ui.print(&format!("{document:#}\n"));
        }
    }
    Ok(0)
}

fn prune(args: &PruneArgs, world: &World<'_>) -> Result<u8, Error> {
    let filter = filter(args, world.environment)?;
    let (engine, items) = gather(&args.engine, world)?;
    let wanted = items.iter().filter(|item| item.fits(&filter));
    let (held, chosen): (Vec<Item>, Vec<Item>) = wanted.cloned().partition(|item| item.held.is_some());
    if args.dry_run {
        for item in &chosen {
            world.ui.print(&format!("{}\n", item.removal(&engine)));
        }
        return Ok(0);
    }
    if !chosen.is_empty() && !args.yes && !confirmed(&chosen, world)? {
        world.ui.status("Kept", "all of it");
        return Ok(0);
    }
    let kept = held.iter().map(|item| (item, item.held.unwrap_or_default().to_owned()));
    let mut pruned = PruneReport { kept: kept.collect(), ..PruneReport::default() };
    for item in &chosen {
        match storage::remove(item, &items, &engine, world)? {
            Ok(()) => pruned.removed.push(item.clone()),
            Err(Refusal::InUse(why)) => pruned.kept.push((item, why)),
            Err(Refusal::Failed(why)) => pruned.failed.push((item, why)),
        }
    }
    for (item, why) in pruned.kept.iter().chain(&pruned.failed) {
        world.ui.warning(&format!("`{}` stays: {why}", item.name));
    }
    match args.output.format {
        Format::Text => world.ui.status("Removed", &summary(&pruned.removed)),
        Format::Json | Format::JsonLines => world.ui.print(&format!("{:#}\n", pruned.json())),
    }
    Ok(pruned.exit_code())
}

#[derive(Default)]
struct PruneReport<'a> {
    removed: Vec<Item>,
    kept: Vec<(&'a Item, String)>,
    failed: Vec<(&'a Item, String)>,
}

impl PruneReport<'_> {
    fn exit_code(&self) -> u8 {
        if self.failed.is_empty() { 0 } else { 3 }
    }

    fn json(&self) -> Value {
        let stayed = |list: &[(&Item, String)]| -> Vec<Value> {
            list.iter().map(|(item, why)| json!({ "name": item.name, "reason": why })).collect()
        };
        json!({
            "exit_code": self.exit_code(),
            "removed": self.removed.iter().map(Item::json).collect::<Vec<_>>(),
            "kept": stayed(&self.kept),
            "failed": stayed(&self.failed),
            "freed": total(&self.removed),
        })
    }
}

fn filter(args: &PruneArgs, environment: &Environment) -> Result<Filter, Error> {
    if !args.all && args.older_than.is_none() && args.project.is_none() && args.platforms.is_empty() {
        return Err(Error::usage("`hsx cache prune` is not told what to remove")
            .hint("`--older-than 30d`, `--project DIR`, `--platform PLATFORM`, or `--all`"));
    }
    let project = args.project.as_ref().map(|dir| load::real_path(&environment.cwd.join(dir)));
    Ok(Filter { older_than: args.older_than, project, platforms: args.platforms.clone() })
}

fn gather(args: &EngineArgs, world: &World<'_>) -> Result<(Engine, Vec<Item>), Error> {
    let user_file = load::user_file(world.environment)?;
    let asked = settings::engine(args, &user_file);
    if args.connections.iter().any(|connection| connection.platform.is_some()) {
        return Err(
            Error::usage("`hsx cache` looks at one engine").hint("name its connection alone: `--connection NAME`")
        );
    }
    let connection = settings::connection(args, (None, &user_file), None)?;
    let EngineFacts { engine, info, .. } = engines::ask(asked.as_deref(), connection.as_deref(), world)?;
    let items = storage::items(&engine, &info, Measure::Yes, world)?;
    Ok((engine, items))
}

fn confirmed(chosen: &[Item], world: &World<'_>) -> Result<bool, Error> {
    world.ui.confirm(&table(chosen), "Remove this?").ok_or_else(|| {
        Error::usage("`hsx cache prune` asks before it removes, and there is no terminal to ask on")
            .hint("`--yes` removes without asking, `--dry-run` shows what would be removed")
    })
}
