//! What `hsx new` makes, in the hands of cabal, GHC, GitHub's schema for workflows and hsx itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::real::support::{Engine, Project, World, elf, output};

const BOTH: [&str; 2] = ["--platform", "linux/amd64,linux/arm64"];

/// What is written for others must not begin with warnings.
const WERROR: &str = "--cabal-arg=--ghc-options=-Werror";

/// Makes a project beside another one.
fn make(beside: &Project<'_>, dir: &str, args: &[&str]) -> PathBuf {
    let git = beside.beside("gitconfig");
    fs_err::write(&git, "[user]\nname = Ada\nemail = ada@example.org\n").unwrap();
    let place = beside.beside(dir);
    let new = ["new", "--yes", "--ghc", "9.6.6", "--dir", place.to_str().unwrap()];
    beside.hsx_command(&[&new[..], args].concat()).env("GIT_CONFIG_GLOBAL", git).run().exits(0);
    place
}

#[test]
fn a_new_project_is_built_for_two_platforms_and_passes_its_tests() {
    let world = World::shared();
    let project = world.project("hello", Engine::Podman);
    let place = make(&project, "greeter", &["greeter", "--github", "ada/greeter"]);
    let project = project.rooted_at(place);
    let commit = project.git(&["rev-parse", "--short=12", "HEAD"]);
    let version = format!("greeter 0.1.0.0 ({})\n", commit.trim());

    project.hsx(&[&BOTH[..], &[WERROR]].concat()).run().exits(0);
    for platform in ["linux/amd64", "linux/arm64"] {
        let program = project.result(platform, "greeter");
        let elf = elf(&program);
        assert_eq!((elf.machine, elf.has_interpreter), (&platform["linux/".len()..], false));
        assert_eq!(output(Command::new(&program).arg("--version")), version);
        assert_eq!(output(Command::new(&program).args(["--loud", "Ada"])), "HELLO, ADA!\n");
    }
    project.hsx_command(&["test", WERROR]).run().exits(0);
    assert_eq!(project.git(&["status", "--porcelain"]), "", "git sees something that it need not");

    // The executable is compiled again when there is something to compile: then it tells the commit of that.
    project.edit("src/Greeter.hs", "<> \"!\"", "<> \"?\"");
    project.git(&["commit", "--quiet", "--all", "--message", "Ask"]);
    let commit = project.git(&["rev-parse", "--short=12", "HEAD"]);
    project.hsx(&["--platform", "linux/amd64", WERROR]).run().exits(0);
    let said = output(Command::new(project.result("linux/amd64", "greeter")).arg("--version"));
    assert_eq!(said, format!("greeter 0.1.0.0 ({})\n", commit.trim()));
}

/// All of them as packages of one project: one solver's run, and one container for each phase.
#[test]
fn whatever_is_chosen_builds_without_a_warning_and_passes_its_tests() {
    let world = World::shared();
    let project = world.project("hello", Engine::Podman);
    for (name, args) in [
        ("cli-program", &["--components", "executable", "--license", "none", "--github", "ada/a", "--nix"][..]),
        ("cli-library", &["--components", "library", "--license", "Apache-2.0", "--github", "ada/b"][..]),
        ("small-program", &["-t", "minimal", "--license", "MPL-2.0", "--synopsis", r#"Says "hi" \ {bye}"#][..]),
        ("small-both", &["-t", "minimal", "--components", "library,executable", "--github", "ada/c"][..]),
        ("small-library", &["-t", "minimal", "--components", "library", "--license", "BSD-3-Clause"][..]),
    ] {
        make(&project, &format!("all/{name}"), &[&[name, "--no-git"], args].concat());
    }
    let project = {
        let all = project.beside("all");
        project.rooted_at(all)
    };
    project.write("cabal.project", "packages: */*.cabal\n");

    let check = "for dir in */; do cd /src/$dir; echo $dir; cabal check || status=1; cd ..; done; exit $status";
    let checked = project.hsx_command(&["shell", "--quiet", "--", "sh", "-c", check]).run();
    checked.exits(0);
    assert_eq!(checked.stdout.matches("No errors or warnings could be found").count(), 5, "{checked}");

    // The tests are built for this machine, the executables for the other.
    project.hsx_command(&["test", WERROR]).run().exits(0);
    project.hsx(&["--platform", "linux/arm64", WERROR]).run().exits(0);
    for name in ["cli-program", "small-program", "small-both"] {
        let said = output(Command::new(project.result("linux/arm64", name)).arg("Ada"));
        assert_eq!(said, "Hello, Ada!\n", "{name}");
    }
    let version = output(Command::new(project.result("linux/arm64", "cli-program")).arg("--version"));
    assert_eq!(version, "cli-program 0.1.0.0\n", "there is no git, and so no commit");
}

/// The schema that is published for them, as the check-jsonschema that `scripts/setup-host` installs brings it.
#[test]
fn the_workflows_are_valid() {
    let world = World::shared();
    let project = world.project("hello", Engine::Podman);
    let mut workflows = Vec::new();
    for components in ["library", "executable"] {
        for github in ["ada/demo", "none"] {
            let dir = format!("{components}-{}", &github[..3]);
            let args = ["demo", "--no-git", "--components", components, "--github", github];
            workflows.push(make(&project, &dir, &args).join(".github/workflows/ci.yml"));
        }
    }
    output(validator().args(&workflows));
    let broken = fs_err::read_to_string(&workflows[2]).unwrap().replace("runs-on:", "run-on:");
    fs_err::write(&workflows[2], broken).unwrap();
    assert!(!validator().arg(&workflows[2]).output().unwrap().status.success(), "anything is valid");
}

fn validator() -> Command {
    let program = Path::new("/var/lib/hsx-world/check-jsonschema/bin/check-jsonschema");
    assert!(program.exists(), "{} is not there: run `scripts/setup-host` where PyPI answers", program.display());
    let mut command = Command::new(program);
    command.args(["--builtin-schema", "vendor.github-workflows"]);
    command
}
