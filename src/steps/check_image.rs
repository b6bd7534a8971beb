//! Checks the architecture of an image that was pulled or made: podman may store, and then run, an image of another
//! architecture with only a warning.

use super::context::{Context, Failure, subject};
use super::step::Step;
use crate::base::cmd::{Cmd, quote};
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::tools::engine::Engine;

#[derive(Debug)]
pub(crate) struct CheckImage {
    platform: Platform,
    cmd: Cmd,
}

impl CheckImage {
    pub(crate) fn new(engine: &Engine, platform: Platform, reference: &str) -> Self {
        Self { platform, cmd: engine.image_arch(reference) }
    }
}

impl Step for CheckImage {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        let Self { platform, cmd } = self;
        let message = format!("the image {} is not for {platform}", subject(cmd));
        format!("[ \"$({cmd})\" = {} ] || {{ echo {} >&2; exit 1; }}", platform.oci_arch(), quote(&message))
    }

    fn follow(&self, (): (), context: &mut Context<'_>) -> Result<(), Failure> {
        let Self { platform, cmd } = self;
        let answer = context.quietly(cmd)?;
        let reference = subject(cmd);
        let arch = answer.stdout.trim();
        if answer.success() && arch == platform.oci_arch() {
            return Ok(());
        }
        let message = if arch.is_empty() {
            format!("the image `{reference}` is not there after its pull")
        } else {
            format!("the image `{reference}` is for linux/{arch}, not for {platform}")
        };
        let error = Error::host(message).tried(cmd.to_string()).said(&answer.stderr);
        Err(error.hint("choose another with `--image`").into())
    }
}
