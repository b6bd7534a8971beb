//! Finds the container engines and asks what they say of themselves. The answers are remembered until something about
//! an engine changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::machine::{system, user};
use super::tree::Stamp;
use crate::base::digest::{hash, sha256};
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::doctor::engines::mends;
use crate::settings::{PlatformSettings, Settings};
use crate::tools::engine::connection::{is_elsewhere, parse_connections};
use crate::tools::engine::{self, Dialect, Engine, Info, InfoAnswer, words};
use crate::world::doors::World;
use crate::world::doors::at_once::side_by_side;
use crate::world::doors::state::ENGINES;

/// An engine, and its answer about itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct EngineFacts {
    pub engine: Engine,
    pub info: Info,
    /// The engine runs on another machine: its containers cannot see any directory of this one.
    pub is_remote: bool,
}

impl EngineFacts {
    /// # Errors
    /// When hsx does not know the platform.
    pub(crate) fn platform(&self) -> Result<Platform, Error> {
        let unknown = || Error::host("the engine's host is of a platform that hsx does not know");
        self.info.platform.ok_or_else(unknown)
    }
}

/// The engines of all platforms.
#[derive(Clone, Debug)]
pub(crate) struct EnginesByConnection(BTreeMap<Option<String>, EngineFacts>);

impl EnginesByConnection {
    /// The engine that builds for a platform.
    pub(crate) fn of(&self, build: &PlatformSettings) -> Option<&EngineFacts> {
        self.0.get(&build.connection)
    }

    pub(crate) fn by_connection(&self) -> impl Iterator<Item = (&Option<String>, &EngineFacts)> {
        self.0.iter()
    }
}

/// Where the answers of engines come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskPolicy {
    /// Only from what is remembered.
    Memory,
    /// From what is remembered if possible, otherwise from the engine.
    MemoryFirst,
}

/// Finds the engines of a run, each only once.
pub(crate) struct Engines<'a> {
    /// The engine program that the user asked for.
    asked: Option<&'a str>,
    source: AskPolicy,
    world: &'a World<'a>,
    /// The engines found, by connection. `true`: the answer was remembered, not asked for.
    found: Mutex<BTreeMap<Option<String>, (EngineFacts, bool)>>,
}

impl<'a> Engines<'a> {
    pub(crate) fn new(asked: Option<&'a str>, source: AskPolicy, world: &'a World<'a>) -> Self {
        Self { asked, source, world, found: Mutex::default() }
    }

    /// The engine behind a connection. `None`: its answer is not remembered, and it must not be asked.
    ///
    /// # Errors
    /// When it does not answer, or no engine program knows the connection.
    pub(crate) fn get(&self, connection: Option<&str>) -> Result<Option<EngineFacts>, Error> {
        let key = connection.map(str::to_owned);
        if let Some((known, _)) = self.found.lock().expect("no holder panics").get(&key) {
            return Ok(Some(known.clone()));
        }
        let remembered = recall(self.asked, connection, self.world);
        let is_remembered = remembered.is_some();
        let known = match (remembered, self.source) {
            (Some(known), _) => known,
            (None, AskPolicy::Memory) => return Ok(None),
            (None, AskPolicy::MemoryFirst) => ask(self.asked, connection, self.world)?,
        };
        self.found.lock().expect("no holder panics").insert(key, (known.clone(), is_remembered));
        Ok(Some(known))
    }

    /// The engines of all platforms, asked in parallel.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn of(&self, settings: &Settings) -> Result<Option<EnginesByConnection>, Error> {
        let connections: BTreeSet<_> = settings.platforms.iter().map(|build| build.connection.clone()).collect();
        let connections: Vec<_> = connections.into_iter().collect();
        let found = side_by_side(&connections, connections.len(), |connection| {
            Ok(self.get(connection.as_deref())?.map(|known| (connection.clone(), known)))
        });
        self.world.exec.check()?;
        Ok(found.into_iter().collect::<Result<Option<_>, Error>>()?.map(EnginesByConnection))
    }

    /// Forgets remembered answers, so that these engines are asked again. Returns whether there were any.
    pub(crate) fn forget(&self) -> bool {
        let found = self.found.lock().expect("no holder panics");
        let remembered: Vec<_> = found.iter().filter(|(_, (_, remembered))| *remembered).collect();
        for (connection, _) in &remembered {
            self.world.state.forget(&ENGINES, &question(self.asked, connection.as_deref(), self.world));
        }
        !remembered.is_empty()
    }
}

/// The engine as it last answered. `None`: something that decides its answer has changed since.
fn recall(asked: Option<&str>, connection: Option<&str>, world: &World<'_>) -> Option<EngineFacts> {
    serde_json::from_str(&world.state.recall(&ENGINES, &question(asked, connection, world))?).ok()
}

fn candidates(asked: Option<&str>) -> Vec<&str> {
    asked.map_or_else(|| vec!["podman", "docker"], |program| vec![program])
}

/// A key that covers everything that decides an engine's answer: the installed programs, their settings, and when the
/// machine and a local docker were started.
fn question(asked: Option<&str>, connection: Option<&str>, world: &World<'_>) -> String {
    let environment = world.environment;
    let programs = candidates(asked).into_iter().map(|program| {
        let path = if program.contains('/') { Some(program.into()) } else { environment.find(program) };
        path.map_or_else(|| program.to_owned(), |path| state(&path))
    });
    // docker's client names the directory of a context like this.
    let context = format!(".docker/contexts/meta/{}/meta.json", sha256(connection.unwrap_or_default().as_bytes()));
    let names = [".docker/config.json", ".docker/contexts/meta", &context];
    let home = environment.home.iter().flat_map(|home| names.iter().map(move |name| home.join(name)));
    let config = environment.config_file.iter().filter_map(|file| file.parent()?.parent()).flat_map(|config| {
        let names = ["containers.conf", "containers.conf.d", "storage.conf", "podman-connections.json"];
        names.map(|name| config.join("containers").join(name))
    });
    let machine = ["/etc/containers/containers.conf", "/etc/containers/storage.conf", "/etc/docker/daemon.json"];
    let machine = machine.into_iter().chain(["/run/docker.pid", "/run/docker.sock"]).map(Utf8PathBuf::from);
    let files = home.chain(config).chain(machine).map(|path| state(&path));
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let user = rustix::process::geteuid().as_raw().to_string();
    let words = [env!("CARGO_PKG_VERSION").to_owned(), environment.of_engines.clone(), boot, node, user];
    let connection = connection.map(|name| format!("connection {name}"));
    let words: Vec<_> = words.into_iter().chain(programs).chain(files).chain(connection).collect();
    hash(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn state(path: &Utf8Path) -> String {
    format!("{path} {:?}", fs_err::metadata(path).ok().map(|meta| Stamp::of(&meta)))
}

/// The engine to use: the one that the user asked for; otherwise podman, or docker if podman does not answer.
///
/// # Errors
/// When none answers; the error holds what each engine said.
pub(crate) fn ask(asked: Option<&str>, connection: Option<&str>, world: &World<'_>) -> Result<EngineFacts, Error> {
    let known = match connection {
        Some(name) => ask_behind(asked, name, world)?,
        None => ask_here(asked, world)?,
    };
    if let Ok(text) = serde_json::to_string(&known) {
        world.state.remember(&ENGINES, &question(asked, connection, world), &text);
    }
    Ok(known)
}

fn ask_here(asked: Option<&str>, world: &World<'_>) -> Result<EngineFacts, Error> {
    let mut failures = Vec::new();
    for program in candidates(asked) {
        let program = program.to_owned();
        let is_path = program.contains('/');
        if !is_path && world.environment.find(&program).is_none() {
            failures.push((program, None));
            continue;
        }
        let cmd = Engine::info(&program);
        let answer = world.exec.capture(&cmd)?;
        match engine::parse_info(&answer.stdout) {
            Ok(InfoAnswer::Ready(info)) => {
                let engine = Engine { program, dialect: info.dialect, connection: None };
                let is_remote = is_remote(&engine, &info, world)?;
                return Ok(EngineFacts { engine, info, is_remote });
            }
            // Docker's client may print an empty answer and explain why on standard error.
            Ok(InfoAnswer::Unreachable(said)) => {
                failures.push((program, Some(if said.is_empty() { answer.stderr } else { said })));
            }
            _ => failures
                .push((program, Some(format!("{}\n{}", answer.stdout.trim_matches(['{', '}', '\n']), answer.stderr)))),
        }
    }
    Err(no_engine(&failures))
}

/// Whether the engine behind a program runs on another machine.
fn is_remote(engine: &Engine, info: &Info, world: &World<'_>) -> Result<bool, Error> {
    match engine.dialect {
        // Outside Linux, podman's own virtual machine sees the user's files.
        Dialect::Podman => Ok(info.remote && cfg!(target_os = "linux")),
        Dialect::Docker => {
            if let Some(address) = &world.environment.docker_host {
                return Ok(is_elsewhere(address));
            }
            let Some(context) = info.context.as_deref().filter(|context| *context != "default") else {
                return Ok(false);
            };
            let answer = world.exec.capture(&Engine::endpoint(&engine.program, context))?;
            Ok(is_elsewhere(answer.stdout.trim()))
        }
    }
}

/// The engine behind a connection, and the program that knows the connection.
fn ask_behind(asked: Option<&str>, name: &str, world: &World<'_>) -> Result<EngineFacts, Error> {
    let mut knowers = Vec::new();
    for program in candidates(asked) {
        if !program.contains('/') && world.environment.find(program).is_none() {
            continue;
        }
        let Some((dialect, names)) = connections(program, world)? else { continue };
        if !names.iter().any(|known| known == name) {
            knowers.push((program.to_owned(), dialect, names));
            continue;
        }
        let engine = Engine { program: program.to_owned(), dialect, connection: Some(name.to_owned()) };
        let cmd = engine.info_behind();
        let answer = world.exec.capture(&cmd)?;
        let said = match engine::parse_info(&answer.stdout) {
            Ok(InfoAnswer::Ready(info)) => return Ok(EngineFacts { engine, info, is_remote: true }),
            Ok(InfoAnswer::Unreachable(said)) if !said.is_empty() => said,
            _ => answer.stderr,
        };
        return Err(Error::host(format!("the engine behind the connection `{name}` does not answer"))
            .tried(cmd.to_string())
            .said(&said)
            .hint(format!("`{}` tells whether it does by now", engine.check()))
            .hint(format!("where the name leads: `{}`", Engine::connections(dialect, program))));
    }
    Err(no_connection(name, &knowers, asked))
}

/// The connections that a program knows, and the dialect that it speaks.
fn connections(program: &str, world: &World<'_>) -> Result<Option<(Dialect, Vec<String>)>, Error> {
    // A program called `docker` may be podman, but one called `podman` is never docker.
    for dialect in [Dialect::Podman, Dialect::Docker] {
        let answer = world.exec.capture(&Engine::connections(dialect, program))?;
        let names = parse_connections(dialect, &answer.stdout).filter(|_| answer.success());
        if let Some(names) = names {
            return Ok(Some((dialect, names)));
        }
    }
    Ok(None)
}

fn no_connection(name: &str, knowers: &[(String, Dialect, Vec<String>)], asked: Option<&str>) -> Error {
    if knowers.is_empty() {
        let programs: Vec<_> = candidates(asked).iter().map(|program| format!("`{program}`")).collect();
        let message = format!("nobody knows the connection `{name}`: {} not on PATH", programs.join(" and "));
        return Error::host(message).hint(system().install_engine(asked.unwrap_or("podman")));
    }
    let error = Error::usage(format!("no container engine knows the connection `{name}`"));
    let error = knowers.iter().fold(error, |error, (program, _, names)| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        error.hint(format!("`{program}` knows {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") }))
    });
    let add = |(program, dialect, _): &(String, Dialect, Vec<String>)| match dialect {
        Dialect::Podman => format!("`{program} system connection add {name} ssh://USER@HOST`"),
        Dialect::Docker => format!("`{program} context create {name} --docker host=ssh://USER@HOST`"),
    };
    error.hint(format!("make it known: {}", knowers.iter().map(add).collect::<Vec<_>>().join(", or ")))
}

fn no_engine(failures: &[(String, Option<String>)]) -> Error {
    let installed: Vec<_> = failures.iter().filter_map(|(program, said)| Some((program, said.as_ref()?))).collect();
    let Some((program, said)) = installed.first() else {
        let names: Vec<_> = failures.iter().map(|(program, _)| format!("`{program}`")).collect();
        let message = format!("no container engine: {} not on PATH", names.join(" and "));
        let preferred = failures.first().map_or("podman", |(program, _)| program);
        return Error::host(message).hint(system().install_engine(preferred));
    };
    let message = format!("the container engine `{program}` does not answer");
    let mut error = Error::host(message).tried(Engine::info(program).to_string()).said(said);
    for (other, said) in &installed[1..] {
        let why = words::reason(said).unwrap_or("it gives no reason");
        error.said.push(format!("`{other}` does not answer either: {why}"));
    }
    let (system, user) = (system(), user());
    let mends = installed.iter().flat_map(|(program, said)| mends(&system, &user, program, said));
    let error = mends.fold(error, |error, mend| error.hint(format!("mend it: {mend}")));
    error.hint("`hsx doctor` looks at all that hsx needs")
}
