//! Judges the container engines, and what rootless podman needs.

use super::finding::Finding;
use super::machine::{Engine, EngineAnswer, Machine};
use crate::base::version::Version;
use crate::tools::engine::health::{Health, Place};
use crate::tools::engine::{Dialect, Info};
use crate::tools::system::System;

/// How many ids a user namespace needs to hold the files of any image.
const IDS: u64 = 65_536;

/// Where subordinate ids usually begin.
const FIRST_ID: u64 = 100_000;

pub(super) fn judge(machine: &Machine) -> Vec<Finding> {
    let mut findings = engines(machine);
    let Some((program, info, health)) = machine.engine() else { return findings };
    findings.extend(storage(health));
    if machine.is_local && info.dialect == Dialect::Podman && info.rootless {
        findings.extend(rootless(machine, info));
    }
    if health.selinux {
        findings.push(Finding::good("selinux", format!("{program} uses it, and hsx's containers need no labels")));
    }
    if info.dialect == Dialect::Podman && health.cgroups == Some(1) && machine.is_local {
        let finding = Finding::warning("cgroups", "they are of version 1, with which podman 5 does not start");
        findings.push(finding.fix("boot the kernel with systemd.unified_cgroup_hierarchy=1"));
    }
    findings.extend(limits(machine));
    findings
}

fn engines(machine: &Machine) -> Vec<Finding> {
    let is_ready = machine.engine().is_some();
    let is_installed = machine.engines.iter().any(|engine| !matches!(engine.answer, EngineAnswer::NotInstalled));
    let mut taken = false;
    let mut findings = Vec::new();
    for engine in &machine.engines {
        match &engine.answer {
            EngineAnswer::Ready(info, health) if !taken => {
                taken = true;
                findings.push(ready(&engine.program, info, health));
            }
            EngineAnswer::Ready(info, _) => {
                let text = format!("{} {} answers too; `--engine` takes it", engine.program, info.version);
                findings.push(Finding::good("engine", text));
            }
            EngineAnswer::Silent(said) => findings.push(silent(machine, engine, said, is_ready)),
            EngineAnswer::NotInstalled => {}
        }
    }
    if !is_installed {
        let names: Vec<_> = machine.engines.iter().map(|engine| format!("`{}`", engine.program)).collect();
        let finding = Finding::bad("engine", format!("{} not on PATH", names.join(" and ")));
        let fixes = machine.engines.iter().map(|engine| machine.system.install_engine(&engine.program));
        findings.push(fixes.fold(finding, Finding::fix));
    }
    findings
}

fn ready(program: &str, info: &Info, health: &Health) -> Finding {
    let mut words = vec![format!("{program} {}", info.version)];
    words.extend(info.rootless.then(|| "rootless".to_owned()));
    words.extend(match health.place {
        Place::Here => None,
        Place::DockerDesktop => Some("Docker Desktop".to_owned()),
        Place::OrbStack => Some("OrbStack".to_owned()),
        Place::Colima => Some("colima".to_owned()),
        Place::PodmanRemote => Some("in a virtual machine or elsewhere".to_owned()),
    });
    let Some(platform) = info.platform else {
        return Finding::bad("engine", format!("{}: its platform is none that hsx knows", words.join(", ")))
            .fix("`--engine` takes another");
    };
    words.push(platform.to_string());
    let (least, name) = match info.dialect {
        Dialect::Docker => ("20.10", "docker"),
        Dialect::Podman => ("4.3", "podman"),
    };
    let version = Version::leading(&info.version);
    if version.zip(least.parse().ok()).is_some_and(|(version, least)| version < least) {
        let text = format!("{}; hsx is tried with ≥ {least}", words.join(", "));
        return Finding::warning("engine", text)
            .fix(format!("use a newer {name}, from your system's next release or from its project"));
    }
    Finding::good("engine", words.join(", "))
}

fn silent(machine: &Machine, engine: &Engine, said: &str, another_answers: bool) -> Finding {
    let line = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gives no reason");
    let text = format!("{} does not answer: {line}", engine.program);
    let finding = if another_answers { Finding::warning("engine", text) } else { Finding::bad("engine", text) };
    let mut fixes = mends(&machine.system, &machine.user, &engine.program, said);
    if fixes.is_empty() {
        fixes.push(format!("{} info  # says all of it", engine.program));
    }
    fixes.into_iter().fold(finding, Finding::fix)
}

/// Commands that may make an engine answer, judged by its error output. Empty when that gives no clue.
pub(crate) fn mends(system: &System, user: &str, program: &str, said: &str) -> Vec<String> {
    let lower = said.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let is_docker = program.rsplit('/').next().is_some_and(|name| name.starts_with("docker"));
    if is_docker && says(&["permission denied"]) {
        vec![format!("sudo usermod --append --groups docker {user}  # then log in again")]
    } else if !is_docker && says(&["newuidmap", "subuid", "subgid"]) {
        vec![system.add_subids(user, FIRST_ID)]
    } else if is_docker || says(&["connect", "no such file"]) {
        system.start_engine(program)
    } else {
        Vec::new()
    }
}

fn storage(health: &Health) -> Option<Finding> {
    (health.driver == "vfs").then(|| {
        let text = "the driver `vfs` copies every layer: slow, and several times the space";
        Finding::warning("storage", text)
            .fix("write `[storage]` and `driver = \"overlay\"` into ~/.config/containers/storage.conf")
            .fix("podman system reset  # removes all of podman's images and volumes")
    })
}

fn rootless(machine: &Machine, info: &Info) -> Vec<Finding> {
    let [uids, gids] = machine.subids.each_ref().map(|text| text.as_deref().unwrap_or_default());
    let few = [uids, gids].iter().any(|text| ids_of(text, &machine.user) < IDS);
    let mut findings = Vec::new();
    if few {
        let text = format!("`{}` has no {IDS} subordinate ids in /etc/subuid and /etc/subgid", machine.user);
        findings.push(
            Finding::bad("rootless", text).fix(machine.system.add_subids(&machine.user, first_free([uids, gids]))),
        );
    }
    // Podman 5.0 and later use pasta, from the package passt.
    let new = Version::leading(&info.version).is_some_and(|version| version.major() >= 5);
    let network = if new { ("pasta", "passt") } else { ("slirp4netns", "slirp4netns") };
    for (program, package) in [("newuidmap", "newuidmap"), network] {
        if !machine.helpers.contains(&program) {
            let text = format!("`{program}` is not on PATH, which rootless podman starts");
            findings.push(Finding::bad("rootless", text).fix(machine.system.install_tool(package)));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good("rootless", format!("subordinate ids, `newuidmap` and `{}` are there", network.0)));
    }
    findings
}

/// How many ids a file in the format of subuid(5) gives a user.
fn ids_of(text: &str, user: &str) -> u64 {
    let lines = text.lines().filter_map(|line| line.strip_prefix(user)?.strip_prefix(':')?.split_once(':'));
    lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
}

/// The first id above all that are given to a user.
fn first_free(texts: [&str; 2]) -> u64 {
    let ends = texts.iter().flat_map(|text| text.lines()).filter_map(|line| {
        let mut fields = line.split(':').skip(1).map(|field| field.trim().parse::<u64>().ok());
        Some(fields.next()?? + fields.next()??)
    });
    ends.fold(FIRST_ID, u64::max)
}

/// The limits of this machine that GHC, cabal and podman are known to run into.
fn limits(machine: &Machine) -> Vec<Finding> {
    let low = |limit: Option<u64>| limit.is_some_and(|limit| limit < 1024);
    let mut findings = Vec::new();
    if low(machine.open_files) {
        findings.push(Finding::warning("limits", "fewer than 1024 files may be open at a time").fix("ulimit -n 4096"));
    }
    if low(machine.processes) {
        findings.push(Finding::warning("limits", "fewer than 1024 processes may run at a time").fix("ulimit -u 4096"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::super::judge;
    use super::super::machine::tests::machine;
    use super::*;

    /// The only finding that is not good: its mark, its text and its fixes.
    fn fixes(machine: &Machine) -> (Mark, String, Vec<String>) {
        let findings: Vec<_> = judge(machine).into_iter().filter(|finding| finding.mark != Mark::Good).collect();
        let [finding] = findings.as_slice() else { panic!("one finding: {findings:#?}") };
        (finding.mark, finding.text.clone(), finding.fixes.clone())
    }

    fn only(program: &str, answer: EngineAnswer) -> Vec<Engine> {
        vec![Engine { program: program.to_owned(), answer }]
    }

    #[test]
    fn without_an_engine_each_system_is_told_how_to_get_one() {
        for (os_release, fix) in [
            ("ID=debian\nVERSION_ID=12", "install podman: sudo apt-get install podman"),
            ("ID=fedora", "install podman: sudo dnf install podman"),
            ("ID=nixos", "install podman: in configuration.nix: virtualisation.podman.enable = true;"),
            ("", "install podman: brew install podman && podman machine init && podman machine start"),
        ] {
            let missing = |program: &str| Engine { program: program.to_owned(), answer: EngineAnswer::NotInstalled };
            let machine = Machine {
                system: System::of(os_release),
                engines: vec![missing("podman"), missing("docker")],
                image: None,
                emulation: Vec::new(),
                ..machine()
            };
            let (mark, text, fixes) = fixes(&machine);
            assert_eq!((mark, text.as_str(), fixes[0].as_str()), (Mark::Bad, "`podman` and `docker` not on PATH", fix));
        }
    }

    #[test]
    fn an_engine_that_is_stopped_is_started_as_the_system_does_it() {
        let stopped =
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        let denied = "permission denied while trying to connect to the Docker daemon socket";
        let debian = System::of("ID=debian");
        for (system, said, fix) in [
            (debian.clone(), stopped, "sudo systemctl enable --now docker"),
            (debian.clone().on("6.1", false), stopped, "sudo service docker start"),
            (debian.clone().on("5.15-microsoft-standard-WSL2", true), stopped, "sudo systemctl enable --now docker"),
            (System::of("ID=alpine"), stopped, "sudo rc-update add docker && sudo rc-service docker start"),
            (System::of(""), stopped, "open -a Docker  # Docker Desktop"),
            (debian, denied, "sudo usermod --append --groups docker me  # then log in again"),
        ] {
            let engines = only("docker", EngineAnswer::Silent(said.to_owned()));
            let machine = Machine { system, engines, image: None, emulation: Vec::new(), ..machine() };
            let (mark, text, fixes) = fixes(&machine);
            assert!(mark == Mark::Bad && text.starts_with("docker does not answer: "), "{text}");
            assert_eq!(fixes[0], fix);
        }
    }

    #[test]
    fn rootless_podman_needs_ids_helpers_and_a_fast_store() {
        let none = [Some(String::new()), Some(String::new())];
        let (mark, _, found) = fixes(&Machine { subids: none, ..machine() });
        let add = "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 me && podman system migrate";
        assert_eq!((mark, found), (Mark::Bad, vec![add.to_owned()]));
        let others = Some("you:100000:65536\nme:165536:10\n".to_owned());
        let (_, _, found) = fixes(&Machine { subids: [others.clone(), others], ..machine() });
        assert!(found[0].contains("--add-subuids 165546-231081"), "{found:?}");

        let (_, text, found) = fixes(&Machine { helpers: vec!["newuidmap", "slirp4netns"], ..machine() });
        assert!(text.starts_with("`pasta` is not on PATH"), "podman is 5.4.2: {text}");
        assert_eq!(found, ["sudo apt-get install passt"]);

        let mut slow = machine();
        let EngineAnswer::Ready(_, health) = &mut slow.engines[0].answer else { panic!("it is ready") };
        health.driver = "vfs".to_owned();
        let (mark, text, _) = fixes(&slow);
        assert!(mark == Mark::Warning && text.contains("`vfs`"), "{text}");
    }

    #[test]
    fn what_an_engine_says_may_tell_what_it_lacks() {
        let debian = System::of("ID=debian");
        for (program, said, mend) in [
            (
                "podman",
                "cannot set up namespace using \"newuidmap\": exit status 1",
                "sudo usermod --add-subuids 100000-165535",
            ),
            ("podman", "unable to connect to Podman socket", "sudo systemctl enable --now podman.socket"),
            ("/opt/docker", "Cannot connect to the Docker daemon", "sudo systemctl enable --now docker"),
            ("podman", "database is locked", ""),
        ] {
            let mends = mends(&debian, "me", program, said).concat();
            assert!(mends.starts_with(mend) && mends.is_empty() == mend.is_empty(), "{said}: {mends}");
        }
    }

    #[test]
    fn old_engines_and_low_limits_are_warned_of() {
        let mut old = machine();
        let EngineAnswer::Ready(info, _) = &mut old.engines[0].answer else { panic!("it is ready") };
        info.version = "4.2.0".to_owned();
        let (mark, text, _) = fixes(&Machine { helpers: vec!["newuidmap", "slirp4netns"], ..old });
        assert!(mark == Mark::Warning && text.ends_with("hsx is tried with ≥ 4.3"), "{text}");
        let (mark, _, found) = fixes(&Machine { open_files: Some(256), ..machine() });
        assert_eq!((mark, found), (Mark::Warning, vec!["ulimit -n 4096".to_owned()]));
    }
}
