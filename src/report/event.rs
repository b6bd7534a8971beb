//! The events of a run: each is one line of `--format json-lines`, and the page of timings is made from them.

use serde::Serialize;
use serde_json::Value;

use crate::base::platform::Platform;

/// Something that happened in a run. `event` holds its name. Later versions may add keys, but remove none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    /// hsx begins another phase of its work: `fetching`, `building`, `packing`.
    Phase { phase: String },
    /// cabal begins to build a component: the `number`th of the `of` components that it has announced.
    Package { package: String, number: usize, of: usize },
    /// GHC begins to compile a module of the package.
    Module { package: String, module: String, number: u32, of: u32 },
    /// A platform is done. The value is the platform's part of the document that `--format json` prints.
    Finish(Value),
    /// hsx is done. `error` is set when hsx could not even start.
    End {
        exit_code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Value>,
    },
}

/// An event, with its platform and its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    pub event: Event,
    /// `None`: the event concerns the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Seconds since hsx began, to the millisecond.
    pub time: f64,
}

impl Entry {
    /// The event as one line of JSON, with its keys in alphabetical order.
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
