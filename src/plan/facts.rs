//! What the machine and its engines are, as far as a plan depends on it. Gathered by `world::ask::host`, once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::strategy::Strategy;
use crate::base::digest::short_hash;
use crate::base::platform::Platform;
use crate::project::Project;
use crate::settings::PlatformSettings;
use crate::tools::binfmt::Emulation;
use crate::tools::engine::{Engine, Stdin};
use crate::tools::system::System;
use crate::tools::upx::Packer;

/// The machine that hsx runs on, and the engines that it builds with.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// What this machine starts by itself; it need not be an engine's. `None` where that is no Linux.
    pub machine: Option<Platform>,
    /// What a container that people use reads: a terminal only where hsx has one.
    pub stdin: Stdin,
    /// Tells this run's own containers from those of others that run at a time.
    pub process: u32,
    /// For advice.
    pub system: System,
    /// Whether programs of the platforms that are built for start on this machine.
    pub emulation: BTreeMap<Platform, Emulation>,
    pub upx: Option<Packer>,
    pub out_dir_exists: bool,
    /// Names of the caller's variables that a build needs to see.
    pub pass_env: Vec<String>,
    /// A digest of the values that are given to these builds alone, where there are any.
    pub given: String,
    /// Each platform is built for by one of them.
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
    /// The platforms that it builds for here.
    pub builds: Vec<Platform>,
    /// Its containers can be shown no directory of this machine: what they need is sent.
    pub is_remote: bool,
    /// Its own platform.
    pub platform: Platform,
    pub emulation: BTreeMap<Platform, Emulation>,
    /// By platform: each build's image.
    pub images: BTreeMap<Platform, Image>,
    /// By foreign platform: the host's image of the same tag, or why there is none.
    pub native_images: BTreeMap<Platform, Result<Image, String>>,
    /// The engine can mount an image into a container.
    pub image_mounts: bool,
    /// Volumes that were filled to the end: with a cross toolchain, or with a copy of an image.
    pub filled: BTreeSet<String>,
    /// The engine's volumes that hsx made.
    pub volumes: BTreeSet<String>,
    /// Containers of hsx runs that are no more.
    pub stale: Vec<String>,
    /// What each build's fetch phase last depended on, by the build's key.
    pub fetched: BTreeMap<String, String>,
    /// Its cores, and the memory that programs could get, in bytes.
    pub cores: usize,
    pub memory: u64,
    /// Tells this user's state from that of others who share the engine.
    pub state_id: String,
}

impl Host {
    pub(crate) fn emulation(&self, platform: Platform) -> &Emulation {
        self.emulation.get(&platform).unwrap_or(&Emulation::Unknown)
    }
}

/// A builder image, found and pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// What the engine is asked for: by digest or id where one is known.
    pub reference: String,
    /// In the engine's storage, and of the right architecture.
    pub present: bool,
    /// What it is made from; `None` for one as it is published.
    pub base: Option<Base>,
}

impl Image {
    /// An image as it is published.
    pub(crate) fn published(reference: String, present: bool) -> Self {
        Self { reference, present, base: None }
    }

    /// This image with something added, and whether that is there already.
    pub(crate) fn with(self, addition: Addition, present: bool) -> Self {
        let reference = self.reference_with(&addition);
        let base = Base { reference: self.reference, present: self.present, addition };
        Self { reference, present, base: Some(base) }
    }

    /// The name of this image with something added: another for another digest or another addition.
    pub(crate) fn reference_with(&self, addition: &Addition) -> String {
        let script = addition.script();
        let args = addition.args();
        let added = match addition {
            Addition::Packages(_) => None,
            // What it finds missing depends on the script.
            Addition::Toolchain { .. } => Some(script),
        };
        let words: Vec<_> =
            [self.reference.as_str()].into_iter().chain(added).chain(args.iter().map(String::as_str)).collect();
        format!("localhost/hsx-derived:{}", short_hash(&words))
    }
}

/// What is remembered of an image with additions that are all there.
pub(crate) const DERIVED: &str = "yes";

/// What is remembered of an image with additions of which some were not to be had.
pub(crate) const DERIVED_IN_PART: &str = "in part";

/// What is added to a published image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Addition {
    /// Packages of the image's distribution.
    Packages(Vec<String>),
    /// The tools that cross builds for a platform need and the image lacks, and packages of its distribution that the user
    /// names.
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

    /// Nothing is added, and the image stays the published one.
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

/// What an image is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// What the engine is asked for.
    pub reference: String,
    /// In the engine's storage.
    pub present: bool,
    pub addition: Addition,
}

/// What git knows of the person: `user.name`, `user.email` and `github.user`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub name: Option<String>,
    pub email: Option<String>,
    pub github: Option<String>,
}

/// What a build's tests are known by: their log, and what they last fetched.
pub(crate) fn test_key(build_key: &str) -> String {
    format!("{build_key}-test")
}

/// The name of a build, which its volume, containers, lock and log carry: one a project, platform, image, strategy
/// and user.
pub(crate) fn build_key(
    project: &Project,
    platform: Platform,
    image: &str,
    strategy: Strategy,
    state_id: &str,
) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    let name: String = project.name().chars().map(plain).collect();
    let hash = short_hash(&[project.root.as_str(), image, &strategy.to_string(), state_id]);
    format!("{}-{}-{hash}", name.trim_matches('-'), platform.slug())
}
