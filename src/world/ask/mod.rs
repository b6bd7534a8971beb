//! Asks questions of the machine, its files, its engines and registries. Plans, reports and `hsx doctor` depend on the
//! answers, and each question is asked once. Nothing here changes a project, its results or an engine, except that
//! `storage` removes what `hsx cache` is told to; `doors` writes what is remembered for the next run.

pub(crate) mod engines;
pub(crate) mod examine;
pub(crate) mod fresh;
pub(crate) mod host;
pub(crate) mod images;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod mounts;
pub(crate) mod storage;
pub(crate) mod tree;
