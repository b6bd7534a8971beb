//! Small types that everything else uses: errors, platforms, versions, commands as data, digests, dates and ages. Each
//! file stands by itself and knows nothing of Haskell, engines or hsx's own commands. Nothing here has an effect: not
//! even the clock is read.

pub(crate) mod age;
pub(crate) mod cmd;
pub(crate) mod date;
pub(crate) mod digest;
pub(crate) mod error;
pub(crate) mod exit_code;
pub(crate) mod harmless;
pub(crate) mod place;
pub(crate) mod platform;
pub(crate) mod version;
