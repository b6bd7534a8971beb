//! A container that hsx is to start, as data.

use camino::Utf8PathBuf;

use crate::base::platform::Platform;

/// The shell of the image itself.
pub(crate) const SHELL: &[&str] = &["/bin/sh"];

/// A volume, an image or a host path that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mount {
    Volume {
        name: String,
        target: String,
        read_only: bool,
    },
    /// The root of an image, read-only. Not every engine can mount one: see [`super::Info::image_mounts`].
    Image {
        reference: String,
        target: String,
    },
    /// A host path, read-only: hsx never lets a container write into the host's tree.
    ReadOnly {
        source: Utf8PathBuf,
        target: String,
    },
}

/// Whether a container reaches the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// The engine's default network.
    Default,
    None,
}

/// What a container reads as its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdin {
    Closed,
    /// The standard input of the client.
    Passed,
    /// The standard input of the client, in a terminal of the container that follows the client's.
    Terminal,
}

/// Whether a container outlives its process, so that files can be copied out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    UntilExit,
    UntilRemoved,
}

/// One `run`: a script in a container.
#[derive(Clone, Debug)]
pub(crate) struct Container<'a> {
    pub name: &'a str,
    pub platform: Platform,
    pub image: &'a str,
    pub lifetime: Lifetime,
    pub network: Network,
    pub stdin: Stdin,
    pub labels: &'a [(&'a str, String)],
    /// `NAME=VALUE`, or `NAME` to pass the caller's value on.
    pub env: &'a [String],
    pub mounts: &'a [Mount],
    pub workdir: &'a str,
    /// The program that runs the script, and its arguments before `-c`.
    pub entry: &'a [&'a str],
    /// The user's own `--engine-arg`s.
    pub extra: &'a [String],
    /// A POSIX shell script and its arguments.
    pub script: &'a str,
    pub args: Vec<String>,
}

impl<'a> Container<'a> {
    /// A container that has no network, reads nothing, sees nothing of the host, and is removed when its script ends.
    pub(crate) fn new(name: &'a str, platform: Platform, image: &'a str, script: &'a str) -> Self {
        Self {
            name,
            platform,
            image,
            lifetime: Lifetime::UntilExit,
            network: Network::None,
            stdin: Stdin::Closed,
            labels: &[],
            env: &[],
            mounts: &[],
            workdir: "/",
            entry: SHELL,
            extra: &[],
            script,
            args: Vec::new(),
        }
    }
}
