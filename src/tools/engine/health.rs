//! What an engine says of its own set-up, as far as it may make builds fail or slow them down.

use camino::Utf8PathBuf;
use serde_json::Value;

/// How an engine is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// The storage driver: `overlay`, `overlay2`, `vfs`.
    pub driver: String,
    pub selinux: bool,
    /// The version of control groups; `None` if the engine does not tell.
    pub cgroups: Option<u32>,
    /// Where the engine keeps images and volumes, on its own host.
    pub root: Utf8PathBuf,
    pub place: Place,
}

/// Where an engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this machine.
    Here,
    DockerDesktop,
    OrbStack,
    Colima,
    /// In podman's virtual machine, or on another machine that a podman client reaches.
    PodmanRemote,
}

/// Reads the set-up from the answer to [`super::Engine::info`]. If something is missing there, it counts as in order.
pub(crate) fn parse_health(json: &str) -> Health {
    let info: Value = serde_json::from_str(json).unwrap_or_default();
    let text = |path: &str| info.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let flag = |path: &str| info.pointer(path).and_then(Value::as_bool).unwrap_or_default();
    let version = |text: String| text.trim_start_matches('v').parse().ok();
    if info.get("host").is_some() {
        let place = if flag("/host/serviceIsRemote") { Place::PodmanRemote } else { Place::Here };
        return Health {
            driver: text("/store/graphDriverName"),
            selinux: flag("/host/security/selinuxEnabled"),
            cgroups: version(text("/host/cgroupVersion")),
            root: text("/store/graphRoot").into(),
            place,
        };
    }
    let options = info.get("SecurityOptions").and_then(Value::as_array);
    let mut options = options.into_iter().flatten().filter_map(Value::as_str);
    Health {
        driver: text("/Driver"),
        selinux: options.any(|option| option.contains("name=selinux")),
        cgroups: version(text("/CgroupVersion")),
        root: text("/DockerRootDir").into(),
        place: match (text("/OperatingSystem").as_str(), text("/Name").as_str()) {
            (system, _) if system.contains("Docker Desktop") => Place::DockerDesktop,
            (system, _) if system.contains("OrbStack") => Place::OrbStack,
            (_, name) if name.starts_with("colima") => Place::Colima,
            _ => Place::Here,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podman_and_docker_are_read() {
        let podman = r#"{"host":{"cgroupVersion":"v2","security":{"selinuxEnabled":true},"serviceIsRemote":false},
            "store":{"graphDriverName":"vfs","graphRoot":"/home/me/.local/share/containers/storage"}}"#;
        let health = parse_health(podman);
        assert_eq!((health.driver.as_str(), health.cgroups, health.selinux), ("vfs", Some(2), true));
        assert_eq!((health.root.as_str(), health.place), ("/home/me/.local/share/containers/storage", Place::Here));
        let docker = r#"{"Driver":"overlay2","CgroupVersion":"1","DockerRootDir":"/var/lib/docker","Name":"vm",
            "OperatingSystem":"Debian GNU/Linux 12 (bookworm)","SecurityOptions":["name=seccomp","name=selinux"]}"#;
        let health = parse_health(docker);
        assert_eq!((health.driver.as_str(), health.cgroups, health.selinux), ("overlay2", Some(1), true));
        assert_eq!((health.root.as_str(), health.place), ("/var/lib/docker", Place::Here));
    }

    #[test]
    fn virtual_machines_are_known_by_what_they_say() {
        for (json, place) in [
            (r#"{"OperatingSystem":"Docker Desktop","Name":"docker-desktop"}"#, Place::DockerDesktop),
            (r#"{"OperatingSystem":"OrbStack","Name":"orbstack"}"#, Place::OrbStack),
            (r#"{"OperatingSystem":"Ubuntu 24.04.2 LTS","Name":"colima"}"#, Place::Colima),
            (r#"{"host":{"serviceIsRemote":true}}"#, Place::PodmanRemote),
            ("nonsense", Place::Here),
        ] {
            assert_eq!(parse_health(json).place, place, "{json}");
        }
    }
}
