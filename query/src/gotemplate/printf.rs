//! `printf` and what `%v` makes of values, as Go's `fmt` has them.

use super::{Value, layout};
use crate::promql::{format::shortest, syntax::quote::quoted};

/// Blanks and digits that one verb may ask for.
const WIDTH_MAX: usize = 10_000;

#[derive(Debug, Default, Clone, Copy)]
struct Flags {
    minus: bool,
    plus: bool,
    zero: bool,
    space: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
}

/// Writes a value as `%v` does.
pub(crate) fn value(value: &Value, out: &mut String) {
    write(value, 'v', Flags::default(), 0, out);
}

/// Reads a format.
struct Format<'f> {
    rest: &'f str,
    arguments: &'f [Value],
    next: usize,
    /// An argument was named by its number: none is too many then.
    is_reordered: bool,
}

/// Writes the arguments as the format says.
pub(crate) fn printf(format: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut format = Format { rest: format, arguments, next: 0, is_reordered: false };
    while let Some(at) = format.rest.find('%') {
        out.push_str(&format.rest[..at]);
        format.rest = &format.rest[at + 1..];
        format.verb(&mut out)?;
    }
    out.push_str(format.rest);
    if !format.is_reordered && format.next < arguments.len() {
        out.push_str("%!(EXTRA ");
        for (number, argument) in arguments[format.next..].iter().enumerate() {
            if number > 0 {
                out.push_str(", ");
            }
            match argument {
                Value::Nil => out.push_str("<nil>"),
                argument => {
                    out.push_str(argument.kind());
                    out.push('=');
                    value(argument, &mut out);
                }
            }
        }
        out.push(')');
    }
    Ok(out)
}

impl Format<'_> {
    fn verb(&mut self, out: &mut String) -> Result<(), String> {
        let mut flags = self.flags();
        let mut is_bad = self.index();
        if let Some(width) = self.number(out, "%!(BADWIDTH)")? {
            flags.minus |= width < 0;
            flags.width = width.unsigned_abs() as usize;
            // Zeros are put before, never behind.
            flags.zero &= !flags.minus;
        }
        if self.rest.starts_with('.') {
            self.rest = &self.rest[1..];
            is_bad |= self.index();
            let precision = self.number(out, "%!(BADPREC)")?.unwrap_or(0);
            flags.precision = usize::try_from(precision).ok();
        }
        is_bad |= self.index();
        let Some(verb) = self.rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            return Ok(());
        };
        self.rest = &self.rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
        } else if is_bad {
            out.push_str(&format!("%!{verb}(BADINDEX)"));
        } else if let Some(argument) = self.arguments.get(self.next) {
            self.next += 1;
            write(argument, verb, flags, 0, out);
        } else {
            out.push_str(&format!("%!{verb}(MISSING)"));
        }
        Ok(())
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.rest.as_bytes().first() {
                Some(b'-') => (flags.minus, flags.zero) = (true, false),
                Some(b'+') => flags.plus = true,
                Some(b'0') => flags.zero = !flags.minus,
                Some(b' ') => flags.space = true,
                Some(b'#') => flags.sharp = true,
                _ => return flags,
            }
            self.rest = &self.rest[1..];
        }
    }

    /// `[2]`; true when there is no such argument.
    fn index(&mut self) -> bool {
        let Some(after) = self.rest.strip_prefix('[') else { return false };
        self.is_reordered = true;
        let Some(end) = after.find(']') else {
            self.rest = after;
            return true;
        };
        self.rest = &after[end + 1..];
        match after[..end].parse::<usize>() {
            Ok(number) if number >= 1 && number <= self.arguments.len() => {
                self.next = number - 1;
                false
            }
            _ => true,
        }
    }

    /// Digits, or `*` for an argument.
    fn number(&mut self, out: &mut String, bad: &str) -> Result<Option<i64>, String> {
        let number = if let Some(after) = self.rest.strip_prefix('*') {
            self.rest = after;
            let argument = self.arguments.get(self.next);
            self.next += 1;
            match argument {
                Some(Value::Int(number)) => Some(*number),
                _ => {
                    out.push_str(bad);
                    None
                }
            }
        } else {
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = self.rest.split_at(digits);
            self.rest = after;
            (digits > 0).then(|| number.parse().unwrap_or(i64::MAX))
        };
        if number.is_some_and(|number| number.unsigned_abs() > WIDTH_MAX as u64) {
            return Err(format!("a width of more than {WIDTH_MAX}"));
        }
        Ok(number)
    }
}

fn write(value: &Value, verb: char, flags: Flags, depth: usize, out: &mut String) {
    if verb == 'T' {
        return pad(if matches!(value, Value::Nil) { "<nil>" } else { value.kind() }, flags, false, out);
    }
    match value {
        Value::Nil if verb == 'v' => pad("<nil>", flags, false, out),
        Value::Nil => out.push_str(&format!("%!{verb}(<nil>)")),
        Value::Text(text) => write_text(text, value, verb, flags, out),
        Value::Int(number) => write_int(*number, value, verb, flags, out),
        Value::Float(number) => write_float(*number, value, verb, flags, out),
        Value::Bool(truth) if matches!(verb, 'v' | 't') => {
            pad(if *truth { "true" } else { "false" }, flags, false, out);
        }
        Value::Bool(_) => bad(value, verb, out),
        Value::List(values) => {
            sequence("[", values.iter().map(|value| (None, value)), (verb, flags, depth), "]", out);
        }
        Value::Map(members) => {
            let members = members.iter().map(|(name, value)| (Some(name.as_str()), value));
            sequence("map[", members, (verb, flags, depth), "]", out);
        }
        Value::Labels(labels) => {
            let labels: Vec<_> = labels.iter().map(|(name, value)| (name, Value::Text(value.clone()))).collect();
            let members = labels.iter().map(|(name, value)| (Some(name.as_str()), value));
            sequence("map[", members, (verb, flags, depth), "]", out);
        }
        Value::Record(_, fields) => {
            sequence("{", fields.iter().map(|(_, value)| (None, value)), (verb, flags, depth), "}", out);
        }
        Value::Time(ns, zone) => write_text(&layout::shown(*ns, *zone), value, verb, flags, out),
        Value::Duration(ns) if matches!(verb, 'v' | 's' | 'q' | 'x' | 'X') => {
            write_text(&layout::duration(*ns), value, verb, flags, out);
        }
        Value::Duration(ns) => write_int(*ns, value, verb, flags, out),
        Value::Opaque(_, text) => write_text(text, value, verb, flags, out),
        Value::Root => out.push_str("{}"),
    }
}

type Style = (char, Flags, usize);

fn sequence<'v>(
    open: &str,
    members: impl Iterator<Item = (Option<&'v str>, &'v Value)>,
    (verb, flags, depth): Style,
    close: &str,
    out: &mut String,
) {
    out.push_str(open);
    for (number, (name, value)) in members.enumerate() {
        if number > 0 {
            out.push(' ');
        }
        if let Some(name) = name {
            write(&Value::Text(name.to_owned()), verb, flags, depth + 1, out);
            out.push(':');
        }
        write(value, verb, flags, depth + 1, out);
    }
    out.push_str(close);
}

/// `%!d(string=x)`
fn bad(argument: &Value, verb: char, out: &mut String) {
    out.push_str(&format!("%!{verb}({}=", argument.kind()));
    value(argument, out);
    out.push(')');
}

fn pad(text: &str, flags: Flags, is_number: bool, out: &mut String) {
    let missing = flags.width.saturating_sub(text.chars().count());
    if flags.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if flags.zero && is_number {
        let sign = usize::from(text.starts_with(['-', '+', ' ']));
        out.push_str(&text[..sign]);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(&text[sign..]);
    } else {
        out.extend(std::iter::repeat_n(if flags.zero { '0' } else { ' ' }, missing));
        out.push_str(text);
    }
}

fn write_text(text: &str, value: &Value, verb: char, flags: Flags, out: &mut String) {
    let cut: String = match flags.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    match verb {
        'v' if flags.sharp => pad(&quoted(text), flags, false, out),
        'v' | 's' => pad(&cut, flags, false, out),
        'q' if flags.sharp && !cut.contains('`') => pad(&format!("`{cut}`"), flags, false, out),
        'q' => pad(&quoted(&cut), flags, false, out),
        'x' | 'X' => {
            let bytes = &text.as_bytes()[..flags.precision.unwrap_or(usize::MAX).min(text.len())];
            let mut digits = String::from(if flags.sharp && !bytes.is_empty() { "0x" } else { "" });
            for (number, byte) in bytes.iter().enumerate() {
                if flags.space && number > 0 {
                    digits.push_str(if flags.sharp { " 0x" } else { " " });
                }
                digits.push_str(&format!("{byte:02x}"));
            }
            pad(&if verb == 'X' { digits.to_uppercase() } else { digits }, flags, false, out);
        }
        _ => bad(value, verb, out),
    }
}

fn signed(text: String, is_negative: bool, flags: Flags) -> String {
    match (is_negative, flags.plus, flags.space) {
        (true, ..) => format!("-{text}"),
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ => text,
    }
}

fn write_int(number: i64, value: &Value, verb: char, flags: Flags, out: &mut String) {
    let size = number.unsigned_abs();
    let (prefix, digits) = match verb {
        'v' | 'd' => ("", size.to_string()),
        'b' => ("0b", format!("{size:b}")),
        'o' => ("0", format!("{size:o}")),
        'O' => ("0o", format!("{size:o}")),
        'x' => ("0x", format!("{size:x}")),
        'X' => ("0X", format!("{size:X}")),
        'c' | 'q' => {
            let letter = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            let text = if verb == 'c' { letter.to_string() } else { format!("'{}'", letter.escape_default()) };
            return pad(&text, flags, false, out);
        }
        'U' => return pad(&format!("U+{number:04X}"), flags, false, out),
        _ => return bad(value, verb, out),
    };
    let has_prefix = (flags.sharp || verb == 'O') && !prefix.is_empty();
    let mut digits = match flags.precision {
        Some(0) if number == 0 => String::new(),
        Some(precision) => format!("{digits:0>precision$}"),
        None => digits,
    };
    if flags.zero && flags.precision.is_none() {
        let sign = usize::from(number < 0 || flags.plus || flags.space);
        digits = format!("{digits:0>width$}", width = flags.width.saturating_sub(sign));
    }
    let digits = if has_prefix { format!("{prefix}{digits}") } else { digits };
    let flags_without_zero = Flags { zero: false, ..flags };
    pad(&signed(digits, number < 0, flags), flags_without_zero, true, out);
}

fn write_float(number: f64, value: &Value, verb: char, flags: Flags, out: &mut String) {
    if !number.is_finite() && matches!(verb, 'v' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'b' | 'x' | 'X') {
        let text = match (number.is_nan(), number > 0.0) {
            (true, _) if flags.plus => "+NaN",
            (true, _) => "NaN",
            (false, true) => "+Inf",
            (false, false) => "-Inf",
        };
        return pad(text, Flags { zero: false, ..flags }, false, out);
    }
    let size = number.abs();
    let text = match verb {
        'f' | 'F' => format!("{size:.*}", flags.precision.unwrap_or(6)),
        'e' => exponential(size, flags.precision.unwrap_or(6)),
        'E' => exponential(size, flags.precision.unwrap_or(6)).to_uppercase(),
        'v' | 'g' | 'G' => {
            let text = match (flags.precision, verb) {
                (Some(precision), _) => general(size, precision.max(1)),
                (None, _) => shortest(size),
            };
            if verb == 'G' { text.to_uppercase() } else { text }
        }
        'x' => hexadecimal(size, flags.precision),
        'X' => hexadecimal(size, flags.precision).to_uppercase(),
        _ => return bad(value, verb, out),
    };
    pad(&signed(text, number.is_sign_negative(), flags), flags, true, out);
}

/// `0x1.8p+01`: the bits of the number, all of them or rounded to so many digits.
fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    const DIGITS: usize = 13;
    let bits = value.to_bits();
    let (mut exponent, mut mantissa) = ((bits >> 52) as i32 & 0x7ff, bits & ((1 << 52) - 1));
    match (exponent, mantissa) {
        (0, 0) => exponent = 0,
        (0, _) => {
            // Below the smallest normal number: the first bit is made the whole one.
            let shift = mantissa.leading_zeros() as i32 - 11;
            mantissa <<= shift;
            exponent = -1022 - shift;
        }
        _ => {
            mantissa |= 1 << 52;
            exponent -= 1023;
        }
    }
    let kept = precision.unwrap_or(DIGITS).min(DIGITS);
    let cut_bits = 4 * (DIGITS - kept) as u32;
    if cut_bits > 0 {
        let (half, rest) = (1_u64 << (cut_bits - 1), mantissa & ((1 << cut_bits) - 1));
        let is_up = rest > half || (rest == half && mantissa >> cut_bits & 1 == 1);
        mantissa = ((mantissa >> cut_bits) + u64::from(is_up)) << cut_bits;
        if mantissa >> 53 == 1 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let fraction = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) => format!("{:0<precision$}", &digits[..kept]),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{fraction}p{sign}{:02}", mantissa >> 52, exponent.abs())
}

fn exponential(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `%.4g`: so many digits that mean something, without zeros at the end.
pub(crate) fn general(value: f64, precision: usize) -> String {
    if !value.is_finite() {
        return shortest(value);
    }
    let trimmed = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    // Rounding may add a digit, so the exponent is that of the rounded number.
    let text = exponential(value, precision - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if power < -4 || power >= precision as i32 {
        return format!("{}e{exponent}", trimmed(mantissa));
    }
    trimmed(&format!("{value:.*}", (precision as i32 - 1 - power).max(0) as usize))
}
