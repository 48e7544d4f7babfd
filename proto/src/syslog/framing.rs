//! Where a message ends in a stream: by the octets that it counts, or at the end of its line (RFC 6587, section 3.4).

/// Digits of a count that are believed to be one.
const DIGITS_MAX: usize = 9;

/// Cuts a stream into messages. A count is one only where a message follows it: text that begins with a number is a line.
#[derive(Debug)]
pub struct Framing {
    bytes_max: usize,
    /// Within a line of which the beginning was handed out.
    passes_over: bool,
}

/// What comes next in what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// More has to be read.
    More,
    /// So many bytes are nothing.
    Skip(usize),
    /// The bytes of a message.
    Message {
        /// Its first byte.
        from: usize,
        /// Behind its last byte.
        to: usize,
        /// Bytes that are done with.
        consumed: usize,
        /// Whether there was more of it.
        is_cut: bool,
    },
}

impl Framing {
    /// Messages of at most so many bytes; of longer lines the rest is passed over.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, passes_over: false }
    }

    /// What `read` begins with; `is_end`: nothing comes after it.
    pub fn step(&mut self, read: &[u8], is_end: bool) -> Step {
        let line_end = || memchr::memchr(b'\n', read);
        if read.is_empty() {
            return Step::More;
        }
        if self.passes_over {
            return match line_end() {
                Some(len) => {
                    self.passes_over = false;
                    Step::Skip(len + 1)
                }
                None => Step::Skip(read.len()),
            };
        }
        let blanks = read.iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | 0)).count();
        if blanks > 0 {
            return Step::Skip(blanks);
        }
        match counted(read) {
            Count::Octets { digits, octets } if octets <= self.bytes_max => {
                let (from, to) = (digits + 1, digits + 1 + octets);
                if read.len() >= to {
                    // Some count the end of the line as well.
                    let to_trimmed = from + read[from..to].trim_ascii_end().len();
                    return Step::Message { from, to: to_trimmed, consumed: to, is_cut: false };
                }
                if is_end {
                    return Step::Message { from, to: read.len(), consumed: read.len(), is_cut: true };
                }
                return Step::More;
            }
            Count::Unknown if !is_end => return Step::More,
            // A count that nobody means, or none: a line.
            _ => {}
        }
        match line_end() {
            Some(len) if len <= self.bytes_max => {
                let end = read[..len].iter().rposition(|byte| !matches!(byte, b'\r' | 0)).map_or(0, |last| last + 1);
                Step::Message { from: 0, to: end, consumed: len + 1, is_cut: false }
            }
            _ if read.len() > self.bytes_max => self.cut(self.bytes_max),
            _ if is_end => Step::Message { from: 0, to: read.len(), consumed: read.len(), is_cut: false },
            _ => Step::More,
        }
    }

    /// Ends the line that is being read after so many bytes: there is no room for more.
    pub fn cut(&mut self, len: usize) -> Step {
        self.passes_over = true;
        Step::Message { from: 0, to: len, consumed: len, is_cut: true }
    }
}

enum Count {
    /// So many octets follow the digits and a blank.
    Octets { digits: usize, octets: usize },
    /// Too few bytes to tell.
    Unknown,
    /// No count.
    None,
}

fn counted(read: &[u8]) -> Count {
    if !matches!(read[0], b'1'..=b'9') {
        return Count::None;
    }
    let digits = read.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits > DIGITS_MAX {
        return Count::None;
    }
    match (read.get(digits), read.get(digits + 1)) {
        (None, _) | (Some(b' '), None) => Count::Unknown,
        (Some(b' '), Some(b'<')) => {
            let octets = read[..digits].iter().fold(0, |count, digit| count * 10 + usize::from(digit - b'0'));
            Count::Octets { digits, octets }
        }
        _ => Count::None,
    }
}
