//! What all steps of a platform's plan share.

use camino::Utf8PathBuf;

use crate::base::cmd::Cmd;
use crate::base::platform::Platform;
use crate::facts::Elsewhere;
use crate::facts::advice::Advice;
use crate::facts::strategy::Choice;
use crate::project::image;

/// The work for one platform, with one strategy, in containers of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub platform: Platform,
    pub choice: Choice,
    /// The compiler's version. `None`: the image's name does not tell it.
    pub ghc: Option<String>,
    /// What decided the version. `None`: it is that of the image.
    pub ghc_reason: Option<String>,
    /// The image's reference for the engine, with a digest if one is known.
    pub image: String,
    /// The key in the names of this job's volume, containers, lock and log. No other job has it.
    pub key: String,
    /// Hints for failures that the project's files may explain.
    pub advice: Vec<Advice>,
    /// The directories of the host that are mounted in the container.
    pub seen: Vec<Utf8PathBuf>,
    /// The user asked for a build that downloads nothing (`--offline`).
    pub is_offline: bool,
    /// The engine, when it runs on another machine.
    pub elsewhere: Option<Elsewhere>,
    /// Removes the containers that an interrupted step may leave behind.
    pub removal: Cmd,
    /// Lists those of these containers that exist.
    pub leftovers: Cmd,
}

impl Job {
    /// The compiler and the strategy, for messages.
    pub(crate) fn compiler(&self) -> String {
        let ghc = image::ghc_by(self.ghc.as_deref(), self.ghc_reason.as_deref());
        format!("{ghc} ({})", self.choice.strategy)
    }
}
