//! Where hsx writes, the project has put links that lead out of it.

use super::{Attack, Ground, Seen};
use crate::support::Engine::{Docker, Podman, RootlessPodman};

pub(super) fn attacks() -> Vec<Attack> {
    let new = Attack::new;
    vec![
        new("results are a link", Podman, results, "dist-static/linux-amd64 leads to a directory on PATH"),
        new("dist-static is a link", RootlessPodman, dist_static, "dist-static leads to the victim's directory"),
        new("probe is a link", Docker, probe, "dist-static/linux-amd64/.hsx-probe leads to a file"),
        new("stage is a link", Podman, stage, "the stage, by its known name, leads to a directory"),
        new("stage in a link", RootlessPodman, stage_inside, "a directory of the stage leads out, by its known name"),
        new(".gitignore is a link", Docker, gitignore, "dist-static/.gitignore leads to a file that is not there"),
        new("data files lead out", Podman, data_files, "dist-static/linux-amd64/share leads to a directory"),
        new("freeze is a link", Podman, freeze, "cabal.project.freeze leads to a file; hsx freeze --force"),
        new("temporary is a link", RootlessPodman, temporary, "a link by the name of a temporary; hsx freeze --force"),
        new("lock is a link", Docker, lock, "hsx.lock leads to a file; hsx lock"),
        new(".cabal is a link", Podman, cabal_file, "hello.cabal, which hpack writes, leads outside"),
        new("package.yaml leads out", Podman, package_name, "package.yaml names ../victim/hello"),
    ]
}

fn built_with_link(ground: &Ground<'_>, name: &str, to: &str) -> Seen {
    ground.link(name, to);
    ground.victim_is_as_before(ground.builds().told())
}

fn results(ground: &Ground<'_>) -> Seen {
    built_with_link(ground, "dist-static/linux-amd64", "../../victim/bin")
}

fn dist_static(ground: &Ground<'_>) -> Seen {
    built_with_link(ground, "dist-static", "../victim")
}

fn probe(ground: &Ground<'_>) -> Seen {
    built_with_link(ground, "dist-static/linux-amd64/.hsx-probe", "../../../victim/file")
}

/// The name of the stage, from the printed plan.
fn stage_name(ground: &Ground<'_>) -> String {
    let plan = ground.hsx(&["static", "--dry-run"]).stdout;
    let at = plan.find("dist-static/.hsx-").unwrap_or_else(|| panic!("no stage is printed:\n{plan}"));
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || "-./".contains(c));
    let path = &plan[at..at + plan[at..].find(is_end).unwrap()];
    path.split('/').take(2).collect::<Vec<_>>().join("/")
}

fn stage(ground: &Ground<'_>) -> Seen {
    built_with_link(ground, &stage_name(ground), "../../victim/bin")
}

fn stage_inside(ground: &Ground<'_>) -> Seen {
    built_with_link(ground, &format!("{}/bin", stage_name(ground)), "../../../victim/bin")
}

fn gitignore(ground: &Ground<'_>) -> Seen {
    built_with_link(ground, "dist-static/.gitignore", "../../victim/new")
}

fn data_files(ground: &Ground<'_>) -> Seen {
    ground.project.edit("hello.cabal", "build-type:    Simple", "build-type:    Simple\ndata-files:    tool");
    ground.project.write("tool", "the project's\n");
    ground.project.write("Main.hs", "module Main (main) where\n\nimport Paths_hello (getDataFileName)\n\nmain :: IO ()\nmain = getDataFileName \"tool\" >>= putStrLn\n");
    ground.project.edit(
        "hello.cabal",
        "main-is:          Main.hs",
        "main-is:          Main.hs\n  autogen-modules:  Paths_hello\n  other-modules:    Paths_hello",
    );
    ground.link("dist-static/linux-amd64/share", "../../../victim/bin");
    ground.victim_is_as_before(ground.hsx(&["static", "--no-upx", "--data-files"]).told())
}

fn freeze(ground: &Ground<'_>) -> Seen {
    ground.link("cabal.project.freeze", "../victim/file");
    ground.victim_is_as_before(ground.hsx(&["freeze", "--from", "image", "--force"]).told())
}

fn temporary(ground: &Ground<'_>) -> Seen {
    ground.link(".cabal.project.freeze.hsx-new", "../victim/file");
    ground.link(".hsx-cabal.project.freeze", "../victim/file");
    ground.victim_is_as_before(ground.hsx(&["freeze", "--from", "image", "--force"]).told())
}

fn lock(ground: &Ground<'_>) -> Seen {
    ground.link("hsx.lock", "../victim/file");
    ground.victim_is_as_before(ground.hsx(&["lock"]).told())
}

/// A package.yaml in the place of the .cabal file.
fn package_yaml(ground: &Ground<'_>, name: &str) {
    fs_err::remove_file(ground.project.path("hello.cabal")).unwrap();
    let text =
        format!("name: {name}\nversion: 0.1.0\nexecutables:\n  hello:\n    main: Main.hs\n    dependencies: [base]\n");
    ground.project.write("package.yaml", &text);
}

fn cabal_file(ground: &Ground<'_>) -> Seen {
    package_yaml(ground, "hello");
    // Hpack would not replace what it has not written.
    ground.link("hello.cabal", "../victim/new");
    ground.victim_is_as_before(ground.builds().told())
}

fn package_name(ground: &Ground<'_>) -> Seen {
    package_yaml(ground, "../victim/hello");
    ground.victim_is_as_before(ground.builds().told())
}
