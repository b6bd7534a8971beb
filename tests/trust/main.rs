//! What projects that mean ill, and sudden ends, do to hsx on real engines: nothing. `attacks` tries what a hostile
//! project or dependency would, `kills` ends hsx and the engine's client at random moments. Each prints a table.
#![expect(clippy::disallowed_methods, reason = "tests start programs and read their results")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attacks;
mod kills;
#[path = "../it/real/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "it is shared with the tests in `it`, which need more of it")]
mod support;
mod table;
mod trusted;
mod watch;
