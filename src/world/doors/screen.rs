//! The progress lines at the bottom of a terminal. Other output appears above them.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::platform::Platform;

/// Redraws per second: enough for the seconds to count up.
const REDRAWS: u8 = 10;

/// The progress lines of all platforms.
pub(crate) struct Screen {
    lines: Option<MultiProgress>,
}

impl Screen {
    /// A screen with one line for each platform, when it is wanted and there is a terminal.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let shown = is_wanted && std::io::stderr().is_terminal();
        let lines = || MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
        Self { lines: shown.then(lines) }
    }

    /// Whether progress lines are shown.
    pub(crate) fn is_live(&self) -> bool {
        self.lines.is_some()
    }

    /// Writes above the progress lines.
    pub(crate) fn above<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.lines {
            Some(lines) => lines.suspend(write),
            None => write(),
        }
    }

    /// A progress line for a platform. It disappears when its last owner drops it.
    pub(crate) fn line(&self, platform: Platform) -> Option<ProgressBar> {
        // ASCII without colour looks the same on every terminal.
        let style =
            ProgressStyle::with_template("{spinner} {prefix} {elapsed:>4} {wide_msg}").ok()?.tick_chars("|/-\\ ");
        let line = self.lines.as_ref()?.add(ProgressBar::new_spinner().with_style(style));
        line.set_prefix(platform.to_string());
        line.enable_steady_tick(Duration::from_millis(100));
        Some(line)
    }
}
