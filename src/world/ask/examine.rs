//! Looks at the machine for `hsx doctor`, and changes nothing.

use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::images::local;
use super::machine::{binfmt_entries, is_this_kernel, state_id, system, user};
use super::storage;
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::doctor::machine::{Disk, Emulation, Engine, EngineAnswer, ImageCheck, Machine, Probe, Purpose, Tool};
use crate::facts::container_name::{Phase, container_name};
use crate::project::image;
use crate::tools::binfmt::{Handler, handler};
use crate::tools::engine::health::{Place, parse_health};
use crate::tools::engine::{self, Container, Info, InfoAnswer, LABEL, Manifest, words};
use crate::tools::upx;
use crate::world::doors::at_once::joined;
use crate::world::doors::state::DIGESTS;
use crate::world::doors::{World, exec};

/// How long a program may take to print its version, or an engine to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How long a foreign program may take to start in a container: old versions of QEMU are slow.
const START: Duration = Duration::from_secs(60);

/// What `hsx doctor` is to look at.
pub(crate) struct Question<'a> {
    /// The engines, the preferred first.
    pub engines: Vec<String>,
    /// The platforms that the user builds for, if the settings name them.
    pub platforms: &'a [Platform],
    /// The builder image for a platform.
    pub image: &'a dyn Fn(Platform) -> Option<String>,
    /// The digest that `hsx.lock` has for an image and a platform.
    pub locked: &'a dyn Fn(&str, Platform) -> Option<String>,
    pub needs_hpack: bool,
    pub offline: bool,
    /// The output directory.
    pub out_dir: Utf8PathBuf,
    /// The settings ask for packed executables.
    pub packs: bool,
}

/// Looks at everything.
///
/// # Errors
/// When a signal came.
pub(crate) fn examine(question: &Question<'_>, world: &World<'_>) -> Result<Machine, Error> {
    let engines: Vec<Engine> = thread::scope(|scope| {
        let asked = question.engines.iter().map(|program| scope.spawn(|| ask_engine(program, world)));
        let asked: Vec<_> = asked.collect();
        asked.into_iter().map(joined).collect::<Result<_, Error>>()
    })?;
    let mut machine = Machine {
        system: system(),
        platform: super::machine::machine(),
        user: user(),
        engines,
        subids: ["/etc/subuid", "/etc/subgid"].map(|path| fs_err::read_to_string(path).ok()),
        helpers: ["newuidmap", "pasta", "slirp4netns"]
            .into_iter()
            .filter(|name| world.environment.find(name).is_some())
            .collect(),
        open_files: limit(rustix::process::Resource::Nofile),
        processes: limit(rustix::process::Resource::Nproc),
        emulation: Vec::new(),
        upx: tool("upx", world)?,
        packs: question.packs,
        tools: ["cabal", "ghc", "hpack"]
            .into_iter()
            .filter_map(|name| tool(name, world).transpose())
            .collect::<Result<_, _>>()?,
        needs_hpack: question.needs_hpack,
        image: None,
        disks: Vec::new(),
        is_local: false,
        kept: None,
    };
    machine.disks.extend(disk(Purpose::Results, &question.out_dir));
    machine.disks.extend(disk(Purpose::State, world.state.dir()));
    let Some((program, info, health)) = machine.engine() else { return Ok(machine) };
    let (info, health) = (info.clone(), health.clone());
    let engine = engine::Engine { program: program.to_owned(), dialect: info.dialect, connection: None };
    machine.is_local = health.place == Place::Here && is_this_kernel(&info);
    if machine.is_local {
        machine.disks.extend(disk(Purpose::Engine, &health.root));
    }
    let own = info.platform;
    machine.kept = storage::items(&engine, &info, storage::Measure::No, world).ok().map(|items| items.len());
    world.exec.check()?;
    if let Some(platform) = own
        && let Some(reference) = (question.image)(platform)
    {
        machine.image = Some(builder_image(&engine, platform, reference, question, world)?);
    }
    let entries = if machine.is_local { binfmt_entries() } else { Vec::new() };
    let usual = [Platform::Amd64, Platform::Arm64];
    let platforms = if question.platforms.is_empty() { &usual[..] } else { question.platforms };
    for &platform in platforms.iter().filter(|platform| Some(**platform) != own) {
        let handler = handler(platform, &entries);
        machine.emulation.push(Emulation {
            platform,
            wanted: !question.platforms.is_empty(),
            version: qemu_version(&handler, world),
            file: handler_file(platform),
            probe: match (question.image)(platform) {
                Some(reference) if matches!(handler, Handler::Ready(_) | Handler::Unknown) => {
                    probe(&engine, &info, platform, &reference, world)?
                }
                _ => Probe::NotTried,
            },
            handler,
        });
    }
    Ok(machine)
}

fn ask_engine(program: &str, world: &World<'_>) -> Result<Engine, Error> {
    let found = program.contains('/') || world.environment.find(program).is_some();
    let answer = if found { asked(program, world)? } else { EngineAnswer::NotInstalled };
    Ok(Engine { program: program.to_owned(), answer })
}

fn asked(program: &str, world: &World<'_>) -> Result<EngineAnswer, Error> {
    let cmd = engine::Engine::info(program);
    let answer = match world.exec.capture_within(&cmd, ANSWER) {
        Ok(Some(answer)) => answer,
        Ok(None) => return Ok(EngineAnswer::Silent(format!("nothing for {} s", ANSWER.as_secs()))),
        Err(error) => {
            world.exec.check()?;
            return Ok(EngineAnswer::Silent(error.said.join(" ")));
        }
    };
    Ok(match engine::parse_info(&answer.stdout) {
        Ok(InfoAnswer::Ready(info)) => EngineAnswer::Ready(info, parse_health(&answer.stdout)),
        Ok(InfoAnswer::Unreachable(said)) if !said.is_empty() => EngineAnswer::Silent(said),
        _ => EngineAnswer::Silent(answer.stderr),
    })
}

/// A limit of this process. `None`: there is no such limit.
fn limit(resource: rustix::process::Resource) -> Option<u64> {
    rustix::process::getrlimit(resource).current
}

fn tool(name: &'static str, world: &World<'_>) -> Result<Option<Tool>, Error> {
    let Some(path) = world.environment.find(name) else { return Ok(None) };
    let (cmd, is_upx) = match name {
        "upx" => (upx::version(&path), true),
        _ => (crate::base::cmd::Cmd::new(path.as_str()).arg("--numeric-version"), false),
    };
    let answer = world.exec.capture_within(&cmd, ANSWER)?.filter(exec::Output::success);
    let version = answer.and_then(|answer| {
        let said = answer.stdout;
        if is_upx {
            upx::parse_version(&said).map(str::to_owned)
        } else {
            said.lines().next().map(|line| line.trim().to_owned())
        }
    });
    Ok(Some(Tool { name, path, version }))
}

/// The free space at a path. When the path is hidden or does not exist, that of the nearest directory above.
fn disk(purpose: Purpose, path: &Utf8Path) -> Option<Disk> {
    let (room, meta) = path
        .ancestors()
        .find_map(|path| Some((rustix::fs::statvfs(path.as_std_path()).ok()?, fs_err::metadata(path).ok()?)))?;
    Some(Disk { purpose, path: path.to_owned(), device: meta.dev(), free: room.f_bavail * room.f_frsize })
}

fn builder_image(
    engine: &engine::Engine,
    platform: Platform,
    reference: String,
    question: &Question<'_>,
    world: &World<'_>,
) -> Result<ImageCheck, Error> {
    let locked = (question.locked)(&reference, platform);
    let remembered = locked.or_else(|| world.state.recall(&DIGESTS, &format!("{reference} {platform}")));
    let present = here(engine, &reference, remembered.as_deref(), platform, world)?.is_some();
    let registry = if question.offline {
        Ok(None)
    } else if reference.starts_with("localhost/") {
        if present { Ok(None) } else { Err("a `localhost/` image is on no registry".to_owned()) }
    } else {
        registered(engine, &reference, platform, world)?
    };
    Ok(ImageCheck { reference, registry, remembered, present })
}

/// The digest that the registry has for a platform. `None`: the image is made for one platform only.
fn registered(
    engine: &engine::Engine,
    reference: &str,
    platform: Platform,
    world: &World<'_>,
) -> Result<Result<Option<String>, String>, Error> {
    let Some(answer) = world.exec.capture_within(&engine.manifest_inspect(reference), ANSWER)? else {
        return Ok(Err(format!("nothing for {} s", ANSWER.as_secs())));
    };
    if !answer.success() && !words::is_of_one_platform(&answer.stderr) {
        return Ok(Err(words::reason(&answer.stderr).unwrap_or("it gives no reason").to_owned()));
    }
    let Ok(Manifest::Index(children)) = engine::parse_manifest(&answer.stdout) else { return Ok(Ok(None)) };
    let digest = children.into_iter().find(|(arch, _)| arch == platform.oci_arch()).map(|(_, digest)| digest);
    Ok(digest.map(Some).ok_or_else(|| format!("it is not made for {platform}")))
}

/// The reference by which the engine uses the image of a platform that it already has. `None`: it has none.
fn here(
    engine: &engine::Engine,
    reference: &str,
    digest: Option<&str>,
    platform: Platform,
    world: &World<'_>,
) -> Result<Option<String>, Error> {
    let pinned = digest.map(|digest| format!("{}@{digest}", image::repository(reference)));
    for reference in pinned.into_iter().chain([reference.to_owned()]) {
        if let Some(image) = local(engine, &reference, platform, world)? {
            return Ok(Some(if reference.contains('@') { reference } else { image.id }));
        }
    }
    Ok(None)
}

/// The emulator's version. `None`: its file is not on this machine.
fn qemu_version(handler: &Handler, world: &World<'_>) -> Option<String> {
    let Handler::Ready(entry) = handler else { return None };
    // Debian's handler is a link. An emulator started by the link's name takes itself to be started by the kernel.
    let program = Utf8Path::new(&entry.interpreter).canonicalize_utf8().ok()?;
    let cmd = crate::base::cmd::Cmd::new(program.as_str()).arg("--version");
    let answer = world.exec.capture_within(&cmd, ANSWER).ok()??;
    Some(answer.stdout.split_once(" version ")?.1.split_whitespace().next()?.to_owned())
}

/// The file that systemd-binfmt registers a handler from. `None`: no package brought one, or its emulator is missing.
fn handler_file(platform: Platform) -> Option<Utf8PathBuf> {
    let machine = platform.machine();
    let names =
        [format!("qemu-{machine}.conf"), format!("qemu-{machine}-static.conf"), format!("{machine}-linux.conf")];
    let dirs = ["/etc/binfmt.d", "/usr/lib/binfmt.d"].map(Utf8Path::new);
    dirs.into_iter().flat_map(|dir| names.iter().map(|name| dir.join(name)).collect::<Vec<_>>()).find(|path| {
        let line = fs_err::read_to_string(path).unwrap_or_default();
        let emulator = line.lines().find_map(|line| line.strip_prefix(':')?.split(':').nth(5));
        emulator.is_some_and(|emulator| Utf8Path::new(emulator).exists())
    })
}

/// Starts a program of the platform in a container, when an image of the platform is here. It never pulls one.
fn probe(
    engine: &engine::Engine,
    info: &Info,
    platform: Platform,
    reference: &str,
    world: &World<'_>,
) -> Result<Probe, Error> {
    let remembered = world.state.recall(&DIGESTS, &format!("{reference} {platform}"));
    let Some(image) = here(engine, reference, remembered.as_deref(), platform, world)? else {
        return Ok(Probe::NotTried);
    };
    // While the lock is held, no other hsx removes the container as a leftover.
    let key = format!("doctor-{}", platform.slug());
    let lock = world.state.lock_file(&key)?;
    if lock.try_lock().is_err() {
        return Ok(Probe::NotTried);
    }
    let name = container_name(&key, Phase::Probe);
    let labels = [
        (LABEL, "run".to_owned()),
        ("hsx.platform", platform.to_string()),
        ("hsx.state", state_id(engine, info, world)),
    ];
    let cmd = engine.run(&Container { labels: &labels, ..Container::new(&name, platform, &image, "uname -m") });
    let answer = world.exec.capture_within(&cmd, START);
    if !matches!(&answer, Ok(Some(answer)) if answer.success()) {
        world.exec.clean_up(&engine.remove(&[name]));
    }
    Ok(match answer? {
        Some(answer) if answer.success() => Probe::Started,
        Some(answer) => Probe::Failed(words::reason(&answer.stderr).unwrap_or("it gives no reason").to_owned()),
        None => Probe::TimedOut,
    })
}
