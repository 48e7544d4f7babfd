//! Stands between a client and a real S3 server, and does to requests and answers what networks and busy servers do.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// How often what goes wrong, in thousandths of all requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// 503 SlowDown, nothing done.
    pub(crate) unavailable: u64,
    /// 409 at a write, nothing done.
    pub(crate) conflict: u64,
    /// The server does it, and nobody hears of it.
    pub(crate) lost_reply: u64,
    /// Half of the answer comes.
    pub(crate) truncated: u64,
    /// Half of the answer comes, and then nothing any more.
    pub(crate) hanging: u64,
    /// A bit of an answer's body is another.
    pub(crate) flipped_down: u64,
    /// A bit of a request's body is another.
    pub(crate) flipped_up: u64,
    /// Listings are what they were when the weather became so: what was written since is not in them.
    pub(crate) old_listings: bool,
    /// A second that so many bytes of an answer take; 0 is no time.
    pub(crate) bytes_per_s: usize,
    /// 403.
    pub(crate) denied: u64,
    /// Connections end as soon as they stand.
    pub(crate) away: bool,
}

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    server: SocketAddr,
    weather: Mutex<Weather>,
    /// Answers to requests for listings, by their first line.
    listings: Mutex<BTreeMap<String, Vec<u8>>>,
    draws: AtomicU64,
    requests: AtomicU64,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("bound");
        let (draws, requests) = (AtomicU64::new(0), AtomicU64::new(0));
        let (weather, listings) = Default::default();
        let shared = Arc::new(Shared { server, weather, listings, draws, requests });
        let of_task = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = of_task.clone();
                tokio::spawn(async move { drop(shared.serve(client).await) });
            }
        });
        Self { address, shared, task }
    }

    pub(crate) fn weather(&self, weather: Weather) {
        *self.shared.weather.lock() = weather;
    }

    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn draw(&self, below: u64) -> u64 {
        let number = self.draws.fetch_add(1, Ordering::Relaxed);
        let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 32)) % below
    }

    fn happens(&self, thousandths: u64) -> bool {
        thousandths > 0 && self.draw(1000) < thousandths
    }

    /// One connection, one request.
    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let weather = self.weather.lock().clone();
        if weather.away {
            return Ok(());
        }
        let (head, mut body) = read_request(&mut client).await?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let write = head.starts_with("PUT") || head.starts_with("POST");
        let refusals = [
            (weather.unavailable, true, "503 Service Unavailable", "SlowDown"),
            (weather.conflict, write, "409 Conflict", "ConditionalRequestConflict"),
            (weather.denied, true, "403 Forbidden", "AccessDenied"),
        ];
        for (thousandths, fits, status, code) in refusals {
            if fits && self.happens(thousandths) {
                let text = format!("<Error><Code>{code}</Code><Message>weather</Message></Error>");
                let length = text.len();
                let reply = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}");
                return client.write_all(reply.as_bytes()).await;
            }
        }
        if !body.is_empty() && self.happens(weather.flipped_up) {
            let at = self.draw(body.len() as u64) as usize;
            body[at] ^= 4;
        }
        let mut answer = self.answer(&head, &body, &weather).await?;
        if self.happens(weather.lost_reply) {
            return Ok(());
        }
        let body_at = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
        let body_bytes = (answer.len() - body_at) as u64;
        if head.starts_with("GET") && body_bytes > 0 && self.happens(weather.flipped_down) {
            answer[body_at + self.draw(body_bytes) as usize] ^= 4;
        }
        let hangs = self.happens(weather.hanging);
        if body_bytes > 0 && (hangs || self.happens(weather.truncated)) {
            answer.truncate(body_at + (body_bytes / 2) as usize);
        }
        match weather.bytes_per_s {
            0 => client.write_all(&answer).await?,
            bytes => {
                // In steps of a twentieth.
                for part in answer.chunks((bytes / 20).max(1)) {
                    client.write_all(part).await?;
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
        if hangs {
            // Until the client has had enough.
            while client.read(&mut [0; 64]).await? > 0 {}
        }
        Ok(())
    }
}

impl Shared {
    /// The server's answer, or to a question for a listing the one that it gave before.
    async fn answer(&self, head: &str, body: &[u8], weather: &Weather) -> std::io::Result<Vec<u8>> {
        let first = head.lines().next().unwrap_or_default();
        if !first.contains("list-type=2") {
            return ask(self.server, head, body).await;
        }
        if weather.old_listings
            && let Some(before) = self.listings.lock().get(first).cloned()
        {
            return Ok(before);
        }
        let answer = ask(self.server, head, body).await?;
        self.listings.lock().insert(first.to_owned(), answer.clone());
        Ok(answer)
    }
}

/// The head as it came, and the whole body.
async fn read_request(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    while body.len() < length.unwrap_or(0) {
        if client.read_buf(&mut body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((head, body))
}

/// The server's answer to a request, on a connection of its own.
async fn ask(server: SocketAddr, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut upstream = TcpStream::connect(server).await?;
    let (first, rest) = head.split_once("\r\n").unwrap_or((head, "\r\n"));
    upstream.write_all(format!("{first}\r\nconnection: close\r\n{rest}").as_bytes()).await?;
    upstream.write_all(body).await?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await?;
    Ok(answer)
}
