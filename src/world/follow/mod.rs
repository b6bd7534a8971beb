//! Follows plans. The loop is here; the steps (`crate::steps`) know themselves what to do. Nothing here makes a choice:
//! a step that is not in the plan is not done, because `--dry-run` prints only the plan.

pub(crate) mod platform;
pub(crate) mod scaffold;
