//! Whether a platform's results are up to date. A record holds everything that decided the results, and the results.
//!
//! Nothing here starts a program, except for an image that only has a local name. In case of doubt the answer is no: an
//! unneeded build costs seconds, a missing one leaves wrong results.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::engines::EnginesByConnection;
use super::images::local;
use super::machine::{binfmt_entries, state_id};
use super::tree::{Stamp, Tree, now};
use crate::args::StoreScope;
use crate::base::digest::{sha256, short_hash};
use crate::base::platform::Platform;
use crate::facts::strategy::Choice;
use crate::facts::{Addition, Image};
use crate::project::{Project, Selection, SourceMount, image, parse_project_file};
use crate::report::{Delivered, PlatformReport};
use crate::settings::lockfile::Lockfile;
use crate::settings::{Packing, PlatformSettings, Settings};
use crate::tools::engine::Engine;
use crate::tools::engine::args;
use crate::world::doors::World;
use crate::world::doors::environment::this_program;
use crate::world::doors::pieces::sha256_of;
use crate::world::doors::state::DIGESTS;

/// The build that is asked for, for all platforms.
#[derive(Clone, Copy)]
pub(crate) struct BuildRequest<'a> {
    pub project: &'a Project,
    pub settings: &'a Settings,
    pub selection: &'a Selection,
    pub known: &'a EnginesByConnection,
}

/// A platform's last results, and what decided them.
#[derive(Deserialize, Serialize)]
struct Record {
    /// A digest of everything but the project's files that decided the results.
    decided: String,
    /// A digest of the state of the project's files. `settled`: any later change of them will change it.
    tree: String,
    settled: bool,
    choice: Choice,
    ghc: Option<String>,
    image: String,
    warnings: Vec<String>,
    notes: Vec<String>,
    /// When the results were checked, in nanoseconds since 1970.
    taken: i128,
    results: Vec<(Delivered, Stamp)>,
    /// The data files that were delivered beside them.
    data: Vec<(DataFile, Stamp)>,
}

#[derive(Deserialize, Serialize)]
struct DataFile {
    path: Utf8PathBuf,
    sha256: String,
}

/// The project's files before a build.
pub(crate) struct SourceTree(Tree);

impl SourceTree {
    /// Takes the state of every file of the project that a container sees. `None`: not everything can be known.
    pub(crate) fn look(wanted: BuildRequest<'_>, world: &World<'_>) -> Option<Self> {
        let BuildRequest { project, settings, .. } = wanted;
        let is_remote = |text: &String| parse_project_file(text).imports.iter().any(|import| import.contains("://"));
        // hpack has yet to write a file, and a remote import may change without notice.
        if !project.hpack.is_empty() || project.plan_inputs.iter().any(|(_, text)| is_remote(text)) {
            return None;
        }
        let roots: Vec<_> = project.mounts.iter().map(|mount| mount.source.clone()).collect();
        let out_dir = settings.out_dir.path();
        let results: Vec<_> = Platform::all().map(|platform| out_dir.join(platform.slug())).collect();
        let is_own = |path: &Utf8Path| {
            results.iter().any(|dir| dir == path)
                || (path.file_name().is_some_and(|name| name.starts_with(".hsx-")) && path.parent() == Some(&out_dir))
                || path == world.state.dir()
                || Some(path) == world.environment.cache_dir.as_deref()
        };
        Tree::take(&roots, &is_own).ok().map(Self)
    }
}

/// Everything but the project's files that decides a platform's results. Two of them are compared by the digest of
/// their JSON.
#[derive(Serialize)]
struct Inputs<'a> {
    version: &'static str,
    /// hsx's own executable.
    program: Option<Stamp>,
    root: &'a Utf8Path,
    mounts: &'a [SourceMount],
    workdir: &'a str,
    index_state: Option<&'a str>,
    /// Files that decide cabal's plan but that no container sees.
    unmounted: Vec<&'a (Utf8PathBuf, String)>,
    selection: &'a Selection,
    platform: &'a PlatformSettings,
    image: &'a str,
    /// For a foreign platform: the image whose compiler the cross strategy uses, and the emulators on this machine.
    native_image: Option<String>,
    emulators: Option<Vec<(String, String)>>,
    out_dir: Utf8PathBuf,
    cabal_args: &'a [String],
    strip: bool,
    upx: Packing,
    upx_args: &'a [String],
    packer: Option<(Utf8PathBuf, Option<Stamp>)>,
    engine_args: &'a [String],
    writable_source: bool,
    store: StoreScope,
    data_files: bool,
    lockfile: Option<&'a Lockfile>,
    engine: &'a Engine,
    /// Identifies this user, this machine and the engine.
    state_id: String,
    /// A digest of the variables that are passed to builds.
    variables: &'a str,
}

/// Identifies everything but the project's files that decides a platform's results.
pub(crate) struct Fingerprint {
    key: String,
    digest: String,
    image: String,
    /// What decided the version of GHC, which may be another reason for the same version.
    ghc_reason: Option<String>,
}

/// Everything that decides a platform's results now. `None`: not everything can be known.
pub(crate) fn decided(wanted: BuildRequest<'_>, build: &PlatformSettings, world: &World<'_>) -> Option<Fingerprint> {
    let BuildRequest { project, settings, selection, known } = wanted;
    if !args::reads_nothing(&settings.engine_args) {
        return None;
    }
    let known = known.of(build)?;
    let host = known.info.platform?;
    let image = image(wanted, build, build.platform, &Addition::to_image_of(build), world)?;
    let foreign = build.platform != host;
    // No `..` here: a new setting does not compile until somebody decides whether it affects the results.
    let Settings {
        targets: _,
        platforms: _,
        out_dir,
        jobs: _,
        serial: _,
        cabal_args,
        strip,
        upx,
        upx_args,
        engine_args,
        offline: _,
        pull: _,
        clean: _,
        writable_source,
        store,
        data_files,
        lockfile,
    } = settings;
    let is_mounted = |path: &Utf8Path| project.mounts.iter().any(|mount| path.starts_with(&mount.source));
    let inputs = Inputs {
        version: env!("CARGO_PKG_VERSION"),
        program: this_program().ok().and_then(|path| stamp(&path)),
        root: &project.root,
        mounts: &project.mounts,
        workdir: &project.workdir,
        index_state: project.index_state.as_deref(),
        unmounted: project.plan_inputs.iter().filter(|(path, _)| !is_mounted(path)).collect(),
        selection,
        platform: build,
        image: &image,
        native_image: foreign
            .then(|| self::image(wanted, build, host, &Addition::to_host_image_for(build), world))
            .flatten(),
        emulators: foreign.then(binfmt_entries),
        out_dir: out_dir.path(),
        cabal_args,
        strip: *strip,
        upx: *upx,
        upx_args,
        packer: packer(*upx, world),
        engine_args,
        writable_source: *writable_source,
        store: *store,
        data_files: *data_files,
        lockfile: lockfile.as_ref(),
        engine: &known.engine,
        state_id: state_id(&known.engine, &known.info, world),
        variables: &world.environment.passed,
    };
    let digest = sha256(&serde_json::to_vec(&inputs).ok()?);
    let targets = format!("{:?}", selection.words());
    let name = project.name().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let key = short_hash(&[project.root.as_str(), &targets, settings.out_dir.path().as_str()]);
    let key = format!("{name}-{}-{key}", build.platform.slug());
    Some(Fingerprint { key, digest, image, ghc_reason: build.ghc_reason.clone() })
}

/// The reference of the image that the build uses.
fn image(
    wanted: BuildRequest<'_>,
    build: &PlatformSettings,
    platform: Platform,
    addition: &Addition,
    world: &World<'_>,
) -> Option<String> {
    let locked = wanted.settings.lockfile.as_ref();
    let locked = locked.and_then(|lockfile| lockfile.digest(&build.image, platform).ok().map(str::to_owned));
    let digest = locked.or_else(|| world.state.recall(&DIGESTS, &format!("{} {platform}", build.image)));
    let reference = match digest {
        Some(digest) => format!("{}@{digest}", image::repository(&build.image)),
        // A name that no registry knows may mean another image each time, so the image's id is used.
        None => local(&wanted.known.of(build)?.engine, &build.image, platform, world).ok()??.id,
    };
    let image = Image::published(reference, true);
    Some(if addition.is_nothing() { image.reference } else { image.reference_with(addition) })
}

/// The upx that would pack, and the state of its file.
fn packer(packing: Packing, world: &World<'_>) -> Option<(Utf8PathBuf, Option<Stamp>)> {
    let program = world.environment.find("upx").filter(|_| packing != Packing::Never)?;
    let stamp = stamp(&program);
    Some((program, stamp))
}

fn stamp(path: &Utf8Path) -> Option<Stamp> {
    fs_err::metadata(path).ok().map(|meta| Stamp::of(&meta))
}

/// The report of the last build. `None`: the results, or something that decided them, have changed since.
pub(crate) fn recall(
    decided: &Fingerprint,
    platform: Platform,
    sources: &mut SourceTree,
    world: &World<'_>,
) -> Option<PlatformReport> {
    if world.records.get(UNFINISHED, &decided.key).is_some_and(|said| said == YES) {
        return None;
    }
    let text = world.records.get("records", &decided.key)?;
    let mut record: Record = serde_json::from_slice(&text).ok()?;
    let (digest, settled) = sources.0.digest();
    if record.decided != decided.digest {
        return None;
    }
    let seen = record.settled && record.tree == digest;
    if !seen && !sources.0.is_same(&tree(&record.tree, &decided.key, world)?) {
        return None;
    }
    let taken = now();
    let mut looked = false;
    let results = record.results.iter_mut().map(|(result, before)| (&result.path, &result.sha256, before));
    let data = record.data.iter_mut().map(|(file, before)| (&file.path, &file.sha256, before));
    for (path, sha256, before) in results.chain(data) {
        let meta = fs_err::symlink_metadata(path).ok()?;
        let stamp = Stamp::of(&meta);
        if stamp != *before || !before.is_settled(record.taken) {
            let is_alike = meta.is_file() && stamp.mode() == before.mode();
            if !is_alike || sha256_of(path).ok()? != *sha256 {
                return None;
            }
            (*before, looked) = (stamp, true);
        }
    }
    if !seen || looked {
        // Files that were read now need not be read next time.
        if looked {
            record.taken = taken;
        }
        if !seen {
            (record.tree, record.settled) = (digest, settled);
        }
        keep(&record, (!seen).then_some(&sources.0), &decided.key, world);
    }
    Some(PlatformReport {
        platform,
        choice: record.choice,
        ghc: record.ghc,
        ghc_reason: decided.ghc_reason.clone(),
        image: record.image,
        warnings: record.warnings,
        notes: record.notes,
        seconds: 0.0,
        fresh: true,
        result: Ok(record.results.into_iter().map(|(delivered, _)| delivered).collect()),
    })
}

/// Reads the project's files that have changed since the last build, so that a later run can compare them.
pub(crate) fn read(decided: &Fingerprint, sources: &mut SourceTree, world: &World<'_>) {
    let before =
        world.records.get("records", &decided.key).and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    let before = before.and_then(|record| tree(&record.tree, &decided.key, world));
    sources.0.read(before.as_ref());
}

/// Whether a build of what is remembered has begun and not ended.
const UNFINISHED: &str = "unfinished";
const YES: &[u8] = b"yes";

/// Runs a build. If hsx is killed meanwhile, what is remembered does not count: the next run builds, and so sweeps up,
/// although the results may be up to date.
pub(crate) fn during<T>(decided: Option<&Fingerprint>, world: &World<'_>, build: impl FnOnce() -> T) -> T {
    let remembered = decided.filter(|decided| world.records.get("records", &decided.key).is_some());
    let note = |text| remembered.into_iter().for_each(|decided| world.records.put(UNFINISHED, &decided.key, text));
    note(YES);
    let built = build();
    note(b"no");
    built
}

/// Remembers a platform's results, and what decided them before the build began. Nothing is remembered when a file was
/// touched during the build: the build may have read either version.
pub(crate) fn remember(
    decided: &Fingerprint,
    wanted: BuildRequest<'_>,
    sources: &SourceTree,
    report: &PlatformReport,
    world: &World<'_>,
) {
    let Ok(results) = &report.result else { return };
    if !SourceTree::look(wanted, world).is_some_and(|mut after| after.0.is_untouched(&sources.0)) {
        return;
    }
    // Another hsx may have changed which image the name means.
    if report.image != decided.image {
        return;
    }
    let taken = now();
    let results = results.iter().map(|delivered| {
        let meta = fs_err::symlink_metadata(&delivered.path).ok()?;
        Some((delivered.clone(), Stamp::of(&meta)))
    });
    let Some(results) = results.collect::<Option<Vec<_>>>() else { return };
    let Some(data) = data_beside(&results) else { return };
    let (tree, settled) = sources.0.digest();
    let record = Record {
        decided: decided.digest.clone(),
        tree,
        settled,
        choice: report.choice.clone(),
        ghc: report.ghc.clone(),
        image: report.image.clone(),
        warnings: report.warnings.clone(),
        notes: report.notes.clone(),
        taken,
        results,
        data,
    };
    keep(&record, Some(&sources.0), &decided.key, world);
}

/// The data files that were delivered beside executables. `None`: one cannot be read.
fn data_beside(results: &[(Delivered, Stamp)]) -> Option<Vec<(DataFile, Stamp)>> {
    let beside = results.iter().map(|(delivered, _)| delivered).filter(|delivered| delivered.has_data_beside);
    let dirs = beside.flat_map(|exe| exe.data.iter().map(|package| exe.path.with_file_name("share").join(package)));
    let dirs: BTreeSet<_> = dirs.collect();
    let entries = dirs.iter().flat_map(WalkDir::new).filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file()).map(|entry| {
        let path = Utf8PathBuf::from_path_buf(entry.into_path()).ok()?;
        let sha256 = sha256_of(&path).ok()?;
        let stamp = stamp(&path)?;
        Some((DataFile { path, sha256 }, stamp))
    });
    files.collect()
}

fn keep(record: &Record, tree: Option<&Tree>, key: &str, world: &World<'_>) {
    if let Some(tree) = tree {
        world.records.put("trees", key, format!("{}\n{}", record.tree, tree.text()).as_bytes());
    }
    if let Ok(text) = serde_json::to_vec(record) {
        world.records.put("records", key, &text);
    }
}

/// The tree of files that belongs to a record.
fn tree(digest: &str, key: &str, world: &World<'_>) -> Option<Tree> {
    let text = String::from_utf8(world.records.get("trees", key)?).ok()?;
    let (owner, text) = text.split_once('\n')?;
    if owner == digest { Tree::parse(text) } else { None }
}
