//! Times in Go's layouts, which write the moment `Mon Jan 2 15:04:05 MST 2006` as they want others (<https://pkg.go.dev/time#pkg-constants>).

/// Go's zero time, January 1st of the year 1, does not fit into ns: this stands for it.
pub(crate) const ZERO_TIME_NS: i64 = i64::MIN;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A time as `fmt` prints it.
pub(crate) fn shown(ns: i64, zone_s: i32) -> String {
    format(ns, zone_s, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// A length of time in ns as `fmt` prints it: `1h2m3.5s`, `250ms`.
pub(crate) fn duration(ns: i64) -> String {
    let size = ns.unsigned_abs();
    let sign = if ns < 0 { "-" } else { "" };
    let decimal = |value: u64, unit: u64| {
        let fraction = format!("{:0width$}", value % unit, width = unit.ilog10() as usize);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        format!("{}{dot}{fraction}", value / unit)
    };
    if size < 1_000_000_000 {
        let text = match size {
            0 => return "0s".to_owned(),
            1..1_000 => format!("{size}ns"),
            1_000..1_000_000 => format!("{}µs", decimal(size, 1_000)),
            _ => format!("{}ms", decimal(size, 1_000_000)),
        };
        return format!("{sign}{text}");
    }
    let minutes = size / 60_000_000_000;
    let seconds = decimal(size % 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// A piece of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Year,
    YearShort,
    MonthName,
    MonthShort,
    Month {
        padded: bool,
    },
    Day {
        padding: Option<char>,
    },
    DayOfYear,
    WeekdayName,
    WeekdayShort,
    Hour24,
    Hour12 {
        padded: bool,
    },
    Minute {
        padded: bool,
    },
    Second {
        padded: bool,
    },
    /// Digits, and whether zeros at the end are left out.
    Fraction {
        digits: usize,
        trims: bool,
    },
    Half {
        upper: bool,
    },
    ZoneName,
    /// Whether UTC is `Z`, with a colon, with minutes.
    Zone {
        z: bool,
        colon: bool,
        minutes: bool,
    },
}

/// The longest come first.
const PIECES: &[(&str, Piece<'static>)] = &[
    ("January", Piece::MonthName),
    ("Jan", Piece::MonthShort),
    ("Monday", Piece::WeekdayName),
    ("Mon", Piece::WeekdayShort),
    ("MST", Piece::ZoneName),
    ("2006", Piece::Year),
    ("002", Piece::DayOfYear),
    ("01", Piece::Month { padded: true }),
    ("02", Piece::Day { padding: Some('0') }),
    ("03", Piece::Hour12 { padded: true }),
    ("04", Piece::Minute { padded: true }),
    ("05", Piece::Second { padded: true }),
    ("06", Piece::YearShort),
    ("15", Piece::Hour24),
    ("_2", Piece::Day { padding: Some(' ') }),
    ("Z07:00", Piece::Zone { z: true, colon: true, minutes: true }),
    ("Z0700", Piece::Zone { z: true, colon: false, minutes: true }),
    ("Z07", Piece::Zone { z: true, colon: false, minutes: false }),
    ("-07:00", Piece::Zone { z: false, colon: true, minutes: true }),
    ("-0700", Piece::Zone { z: false, colon: false, minutes: true }),
    ("-07", Piece::Zone { z: false, colon: false, minutes: false }),
    ("PM", Piece::Half { upper: true }),
    ("pm", Piece::Half { upper: false }),
    ("1", Piece::Month { padded: false }),
    ("2", Piece::Day { padding: None }),
    ("3", Piece::Hour12 { padded: false }),
    ("4", Piece::Minute { padded: false }),
    ("5", Piece::Second { padded: false }),
];

fn pieces(layout: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = layout;
    while !rest.is_empty() {
        if let Some((len, piece)) = fraction(rest) {
            pieces.push(piece);
            rest = &rest[len..];
            continue;
        }
        if let Some((text, piece)) = PIECES.iter().find(|(text, _)| rest.starts_with(text)) {
            pieces.push(*piece);
            rest = &rest[text.len()..];
            continue;
        }
        let len = rest.chars().next().map_or(1, char::len_utf8);
        pieces.push(Piece::Literal(&rest[..len]));
        rest = &rest[len..];
    }
    pieces
}

fn fraction(text: &str) -> Option<(usize, Piece<'static>)> {
    let digits = text.strip_prefix(['.', ','])?;
    let first = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = digits.chars().take_while(|c| *c == first).count();
    let ends = !digits[count..].starts_with(|c: char| c.is_ascii_digit());
    ends.then_some((count + 1, Piece::Fraction { digits: count, trims: first == '9' }))
}

/// Seconds east of UTC of a zone that needs no table.
pub(crate) fn zone_seconds(name: &str) -> Option<i32> {
    matches!(name, "UTC" | "" | "Local" | "GMT" | "Etc/UTC" | "Z").then_some(0)
}

/// Days since 1970-01-01 of a date.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here: then the leap day is a year's last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day_of_year - (153 * month_from_march + 2) / 5 + 1)
}

/// The moment in a layout.
pub(crate) fn format(ns: i64, zone_s: i32, layout: &str) -> String {
    let (seconds, nanos) = if ns == ZERO_TIME_NS {
        (days_of(1, 1, 1) * 86_400, 0)
    } else {
        (ns.div_euclid(1_000_000_000) + i64::from(zone_s), ns.rem_euclid(1_000_000_000))
    };
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let weekday = DAYS[(days + 4).rem_euclid(7) as usize];
    let month_name = MONTHS[(month - 1) as usize];
    let half_hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    let number = |value: i64, padded: bool| {
        if padded { format!("{value:02}") } else { value.to_string() }
    };
    let mut out = String::new();
    for piece in pieces(layout) {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Year => out.push_str(&format!("{year:04}")),
            Piece::YearShort => out.push_str(&format!("{:02}", year.rem_euclid(100))),
            Piece::MonthName => out.push_str(month_name),
            Piece::MonthShort => out.push_str(&month_name[..3]),
            Piece::Month { padded } => out.push_str(&number(month, padded)),
            Piece::Day { padding: Some(' ') } => out.push_str(&format!("{day:2}")),
            Piece::Day { padding } => out.push_str(&number(day, padding.is_some())),
            Piece::DayOfYear => out.push_str(&format!("{:03}", days - days_of(year, 1, 1) + 1)),
            Piece::WeekdayName => out.push_str(weekday),
            Piece::WeekdayShort => out.push_str(&weekday[..3]),
            Piece::Hour24 => out.push_str(&number(hour, true)),
            Piece::Hour12 { padded } => out.push_str(&number(half_hour, padded)),
            Piece::Minute { padded } => out.push_str(&number(minute, padded)),
            Piece::Second { padded } => out.push_str(&number(second, padded)),
            Piece::Fraction { digits, trims } => {
                let text = format!("{nanos:09}");
                let text = &text[..digits.min(9)];
                let text = if trims { text.trim_end_matches('0') } else { text };
                if !text.is_empty() {
                    out.push('.');
                    out.push_str(text);
                }
            }
            Piece::Half { upper } => out.push_str(match (hour < 12, upper) {
                (true, true) => "AM",
                (true, false) => "am",
                (false, true) => "PM",
                (false, false) => "pm",
            }),
            Piece::ZoneName if zone_s == 0 => out.push_str("UTC"),
            Piece::ZoneName => out.push_str(&zone_text(zone_s, false, true)),
            Piece::Zone { z: true, .. } if zone_s == 0 => out.push('Z'),
            Piece::Zone { colon, minutes, .. } => out.push_str(&zone_text(zone_s, colon, minutes)),
        }
    }
    out
}

fn zone_text(zone_s: i32, colon: bool, minutes: bool) -> String {
    let sign = if zone_s < 0 { '-' } else { '+' };
    let size = zone_s.abs();
    let (hour, minute) = (size / 3600, size / 60 % 60);
    match (colon, minutes) {
        (true, _) => format!("{sign}{hour:02}:{minute:02}"),
        (false, true) => format!("{sign}{hour:02}{minute:02}"),
        (false, false) => format!("{sign}{hour:02}"),
    }
}

#[derive(Default)]
struct Found {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    is_afternoon: Option<bool>,
    minute: i64,
    second: i64,
    nanos: i64,
    zone_s: Option<i32>,
}

/// Unix ns and zone of a text in a layout; a text without a zone is in `zone_s`.
pub(crate) fn parse(layout: &str, text: &str, zone_s: i32) -> Option<(i64, i32)> {
    let mut found = Found::default();
    let mut rest = text;
    let pieces = pieces(layout);
    for (number, piece) in pieces.iter().enumerate() {
        rest = parse_piece(*piece, rest, &mut found)?;
        // A fraction may stand behind the seconds though the layout has none.
        let next_is_fraction = matches!(pieces.get(number + 1), Some(Piece::Fraction { .. }));
        if matches!(piece, Piece::Second { .. }) && !next_is_fraction && rest.starts_with(['.', ',']) {
            let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1);
            if digits > 0 {
                found.nanos = nanos_of(&rest[1..=digits])?;
                rest = &rest[digits + 1..];
            }
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let year = found.year.unwrap_or(0);
    let days = match found.day_of_year {
        Some(day) => days_of(year, 1, 1) + day - 1,
        None => {
            let (month, day) = (found.month.unwrap_or(1), found.day.unwrap_or(1));
            let days = days_of(year, month, day);
            // The 31st of a month of 30 days is another month's first.
            if date_of(days) != (year, month, day) {
                return None;
            }
            days
        }
    };
    let hour = match found.is_afternoon {
        Some(true) if found.hour < 12 => found.hour + 12,
        Some(false) if found.hour == 12 => 0,
        _ => found.hour,
    };
    if hour > 23 || found.minute > 59 || found.second > 59 {
        return None;
    }
    let zone = found.zone_s.unwrap_or(zone_s);
    let seconds = days * 86_400 + hour * 3600 + found.minute * 60 + found.second - i64::from(zone);
    let ns = i128::from(seconds) * 1_000_000_000 + i128::from(found.nanos);
    Some((i64::try_from(ns).unwrap_or(ZERO_TIME_NS), zone))
}

fn nanos_of(digits: &str) -> Option<i64> {
    let digits = &digits[..digits.len().min(9)];
    let value: i64 = digits.parse().ok()?;
    Some(value * 10i64.pow(9 - digits.len() as u32))
}

fn parse_piece<'t>(piece: Piece<'_>, text: &'t str, found: &mut Found) -> Option<&'t str> {
    let digits = |least: usize, most: usize| -> Option<(i64, &'t str)> {
        let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        (count >= least).then(|| Some((text[..count].parse().ok()?, &text[count..])))?
    };
    let name = |names: &[&str], short: bool| -> Option<(i64, &'t str)> {
        names.iter().enumerate().find_map(|(number, name)| {
            let name = if short { &name[..3] } else { name };
            let head = text.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name))?;
            Some((number as i64, &text[head.len()..]))
        })
    };
    let (least_padded, behind);
    match piece {
        Piece::Literal(literal) => return text.strip_prefix(literal),
        Piece::Year => (found.year, behind) = digits(4, 4).map(|(year, behind)| (Some(year), behind))?,
        Piece::YearShort => {
            let (year, rest) = digits(2, 2)?;
            found.year = Some(if year >= 69 { 1900 + year } else { 2000 + year });
            behind = rest;
        }
        Piece::MonthName => (found.month, behind) = name(&MONTHS, false).map(|(n, rest)| (Some(n + 1), rest))?,
        Piece::MonthShort => (found.month, behind) = name(&MONTHS, true).map(|(n, rest)| (Some(n + 1), rest))?,
        Piece::Month { padded } => {
            least_padded = if padded { 2 } else { 1 };
            let (month, rest) = digits(least_padded, 2)?;
            found.month = Some(month).filter(|month| (1..=12).contains(month));
            found.month?;
            behind = rest;
        }
        Piece::Day { padding } => {
            if padding == Some(' ') && text.starts_with(' ') {
                return parse_piece(Piece::Day { padding: None }, &text[1..], found);
            }
            let (day, rest) = digits(if padding == Some('0') { 2 } else { 1 }, 2)?;
            found.day = Some(day).filter(|day| (1..=31).contains(day));
            found.day?;
            behind = rest;
        }
        Piece::DayOfYear => (found.day_of_year, behind) = digits(3, 3).map(|(day, rest)| (Some(day), rest))?,
        Piece::WeekdayName => (_, behind) = name(&DAYS, false)?,
        Piece::WeekdayShort => (_, behind) = name(&DAYS, true)?,
        Piece::Hour24 => (found.hour, behind) = digits(2, 2)?,
        Piece::Hour12 { padded } => (found.hour, behind) = digits(if padded { 2 } else { 1 }, 2)?,
        Piece::Minute { padded } => (found.minute, behind) = digits(if padded { 2 } else { 1 }, 2)?,
        Piece::Second { padded } => (found.second, behind) = digits(if padded { 2 } else { 1 }, 2)?,
        Piece::Fraction { digits: wanted, trims } => {
            if trims && !text.starts_with(['.', ',']) {
                return Some(text);
            }
            let rest = text.strip_prefix(['.', ','])?;
            let count = rest.bytes().take_while(u8::is_ascii_digit).count();
            if count == 0 || (!trims && count != wanted) {
                return None;
            }
            found.nanos = nanos_of(&rest[..count])?;
            behind = &rest[count..];
        }
        Piece::Half { .. } => {
            let head = text.get(..2)?;
            found.is_afternoon = Some(match head.to_ascii_lowercase().as_str() {
                "am" => false,
                "pm" => true,
                _ => return None,
            });
            behind = &text[2..];
        }
        Piece::ZoneName => {
            let count = text.bytes().take_while(u8::is_ascii_uppercase).count();
            if count < 3 {
                return None;
            }
            if matches!(&text[..count], "UTC" | "GMT") {
                found.zone_s = Some(0);
            }
            behind = &text[count..];
        }
        Piece::Zone { z, colon, minutes } => {
            if z && text.starts_with('Z') {
                found.zone_s = Some(0);
                return Some(&text[1..]);
            }
            let (zone, rest) = zone_of(text, colon, minutes)?;
            found.zone_s = Some(zone);
            behind = rest;
        }
    }
    Some(behind)
}

fn zone_of(text: &str, colon: bool, minutes: bool) -> Option<(i32, &str)> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hour: i32 = text.get(1..3)?.parse().ok()?;
    let (minute, rest): (i32, &str) = match (colon, minutes) {
        (true, _) => (text.get(3..)?.strip_prefix(':')?.get(..2)?.parse().ok()?, text.get(6..)?),
        (false, true) => (text.get(3..5)?.parse().ok()?, text.get(5..)?),
        (false, false) => (0, text.get(3..)?),
    };
    Some((sign * (hour * 3600 + minute * 60), rest))
}
