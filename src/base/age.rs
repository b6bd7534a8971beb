//! Ages, as people write them.

use std::fmt;
use std::str::FromStr;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A length of time, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(pub i64);

/// The error for a text that is not a length of time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownAge(String);

impl fmt::Display for UnknownAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no age; write hours, days or weeks: `12h`, `30d`, `4w`", self.0)
    }
}

impl std::error::Error for UnknownAge {}

impl FromStr for Age {
    type Err = UnknownAge;

    fn from_str(text: &str) -> Result<Self, UnknownAge> {
        let wrong = || UnknownAge(text.to_owned());
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let unit = [("h", HOUR), ("d", DAY), ("w", 7 * DAY)].into_iter().find(|(name, _)| *name == unit);
        let number: u32 = number.parse().map_err(|_| wrong())?;
        unit.map(|(_, seconds)| Self(i64::from(number) * seconds)).ok_or_else(wrong)
    }
}

impl fmt::Display for Age {
    /// Writes the age for people, rounded down to whole days, hours or minutes: `3 days`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.0 {
            seconds if seconds >= 2 * DAY => (seconds / DAY, "days"),
            seconds if seconds >= 2 * HOUR => (seconds / HOUR, "hours"),
            seconds => ((seconds / MINUTE).max(0), "min"),
        };
        f.pad(&format!("{number} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_hours_days_or_weeks() {
        for (text, seconds) in [("12h", 43_200), ("30d", 2_592_000), ("4w", 2_419_200), ("0d", 0)] {
            assert_eq!(text.parse(), Ok(Age(seconds)));
        }
        for text in ["", "d", "30", "-1d", "1.5d", "3 days", "5é"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
        for (seconds, text) in [(-5, "0 min"), (90, "1 min"), (7199, "119 min"), (7200, "2 hours"), (DAY * 9, "9 days")]
        {
            assert_eq!(Age(seconds).to_string(), text);
        }
    }
}
