//! What `hsx doctor` found on the machine, as data.

use camino::Utf8PathBuf;

use crate::base::platform::Platform;
use crate::tools::binfmt::Handler;
use crate::tools::engine::Info;
use crate::tools::engine::health::Health;
use crate::tools::system::System;

/// Everything that was found on the machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub system: System,
    /// The platform that hsx itself runs on. `None`: the system is not Linux.
    pub platform: Option<Platform>,
    /// The name of the user who runs hsx; empty when it is not known.
    pub user: String,
    /// The engines looked for, the preferred first.
    pub engines: Vec<Engine>,
    /// The content of `/etc/subuid` and `/etc/subgid`. `None`: there is no such file.
    pub subids: [Option<String>; 2],
    /// The helper programs of rootless podman that are on PATH.
    pub helpers: Vec<&'static str>,
    pub open_files: Option<u64>,
    pub processes: Option<u64>,
    pub emulation: Vec<Emulation>,
    pub upx: Option<Tool>,
    /// The settings ask for packed executables.
    pub packs: bool,
    /// Programs of the host that hsx uses in some builds only.
    pub tools: Vec<Tool>,
    /// The project here has a `package.yaml` that hpack must read.
    pub needs_hpack: bool,
    /// `None`: no engine answered, so its image could not be checked.
    pub image: Option<ImageCheck>,
    pub disks: Vec<Disk>,
    /// The engine that answered runs on the same kernel as hsx.
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
    /// The program is there, but printed this error instead of an answer.
    Silent(String),
    Ready(Info, Health),
}

/// What was found about a foreign platform.
#[derive(Clone, Debug)]
pub(crate) struct Emulation {
    pub platform: Platform,
    /// The user wants to build for it.
    pub wanted: bool,
    pub handler: Handler,
    /// The file of a package that the handler can be registered from.
    pub file: Option<Utf8PathBuf>,
    /// The emulator's version. `None`: it could not be asked.
    pub version: Option<String>,
    pub probe: Probe,
}

/// What happened to a program of the platform in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// No image of the platform is here to try a program of it.
    NotTried,
    Started,
    /// The program did not start, and the engine said this.
    Failed(String),
    TimedOut,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    pub name: &'static str,
    pub path: Utf8PathBuf,
    /// The version, as the tool prints it.
    pub version: Option<String>,
}

/// The builder image.
#[derive(Clone, Debug)]
pub(crate) struct ImageCheck {
    pub reference: String,
    /// The digest that the registry has for the engine's platform, or why it could not be asked.
    pub registry: Result<Option<String>, String>,
    /// The digest that builds on this machine use.
    pub remembered: Option<String>,
    pub present: bool,
}

/// A place that needs free disk space.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub purpose: Purpose,
    pub path: Utf8PathBuf,
    /// The device number, which tells file systems apart (stat(2), `st_dev`).
    pub device: u64,
    /// Free space in bytes.
    pub free: u64,
}

/// What the space is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Results,
    /// The engine's storage: images, package stores, build directories.
    Engine,
    /// hsx's state: locks and logs.
    State,
}

impl Machine {
    /// The engine that hsx uses.
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

    /// A Debian machine with rootless podman where everything works.
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
