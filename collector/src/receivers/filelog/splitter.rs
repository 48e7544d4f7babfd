//! Parts bytes into lines: at their ends, or where a pattern says.

use std::ops::Range;

use memchr::{memchr, memmem};
use regex::bytes::Regex;

use super::{
    config::{FilelogConfig, LongLines, Pattern},
    encoding::Encoding,
};
use crate::operators::OperatorConfig;

/// What parts lines.
#[derive(Debug, Clone)]
pub(super) struct Splitter {
    how: How,
    encoding: Encoding,
    line_bytes_max: usize,
    long_lines: LongLines,
    keeps_leading: bool,
    keeps_trailing: bool,
}

#[derive(Debug, Clone)]
enum How {
    Newline,
    Start(Regex, bool),
    End(Regex, bool),
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its text, without blanks around; perhaps empty.
    pub(super) line: Range<usize>,
    /// Where the next one begins, or what is passed over of this one.
    pub(super) next: usize,
    /// Whether some of it is left out.
    pub(super) is_cut: bool,
    /// Whether its end is not found yet, and what comes up to there is passed over.
    pub(super) goes_on: bool,
}

/// Bytes in which a pattern may have begun that is not whole yet.
const PATTERN_BYTES: usize = 4 << 10;

impl Splitter {
    pub(super) fn new(config: &FilelogConfig) -> Self {
        let multiline = config.multiline.clone().unwrap_or_default();
        let how = match (multiline.line_start_pattern, multiline.line_end_pattern) {
            (Some(Pattern(start)), _) => How::Start(start, multiline.omit_pattern),
            (None, Some(Pattern(end))) => How::End(end, multiline.omit_pattern),
            (None, None) => How::Newline,
        };
        Self {
            how,
            encoding: config.encoding,
            line_bytes_max: config.max_log_size as usize,
            long_lines: config.max_log_size_behavior,
            keeps_leading: config.preserve_leading_whitespaces,
            // A part of a line ends anywhere, also behind a blank.
            keeps_trailing: config.preserve_trailing_whitespaces
                || config.operators.iter().any(OperatorConfig::joins_parts),
        }
    }

    /// The first line of `bytes`, from `at` on. `None` when more is needed to tell where it ends; with `is_last` nothing more will come.
    #[inline]
    pub(super) fn next(&self, bytes: &[u8], at: usize, is_last: bool) -> Option<Found> {
        let rest = &bytes[at..];
        if rest.is_empty() {
            return None;
        }
        let found = match &self.how {
            How::Newline => self.newline(rest),
            How::Start(pattern, omits) => starting(pattern, *omits, rest, is_last),
            How::End(pattern, omits) => ending(pattern, *omits, rest, is_last),
        };
        let is_cut = self.long_lines == LongLines::Truncate;
        let longest = || self.encoding.cut(rest, self.line_bytes_max);
        let (line, next, is_cut, goes_on) = match found {
            Some((line, next)) if line.end <= self.line_bytes_max => (line, next, false, false),
            // An end of a line belongs to it where patterns part them.
            Some((line, next)) if is_cut && self.trimmed(rest, line.clone()).end <= self.line_bytes_max => {
                (line, next, false, false)
            }
            Some((line, next)) if is_cut => (line.start.min(longest())..longest(), next, true, false),
            // Longer than a line may be: so much of it is one.
            _ if rest.len() > self.line_bytes_max && is_cut => (0..longest(), longest(), true, true),
            _ if rest.len() > self.line_bytes_max => (0..longest(), longest(), false, false),
            Some((line, next)) => (line, next, false, false),
            None if is_last => (0..rest.len(), rest.len(), false, false),
            None => return None,
        };
        let line = self.trimmed(rest, line);
        Some(Found { line: at + line.start..at + line.end, next: at + next, is_cut, goes_on })
    }

    /// Where the line ends of which as much is taken as one may have, and whether it does so in these bytes. `None` when more is needed.
    pub(super) fn pass_over(&self, bytes: &[u8], at: usize, is_last: bool) -> Option<(usize, bool)> {
        let rest = &bytes[at..];
        let end = match &self.how {
            How::Newline => self.newline(rest).map(|(_, next)| next),
            // What is passed over has begun before these bytes: no line begins with them.
            How::Start(pattern, _) if rest.len() > 1 => pattern.find_at(rest, 1).map(|found| found.start()),
            How::Start(..) => None,
            How::End(pattern, _) => pattern.find_iter(rest).map(|found| found.end()).find(|end| *end > 0),
        };
        if let Some(end) = end {
            return Some((at + end, true));
        }
        let passed = match &self.how {
            How::Newline => rest.len() / self.encoding.newline().1 * self.encoding.newline().1,
            _ if is_last => rest.len(),
            _ => rest.len().saturating_sub(PATTERN_BYTES),
        };
        (passed > 0).then_some((at + passed, false))
    }

    #[inline]
    fn newline(&self, rest: &[u8]) -> Option<(Range<usize>, usize)> {
        let (newline, step) = self.encoding.newline();
        if step == 1 {
            return memchr(b'\n', rest).map(|at| (0..at, at + 1));
        }
        let at = memmem::find_iter(rest, newline).find(|at| at % step == 0)?;
        Some((0..at, at + step))
    }

    #[inline]
    fn trimmed(&self, bytes: &[u8], mut line: Range<usize>) -> Range<usize> {
        // Zeros are what a crash leaves; they are no text.
        let is_blank = |byte: u8| matches!(byte, b'\r' | b'\n' | b'\t' | b' ' | 0);
        if self.encoding.has_zeros() {
            // A carriage return before the end alone.
            let unit = self.encoding.newline().1;
            if unit == 2 && line.len() >= 2 {
                let last = &bytes[line.end - 2..line.end];
                if last == b"\r\0" || last == b"\0\r" {
                    line.end -= 2;
                }
            }
            return line;
        }
        while !self.keeps_trailing && line.end > line.start && is_blank(bytes[line.end - 1]) {
            line.end -= 1;
        }
        if self.keeps_trailing && line.end > line.start && bytes[line.end - 1] == b'\r' {
            line.end -= 1;
        }
        while !self.keeps_leading && line.start < line.end && is_blank(bytes[line.start]) {
            line.start += 1;
        }
        line
    }
}

fn starting(pattern: &Regex, omits: bool, rest: &[u8], is_last: bool) -> Option<(Range<usize>, usize)> {
    let first = pattern.find(rest)?;
    if first.start() > 0 {
        return Some((0..first.start(), first.start()));
    }
    // What matches nothing would be found again and again.
    let from = first.end().max(1);
    let second = if from < rest.len() { pattern.find_at(rest, from).map(|second| second.start()) } else { None };
    let end = second.or(is_last.then_some(rest.len()))?;
    let begin = if omits { first.end() } else { 0 };
    Some((begin..end, end))
}

fn ending(pattern: &Regex, omits: bool, rest: &[u8], is_last: bool) -> Option<(Range<usize>, usize)> {
    let found = pattern.find_iter(rest).find(|found| found.end() > 0)?;
    // It may be the beginning of a longer one.
    if found.end() == rest.len() && !is_last {
        return None;
    }
    let end = if omits { found.start() } else { found.end() };
    Some((0..end, found.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receivers::filelog::config::MultilineConfig;

    fn lines(config: FilelogConfig, text: &[u8], is_last: bool) -> (Vec<String>, usize) {
        let splitter = Splitter::new(&config);
        let (mut lines, mut at) = (Vec::new(), 0);
        while let Some(found) = splitter.next(text, at, is_last) {
            lines.push(String::from_utf8_lossy(&text[found.line]).into_owned());
            assert!(found.next > at);
            at = found.next;
        }
        (lines, at)
    }

    #[test]
    fn the_rest_of_a_long_line_is_left_out() {
        let shown = |config: FilelogConfig, texts: &[&[u8]]| {
            let (splitter, mut lines, mut goes_on) = (Splitter::new(&config), Vec::new(), false);
            for text in texts {
                let mut at = 0;
                loop {
                    if goes_on {
                        let Some((next, is_found)) = splitter.pass_over(text, at, true) else { break };
                        (at, goes_on) = (next, !is_found);
                        continue;
                    }
                    let Some(found) = splitter.next(text, at, false) else { break };
                    lines.push(format!(
                        "{}{}",
                        String::from_utf8_lossy(&text[found.line]),
                        if found.is_cut { "…" } else { "" }
                    ));
                    (at, goes_on) = (found.next, found.goes_on);
                }
            }
            lines
        };
        let cut = |config: FilelogConfig| FilelogConfig {
            max_log_size: 4,
            max_log_size_behavior: LongLines::Truncate,
            ..config
        };
        let plain = || cut(FilelogConfig::default());
        assert_eq!(shown(plain(), &[b"abcd\nabcdef\nx\n"]), ["abcd", "abcd…", "x"]);
        assert_eq!(shown(plain(), &[b"abcdef", b"ghijklm", b"no\nx\nabcde\n"]), ["abcd…", "x", "abcd…"]);
        assert_eq!(shown(plain(), &["abcé\n".as_bytes()]), ["abc…"]);
        let end = || cut(with(None, Some(";"), true));
        assert_eq!(shown(end(), &[b"abcdef", b"gh;ij;k"]), ["abcd…", "ij"]);
        let start = || cut(with(Some("^-"), None, false));
        assert_eq!(shown(start(), &[b"-abcd\n", b"-no\n-ab-\n-\n-cdefg\n"]), ["-abc…", "-ab-", "-", "-cde…"]);
        let utf16 = FilelogConfig { encoding: serde_json::from_str("\"utf-16le\"").expect("one"), ..plain() };
        assert_eq!(shown(utf16, &[b"a\0b\0c\0d\0", b"\0\x0a\n\0e\0\n\0"]), ["a\0b\0…", "e\0"]);
    }

    fn with(start: Option<&str>, end: Option<&str>, omit_pattern: bool) -> FilelogConfig {
        let pattern =
            |text: &str| Pattern(regex::bytes::RegexBuilder::new(text).multi_line(true).build().expect("one"));
        let (line_start_pattern, line_end_pattern) = (start.map(pattern), end.map(pattern));
        let multiline = Some(MultilineConfig { line_start_pattern, line_end_pattern, omit_pattern });
        FilelogConfig { multiline, ..FilelogConfig::default() }
    }

    #[test]
    fn lines_end_at_their_ends() {
        let plain = FilelogConfig::default;
        assert_eq!(lines(plain(), b"a\n b \r\n\nc", false), (vec!["a".into(), "b".into(), String::new()], 8));
        assert_eq!(lines(plain(), b"a\nb", true), (vec!["a".into(), "b".into()], 3));
        let keeps = FilelogConfig {
            preserve_leading_whitespaces: true,
            preserve_trailing_whitespaces: true,
            ..FilelogConfig::default()
        };
        assert_eq!(lines(keeps, b" a \r\n", false).0, [" a "]);
        let short = FilelogConfig { max_log_size: 4, ..FilelogConfig::default() };
        assert_eq!(lines(short, "abcdé€fg\nhi\n".as_bytes(), false).0, ["abcd", "é", "€f", "g", "hi"]);
        let utf16 = FilelogConfig { encoding: serde_json::from_str("\"utf-16le\"").expect("one"), ..plain() };
        assert_eq!(lines(utf16, b"\x0a\x01\n\0b\0\n\0", false).1, 8);
    }

    #[test]
    fn patterns_say_where_lines_begin_or_end() {
        let text = b"x\nStart 1\n a\nStart 2\n b\n";
        assert_eq!(lines(with(Some("^Start"), None, false), text, false), (vec!["x".into(), "Start 1\n a".into()], 13));
        assert_eq!(lines(with(Some("^Start"), None, true), text, true).0, ["x", "1\n a", "2\n b"]);
        assert_eq!(lines(with(None, Some(";"), false), b"a;b;c", false), (vec!["a;".into(), "b;".into()], 4));
        assert_eq!(lines(with(None, Some(";"), true), b"a;b;", false), (vec!["a".into()], 2));
        assert_eq!(lines(with(None, Some("$"), true), b"a\nb\n", true).0.len(), 3);
        assert!(lines(with(Some(""), None, false), b"abc", true).1 == 3);
    }
}
