//! `hsx static`: gather facts, plan, then print the plan or follow it, and report.

use std::time::Instant;

use crate::binfmt::{self, Emulation};
use crate::cabal;
use crate::cli::{Format, StaticArgs, StrategyChoice};
use crate::cross::{self, Toolchain};
use crate::digest::{hash, short_hash};
use crate::engine::{self, Container, Lifetime, Mount, Network};
use crate::error::{Error, Kind};
use crate::facts::{Facts, Image, build_key};
use crate::plan::{Lock, Plan, PlatformPlan, Stage, Step};
use crate::project::{Executable, Project, Selection, hpack_write};
use crate::report::{PlatformReport, Report};
use crate::settings::{self, Packing, PlatformSettings, Settings};
use crate::strategy::{self, Choice, Question, Strategy};
use crate::upx;
use crate::world::build::build;
use crate::world::host::{self, Environment};
use crate::world::ui::Ui;
use crate::world::{World, load};

const FETCH: &str = include_str!("../../scripts/container/fetch.sh");
const BUILD: &str = include_str!("../../scripts/container/build.sh");
const TRY: &str = include_str!("../../scripts/container/try.sh");

/// Runs `hsx static`.
///
/// # Errors
/// Whatever keeps it from starting; failed builds are in the report it prints.
pub(crate) fn run(args: &StaticArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let loaded = load::load(args.directory.as_deref(), environment, &world)?;
    let project = &loaded.project;
    let (engine, info) = host::engine(settings::engine(args, &loaded.user_file), &world)?;
    let host = info.platform.ok_or_else(|| Error::host("the engine's host is of a platform that hsx does not know"))?;
    let files = [&loaded.project_file, &loaded.user_file];
    let settings = settings::resolve(args, files, project, host, &environment.cwd)?;
    let selection = project.select(&settings.targets)?;
    let facts = host::facts(engine, &info, host, project, &settings, &world)?;
    let plan = plan(project, &settings, &selection, &facts)?;
    if args.dry_run {
        ui.print(&plan.shell());
        return Ok(0);
    }
    let report = execute(&plan, &facts, &world)?;
    match args.format {
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
    let mut prepare = Vec::new();
    if !facts.stale.is_empty() {
        prepare.push(Step::Sweep(facts.engine.remove(&facts.stale)));
    }
    prepare.extend(project.hpack.iter().map(|dir| Step::Hpack(hpack_write(dir))));
    if !facts.out_dir_exists {
        prepare.push(Step::MakeOutDir(settings.out_dir.clone()));
    }
    let platforms = settings.platforms.iter().map(|build| {
        let choice = choose(build, build.strategy, facts)?;
        let planner = |choice, again| Planner::new(project, settings, selection, facts, build, choice, again);
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

fn choose(build: &PlatformSettings, asked: StrategyChoice, facts: &Facts) -> Result<Choice, Error> {
    let native_image = facts.native_images.get(&build.platform).map(|image| image.as_ref().map(|_| ()));
    strategy::choose(Question {
        asked,
        platform: build.platform,
        host: facts.platform,
        ghc: build.ghc.as_deref(),
        emulation: facts.emulation(build.platform),
        native_image: native_image.unwrap_or(Ok(())).map_err(String::as_str),
        setup: &binfmt::setup_hint(build.platform, &facts.os_release),
    })
}

/// Whether a plan is for what another one did not achieve: the images and the store are there by then.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    No,
    Yes,
}

/// Plans one platform: what all its steps share.
struct Planner<'a> {
    project: &'a Project,
    settings: &'a Settings,
    selection: &'a Selection,
    facts: &'a Facts,
    build: &'a PlatformSettings,
    choice: Choice,
    again: Again,
    image: &'a Image,
    /// Of the cross strategy: the toolchain, and the host's image it is made from.
    toolchain: Option<(Toolchain, &'a Image)>,
    key: String,
    store_volume: String,
    build_volume: String,
    stage: Stage,
    cabal_args: Vec<String>,
}

impl<'a> Planner<'a> {
    fn new(
        project: &'a Project,
        settings: &'a Settings,
        selection: &'a Selection,
        facts: &'a Facts,
        build: &'a PlatformSettings,
        choice: Choice,
        again: Again,
    ) -> Self {
        let image = &facts.images[&build.platform];
        let key = build_key(project, build.platform, &image.reference, choice.strategy, &facts.state_id);
        let native = facts.native_images.get(&build.platform).and_then(|image| image.as_ref().ok());
        let toolchain = native.filter(|_| choice.strategy == Strategy::Cross).map(|native| {
            let pair = [image.reference.as_str(), &native.reference];
            (Toolchain::new(build.platform, pair, facts.image_mounts, &facts.state_id), native)
        });
        Self {
            store_volume: format!("hsx-store-{}-{}", build.platform.slug(), short_hash(&[&image.reference])),
            build_volume: format!("hsx-build-{key}"),
            stage: Stage(settings.out_dir.join(format!(".hsx-{key}"))),
            cabal_args: cabal::build_args(&selection.targets, settings.jobs, &settings.cabal_args),
            project,
            settings,
            selection,
            facts,
            build,
            choice,
            again,
            image,
            toolchain,
            key,
        }
    }

    fn plan(&self) -> PlatformPlan {
        let Self { facts, build, image, .. } = self;
        let names = ["copy", "cross", "fetch", "build", "try"].map(|phase| self.container_name(phase));
        let mut steps = self.preparation();
        steps.extend(self.compilation());
        steps.extend(self.delivery());
        PlatformPlan {
            platform: build.platform,
            choice: self.choice.clone(),
            ghc: build.ghc.clone(),
            image: image.reference.clone(),
            key: self.key.clone(),
            locks: self.locks(),
            warnings: build.warnings.clone(),
            toolchain: self.toolchain.as_ref().map(|(toolchain, _)| toolchain.volume.clone()),
            executables: self.selection.executables.clone(),
            stage: self.stage.clone(),
            out_dir: self.settings.out_dir.join(build.platform.slug()),
            fetch_inputs: self.fetch_inputs(),
            fallback: None,
            removal: facts.engine.remove(&names),
            leftovers: facts.engine.containers(&format!("hsx.build={}", self.key)),
            steps,
        }
    }

    fn container_name(&self, phase: &str) -> String {
        format!("hsx-{}-{phase}", self.key)
    }

    fn locks(&self) -> Vec<Lock> {
        let fresh = |volume: &String| !self.facts.volumes.contains(volume);
        let shared = |name: &String, shared| Lock { name: name.clone(), shared };
        let mut locks = vec![
            shared(&self.key, false),
            // Two cabals that create one store at once race (cabal #11329); later they share it.
            shared(&self.store_volume, !fresh(&self.store_volume)),
        ];
        for volume in self.toolchain.iter().flat_map(|(toolchain, _)| toolchain.volumes()) {
            locks.push(shared(volume, self.facts.filled.contains(volume)));
        }
        locks
    }

    /// The images, the volumes and the stage.
    fn preparation(&self) -> Vec<Step> {
        let engine = &self.facts.engine;
        let mut steps = Vec::new();
        let native = self.toolchain.as_ref().map(|(_, native)| (self.facts.platform, *native));
        for (platform, image) in [(self.build.platform, self.image)].into_iter().chain(native) {
            if !image.present && self.again == Again::No {
                steps.push(Step::Pull { platform, cmd: engine.pull(platform, &image.reference) });
                steps.push(Step::CheckImage { platform, cmd: engine.image_arch(&image.reference) });
            }
        }
        if self.again == Again::No {
            steps.extend(self.create_volume(&self.store_volume, &self.labels("store")));
        }
        let mut labels = self.labels("build");
        labels.push(("hsx.project", self.project.root.to_string()));
        steps.extend(self.create_volume(&self.build_volume, &labels));
        if let Some((toolchain, native)) = &self.toolchain {
            steps.extend(self.fill(toolchain, native));
        }
        steps.push(Step::MakeStage);
        steps
    }

    fn create_volume(&self, name: &str, labels: &[(&str, String)]) -> Option<Step> {
        let Facts { engine, volumes, .. } = self.facts;
        (!volumes.contains(name)).then(|| Step::CreateVolume(engine.volume_create(name, labels)))
    }

    /// What the cross strategy makes once for a pair of images.
    fn fill(&self, toolchain: &Toolchain, native: &Image) -> Vec<Step> {
        let labels = |kind: &str| [(engine::LABEL, kind.to_owned()), ("hsx.image", native.reference.clone())];
        let run = |phase: &str, volume: &str, target: &str, script, args| {
            let mounts = [Mount::Volume { name: volume.to_owned(), target: target.to_owned(), read_only: false }];
            self.facts.engine.run(&Container {
                name: &self.container_name(phase),
                platform: self.facts.platform,
                image: &native.reference,
                lifetime: Lifetime::UntilExit,
                network: Network::None,
                labels: &self.run_labels(),
                env: &[],
                mounts: &mounts,
                workdir: "/",
                entry: engine::SHELL,
                extra: &self.settings.engine_args,
                script,
                args,
            })
        };
        let mut steps = Vec::new();
        let filled = |volume: &str| self.facts.filled.contains(volume) && self.facts.volumes.contains(volume);
        if let Some(volume) = toolchain.copy.as_ref().filter(|volume| !filled(volume)) {
            steps.extend(self.create_volume(volume, &labels("native")));
            let cmd = run("copy", volume, cross::COPY_TARGET, cross::COPY_IMAGE, Vec::new());
            steps.push(Step::Fill { volume: volume.clone(), cmd });
        }
        let volume = &toolchain.volume;
        if !filled(volume) {
            steps.extend(self.create_volume(volume, &labels("cross")));
            let machine = vec![self.build.platform.machine().to_owned()];
            let cmd = run("cross", volume, cross::TOOLCHAIN_DIR, cross::MAKE_TOOLCHAIN, machine);
            steps.push(Step::Fill { volume: volume.clone(), cmd });
        }
        steps
    }

    /// The fetch and build phases, up to the executables in the stage.
    fn compilation(&self) -> Vec<Step> {
        let Self { project, settings, facts, .. } = *self;
        let (fetch_name, build_name) = (&self.container_name("fetch"), &self.container_name("build"));
        let (labels, mounts, env) = (self.run_labels(), self.mounts(), self.env());
        let index_state = project.index_state.clone().unwrap_or_default();
        let fetch = Container {
            name: fetch_name,
            platform: self.build.platform,
            image: &self.image.reference,
            lifetime: Lifetime::UntilExit,
            network: Network::Default,
            labels: &labels,
            env: &env,
            mounts: &mounts,
            workdir: &project.workdir,
            entry: self.toolchain.as_ref().map_or(engine::SHELL, |_| cross::ENTRY),
            extra: &settings.engine_args,
            script: FETCH,
            args: [index_state].into_iter().chain(self.cabal_args.clone()).collect(),
        };
        let strip = if settings.strip { "strip" } else { "keep" };
        let wanted: Vec<_> = self.selection.executables.iter().map(container_spelling).collect();
        let build = Container {
            name: build_name,
            lifetime: Lifetime::UntilRemoved,
            network: Network::None,
            script: BUILD,
            args: [strip.to_owned(), wanted.join(" ")].into_iter().chain(self.cabal_args.clone()).collect(),
            ..fetch.clone()
        };
        let engine = &facts.engine;
        let fetch = (!settings.offline && !self.is_fetched()).then(|| Step::Fetch(engine.run(&fetch)));
        let rest = [
            Step::Build(engine.run(&build)),
            Step::Collect(engine.copy_out(build_name, "/hsx/out", self.stage.0.as_str())),
            Step::Remove(engine.remove(std::slice::from_ref(build_name))),
        ];
        fetch.into_iter().chain(rest).collect()
    }

    /// From the stage to the output directory.
    fn delivery(&self) -> Vec<Step> {
        let Self { settings, facts, .. } = *self;
        let native = self.choice.strategy == Strategy::Native;
        if !native && matches!(facts.emulation(self.build.platform), Emulation::Missing(_)) {
            // Nothing of the platform starts here: nothing to try, and so nothing to pack.
            return vec![Step::Verify, Step::Deliver, Step::Clean];
        }
        let names = || self.selection.executables.iter().map(|exe| exe.name.clone());
        let packer = facts.upx.as_ref().filter(|_| settings.upx != Packing::Never);
        let packing = packer.into_iter().flat_map(|program| {
            names().map(|name| Step::Pack {
                cmd: upx::pack(program, &settings.upx_args, &self.stage.built(&name), &self.stage.packed(&name)),
                name,
            })
        });
        // Emulated starts are slow: a GHC program takes 5 s to say hello under QEMU 7.
        let seconds = if native { "10" } else { "60" };
        let trial = Container {
            name: &self.container_name("try"),
            platform: self.build.platform,
            image: &self.image.reference,
            lifetime: Lifetime::UntilExit,
            network: Network::None,
            labels: &self.run_labels(),
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

    /// Nothing that decides cabal's plan has changed since it was last fetched for, and all that was fetched is there.
    fn is_fetched(&self) -> bool {
        let Facts { fetched, volumes, .. } = self.facts;
        let there = volumes.contains(&self.store_volume) && volumes.contains(&self.build_volume);
        there && fetched.get(&self.key) == Some(&self.fetch_inputs())
    }

    /// Everything that could change what the fetch phase downloads.
    fn fetch_inputs(&self) -> String {
        let files = self.project.plan_inputs.iter().flat_map(|(path, text)| [path.as_str(), text.as_str()]);
        let words = [self.image.reference.as_str()].into_iter().chain(self.cabal_args.iter().map(String::as_str));
        hash(&words.chain(files).collect::<Vec<_>>())
    }

    fn labels(&self, kind: &str) -> Vec<(&'static str, String)> {
        vec![
            (engine::LABEL, kind.to_owned()),
            ("hsx.platform", self.build.platform.to_string()),
            ("hsx.image", self.image.reference.clone()),
        ]
    }

    fn run_labels(&self) -> Vec<(&'static str, String)> {
        let mut labels = self.labels("run");
        labels.push(("hsx.project", self.project.root.to_string()));
        labels.push(("hsx.state", self.facts.state_id.clone()));
        labels.push(("hsx.build", self.key.clone()));
        labels
    }

    fn mounts(&self) -> Vec<Mount> {
        let volume = |name: &str, target: &str| Mount::Volume {
            name: name.to_owned(),
            target: target.to_owned(),
            read_only: false,
        };
        let sources = self.project.mounts.iter();
        let sources =
            sources.map(|mount| Mount::ReadOnly { source: mount.source.clone(), target: mount.target.clone() });
        let volumes = [volume(&self.store_volume, cabal::CABAL_DIR), volume(&self.build_volume, cabal::BUILD_DIR)];
        let native = self.toolchain.iter().flat_map(|(toolchain, _)| toolchain.mounts());
        sources.chain(volumes).chain(native).collect()
    }

    fn env(&self) -> Vec<String> {
        let own = [
            // An unknown uid has HOME=/, and cabal's own directories must be on the volume.
            format!("HOME={}/home", cabal::CABAL_DIR),
            format!("CABAL_DIR={}", cabal::CABAL_DIR),
            // GHC dies on sources that are not ASCII in the C locale.
            "LANG=C.UTF-8".to_owned(),
            // The source belongs to somebody else than root in the container: git would refuse to read its history.
            "GIT_CONFIG_COUNT=1".to_owned(),
            "GIT_CONFIG_KEY_0=safe.directory".to_owned(),
            "GIT_CONFIG_VALUE_0=*".to_owned(),
            // The source is read-only: git must not try to refresh its index.
            "GIT_OPTIONAL_LOCKS=0".to_owned(),
        ];
        own.into_iter().chain(self.facts.pass_env.iter().cloned()).collect()
    }
}

/// An executable as `build.sh` takes it: the directory cabal builds its package in, and its name.
fn container_spelling(exe: &Executable) -> String {
    format!("{}-{}:{}", exe.package, exe.version, exe.name)
}

/// Follows the plan. One platform's failure does not stop the next; a signal does.
fn execute(plan: &Plan, facts: &Facts, world: &World<'_>) -> anyhow::Result<Report> {
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
            result: built.result,
        });
        if interrupted {
            break;
        }
    }
    Ok(Report { platforms })
}
