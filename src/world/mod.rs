//! The machine: nothing outside this folder reads or changes it, which clippy sees to (`clippy.toml`). `doors` are the
//! few ways in and out, `ask` finds out what a plan depends on, `follow` does what a plan says. Nothing here decides
//! what is to be done: that is `plan`, which has no effects.

pub(crate) mod ask;
pub(crate) mod doors;
pub(crate) mod follow;
