//! The facts that a plan depends on. `world::ask::host` asks the machine and its engines, once. The answers decide the
//! `strategy`, the `cross` toolchain, and the `source` that is sent to an engine elsewhere; `container_name` tells what
//! containers are called. Nothing here asks, and nothing here is a step: `steps` and `plan` stand above.

pub(crate) mod advice;
pub(crate) mod container_name;
pub(crate) mod cross;
pub(crate) mod source;
pub(crate) mod strategy;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::args::StoreScope;
use crate::base::cmd::Cmd;
use crate::base::digest::short_hash;
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::project::Project;
use crate::settings::PlatformSettings;
use crate::tools::binfmt::Emulation;
use crate::tools::engine::{Engine, Stdin};
use crate::tools::system::System;
use crate::tools::upx::Packer;
use strategy::Strategy;

/// The machine that hsx runs on, and the engines that it builds with.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The platform whose programs this machine starts without emulation; an engine's may differ. `None` if this is not
    /// Linux.
    pub machine: Option<Platform>,
    /// The standard input of containers that people use. It is a terminal only if hsx has one.
    pub stdin: Stdin,
    /// hsx's process ID. It tells this run's containers from those of other runs at the same time.
    pub process: u32,
    /// The system that hsx runs on, for advice on what to install and start.
    pub system: System,
    /// Whether this machine starts programs of the platforms that hsx builds for.
    pub emulation: BTreeMap<Platform, Emulation>,
    pub upx: Option<Packer>,
    /// Whether the output directory exists, or why nothing can be delivered there.
    pub out_dir_exists: Result<bool, Error>,
    /// Names of the caller's variables that a build needs to see.
    pub pass_env: Vec<String>,
    /// A digest of the values that the user's own arguments give to the containers; empty if there are none.
    pub given: String,
    /// The engines in use. Each platform has exactly one that builds for it.
    pub hosts: Vec<Host>,
}

impl Facts {
    /// The engine that builds for a platform.
    pub(crate) fn host(&self, platform: Platform) -> &Host {
        let host = self.hosts.iter().find(|host| host.builds.contains(&platform));
        host.expect("there are facts of every platform's engine")
    }
}

/// An engine, and the machine that its containers run on.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub engine: Engine,
    /// The platforms that it builds for in this run.
    pub builds: Vec<Platform>,
    /// Its containers cannot mount directories of this machine, so hsx sends what they need.
    pub is_remote: bool,
    /// The engine's own platform.
    pub platform: Platform,
    pub emulation: BTreeMap<Platform, Emulation>,
    /// Each build's image, by platform.
    pub images: BTreeMap<Platform, Image>,
    /// For each foreign platform, the host's image with the same tag, or why there is none.
    pub native_images: BTreeMap<Platform, Result<Image, String>>,
    /// The engine can mount an image into a container.
    pub image_mounts: bool,
    /// Volumes that were filled completely: with a cross toolchain, or with a copy of an image.
    pub filled: BTreeSet<String>,
    /// The engine's volumes that hsx made.
    pub volumes: BTreeSet<String>,
    /// Containers left by hsx runs that have ended.
    pub stale: Vec<String>,
    /// What each build's fetch phase last depended on, by the build's key.
    pub fetched: BTreeMap<String, String>,
    /// The cores of the engine's host, and the memory that programs could get there, in bytes.
    pub cores: usize,
    pub memory: u64,
    /// Tells this user's state from that of others who share the engine.
    pub state_id: String,
    /// Tells the volumes of those who use the same locks from the volumes of others who share the engine.
    pub owner: String,
}

impl Host {
    pub(crate) fn emulation(&self, platform: Platform) -> &Emulation {
        self.emulation.get(&platform).unwrap_or(&Emulation::Unknown)
    }

    /// Updates the facts to what holds after a plan's preparation: all images are there, and so are `volumes` and
    /// `filled`, and the latter are filled.
    pub(crate) fn prepare(&mut self, volumes: Vec<String>, filled: Vec<String>) {
        for image in self.images.values_mut().chain(self.native_images.values_mut().flatten()) {
            image.present = true;
            image.base.iter_mut().for_each(|base| base.present = true);
        }
        self.volumes.extend(volumes.into_iter().chain(filled.iter().cloned()));
        self.filled.extend(filled);
        self.stale.clear();
    }
}

/// An engine of another machine, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub connection: Option<String>,
    /// The command that shows whether it answers.
    pub check: Cmd,
}

/// A builder image, found and pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// The reference that the engine is asked for, with a digest or as an ID if one is known.
    pub reference: String,
    /// Whether it is in the engine's storage, with the right architecture.
    pub present: bool,
    /// The image that it is derived from; `None` for a published image.
    pub base: Option<Base>,
}

impl Image {
    /// A published image, with nothing added.
    pub(crate) fn published(reference: String, present: bool) -> Self {
        Self { reference, present, base: None }
    }

    /// This image with something added. `present` says whether the result is already in the engine's storage.
    pub(crate) fn with(self, addition: Addition, present: bool) -> Self {
        let reference = self.reference_with(&addition);
        let base = Base { reference: self.reference, present: self.present, addition };
        Self { reference, present, base: Some(base) }
    }

    /// The name of this image with something added. It changes with the image's digest and with the addition.
    pub(crate) fn reference_with(&self, addition: &Addition) -> String {
        let script = addition.script();
        let args = addition.args();
        let added = match addition {
            Addition::Packages(_) => None,
            // The script finds out what is missing, so another script may add something else.
            Addition::Toolchain { .. } => Some(script),
        };
        let words: Vec<_> =
            [self.reference.as_str()].into_iter().chain(added).chain(args.iter().map(String::as_str)).collect();
        format!("localhost/hsx-derived:{}", short_hash(&words))
    }
}

/// What is added to a published image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Addition {
    /// Packages of the image's distribution.
    Packages(Vec<String>),
    /// The tools that cross builds for a platform need and the image lacks. Also the packages of the image's
    /// distribution that the user names.
    Toolchain { target: Platform, packages: Vec<String> },
}

impl Addition {
    /// What a build adds to its platform's image.
    pub(crate) fn to_image_of(build: &PlatformSettings) -> Self {
        Self::Packages(build.packages.clone())
    }

    /// What a cross build adds to the host's image.
    pub(crate) fn to_host_image_for(build: &PlatformSettings) -> Self {
        Self::Toolchain { target: build.platform, packages: build.native_packages.clone() }
    }

    /// Whether nothing is added, so that the published image is used.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Packages(packages) if packages.is_empty())
    }

    /// The script that adds it; runs in the image.
    pub(crate) fn script(&self) -> &'static str {
        match self {
            Self::Packages(_) => include_str!("../../scripts/container/derive.sh"),
            Self::Toolchain { .. } => concat!(
                include_str!("../../scripts/container/cross/look.sh"),
                include_str!("../../scripts/container/cross/image.sh")
            ),
        }
    }

    /// The script's arguments.
    pub(crate) fn args(&self) -> Vec<String> {
        match self {
            Self::Packages(packages) => packages.clone(),
            Self::Toolchain { target, packages } => {
                [target.machine().to_owned()].into_iter().chain(packages.iter().cloned()).collect()
            }
        }
    }
}

/// What is added, as it follows "with" in messages.
impl fmt::Display for Addition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages(packages) => f.write_str(&packages.join(", ")),
            Self::Toolchain { target, packages } => {
                write!(f, "tools for {target}")?;
                packages.iter().try_for_each(|package| write!(f, ", {package}"))
            }
        }
    }
}

/// The published image that another one is derived from, and what is added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// The reference that the engine is asked for.
    pub reference: String,
    /// Whether it is in the engine's storage.
    pub present: bool,
    pub addition: Addition,
}

/// What git knows about the user: `user.name`, `user.email` and `github.user`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub name: Option<String>,
    pub email: Option<String>,
    pub github: Option<String>,
}

/// The key of a build's tests. It names their log and the record of what they last fetched.
pub(crate) fn test_key(build_key: &str) -> String {
    format!("{build_key}-test")
}

/// The key of a build: one for each project, platform, image, strategy, user and kind of store. It names the build's volume,
/// containers, lock and log.
pub(crate) fn build_key(
    project: &Project,
    platform: Platform,
    image: &str,
    strategy: Strategy,
    state_id: &str,
    store: StoreScope,
) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    let name: String = project.name().chars().map(plain).collect();
    let strategy = strategy.to_string();
    let mut words = vec![project.root.as_str(), image, &strategy, state_id];
    // What was built with the packages of the shared store may have code of theirs in it.
    words.extend((store == StoreScope::Project).then_some("own store"));
    let hash = short_hash(&words);
    format!("{}-{}-{hash}", name.trim_matches('-'), platform.slug())
}
