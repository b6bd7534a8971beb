//! Diagnoses a failed command from its exit code and the end of its output, and suggests what to type next.

use crate::base::cmd::Cmd;
use crate::base::error::{Error, ErrorKind};
use crate::base::exit_code::ExitCode;
use crate::base::platform::Platform;
use crate::facts::strategy::{self, Strategy};
use crate::facts::{Elsewhere, cross};
use crate::tools::system::System;
use crate::tools::{cabal, engine};

/// A command that failed.
#[derive(Clone, Copy)]
pub(crate) struct FailedCommand<'a> {
    pub cmd: &'a Cmd,
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    /// The end of the command's output.
    pub said: &'a str,
    pub platform: Platform,
    pub strategy: Strategy,
    pub system: &'a System,
    /// The user asked for a build that downloads nothing (`--offline`).
    pub is_offline: bool,
    /// The engine, when it runs on another machine.
    pub elsewhere: Option<&'a Elsewhere>,
}

impl FailedCommand<'_> {
    /// The error of a script that failed in a container: a build error when cabal failed, a host error otherwise.
    pub(crate) fn in_container(self, failure: &str) -> Error {
        if !ExitCode::CabalFailed.is(self.code) || disk_full(self.said) {
            return self.of_engine("the builder container failed");
        }
        if let Some(needed) = self.needed_emulation() {
            let setup = self.system.setup_emulation(self.platform);
            let message = format!("{needed} has to run {} programs, which do not start on this machine", self.platform);
            return Error::host(message).hint(format!("set up emulation: {setup}"));
        }
        let kind = if cabal::is_unknown_target(self.said) { ErrorKind::Usage } else { ErrorKind::Build };
        let mut error = Error::new(kind, failure);
        error.messages = cabal::messages(self.said);
        if self.is_offline && (cabal::wants_download(self.said) || cabal::is_unsolvable(self.said)) {
            return error.hint("something was never downloaded: run it again without `--offline`");
        }
        if cabal::wants_download(self.said) {
            return error.hint(
                "builds have no network: what this one downloads has to come with a package, or from a repository of the project",
            );
        }
        error.hints(cabal::failure_hint(self.said))
    }

    /// Reports this failure for another platform than the build's.
    pub(crate) fn on(self, platform: Platform) -> Self {
        Self { platform, ..self }
    }

    /// The error of the script that adds packages to an image.
    pub(crate) fn in_package_manager(self) -> Error {
        let has = |words: &[&str]| words.iter().any(|words| self.said.contains(words));
        // apk: "ERROR: unable to select packages:\n  foo (no such package):"; apt: "E: Unable to locate package foo",
        // "E: Version '1' for 'foo' was not found".
        if has(&["(no such package)", "unable to select packages", "Unable to locate package", "was not found"]) {
            return Error::usage("the image's distribution has not all of the packages")
                .tried(self.cmd.brief())
                .said(self.said)
                .hint("ghc-musl is Alpine Linux: https://pkgs.alpinelinux.org lists its packages, static ones as NAME-static");
        }
        self.of_engine("the packages cannot be added to the image")
    }

    fn needed_emulation(self) -> Option<String> {
        // An emulated build starts its builder by emulation, so only a cross build can lack it.
        (self.strategy == Strategy::Cross).then(|| cross::needed_emulation(self.said)).flatten()
    }

    /// Why emulation may succeed where this command failed. `None`: emulation would fail too.
    pub(crate) fn emulation_may_help(self) -> Option<String> {
        match self.code {
            _ if self.strategy != Strategy::Cross || disk_full(self.said) => None,
            code if engine::image_mount_was_lost(code, self.said) || self.lost_its_engine() => None,
            code if engine::container_was_never_made(code, self.said) => None,
            code if ExitCode::CabalFailed.is(code) => cross::emulation_may_help(self.said).map(str::to_owned),
            // The shell could not start a program (POSIX, "Exit Status for Commands").
            Some(126 | 127) => Some("the host's tools do not start in the platform's container".to_owned()),
            _ => None,
        }
    }

    /// Why the toolchain could not be made. `None`: the engine failed, not the script that makes the toolchain.
    pub(crate) fn why_no_toolchain(self) -> Option<String> {
        let is_engines = disk_full(self.said) || matches!(self.code, None | Some(125 | 137));
        (!is_engines).then(|| cross::why_no_toolchain(self.said))
    }

    /// Whether a cross build, which itself needs no emulation, failed to start a program of the platform.
    pub(crate) fn lacks_emulation(self) -> bool {
        self.strategy == Strategy::Cross && self.said.to_ascii_lowercase().contains("exec format error")
    }

    /// Whether the connection to an engine elsewhere broke.
    fn lost_its_engine(self) -> bool {
        // An exit code of the script in the container means that the lost connection was the container's own. Podman's
        // client exits with 126 when it loses its service before the container has started.
        let is_run = self.cmd.args.iter().any(|arg| arg == "run");
        let by_client = matches!(self.code, None | Some(125 | 126 | 255)) || (self.code == Some(1) && !is_run);
        let lower = self.said.to_ascii_lowercase();
        self.elsewhere.is_some() && by_client && LOST.iter().any(|words| lower.contains(words))
    }

    /// The error of an engine's command, with the hint that most likely helps.
    pub(crate) fn of_engine(self, failure: &str) -> Error {
        let lower = self.said.to_ascii_lowercase();
        let error = |message: &str| Error::host(message).tried(self.cmd.brief()).said(self.said);
        if lower.contains("exec format error") {
            let setup = self.system.setup_emulation(self.platform);
            let why = "no QEMU handler is at work in containers";
            return strategy::missing_emulation(self.platform, why, &setup).tried(self.cmd.brief()).said(self.said);
        }
        if disk_full(self.said) {
            let program = &self.cmd.program;
            return error("the disk is full")
                .hint(format!("free some space: `{program} system df` shows what the engine keeps"));
        }
        let has = |words: &[&str]| words.iter().any(|words| lower.contains(words));
        if let Some(Elsewhere { connection, check }) = self.elsewhere {
            let name = connection.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
            let lost = format!("the connection{name} to the engine was lost");
            return error(if self.lost_its_engine() { &lost } else { failure }).hint(format!(
                "`{check}` tells whether the engine answers; nothing was delivered, run this again then"
            ));
        }
        let error = error(failure);
        if has(&["permission denied"]) && has(&["sock"]) {
            error.hint("your user may not reach the engine: join its group, or use rootless podman")
        } else if has(&["unexpected eof", "error during connect", "cannot connect to", "error waiting for container"]) {
            error.hint("the engine stopped: start it and run this again")
        } else if self.code == Some(137) || has(&["out of memory", "oom"]) {
            error.hint("the container was killed: by somebody, or for lack of memory; try `--jobs 1`")
        } else if has(&["ping_group_range", "newuidmap", "subuid", "/dev/net/tun", "slirp4netns", "pasta"]) {
            error.hint("rootless containers are not set up on this machine: see podman(1), \"Rootless mode\"")
        } else if has(&["unable to execute nft"]) {
            error.hint("podman makes its networks with `nft`: install it (nftables)")
        } else {
            error
        }
    }
}

/// The error for a full disk below the output directory.
pub(crate) fn full_disk() -> Error {
    Error::host("the disk is full")
        .hint("free some space where the results go, or choose another place with `--out-dir`")
}

/// What clients print when they lose their engine: Go's network errors, and the engines' own words around them.
const LOST: &[&str] = &[
    "unexpected eof",
    "connection reset",
    "connection refused",
    "broken pipe",
    "with body length 0",
    "closed network connection",
    "server closed idle connection",
    "no route to host",
    "i/o timeout",
    "error during connect",
    "cannot connect to",
    "unable to connect",
    "failed to connect",
    "failed to create sshclient",
    "connect: no such file",
    "wait: remote command exited without exit status",
    ": eof",
];

fn disk_full(said: &str) -> bool {
    said.to_ascii_lowercase().contains("no space left on device")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: Option<i32>, said: &str) -> Error {
        let cmd = Cmd::new("podman").args(["run", "image"]);
        let (platform, strategy) = (Platform::Arm64, Strategy::Cross);
        FailedCommand {
            cmd: &cmd,
            code,
            said,
            platform,
            strategy,
            system: &System::of("ID=nixos"),
            is_offline: false,
            elsewhere: None,
        }
        .in_container("cabal failed")
    }

    #[test]
    fn a_lost_connection_is_named() {
        let check = Cmd::new("podman").args(["--connection", "far", "info"]);
        let elsewhere = Elsewhere { connection: Some("far".to_owned()), check };
        let cmd = Cmd::new("podman");
        for (code, said, message) in [
            (
                125,
                "dial unix /p.sock: connect: no such file or directory",
                "the connection `far` to the engine was lost",
            ),
            (255, "read tcp: connection reset by peer", "the connection `far` to the engine was lost"),
            (126, "Post \"http://d/start\": write: broken pipe", "the connection `far` to the engine was lost"),
            (125, "http: ContentLength=9 with Body length 0", "the connection `far` to the engine was lost"),
            (1, "error during connect: Get \"http://x\": EOF", "the connection `far` to the engine was lost"),
            (
                125,
                "Post \"http://d/wait\": http: server closed idle connection",
                "the connection `far` to the engine was lost",
            ),
            (125, "no such image", "it failed"),
            (127, "connection refused", "it failed"),
        ] {
            let (platform, strategy) = (Platform::Arm64, Strategy::Native);
            let elsewhere = Some(&elsewhere);
            let failed = FailedCommand {
                cmd: &cmd,
                code: Some(code),
                said,
                platform,
                strategy,
                system: &System::of(""),
                is_offline: false,
                elsewhere,
            };
            let error = failed.of_engine("it failed");
            assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Host, message), "{said}");
            assert!(error.hints[0].starts_with("`podman --connection far info`"), "{error:?}");
            let crossed = FailedCommand { strategy: Strategy::Cross, ..failed };
            assert_eq!(crossed.emulation_may_help().is_some(), code == 127, "{said}");
        }
    }

    #[test]
    fn a_failed_build_is_the_projects_and_quotes_nothing() {
        let error = failed(Some(100), "src/Main.hs:1:1: error: parse error");
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Build, "cabal failed"));
        assert!(error.said.is_empty() && error.hints.is_empty(), "{error:?}");
    }

    #[test]
    fn everything_else_is_the_hosts() {
        for (code, said, message, hint) in [
            (
                Some(100),
                "ghc-iserv: posix_spawnp: (Exec format error)",
                "Template Haskell has to run",
                "emulatedSystems",
            ),
            (Some(1), "exec /bin/sh: exec format error", "linux/arm64 programs do not start", "emulatedSystems"),
            (Some(100), "ar: No space left on device", "the disk is full", "podman system df"),
            (Some(125), "no space left on device", "the disk is full", "podman system df"),
            (Some(125), "permission denied: /var/run/docker.sock", "the builder container failed", "group"),
            (Some(125), "docker: unexpected EOF", "the builder container failed", "engine stopped"),
            (Some(137), "", "the builder container failed", "--jobs 1"),
            (Some(126), "open(\"/dev/net/tun\"): Permission denied", "the builder container failed", "rootless"),
            (
                Some(127),
                "Error: netavark: nftables error: unable to execute nft: No such file or directory (os error 2)",
                "the builder container failed",
                "nftables",
            ),
        ] {
            let error = failed(code, said);
            assert_eq!(error.kind, ErrorKind::Host, "{said}");
            assert!(error.message.starts_with(message), "{error:?}");
            assert!(error.hints.iter().any(|line| line.contains(hint)), "{error:?}");
        }
    }
}
