//! What a certificate says of itself: X.509's DER, as far as probes report it (RFC 5280, section 4.1).

use std::fmt::Write;

use weir_proto::timestamp;

/// What is read of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Unix seconds.
    pub(super) not_after: i64,
    /// Hex, without leading zeros.
    pub(super) serial: String,
    /// As RFC 4514 writes names: the last part first.
    pub(super) subject: String,
    pub(super) issuer: String,
    /// Names of hosts, with commas between.
    pub(super) dns_names: String,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
/// `[0]`, which holds the version.
const VERSION: u8 = 0xa0;
/// `[3]`, which holds the extensions.
const EXTENSIONS: u8 = 0xa3;
/// `[2]` of a GeneralName: a host's name.
const DNS_NAME: u8 = 0x82;

/// 2.5.29.17: subjectAltName.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// Attributes of a name under 2.5.4, by their last number.
const ATTRIBUTES: [(u8, &str); 9] = [
    (3, "CN"),
    (5, "SERIALNUMBER"),
    (6, "C"),
    (7, "L"),
    (8, "ST"),
    (9, "STREET"),
    (10, "O"),
    (11, "OU"),
    (17, "POSTALCODE"),
];

/// Elements one after the other.
#[derive(Clone, Copy)]
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The next one: its tag and what it holds.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next one, which has to have this tag.
    fn expect(&mut self, expected: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == expected).map(|(_, content)| content)
    }
}

impl Certificate {
    /// Reads DER; `None` when it is no certificate.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = Elements(Elements(der).expect(SEQUENCE)?);
        let mut fields = Elements(certificate.expect(SEQUENCE)?);
        if fields.0.first() == Some(&VERSION) {
            fields.next()?;
        }
        let serial = hex(fields.expect(INTEGER)?);
        fields.expect(SEQUENCE)?;
        let issuer = name(fields.expect(SEQUENCE)?);
        let mut validity = Elements(fields.expect(SEQUENCE)?);
        validity.next()?;
        let (tag, text) = validity.next()?;
        let not_after = time(tag, text)?;
        let subject = name(fields.expect(SEQUENCE)?);
        let mut dns_names = String::new();
        while let Some((tag, content)) = fields.next() {
            if tag == EXTENSIONS {
                dns_names = alternative_names(content).unwrap_or_default();
            }
        }
        Some(Self { not_after, serial, subject, issuer, dns_names })
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    let short = out.trim_start_matches('0');
    if short.is_empty() { "0".into() } else { short.to_owned() }
}

/// `YYMMDDHHMMSSZ`, or with four digits of the year.
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (century, rest) = match tag {
        // 1950 to 2049.
        UTC_TIME => (if text.get(..2)?.parse::<u32>().ok()? < 50 { "20" } else { "19" }, text),
        GENERALIZED_TIME => ("", text),
        _ => return None,
    };
    let digits = format!("{century}{}", rest.strip_suffix('Z')?);
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    let days = timestamp::days_since_epoch(part(0, 4)?, part(4, 6)? as u32, part(6, 8)? as u32)?;
    Some(days * 86_400 + part(8, 10)? * 3600 + part(10, 12)? * 60 + part(12, 14)?)
}

/// `CN=a,O=b,C=c`.
fn name(content: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Elements(content);
    while let Some(set) = sets.expect(SET) {
        let mut attributes = Elements(set);
        let mut joined: Vec<String> = Vec::new();
        while let Some(attribute) = attributes.expect(SEQUENCE) {
            let mut attribute = Elements(attribute);
            let (Some(id), Some((tag, value))) = (attribute.expect(OBJECT_ID), attribute.next()) else { continue };
            joined.push(format!("{}={}", attribute_name(id), escaped(&text(tag, value))));
        }
        parts.push(joined.join("+"));
    }
    parts.reverse();
    parts.join(",")
}

fn attribute_name(id: &[u8]) -> String {
    if let [0x55, 0x04, last] = id
        && let Some((_, name)) = ATTRIBUTES.iter().find(|(number, _)| number == last)
    {
        return (*name).to_owned();
    }
    let mut arcs: Vec<String> = Vec::new();
    let mut value: u64 = 0;
    for byte in id {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (value / 40).min(2);
                arcs.extend([first.to_string(), (value - first * 40).to_string()]);
            } else {
                arcs.push(value.to_string());
            }
            value = 0;
        }
    }
    arcs.join(".")
}

fn text(tag: u8, value: &[u8]) -> String {
    if tag == BMP_STRING {
        let units = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        return char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    }
    String::from_utf8_lossy(value).into_owned()
}

/// RFC 4514, section 2.4.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (index, c) in text.chars().enumerate() {
        let is_edge = (c == ' ' && (index == 0 || index == last)) || (c == '#' && index == 0);
        if is_edge || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn alternative_names(content: &[u8]) -> Option<String> {
    let mut extensions = Elements(Elements(content).expect(SEQUENCE)?);
    while let Some(extension) = extensions.expect(SEQUENCE) {
        let mut parts = Elements(extension);
        if parts.expect(OBJECT_ID)? != ALTERNATIVE_NAMES {
            continue;
        }
        // Whether it is critical may stand between.
        let mut last = parts.next()?;
        while let Some(next) = parts.next() {
            last = next;
        }
        let mut names = Elements(Elements(last.1).expect(SEQUENCE)?);
        let mut hosts: Vec<String> = Vec::new();
        while let Some((tag, value)) = names.next() {
            if tag == DNS_NAME {
                hosts.push(String::from_utf8_lossy(value).into_owned());
            }
        }
        return Some(hosts.join(","));
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject};

    use super::*;

    #[test]
    fn a_certificate_is_read() {
        let pem = include_bytes!("tests/server.pem");
        let der = CertificateDer::from_pem_slice(pem).expect("a certificate");
        let found = Certificate::read(&der).expect("a certificate");
        assert_eq!(found.subject, "CN=probe.example,OU=Tests,O=Weir\\, Inc.,C=DE");
        assert_eq!(found.issuer, "CN=Weir test authority");
        assert_eq!(found.dns_names, "localhost,probe.example");
        assert_eq!(found.serial, "7b3a");
        assert_eq!(found.not_after, 4_906_348_697);
        for length in 0..der.len() {
            let _ = Certificate::read(&der[..length]);
        }
    }

    #[test]
    fn times_of_both_forms() {
        assert_eq!(time(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(GENERALIZED_TIME, b"20500101000000Z"), Some(2_524_608_000));
        assert_eq!(time(UTC_TIME, b"x"), None);
        assert_eq!(attribute_name(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01]), "1.2.840.113549.1.9.1");
    }
}
