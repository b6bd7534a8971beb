//! What all steps of a platform's plan have in common.

use camino::Utf8PathBuf;

use crate::base::cmd::Cmd;
use crate::base::platform::Platform;
use crate::facts::Elsewhere;
use crate::facts::advice::Advice;
use crate::facts::strategy::Choice;
use crate::project::image;

/// The work for one platform, by a strategy, in containers of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub platform: Platform,
    pub choice: Choice,
    /// The compiler's version; `None`: the image's name does not tell.
    pub ghc: Option<String>,
    /// What in the project's files decided on it.
    pub ghc_reason: Option<String>,
    /// The image as the engine is asked for it: by digest where one is known.
    pub image: String,
    /// Names this job's volume, containers, lock and log; nobody else's.
    pub key: String,
    /// What a failure may mean for the project.
    pub advice: Vec<Advice>,
    /// The directories of the host that the container sees.
    pub seen: Vec<Utf8PathBuf>,
    /// Nothing is fetched, as was typed.
    pub is_offline: bool,
    /// The engine, where it is another machine's.
    pub elsewhere: Option<Elsewhere>,
    /// Removes the containers that may be left when a step is interrupted.
    pub removal: Cmd,
    /// Lists those of them that are there.
    pub leftovers: Cmd,
}

impl Job {
    /// The compiler and how it runs, for messages.
    pub(crate) fn compiler(&self) -> String {
        format!("{} ({})", image::ghc_name(self.ghc.as_deref()), self.choice.strategy)
    }
}
