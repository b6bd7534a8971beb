//! Judges the builder image, tools on the host, disk space, and what hsx keeps in the engine.

use super::finding::Finding;
use super::machine::{Disk, ImageCheck, Machine, Purpose, Tool};
use crate::base::platform::Platform;
use crate::project::image;
use crate::report::bytes;
use crate::tools::system::Family;
use crate::tools::upx;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A release of upx that packs well and exists as a static executable.
const GOOD_UPX: &str = "5.0.2";

pub(super) fn judge(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(found), Some((program, ..))) = (&machine.image, machine.engine()) {
        findings.push(builder_image(found, program));
    }
    findings.push(packer(machine));
    if machine.needs_hpack && !machine.tools.iter().any(|tool| tool.name == "hpack") {
        let text = "not on PATH, and the project has a `package.yaml` without a `.cabal` file";
        findings.push(Finding::bad("hpack", text).fix(machine.system.install_tool("hpack")));
    }
    if !machine.tools.is_empty() {
        let named: Vec<_> = machine.tools.iter().map(named).collect();
        findings.push(Finding::good("host", format!("{} (builds use the image's own)", named.join(", "))));
    }
    findings.extend(disks(machine));
    if let Some(kept) = machine.kept {
        let plural = if kept == 1 { "" } else { "s" };
        findings.push(Finding::good(
            "cache",
            format!("hsx keeps {kept} thing{plural} in the engine; see `hsx cache list`"),
        ));
    }
    findings
}

fn builder_image(found: &ImageCheck, program: &str) -> Finding {
    let reference = &found.reference;
    let short = |digest: &str| digest.chars().take(19).collect::<String>();
    match (&found.registry, &found.remembered) {
        (Ok(Some(now)), Some(then)) if now != then => {
            let text = format!("the tag {reference} was made again: builds use {}, it is {}", short(then), short(now));
            Finding::warning("image", text).fix("hsx static --pull")
        }
        (Ok(digest), _) => {
            let digest = digest.as_ref().map(|digest| format!(", {}", short(digest))).unwrap_or_default();
            let place = if found.present { "it is here" } else { "the first build pulls it" };
            Finding::good("image", format!("{reference}{digest}; {place}"))
        }
        (Err(said), _) => {
            let text = format!("the registry does not tell what {reference} is: {said}");
            if found.present {
                let text = format!("{text}; builds take the one that is here");
                return Finding::warning("image", text).fix(format!("{program} manifest inspect {reference}"));
            }
            let is_default = image::repository(reference) == image::DEFAULT_REPOSITORY;
            let mirror = "export HSX_IMAGE=docker.io/benz0li/ghc-musl  # a mirror";
            let other = "export HSX_IMAGE=REPOSITORY  # another image";
            Finding::bad("image", text)
                .fix(if is_default { mirror } else { other })
                .fix(format!("{program} manifest inspect {reference}  # must succeed"))
        }
    }
}

fn packer(machine: &Machine) -> Finding {
    if !machine.packs {
        return Finding::good("upx", "not used, as the settings say");
    }
    let Some(tool) = &machine.upx else {
        let finding = Finding::warning("upx", "not on PATH: executables stay as large as they are");
        return finding.fix(machine.system.install_tool("upx"));
    };
    let version = tool.version.as_deref().unwrap_or_default();
    let fault = Platform::all().find_map(|platform| upx::known_fault(version, platform));
    match fault {
        Some(fault) => {
            let finding = Finding::warning("upx", format!("{}: {fault}", named(tool)));
            let without = "export HSX_UPX=false  # does without";
            newer_upx(machine).into_iter().fold(finding, Finding::fix).fix(without)
        }
        None => Finding::good("upx", named(tool)),
    }
}

/// The command that installs the upx release of its authors into /usr/local/bin, which most systems search first.
fn newer_upx(machine: &Machine) -> Option<String> {
    if machine.system.family() == Family::NixOs {
        return None;
    }
    let name = format!("upx-{GOOD_UPX}-{}_linux", machine.platform?.oci_arch());
    let url = format!("https://github.com/upx/upx/releases/download/v{GOOD_UPX}/{name}.tar.xz");
    Some(format!("curl -fL {url} | sudo tar -xJ -C /usr/local/bin --strip-components=1 --no-same-owner {name}/upx"))
}

/// The tool with its version, `cabal 3.12.1.0`; its path when the version is not known.
fn named(tool: &Tool) -> String {
    tool.version.as_ref().map_or(tool.path.to_string(), |version| format!("{} {version}", tool.name))
}

/// One finding for each file system, even when it serves several purposes.
fn disks(machine: &Machine) -> Vec<Finding> {
    let mut devices: Vec<u64> = Vec::new();
    for disk in &machine.disks {
        if !devices.contains(&disk.device) {
            devices.push(disk.device);
        }
    }
    let of = |device| machine.disks.iter().filter(|disk| disk.device == device).collect::<Vec<_>>();
    devices.into_iter().map(|device| room(machine, &of(device))).collect()
}

/// Judges the free space of one file system; `disks` are the places that share it.
fn room(machine: &Machine, disks: &[&Disk]) -> Finding {
    let free = disks.iter().map(|disk| disk.free).min().unwrap_or_default();
    let uses = disks.iter().map(|disk| format!("{} ({})", disk.purpose.name(), disk.path));
    let text = format!("{} free for {}", bytes(free), uses.collect::<Vec<_>>().join(" and "));
    let below = |limit: fn(Purpose) -> u64| disks.iter().any(|disk| free < limit(disk.purpose));
    let finding = match () {
        () if below(Purpose::least) => Finding::bad("disk", text),
        () if below(Purpose::enough) => Finding::warning("disk", text),
        () => return Finding::good("disk", text),
    };
    let mut fixes = Vec::new();
    if let Some((program, ..)) = machine.engine()
        && disks.iter().any(|disk| disk.purpose == Purpose::Engine)
    {
        if machine.kept != Some(0) {
            let engine = if machine.engines.len() == 1 { format!(" --engine {program}") } else { String::new() };
            fixes.push(format!("hsx cache prune{engine} --older-than 30d"));
            fixes.push(format!("hsx cache prune{engine} --all  # the next builds start from scratch"));
        }
        fixes.push(format!("{program} system prune --all  # removes every image and container that is not in use"));
    }
    for disk in disks {
        fixes.extend(match disk.purpose {
            Purpose::Results => Some("export HSX_OUT_DIR=DIR  # a directory with more room".to_owned()),
            Purpose::State => Some("export XDG_STATE_HOME=DIR  # a directory with more room".to_owned()),
            Purpose::Engine => None,
        });
    }
    fixes.into_iter().fold(finding, Finding::fix)
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Results => "the results",
            Self::Engine => "the engine",
            Self::State => "locks and logs",
        }
    }

    /// Builds fail with less free space than this, in bytes.
    fn least(self) -> u64 {
        match self {
            Self::Results => 64 * MIB,
            Self::Engine => GIB,
            Self::State => MIB,
        }
    }

    /// Builds may fail with less free space than this, in bytes.
    fn enough(self) -> u64 {
        match self {
            Self::Results => 512 * MIB,
            Self::Engine => 5 * GIB,
            Self::State => 16 * MIB,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::super::machine::tests::machine;
    use super::*;

    fn of(about: &str, machine: &Machine) -> Finding {
        judge(machine).into_iter().find(|finding| finding.about == about).unwrap()
    }

    #[test]
    fn a_bad_upx_is_known() {
        let upx = |version: &str| Tool { name: "upx", path: "/usr/bin/upx".into(), version: Some(version.to_owned()) };
        let bad = of("upx", &Machine { upx: Some(upx("4.2.2")), ..machine() });
        assert!(bad.mark == Mark::Warning && bad.text.starts_with("upx 4.2.2: "), "{bad:?}");
        assert_eq!(of("upx", &Machine { upx: Some(upx("4.2.4")), ..machine() }).mark, Mark::Good);
        assert!(bad.fixes[0].contains("/upx-5.0.2-amd64_linux.tar.xz"), "{bad:?}");
        assert_eq!(of("upx", &Machine { upx: Some(upx("4.2.2")), packs: false, ..machine() }).mark, Mark::Good);
        let missing = of("upx", &Machine { upx: None, ..machine() });
        assert_eq!((missing.mark, missing.fixes), (Mark::Warning, vec!["sudo apt-get install upx-ucl".to_owned()]));
    }

    #[test]
    fn the_image_is_compared_with_the_registry() {
        let with = |registry: Result<Option<&str>, &str>, remembered: Option<&str>, present| {
            let image = ImageCheck {
                reference: "quay.io/benz0li/ghc-musl:9.10.3".to_owned(),
                registry: registry.map(|digest| digest.map(str::to_owned)).map_err(str::to_owned),
                remembered: remembered.map(str::to_owned),
                present,
            };
            of("image", &Machine { image: Some(image), ..machine() })
        };
        assert_eq!(with(Ok(Some("sha256:1")), Some("sha256:1"), true).mark, Mark::Good);
        assert!(with(Ok(Some("sha256:1")), None, false).text.ends_with("the first build pulls it"));
        let rebuilt = with(Ok(Some("sha256:2")), Some("sha256:1"), true);
        assert_eq!((rebuilt.mark, rebuilt.fixes[0].as_str()), (Mark::Warning, "hsx static --pull"));
        assert_eq!(with(Err("connection refused"), Some("sha256:1"), true).mark, Mark::Warning);
        let down = with(Err("connection refused"), None, false);
        assert!(down.mark == Mark::Bad && down.fixes[0].contains("docker.io/benz0li/ghc-musl"), "{down:?}");
    }

    #[test]
    fn a_disk_is_one_finding_with_what_makes_room_on_it() {
        let disk = |purpose, device| Disk { purpose, path: "/p".into(), device, free: GIB / 2 };
        let found = |disks: Vec<Disk>, kept| {
            let findings = judge(&Machine { disks, kept, ..machine() });
            findings.into_iter().filter(|finding| finding.about == "disk").collect::<Vec<_>>()
        };
        let [one] = found(vec![disk(Purpose::Results, 1), disk(Purpose::Engine, 1)], Some(3)).try_into().unwrap();
        assert_eq!(one.text, "512.0 MiB free for the results (/p) and the engine (/p)");
        let firsts = |finding: &Finding| finding.fixes.iter().map(|fix| fix[..14].to_owned()).collect::<Vec<_>>();
        assert_eq!(firsts(&one), ["hsx cache prun", "hsx cache prun", "podman system ", "export HSX_OUT"]);
        let two = found(vec![disk(Purpose::State, 1), disk(Purpose::Engine, 2)], Some(0));
        assert_eq!(two[0].mark, Mark::Good);
        assert_eq!(firsts(&two[1]), ["podman system "], "hsx keeps nothing there");
    }

    #[test]
    fn room_and_hpack_are_judged_by_need() {
        for (purpose, free, mark) in [
            (Purpose::Engine, GIB / 2, Mark::Bad),
            (Purpose::Engine, 2 * GIB, Mark::Warning),
            (Purpose::Engine, 9 * GIB, Mark::Good),
            (Purpose::Results, 2 * GIB, Mark::Good),
            (Purpose::Results, MIB, Mark::Bad),
            (Purpose::State, 2 * MIB, Mark::Warning),
        ] {
            let disks = vec![Disk { purpose, path: "/p".into(), device: 1, free }];
            assert_eq!(of("disk", &Machine { disks, ..machine() }).mark, mark, "{purpose:?}");
        }
        let missing = of("hpack", &Machine { needs_hpack: true, ..machine() });
        assert_eq!((missing.mark, missing.fixes), (Mark::Bad, vec!["cabal install hpack".to_owned()]));
    }
}
