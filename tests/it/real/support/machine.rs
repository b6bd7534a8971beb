//! A machine of a test's own, on this one: what is broken and mended on it, nobody else sees.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{output, required};

/// Processes, network, mounts, `/etc`, `/run` and the engines' storage are its own; the kernel and all other files are
/// this machine's. It ends with all that was started on it when it is dropped, and also when the test is killed.
pub(crate) struct Machine {
    init: Child,
    /// The process id of its first process.
    pid: u32,
}

/// Makes what is the machine's own, says so, and waits until standard input is closed.
const INIT: &str = r#"
mount -t tmpfs -o mode=755 tmpfs /mnt
ip link set lo up
mkdir /mnt/etc
cp --archive /etc/. /mnt/etc
mount --bind /mnt/etc /etc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
mkdir -p /run/lock /var/lib/docker /var/lib/containers
user=$(getent passwd "$1")
uid=$(echo "$user" | cut -d: -f3) gid=$(echo "$user" | cut -d: -f4) home=$(echo "$user" | cut -d: -f6)
install -d -m 755 /run/user
install -d -m 700 -o "$uid" -g "$gid" "/run/user/$uid"
for dir in /var/lib/docker /var/lib/containers /var/log; do mount -t tmpfs -o mode=755 tmpfs $dir; done
mkdir -p "$home/.local/share/containers"
mount -t tmpfs -o "mode=700,uid=$uid,gid=$gid" tmpfs "$home/.local/share/containers"
echo 'ALL ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/hsx-test
# Not every machine may make bridges, and no container that is started here needs one.
mkdir -p /etc/docker
echo '{"iptables": false, "bridge": "none"}' >/etc/docker/daemon.json
echo ready
# The shell stays, for it takes notice of processes that end.
exec 3<&0
cat <&3 &
wait $!
"#;

impl Machine {
    pub(crate) fn new() -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", INIT, "sh"]);
        unshare.arg(required("HSX_TEST_ROOTLESS_USER"));
        let mut init = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(init.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "a machine of the test's own cannot be made");
        let children = fs_err::read_to_string(format!("/proc/{0}/task/{0}/children", init.id())).unwrap();
        Self { pid: children.trim().parse().unwrap(), init }
    }

    /// A command as it is on this machine.
    pub(crate) fn command(&self, command: &Command) -> Command {
        let mut on = Command::new("nsenter");
        on.arg(format!("--target={}", self.pid)).args([
            "--mount",
            "--net",
            "--pid",
            "sh",
            "-euc",
            "cd \"$0\" && exec \"$@\"",
        ]);
        on.arg(command.get_current_dir().map_or(PathBuf::from("/"), Into::into));
        on.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => on.env(name, value),
                None => on.env_remove(name),
            };
        }
        on
    }

    /// Starts docker's daemon, and waits until it answers.
    pub(crate) fn start_dockerd(&self) {
        self.sh("setsid dockerd >/var/log/dockerd.log 2>&1 & \
            for _ in $(seq 100); do docker info >/dev/null 2>&1 && exit; sleep 0.2; done; cat /var/log/dockerd.log >&2; exit 1");
    }

    /// Standard output of a script that root runs on it, and that must succeed.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        output(&mut self.command(Command::new("sh").args(["-euc", script])))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its first process reads until then.
        drop(self.init.stdin.take());
        let _ = self.init.wait();
    }
}
