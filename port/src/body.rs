//! Collects a request's body: within its limit, without needless copies, never trusting a declared length.

use std::pin::{Pin, pin};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;

use crate::{budget::Reservation, refusal::Refusal};

/// A declared length is allocated at once up to this; beyond it only as bytes arrive.
const TRUSTED_BYTES: usize = 1 << 20;

/// Reads `body` to its end.
///
/// `declared` finds the whole length in the first bytes, or fails when that is too large. A body in one piece is
/// returned as it came. What is held is taken from `reservation` beforehand.
pub async fn collect<B>(
    body: B,
    bytes_max: usize,
    declared: impl Fn(&[u8]) -> Result<Option<usize>, Refusal>,
    reservation: &mut Reservation,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = pin!(body);
    let Some(first) = next_piece(body.as_mut()).await? else { return Ok(Bytes::new()) };
    check_size(first.len(), bytes_max)?;
    reservation.add(first.len())?;
    let mut whole_bytes = declared(&first)?;
    let Some(second) = next_piece(body.as_mut()).await? else { return Ok(first) };

    let mut whole = Growing { bytes: Vec::new(), bytes_max, reservation };
    whole.append(&first, whole_bytes)?;
    whole.reservation.give_back(first.len());
    drop(first);
    let mut piece = second;
    loop {
        whole.append(&piece, whole_bytes)?;
        if whole_bytes.is_none() {
            whole_bytes = declared(&whole.bytes)?;
        }
        let Some(next) = next_piece(body.as_mut()).await? else { return Ok(Bytes::from(whole.bytes)) };
        piece = next;
    }
}

/// The next piece that is not empty; trailers are passed over.
async fn next_piece<B>(mut body: Pin<&mut B>) -> Result<Option<Bytes>, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Malformed(format!("body ended early: {error}")))?;
        if let Ok(piece) = frame.into_data()
            && !piece.is_empty()
        {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

struct Growing<'a> {
    bytes: Vec<u8>,
    bytes_max: usize,
    reservation: &'a mut Reservation,
}

impl Growing<'_> {
    fn append(&mut self, piece: &[u8], whole_bytes: Option<usize>) -> Result<(), Refusal> {
        let needed = self.bytes.len() + piece.len();
        check_size(needed, self.bytes_max)?;
        if needed > self.bytes.capacity() {
            // Doubling, but straight to the declared length as soon as that is near.
            let doubled = TRUSTED_BYTES.min(needed * 2).max(self.bytes.len() * 2);
            let target = match whole_bytes {
                Some(whole) => whole.min(TRUSTED_BYTES.max(self.bytes.len() * 2)),
                None => doubled,
            };
            let target = target.clamp(needed, self.bytes_max);
            self.reservation.add(target - self.bytes.capacity())?;
            self.bytes.reserve_exact(target - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

fn check_size(bytes: usize, bytes_max: usize) -> Result<(), Refusal> {
    if bytes > bytes_max {
        return Err(Refusal::TooLarge { what: "the request", bytes_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::budget::Budget;

    async fn collected(
        pieces: &[&'static [u8]],
        bytes_max: usize,
        declared: Option<usize>,
    ) -> (Result<Bytes, Refusal>, usize) {
        let frames = pieces.iter().map(|piece| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(piece))));
        let body = StreamBody::new(stream::iter(frames.collect::<Vec<_>>()));
        let mut reservation = Budget::new(1 << 30).open();
        let result = collect(body, bytes_max, |_| Ok(declared), &mut reservation).await;
        (result, reservation.bytes())
    }

    #[tokio::test]
    async fn one_piece_is_not_copied() {
        static PIECE: &[u8] = b"whole";
        let (whole, held) = collected(&[b"", PIECE, b""], 5, None).await;
        let whole = whole.expect("within the limit");
        assert_eq!(whole.as_ptr(), PIECE.as_ptr());
        assert_eq!(held, 5);
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_the_limit() {
        for declared in [None, Some(6), Some(0), Some(usize::MAX)] {
            let (whole, held) = collected(&[b"ab", b"cd", b"ef"], 6, declared).await;
            assert_eq!(whole, Ok(Bytes::from_static(b"abcdef")));
            assert_eq!(held, 6, "declared {declared:?}");
            let (whole, _) = collected(&[b"ab", b"cd", b"efg"], 6, declared).await;
            assert_eq!(whole, Err(Refusal::TooLarge { what: "the request", bytes_max: 6 }));
        }
        assert_eq!(collected(&[], 6, None).await.0, Ok(Bytes::new()));
    }

    #[tokio::test]
    async fn a_declared_length_is_not_trusted_beyond_what_arrives() {
        let (_, held) = collected(&[b"ab", b"cd"], 1 << 30, Some(1 << 30)).await;
        assert_eq!(held, TRUSTED_BYTES);
    }

    #[tokio::test]
    async fn the_budget_bounds_it() {
        let frames = (0..4).map(|_| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(&[0; 1000]))));
        let body = StreamBody::new(stream::iter(frames.collect::<Vec<_>>()));
        let budget = Budget::new(1 << 20);
        let mut others = budget.open();
        others.add((1 << 20) - 3000).expect("room");
        let result = collect(body, 1 << 20, |_| Ok(None), &mut budget.open()).await;
        assert!(matches!(result, Err(Refusal::Busy(_))));
    }
}
