//! Answers compressed for those who ask: which coding, whole bodies, and bodies that are sent while they are made.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};

/// Smaller bodies go as they are: they fit into a packet or two.
const BYTES_MIN: usize = if cfg!(test) { 256 } else { 1024 };

/// Both codings' quickest: what is read here is read once.
const LEVEL: i32 = 1;

/// A content coding (<https://www.rfc-editor.org/rfc/rfc9110#name-content-codings>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Gzip,
}

impl Coding {
    /// The one that `Accept-Encoding` likes best, of two that it likes the same zstd; `None` when it wants neither, or nothing compressed more.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        let (mut zstd, mut gzip, mut identity, mut others) = (None, None, None, None);
        for item in lines.flat_map(|line| line.split(',')) {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            // What cannot be read is not wanted.
            let quality = quality.map_or(1.0, |text| text.trim().parse::<f32>().unwrap_or(0.0));
            match name.as_str() {
                "zstd" => zstd = Some(quality),
                "gzip" | "x-gzip" => gzip = Some(quality),
                "identity" => identity = Some(quality),
                "*" => others = Some(quality),
                _ => {}
            }
        }
        let (zstd, gzip) = (zstd.or(others).unwrap_or(0.0), gzip.or(others).unwrap_or(0.0));
        let best = if zstd >= gzip { (zstd, Self::Zstd) } else { (gzip, Self::Gzip) };
        (best.0 > 0.0 && best.0 >= identity.unwrap_or(0.0)).then_some(best.1)
    }

    /// Its name in `Content-Encoding`.
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        })
    }

    /// A whole body in this coding; `None` when it is too small, or would become no smaller.
    pub(crate) fn of(self, body: &[u8]) -> Option<Vec<u8>> {
        if body.len() < BYTES_MIN {
            return None;
        }
        let mut encoder = Encoder::new(self).ok()?;
        encoder.push(body).ok()?;
        let coded = encoder.finish().ok()?;
        (coded.len() < body.len()).then_some(coded)
    }
}

/// Compresses what comes bit by bit.
pub(crate) enum Encoder {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Encoder {
    pub(crate) fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?),
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(LEVEL.unsigned_abs()))),
        })
    }

    /// Takes more in. Some of it may come out later.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    /// Moves what has come out behind `out`.
    pub(crate) fn drain(&mut self, out: &mut Vec<u8>) {
        let ready = match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        out.append(ready);
    }

    /// The rest.
    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn accepted(lines: &[&'static str]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        Coding::accepted(&headers)
    }

    pub(super) fn plain(coding: Coding, coded: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Zstd => out = zstd::decode_all(coded).expect("zstd"),
            Coding::Gzip => _ = flate2::read::GzDecoder::new(coded).read_to_end(&mut out).expect("gzip"),
        }
        out
    }

    #[test]
    fn what_is_liked_best() {
        for (lines, coding) in [
            (&[][..], None),
            (&[""], None),
            (&["gzip, deflate, br, zstd"], Some(Coding::Zstd)),
            (&["gzip, deflate, br"], Some(Coding::Gzip)),
            (&["GZIP"], Some(Coding::Gzip)),
            (&["x-gzip"], Some(Coding::Gzip)),
            (&["deflate", "gzip"], Some(Coding::Gzip)),
            (&["zstd;q=0.5, gzip"], Some(Coding::Gzip)),
            (&["zstd; q=0, gzip;q=0"], None),
            (&["*"], Some(Coding::Zstd)),
            (&["zstd;q=0, *"], Some(Coding::Gzip)),
            (&["*;q=0"], None),
            (&["gzip;q=0.5, identity"], None),
            (&["identity;q=0, gzip;q=0.1"], Some(Coding::Gzip)),
            (&["br, deflate"], None),
            (&["gzip;q=much"], None),
        ] {
            assert_eq!(accepted(lines), coding, "{lines:?}");
        }
    }

    #[test]
    fn bodies_come_back_and_small_ones_stay() {
        let body = b"{\"service\":\"cart\"}".repeat(1000);
        for coding in [Coding::Zstd, Coding::Gzip] {
            let coded = coding.of(&body).expect("smaller");
            assert!(coded.len() < body.len() / 10);
            assert_eq!(plain(coding, &coded), body);
            assert_eq!(coding.of(&body[..100]), None);
            let mut encoder = Encoder::new(coding).expect("starts");
            let mut pieces = Vec::new();
            for piece in body.chunks(777) {
                encoder.push(piece).expect("takes");
                encoder.drain(&mut pieces);
            }
            pieces.extend(encoder.finish().expect("ends"));
            assert_eq!(plain(coding, &pieces), body);
        }
    }

    #[test]
    fn what_becomes_no_smaller_stays() {
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..4096)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u8
            })
            .collect();
        assert_eq!(Coding::Gzip.of(&noise), None);
    }
}
