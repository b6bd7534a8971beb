//! Doing what was decided: the loop that follows a plan, and what its steps do to the machine. Nothing here chooses: a
//! step that is not in the plan is not done, for `--dry-run` prints the plan and no more.

pub(crate) mod build;
mod channel;
pub(crate) mod data;
mod deliver;
pub(crate) mod prepare;
mod run;
pub(crate) mod scaffold;
pub(crate) mod source;
mod test_suites;
