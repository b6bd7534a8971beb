//! End-to-end tests: hsx with real podman, docker, QEMU, GHC, upx and shells.

mod cabal;
mod cache;
mod cross;
mod dice;
mod doctor;
mod domains;
mod failures;
mod field;
mod freeze;
mod hello;
mod interruptions;
mod locked;
#[cfg(feature = "musl-images")]
mod musl;
mod network;
mod new;
mod other_direction;
mod packages;
mod places;
mod remote;
mod run;
mod same_code;
mod servers;
mod shell;
mod shells;
#[cfg_attr(
    not(feature = "musl-images"),
    expect(dead_code, unused_imports, reason = "what runs emulated is watched by tests on musl only")
)]
mod support;
mod test_suites;
mod toolchain;
mod without_emulation;
