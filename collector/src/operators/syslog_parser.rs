//! `syslog_parser`: messages of RFC 5424 and of RFC 3164.

use std::{borrow::Cow, sync::Arc};

use super::{
    Entry, Fields, Next, Operator, OperatorConfig, Value,
    config::{Protocol, Trailer},
    parser::Parsing,
    time::{Moment, Zone, fraction, rfc3339, unix_ns, zone_of},
};

pub(super) const KEYS: &[&str] =
    &["protocol", "location", "allow_skip_pri_header", "enable_octet_counting", "non_transparent_framing_trailer"];

/// OTLP's severity by syslog's, from emergency on.
const SEVERITIES: [(u8, &str); 8] = [
    (21, "emerg"),
    (19, "alert"),
    (18, "crit"),
    (17, "err"),
    (13, "warning"),
    (10, "notice"),
    (9, "info"),
    (5, "debug"),
];

/// Facilities without a name of their own are called by their number.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "security", "console", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

struct SyslogParser {
    parsing: Parsing,
    protocol: Protocol,
    zone: Arc<Zone>,
    may_skip_priority: bool,
    counts_octets: bool,
    trailer: Option<char>,
}

/// A message as it is read.
struct Message<'t> {
    time_ns: Option<i128>,
    priority: Option<u8>,
    fields: Fields<'t>,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let settings = &config.settings;
    let has_framing = settings.enable_octet_counting || settings.trailer.is_some();
    if has_framing && settings.protocol == Some(Protocol::Rfc3164) {
        return Err("enable_octet_counting and non_transparent_framing_trailer go with rfc5424 only".into());
    }
    if settings.enable_octet_counting && settings.trailer.is_some() {
        return Err("enable_octet_counting and non_transparent_framing_trailer exclude each other".into());
    }
    Ok(Box::new(SyslogParser {
        parsing: Parsing::new(config)?,
        protocol: settings.protocol.ok_or("the key `protocol` is missing: rfc3164, rfc5424 or none")?,
        zone: zone_of(Some(settings.time.location.as_deref().unwrap_or("UTC")))?,
        may_skip_priority: settings.allow_skip_pri_header,
        counts_octets: settings.enable_octet_counting,
        trailer: settings.trailer.map(|trailer| if trailer == Trailer::Lf { '\n' } else { '\0' }),
    }))
}

impl Operator for SyslogParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let (time_ns, priority);
        let now_ns = entry.observed_ns;
        let found = match self.parsing.from().get(entry) {
            Some(Value::Text(Cow::Borrowed(text))) => {
                let message = self.read(text, now_ns)?;
                (time_ns, priority) = (message.time_ns, message.priority);
                message.fields
            }
            Some(Value::Text(Cow::Owned(text))) => {
                let message = self.read(text, now_ns)?;
                (time_ns, priority) = (message.time_ns, message.priority);
                message.fields.into_owned()
            }
            _ => return Err(format!("{} is no text", self.parsing.from())),
        };
        self.parsing.place(entry, found)?;
        if let Some(time_ns) = time_ns {
            entry.time_ns = unix_ns(time_ns);
        }
        if let Some(priority) = priority {
            let (number, text) = SEVERITIES[usize::from(priority & 7)];
            entry.severity_number = number;
            entry.severity_text = text.into();
        }
        self.parsing.look(entry)?;
        Ok(Next::On)
    }
}

impl SyslogParser {
    fn read<'t>(&self, text: &'t str, now_ns: u64) -> Result<Message<'t>, String> {
        let text = self.framed(text)?;
        let (priority, rest) = match priority(text) {
            Some((priority, rest)) => (Some(priority), rest),
            None if self.protocol == Protocol::None => (None, text),
            None if self.may_skip_priority && !text.starts_with('<') => (None, text),
            None => return Err("not a syslog message: it does not begin with a priority like <34>".into()),
        };
        let mut fields = Fields::with_capacity(10);
        if let Some(priority) = priority {
            let facility = priority >> 3;
            fields.push("priority", Value::Int(i64::from(priority)));
            fields.push("facility", Value::Int(i64::from(facility)));
            if let Some(name) = FACILITIES.get(usize::from(facility)) {
                fields.push("facility_text", Value::text(*name));
            }
        }
        let time_ns = match self.protocol {
            Protocol::Rfc5424 => rfc5424(rest, &mut fields)?,
            Protocol::Rfc3164 => self.rfc3164(rest, now_ns, &mut fields)?,
            Protocol::None => {
                fields.push("message", Value::text(text));
                None
            }
        };
        Ok(Message { time_ns, priority, fields })
    }

    /// A message without what says where it ends (RFC 6587).
    fn framed<'t>(&self, text: &'t str) -> Result<&'t str, String> {
        if self.counts_octets {
            let (count, rest) = text.split_once(' ').unwrap_or_default();
            let found = count.parse::<usize>().ok().and_then(|count| rest.get(..count));
            return found.ok_or_else(|| "not a syslog message: it does not begin with its length".into());
        }
        // A line of a file has lost its end already.
        Ok(self.trailer.map_or(text, |trailer| text.strip_suffix(trailer).unwrap_or(text)))
    }

    /// `Jan 12 06:30:00 host app[12]: text`.
    fn rfc3164<'t>(&self, rest: &'t str, now_ns: u64, fields: &mut Fields<'t>) -> Result<Option<i128>, String> {
        let wrong = || "not a message of RFC 3164: there is no time like Jan 12 06:30:00".to_owned();
        // Some senders put a blank behind the priority.
        let rest = rest.trim_start_matches(' ');
        let (time_ns, rest) = match short_time(rest) {
            Some((moment, rest)) => (moment.unix_ns(&self.zone, now_ns).ok_or_else(wrong)?, rest),
            None => {
                let (word, rest) = rest.split_once(' ').ok_or_else(wrong)?;
                (rfc3339(word).ok_or_else(wrong)?, rest)
            }
        };
        let rest = rest.trim_start_matches(' ');
        let (host, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if !host.is_empty() {
            fields.push("hostname", Value::text(host));
        }
        // A tag is short, and ends with a colon; it may name a process.
        let end = rest.find([':', '[', ' ']).unwrap_or(rest.len());
        let (app, after) = rest.split_at(end);
        let mut text = rest;
        if !app.is_empty() && app.len() <= 48 && after.starts_with([':', '[']) {
            let (process, after) = match after.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
                Some((process, after)) => (Some(process), after),
                None => (None, after),
            };
            if let Some(after) = after.strip_prefix(':') {
                fields.push("appname", Value::text(app));
                if let Some(process) = process {
                    fields.push("proc_id", Value::text(process));
                }
                text = after.strip_prefix(' ').unwrap_or(after);
            }
        }
        fields.push("message", Value::text(text));
        Ok(Some(time_ns))
    }
}

/// `<34>` and what follows.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let priority: u8 = is_number.then(|| digits.parse().ok()).flatten()?;
    (priority <= 191).then_some((priority, rest))
}

/// `Jan 12 06:30:00`, without a year, perhaps with a fraction of the second; and what follows.
fn short_time(text: &str) -> Option<(Moment, &str)> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| text.starts_with(name))? as u8 + 1;
    let number = |range: std::ops::Range<usize>| text.get(range)?.trim_start().parse::<u8>().ok();
    let signs = [(3, ' '), (6, ' '), (9, ':'), (12, ':')];
    if signs.iter().any(|(at, sign)| text.get(*at..*at + 1) != Some(sign.encode_utf8(&mut [0; 4]))) {
        return None;
    }
    let mut rest = text.get(15..)?;
    let mut nanos = 0;
    if let Some(after) = rest.strip_prefix(['.', ',']).filter(|after| after.starts_with(|c: char| c.is_ascii_digit())) {
        rest = after;
        nanos = fraction(&mut rest)?;
    }
    let moment = Moment {
        month,
        day: number(4..6)?,
        hour: number(7..9)?,
        minute: number(10..12)?,
        second: number(13..15)?,
        nanos,
        ..Moment::default()
    };
    Some((moment, rest))
}

/// `1 2003-10-11T22:14:15.003Z host app 12 ID47 [sd@1 a="b"] text`.
fn rfc5424<'t>(rest: &'t str, fields: &mut Fields<'t>) -> Result<Option<i128>, String> {
    let wrong = |what: &str| format!("not a message of RFC 5424: {what}");
    let mut rest = rest;
    let mut word = |what: &str| {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after;
        if word.is_empty() { Err(wrong(&format!("there is no {what}"))) } else { Ok(word) }
    };
    let version = word("version")?.parse::<u16>().map_err(|_| wrong("its version is no number"))?;
    let time = word("time")?;
    let time_ns = match time {
        "-" => None,
        time => Some(rfc3339(time).ok_or_else(|| wrong("its time is none"))?),
    };
    fields.push("version", Value::Int(i64::from(version)));
    for (name, what) in
        [("hostname", "host"), ("appname", "application"), ("proc_id", "process"), ("msg_id", "message id")]
    {
        let word = word(what)?;
        if word != "-" {
            fields.push(name, Value::text(word));
        }
    }
    let rest = if let Some(after) = rest.strip_prefix('-') {
        after
    } else {
        let (data, after) = structured_data(rest).ok_or_else(|| wrong("its structured data cannot be read"))?;
        fields.push("structured_data", Value::Map(data));
        after
    };
    let text = rest.strip_prefix(' ').unwrap_or(rest);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.is_empty() {
        fields.push("message", Value::text(text));
    }
    Ok(time_ns)
}

/// `[id a="b" c="d"][…]` and what follows.
fn structured_data(text: &str) -> Option<(Fields<'_>, &str)> {
    let mut data: Fields<'_> = Fields::default();
    let mut rest = text;
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']'])?;
        let (id, mut inner) = element.split_at(end);
        let mut pairs: Fields<'_> = Fields::default();
        while let Some(pair) = inner.strip_prefix(' ') {
            let pair = pair.trim_start_matches(' ');
            if pair.starts_with(']') {
                inner = pair;
                break;
            }
            let (name, value) = pair.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            pairs.set(name, Value::Text(value));
            inner = after;
        }
        rest = inner.strip_prefix(']')?;
        data.set(id, Value::Map(pairs));
    }
    (!data.is_empty()).then_some((data, rest))
}

/// A value whose first quote is read, and what follows its last. A backslash keeps `"`, `\` and `]`.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut is_escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            '"' if !is_escaped => {
                let plain = &text[..at];
                let value = if plain.contains('\\') { Cow::Owned(value) } else { Cow::Borrowed(plain) };
                return Some((value, &text[at + 1..]));
            }
            '\\' if !is_escaped => is_escaped = true,
            char => {
                if is_escaped && !matches!(char, '"' | '\\' | ']') {
                    value.push('\\');
                }
                value.push(char);
                is_escaped = false;
            }
        }
    }
    None
}
