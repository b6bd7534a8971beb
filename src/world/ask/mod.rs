//! Questions to the machine, its files, its engines and registries. Whatever a plan, a report or `hsx doctor` depends
//! on is asked for here, once. Nothing here changes a project, its results or an engine, but for what `hsx cache`
//! removes (`storage`); what is remembered for the next run goes through `doors`.

pub(crate) mod engines;
pub(crate) mod examine;
pub(crate) mod fresh;
pub(crate) mod host;
pub(crate) mod images;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod storage;
pub(crate) mod tree;
