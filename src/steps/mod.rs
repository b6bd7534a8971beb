//! The steps that plans are made of, one file for each. A step's file holds its data, its guard (when it is left out),
//! the script that runs in the container, the step as shell, what it does, and what it says to people. `step` defines
//! what a step is; `context` holds what all steps share while they are followed: the machine, the log, the terminal. A
//! step returns what a later step needs. `plan` decides which steps there are, and in which order.
#![expect(clippy::disallowed_methods, reason = "a step reads and writes what it delivers")]

pub(crate) mod ask_host;
pub(crate) mod build;
mod channel;
pub(crate) mod check_image;
pub(crate) mod collect;
pub(crate) mod context;
pub(crate) mod data;
pub(crate) mod deliver;
pub(crate) mod deliver_data;
pub(crate) mod derive;
pub(crate) mod fetch;
pub(crate) mod fill;
pub(crate) mod hpack;
pub(crate) mod index;
pub(crate) mod interact;
pub(crate) mod job;
pub(crate) mod out_dir;
pub(crate) mod pack;
pub(crate) mod prepare;
pub(crate) mod pull;
mod results;
pub(crate) mod send;
pub(crate) mod solve;
pub(crate) mod stage;
pub(crate) mod step;
pub(crate) mod sweep;
pub(crate) mod test;
pub(crate) mod try_out;
pub(crate) mod verify;
pub(crate) mod volume;
pub(crate) mod write_file;
