//! The few doors to the machine, and `World`, which holds them: they run commands (`exec`, `interact`), read and write
//! files (`read`, `pieces`, `root`, `write`, `links`), let in what a container left (`incoming`), remember (`state`, `blob_store`), read
//! the environment, and show things to
//! people (`ui`, `screen`). A door knows how to do something, not what it is for: it follows no plan, and knows nothing
//! of engines or projects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::cmd::Cmd;
use crate::base::error::Error;
use crate::facts::Elsewhere;

pub(crate) mod at_once;
pub(crate) mod blob_store;
pub(crate) mod environment;
pub(crate) mod exec;
pub(crate) mod incoming;
pub(crate) mod interact;
pub(crate) mod links;
pub(crate) mod pieces;
pub(crate) mod read;
pub(crate) mod root;
pub(crate) mod screen;
pub(crate) mod state;
pub(crate) mod ui;
pub(crate) mod write;

use blob_store::BlobStore;
use environment::Environment;
use exec::Exec;
use state::State;
use ui::Ui;

/// How long to wait before each retry.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Whether a registry's failure may be temporary: server errors and lost connections are, a refusal is not.
fn may_pass(said: &str) -> bool {
    let lower = said.to_ascii_lowercase();
    // Only whole words count: ports and digests may contain these digits.
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
    /// What the results of the last builds depended on.
    pub records: BlobStore,
    pub cache: BlobStore,
    /// Work that several platforms may need, by name; `true` once it is done in this run.
    turns: Mutex<BTreeMap<String, Turn>>,
}

/// Locked while the work is being done; `true` once it is done.
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

    /// The lock for work that several platforms may need and that is done once.
    pub(crate) fn turn(&self, name: &str) -> Turn {
        self.turns.lock().expect("no holder panics").entry(name.to_owned()).or_default().clone()
    }

    /// The lock for an engine's images: only one is pulled or made at a time.
    pub(crate) fn turn_of_images(&self, elsewhere: Option<&Elsewhere>) -> Turn {
        let connection = elsewhere.and_then(|elsewhere| elsewhere.connection.as_deref());
        self.turn(&format!("images {}", connection.unwrap_or_default()))
    }

    /// Waits until `take` succeeds, because another hsx may hold what it takes. Returns whether hsx had to wait.
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

    /// Repeats an attempt that needs a registry, when it fails in a way that may be temporary.
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

/// The outcome of an attempt that needs a registry.
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
