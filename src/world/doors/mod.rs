//! The few doors to the machine, and `World`, which holds them: run a command (`exec`, `interact`), read and write
//! files (`read`, `pieces`, `write`, `links`), remember (`state`, `cache`), the environment, and what people see (`ui`,
//! `screen`). A door knows how something is done, not what for: no plan is followed here, and no engine or project is
//! asked about.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::cmd::Cmd;
use crate::base::error::Error;
use crate::facts::Elsewhere;

pub(crate) mod at_once;
pub(crate) mod cache;
pub(crate) mod environment;
pub(crate) mod exec;
pub(crate) mod interact;
pub(crate) mod links;
pub(crate) mod pieces;
pub(crate) mod read;
pub(crate) mod screen;
pub(crate) mod state;
pub(crate) mod ui;
pub(crate) mod write;

use cache::BlobStore;
use environment::Environment;
use exec::Exec;
use state::State;
use ui::Ui;

/// How long to wait before each further try.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Whether a registry's failure may pass: its own errors and lost connections do, its "no" does not.
fn may_pass(said: &str) -> bool {
    let lower = said.to_ascii_lowercase();
    // Whole words: a port or a digest holds these digits too.
    let status = |word| ["500", "502", "503", "504"].contains(&word);
    lower.split(|c: char| !c.is_ascii_alphanumeric()).any(status)
        || ["timeout", "timed out", "connection reset", "unexpected eof", "too many requests"]
            .iter()
            .any(|words| lower.contains(words))
}

/// The machine as commands use it.
pub(crate) struct World<'a> {
    pub environment: &'a Environment,
    pub ui: &'a Ui,
    pub exec: Exec<'a>,
    pub state: State,
    /// What the last builds' results depended on.
    pub records: BlobStore,
    pub cache: BlobStore,
    /// What several platforms may need, by name: whether it is done in this run.
    turns: Mutex<BTreeMap<String, Turn>>,
}

/// Held while it is done.
pub(crate) type Turn = Arc<Mutex<bool>>;

impl<'a> World<'a> {
    /// # Errors
    /// When signals cannot be caught.
    pub(crate) fn new(environment: &'a Environment, ui: &'a Ui) -> anyhow::Result<Self> {
        let state = State::new(environment.state_dir.clone());
        let cache = BlobStore::new(environment.cache_dir.clone());
        Ok(Self {
            environment,
            ui,
            exec: Exec::new(ui)?,
            records: BlobStore::new(Some(state.dir().to_owned())),
            state,
            cache,
            turns: Mutex::default(),
        })
    }

    /// What several platforms may need, and is done once.
    pub(crate) fn turn(&self, name: &str) -> Turn {
        self.turns.lock().expect("no holder panics").entry(name.to_owned()).or_default().clone()
    }

    /// The same for the images of an engine: one is got or made at a time.
    pub(crate) fn turn_of_images(&self, elsewhere: Option<&Elsewhere>) -> Turn {
        let connection = elsewhere.and_then(|elsewhere| elsewhere.connection.as_deref());
        self.turn(&format!("images {}", connection.unwrap_or_default()))
    }

    /// Waits until something can be taken that another hsx holds. Tells whether that was so.
    ///
    /// # Errors
    /// When a signal comes first.
    pub(crate) fn wait_for(&self, mut take: impl FnMut() -> bool) -> Result<bool, Error> {
        if take() {
            return Ok(false);
        }
        self.ui.status("Waiting", "for another hsx that builds the same");
        while !take() {
            self.exec.check()?;
            thread::sleep(Duration::from_millis(100));
        }
        Ok(true)
    }

    /// Tries what needs a registry again when it fails in a way that may pass: registries do, now and then.
    ///
    /// # Errors
    /// Those of the attempt itself.
    pub(crate) fn retried<A: Attempt>(
        &self,
        cmd: &Cmd,
        mut attempt: impl FnMut(&Cmd) -> Result<A, Error>,
    ) -> Result<A, Error> {
        for pause in RETRY_PAUSES {
            let answer = attempt(cmd)?;
            if answer.succeeded() || !may_pass(answer.said()) {
                return Ok(answer);
            }
            self.ui.warning(&format!("the registry failed, trying again in {} s", pause.as_secs()));
            let end = Instant::now() + pause;
            while Instant::now() < end {
                self.exec.check()?;
                thread::sleep(Duration::from_millis(50));
            }
        }
        attempt(cmd)
    }
}

/// How an attempt ended that a registry may have spoilt.
pub(crate) trait Attempt {
    fn succeeded(&self) -> bool;
    fn said(&self) -> &str;
}

impl Attempt for exec::Output {
    fn succeeded(&self) -> bool {
        self.success()
    }
    fn said(&self) -> &str {
        &self.stderr
    }
}
