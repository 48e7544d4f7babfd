//! Texts without which a regular expression matches nothing.

use std::{iter::Peekable, str::Chars};

/// Shorter ones are in nearly every line.
const CHARS_MIN: usize = 3;

/// Texts that are all in whatever matches an expression without alternatives at its top.
pub(super) fn of(regex: &str) -> Vec<String> {
    runs(regex).and_then(|branches| <[Vec<String>; 1]>::try_from(branches).ok()).map(|[runs]| runs).unwrap_or_default()
}

/// Texts of which one is in whatever matches: one for each alternative; `None` when that is not known.
pub(super) fn branches(regex: &str) -> Option<Vec<String>> {
    runs(regex)?.into_iter().map(|runs| runs.into_iter().max_by_key(String::len)).collect()
}

/// Of each alternative at the top what stands for itself in it; `None` where something is not understood.
fn runs(regex: &str) -> Option<Vec<Vec<String>>> {
    if regex.contains("(?") {
        // Flags change what a letter stands for.
        let is_group = regex.split("(?").skip(1).all(|rest| rest.starts_with(':') || rest.starts_with("P<"));
        is_group.then_some(())?;
    }
    let mut branches = vec![Branch::default()];
    let mut chars = regex.chars().peekable();
    while let Some(character) = chars.next() {
        let branch = branches.last_mut()?;
        match character {
            '|' => branches.push(Branch::default()),
            '(' => {
                branch.end();
                pass_group(&mut chars)?;
            }
            '[' => {
                branch.end();
                pass_class(&mut chars)?;
            }
            '.' | '^' | '$' => branch.end(),
            '*' | '?' => branch.end_without_last(),
            '{' => {
                branch.end_without_last();
                // A brace without numbers stands for itself.
                let is_counts =
                    chars.by_ref().take_while(|next| *next != '}').all(|next| matches!(next, '0'..='9' | ','));
                is_counts.then_some(())?;
            }
            // Once it is there.
            '+' => branch.end(),
            '\\' => {
                let escaped = chars.next()?;
                match escaped {
                    'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'A' | 'z' => branch.end(),
                    'n' | 't' | 'r' => branch.end(),
                    _ if escaped.is_ascii_punctuation() => branch.run.push(escaped),
                    _ => return None,
                }
            }
            ')' => return None,
            other => branch.run.push(other),
        }
    }
    Some(branches.into_iter().map(Branch::finish).collect())
}

#[derive(Default)]
struct Branch {
    runs: Vec<String>,
    run: String,
}

impl Branch {
    fn end(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.chars().count() >= CHARS_MIN {
            self.runs.push(run);
        }
    }

    /// The last character need not be there.
    fn end_without_last(&mut self) {
        self.run.pop();
        self.end();
    }

    fn finish(mut self) -> Vec<String> {
        self.end();
        self.runs
    }
}

fn pass_group(chars: &mut Peekable<Chars<'_>>) -> Option<()> {
    let mut depth = 1;
    while depth > 0 {
        match chars.next()? {
            '(' => depth += 1,
            ')' => depth -= 1,
            '[' => pass_class(chars)?,
            '\\' => {
                // Quotes and classes by name go on beyond the next character.
                chars.next().filter(|escaped| !matches!(escaped, 'Q' | 'p' | 'P' | 'x'))?;
            }
            _ => {}
        }
    }
    Some(())
}

fn pass_class(chars: &mut Peekable<Chars<'_>>) -> Option<()> {
    chars.next_if_eq(&'^');
    // First of all it stands for itself.
    chars.next_if_eq(&']');
    loop {
        match chars.next()? {
            ']' => return Some(()),
            // `[:alpha:]`
            '[' => return None,
            '\\' => {
                chars.next().filter(|escaped| !matches!(escaped, 'Q' | 'p' | 'P' | 'x'))?;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_there() {
        type Row<'a> = (&'a str, &'a [&'a str], Option<&'a [&'a str]>);
        let rows: [Row<'_>; 21] = [
            ("error", &["error"], Some(&["error"])),
            ("time(out|d)", &["time"], Some(&["time"])),
            ("error|warn|fatal", &[], Some(&["error", "warn", "fatal"])),
            ("error|w", &[], None),
            ("colou?r of it", &["colo", "r of it"], Some(&["r of it"])),
            ("abc+def", &["abc", "def"], Some(&["def"])),
            ("abcd*efg", &["abc", "efg"], Some(&["efg"])),
            ("abcd{2,3}efg", &["abc", "efg"], Some(&["efg"])),
            (r"GET /api/v\d+/orders\.json", &["GET /api/v", "/orders.json"], Some(&["/orders.json"])),
            ("^begin.*end$", &["begin", "end"], Some(&["begin"])),
            ("(?i)error", &[], None),
            ("(?:abc)def", &["def"], Some(&["def"])),
            ("(?P<x>abc)def", &["def"], Some(&["def"])),
            ("[])]abc", &["abc"], Some(&["abc"])),
            (r"a[\]]bcd", &["bcd"], Some(&["bcd"])),
            (r"([)]|\))xyz", &["xyz"], Some(&["xyz"])),
            (r"\Qa.b\Ec", &[], None),
            (r"\x41bc", &[], None),
            (r#"{"a|bcde}"#, &[], None),
            ("ab", &[], None),
            ("\u{e9}t\u{e9}s?", &["\u{e9}t\u{e9}"], Some(&["\u{e9}t\u{e9}"])),
        ];
        for (regex, all, one_of) in rows {
            assert_eq!(of(regex), all, "{regex}");
            assert_eq!(
                branches(regex).as_deref().map(|found| found.iter().map(String::as_str).collect::<Vec<_>>()),
                one_of.map(<[&str]>::to_vec),
                "{regex}"
            );
        }
    }
}
