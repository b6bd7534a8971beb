//! `hsx source`: writes the source as an engine on another machine would receive it. Printed plans call it.

use camino::Utf8PathBuf;
use clap::Args;

use crate::args::{BuilderArgs, MessageArgs};
use crate::facts::source::Source;
use crate::steps::send;
use crate::world::ask::load::{self, Purpose};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;

/// Write a project's source to standard output, as engines elsewhere are sent it
#[derive(Args, Clone, Debug)]
pub(crate) struct SourceArgs {
    /// Directory of the project; default: the nearest one up from here
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<Utf8PathBuf>,

    /// A directory outside the project that is sent too
    #[arg(long = "source-dir", value_name = "DIR")]
    source_dirs: Vec<Utf8PathBuf>,

    /// A directory or file outside the project that it may name
    #[arg(long = "allow-mount", value_name = "PATH")]
    allow_mounts: Vec<Utf8PathBuf>,

    /// A file of the project that is to be empty
    #[arg(long, value_name = "NAME")]
    hide: Vec<String>,

    /// List the files instead
    #[arg(long)]
    list: bool,

    #[command(flatten)]
    pub messages: MessageArgs,
}

/// Runs `hsx source`.
///
/// # Errors
/// When there is no project, or a file of it cannot be read.
pub(crate) fn run(args: &SourceArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let builder = BuilderArgs {
        directory: args.directory.clone(),
        source_dirs: args.source_dirs.clone(),
        allow_mounts: args.allow_mounts.clone(),
        ..BuilderArgs::default()
    };
    let mut project = load::load(&builder, Purpose::Build, &world)?.project;
    for name in &args.hide {
        project.hide(name, world.state.empty_file()?);
    }
    let source = Source::new(&project, "");
    if args.list {
        ui.print(&send::names(&source, &world)?);
    } else {
        send::print(&source, &world)?;
    }
    Ok(0)
}
