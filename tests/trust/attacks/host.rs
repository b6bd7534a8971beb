//! A project that wants a program of its own to run on the host, or another's to run otherwise than its user said.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::ground::HEAD;
use super::{Attack, Ground, Seen};
use crate::support::Engine::{Docker, Podman, RootlessPodman};
use crate::support::setting;
use crate::watch::{Ended, watch, watch_while};

pub(super) fn attacks() -> Vec<Attack> {
    let new = Attack::new;
    vec![
        new("compiler of hsx.toml", Podman, compiler_of_settings, "cabal-args with --with-compiler; hsx freeze"),
        new("compiler of cabal.project", Podman, compiler_of_project, "with-compiler; hsx static --freeze, hsx freeze"),
        new(
            "compiler of an import",
            RootlessPodman,
            compiler_of_import,
            "with-compiler in an imported file; hsx freeze",
        ),
        new("command of a checkout", Podman, command_of_checkout, "post-checkout-command; hsx freeze"),
        new("git's monitor", Podman, monitor, "core.fsmonitor in .git/config; hsx source"),
        new("git's monitor, nested", Docker, nested_monitor, "the same in a repository that nobody added"),
        new("empty entry of PATH", Podman, empty_entry, "a podman in the project, and PATH begins with ':'"),
        new("connection", Podman, connection, "hsx.toml names a connection that nobody allowed"),
        new("settings of the user", Docker, settings_of_the_user, "hsx.toml sets engine, engine-args, upx-args"),
        new("image like an option", Podman, image_like_an_option, "hsx.toml's image begins with '-', has blanks"),
        new("state without a home", Podman, state_without_a_home, "somebody else has made /tmp/hsx-UID"),
        new(
            "settings of a stranger",
            Podman,
            settings_of_a_stranger,
            "hsx.toml of another user above the project, in /tmp",
        ),
    ]
}

/// `Err` if a program of the project's ran on the host.
fn nothing_ran(ground: &Ground<'_>, ended: &Ended) -> Seen {
    match fs_err::read_to_string(ground.marker()) {
        Ok(user) => Err(format!("ran on the host as {}", user.trim())),
        Err(_) => Ok(ended.told()),
    }
}

/// Runs hsx where there is a cabal.
fn with_cabal(ground: &Ground<'_>, args: &[&str]) -> Ended {
    let cabal = setting("HSX_TEST_CABAL").expect("HSX_TEST_CABAL is not set: run the tests with `scripts/test`");
    let dir = Path::new(&cabal).parent().unwrap();
    let mut command = ground.command(args);
    command.env("PATH", format!("{}:{}", dir.display(), setting("PATH").unwrap()));
    // Nothing of the person who runs the tests, and no download.
    command.env("HOME", ground.project.beside("")).env("CABAL_CONFIG", ground.project.beside("cabal-config"));
    fs_err::write(ground.project.beside("cabal-config"), "").unwrap();
    watch(command)
}

fn compiler_of_settings(ground: &Ground<'_>) -> Seen {
    ground.tells(&ground.project.path("compiler"));
    ground.project.write("hsx.toml", "cabal-args = [\"--with-compiler=./compiler\"]\n");
    nothing_ran(ground, &with_cabal(ground, &["freeze", "--force"]))
}

fn compiler_of_project(ground: &Ground<'_>) -> Seen {
    ground.tells(&ground.project.path("compiler"));
    ground.project.write("cabal.project", "packages: .\nwith-compiler: ./compiler\n");
    nothing_ran(ground, &with_cabal(ground, &["freeze", "--force"]))?;
    nothing_ran(ground, &with_cabal(ground, &["static", "--freeze", "--no-upx"]))
}

fn compiler_of_import(ground: &Ground<'_>) -> Seen {
    ground.tells(&ground.project.path("compiler"));
    ground.project.write("cabal.project", "packages: .\nimport: more.config\n");
    ground.project.write("more.config", "with-compiler: ./compiler\n");
    nothing_ran(ground, &with_cabal(ground, &["freeze", "--force"]))
}

fn command_of_checkout(ground: &Ground<'_>) -> Seen {
    ground.tells(&ground.project.path("command"));
    ground.project.write(
        "dep/dep.cabal",
        "cabal-version: 3.0\nname: dep\nversion: 1\nlibrary\n  default-language: Haskell2010\n",
    );
    ground.project.commit();
    let commit = ground.project.git(&["rev-parse", "HEAD"]);
    let root = ground.project.root().display();
    let text = format!(
        "packages: .\nsource-repository-package\n  type: git\n  location: file://{root}\n  tag: {}\n  subdir: dep\n  post-checkout-command: {root}/command\n",
        commit.trim()
    );
    ground.project.write("cabal.project", &text);
    nothing_ran(ground, &with_cabal(ground, &["freeze", "--force"]))
}

fn monitor(ground: &Ground<'_>) -> Seen {
    ground.tells(&ground.project.path("monitor"));
    ground.project.commit();
    ground.project.git(&["config", "core.fsmonitor", ground.project.path("monitor").to_str().unwrap()]);
    nothing_ran(ground, &ground.hsx(&["source", "--list"]))
}

fn nested_monitor(ground: &Ground<'_>) -> Seen {
    ground.tells(&ground.project.path("monitor"));
    ground.project.commit();
    ground.project.write("nested/file", "");
    let monitor = format!("core.fsmonitor={}", ground.project.path("monitor").display());
    ground.project.git(&["init", "--quiet", "nested"]);
    let (name, value) = monitor.split_once('=').unwrap();
    ground.project.git(&["-C", "nested", "config", name, value]);
    ground.engine.own(ground.project.root());
    nothing_ran(ground, &ground.hsx(&["source", "--list"]))
}

fn empty_entry(ground: &Ground<'_>) -> Seen {
    for name in ["podman", "upx", "git", "hpack", "cabal"] {
        ground.tells(&ground.project.path(name));
    }
    ground.project.commit();
    for args in [&["static", "--no-upx"][..], &["source", "--list"], &["doctor"]] {
        let mut command = ground.command(args);
        command.env("PATH", format!(":{}", setting("PATH").unwrap()));
        nothing_ran(ground, &watch(command))?;
    }
    Ok("nothing ran".to_owned())
}

fn connection(ground: &Ground<'_>) -> Seen {
    let socket = ground.project.beside("elsewhere");
    let listener = UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let known = ground.project.beside("connections");
    let text = format!("[engine.service_destinations.elsewhere]\nuri = \"unix://{}\"\n", socket.display());
    fs_err::write(&known, text).unwrap();
    ground.project.write("hsx.toml", "connection = \"elsewhere\"\n");
    let mut command = ground.command(&["static", "--dry-run"]);
    command.env("CONTAINERS_CONF", &known);
    let mut asked = None;
    let ended = watch_while(command, || {
        asked = asked.take().or_else(|| listener.accept().ok());
        asked.is_some().then(|| "asked".to_owned())
    });
    if asked.is_some() { Err("the engine behind it was asked".to_owned()) } else { Ok(ended.told()) }
}

fn settings_of_the_user(ground: &Ground<'_>) -> Seen {
    ground.tells(&ground.project.path("program"));
    for text in [
        "engine = \"./program\"\n",
        "engine-args = [\"--volume=/:/host\"]\n",
        "upx-args = [\"-o/tmp/x\"]\n",
        "[platform.\"linux/amd64\"]\nengine = \"./program\"\n",
    ] {
        ground.project.write("hsx.toml", text);
        let ended = ground.hsx(&["static", "--no-upx"]);
        nothing_ran(ground, &ended)?;
        if ended.code != 2 {
            return Err(format!("{text:?}: {}", ended.told()));
        }
    }
    Ok("refused".to_owned())
}

fn image_like_an_option(ground: &Ground<'_>) -> Seen {
    for image in ["--volume=/:/host:rw", "--help", "-v", " ", "x y:1", "--all@x", "dir:/etc", "oci-archive:/etc/passwd"]
    {
        ground.project.write("hsx.toml", &format!("image = {{ ref = \"{image}\" }}\n"));
        let mut command = ground.command(&["static", "--dry-run", "-v"]);
        command.env_remove("HSX_IMAGE");
        let ended = watch(command);
        let given =
            ended.stderr.lines().find(|line| line.starts_with("$ ") && line.contains(image.trim()) && image != " ");
        if ended.code == 0 || given.is_some() && image.starts_with('-') {
            return Err(format!("`{image}`: {} {given:?}", ended.told()));
        }
    }
    Ok("refused".to_owned())
}

fn state_without_a_home(ground: &Ground<'_>) -> Seen {
    const USER: u32 = 1_974_321;
    let dir = format!("/tmp/hsx-{USER}");
    let _ = fs_err::remove_dir_all(&dir);
    std::fs::DirBuilder::new().mode(0o777).create(&dir).unwrap();
    fs_err::set_permissions(&dir, PermissionsExt::from_mode(0o777)).unwrap();
    chown(&dir, Some(65534), Some(65534)).unwrap();
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={USER}")).arg(format!("--regid={USER}")).arg("--clear-groups");
    command
        .args(["env", "-i", "PATH=/usr/bin:/bin"])
        .arg(ground.project.programs().join("hsx"))
        .args(["static", "--dry-run"]);
    command.current_dir(ground.project.root());
    let ended = watch(command);
    let there = fs_err::read_dir(&dir).unwrap().count();
    fs_err::remove_dir_all(&dir).unwrap();
    match (ended.code, there) {
        (3, 0) => Ok(ended.told()),
        _ => Err(format!("it was used: {there} files in it, {}", ended.told())),
    }
}

fn settings_of_a_stranger(ground: &Ground<'_>) -> Seen {
    let shared = ground.project.beside("shared");
    fs_err::create_dir(&shared).unwrap();
    fs_err::set_permissions(&shared, PermissionsExt::from_mode(0o1777)).unwrap();
    let mine = shared.join("mine");
    fs_err::create_dir(&mine).unwrap();
    fs_err::write(
        mine.join("hello.cabal"),
        format!("{HEAD}executable hello\n  main-is: Main.hs\n  build-depends: base\n"),
    )
    .unwrap();
    for (name, text) in
        [("cabal.project", "packages: mine/\n"), ("hsx.toml", "image = { ref = \"stranger.example/x:1\" }\n")]
    {
        fs_err::write(shared.join(name), text).unwrap();
        chown(shared.join(name), Some(65534), Some(65534)).unwrap();
    }
    let mut command = ground.command(&["static", "--dry-run"]);
    command.env_remove("HSX_IMAGE").current_dir(&mine);
    let ended = watch(command);
    if ended.said().contains("stranger.example") {
        return Err(format!("the stranger's image is asked for: {}", ended.told()));
    }
    Ok(ended.told())
}
