//! What the steps of a platform's plan share while they are followed.

use std::collections::BTreeMap;

use super::channel::Channel;
use crate::plan::PlatformPlan;
use crate::project::Executable;
use crate::report::Delivered;
use crate::tools::cabal::Suite;
use crate::tools::linkage::Linkage;
use crate::tools::system::System;
use crate::world::doors::World;
use crate::world::doors::exec::Tail;

/// What came of a plan's steps.
#[derive(Default)]
pub(crate) struct Done {
    pub delivered: Vec<Delivered>,
    pub suites: Vec<Suite>,
    /// How the command ended that had hsx's own terminal.
    pub exit_code: u8,
    /// What GHC and cabal answered.
    pub answer: String,
    /// What was slower than it could be.
    pub notes: Vec<String>,
    /// The GHC's version, as cabal's plan says.
    pub ghc: Option<String>,
}

/// A platform's build on its way.
pub(crate) struct Run<'a> {
    pub plan: &'a PlatformPlan,
    pub world: &'a World<'a>,
    pub system: &'a System,
    pub log: fs_err::File,
    pub channel: Channel<'a>,
    pub tail: Tail,
    /// The executables that cabal built, verified.
    pub built: Vec<Built>,
    /// What became of those that upx was given, by name.
    pub packed: BTreeMap<String, Packed>,
    /// Packages with data files, and their units in the store.
    pub data_units: Vec<(String, String)>,
    /// How they exit, by name.
    pub trials: BTreeMap<String, Trial>,
    pub done: Done,
    /// A command that had hsx's own terminal was asked to end.
    pub signalled: bool,
    /// Nothing of the platform starts on the engine's host.
    pub is_untried: bool,
    /// Why emulation may succeed where this failed.
    pub obstacle: Option<String>,
}

/// An executable that cabal built, verified.
pub(crate) struct Built {
    pub exe: Executable,
    pub size: u64,
    pub linkage: Linkage,
    pub gmp: bool,
    pub sha256: String,
    /// The packages of it that have data files.
    pub data: Vec<String>,
}

/// What upx made of an executable.
#[derive(Clone)]
pub(crate) enum Packed {
    /// It is in the stage; with its digest.
    Yes(String),
    /// Why there is none.
    No(String),
}

/// How the unpacked and the packed form of an executable exit when asked for help.
#[derive(Clone, Default)]
pub(crate) struct Trial {
    pub bin: Option<u8>,
    pub packed: Option<u8>,
    /// What the unpacked one said, where it did not succeed.
    pub said: Vec<String>,
}
