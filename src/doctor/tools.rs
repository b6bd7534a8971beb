//! The builder image, tools on the host, room on the disks, and what hsx keeps.

use super::{Disk, Finding, Image, Machine, Tool};
use crate::image;
use crate::platform::Platform;
use crate::report::bytes;
use crate::upx;

const GIB: u64 = 1 << 30;

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
    findings.extend(machine.disks.iter().map(room));
    if let Some(kept) = machine.kept {
        let plural = if kept == 1 { "" } else { "s" };
        findings.push(Finding::good(
            "cache",
            format!("hsx keeps {kept} thing{plural} in the engine; see `hsx cache list`"),
        ));
    }
    findings
}

fn builder_image(found: &Image, program: &str) -> Finding {
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
            let finding =
                Finding::bad("image", text).fix(format!("{program} manifest inspect {reference} must succeed"));
            let is_default = image::repository(reference) == image::DEFAULT_REPOSITORY;
            let mirror = "hsx static --image docker.io/benz0li/ghc-musl takes a mirror";
            let other = "hsx static --image REF takes another image";
            finding.fix(if is_default { mirror } else { other })
        }
    }
}

fn packer(machine: &Machine) -> Finding {
    let Some(tool) = &machine.upx else {
        let finding = Finding::warning("upx", "not on PATH: executables stay as large as they are");
        return finding.fix(machine.system.install_tool("upx"));
    };
    let version = tool.version.as_deref().unwrap_or_default();
    let fault = Platform::all().find_map(|platform| upx::known_fault(version, platform));
    match fault {
        Some(fault) => Finding::warning("upx", format!("{}: {fault}", named(tool)))
            .fix("put a newer one first on PATH: https://github.com/upx/upx/releases")
            .fix("hsx static --no-upx does without"),
        None => Finding::good("upx", named(tool)),
    }
}

/// `cabal 3.12.1.0`, as far as it says.
fn named(tool: &Tool) -> String {
    tool.version.as_ref().map_or(tool.path.to_string(), |version| format!("{} {version}", tool.name))
}

fn room(disk: &Disk) -> Finding {
    let text = format!("{} free for {} ({})", bytes(disk.free), disk.purpose, disk.path);
    let finding = match disk.free {
        free if free < GIB => Finding::bad("disk", text),
        free if free < 5 * GIB => Finding::warning("disk", text),
        _ => return Finding::good("disk", text),
    };
    finding.fix("hsx cache prune --older-than 30d")
}

#[cfg(test)]
mod tests {
    use super::super::Mark;
    use super::super::tests::machine;
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
        let missing = of("upx", &Machine { upx: None, ..machine() });
        assert_eq!((missing.mark, missing.fixes), (Mark::Warning, vec!["sudo apt-get install upx-ucl".to_owned()]));
    }

    #[test]
    fn the_image_is_compared_with_the_registry() {
        let with = |registry: Result<Option<&str>, &str>, remembered: Option<&str>, present| {
            let image = Image {
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
        assert!(down.mark == Mark::Bad && down.fixes[1].contains("docker.io/benz0li/ghc-musl"), "{down:?}");
    }

    #[test]
    fn room_and_hpack_are_judged_by_need() {
        for (free, mark) in [(GIB / 2, Mark::Bad), (2 * GIB, Mark::Warning), (9 * GIB, Mark::Good)] {
            let disks = vec![Disk { purpose: "results", path: "/p".into(), free }];
            assert_eq!(of("disk", &Machine { disks, ..machine() }).mark, mark);
        }
        let missing = of("hpack", &Machine { needs_hpack: true, ..machine() });
        assert_eq!((missing.mark, missing.fixes), (Mark::Bad, vec!["cabal install hpack".to_owned()]));
    }
}
