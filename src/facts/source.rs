//! The source on an engine elsewhere. It is in volumes, mounted where a local engine would mount the project's
//! directories.

use camino::{Utf8Path, Utf8PathBuf};

use crate::base::cmd::Cmd;
use crate::base::digest::short_hash;
use crate::project::freeze;
use crate::project::{Project, SOURCE, SourceMount};
use crate::tools::engine::Mount;

/// The parts of a project that a container sees, and the volumes that hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub root: Utf8PathBuf,
    /// Directories to send, and files that replace other files in them.
    pub mounts: Vec<SourceMount>,
    /// Files that decide cabal's plan. They are sent even if git ignores them, and so are the `.cabal` files that hpack
    /// writes for `packages`.
    pub inputs: Vec<Utf8PathBuf>,
    pub packages: Vec<Utf8PathBuf>,
    /// The directories outside the project that `--source-dir` names.
    pub dirs: Vec<Utf8PathBuf>,
    /// What the user has agreed to show of this machine outside the project.
    pub agreed: Vec<Utf8PathBuf>,
    /// At least one. What hsx remembers about all of them is stored under the name of the first.
    pub volumes: Vec<SourceVolume>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceVolume {
    pub name: String,
    pub target: String,
}

impl Source {
    /// `state_id` tells users and engines apart.
    pub(crate) fn new(project: &Project, state_id: &str) -> Self {
        let mut targets: Vec<_> = project.mounts.iter().map(|mount| mount.target.as_str()).collect();
        targets.sort_unstable();
        // A source in which a file is replaced is another source: its targets differ.
        let all = [project.root.as_str(), state_id].into_iter().chain(targets.iter().copied());
        let all = short_hash(&all.collect::<Vec<_>>());
        let outside = targets.iter().copied().filter(|target| !is_within(target, SOURCE));
        let volumes = [SOURCE].into_iter().chain(outside).map(|target| SourceVolume {
            name: format!("hsx-source-{}", short_hash(&[&all, target])),
            target: target.to_owned(),
        });
        Self {
            root: project.root.clone(),
            mounts: project.mounts.clone(),
            inputs: project.plan_inputs.iter().map(|(path, _)| path.clone()).collect(),
            packages: project.hpack.iter().map(|package| package.dir.clone()).collect(),
            dirs: project.source_dirs.clone(),
            agreed: project.agreed.clone(),
            volumes: volumes.collect(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.volumes[0].name
    }

    pub(crate) fn volume_mounts(&self, read_only: bool) -> Vec<Mount> {
        let mount = |volume: &SourceVolume| Mount::Volume {
            name: volume.name.clone(),
            target: volume.target.clone(),
            read_only,
        };
        self.volumes.iter().map(mount).collect()
    }

    /// The command that writes what `receive.sh` reads.
    pub(crate) fn cmd(&self) -> Cmd {
        let covers =
            |target: &str| self.mounts.iter().any(|mount| mount.target != target && is_within(target, &mount.target));
        // `hsx source` changes other files by itself.
        let is_freeze = |mount: &&SourceMount| mount.target.ends_with(freeze::FILE);
        let hidden = self.mounts.iter().filter(|mount| covers(&mount.target)).filter(is_freeze);
        let hidden = hidden.flat_map(|mount| ["--hide", Utf8Path::new(&mount.target).file_name().unwrap_or_default()]);
        let dirs = self.dirs.iter().flat_map(|dir| ["--source-dir", dir.as_str()]);
        let agreed = self.agreed.iter().flat_map(|path| ["--allow-mount", path.as_str()]);
        Cmd::new("hsx").args(["source", "--directory", self.root.as_str()]).args(dirs).args(agreed).args(hidden)
    }
}

fn is_within(path: &str, dir: &str) -> bool {
    Utf8Path::new(path).starts_with(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(mounts: &[(&str, &str)]) -> Project {
        let mount = |&(source, target): &(&str, &str)| SourceMount {
            source: source.into(),
            target: target.into(),
            reason: String::new(),
        };
        Project {
            root: "/p".into(),
            mounts: mounts.iter().map(mount).collect(),
            workdir: SOURCE.to_owned(),
            ..Project::default()
        }
    }

    #[test]
    fn all_below_one_place_is_in_one_volume() {
        let one = Source::new(&project(&[("/p", "/src")]), "me");
        let [volume] = &one.volumes[..] else { panic!("one volume: {one:?}") };
        assert_eq!(volume.target, "/src");
        let two = Source::new(&project(&[("/a", "/src/a"), ("/b", "/src/b"), ("/r/.git", "/r/.git")]), "me");
        let targets: Vec<_> = two.volumes.iter().map(|volume| volume.target.as_str()).collect();
        assert_eq!(targets, ["/src", "/r/.git"]);
        assert_ne!(two.volumes[0].name, two.volumes[1].name);
    }

    #[test]
    fn a_hidden_file_makes_another_source() {
        let plain = Source::new(&project(&[("/p", "/src")]), "me");
        let hiding = Source::new(&project(&[("/p", "/src"), ("/empty", "/src/cabal.project.freeze")]), "me");
        assert_ne!(plain.name(), hiding.name());
        assert_ne!(plain.name(), Source::new(&project(&[("/p", "/src")]), "you").name());
        assert_eq!(plain.cmd().to_string(), "hsx source --directory /p");
        assert_eq!(hiding.cmd().to_string(), "hsx source --directory /p --hide cabal.project.freeze");
    }
}
