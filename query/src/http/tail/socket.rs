//! WebSocket's frames (RFC 6455, section 5), as far as a server needs that sends text: pings are answered, messages passed over.

use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Clients have nothing to say that is long.
const PAYLOAD_BYTES_MAX: u64 = 64 << 10;

/// A client is asked so often whether it is there, and is gone when it did not answer by the next time.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// For a client to say goodbye, too.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Codes of closing (section 7.4.1).
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const FAILED: u16 = 1011;

/// Sends messages until there are no more, the client is gone or takes nothing for `write_timeout`, or the process ends; says why.
pub(super) async fn serve(
    upgraded: Upgraded,
    mut messages: mpsc::Receiver<String>,
    stop: CancellationToken,
    write_timeout: Duration,
) -> &'static str {
    let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
    let (sender, mut frames) = mpsc::channel(4);
    // Frames are read whole by a task of their own: reading one cannot be broken off.
    let reading = tokio::spawn(async move {
        while let Ok(frame) = Frame::read(&mut read).await {
            let is_last = matches!(frame, Frame::Close | Frame::Wrong);
            if sender.send(frame).await.is_err() || is_last {
                return;
            }
        }
    });
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let mut is_there = true;
    let (why, code) = loop {
        let frame = tokio::select! {
            message = messages.recv() => match message {
                Some(text) => encoded(TEXT, text.as_bytes()),
                None => break ("failed", Some(FAILED)),
            },
            frame = frames.recv() => match frame {
                Some(Frame::Ping(payload)) => encoded(PONG, &payload),
                Some(Frame::Pong) => {
                    is_there = true;
                    continue;
                }
                Some(Frame::Close) => break ("gone", Some(1000)),
                Some(Frame::Wrong) => break ("wrong", Some(PROTOCOL_ERROR)),
                Some(Frame::Other) => continue,
                None => break ("gone", None),
            },
            _ = pings.tick() => {
                if !std::mem::take(&mut is_there) {
                    break ("silent", None);
                }
                encoded(PING, b"")
            }
            () = stop.cancelled() => break ("stopped", Some(GOING_AWAY)),
        };
        match timeout(write_timeout, write_all(&mut write, &frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break ("gone", None),
            Err(_) => break ("slow", None),
        }
    };
    if let Some(code) = code {
        let goodbye = encoded(CLOSE, &code.to_be_bytes());
        let _ = timeout(CLOSE_TIMEOUT, write_all(&mut write, &goodbye)).await;
        let _ = timeout(CLOSE_TIMEOUT, write.shutdown()).await;
    }
    reading.abort();
    why
}

async fn write_all<W: AsyncWrite + Unpin>(write: &mut W, frame: &[u8]) -> std::io::Result<()> {
    write.write_all(frame).await?;
    write.flush().await
}

/// A frame of a whole message, as servers send it: not masked.
fn encoded(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(0x80 | opcode);
    match payload.len() {
        len @ 0..126 => frame.push(len as u8),
        len @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Ping(Vec<u8>),
    Pong,
    Close,
    /// A message, which nobody asked for.
    Other,
    /// Against the protocol, or too long.
    Wrong,
}

impl Frame {
    async fn read<R: AsyncRead + Unpin>(read: &mut R) -> std::io::Result<Self> {
        let mut head = [0; 2];
        read.read_exact(&mut head).await?;
        let (is_final, opcode) = (head[0] & 0x80 != 0, head[0] & 0x0f);
        let is_masked = head[1] & 0x80 != 0;
        let len = match head[1] & 0x7f {
            126 => u64::from(read.read_u16().await?),
            127 => read.read_u64().await?,
            len => u64::from(len),
        };
        let is_control = opcode & 0x8 != 0;
        // Clients mask what they send (section 5.1); what controls is short and whole (section 5.5); no extension was agreed on.
        if !is_masked || head[0] & 0x70 != 0 || len > PAYLOAD_BYTES_MAX || (is_control && (len > 125 || !is_final)) {
            return Ok(Self::Wrong);
        }
        let mut mask = [0; 4];
        read.read_exact(&mut mask).await?;
        let mut payload = vec![0; len as usize];
        read.read_exact(&mut payload).await?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok(match opcode {
            0x0..=0x2 => Self::Other,
            CLOSE => Self::Close,
            PING => Self::Ping(payload),
            PONG => Self::Pong,
            _ => Self::Wrong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_those_of_the_rfc() {
        assert_eq!(encoded(TEXT, b"Hello"), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        assert_eq!(encoded(0x2, &[0; 256])[..4], [0x82, 0x7e, 0x01, 0x00]);
        assert_eq!(encoded(0x2, &[0; 65_536])[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
        let rows: [(&[u8], Frame); 8] = [
            (&[0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], Frame::Ping(b"Hello".to_vec())),
            (&[0x8a, 0x80, 1, 2, 3, 4], Frame::Pong),
            (&[0x88, 0x82, 0, 0, 0, 0, 3, 232], Frame::Close),
            (&[0x81, 0x81, 0, 0, 0, 0, b'x'], Frame::Other),
            (&[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], Frame::Wrong),
            (&[0xc1, 0x80, 0, 0, 0, 0], Frame::Wrong),
            (&[0x09, 0x80, 0, 0, 0, 0], Frame::Wrong),
            (&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Frame::Wrong),
        ];
        for (bytes, expected) in rows {
            assert_eq!(Frame::read(&mut &*bytes).await.expect("whole"), expected, "{bytes:?}");
        }
        assert!(Frame::read(&mut &[0x81][..]).await.is_err(), "cut off");
    }
}
