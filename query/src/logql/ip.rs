//! `ip("…")`: one address, a range of them, or a network; and addresses within lines.

use std::net::IpAddr;

/// Some addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    first: IpAddr,
    last: IpAddr,
}

impl Addresses {
    /// `192.168.4.5`, `192.168.4.5-192.168.4.20`, `192.168.4.0/24`, and the same of IPv6.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let bad = || format!("ip: invalid pattern: {text:?} is no address, range or network");
        let text = text.trim();
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| bad())?;
            let bits: u32 = bits.parse().map_err(|_| bad())?;
            return Self::network(address, bits).ok_or_else(bad);
        }
        if let Some((first, last)) = text.split_once('-') {
            let first: IpAddr = first.trim().parse().map_err(|_| bad())?;
            let last: IpAddr = last.trim().parse().map_err(|_| bad())?;
            let fits = first.is_ipv4() == last.is_ipv4() && first <= last;
            return if fits { Ok(Self { first, last }) } else { Err(bad()) };
        }
        let address: IpAddr = text.parse().map_err(|_| bad())?;
        Ok(Self { first: address, last: address })
    }

    fn network(address: IpAddr, bits: u32) -> Option<Self> {
        match address {
            IpAddr::V4(address) if bits <= 32 => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                let first = u32::from(address) & mask;
                Some(Self { first: IpAddr::V4(first.into()), last: IpAddr::V4((first | !mask).into()) })
            }
            IpAddr::V6(address) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                let first = u128::from(address) & mask;
                Some(Self { first: IpAddr::V6(first.into()), last: IpAddr::V6((first | !mask).into()) })
            }
            _ => None,
        }
    }

    /// Whether an address is one of them.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Whether a text is one of them.
    pub(crate) fn is(&self, text: &str) -> bool {
        text.trim().parse().is_ok_and(|address| self.contains(address))
    }

    /// Whether one of them occurs in a line.
    pub(crate) fn occur_in(&self, line: &str) -> bool {
        let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if !is_part(&bytes[at]) {
                at += 1;
                continue;
            }
            let len = bytes[at..].iter().position(|byte| !is_part(byte)).unwrap_or(bytes.len() - at);
            let run = &line[at..at + len];
            if len >= 2 && self.is_in_run(run) {
                return true;
            }
            at += len;
        }
        false
    }

    /// A run may have a port behind the address, a dot at its end, a word's last letters before it.
    fn is_in_run(&self, run: &str) -> bool {
        if self.is(run.trim_matches('.')) || self.is(run.trim_end_matches(':')) {
            return true;
        }
        if self.first.is_ipv4() {
            let mut parts = run.split(':');
            return parts.any(|part| {
                let part = part.trim_matches('.').trim_start_matches(|c: char| c.is_ascii_alphabetic());
                self.is(part.trim_end_matches(|c: char| c.is_ascii_alphabetic()))
            });
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_lines() {
        for (pattern, line, fits) in [
            ("192.168.4.5", "from 192.168.4.5 to", true),
            ("192.168.4.5", "from 192.168.4.50 to", false),
            ("192.168.4.5-192.168.4.20", "192.168.4.10:443 open", true),
            ("192.168.4.0/24", "x=192.168.4.255.", true),
            ("192.168.4.0/24", "x=192.168.5.1", false),
            ("2001:db8::/32", "at [2001:db8::1]:80", true),
            ("::1", "at ::1 now", true),
            ("0.0.0.0/0", "no address here", false),
        ] {
            assert_eq!(Addresses::read(pattern).expect(pattern).occur_in(line), fits, "{pattern} in {line}");
        }
        for bad in ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4-::1", "9.9.9.9-1.1.1.1"] {
            assert!(Addresses::read(bad).is_err(), "{bad}");
        }
    }
}
