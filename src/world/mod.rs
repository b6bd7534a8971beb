//! The machine. Only this folder and `steps` read or change it: `doors` holds the few ways in and out, `ask` finds out
//! what a plan depends on, and `follow` has the loop that follows a plan. Nothing here decides what to do; that is
//! `plan`, which has no effects.
#![expect(clippy::disallowed_methods, reason = "the machine's files are read and written here")]

pub(crate) mod ask;
pub(crate) mod doors;
pub(crate) mod follow;
