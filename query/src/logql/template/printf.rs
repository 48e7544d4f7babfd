//! `printf`, as far as Go's `fmt` is used in templates.

use super::value::{Value, shortest};

/// Blanks and digits that one verb may ask for.
const WIDTH_MAX: usize = 10_000;

#[derive(Debug, Default, Clone, Copy)]
struct Flags {
    minus: bool,
    plus: bool,
    zero: bool,
    space: bool,
    sharp: bool,
}

/// Writes the arguments as the format says.
pub(super) fn printf(format: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(flag) = chars.peek() {
            match flag {
                '-' => flags.minus = true,
                '+' => flags.plus = true,
                '0' => flags.zero = true,
                ' ' => flags.space = true,
                '#' => flags.sharp = true,
                _ => break,
            }
            chars.next();
        }
        let mut number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Result<Option<i64>, String> {
            if chars.peek() == Some(&'*') {
                chars.next();
                return Ok(Some(arguments.next().map_or(0, Value::int)));
            }
            let mut value = None;
            while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                chars.next();
                value = Some(value.unwrap_or(0i64) * 10 + i64::from(digit));
                if value > Some(WIDTH_MAX as i64) {
                    return Err(format!("a width of more than {WIDTH_MAX}"));
                }
            }
            Ok(value)
        };
        let width = number(&mut chars)?;
        let mut precision = None;
        if chars.peek() == Some(&'.') {
            chars.next();
            precision = Some(number(&mut chars)?.unwrap_or(0).max(0) as usize);
        }
        if let Some(width) = width {
            flags.minus |= width < 0;
        }
        let width = width.map_or(0, |width| width.unsigned_abs() as usize);
        if width > WIDTH_MAX || precision > Some(WIDTH_MAX) {
            return Err(format!("a width of more than {WIDTH_MAX}"));
        }
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(value) = arguments.next() else {
            out.push_str(&format!("%!{verb}(BADINDEX)").replace("BADINDEX", "MISSING"));
            continue;
        };
        let text = verb_text(verb, value, flags, precision);
        pad(&text, width, flags, is_numeric(verb, value), &mut out);
    }
    let extra: Vec<String> = arguments.map(|value| format!("{}={}", value.kind(), value.text())).collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

fn is_numeric(verb: char, value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_)) && !matches!(verb, 's' | 'q' | 'c' | 'T')
}

fn pad(text: &str, width: usize, flags: Flags, is_numeric: bool, out: &mut String) {
    let missing = width.saturating_sub(text.chars().count());
    if flags.minus {
        out.push_str(text);
        out.push_str(&" ".repeat(missing));
    } else if flags.zero && is_numeric {
        let sign = usize::from(text.starts_with(['-', '+', ' ']));
        out.push_str(&text[..sign]);
        out.push_str(&"0".repeat(missing));
        out.push_str(&text[sign..]);
    } else {
        let filler = if flags.zero { "0" } else { " " };
        out.push_str(&filler.repeat(missing));
        out.push_str(text);
    }
}

fn signed(text: String, negative: bool, flags: Flags) -> String {
    match (negative, flags.plus, flags.space) {
        (true, ..) => format!("-{text}"),
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ => text,
    }
}

fn verb_text(verb: char, value: &Value, flags: Flags, precision: Option<usize>) -> String {
    let cut = |text: String| match precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text,
    };
    match (verb, value) {
        ('v', Value::Text(text)) if flags.sharp => format!("{text:?}"),
        ('v', Value::Int(value)) => signed(value.unsigned_abs().to_string(), *value < 0, flags),
        ('v', value) => value.text(),
        ('s', Value::Text(text)) => cut(text.clone()),
        ('s', value @ (Value::List(_) | Value::Map(_) | Value::Time(..))) => cut(value.text()),
        ('q', Value::Text(text)) => format!("{:?}", cut(text.clone())),
        ('x', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ('t', Value::Bool(value)) => value.to_string(),
        ('T', value) => value.kind().into(),
        ('c', Value::Int(value)) => {
            u32::try_from(*value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER).into()
        }
        ('U', Value::Int(value)) => format!("U+{value:04X}"),
        ('d' | 'b' | 'o' | 'x' | 'X', Value::Int(value)) => {
            let size = value.unsigned_abs();
            let digits = match verb {
                'd' => size.to_string(),
                'b' => format!("{size:b}"),
                'o' => format!("{}{size:o}", if flags.sharp { "0" } else { "" }),
                'x' => format!("{}{size:x}", if flags.sharp { "0x" } else { "" }),
                _ => format!("{}{size:X}", if flags.sharp { "0X" } else { "" }),
            };
            let missing = precision.unwrap_or(0).saturating_sub(digits.len());
            signed(format!("{}{digits}", "0".repeat(missing)), *value < 0, flags)
        }
        ('f' | 'F', Value::Float(value)) => {
            signed(format!("{:.*}", precision.unwrap_or(6), value.abs()), value.is_sign_negative(), flags)
        }
        ('e' | 'E', Value::Float(value)) => {
            let text = exponential(value.abs(), precision.unwrap_or(6));
            signed(if verb == 'E' { text.to_uppercase() } else { text }, value.is_sign_negative(), flags)
        }
        ('g' | 'G', Value::Float(value)) => {
            let text = match precision {
                Some(precision) => general(value.abs(), precision.max(1)),
                None => shortest(value.abs()),
            };
            signed(text, value.is_sign_negative(), flags)
        }
        (verb, value) => format!("%!{verb}({}={})", value.kind(), value.text()),
    }
}

fn exponential(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn general(value: f64, precision: usize) -> String {
    let exponent = if value == 0.0 { 0 } else { value.log10().floor() as i32 };
    let trimmed = |text: String| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    if exponent < -4 || exponent >= precision as i32 {
        let text = exponential(value, precision - 1);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", trimmed(mantissa.to_owned()));
    }
    trimmed(format!("{value:.*}", (precision as i32 - 1 - exponent).max(0) as usize))
}
