//! Settings, resolved once: flag > `HSX_*` > `hsx.toml` > the user's file > the project > default. This folder decides
//! what a setting is called in a file, which value wins, which settings exclude each other, and what `hsx.lock` holds.
//! It does not decide what a setting does.

pub(crate) mod lockfile;

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::args::{BuilderArgs, EngineArgs, ResultArgs, StoreScope, StrategyChoice};
use crate::base::cmd::Cmd;
use crate::base::error::Error;
use crate::base::harmless;
use crate::base::place::Place;
use crate::base::platform::Platform;
use crate::base::version::Version;
use crate::project::Project;
use crate::project::ghc::{self, Ghc};
use crate::project::image::{self, Bignum};
use crate::settings::lockfile::Lockfile;

/// Declares the keys of a settings file, each once.
macro_rules! settings_file {
    (
        whole { $($whole:ident: $whole_type:ty,)* }
        by_platform { $($key:ident: $type:ty,)* }
        users_own { $($own:ident: $own_type:ty,)* }
    ) => {
        /// `hsx.toml` of a project, or the user's `config.toml`. A key that is not here is an error that names it.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub(crate) struct SettingsFile {
            $($whole: Option<$whole_type>,)*
            $($key: Option<$type>,)*
            #[serde(default)]
            platform: BTreeMap<String, PlatformTable>,
            $($own: Option<$own_type>,)*
        }

        /// What may differ between platforms: `[platform."linux/arm64"]`.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        struct PlatformTable {
            $($key: Option<$type>,)*
        }

        impl SettingsFile {
            /// The values for all platforms, of the settings that may differ between platforms.
            fn common(&self) -> PlatformTable {
                PlatformTable { $($key: self.$key.clone(),)* }
            }

            /// The keys that only the user's own file may have, and whether they are set.
            fn users_own(&self) -> Vec<(String, bool)> {
                let key = |field: &str| field.replace('_', "-");
                vec![$((key(stringify!($own)), self.$own.is_some()),)*]
            }
        }
    };
}

settings_file! {
    whole {
        platforms: Vec<String>,
        targets: Vec<String>,
        out_dir: Utf8PathBuf,
        jobs: u32,
        cabal_args: Vec<String>,
        strip: bool,
        upx: bool,
        writable_source: bool,
        data_files: bool,
        store: StoreScope,
    }
    by_platform {
        ghc: String,
        bignum: Bignum,
        strategy: StrategyChoice,
        image: ImageTable,
        connection: String,
    }
    // These reach the host, so no project may set them.
    users_own {
        engine: String,
        engine_args: Vec<String>,
        upx_args: Vec<String>,
        connections: Vec<String>,
        allow_mounts: Vec<Utf8PathBuf>,
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ImageTable {
    #[serde(rename = "ref")]
    reference: Option<String>,
    packages: Option<Vec<String>>,
    native_packages: Option<Vec<String>>,
}

/// Reads a settings file; `path` is for messages.
///
/// # Errors
/// When it is not TOML, has an unknown key or a wrong type. The error quotes the line.
pub(crate) fn parse(text: &str, path: &Utf8Path) -> Result<SettingsFile, Error> {
    let wrong = |message: String| Error::usage(format!("`{path}` is not valid")).said(message.trim_end());
    let file: SettingsFile = toml::from_str(text).map_err(|error| {
        wrong(error.to_string()).hints(error.span().and_then(|span| unquoted_version(text, span.start)))
    })?;
    for platform in file.platforms.iter().flatten().chain(file.platform.keys()) {
        platform.parse::<Platform>().map_err(|error| wrong(error.to_string()))?;
    }
    Ok(file)
}

/// The hint for a version without quotes, if the line of the error has one. `fault` is the error's position, in bytes.
fn unquoted_version(text: &str, fault: usize) -> Option<String> {
    let start = text.get(..fault)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next()?;
    let (_, value) = line[line.find("ghc")?..].split_once('=')?;
    let version: String = value.trim_start().chars().take_while(|&c| c.is_ascii_digit() || c == '.').collect();
    (!version.is_empty()).then(|| format!("a version is written as text: ghc = \"{version}\""))
}

/// Reads a project's `hsx.toml`. It may come from a stranger, so what could reach the host is refused.
///
/// # Errors
/// As for [`parse`]. Also when it sets an engine, arguments for host programs, or an output directory outside the
/// project, or when a key or value has a character that is not shown.
pub(crate) fn parse_project(text: &str, path: &Utf8Path) -> Result<SettingsFile, Error> {
    let file = parse(text, path).map_err(|mut error| {
        // The message lists all keys. A project may not set the user's own, so they are left out.
        for line in &mut error.said {
            let own = SettingsFile::default().users_own();
            *line = own.iter().fold(line.clone(), |line, (key, _)| line.replace(&format!(", `{key}`"), ""));
        }
        error
    })?;
    if let Some(key) = toml::from_str(text).ok().and_then(|table| key_of_control(&table)) {
        return Err(Error::usage(format!(
            "`{key}` in `hsx.toml` has a line break, or another character that is not shown"
        ))
        .hint("what would run is printed to be read: each setting is one line of plain text"));
    }
    if let Some((key, _)) = file.users_own().into_iter().find(|(_, is_set)| *is_set) {
        return Err(Error::usage(format!("`{key}` may not be set in a project's `hsx.toml`: it reaches the host"))
            .hint("set it in your own `config.toml`, see `hsx static --help`"));
    }
    if file.store == Some(StoreScope::Shared) {
        return Err(Error::usage(
            "`store = \"shared\"` may not be set in a project's `hsx.toml`: who shares is the user's choice",
        )
        .hint("set it in your own `config.toml`, or use `--store shared`"));
    }
    if let Some(dir) = file.out_dir.as_ref().filter(|dir| !is_inside(dir)) {
        return Err(Error::usage(format!("`out-dir = \"{dir}\"` in `hsx.toml` leads out of the project"))
            .hint("use `--out-dir` for a directory elsewhere"));
    }
    Ok(file)
}

/// Whether a path leads downwards from where it begins.
fn is_inside(dir: &Utf8Path) -> bool {
    dir.components().all(|part| matches!(part, Utf8Component::Normal(_) | Utf8Component::CurDir))
}

/// The output directory. The user chooses a whole path, with links as they are: typed, or in the own file. What lies below
/// the project by a name is the project's, whoever gave the name.
fn out_dir(typed: Option<&Utf8Path>, files: [&SettingsFile; 2], project: &Project, cwd: &Utf8Path) -> Place {
    let default = Utf8Path::new("dist-static");
    match (typed, files.iter().find_map(|file| file.out_dir.as_deref())) {
        (Some(typed), _) => Place::of_user(cwd.join(typed)),
        (None, Some(dir)) if !is_inside(dir) => Place::of_user(project.root.join(dir)),
        (None, dir) => Place::of_user(&project.root).join(dir.unwrap_or(default)),
    }
}

/// The first key with a line break or a character that is not shown, in its name or its value.
fn key_of_control(table: &toml::Table) -> Option<String> {
    fn has_control(value: &toml::Value) -> bool {
        match value {
            toml::Value::String(text) => harmless::line(text) != *text,
            toml::Value::Array(values) => values.iter().any(has_control),
            toml::Value::Table(table) => key_of_control(table).is_some(),
            _ => false,
        }
    }
    let found = table.iter().find(|(key, value)| harmless::line(key) != **key || has_control(value));
    found.map(|(key, _)| harmless::line(key))
}

/// All settings of a command, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a switch is one")]
pub(crate) struct Settings {
    pub targets: Vec<String>,
    pub platforms: Vec<PlatformSettings>,
    /// Its path is absolute: engines mount no other.
    pub out_dir: Place,
    pub jobs: Option<u32>,
    /// Builds for one platform after the other.
    pub serial: bool,
    pub cabal_args: Vec<String>,
    pub strip: bool,
    pub upx: Packing,
    pub upx_args: Vec<String>,
    pub engine_args: Vec<String>,
    pub offline: bool,
    pub pull: bool,
    /// The project's own packages are built from scratch.
    pub clean: bool,
    /// The build may write to its source, which is then a copy.
    pub writable_source: bool,
    /// Who shares the package store.
    pub store: StoreScope,
    /// Data files are delivered too.
    pub data_files: bool,
    /// The lock file that `--locked` builds with.
    pub lockfile: Option<Lockfile>,
}

impl Settings {
    /// Makes the project build with the images and the index-state of the lock file.
    ///
    /// # Errors
    /// When the lock file no longer fits hsx, the project or its images.
    pub(crate) fn apply(&mut self, lockfile: Lockfile, project: &mut Project) -> Result<(), Error> {
        if let Some(state) = lockfile.index_state_for(project)? {
            self.cabal_args.push(format!("--index-state={state}"));
            project.index_state = Some(state.to_owned());
        }
        for build in &self.platforms {
            lockfile.digest(&build.image, build.platform)?;
        }
        self.lockfile = Some(lockfile);
        Ok(())
    }
}

/// What to build for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PlatformSettings {
    pub platform: Platform,
    /// The version of GHC; `None` if an image is named whose tag does not tell.
    pub ghc: Option<String>,
    /// What decided the version; `None` if it is that of the image.
    #[serde(skip)]
    pub ghc_reason: Option<String>,
    /// The image as a person would name it, with a tag or digest.
    pub image: String,
    /// Packages of the image's distribution to be added to it, sorted.
    pub packages: Vec<String>,
    /// Packages of the distribution to be added to the host's image of a cross build, sorted.
    pub native_packages: Vec<String>,
    pub strategy: StrategyChoice,
    /// The podman connection or docker context whose engine builds for it; `None` for the engine here.
    pub connection: Option<String>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Packing {
    WhereInstalled,
    Required,
    Never,
}

/// What was typed, or set by a variable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments<'a> {
    pub targets: &'a [String],
    pub builder: &'a BuilderArgs,
    pub result: &'a ResultArgs,
    pub platforms: Platforms,
}

/// For how many platforms a command works at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platforms {
    Several,
    /// The host's platform, unless another is typed. The platforms in the settings files are ignored.
    One,
}

/// The engine program asked for, before anything else is known.
pub(crate) fn engine(args: &EngineArgs, user: &SettingsFile) -> Option<String> {
    args.program.clone().or_else(|| user.engine.clone())
}

/// The connection to the engine for a platform. For `None`, the connection for all platforms that have none of their
/// own. An empty name that is typed stands for the engine here. `files` are the project's file, if there is a project,
/// and the user's.
///
/// # Errors
/// When the project's file names a connection that the user has not allowed: what is sent there leaves this machine.
pub(crate) fn connection(
    args: &EngineArgs,
    files: (Option<&SettingsFile>, &SettingsFile),
    platform: Option<Platform>,
) -> Result<Option<String>, Error> {
    let typed = |of: Option<Platform>| args.connections.iter().rfind(move |typed| typed.platform == of);
    if let Some(typed) = platform.and_then(|_| typed(platform)).or_else(|| typed(None)) {
        return Ok(Some(typed.name.clone()).filter(|name| !name.is_empty()));
    }
    let (project, user) = files;
    let listed = |file: &SettingsFile| match platform {
        Some(platform) => file.tables(platform).into_iter().find_map(|table| table.connection),
        None => file.connection.clone(),
    };
    let Some(name) = project.and_then(listed) else {
        return Ok(listed(user).filter(|name| !name.is_empty()));
    };
    let is_allowed = name.is_empty()
        || args.connections.iter().any(|typed| typed.name == name)
        || user.connections().any(|allowed| *allowed == name);
    if is_allowed {
        return Ok(Some(name).filter(|name| !name.is_empty()));
    }
    let flag = platform.map_or_else(|| name.clone(), |platform| format!("{platform}={name}"));
    Err(Error::usage(format!("`hsx.toml` names the connection `{name}`, which you have not allowed"))
        .hint(format!("take it: `{}`", Cmd::new("--connection").arg(flag)))
        .hint(format!("let projects take it: `connections = [{}]` in your `config.toml`", toml::Value::String(name))))
}

/// Resolves all settings.
///
/// `files` are the project's file, from which `parse_project` refuses what reaches the host, and the user's file. A
/// typed output directory is relative to `cwd`. `host` returns the platform of the engine that a connection leads to.
///
/// # Errors
/// When an image variant is known not to exist, flags contradict each other, or a command for one platform gets
/// several. Also the errors of `host`.
pub(crate) fn resolve(
    typed: Arguments<'_>,
    files: [&SettingsFile; 2],
    project: &Project,
    host: impl FnOnce(Option<&str>) -> Result<Platform, Error>,
    cwd: &Utf8Path,
) -> Result<Settings, Error> {
    let Arguments { targets, builder: args, result, platforms: number } = typed;
    let [project_file, user_file] = files;
    if args.pull && args.offline {
        return Err(Error::usage("`--pull` asks the registry, which `--offline` or `HSX_OFFLINE` rules out"));
    }
    if args.pull && args.locked {
        return Err(Error::usage("`--pull` asks for a newer image, which `--locked` or `HSX_LOCKED` rules out")
            .hint("`hsx lock` writes down what the registry has now"));
    }
    let mut platforms = args.platforms.clone();
    if platforms.is_empty() && number == Platforms::Several {
        let listed = files.iter().find_map(|file| file.platforms.as_ref());
        platforms = listed.into_iter().flatten().filter_map(|text| text.parse().ok()).collect();
    }
    if platforms.is_empty() {
        platforms.push(host(connection(&args.engine, (Some(project_file), user_file), None)?.as_deref())?);
    }
    let mut seen = Vec::new();
    platforms.retain(|platform| {
        !seen.contains(platform) && {
            seen.push(*platform);
            true
        }
    });
    if number == Platforms::One && platforms.len() > 1 {
        return Err(Error::usage("this command works for one platform at a time").hint("name one with `--platform`"));
    }
    let list = |flag: &[String], get: fn(&SettingsFile) -> Option<&Vec<String>>| {
        if flag.is_empty() { files.into_iter().find_map(get).cloned().unwrap_or_default() } else { flag.to_vec() }
    };
    let packing = match (result.no_upx, result.upx.or_else(|| files.iter().find_map(|file| file.upx))) {
        (true, _) | (_, Some(false)) => Packing::Never,
        (_, Some(true)) => Packing::Required,
        (_, None) => Packing::WhereInstalled,
    };
    let platforms = platforms.into_iter().map(|platform| for_platform(args, files, project, platform));
    Ok(Settings {
        targets: if targets.is_empty() {
            list(targets, |file| file.targets.as_ref())
        } else {
            targets.iter().map(|target| seen_from(cwd, target)).collect()
        },
        platforms: platforms.collect::<Result<_, _>>()?,
        out_dir: out_dir(result.out_dir.as_deref(), files, project, cwd),
        serial: result.serial,
        jobs: args.jobs.or_else(|| files.iter().find_map(|file| file.jobs)),
        cabal_args: cabal_args(&args.cabal_args, files),
        strip: !result.no_strip && result.strip.or_else(|| files.iter().find_map(|file| file.strip)).unwrap_or(true),
        upx: packing,
        upx_args: list(&result.upx_args, |file| file.upx_args.as_ref()),
        engine_args: user_file.engine_args.iter().flatten().chain(&args.engine_args).cloned().collect(),
        offline: args.offline,
        pull: args.pull,
        clean: result.clean,
        writable_source: args
            .writable_source
            .or_else(|| files.iter().find_map(|file| file.writable_source))
            .unwrap_or(false),
        store: args.store.or_else(|| files.iter().find_map(|file| file.store)).unwrap_or_default(),
        data_files: result.data_files.or_else(|| files.iter().find_map(|file| file.data_files)).unwrap_or(false),
        lockfile: None,
    })
}

fn for_platform(
    args: &BuilderArgs,
    files: [&SettingsFile; 2],
    project: &Project,
    platform: Platform,
) -> Result<PlatformSettings, Error> {
    let tables: Vec<PlatformTable> = files.iter().flat_map(|file| file.tables(platform)).collect();
    let set = || tables.iter().find_map(|table| table.ghc.as_deref());
    let named = |text: &str, by: &str| Ok(Ghc { version: ghc::typed(text)?, reason: by.to_owned() });
    let Ghc { version: wanted, reason } = match (args.ghc.as_deref(), set()) {
        (Some(text), _) => named(text, "`--ghc`"),
        (None, Some(text)) => named(text, "`ghc` in a settings file"),
        (None, None) => Ok(ghc::of_project(project)),
    }?;
    let bignum = args.bignum.or_else(|| tables.iter().find_map(|table| table.bignum)).unwrap_or_default();
    let packages = packages(&args.image_packages, &tables, |image| &image.packages)?;
    let native_packages = self::packages(&args.native_packages, &tables, |image| &image.native_packages)?;
    let connection = connection(&args.engine, (Some(files[0]), files[1]), Some(platform))?;
    let image = tables.iter().find_map(|table| table.image.as_ref()?.reference.clone());
    let image = args.image.clone().or(image).unwrap_or_else(|| image::DEFAULT_REPOSITORY.to_owned());
    let (image, ghc) = image::reference(&image, &wanted, bignum)?;
    let version = |text: &str| text.parse::<Version>().ok();
    let is_heeded =
        ghc.as_deref().and_then(version).zip(version(&wanted)).is_some_and(|(ghc, wanted)| ghc.starts_with(&wanted));
    let unheeded = || format!("GHC {wanted} is asked for, but the image `{image}` is taken as it is named");
    let broken = ghc.as_deref().and_then(|ghc| image::broken_compiler(ghc, platform));
    let ghc_reason = is_heeded.then_some(reason);
    // There is a warning only if the version was typed: a named image takes precedence over the project's own GHC.
    let warnings = (args.ghc.is_some() && !is_heeded).then(unheeded).into_iter().chain(broken).collect();
    Ok(PlatformSettings {
        platform,
        image,
        packages,
        native_packages,
        connection,
        warnings,
        strategy: args.strategy.or_else(|| tables.iter().find_map(|table| table.strategy)).unwrap_or_default(),
        ghc,
        ghc_reason,
    })
}

/// The packages to add to the image: those typed, or those of the first table that lists some.
///
/// # Errors
/// When one is not a package's name: the package manager might take it for something else, such as an option.
fn packages(
    typed: &[String],
    tables: &[PlatformTable],
    list: impl Fn(&ImageTable) -> &Option<Vec<String>>,
) -> Result<Vec<String>, Error> {
    let listed = || tables.iter().find_map(|table| list(table.image.as_ref()?).clone());
    let mut packages = if typed.is_empty() { listed().unwrap_or_default() } else { typed.to_vec() };
    packages.sort();
    packages.dedup();
    // As apk and dpkg name packages, with a version perhaps: `xz-static=5.4.5-r0`, `libpq-dev`, `g++`.
    let is_name = |name: &String| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-._=~<>:".contains(c))
    };
    match packages.iter().find(|name| !is_name(name)) {
        Some(name) => Err(Error::usage(format!("`{name}` is not the name of an image's package"))),
        None => Ok(packages),
    }
}

impl SettingsFile {
    /// What builds may be shown outside of their projects.
    pub(crate) fn allow_mounts(&self) -> &[Utf8PathBuf] {
        self.allow_mounts.as_deref().unwrap_or_default()
    }

    /// Its arguments for cabal.
    pub(crate) fn cabal_args(&self) -> &[String] {
        self.cabal_args.as_deref().unwrap_or_default()
    }

    /// The platforms that it lists.
    pub(crate) fn platforms(&self) -> Vec<Platform> {
        self.platforms.iter().flatten().filter_map(|text| text.parse().ok()).collect()
    }

    /// The connections that it names: those that it sets, and those that projects may take.
    fn connections(&self) -> impl Iterator<Item = &String> {
        let set = self.platform.values().filter_map(|table| table.connection.as_ref()).chain(&self.connection);
        set.chain(self.connections.iter().flatten())
    }

    /// The platform's own table, then what the file says for all platforms.
    fn tables(&self, platform: Platform) -> Vec<PlatformTable> {
        let own = self.platform.iter().filter(|(name, _)| name.parse() == Ok(platform)).map(|(_, table)| table.clone());
        own.chain([self.common()]).collect()
    }
}

/// A target that was typed in the directory `cwd`. If it begins with a path, the path is made absolute.
pub(crate) fn seen_from(cwd: &Utf8Path, target: &str) -> String {
    let (path, rest) = target.split_once(':').map_or((target, None), |(path, rest)| (path, Some(rest)));
    if !path.starts_with('.') && !path.contains('/') {
        return target.to_owned();
    }
    let path = cwd.join(path).into_string();
    rest.map_or(path.clone(), |rest| format!("{path}:{rest}"))
}

/// The arguments for cabal: those typed, or those of the first file that has some.
pub(crate) fn cabal_args(typed: &[String], files: [&SettingsFile; 2]) -> Vec<String> {
    let listed = || files.into_iter().find_map(|file| file.cabal_args.clone());
    if typed.is_empty() { listed().unwrap_or_default() } else { typed.to_vec() }
}

/// All keys of a settings file.
#[cfg(test)]
pub(crate) fn keys() -> Vec<String> {
    let error = toml::from_str::<SettingsFile>("none-such = 1").expect_err("there is no such key").to_string();
    let (_, known) = error.split_once("expected one of").expect("serde names the keys that there are");
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_quotes_is_recognised() {
        for (toml, hint) in [
            ("ghc = 9.6.7", Some("a version is written as text: ghc = \"9.6.7\"")),
            ("ghc = 9.10\njobs = 2", Some("a version is written as text: ghc = \"9.10\"")),
            ("jobs = 2\nplatform = { arm64 = { ghc = 9.6 } }", Some("a version is written as text: ghc = \"9.6\"")),
            ("ghc = \"9.6.7\"\njobs = 1.5", None),
            ("ghc = true", None),
        ] {
            let error = parse(toml, "hsx.toml".into()).unwrap_err();
            assert_eq!(error.hints.first().map(String::as_str), hint, "{toml}: {error:?}");
        }
    }

    #[test]
    fn a_project_is_offered_only_the_keys_it_may_have() {
        let said = |error: Error| error.said.concat();
        let of_project = said(parse_project("nope = 1", "hsx.toml".into()).unwrap_err());
        let of_user = said(parse("nope = 1", "config.toml".into()).unwrap_err());
        for key in ["`engine`", "`engine-args`", "`upx-args`"] {
            assert!(!of_project.contains(key) && of_user.contains(key), "{of_project}\n{of_user}");
        }
        assert!(of_project.ends_with("`connection`, `platform`"), "{of_project}");
    }

    #[test]
    fn the_connection_is_the_one_named_most_closely() {
        let project = parse("connection = \"all\"\n[platform.arm64]\nconnection = \"graviton\"", "hsx.toml".into());
        let user = parse("connection = \"mine\"\nconnections = [\"all\", \"graviton\"]", "config.toml".into());
        let files = (Some(&project.unwrap()), &user.unwrap());
        let ask = |typed: &[&str], platform| {
            let connections = typed.iter().map(|text| text.parse().unwrap()).collect();
            connection(&EngineArgs { program: None, connections }, files, platform).unwrap().unwrap_or_default()
        };
        let (arm64, amd64) = (Some(Platform::Arm64), Some(Platform::Amd64));
        for (typed, platform, named) in [
            (&[][..], arm64, "graviton"),
            (&[], amd64, "all"),
            (&[], None, "all"),
            (&["far"], arm64, "far"),
            (&["far"], None, "far"),
            (&["far", "linux/arm64=near"], arm64, "near"),
            (&["aarch64=near", "far"], arm64, "near"),
            (&["arm64=near"], amd64, "all"),
            (&["arm64="], arm64, ""),
            (&["one", "two"], amd64, "two"),
        ] {
            assert_eq!(ask(typed, platform), named, "{typed:?} {platform:?}");
        }
    }

    #[test]
    fn a_project_takes_only_connections_that_the_user_knows() {
        let project = parse("[platform.arm64]\nconnection = \"graviton\"", "hsx.toml".into()).unwrap();
        let ask = |typed: &[&str], user: &str, platform| {
            let connections = typed.iter().map(|text| text.parse().unwrap()).collect();
            let user = parse(user, "config.toml".into()).unwrap();
            connection(&EngineArgs { program: None, connections }, (Some(&project), &user), Some(platform))
        };
        let refused = ask(&[], "connection = \"mine\"", Platform::Arm64).unwrap_err();
        assert_eq!(refused.message, "`hsx.toml` names the connection `graviton`, which you have not allowed");
        assert!(refused.hints[0].contains("`--connection linux/arm64=graviton`"), "{refused:?}");
        assert!(refused.hints[1].contains("`connections = [\"graviton\"]`"), "{refused:?}");
        for (typed, user) in [
            (&["arm64=graviton"][..], ""),
            (&["riscv64=graviton"], ""),
            (&[], "connections = [\"graviton\"]"),
            (&[], "[platform.riscv64]\nconnection = \"graviton\""),
        ] {
            assert_eq!(ask(typed, user, Platform::Arm64).unwrap().as_deref(), Some("graviton"), "{typed:?} {user}");
        }
        assert_eq!(ask(&["arm64="], "", Platform::Arm64).unwrap(), None);
        assert_eq!(ask(&[], "connection = \"mine\"", Platform::Amd64).unwrap().as_deref(), Some("mine"));
    }
}
