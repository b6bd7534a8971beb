//! The plan: everything that a run does, as data. `--dry-run` prints it, and `world::follow` follows it. The commands
//! compose it of `steps`, with the help of `builder`, which knows what all containers of a platform share. Nothing here
//! has an effect or asks anything: `facts` holds everything that a plan depends on.

pub(crate) mod builder;

use std::fmt::Write as _;

use crate::base::cmd::{Values, is_late};
use crate::base::digest::hash;
use crate::base::harmless;
use crate::base::platform::Platform;
use crate::facts::cross::Toolchain;
use crate::facts::strategy::Strategy;
use crate::project::image;
use crate::steps::context::MOUNTS;
use crate::steps::job::Job;
use crate::steps::prepare::Prepare;
use crate::steps::stage::Stage;
use crate::steps::step::{Chain, lines};
use crate::steps::write_file::WriteFile;

/// Everything that a command does. The work for each platform returns a `T`.
#[derive(Debug)]
pub(crate) struct Plan<T> {
    /// The platforms that are up to date.
    pub fresh: Vec<Platform>,
    /// The steps that come before all platforms.
    pub prepare: Vec<Prepare>,
    pub platforms: Vec<PlatformPlan<T>>,
    /// The file that is written when the work for all platforms is done.
    pub file: Option<WriteFile>,
    /// How the platforms share each engine's machine; empty when they are built one after the other.
    pub shares: Vec<Share>,
    /// The platforms are built one after the other, even if the machines could do more.
    pub serial: bool,
}

impl<T> Default for Plan<T> {
    fn default() -> Self {
        Self {
            fresh: Vec::new(),
            prepare: Vec::new(),
            platforms: Vec::new(),
            file: None,
            shares: Vec::new(),
            serial: false,
        }
    }
}

/// The platforms of an engine: how many are built at the same time, and how many packages of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub platforms: Vec<Platform>,
    pub at_once: usize,
    pub jobs: Option<u32>,
}

/// The work for one platform. It fails or succeeds independently of the others.
#[derive(Debug)]
pub(crate) struct PlatformPlan<T> {
    pub job: Job,
    /// The locks that keep other runs of hsx away, in the order in which they are taken.
    pub locks: Vec<Lock>,
    pub warnings: Vec<String>,
    /// What the containers see of this machine, and why: a line each.
    pub shown: Vec<String>,
    /// The toolchain of the cross strategy.
    pub toolchain: Option<Toolchain>,
    /// The directory where results wait until they are verified. A failure removes it.
    pub stage: Stage,
    /// What the fetch step depends on, to be remembered after the work is done. `None`: nothing is fetched.
    pub fetch_inputs: Option<FetchInputs>,
    /// The plan to follow when this one fails for a reason that emulation would avoid.
    pub fallback: Option<Box<PlatformPlan<T>>>,
    /// Creates what must exist first: images, volumes, the source.
    pub preparation: Vec<Chain<()>>,
    pub work: Chain<T>,
}

/// A platform's work after other work for it that may have had to be emulated: then this is emulated, too. It is
/// planned for both, so that nothing is decided while a plan is followed.
#[derive(Debug)]
pub(crate) struct Sequel<T> {
    /// What follows when the strategy is the one that was chosen.
    pub as_chosen: PlatformPlan<T>,
    /// What follows when the work before was emulated because `cross` failed. `None`: it was not to be `cross`.
    pub emulated: Option<PlatformPlan<T>>,
}

impl<T> Sequel<T> {
    /// The plan for the strategy that the work before ended with.
    pub(crate) fn after(&self, strategy: Strategy) -> &PlatformPlan<T> {
        match &self.emulated {
            Some(emulated) if strategy == Strategy::Emulate => emulated,
            _ => &self.as_chosen,
        }
    }

    /// The commands as part of a script.
    pub(crate) fn shell(&self) -> String {
        let note = "# where what comes before had to be emulated, hsx emulates this too\n";
        let note = if self.emulated.is_some() { note } else { "" };
        format!("{note}{}", self.as_chosen.commands())
    }
}

/// A lock on a build, or on a volume that builds share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub name: String,
    /// Others may hold it too, as long as they only use the volume and do not create it.
    pub shared: bool,
}

/// Everything that could change what a fetch downloads: words, some of which may not be known when the plan is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchInputs(pub Vec<String>);

impl FetchInputs {
    /// The inputs as one line, to be remembered.
    pub(crate) fn digest(&self, values: &Values) -> String {
        let words: Vec<_> = self.0.iter().flat_map(|word| values.fill(word)).collect();
        hash(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Whether the last fetch, which is remembered by its digest, had these inputs.
    pub(crate) fn are_those_of(&self, last: Option<&String>) -> bool {
        self.0.iter().all(|word| !is_late(word)) && last == Some(&self.digest(&Values::default()))
    }
}

/// How many platforms are built at once, and how many packages of each, as far as cores and memory allow.
pub(crate) fn share(platforms: usize, jobs: Option<u32>, cores: usize, memory: u64) -> (usize, Option<u32>) {
    /// What a GHC and a linker that run at the same time may need, in bytes.
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

/// The beginning of a printed plan: the script stops at the first error.
const HEAD: &str = "set -eu";

impl<T> Plan<T> {
    /// The groups of platforms that are built in parallel.
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

    /// The plan as a POSIX shell script with the same effect.
    pub(crate) fn shell(&self) -> String {
        self.shell_then("")
    }

    /// The plan as a POSIX shell script, with `last` at its end.
    pub(crate) fn shell_then(&self, last: &str) -> String {
        let steps = self.steps() + last;
        let has_commands = steps.lines().any(|line| !(line.is_empty() || line.starts_with('#')));
        if has_commands { format!("{HEAD}\n{steps}") } else { steps }
    }

    /// The plan's commands, without the beginning of a script.
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
        if let Some(file) = &self.file {
            let _ = writeln!(script, "{}", file.shell());
        }
        script
    }
}

impl<T> PlatformPlan<T> {
    /// Whether there is nothing to prepare.
    pub(crate) fn is_prepared(&self) -> bool {
        self.preparation.is_empty()
    }

    /// The plan of the platform as part of a script, with comments.
    pub(crate) fn shell(&self) -> String {
        let Job { platform, choice, ghc, ghc_reason, .. } = &self.job;
        // Text from others must stay on one line of the comment: a second line would run as a command.
        let ghc = harmless::line(&image::ghc_by(ghc.as_deref(), ghc_reason.as_deref()));
        let reason = harmless::line(&choice.reason);
        let mut script = format!("# {platform}: {} ({reason}), {ghc}\n", choice.strategy);
        for warning in &self.warnings {
            let _ = writeln!(script, "# warning: {}", harmless::line(warning));
        }
        for shown in &self.shown {
            let _ = writeln!(script, "# it sees {}", harmless::line(shown));
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

    /// The plan's commands, without comments about reasons.
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
