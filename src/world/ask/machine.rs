//! Facts about the machine and the user that hsx runs as, and whether an engine is on the same machine.

use camino::Utf8Path;

use crate::base::digest::short_hash;
use crate::base::platform::Platform;
use crate::tools::engine::{Engine, Info};
use crate::tools::system::System;
use crate::world::doors::World;

fn os_release() -> String {
    fs_err::read_to_string("/etc/os-release").unwrap_or_default()
}

/// The operating system that hsx runs on.
pub(crate) fn system() -> System {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    System::of(&os_release()).on(&kernel, Utf8Path::new("/run/systemd/system").exists())
}

/// The name of the user who runs hsx, from passwd(5); the user id if there is no name.
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

/// Identifies a user's hsx on one machine and engine: what is remembered for one does not hold for another.
pub(crate) fn state_id(engine: &Engine, info: &Info, world: &World<'_>) -> String {
    id_of(world.state.dir(), engine, info)
}

/// Identifies the owner of volumes in an engine: whoever uses the same locks, for these keep two runs out of one volume.
pub(crate) fn owner(engine: &Engine, info: &Info, world: &World<'_>) -> String {
    id_of(&world.state.locks_dir(), engine, info)
}

fn id_of(dir: &Utf8Path, engine: &Engine, info: &Info) -> String {
    let node = rustix::system::uname();
    let dialect = format!("{:?} {} {}", info.dialect, info.host, info.rootless);
    let engine = engine.memory_of(&dialect);
    short_hash(&[&node.nodename().to_string_lossy(), dir.as_str(), &engine])
}

/// Whether the engine's containers run on hsx's own kernel, so that this machine's files describe it.
pub(crate) fn is_this_kernel(info: &Info) -> bool {
    let this = rustix::system::uname();
    !info.remote && info.kernel == this.release().to_string_lossy() && info.host == this.nodename().to_string_lossy()
}

/// The platform whose executables this machine's kernel starts without emulation.
pub(crate) fn machine() -> Option<Platform> {
    let name = rustix::system::uname();
    cfg!(target_os = "linux").then(|| name.machine().to_str().ok()?.parse().ok()).flatten()
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
