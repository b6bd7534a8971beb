//! The plan: what a run does, as data. `--dry-run` prints it, execution follows it step by step. Beside it stands what
//! decides it: the facts (`facts`), the strategy, the containers that all steps of a platform share (`builder`), the
//! source. Nothing here has an effect or asks anything: what a plan depends on comes in as data.

pub(crate) mod builder;
pub(crate) mod cross;
pub(crate) mod facts;
pub(crate) mod source;
pub(crate) mod strategy;

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use crate::base::cmd::{Cmd, quote};
use crate::base::harmless;
use crate::base::platform::Platform;
use crate::plan::facts::Addition;
use crate::plan::source::Source;
use crate::plan::strategy::Choice;
use crate::project::image;
use crate::project::target::Target;
use crate::tools::upx::Packer;

/// Everything one `hsx static` does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Where there is nothing to do.
    pub fresh: Vec<Platform>,
    /// Steps for all platforms together, first.
    pub prepare: Vec<Step>,
    pub platforms: Vec<PlatformPlan>,
    /// How each engine's machine is shared out.
    pub shares: Vec<Share>,
    /// One platform after the other, whatever the machines bear.
    pub serial: bool,
}

/// The platforms of an engine: how many are built for at the same time, and how many packages of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub platforms: Vec<Platform>,
    pub at_once: usize,
    pub jobs: Option<u32>,
}

/// The build for one platform. It fails or succeeds on its own.
#[derive(Clone, Debug)]
pub(crate) struct PlatformPlan {
    pub platform: Platform,
    pub choice: Choice,
    pub ghc: Option<String>,
    /// What in the project's files decided on the GHC.
    pub ghc_reason: Option<String>,
    /// The image as the engine is asked for it: by digest where one is known.
    pub image: String,
    /// Names this build's volume, containers, lock and log; nobody else's.
    pub key: String,
    /// What keeps other runs of hsx away while this one builds, to be taken in this order.
    pub locks: Vec<Lock>,
    pub warnings: Vec<String>,
    /// Of the cross strategy: the volume with the toolchain.
    pub toolchain: Option<String>,
    /// What the executables, or the test suites, are that it is about: cabal's plan tells which these are.
    pub targets: Vec<Target>,
    /// The project's own packages that have data files.
    pub data: Vec<OwnData>,
    /// Data files are delivered too.
    pub delivers_data: bool,
    pub stage: Stage,
    /// Where the executables end up.
    pub out_dir: Utf8PathBuf,
    /// What the fetch phase depends on, to be remembered once the build has succeeded; `None` where nothing is fetched.
    pub fetch_inputs: Option<String>,
    /// The engine, where it is another machine's.
    pub elsewhere: Option<Elsewhere>,
    /// What is done when this plan fails for a reason that emulation would not have.
    pub fallback: Option<Box<PlatformPlan>>,
    /// The containers that may be left when a step is interrupted.
    pub removal: Cmd,
    /// Lists those of them that are there.
    pub leftovers: Cmd,
    pub steps: Vec<Step>,
}

/// The data files of one of the project's own packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnData {
    pub package: String,
    /// Where they are on the host.
    pub dir: Utf8PathBuf,
    /// `data-files:`, as written.
    pub files: Vec<String>,
}

/// An engine of another machine, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub connection: Option<String>,
    /// Tells whether it answers.
    pub check: Cmd,
}

/// A lock on a build, or on a volume that builds share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub name: String,
    /// Others may use it too, but not make it.
    pub shared: bool,
}

/// The directories of a stage with what is to be started.
pub(crate) const TRIED: [&str; 2] = ["bin", "packed"];

/// A directory beside the results where files wait until they are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage(pub Utf8PathBuf);

impl Stage {
    /// What the container laid out: `plan.json` and `bin/NAME`.
    pub(crate) fn built(&self, name: &str) -> Utf8PathBuf {
        self.0.join("bin").join(name)
    }

    pub(crate) fn packed(&self, name: &str) -> Utf8PathBuf {
        self.0.join("packed").join(name)
    }

    /// A file for each executable that was started before.
    pub(crate) fn known(&self) -> Utf8PathBuf {
        self.0.join("known")
    }

    /// What cabal notes of tests.
    pub(crate) fn test_results(&self) -> Utf8PathBuf {
        self.0.join("results")
    }

    pub(crate) fn test_logs(&self) -> Utf8PathBuf {
        self.0.join("logs")
    }

    /// What the toolchain of a cross build could not do, counted.
    pub(crate) fn emulated_calls(&self) -> Utf8PathBuf {
        self.0.join("emulated-calls")
    }

    /// The units of the store that have data files, a line each.
    pub(crate) fn data_units(&self) -> Utf8PathBuf {
        self.0.join("data")
    }

    /// The data files of a unit of the store.
    pub(crate) fn data_of(&self, unit: &str) -> Utf8PathBuf {
        self.0.join("share").join(unit)
    }

    pub(crate) fn plan_json(&self) -> Utf8PathBuf {
        self.0.join("plan.json")
    }
}

/// One thing that is done. Those with a command run just that; the others are hsx's own work on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ends what an earlier, killed hsx left behind.
    Sweep(Cmd),
    /// Writes a `.cabal` file from `package.yaml`.
    Hpack(Cmd),
    /// Makes the output directory, hidden from git, when there is none.
    MakeOutDir(Utf8PathBuf),
    /// Gets an image; tried again when the registry fails.
    Pull {
        platform: Platform,
        cmd: Cmd,
    },
    /// Asks the architecture of the image that was pulled.
    CheckImage {
        platform: Platform,
        cmd: Cmd,
    },
    /// Makes an image from another by adding something, unless another build has done so since the plan was made.
    Derive {
        platform: Platform,
        reference: String,
        /// What it is remembered as once it is made.
        memory: String,
        addition: Addition,
        /// Install it in a container, make the image of that, and remove it.
        commands: [Cmd; 3],
    },
    CreateVolume(Cmd),
    /// Sends the source to an engine elsewhere: what has changed since the last time, or all of it where a volume is new or
    /// does not hold what it is believed to.
    Send {
        source: Source,
        is_new: bool,
        cmd: Cmd,
    },
    /// Fills a volume that all later builds use as it is: a cross toolchain, or the copy of an image.
    Fill {
        volume: String,
        cmd: Cmd,
    },
    /// Makes an empty stage: what a killed run left in it is gone.
    MakeStage,
    /// Downloads what the build needs, with network.
    Fetch(Cmd),
    /// Asks GHC and cabal in the container; what they answer on standard output is for hsx.
    Solve {
        cmd: Cmd,
        /// What it says that hsx does: a verb, and what follows the platform.
        status: (&'static str, &'static str),
        failure: &'static str,
    },
    /// Builds, without network.
    Build(Cmd),
    /// Copies the executables out of the container into the stage.
    Collect(Cmd),
    /// Removes the build's container.
    Remove(Cmd),
    /// Checks that each executable is static and of the platform.
    Verify,
    /// Packs each executable into the stage; a failure leaves the unpacked one. What the same upx made of the same file
    /// before is taken instead.
    Pack(Packer),
    /// Starts each executable, unpacked and packed, unless the same files have been started in this image before.
    Try {
        cmd: Cmd,
        /// They are sent to the engine.
        is_sent: bool,
    },
    /// Builds and runs test suites, without network.
    Test(Cmd),
    /// Moves the suites' logs to their place, and reads how they ended.
    DeliverLogs,
    /// Runs a command that has hsx's own terminal, input and output; how it ends is how hsx ends.
    Interact(Cmd),
    /// Moves each executable to its place: the packed one if it behaves like the unpacked one.
    Deliver,
    /// Removes the stage.
    Clean,
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

impl Plan {
    /// What goes on beside each other.
    pub(crate) fn turns(&self) -> Vec<Share> {
        if !self.serial {
            return self.shares.clone();
        }
        let platforms = self.platforms.iter().map(|plan| plan.platform).collect();
        vec![Share { platforms, at_once: 1, jobs: None }]
    }

    /// How many platforms are built for at the same time.
    pub(crate) fn at_once(&self) -> usize {
        self.turns().iter().map(|turn| turn.at_once).sum()
    }

    /// The plan as a POSIX shell script that does the same when nothing goes wrong.
    pub(crate) fn shell(&self) -> String {
        let mut script = String::new();
        for platform in &self.fresh {
            let _ = writeln!(script, "# {platform}: up to date; `--force` builds again");
        }
        for step in &self.prepare {
            step.shell(None, &mut script);
        }
        if self.at_once() > 1 {
            let _ = writeln!(script, "# hsx builds for {} platforms at once", self.at_once());
        }
        for platform in &self.platforms {
            script.push('\n');
            script.push_str(&platform.shell());
        }
        script.trim_start().to_owned()
    }
}

impl PlatformPlan {
    /// The same for one platform.
    pub(crate) fn shell(&self) -> String {
        let Self { platform, choice, .. } = self;
        let ghc = image::ghc_name(self.ghc.as_deref());
        // What others have said is one line of a comment: a second one would be a command.
        let by = self.ghc_reason.as_ref().map(|reason| format!(" by {reason}")).unwrap_or_default();
        let (reason, ghc) = (harmless::line(&choice.reason), harmless::line(&format!("{ghc}{by}")));
        let mut script = format!("# {platform}: {} ({reason}), {ghc}\n", choice.strategy);
        for warning in &self.warnings {
            let _ = writeln!(script, "# warning: {}", harmless::line(warning));
        }
        script.push_str(&self.commands());
        if self.fallback.is_some() {
            let _ = writeln!(script, "# where this fails and emulation may not, hsx builds once more, emulated");
        }
        script
    }

    /// Where the logs of test suites end up.
    pub(crate) fn test_logs(&self) -> Utf8PathBuf {
        self.out_dir.join("test-logs")
    }

    /// What is done, without why.
    pub(crate) fn commands(&self) -> String {
        let mut script = String::new();
        for step in &self.steps {
            step.shell(Some(self), &mut script);
        }
        script
    }
}

impl Step {
    /// The command of a step that is one.
    pub(crate) fn cmd(&self) -> Option<&Cmd> {
        match self {
            Self::Sweep(cmd)
            | Self::Hpack(cmd)
            | Self::Pull { cmd, .. }
            | Self::CheckImage { cmd, .. }
            | Self::CreateVolume(cmd)
            | Self::Fetch(cmd)
            | Self::Build(cmd)
            | Self::Collect(cmd)
            | Self::Remove(cmd)
            | Self::Fill { cmd, .. }
            | Self::Solve { cmd, .. }
            | Self::Try { cmd, .. }
            | Self::Send { cmd, .. }
            | Self::Test(cmd)
            | Self::Interact(cmd) => Some(cmd),
            Self::Derive { .. }
            | Self::MakeOutDir(_)
            | Self::MakeStage
            | Self::Pack(_)
            | Self::Verify
            | Self::Deliver
            | Self::DeliverLogs
            | Self::Clean => None,
        }
    }

    fn shell(&self, platform: Option<&PlatformPlan>, script: &mut String) {
        let path = |path: &Utf8Path| quote(path.as_str());
        let line = match (self, platform) {
            (Self::MakeOutDir(dir), _) => {
                format!("mkdir -p {0} && echo '*' > {0}/.gitignore", path(dir))
            }
            (Self::MakeStage, Some(plan)) => {
                let stage = path(&plan.stage.0);
                format!("rm -rf {stage} && mkdir -p {stage}/packed {}", path(&plan.out_dir))
            }
            (Self::Verify, Some(plan)) => {
                format!(
                    "# hsx checks here that {}/bin has all that cabal planned for {}, each static and for {}, and drops the rest",
                    path(&plan.stage.0),
                    plan.targets
                        .iter()
                        .map(|target| format!("`{}`", harmless::line(&target.spelled)))
                        .collect::<Vec<_>>()
                        .join(", "),
                    plan.platform
                )
            }
            (Self::Deliver, Some(plan)) => {
                let stage = path(&plan.stage.0);
                format!(
                    "# a packed file is taken only if it starts and exits like the unpacked one\n\
                     for file in {stage}/bin/*; do\n  packed={stage}/packed/${{file##*/}}\n  \
                     [ -e \"$packed\" ] || mv -f \"$file\" \"$packed\"; mv -f \"$packed\" {}/\ndone",
                    path(&plan.out_dir)
                )
            }
            (Self::Derive { commands, .. }, _) => commands.each_ref().map(ToString::to_string).join("\n"),
            (Self::Pack(packer), Some(plan)) => {
                // The names are not known before cabal has planned: where they stand, the shell puts them.
                let name = "$name";
                let cmd = packer.pack(&plan.stage.built(name), &plan.stage.packed(name)).to_string();
                let [built, packed] =
                    [plan.stage.built(name), plan.stage.packed(name)].map(|path| quote(path.as_str()));
                let in_shell = |dir: &str| format!("{}\"$name\"", path(&plan.stage.0.join(dir).join("")));
                let cmd = cmd.replace(&built, &in_shell("bin")).replace(&packed, &in_shell("packed"));
                let note = "# hsx packs these at once, and takes what the same upx made of the same file before";
                format!("{note}\nfor file in {}/bin/*; do\n  name=${{file##*/}}\n  {cmd}\ndone", path(&plan.stage.0))
            }
            (Self::Try { cmd, is_sent }, plan) => {
                let stage = plan
                    .filter(|_| *is_sent)
                    .map(|plan| format!("tar --create --directory {} {} | ", path(&plan.stage.0), TRIED.join(" ")));
                let stage = stage.unwrap_or_default();
                let note = "# hsx leaves out what has been started in the same image before";
                format!("{note}\n{stage}{cmd}")
            }
            (Self::Send { source, cmd, .. }, _) => {
                format!(
                    "# hsx sends only what has changed since the last time, this sends all of it\n{} | {cmd}",
                    source.cmd()
                )
            }
            (Self::Test(cmd), _) => {
                format!("{cmd} || [ $? -eq 103 ] # 103: a test failed; the logs are of interest then")
            }
            (Self::DeliverLogs, Some(plan)) => {
                let logs = plan.test_logs();
                format!("rm -rf {0} && mv {1} {0}", path(&logs), path(&plan.stage.test_logs()))
            }
            (Self::Clean, Some(plan)) => format!("rm -rf {}", path(&plan.stage.0)),
            _ => self.cmd().map(ToString::to_string).unwrap_or_default(),
        };
        script.push_str(&line);
        script.push('\n');
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
