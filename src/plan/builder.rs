//! The builder of a platform: its images, volumes and containers, for all commands that run cabal in it.

use super::{FetchInputs, Lock, PlatformPlan, Sequel};

use crate::args::{StoreScope, StrategyChoice};
use crate::base::digest::{hash, short_hash};
use crate::base::error::Error;
use crate::base::place::Place;
use crate::base::platform::Platform;
use crate::facts::advice;
use crate::facts::container_name::{Phase, container_name};
use crate::facts::cross::{self, Toolchain};
use crate::facts::source::Source;
use crate::facts::strategy::{self, Choice, Question, Strategy};
use crate::facts::{Elsewhere, Facts, Host, Image, build_key};
use crate::project::{Project, SourceMount};
use crate::settings::{PlatformSettings, Settings};
use crate::steps::check_image::CheckImage;
use crate::steps::derive::Derive;
use crate::steps::fetch::{self, Fetch};
use crate::steps::fill::Fill;
use crate::steps::index::{self, Index};
use crate::steps::interact::Interact;
use crate::steps::job::Job;
use crate::steps::pull::Pull;
use crate::steps::send::{self, Send};
use crate::steps::stage::Stage;
use crate::steps::step::{Chain, Step};
use crate::steps::volume::CreateVolume;
use crate::tools::cabal;
use crate::tools::engine::{self, Container, Engine, Lifetime, Mount, Network, Stdin};

/// Chooses the strategy for a platform.
///
/// # Errors
/// When the strategy asked for does not work, or when none works.
pub(crate) fn choose(build: &PlatformSettings, asked: StrategyChoice, facts: &Facts) -> Result<Choice, Error> {
    let host = facts.host(build.platform);
    let native_image = host.native_images.get(&build.platform).map(|image| image.as_ref().map(|_| ()));
    strategy::choose(Question {
        asked,
        platform: build.platform,
        host: host.platform,
        ghc: build.ghc.as_deref(),
        emulation: host.emulation(build.platform),
        native_image: native_image.unwrap_or(Ok(())).map_err(String::as_str),
        setup: &facts.system.setup_emulation(build.platform),
    })
}

/// Plans a platform with the strategy that is chosen for it. When that is `cross`, and the user did not ask for it, the
/// plan gets a fallback: the same work, emulated.
///
/// # Errors
/// When the strategy asked for does not work, or when none works.
pub(crate) fn with_fallback<T>(
    build: &PlatformSettings,
    facts: &Facts,
    plan: impl Fn(Choice, Again) -> PlatformPlan<T>,
) -> Result<PlatformPlan<T>, Error> {
    let choice = choose(build, build.strategy, facts)?;
    let may_fall_back = choice.strategy == Strategy::Cross && build.strategy == StrategyChoice::Auto;
    let mut first = plan(choice, Again::No);
    if may_fall_back {
        // Without emulation there is no fallback, and the failure stands.
        let emulated = choose(build, StrategyChoice::Emulate, facts).ok();
        first.fallback = emulated.map(|choice| Box::new(plan(choice, Again::Yes)));
    }
    Ok(first)
}

/// Plans a platform's work after other work for it, which may have had to be emulated.
///
/// # Errors
/// As for [`with_fallback`].
pub(crate) fn sequel<T>(
    build: &PlatformSettings,
    facts: &Facts,
    plan: impl Fn(Choice, Again) -> PlatformPlan<T>,
) -> Result<Sequel<T>, Error> {
    let mut as_chosen = with_fallback(build, facts, |choice, _| plan(choice, Again::Yes))?;
    let emulated = as_chosen.fallback.take().map(|emulated| *emulated);
    Ok(Sequel { as_chosen, emulated })
}

/// Whether the plan is a later one for the same platform: an earlier plan has prepared the images and the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    No,
    Yes,
}

/// What every container of a platform's builder shares.
pub(crate) struct Builder<'a> {
    pub project: &'a Project,
    pub settings: &'a Settings,
    pub facts: &'a Facts,
    /// The engine that builds for the platform.
    pub host: &'a Host,
    pub build: &'a PlatformSettings,
    pub choice: Choice,
    again: Again,
    pub image: &'a Image,
    /// For the cross strategy: the toolchain, and the image of the host's platform that it is made from.
    pub toolchain: Option<(Toolchain, &'a Image)>,
    /// The key in the names of the builder's volume, containers, lock and log.
    pub key: String,
    pub store_volume: String,
    pub index_volume: String,
    pub build_volume: String,
    /// The source, when it is sent to an engine on another machine, or copied for a build that may write to it.
    source: Option<Source>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(
        project: &'a Project,
        settings: &'a Settings,
        facts: &'a Facts,
        build: &'a PlatformSettings,
        choice: Choice,
        again: Again,
    ) -> Self {
        let host = facts.host(build.platform);
        let image = &host.images[&build.platform];
        let key = build_key(project, build.platform, &image.reference, choice.strategy, &host.state_id, settings.store);
        let volume = |kind: &str, of: &[&str]| {
            let words = [&[image.reference.as_str(), &host.owner], of].concat();
            format!("hsx-{kind}-{}-{}", build.platform.slug(), short_hash(&words))
        };
        let native = host.native_images.get(&build.platform).and_then(|image| image.as_ref().ok());
        let toolchain = native.filter(|_| choice.strategy == Strategy::Cross).map(|native| {
            let pair = [image.reference.as_str(), &native.reference];
            (Toolchain::new(build.platform, pair, host.image_mounts, &host.state_id), native)
        });
        Self {
            store_volume: match settings.store {
                StoreScope::Shared => volume("store", &[]),
                StoreScope::Project => volume("store", &[project.root.as_str()]),
            },
            index_volume: volume("index", &[]),
            build_volume: format!("hsx-build-{key}"),
            source: if settings.writable_source {
                // A build that may write gets a copy of its own, so that no other build sees its changes.
                Some(Source::new(project, &format!("{} {key}", host.state_id)))
            } else {
                host.is_remote.then(|| Source::new(project, &host.state_id))
            },
            project,
            settings,
            facts,
            host,
            build,
            choice,
            again,
            image,
            toolchain,
            key,
        }
    }

    /// The names of a plan's containers: those that prepare, and those of its own phases.
    pub(crate) fn container_names(&self, phases: &[Phase]) -> Vec<String> {
        let send = self.source.iter().map(|_| Phase::Send);
        [Phase::Derive]
            .into_iter()
            .chain(send)
            .chain(phases.iter().copied())
            .map(|phase| self.container_name(phase))
            .collect()
    }

    pub(crate) fn container_name(&self, phase: Phase) -> String {
        container_name(&self.key, phase)
    }

    /// Changes the facts to what they are after this builder's preparation has been followed.
    pub(crate) fn prepare(&self, facts: &mut Facts) {
        let platform = self.build.platform;
        let source = self.source.iter().flat_map(|source| source.volumes.iter().map(|volume| volume.name.clone()));
        let own = [&self.store_volume, &self.index_volume, &self.build_volume].map(Clone::clone);
        let volumes = own.into_iter().chain(source).collect();
        let filled = self.toolchain.iter().flat_map(|(toolchain, _)| toolchain.volumes().cloned()).collect();
        if let Some(host) = facts.hosts.iter_mut().find(|host| host.builds.contains(&platform)) {
            host.prepare(volumes, filled);
        }
    }

    /// The locks that keep other runs of hsx away, in the order in which they are taken.
    pub(crate) fn locks(&self) -> Vec<Lock> {
        let fresh = |volume: &String| !self.host.volumes.contains(volume);
        let shared = |name: &String, shared| Lock { name: name.clone(), shared };
        let mut locks = vec![
            shared(&self.key, false),
            // Two cabals that create one store at the same time race (cabal #11329). Once it exists, they share it.
            shared(&self.store_volume, !fresh(&self.store_volume)),
            shared(&self.index_volume, true),
        ];
        let native = self.toolchain.iter().map(|(_, native)| *native);
        let native_present = native.clone().all(|image| image.present);
        for image in [self.image].into_iter().chain(native).filter(|image| image.base.is_some()) {
            locks.push(shared(&image.reference, image.present));
        }
        for volume in self.toolchain.iter().flat_map(|(toolchain, _)| toolchain.volumes()) {
            locks.push(shared(volume, self.host.filled.contains(volume) && native_present));
        }
        locks
    }

    /// Prepares images and volumes: everything that must exist before a container can start.
    pub(crate) fn preparation(&self) -> Vec<Chain<()>> {
        let mut steps = Vec::new();
        let native = self.toolchain.as_ref().map(|(_, native)| (self.host.platform, *native));
        for (platform, image) in [(self.build.platform, self.image)].into_iter().chain(native) {
            if !image.present && self.again == Again::No {
                steps.extend(self.obtain(platform, image));
            }
        }
        if self.again == Again::No {
            let mut labels = self.labels("store");
            if self.settings.store == StoreScope::Project {
                labels.push(("hsx.project", self.project.root.to_string()));
            }
            let store = CreateVolume::unless_there(self.host, &self.store_volume, &labels);
            let index = CreateVolume::unless_there(self.host, &self.index_volume, &self.labels("index"));
            steps.extend(store.into_iter().chain(index).map(chain));
            steps.extend(self.source.iter().flat_map(|source| self.send(source)));
        }
        let mut labels = self.labels("build");
        labels.push(("hsx.project", self.project.root.to_string()));
        steps.extend(CreateVolume::unless_there(self.host, &self.build_volume, &labels).map(chain));
        if let Some((toolchain, native)) = &self.toolchain {
            steps.extend(self.fill(toolchain, native));
        }
        steps
    }

    fn obtain(&self, platform: Platform, image: &Image) -> Vec<Chain<()>> {
        let engine = &self.host.engine;
        let check = |reference: &str| CheckImage::new(engine, platform, reference);
        let pull = |reference: &str| chain(Pull::new(engine, platform, reference).then(check(reference)));
        let Some(base) = &image.base else { return vec![pull(&image.reference)] };
        let mut steps: Vec<_> = (!base.present).then(|| pull(&base.reference)).into_iter().collect();
        let name = self.container_name(Phase::Derive);
        let install = engine.run_installer(&Container {
            lifetime: Lifetime::UntilRemoved,
            network: Network::Default,
            labels: &self.run_labels(),
            env: &self.facts.pass_env,
            extra: &self.settings.engine_args,
            args: base.addition.args(),
            ..Container::new(&name, platform, &base.reference, base.addition.script())
        });
        let labels = [
            (engine::LABEL, "image".to_owned()),
            ("hsx.platform", platform.to_string()),
            ("hsx.image", base.reference.clone()),
        ];
        let derive = Derive {
            platform,
            memory: engine.memory_of(&image.reference),
            addition: base.addition.clone(),
            install,
            commit: engine.commit(&name, &labels, &image.reference),
            remove: engine.remove(&[name]),
        };
        steps.push(chain(derive.then(check(&image.reference))));
        steps
    }

    /// Sends the source. When there are two images, the one that needs no emulation receives it.
    fn send(&self, source: &Source) -> Vec<Chain<()>> {
        let labels = [(engine::LABEL, "source".to_owned()), ("hsx.project", self.project.root.to_string())];
        let create =
            source.volumes.iter().filter_map(|volume| CreateVolume::unless_there(self.host, &volume.name, &labels));
        let mut steps: Vec<_> = create.map(chain).collect();
        let is_new = !steps.is_empty();
        let native = self.toolchain.as_ref().map(|(_, native)| (self.host.platform, *native));
        let (platform, image) = native.unwrap_or((self.build.platform, self.image));
        let cmd = self.host.engine.run(&Container {
            stdin: Stdin::Passed,
            labels: &self.run_labels(),
            mounts: &source.volume_mounts(false),
            extra: &self.settings.engine_args,
            args: source.volumes.iter().map(|volume| volume.target.clone()).collect(),
            ..Container::new(&self.container_name(Phase::Send), platform, &image.reference, send::RECEIVE)
        });
        steps.push(chain(Send { source: source.clone(), is_new, cmd }));
        steps
    }

    /// The engine, when it runs on another machine.
    pub(crate) fn elsewhere(&self) -> Option<Elsewhere> {
        let engine = &self.host.engine;
        self.host.is_remote.then(|| Elsewhere { connection: engine.connection.clone(), check: engine.check() })
    }

    /// Fills the volumes of the cross strategy, once for each pair of images.
    fn fill(&self, toolchain: &Toolchain, native: &Image) -> Vec<Chain<()>> {
        let labels = |kind: &str| [(engine::LABEL, kind.to_owned()), ("hsx.image", native.reference.clone())];
        let fill = |phase: Phase, volume: &str, target: &str, script, args| {
            let mount = Mount::Volume { name: volume.to_owned(), target: target.to_owned(), read_only: false };
            // The copy keeps the owners of the image's files, which takes an installer's capabilities.
            let start = if phase == Phase::Copy { Engine::run_installer } else { Engine::run };
            let (name, labels) = (self.container_name(phase), self.run_labels());
            let container = Container {
                labels: &labels,
                mounts: &[mount],
                extra: &self.settings.engine_args,
                args,
                ..Container::new(&name, self.host.platform, &native.reference, script)
            };
            Fill { volume: volume.to_owned(), cmd: start(&self.host.engine, &container) }
        };
        let mut steps = Vec::new();
        // A volume that was filled from an image has to be filled again when the image is made again.
        let filled =
            |volume: &str| native.present && self.host.filled.contains(volume) && self.host.volumes.contains(volume);
        if let Some(volume) = toolchain.copy.as_ref().filter(|volume| !filled(volume)) {
            let create = CreateVolume::unless_there(self.host, volume, &labels("native"));
            let copy = fill(Phase::Copy, volume, cross::COPY_TARGET, cross::COPY_IMAGE, Vec::new());
            steps.push(chain(create.then(copy)));
        }
        let volume = &toolchain.volume;
        if !filled(volume) {
            let platform = ("hsx.platform", self.build.platform.to_string());
            let labels = [&labels("cross")[..], &[platform]].concat();
            let create = CreateVolume::unless_there(self.host, volume, &labels);
            let machine = vec![self.build.platform.machine().to_owned()];
            let make = fill(Phase::Cross, volume, cross::TOOLCHAIN_DIR, cross::MAKE_TOOLCHAIN, machine);
            steps.push(chain(create.then(make)));
        }
        steps
    }

    /// Downloads what a build needs. `None`: the build is offline, or nothing has changed since the last fetch for
    /// `key`.
    pub(crate) fn fetch(&self, key: &str, cabal_args: &[String]) -> Option<Fetch> {
        let Self { project, settings, host: Host { engine, fetched, volumes, .. }, .. } = self;
        let needed = [&self.store_volume, &self.index_volume, &self.build_volume];
        let there = needed.into_iter().all(|volume| volumes.contains(volume));
        if settings.offline || there && self.fetch_inputs(cabal_args).are_those_of(fetched.get(key)) {
            return None;
        }
        let parts = self.parts(Phase::Fetch);
        let index_state = project.index_state.clone().unwrap_or_default();
        let args = [index::heed(), index_state].into_iter().chain(cabal_args.iter().cloned()).collect();
        let container = Container { network: Network::Default, ..self.container(&parts, fetch::SCRIPT, args) };
        Some(Fetch { cmd: engine.run(&container), index: self.index() })
    }

    /// How the package index is updated: in a container that sees nothing of the project.
    pub(crate) fn index(&self) -> Index {
        let mut parts = self.parts(Phase::Index);
        let index =
            Mount::Volume { name: self.index_volume.clone(), target: cabal::INDEX_DIR.to_owned(), read_only: false };
        parts.mounts = [index].into_iter().chain(self.native_mounts()).collect();
        let index_state = vec![self.project.index_state.clone().unwrap_or_default()];
        let container =
            Container { network: Network::Default, workdir: "/", ..self.container(&parts, index::UPDATE, index_state) };
        Index {
            update: (!self.settings.offline).then(|| self.host.engine.run(&container)),
            volume: self.index_volume.clone(),
            is_new: self.again == Again::No && !self.host.volumes.contains(&self.index_volume),
        }
    }

    /// Everything that could change what [`Self::fetch`] downloads.
    pub(crate) fn fetch_inputs(&self, cabal_args: &[String]) -> FetchInputs {
        let files = self.project.plan_inputs.iter().flat_map(|(path, text)| [path.as_str(), text.as_str()]);
        let files = hash(&files.collect::<Vec<_>>());
        // The number of parallel jobs does not affect what is fetched.
        let args = cabal_args.iter().filter(|arg| !arg.starts_with("--jobs=")).cloned();
        // What is in the store is not downloaded.
        let own = [self.image.reference.clone(), self.store_volume.clone(), files];
        FetchInputs(own.into_iter().chain(args).collect())
    }

    /// A container that sees the project, the package store and the build directory; its fields borrow from `parts`.
    pub(crate) fn container<'p>(&'p self, parts: &'p Parts, script: &'p str, args: Vec<String>) -> Container<'p> {
        Container {
            labels: &parts.labels,
            env: &parts.env,
            mounts: &parts.mounts,
            workdir: &self.project.workdir,
            entry: self.toolchain.as_ref().map_or(engine::SHELL, |_| cross::ENTRY),
            extra: &self.settings.engine_args,
            args,
            ..Container::new(&parts.name, self.build.platform, &self.image.reference, script)
        }
    }

    /// A plan that runs a container for a person to use; `key` names its log and labels its container.
    pub(crate) fn interactive(&self, key: &str, locks: Vec<Lock>, container: &Container<'_>) -> PlatformPlan<u8> {
        let interact = Interact { cmd: self.host.engine.run(container) };
        let mut plan = self.plan(key, &[container.name.to_owned()], locks, Vec::new(), interact);
        // The plan that prepared the container has shown these already.
        plan.warnings = Vec::new();
        plan.shown = Vec::new();
        plan.job.leftovers = self.host.engine.containers(&format!("hsx.build={key}"));
        plan
    }

    /// A plan for the platform; `key` names its log, and `names` are the names of its containers.
    pub(crate) fn plan<T>(
        &self,
        key: &str,
        names: &[String],
        locks: Vec<Lock>,
        preparation: Vec<Chain<()>>,
        work: impl Step<Input = (), Output = T> + 'static,
    ) -> PlatformPlan<T> {
        let Self { host: Host { engine, .. }, build, .. } = self;
        PlatformPlan {
            job: Job {
                platform: build.platform,
                choice: self.choice.clone(),
                ghc: build.ghc.clone(),
                ghc_reason: build.ghc_reason.clone(),
                image: self.image.reference.clone(),
                key: key.to_owned(),
                advice: advice::of_project(self.project),
                seen: self.project.mounts.iter().map(|mount| mount.source.clone()).collect(),
                is_offline: self.settings.offline,
                elsewhere: self.elsewhere(),
                removal: engine.remove(names),
                leftovers: engine.containers(&format!("hsx.build={}", self.key)),
            },
            locks,
            warnings: build.warnings.clone(),
            shown: self.project.mounts.iter().map(|mount| format!("{}: {}", mount.source, mount.reason)).collect(),
            toolchain: self.toolchain.as_ref().map(|(toolchain, _)| toolchain.clone()),
            stage: self.stage(key),
            fetch_inputs: None,
            fallback: None,
            preparation,
            work: chain(work),
        }
    }

    /// The directory where the results of a plan wait until they are verified; `key` is the plan's.
    pub(crate) fn stage(&self, key: &str) -> Stage {
        Stage::of(&self.settings.out_dir, key)
    }

    /// The directory where the platform's results end up.
    pub(crate) fn out_dir(&self) -> Place {
        self.settings.out_dir.join(self.build.platform.slug())
    }

    /// What the container of a phase is made of.
    pub(crate) fn parts(&self, phase: Phase) -> Parts {
        Parts { name: self.container_name(phase), labels: self.run_labels(), env: self.env(), mounts: self.mounts() }
    }

    pub(crate) fn labels(&self, kind: &str) -> Vec<(&'static str, String)> {
        vec![
            (engine::LABEL, kind.to_owned()),
            ("hsx.platform", self.build.platform.to_string()),
            ("hsx.image", self.image.reference.clone()),
        ]
    }

    pub(crate) fn run_labels(&self) -> Vec<(&'static str, String)> {
        self.labels_of_build(&self.key)
    }

    /// The labels of a container; its plan finds it by the label `build`.
    pub(crate) fn labels_of_build(&self, build: &str) -> Vec<(&'static str, String)> {
        let mut labels = self.labels("run");
        labels.push(("hsx.project", self.project.root.to_string()));
        labels.push(("hsx.state", self.host.state_id.clone()));
        labels.push(("hsx.build", build.to_owned()));
        labels
    }

    fn mounts(&self) -> Vec<Mount> {
        let volume = |name: &str, target: &str, read_only| Mount::Volume {
            name: name.to_owned(),
            target: target.to_owned(),
            read_only,
        };
        let here = |mount: &SourceMount| Mount::ReadOnly { source: mount.source.clone(), target: mount.target.clone() };
        let sources: Vec<_> = match &self.source {
            Some(source) => source.volume_mounts(!self.settings.writable_source),
            None => self.project.mounts.iter().map(here).collect(),
        };
        let volumes = [
            volume(&self.store_volume, cabal::STORE_DIR, false),
            volume(&self.index_volume, cabal::INDEX_DIR, true),
            volume(&self.build_volume, cabal::BUILD_DIR, false),
        ];
        sources.into_iter().chain(volumes).chain(self.native_mounts()).collect()
    }

    /// What the cross strategy shows a container of the host's image.
    fn native_mounts(&self) -> impl Iterator<Item = Mount> {
        self.toolchain.iter().flat_map(|(toolchain, _)| toolchain.mounts())
    }

    fn env(&self) -> Vec<String> {
        let own = [
            // A uid without an account gets HOME=/.
            format!("HOME={}", cabal::HOME),
            format!("CABAL_DIR={}", cabal::CABAL_DIR),
            // In the C locale GHC fails on sources that are not ASCII.
            "LANG=C.UTF-8".to_owned(),
            // The source does not belong to root in the container, so git would refuse to read its history.
            "GIT_CONFIG_COUNT=1".to_owned(),
            "GIT_CONFIG_KEY_0=safe.directory".to_owned(),
            "GIT_CONFIG_VALUE_0=*".to_owned(),
            // The source is read-only, so git must not try to refresh its index.
            "GIT_OPTIONAL_LOCKS=0".to_owned(),
        ];
        let places = self.project.repositories.iter();
        let places = places.filter_map(|path| Some(format!("{path}={}", self.project.place_of(path)?)));
        let places = places.collect::<Vec<_>>().join("\n");
        let places = (!places.is_empty()).then(|| format!("HSX_REPOSITORIES={places}"));
        own.into_iter().chain(places).chain(self.facts.pass_env.iter().cloned()).collect()
    }
}

fn chain<T>(step: impl Step<Input = (), Output = T> + 'static) -> Chain<T> {
    Box::new(step)
}

/// The parts of a [`Container`] that it borrows from its builder.
pub(crate) struct Parts {
    name: String,
    pub labels: Vec<(&'static str, String)>,
    env: Vec<String>,
    mounts: Vec<Mount>,
}
