//! `hsx static`: gather facts, plan, then print the plan or follow it, and report.

use std::time::Instant;

use super::{Gathered, freeze, gather, preparation};
use crate::binfmt::Emulation;
use crate::builder::{Again, Builder, choose};
use crate::cabal;
use crate::cli::{Format, StaticArgs, StrategyChoice};
use crate::engine::{self, Container, Lifetime, Mount, Network, Stdin};
use crate::error::{Error, Kind};
use crate::facts::Facts;
use crate::plan::{Pack, Plan, PlatformPlan, Stage, Step};
use crate::project::{Executable, Project, Selection};
use crate::report::{PlatformReport, Report};
use crate::settings::{Packing, Platforms, Settings, Typed};
use crate::strategy::Strategy;
use crate::world::World;
use crate::world::build::build;
use crate::world::host::Environment;
use crate::world::ui::Ui;

const BUILD: &str = include_str!("../../scripts/container/build.sh");
const TRY: &str = include_str!("../../scripts/container/try.sh");

/// Runs `hsx static`.
///
/// # Errors
/// Whatever keeps it from starting; failed builds are in the report it prints.
pub(crate) fn run(args: &StaticArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let typed =
        Typed { targets: &args.targets, builder: &args.builder, result: &args.result, platforms: Platforms::Several };
    let select = |project: &Project, settings: &Settings| project.select(&settings.targets);
    let mut gathered = gather(typed, select, &world)?;
    let freeze = args.freeze.map(|origin| freeze::plan(&gathered, origin, environment)).transpose()?;
    let mut frozen = None;
    if let Some(freeze) = freeze.as_ref().filter(|_| !args.dry_run) {
        frozen = Some(freeze::follow(freeze, &gathered, &world)?);
        // There are volumes and images by now that were not.
        gathered = gather(typed, select, &world)?;
    }
    if freeze.is_some() {
        freeze::heed(frozen.as_ref(), &mut gathered, &world)?;
    }
    let Gathered { project, settings, selection, facts } = gathered;
    let plan = plan(&project, &settings, &selection, &facts)?;
    if args.dry_run {
        let first = freeze.map(|freeze| format!("{}# and its lines are arguments of cabal then\n\n", freeze.shell()));
        ui.print(&format!("{}{}", first.unwrap_or_default(), plan.shell()));
        return Ok(0);
    }
    let report = Report { freeze: frozen.as_ref().map(freeze::json), ..execute(&plan, &facts, &world)? };
    match args.output.format {
        Format::Text if report.delivered_nothing() => {}
        Format::Text => ui.print(&report.table(ui.width(), &environment.cwd)),
        Format::Json => ui.print(&report.json()),
    }
    for platform in &report.platforms {
        if let Err(error) = &platform.result {
            ui.error(&error.clone().on(platform.platform));
        }
    }
    Ok(report.exit_code())
}

/// Decides everything a run does.
///
/// # Errors
/// When a platform cannot be built for on this machine, or upx is required and missing.
pub(crate) fn plan(
    project: &Project,
    settings: &Settings,
    selection: &Selection,
    facts: &Facts,
) -> Result<Plan, Error> {
    if settings.upx == Packing::Required && facts.upx.is_none() {
        return Err(Error::host("upx is asked for but not on PATH").hint("install upx, or build with `--no-upx`"));
    }
    let mut prepare = preparation(project, facts);
    if !facts.out_dir_exists {
        prepare.push(Step::MakeOutDir(settings.out_dir.clone()));
    }
    let platforms = settings.platforms.iter().map(|build| {
        let choice = choose(build, build.strategy, facts)?;
        let planner =
            |choice, again| Planner::new(Builder::new(project, settings, facts, build, choice, again), selection);
        let mut plan = planner(choice.clone(), Again::No).plan();
        if choice.strategy == Strategy::Cross && build.strategy == StrategyChoice::Auto {
            // Where there is no emulation either, the failure stands.
            let emulated = choose(build, StrategyChoice::Emulate, facts).ok();
            plan.fallback = emulated.map(|choice| Box::new(planner(choice, Again::Yes).plan()));
        }
        Ok(plan)
    });
    Ok(Plan { platforms: platforms.collect::<Result<_, Error>>()?, prepare })
}

/// Plans one platform.
struct Planner<'a> {
    builder: Builder<'a>,
    selection: &'a Selection,
    stage: Stage,
    cabal_args: Vec<String>,
}

impl<'a> Planner<'a> {
    fn new(builder: Builder<'a>, selection: &'a Selection) -> Self {
        let settings = builder.settings;
        Self {
            stage: Stage(settings.out_dir.join(format!(".hsx-{}", builder.key))),
            cabal_args: cabal::build_args(&selection.targets, settings.jobs, &settings.cabal_args),
            selection,
            builder,
        }
    }

    fn plan(&self) -> PlatformPlan {
        let builder = &self.builder;
        let Builder { facts, build, image, .. } = builder;
        let names = ["derive", "copy", "cross", "fetch", "build", "try"].map(|phase| builder.container_name(phase));
        let mut steps = builder.preparation();
        steps.push(Step::MakeStage);
        steps.extend(self.compilation());
        steps.extend(self.delivery());
        PlatformPlan {
            platform: build.platform,
            choice: builder.choice.clone(),
            ghc: build.ghc.clone(),
            image: image.reference.clone(),
            key: builder.key.clone(),
            locks: builder.locks(),
            warnings: build.warnings.clone(),
            toolchain: builder.toolchain.as_ref().map(|(toolchain, _)| toolchain.volume.clone()),
            executables: self.selection.executables.clone(),
            stage: self.stage.clone(),
            out_dir: builder.settings.out_dir.join(build.platform.slug()),
            fetch_inputs: Some(builder.fetch_inputs(&self.cabal_args)),
            fallback: None,
            removal: facts.engine.remove(&names),
            leftovers: facts.engine.containers(&format!("hsx.build={}", builder.key)),
            steps,
        }
    }

    /// The fetch and build phases, up to the executables in the stage.
    fn compilation(&self) -> Vec<Step> {
        let builder = &self.builder;
        let Builder { settings, facts, .. } = builder;
        let parts = builder.parts("build");
        let strip = if settings.strip { "strip" } else { "keep" };
        let wanted: Vec<_> = self.selection.executables.iter().map(container_spelling).collect();
        let args = [strip.to_owned(), wanted.join(" ")].into_iter().chain(self.cabal_args.clone()).collect();
        let build = Container { lifetime: Lifetime::UntilRemoved, ..builder.container(&parts, BUILD, args) };
        let engine = &facts.engine;
        let fetch = builder.fetch(&builder.key, &self.cabal_args);
        let rest = [
            Step::Build(engine.run(&build)),
            Step::Collect(engine.copy_out(build.name, "/hsx/out", self.stage.0.as_str())),
            Step::Remove(engine.remove(&[build.name.to_owned()])),
        ];
        fetch.into_iter().chain(rest).collect()
    }

    /// From the stage to the output directory.
    fn delivery(&self) -> Vec<Step> {
        let builder = &self.builder;
        let Builder { settings, facts, build, .. } = builder;
        let native = builder.choice.strategy == Strategy::Native;
        if !native && matches!(facts.emulation(build.platform), Emulation::Missing(_)) {
            // Nothing of the platform starts here: nothing to try, and so nothing to pack.
            return vec![Step::Verify, Step::Deliver, Step::Clean];
        }
        let names = || self.selection.executables.iter().map(|exe| exe.name.clone());
        let packing = facts.upx.as_ref().filter(|_| settings.upx != Packing::Never).map(|packer| Step::Pack {
            packer: packer.clone(),
            files: names()
                .map(|name| Pack { cmd: packer.pack(&self.stage.built(&name), &self.stage.packed(&name)), name })
                .collect(),
        });
        // Emulated starts are slow: a GHC program takes 5 s to say hello under QEMU 7.
        let seconds = if native { "10" } else { "60" };
        let trial = Container {
            name: &builder.container_name("try"),
            platform: build.platform,
            image: &builder.image.reference,
            lifetime: Lifetime::UntilExit,
            network: Network::None,
            stdin: Stdin::Closed,
            labels: &builder.run_labels(),
            env: &[],
            mounts: &[Mount::ReadOnly { source: self.stage.0.clone(), target: "/hsx/try".to_owned() }],
            workdir: "/",
            entry: engine::SHELL,
            extra: &settings.engine_args,
            script: TRY,
            args: [seconds.to_owned()].into_iter().chain(names()).collect(),
        };
        let rest = [Step::Try(facts.engine.run(&trial)), Step::Deliver, Step::Clean];
        [Step::Verify].into_iter().chain(packing).chain(rest).collect()
    }
}

/// An executable as `build.sh` takes it: the directory cabal builds its package in, and its name.
fn container_spelling(exe: &Executable) -> String {
    format!("{}-{}:{}", exe.package, exe.version, exe.name)
}

/// Follows the plan. One platform's failure does not stop the next; a signal does.
///
/// # Errors
/// When what precedes all platforms fails.
pub(crate) fn execute(plan: &Plan, facts: &Facts, world: &World<'_>) -> anyhow::Result<Report> {
    for step in &plan.prepare {
        world.prepare(step)?;
    }
    let mut platforms = Vec::new();
    for platform in &plan.platforms {
        let start = Instant::now();
        let built = build(platform, &facts.os_release, world);
        let interrupted = matches!(&built.result, Err(Error { kind: Kind::Signal(_), .. }));
        platforms.push(PlatformReport {
            platform: platform.platform,
            ghc: platform.ghc.clone(),
            image: platform.image.clone(),
            warnings: platform.warnings.clone(),
            notes: built.notes,
            seconds: start.elapsed().as_secs_f64(),
            choice: built.choice,
            result: built.result.map(|done| done.delivered),
        });
        if interrupted {
            break;
        }
    }
    Ok(Report { platforms, freeze: None })
}
