//! Images and engines of these tests' own, so that what is spoilt here spoils nothing else.

use std::process::Command;

use crate::support::{Engine, output, setting};

pub(crate) const ENGINES: [Engine; 3] = [Engine::Podman, Engine::RootlessPodman, Engine::Docker];

/// The builder image under a name of its own in the registry of this machine, and so with package stores of its own. What
/// engines keep because of it goes with it.
pub(crate) struct OwnImage {
    name: String,
}

impl OwnImage {
    pub(crate) fn new(purpose: &str) -> Self {
        let name = format!("127.0.0.1:5000/trust/{purpose}");
        let from = setting("HSX_TEST_IMAGE").expect("HSX_TEST_IMAGE is not set: run the tests with `scripts/test`");
        let [from, to] = [&from, &name].map(|name| format!("docker://{name}:9.6.6"));
        let insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        output(Command::new("skopeo").args(["copy", "--all", "--quiet"]).args(insecure).args([from, to]));
        let image = Self { name };
        image.remove_from_engines();
        image
    }

    /// Without its tag: that of the project's GHC is taken.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Names of an engine's volumes that were made for this image.
    pub(crate) fn volumes(&self, engine: Engine) -> Vec<String> {
        let labelled = engine.ask(&["volume", "ls", "--filter", "label=hsx.kind", "--format", "{{.Name}} {{.Labels}}"]);
        let ours = labelled.lines().filter(|line| line.contains(&self.name));
        ours.filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
    }

    /// Removes the image's names: the next build has to pull it.
    pub(crate) fn forget(&self, engine: Engine) {
        let format = "{{.Repository}}@{{.Digest}}";
        let all = engine.ask(&["image", "ls", "--digests", "--format", format]);
        for name in all.lines().filter(|line| line.starts_with(&self.name)) {
            let _ = engine.command(engine.program()).args(["image", "rm", name]).current_dir("/").output();
        }
    }

    fn remove_from_engines(&self) {
        for engine in ENGINES {
            let volumes = self.volumes(engine);
            if !volumes.is_empty() {
                let _ = engine.command(engine.program()).args(["volume", "rm"]).args(volumes).current_dir("/").output();
            }
            self.forget(engine);
        }
    }
}

impl Drop for OwnImage {
    fn drop(&mut self) {
        self.remove_from_engines();
    }
}
