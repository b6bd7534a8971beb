//! Docker and podman. This is the only folder that knows an engine's flags and answers. Where the two agree, one
//! spelling serves both, and every flag here is accepted by docker ≥ 20.10 and podman ≥ 4.3. `world` runs the commands.

pub(crate) mod args;
pub(crate) mod connection;
mod container;
pub(crate) mod health;
pub(crate) mod storage;
pub(crate) mod words;

pub(crate) use container::{Container, Lifetime, Mount, Network, SHELL, Stdin};

use serde::{Deserialize, Serialize};

use crate::base::cmd::Cmd;
use crate::base::platform::Platform;
use crate::base::version::Version;

/// The label of every volume and container that hsx makes. Its value says what the object is for.
pub(crate) const LABEL: &str = "hsx.kind";

/// Which command line an engine program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Dialect {
    Docker,
    Podman,
}

/// An engine program and the dialect it speaks. A `docker` that is really podman speaks [`Dialect::Podman`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Engine {
    pub program: String,
    pub dialect: Dialect,
    /// The connection, or context, for an engine elsewhere; `None` for the program's own default.
    pub connection: Option<String>,
}

/// What an engine says of itself and its host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Info {
    pub dialect: Dialect,
    /// The engine's own platform; on macOS that of its virtual machine. `None` if hsx has no platform for it.
    pub platform: Option<Platform>,
    pub rootless: bool,
    /// The engine runs elsewhere: a virtual machine of Docker Desktop or podman machine, or a remote service.
    pub remote: bool,
    /// The name and the kernel release of the engine's host. With a local engine they are this machine's.
    pub host: String,
    pub kernel: String,
    pub version: String,
    /// The cores of the engine's host, and its memory in bytes.
    pub cores: Option<usize>,
    pub memory: Option<u64>,
    /// The context that docker's client uses.
    pub context: Option<String>,
}

impl Info {
    /// Whether an image can be mounted: podman since 2.2, docker since 28 (API 1.48).
    pub(crate) fn image_mounts(&self) -> bool {
        self.dialect == Dialect::Podman || Version::leading(&self.version).is_some_and(|version| version.major() >= 28)
    }
}

/// The capability (capabilities(7)) that builds need. If the engine runs as root, the container does too. But the files
/// that it sees, read-only, are the caller's, who may have closed them to others. And the mode of an image's own root
/// directory may let nobody write there.
const BUILDERS: &[&str] = &["DAC_OVERRIDE"];

/// The capabilities that package managers need. Engines give all of them by default.
const INSTALLERS: &[&str] = &["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP", "SETGID", "SETUID", "SYS_CHROOT"];

/// How many processes and threads a container may have: far more than a build has, far fewer than a machine can bear.
/// By itself podman sets a limit of 2048, where the system lets it. Memory has no limit: nobody knows what a build
/// needs, and a build above the limit would be killed too. `--engine-arg=--memory=…` sets one.
const PIDS: &str = "--pids-limit=8192";

/// The variables that docker's client sets in every container where `proxies` in its `config.json` names an address, which
/// may hold a password. It sets none that is given as an argument, even an empty one.
const DOCKERS_PROXIES: [&str; 10] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
];

const INFO: [&str; 3] = ["info", "--format", "{{json .}}"];

/// An engine's answer to a question that needs its daemon or storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InfoAnswer {
    Ready(Info),
    /// The client answered, but the service behind it did not. The text says why, if that is known.
    Unreachable(String),
}

/// What an image reference stands for on its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manifest {
    /// A multi-platform image: the digest of each platform's image, by the platform's architecture and variant.
    Index(Vec<(String, String)>),
    /// An image of one platform. Only the image itself tells which.
    Single,
}

/// An image in the engine's own storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalImage {
    pub id: String,
    pub arch: String,
    /// `NAME=VALUE`, as the image sets them.
    pub env: Vec<String>,
}

impl Engine {
    fn cmd(&self, words: &[&str]) -> Cmd {
        let flag = match self.dialect {
            Dialect::Docker => "--context",
            Dialect::Podman => "--connection",
        };
        let connection = self.connection.iter().flat_map(|name| [flag, name.as_str()]);
        Cmd::new(&self.program).args(connection.chain(words.iter().copied()))
    }

    /// The name under which hsx remembers something in this engine. It has the connection's name, because another
    /// engine may have something of the same name.
    pub(crate) fn memory_of(&self, name: &str) -> String {
        self.connection.iter().map(|connection| format!("{connection} ")).chain([name.to_owned()]).collect()
    }

    /// The command that asks for dialect, platform, and whether the service behind the client answers. It uses a long
    /// template because docker before 23 does not understand `--format json`.
    pub(crate) fn info(program: &str) -> Cmd {
        Cmd::new(program).args(INFO)
    }

    /// Asks what [`Engine::info`] asks, but of the engine that the connection leads to.
    pub(crate) fn info_behind(&self) -> Cmd {
        self.cmd(&INFO)
    }

    pub(crate) fn image_inspect(&self, reference: &str) -> Cmd {
        self.cmd(&["image", "inspect", reference])
    }

    /// Asks the registry, not the local storage, what a reference stands for.
    pub(crate) fn manifest_inspect(&self, reference: &str) -> Cmd {
        let loopback = ["127.", "localhost:", "[::1]"].iter().any(|host| reference.starts_with(host));
        match self.dialect {
            // The daemon treats loopback registries as insecure by itself. The client, which makes this call, must be
            // told.
            Dialect::Docker if loopback => self.cmd(&["manifest", "inspect", "--insecure", reference]),
            Dialect::Docker | Dialect::Podman => self.cmd(&["manifest", "inspect", reference]),
        }
    }

    pub(crate) fn pull(&self, platform: Platform, reference: &str) -> Cmd {
        self.cmd(&["pull", "--platform"]).arg(platform.to_string()).arg(reference)
    }

    /// The command that prints the architecture of an image in storage, and nothing else.
    pub(crate) fn image_arch(&self, reference: &str) -> Cmd {
        self.cmd(&["image", "inspect", "--format", "{{.Architecture}}", reference])
    }

    /// The command that lists the volumes with a label, one name a line.
    pub(crate) fn volumes(&self, label: &str) -> Cmd {
        self.cmd(&["volume", "ls", "--format", "{{.Name}}", "--filter"]).arg(format!("label={label}"))
    }

    pub(crate) fn volume_create(&self, name: &str, labels: &[(&str, String)]) -> Cmd {
        let labels = labels.iter().flat_map(|(key, value)| ["--label".to_owned(), label_spec(key, value)]);
        self.cmd(&["volume", "create"]).args(labels).arg(name)
    }

    /// The command that lists all containers with a label, running or not, a line `ID NAME` each.
    pub(crate) fn containers(&self, label: &str) -> Cmd {
        self.cmd(&["ps", "--all", "--format", "{{.ID}} {{.Names}}", "--filter"]).arg(format!("label={label}"))
    }

    /// Removes containers at once, whether they run or not. It is no error if one does not exist.
    pub(crate) fn remove(&self, names: &[String]) -> Cmd {
        let words: &[&str] = match self.dialect {
            Dialect::Docker => &["rm", "--force", "--volumes"],
            // Without `--time` podman waits ten seconds for the process to obey SIGTERM.
            Dialect::Podman => &["rm", "--force", "--ignore", "--volumes", "--time", "0"],
        };
        self.cmd(words).args(names)
    }

    /// Makes an image of a container's root.
    pub(crate) fn commit(&self, container: &str, labels: &[(&str, String)], reference: &str) -> Cmd {
        let changes = labels.iter().flat_map(|(key, value)| {
            let value = label_spec(key, value);
            ["--change".to_owned(), format!("LABEL {value}")]
        });
        self.cmd(&["commit"]).args(changes).arg(container).arg(reference)
    }

    /// Writes the contents of a directory of a container, even of one that has exited, to standard output, as a tar
    /// archive. Podman names its entries `NAME`, and docker `./NAME`.
    pub(crate) fn copy_out(&self, container: &str, path: &str) -> Cmd {
        self.cmd(&["cp"]).arg(format!("{container}:{path}/.")).arg("-")
    }

    /// Starts a container with no more rights than builds need.
    pub(crate) fn run(&self, container: &Container<'_>) -> Cmd {
        self.run_with(container, BUILDERS)
    }

    /// Starts a container with the rights of package managers over its own files: to add packages, or to copy an image
    /// and keep the owners of its files. apk changes its root for scripts, and apt its user for downloads. Nothing of a
    /// project runs there.
    pub(crate) fn run_installer(&self, container: &Container<'_>) -> Cmd {
        self.run_with(container, INSTALLERS)
    }

    fn run_with(&self, container: &Container<'_>, capabilities: &[&str]) -> Cmd {
        let mut cmd = self.cmd(&["run", "--name", container.name]);
        if container.lifetime == Lifetime::UntilExit {
            cmd = cmd.arg("--rm");
        }
        if container.stdin != Stdin::Closed {
            cmd = cmd.arg("--interactive");
        }
        if container.stdin == Stdin::Terminal {
            // No keys detach from the container. Podman takes an empty sequence for that, docker needs one that nobody
            // types.
            let detach = match self.dialect {
                Dialect::Podman => "--detach-keys=",
                Dialect::Docker => "--detach-keys=ctrl-@,ctrl-_,ctrl-@",
            };
            cmd = cmd.args(["--tty", detach]);
        }
        // `--init`: without it the script would be PID 1, which survives SIGINT and SIGTERM.
        // `--pull=never`: the image of the right platform is there already, and no other may take its place.
        cmd = cmd.args(["--init", "--pull=never", "--platform"]).arg(container.platform.to_string());
        // `label=disable` keeps SELinux from denying reads of the source, without relabelling the user's files.
        cmd = cmd.args(["--security-opt", "no-new-privileges", "--security-opt", "label=disable"]);
        cmd = cmd.arg("--cap-drop=all").args(capabilities.iter().map(|name| format!("--cap-add={name}")));
        if self.dialect == Dialect::Docker {
            cmd = cmd.arg(PIDS);
        }
        // hsx reads the output and keeps it. The engine need not write it a second time.
        cmd = cmd.args(["--log-driver", "none"]);
        if container.network == Network::None {
            cmd = cmd.args(["--network", "none"]);
            if self.dialect == Dialect::Podman {
                // By default podman passes on the caller's proxy variables, with passwords in them.
                cmd = cmd.arg("--http-proxy=false");
            } else {
                // docker's client gives every container the proxies of its own configuration, unless they are given here.
                cmd = cmd.args(DOCKERS_PROXIES.iter().flat_map(|name| ["--env".to_owned(), format!("{name}=")]));
            }
        }
        for (key, value) in container.labels {
            cmd = cmd.arg("--label").arg(label_spec(key, value));
        }
        for variable in container.env.iter().filter(|env| container.network == Network::Default || !is_proxy(env)) {
            cmd = cmd.arg("--env").arg(variable);
        }
        for mount in container.mounts {
            cmd = cmd.arg("--mount").arg(mount_spec(mount));
        }
        cmd = cmd.arg("--workdir").arg(container.workdir).args(args::own_args(container.extra, container.network));
        // `hsx` is the script's `$0`, the name that the shell puts before its own messages.
        let (program, arguments) = container.entry.split_first().unwrap_or((&"/bin/sh", &[]));
        cmd = cmd.args(["--entrypoint", program, container.image]).args(arguments.iter().copied());
        cmd.args(["-c", container.script, "hsx"]).args(&container.args)
    }
}

/// Whether `NAME` or `NAME=VALUE` is about a proxy, whose address may hold a password.
fn is_proxy(env: &str) -> bool {
    let name = env.split('=').next().unwrap_or_default();
    name.to_ascii_lowercase().ends_with("_proxy")
}

/// Whether a container did not start because an image that it was to mount had just been unmounted. Podman (4.3 and 4.9
/// at least) miscounts the users of an image while it cleans up another container that mounts the image. Nothing has
/// run in that case.
pub(crate) fn image_mount_was_lost(code: Option<i32>, said: &str) -> bool {
    // runc: "error mounting "/…/userdata/overlay/1/merge" to rootfs at "/native": …: no such file or directory: OCI runtime
    // attempted to invoke a command that was not found"; crun: "mount `…/merge` to `native`: No such file or directory: …".
    let has = |words: &str| said.contains(words);
    matches!(code, Some(125..=127))
        && has("OCI runtime")
        && has("/userdata/overlay/")
        && (has("no such file or directory") || has("No such file or directory"))
}

/// Whether a container was unmounted while something was copied out of it, so that nothing was found there. A container
/// that has just ended is still mounted. Podman (5.4 and 6.0 at least) copies from that mount without counting itself as
/// a user, and without the container's lock (`copyToArchive`), while its clean-up, a process of its own, unmounts it. A
/// second copy makes a mount of its own. What was never there is told in other words ("could not be found in container").
pub(crate) fn copied_mount_was_lost(said: &str) -> bool {
    // "copying from container: copier: get: globs [/hsx/out] matched nothing (0 filtered out): no such file or directory";
    // "…: error changing to intended-new-root directory "/…/merged": chdir /…/merged: no such file or directory".
    said.contains("copying from container: ") && said.contains("no such file or directory")
}

/// Whether podman could not even make a container, though its exit status says that a program in one could not be
/// started. Podman takes that status from words in its error, such as "not found" (`define.ExitCode`).
pub(crate) fn container_was_never_made(code: Option<i32>, said: &str) -> bool {
    // "Error: could not find pasta, …: exec: "pasta": executable file not found in $PATH"; a program in the container:
    // "Error: runc: …: OCI runtime attempted to invoke a command that was not found" or "…: OCI permission denied".
    let last = said.trim_end().lines().next_back().unwrap_or_default();
    matches!(code, Some(126 | 127)) && last.starts_with("Error: ") && !last.contains(": OCI ")
}

/// A label as an argument. Its value may be a path. Podman before 5 reads labels of volumes, and all filters, as CSV,
/// so the characters that are special in CSV are percent-encoded on every engine.
fn label_spec(key: &str, value: &str) -> String {
    let value = value.replace('%', "%25").replace(',', "%2C").replace('"', "%22");
    format!("{key}={value}")
}

/// A mount in the comma-separated form, which allows colons in paths. Both engines read it as CSV.
fn mount_spec(mount: &Mount) -> String {
    let field = |key: &str, value: &str| {
        let field = format!("{key}={value}");
        if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    };
    match mount {
        Mount::Volume { name, target, read_only } => {
            // Podman 4 does not know `readonly` for volumes. Both engines know `ro`.
            let mode = if *read_only { ",ro" } else { "" };
            format!("type=volume,{},{}{mode}", field("source", name), field("target", target))
        }
        Mount::Image { reference, target } => {
            format!("type=image,{},{}", field("source", reference), field("target", target))
        }
        Mount::ReadOnly { source, target } => {
            format!("type=bind,{},{},readonly", field("source", source.as_str()), field("target", target))
        }
    }
}

/// Reads the answer to [`Engine::info`].
///
/// # Errors
/// When it is not the JSON of either engine.
pub(crate) fn parse_info(json: &str) -> Result<InfoAnswer, serde_json::Error> {
    let raw: RawInfo = serde_json::from_str(json)?;
    if let Some(host) = raw.host {
        return Ok(InfoAnswer::Ready(Info {
            dialect: Dialect::Podman,
            platform: host.arch.parse().ok(),
            rootless: host.security.rootless,
            remote: host.service_is_remote,
            host: host.hostname,
            kernel: host.kernel,
            version: raw.version.map(|version| version.version).unwrap_or_default(),
            cores: host.cpus,
            memory: host.mem_total,
            context: None,
        }));
    }
    // If nobody answers, the docker client exits with 0 and an empty server. Some versions list the reasons.
    if let Some(errors) = raw.server_errors.filter(|errors| !errors.is_empty()) {
        return Ok(InfoAnswer::Unreachable(errors.join("; ")));
    }
    if raw.server_version.is_empty() {
        return Ok(InfoAnswer::Unreachable(String::new()));
    }
    Ok(InfoAnswer::Ready(Info {
        dialect: Dialect::Docker,
        platform: raw.architecture.parse().ok(),
        rootless: raw.security_options.iter().flatten().any(|option| option.contains("name=rootless")),
        remote: raw.operating_system.contains("Docker Desktop"),
        host: raw.name,
        kernel: raw.kernel_version,
        version: raw.server_version,
        cores: raw.cpus,
        memory: raw.memory,
        context: raw.client.and_then(|client| client.context),
    }))
}

/// The fields of docker's answer and of podman's. Either answer has only its own.
#[derive(Deserialize)]
struct RawInfo {
    host: Option<PodmanHost>,
    version: Option<PodmanVersion>,
    #[serde(default, rename = "ServerVersion")]
    server_version: String,
    #[serde(default, rename = "ServerErrors")]
    server_errors: Option<Vec<String>>,
    #[serde(default, rename = "Architecture")]
    architecture: String,
    #[serde(default, rename = "OperatingSystem")]
    operating_system: String,
    #[serde(default, rename = "KernelVersion")]
    kernel_version: String,
    #[serde(default, rename = "Name")]
    name: String,
    #[serde(default, rename = "SecurityOptions")]
    security_options: Option<Vec<String>>,
    #[serde(default, rename = "NCPU")]
    cpus: Option<usize>,
    #[serde(default, rename = "MemTotal")]
    memory: Option<u64>,
    #[serde(default, rename = "ClientInfo")]
    client: Option<DockerClient>,
}

#[derive(Deserialize)]
struct DockerClient {
    #[serde(default, rename = "Context")]
    context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodmanHost {
    #[serde(default)]
    arch: String,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    kernel: String,
    #[serde(default)]
    service_is_remote: bool,
    #[serde(default)]
    cpus: Option<usize>,
    #[serde(default)]
    mem_total: Option<u64>,
    #[serde(default)]
    security: PodmanSecurity,
}

#[derive(Default, Deserialize)]
struct PodmanSecurity {
    #[serde(default)]
    rootless: bool,
}

#[derive(Deserialize)]
struct PodmanVersion {
    // Podman 4 spells the keys of this object with capitals.
    #[serde(alias = "Version", default)]
    version: String,
}

/// Reads the answer to [`Engine::manifest_inspect`].
///
/// # Errors
/// When it is not a manifest.
pub(crate) fn parse_manifest(json: &str) -> Result<Manifest, serde_json::Error> {
    #[derive(Deserialize)]
    struct Raw {
        manifests: Option<Vec<Child>>,
    }
    #[derive(Deserialize)]
    struct Child {
        digest: String,
        platform: Option<ChildPlatform>,
    }
    #[derive(Deserialize)]
    struct ChildPlatform {
        #[serde(default)]
        os: String,
        #[serde(default)]
        architecture: String,
    }
    let raw: Raw = serde_json::from_str(json)?;
    let Some(children) = raw.manifests else { return Ok(Manifest::Single) };
    let linux = children.into_iter().filter_map(|child| {
        // Attestations are children too. Their platform is `unknown/unknown`.
        let platform = child.platform.filter(|platform| platform.os == "linux")?;
        Some((platform.architecture, child.digest))
    });
    Ok(Manifest::Index(linux.collect()))
}

/// Reads the answer to [`Engine::image_inspect`] for one image.
///
/// # Errors
/// When it is not the engines' list of images.
pub(crate) fn parse_image(json: &str) -> Result<Option<LocalImage>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Raw {
        #[serde(rename = "Id")]
        id: String,
        #[serde(rename = "Architecture")]
        architecture: String,
        #[serde(default, rename = "Config")]
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(default, rename = "Env")]
        env: Option<Vec<String>>,
    }
    let images: Vec<Raw> = serde_json::from_str(json)?;
    Ok(images.into_iter().next().map(|raw| LocalImage {
        id: raw.id,
        arch: raw.architecture,
        env: raw.config.and_then(|config| config.env).unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(dialect: Dialect) -> Engine {
        Engine { program: "engine".to_owned(), dialect, connection: None }
    }

    #[test]
    fn podman_and_docker_tell_themselves_apart() {
        let podman = r#"{"host":{"arch":"amd64","hostname":"box","kernel":"6.1","security":{"rootless":true},
            "serviceIsRemote":false},"version":{"APIVersion":"4.3.1","Version":"4.3.1"}}"#;
        let InfoAnswer::Ready(info) = parse_info(podman).unwrap() else { panic!("podman is ready") };
        assert_eq!((info.dialect, info.platform, info.rootless), (Dialect::Podman, Some(Platform::Amd64), true));
        assert_eq!(info.version, "4.3.1");

        let docker = r#"{"ServerVersion":"28.0.1","Architecture":"aarch64","OperatingSystem":"Docker Desktop",
            "SecurityOptions":["name=seccomp,profile=builtin","name=rootless"],"Name":"vm","KernelVersion":"6.1"}"#;
        let InfoAnswer::Ready(info) = parse_info(docker).unwrap() else { panic!("docker is ready") };
        assert_eq!((info.dialect, info.platform), (Dialect::Docker, Some(Platform::Arm64)));
        assert!(info.rootless && info.remote && info.image_mounts());
        assert!(!Info { version: "20.10.24".to_owned(), ..info }.image_mounts());
    }

    #[test]
    fn a_docker_client_without_a_daemon_is_unreachable() {
        let silent = r#"{"ServerVersion":"","SecurityOptions":null}"#;
        assert_eq!(parse_info(silent).unwrap(), InfoAnswer::Unreachable(String::new()));
        let denied = r#"{"ServerErrors":["permission denied while trying to connect"]}"#;
        let denied = parse_info(denied).unwrap();
        assert_eq!(denied, InfoAnswer::Unreachable("permission denied while trying to connect".to_owned()));
        assert!(parse_info("not json").is_err());
    }

    #[test]
    fn the_children_of_a_manifest_list_are_found_by_architecture() {
        let list = r#"{"manifests":[
            {"digest":"sha256:a","platform":{"os":"linux","architecture":"amd64"}},
            {"digest":"sha256:b","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
            {"digest":"sha256:c","platform":{"os":"unknown","architecture":"unknown"}}]}"#;
        let children = [("amd64", "sha256:a"), ("arm64", "sha256:b")];
        let children = children.map(|(arch, digest)| (arch.to_owned(), digest.to_owned())).to_vec();
        assert_eq!(parse_manifest(list).unwrap(), Manifest::Index(children));
        assert_eq!(parse_manifest(r#"{"config":{},"layers":[]}"#).unwrap(), Manifest::Single);
    }

    #[test]
    fn loopback_registries_are_insecure_for_the_docker_client_only() {
        let docker = engine(Dialect::Docker);
        assert!(docker.manifest_inspect("127.0.0.1:5000/x:1").args.contains(&"--insecure".to_owned()));
        assert!(!docker.manifest_inspect("quay.io/x:1").args.contains(&"--insecure".to_owned()));
        let podman = engine(Dialect::Podman);
        assert_eq!(podman.manifest_inspect("quay.io/x:1").args, ["manifest", "inspect", "quay.io/x:1"]);
    }

    #[test]
    fn removal_never_waits() {
        let names = ["a".to_owned()];
        assert_eq!(engine(Dialect::Docker).remove(&names).to_string(), "engine rm --force --volumes a");
        let podman = engine(Dialect::Podman).remove(&names).to_string();
        assert_eq!(podman, "engine rm --force --ignore --volumes --time 0 a");
    }

    #[test]
    fn labels_hold_nothing_that_csv_reads() {
        assert_eq!(label_spec("hsx.project", "/a b/c,\"d\"/50%"), "hsx.project=/a b/c%2C%22d%22/50%25");
    }

    #[test]
    fn mounts_survive_commas_and_colons() {
        let mount = Mount::ReadOnly { source: "/a,b:c".into(), target: "/src".to_owned() };
        assert_eq!(mount_spec(&mount), r#"type=bind,"source=/a,b:c",target=/src,readonly"#);
        let volume = Mount::Volume { name: "v".to_owned(), target: "/hsx/cabal".to_owned(), read_only: false };
        assert_eq!(mount_spec(&volume), "type=volume,source=v,target=/hsx/cabal");
        let image = Mount::Image { reference: "x@sha256:0".to_owned(), target: "/native".to_owned() };
        assert_eq!(mount_spec(&image), "type=image,source=x@sha256:0,target=/native");
    }
}
