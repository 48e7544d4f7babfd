//! Texts that are ids or times in their one usual form: a column of them is stored as what they stand for.

/// How the texts of a column are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) enum Packing {
    /// As they are.
    #[default]
    None,
    /// 16 lower-case hex digits, as 8 bytes.
    Hex8,
    /// 32 lower-case hex digits, as 16 bytes.
    Hex16,
    /// A UUID in lower case (RFC 9562, section 4), as 16 bytes.
    Uuid,
    /// Of a column of ids, the other way round: each id is stored as its lower-case hex digits, for others to read.
    IdAsHex,
    /// A time as RFC 3339 writes it, in UTC, with a `T`, a `Z` and so many digits behind the second: 3, 6 or 9; as 64 bits since 1970.
    Time(u8),
}

/// Where a UUID has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

const SECONDS_OF_DAY: i64 = 86_400;

impl Packing {
    /// The one that a text has.
    pub(crate) fn of(text: &[u8]) -> Self {
        let packing = match text.len() {
            16 => Self::Hex8,
            32 => Self::Hex16,
            36 => Self::Uuid,
            24 => Self::Time(3),
            27 => Self::Time(6),
            30 => Self::Time(9),
            _ => return Self::None,
        };
        if packing.fits(text) { packing } else { Self::None }
    }

    /// The one that all these texts have, if there are any.
    pub(crate) fn of_all<'t>(mut texts: impl Iterator<Item = &'t [u8]>) -> Self {
        let Some(first) = texts.next() else { return Self::None };
        let packing = Self::of(first);
        if packing != Self::None && texts.all(|text| packing.fits(text)) { packing } else { Self::None }
    }

    /// Bytes of a stored value, where they are not the text's.
    pub(crate) fn width(self) -> Option<usize> {
        match self {
            Self::None | Self::IdAsHex => None,
            Self::Hex8 | Self::Time(_) => Some(8),
            Self::Hex16 | Self::Uuid => Some(16),
        }
    }

    /// Whether the text comes back when it was packed.
    pub(crate) fn fits(self, text: &[u8]) -> bool {
        match self {
            Self::None | Self::IdAsHex => true,
            Self::Hex8 => text.len() == 16 && is_hex(text),
            Self::Hex16 => text.len() == 32 && is_hex(text),
            Self::Uuid => {
                text.len() == 36
                    && HYPHENS.iter().all(|&at| text[at] == b'-')
                    && uuid_parts(text).into_iter().all(is_hex)
            }
            Self::Time(digits) => time_of(text, digits).is_some(),
        }
    }

    /// Appends what a text that fits is stored as.
    pub(crate) fn pack(self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(text),
            Self::IdAsHex => unpack_hex(text, out),
            Self::Hex8 | Self::Hex16 => pack_hex(text, out),
            Self::Uuid => uuid_parts(text).into_iter().for_each(|part| pack_hex(part, out)),
            Self::Time(digits) => {
                out.extend_from_slice(&time_of(text, digits).unwrap_or_default().to_le_bytes());
            }
        }
    }

    /// The number that a time that fits is stored as.
    pub(crate) fn pack_time(self, text: &[u8]) -> u64 {
        match self {
            Self::Time(digits) => time_of(text, digits).unwrap_or_default() as u64,
            _ => 0,
        }
    }

    /// Appends the text of what was stored.
    pub(crate) fn unpack(self, stored: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(stored),
            Self::IdAsHex => pack_hex(stored, out),
            Self::Hex8 | Self::Hex16 => unpack_hex(stored, out),
            Self::Uuid => {
                let mut from = 0;
                for (part, bytes) in [4, 2, 2, 2, 6].into_iter().enumerate() {
                    if part > 0 {
                        out.push(b'-');
                    }
                    let to = stored.len().min(from + bytes);
                    unpack_hex(&stored[from.min(to)..to], out);
                    from += bytes;
                }
            }
            Self::Time(_) => {
                let word = stored.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
                self.unpack_time(word, out);
            }
        }
    }

    /// Appends the text of a time that was stored as a number.
    pub(crate) fn unpack_time(self, word: u64, out: &mut Vec<u8>) {
        if let Self::Time(digits) = self {
            write_time(word as i64, digits, out);
        }
    }
}

fn uuid_parts(text: &[u8]) -> [&[u8]; 5] {
    [&text[..8], &text[9..13], &text[14..18], &text[19..23], &text[24..]]
}

/// Of each byte the value as a digit of lower case, or 255.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = match byte as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => 255,
        };
        byte += 1;
    }
    digits
};

#[inline]
fn is_hex(text: &[u8]) -> bool {
    // Without an early end: nearly always all are.
    text.iter().fold(0, |all, &byte| all | DIGITS[usize::from(byte)]) < 16
}

#[inline]
fn pack_hex(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.chunks_exact(2).map(|pair| DIGITS[usize::from(pair[0])] << 4 | DIGITS[usize::from(pair[1])] & 15));
}

#[inline]
fn unpack_hex(stored: &[u8], out: &mut Vec<u8>) {
    const PAIRS: [[u8; 2]; 256] = {
        let digits = b"0123456789abcdef";
        let mut pairs = [[0; 2]; 256];
        let mut byte = 0;
        while byte < 256 {
            pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
            byte += 1;
        }
        pairs
    };
    for &byte in stored {
        out.extend_from_slice(&PAIRS[usize::from(byte)]);
    }
}

/// The time that a text writes in its one usual form, in units of so many digits.
fn time_of(text: &[u8], digits: u8) -> Option<i64> {
    let fraction = usize::from(digits);
    if text.len() != 21 + fraction || text[text.len() - 1] != b'Z' {
        return None;
    }
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.')];
    if marks.iter().any(|&(at, mark)| text[at] != mark) {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        text[from..to]
            .iter()
            .try_fold(0i64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Years that fit in 64 bits of nanoseconds; a leap second has no number of its own.
    let is_time = (1970..=2200).contains(&year) && hour < 24 && minute < 60 && second < 60;
    if !is_time || !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second;
    Some(seconds * 10i64.pow(u32::from(digits)) + number(20, 20 + fraction)?)
}

fn write_time(time: i64, digits: u8, out: &mut Vec<u8>) {
    let unit = 10i64.pow(u32::from(digits));
    let (seconds, fraction) = (time.div_euclid(unit), time.rem_euclid(unit));
    let (year, month, day) = date_of(seconds.div_euclid(SECONDS_OF_DAY));
    let second = seconds.rem_euclid(SECONDS_OF_DAY);
    let mut write = |mut number: i64, width: usize, before: &[u8]| {
        out.extend_from_slice(before);
        let at = out.len();
        out.resize(at + width, b'0');
        for digit in out[at..].iter_mut().rev() {
            *digit = b'0' + (number % 10).unsigned_abs() as u8;
            number /= 10;
        }
    };
    write(year, 4, b"");
    write(month, 2, b"-");
    write(day, 2, b"-");
    write(second / 3600, 2, b"T");
    write(second / 60 % 60, 2, b":");
    write(second % 60, 2, b":");
    write(fraction, usize::from(digits), b".");
    out.push(b'Z');
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970, with years that begin in March (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        let rows = [
            ("00f067aa0ba902b7", Packing::Hex8),
            ("4bf92f3577b34da6a3ce929d0e0e4736", Packing::Hex16),
            ("123e4567-e89b-12d3-a456-426614174000", Packing::Uuid),
            ("2026-11-20T05:26:40.123Z", Packing::Time(3)),
            ("2024-02-29T23:59:59.000001Z", Packing::Time(6)),
            ("1970-01-01T00:00:00.000000000Z", Packing::Time(9)),
            ("2200-12-31T23:59:59.999999999Z", Packing::Time(9)),
        ];
        for (text, packing) in rows {
            assert_eq!(Packing::of(text.as_bytes()), packing, "{text}");
            let (mut stored, mut back) = (Vec::new(), Vec::new());
            packing.pack(text.as_bytes(), &mut stored);
            assert_eq!(Some(stored.len()), packing.width());
            packing.unpack(&stored, &mut back);
            assert_eq!(String::from_utf8_lossy(&back), text);
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in 0..84_000 {
            let mut text = Vec::new();
            write_time(day * SECONDS_OF_DAY * 1000 + day, 3, &mut text);
            assert_eq!(time_of(&text, 3), Some(day * SECONDS_OF_DAY * 1000 + day));
        }
    }

    #[test]
    fn other_forms_stay_texts() {
        let texts = [
            "00F067AA0BA902B7",
            "4bf92f3577b34da6a3ce929d0e0e473g",
            "123E4567-e89b-12d3-a456-426614174000",
            "123e4567+e89b-12d3-a456-426614174000",
            "2026-11-20 05:26:40.123Z",
            "2026-11-20T05:26:60.123Z",
            "2026-11-20T24:26:40.123Z",
            "2026-02-29T05:26:40.123Z",
            "2026-13-20T05:26:40.123Z",
            "1969-11-20T05:26:40.123Z",
            "2300-11-20T05:26:40.123Z",
            "2026-11-20T05:26:40.1-3Z",
            "2026-11-20T05:26:40+01:00",
            "",
            "x",
        ];
        for text in texts {
            assert_eq!(Packing::of(text.as_bytes()), Packing::None, "{text}");
        }
        let mixed = [&b"00f067aa0ba902b7"[..], b"00f067aa0ba902bx"];
        assert_eq!(Packing::of_all(mixed.into_iter()), Packing::None);
    }
}
