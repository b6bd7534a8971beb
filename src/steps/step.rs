//! Defines what a step is, and how steps are chained.

use std::fmt;

use super::context::{Context, Failure};

/// One thing that a plan does. Its fields hold what it needs of the plan; its input is what earlier steps returned.
pub(crate) trait Step: fmt::Debug + Send + Sync {
    /// What an earlier step returned.
    type Input;
    type Output;

    /// The step as lines of a POSIX shell script that stops at the first error (`set -e`).
    fn shell(&self) -> String;

    /// Does the step.
    ///
    /// # Errors
    /// When it fails, or a signal came.
    fn follow(&self, input: Self::Input, context: &mut Context<'_>) -> Result<Self::Output, Failure>;

    /// This step, followed by one that takes its output as input.
    fn then<S: Step<Input = Self::Output>>(self, next: S) -> Then<Self, S>
    where
        Self: Sized,
    {
        Then(self, next)
    }
}

/// A chain of steps that needs no input. Its type hides how the steps are composed.
pub(crate) type Chain<T> = Box<dyn Step<Input = (), Output = T>>;

/// Two steps, one after the other.
#[derive(Debug)]
pub(crate) struct Then<A, B>(A, B);

impl<A: Step, B: Step<Input = A::Output>> Step for Then<A, B> {
    type Input = A::Input;
    type Output = B::Output;

    fn shell(&self) -> String {
        lines([self.0.shell(), self.1.shell()])
    }

    fn follow(&self, input: A::Input, context: &mut Context<'_>) -> Result<B::Output, Failure> {
        let output = self.0.follow(input, context)?;
        context.world.exec.check()?;
        self.1.follow(output, context)
    }
}

/// A step that may be left out. Then its input becomes its output.
impl<S: Step<Output = <S as Step>::Input>> Step for Option<S> {
    type Input = S::Input;
    type Output = S::Input;

    fn shell(&self) -> String {
        self.as_ref().map(Step::shell).unwrap_or_default()
    }

    fn follow(&self, input: S::Input, context: &mut Context<'_>) -> Result<S::Input, Failure> {
        match self {
            Some(step) => step.follow(input, context),
            None => Ok(input),
        }
    }
}

/// The step that does nothing.
impl Step for () {
    type Input = ();
    type Output = ();

    fn shell(&self) -> String {
        String::new()
    }

    fn follow(&self, (): (), _: &mut Context<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The comment in a printed plan before commands that hsx leaves out when another hsx has done the same since the plan
/// was made.
pub(crate) fn unless_done(what: &str) -> String {
    format!("# hsx leaves this out where another hsx has {what} meanwhile")
}

/// Joins parts of a script, one per line; empty parts are left out.
pub(crate) fn lines(pieces: impl IntoIterator<Item = String>) -> String {
    pieces.into_iter().filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("\n")
}
