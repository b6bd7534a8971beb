//! Creates the directory of a new project, completely or not at all, with a git repository when git is installed.

use std::ffi::OsStr;
use std::fs::File as Opened;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use crate::base::cmd::Cmd;
use crate::base::error::Error;
use crate::facts::Identity;
use crate::project::template::File;
use crate::world::doors::World;

/// The user's name and address, as git knows them.
///
/// # Errors
/// When a signal comes.
pub(crate) fn identity(world: &World<'_>) -> Result<Identity, Error> {
    if world.environment.find("git").is_none() {
        return Ok(Identity::default());
    }
    let keys = r"^(user\.name|user\.email|github\.user)$";
    let answer = world.exec.capture(&Cmd::new("git").args(["config", "--null", "--get-regexp", keys]))?;
    // When several files set a key, the last one counts.
    let value = |key: &str| {
        let mut settings = answer.stdout.split('\0').filter_map(|setting| setting.split_once('\n'));
        settings.rfind(|(name, _)| *name == key).map(|(_, value)| value.trim().to_owned())
    };
    let value = |key| value(key).filter(|value| !value.is_empty());
    Ok(Identity { name: value("user.name"), email: value("user.email"), github: value("github.user") })
}

/// The files of a template's directory, except its own git repository. Links are replaced by what they lead to.
///
/// # Errors
/// When it is not a directory, or something in it cannot be read. The error is the system's text.
pub(crate) fn read_template(dir: &Utf8Path) -> Result<Vec<File>, String> {
    if !dir.is_dir() {
        return Err(format!("`{dir}` is not a directory"));
    }
    let mut files = Vec::new();
    let tree = WalkDir::new(dir).follow_links(true).sort_by_file_name().into_iter();
    for entry in tree.filter_entry(|entry| entry.depth() != 1 || entry.file_name() != ".git") {
        let entry = entry.map_err(|error| error.to_string())?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = Utf8Path::from_path(entry.path())
            .ok_or_else(|| format!("the path `{}` is not Unicode", entry.path().display()))?;
        let meta = fs_err::metadata(path).map_err(|error| error.to_string())?;
        if !meta.is_file() {
            return Err(format!("`{path}` is neither a file nor a directory"));
        }
        files.push(File {
            path: path.strip_prefix(dir).unwrap_or(path).to_owned(),
            content: fs_err::read(path).map_err(|error| error.to_string())?,
            executable: meta.permissions().mode() & 0o111 != 0,
        });
    }
    Ok(files)
}

/// What happened to the git repository.
#[derive(Debug)]
pub(crate) enum Git {
    /// There is a repository with one commit that holds everything.
    Committed,
    /// There is no repository, or one without a commit.
    Failed(Error),
    /// The project lies in another repository, so none was made.
    Within,
    /// No repository was asked for.
    None,
}

/// Writes the files of a project beside its future place, and moves them there when all is done: an interruption leaves
/// nothing behind. With a `name`, the project gets a git repository.
///
/// # Errors
/// When the place is taken or cannot be written to, or a signal comes.
pub(crate) fn create(dir: &Utf8Path, files: &[File], name: Option<&str>, world: &World<'_>) -> Result<Git, Error> {
    let exists = is_free(dir)?;
    let unwritable = |error: std::io::Error| {
        Error::usage(format!("`{dir}` cannot be written")).said(&error.to_string()).hint("`--dir` names another place")
    };
    // The stage must be in the same file system to be renamed. An existing directory may be the root of a file system,
    // so its stage lies inside it.
    let nearest = dir.ancestors().find_map(|dir| dir.canonicalize_utf8().ok()).unwrap_or_else(|| "/".into());
    sweep(&nearest);
    let (stage, _lock) = make_stage(&nearest).map_err(unwritable)?;
    let stage_dir = Utf8PathBuf::from_path_buf(stage.path().to_owned())
        .map_err(|path| Error::host(format!("`{}` is not Unicode", path.display())))?;
    for file in files {
        world.exec.check()?;
        write(&stage_dir, file).map_err(unwritable)?;
    }
    let git = match name {
        Some(name) => repository(&stage_dir, &nearest, name, world)?,
        None => Git::None,
    };
    world.exec.check()?;
    if exists {
        fill(dir, &stage_dir).map_err(unwritable)?;
    } else {
        dir.parent().map_or(Ok(()), fs_err::create_dir_all).map_err(unwritable)?;
        fs_err::rename(&stage_dir, dir).map_err(unwritable)?;
        // The directory has moved, so there is nothing to remove.
        let _ = stage.keep();
    }
    Ok(git)
}

/// The prefix of the names of stages.
const STAGE: &str = ".hsx-new-";

/// Creates a directory for a project's files until they are complete, and a lock that shows that hsx is working on it.
fn make_stage(dir: &Utf8Path) -> std::io::Result<(tempfile::TempDir, Opened)> {
    loop {
        let stage =
            tempfile::Builder::new().prefix(STAGE).permissions(PermissionsExt::from_mode(0o777)).tempdir_in(dir)?;
        // Another hsx may have swept the directory before it was locked.
        if let Some(lock) = Utf8Path::from_path(stage.path()).and_then(locked)
            && stage.path().exists()
        {
            return Ok((stage, lock));
        }
    }
}

/// Removes stages that a killed hsx left behind: nobody holds their locks.
fn sweep(dir: &Utf8Path) {
    let entries = dir.read_dir_utf8().into_iter().flatten().flatten();
    for stage in entries.filter(|entry| entry.file_name().starts_with(STAGE)) {
        if locked(stage.path()).is_some() {
            let _ = fs_err::remove_dir_all(stage.path());
        }
    }
}

/// Locks a directory. `None`: somebody else holds the lock.
fn locked(dir: &Utf8Path) -> Option<Opened> {
    let file = fs_err::File::open(dir).ok()?.into_parts().0;
    file.try_lock().is_ok().then_some(file)
}

/// Whether a directory exists and is empty. `false`: it does not exist, and can be created.
///
/// # Errors
/// When something else is there.
pub(crate) fn is_free(dir: &Utf8Path) -> Result<bool, Error> {
    let taken = |why: &str| Error::usage(format!("`{dir}` {why}")).hint("`--dir` names another place");
    match fs_err::read_dir(dir) {
        Ok(mut entries) => {
            let is_stage = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(STAGE));
            let is_empty = entries.all(|entry| entry.is_ok_and(|entry| is_stage(&entry.file_name())));
            if is_empty { Ok(true) } else { Err(taken("is there already, and not empty")) }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !dir.is_symlink() => Ok(false),
        Err(_) if dir.is_file() => Err(taken("is a file")),
        Err(error) => Err(taken("cannot be read").said(&error.to_string())),
    }
}

fn write(stage: &Utf8Path, file: &File) -> std::io::Result<()> {
    let path = stage.join(&file.path);
    path.parent().map_or(Ok(()), fs_err::create_dir_all)?;
    fs_err::write(&path, &file.content)?;
    if file.executable {
        // Everybody who may read the file may execute it.
        let mode = fs_err::metadata(&path)?.permissions().mode();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(mode | (mode & 0o444) >> 2))?;
    }
    Ok(())
}

/// Moves everything from the stage into the directory around it, which may be somebody's working directory.
fn fill(dir: &Utf8Path, stage: &Utf8Path) -> std::io::Result<()> {
    let mut moved: Vec<Utf8PathBuf> = Vec::new();
    for entry in stage.read_dir_utf8()? {
        let entry = entry?;
        let target = dir.join(entry.file_name());
        if let Err(error) = fs_err::rename(entry.path(), &target) {
            for path in moved {
                let _ = fs_err::rename(&path, stage.join(path.file_name().unwrap_or_default()));
            }
            return Err(error);
        }
        moved.push(target);
    }
    Ok(())
}

/// Creates a repository with one commit, unless the project is part of another repository. Only a signal is an error.
fn repository(stage: &Utf8Path, place: &Utf8Path, name: &str, world: &World<'_>) -> Result<Git, Error> {
    if place.ancestors().any(|dir| dir.join(".git").exists()) {
        return Ok(Git::Within);
    }
    if world.environment.find("git").is_none() {
        let error = Error::host("there is no git repository: git is not on PATH");
        return Ok(Git::Failed(error.hint("`--no-git` asks for none")));
    }
    let git = || Cmd::new("git").args(["-C", stage.as_str()]);
    for (cmd, what) in [
        (git().args(["init", "--quiet", "--initial-branch=main"]), "the git repository could not be made"),
        (git().args(["add", "--all"]), "nothing is in the git repository"),
        (git().args(["commit", "--quiet", "--message"]).arg(format!("Start {name}")), "there is no first commit"),
    ] {
        let answer = world.exec.capture(&cmd)?;
        if !answer.success() {
            return Ok(Git::Failed(Error::host(what).said(git_reason(&answer.stderr)).hints(advice(&answer.stderr))));
        }
    }
    Ok(Git::Committed)
}

/// The line of git's long error text that says what is wrong.
fn git_reason(said: &str) -> &str {
    said.lines().rfind(|line| line.starts_with("fatal: ") || line.starts_with("error: ")).unwrap_or(said)
}

fn advice(said: &str) -> Option<String> {
    let unknown = ["tell me who you are", "Author identity unknown", "Committer identity unknown"];
    unknown.iter().any(|words| said.contains(words)).then(|| {
        "`git config --global user.name NAME` and `git config --global user.email ADDRESS`, then `git commit`"
            .to_owned()
    })
}
