//! Times as engines and cabal write them, and the year for a licence.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// The day of a time, in UTC. `seconds` are seconds since 1970. A time outside the calendar's range becomes the first
/// day of 1970.
fn day(seconds: i64) -> Date {
    Offset::UTC.to_datetime(Timestamp::from_second(seconds).unwrap_or_default()).date()
}

/// The year of a time in seconds since 1970, in UTC.
pub(crate) fn year(seconds: i64) -> i16 {
    day(seconds).year()
}

/// An index-state that every copy of the package index has reached by now, as cabal spells it. `now` is in seconds
/// since 1970.
pub(crate) fn index_state(now: i64) -> String {
    // It is a day old: cabal refuses a state that is newer than its index, and Hackage may have had no upload since.
    format!("{}T00:00:00Z", day(now - 86_400))
}

/// Reads a time in RFC 3339, as engines write it, in seconds since 1970; `None` if the text is no such time.
pub(crate) fn seconds_since_epoch(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_state_is_midnight_before_a_day_ago() {
        assert_eq!(index_state(1_795_482_061), "2026-11-23T00:00:00Z");
        assert_eq!(index_state(1_709_251_200), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn the_year_is_that_of_greenwich() {
        for (seconds, expected) in [(0, 1970), (1_798_761_599, 2026), (1_798_761_600, 2027), (i64::MAX, 1970)] {
            assert_eq!(year(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn times_are_read_as_engines_write_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00.5Z", Some(951_825_600)),
            ("2026-11-23T23:16:39.808071292Z", Some(1_795_475_799)),
            ("2026-11-24T00:16:39+01:00", Some(1_795_475_799)),
            ("2024-03-01T00:00:00-05:00", Some(1_709_269_200)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(seconds_since_epoch(text), seconds, "{text}");
        }
    }
}
