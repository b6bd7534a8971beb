//! The process's environment: read here, once, and nowhere else.

use std::env::VarError;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use etcetera::BaseStrategy;

use super::ui::Reader;
use crate::base::digest::hash;
use crate::base::error::Error;

/// The process's environment, read once.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub cwd: Utf8PathBuf,
    /// The home directory, with links resolved: the paths of projects are compared as real paths.
    pub home: Option<Utf8PathBuf>,
    /// The directories of PATH. A relative entry is none: it would mean a directory of the project.
    path: Vec<Utf8PathBuf>,
    /// The user's settings file, which need not exist.
    pub config_file: Option<Utf8PathBuf>,
    pub state_dir: Utf8PathBuf,
    /// The locale's encoding is UTF-8 (locale(7)).
    pub unicode: bool,
    /// `None` without a home directory: only the user may be able to write there.
    pub cache_dir: Option<Utf8PathBuf>,
    /// Seconds since 1970: `SOURCE_DATE_EPOCH` if it is set, the clock otherwise.
    pub now: i64,
    /// The address in `DOCKER_HOST`, where docker's client looks for its engine.
    pub docker_host: Option<String>,
    /// The file in which GitHub collects the summary of a job.
    pub step_summary: Option<Utf8PathBuf>,
    /// The names of the variables that are passed to builds, of those that are set.
    pub pass: Vec<String>,
    /// A digest of the values of these variables.
    pub passed: String,
    /// A digest of the variables that affect engines.
    pub of_engines: String,
}

/// Variables that are passed to builds: proxies for the fetch phase, and the timestamp for reproducible builds.
const PASSED: [&str; 7] =
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SOURCE_DATE_EPOCH"];

impl Environment {
    /// # Errors
    /// When the working directory is gone or its path is not Unicode.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = std::env::var("PATH").unwrap_or_default();
        let cwd = Utf8PathBuf::from_path_buf(std::env::current_dir().context("the working directory cannot be read")?)
            .map_err(|path| anyhow::anyhow!("the working directory `{}` is not Unicode", path.display()))?;
        let base = etcetera::choose_base_strategy().ok();
        let utf8 = |path: std::path::PathBuf| Utf8PathBuf::from_path_buf(path).ok();
        let state = base.as_ref().and_then(|base| utf8(base.state_dir().unwrap_or_else(|| base.data_dir())));
        let home = base.as_ref().and_then(|base| utf8(base.home_dir().to_owned()));
        Ok(Self {
            home: home.map(|home| home.canonicalize_utf8().unwrap_or(home)),
            path: std::env::split_paths(&path).filter_map(utf8).filter(|dir| dir.is_absolute()).collect(),
            cache_dir: base.as_ref().and_then(|base| utf8(base.cache_dir().join("hsx"))),
            config_file: base.as_ref().and_then(|base| utf8(base.config_dir().join("hsx/config.toml"))),
            state_dir: state.map_or_else(|| without_home("/tmp".into()), |state| Ok(state.join("hsx")))?,
            now: now(std::env::var("SOURCE_DATE_EPOCH").ok()),
            step_summary: std::env::var("GITHUB_STEP_SUMMARY").ok().filter(|path| !path.is_empty()).map(Into::into),
            docker_host: std::env::var("DOCKER_HOST").ok().filter(|address| !address.is_empty()),
            passed: variables(|name| PASSED.contains(&name)),
            of_engines: variables(is_for_engines),
            pass: PASSED.into_iter().filter(|name| is_set(name)).map(str::to_owned).collect(),
            unicode: is_unicode(["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).unwrap_or_default())),
            cwd,
        })
    }

    /// Whether a directory is on PATH.
    pub(crate) fn is_on_path(&self, dir: &Utf8Path) -> bool {
        let is_same = |entry: &Utf8PathBuf| entry.canonicalize_utf8().is_ok_and(|entry| entry == dir);
        self.path.iter().any(is_same)
    }

    /// The first executable file of this name on PATH.
    pub(crate) fn find(&self, program: &str) -> Option<Utf8PathBuf> {
        self.path.iter().map(|dir| dir.join(program)).find(|path| is_executable(path))
    }
}

/// The state directory for a user without a home: a directory in the shared temporary directory, which lasts until the
/// next reboot. The state decides which programs run, so the directory must belong to the user, and nobody else may
/// write to it.
fn without_home(tmp: &Utf8Path) -> Result<Utf8PathBuf, Error> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let user = rustix::process::geteuid().as_raw();
    let dir = tmp.join(format!("hsx-{user}"));
    // It is created with its final mode. An error is ignored: the directory may be there already, and is checked next.
    let _ = DirBuilder::new().mode(0o700).create(&dir);
    let meta = fs_err::symlink_metadata(&dir);
    let is_ours = |meta: &std::fs::Metadata| meta.is_dir() && meta.uid() == user && meta.mode() & 0o022 == 0;
    if meta.is_ok_and(|meta| is_ours(&meta)) {
        return Ok(dir);
    }
    Err(Error::host(format!("there is no home to remember anything in, and `{dir}` is not yours alone"))
        .hint("name a directory of yours for it: set XDG_STATE_HOME"))
}

/// The first locale variable that is not empty decides.
fn is_unicode(variables: [String; 3]) -> bool {
    let locale = variables.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// PATH for the programs that hsx starts. `None`: hsx's own PATH can stay. Empty and relative entries are removed,
/// because they mean the working directory or one below it, which for these programs is the project's.
#[expect(clippy::disallowed_methods, reason = "it is what commands are started with")]
pub(crate) fn path_for_programs() -> Option<String> {
    let path = std::env::var("PATH").ok()?;
    let is_absolute = |entry: &&str| entry.starts_with('/');
    path.split(':')
        .any(|entry| !is_absolute(&entry))
        .then(|| path.split(':').filter(is_absolute).collect::<Vec<_>>().join(":"))
}

/// A variable's value.
#[expect(clippy::disallowed_methods, reason = "it has to be known where the command line cannot be read")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether a variable is set, even to an empty value.
#[expect(clippy::disallowed_methods, reason = "what cabal sets has to be known before the command line is read")]
pub(crate) fn is_set(name: &str) -> bool {
    !matches!(std::env::var(name), Err(VarError::NotPresent))
}

/// The path of the running hsx, with links resolved.
///
/// # Errors
/// When its path is not Unicode, or the system does not tell.
pub(crate) fn this_program() -> Result<Utf8PathBuf, Error> {
    let program = std::env::current_exe().and_then(fs_err::canonicalize);
    let program = program.map_err(|error| Error::host("hsx cannot find itself").said(&error.to_string()))?;
    Utf8PathBuf::from_path_buf(program)
        .map_err(|path| Error::host(format!("the path of hsx, `{}`, is not Unicode", path.display())))
}

/// The time in seconds since 1970: `epoch` if it is a valid time, the clock otherwise.
pub(crate) fn now(epoch: Option<String>) -> i64 {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|time| time.as_secs().try_into().ok());
    // The last second of the year 9999: later years do not fit four digits.
    let is_date = |seconds: &i64| (0..=253_402_300_799).contains(seconds);
    epoch.and_then(|seconds| seconds.parse().ok()).filter(is_date).or_else(clock).unwrap_or(0)
}

/// A digest of the names and values of some variables.
fn variables(is_wanted: impl Fn(&str) -> bool) -> String {
    let wanted = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(&is_wanted));
    let mut words: Vec<_> = wanted
        .map(|(name, value)| [name, value].map(|text| text.as_encoded_bytes().escape_ascii().to_string()).join("="))
        .collect();
    words.sort_unstable();
    hash(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether a variable can affect which engine answers, or how.
fn is_for_engines(name: &str) -> bool {
    ["DOCKER_", "CONTAINER", "PODMAN_", "BUILDAH_", "STORAGE_"].iter().any(|prefix| name.starts_with(prefix))
        || ["HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].contains(&name)
}

/// Who reads standard error.
#[expect(clippy::disallowed_methods, reason = "it has to be known before anything is said")]
pub(crate) fn reader() -> Reader {
    let has = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "false");
    match () {
        () if has("GITHUB_ACTIONS") => Reader::GitHub,
        () if has("CI") || std::env::var("TERM").is_ok_and(|term| term == "dumb") => Reader::Log,
        () => Reader::Anybody,
    }
}

/// Whether a variable is set to an empty value.
#[expect(clippy::disallowed_methods, reason = "clap has read it; this is what it means")]
pub(crate) fn is_empty_variable(name: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

fn is_executable(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs_err::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_time_that_is_no_date_is_not_taken() {
        assert_eq!(now(Some("1".to_owned())), 1);
        for epoch in ["-9223372036854775808", "-1", "253402300800", "x", ""] {
            assert!(now(Some(epoch.to_owned())) > 1_700_000_000, "{epoch}");
        }
    }

    #[test]
    fn without_a_home_state_is_where_nobody_else_writes() {
        let guard = tempfile::tempdir().unwrap();
        let tmp = Utf8Path::from_path(guard.path()).unwrap();
        let dir = without_home(tmp).unwrap();
        assert_eq!(fs_err::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(without_home(tmp).unwrap(), dir, "the next run finds it again");
        for mode in [0o770, 0o702] {
            fs_err::set_permissions(&dir, PermissionsExt::from_mode(mode)).unwrap();
            assert!(without_home(tmp).unwrap_err().hints[0].contains("XDG_STATE_HOME"));
        }
        fs_err::rename(&dir, tmp.join("other")).unwrap();
        fs_err::set_permissions(tmp.join("other"), PermissionsExt::from_mode(0o700)).unwrap();
        symlink(tmp.join("other"), &dir).unwrap();
        without_home(tmp).unwrap_err();
        fs_err::remove_file(&dir).unwrap();
        fs_err::write(&dir, "").unwrap();
        without_home(tmp).unwrap_err();
    }
}
