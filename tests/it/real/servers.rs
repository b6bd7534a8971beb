//! Servers for what a build downloads: some answer, some keep their clients waiting.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::real::support::Project;

// Docker's own media types: Debian 12's docker, 20.10, cannot inspect manifests of OCI's.
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A server on this machine's loopback, until the tests end.
pub(crate) struct Server {
    port: u16,
    stalled: Arc<AtomicBool>,
}

impl Server {
    /// Takes connections and never says a word.
    pub(crate) fn silent() -> Self {
        Self::start(|_| None)
    }

    /// Serves the files of a directory.
    pub(crate) fn files(dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self::start(move |request| {
            let path = request.split(' ').nth(1)?.trim_start_matches('/');
            let (status, body) =
                fs_err::read(dir.join(path)).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            Some([head.into_bytes(), body].concat())
        })
    }

    /// A registry that knows an image for linux/amd64, whatever its name, but never hands out its only layer.
    pub(crate) fn without_layers() -> Self {
        Self::without_layers_at(0)
    }

    /// A port that nobody listens on.
    pub(crate) fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// The same at a port.
    pub(crate) fn without_layers_at(port: u16) -> Self {
        let layer = format!("sha256:{}", "7".repeat(64));
        let platform = json!({ "os": "linux", "architecture": "amd64" });
        let rootfs = json!({ "type": "layers", "diff_ids": [&layer] });
        let config = json!({ "os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs }).to_string();
        let image = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": { "mediaType": CONFIG, "size": config.len(), "digest": digest(&config) },
            "layers": [{ "mediaType": LAYER, "size": 9, "digest": &layer }],
        })
        .to_string();
        let child = json!({ "mediaType": IMAGE, "platform": platform, "size": image.len(), "digest": digest(&image) });
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [child] }).to_string();
        let known = [(CONFIG, config), (IMAGE, image)].map(|(media, text)| (media, digest(&text), text));
        Self::start_at(port, move |request| {
            // A client that speaks TLS must learn that this server does not; it tries again without.
            let Some(path) = request.split(' ').nth(1).filter(|_| request.contains(" HTTP/1.1\r\n")) else {
                return Some(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec());
            };
            let (media, body) = match known.iter().find(|(_, digest, _)| path.ends_with(digest)) {
                Some((media, _, text)) => (*media, text.as_str()),
                None if path.ends_with(&layer) => return None,
                None if path.contains("/manifests/") => (INDEX, index.as_str()),
                None => ("application/json", "{}"),
            };
            let (length, digest) = (body.len(), digest(body));
            let body = if request.starts_with("HEAD ") { "" } else { body };
            // Docker 20.10 takes what tells no version for no registry.
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\
                 Docker-Distribution-Api-Version: registry/2.0\r\nDocker-Content-Digest: {digest}\r\n\r\n{body}"
            );
            Some(answer.into_bytes())
        })
    }

    /// Answers requests; those without an answer wait for it.
    fn start(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        Self::start_at(0, answer)
    }

    fn start_at(port: u16, answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), stalled: Arc::default() };
        let stalled = Arc::clone(&server.stalled);
        thread::spawn(move || {
            let mut waiting = Vec::new();
            for mut stream in listener.incoming().map(Result::unwrap) {
                if let Some(answer) = answer(&request(&mut stream)) {
                    let _ = stream.write_all(&answer);
                } else {
                    stalled.store(true, Ordering::SeqCst);
                    waiting.push(stream);
                }
            }
        });
        server
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Somebody waits for an answer.
    pub(crate) fn keeps_waiting(&self) -> bool {
        self.stalled.load(Ordering::SeqCst)
    }

    /// The configuration that has podman speak plain HTTP to this server, in a file beside the project.
    pub(crate) fn registries_conf(&self, project: &Project<'_>) -> PathBuf {
        let path = project.beside("registries.conf");
        let text = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", self.address());
        fs_err::write(&path, text).unwrap();
        path
    }
}

/// The head of an HTTP request; of one in TLS, which begins with 22, what has come so far.
fn request(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\r\n\r\n") && !request.starts_with(&[22]) {
        let Ok(length @ 1..) = stream.read(&mut part) else { break };
        request.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&request).into_owned()
}

fn digest(text: &str) -> String {
    let start = "sha256:".to_owned();
    Sha256::digest(text).iter().fold(start, |digest, byte| digest + &format!("{byte:02x}"))
}
