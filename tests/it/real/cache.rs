//! What hsx keeps in real engines: found, measured and removed, and nothing else.

use serde_json::Value;

use crate::real::support::{Engine, Project, World};

const ENGINES: [Engine; 3] = [Engine::Podman, Engine::RootlessPodman, Engine::Docker];

/// Makes a volume with labels; its name ends in the project's own directory, so that no other test has it.
fn volume(engine: Engine, project: &Project<'_>, name: &str, labels: &[&str]) -> String {
    let own = project.root().parent().unwrap().file_name().unwrap().to_str().unwrap();
    let name = format!("{name}-{own}");
    let labels = labels.iter().flat_map(|label| ["--label", label]);
    let args: Vec<_> = ["volume", "create"].into_iter().chain(labels).chain([name.as_str()]).collect();
    engine.ask(&args);
    name
}

fn volumes(engine: Engine) -> Vec<String> {
    engine.ask(&["volume", "ls", "--quiet"]).lines().map(str::to_owned).collect()
}

fn listed(project: &Project<'_>) -> Vec<Value> {
    let outcome = project.hsx_command(&["cache", "list", "--format", "json"]).run();
    let items = outcome.exits(0).json()["items"].as_array().unwrap().clone();
    let root = project.root().to_str().unwrap();
    items.into_iter().filter(|item| item["project"] == root).collect()
}

#[test]
fn what_carries_the_label_goes_and_its_namesakes_stay() {
    let world = World::shared();
    for engine in ENGINES {
        let hello = world.project("hello", engine);
        let root = hello.root().to_str().unwrap();
        let project = format!("hsx.project={root}");
        let ours = volume(engine, &hello, "hsx-build-ours", &["hsx.kind=build", &project, "hsx.platform=linux/arm64"]);
        let other =
            volume(engine, &hello, "hsx-build-amd64", &["hsx.kind=build", &project, "hsx.platform=linux/amd64"]);
        let namesake = volume(engine, &hello, "hsx-build-namesake", &[&project]);
        let labelled = volume(engine, &hello, "theirs", &["hsx.kind=build", &project]);

        let found = listed(&hello);
        let names: Vec<_> = found.iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, [other.as_str(), ours.as_str()], "{}", engine.program());
        assert!(found.iter().all(|item| item["size"].is_u64() && item["held"].is_null()), "{found:?}");

        let prune =
            |args: &[&str]| hello.hsx_command(&[&["cache", "prune", "--project", ".", "--yes"], args].concat()).run();
        prune(&["--older-than", "1d"]).exits(0).says("Removed 0 items");
        prune(&["--platform", "arm64"]).exits(0).says("Removed 1 item,");
        assert!(!volumes(engine).contains(&ours) && volumes(engine).contains(&other));
        prune(&[]).exits(0).says("Removed 1 item,");
        let left = volumes(engine);
        assert!(!left.contains(&other) && left.contains(&namesake) && left.contains(&labelled), "{left:?}");
        assert!(listed(&hello).is_empty());
    }
}

#[test]
fn what_a_container_has_stays() {
    let world = World::shared();
    for engine in ENGINES {
        let hello = world.project("hello", engine);
        let project = format!("hsx.project={}", hello.root().to_str().unwrap());
        let volume = volume(engine, &hello, "hsx-build-mounted", &["hsx.kind=build", &project]);
        // An engine needs no program in it to make a container.
        let dir = tempfile::Builder::new().tempdir_in(hello.root().parent().unwrap()).unwrap();
        let archive = dir.path().join("empty.tar");
        fs_err::write(&archive, [0; 1024]).unwrap();
        crate::real::support::open(dir.path());
        let image = format!("localhost/hsx-test-{}", volume.to_ascii_lowercase());
        engine.ask(&["import", archive.to_str().unwrap(), &image]);
        let mount = format!("type=volume,source={volume},target=/v");
        let create = |kind: &str, name: &str| {
            let labels = ["--label", kind, "--label", &project];
            engine.ask(&[&["create", "--mount", &mount, "--name", name], &labels[..], &[&image, "/x"]].concat())
        };
        // As of a container that somebody starts from an image of hsx's.
        let theirs = create("hsx.kind=image", &format!("theirs-{volume}"));
        create("hsx.kind=run", &format!("hsx-{volume}-build"));

        let prune = || hello.hsx_command(&["cache", "prune", "--project", ".", "--yes"]).run();
        prune().exits(0).says("Removed 1 item,").says("stays: ").says(&volume);
        assert!(volumes(engine).contains(&volume));
        engine.ask(&["rm", "--force", theirs.trim()]);
        prune().exits(0).says("Removed 1 item,");
        assert!(!volumes(engine).contains(&volume));
        engine.ask(&["image", "rm", &image]);
    }
}

#[test]
fn an_image_goes_by_hsxs_name_and_what_is_made_from_it_stays() {
    let world = World::shared();
    for engine in ENGINES {
        let hello = world.project("hello", engine);
        let project = format!("LABEL hsx.project={}", hello.root().to_str().unwrap());
        let own = volume(engine, &hello, "hsx-build-image", &[]).to_ascii_lowercase();
        let archive = hello.beside("empty.tar");
        fs_err::write(&archive, [0; 1024]).unwrap();
        let [ours, theirs] = ["localhost/hsx-derived", "localhost/theirs"].map(|name| format!("{name}:{own}"));
        for name in [&ours, &theirs] {
            let labels = ["--change", "LABEL hsx.kind=image", "--change", &project];
            // Another image each time: two names of one would both be hsx's.
            let what = format!("ENV NAME={name}");
            let import = [&["import"], &labels[..], &["--change", &what, archive.to_str().unwrap(), name]].concat();
            engine.ask(&import);
        }
        let found = listed(&hello);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0]["name"].as_str(), found[0]["kind"].as_str()), (Some(ours.as_str()), Some("image")));
        hello.hsx_command(&["cache", "prune", "--project", ".", "--yes"]).run().exits(0).says("Removed 1 item,");
        let left = engine.ask(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
        assert!(!left.contains(&ours) && left.contains(&theirs), "{left}");
        engine.ask(&["image", "rm", &theirs]);
        engine.ask(&[
            "volume",
            "rm",
            &volumes(engine).into_iter().find(|name| name.to_ascii_lowercase() == own).unwrap(),
        ]);
    }
}
