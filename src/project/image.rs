//! The builder image: which ghc-musl tag fits a GHC, and how image references are put together.

use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::base::version::Version;

/// Where ghc-musl is published; `docker.io/benz0li/ghc-musl` and `glcr.b-data.ch/ghc/ghc-musl` mirror it.
pub(crate) const DEFAULT_REPOSITORY: &str = "quay.io/benz0li/ghc-musl";

/// The GHC used if nothing else is asked for: the newest of the series that `ghcup` recommends.
pub(crate) const DEFAULT_GHC: &str = "9.10.3";

/// A published GHC version and whether its `-int-native` variant exists.
///
/// Source: the tags of `quay.io/benz0li/ghc-musl` and the version table of its README
/// (<https://github.com/benz0li/ghc-musl>). A version missing here is still tried: tags are added all the time.
const TAGS: &[(&str, bool)] = &[
    ("8.8.4", false),
    ("8.10.1", false),
    ("8.10.4", false),
    ("8.10.5", false),
    ("8.10.6", false),
    ("8.10.7", false),
    ("9.0.1", false),
    ("9.0.2", false),
    ("9.2.1", false),
    ("9.2.2", false),
    ("9.2.3", false),
    ("9.2.4", false),
    ("9.2.5", false),
    ("9.2.6", false),
    ("9.2.7", false),
    ("9.2.8", false),
    ("9.4.1", false),
    ("9.4.2", false),
    ("9.4.3", false),
    ("9.4.4", false),
    ("9.4.5", false),
    ("9.4.6", false),
    ("9.4.7", false),
    ("9.4.8", false),
    ("9.6.1", false),
    ("9.6.2", false),
    ("9.6.3", false),
    ("9.6.4", false),
    ("9.6.5", false),
    ("9.6.6", false),
    ("9.6.7", true),
    ("9.8.1", false),
    ("9.8.2", false),
    ("9.8.3", false),
    ("9.8.4", true),
    ("9.10.1", true),
    ("9.10.2", true),
    ("9.10.3", true),
    ("9.12.1", false),
    ("9.12.2", true),
    ("9.12.3", true),
    ("9.12.4", true),
    ("9.14.1", true),
];

/// Compilers that ghc-musl's README calls broken: the version, the platform if it is one, and the version to use
/// instead.
const BROKEN: &[(&str, Option<Platform>, &str)] =
    &[("9.12.3", None, "9.12.4"), ("9.12.1", None, "9.12.2"), ("9.2.1", Some(Platform::Arm64), "9.2.2")];

/// Which integer implementation GHC's libraries use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bignum {
    /// GMP: fast, and LGPL inside the static executable.
    #[default]
    Gmp,
    /// GHC's own, from the `-int-native` images: no LGPL code.
    Native,
}

/// The image to build in, as a person would name it, and its GHC, if the image's name tells.
///
/// A reference with a tag or digest is taken as it is. Any other gets the tag of the GHC version.
///
/// # Errors
/// When it is no reference of an image, or the GHC is known to have no `-int-native` variant.
pub(crate) fn reference(image: &str, ghc: &str, bignum: Bignum) -> Result<(String, Option<String>), Error> {
    if !is_reference(image) {
        return Err(Error::usage(format!("`{image}` is no image's name, as in `REGISTRY/NAME:TAG`")));
    }
    if repository(image) != image {
        return Ok((image.to_owned(), tagged_ghc(image).map(str::to_owned)));
    }
    let native = TAGS.iter().filter(|(_, native)| *native).map(|(version, _)| *version);
    let suffix = match bignum {
        Bignum::Gmp => "",
        Bignum::Native if TAGS.contains(&(ghc, false)) => {
            let known: Vec<_> = native.collect();
            return Err(Error::usage(format!("there is no `-int-native` image of GHC {ghc}"))
                .hint(format!("`--bignum native` works with GHC {}", known.join(", "))));
        }
        Bignum::Native => "-int-native",
    };
    Ok((format!("{image}:{ghc}{suffix}"), Some(ghc.to_owned())))
}

/// Whether a text can name an image in a registry or in the engine's storage. An engine could take other texts for one of
/// its flags, or for a file of this machine (`dir:/…`, `oci-archive:/…`).
fn is_reference(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@[]".contains(c))
        && !text.strip_prefix("docker://").unwrap_or(text).contains(":/")
}

/// The version at the beginning of a reference's tag, if it can be a version of GHC.
fn tagged_ghc(reference: &str) -> Option<&str> {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    let tag = name.strip_prefix(repository(reference))?.strip_prefix(':')?;
    let version = tag.split_once('-').map_or(tag, |(version, _)| version);
    let parsed: Version = version.parse().ok()?;
    let is_known = || published().any(|(_, known)| known.starts_with(&parsed));
    // A GHC that is newer than this table has three parts, as every GHC. An image's own version rarely has three.
    (parsed.len() >= 2 && is_known() || parsed.len() == 3 && parsed.major() >= 9).then_some(version)
}

/// The GHC of an image, for people.
pub(crate) fn ghc_name(ghc: Option<&str>) -> String {
    ghc.map_or("the image's GHC".to_owned(), |version| format!("GHC {version}"))
}

/// The GHC of an image and what decided it, for people.
pub(crate) fn ghc_by(ghc: Option<&str>, reason: Option<&str>) -> String {
    let by = reason.map(|reason| format!(" by {reason}")).unwrap_or_default();
    ghc_name(ghc) + &by
}

/// A reference without its tag and digest.
pub(crate) fn repository(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    match name.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// The full version for a text that people type. For the first numbers of one it is the newest that is not broken.
pub(crate) fn full_version(text: &str) -> Option<String> {
    let wanted: Version = text.parse().ok()?;
    let newest = || published().rev().find(|(text, known)| known.starts_with(&wanted) && !is_broken(text));
    let found = published().find(|(_, known)| *known == wanted).or_else(newest).map(|(text, _)| text.to_owned());
    // A GHC that is newer than this table has three parts, as every GHC.
    found.or_else(|| (wanted.len() == 3).then(|| text.to_owned()))
}

/// The published versions, oldest first, each as text and parsed.
pub(super) fn published() -> impl DoubleEndedIterator<Item = (&'static str, Version)> {
    TAGS.iter().filter_map(|(text, _)| Some((*text, text.parse().ok()?)))
}

pub(super) fn is_broken(version: &str) -> bool {
    BROKEN.iter().any(|(broken, _, _)| *broken == version)
}

/// A warning about a compiler that is known to be broken.
pub(crate) fn broken_compiler(ghc: &str, platform: Platform) -> Option<String> {
    let (_, _, instead) =
        BROKEN.iter().find(|(version, on, _)| *version == ghc && on.is_none_or(|on| on == platform))?;
    Some(format!("ghc-musl calls GHC {ghc} broken on {platform}; GHC {instead} is the one to use"))
}

/// The hint for a tag that the registry does not have.
pub(crate) fn known_tags_hint(reference: &str) -> Option<String> {
    let ours = repository(reference);
    let tag = reference.strip_prefix(ours)?.strip_prefix(':').filter(|_| ours.ends_with("/ghc-musl"))?;
    let ghc = tag.trim_end_matches("-int-native");
    if TAGS.iter().any(|(version, _)| *version == ghc) {
        return None;
    }
    let series = Version::leading(ghc).map(|ghc| ghc.series());
    let is_near = |known: &Version| series.as_ref().is_some_and(|series| known.starts_with(series));
    let mut near: Vec<_> = published().filter(|(_, known)| is_near(known)).map(|(text, _)| text).collect();
    if near.is_empty() {
        near = TAGS.iter().rev().take(8).map(|(version, _)| *version).collect();
    }
    Some(format!("ghc-musl has GHC {}: choose one with `--ghc`", near.join(", ")))
}

/// The version in a `with-compiler:` value: `ghc-9.6.6`, `/opt/ghc/9.6.6/bin/ghc-9.6.6`; `None` for plain `ghc`.
pub(crate) fn compiler_version(with_compiler: &str) -> Option<String> {
    let program = with_compiler.rsplit('/').next()?;
    let version = program.strip_prefix("ghc-")?.trim_end_matches(".exe");
    (!version.is_empty() && version.chars().all(|c| c.is_ascii_digit() || c == '.')).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_files_are_no_images() {
        let name = |image| reference(image, "9.6.6", Bignum::Gmp);
        for image in ["x", "quay.io/a/b", "127.0.0.1:5000/a:t", "[::1]:5000/a@sha256:0", "docker://a/b", "A_b.c"] {
            assert!(name(image).is_ok(), "{image}");
        }
        for image in
            ["", "-v", "--volume=/:/host:rw", " ", "x y:1", "dir:/etc", "oci-archive:/tmp/x:1", "a\nb", "$x", "/x"]
        {
            assert!(name(image).unwrap_err().message.contains("is no image's name"), "{image}");
        }
    }

    #[test]
    fn a_series_stands_for_its_newest_sound_compiler() {
        for (wanted, version) in [
            ("9.10.3", Some("9.10.3")),
            ("9.10", Some("9.10.3")),
            ("9.12", Some("9.12.4")),
            ("9.12.3", Some("9.12.3")),
            ("9.6", Some("9.6.7")),
            ("9.16.1", Some("9.16.1")),
            ("9.16", None),
            ("9.1", None),
            ("latest", None),
            ("", None),
        ] {
            assert_eq!(full_version(wanted).as_deref(), version, "{wanted}");
        }
    }

    #[test]
    fn a_reference_without_tag_follows_the_ghc() {
        for (image, expected) in [
            (DEFAULT_REPOSITORY, "quay.io/benz0li/ghc-musl:9.6.7"),
            ("127.0.0.1:5000/ghc-musl", "127.0.0.1:5000/ghc-musl:9.6.7"),
            ("127.0.0.1:5000/ghc-musl:mine", "127.0.0.1:5000/ghc-musl:mine"),
            ("me/image@sha256:00", "me/image@sha256:00"),
        ] {
            assert_eq!(reference(image, "9.6.7", Bignum::Gmp).unwrap().0, expected);
        }
        assert_eq!(reference("x", "9.6.7", Bignum::Native).unwrap().0, "x:9.6.7-int-native");
        assert_eq!(reference("x", "9.99.1", Bignum::Native).unwrap().0, "x:9.99.1-int-native");
        let error = reference("x", "9.4.8", Bignum::Native).unwrap_err();
        assert!(error.hints[0].contains("9.6.7, 9.8.4"), "{error:?}");
    }

    #[test]
    fn the_ghc_of_an_image_is_what_its_tag_tells() {
        for (image, expected) in [
            ("x", Some("9.6.7")),
            ("x:9.12.3", Some("9.12.3")),
            ("localhost:5000/x:9.12.3-int-native", Some("9.12.3")),
            ("x:8.10.7", Some("8.10.7")),
            ("x:9.6", Some("9.6")),
            ("x:9.99.1@sha256:00", Some("9.99.1")),
            ("x@sha256:00", None),
            ("localhost:5000/x:latest", None),
            ("x:1", None),
            ("x:2.0.1", None),
            ("x:24.04", None),
            ("x:v9.6.7", None),
        ] {
            assert_eq!(reference(image, "9.6.7", Bignum::Gmp).unwrap().1.as_deref(), expected, "{image}");
        }
    }

    #[test]
    fn the_repository_keeps_its_port() {
        for (reference, expected) in [
            ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b"),
            ("a:1@sha256:0", "a"),
            ("quay.io/a/b@sha256:0", "quay.io/a/b"),
        ] {
            assert_eq!(repository(reference), expected);
        }
    }

    #[test]
    fn compilers_are_read_from_names_and_paths() {
        for (text, expected) in [
            ("ghc-9.6.6", Some("9.6.6")),
            ("/opt/ghc/9.8.4/bin/ghc-9.8.4", Some("9.8.4")),
            ("ghc", None),
            ("ghcjs-8.6", None),
            ("ghc-head", None),
        ] {
            assert_eq!(compiler_version(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn broken_compilers_are_named_where_they_are_broken() {
        assert!(broken_compiler("9.12.3", Platform::Amd64).unwrap().contains("9.12.4"));
        assert!(broken_compiler("9.2.1", Platform::Arm64).is_some());
        assert!(broken_compiler("9.2.1", Platform::Amd64).is_none());
        assert!(broken_compiler("9.6.7", Platform::Arm64).is_none());
    }

    #[test]
    fn an_unknown_version_names_its_neighbours() {
        assert_eq!(known_tags_hint("quay.io/benz0li/ghc-musl:9.8.4"), None);
        assert_eq!(known_tags_hint("my/image:9.8.9"), None);
        assert!(
            known_tags_hint("quay.io/benz0li/ghc-musl:9.8.9-int-native")
                .unwrap()
                .contains("9.8.1, 9.8.2, 9.8.3, 9.8.4")
        );
    }

    #[test]
    fn the_default_is_published_and_not_broken() {
        assert!(TAGS.iter().any(|(version, _)| *version == DEFAULT_GHC));
        assert!(Platform::all().all(|platform| broken_compiler(DEFAULT_GHC, platform).is_none()));
    }
}
