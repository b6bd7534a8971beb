//! End-to-end tests: hsx with podman, docker, QEMU, GHC and upx as they are.

mod cross;
mod dice;
mod failures;
mod hello;
mod interruptions;
mod network;
mod places;
mod servers;
mod without_emulation;
