//! Black-box tests.
#![expect(clippy::disallowed_methods, reason = "tests read what programs leave")]
#![expect(clippy::disallowed_types, reason = "tests start programs")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::needless_raw_string_hashes, reason = "snapbox writes snapshots so")]

mod cabal_command;
mod cabal_decides;
mod cache;
mod cli;
mod completions;
mod cross;
mod doctor;
mod engine_choice;
mod events;
#[path = "../../src/base/exit_code.rs"]
mod exit_code;
mod failures;
mod fake;
mod fetch;
mod freeze;
mod fresh;
mod hostile;
mod image;
mod incoming;
mod locked;
mod new;
mod output;
mod parallel;
mod plan;
mod project;
#[cfg(feature = "real-engines")]
mod real;
mod remote;
mod run;
mod scripts;
mod settings;
mod shell;
mod signals;
mod test_suites;
mod tidy;
mod upx;
mod verify;
mod written;
