//! What an engine stores: volumes, containers and images, how large they are, and how they are removed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Dialect, Engine, LABEL};
use crate::base::cmd::Cmd;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObjectKind {
    Container,
    Volume,
    Image,
}

/// Something in an engine's storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredObject {
    pub kind: ObjectKind,
    /// An image's tags, or the one name of a volume or container.
    pub names: Vec<String>,
    /// The engine's ID for it; for a volume its name.
    pub id: String,
    /// When it was made, as the engine writes it: RFC 3339.
    pub created: String,
    /// The labels as hsx wrote them, decoded.
    pub labels: BTreeMap<String, String>,
    /// The size in bytes, if this answer of the engine tells it.
    pub size: Option<u64>,
    pub running: bool,
}

impl Engine {
    /// The command that lists the objects of a kind that carry hsx's label, by ID or name, one a line.
    pub(crate) fn list(&self, kind: ObjectKind) -> Cmd {
        let label = format!("label={LABEL}");
        match kind {
            ObjectKind::Container => self.cmd(&["ps", "--all", "--quiet", "--no-trunc", "--filter"]).arg(label),
            ObjectKind::Volume => self.volumes(LABEL),
            ObjectKind::Image => self.cmd(&["image", "ls", "--quiet", "--no-trunc", "--filter"]).arg(label),
        }
    }

    /// The command that prints all details of some objects.
    pub(crate) fn inspect(&self, kind: ObjectKind, ids: &[String]) -> Cmd {
        let words: &[&str] = match kind {
            ObjectKind::Container => &["container", "inspect", "--size"],
            ObjectKind::Volume => &["volume", "inspect"],
            ObjectKind::Image => &["image", "inspect"],
        };
        self.cmd(words).args(ids)
    }

    /// The command that measures the volumes. It measures everything that the engine stores, but no other command
    /// tells.
    pub(crate) fn usage(&self) -> Cmd {
        match self.dialect {
            Dialect::Docker => self.cmd(&["system", "df", "--verbose", "--format", "{{json .}}"]),
            // Podman prints the details only as tables.
            Dialect::Podman => self.cmd(&["system", "df", "--verbose"]),
        }
    }

    /// Removes a volume, unless a container uses it.
    pub(crate) fn remove_volume(&self, name: &str) -> Cmd {
        // No `--force`: with it, podman would remove the containers that use the volume too.
        self.cmd(&["volume", "rm", name])
    }

    /// Removes an image by one of its names or its ID, unless a container uses it or another name is left.
    pub(crate) fn remove_image(&self, name: &str) -> Cmd {
        self.cmd(&["image", "rm", name])
    }
}

/// Reads the answer to [`Engine::inspect`].
///
/// # Errors
/// When it is not a list of JSON objects.
pub(crate) fn parse_stored(kind: ObjectKind, json: &str) -> Result<Vec<StoredObject>, serde_json::Error> {
    let raw: Vec<Raw> = serde_json::from_str(json)?;
    Ok(raw.into_iter().map(|raw| raw.stored(kind)).collect())
}

/// A volume, container or image, as either engine writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Raw {
    id: String,
    name: String,
    repo_tags: Option<Vec<String>>,
    created: Option<String>,
    created_at: Option<String>,
    /// The labels of volumes, and of podman's images.
    labels: Option<BTreeMap<String, String>>,
    config: Option<RawConfig>,
    size: Option<u64>,
    size_rw: Option<u64>,
    state: Value,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl Raw {
    fn stored(self, kind: ObjectKind) -> StoredObject {
        // Docker writes a slash before the names of containers.
        let name = self.name.trim_start_matches('/').to_owned();
        let labels = self.labels.or_else(|| self.config.and_then(|config| config.labels)).unwrap_or_default();
        let status = self.state.get("Status").and_then(Value::as_str).unwrap_or_default();
        StoredObject {
            kind,
            id: if kind == ObjectKind::Volume { name.clone() } else { self.id },
            names: if kind == ObjectKind::Image { self.repo_tags.unwrap_or_default() } else { vec![name] },
            created: self.created.or(self.created_at).unwrap_or_default(),
            labels: labels.into_iter().map(|(key, value)| (key, label_value(&value))).collect(),
            size: if kind == ObjectKind::Container { self.size_rw } else { self.size },
            running: ["running", "paused", "restarting", "stopping"].contains(&status),
        }
    }
}

/// A label's value, decoded from what `label_spec` made of it.
fn label_value(text: &str) -> String {
    text.replace("%22", "\"").replace("%2C", ",").replace("%25", "%")
}

/// Reads the sizes of volumes, in bytes, from the answer to [`Engine::usage`].
pub(crate) fn parse_usage(text: &str) -> BTreeMap<String, u64> {
    #[derive(Deserialize)]
    struct Usage {
        #[serde(default, rename = "Volumes")]
        volumes: Option<Vec<Volume>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Volume {
        name: String,
        #[serde(default)]
        size: String,
    }
    if let Ok(usage) = serde_json::from_str::<Usage>(text) {
        let volumes = usage.volumes.into_iter().flatten();
        return volumes.filter_map(|volume| Some((volume.name, parse_size(&volume.size)?))).collect();
    }
    let volumes = text.lines().skip_while(|line| !line.starts_with("VOLUME NAME")).skip(1);
    let rows = volumes.map_while(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next_back()?))
    });
    rows.filter_map(|(name, size)| Some((name, parse_size(size)?))).collect()
}

/// Reads a size such as `21.08kB`, in bytes. Both engines count in thousands.
fn parse_size(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].parse().ok()?;
    let factor = match &text[unit..] {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a size is positive, and rounded anyway"
    )]
    let bytes = (number * factor).round() as u64;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_read_from_both() {
        for json in [
            r#"[{"CreatedAt":"2026-11-23T23:17:26Z","Driver":"local","Labels":{"hsx.kind":"build",
                "hsx.project":"/a%2Cb%2522"},"Mountpoint":"/m","Name":"v","Options":null,"Scope":"local"}]"#,
            r#"[{"Name":"v","CreatedAt":"2026-11-23T23:17:26Z","Labels":{"hsx.kind":"build",
                "hsx.project":"/a%2Cb%2522"},"MountCount":0,"NeedsCopyUp":true}]"#,
        ] {
            let volumes = parse_stored(ObjectKind::Volume, json).unwrap();
            let [volume] = volumes.as_slice() else { panic!("there is one: {volumes:?}") };
            assert_eq!((volume.id.as_str(), volume.created.as_str()), ("v", "2026-11-23T23:17:26Z"));
            assert_eq!(volume.labels["hsx.project"], "/a,b%22");
        }
        assert_eq!(parse_stored(ObjectKind::Volume, r#"[{"Name":"v","Labels":null}]"#).unwrap()[0].labels.len(), 0);
        assert!(parse_stored(ObjectKind::Volume, "Error: no such volume").is_err());
    }

    #[test]
    fn containers_and_images_are_read_from_both() {
        let container = r#"[{"Id":"c1","Name":"/hsx-k-build","Created":"2026-01-01T00:00:00Z","SizeRw":7,
            "State":{"Status":"exited","FinishedAt":"x"},"Config":{"Labels":{"hsx.kind":"run"}}}]"#;
        let container = &parse_stored(ObjectKind::Container, container).unwrap()[0];
        assert_eq!((container.names[0].as_str(), container.size, container.running), ("hsx-k-build", Some(7), false));
        let running = r#"[{"Id":"c1","Name":"hsx-k-build","State":{"Status":"running"},"Config":{"Labels":null}}]"#;
        assert!(parse_stored(ObjectKind::Container, running).unwrap()[0].running);
        let image = r#"[{"Id":"sha256:1","RepoTags":["localhost/hsx-derived:1"],"Size":9,"Created":"2026-01-01T00:00:00Z",
            "Config":{"Labels":{"hsx.kind":"image"}}}]"#;
        let image = &parse_stored(ObjectKind::Image, image).unwrap()[0];
        assert_eq!((image.size, image.labels["hsx.kind"].as_str()), (Some(9), "image"));
    }

    #[test]
    fn sizes_are_read_from_a_table_and_from_json() {
        let table = "Images space usage:\n\nREPOSITORY  TAG  IMAGE ID  CREATED  SIZE\nx  1  c  33 minutes  1.208GB\n\n\
            Local Volumes space usage:\n\nVOLUME NAME      LINKS       SIZE\nhsx-store        0           21.08kB\n\
            other            2           1.5GB\n";
        let json = r#"{"Images":[],"Volumes":[{"Name":"hsx-store","Size":"21.08kB","Links":"0"},
            {"Name":"other","Size":"1.5GB"},{"Name":"remote","Size":"N/A"}],"BuildCache":[]}"#;
        for text in [table, json] {
            let sizes = parse_usage(text);
            assert_eq!((sizes.len(), sizes["hsx-store"], sizes["other"]), (2, 21080, 1_500_000_000), "{sizes:?}");
        }
        assert!(parse_usage("Error: what").is_empty());
    }
}
