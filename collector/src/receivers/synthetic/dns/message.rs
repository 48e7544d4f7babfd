//! Messages of DNS: a question written, an answer read, its records as the lines that zone files have (RFC 1035).

use std::{
    fmt::Write,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::names::{class_name, type_name};

const HEADER_BYTES: usize = 12;
/// Pointers that one name may follow: no honest one needs more.
/// Of a name, the root's byte with it (RFC 1035): pointers would make a message of 64 KiB gigabytes.
const NAME_BYTES_MAX: usize = 255;

const POINTERS_MAX: usize = 64;
const RECURSION_DESIRED: u8 = 1;
const IS_ANSWER: u8 = 0x80;

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const DNAME: u16 = 39;
const CAA: u16 = 257;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Message {
    pub(in super::super) code: u8,
    pub(in super::super) answers: Vec<Record>,
    pub(in super::super) authorities: Vec<Record>,
    pub(in super::super) additionals: Vec<Record>,
}

/// A record of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Record {
    /// Name, time to live, class, type and data, with tabs between.
    pub(in super::super) line: String,
    /// Of a SOA.
    pub(in super::super) serial: Option<u32>,
}

/// A question.
pub(super) fn query(id: u16, name: &[u8], record_type: u16, class: u16, recursion: bool) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    out.extend_from_slice(&[if recursion { RECURSION_DESIRED } else { 0 }, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(name);
    out.extend_from_slice(&record_type.to_be_bytes());
    out.extend_from_slice(&class.to_be_bytes());
    out
}

/// Whether a message answers this question.
pub(super) fn answers(message: &[u8], query: &[u8]) -> bool {
    message.len() >= HEADER_BYTES && message[..2] == query[..2] && message[2] & IS_ANSWER != 0
}

/// A place in a message.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A name, with a dot at its end. Pointers lead back in the message.
    fn name(&mut self) -> Option<String> {
        let (mut out, mut pointers, mut octets, mut after) = (String::new(), 0, 0_usize, None);
        loop {
            let length = self.u8()?;
            match length {
                0 => break,
                1..=63 => {
                    octets += usize::from(length) + 1;
                    if octets >= NAME_BYTES_MAX {
                        return None;
                    }
                    for byte in self.bytes(usize::from(length))? {
                        write_byte(&mut out, *byte, b".\\\"();@$");
                    }
                    out.push('.');
                }
                0xc0.. => {
                    let low = self.u8()?;
                    pointers += 1;
                    if pointers > POINTERS_MAX {
                        return None;
                    }
                    after.get_or_insert(self.at);
                    self.at = usize::from(length & 0x3f) << 8 | usize::from(low);
                }
                _ => return None,
            }
        }
        if let Some(after) = after {
            self.at = after;
        }
        if out.is_empty() {
            out.push('.');
        }
        Some(out)
    }

    fn record(&mut self) -> Option<Record> {
        let name = self.name()?;
        let (record_type, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let end = self.at.checked_add(length).filter(|end| *end <= self.message.len())?;
        let begin = self.at;
        let (data, serial) = match self.data(record_type, end) {
            Some(read) if self.at == end => read,
            _ => (unknown(&self.message[begin..end]), None),
        };
        self.at = end;
        let line = format!("{name}\t{ttl}\t{}\t{}\t{data}", class_name(class), type_name(record_type));
        Some(Record { line, serial })
    }

    /// A record's data as zone files write it, and a SOA's serial.
    fn data(&mut self, record_type: u16, end: usize) -> Option<(String, Option<u32>)> {
        let mut serial = None;
        let text = match record_type {
            A => Ipv4Addr::from_bits(self.u32()?).to_string(),
            AAAA => Ipv6Addr::from(<[u8; 16]>::try_from(self.bytes(16)?).ok()?).to_string(),
            NS | CNAME | PTR | DNAME => self.name()?,
            MX => format!("{} {}", self.u16()?, self.name()?),
            SRV => format!("{} {} {} {}", self.u16()?, self.u16()?, self.u16()?, self.name()?),
            SOA => {
                let (server, person) = (self.name()?, self.name()?);
                let number = self.u32()?;
                serial = Some(number);
                format!("{server} {person} {number} {} {} {} {}", self.u32()?, self.u32()?, self.u32()?, self.u32()?)
            }
            TXT => {
                let mut texts = Vec::new();
                while self.at < end {
                    let length = usize::from(self.u8()?);
                    texts.push(quoted(self.bytes(length)?));
                }
                texts.join(" ")
            }
            CAA => {
                let flags = self.u8()?;
                let length = usize::from(self.u8()?);
                let tag = String::from_utf8_lossy(self.bytes(length)?).into_owned();
                let value = self.bytes(end.checked_sub(self.at)?)?;
                format!("{flags} {tag} {}", quoted(value))
            }
            _ => return None,
        };
        Some((text, serial))
    }
}

/// Data of a type that is not read (RFC 3597).
fn unknown(data: &[u8]) -> String {
    let mut out = format!("\\# {} ", data.len());
    for byte in data {
        let _ = write!(out, "{byte:02x}");
    }
    out.trim_end().to_owned()
}

fn quoted(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        write_byte(&mut out, *byte, b"\"\\");
    }
    out.push('"');
    out
}

fn write_byte(out: &mut String, byte: u8, special: &[u8]) {
    match byte {
        byte if special.contains(&byte) => {
            out.push('\\');
            out.push(byte as char);
        }
        b' '..=b'~' => out.push(byte as char),
        byte => {
            let _ = write!(out, "\\{byte:03}");
        }
    }
}

impl Message {
    /// Reads a message; `None` when it is none. Records that do not fit end it.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let mut reader = Reader { message, at: 0 };
        let header = reader.bytes(HEADER_BYTES)?;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        for _ in 0..count(4) {
            reader.name()?;
            reader.bytes(4)?;
        }
        let mut section = |count: u16| (0..count).map(|_| reader.record()).collect::<Option<Vec<Record>>>();
        let (answers, authorities, additionals) = (section(count(6))?, section(count(8))?, section(count(10))?);
        Some(Self { code: header[3] & 0x0f, answers, authorities, additionals })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::names::encoded, *};

    fn record(name: &[u8], record_type: u16, data: &[u8]) -> Vec<u8> {
        let mut out = name.to_vec();
        out.extend_from_slice(&record_type.to_be_bytes());
        out.extend_from_slice(&[0, 1, 0, 0, 1, 0x2c]);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(data);
        out
    }

    #[test]
    fn records_are_lines() {
        let name = encoded("example.org").expect("a name");
        let question = query(7, &name, 255, 1, true);
        assert_eq!(question.len(), HEADER_BYTES + 13 + 4);
        let mut answer = question.clone();
        (answer[2], answer[3], answer[7]) = (0x81, 0x83, 7);
        // A pointer to the question's name.
        let there: &[u8] = &[0xc0, 12];
        answer.extend(record(there, A, &[192, 0, 2, 1]));
        answer.extend(record(there, AAAA, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
        answer.extend(record(there, MX, &[0, 10, 4, b'm', b'a', b'i', b'l', 0xc0, 12]));
        answer.extend(record(there, TXT, b"\x05a \"b\\\x01\xff"));
        let mut soa = vec![0xc0, 12, 0xc0, 12];
        soa.extend([2024_u32, 1, 2, 3, 4].iter().flat_map(|number| number.to_be_bytes()));
        answer.extend(record(there, SOA, &soa));
        answer.extend(record(there, 4711, &[1, 2]));
        answer.extend(record(there, CAA, b"\x00\x05issueca.example"));
        assert!(answers(&answer, &question) && !answers(&question, &question));
        let message = Message::read(&answer).expect("a message");
        let lines: Vec<&str> = message.answers.iter().map(|record| record.line.as_str()).collect();
        assert_eq!(
            lines,
            [
                "example.org.\t300\tIN\tA\t192.0.2.1",
                "example.org.\t300\tIN\tAAAA\t2001:db8::1",
                "example.org.\t300\tIN\tMX\t10 mail.example.org.",
                "example.org.\t300\tIN\tTXT\t\"a \\\"b\\\\\" \"\\255\"",
                "example.org.\t300\tIN\tSOA\texample.org. example.org. 2024 1 2 3 4",
                "example.org.\t300\tIN\tTYPE4711\t\\# 2 0102",
                "example.org.\t300\tIN\tCAA\t0 issue \"ca.example\"",
            ]
        );
        assert_eq!((message.code, message.answers[4].serial), (3, Some(2024)));
        for length in 0..answer.len() {
            assert!(Message::read(&answer[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn a_name_that_points_at_itself_ends() {
        let mut message = vec![0; HEADER_BYTES];
        message[5] = 1;
        message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        assert!(Message::read(&message).is_none());
    }
}
