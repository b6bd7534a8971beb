//! Whether a platform's results are up to date: a record of all that decided them, and of themselves.
//!
//! Nothing here starts a program, unless an image is known by a local name only. Where anything cannot be told, the
//! answer is no: a build too many costs seconds, one too few is wrong.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::engines::Knowns;
use super::images::local;
use super::machine::{binfmt_entries, state_id};
use super::tree::{Stamp, Tree, now};
use crate::base::digest::{hash, short_hash};
use crate::base::platform::Platform;
use crate::plan::facts::{Addition, Image};
use crate::plan::strategy::Choice;
use crate::project::{Project, Selection, image, parse_project_file};
use crate::report::{Delivered, PlatformReport};
use crate::settings::{Packing, PlatformSettings, Settings};
use crate::tools::engine::args as engine_args;
use crate::world::doors::World;
use crate::world::doors::environment::this_program;
use crate::world::doors::pieces::sha256_of;

/// What is to be built, for all platforms.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub project: &'a Project,
    pub settings: &'a Settings,
    pub selection: &'a Selection,
    pub known: &'a Knowns,
}

/// A platform's last results and what decided them.
#[derive(Deserialize, Serialize)]
struct Record {
    /// All that is no file of the project's.
    decided: String,
    /// The state of the project's files, and whether it tells any later change.
    tree: String,
    settled: bool,
    choice: Choice,
    ghc: Option<String>,
    image: String,
    warnings: Vec<String>,
    notes: Vec<String>,
    /// When the results were looked at.
    taken: i128,
    results: Vec<(Delivered, Stamp)>,
}

/// The project's files as they were before a build.
pub(crate) struct Sources(Tree);

impl Sources {
    /// Looks at all that a container sees of the project. `None`: not all of it can be told.
    pub(crate) fn look(wanted: Wanted<'_>, world: &World<'_>) -> Option<Self> {
        let Wanted { project, settings, .. } = wanted;
        let is_remote = |text: &String| parse_project_file(text).imports.iter().any(|import| import.contains("://"));
        // hpack has a file to write first; what is imported from elsewhere may change there.
        if !project.hpack.is_empty() || project.plan_inputs.iter().any(|(_, text)| is_remote(text)) {
            return None;
        }
        let roots: Vec<_> = project.mounts.iter().map(|mount| mount.source.clone()).collect();
        let results: Vec<_> = Platform::all().map(|platform| settings.out_dir.join(platform.slug())).collect();
        let is_own = |path: &Utf8Path| {
            results.iter().any(|dir| dir == path)
                || (path.file_name().is_some_and(|name| name.starts_with(".hsx-"))
                    && path.parent() == Some(&settings.out_dir))
                || path == world.state.dir()
                || Some(path) == world.environment.cache_dir.as_deref()
        };
        Tree::take(&roots, &is_own).ok().map(Self)
    }
}

/// Everything but the project's files that decides a platform's results.
pub(crate) struct Decided {
    key: String,
    digest: String,
    image: String,
}

/// What decides a platform's results now. `None`: not all of it can be told.
pub(crate) fn decided(wanted: Wanted<'_>, build: &PlatformSettings, world: &World<'_>) -> Option<Decided> {
    let Wanted { project, settings, selection, known } = wanted;
    if !engine_args::reads_nothing(&settings.engine_args) {
        return None;
    }
    let known = known.of(build)?;
    let host = known.info.platform?;
    let image = image(wanted, build, build.platform, &Addition::to_image_of(build), world)?;
    let words = |words: &[String]| format!("{words:?}");
    let root = project.root.as_str();
    let outside = project.plan_inputs.iter().filter(|(path, _)| {
        let is_mounted = project.mounts.iter().any(|mount| path.starts_with(&mount.source));
        !is_mounted
    });
    let foreign = build.platform != host;
    let decided = [
        format!("hsx {} {:?}", env!("CARGO_PKG_VERSION"), this_program().ok().and_then(|path| stamp(&path))),
        format!("{root} {:?} {}", project.mounts, project.workdir),
        format!("{:?}", outside.collect::<Vec<_>>()),
        format!("{selection:?}"),
        format!("{build:?} {image}"),
        // Of the cross strategy: the compiler's image, and what emulates the platform.
        format!(
            "{:?}",
            foreign.then(|| (
                self::image(wanted, build, host, &Addition::to_host_image_for(build), world),
                binfmt_entries()
            ))
        ),
        format!(
            "{} {:?} {} {:?} {:?}",
            settings.out_dir, settings.upx, settings.strip, settings.lockfile, project.index_state
        ),
        format!("{} {}", settings.writable_source, settings.data_files),
        words(&settings.cabal_args),
        words(&settings.upx_args),
        words(&settings.engine_args),
        format!("{:?}", upx(settings, world)),
        format!("{:?} {}", known.engine, state_id(&known.engine, &known.info, world)),
        world.environment.passed.clone(),
    ];
    let targets = words(&selection.words());
    let name = project.name().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let key = short_hash(&[root, &targets, settings.out_dir.as_str()]);
    Some(Decided {
        key: format!("{name}-{}-{key}", build.platform.slug()),
        digest: hash(&decided.iter().map(String::as_str).collect::<Vec<_>>()),
        image,
    })
}

/// The image a build is made with, as the engine would be asked for it.
fn image(
    wanted: Wanted<'_>,
    build: &PlatformSettings,
    platform: Platform,
    addition: &Addition,
    world: &World<'_>,
) -> Option<String> {
    let locked = wanted.settings.lockfile.as_ref();
    let locked = locked.and_then(|lockfile| lockfile.digest(&build.image, platform).ok().map(str::to_owned));
    let digest = locked.or_else(|| world.state.recall("digests", &format!("{} {platform}", build.image)));
    let reference = match digest {
        Some(digest) => format!("{}@{digest}", image::repository(&build.image)),
        // A name that no registry answers for may stand for another image each time.
        None => local(&wanted.known.of(build)?.engine, &build.image, platform, world).ok()??.id,
    };
    let image = Image::published(reference, true);
    Some(if addition.is_nothing() { image.reference } else { image.reference_with(addition) })
}

fn upx(settings: &Settings, world: &World<'_>) -> Option<(Utf8PathBuf, Option<Stamp>)> {
    let program = world.environment.find("upx").filter(|_| settings.upx != Packing::Never)?;
    let stamp = stamp(&program);
    Some((program, stamp))
}

fn stamp(path: &Utf8Path) -> Option<Stamp> {
    fs_err::metadata(path).ok().map(|meta| Stamp::of(&meta))
}

/// The report of the last build, if nothing that decided its results has changed, and neither have they.
pub(crate) fn recall(
    decided: &Decided,
    platform: Platform,
    sources: &mut Sources,
    world: &World<'_>,
) -> Option<PlatformReport> {
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
    for (delivered, before) in &mut record.results {
        let meta = fs_err::symlink_metadata(&delivered.path).ok()?;
        let stamp = Stamp::of(&meta);
        if stamp != *before || !before.is_settled(record.taken) {
            let is_alike = meta.is_file() && stamp.mode() == before.mode();
            if !is_alike || sha256_of(&delivered.path).ok()? != delivered.sha256 {
                return None;
            }
            (*before, looked) = (stamp, true);
        }
    }
    if !seen || looked {
        // What was read need not be read next time.
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
        image: record.image,
        warnings: record.warnings,
        notes: record.notes,
        seconds: 0.0,
        fresh: true,
        result: Ok(record.results.into_iter().map(|(delivered, _)| delivered).collect()),
    })
}

/// Reads those of the project's files that have changed since the last build, for a later run to compare them with.
pub(crate) fn read(decided: &Decided, sources: &mut Sources, world: &World<'_>) {
    let before =
        world.records.get("records", &decided.key).and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    let before = before.and_then(|record| tree(&record.tree, &decided.key, world));
    sources.0.read(before.as_ref());
}

/// Remembers a platform's results and what decided them: as it was before the build began. Where any of it was touched
/// since, nobody can tell what the build has read.
pub(crate) fn remember(
    decided: &Decided,
    wanted: Wanted<'_>,
    sources: &Sources,
    report: &PlatformReport,
    world: &World<'_>,
) {
    let Ok(results) = &report.result else { return };
    if !Sources::look(wanted, world).is_some_and(|mut after| after.0.is_untouched(&sources.0)) {
        return;
    }
    // Another hsx may have made the image's name stand for another.
    if report.image != decided.image {
        return;
    }
    let taken = now();
    let results = results.iter().map(|delivered| {
        let meta = fs_err::symlink_metadata(&delivered.path).ok()?;
        Some((delivered.clone(), Stamp::of(&meta)))
    });
    let Some(results) = results.collect::<Option<_>>() else { return };
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
    };
    keep(&record, Some(&sources.0), &decided.key, world);
}

fn keep(record: &Record, tree: Option<&Tree>, key: &str, world: &World<'_>) {
    if let Some(tree) = tree {
        world.records.put("trees", key, format!("{}\n{}", record.tree, tree.text()).as_bytes());
    }
    if let Ok(text) = serde_json::to_vec(record) {
        world.records.put("records", key, &text);
    }
}

/// The tree that belongs to a record.
fn tree(digest: &str, key: &str, world: &World<'_>) -> Option<Tree> {
    let text = String::from_utf8(world.records.get("trees", key)?).ok()?;
    let (owner, text) = text.split_once('\n')?;
    if owner == digest { Tree::parse(text) } else { None }
}
