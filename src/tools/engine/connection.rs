//! Engines elsewhere: podman's connections and docker's contexts, known by name. Only the engine program knows what is
//! behind a name.

use serde::Deserialize;

use super::{Dialect, Engine};
use crate::base::cmd::Cmd;

impl Engine {
    /// The command that lists the connections or contexts of an engine program; each dialect has its own.
    pub(crate) fn connections(dialect: Dialect, program: &str) -> Cmd {
        let words: &[&str] = match dialect {
            Dialect::Podman => &["system", "connection", "list", "--format", "json"],
            Dialect::Docker => &["context", "ls", "--format", "{{.Name}}"],
        };
        Cmd::new(program).args(words.iter().copied())
    }

    /// The command that prints the address of a docker context.
    pub(crate) fn endpoint(program: &str, context: &str) -> Cmd {
        Cmd::new(program).args(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}", context])
    }

    /// The command that shows a person whether the engine answers.
    pub(crate) fn check(&self) -> Cmd {
        self.cmd(&["info"])
    }
}

/// Reads the answer to [`Engine::connections`]; `None` if the program does not speak the dialect.
pub(crate) fn parse_connections(dialect: Dialect, text: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Raw {
        #[serde(rename = "Name")]
        name: String,
    }
    match dialect {
        Dialect::Podman => {
            let raw: Vec<Raw> = serde_json::from_str(text).ok()?;
            // Podman 3 marks the default connection with a star.
            Some(raw.into_iter().map(|raw| raw.name.trim_end_matches('*').to_owned()).collect())
        }
        Dialect::Docker => {
            Some(text.lines().map(|line| line.trim().to_owned()).filter(|name| !name.is_empty()).collect())
        }
    }
}

/// Whether an engine's address is a network address. A socket of this machine is a path.
pub(crate) fn is_elsewhere(address: &str) -> bool {
    ["ssh://", "tcp://", "http://", "https://"].iter().any(|scheme| address.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_both() {
        let podman = r#"[{"Name":"graviton","URI":"ssh://core@box/run/podman.sock","Default":false},{"Name":"old*"}]"#;
        assert_eq!(parse_connections(Dialect::Podman, podman).unwrap(), ["graviton", "old"]);
        assert_eq!(parse_connections(Dialect::Podman, "[]").unwrap(), [""; 0]);
        assert_eq!(parse_connections(Dialect::Podman, "unknown flag: --format"), None);
        assert_eq!(parse_connections(Dialect::Docker, "default\ngraviton\n").unwrap(), ["default", "graviton"]);
    }

    #[test]
    fn a_name_is_given_as_each_engine_wants_it() {
        let engine = |dialect| Engine { program: "e".to_owned(), dialect, connection: Some("far".to_owned()) };
        assert_eq!(engine(Dialect::Podman).check().to_string(), "e --connection far info");
        assert_eq!(engine(Dialect::Docker).check().to_string(), "e --context far info");
    }

    #[test]
    fn a_socket_is_here() {
        for (address, elsewhere) in [
            ("unix:///var/run/docker.sock", false),
            ("npipe:////./pipe/docker_engine", false),
            ("ssh://me@box", true),
            ("tcp://127.0.0.1:2375", true),
        ] {
            assert_eq!(is_elsewhere(address), elsewhere, "{address}");
        }
    }
}
