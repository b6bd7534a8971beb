//! A build that wants to change what another project's build gets, or to have more than it needs.

use std::process::Command;

use super::{Attack, Ground, Seen};
use crate::support::Engine::{Docker, Podman, RootlessPodman};
use crate::support::output;
use crate::trusted::OwnImage;
use crate::watch::{Ended, watch};

pub(super) fn attacks() -> Vec<Attack> {
    let new = Attack::new;
    vec![
        new("files for other builds", Podman, files_for_others, "a file in each directory that a build may write to"),
        new(
            "files in the store",
            RootlessPodman,
            store_of_its_own,
            "the same, and the other one has a store of its own",
        ),
        new("cabal's configuration", Podman, configuration, "a preprocessor for all of GHC's input, by cabal's files"),
        new("rights of a build", RootlessPodman, rights, "capabilities, network, a writable source"),
        new("proxies' passwords", Podman, proxies, "variables of a build without network"),
        new("docker's own proxies", Docker, own_proxies, "~/.docker/config.json gives each container variables"),
    ]
}

/// Runs hsx with an image, and so with a store, of the test's own.
fn in_image(ground: &Ground<'_>, image: &OwnImage, args: &[&str]) -> Ended {
    let mut command = ground.command(args);
    command.env("HSX_IMAGE", image.name());
    watch(command)
}

/// Leaves a file wherever a build may write, but for its own build directory.
const SPREADS: &str = "\
find /hsx -xdev -type d ! -path '/hsx/build*' ! -path '/hsx/out*' 2> /dev/null | while read -r dir; do
  echo poison > \"$dir/poison\" 2> /dev/null || :
done
awk '$2 ~ \"^/hsx/\" && $2 !~ \"^/hsx/(build|out)\" {print $2}' /proc/mounts | while read -r top; do
  find \"$top\" -type d 2> /dev/null | while read -r dir; do echo poison > \"$dir/poison\" 2> /dev/null || :; done
done
true
";

const FINDS: &str = "find /hsx -name poison 2> /dev/null | sed 's/^/FOUND /' >&2; true\n";

/// The files of one project's build that another's finds, which is built with these arguments too.
fn found_by_another(ground: &Ground<'_>, image: &OwnImage, more: &[&str]) -> Result<Vec<String>, String> {
    let other = Ground::new(ground.world, ground.engine);
    ground.hostile("hello", SPREADS);
    let first = in_image(ground, image, &["static", "--no-upx"]);
    other.hostile("hello", FINDS);
    let second = in_image(&other, image, &[&["static", "--no-upx"], more].concat());
    if first.code != 0 || second.code != 0 {
        return Err(format!("the builds failed: {}{}", first.said(), second.said()));
    }
    Ok(second.stderr.lines().filter_map(|line| line.strip_prefix("FOUND ").map(str::to_owned)).collect())
}

fn none_of(found: &[String]) -> Seen {
    match found.first() {
        Some(path) => Err(format!("{} of them seen by another project's build: {path}", found.len())),
        None => Ok("none seen by another project's build".to_owned()),
    }
}

fn files_for_others(ground: &Ground<'_>) -> Seen {
    let image = OwnImage::new("files");
    // Compiled packages may be shared: SECURITY.md says so, and how not to.
    let found = found_by_another(ground, &image, &[])?;
    none_of(&found.into_iter().filter(|path| !path.contains("/store/")).collect::<Vec<_>>())
}

fn store_of_its_own(ground: &Ground<'_>) -> Seen {
    let image = OwnImage::new("store");
    none_of(&found_by_another(ground, &image, &["--store", "project"])?)
}

/// Makes GHC see another text, through each file that cabal may read its configuration from.
const CONFIGURES: &str = "\
mkdir -p \"$HOME\" 2> /dev/null
for dir in \"$CABAL_DIR\" \"$HOME\"; do
  printf '#!/bin/sh\\nsed s/honest/POISONED/ \"$2\" > \"$3\"\\n' > \"$dir/preprocessor\" || continue
  chmod 755 \"$dir/preprocessor\"
  for config in \"$CABAL_DIR/config\" \"$HOME/.cabal/config\" \"$HOME/.config/cabal/config\" \"${CABAL_CONFIG:-$HOME/x}\"; do
    mkdir -p \"${config%/*}\" && {
      cat /etc/cabal/config 2> /dev/null
      printf 'program-default-options\\n  ghc-options: -F -pgmF %s/preprocessor\\n' \"$dir\"
    } > \"$config\"
  done
done
true
";

fn configuration(ground: &Ground<'_>) -> Seen {
    let image = OwnImage::new("configuration");
    // As in ghc-musl, whose images have no configuration of their own; the stand-ins have.
    let args = ["static", "--no-upx", "--force", "--engine-arg=--unsetenv=CABAL_CONFIG"];
    ground.hostile("hello", CONFIGURES);
    let first = in_image(ground, &image, &args[..2]);
    let other = Ground::new(ground.world, ground.engine);
    other.project.edit("Main.hs", "Hello from a static executable", "honest");
    let second = in_image(&other, &image, &args);
    if first.code != 0 || second.code != 0 {
        return Err(format!("the builds failed: {}{}", first.said(), second.said()));
    }
    let said = output(&mut Command::new(other.project.result("linux/amd64", "hello")));
    if said == "honest\n" {
        Ok("the other project's executable is its own".to_owned())
    } else {
        Err(format!("it says {said:?}"))
    }
}

fn rights(ground: &Ground<'_>) -> Seen {
    let tells = "\
exec >&2
sed -n 's/^CapBnd:/FOUND CapBnd/p; s/^NoNewPrivs:/FOUND NoNewPrivs/p' /proc/self/status
ls /sys/class/net | grep -v '^lo$' | sed 's/^/FOUND interface /'
(: > /src/written) 2> /dev/null && echo 'FOUND writable source'
mount -o remount,rw /src 2> /dev/null && echo 'FOUND mount'
true
";
    ground.hostile("hello", tells);
    let ended = ground.builds();
    let found: Vec<_> = ended.stderr.lines().filter_map(|line| line.strip_prefix("FOUND ")).collect();
    // Only DAC_OVERRIDE, which is bit 1 (capabilities(7)).
    if found == ["NoNewPrivs\t1", "CapBnd\t0000000000000002"] || found == ["CapBnd\t0000000000000002", "NoNewPrivs\t1"]
    {
        Ok("CAP_DAC_OVERRIDE, nothing else".to_owned())
    } else {
        Err(found.join(", "))
    }
}

const TELLS_PROXIES: &str = "env | grep -i -E 'proxy|secret' | sed 's/^/FOUND /' >&2; true\n";

fn nothing_found(ended: &Ended) -> Seen {
    let found: Vec<_> = ended.stderr.lines().filter_map(|line| line.strip_prefix("FOUND ")).collect();
    match found.first() {
        Some(first) => Err(format!("{first}, {} in all", found.len())),
        None if ended.code == 0 => Ok("none".to_owned()),
        None => Err(format!("the build failed: {}", ended.said())),
    }
}

fn proxies(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", TELLS_PROXIES);
    let mut command = ground.command(&["static", "--no-upx"]);
    for name in ["HTTPS_PROXY", "http_proxy", "SECRET_TOKEN"] {
        command.env(name, "http://user:password@127.0.0.1:1");
    }
    // Images come from the registry of this machine.
    command.env("NO_PROXY", "127.0.0.1");
    nothing_found(&watch(command))
}

fn own_proxies(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", TELLS_PROXIES);
    let config = ground.project.beside("docker");
    fs_err::create_dir(&config).unwrap();
    let text = r#"{"proxies":{"default":{"httpsProxy":"http://user:password@127.0.0.1:1"}}}"#;
    fs_err::write(config.join("config.json"), text).unwrap();
    let mut command = ground.command(&["static", "--no-upx"]);
    command.env("DOCKER_CONFIG", &config);
    nothing_found(&watch(command))
}
