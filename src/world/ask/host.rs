//! Facts about engines and this machine: images, volumes, containers, emulation. They are all gathered once, before
//! anything is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::thread;

use super::engines::{EngineFacts, EnginesByConnection};
use super::images::{ImageRequest, RegistryAnswer, find_image_with};
use super::machine::{binfmt_entries, is_this_kernel, machine, owner, state_id, system};
use crate::args::StrategyChoice;
use crate::base::digest::short_hash;
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::facts::container_name::key_of;
use crate::facts::cross::{self, Toolchain};
use crate::facts::strategy::Strategy;
use crate::facts::{Addition, Facts, Host, Image, build_key, test_key};
use crate::project::Project;
use crate::settings::{Packing, PlatformSettings, Settings};
use crate::tools::binfmt::{self, Emulation};
use crate::tools::engine::args::{self as engine_args, ContainerInput};
use crate::tools::engine::{self, Engine, Stdin, words};
use crate::tools::upx::{self, Packer};
use crate::world::doors::World;
use crate::world::doors::at_once::{cores, joined};
use crate::world::doors::environment::variable;
use crate::world::doors::exec::Output;
use crate::world::doors::pieces::sha256_of;
use crate::world::doors::root::Root;
use crate::world::doors::state::{FETCHED, FILLED};
use crate::world::doors::write::unwritable;

/// Gathers everything that the plan depends on.
///
/// # Errors
/// When an image cannot be found, or an engine fails.
pub(crate) fn facts(
    known: &EnginesByConnection,
    project: &Project,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Facts, Error> {
    let (hosts, packer) = thread::scope(|scope| {
        let packer = scope.spawn(|| packer(settings, world));
        let hosts = known.by_connection().map(|(connection, known)| {
            scope.spawn(move || {
                let builds = settings.platforms.iter().filter(|build| build.connection == *connection);
                host(known.clone(), &builds.collect::<Vec<_>>(), project, settings, world)
            })
        });
        let hosts: Vec<_> = hosts.collect();
        let hosts: Result<Vec<_>, Error> = hosts.into_iter().map(joined).collect();
        (hosts, joined(packer))
    });
    world.exec.check()?;
    Ok(Facts {
        machine: machine(),
        stdin: stdin(),
        process: std::process::id(),
        system: system(),
        emulation: settings.platforms.iter().map(|build| (build.platform, emulation_here(build.platform))).collect(),
        upx: packer?,
        out_dir_exists: out_dir_exists(settings),
        pass_env: world.environment.pass.clone(),
        given: given(settings, world),
        hosts: hosts?,
    })
}

/// Whether the output directory exists. This fails before anything is pulled when a file or a project's link stands in
/// its place, or in that of a platform's directory.
fn out_dir_exists(settings: &Settings) -> Result<bool, Error> {
    let platforms = settings.platforms.iter().map(|build| settings.out_dir.join(build.platform.slug()));
    let mut exists = true;
    for (number, place) in [settings.out_dir.clone()].into_iter().chain(platforms).enumerate() {
        match Root::open(&place) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => exists &= number > 0,
            Err(error) => return Err(unwritable(&error)),
        }
    }
    Ok(exists)
}

/// A digest of the values that the user passes into the build's containers; empty when there are none.
fn given(settings: &Settings, world: &World<'_>) -> String {
    const EPOCH: &str = "SOURCE_DATE_EPOCH";
    let own = engine_args::given(&settings.engine_args).into_iter().map(|given| match given {
        ContainerInput::Value(text) => text,
        ContainerInput::Variable(name) => format!("{name}={}", variable(&name).unwrap_or_default()),
        ContainerInput::File(path) => {
            format!("{path} {}", sha256_of(world.environment.cwd.join(&path)).unwrap_or_default())
        }
    });
    let epoch = world.environment.pass.iter().find(|name| *name == EPOCH).and_then(|_| variable(EPOCH));
    let words: Vec<_> = own.chain(epoch.map(|time| format!("{EPOCH}={time}"))).collect();
    if words.is_empty() { String::new() } else { short_hash(&words.iter().map(String::as_str).collect::<Vec<_>>()) }
}

/// Gathers the facts about one engine, for the builds that it makes. The questions are asked in parallel.
fn host(
    known: EngineFacts,
    builds: &[&PlatformSettings],
    project: &Project,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Host, Error> {
    let platform = known.platform()?;
    let EngineFacts { engine, info, is_remote } = known;
    let info = &info;
    let (state_id, owner) = (state_id(&engine, info, world), owner(&engine, info, world));
    let is_foreign = |build: &&&PlatformSettings| build.platform != platform;
    let may_cross = |build: &&&PlatformSettings| {
        build.strategy != StrategyChoice::Emulate
            && cross::obstacle(platform, build.platform, build.ghc.as_deref()).is_none()
    };
    // Each image is looked for once, even when several platforms use the same image of the host's platform.
    let own = |build: &'_ PlatformSettings| (build.image.clone(), build.platform, Addition::to_image_of(build));
    let native = |build: &'_ PlatformSettings| (build.image.clone(), platform, Addition::to_host_image_for(build));
    let crossing = builds.iter().filter(is_foreign).filter(may_cross);
    let all: BTreeSet<ImageRequest> =
        builds.iter().map(|build| own(build)).chain(crossing.map(|build| native(build))).collect();
    let registry: BTreeMap<_, _> = all.iter().map(|(image, ..)| (image, RegistryAnswer::default())).collect();
    let (found, volumes, stale) = thread::scope(|scope| {
        let (engine, state_id) = (&engine, &state_id);
        let find = |wanted: &'_ ImageRequest| {
            let registered = &registry[&wanted.0];
            let wanted = wanted.clone();
            scope.spawn(move || find_image_with(engine, &wanted, registered, settings, world))
        };
        let images: Vec<_> = all.iter().map(|wanted| (wanted, find(wanted))).collect();
        let volumes = scope.spawn(|| volumes(engine, world));
        let stale = scope.spawn(|| stale_containers(engine, state_id, world));
        let images = images.into_iter().map(|(wanted, thread)| (wanted, joined(thread)));
        (images.collect::<BTreeMap<_, _>>(), joined(volumes), joined(stale))
    });
    world.exec.check()?;
    let images = builds.iter().filter_map(|build| {
        let image = found.get(&own(build))?;
        Some(image.clone().map(|image| (build.platform, image)))
    });
    let images: BTreeMap<_, _> = images.collect::<Result<_, Error>>()?;
    let native = builds.iter().filter(is_foreign).filter_map(|build| {
        let image = found.get(&native(build))?.clone().map_err(|error| error.message);
        // A reference without digest or id means a single-platform image, which cannot serve host and target under one
        // name.
        let of_one = format!("the image `{}` is of one platform only", build.image);
        let is_named =
            |image: &Image| image.base.as_ref().map_or(&image.reference, |base| &base.reference) == &build.image;
        let image = image.and_then(|image| if is_named(&image) { Err(of_one) } else { Ok(image) });
        Some((build.platform, image))
    });
    let native_images: BTreeMap<_, _> = native.collect();
    let image_mounts = info.image_mounts();
    // A volume that was filled from an image has to be filled again when the image is made again.
    let of_present = |(target, native): (&Platform, &Result<Image, String>)| {
        let native = native.as_ref().ok()?;
        let pair = [images[target].reference.as_str(), &native.reference];
        Some((Toolchain::new(*target, pair, image_mounts, &state_id), native.present))
    };
    let toolchains = native_images.iter().filter_map(of_present);
    let volumes_of = |(toolchain, present): (Toolchain, bool)| {
        toolchain.volumes().cloned().map(|volume| (volume, present)).collect::<Vec<_>>()
    };
    let volumes = volumes?;
    let is_filled = |(volume, present): &(String, bool)| {
        if !present || !volumes.contains(volume) {
            // The volume is gone, or its image is.
            world.state.forget(&FILLED, volume);
        }
        world.state.recall(&FILLED, volume).is_some()
    };
    let filled = toolchains.flat_map(volumes_of).filter(is_filled).map(|(volume, _)| volume).collect();
    let keys = images.iter().flat_map(|(&platform, image)| {
        [Strategy::Native, Strategy::Cross, Strategy::Emulate]
            .map(|strategy| build_key(project, platform, &image.reference, strategy, &state_id, settings.store))
            .into_iter()
            .flat_map(|key| [test_key(&key), key])
    });
    let fetched = keys.filter_map(|key| Some((key.clone(), world.state.recall(&FETCHED, &key)?))).collect();
    let entries = if is_this_kernel(info) { binfmt_entries() } else { Vec::new() };
    let foreign = builds.iter().filter(is_foreign).map(|build| build.platform);
    let emulation: BTreeMap<Platform, Emulation> =
        foreign.map(|platform| (platform, binfmt::emulation(platform, &entries))).collect();
    Ok(Host {
        engine,
        builds: builds.iter().map(|build| build.platform).collect(),
        platform,
        emulation,
        images,
        native_images,
        image_mounts,
        filled,
        volumes,
        stale: stale?,
        fetched,
        is_remote,
        // The load of a remote machine is not known, so its totals are used.
        cores: info.cores.filter(|_| is_remote).unwrap_or_else(cores),
        memory: info.memory.filter(|_| is_remote).unwrap_or_else(available_memory),
        state_id,
        owner,
    })
}

/// Whether this machine starts programs of a platform.
fn emulation_here(platform: Platform) -> Emulation {
    match machine() {
        None => Emulation::Unknown,
        Some(own) if own == platform => Emulation::Ready,
        Some(_) => binfmt::emulation(platform, &binfmt_entries()),
    }
}

/// Standard input is a terminal only when standard output is one too: a terminal would mix output and errors.
fn stdin() -> Stdin {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() { Stdin::Terminal } else { Stdin::Passed }
}

fn volumes(engine: &Engine, world: &World<'_>) -> Result<BTreeSet<String>, Error> {
    let answer = ask(&engine.volumes(engine::LABEL), world)?;
    Ok(words::items(&answer.stdout).map(str::to_owned).collect())
}

/// The leftover containers of this user's runs: those whose build's lock nobody holds.
fn stale_containers(engine: &Engine, state_id: &str, world: &World<'_>) -> Result<Vec<String>, Error> {
    let answer = ask(&engine.containers(&format!("hsx.state={state_id}")), world)?;
    Ok(words::containers(&answer.stdout)
        .filter(|(_, name)| key_of(name).is_some_and(|key| !world.state.is_held(key)))
        .map(|(id, _)| id.to_owned())
        .collect())
}

/// The memory that programs can get now, in bytes (proc(5), `MemAvailable`). `u64::MAX` when it is not known.
fn available_memory() -> u64 {
    let text = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib * 1024)
}

/// The upx to pack with, if it is installed and wanted.
fn packer(settings: &Settings, world: &World<'_>) -> Result<Option<Packer>, Error> {
    let wanted = settings.upx != Packing::Never;
    let Some(program) = world.environment.find("upx").filter(|_| wanted) else { return Ok(None) };
    let answer = world.exec.capture(&upx::version(&program))?;
    let version = Some(answer.stdout).filter(|said| upx::parse_version(said).is_some());
    Ok(Some(Packer { program, version, args: settings.upx_args.clone() }))
}

pub(crate) fn ask(cmd: &crate::base::cmd::Cmd, world: &World<'_>) -> Result<Output, Error> {
    let answer = world.exec.capture(cmd)?;
    if answer.success() {
        return Ok(answer);
    }
    Err(Error::host("the container engine failed").tried(cmd.to_string()).said(&answer.stderr))
}
