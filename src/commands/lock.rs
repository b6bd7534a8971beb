//! `hsx lock`: writes down the versions that `--locked` builds use.

use std::collections::BTreeMap;

use clap::Args;

use crate::args::{BuilderArgs, EXIT_CODES, MessageArgs, ResultArgs};
use crate::base::cmd::Values;
use crate::base::error::Error;
use crate::base::place::Place;
use crate::base::platform::Platform;
use crate::plan::Plan;
use crate::project::Project;
use crate::settings::lockfile::{FILE_NAME, Lockfile};
use crate::settings::{self, Arguments, Platforms};
use crate::steps::write_file::WriteFile;
use crate::world::ask::load::Purpose;
use crate::world::ask::{engines, images, load};
use crate::world::doors::environment;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::doors::{World, write};

const HELP: &str = "\
hsx.lock, beside cabal.project, holds
  - the digests of the builder image's tag, one a platform, as the registry has them now: tags are
    built again in place
  - the index-state: the project's own, or the beginning of yesterday
  - the version of hsx
Keep it in git. Builds with `--locked` (or HSX_LOCKED=true) use these, and fail with exit code 2
where the project, its settings or hsx have changed so that they do not fit any more. Packages that
are added to the image (`--image-package`) are those of the day all the same.

Examples:
  hsx lock                                    write it, or bring it up to date
  hsx lock --dry-run                          what it would write
  hsx static --locked                         build with it";

/// Write the image digests and the index-state to hsx.lock
///
/// Asks the registry for the digests behind the image's tag, for every platform, and writes them down for `--locked`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{HELP}\n\n{EXIT_CODES}"), after_help = "See `hsx lock --help` for examples and exit codes")]
pub(crate) struct LockArgs {
    #[command(flatten)]
    builder: BuilderArgs,

    /// Print the commands instead of running them, as shell
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    pub messages: MessageArgs,
}

/// Runs `hsx lock`.
///
/// # Errors
/// When the registry does not know an image, or the file cannot be written.
pub(crate) fn run(args: &LockArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let loaded = load::load(&args.builder, Purpose::Look, &world)?;
    let asked = settings::engine(&args.builder.engine, &loaded.user_file);
    let files = [&loaded.project_file, &loaded.user_file];
    let connection = settings::connection(&args.builder.engine, (Some(files[0]), files[1]), None)?;
    let known = engines::ask(asked.as_deref(), connection.as_deref(), &world)?;
    let mut builder = args.builder.clone();
    if builder.platforms.is_empty() {
        // Another user's machine may have another platform, and build for this one from there.
        builder.platforms = Platform::all().collect();
    }
    let result = ResultArgs::default();
    let typed = Arguments { targets: &[], builder: &builder, result: &result, platforms: Platforms::Several };
    let settings = settings::resolve(typed, files, &loaded.project, |_| known.platform(), &environment.cwd)?;
    if settings.offline || args.builder.locked {
        return Err(Error::usage("`hsx lock` asks the registry, which `--offline` and `--locked` rule out").into());
    }
    let root = Place::of_user(&loaded.project.root);
    write::is_no_link(&root, FILE_NAME)?;
    let mut images = BTreeMap::new();
    for build in &settings.platforms {
        if !images.contains_key(&build.image) {
            images.insert(build.image.clone(), images::digests(&known.engine, &build.image, &world)?);
        }
    }
    let lockfile = Lockfile::new(&loaded.project, images, environment::now(None));
    let plan = plan(&loaded.project, &lockfile);
    if args.dry_run {
        ui.print(&plan.shell());
        return Ok(0);
    }
    let old = load::read_lockfile(&loaded.project.root).ok();
    if let Some(file) = &plan.file {
        file.follow(&Values::default(), &world)?;
    }
    for change in old.map(|old| lockfile.changes(&old)).unwrap_or_default() {
        ui.status("Changed", &change);
    }
    Ok(0)
}

/// Decides what a run does: it writes the file.
fn plan(project: &Project, lockfile: &Lockfile) -> Plan<()> {
    let dir = Place::of_user(&project.root);
    let file = WriteFile { dir, name: FILE_NAME, text: lockfile.text(), force: true, verb: "Locked" };
    Plan { file: Some(file), ..Plan::default() }
}
