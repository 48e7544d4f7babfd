//! Names and numbers of DNS: hosts, types of records, classes, codes (IANA's registries).

/// Types of records that can be asked for.
const TYPES: [(&str, u16); 47] = [
    ("A", 1),
    ("NS", 2),
    ("MD", 3),
    ("MF", 4),
    ("CNAME", 5),
    ("SOA", 6),
    ("MB", 7),
    ("MG", 8),
    ("MR", 9),
    ("NULL", 10),
    ("PTR", 12),
    ("HINFO", 13),
    ("MINFO", 14),
    ("MX", 15),
    ("TXT", 16),
    ("RP", 17),
    ("AFSDB", 18),
    ("X25", 19),
    ("ISDN", 20),
    ("RT", 21),
    ("SIG", 24),
    ("KEY", 25),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("KX", 36),
    ("CERT", 37),
    ("DNAME", 39),
    ("OPT", 41),
    ("APL", 42),
    ("DS", 43),
    ("SSHFP", 44),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("TLSA", 52),
    ("SMIMEA", 53),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("AXFR", 252),
    ("ANY", 255),
    ("CAA", 257),
];

const CLASSES: [(&str, u16); 6] = [("IN", 1), ("CS", 2), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)];

/// Codes of answers.
pub(in super::super) const RCODES: [(&str, u8); 11] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
];

/// Bytes of a part of a name, and of a whole one (RFC 1035, section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 255;

fn number<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// The number of a type of records.
pub(in super::super) fn record_type(name: &str) -> Option<u16> {
    number(&TYPES, name)
}

/// How a type is called; `TYPE7` where it has no name here.
pub(super) fn type_name(number: u16) -> String {
    let known = TYPES.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("TYPE{number}"), |(name, _)| (*name).to_owned())
}

/// The number of a class.
pub(in super::super) fn class(name: &str) -> Option<u16> {
    number(&CLASSES, name)
}

/// How a class is called.
pub(super) fn class_name(number: u16) -> String {
    let known = CLASSES.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("CLASS{number}"), |(name, _)| (*name).to_owned())
}

/// The number of a code.
pub(in super::super) fn rcode(name: &str) -> Option<u8> {
    number(&RCODES, name)
}

/// How a code is called.
pub(super) fn rcode_name(number: u8) -> String {
    let known = RCODES.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("RCODE{number}"), |(name, _)| (*name).to_owned())
}

/// A name as messages have it; `None` when it is none.
pub(in super::super) fn encoded(name: &str) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut out = Vec::with_capacity(name.len() + 2);
    for label in name.split('.').filter(|_| !name.is_empty()) {
        if label.is_empty() || label.len() > LABEL_BYTES_MAX {
            return None;
        }
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    (out.len() <= NAME_BYTES_MAX).then_some(out)
}
