//! The subcommands, each in a file or folder that is named as it is typed, with its arguments and help. A command
//! gathers what it needs (`gather`), plans, prints or follows the plan, and reports. No command knows the parser, or
//! how another command is typed. What several commands share belongs in `plan`, `report` or `world`.

pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod freeze;
pub(crate) mod gather;
pub(crate) mod lock;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod run;
pub(crate) mod setup_cabal;
pub(crate) mod shell;
pub(crate) mod source;
pub(crate) mod r#static;
pub(crate) mod test;
