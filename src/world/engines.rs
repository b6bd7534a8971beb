//! Which container engine there is, and what it says of itself: asked once, and again when anything about it is new.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::World;
use super::host::{system, user};
use super::tree::Stamp;
use crate::digest::hash;
use crate::doctor::engines::mends;
use crate::engine::{self, Engine, Info, InfoAnswer};
use crate::error::Error;

/// An engine, and what it said of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Known {
    pub engine: Engine,
    pub info: Info,
}

/// The engine as it was when it was last asked, if nothing about it has changed since.
pub(crate) fn recall(asked: Option<&str>, world: &World<'_>) -> Option<Known> {
    serde_json::from_str(&world.state.recall("engines", &question(asked, world))?).ok()
}

/// Has the engine asked again next time.
pub(crate) fn forget(asked: Option<&str>, world: &World<'_>) {
    world.state.remember("engines", &question(asked, world), None);
}

fn candidates(asked: Option<&str>) -> Vec<&str> {
    asked.map_or_else(|| vec!["podman", "docker"], |program| vec![program])
}

/// Names all that decides an engine's answer: which programs there are, their settings, and when the machine and a
/// local docker were started.
fn question(asked: Option<&str>, world: &World<'_>) -> String {
    let environment = world.environment;
    let programs = candidates(asked).into_iter().map(|program| {
        let path = if program.contains('/') { Some(program.into()) } else { environment.find(program) };
        path.map_or_else(|| program.to_owned(), |path| state(&path))
    });
    let home = environment
        .home
        .iter()
        .flat_map(|home| [".docker/config.json", ".docker/contexts/meta"].into_iter().map(move |name| home.join(name)));
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
    let words: Vec<_> = words.into_iter().chain(programs).chain(files).collect();
    hash(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn state(path: &Utf8Path) -> String {
    format!("{path} {:?}", fs_err::metadata(path).ok().map(|meta| Stamp::of(&meta)))
}

/// The engine to use: the one asked for, else podman, else docker, whichever answers.
///
/// # Errors
/// When none answers; with what each said.
pub(crate) fn ask(asked: Option<&str>, world: &World<'_>) -> Result<Known, Error> {
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
                let known = Known { engine: Engine { program, dialect: info.dialect }, info };
                let text = serde_json::to_string(&known).ok();
                world.state.remember("engines", &question(asked, world), text.as_deref());
                return Ok(known);
            }
            // Docker's client may print an empty answer, and why so on standard error.
            Ok(InfoAnswer::Unreachable(said)) => {
                failures.push((program, Some(if said.is_empty() { answer.stderr } else { said })));
            }
            _ => failures
                .push((program, Some(format!("{}\n{}", answer.stdout.trim_matches(['{', '}', '\n']), answer.stderr)))),
        }
    }
    Err(no_engine(&failures))
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
        let why = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gives no reason");
        error.said.push(format!("`{other}` does not answer either: {why}"));
    }
    let (system, user) = (system(), user());
    let mends = installed.iter().flat_map(|(program, said)| mends(&system, &user, program, said));
    let error = mends.fold(error, |error, mend| error.hint(format!("mend it: {mend}")));
    error.hint("`hsx doctor` looks at all that hsx needs")
}
