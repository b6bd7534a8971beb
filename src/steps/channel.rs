//! Shows the build of one platform while others may be running: raw, with the platform before each line, on a progress
//! line of a terminal, or as a group after the build has ended.

use std::time::Instant;

use indicatif::ProgressBar;

use super::job::Job;
use crate::base::platform::Platform;
use crate::report::event::Event;
use crate::report::progress::Progress;
use crate::world::doors::World;
use crate::world::doors::state::{DURATIONS, State};
use crate::world::doors::ui::Ui;

/// How many bytes of a line are kept. A longer line is shown in parts.
const LINE: usize = 64 * 1024;

/// Where a platform's output goes.
pub(crate) struct Channel<'a> {
    ui: &'a Ui,
    state: &'a State,
    platform: Platform,
    /// The key of the build.
    key: &'a str,
    since: Instant,
    /// The end of the output, which is not a complete line yet.
    rest: Vec<u8>,
    progress: Progress,
    bar: Option<ProgressBar>,
}

impl<'a> Channel<'a> {
    pub(crate) fn new(job: &'a Job, world: &'a World<'_>) -> Self {
        let (ui, state, platform, key) = (world.ui, &world.state, job.platform, job.key.as_str());
        Self {
            ui,
            state,
            platform,
            key,
            since: Instant::now(),
            rest: Vec::new(),
            progress: Progress::default(),
            bar: None,
        }
    }

    /// Begins a phase, and shows it.
    pub(crate) fn phase(&mut self, phase: &str) {
        self.progress.begin(phase);
        self.since = Instant::now();
        self.ui.event(self.platform, Event::Phase { phase: phase.to_owned() });
        if self.bar.is_none() {
            self.bar = self.ui.screen().line(self.platform);
        }
        self.show();
    }

    /// Shows a tool's output as it arrives.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let is_raw = self.bar.is_none() && !self.ui.has_several();
        if is_raw {
            self.ui.stream(bytes);
        }
        // Only the new bytes are searched: otherwise a very long line would cost quadratic time.
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(part);
            let is_whole = part.ends_with(b"\n");
            if !is_whole && self.rest.len() < LINE {
                continue;
            }
            let mut line = std::mem::take(&mut self.rest);
            if !is_whole {
                line.push(b'\n');
            }
            if let Some(news) = self.progress.read(&String::from_utf8_lossy(&line)) {
                self.ui.event(self.platform, self.progress.event(news));
                if self.progress.expected.is_none() {
                    self.progress.expected = self.state.recall(&DURATIONS, &self.name());
                }
                self.show();
            }
            if self.bar.is_none() && !is_raw {
                self.ui.stream(&[format!("{} | ", self.platform).as_bytes(), &line].concat());
            }
        }
    }

    /// Ends the last line when the tool has ended without ending it.
    pub(crate) fn flush(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        if self.bar.is_none() && !self.ui.has_several() {
            self.rest.clear();
        } else {
            self.write(b"\n");
        }
    }

    /// Remembers how long the phase took, as an estimate for later ones with as many packages.
    pub(crate) fn remember(&self) {
        if self.progress.packages() > 0 {
            self.state.remember(&DURATIONS, &self.name(), &self.since.elapsed().as_secs());
        }
    }

    fn name(&self) -> String {
        format!("{}-{}", self.key, self.progress.packages())
    }

    /// Removes the progress line, so that somebody else can use the terminal.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn show(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.progress.text());
        }
    }
}

impl Drop for Channel<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}
