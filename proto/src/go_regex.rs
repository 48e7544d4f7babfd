//! Regular expressions of Go's dialect (RE2), written down in that of the `regex` crate.
//!
//! Both engines are linear and know nearly the same syntax (<https://pkg.go.dev/regexp/syntax>). What differs is written otherwise: `\d`,
//! `\w`, `\s` and `\b` are ASCII, braces that repeat nothing stand for themselves, `\Q…\E` quotes, a class knows no sets in sets, and two
//! groups may have one name. What is wrong is told in Go's words.

mod class;
mod escape;

/// An expression in the dialect of the `regex` crate, without anchors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The expression. Groups whose name that crate would refuse have none here.
    pub text: String,
    /// The groups' names as they were written, by number; the first is the whole match.
    pub names: Vec<Option<String>>,
}

/// The same expression for the `regex` crate; otherwise what Go says of it, after `error parsing regexp: `.
pub fn translate(pattern: &str) -> Result<Translated, String> {
    let mut translation = Translation {
        pattern,
        out: String::with_capacity(pattern.len() + 16),
        names: vec![None],
        open: 0,
        may_repeat: false,
        last_repetition: None,
    };
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        rest = translation.step(letter, rest)?;
    }
    if translation.open > 0 {
        return Err(format!("missing closing ): `{pattern}`"));
    }
    Ok(Translated { text: translation.out, names: translation.names })
}

struct Translation<'p> {
    pattern: &'p str,
    out: String,
    names: Vec<Option<String>>,
    /// Groups that are not closed.
    open: usize,
    /// Whether there is something to repeat.
    may_repeat: bool,
    /// A repetition that ended here, as it was written: Go refuses two at once.
    last_repetition: Option<&'p str>,
}

impl<'p> Translation<'p> {
    /// Writes what `rest`, which begins with `letter`, begins with; answers what follows.
    fn step(&mut self, letter: char, rest: &'p str) -> Result<&'p str, String> {
        let after = &rest[letter.len_utf8()..];
        if let Some(left) = self.repetition(letter, rest, after)? {
            return Ok(left);
        }
        self.last_repetition = None;
        self.may_repeat = true;
        match letter {
            '\\' => escape::outside(after, &mut self.out),
            '[' => class::class(rest, after, &mut self.out),
            '(' => {
                self.may_repeat = false;
                self.group(rest, after)
            }
            ')' => {
                self.open = self.open.checked_sub(1).ok_or_else(|| format!("unexpected ): `{}`", self.pattern))?;
                self.out.push(')');
                Ok(after)
            }
            '|' => {
                self.may_repeat = false;
                self.out.push('|');
                Ok(after)
            }
            '{' | '}' | ']' => {
                self.out.extend(['\\', letter]);
                Ok(after)
            }
            letter => {
                self.out.push(letter);
                Ok(after)
            }
        }
    }

    /// `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`, each perhaps with a `?` behind it. Another brace stands for itself.
    fn repetition(&mut self, letter: char, rest: &'p str, after: &'p str) -> Result<Option<&'p str>, String> {
        let after = match letter {
            '*' | '+' | '?' => after,
            '{' => match counted(rest) {
                Some(after) => after,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let written = &rest[..rest.len() - after.len()];
        check_counts(written)?;
        let left = after.strip_prefix('?').unwrap_or(after);
        let whole = &rest[..rest.len() - left.len()];
        if let Some(last) = self.last_repetition {
            return Err(format!("invalid nested repetition operator: `{last}{whole}`"));
        }
        if !self.may_repeat {
            return Err(format!("missing argument to repetition operator: `{written}`"));
        }
        self.out.push_str(whole);
        self.last_repetition = Some(whole);
        Ok(Some(left))
    }

    /// What opens a group, or sets flags.
    fn group(&mut self, rest: &'p str, after: &'p str) -> Result<&'p str, String> {
        let Some(flags) = after.strip_prefix('?') else {
            self.names.push(None);
            self.open += 1;
            self.out.push('(');
            return Ok(after);
        };
        if let Some(name) = flags.strip_prefix("P<").or_else(|| flags.strip_prefix('<')) {
            return self.named(rest, name);
        }
        let end = flags.find([':', ')']).unwrap_or(flags.len());
        let letters = &flags[..end];
        let foreign = letters.find(|letter: char| !"imsU-".contains(letter));
        let (on, off) = letters.split_once('-').unwrap_or((letters, "i"));
        if foreign.is_some() || end == flags.len() || off.is_empty() || off.contains('-') {
            let length = foreign.map_or(end, |at| at + letters[at..].chars().next().map_or(0, char::len_utf8));
            return Err(format!("invalid or unsupported Perl syntax: `(?{}`", &flags[..length]));
        }
        let once = |letters: &str| -> String { "imsU".chars().filter(|flag| letters.contains(*flag)).collect() };
        // Off wins, as it comes later.
        let off = if letters.contains('-') { once(off) } else { String::new() };
        let on: String = once(on).chars().filter(|flag| !off.contains(*flag)).collect();
        self.out.push_str("(?");
        self.out.push_str(&on);
        if !off.is_empty() {
            self.out.push('-');
            self.out.push_str(&off);
        }
        let is_group = flags[end..].starts_with(':');
        self.open += usize::from(is_group);
        // Flags that say nothing are a group of nothing.
        self.out.push_str(match (is_group, on.is_empty() && off.is_empty()) {
            (true, _) => ":",
            (false, true) => ":)",
            (false, false) => ")",
        });
        Ok(&flags[end + 1..])
    }

    fn named(&mut self, rest: &'p str, name: &'p str) -> Result<&'p str, String> {
        let invalid = |what: &str| Err(format!("invalid named capture: `{what}`"));
        let Some(end) = name.find('>') else { return invalid(rest) };
        let after = &name[end + 1..];
        let name = &name[..end];
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return invalid(&rest[..rest.len() - after.len()]);
        }
        let is_new = !self.names.iter().flatten().any(|other| other == name);
        self.out.push('(');
        if is_new && !name.as_bytes()[0].is_ascii_digit() {
            self.out.push_str("?P<");
            self.out.push_str(name);
            self.out.push('>');
        }
        self.names.push(Some(name.to_owned()));
        self.open += 1;
        Ok(after)
    }
}

/// What follows `{2}`, `{2,}` or `{2,5}`.
fn counted(rest: &str) -> Option<&str> {
    let (inner, after) = rest[1..].split_once('}')?;
    let (from, to) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(from) && (to.is_empty() || is_number(to))).then_some(after)
}

/// Go repeats at most a thousand times.
fn check_counts(repetition: &str) -> Result<(), String> {
    let Some(counts) = repetition.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { return Ok(()) };
    let (from, to) = counts.split_once(',').unwrap_or((counts, counts));
    let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    if number(from) > 1000 || (!to.is_empty() && (number(to) > 1000 || number(to) < number(from))) {
        return Err(format!("invalid repeat count: `{repetition}`"));
    }
    Ok(())
}

/// Go's text of a replacement, in that of the `regex` crate: `$1x` names the group `1x` in both.
pub fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            out.push_str("$$");
            rest = behind;
            continue;
        }
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let braced = rest.strip_prefix('{').and_then(|inner| inner.find('}').map(|end| (&inner[..end], end + 2)));
        let braced = braced.filter(|(name, _)| name.chars().all(is_name));
        let (name, len) = match braced {
            Some(found) => found,
            None => {
                let len = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
                (&rest[..len], len)
            }
        };
        if name.is_empty() {
            out.push_str("$$");
            continue;
        }
        out.push_str(&format!("${{{name}}}"));
        rest = &rest[len..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
