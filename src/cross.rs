//! The `cross` strategy: the host's GHC, started in the target's container on the target's libraries.
//!
//! How and why it works is told in `scripts/container/cross.sh`, which makes the toolchain, and in ARCHITECTURE.md.

use crate::digest::short_hash;
use crate::engine::Mount;
use crate::image;
use crate::platform::Platform;

/// Makes the toolchain; runs in the host's image.
pub(crate) const MAKE_TOOLCHAIN: &str = include_str!("../scripts/container/cross.sh");

/// Copies the host's image into a volume, for engines that cannot mount an image.
pub(crate) const COPY_IMAGE: &str = include_str!("../scripts/container/copy-image.sh");

/// Where [`COPY_IMAGE`] copies to.
pub(crate) const COPY_TARGET: &str = "/hsx/native";

/// Where the toolchain is, in the container that makes it and in those that use it.
pub(crate) const TOOLCHAIN_DIR: &str = "/hsx/cross";

/// Where the host's image is, in the target's container.
pub(crate) const NATIVE_DIR: &str = "/native";

/// What a container of the target starts with: the host's shell, through the host's loader, so that nothing is
/// emulated before the script decides so.
pub(crate) const ENTRY: &[&str] =
    &["/hsx/cross/boot/ld.so", "--library-path", "/hsx/cross/boot/lib", "/hsx/cross/boot/sh"];

/// The volumes and mounts of a pair of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// The volume with the toolchain.
    pub volume: String,
    /// The volume with a copy of the host's image, where the engine cannot mount the image itself.
    pub copy: Option<String>,
    /// The host's image, as the engine is asked for it.
    pub native_image: String,
}

impl Toolchain {
    /// `images` are the target's and the host's; `state_id` tells users and engines apart.
    pub(crate) fn new(target: Platform, images: [&str; 2], image_mounts: bool, state_id: &str) -> Self {
        let [target_image, native_image] = images;
        // Made by another script, it is another toolchain.
        let hash = short_hash(&[target_image, native_image, MAKE_TOOLCHAIN, state_id]);
        Self {
            volume: format!("hsx-cross-{}-{hash}", target.slug()),
            copy: (!image_mounts).then(|| format!("hsx-native-{}", short_hash(&[native_image, state_id]))),
            native_image: native_image.to_owned(),
        }
    }

    /// All volumes: each is filled once, then used as it is.
    pub(crate) fn volumes(&self) -> impl Iterator<Item = &String> {
        self.copy.iter().chain([&self.volume])
    }

    /// What a container of the target sees beside its own root.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let native = match &self.copy {
            Some(volume) => Mount::Volume { name: volume.clone(), target: NATIVE_DIR.to_owned(), read_only: true },
            None => Mount::Image { reference: self.native_image.clone(), target: NATIVE_DIR.to_owned() },
        };
        let toolchain = Mount::Volume { name: self.volume.clone(), target: TOOLCHAIN_DIR.to_owned(), read_only: true };
        vec![native, toolchain]
    }
}

/// Why a GHC on `host` cannot compile for `target`, as half a sentence; `None` when it can, or nobody knows better.
///
/// Source: `GHC.CmmToAsm`, which dispatches on the target at run time; all its back ends are in every GHC binary.
pub(crate) fn obstacle(host: Platform, target: Platform, ghc: Option<&str>) -> Option<String> {
    let since = |platform| match platform {
        // Before 9.2 the platform's constants were compiled into the compiler.
        Platform::Amd64 | Platform::Arm64 => "9.2",
        Platform::Riscv64 => "9.12",
    };
    if since(host) != "9.2" {
        return Some(format!("{host} hosts are not supported"));
    }
    let first = since(target);
    let ghc = ghc?;
    let older = image::older_than(ghc, first)?;
    older.then(|| format!("GHC {ghc} cannot compile for {target} on {host}, GHC {first} and later can"))
}

/// Why emulation may succeed where `cross` failed, read from the end of the output; `None` when it would fail alike.
pub(crate) fn emulation_may_help(output: &str) -> Option<&'static str> {
    let reasons = [
        ("cross: ", "the toolchain could not be made"),
        ("-fplugin", "GHC plugins need a compiler of the target's own"),
        ("plugin", "GHC plugins need a compiler of the target's own"),
        ("ghc-iserv", "Template Haskell failed in the external interpreter"),
        ("ld.lld: error", "the host's linker failed"),
        ("clang: error", "the host's C compiler failed"),
        ("clang++: error", "the host's C compiler failed"),
        ("llvm-ar: error", "the host's archiver failed"),
        ("Missing (or bad) C librar", "a C library was not found with the host's linker"),
        ("Missing (or bad) header", "a C header was not found with the host's compiler"),
    ];
    reasons.into_iter().find(|(words, _)| output.contains(words)).map(|(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_images_has_a_toolchain_of_its_own() {
        let make = |target, native, mounts| Toolchain::new(Platform::Arm64, [target, native], mounts, "me");
        assert_eq!(make("a", "b", true), make("a", "b", true));
        assert_ne!(make("a", "b", true).volume, make("c", "b", true).volume);
        assert_eq!(make("a", "b", true).copy, None);
        assert_eq!(make("a", "b", false).copy, make("c", "b", false).copy);
        assert!(matches!(make("a", "b", false).mounts()[0], Mount::Volume { read_only: true, .. }));
    }

    #[test]
    fn what_a_ghc_cannot_do_is_said() {
        for (host, target, ghc, possible) in [
            (Platform::Amd64, Platform::Arm64, "9.6.6", true),
            (Platform::Arm64, Platform::Amd64, "9.2.8", true),
            (Platform::Amd64, Platform::Arm64, "9.0.2", false),
            (Platform::Amd64, Platform::Arm64, "8.10.7", false),
            (Platform::Amd64, Platform::Riscv64, "9.10.3", false),
            (Platform::Amd64, Platform::Riscv64, "9.12.4", true),
            (Platform::Riscv64, Platform::Arm64, "9.12.4", false),
            (Platform::Amd64, Platform::Arm64, "latest", true),
        ] {
            assert_eq!(obstacle(host, target, Some(ghc)).is_none(), possible, "{host} {target} {ghc}");
        }
    }

    #[test]
    fn a_type_error_is_not_worth_another_try() {
        assert_eq!(emulation_may_help("Main.hs:1:1: error: [GHC-83865]\n  • Couldn't match type"), None);
        assert!(emulation_may_help("clang: error: unknown argument: '-mfoo'").is_some());
        assert!(emulation_may_help("ghc: ghc-iserv terminated (-11)").is_some());
    }
}
