//! Engines elsewhere: podman's service and dockerd behind connections that can be cut, and rootless podman behind sshd.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::hello::greets;
use crate::real::support::{Engine, Hsx, Project, To, World, output};

/// A two-way stream.
trait Stream: Read + Write + Send {
    fn twin(&self) -> Box<dyn Stream>;
    fn end(&self, how: Shutdown);
}

macro_rules! stream {
    ($kind:ty) => {
        impl Stream for $kind {
            fn twin(&self) -> Box<dyn Stream> {
                Box::new(self.try_clone().unwrap())
            }
            fn end(&self, how: Shutdown) {
                let _ = self.shutdown(how);
            }
        }
    };
}
stream!(TcpStream);
stream!(UnixStream);

/// A port of this machine that leads to a server, until it is cut.
struct Wire {
    port: u16,
    state: Arc<WireState>,
}

#[derive(Default)]
struct WireState {
    is_cut: AtomicBool,
    /// How many bytes still pass to the server.
    rest: AtomicU64,
    streams: Mutex<Vec<Box<dyn Stream>>>,
}

impl WireState {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in self.streams.lock().unwrap().drain(..) {
            stream.end(Shutdown::Both);
        }
    }

    /// Passes on what comes, and its end.
    fn pass(&self, mut from: Box<dyn Stream>, mut to: Box<dyn Stream>, is_counted: bool) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let length = length as u64;
            if is_counted && self.rest.fetch_sub(length, Ordering::SeqCst) < length {
                self.cut();
            }
            if to.write_all(&buffer[..usize::try_from(length).unwrap()]).is_err() {
                break;
            }
        }
        to.end(Shutdown::Write);
    }
}

impl Wire {
    fn to(connect: impl Fn() -> Box<dyn Stream> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        wire.mend();
        let state = Arc::clone(&wire.state);
        thread::spawn(move || {
            for client in listener.incoming().map(Result::unwrap) {
                if state.is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let server = connect();
                state.streams.lock().unwrap().extend([client.twin(), server.twin()]);
                for (from, to, is_counted) in [(client.twin(), server.twin(), true), (server, client.twin(), false)] {
                    let state = Arc::clone(&state);
                    thread::spawn(move || state.pass(from, to, is_counted));
                }
            }
        });
        wire
    }

    fn to_socket(path: &Path) -> Self {
        let path = path.to_owned();
        Self::to(move || Box::new(UnixStream::connect(&path).unwrap()))
    }

    fn cut(&self) {
        self.state.cut();
    }

    fn cut_after(&self, bytes: u64) {
        self.state.rest.store(bytes, Ordering::SeqCst);
    }

    fn mend(&self) {
        self.state.rest.store(u64::MAX, Ordering::SeqCst);
        self.state.is_cut.store(false, Ordering::SeqCst);
    }
}

/// A server that ends with its test.
struct Server(Child);

impl Server {
    fn start(command: &mut Command, is_there: impl Fn() -> bool) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")));
        while !is_there() {
            assert!(server.0.try_wait().unwrap().is_none(), "{command:?} has ended");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// An engine that is known as `far`.
struct Far {
    /// Whose containers and volumes they are.
    engine: Engine,
    wire: Wire,
    /// The variable that has the client know the name, and its value.
    known: (&'static str, PathBuf),
    root: PathBuf,
    /// Removed with it: it cannot lie beside the project, for only its user's directory is short enough, and closed.
    socket: Option<PathBuf>,
    _servers: Vec<Server>,
}

impl Far {
    fn new(engine: Engine, project: &Project<'_>) -> Self {
        let root = project.root().to_owned();
        match engine {
            Engine::Podman => {
                let socket = project.beside("far.sock");
                let service = podman_service(engine, &socket);
                let wire = Wire::to_socket(&socket);
                let known = destination(project, &format!("uri = \"tcp://127.0.0.1:{}\"", wire.port));
                Self { engine, wire, known, root, socket: None, _servers: vec![service] }
            }
            Engine::RootlessPodman => {
                let socket = rootless_socket();
                let service = podman_service(engine, &socket);
                let (sshd, port, key) = sshd(project);
                let wire = Wire::to(move || Box::new(TcpStream::connect(("127.0.0.1", port)).unwrap()));
                let user = std::env::var("HSX_TEST_ROOTLESS_USER").unwrap();
                let uri = format!("ssh://{user}@127.0.0.1:{}{}", wire.port, socket.display());
                let known = destination(project, &format!("uri = \"{uri}\"\nidentity = \"{}\"", key.display()));
                Self { engine, wire, known, root, socket: Some(socket), _servers: vec![service, sshd] }
            }
            Engine::Docker => {
                let wire = Wire::to_socket(Path::new("/run/docker.sock"));
                let dir = project.beside("docker");
                let host = format!("host=tcp://127.0.0.1:{}", wire.port);
                let create = ["context", "create", "far", "--docker", &host];
                output(Command::new("docker").arg("--config").arg(&dir).args(create));
                // Podman looks there too.
                fs_err::write(dir.join("config.json"), "{}").unwrap();
                Self { engine, wire, known: ("DOCKER_CONFIG", dir), root, socket: None, _servers: Vec::new() }
            }
        }
    }

    /// `hsx static` on this engine.
    fn hsx(&self, project: &Project<'_>, args: &[&str]) -> Hsx {
        // Whoever knows the name is taken.
        let hsx = project.hsx(&[&["--connection", "far"], args].concat()).env("HSX_ENGINE", "");
        hsx.env(self.known.0, &self.known.1)
    }

    fn containers(&self) -> String {
        self.engine.left(&self.root).0
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.engine.remove_all_of(&self.root);
        if let Some(socket) = &self.socket {
            let _ = fs_err::remove_file(socket);
        }
    }
}

/// Settings of podman's client that lead to an engine, with those of this machine: no others are read then.
fn destination(project: &Project<'_>, text: &str) -> (&'static str, PathBuf) {
    let path = project.beside("containers.conf");
    let machine = fs_err::read_to_string("/etc/containers/containers.conf.d/99-hsx-world.conf").unwrap_or_default();
    fs_err::write(&path, format!("{machine}\n[engine.service_destinations.far]\n{text}\n")).unwrap();
    ("CONTAINERS_CONF", path)
}

fn podman_service(engine: Engine, socket: &Path) -> Server {
    let mut command = engine.command("podman");
    command.args(["system", "service", "--time", "0"]).arg(format!("unix://{}", socket.display())).current_dir("/");
    Server::start(&mut command, || UnixStream::connect(socket).is_ok())
}

/// A path that no other test has: they run at the same time.
fn rootless_socket() -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (uid, _) = Engine::RootlessPodman.ids();
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    PathBuf::from(format!("/run/user/{uid}/hsx-test-{}-{number}.sock", std::process::id()))
}

/// An sshd on loopback, its port, and the key that opens it.
fn sshd(project: &Project<'_>) -> (Server, u16, PathBuf) {
    let dir = project.beside("ssh");
    fs_err::create_dir(&dir).unwrap();
    for name in ["host", "key"] {
        output(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(name)));
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let path = |name: &str| dir.join(name).display().to_string();
    // With PAM: the user has no password, and without PAM that is a locked account.
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM yes\n\
         PasswordAuthentication no\n",
        path("host"),
        path("key.pub")
    );
    fs_err::write(dir.join("config"), config).unwrap();
    fs_err::create_dir_all("/run/sshd").unwrap();
    let mut command = Command::new("/usr/sbin/sshd");
    command.arg("-D").arg("-f").arg(dir.join("config"));
    let server = Server::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (server, port, dir.join("key"))
}

/// A project and an engine elsewhere, for each in turn.
fn on_every_engine(test: impl Fn(&Project<'_>, &Far)) {
    let world = World::shared();
    for engine in [Engine::Podman, Engine::RootlessPodman, Engine::Docker] {
        // The client's user is root each time.
        let hello = world.project("hello", Engine::Podman);
        let far = Far::new(engine, &hello);
        test(&hello, &far);
    }
}

#[test]
fn only_what_has_changed_is_sent_and_nothing_where_nothing_has() {
    on_every_engine(|hello, far| {
        hello.commit();
        far.hsx(hello, &[]).run().exits(0).says("Sending linux/amd64 the source");
        greets(hello, "linux/amd64");
        hello.edit("Main.hs", "Hello from", "Greetings from");
        far.hsx(hello, &[]).run().exits(0).says("what has changed, 1 files");
        let said = output(&mut Command::new(hello.result("linux/amd64", "hello")));
        assert!(said.starts_with("Greetings from"), "{said}");
        assert_eq!(far.containers(), "");
        // No engine is asked.
        far.wire.cut();
        far.hsx(hello, &[]).run().exits(0).says("up to date");
        far.hsx(hello, &["--force"]).run().exits(3).says("error: ").says(" far ");
    });
}

#[test]
fn a_connection_that_is_cut_during_the_transfer() {
    on_every_engine(|hello, far| {
        hello.put_previous_result();
        // Nothing that could be compressed on its way.
        let noise = output(Command::new("sh").args(["-c", "head -c 6000000 /dev/urandom | base64"]));
        hello.write("noise", &noise);
        // What is asked before takes a few kilobytes.
        far.wire.cut_after(3_000_000);
        let outcome = far.hsx(hello, &[]).run();
        outcome.exits(3).says("Sending").says("the connection `far` to the engine was lost").does_not_say("Building");
        far.wire.mend();
        hello.assert_previous_result();
        far.hsx(hello, &[]).run().exits(0).says("Sending linux/amd64 the source");
        greets(hello, "linux/amd64");
        assert_eq!(far.containers(), "");
    });
}

#[test]
fn a_connection_that_is_cut_during_the_build() {
    on_every_engine(|hello, far| {
        hello.put_previous_result();
        hello.sleep_while_compiling();
        let mut run = far.hsx(hello, &[]).start();
        run.wait_for("Compiling Main");
        far.wire.cut();
        let outcome = run.finish();
        outcome.exits(3).says("the connection `far` to the engine was lost").says(" far info`");
        assert_eq!(outcome.errors().len(), 1, "{outcome}");
        far.wire.mend();
        hello.assert_previous_result();
        assert_ne!(far.containers(), "", "nobody could end it");
        hello.edit("Main.hs", "60000000", "0");
        far.hsx(hello, &[]).run().exits(0).says("Sweeping");
        assert_eq!(far.containers(), "");
    });
}

#[test]
fn two_platforms_are_built_at_a_time_on_two_engines() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    hello.sleep_while_compiling();
    let far = Far::new(Engine::Docker, &hello);
    let both = ["--platform", "linux/amd64,linux/arm64", "--strategy", "emulate", "--connection", "arm64=far"];
    let here = hello.hsx(&both).env("HSX_ENGINE", "").env(far.known.0, &far.known.1);
    let mut run = here.start();
    let compiles = |said: &str, platform: &str| {
        said.lines().any(|line| line.contains(platform) && line.contains("Compiling Main"))
    };
    run.wait_until("two builds", |said| compiles(said, "amd64") && compiles(said, "arm64"));
    assert!(!hello.containers().is_empty() && !far.containers().is_empty());
    run.send(Signal::INT, To::Group);
    run.finish().exits(130);
    assert_eq!((hello.containers(), far.containers()), (String::new(), String::new()));

    hello.edit("Main.hs", "60000000", "0");
    hello.hsx(&both).env("HSX_ENGINE", "").env(far.known.0, &far.known.1).run().exits(0);
    for platform in ["linux/amd64", "linux/arm64"] {
        assert_eq!(output(&mut Command::new(hello.result(platform, "hello"))), "Good morning\n");
    }
}

#[test]
fn the_printed_plan_does_the_same_elsewhere() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let far = Far::new(Engine::Podman, &hello);
    let plan = far.hsx(&hello, &["--dry-run"]).run();
    plan.exits(0);
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &plan.stdout]).current_dir(hello.root()).env(far.known.0, &far.known.1);
    let path = format!(
        "{}:{}",
        Path::new(env!("CARGO_BIN_EXE_hsx")).parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    output(shell.env("PATH", path).env("XDG_STATE_HOME", hello.beside("pasted")));
    greets(&hello, "linux/amd64");
}
