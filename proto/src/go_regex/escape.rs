//! What stands behind a backslash.

use std::fmt::Write as _;

/// An escape that is one character, or the set of several.
pub(super) enum Escaped {
    One(char),
    /// In the dialect of the `regex` crate, in brackets or `\p{…}`.
    Set(String),
}

/// Writes what `rest`, behind a backslash, begins with; answers what follows. Not in a class.
pub(super) fn outside<'p>(rest: &'p str, out: &mut String) -> Result<&'p str, String> {
    let letter = rest.chars().next().ok_or("trailing backslash at end of expression: ``")?;
    let after = &rest[letter.len_utf8()..];
    match letter {
        'b' => out.push_str("(?-u:\\b)"),
        // Between ASCII letters and what is none; the crate has its short form for bytes alone.
        'B' => out.push_str(NOT_A_BOUNDARY),
        'A' | 'z' => out.extend(['\\', letter]),
        'Q' => {
            let (literal, after) = after.split_once("\\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(literal));
            return Ok(after);
        }
        _ => {
            let (escaped, after) = set_or_one(rest)?;
            match escaped {
                Escaped::One(one) => push(one, out),
                Escaped::Set(set) => out.push_str(&set),
            }
            return Ok(after);
        }
    }
    Ok(after)
}

/// No end of an ASCII word, where the crate takes it in texts.
const NOT_A_BOUNDARY: &str = "(?-u:\\B)";

/// Writes a character that stands for itself.
pub(super) fn push(one: char, out: &mut String) {
    match one {
        // The crate has words' ends for `\<` and `\>`.
        '<' | '>' | ' ' => out.push(one),
        one if one.is_ascii_alphanumeric() || !one.is_ascii() => out.push(one),
        one if one.is_ascii_punctuation() => out.extend(['\\', one]),
        one => {
            let _ = write!(out, "\\x{:02x}", u32::from(one));
        }
    }
}

/// What may stand in a class, too.
pub(super) fn set_or_one(rest: &str) -> Result<(Escaped, &str), String> {
    let letter = rest.chars().next().ok_or("trailing backslash at end of expression: ``")?;
    let after = &rest[letter.len_utf8()..];
    let set = |text: &str| Ok((Escaped::Set(text.to_owned()), after));
    match letter {
        'd' => set("[0-9]"),
        'D' => set("[^0-9]"),
        'w' => set("[0-9A-Za-z_]"),
        'W' => set("[^0-9A-Za-z_]"),
        's' => set("[\\t\\n\\x0c\\r\\x20]"),
        'S' => set("[^\\t\\n\\x0c\\r\\x20]"),
        'p' | 'P' => unicode(letter == 'P', rest, after),
        _ => one(rest).map(|(one, after)| (Escaped::One(one), after)),
    }
}

/// `\pL`, `\p{Greek}`, `\P{Greek}`, `\p{^Greek}`.
fn unicode<'p>(is_negated: bool, rest: &'p str, after: &'p str) -> Result<(Escaped, &'p str), String> {
    let invalid = |what: &str| format!("invalid character class range: `\\{what}`");
    let (name, left) = match after.strip_prefix('{') {
        Some(inner) => inner.split_once('}').ok_or_else(|| invalid(rest))?,
        None => {
            let length = after.chars().next().ok_or_else(|| invalid(rest))?.len_utf8();
            after.split_at(length)
        }
    };
    let (is_negated, bare) = match name.strip_prefix('^') {
        Some(bare) => (!is_negated, bare),
        None => (is_negated, name),
    };
    // Names only: the crate knows more between these braces than Go does.
    if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(invalid(&rest[..rest.len() - left.len()]));
    }
    let set = format!("\\{}{{{bare}}}", if is_negated { 'P' } else { 'p' });
    if regex::Regex::new(&set).is_err() {
        return Err(invalid(&rest[..rest.len() - left.len()]));
    }
    Ok((Escaped::Set(set), left))
}

/// One character, as a number or by a letter.
pub(super) fn one(rest: &str) -> Result<(char, &str), String> {
    let letter = rest.chars().next().ok_or("trailing backslash at end of expression: ``")?;
    let after = &rest[letter.len_utf8()..];
    let invalid = |length: usize| Err(format!("invalid escape sequence: `\\{}`", &rest[..length]));
    let simple = |one: char| Ok((one, after));
    match letter {
        'a' => simple('\x07'),
        'f' => simple('\x0c'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\x0b'),
        '0'..='7' => {
            let digits = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            if digits == 1 && letter != '0' {
                // A reference to a group: neither engine has those.
                return invalid(1);
            }
            let code = u32::from_str_radix(&rest[..digits], 8).unwrap_or(0);
            Ok((char::from_u32(code).unwrap_or('\0'), &rest[digits..]))
        }
        'x' => {
            let (digits, left) = match after.strip_prefix('{') {
                Some(inner) => match inner.split_once('}') {
                    Some(parts) => parts,
                    None => return invalid(rest.len()),
                },
                None => {
                    let length: usize = after.chars().take(2).map(char::len_utf8).sum();
                    (&after[..length], &after[length..])
                }
            };
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_long_enough = after.starts_with('{') || digits.len() == 2;
            let code = if is_number && is_long_enough { u32::from_str_radix(digits, 16).ok() } else { None };
            match code.and_then(char::from_u32) {
                Some(one) => Ok((one, left)),
                None => invalid(rest.len() - left.len() - usize::from(after.starts_with('{'))),
            }
        }
        letter if letter.is_ascii() && !letter.is_ascii_alphanumeric() => simple(letter),
        letter => invalid(letter.len_utf8()),
    }
}
