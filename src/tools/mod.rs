//! The tools that hsx starts, or whose files it reads: each has a file or folder with its flags, its answers and its
//! known faults. All of it is pure: a command is made here and run by `world`, and its output is read here. Nothing
//! here decides what to build or how. A tool's flags appear nowhere else.

pub(crate) mod binfmt;
pub(crate) mod cabal;
pub(crate) mod engine;
pub(crate) mod git;
pub(crate) mod git_index;
pub(crate) mod linkage;
pub(crate) mod system;
pub(crate) mod upx;
