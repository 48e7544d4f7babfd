//! Where times without a zone are from: the machine's own time, UTC, or a name of the IANA database on this machine.

use tz::TimeZone;

/// A place's time.
#[derive(Debug)]
pub(in crate::operators) struct Zone(Option<TimeZone>);

impl Zone {
    /// Greenwich's, without summer time.
    pub(in crate::operators) const UTC: Self = Self(None);

    /// Finds a place by name: `Local`, `UTC`, `Europe/Berlin`.
    pub(super) fn find(name: &str) -> Result<Self, String> {
        match name {
            "" | "UTC" | "Etc/UTC" => return Ok(Self::UTC),
            "Local" => return Ok(Self(local(std::env::var("TZ").ok().as_deref()))),
            _ => {}
        }
        // Only names: no path to a file, no rule.
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte))
            && !name.starts_with('/')
            && name.starts_with(|c: char| c.is_ascii_alphabetic());
        let found = is_name.then(|| TimeZone::from_posix_tz(&format!(":{name}")).ok()).flatten();
        found.map(|zone| Self(Some(zone))).ok_or_else(|| {
            format!("location `{name}` is not in this machine's time zone database; write it like Europe/Berlin, UTC or Local")
        })
    }

    /// Seconds east of Greenwich at a local time; of two (the hour that comes twice) the earlier offset.
    pub(super) fn offset_of_local(&self, local_seconds: i64) -> i32 {
        let Some(zone) = &self.0 else { return 0 };
        let offset_at =
            |unix_seconds: i64| zone.find_local_time_type(unix_seconds).map_or(0, |found| found.ut_offset());
        // What holds a day before, unless it does not hold at that time itself.
        let before = offset_at(local_seconds - 86_400);
        if offset_at(local_seconds - i64::from(before)) == before {
            return before;
        }
        offset_at(local_seconds - i64::from(offset_at(local_seconds + 86_400)))
    }
}

/// Where the process is: what `TZ` says, as Go reads it (a name or a file, no rule), or else the machine. One that does not say where it
/// is, is nowhere else.
fn local(tz: Option<&str>) -> Option<TimeZone> {
    match tz {
        None => TimeZone::local().ok(),
        Some(name) => match name.strip_prefix(':').unwrap_or(name) {
            "" => None,
            name => TimeZone::from_posix_tz(&format!(":{name}")).ok(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tz_says_where_the_process_is() {
        if Zone::find("Europe/Berlin").is_err() {
            println!("this machine has no time zone database: skipped");
            return;
        }
        for (tz, offset) in [
            ("America/New_York", -4 * 3600),
            (":Europe/Berlin", 7200),
            ("/usr/share/zoneinfo/Asia/Tokyo", 9 * 3600),
            ("UTC", 0),
            ("", 0),
            ("Nowhere/Else", 0),
        ] {
            // 2024-05-06 07:08:09
            assert_eq!(Zone(local(Some(tz))).offset_of_local(1_714_979_289), offset, "{tz}");
        }
    }
}
