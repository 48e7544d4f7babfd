//! Reads a message: the newer form where its version says so, the older one otherwise.

use crate::{
    time::SECOND_NS,
    timestamp::{Digits, TimeOfDay, days_since_epoch, parse_iso, unix_ns, year_of},
};

/// Which form messages are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5424.
    #[default]
    Rfc5424,
    /// RFC 3164.
    Rfc3164,
}

/// How messages are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The form that is expected. A message that is plainly in the other one is read all the same.
    pub protocol: Protocol,
    /// Seconds east of UTC of times without an offset.
    pub offset_s: i64,
}

/// What a message says; empty texts are absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// Facility and severity; `None` without.
    pub priority: Option<u8>,
    /// 1 in RFC 5424, otherwise 0.
    pub version: u32,
    /// Unix ns; 0 when nobody knows.
    pub time_ns: u64,
    /// The machine.
    pub hostname: &'a [u8],
    /// The program.
    pub appname: &'a [u8],
    /// Its process.
    pub proc_id: &'a [u8],
    /// The kind of message.
    pub msg_id: &'a [u8],
    /// Elements in brackets, as they stand.
    pub structured_data: &'a [u8],
    /// What it says.
    pub message: &'a [u8],
}

/// Largest facility and severity (RFC 5424, section 6.2.1).
const PRIORITY_MAX: u32 = 191;

/// Reads a message that came at `now_ns`; or says why it is none.
pub fn parse(text: &[u8], options: Options, now_ns: u64) -> Result<Message<'_>, &'static str> {
    let (priority, rest) = priority(text).ok_or("no priority")?;
    match version(rest) {
        Some(rest) => newer(priority, rest),
        None if options.protocol == Protocol::Rfc5424 && seems_version(rest) => Err("an unknown version"),
        None => Ok(older(priority, rest, options, now_ns)),
    }
}

/// `<34>`.
fn priority(text: &[u8]) -> Option<(u8, &[u8])> {
    let rest = text.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) || rest.get(digits) != Some(&b'>') {
        return None;
    }
    let number = rest[..digits].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    (number <= PRIORITY_MAX).then_some((number as u8, &rest[digits + 1..]))
}

/// What follows version 1.
fn version(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"1 ")
}

/// Whether a number stands there as a version does: older messages may begin with a time in the newer form, or with a number of Cisco's.
fn seems_version(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=3).contains(&digits) && matches!(text.get(digits), None | Some(b' '))
}

/// What follows the number that Cisco's devices count their messages by: `12: `, and the sign of a clock that is not sure of itself.
fn behind_count(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text[digits..].strip_prefix(b": ").filter(|_| digits > 0)?;
    Some(rest.strip_prefix(b"*").or_else(|| rest.strip_prefix(b".")).unwrap_or(rest))
}

/// The next word, and what follows the blank behind it; `-` is an empty one.
fn word<'a>(text: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let (word, rest) = text.split_at(len);
    *text = rest.strip_prefix(b" ").unwrap_or(rest);
    if word.is_empty() {
        return None;
    }
    Some(if word == b"-" { &[] } else { word })
}

/// RFC 5424, behind the version.
fn newer(priority: u8, mut rest: &[u8]) -> Result<Message<'_>, &'static str> {
    let mut next = |what| word(&mut rest).ok_or(what);
    let time = next("no time")?;
    let time_ns = if time.is_empty() { 0 } else { parse_iso(time).ok_or("a time that is none")? };
    let hostname = next("no host")?;
    let appname = next("no program")?;
    let proc_id = next("no process")?;
    let msg_id = next("no kind of message")?;
    let (structured_data, rest) = match rest.strip_prefix(b"-") {
        Some(rest) => (&[][..], rest),
        None => {
            let len = elements_len(rest).ok_or("structured data that is none")?;
            rest.split_at(len)
        }
    };
    let message = match rest.strip_prefix(b" ") {
        Some(message) => message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message),
        None if rest.is_empty() => rest,
        None => return Err("no blank before the message"),
    };
    Ok(Message {
        priority: Some(priority),
        version: 1,
        time_ns,
        hostname,
        appname,
        proc_id,
        msg_id,
        structured_data,
        message,
    })
}

/// How long the elements are that a text begins with.
fn elements_len(text: &[u8]) -> Option<usize> {
    let mut len = 0;
    while text.get(len) == Some(&b'[') {
        len += element(&text[len..], |_, _| {})?.1;
    }
    (len > 0).then_some(len)
}

/// Reads the element that a text begins with: its id, and how long it is. Values come as they stand, escapes in them.
pub(super) fn element<'a>(text: &'a [u8], mut param: impl FnMut(&'a [u8], &'a [u8])) -> Option<(&'a [u8], usize)> {
    let is_name = |byte: &u8| matches!(byte, 33..=126) && !matches!(byte, b'=' | b']' | b'"');
    let name_len = |at: usize| text[at..].iter().take_while(|byte| is_name(byte)).count();
    let id_len = name_len(1);
    let id = &text[1..1 + id_len];
    let mut at = 1 + id_len;
    if id.is_empty() {
        return None;
    }
    loop {
        match text.get(at)? {
            b']' => return Some((id, at + 1)),
            b' ' => at += 1,
            _ => {
                let len = name_len(at);
                let name = &text[at..at + len];
                if name.is_empty() || text.get(at + len..at + len + 2) != Some(&b"=\""[..]) {
                    return None;
                }
                let from = at + len + 2;
                let mut to = from;
                while *text.get(to)? != b'"' {
                    to += if text[to] == b'\\' { 2 } else { 1 };
                }
                param(name, text.get(from..to)?);
                at = to + 1;
            }
        }
    }
}

/// RFC 3164, behind the priority: whatever of it is there.
fn older(priority: u8, text: &[u8], options: Options, now_ns: u64) -> Message<'_> {
    let mut message = Message { priority: Some(priority), message: text, ..Message::default() };
    let text = behind_count(text).unwrap_or(text);
    let Some((time_ns, rest)) = older_time(text, options.offset_s, now_ns) else { return message };
    message.time_ns = time_ns;
    let Some(rest) = rest.strip_prefix(b" ") else {
        message.message = rest;
        return message;
    };
    message.message = rest;
    let mut behind = rest;
    // What ends in a colon is a program: some senders leave their host out.
    match word(&mut behind) {
        Some(host) if !host.ends_with(b":") && !host.ends_with(b"]") => {
            message.hostname = host;
            message.message = behind;
        }
        _ => {}
    }
    if let Some((appname, proc_id, rest)) = tag(message.message) {
        (message.appname, message.proc_id, message.message) = (appname, proc_id, rest);
    }
    message
}

/// `program[process]: ` in front of a text.
fn tag(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    const TAG_BYTES_MAX: usize = 64;

    let is_tag = |byte: &u8| matches!(byte, 33..=126) && !matches!(byte, b':' | b'[' | b']');
    let len = text.iter().take(TAG_BYTES_MAX + 1).take_while(|byte| is_tag(byte)).count();
    if len == 0 || len > TAG_BYTES_MAX {
        return None;
    }
    let (appname, rest) = text.split_at(len);
    let (proc_id, rest) = match rest.strip_prefix(b"[") {
        Some(rest) => {
            let len = rest.iter().position(|byte| *byte == b']')?;
            (&rest[..len], &rest[len + 1..])
        }
        None => (&[][..], rest),
    };
    let rest = rest.strip_prefix(b":")?;
    Some((appname, proc_id, rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// The time that a text begins with: `Oct  9 22:33:20`, of the year that is nearest to now; or an ISO time.
fn older_time(text: &[u8], offset_s: i64, now_ns: u64) -> Option<(u64, &[u8])> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    const DAY_NS: u64 = 86_400 * SECOND_NS;

    if text.first().is_some_and(u8::is_ascii_digit) {
        let len = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
        return Some((parse_iso(&text[..len])?, &text[len..]));
    }
    let name = text.get(..3)?;
    let month = (1..=12).find(|month| MONTHS[month * 3 - 3..month * 3].eq_ignore_ascii_case(name))? as u32;
    if text.get(3) != Some(&b' ') {
        return None;
    }
    let mut at = 4;
    while text.get(at) == Some(&b' ') && at < 6 {
        at += 1;
    }
    let digits = text[at..].iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let day = text[at..at + digits].iter().fold(0, |day, digit| day * 10 + u32::from(digit - b'0'));
    at += digits;
    // Cisco's devices write the year behind the day.
    let rest = text.get(at..)?.strip_prefix(b" ")?;
    let len = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
    // A colon may stand behind the time.
    let clock = rest[..len].strip_suffix(b":").unwrap_or(&rest[..len]);
    let mut digits = Digits { text: clock, at: 0 };
    let time = digits.time_of_day().filter(|_| digits.is_at_end())?;
    let has_offset = clock.iter().any(|byte| matches!(byte, b'Z' | b'+' | b'-'));
    let time = TimeOfDay { offset_s: if has_offset { time.offset_s } else { offset_s }, ..time };
    let year = year_of(now_ns);
    // Clocks of others may go ahead of ours by a day; what is further ahead is of last year.
    let of = |year| days_since_epoch(year, month, day).and_then(|days| unix_ns(days, time));
    let candidates = [of(year + 1), of(year), of(year - 1)];
    let time_ns = candidates.into_iter().flatten().find(|time_ns| *time_ns <= now_ns.saturating_add(DAY_NS))?;
    Some((time_ns, &rest[len..]))
}
