//! The system that hsx runs on, and the commands that install programs and start services there.

use crate::base::platform::Platform;
use crate::base::version::Version;

/// A Linux distribution as os-release(5) describes it, or macOS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct System {
    ids: Vec<String>,
    version: Option<u32>,
    /// Whether this is WSL: Linux inside Windows.
    wsl: bool,
    /// Whether systemd runs.
    systemd: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    NixOs,
    Debian,
    Fedora,
    /// Red Hat's distribution and its rebuilds, which lack some of Fedora's packages.
    Rhel,
    Arch,
    Alpine,
    Suse,
    /// Taken for every system without os-release: hsx knows no other.
    MacOs,
    Other,
}

impl System {
    /// Reads `os_release`, the text of `/etc/os-release`; empty where there is none.
    pub(crate) fn of(os_release: &str) -> Self {
        let value = |key: &str| {
            let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(line.trim_matches(['"', '\'']).to_ascii_lowercase())
        };
        let ids = ["ID", "ID_LIKE"].into_iter().filter_map(value);
        let ids = ids.flat_map(|ids| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        let version = value("VERSION_ID").and_then(|version| Some(Version::leading(&version)?.major()));
        Self { ids, version, wsl: false, systemd: true }
    }

    /// Adds what os-release does not tell. `kernel` is the kernel's release (`uname -r`), which shows WSL2.
    pub(crate) fn on(self, kernel: &str, systemd: bool) -> Self {
        Self { wsl: kernel.to_ascii_lowercase().contains("microsoft"), systemd, ..self }
    }

    pub(crate) fn family(&self) -> Family {
        // The first match counts. `rhel` comes before `fedora`, which the rebuilds of Red Hat's also name.
        let families = [
            ("nixos", Family::NixOs),
            ("debian", Family::Debian),
            ("ubuntu", Family::Debian),
            ("rhel", Family::Rhel),
            ("fedora", Family::Fedora),
            ("arch", Family::Arch),
            ("alpine", Family::Alpine),
            ("suse", Family::Suse),
            ("opensuse", Family::Suse),
        ];
        let is = |id: &str| self.ids.iter().any(|known| known == id);
        let known = families.into_iter().find(|(id, _)| is(id)).map(|(_, family)| family);
        known.unwrap_or(if self.ids.is_empty() { Family::MacOs } else { Family::Other })
    }

    /// Whether there is a package that only registers the handlers: Debian 13 and Ubuntu 25 split off
    /// `qemu-user-binfmt`.
    fn has_binfmt_package(&self) -> bool {
        let first = if self.ids.first().is_some_and(|id| id == "debian") { 13 } else { 25 };
        self.version.is_none_or(|version| version >= first)
    }

    /// The command that installs packages, which are given by their names in Debian; `None` where this system does it
    /// differently.
    fn install(&self, packages: &str) -> Option<String> {
        let command = match self.family() {
            Family::Debian => "sudo apt-get install",
            Family::Fedora | Family::Rhel => "sudo dnf install",
            Family::Arch => "sudo pacman -S",
            Family::Alpine => "sudo apk add",
            Family::Suse => "sudo zypper install",
            Family::MacOs => "brew install",
            Family::NixOs | Family::Other => return None,
        };
        Some(format!("{command} {packages}"))
    }

    /// The command that starts a service, now and after each boot.
    pub(crate) fn start(&self, service: &str) -> String {
        match self.family() {
            Family::Alpine => format!("sudo rc-update add {service} && sudo rc-service {service} start"),
            _ if self.systemd => format!("sudo systemctl enable --now {service}"),
            _ => format!("sudo service {service} start"),
        }
    }

    /// The commands that may start an engine that does not answer, the likeliest first.
    pub(crate) fn start_engine(&self, program: &str) -> Vec<String> {
        let is_docker = program.rsplit('/').next().is_some_and(|name| name.starts_with("docker"));
        let several = |commands: &[&str]| commands.iter().map(|&command| command.to_owned()).collect();
        match (is_docker, self.family()) {
            (true, Family::MacOs) => {
                several(&["open -a Docker  # Docker Desktop", "colima start  # colima", "orb start  # OrbStack"])
            }
            (false, Family::MacOs) => several(&["podman machine start  # after `podman machine init`"]),
            (true, _) if self.wsl => {
                let desktop = "or, with Docker Desktop: its Settings, Resources, WSL integration";
                vec![self.start("docker"), desktop.to_owned()]
            }
            // Without systemd, as in a container, the init script may lack the rights to start docker. Then root starts
            // it directly.
            (true, _) if !self.systemd && self.family() != Family::Alpine => {
                vec![self.start("docker"), "sudo sh -c 'setsid dockerd >/var/log/dockerd.log 2>&1 &'".to_owned()]
            }
            (true, _) => vec![self.start("docker")],
            // Podman itself needs no service. A remote client reaches podman's socket.
            (false, _) => vec![self.start("podman.socket")],
        }
    }

    /// The command that registers the installed handlers again. `file` is the file of one handler.
    pub(crate) fn register(&self, file: &str) -> String {
        match self.family() {
            Family::Alpine => "sudo rc-service qemu-binfmt restart".to_owned(),
            _ if self.systemd => "sudo systemctl restart systemd-binfmt".to_owned(),
            _ => format!("sudo sh -c 'cat {file} > /proc/sys/fs/binfmt_misc/register'"),
        }
    }

    /// The command that makes executables of `platform` start in containers.
    pub(crate) fn setup_emulation(&self, platform: Platform) -> String {
        let machine = platform.machine();
        let package = match self.family() {
            Family::NixOs => {
                return format!(
                    "in configuration.nix: boot.binfmt.emulatedSystems = [ \"{machine}-linux\" ]; \
                     boot.binfmt.preferStaticEmulators = true;"
                );
            }
            Family::Debian if self.has_binfmt_package() => "qemu-user-binfmt".to_owned(),
            Family::Debian => "qemu-user-static".to_owned(),
            Family::Fedora => format!("qemu-user-static-{machine}"),
            Family::Arch => "qemu-user-static qemu-user-static-binfmt".to_owned(),
            Family::Suse => "qemu-linux-user".to_owned(),
            Family::Alpine => {
                return format!(
                    "sudo apk add qemu-{machine} qemu-openrc && sudo rc-update add qemu-binfmt && \
                     sudo rc-service qemu-binfmt restart"
                );
            }
            Family::Rhel | Family::MacOs | Family::Other => return handler_by_container("sudo podman", platform),
        };
        let install = self.install(&package).unwrap_or_default();
        format!("{install} && {}", self.register(&format!("/usr/lib/binfmt.d/qemu-{machine}.conf")))
    }

    /// How to install a container engine.
    pub(crate) fn install_engine(&self, program: &str) -> String {
        let install = match (program, self.family()) {
            ("podman", Family::NixOs) => "in configuration.nix: virtualisation.podman.enable = true;".to_owned(),
            ("podman", Family::MacOs) => {
                "brew install podman && podman machine init && podman machine start".to_owned()
            }
            ("podman", _) => self.install("podman").unwrap_or("https://podman.io/docs/installation".to_owned()),
            ("docker", Family::NixOs) => "in configuration.nix: virtualisation.docker.enable = true;".to_owned(),
            ("docker", Family::Debian) => "sudo apt-get install docker.io".to_owned(),
            ("docker", Family::Arch | Family::Alpine | Family::Suse) => self.install("docker").unwrap_or_default(),
            // On Red Hat's systems docker comes from docker's own repository.
            ("docker", _) => "https://docs.docker.com/get-started/get-docker/".to_owned(),
            _ => return "`--engine` takes `podman`, `docker`, or the path of one".to_owned(),
        };
        format!("install {program}: {install}")
    }

    /// How to install a tool that hsx runs on the host.
    pub(crate) fn install_tool(&self, tool: &str) -> String {
        let package = match (tool, self.family()) {
            ("upx", Family::Debian) => "upx-ucl",
            ("slirp4netns" | "passt" | "upx", _) => tool,
            ("newuidmap", Family::Debian) => "uidmap",
            ("newuidmap", Family::Alpine) => "shadow-uidmap",
            ("newuidmap", Family::Arch | Family::Suse) => "shadow",
            ("newuidmap", _) => "shadow-utils",
            _ => return format!("cabal install {tool}"),
        };
        let nix = || format!("in configuration.nix: environment.systemPackages = [ pkgs.{package} ];");
        self.install(package).unwrap_or_else(nix)
    }

    /// The command that gives a user IDs for rootless containers, from `first` on.
    pub(crate) fn add_subids(&self, user: &str, first: u64) -> String {
        if self.family() == Family::NixOs {
            return format!("in configuration.nix: users.users.{user}.autoSubUidGidRange = true;");
        }
        let range = format!("{first}-{}", first + 65535);
        format!("sudo usermod --add-subuids {range} --add-subgids {range} {user} && podman system migrate")
    }
}

/// The command that registers QEMU's handler from a container, where no package does. `engine` is the engine's program,
/// run as root.
pub(crate) fn handler_by_container(engine: &str, platform: Platform) -> String {
    let arch = platform.oci_arch();
    format!("{engine} run --privileged --rm docker.io/tonistiigi/binfmt --install {arch}  # until the next reboot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_gets_its_own_advice() {
        for (os_release, expected) in [
            (
                "ID=debian\nVERSION_ID=\"12\"",
                "sudo apt-get install qemu-user-static && sudo systemctl restart systemd-binfmt",
            ),
            ("ID=debian\nVERSION_ID=\"13\"", "sudo apt-get install qemu-user-binfmt &&"),
            ("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"", "sudo apt-get install qemu-user-static &&"),
            ("ID=nixos", "boot.binfmt.emulatedSystems = [ \"aarch64-linux\" ]"),
            ("ID=fedora\nVERSION_ID=43", "sudo dnf install qemu-user-static-aarch64 &&"),
            ("ID=rocky\nID_LIKE=\"rhel centos fedora\"", "tonistiigi/binfmt --install arm64"),
            ("ID=arch", "sudo pacman -S qemu-user-static qemu-user-static-binfmt &&"),
            ("ID=manjaro\nID_LIKE=arch", "sudo pacman -S qemu-user-static"),
            ("ID=alpine", "sudo apk add qemu-aarch64 qemu-openrc && sudo rc-update add qemu-binfmt"),
            ("ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"", "sudo zypper install qemu-linux-user &&"),
            ("ID=gentoo", "sudo podman run --privileged --rm docker.io/tonistiigi/binfmt --install arm64"),
        ] {
            let hint = System::of(os_release).setup_emulation(Platform::Arm64);
            assert!(hint.contains(expected), "{os_release}: {hint}");
        }
    }

    #[test]
    fn engines_are_installed_as_the_system_does_it() {
        for (program, os_release, expected) in [
            ("podman", "ID=debian", "install podman: sudo apt-get install podman"),
            ("podman", "ID=alpine", "install podman: sudo apk add podman"),
            ("podman", "ID=sles\nID_LIKE=suse", "install podman: sudo zypper install podman"),
            ("podman", "", "install podman: brew install podman && podman machine init && podman machine start"),
            ("podman", "ID=gentoo", "install podman: https://podman.io/docs/installation"),
            ("docker", "ID=ubuntu", "install docker: sudo apt-get install docker.io"),
            ("docker", "ID=arch", "install docker: sudo pacman -S docker"),
            ("docker", "", "install docker: https://docs.docker.com/get-started/get-docker/"),
            ("nerdctl", "ID=debian", "`--engine` takes `podman`, `docker`, or the path of one"),
        ] {
            assert_eq!(System::of(os_release).install_engine(program), expected);
        }
    }

    #[test]
    fn services_are_started_with_what_runs() {
        let debian = System::of("ID=debian\nVERSION_ID=12");
        assert_eq!(debian.start("docker"), "sudo systemctl enable --now docker");
        let wsl = debian.on("5.15.153.1-microsoft-standard-WSL2", false);
        assert_eq!(wsl.start_engine("docker").len(), 2, "Docker Desktop may be the one");
        assert_eq!(wsl.start("docker"), "sudo service docker start");
        let register = wsl.setup_emulation(Platform::Arm64);
        assert!(register.contains("cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register"));
        assert_eq!(
            System::of("ID=alpine").start("docker"),
            "sudo rc-update add docker && sudo rc-service docker start"
        );
    }

    #[test]
    fn tools_and_ids_are_got_as_the_system_does_it() {
        let system = |id: &str| System::of(&format!("ID={id}"));
        assert_eq!(system("debian").install_tool("upx"), "sudo apt-get install upx-ucl");
        assert_eq!(system("fedora").install_tool("upx"), "sudo dnf install upx");
        assert_eq!(system("debian").install_tool("newuidmap"), "sudo apt-get install uidmap");
        assert!(system("nixos").install_tool("upx").contains("pkgs.upx"));
        assert!(system("nixos").add_subids("me", 100_000).contains("users.users.me.autoSubUidGidRange"));
        let add = system("arch").add_subids("me", 100_000);
        assert!(add.starts_with("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 me &&"), "{add}");
    }
}
