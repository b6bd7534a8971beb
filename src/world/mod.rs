//! The machine: nothing outside this folder and `steps` reads or changes it. `doors` are the few ways in and out, `ask`
//! finds out what a plan depends on, `follow` has the loop that follows a plan. Nothing here decides what is to be done:
//! that is `plan`, which has no effects.

pub(crate) mod ask;
pub(crate) mod doors;
pub(crate) mod follow;
