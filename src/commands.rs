//! The subcommands: one file each, named as it is typed.

pub(crate) mod r#static;
