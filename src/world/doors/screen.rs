//! The lines of a terminal that show how far builds are, below what is said.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::platform::Platform;

/// Redraws a second: enough for the seconds to go by.
const REDRAWS: u8 = 10;

/// The part of a screen that all platforms share.
pub(crate) struct Screen {
    lines: Option<MultiProgress>,
}

impl Screen {
    /// A screen with a line a platform, where they are wanted and there is a terminal.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let shown = is_wanted && std::io::stderr().is_terminal();
        let lines = || MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
        Self { lines: shown.then(lines) }
    }

    /// Whether there are lines that show how far builds are.
    pub(crate) fn is_live(&self) -> bool {
        self.lines.is_some()
    }

    /// Writes above the lines.
    pub(crate) fn above<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.lines {
            Some(lines) => lines.suspend(write),
            None => write(),
        }
    }

    /// A line that shows how far the build for a platform is; it goes with its last owner.
    pub(crate) fn line(&self, platform: Platform) -> Option<ProgressBar> {
        // Nothing but ASCII and no colour: it is the same on every terminal.
        let style =
            ProgressStyle::with_template("{spinner} {prefix} {elapsed:>4} {wide_msg}").ok()?.tick_chars("|/-\\ ");
        let line = self.lines.as_ref()?.add(ProgressBar::new_spinner().with_style(style));
        line.set_prefix(platform.to_string());
        line.enable_steady_tick(Duration::from_millis(100));
        Some(line)
    }
}
