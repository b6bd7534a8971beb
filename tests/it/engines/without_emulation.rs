//! A machine whose kernel does not start foreign programs. Alone: the others need it to.

use std::path::PathBuf;

use crate::world::{Engine, World, arm64_handlers};

#[test]
fn a_foreign_platform_without_emulation_says_what_to_type() {
    let world = World::alone();
    for engine in [Engine::Podman, Engine::Docker] {
        let hello = world.project("hello", engine);
        hello.put_previous_result();
        let handlers = Disabled::arm64();
        let outcome = hello.hsx(&["--platform", "linux/arm64", "--strategy", "emulate"]).run();
        drop(handlers);
        outcome.exits(3).says("linux/arm64 programs do not start on this machine: the handler `");
        outcome.says("is disabled").says("hint: set it up: ").does_not_say("Fetching");
        hello.assert_untouched();
    }
}

/// The kernel's handlers of arm64 programs, out of work until dropped.
pub(crate) struct Disabled(Vec<PathBuf>);

impl Disabled {
    pub(crate) fn arm64() -> Self {
        let handlers = arm64_handlers();
        for path in &handlers {
            fs_err::write(path, "0").unwrap();
        }
        Self(handlers)
    }
}

impl Drop for Disabled {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs_err::write(path, "1");
        }
    }
}
