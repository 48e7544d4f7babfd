//! Takes request targets as they are typed: what a target has to escape, as the quotes of `?query=up{job="a"}`, is escaped on the way in.

use std::mem;

/// Of a header's line no more is kept than this: where one that says where a request ends is longer, nothing is changed from there on.
const HEADER_BYTES_MAX: usize = 256;

/// Follows one connection's requests, to know which bytes are targets. HTTP/1 only: of anything else, and of what it does not
/// understand, it changes nothing from there on.
#[derive(Debug)]
pub(crate) struct RequestLines {
    place: Place,
    /// The header's line, or the size of the chunk, as far as it came.
    line: Vec<u8>,
    body: Body,
}

/// What the next byte is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The method, how many bytes of it came.
    Method(usize),
    Target,
    Version,
    Header,
    /// Of a body, or a chunk with its line's end, so many bytes follow.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    Trailer,
    /// Anything, to the end.
    Elsewhere,
}

/// What follows a request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Sized(u64),
    Chunked,
    /// What is not looked at: another protocol, lengths that make no sense.
    Unknown,
}

impl Default for RequestLines {
    fn default() -> Self {
        Self { place: Place::Method(0), line: Vec::new(), body: Body::Sized(0) }
    }
}

impl RequestLines {
    /// Takes what was read; answers what is to stand there instead, where that is something else.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut escaped: Option<Vec<u8>> = None;
        let mut at = 0;
        while at < bytes.len() {
            let (passed, is_escaped) = self.pass(&bytes[at..]);
            if is_escaped {
                let escaped = escaped.get_or_insert_with(|| bytes[..at].to_vec());
                escaped.extend_from_slice(format!("%{:02X}", bytes[at]).as_bytes());
            } else if let Some(escaped) = &mut escaped {
                escaped.extend_from_slice(&bytes[at..at + passed]);
            }
            at += passed;
        }
        escaped
    }

    /// Passes one byte, or many where nothing has to be looked at; answers how many, and whether it is one to be escaped.
    fn pass(&mut self, bytes: &[u8]) -> (usize, bool) {
        let byte = bytes[0];
        match &mut self.place {
            Place::Elsewhere => return (bytes.len(), false),
            Place::Body(left) | Place::ChunkData(left) => {
                let passed = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= passed as u64;
                if *left == 0 {
                    self.place = if matches!(self.place, Place::Body(_)) { Place::Method(0) } else { Place::ChunkSize };
                }
                return (passed, false);
            }
            Place::Target if must_be_escaped(byte) => return (1, true),
            Place::Method(length) => match byte {
                // Lines without anything before a request are allowed.
                b'\r' | b'\n' if *length == 0 => {}
                b' ' if *length > 0 => self.place = Place::Target,
                b'A'..=b'Z' => *length += 1,
                _ => self.place = Place::Elsewhere,
            },
            Place::Target => match byte {
                b' ' => self.place = Place::Version,
                0..=b' ' => self.place = Place::Elsewhere,
                _ => {}
            },
            Place::Version | Place::Header | Place::ChunkSize | Place::Trailer => self.add_to_line(byte),
        }
        (1, false)
    }

    fn add_to_line(&mut self, byte: u8) {
        if byte != b'\n' {
            if self.line.len() < HEADER_BYTES_MAX {
                self.line.push(byte);
            }
            return;
        }
        let mut line = mem::take(&mut self.line);
        let is_cut = line.len() == HEADER_BYTES_MAX;
        let whole = line.strip_suffix(b"\r").unwrap_or(&line);
        self.place = match self.place {
            // HTTP/2's preface is `PRI * HTTP/2.0`.
            Place::Version if matches!(whole, b"HTTP/1.1" | b"HTTP/1.0") => {
                self.body = Body::Sized(0);
                Place::Header
            }
            Place::Header if whole.is_empty() => match self.body {
                Body::Sized(0) => Place::Method(0),
                Body::Sized(length) => Place::Body(length),
                Body::Chunked => Place::ChunkSize,
                Body::Unknown => Place::Elsewhere,
            },
            Place::Header => {
                self.body = self.body.told(whole, is_cut);
                Place::Header
            }
            Place::ChunkSize if is_cut => Place::Elsewhere,
            Place::ChunkSize => match chunk_size(whole) {
                Some(0) => Place::Trailer,
                Some(size) => Place::ChunkData(size.saturating_add(2)),
                None => Place::Elsewhere,
            },
            Place::Trailer if whole.is_empty() => Place::Method(0),
            Place::Trailer => Place::Trailer,
            _ => Place::Elsewhere,
        };
        line.clear();
        self.line = line;
    }
}

impl Body {
    /// What follows when a header says something of it, of whose line the end may be missing.
    fn told(self, line: &[u8], is_cut: bool) -> Self {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return Self::Unknown };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.first().is_some_and(u8::is_ascii_whitespace) || name.eq_ignore_ascii_case(b"upgrade") {
            return Self::Unknown;
        }
        let frames = [&b"transfer-encoding"[..], b"content-length"].iter().any(|one| name.eq_ignore_ascii_case(one));
        if frames && is_cut {
            return Self::Unknown;
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_known = self != Self::Unknown && value.eq_ignore_ascii_case(b"chunked");
            return if is_known { Self::Chunked } else { Self::Unknown };
        }
        if name.eq_ignore_ascii_case(b"content-length") && self != Self::Chunked {
            let is_number = value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok().filter(|_| is_number).and_then(|value| value.parse().ok());
            return match (self, length) {
                (Self::Sized(_), Some(length)) => Self::Sized(length),
                _ => Self::Unknown,
            };
        }
        self
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|&byte| byte == b';').next()?.trim_ascii();
    if !size.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

/// What Go's servers take in a target as it stands, and the `http` crate does not, or takes for a fragment's beginning.
fn must_be_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'#' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read, in pieces of a size.
    fn through(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut lines = RequestLines::default();
        bytes.chunks(piece).flat_map(|piece| lines.read(piece).unwrap_or_else(|| piece.to_vec())).collect()
    }

    #[track_caller]
    fn check(sent: &str, expected: &str) {
        for piece in [1, 2, 3, 7, 50, usize::MAX] {
            let got = through(sent.as_bytes(), piece);
            assert_eq!(String::from_utf8_lossy(&got), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn targets_are_escaped_and_nothing_else() {
        let sent = [
            "GET /q?query=up{job=\"a\"}>1&x=ä# HTTP/1.1\r\nhost: \"b\"\r\n\r\n",
            "GET /\" HTTP/1.0\n\n\r\n",
            "GET /< HTTP/1.1\r\n\r\n",
        ];
        let expected = [
            "GET /q?query=up{job=%22a%22}%3E1&x=%C3%A4%23 HTTP/1.1\r\nhost: \"b\"\r\n\r\n",
            "GET /%22 HTTP/1.0\n\n\r\n",
            "GET /%3C HTTP/1.1\r\n\r\n",
        ];
        check(&sent.concat(), &expected.concat());
    }

    #[test]
    fn bodies_stay_what_they_are() {
        let post = "HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET /\" HTTP/1.1\r\n\r\n\"";
        let get = "HTTP/1.1\r\n\r\n";
        check(&format!("POST /a\" {post}GET /\" {get}"), &format!("POST /a%22 {post}GET /%22 {get}"));
        let head = "POST /a HTTP/1.1\r\ntransfer-encoding: Chunked\r\ncontent-length: 3\r\n\r\n";
        let body = "4;x=\"\r\nGET \r\n0A\r\n /\" HTTP/1\r\n0\r\ntrailer: \"\r\n\r\n";
        let sent = format!("{head}{body}GET /\" HTTP/1.1\r\n\r\n");
        check(&sent, &sent.replace("GET /\"", "GET /%22"));
    }

    #[test]
    fn what_is_not_understood_passes_as_it_is() {
        for sent in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
            "GET /tail HTTP/1.1\r\nUpgrade: websocket\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\n folded: 1\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nGET /\" HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: +5\r\n\r\n12345GET /\" HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n+5\r\nGET /\" HTTP/1.1\r\n\r\n",
            "GET / HTTP/3.1\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
            "get / HTTP/1.1\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
        ] {
            check(sent, sent);
        }
        // Lines longer than what is kept of them: whoever reads them whole may see another end of the request.
        let (zeros, next) = ("0".repeat(300), "POST / HTTP/1.1\r\nhost: x\r\n\r\nGET /\" HTTP/1.1\r\n\r\n");
        let chunked = "transfer-encoding: chunked\r\n\r\n";
        for head in [format!("content-length: {zeros}34\r\n\r\n"), format!("{chunked}{zeros}22\r\n")] {
            let sent = format!("POST / HTTP/1.1\r\n{head}{next}");
            check(&sent, &sent);
        }
        let long = format!("GET / HTTP/1.1\r\ncookie: {zeros}\r\n\r\n");
        check(&format!("{long}GET /\" HTTP/1.1\r\n\r\n"), &format!("{long}GET /%22 HTTP/1.1\r\n\r\n"));
    }
}
