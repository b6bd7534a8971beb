//! Facts about engines and this machine: images, volumes, containers, emulation. Asked once, before anything is
//! decided.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::thread;

use super::engines::{Known, Knowns};
use super::machine::{binfmt_entries, is_this_kernel, machine, state_id, system};
use crate::args::StrategyChoice;
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::plan::cross::{self, Toolchain};
use crate::plan::facts::{self, Addition, Facts, Host, Image, build_key, test_key};
use crate::plan::strategy::Strategy;
use crate::project::{Project, image};
use crate::settings::lockfile::Lockfile;
use crate::settings::{Packing, PlatformSettings, Settings};
use crate::tools::binfmt::{self, Emulation};
use crate::tools::engine::{self, Dialect, Engine, LocalImage, Manifest, Stdin};
use crate::tools::upx::{self, Packer};
use crate::world::doors::World;
use crate::world::doors::at_once::{cores, joined};
use crate::world::doors::exec::Answer;

/// Everything the plan depends on.
///
/// # Errors
/// When an image is not to be had, or an engine fails.
pub(crate) fn facts(known: &Knowns, project: &Project, settings: &Settings, world: &World<'_>) -> Result<Facts, Error> {
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
        // A file in its place is found out before anything is pulled.
        out_dir_exists: settings.out_dir.is_dir(),
        pass_env: world.environment.pass.clone(),
        hosts: hosts?,
    })
}

/// What is to be known of an engine for some builds. Its answers are asked for side by side.
fn host(
    known: Known,
    builds: &[&PlatformSettings],
    project: &Project,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Host, Error> {
    let platform = known.platform()?;
    let Known { engine, info, is_remote } = known;
    let info = &info;
    let state_id = state_id(&engine, info, world);
    let is_foreign = |build: &&&PlatformSettings| build.platform != platform;
    let may_cross = |build: &&&PlatformSettings| {
        build.strategy != StrategyChoice::Emulate
            && cross::obstacle(platform, build.platform, build.ghc.as_deref()).is_none()
    };
    // Each image once, also where several platforms are made with the same one of the host's.
    let own = |build: &'_ PlatformSettings| (build.image.clone(), build.platform, Addition::to_image_of(build));
    let native = |build: &'_ PlatformSettings| (build.image.clone(), platform, Addition::to_host_image_for(build));
    let crossing = builds.iter().filter(is_foreign).filter(may_cross);
    let all: BTreeSet<Wanted> =
        builds.iter().map(|build| own(build)).chain(crossing.map(|build| native(build))).collect();
    let registry: BTreeMap<_, _> = all.iter().map(|(image, ..)| (image, Registered::default())).collect();
    let (found, volumes, stale) = thread::scope(|scope| {
        let (engine, state_id) = (&engine, &state_id);
        let find = |wanted: &'_ Wanted| {
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
        // Neither pinned nor known by its id, it is no list, and the target needs the same name.
        let of_one = format!("the image `{}` is of one platform only", build.image);
        let is_named =
            |image: &Image| image.base.as_ref().map_or(&image.reference, |base| &base.reference) == &build.image;
        let image = image.and_then(|image| if is_named(&image) { Err(of_one) } else { Ok(image) });
        Some((build.platform, image))
    });
    let native_images: BTreeMap<_, _> = native.collect();
    let image_mounts = info.image_mounts();
    // What was filled from an image that is made anew is filled anew.
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
            // It went, and what it was filled with.
            world.state.remember("filled", volume, None);
        }
        world.state.recall("filled", volume).is_some()
    };
    let filled = toolchains.flat_map(volumes_of).filter(is_filled).map(|(volume, _)| volume).collect();
    let keys = images.iter().flat_map(|(&platform, image)| {
        [Strategy::Native, Strategy::Cross, Strategy::Emulate]
            .map(|strategy| build_key(project, platform, &image.reference, strategy, &state_id))
            .into_iter()
            .flat_map(|key| [test_key(&key), key])
    });
    let fetched = keys.filter_map(|key| Some((key.clone(), world.state.recall("fetched", &key)?))).collect();
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
        // Of a machine elsewhere it is not known what others do there.
        cores: info.cores.filter(|_| is_remote).unwrap_or_else(cores),
        memory: info.memory.filter(|_| is_remote).unwrap_or_else(available_memory),
        state_id,
    })
}

/// Whether programs of a platform start on this machine.
fn emulation_here(platform: Platform) -> Emulation {
    match machine() {
        None => Emulation::Unknown,
        Some(own) if own == platform => Emulation::Ready,
        Some(_) => binfmt::emulation(platform, &binfmt_entries()),
    }
}

/// A terminal only where output goes to one too: else it would mix what is to be told apart.
fn stdin() -> Stdin {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() { Stdin::Terminal } else { Stdin::Passed }
}

fn volumes(engine: &Engine, world: &World<'_>) -> Result<BTreeSet<String>, Error> {
    let answer = ask(&engine.volumes(engine::LABEL), world)?;
    Ok(answer.stdout.lines().map(|line| line.trim().to_owned()).collect())
}

/// The containers of this user's hsx runs that have ended: nobody holds the lock of their build.
fn stale_containers(engine: &Engine, state_id: &str, world: &World<'_>) -> Result<Vec<String>, Error> {
    let answer = ask(&engine.containers(&format!("hsx.state={state_id}")), world)?;
    let containers = answer.stdout.lines().filter_map(|line| line.trim().split_once(' '));
    Ok(containers
        .filter(|(_, name)| {
            let key = name.strip_prefix("hsx-").and_then(|name| Some(name.rsplit_once('-')?.0));
            key.is_some_and(|key| !world.state.is_held(key))
        })
        .map(|(id, _)| id.to_owned())
        .collect())
}

/// The memory that programs could get now, in bytes (proc(5), `MemAvailable`); where that is not told, much.
fn available_memory() -> u64 {
    let text = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib * 1024)
}

/// The upx to pack with, if there is one and it is wanted.
fn packer(settings: &Settings, world: &World<'_>) -> Result<Option<Packer>, Error> {
    let wanted = settings.upx != Packing::Never;
    let Some(program) = world.environment.find("upx").filter(|_| wanted) else { return Ok(None) };
    let answer = world.exec.capture(&upx::version(&program))?;
    let version = Some(answer.stdout).filter(|said| upx::parse_version(said).is_some());
    Ok(Some(Packer { program, version, args: settings.upx_args.clone() }))
}

pub(crate) fn ask(cmd: &crate::base::cmd::Cmd, world: &World<'_>) -> Result<Answer, Error> {
    let answer = world.exec.capture(cmd)?;
    if answer.success() {
        return Ok(answer);
    }
    Err(Error::host("the container engine failed").tried(cmd.to_string()).said(&answer.stderr))
}

/// What the registry says of a reference, or why it does not know it: asked for once, by whoever needs it first.
type Registered = OnceLock<Result<Result<Manifest, String>, Error>>;

/// An image's name, the platform, and what to add to it.
type Wanted = (String, Platform, Addition);

/// Finds the image for a platform, or that which is made of it by adding something.
fn find_image_with(
    engine: &Engine,
    (reference, platform, addition): &Wanted,
    registered: &Registered,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Image, Error> {
    let image = find_image(engine, reference, *platform, registered, settings, world)?;
    if addition.is_nothing() {
        return Ok(image);
    }
    let derived = image.reference_with(addition);
    let memory = engine.memory_of(&derived);
    let is_whole = || world.state.recall("derived", &memory).as_deref() != Some(facts::DERIVED_IN_PART);
    let present = (!settings.pull || is_whole()) && local(engine, &derived, *platform, world)?.is_some();
    if !present {
        // A toolchain is an optimisation, and getting it needs a network.
        if settings.offline && matches!(addition, Addition::Toolchain { .. }) {
            return Ok(image);
        }
        world.state.remember("derived", &memory, None);
    }
    Ok(image.with(addition.clone(), present))
}

/// The digests behind an image's name, one a platform, as the registry has them now.
///
/// # Errors
/// When it does not know them.
pub(crate) fn digests(
    engine: &Engine,
    reference: &str,
    world: &World<'_>,
) -> Result<BTreeMap<Platform, String>, Error> {
    let cannot = || Error::host(format!("the digests of the image `{reference}` are not to be had"));
    match manifest(engine, reference, world)? {
        Ok(Manifest::Index(children)) => {
            let known = Platform::all().filter_map(|platform| {
                let (_, digest) = children.iter().find(|(arch, _)| arch == platform.oci_arch())?;
                Some((platform, digest.clone()))
            });
            Ok(known.collect())
        }
        Ok(Manifest::Single) => Err(cannot().hint("it is of one platform only: name one with a list of platforms")),
        Err(said) => Err(cannot().said(&said).hints(image::known_tags_hint(reference))),
    }
}

/// The image that was locked. Says so where its tag is known to stand for another one by now.
fn locked_image(
    engine: &Engine,
    (reference, platform): (&str, Platform),
    lockfile: &Lockfile,
    registered: &Registered,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Image, Error> {
    let digest = lockfile.digest(reference, platform)?;
    let pinned = format!("{}@{digest}", image::repository(reference));
    let present = local(engine, &pinned, platform, world)?.is_some();
    let mut newest = world.state.recall("digests", &format!("{reference} {platform}"));
    if !present && !settings.offline {
        // The registry is to be asked for the image anyway. What it says is for the warning only.
        let answer = registered.get_or_init(|| manifest(engine, reference, world));
        if let Ok(Ok(Manifest::Index(children))) = answer {
            newest = children.iter().find(|(arch, _)| arch == platform.oci_arch()).map(|(_, digest)| digest.clone());
        }
    }
    if let Some(newest) = newest.filter(|newest| newest != digest) {
        world.ui.warning(&format!(
            "the tag of `{reference}` for {platform} stands for {newest} now, and `hsx.lock` has {digest}"
        ));
    }
    if !present && settings.offline {
        let said = "`--offline` keeps hsx from asking the registry";
        return Err(not_to_be_had(&pinned, platform, said).hint("run it once without `--offline`"));
    }
    Ok(Image::published(pinned, present))
}

/// Finds the image for a platform: the one locked, the one remembered, the registry's, or a local one, in this order.
fn find_image(
    engine: &Engine,
    reference: &str,
    platform: Platform,
    registered: &Registered,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Image, Error> {
    if let Some(lockfile) = &settings.lockfile {
        return locked_image(engine, (reference, platform), lockfile, registered, settings, world);
    }
    let name = format!("{reference} {platform}");
    if let Some(digest) = world.state.recall("digests", &name).filter(|_| !settings.pull) {
        let pinned = format!("{}@{digest}", image::repository(reference));
        if local(engine, &pinned, platform, world)?.is_some() {
            return Ok(Image::published(pinned, true));
        }
    }
    let elsewhere = if settings.offline {
        Err("`--offline` keeps hsx from asking the registry".to_owned())
    } else if reference.starts_with("localhost/") {
        Err("a `localhost/` image is on no registry".to_owned())
    } else {
        registered.get_or_init(|| manifest(engine, reference, world)).clone()?
    };
    match elsewhere {
        Ok(Manifest::Index(children)) => {
            let arch = platform.oci_arch();
            let Some((_, digest)) = children.iter().find(|(child, _)| child == arch) else {
                let offered: Vec<_> = children.iter().map(|(arch, _)| format!("linux/{arch}")).collect();
                return Err(Error::host(format!("the image `{reference}` is not made for {platform}"))
                    .hint(format!("it is made for {}; choose another with `--image` or `--ghc`", offered.join(", "))));
            };
            world.state.remember("digests", &name, Some(digest));
            let pinned = format!("{}@{digest}", image::repository(reference));
            let present = local(engine, &pinned, platform, world)?.is_some();
            Ok(Image::published(pinned, present))
        }
        Ok(Manifest::Single) => match local(engine, reference, platform, world)? {
            Some(image) if !settings.pull => Ok(Image::published(image.id, true)),
            _ => Ok(Image::published(reference.to_owned(), false)),
        },
        Err(said) => match local(engine, reference, platform, world)? {
            Some(image) => Ok(Image::published(image.id, true)),
            None if settings.offline => {
                Err(not_to_be_had(reference, platform, &said).hint("run it once without `--offline`"))
            }
            None => Err(no_image(reference, platform, &said)),
        },
    }
}

fn not_to_be_had(reference: &str, platform: Platform, said: &str) -> Error {
    Error::host(format!("the image `{reference}` for {platform} is not to be had")).said(said)
}

fn no_image(reference: &str, platform: Platform, said: &str) -> Error {
    not_to_be_had(reference, platform, said)
        .hints(image::known_tags_hint(reference))
        .hint("is the name right, and the registry reachable? `--image` names another, also one of your own making")
}

/// The image in the engine's storage, if it is of the right architecture.
pub(crate) fn local(
    engine: &Engine,
    reference: &str,
    platform: Platform,
    world: &World<'_>,
) -> Result<Option<LocalImage>, Error> {
    let answer = world.exec.capture(&engine.image_inspect(reference))?;
    let image = engine::parse_image(&answer.stdout).ok().flatten().filter(|_| answer.success());
    Ok(image.filter(|image| image.arch == platform.oci_arch()))
}

/// Asks the registry; `Err` holds what it said when it did not know the image.
fn manifest(engine: &Engine, reference: &str, world: &World<'_>) -> Result<Result<Manifest, String>, Error> {
    world.ui.status("Resolving", reference);
    let cmd = engine.manifest_inspect(reference);
    let answer = world.retried(&cmd, |cmd| world.exec.capture(cmd))?;
    if answer.success()
        && let Ok(manifest) = engine::parse_manifest(&answer.stdout)
    {
        return Ok(Ok(manifest));
    }
    // Podman before 5 cannot print the manifest of an image that is no list.
    let single = engine.dialect == Dialect::Podman && answer.stderr.contains("single image");
    Ok(if single { Ok(Manifest::Single) } else { Err(answer.stderr) })
}
