//! Follows the plan of one platform.

use std::fs::File;

use camino::Utf8PathBuf;

use crate::base::cmd::Values;
use crate::base::error::{Error, ErrorKind};
use crate::facts::strategy::Choice;
use crate::plan::PlatformPlan;
use crate::steps::context::{Context, Failure, remove_containers};
use crate::steps::fill;
use crate::tools::system::System;
use crate::world::doors::World;
use crate::world::doors::state::FETCHED;
use crate::world::doors::state::State;

/// How the work for a platform ended, and the strategy that was used: the plan's, or that of its fallback.
pub(crate) struct Outcome<T> {
    pub choice: Choice,
    /// Hints about what the user could improve.
    pub notes: Vec<String>,
    pub result: Result<T, Error>,
}

/// How following one plan ended, without its fallback.
struct PlanEnd<T> {
    notes: Vec<String>,
    result: Result<T, Failure>,
}

/// Follows a plan, and then its fallback when emulation may succeed. A failure leaves nothing behind. `values` holds
/// the values that were not known when the plan was made.
pub(crate) fn follow<T>(plan: &PlatformPlan<T>, values: &Values, system: &System, world: &World<'_>) -> Outcome<T> {
    for warning in &plan.warnings {
        world.ui.warning(warning);
    }
    let platform = plan.job.platform;
    let mut choice = plan.job.choice.clone();
    let PlanEnd { mut notes, result } = follow_once(plan, values, system, world);
    let mut toolchain = plan.toolchain.as_ref();
    let result = match (result, &plan.fallback) {
        (Err(Failure { obstacle: Some(reason), .. }), Some(fallback)) => {
            world.ui.warning(&format!(
                "{platform}: THE `cross` STRATEGY FAILED: {reason}; building again under emulation, which is slower"
            ));
            let ended = follow_once(fallback, values, system, world);
            choice = Choice { reason: format!("`cross` failed: {reason}"), ..fallback.job.choice.clone() };
            toolchain = None;
            notes = ended.notes;
            ended.result.map_err(|failure| failure.error)
        }
        (Err(Failure { mut error, obstacle: Some(reason) }), None) => {
            error.hints.insert(0, format!("{reason}: `--strategy emulate` does without `cross`"));
            Err(error)
        }
        (result, _) => result.map_err(|failure| failure.error),
    };
    let note = toolchain.and_then(|toolchain| fill::note_of(&toolchain.volume, &world.state));
    if result.is_err() {
        notes.clear();
    }
    Outcome { choice, notes: note.into_iter().chain(notes).collect(), result }
}

/// Follows a plan without its fallback.
fn follow_once<T>(plan: &PlatformPlan<T>, values: &Values, system: &System, world: &World<'_>) -> PlanEnd<T> {
    let opened = world.exec.check().and_then(|()| open(plan, values, system, world));
    let (_locks, mut context, log) = match opened {
        Ok(opened) => opened,
        Err(error) => return PlanEnd { notes: Vec::new(), result: Err(error.into()) },
    };
    let result = steps(plan, &mut context);
    context.channel.clear();
    world.ui.group(&format!("{}: all that was said", plan.job.platform), &log);
    let result = result.map_err(|Failure { error, obstacle }| {
        remove_containers(&plan.job, matches!(error.kind, ErrorKind::Signal(_)), world);
        plan.stage.remove();
        Failure { error: context.told(error, log), obstacle }
    });
    if let Some(inputs) = &plan.fetch_inputs {
        // The fetched files of a failed build may be incomplete, so the next run fetches again.
        match &result {
            Ok(_) => world.state.remember(&FETCHED, &plan.job.key, &inputs.digest(values)),
            Err(_) => world.state.forget(&FETCHED, &plan.job.key),
        }
    }
    PlanEnd { notes: context.notes, result }
}

/// Runs the steps, and stops at the first failure.
fn steps<T>(plan: &PlatformPlan<T>, context: &mut Context<'_>) -> Result<T, Failure> {
    for step in &plan.preparation {
        context.world.exec.check()?;
        step.follow((), context)?;
    }
    context.world.exec.check()?;
    plan.work.follow((), context)
}

/// Takes what a plan needs before its first step: its locks and its log.
fn open<'a, T>(
    plan: &'a PlatformPlan<T>,
    values: &'a Values,
    system: &'a System,
    world: &'a World<'_>,
) -> Result<(Vec<File>, Context<'a>, Utf8PathBuf), Error> {
    let (locks, waited) = lock(plan, world)?;
    if waited {
        // The other hsx may have been killed and have left its containers, which have the same names.
        let _ = world.exec.capture(&plan.job.removal)?;
    }
    let (context, log) = Context::new(&plan.job, values, system, world)?;
    Ok((locks, context, log))
}

/// Takes the plan's locks in order; they are held until they are dropped. Returns whether another hsx had to be waited
/// for.
fn lock<T>(plan: &PlatformPlan<T>, world: &World<'_>) -> Result<(Vec<File>, bool), Error> {
    let (mut files, mut waited) = (Vec::new(), false);
    for lock in &plan.locks {
        let file = world.state.lock_file(&lock.name)?;
        waited |= world.wait_for(|| if lock.shared { file.try_lock_shared() } else { file.try_lock() }.is_ok())?;
        State::mark_used(&file);
        files.push(file);
    }
    Ok((files, waited))
}
