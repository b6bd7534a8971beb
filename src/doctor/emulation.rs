//! Judges whether programs of other platforms start in containers.

use super::finding::Finding;
use super::machine::{Emulation, Machine, Probe};
use crate::base::version::Version;
use crate::tools::binfmt::Handler;
use crate::tools::engine::health::{Health, Place};
use crate::tools::engine::{Dialect, Info};
use crate::tools::system::handler_by_container;

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// QEMU before this version is slow with GHC: 7.2 takes 5.3 s to start a program built by GHC, 10.0 takes 0.09 s.
const FAST_SINCE: u32 = 8;

pub(super) fn judge(machine: &Machine) -> Vec<Finding> {
    let Some((program, info, health)) = machine.engine() else { return Vec::new() };
    let foreign = machine.emulation.iter().filter(|emulation| Some(emulation.platform) != info.platform);
    foreign.map(|emulation| platform(machine, emulation, program, info, health)).collect()
}

fn platform(machine: &Machine, found: &Emulation, program: &str, info: &Info, health: &Health) -> Finding {
    let about = found.platform.to_string();
    let bad = |text: String| {
        let text = format!("programs do not start: {text}");
        // The user does not build for this platform, so no build can fail for it.
        if found.wanted { Finding::bad(&about, text) } else { Finding::warning(&about, text) }
    };
    let name = |entry: &crate::tools::binfmt::Entry| format!("{BINFMT}/{}", entry.name);
    if let Handler::Ready(_) | Handler::Unknown = found.handler {
        return match &found.probe {
            Probe::Started => well(found, "programs start, as one did just now"),
            Probe::NotTried if found.handler == Handler::Unknown => unknown(machine, found, program, info, health),
            Probe::NotTried => well(found, "programs start, says the kernel; there is no image here to try one in"),
            Probe::Failed(said) => {
                bad(format!("the engine says `{said}`")).fix(elsewhere(found, program, info, health))
            }
            Probe::TimedOut => bad("one did not end in time".to_owned()).fix(elsewhere(found, program, info, health)),
        };
    }
    match &found.handler {
        Handler::AllDisabled => {
            bad("binfmt_misc is disabled".to_owned()).fix(format!("echo 1 | sudo tee {BINFMT}/status"))
        }
        Handler::Disabled(entry) => {
            bad(format!("the handler `{}` is disabled", entry.name)).fix(format!("echo 1 | sudo tee {}", name(entry)))
        }
        Handler::NotForContainers(entry) => {
            let text = format!("the handler `{}` lacks the flag F (it has `{}`)", entry.name, entry.flags);
            let again = format!("echo -1 | sudo tee {} && {}", name(entry), register(machine, found));
            bad(text).fix(again)
        }
        _ => bad(format!("no QEMU handler for {} is registered with the kernel", found.platform.machine()))
            .fix(register(machine, found)),
    }
}

/// The command that registers the handler: from its file when that is installed, otherwise by installing it first.
fn register(machine: &Machine, found: &Emulation) -> String {
    match &found.file {
        Some(file) => machine.system.register(file.as_str()),
        None => machine.system.setup_emulation(found.platform),
    }
}

fn well(found: &Emulation, text: &str) -> Finding {
    let about = found.platform.to_string();
    let qemu = found.version.as_ref().map(|version| format!(", QEMU {version}")).unwrap_or_default();
    let text = match &found.handler {
        Handler::Ready(entry) => format!("{text} (handler `{}`, flags {}{qemu})", entry.name, entry.flags),
        _ => text.to_owned(),
    };
    let major = found.version.as_deref().and_then(Version::leading).map(|version| version.major());
    if major.is_some_and(|major| major < FAST_SINCE) {
        let hint = "where GHC is emulated it takes seconds for each start; a QEMU since 8 does not";
        let install = handler_by_container("sudo podman", found.platform);
        return Finding::warning(about, format!("{text}: {hint}")).fix(install);
    }
    Finding::good(about, text)
}

/// The finding when the kernel's handlers cannot be read here and no program could be tried.
fn unknown(machine: &Machine, found: &Emulation, program: &str, info: &Info, health: &Health) -> Finding {
    let about = found.platform.to_string();
    match health.place {
        Place::DockerDesktop | Place::OrbStack => Finding::good(about, "the engine's virtual machine brings QEMU"),
        Place::Here if machine.is_local => {
            let text = "nothing says whether programs start: binfmt_misc is not mounted";
            Finding::warning(about, text).fix(format!("sudo mount -t binfmt_misc binfmt_misc {BINFMT}"))
        }
        _ => Finding::warning(
            about,
            "whether programs start is up to the engine's machine, and no image is there to try",
        )
        .fix(elsewhere(found, program, info, health)),
    }
}

/// The command that sets up emulation on the machine where the engine runs.
fn elsewhere(found: &Emulation, program: &str, info: &Info, health: &Health) -> String {
    match health.place {
        Place::PodmanRemote => "podman machine ssh sudo rpm-ostree install qemu-user-static && podman machine stop && \
             podman machine start"
            .to_owned(),
        Place::Colima => "colima ssh -- sudo apt-get install qemu-user-static".to_owned(),
        // Docker's daemon is root already; a rootless engine cannot reach the kernel's table.
        _ if info.dialect == Dialect::Docker && !info.rootless => handler_by_container(program, found.platform),
        _ => handler_by_container(&format!("sudo {program}"), found.platform),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::super::machine::EngineAnswer;
    use super::super::machine::tests::machine;
    use super::*;
    use crate::base::platform::Platform;
    use crate::tools::binfmt::{Entry, handler};
    use crate::tools::system::System;

    /// The kernel's entries as the packages of each system register them.
    const DEBIAN: &str = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POF\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";
    const FEDORA: &str = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: F\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";
    const NIXOS: &str = "enabled\ninterpreter /run/binfmt/aarch64-linux\nflags: P\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

    fn found(name: &str, text: &str) -> Emulation {
        let entries = [("status", "enabled\n"), (name, text)].map(|(name, text)| (name.to_owned(), text.to_owned()));
        Emulation {
            platform: Platform::Arm64,
            wanted: true,
            handler: handler(Platform::Arm64, &entries),
            file: None,
            version: None,
            probe: Probe::NotTried,
        }
    }

    fn judged(system: &str, emulation: Emulation) -> Finding {
        let machine = Machine { system: System::of(system), emulation: vec![emulation], ..machine() };
        judge(&machine).remove(0)
    }

    #[test]
    fn what_the_kernel_says_is_judged() {
        let disabled = DEBIAN.replace("enabled", "disabled");
        for (system, name, text, mark, said, fix) in [
            ("ID=debian", "qemu-aarch64", DEBIAN, Mark::Good, "flags POF", ""),
            ("ID=fedora", "qemu-aarch64-static", FEDORA, Mark::Good, "flags F", ""),
            ("ID=nixos", "aarch64-linux", NIXOS, Mark::Bad, "lacks the flag F (it has `P`)", "preferStaticEmulators"),
            (
                "ID=debian",
                "qemu-aarch64",
                &disabled,
                Mark::Bad,
                "is disabled",
                "echo 1 | sudo tee /proc/sys/fs/binfmt_misc/qemu-aarch64",
            ),
            (
                "ID=arch",
                "other",
                "enabled\n",
                Mark::Bad,
                "no QEMU handler for aarch64",
                "sudo pacman -S qemu-user-static",
            ),
            ("ID=alpine", "other", "enabled\n", Mark::Bad, "no QEMU handler", "sudo apk add qemu-aarch64"),
        ] {
            let finding = judged(system, found(name, text));
            assert!(finding.mark == mark && finding.text.contains(said), "{finding:?}");
            assert!(finding.fixes.concat().contains(fix), "{finding:?}");
        }
    }

    #[test]
    fn a_handler_that_a_package_left_is_registered_from_its_file() {
        let missing =
            Emulation { file: Some("/usr/lib/binfmt.d/qemu-aarch64.conf".into()), ..found("other", "enabled\n") };
        assert_eq!(judged("ID=debian", missing.clone()).fixes, ["sudo systemctl restart systemd-binfmt"]);
        let system = System::of("ID=debian").on("6.1", false);
        let bare = Machine { system, emulation: vec![missing], ..machine() };
        let cat = "cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register";
        assert_eq!(judge(&bare)[0].fixes, [format!("sudo sh -c '{cat}'")]);
    }

    #[test]
    fn the_probe_has_the_last_word() {
        let probed = |probe| judged("ID=debian", Emulation { probe, ..found("qemu-aarch64", DEBIAN) });
        assert!(probed(Probe::Started).text.contains("as one did just now"));
        assert_eq!(probed(Probe::TimedOut).mark, Mark::Bad);
        let failed = probed(Probe::Failed("exec format error".to_owned()));
        assert!(failed.mark == Mark::Bad && failed.fixes[0].contains("tonistiigi/binfmt"), "{failed:?}");
    }

    #[test]
    fn what_nobody_wants_is_no_problem() {
        let finding = judged("ID=arch", Emulation { wanted: false, ..found("other", "enabled\n") });
        assert_eq!(finding.mark, Mark::Warning);
    }

    #[test]
    fn an_old_qemu_is_slow() {
        for (version, mark) in [("7.2.19", Mark::Warning), ("8.0.0", Mark::Good), ("10.0.2", Mark::Good)] {
            let emulation = Emulation { version: Some(version.to_owned()), ..found("qemu-aarch64", DEBIAN) };
            let finding = judged("ID=debian", emulation);
            assert!(finding.mark == mark && finding.text.contains(&format!("QEMU {version}")), "{finding:?}");
        }
    }

    #[test]
    fn an_engine_in_a_virtual_machine_is_asked_there() {
        for (place, mark, fix) in [
            (Place::DockerDesktop, Mark::Good, ""),
            (Place::OrbStack, Mark::Good, ""),
            (Place::Colima, Mark::Warning, "colima ssh"),
            (Place::PodmanRemote, Mark::Warning, "podman machine ssh"),
            (Place::Here, Mark::Warning, "mount -t binfmt_misc"),
        ] {
            let mut machine = machine();
            let EngineAnswer::Ready(_, health) = &mut machine.engines[0].answer else { panic!("it is ready") };
            health.place = place;
            machine.emulation = vec![Emulation { handler: Handler::Unknown, ..found("x", "") }];
            let finding = judge(&machine).remove(0);
            assert!(finding.mark == mark && finding.fixes.concat().contains(fix), "{finding:?}");
        }
    }

    #[test]
    fn the_engines_own_platform_needs_no_emulation() {
        let own = Emulation { platform: Platform::Amd64, ..found("x", "") };
        assert!(judge(&Machine { emulation: vec![own], ..machine() }).is_empty());
        let entry = Entry { name: String::new(), interpreter: String::new(), flags: String::new() };
        assert_eq!(
            judged("ID=arch", Emulation { handler: Handler::Disabled(entry), ..found("x", "") }).mark,
            Mark::Bad
        );
    }
}
