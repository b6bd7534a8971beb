//! How a platform is built for, and why so.

use std::fmt;

use crate::binfmt::Emulation;
use crate::cli::StrategyChoice;
use crate::error::Error;
use crate::platform::Platform;

/// How the compiler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Strategy {
    /// The platform is the engine host's own.
    Native,
    /// The platform's own compiler, under QEMU.
    Emulate,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Emulate => "emulate",
        })
    }
}

/// A strategy and the reason for it, as half a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub strategy: Strategy,
    pub reason: String,
}

/// Chooses the fastest strategy that works. A strategy between the two joins here.
///
/// # Errors
/// When the platform needs emulation and the kernel is known to have none; `setup` says how to get it.
pub(crate) fn choose(
    asked: StrategyChoice,
    platform: Platform,
    host: Platform,
    emulation: &Emulation,
    setup: &str,
) -> Result<Choice, Error> {
    if platform == host {
        return Ok(Choice { strategy: Strategy::Native, reason: "this is the host's platform".to_owned() });
    }
    if let Emulation::Missing(why) = emulation {
        return Err(missing_emulation(platform, why, setup));
    }
    let reason = match asked {
        StrategyChoice::Auto => format!("the host is {host}"),
        StrategyChoice::Emulate => "asked for".to_owned(),
    };
    Ok(Choice { strategy: Strategy::Emulate, reason })
}

/// The error of a platform whose programs do not start here.
pub(crate) fn missing_emulation(platform: Platform, why: &str, setup: &str) -> Error {
    Error::host(format!("{platform} programs do not start on this machine: {why}")).hint(format!("set it up: {setup}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_platform_is_native_whatever_is_asked() {
        for asked in [StrategyChoice::Auto, StrategyChoice::Emulate] {
            let missing = Emulation::Missing(String::new());
            let choice = choose(asked, Platform::Amd64, Platform::Amd64, &missing, "").unwrap();
            assert_eq!(choice.strategy, Strategy::Native);
        }
    }

    #[test]
    fn a_foreign_platform_needs_emulation_unless_nobody_can_tell() {
        for (emulation, works) in
            [(Emulation::Ready, true), (Emulation::Unknown, true), (Emulation::Missing("no QEMU".to_owned()), false)]
        {
            let choice = choose(StrategyChoice::Auto, Platform::Arm64, Platform::Amd64, &emulation, "type this");
            match choice {
                Ok(choice) => assert_eq!((choice.strategy, works), (Strategy::Emulate, true)),
                Err(error) => {
                    assert!(!works && error.message.ends_with("no QEMU"), "{error:?}");
                    assert_eq!(error.hints, ["set it up: type this"]);
                }
            }
        }
    }
}
