//! `hsx static`: gather facts, plan, then print the plan or follow it, and report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use camino::Utf8PathBuf;
use sha2::{Digest, Sha256};

use crate::binfmt::{self, Emulation};
use crate::cabal;
use crate::cli::{Format, StaticArgs};
use crate::engine::{Container, Engine, Lifetime, Mount, Network};
use crate::error::Error;
use crate::image;
use crate::plan::{Plan, PlatformPlan, Stage, Step, Store};
use crate::platform::Platform;
use crate::project::{Executable, Project, Selection};
use crate::report::{PlatformReport, Report};
use crate::settings::{self, Packing, Settings};
use crate::strategy;
use crate::upx;
use crate::world::build::build;
use crate::world::host::{self, Environment};
use crate::world::ui::Ui;
use crate::world::{World, load};

/// The label every container and volume of hsx's carries; its value is what it is for.
pub(crate) const LABEL: &str = "hsx.kind";

const FETCH: &str = include_str!("../../scripts/container/fetch.sh");
const BUILD: &str = include_str!("../../scripts/container/build.sh");
const TRY: &str = include_str!("../../scripts/container/try.sh");

/// What the machine is, as far as the plan depends on it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub engine: Engine,
    /// The engine's own platform.
    pub platform: Platform,
    /// `/etc/os-release`, for advice.
    pub os_release: String,
    pub emulation: BTreeMap<Platform, Emulation>,
    pub images: BTreeMap<Platform, Image>,
    /// The engine's volumes that hsx made.
    pub volumes: BTreeSet<String>,
    /// Containers of hsx runs that are no more.
    pub stale: Vec<String>,
    /// What each build's fetch phase last depended on, by key.
    pub fetched: BTreeMap<String, String>,
    pub upx: Option<Utf8PathBuf>,
    pub out_dir_exists: bool,
    /// Names of the caller's variables that a build needs to see.
    pub pass_env: Vec<String>,
    /// Tells this user's state from other users' of the same engine.
    pub state_id: String,
}

/// An image, found and pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// What the engine is asked for: by digest or id where one is known.
    pub reference: String,
    /// In the engine's storage, and of the right architecture.
    pub present: bool,
}

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
    let settings = settings::resolve(args, [&loaded.project_file, &loaded.user_file], project, host)?;
    let selection = project.select(&settings.targets)?;
    let facts = host::facts(engine, &info, host, project, &settings, &world)?;
    let plan = plan(project, &settings, &selection, &facts)?;
    if args.dry_run {
        ui.print(&plan.shell());
        return Ok(0);
    }
    let report = execute(&plan, &facts, &world)?;
    match args.format {
        Format::Text => ui.print(&report.table(ui.width())),
        Format::Json => ui.print(&report.json()),
    }
    for platform in &report.platforms {
        if let Err(error) = &platform.result {
            ui.error(error);
        }
    }
    Ok(report.exit_code())
}

/// The key of a build: one a project, platform, image and user.
pub(crate) fn key(project: &Project, platform: Platform, image: &str, state_id: &str) -> String {
    let name: String =
        project.name().chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
    let hash = short_hash(&[project.root.as_str(), image, state_id]);
    format!("{}-{}-{hash}", name.trim_matches('-'), platform.slug())
}

fn short_hash(parts: &[&str]) -> String {
    hash(parts)[..8].to_owned()
}

fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
    prepare.extend(project.hpack.iter().map(|dir| Step::Hpack(crate::project::hpack_write(dir))));
    if !facts.out_dir_exists {
        prepare.push(Step::MakeOutDir(settings.out_dir.clone()));
    }
    let platforms = settings.platforms.iter().map(|build| {
        let Facts { emulation, os_release, .. } = facts;
        let emulation = emulation.get(&build.platform).unwrap_or(&Emulation::Unknown);
        let setup = binfmt::setup_hint(build.platform, os_release);
        let choice = strategy::choose(build.strategy, build.platform, facts.platform, emulation, &setup)?;
        let warnings = image::broken_compiler(&build.ghc, build.platform).into_iter().collect();
        Ok(Builder { project, settings, selection, facts, image: &facts.images[&build.platform] }.plan(
            build.platform,
            &build.ghc,
            choice,
            warnings,
        ))
    });
    Ok(Plan { platforms: platforms.collect::<Result<_, Error>>()?, prepare })
}

/// Plans one platform.
struct Builder<'a> {
    project: &'a Project,
    settings: &'a Settings,
    selection: &'a Selection,
    facts: &'a Facts,
    image: &'a Image,
}

impl Builder<'_> {
    fn plan(&self, platform: Platform, ghc: &str, choice: strategy::Choice, warnings: Vec<String>) -> PlatformPlan {
        let Self { project, settings, selection, facts, image } = *self;
        let engine = &facts.engine;
        let key = key(project, platform, &image.reference, &facts.state_id);
        let build_volume = format!("hsx-build-{key}");
        let store_volume = format!("hsx-store-{}-{}", platform.slug(), short_hash(&[&image.reference]));
        let store = Store { fresh: !facts.volumes.contains(&store_volume), volume: store_volume };
        let stage = Stage(settings.out_dir.join(format!(".hsx-{key}")));
        let cabal_args = cabal::build_args(&selection.targets, settings.jobs, &settings.cabal_args);
        let fetch_inputs = self.fetch_inputs(&image.reference, &cabal_args);

        let mut steps = Vec::new();
        if !image.present {
            steps.push(Step::Pull(engine.pull(platform, &image.reference)));
            steps.push(Step::CheckImage(engine.image_arch(&image.reference)));
        }
        let labels = |kind: &str| {
            vec![
                (LABEL, kind.to_owned()),
                ("hsx.platform", platform.to_string()),
                ("hsx.image", image.reference.clone()),
            ]
        };
        if store.fresh {
            steps.push(Step::CreateVolume(engine.volume_create(&store.volume, &labels("store"))));
        }
        let build_is_fresh = !facts.volumes.contains(&build_volume);
        if build_is_fresh {
            let mut labels = labels("build");
            labels.push(("hsx.project", project.root.to_string()));
            steps.push(Step::CreateVolume(engine.volume_create(&build_volume, &labels)));
        }
        steps.push(Step::MakeStage);

        let mut run_labels = labels("run");
        run_labels.push(("hsx.project", project.root.to_string()));
        run_labels.push(("hsx.state", facts.state_id.clone()));
        let names = ["fetch", "build", "try"].map(|phase| format!("hsx-{key}-{phase}"));
        let [fetch_name, build_name, try_name] = &names;
        let mounts = self.mounts(&build_volume, &store.volume);
        let env = self.env();
        let fetch = Container {
            name: fetch_name,
            platform,
            image: &image.reference,
            lifetime: Lifetime::UntilExit,
            network: Network::Default,
            labels: &run_labels,
            env: &env,
            mounts: &mounts,
            workdir: &project.workdir,
            extra: &settings.engine_args,
            script: FETCH,
            args: [project.index_state.clone().unwrap_or_default()].into_iter().chain(cabal_args.clone()).collect(),
        };
        // Nothing that decides cabal's plan has changed since it was last fetched for: all is there.
        let fetched = facts.fetched.get(&key) == Some(&fetch_inputs) && !store.fresh && !build_is_fresh;
        if !settings.offline && !fetched {
            steps.push(Step::Fetch(engine.run(&fetch)));
        }
        let strip = if settings.strip { "strip" } else { "keep" };
        let wanted: Vec<_> = selection.executables.iter().map(container_spelling).collect();
        let build = Container {
            name: build_name,
            lifetime: Lifetime::UntilRemoved,
            network: Network::None,
            script: BUILD,
            args: [strip.to_owned(), wanted.join(" ")].into_iter().chain(cabal_args).collect(),
            ..fetch.clone()
        };
        steps.push(Step::Build(engine.run(&build)));
        steps.push(Step::Collect(engine.copy_out(build_name, "/hsx/out", stage.0.as_str())));
        steps.push(Step::Remove(engine.remove(std::slice::from_ref(build_name))));
        steps.push(Step::Verify);
        if settings.upx != Packing::Never
            && let Some(program) = &facts.upx
        {
            steps.extend(selection.executables.iter().map(|exe| Step::Pack {
                name: exe.name.clone(),
                cmd: upx::pack(program, &settings.upx_args, &stage.built(&exe.name), &stage.packed(&exe.name)),
            }));
        }
        // Emulated starts are slow: a GHC program takes 5 s to say hello under QEMU 7.
        let limit = if choice.strategy == strategy::Strategy::Native { "10" } else { "60" };
        let trial = Container {
            name: try_name,
            lifetime: Lifetime::UntilExit,
            env: &[],
            mounts: &[Mount::ReadOnly { source: stage.0.clone(), target: "/hsx/try".to_owned() }],
            workdir: "/",
            script: TRY,
            args: [limit.to_owned()]
                .into_iter()
                .chain(selection.executables.iter().map(|exe| exe.name.clone()))
                .collect(),
            ..build.clone()
        };
        steps.extend([Step::Try(engine.run(&trial)), Step::Deliver, Step::Clean]);

        PlatformPlan {
            platform,
            choice,
            ghc: ghc.to_owned(),
            image: image.reference.clone(),
            store,
            warnings,
            executables: selection.executables.clone(),
            stage,
            out_dir: settings.out_dir.join(platform.slug()),
            fetch_inputs,
            removal: engine.remove(&names),
            key,
            steps,
        }
    }

    fn mounts(&self, build_volume: &str, store_volume: &str) -> Vec<Mount> {
        let volume = |name: &str, target: &str| Mount::Volume { name: name.to_owned(), target: target.to_owned() };
        let sources = self.project.mounts.iter();
        let sources =
            sources.map(|mount| Mount::ReadOnly { source: mount.source.clone(), target: mount.target.clone() });
        sources.chain([volume(store_volume, cabal::CABAL_DIR), volume(build_volume, cabal::BUILD_DIR)]).collect()
    }

    fn env(&self) -> Vec<String> {
        let own = [
            // An unknown uid has HOME=/, and cabal's own directories must be on the volume.
            format!("HOME={}/home", cabal::CABAL_DIR),
            format!("CABAL_DIR={}", cabal::CABAL_DIR),
            // GHC dies on sources that are not ASCII in the C locale.
            "LANG=C.UTF-8".to_owned(),
            // The source belongs to somebody else than root in the container: git would refuse to read its own history.
            "GIT_CONFIG_COUNT=1".to_owned(),
            "GIT_CONFIG_KEY_0=safe.directory".to_owned(),
            "GIT_CONFIG_VALUE_0=*".to_owned(),
            // The source is read-only: git must not try to refresh its index.
            "GIT_OPTIONAL_LOCKS=0".to_owned(),
        ];
        own.into_iter().chain(self.facts.pass_env.iter().cloned()).collect()
    }

    /// Everything that could change what the fetch phase downloads.
    fn fetch_inputs(&self, image: &str, cabal_args: &[String]) -> String {
        let files = self.project.plan_inputs.iter().flat_map(|(path, text)| [path.as_str(), text.as_str()]);
        let words = [image].into_iter().chain(cabal_args.iter().map(String::as_str));
        hash(&words.chain(files).collect::<Vec<_>>())
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
        let result = build(platform, &facts.os_release, world)?;
        platforms.push(PlatformReport {
            platform: platform.platform,
            choice: platform.choice.clone(),
            ghc: platform.ghc.clone(),
            image: platform.image.clone(),
            warnings: platform.warnings.clone(),
            seconds: start.elapsed().as_secs_f64(),
            result,
        });
        if world.interrupted().is_some() {
            break;
        }
    }
    Ok(Report { platforms })
}
