//! What was found on the machine, as data.

use camino::Utf8PathBuf;

use crate::base::platform::Platform;
use crate::tools::binfmt::Handler;
use crate::tools::engine::Info;
use crate::tools::engine::health::Health;
use crate::tools::system::System;

/// What was found on the machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub system: System,
    /// What hsx itself runs on; `None` where that is no Linux.
    pub platform: Option<Platform>,
    /// The name of whoever runs hsx; empty where nobody tells.
    pub user: String,
    /// The engines looked for, the preferred first.
    pub engines: Vec<Engine>,
    /// `/etc/subuid` and `/etc/subgid`; `None` where they are not there.
    pub subids: [Option<String>; 2],
    /// The programs that rootless podman needs, of those that are on PATH.
    pub helpers: Vec<&'static str>,
    pub open_files: Option<u64>,
    pub processes: Option<u64>,
    pub emulation: Vec<Emulation>,
    pub upx: Option<Tool>,
    /// Executables are to be packed, as far as settings say.
    pub packs: bool,
    /// Tools of the host's that hsx uses at most now and then.
    pub tools: Vec<Tool>,
    /// The project here has a `package.yaml` that hpack must read.
    pub needs_hpack: bool,
    /// `None`: no engine answers that could be asked.
    pub image: Option<ImageCheck>,
    pub disks: Vec<Disk>,
    /// The engine that answers runs on the kernel that hsx runs on.
    pub is_local: bool,
    /// How many things hsx keeps in the engine.
    pub kept: Option<usize>,
}

/// An engine that was looked for.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub program: String,
    pub answer: EngineAnswer,
}

#[derive(Clone, Debug)]
pub(crate) enum EngineAnswer {
    NotInstalled,
    /// The program is there, but says this instead of an answer.
    Silent(String),
    Ready(Info, Health),
}

/// What was found of a foreign platform.
#[derive(Clone, Debug)]
pub(crate) struct Emulation {
    pub platform: Platform,
    /// The user wants to build for it.
    pub wanted: bool,
    pub handler: Handler,
    /// The file from which the handler may be registered, as packages bring it.
    pub file: Option<Utf8PathBuf>,
    /// The emulator's version, where it could be asked.
    pub version: Option<String>,
    pub probe: Probe,
}

/// How a program of the platform fared in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// There is no image of the platform here to try it in.
    NotTried,
    Started,
    /// What the engine said.
    Failed(String),
    TimedOut,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    pub name: &'static str,
    pub path: Utf8PathBuf,
    /// As the tool says it.
    pub version: Option<String>,
}

/// The builder image.
#[derive(Clone, Debug)]
pub(crate) struct ImageCheck {
    pub reference: String,
    /// The registry's digest for the engine's platform; or what kept it from telling.
    pub registry: Result<Option<String>, String>,
    /// The digest that builds here use.
    pub remembered: Option<String>,
    pub present: bool,
}

/// A place that must have room.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub purpose: Purpose,
    pub path: Utf8PathBuf,
    /// Tells file systems apart (stat(2), `st_dev`).
    pub device: u64,
    /// In bytes.
    pub free: u64,
}

/// What room is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Results,
    /// Images, package stores, build directories.
    Engine,
    /// Locks and logs.
    State,
}

impl Machine {
    /// The engine that hsx takes.
    pub(crate) fn engine(&self) -> Option<(&str, &Info, &Health)> {
        self.engines.iter().find_map(|engine| match &engine.answer {
            EngineAnswer::Ready(info, health) => Some((engine.program.as_str(), info, health)),
            EngineAnswer::NotInstalled | EngineAnswer::Silent(_) => None,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tools::binfmt::Entry;
    use crate::tools::engine::Dialect;
    use crate::tools::engine::health::Place;

    /// A Debian with rootless podman where all is well.
    pub(in crate::doctor) fn machine() -> Machine {
        let info = Info {
            dialect: Dialect::Podman,
            platform: Some(Platform::Amd64),
            rootless: true,
            remote: false,
            host: "box".to_owned(),
            kernel: "6.12".to_owned(),
            version: "5.4.2".to_owned(),
            cores: None,
            memory: None,
            context: None,
        };
        let health = Health {
            driver: "overlay".to_owned(),
            selinux: false,
            cgroups: Some(2),
            root: "/home/me/.local/share/containers/storage".into(),
            place: Place::Here,
        };
        let entry = Entry {
            name: "qemu-aarch64".to_owned(),
            interpreter: "/usr/bin/qemu-aarch64".to_owned(),
            flags: "POF".to_owned(),
        };
        Machine {
            system: System::of("ID=debian\nVERSION_ID=13"),
            platform: Some(Platform::Amd64),
            user: "me".to_owned(),
            engines: vec![Engine { program: "podman".to_owned(), answer: EngineAnswer::Ready(info, health) }],
            subids: [Some("me:100000:65536\n".to_owned()), Some("me:100000:65536\n".to_owned())],
            helpers: vec!["newuidmap", "pasta"],
            open_files: Some(4096),
            processes: None,
            emulation: vec![Emulation {
                platform: Platform::Arm64,
                wanted: true,
                handler: Handler::Ready(entry),
                file: None,
                version: Some("10.0.2".to_owned()),
                probe: Probe::Started,
            }],
            upx: Some(Tool { name: "upx", path: "/usr/bin/upx".into(), version: Some("4.2.4".to_owned()) }),
            packs: true,
            tools: Vec::new(),
            needs_hpack: false,
            image: Some(ImageCheck {
                reference: "quay.io/benz0li/ghc-musl:9.10.3".to_owned(),
                registry: Ok(Some("sha256:1".to_owned())),
                remembered: Some("sha256:1".to_owned()),
                present: true,
            }),
            disks: vec![Disk { purpose: Purpose::Engine, path: "/".into(), device: 1, free: 100 << 30 }],
            is_local: true,
            kept: Some(3),
        }
    }
}
