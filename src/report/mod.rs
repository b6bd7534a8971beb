//! Reports: the table that people read, and the JSON that programs read. The submodules tell why a tool failed
//! (`diagnosis`), what happens during a run (`event`), how far a build is (`progress`) and how long it took
//! (`timings`). All of this is pure text and data; `world::doors::ui` shows it.

pub(crate) mod diagnosis;
pub(crate) mod event;
pub(crate) mod progress;
pub(crate) mod storage;
pub(crate) mod test_report;
pub(crate) mod timings;

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::facts::strategy::Choice;
use crate::project::SourceMount;
use crate::tools::cabal::data_variable;
use crate::tools::linkage::Linkage;
use event::Event;

/// The results of all platforms.
#[derive(Debug)]
pub(crate) struct Report {
    /// For a build with `--freeze`: the frozen versions and where they come from.
    pub freeze: Option<Value>,
    /// What the builds were shown of this machine.
    pub mounts: Vec<SourceMount>,
    pub platforms: Vec<PlatformReport>,
}

/// The result of one platform.
#[derive(Debug)]
pub(crate) struct PlatformReport {
    pub platform: Platform,
    pub choice: Choice,
    /// The version of GHC. `None`: the image's name does not tell it.
    pub ghc: Option<String>,
    /// What decided the version. `None`: it is that of the image.
    pub ghc_reason: Option<String>,
    pub image: String,
    pub warnings: Vec<String>,
    /// Hints about what the user could improve.
    pub notes: Vec<String>,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// The results were up to date, so nothing was built.
    pub fresh: bool,
    pub result: Result<Vec<Delivered>, Error>,
}

/// A verified executable in the output directory. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the report")]
pub(crate) struct Delivered {
    pub name: String,
    pub package: String,
    pub version: String,
    pub path: Utf8PathBuf,
    /// The size before packing.
    pub built_size: u64,
    /// The size of the delivered file.
    pub size: u64,
    pub packed: bool,
    /// Why the executable is not packed, although upx is installed.
    pub unpacked_reason: Option<String>,
    pub linkage: Linkage,
    /// The SHA-256 of the delivered file, in hexadecimal.
    pub sha256: String,
    /// The executable was started before it was delivered. A foreign one can be started only with emulation.
    pub started: bool,
    /// The exit status of `NAME --help`; `None` when it was stopped after a time limit.
    pub help_status: Option<u8>,
    /// What `NAME --help` printed, when it did not succeed.
    #[serde(default)]
    pub help_said: Vec<String>,
    /// The executable's packages that have data files. These files are not part of the executable.
    #[serde(default)]
    pub data: Vec<String>,
    /// The packages whose data files were delivered too, in `share` beside the executable.
    #[serde(default)]
    pub has_data_beside: bool,
    /// The executable contains GMP, which is licensed under the LGPL.
    pub gmp: bool,
}

impl Delivered {
    /// A note about data files, which are not part of an executable.
    fn data_note(&self) -> Option<String> {
        if self.data.is_empty() {
            return None;
        }
        let share = self.path.with_file_name("share");
        let variables: Vec<_> = self.data.iter().map(|package| format!("{}=DIR", data_variable(package))).collect();
        let packages = self.data.iter().map(|package| format!("`{package}`")).collect::<Vec<_>>().join(", ");
        let way = if self.has_data_beside {
            format!("they are in `{share}`")
        } else {
            "`--data-files` delivers them".to_owned()
        };
        Some(format!(
            "is built of {packages} with data files, which are not in it: {way}, `{}` tells it where",
            variables.join(" ")
        ))
    }

    /// A note about a trial run that did not succeed.
    fn trial_note(&self) -> Option<String> {
        let status = self.help_status.filter(|status| *status != 0)?;
        let said = self.help_said.first()?;
        Some(format!("starts, and `--help` exits with {status}: {said}"))
    }
}

impl Report {
    /// The exit code of the whole run: that of the worst failure.
    pub(crate) fn exit_code(&self) -> u8 {
        let errors = self.platforms.iter().filter_map(|platform| platform.result.as_ref().err());
        errors.map(|error| error.kind).max().map_or(0, crate::base::error::ErrorKind::exit_code)
    }

    /// The report as one JSON document. Later versions may add keys, but remove none.
    pub(crate) fn json(&self) -> String {
        let platforms: Vec<Value> = self.platforms.iter().map(PlatformReport::json).collect();
        let mut document = json!({ "exit_code": self.exit_code(), "mounts": self.mounts, "platforms": platforms });
        if let Some(freeze) = &self.freeze {
            document["freeze"] = freeze.clone();
        }
        format!("{document:#}\n")
    }

    /// The report as a Markdown table, for the summary page of a GitHub job.
    pub(crate) fn markdown(&self, cwd: &Utf8Path) -> String {
        let mut text =
            "| platform | executable | size | linkage | sha256 | time | |\n|---|---|--:|---|---|--:|---|\n".to_owned();
        for platform in &self.platforms {
            let (name, time) = (platform.platform, seconds(platform.seconds));
            let how = if platform.fresh { "up to date".to_owned() } else { platform.choice.strategy.to_string() };
            match &platform.result {
                Ok(delivered) => {
                    for exe in delivered {
                        let path = exe.path.strip_prefix(cwd).unwrap_or(&exe.path);
                        let (size, digest) = (bytes(exe.size), &exe.sha256);
                        let _ = writeln!(
                            text,
                            "| {name} | `{path}` | {size} | {} | `{digest}` | {time} | {how} |",
                            exe.linkage
                        );
                    }
                }
                Err(error) => {
                    let _ =
                        writeln!(text, "| {name} | | | | | {time} | failed: {} |", error.message.replace('|', "\\|"));
                }
            }
        }
        text
    }

    /// Whether every platform failed. The errors say everything then, and a table adds nothing.
    pub(crate) fn delivered_nothing(&self) -> bool {
        self.platforms.iter().all(|platform| platform.result.is_err())
    }

    /// The notes, then the table. Columns that do not fit into `width` are left out, the least important first. Paths
    /// are relative to `cwd`.
    pub(crate) fn table(&self, width: usize, cwd: &Utf8Path) -> String {
        let mut rows = vec![
            ["PLATFORM", "PATH", "SIZE", "BUILT", "LINKAGE", "SHA256", "TIME", "STRATEGY"].map(str::to_owned).to_vec(),
        ];
        let mut notes = Vec::new();
        for platform in &self.platforms {
            match &platform.result {
                Ok(delivered) => {
                    notes.extend(platform.notes.iter().map(|note| format!("{}: {note}", platform.platform)));
                    for exe in delivered {
                        rows.push(platform.row(exe, cwd));
                        notes.extend(
                            exe.unpacked_reason
                                .iter()
                                .map(|why| format!("{}: {} is not packed: {why}", platform.platform, exe.name)),
                        );
                    }
                    notes.extend(delivered.iter().flat_map(|exe| {
                        let of = format!("{}: {}", platform.platform, exe.name);
                        exe.data_note().into_iter().chain(exe.trial_note()).map(move |note| format!("{of} {note}"))
                    }));
                    if delivered.iter().any(|exe| !exe.started) {
                        notes.push(format!(
                            "{}: not started (no emulation), verified by ELF inspection only; not packed",
                            platform.platform
                        ));
                    }
                    let gmp: Vec<_> = delivered.iter().filter(|exe| exe.gmp).map(|exe| exe.name.as_str()).collect();
                    if !gmp.is_empty() {
                        notes.push(format!(
                            "{}: {} contain{} GMP (LGPL): offer the objects or source with it, or build with `--bignum native`",
                            platform.platform,
                            gmp.join(", "),
                            if gmp.len() == 1 { "s" } else { "" },
                        ));
                    }
                }
                Err(error) => rows.push(platform.failed_row(error)),
            }
        }
        // The columns to drop on a narrow terminal, the most dispensable first.
        for column in ["STRATEGY", "SHA256", "BUILT", "LINKAGE", "TIME"] {
            if rendered_width(&rows) <= width {
                break;
            }
            if let Some(index) = rows[0].iter().position(|name| name == column) {
                rows.iter_mut().filter(|row| row.len() > index).for_each(|row| drop(row.remove(index)));
            }
        }
        let mut text = String::new();
        for note in notes {
            let _ = writeln!(text, "note: {note}");
        }
        text + &render(&rows)
    }
}

impl PlatformReport {
    fn row(&self, exe: &Delivered, cwd: &Utf8Path) -> Vec<String> {
        let built = if exe.packed { bytes(exe.built_size) } else { "-".to_owned() };
        vec![
            self.platform.to_string(),
            exe.path.strip_prefix(cwd).unwrap_or(&exe.path).to_string(),
            bytes(exe.size),
            built,
            exe.linkage.to_string(),
            exe.sha256[..12].to_owned(),
            seconds(self.seconds),
            self.choice.strategy.to_string(),
        ]
    }

    /// The row of a failed platform. The row names the platform already, so a message that begins with it is shortened.
    fn failed_row(&self, error: &Error) -> Vec<String> {
        let platform = self.platform.to_string();
        let message = error.message.strip_prefix(&platform).unwrap_or(&error.message);
        vec![platform, format!("failed: {}", message.trim_start())]
    }

    /// The event that ends the platform's build. It holds the platform's part of the JSON document.
    pub(crate) fn event(&self) -> Event {
        Event::Finish(self.json())
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "platform": self.platform,
            "strategy": self.choice.strategy,
            "reason": self.choice.reason,
            "ghc": self.ghc,
            "ghc_reason": self.ghc_reason,
            "image": self.image,
            "seconds": self.seconds,
            "fresh": self.fresh,
            "warnings": self.warnings,
            "notes": self.notes,
        });
        match &self.result {
            Ok(delivered) => value["executables"] = json!(delivered),
            Err(error) => value["error"] = error_json(error),
        }
        value
    }
}

/// An error as part of a JSON document.
pub(crate) fn error_json(error: &Error) -> Value {
    json!({
        "exit_code": error.kind.exit_code(),
        "message": error.message,
        "tried": error.tried,
        "said": error.said,
        "messages": error.messages,
        "hints": error.hints,
        "log": error.log,
    })
}

fn column_widths(rows: &[Vec<String>]) -> Vec<usize> {
    let full = rows.iter().filter(|row| row.len() == rows[0].len());
    full.fold(vec![0; rows[0].len()], |widths, row| {
        widths.iter().zip(row).map(|(width, cell)| (*width).max(cell.chars().count())).collect()
    })
}

fn rendered_width(rows: &[Vec<String>]) -> usize {
    let widths = column_widths(rows);
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

/// Renders rows as columns. Each column but the last is as wide as its widest cell.
pub(crate) fn render(rows: &[Vec<String>]) -> String {
    let widths = column_widths(rows);
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

/// A size for people: `12 KiB`, `1.4 MiB`, `2.0 GiB`.
pub(crate) fn bytes(size: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let kib = size as f64 / 1024.0;
    let mib = kib / 1024.0;
    match () {
        () if kib < 1024.0 => format!("{kib:.0} KiB"),
        () if mib < 1024.0 => format!("{mib:.1} MiB"),
        () => format!("{:.1} GiB", mib / 1024.0),
    }
}

/// A duration for people: `12.3s`, `4m05s`.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1}s");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a build's duration is a small positive number"
    )]
    let whole = seconds.round() as u64;
    format!("{}m{:02}s", whole / 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::ErrorKind;
    use crate::facts::strategy::Strategy;

    fn delivered(name: &str, packed: bool) -> Delivered {
        Delivered {
            name: name.to_owned(),
            package: "demo".to_owned(),
            version: "1.0".to_owned(),
            path: format!("/p/dist-static/linux-arm64/{name}").into(),
            built_size: 3 << 20,
            size: if packed { 1 << 20 } else { 3 << 20 },
            packed,
            unpacked_reason: (!packed).then(|| "it died".to_owned()),
            linkage: Linkage::Static,
            sha256: "0123456789abcdef".repeat(4),
            started: true,
            help_status: Some(0),
            help_said: Vec::new(),
            data: Vec::new(),
            has_data_beside: false,
            gmp: false,
        }
    }

    fn report(result: Result<Vec<Delivered>, Error>) -> Report {
        let choice = Choice { strategy: Strategy::Emulate, reason: "the host is linux/amd64".to_owned() };
        let platform = PlatformReport {
            platform: Platform::Arm64,
            choice,
            ghc: Some("9.6.6".to_owned()),
            ghc_reason: None,
            image: "x@sha256:0".to_owned(),
            warnings: Vec::new(),
            notes: Vec::new(),
            seconds: 245.0,
            fresh: false,
            result,
        };
        Report { freeze: None, mounts: Vec::new(), platforms: vec![platform] }
    }

    #[test]
    fn the_table_has_all_columns_where_there_is_room() {
        let table = report(Ok(vec![delivered("a", true), delivered("b", false)])).table(200, "/p".into());
        let expected = "\
note: linux/arm64: b is not packed: it died
PLATFORM     PATH                       SIZE     BUILT    LINKAGE  SHA256        TIME   STRATEGY
linux/arm64  dist-static/linux-arm64/a  1.0 MiB  3.0 MiB  static   0123456789ab  4m05s  emulate
linux/arm64  dist-static/linux-arm64/b  3.0 MiB  -        static   0123456789ab  4m05s  emulate
";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_narrow_table_keeps_what_matters() {
        let table = report(Ok(vec![delivered("a", true)])).table(50, "/p".into());
        assert_eq!(table.lines().next(), Some("PLATFORM     PATH                       SIZE"));
    }

    #[test]
    fn the_worst_failure_gives_the_exit_code() {
        assert_eq!(report(Ok(Vec::new())).exit_code(), 0);
        let mut report = report(Err(Error::new(ErrorKind::Build, "cabal failed")));
        assert_eq!(report.exit_code(), 1);
        report.platforms[0].result = Err(Error::verification("dynamic"));
        assert_eq!(report.exit_code(), 4);
        assert!(report.table(80, "/p".into()).contains("linux/arm64  failed: dynamic\n"));
        report.platforms[0].result = Err(Error::host("linux/arm64 programs do not start"));
        assert!(report.table(80, "/p".into()).contains("linux/arm64  failed: programs do not start\n"));
    }

    #[test]
    fn the_json_is_one_document() {
        let json: Value = serde_json::from_str(&report(Ok(vec![delivered("a", true)])).json()).unwrap();
        assert_eq!(json["platforms"][0]["executables"][0]["name"], "a");
        assert_eq!(json["platforms"][0]["strategy"], "emulate");
        let json: Value = serde_json::from_str(&report(Err(Error::verification("dynamic"))).json()).unwrap();
        assert_eq!(
            (json["exit_code"].as_u64(), json["platforms"][0]["error"]["message"].as_str()),
            (Some(4), Some("dynamic"))
        );
    }
}
