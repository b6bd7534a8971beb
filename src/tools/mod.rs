//! The dialects of the tools that hsx starts or reads after: a file or folder each, with the tool's flags, its answers
//! and its known faults. Pure: a tool's command is made here and run by `world`, and what it said is read here. Nothing
//! here decides what to build or how; a flag of a tool's anywhere else is in the wrong place.

pub(crate) mod binfmt;
pub(crate) mod cabal;
pub(crate) mod engine;
pub(crate) mod git;
pub(crate) mod git_index;
pub(crate) mod linkage;
pub(crate) mod system;
pub(crate) mod upx;
