//! A project that wants its build, or an engine elsewhere, to see files that are not the project's.

use super::ground::HEAD;
use super::{Attack, Ground, Seen};
use crate::support::Engine::{Docker, Podman, RootlessPodman};

pub(super) fn attacks() -> Vec<Attack> {
    let new = Attack::new;
    vec![
        new("git directory elsewhere", Podman, git_directory, "a .git file names the victim's directory"),
        new("git directory of another", RootlessPodman, git_of_another, "a .git file names the victim's repository"),
        new("common git directory", Docker, common_directory, ".git/commondir names the victim's directory"),
        new("packages beside", Podman, packages_beside, "packages: ../*/"),
        new("package by its path", Docker, package_by_path, "packages: ../victim"),
        new("package behind a link", RootlessPodman, package_behind_link, "packages: dep, a link to ../victim"),
        new("packages anywhere", Podman, packages_anywhere, "packages: /usr/**/*.cabal"),
        new("import", Podman, import, "import: ../victim/file"),
        new("git index", Podman, index, "the index names ../victim/file; hsx source"),
    ]
}

/// Shows what the build finds of the victim's files.
const LOOKS: &str = "\
awk '$2 ~ \"^/\" && $2 !~ \"^/(proc|sys|dev|etc)\" && $2 != \"/\" {print $2}' /proc/mounts | while read -r dir; do
  find \"$dir\" -path '*/store/*' -prune -o -name file -size 1 -exec grep -H precious {} + >&2
done
true
";

/// `Err` if the build has read the victim's file.
fn nothing_read(ground: &Ground<'_>) -> Seen {
    ground.project.write("script", LOOKS);
    let ended = ground.builds();
    match ended.stderr.lines().find(|line| line.contains("precious")) {
        Some(line) => Err(format!("read in the build: {line}")),
        None => Ok(ended.told()),
    }
}

fn git_directory(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", "");
    ground.project.write(".git", &format!("gitdir: {}\n", ground.victim("").display()));
    nothing_read(ground)
}

fn git_of_another(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", "");
    ground.project.git(&["init", "--quiet", ground.victim("").to_str().unwrap()]);
    fs_err::write(ground.victim(".git/file"), "precious\n").unwrap();
    ground.engine.own(&ground.victim(""));
    ground.project.write(".git", "gitdir: ../victim/.git\n");
    nothing_read(ground)
}

fn common_directory(ground: &Ground<'_>) -> Seen {
    ground.hostile("hello", "");
    ground.project.commit();
    ground.project.write(".git/commondir", &format!("{}\n", ground.victim("").display()));
    nothing_read(ground)
}

/// The victim's directory is a package.
fn victim_is_a_package(ground: &Ground<'_>) {
    ground.hostile("hello", "");
    let text = HEAD.replace("hello", "victim") + "library\n  default-language: Haskell2010\n";
    fs_err::write(ground.victim("victim.cabal"), text).unwrap();
    ground.engine.own(&ground.victim(""));
}

fn packages_beside(ground: &Ground<'_>) -> Seen {
    victim_is_a_package(ground);
    ground.project.write("cabal.project", "packages: . ../*/\n");
    nothing_read(ground)
}

fn package_by_path(ground: &Ground<'_>) -> Seen {
    victim_is_a_package(ground);
    ground.project.write("cabal.project", "packages: . ../victim\n");
    nothing_read(ground)
}

fn package_behind_link(ground: &Ground<'_>) -> Seen {
    victim_is_a_package(ground);
    ground.link("dep", "../victim");
    ground.project.write("cabal.project", "packages: . dep\n");
    nothing_read(ground)
}

fn packages_anywhere(ground: &Ground<'_>) -> Seen {
    victim_is_a_package(ground);
    ground.project.write("cabal.project", "packages: . /usr/**/*.cabal\n");
    let ended = super::container::unless_stopped(ground.hsx(&["static", "--dry-run"]))?;
    nothing_read(ground)?;
    Ok(ended)
}

fn import(ground: &Ground<'_>) -> Seen {
    victim_is_a_package(ground);
    fs_err::write(ground.victim("secret.config"), "packages: .\n-- precious\nprecious\n").unwrap();
    ground.project.write("cabal.project", "packages: .\nimport: ../victim/secret.config\n");
    nothing_read(ground)
}

fn index(ground: &Ground<'_>) -> Seen {
    ground.project.git(&["init", "--quiet"]);
    // One entry (gitformat-index(5)); git does not look at the sum behind it.
    let name = b"../victim/file";
    let mut index = b"DIRC\0\0\0\x02\0\0\0\x01".to_vec();
    index.extend([0; 24]);
    index.extend(0o100_644_u32.to_be_bytes());
    index.extend([0; 12]);
    index.extend([1; 20]);
    index.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
    index.extend(name);
    index.extend(vec![0; 8 - (62 + name.len()) % 8]);
    index.extend([0; 20]);
    fs_err::write(ground.project.path(".git/index"), index).unwrap();
    ground.engine.own(ground.project.root());
    let listed = ground.project.git(&["ls-files"]);
    if !listed.contains("victim") {
        return Err(format!("git does not list it: {listed}"));
    }
    let ended = ground.hsx(&["source"]);
    if ended.stdout.contains("precious") { Err("it is sent".to_owned()) } else { Ok(ended.told()) }
}
