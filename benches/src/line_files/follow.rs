//! How soon a line that is written to a file reaches who follows it.

use std::time::Duration;

use anyhow::{Context, ensure};
use memchr::memmem::Finder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use weir_proto::time::{Clock, SECOND_NS};

use super::{Reader, STORAGE, Tailing, logs, temporary, writer};

/// Longest wait for the last line.
const PATIENCE: Duration = Duration::from_secs(60);
/// In front of the time that a line was written at, to the millisecond, of some day; as a string of JSON has it.
const TIME: &[u8] = b"\\\"ts\\\":\\\"";
/// Nanoseconds of a day.
const DAY_NS: u64 = 86_400 * SECOND_NS;

pub(super) async fn measure(tailing: Tailing<'_>) -> anyhow::Result<()> {
    let folder = temporary(tailing)?;
    let (rate, seconds) = (tailing.followed_rate, tailing.seconds);
    let reader = Reader::weir(tailing, folder.path(), STORAGE).await?;
    let Reader::Weir(server) = &reader else { anyhow::bail!("it is Weir") };
    let mut growing = writer::Growing::new(&logs(folder.path())?, 1)?;
    reader.until_read(growing.written()).await?;
    let mut client = TcpStream::connect(server.query).await?;
    let request = format!(
        "GET /api/v1/tail?limit=0&query=%7Bservice_name%3D~%22.%2B%22%7D HTTP/1.1\r\nhost: {}\r\n\r\n",
        server.query
    );
    client.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let expected = rate * seconds;
    let following = tokio::spawn(async move { timeout(PATIENCE * 2, follow(client, expected)).await });
    growing.grow(rate, seconds).await?;
    let mut late = following.await?.context("the last lines do not come")??;
    late.sort_unstable();
    let ms = |share: f64| {
        let at = ((late.len() as f64 * share) as usize).min(late.len().saturating_sub(1));
        late.get(at).copied().unwrap_or_default() as f64 / 1e6
    };
    println!(
        "{rate} lines a second in a file, followed: {} lines, written to received p50 {:.0} ms, p99 {:.0} ms, at most {:.0} ms",
        late.len(),
        ms(0.5),
        ms(0.99),
        ms(1.0)
    );
    reader.stop().await
}

/// Reads events until there are so many; how late each was, ns.
async fn follow(mut client: TcpStream, lines: u64) -> anyhow::Result<Vec<u64>> {
    let (mut buffer, mut late) = (Vec::with_capacity(1 << 20), Vec::with_capacity(lines as usize));
    let finder = Finder::new(TIME);
    while (late.len() as u64) < lines {
        let read = client.read_buf(&mut buffer).await?;
        ensure!(read > 0, "the answer ended after {} lines", late.len());
        let now_ns = Clock::system().now_ns();
        let mut done = 0;
        while let Some(at) = finder.find(&buffer[done..]) {
            let from = done + at + TIME.len();
            let Some(len) = memchr::memchr(b'\\', &buffer[from..]) else { break };
            let written_ns = weir_proto::timestamp::parse_iso(&buffer[from..from + len]).context("a time")?;
            late.push((now_ns + DAY_NS - written_ns % DAY_NS) % DAY_NS);
            done = from + len;
        }
        // What is left may hold the beginning of the next.
        let kept = (buffer.len() - done).min(512);
        let from = done.max(buffer.len() - kept);
        buffer.drain(..from);
    }
    Ok(late)
}
