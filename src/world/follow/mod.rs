//! Doing what was decided: the loop that follows a plan, whose steps (`crate::steps`) say themselves what they do.
//! Nothing here chooses: a step that is not in the plan is not done, for `--dry-run` prints the plan and no more.

pub(crate) mod platform;
pub(crate) mod scaffold;
