//! Follows plans. The loop is here; the steps (`crate::steps`) know themselves what to do. Nothing here makes a choice:
//! a step that is not in the plan is not done, because `--dry-run` prints only the plan.

pub(crate) mod platform;
pub(crate) mod scaffold;

use crate::base::error::Error;
use crate::plan::Plan;
use crate::world::doors::World;

/// Follows the steps of a plan that come before all platforms.
///
/// # Errors
/// Those of the step that fails first.
pub(crate) fn prepare<T>(plan: &Plan<T>, world: &World<'_>) -> Result<(), Error> {
    plan.prepare.iter().try_for_each(|step| step.follow(world))
}
