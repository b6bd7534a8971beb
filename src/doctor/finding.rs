//! One line of the report: a state, and what to type when it is not good.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    /// Builds work, but not as well as they could.
    Warning,
    /// Builds fail.
    Bad,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub mark: Mark,
    /// The subject: `engine`, `linux/arm64`.
    pub about: String,
    pub text: String,
    /// Commands that fix it, the best first.
    pub fixes: Vec<String>,
}

impl Finding {
    pub(super) fn new(mark: Mark, about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { mark, about: about.into(), text: text.into(), fixes: Vec::new() }
    }

    pub(super) fn good(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Mark::Good, about, text)
    }

    pub(super) fn warning(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Mark::Warning, about, text)
    }

    pub(super) fn bad(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Mark::Bad, about, text)
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fixes.push(fix.into());
        self
    }
}
