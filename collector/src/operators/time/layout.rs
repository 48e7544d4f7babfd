//! Layouts of times, strptime's and Go's, as one list of parts.

use super::{Moment, Zone, Zones};

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

/// Abbreviations that mean one thing to everybody, in seconds.
const ZONES: [(&str, i32); 12] = [
    ("UTC", 0),
    ("GMT", 0),
    ("EST", -5 * 3600),
    ("EDT", -4 * 3600),
    ("CST", -6 * 3600),
    ("CDT", -5 * 3600),
    ("MST", -7 * 3600),
    ("MDT", -6 * 3600),
    ("PST", -8 * 3600),
    ("PDT", -7 * 3600),
    ("CET", 3600),
    ("CEST", 7200),
];

/// A layout, ready to read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Year,
    ShortYear,
    /// Four digits, or the last two.
    AnyYear,
    Month,
    MonthName,
    Day,
    WeekdayName,
    YearDay,
    Hour,
    Hour12,
    HalfOfDay,
    Minute,
    Second,
    /// Digits of a second's fraction, behind a point or comma that is literal text.
    Fraction,
    ZoneName,
    /// `Z`, or an offset with or without colons.
    Offset,
}

/// Reads a layout of strptime.
pub(super) fn strptime(layout: &str) -> Result<Layout, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut chars = layout.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        let directive = chars.next().ok_or("a layout cannot end with a %")?;
        let expanded: &[Part] = match directive {
            'Y' => &[Part::Year],
            'y' => &[Part::ShortYear],
            'D' | 'x' => {
                flush(&mut text, &mut parts);
                parts.extend(strptime("%m/%d/%y")?.0);
                parts.pop();
                &[Part::AnyYear]
            }
            'm' | 'o' | 'q' => &[Part::Month],
            'b' | 'h' | 'B' => &[Part::MonthName],
            'd' | 'e' | 'g' => &[Part::Day],
            'a' | 'A' => &[Part::WeekdayName],
            'H' => &[Part::Hour],
            'I' | 'l' => &[Part::Hour12],
            'p' | 'P' => &[Part::HalfOfDay],
            'M' => &[Part::Minute],
            'S' => &[Part::Second],
            'L' | 'f' | 's' | 'N' => &[Part::Fraction],
            'Z' => &[Part::ZoneName],
            'z' | 'i' | 'j' | 'k' => &[Part::Offset],
            'F' | 'T' | 'X' | 'r' | 'c' | 'v' | 'R' | 'n' | 't' | '%' => {
                let longer = match directive {
                    'F' => "%Y-%m-%d",
                    'T' | 'X' => "%H:%M:%S",
                    'r' => "%I:%M:%S %p",
                    'c' | 'v' => "%a %b %d %H:%M:%S %Y",
                    'R' => "%H:%M",
                    'n' => "\n",
                    't' => "\t",
                    _ => "",
                };
                if longer.is_empty() {
                    text.push('%');
                    continue;
                }
                flush(&mut text, &mut parts);
                parts.extend(strptime(longer)?.0);
                continue;
            }
            other => return Err(format!("%{other} is no directive of strptime")),
        };
        flush(&mut text, &mut parts);
        parts.extend_from_slice(expanded);
    }
    flush(&mut text, &mut parts);
    complete(parts)
}

/// The words of Go's layouts, longer ones first where one begins as another does.
const GO_WORDS: [(&str, Part); 32] = [
    ("January", Part::MonthName),
    ("Jan", Part::MonthName),
    ("Monday", Part::WeekdayName),
    ("Mon", Part::WeekdayName),
    ("MST", Part::ZoneName),
    ("2006", Part::Year),
    ("-07:00:00", Part::Offset),
    ("-07:00", Part::Offset),
    ("-070000", Part::Offset),
    ("-0700", Part::Offset),
    ("-07", Part::Offset),
    ("Z07:00:00", Part::Offset),
    ("Z07:00", Part::Offset),
    ("Z070000", Part::Offset),
    ("Z0700", Part::Offset),
    ("Z07", Part::Offset),
    ("002", Part::YearDay),
    ("01", Part::Month),
    ("02", Part::Day),
    ("03", Part::Hour12),
    ("04", Part::Minute),
    ("05", Part::Second),
    ("06", Part::ShortYear),
    ("15", Part::Hour),
    ("PM", Part::HalfOfDay),
    ("pm", Part::HalfOfDay),
    ("_2", Part::Day),
    ("1", Part::Month),
    ("2", Part::Day),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
];

/// Reads a layout of Go's time package.
pub(super) fn gotime(layout: &str) -> Result<Layout, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if matches!(first, '.' | ',') {
            let digits = rest[1..].bytes().take_while(|byte| matches!(byte, b'0' | b'9')).count();
            let is_fraction = digits > 0 && !rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit());
            // It may be missing in what is read, or longer: the seconds before it look for it.
            if is_fraction && parts.last() == Some(&Part::Second) && text.is_empty() {
                rest = &rest[1 + digits..];
                continue;
            }
        }
        match GO_WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, part)) => {
                flush(&mut text, &mut parts);
                parts.push(part.clone());
                rest = &rest[word.len()..];
            }
            None => {
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    flush(&mut text, &mut parts);
    complete(parts)
}

fn flush(text: &mut String, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}

fn complete(parts: Vec<Part>) -> Result<Layout, String> {
    if parts.iter().all(|part| matches!(part, Part::Text(_))) {
        return Err("the layout says nothing of a time".into());
    }
    Ok(Layout(parts))
}

/// Reads a text by its layout, all of it; the place is the one of `zones` that the text names.
pub(super) fn read<'z>(layout: &Layout, text: &str, zones: &'z Zones) -> Option<(Moment, Option<&'z Zone>)> {
    let mut moment = Moment { month: 1, day: 1, ..Moment::default() };
    let mut rest = text;
    let (mut is_afternoon, mut year_day) = (None, None);
    let (mut is_whole, mut named) = (false, None);
    for (at, part) in layout.0.iter().enumerate() {
        match part {
            // What writes no fraction when it is 0 leaves out its point as well.
            Part::Text(literal)
                if matches!(&**literal, "." | ",")
                    && layout.0.get(at + 1) == Some(&Part::Fraction)
                    && !rest.starts_with(['.', ',']) =>
            {
                is_whole = true;
            }
            Part::Text(literal) => rest = literal_after(rest, literal)?,
            Part::Year => {
                let digits = rest.get(..4)?;
                moment.year = Some(digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??);
                rest = &rest[4..];
            }
            Part::ShortYear => {
                let year = i64::from(number(&mut rest, 2)?);
                moment.year = Some(if year >= 69 { 1900 + year } else { 2000 + year });
            }
            Part::AnyYear => {
                let digits = rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
                let year = i64::from(number(&mut rest, if digits == 4 { 4 } else { 2 })?);
                moment.year = Some(match year {
                    0..69 => 2000 + year,
                    69..100 => 1900 + year,
                    year => year,
                });
            }
            Part::Month => moment.month = number(&mut rest, 2)? as u8,
            Part::MonthName => moment.month = name(&mut rest, &MONTHS)? as u8 + 1,
            Part::Day => moment.day = number(&mut rest, 2)? as u8,
            Part::WeekdayName => drop(name(&mut rest, &DAYS)?),
            Part::YearDay => year_day = Some(number(&mut rest, 3)?),
            Part::Hour => moment.hour = number(&mut rest, 2)? as u8,
            Part::Hour12 => {
                let hour = number(&mut rest, 2)?;
                moment.hour = (hour <= 12).then_some(hour as u8)?;
            }
            Part::HalfOfDay => {
                let word = rest.get(..2)?;
                is_afternoon = Some(match () {
                    () if word.eq_ignore_ascii_case("pm") => true,
                    () if word.eq_ignore_ascii_case("am") => false,
                    () => return None,
                });
                rest = &rest[2..];
            }
            Part::Minute => moment.minute = number(&mut rest, 2)? as u8,
            Part::Second => {
                moment.second = number(&mut rest, 2)? as u8;
                let comes_fraction = matches!(layout.0.get(at + 1..at + 3), Some([Part::Text(_), Part::Fraction]));
                if rest.starts_with(['.', ',']) && !comes_fraction {
                    let after = &rest[1..];
                    if after.starts_with(|c: char| c.is_ascii_digit()) {
                        rest = after;
                        moment.nanos = fraction(&mut rest)?;
                    }
                }
            }
            Part::Fraction if std::mem::take(&mut is_whole) => {}
            Part::Fraction => moment.nanos = fraction(&mut rest)?,
            Part::ZoneName => {
                let zone;
                (moment.offset_seconds, zone) = zone_name(&mut rest, zones)?;
                named = zone;
            }
            Part::Offset => moment.offset_seconds = Some(offset(&mut rest)?),
        }
    }
    if let Some(is_afternoon) = is_afternoon {
        moment.hour = match (moment.hour, is_afternoon) {
            (12, false) => 0,
            (12, true) => 12,
            (hour, true) => hour + 12,
            (hour, false) => hour,
        };
    }
    if let (Some(year_day), Some(year)) = (year_day, moment.year) {
        let days_of_year = super::calendar::days(year + 1, 1, 1) - super::calendar::days(year, 1, 1);
        (1..=days_of_year).contains(&i64::from(year_day)).then_some(())?;
        let (_, month, day) = super::calendar::civil(super::calendar::days(year, 1, 1) + i64::from(year_day) - 1);
        (moment.month, moment.day) = (month, day);
    }
    rest.trim_end().is_empty().then_some((moment, named))
}

/// What an abbreviation stands for: an offset, or a place of `zones`. One that nobody knows is neither.
fn zone_name<'z>(rest: &mut &str, zones: &'z Zones) -> Option<(Option<i32>, Option<&'z Zone>)> {
    let (word, after) = rest.split_at(rest.bytes().take_while(u8::is_ascii_uppercase).count());
    *rest = after;
    if let Some(zone) = zones.get(word) {
        return Some((None, Some(zone)));
    }
    let has_sign = after.starts_with(['+', '-']);
    if word.is_empty() && has_sign {
        return Some((Some(offset(rest)?), None));
    }
    // GMT+3.
    if word == "GMT" && has_sign {
        let sign = if after.starts_with('+') { 3600 } else { -3600 };
        *rest = &after[1..];
        let hours = i32::try_from(number(rest, 2)?).ok().filter(|hours| *hours <= 24)?;
        return Some((Some(sign * hours), None));
    }
    Some((ZONES.iter().find(|(name, _)| *name == word).map(|(_, offset)| *offset), None))
}

/// Behind literal text; blanks stand for any number of blanks.
fn literal_after<'t>(text: &'t str, literal: &str) -> Option<&'t str> {
    let mut rest = text;
    for char in literal.chars() {
        if char.is_whitespace() {
            rest = rest.trim_start();
        } else if matches!(char, '.' | ',') && rest.starts_with(['.', ',']) {
            // A point and a comma before a fraction are one to Go.
            rest = &rest[1..];
        } else {
            rest = rest.strip_prefix(char)?;
        }
    }
    Some(rest)
}

/// A number of up to so many digits, with blanks before it.
fn number(rest: &mut &str, digits_max: usize) -> Option<u32> {
    let text = rest.trim_start_matches(' ');
    let len = text.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
    let number = text[..len].parse().ok()?;
    *rest = &text[len..];
    Some(number)
}

/// Which name stands there, whole or by its first three letters, in any case.
fn name(rest: &mut &str, names: &[&str]) -> Option<usize> {
    for (at, name) in names.iter().enumerate() {
        for len in [name.len(), 3] {
            if rest.get(..len).is_some_and(|word| word.eq_ignore_ascii_case(&name[..len])) {
                *rest = &rest[len..];
                return Some(at);
            }
        }
    }
    None
}

/// The digits of a second's fraction that a text begins with, as nanoseconds.
pub(in crate::operators) fn fraction(rest: &mut &str) -> Option<u32> {
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return None;
    }
    let digits = &rest[..len.min(9)];
    *rest = &rest[len..];
    Some(digits.parse::<u32>().ok()? * 10_u32.pow(9 - digits.len() as u32))
}

fn offset(rest: &mut &str) -> Option<i32> {
    if let Some(after) = rest.strip_prefix(['Z', 'z']) {
        *rest = after;
        return Some(0);
    }
    let sign = match rest.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut text = &rest[1..];
    let mut seconds = 0;
    for unit in [3600, 60, 1] {
        let after_colon = text.strip_prefix(':').filter(|_| unit < 3600).unwrap_or(text);
        let digits = after_colon.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(digits) = digits else { break };
        seconds += digits.parse::<i32>().ok()? * unit;
        text = &after_colon[2..];
    }
    (text.len() + 3 <= rest.len()).then_some(())?;
    *rest = text;
    Some(sign * seconds)
}

/// A time as RFC 3339 has it, the form of container runtimes: Unix ns.
pub(in crate::operators) fn rfc3339(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    let two = |at: usize| -> Option<u8> {
        let (tens, ones) = (bytes.get(at)?.wrapping_sub(b'0'), bytes.get(at + 1)?.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then_some(tens * 10 + ones)
    };
    let signs = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if signs.iter().any(|(at, sign)| bytes.get(*at) != Some(sign)) || !matches!(bytes.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let mut moment = Moment {
        year: Some(i64::from(two(0)?) * 100 + i64::from(two(2)?)),
        month: two(5)?,
        day: two(8)?,
        hour: two(11)?,
        minute: two(14)?,
        second: two(17)?,
        ..Moment::default()
    };
    let mut rest = text.get(19..)?;
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        moment.nanos = fraction(&mut rest)?;
    }
    moment.offset_seconds = Some(offset(&mut rest)?);
    if !rest.is_empty() {
        return None;
    }
    moment.unix_ns(&super::zone::Zone::UTC, 0)
}
