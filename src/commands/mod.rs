//! The subcommands: a file or folder each, named as it is typed, with its own arguments and help. Each gathers what it
//! has to know (`gather`), plans, has the plan printed or followed, and reports. No command knows the parser, or how
//! another is typed; what several need and is no command's own belongs in `plan`, `report` or `world`.

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
