//! The `cross` strategy: the host's GHC runs in the target's container, against the target's libraries.
//!
//! `scripts/container/cross`, whose scripts make the toolchain, and ARCHITECTURE.md explain how and why it works.

use crate::base::digest::short_hash;
use crate::base::platform::Platform;
use crate::base::version::is_older;
use crate::tools::engine::Mount;

/// The script that makes the toolchain; it runs in the host's image.
pub(crate) const MAKE_TOOLCHAIN: &str = concat!(
    include_str!("../../scripts/container/cross/look.sh"),
    include_str!("../../scripts/container/cross/begin.sh"),
    include_str!("../../scripts/container/cross/boot.sh"),
    include_str!("../../scripts/container/cross/tools.sh"),
    include_str!("../../scripts/container/cross/c.sh"),
    include_str!("../../scripts/container/cross/ghc.sh"),
    include_str!("../../scripts/container/cross/enter.sh"),
);

/// The script that copies the host's image into a volume, for engines that cannot mount an image.
pub(crate) const COPY_IMAGE: &str = include_str!("../../scripts/container/copy-image.sh");

/// Where [`COPY_IMAGE`] copies to.
pub(crate) const COPY_TARGET: &str = "/hsx/native";

/// Where the toolchain is, in the container that makes it and in those that use it.
pub(crate) const TOOLCHAIN_DIR: &str = "/hsx/cross";

/// Where the host's image is, in the target's container.
pub(crate) const NATIVE_DIR: &str = "/native";

/// The command that a container of the target starts with: the host's shell, run by the host's loader. So nothing is
/// emulated unless the script decides so.
pub(crate) const ENTRY: &[&str] =
    &["/hsx/cross/boot/ld.so", "--library-path", "/hsx/cross/boot/lib", "/hsx/cross/boot/sh"];

/// The toolchain for a pair of images: its volumes and mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// The volume with the toolchain.
    pub volume: String,
    /// The volume with a copy of the host's image, where the engine cannot mount the image itself.
    pub copy: Option<String>,
    /// The reference by which the engine is asked for the host's image.
    pub native_image: String,
}

impl Toolchain {
    /// `images` are the target's image and the host's image. `state_id` tells users and engines apart.
    pub(crate) fn new(target: Platform, images: [&str; 2], image_mounts: bool, state_id: &str) -> Self {
        let [target_image, native_image] = images;
        // The script is part of the hash: another script makes another toolchain.
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

/// Why a GHC on `host` cannot compile for `target`, as half a sentence; `None` if it can, or if its version is unknown.
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
    if is_older(ghc, first)? {
        return Some(format!("GHC {ghc} cannot compile for {target} on {host}, GHC {first} and later can"));
    }
    // Later GHCs have no interpreter (GHC #24731), and name their tools in `lib/targets/default.target`, not in
    // `settings`.
    let has_interpreter = is_older(ghc, "9.15")?;
    (!has_interpreter).then(|| format!("GHC {ghc} comes without `ghc-iserv`, which would run Template Haskell"))
}

/// [`MAKE_TOOLCHAIN`] prints this before the reason why an image is unfit for it.
const NO_TOOLCHAIN: &str = "cross: ";

/// [`MAKE_TOOLCHAIN`] prints this before what would be faster with a better image.
const NOTE: &str = "note: ";

/// Why there is no toolchain, from the output of the script that should have made it.
pub(crate) fn why_no_toolchain(output: &str) -> String {
    let reason = output.lines().find_map(|line| line.strip_prefix(NO_TOOLCHAIN));
    reason.map_or("the toolchain could not be made".to_owned(), str::to_owned)
}

/// What would be faster with a better image, from the output of the script that made the toolchain.
pub(crate) fn note(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.strip_prefix(NOTE))
}

/// Describes the compiler calls that the toolchain could not do, so that the target's own compiler did them, emulated.
/// `counted` has the lines that a build leaves, each with a count and a kind of call. Lines of another form come from
/// the project and are ignored.
pub(crate) fn emulated_calls(counted: &str) -> Vec<String> {
    let note = |line: &str| {
        let (count, call) = line.trim().split_once(' ')?;
        let count: u32 = count.parse().ok()?;
        let (doing, would_end_it) = match call {
            "compile clang" => ("compiling C", "the log has what clang said"),
            "link clang" => ("linking", "the log has what clang and the linker said"),
            "link lld" => ("linking", "GNU's linker for the platform in the image (binutils) would do it"),
            "compile none" => ("compiling C", "clang in the image would do it"),
            "link none" => ("linking", "clang in the image would do it"),
            _ => return None,
        };
        let calls = if count == 1 { "call" } else { "calls" };
        Some(format!("{doing}: {count} {calls} done by the platform's own compiler, emulated; {would_end_it}"))
    };
    counted.lines().filter_map(note).collect()
}

/// Why emulation may succeed where a `cross` build failed, from the end of its output; `None` if it would fail too.
///
/// Only messages of GHC and the interpreter themselves count: their output also quotes the project's files.
pub(crate) fn emulation_may_help(output: &str) -> Option<&'static str> {
    output.lines().find_map(|line| {
        // "ghc-9.6.6: MESSAGE" or "<no location info>: error: MESSAGE"; the MESSAGE may be indented on the next line.
        let speaker = line.split_once(": ").map_or("", |(speaker, _)| speaker);
        let is_ghc = speaker.starts_with("ghc") && !speaker.contains(' ');
        let said = if is_ghc { &line[speaker.len() + 2..] } else { line.trim_start() };
        let said = said.strip_prefix("<no location info>: error: ").unwrap_or(said);
        if said == "Plugins require -fno-external-interpreter" {
            return Some("GHC plugins need a compiler of the platform's own");
        }
        let died = ["ghc-iserv terminated (", "External interpreter terminated ("].iter().any(|by| said.starts_with(by))
            // GHC says this when it reads from an interpreter that has died.
            || said.starts_with("{handle: ") && said.ends_with("}: GHCi.Message.remoteCall: end of file");
        (died || is_ghc && speaker.starts_with("ghc-iserv")).then_some("Template Haskell's interpreter failed")
    })
}

/// What needed emulation in a build that had none, from the end of the build's output.
pub(crate) fn needed_emulation(output: &str) -> Option<String> {
    // In cross-compilation mode hsc2hs learns numbers from the C compiler, but it must run a program to print a text.
    if let Some(line) = output.lines().find(|line| line.ends_with("cannot be handled in cross-compilation mode")) {
        return Some(format!("hsc2hs for {}", line.split(':').next().unwrap_or_default()));
    }
    // "FILE: createProcess: posix_spawnp: invalid argument (Exec format error)", on two lines perhaps;
    // "configure: 16: ./conftest: Exec format error".
    let (before, _) = output.split_once("Exec format error")?;
    let functions = ["builderMainLoop", "createProcess", "execvp", "execvpe", "posix_spawn", "posix_spawnp"];
    let mut words = before.split_whitespace().rev().filter_map(|word| word.strip_suffix(':'));
    let program = words.find(|word| !functions.contains(word))?;
    Some(match program.rsplit('/').next() {
        Some("ghc-iserv") => "Template Haskell".to_owned(),
        Some("setup") => format!("the custom `Setup.hs` (`{program}`)"),
        _ => format!("`{program}`"),
    })
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
            (Platform::Amd64, Platform::Arm64, "9.14.1", true),
            (Platform::Amd64, Platform::Arm64, "10.0.1", false),
            (Platform::Amd64, Platform::Arm64, "latest", true),
        ] {
            assert_eq!(obstacle(host, target, Some(ghc)).is_none(), possible, "{host} {target} {ghc}");
        }
    }

    #[test]
    fn what_only_emulation_can_is_known_by_its_own_words() {
        for output in [
            "ghc-9.6.6: Plugins require -fno-external-interpreter\nError: cabal: Failed to build",
            "<no location info>: error: Plugins require -fno-external-interpreter",
            "<no location info>: error:\n    Plugins require -fno-external-interpreter",
            "ghc-9.6.6: ghc-iserv terminated (-11)",
            "    • Exception when trying to run compile-time code:\n        External interpreter terminated (1)",
            "        {handle: <file descriptor: 11>}: GHCi.Message.remoteCall: end of file",
            "ghc-iserv: Could not load Object Code /hsx/build/C.o.",
        ] {
            assert!(emulation_may_help(output).is_some(), "{output}");
        }
    }

    #[test]
    fn what_the_project_says_is_not_worth_another_try() {
        for output in [
            "Main.hs:1:1: error: [GHC-83865]\n  • Couldn't match type",
            "Plugin.hs:3:5: error: [GHC-83865]\n    • Couldn't match expected type ‘Plugin’ with -fplugin",
            "main = putStrLn \"ghc-9.6.6: ghc-iserv terminated (-11)\"",
            "3 | main = putStrLn \"ghc-9.6.6: ghc-iserv terminated (-11)\"",
            "7 | -- Plugins require -fno-external-interpreter",
            "Main.hs:7:4: error: Plugins require -fno-external-interpreter, he said",
            "Main.hs:2:1: error:\n    Could not find module ‘Stamp’\n    It is not a plugin, nor ghc-iserv: ld.lld: error",
        ] {
            assert_eq!(emulation_may_help(output), None, "{output}");
        }
    }

    #[test]
    fn what_could_not_start_is_named() {
        for (output, expected) in [
            (
                "    /hsx/cross/iserv/ghc-iserv: createProcess: posix_spawnp: invalid argument (Exec format error)",
                "Template",
            ),
            ("    keeper: builderMainLoop: posix_spawnp: invalid argument (Exec format error)", "`keeper`"),
            (
                "exception was:\n/b/setup/setup:\ncreateProcess: execvpe: invalid argument (Exec format error)",
                "Setup.hs",
            ),
            ("//src/nest/configure: 16: ./conftest: Exec format error", "`./conftest`"),
            ("F.hsc:26 directive let cannot be handled in cross-compilation mode", "hsc2hs for F.hsc"),
        ] {
            let needed = needed_emulation(output).unwrap();
            assert!(needed.contains(expected), "{needed}");
        }
        assert_eq!(needed_emulation("Main.hs:1:1: error: parse error"), None);
    }

    #[test]
    fn emulated_calls_are_counted_and_what_would_end_them_is_said() {
        let counted = "      1 compile clang\n     12 link lld\n      3 compile none\n 2 \u{1b}[31mred\nnonsense\n";
        assert_eq!(
            emulated_calls(counted),
            [
                "compiling C: 1 call done by the platform's own compiler, emulated; the log has what clang said",
                "linking: 12 calls done by the platform's own compiler, emulated; GNU's linker for the platform in the \
                 image (binutils) would do it",
                "compiling C: 3 calls done by the platform's own compiler, emulated; clang in the image would do it",
            ]
        );
    }

    #[test]
    fn the_script_says_what_an_image_lacks() {
        assert_eq!(
            why_no_toolchain("x\ncross: the image has no ghc-iserv in /usr\n"),
            "the image has no ghc-iserv in /usr"
        );
        assert_eq!(why_no_toolchain("sh: 3: sed: not found"), "the toolchain could not be made");
        assert_eq!(note("a\nnote: more would be better\n"), Some("more would be better"));
    }
}
