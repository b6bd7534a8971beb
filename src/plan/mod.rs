//! The plan: what a run does, as data. `--dry-run` prints it, and `world::follow` follows it. It is composed of `steps`
//! by `builder`, which knows what all containers of a platform share, and by the commands. Nothing here has an effect or
//! asks anything: what a plan depends on are the `facts`.

pub(crate) mod builder;

use std::fmt::Write as _;

use crate::base::harmless;
use crate::base::platform::Platform;
use crate::facts::cross::Toolchain;
use crate::project::image;
use crate::steps::context::MOUNTS;
use crate::steps::job::Job;
use crate::steps::prepare::Prepare;
use crate::steps::stage::Stage;
use crate::steps::step::{Chain, lines};

/// Everything that a command does; each platform comes to a `T`.
#[derive(Debug)]
pub(crate) struct Plan<T> {
    /// Where there is nothing to do.
    pub fresh: Vec<Platform>,
    /// What comes before all platforms.
    pub prepare: Vec<Prepare>,
    pub platforms: Vec<PlatformPlan<T>>,
    /// How each engine's machine is shared out; nothing for what goes on one after another.
    pub shares: Vec<Share>,
    /// One platform after the other, whatever the machines bear.
    pub serial: bool,
}

impl<T> Default for Plan<T> {
    fn default() -> Self {
        Self { fresh: Vec::new(), prepare: Vec::new(), platforms: Vec::new(), shares: Vec::new(), serial: false }
    }
}

/// The platforms of an engine: how many are built for at the same time, and how many packages of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub platforms: Vec<Platform>,
    pub at_once: usize,
    pub jobs: Option<u32>,
}

/// What is done for one platform. It fails or succeeds on its own.
#[derive(Debug)]
pub(crate) struct PlatformPlan<T> {
    pub job: Job,
    /// What keeps other runs of hsx away meanwhile, to be taken in this order.
    pub locks: Vec<Lock>,
    pub warnings: Vec<String>,
    /// Of the cross strategy.
    pub toolchain: Option<Toolchain>,
    /// Where results wait; what a failure leaves in it is removed.
    pub stage: Stage,
    /// What the fetch step depends on, to be remembered once the work is done; `None` where nothing is fetched.
    pub fetch_inputs: Option<String>,
    /// What is done when this plan fails for a reason that emulation would not have.
    pub fallback: Option<Box<PlatformPlan<T>>>,
    /// Makes what must be there first: images, volumes, the source.
    pub preparation: Vec<Chain<()>>,
    pub work: Chain<T>,
}

/// A lock on a build, or on a volume that builds share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub name: String,
    /// Others may use it too, but not make it.
    pub shared: bool,
}

/// How many platforms are built for at once, and how many packages of each: what the machine bears.
pub(crate) fn share(platforms: usize, jobs: Option<u32>, cores: usize, memory: u64) -> (usize, Option<u32>) {
    /// What a GHC and a linker may need beside each other, in bytes.
    const MEMORY: u64 = 2 << 30;
    let memory = usize::try_from(memory / MEMORY).unwrap_or(usize::MAX);
    let at_once = platforms.min(cores).min(memory).max(1);
    if at_once == 1 {
        return (1, jobs);
    }
    let cores = u32::try_from(cores).unwrap_or(u32::MAX);
    let share = jobs.unwrap_or(cores) / u32::try_from(at_once).unwrap_or(1);
    (at_once, Some(share.max(1)))
}

/// What a printed plan begins with: it stops at the first error.
const HEAD: &str = "set -eu";

impl<T> Plan<T> {
    /// What goes on beside each other.
    pub(crate) fn turns(&self) -> Vec<Share> {
        if !self.serial {
            return self.shares.clone();
        }
        let platforms = self.platforms.iter().map(|plan| plan.job.platform).collect();
        vec![Share { platforms, at_once: 1, jobs: None }]
    }

    /// How many platforms are built for at the same time.
    pub(crate) fn at_once(&self) -> usize {
        self.turns().iter().map(|turn| turn.at_once).sum()
    }

    /// The plan as a POSIX shell script that does the same.
    pub(crate) fn shell(&self) -> String {
        self.shell_then("")
    }

    /// The same, and what comes after it.
    pub(crate) fn shell_then(&self, last: &str) -> String {
        let steps = self.steps() + last;
        let has_commands = steps.lines().any(|line| !(line.is_empty() || line.starts_with('#')));
        if has_commands { format!("{HEAD}\n{steps}") } else { steps }
    }

    /// The plan as part of a script that another one begins.
    pub(crate) fn steps(&self) -> String {
        let mut script = String::new();
        for platform in &self.fresh {
            let _ = writeln!(script, "# {platform}: up to date; `--force` builds again");
        }
        for step in &self.prepare {
            let _ = writeln!(script, "{}", step.shell());
        }
        if self.at_once() > 1 {
            let _ = writeln!(script, "# hsx builds for {} platforms at once", self.at_once());
        }
        for platform in &self.platforms {
            let _ = write!(script, "\n{}", platform.shell());
        }
        script
    }
}

impl<T> PlatformPlan<T> {
    /// Whether nothing has to be made first.
    pub(crate) fn is_prepared(&self) -> bool {
        self.preparation.is_empty()
    }

    /// The same for one platform.
    pub(crate) fn shell(&self) -> String {
        let Job { platform, choice, ghc, ghc_reason, .. } = &self.job;
        let ghc = image::ghc_name(ghc.as_deref());
        // What others have said is one line of a comment: a second one would be a command.
        let by = ghc_reason.as_ref().map(|reason| format!(" by {reason}")).unwrap_or_default();
        let (reason, ghc) = (harmless::line(&choice.reason), harmless::line(&format!("{ghc}{by}")));
        let mut script = format!("# {platform}: {} ({reason}), {ghc}\n", choice.strategy);
        for warning in &self.warnings {
            let _ = writeln!(script, "# warning: {}", harmless::line(warning));
        }
        if !self.locks.is_empty() {
            let names: Vec<_> = self.locks.iter().map(|lock| lock.name.as_str()).collect();
            let _ = writeln!(script, "# hsx waits while another hsx makes one of {}", names.join(", "));
        }
        if self.toolchain.as_ref().is_some_and(|toolchain| toolchain.copy.is_none()) {
            let times = MOUNTS - 1;
            let _ = writeln!(
                script,
                "# where the engine unmounts an image that is just being mounted, hsx starts the container again, {times} times"
            );
        }
        script.push_str(&self.commands());
        if self.fallback.is_some() {
            let _ = writeln!(script, "# where this fails and emulation may not, hsx builds once more, emulated");
        }
        script
    }

    /// What is done, without why.
    pub(crate) fn commands(&self) -> String {
        let steps = lines(self.preparation.iter().map(|step| step.shell()).chain([self.work.shell()]));
        if steps.is_empty() { steps } else { steps + "\n" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_shared_out() {
        const GIB: u64 = 1 << 30;
        for (platforms, jobs, cores, memory, shared) in [
            (1, None, 8, 64 * GIB, (1, None)),
            (2, None, 8, 64 * GIB, (2, Some(4))),
            (3, None, 8, 64 * GIB, (3, Some(2))),
            (2, None, 2, 64 * GIB, (2, Some(1))),
            (2, Some(6), 8, 64 * GIB, (2, Some(3))),
            (2, Some(1), 8, 64 * GIB, (2, Some(1))),
            (2, None, 1, 64 * GIB, (1, None)),
            (3, None, 8, 5 * GIB, (2, Some(4))),
            (2, Some(4), 8, GIB, (1, Some(4))),
        ] {
            assert_eq!(share(platforms, jobs, cores, memory), shared, "{platforms} {jobs:?} {cores} {memory}");
        }
    }
}
