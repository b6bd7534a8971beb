//! Finds the images of a build: the digest behind a name, and what is in the engine's storage.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::facts::{Addition, Image};
use crate::project::image;
use crate::settings::Settings;
use crate::settings::lockfile::Lockfile;
use crate::tools::engine::{self, Dialect, Engine, LocalImage, Manifest, words};
use crate::world::doors::World;
use crate::world::doors::state::{DERIVED, DIGESTS, Derived};

/// The registry's answer about a reference, or why it has none. Whoever needs it first asks for it; the others share
/// it.
pub(super) type RegistryAnswer = OnceLock<Result<Result<Manifest, String>, Error>>;

/// An image's name, the platform, and what to add to it.
pub(super) type ImageRequest = (String, Platform, Addition);

/// Finds the image for a platform. With an addition, it is the image that hsx makes by adding to that one.
pub(super) fn find_image_with(
    engine: &Engine,
    (reference, platform, addition): &ImageRequest,
    registered: &RegistryAnswer,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Image, Error> {
    let image = find_image(engine, reference, *platform, registered, settings, world)?;
    if addition.is_nothing() {
        return Ok(image);
    }
    let derived = image.reference_with(addition);
    let memory = engine.memory_of(&derived);
    let is_whole = || world.state.recall(&DERIVED, &memory) != Some(Derived::InPart);
    let present = (!settings.pull || is_whole()) && local(engine, &derived, *platform, world)?.is_some();
    if !present {
        // The toolchain only saves time, and installing it needs a network: an offline build goes without.
        if settings.offline && matches!(addition, Addition::Toolchain { .. }) {
            return Ok(image);
        }
        world.state.forget(&DERIVED, &memory);
    }
    Ok(image.with(addition.clone(), present))
}

/// The digests that the registry has behind an image's name now, one for each platform.
///
/// # Errors
/// When it does not know them.
pub(crate) fn digests(
    engine: &Engine,
    reference: &str,
    world: &World<'_>,
) -> Result<BTreeMap<Platform, String>, Error> {
    let cannot = || Error::host(format!("the digests of the image `{reference}` are not to be had"));
    match manifest(engine, reference, world)? {
        Ok(Manifest::Index(children)) => {
            let known = Platform::all().filter_map(|platform| {
                let (_, digest) = children.iter().find(|(arch, _)| arch == platform.oci_arch())?;
                Some((platform, digest.clone()))
            });
            Ok(known.collect())
        }
        Ok(Manifest::Single) => Err(cannot().hint("it is of one platform only: name one with a list of platforms")),
        Err(said) => Err(cannot().said(&said).hints(image::known_tags_hint(reference))),
    }
}

/// The image by the digest in `hsx.lock`. Warns when the tag is known to mean another digest by now.
fn locked_image(
    engine: &Engine,
    (reference, platform): (&str, Platform),
    lockfile: &Lockfile,
    registered: &RegistryAnswer,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Image, Error> {
    let digest = lockfile.digest(reference, platform)?;
    let pinned = format!("{}@{digest}", image::repository(reference));
    let present = local(engine, &pinned, platform, world)?.is_some();
    let mut newest = world.state.recall(&DIGESTS, &format!("{reference} {platform}"));
    if !present && !settings.offline {
        // The image has to be pulled from the registry anyway. The answer is used only for the warning.
        let answer = registered.get_or_init(|| manifest(engine, reference, world));
        if let Ok(Ok(Manifest::Index(children))) = answer {
            newest = children.iter().find(|(arch, _)| arch == platform.oci_arch()).map(|(_, digest)| digest.clone());
        }
    }
    if let Some(newest) = newest.filter(|newest| newest != digest) {
        world.ui.warning(&format!(
            "the tag of `{reference}` for {platform} stands for {newest} now, and `hsx.lock` has {digest}"
        ));
    }
    if !present && settings.offline {
        let said = "`--offline` keeps hsx from asking the registry";
        return Err(not_to_be_had(&pinned, platform, said).hint("run it once without `--offline`"));
    }
    Ok(Image::published(pinned, present))
}

/// Finds the image for a platform: the locked one, the remembered one, the registry's, or a local one, in this order.
fn find_image(
    engine: &Engine,
    reference: &str,
    platform: Platform,
    registered: &RegistryAnswer,
    settings: &Settings,
    world: &World<'_>,
) -> Result<Image, Error> {
    if let Some(lockfile) = &settings.lockfile {
        return locked_image(engine, (reference, platform), lockfile, registered, settings, world);
    }
    let name = format!("{reference} {platform}");
    if let Some(digest) = world.state.recall(&DIGESTS, &name).filter(|_| !settings.pull) {
        let pinned = format!("{}@{digest}", image::repository(reference));
        if local(engine, &pinned, platform, world)?.is_some() {
            return Ok(Image::published(pinned, true));
        }
    }
    let elsewhere = if settings.offline {
        Err("`--offline` keeps hsx from asking the registry".to_owned())
    } else if reference.starts_with("localhost/") {
        Err("a `localhost/` image is on no registry".to_owned())
    } else {
        registered.get_or_init(|| manifest(engine, reference, world)).clone()?
    };
    match elsewhere {
        Ok(Manifest::Index(children)) => {
            let arch = platform.oci_arch();
            let Some((_, digest)) = children.iter().find(|(child, _)| child == arch) else {
                let offered: Vec<_> = children.iter().map(|(arch, _)| format!("linux/{arch}")).collect();
                return Err(Error::host(format!("the image `{reference}` is not made for {platform}"))
                    .hint(format!("it is made for {}; choose another with `--image` or `--ghc`", offered.join(", "))));
            };
            world.state.remember(&DIGESTS, &name, digest);
            let pinned = format!("{}@{digest}", image::repository(reference));
            let present = local(engine, &pinned, platform, world)?.is_some();
            Ok(Image::published(pinned, present))
        }
        Ok(Manifest::Single) => match local(engine, reference, platform, world)? {
            Some(image) if !settings.pull => Ok(Image::published(image.id, true)),
            _ => Ok(Image::published(reference.to_owned(), false)),
        },
        Err(said) => match local(engine, reference, platform, world)? {
            Some(image) => Ok(Image::published(image.id, true)),
            None if settings.offline => {
                Err(not_to_be_had(reference, platform, &said).hint("run it once without `--offline`"))
            }
            None => Err(no_image(reference, platform, &said)),
        },
    }
}

fn not_to_be_had(reference: &str, platform: Platform, said: &str) -> Error {
    Error::host(format!("the image `{reference}` for {platform} is not to be had")).said(said)
}

fn no_image(reference: &str, platform: Platform, said: &str) -> Error {
    not_to_be_had(reference, platform, said)
        .hints(image::known_tags_hint(reference))
        .hint("is the name right, and the registry reachable? `--image` names another, also one of your own making")
}

/// The image in the engine's storage, if it has the right architecture.
pub(crate) fn local(
    engine: &Engine,
    reference: &str,
    platform: Platform,
    world: &World<'_>,
) -> Result<Option<LocalImage>, Error> {
    let answer = world.exec.capture(&engine.image_inspect(reference))?;
    let image = engine::parse_image(&answer.stdout).ok().flatten().filter(|_| answer.success());
    Ok(image.filter(|image| image.arch == platform.oci_arch()))
}

/// Asks the registry about a reference. The inner `Err` holds what it said when it does not know the image.
fn manifest(engine: &Engine, reference: &str, world: &World<'_>) -> Result<Result<Manifest, String>, Error> {
    world.ui.status("Resolving", reference);
    let cmd = engine.manifest_inspect(reference);
    let answer = world.retried(&cmd, |cmd| world.exec.capture(cmd))?;
    if answer.success()
        && let Ok(manifest) = engine::parse_manifest(&answer.stdout)
    {
        return Ok(Ok(manifest));
    }
    let single = engine.dialect == Dialect::Podman && words::is_of_one_platform(&answer.stderr);
    Ok(if single { Ok(Manifest::Single) } else { Err(answer.stderr) })
}
