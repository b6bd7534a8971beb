//! What happens in a run, for programs: a line each of `--format json-lines`, and what the page of timings is made of.

use serde::Serialize;
use serde_json::Value;

use crate::base::platform::Platform;

/// Something that has happened. Its name stands in `event`; further keys may be added, none is taken away.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    /// hsx begins with something else: `fetching`, `building`, `packing`.
    Phase { phase: String },
    /// cabal begins with a component, the `number`th `of` those that it has announced.
    Package { package: String, number: usize, of: usize },
    /// GHC begins with a module of the package.
    Module { package: String, module: String, number: u32, of: u32 },
    /// A platform is done: all that the document of `--format json` has of it.
    Finish(Value),
    /// hsx is done. The error is one that kept it from starting.
    End {
        exit_code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Value>,
    },
}

/// An event with its time and place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    pub event: Event,
    /// `None` where it is about the run as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Seconds since hsx began, to the millisecond.
    pub time: f64,
}

impl Entry {
    /// One line of JSON, its keys in the order of the alphabet.
    pub(crate) fn line(&self) -> String {
        let value = serde_json::to_value(self).expect("an event is text and numbers by name");
        format!("{value}\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line_with_its_name() {
        let line = |event, platform| Entry { event, platform, time: 1.5 }.line();
        let module = Event::Module { package: "a-1".to_owned(), module: "A".to_owned(), number: 1, of: 2 };
        assert_eq!(
            line(module, Some(Platform::Arm64)),
            "{\"event\":\"module\",\"module\":\"A\",\"number\":1,\"of\":2,\"package\":\"a-1\",\"platform\":\"linux/arm64\",\"time\":1.5}\n"
        );
        let finish = Event::Finish(json!({ "platform": "linux/arm64", "fresh": true }));
        assert_eq!(
            line(finish, Some(Platform::Arm64)),
            "{\"event\":\"finish\",\"fresh\":true,\"platform\":\"linux/arm64\",\"time\":1.5}\n"
        );
        let end = Event::End { exit_code: 0, error: None };
        assert_eq!(line(end, None), "{\"event\":\"end\",\"exit_code\":0,\"time\":1.5}\n");
    }
}
