//! The strategy by which hsx builds for a platform, and how it is chosen.

use std::fmt;

use super::cross;
use crate::args::StrategyChoice;
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::tools::binfmt::Emulation;

/// How the compiler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Strategy {
    /// The platform is the engine host's own.
    Native,
    /// The host's compiler runs against the platform's libraries.
    Cross,
    /// The platform's own compiler, under QEMU.
    Emulate,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Cross => "cross",
            Self::Emulate => "emulate",
        })
    }
}

/// A strategy and the reason for it, as half a sentence.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(crate) struct Choice {
    pub strategy: Strategy,
    pub reason: String,
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub asked: StrategyChoice,
    pub platform: Platform,
    pub host: Platform,
    pub ghc: Option<&'a str>,
    pub emulation: &'a Emulation,
    /// An error says why there is no host's image with the same tag.
    pub native_image: Result<(), &'a str>,
    /// How to set up emulation on this system.
    pub setup: &'a str,
}

/// Chooses the fastest strategy that works.
///
/// # Errors
/// When the strategy that was asked for does not work, or none does.
pub(crate) fn choose(question: Question<'_>) -> Result<Choice, Error> {
    let Question { asked, platform, host, ghc, emulation, native_image, setup } = question;
    let choice = |strategy, reason: String| Ok(Choice { strategy, reason });
    if platform == host {
        return choice(Strategy::Native, "this is the host's platform".to_owned());
    }
    let obstacle = cross::obstacle(host, platform, ghc).or(native_image.err().map(str::to_owned));
    let reason = match (asked, obstacle) {
        (StrategyChoice::Cross, Some(obstacle)) => {
            return Err(Error::usage(format!("`--strategy cross` does not work for {platform}: {obstacle}"))
                .hint("`--strategy auto` emulates where it has to"));
        }
        (StrategyChoice::Cross, None) => return choice(Strategy::Cross, "asked for".to_owned()),
        (StrategyChoice::Auto, None) => {
            return choice(Strategy::Cross, format!("this GHC compiles for {platform} on {host}"));
        }
        (StrategyChoice::Auto, Some(obstacle)) => obstacle,
        (StrategyChoice::Emulate, _) => "asked for".to_owned(),
    };
    match emulation {
        Emulation::Missing(why) => Err(missing_emulation(platform, why, setup)),
        Emulation::Ready | Emulation::Unknown => choice(Strategy::Emulate, reason),
    }
}

/// The error for a platform whose programs do not start on this machine.
pub(crate) fn missing_emulation(platform: Platform, why: &str, setup: &str) -> Error {
    Error::host(format!("{platform} programs do not start on this machine: {why}")).hint(format!("set it up: {setup}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question<'_> = Question {
        asked: StrategyChoice::Auto,
        platform: Platform::Arm64,
        host: Platform::Amd64,
        ghc: Some("9.6.6"),
        emulation: &Emulation::Ready,
        native_image: Ok(()),
        setup: "type this",
    };

    #[test]
    fn the_hosts_platform_is_native_whatever_is_asked() {
        for asked in [StrategyChoice::Auto, StrategyChoice::Cross, StrategyChoice::Emulate] {
            let choice = choose(Question { asked, platform: Platform::Amd64, ..QUESTION }).unwrap();
            assert_eq!(choice.strategy, Strategy::Native);
        }
    }

    #[test]
    fn auto_takes_cross_where_it_can() {
        for (question, strategy, reason) in [
            (QUESTION, Strategy::Cross, "this GHC compiles"),
            (Question { ghc: None, ..QUESTION }, Strategy::Cross, "this GHC compiles"),
            (Question { ghc: Some("9.0.2"), ..QUESTION }, Strategy::Emulate, "GHC 9.0.2 cannot"),
            (Question { native_image: Err("no such image"), ..QUESTION }, Strategy::Emulate, "no such image"),
            (Question { asked: StrategyChoice::Emulate, ..QUESTION }, Strategy::Emulate, "asked for"),
            (Question { asked: StrategyChoice::Cross, ..QUESTION }, Strategy::Cross, "asked for"),
        ] {
            let choice = choose(question).unwrap();
            assert!(choice.strategy == strategy && choice.reason.starts_with(reason), "{choice:?}");
        }
    }

    #[test]
    fn cross_fails_where_it_cannot() {
        let error = choose(Question { asked: StrategyChoice::Cross, ghc: Some("9.0.2"), ..QUESTION }).unwrap_err();
        assert!(error.message.contains("GHC 9.0.2 cannot"), "{error:?}");
    }

    #[test]
    fn only_emulation_needs_emulation() {
        let missing = Emulation::Missing("no QEMU".to_owned());
        let without = Question { emulation: &missing, ..QUESTION };
        assert_eq!(choose(without).unwrap().strategy, Strategy::Cross);
        let error = choose(Question { asked: StrategyChoice::Emulate, ..without }).unwrap_err();
        assert!(error.message.ends_with("no QEMU"), "{error:?}");
        assert_eq!(error.hints, ["set it up: type this"]);
        let unknown = Question { emulation: &Emulation::Unknown, asked: StrategyChoice::Emulate, ..QUESTION };
        assert_eq!(choose(unknown).unwrap().strategy, Strategy::Emulate);
    }
}
