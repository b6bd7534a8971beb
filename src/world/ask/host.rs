//! Facts about the machine: environment, engine, images, emulation. Asked once, before anything is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::env::VarError;
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use etcetera::BaseStrategy;

use super::engines::{Known, Knowns};
use super::images::{Registered, Wanted, find_image_with};
use crate::base::digest::{hash, short_hash};
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::cli::StrategyChoice;
use crate::plan::cross::{self, Toolchain};
use crate::plan::facts::{Addition, Facts, Host, Image, build_key, test_key};
use crate::plan::strategy::Strategy;
use crate::project::Project;
use crate::settings::{Packing, PlatformSettings, Settings};
use crate::tools::binfmt::{self, Emulation};
use crate::tools::engine::{self, Engine, Info, Stdin};
use crate::tools::system::System;
use crate::tools::upx::{self, Packer};
use crate::world::doors::World;
use crate::world::doors::at_once::cores;
use crate::world::doors::exec::Answer;
use crate::world::doors::ui::Reader;

/// The process's environment, read once.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub cwd: Utf8PathBuf,
    /// Without links: projects are found by their real paths.
    pub home: Option<Utf8PathBuf>,
    /// The directories of PATH.
    path: Vec<Utf8PathBuf>,
    /// The user's settings file, which need not exist.
    pub config_file: Option<Utf8PathBuf>,
    pub state_dir: Utf8PathBuf,
    /// The locale's encoding is UTF-8 (locale(7)).
    pub unicode: bool,
    /// Without a home there is none: nobody else may write there.
    pub cache_dir: Option<Utf8PathBuf>,
    /// Seconds since the beginning of 1970: by `SOURCE_DATE_EPOCH` where that is set, else by the clock.
    pub now: i64,
    /// Where docker's client looks for its engine, if that is said.
    pub docker_host: Option<String>,
    /// GitHub's file for a summary of the job.
    pub step_summary: Option<Utf8PathBuf>,
    /// Names of variables that a build needs to see, of those that are set.
    pass: Vec<String>,
    /// A digest of their values.
    pub passed: String,
    /// A digest of the variables that engines heed.
    pub of_engines: String,
}

/// Variables that builds see: proxies for the fetch phase, and the time that reproducible builds write.
const PASSED: [&str; 7] =
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SOURCE_DATE_EPOCH"];

impl Environment {
    /// # Errors
    /// When the working directory is gone or its path is not Unicode.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = std::env::var("PATH").unwrap_or_default();
        let cwd = Utf8PathBuf::from_path_buf(std::env::current_dir()?)
            .map_err(|path| anyhow::anyhow!("the working directory `{}` is not Unicode", path.display()))?;
        let base = etcetera::choose_base_strategy().ok();
        let utf8 = |path: std::path::PathBuf| Utf8PathBuf::from_path_buf(path).ok();
        let state = base.as_ref().and_then(|base| utf8(base.state_dir().unwrap_or_else(|| base.data_dir())));
        let home = base.as_ref().and_then(|base| utf8(base.home_dir().to_owned()));
        Ok(Self {
            home: home.map(|home| home.canonicalize_utf8().unwrap_or(home)),
            path: std::env::split_paths(&path).filter_map(utf8).collect(),
            cache_dir: base.as_ref().and_then(|base| utf8(base.cache_dir().join("hsx"))),
            config_file: base.as_ref().and_then(|base| utf8(base.config_dir().join("hsx/config.toml"))),
            // Without a home, hsx remembers nothing beyond the next reboot.
            state_dir: state.unwrap_or_else(|| "/tmp".into()).join("hsx"),
            now: now(std::env::var("SOURCE_DATE_EPOCH").ok()),
            step_summary: std::env::var("GITHUB_STEP_SUMMARY").ok().filter(|path| !path.is_empty()).map(Into::into),
            docker_host: std::env::var("DOCKER_HOST").ok().filter(|address| !address.is_empty()),
            passed: variables(|name| PASSED.contains(&name)),
            of_engines: variables(is_for_engines),
            pass: PASSED.into_iter().filter(|name| is_set(name)).map(str::to_owned).collect(),
            unicode: is_unicode(["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).unwrap_or_default())),
            cwd,
        })
    }

    /// Whether programs are looked for in a directory.
    pub(crate) fn is_on_path(&self, dir: &Utf8Path) -> bool {
        let is_same = |entry: &Utf8PathBuf| entry.canonicalize_utf8().is_ok_and(|entry| entry == dir);
        self.path.iter().any(is_same)
    }

    /// The first executable of a name on PATH.
    pub(crate) fn find(&self, program: &str) -> Option<Utf8PathBuf> {
        self.path.iter().map(|dir| dir.join(program)).find(|path| is_executable(path))
    }
}

/// The first of the locale's variables that is set to something decides.
fn is_unicode(variables: [String; 3]) -> bool {
    let locale = variables.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// A variable's value.
#[expect(clippy::disallowed_methods, reason = "it has to be known where the command line cannot be read")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether a variable is set, to whatever.
#[expect(clippy::disallowed_methods, reason = "what cabal sets has to be known before the command line is read")]
pub(crate) fn is_set(name: &str) -> bool {
    !matches!(std::env::var(name), Err(VarError::NotPresent))
}

/// The program that runs, without links.
///
/// # Errors
/// When its path is not Unicode, or the system does not tell.
pub(crate) fn this_program() -> Result<Utf8PathBuf, Error> {
    let program = std::env::current_exe().and_then(fs_err::canonicalize);
    let program = program.map_err(|error| Error::host("hsx cannot find itself").said(&error.to_string()))?;
    Utf8PathBuf::from_path_buf(program)
        .map_err(|path| Error::host(format!("the path of hsx, `{}`, is not Unicode", path.display())))
}

/// The present time in seconds since 1970, or the one that is to be taken for it.
pub(crate) fn now(epoch: Option<String>) -> i64 {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|time| time.as_secs().try_into().ok());
    epoch.and_then(|seconds| seconds.parse().ok()).or_else(clock).unwrap_or(0)
}

/// A digest of the names and values of some variables.
fn variables(is_wanted: impl Fn(&str) -> bool) -> String {
    let wanted = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(&is_wanted));
    let mut words: Vec<_> = wanted
        .map(|(name, value)| [name, value].map(|text| text.as_encoded_bytes().escape_ascii().to_string()).join("="))
        .collect();
    words.sort_unstable();
    hash(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether a variable may decide which engine answers, and how.
fn is_for_engines(name: &str) -> bool {
    ["DOCKER_", "CONTAINER", "PODMAN_", "BUILDAH_", "STORAGE_"].iter().any(|prefix| name.starts_with(prefix))
        || ["HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].contains(&name)
}

/// Who reads what hsx says on its way.
#[expect(clippy::disallowed_methods, reason = "it has to be known before anything is said")]
pub(crate) fn reader() -> Reader {
    let has = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "false");
    match () {
        () if has("GITHUB_ACTIONS") => Reader::GitHub,
        () if has("CI") || std::env::var("TERM").is_ok_and(|term| term == "dumb") => Reader::Log,
        () => Reader::Anybody,
    }
}

/// Whether a variable is set, but to nothing.
#[expect(clippy::disallowed_methods, reason = "clap has read it; this is what it means")]
pub(crate) fn is_empty_variable(name: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

fn is_executable(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs_err::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn os_release() -> String {
    fs_err::read_to_string("/etc/os-release").unwrap_or_default()
}

/// The system that hsx runs on.
pub(crate) fn system() -> System {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    System::of(&os_release()).on(&kernel, Utf8Path::new("/run/systemd/system").exists())
}

/// The name of whoever runs hsx, as passwd(5) has it; else the number.
pub(crate) fn user() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
    let mut names = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    names.next().unwrap_or(uid)
}

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

pub(crate) fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().expect("a fact thread does not panic")
}

/// Tells one user's hsx on one machine and engine from all others: what is remembered of one does not hold for another.
pub(crate) fn state_id(engine: &Engine, info: &Info, world: &World<'_>) -> String {
    let node = rustix::system::uname();
    let dialect = format!("{:?} {} {}", info.dialect, info.host, info.rootless);
    let engine = engine.memory_of(&dialect);
    short_hash(&[&node.nodename().to_string_lossy(), world.state.dir().as_str(), &engine])
}

/// Whether the engine's containers run on the kernel that hsx runs on, so that its files tell of them.
pub(crate) fn is_this_kernel(info: &Info) -> bool {
    let this = rustix::system::uname();
    !info.remote && info.kernel == this.release().to_string_lossy() && info.host == this.nodename().to_string_lossy()
}

/// The platform whose executables this machine's kernel starts without help.
pub(crate) fn machine() -> Option<Platform> {
    let name = rustix::system::uname();
    cfg!(target_os = "linux").then(|| name.machine().to_str().ok()?.parse().ok()).flatten()
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

pub(crate) fn binfmt_entries() -> Vec<(String, String)> {
    let Ok(dir) = fs_err::read_dir("/proc/sys/fs/binfmt_misc") else { return Vec::new() };
    let names = dir.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| name != "register");
    names
        .filter_map(|name| {
            let text = fs_err::read_to_string(Utf8Path::new("/proc/sys/fs/binfmt_misc").join(&name)).ok()?;
            Some((name, text))
        })
        .collect()
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
