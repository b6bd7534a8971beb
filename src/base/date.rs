//! Days of the calendar, and the time of a package index.

/// Midnight of a day, and the year, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

impl Date {
    /// The day a number of seconds after the beginning of 1970; the proleptic Gregorian calendar repeats every 400 years.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        const DAYS_OF_400_YEARS: i64 = 146_097;
        // Counted from 1 March of year 0, so that a leap day is the last of its year.
        let days = seconds.div_euclid(86_400) + 719_468;
        let (era, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
        let year = (day - day / 1_460 + day / 36_524 - day / (DAYS_OF_400_YEARS - 1)) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        // Months from March on have 31, 30, 31, 30, 31 days, twice, and then the rest.
        let month = (5 * day_of_year + 2) / 153;
        let (month, day) = (if month < 10 { month + 3 } else { month - 9 }, day_of_year - (153 * month + 2) / 5 + 1);
        Self { year: era * 400 + year + i64::from(month <= 2), month, day }
    }

    /// Seconds from the beginning of 1970 to the day.
    pub(crate) fn to_unix(self) -> i64 {
        // Years from March on, as above.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year;
        (days - 719_468) * 86_400
    }
}

/// A time of the package index that every index has by now, as cabal spells it; `now` is in seconds since 1970.
pub(crate) fn index_state(now: i64) -> String {
    // The day before: Hackage may have nothing newer yet, and cabal refuses a state that is younger than its index.
    let Date { year, month, day } = Date::from_unix(now - 86_400);
    format!("{year:04}-{month:02}-{day:02}T00:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_everybody_does() {
        for (seconds, year, month, day) in [
            (0, 1970, 1, 1),
            (951_782_399, 2000, 2, 28),
            (951_782_400, 2000, 2, 29),
            (951_868_800, 2000, 3, 1),
            (1_798_675_200, 2026, 12, 31),
            (1_798_761_600, 2027, 1, 1),
            (4_107_542_400, 2100, 3, 1),
        ] {
            let date = Date { year, month, day };
            assert_eq!(Date::from_unix(seconds), date, "{seconds}");
            assert_eq!(date.to_unix(), seconds - seconds % 86_400);
        }
    }

    #[test]
    fn an_index_state_is_midnight_before_a_day_ago() {
        assert_eq!(index_state(1_795_482_061), "2026-11-23T00:00:00Z");
    }
}
