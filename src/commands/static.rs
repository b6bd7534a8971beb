//! `hsx static`: gathers facts, plans, prints or follows the plan, and reports.

use std::time::Instant;

use clap::Args;

use super::freeze;
use super::gather::{PlanInputs, ResolvedProject, Select, find, gather, gather_loaded, load};
use crate::args::{BuilderArgs, EXIT_CODES, Format, OutputArgs, ResultArgs};
use crate::base::cmd::Values;
use crate::base::error::Error;
use crate::base::place::Place;
use crate::base::platform::Platform;
use crate::facts::container_name::Phase;
use crate::facts::strategy::Strategy;
use crate::facts::{Facts, Host};
use crate::plan::builder::{Builder, with_fallback};
use crate::plan::{Plan, PlatformPlan, Share, share};
use crate::project::freeze::Origin;
use crate::project::target::{Planned, Target};
use crate::project::{Executable, Project, Selection};
use crate::report::event::Event;
use crate::report::{Delivered, PlatformReport, Report, timings};
use crate::settings::{self, Arguments, Packing, Platforms, Settings};
use crate::steps::build::{self, Build};
use crate::steps::collect::{Collect, Remove};
use crate::steps::data::OwnData;
use crate::steps::deliver::Deliver;
use crate::steps::deliver_data::DeliverData;
use crate::steps::pack::Pack;
use crate::steps::prepare::Prepare;
use crate::steps::stage::{InStage, Stage};
use crate::steps::step::Step;
use crate::steps::try_out::{self, TrialRun, TryOut};
use crate::steps::verify::Verify;
use crate::tools::binfmt::Emulation;
use crate::tools::cabal;
use crate::tools::engine::{Container, Lifetime, Mount, Stdin};
use crate::world::ask::engines::{AskPolicy, Engines};
use crate::world::ask::fresh::{self, BuildRequest, Fingerprint, SourceTree};
use crate::world::ask::load::ProjectFiles;
use crate::world::ask::machine;
use crate::world::doors::World;
use crate::world::doors::at_once::side_by_side;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::doors::write::{append, replace};
use crate::world::follow::{platform, prepare};

const STATIC_HELP: &str = "\
Settings:
  Each is taken from the first place that has it: the flag, its HSX_* variable (HSX_OUT_DIR,
  HSX_TARGET, …; an empty one counts as unset), the project's `hsx.toml`, your `config.toml` (in
  $XDG_CONFIG_HOME/hsx or ~/.config/hsx), what the project says (`with-compiler:` in cabal.project,
  `tested-with:` in the .cabal file), the default.

  # hsx.toml
  platforms = [\"linux/amd64\", \"linux/arm64\"]
  targets = [\"exe:server\"]
  ghc = \"9.6.7\"
  bignum = \"native\"
  image = { ref = \"quay.io/benz0li/ghc-musl\", packages = [\"xz-dev\", \"xz-static\"] }
  cabal-args = [\"--flags=+release\"]
  [platform.\"linux/arm64\"]
  ghc = \"9.10.3\"

  Also: strategy, connection, out-dir, jobs, strip, upx; `native-packages` in `image`, for `cross`.
  Only in your `config.toml`, because they reach the host: engine, engine-args, upx-args;
  allow-mounts, what builds may see outside of their projects; connections, which engines elsewhere
  projects may take.

Results:
  dist-static/linux-ARCH/NAME, each replaced only by a verified one. Where neither they nor anything
  in the mounted directories, the settings and the image has changed since they were built, nothing
  is started: `--force` builds all the same. Not looked at: `dist-newstyle`, `dist-static` and git's
  objects; `--pull` asks whether the image has changed. Your source is mounted
  read-only; the package store and the build directory are volumes labelled `hsx.kind`.

Engines elsewhere:
  `connection` names a podman connection or a docker context, for all platforms or for one; where it
  leads is the engine's own to know (`podman system connection add`, `docker context create`).
  Platforms of several engines are built at the same time. The source is sent, and only what has
  changed since the last time: in a git repository what git does not ignore, the files that decide
  cabal's plan, and `.git`. So it is where DOCKER_HOST or CONTAINER_HOST leads to another machine.
  `--connection PLATFORM=` takes the engine here all the same.

Events:
  `--format json-lines` prints a line of JSON for each event, as it comes: `event` is its kind,
  `platform` what it is about, `time` the seconds since hsx began. Kinds: `phase`; `package` and
  `module`, with `number` and `of`; `finish`, with what `--format json` has of the platform; and
  `end`, the last, with `exit_code`. New kinds and keys may come, none goes.

Examples:
  hsx static                                  every executable, for this machine's architecture
  hsx static -p linux/amd64,linux/arm64       for both
  hsx static exe:server --ghc 9.6.7           one executable, with another compiler
  hsx static -p amd64,arm64 --connection arm64=graviton    one of them on an engine elsewhere
  hsx static --dry-run                        the commands, to read or to paste into a shell";

/// Build static executables for one or more platforms
///
/// Runs cabal inside the ghc-musl image of each platform, takes the executables out, checks that they
/// are static, packs them with upx where that is installed, and proves that the packed ones still start.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{STATIC_HELP}\n\n{EXIT_CODES}"), after_help = "See `hsx static --help` for settings, exit codes and examples")]
pub(crate) struct StaticArgs {
    /// What to build, as cabal spells it: `exe:NAME`, `PACKAGE:exe:NAME`, `PACKAGE`; default: every executable
    #[arg(value_name = "TARGET", value_delimiter = ',', env = "HSX_TARGET", hide_env = true)]
    pub targets: Vec<String>,

    #[command(flatten)]
    pub builder: BuilderArgs,

    #[command(flatten)]
    pub result: ResultArgs,

    /// Freeze the versions for this build only, as `hsx freeze` would in a file
    #[arg(long, value_enum, value_name = "FROM", num_args = 0..=1, default_missing_value = "auto", require_equals = true, help_heading = "Build")]
    pub freeze: Option<Origin>,

    /// Write a page that shows what took how long, beside the logs
    #[arg(long)]
    pub timings: bool,

    /// Print the commands instead of running them, as shell
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `hsx static`.
///
/// # Errors
/// When something keeps it from starting. Failed builds are part of the report that it prints.
pub(crate) fn run(args: &StaticArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let typed = Arguments {
        targets: &args.targets,
        builder: &args.builder,
        result: &args.result,
        platforms: Platforms::Several,
    };
    let select = |project: &Project, settings: &Settings| project.select(&settings.targets);
    let report = match args.freeze {
        Some(origin) => report_frozen(typed, origin, args.dry_run, &world)?,
        None => report(typed, &select, args.dry_run, &world)?,
    };
    let Some(report) = report else { return Ok(0) };
    match args.output.format {
        Format::Text if report.delivered_nothing() => {}
        Format::Text => ui.print(&report.table(ui.width(), &environment.cwd)),
        Format::Json => ui.print(&report.json()),
        Format::JsonLines => ui.tell(Event::End { exit_code: report.exit_code(), error: None }),
    }
    if args.timings {
        let dir =
            args.builder.directory.as_ref().map_or_else(|| environment.cwd.clone(), |dir| environment.cwd.join(dir));
        let name = dir.file_name().unwrap_or("project");
        let (logs, file) = (world.state.dir().join("logs"), format!("{name}-timings.html"));
        replace(&Place::of_user(&logs), &file, &timings::page(name, &ui.events()), true)?;
        ui.status("Timings", logs.join(file).as_str());
    }
    if let Some(path) = &environment.step_summary {
        append(path, &report.markdown(&environment.cwd));
    }
    for platform in &report.platforms {
        if let Err(error) = &platform.result {
            ui.error(&error.clone().on(platform.platform));
        }
    }
    Ok(report.exit_code())
}

/// Builds the platforms for which something has changed since the last build. `None`: the plan was printed instead.
fn report(
    typed: Arguments<'_>,
    select: Select<'_>,
    dry_run: bool,
    world: &World<'_>,
) -> anyhow::Result<Option<Report>> {
    let loaded = load(typed, world)?;
    let FreshPlatforms { mut order, fresh, .. } = check(typed, &loaded, select, world)?;
    let mut builder = typed.builder.clone();
    let mut plan = Plan { fresh: fresh.iter().map(|report| report.platform).collect(), ..Plan::default() };
    let mut built = Vec::new();
    if fresh.is_empty() || fresh.len() < order.len() {
        if !fresh.is_empty() {
            builder.platforms = order.iter().copied().filter(|platform| !plan.fresh.contains(platform)).collect();
        }
        let typed = Arguments { builder: &builder, ..typed };
        let PlanInputs { project, settings, selection, known, facts } = gather_loaded(typed, &loaded, select, world)?;
        plan = Plan { fresh: plan.fresh, ..self::plan(&project, &settings, &selection, &facts)? };
        if order.is_empty() {
            order = plan.platforms.iter().map(|plan| plan.job.platform).collect();
        }
        if !dry_run {
            let wanted = BuildRequest { project: &project, settings: &settings, selection: &selection, known: &known };
            built = execute(&plan, &Values::default(), &facts, Some(wanted), world)?.platforms;
        }
    }
    if dry_run {
        world.ui.print(&plan.shell());
        return Ok(None);
    }
    for platform in &plan.fresh {
        world.ui.status("Fresh", &format!("{platform} is up to date"));
    }
    for report in &fresh {
        world.ui.event(report.platform, report.event());
    }
    let mut platforms: Vec<_> = fresh.into_iter().chain(built).collect();
    platforms.sort_by_key(|report| order.iter().position(|platform| *platform == report.platform));
    Ok(Some(Report { freeze: None, mounts: loaded.project.mounts.clone(), platforms }))
}

/// Makes a freeze, then builds with its lines. `None`: the plan was printed instead.
fn report_frozen(
    typed: Arguments<'_>,
    origin: Origin,
    dry_run: bool,
    world: &World<'_>,
) -> anyhow::Result<Option<Report>> {
    let select = |project: &Project, settings: &Settings| project.select(&settings.targets);
    let mut gathered = gather(typed, &select, world)?;
    let freeze = freeze::plan(&gathered, origin, world.environment)?;
    let own_index_state = gathered.project.index_state.clone();
    if origin != Origin::File && gathered.project.freeze_file().is_some() {
        world.ui.warning(
            "the versions in the present `cabal.project.freeze` are not heeded: `--freeze=file` keeps to them",
        );
    }
    freeze::heed(&mut gathered, world)?;
    let PlanInputs { project, settings, selection, facts, .. } = gathered;
    let plan = plan(&project, &settings, &selection, &facts)?;
    if dry_run {
        world.ui.print(&format!("{}{}\n{}", freeze.shell(), freeze::LINES, plan.steps()));
        return Ok(None);
    }
    let frozen = freeze::follow(&freeze, &project, &facts.system, world)?;
    freeze::tell(&frozen, world.ui);
    let values = freeze::values(&frozen, own_index_state);
    let report = execute(&plan, &values, &facts, None, world)?;
    Ok(Some(Report { freeze: Some(freeze::json(&frozen)), mounts: project.mounts, ..report }))
}

/// The executable that is asked for, and its platform, when it is up to date and hsx itself runs on that platform. It
/// counts even when it was built together with all that `hsx static` builds.
///
/// # Errors
/// When a setting or the selection is not usable.
pub(crate) fn fresh_program(
    typed: Arguments<'_>,
    loaded: &ProjectFiles,
    select: Select<'_>,
    world: &World<'_>,
) -> Result<Option<(Platform, Delivered)>, Error> {
    let checked = check(typed, loaded, select, world)?;
    let program = |fresh: &[PlatformReport]| {
        let [PlatformReport { platform, result: Ok(delivered), .. }] = fresh else { return None };
        let program = (machine::machine() == Some(*platform)).then(|| only(delivered, &checked.targets)).flatten()?;
        Some((*platform, program))
    };
    if let Some(program) = program(&checked.fresh) {
        return Ok(Some(program));
    }
    let all = |project: &Project, settings: &Settings| project.select(&settings.targets);
    Ok(check(Arguments { targets: &[], ..typed }, loaded, &all, world).ok().and_then(|all| program(&all.fresh)))
}

/// The delivered executable that the targets mean. `None`: there is no such executable, or more than one.
pub(crate) fn only(delivered: &[Delivered], targets: &[Target]) -> Option<Delivered> {
    let planned: Vec<_> = delivered
        .iter()
        .map(|exe| Planned {
            component: Executable {
                package: exe.package.clone(),
                version: exe.version.clone(),
                name: exe.name.clone(),
            },
            place: None,
            is_local: true,
        })
        .collect();
    let mut selected: Vec<_> = targets.iter().flat_map(|target| target.select(&planned)).collect();
    selected.sort();
    selected.dedup();
    match (&selected[..], delivered) {
        ([one], _) => delivered.iter().find(|exe| exe.name == one.component.name).cloned(),
        // A path as target is not understood here, but a single executable leaves no doubt.
        ([], [one]) => Some(one.clone()),
        _ => None,
    }
}

/// The platforms asked for, as far as they are known yet, and the reports of those that are up to date.
#[derive(Default)]
struct FreshPlatforms {
    order: Vec<Platform>,
    fresh: Vec<PlatformReport>,
    /// The targets asked for.
    targets: Vec<Target>,
}

/// Finds the platforms that are up to date, without asking an engine.
fn check(
    typed: Arguments<'_>,
    loaded: &ProjectFiles,
    select: Select<'_>,
    world: &World<'_>,
) -> Result<FreshPlatforms, Error> {
    let start = Instant::now();
    if typed.result.force || typed.result.clean || typed.builder.pull {
        return Ok(FreshPlatforms::default());
    }
    let asked = settings::engine(&typed.builder.engine, &loaded.user_file);
    let engines = Engines::new(asked.as_deref(), AskPolicy::Memory, world);
    let Some(found) = find(typed, loaded, select, &engines, world)? else { return Ok(FreshPlatforms::default()) };
    let ResolvedProject { project, settings, selection, known } = found;
    let wanted = BuildRequest { project: &project, settings: &settings, selection: &selection, known: &known };
    let mut checked = FreshPlatforms {
        order: settings.platforms.iter().map(|build| build.platform).collect(),
        fresh: Vec::new(),
        targets: selection.targets.clone(),
    };
    let Some(mut sources) = SourceTree::look(wanted, world) else { return Ok(checked) };
    for build in &settings.platforms {
        let decided = fresh::decided(wanted, build, world);
        if let Some(report) = decided.and_then(|decided| fresh::recall(&decided, build.platform, &mut sources, world)) {
            checked.fresh.push(PlatformReport { seconds: start.elapsed().as_secs_f64(), ..report });
        }
    }
    Ok(checked)
}

/// Decides everything that a run does.
///
/// # Errors
/// When a platform cannot be built for on this machine, or upx is required and missing.
pub(crate) fn plan(
    project: &Project,
    settings: &Settings,
    selection: &Selection,
    facts: &Facts,
) -> Result<Plan<Vec<Delivered>>, Error> {
    if settings.upx == Packing::Required && facts.upx.is_none() {
        return Err(Error::host("upx is asked for but not on PATH").hint("install upx, or build with `--no-upx`"));
    }
    let prepare = Prepare::to_deliver(project, settings, facts)?;
    let shares: Vec<_> = facts.hosts.iter().map(|host| share_of(host, settings)).collect();
    let jobs_of =
        |platform| shares.iter().find(|share| share.platforms.contains(&platform)).and_then(|share| share.jobs);
    let platforms = settings.platforms.iter().map(|build| {
        let jobs = jobs_of(build.platform);
        with_fallback(build, facts, |choice, again| {
            Planner::new(Builder::new(project, settings, facts, build, choice, again), selection, jobs).plan()
        })
    });
    let platforms = platforms.collect::<Result<_, Error>>()?;
    Ok(Plan { platforms, prepare, shares, serial: settings.serial, ..Plan::default() })
}

/// How the platforms that an engine builds for share its machine.
fn share_of(host: &Host, settings: &Settings) -> Share {
    let platforms = if settings.serial { 1 } else { host.builds.len() };
    let (at_once, jobs) = share(platforms, settings.jobs, host.cores, host.memory);
    Share { platforms: host.builds.clone(), at_once, jobs }
}

/// Plans one platform.
struct Planner<'a> {
    builder: Builder<'a>,
    selection: &'a Selection,
    stage: Stage,
    cabal_args: Vec<String>,
}

impl<'a> Planner<'a> {
    fn new(builder: Builder<'a>, selection: &'a Selection, jobs: Option<u32>) -> Self {
        let settings = builder.settings;
        Self {
            stage: builder.stage(&builder.key),
            cabal_args: cabal::build_args(&selection.words(), jobs, &settings.cabal_args),
            selection,
            builder,
        }
    }

    fn plan(&self) -> PlatformPlan<Vec<Delivered>> {
        let builder = &self.builder;
        let names =
            builder.container_names(&[Phase::Copy, Phase::Cross, Phase::Index, Phase::Fetch, Phase::Build, Phase::Try]);
        let work = InStage { stage: self.stage.clone(), out_dir: builder.out_dir(), steps: self.steps() };
        let mut plan = builder.plan(&builder.key, &names, builder.locks(), builder.preparation(), work);
        plan.fetch_inputs = Some(builder.fetch_inputs(&self.cabal_args));
        plan
    }

    /// The steps from the source to the output directory.
    fn steps(&self) -> impl Step<Input = (), Output = Vec<Delivered>> + use<> {
        let Self { builder, stage, .. } = self;
        let Builder { settings, facts, host, .. } = builder;
        let (engine, platform) = (&host.engine, builder.build.platform);
        let parts = builder.parts(Phase::Build);
        let strip = if settings.strip { "strip" } else { "keep" };
        let mut patterns: Vec<_> = self.selection.targets.iter().flat_map(Target::patterns).collect();
        patterns.sort();
        patterns.dedup();
        let reuse = if settings.clean { "clean" } else { "reuse" };
        let data = if settings.data_files { "data" } else { "no-data" };
        let own = [strip, reuse, &facts.given, data].map(str::to_owned);
        let args = own.into_iter().chain([patterns.join(" ")]).chain(self.cabal_args.clone()).collect();
        let own_data: Vec<_> = builder.project.packages.iter().filter_map(OwnData::of).collect();
        let build = Container { lifetime: Lifetime::UntilRemoved, ..builder.container(&parts, build::SCRIPT, args) };
        let trial = self.trial();
        // An executable that cannot be tried is not packed.
        let packer = facts.upx.clone().filter(|_| settings.upx != Packing::Never && trial.is_some());
        builder
            .fetch(&builder.key, &self.cabal_args)
            .then(Build { cmd: engine.run(&build) })
            .then(Collect::new(engine, build.name, stage))
            .then(Verify {
                stage: stage.clone(),
                platform,
                targets: self.selection.targets.clone(),
                data: own_data.clone(),
                removal: Remove::new(engine, build.name),
            })
            .then(Pack { packer, stage: stage.clone(), platform })
            .then(TryOut { stage: stage.clone(), trial })
            .then(settings.data_files.then(|| DeliverData {
                stage: stage.clone(),
                out_dir: builder.out_dir(),
                own: own_data,
            }))
            .then(Deliver {
                stage: stage.clone(),
                out_dir: builder.out_dir(),
                platform,
                has_data_beside: settings.data_files,
            })
    }

    /// The container that starts the executables. `None`: the engine starts no programs of the platform.
    fn trial(&self) -> Option<TrialRun> {
        let builder = &self.builder;
        let Builder { settings, host, build, .. } = builder;
        let native = builder.choice.strategy == Strategy::Native;
        if !native && matches!(host.emulation(build.platform), Emulation::Missing(_)) {
            return None;
        }
        // Emulated starts are slow: a GHC program takes 5 s to print a line under QEMU 7.
        let seconds = if native { "10" } else { "60" };
        let is_sent = host.is_remote;
        let stage = Mount::ReadOnly { source: self.stage.path(), target: "/hsx/try".to_owned() };
        let mounts = if is_sent { &[] } else { std::slice::from_ref(&stage) };
        let script = if is_sent { try_out::SCRIPT_SENT } else { try_out::SCRIPT };
        let (name, labels) = (builder.container_name(Phase::Try), builder.run_labels());
        let container = Container {
            stdin: if is_sent { Stdin::Passed } else { Stdin::Closed },
            labels: &labels,
            mounts,
            extra: &settings.engine_args,
            args: vec![seconds.to_owned()],
            ..Container::new(&name, build.platform, &builder.image.reference, script)
        };
        Some(TrialRun { cmd: host.engine.run(&container), is_sent })
    }
}

/// Follows the plan. When one platform fails, the others go on; a signal ends all of them.
///
/// # Errors
/// When a step that comes before all platforms fails.
pub(crate) fn execute(
    plan: &Plan<Vec<Delivered>>,
    values: &Values,
    facts: &Facts,
    wanted: Option<BuildRequest<'_>>,
    world: &World<'_>,
) -> anyhow::Result<Report> {
    prepare(plan, world)?;
    // The state before the build counts: the next run builds what changes in the meantime.
    let mut sources = wanted.and_then(|wanted| SourceTree::look(wanted, world));
    let builds: Vec<_> = plan
        .platforms
        .iter()
        .map(|platform| {
            let wanted = wanted?;
            let build = wanted.settings.platforms.iter().find(|build| build.platform == platform.job.platform)?;
            let decided = fresh::decided(wanted, build, world)?;
            fresh::read(&decided, sources.as_mut()?, world);
            Some(decided)
        })
        .zip(&plan.platforms)
        .collect();
    world.ui.expect(plan.at_once());
    let build_one = |(decided, plan): &(Option<Fingerprint>, &PlatformPlan<_>)| {
        // After a signal no further platform begins.
        world.exec.check().ok()?;
        let start = Instant::now();
        let built = fresh::during(decided.as_ref(), world, || platform::follow(plan, values, &facts.system, world));
        let report = PlatformReport {
            platform: plan.job.platform,
            ghc: plan.job.ghc.clone(),
            ghc_reason: plan.job.ghc_reason.clone(),
            image: plan.job.image.clone(),
            warnings: plan.warnings.clone(),
            notes: built.notes,
            seconds: start.elapsed().as_secs_f64(),
            fresh: false,
            choice: built.choice,
            result: built.result,
        };
        world.ui.event(report.platform, report.event());
        if let (Some(decided), Some(wanted), Some(sources)) = (decided, wanted, &sources) {
            fresh::remember(decided, wanted, sources, &report, world);
        }
        Some(report)
    };
    // The engines build in parallel.
    let platforms = side_by_side(&plan.turns(), usize::MAX, |turn| {
        let builds: Vec<_> =
            builds.iter().filter(|(_, platform)| turn.platforms.contains(&platform.job.platform)).collect();
        side_by_side(&builds, turn.at_once, |build| build_one(build))
    });
    world.ui.expect(1);
    let mut platforms: Vec<_> = platforms.into_iter().flatten().flatten().collect();
    platforms.sort_by_key(|report| plan.platforms.iter().position(|plan| plan.job.platform == report.platform));
    Ok(Report { freeze: None, mounts: Vec::new(), platforms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_stands_as_it_was_written() {
        for line in STATIC_HELP.lines() {
            assert!(line.chars().count() <= 100, "clap would wrap: {line}");
        }
    }
}
