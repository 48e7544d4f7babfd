//! Stands between a client and a real S3 server, and does to requests and answers what networks and busy servers do.

use std::{
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
pub(super) struct Weather {
    /// 503 SlowDown, nothing done.
    pub(super) unavailable: u64,
    /// 409 at a write, nothing done.
    pub(super) conflict: u64,
    /// The server does it, and nobody hears of it.
    pub(super) lost_reply: u64,
    /// Half of the answer comes.
    pub(super) truncated: u64,
    /// Half of the answer comes, and then nothing any more.
    pub(super) hanging: u64,
    /// A bit of an answer's body is another.
    pub(super) flipped_down: u64,
    /// A bit of a request's body is another.
    pub(super) flipped_up: u64,
    /// 403.
    pub(super) denied: u64,
    /// Connections end as soon as they stand.
    pub(super) away: bool,
}

/// A proxy that runs until it is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    server: SocketAddr,
    weather: Mutex<Weather>,
    draws: AtomicU64,
    requests: AtomicU64,
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("bound");
        let (draws, requests) = (AtomicU64::new(0), AtomicU64::new(0));
        let shared = Arc::new(Shared { server, weather: Mutex::default(), draws, requests });
        let of_task = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = of_task.clone();
                tokio::spawn(async move { drop(shared.serve(client).await) });
            }
        });
        Self { address, shared, task }
    }

    pub(super) fn weather(&self, weather: Weather) {
        *self.shared.weather.lock() = weather;
    }

    pub(super) fn requests(&self) -> u64 {
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
        let mut answer = ask(self.server, &head, &body).await?;
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
        client.write_all(&answer).await?;
        if hangs {
            // Until the client has had enough.
            while client.read(&mut [0; 64]).await? > 0 {}
        }
        Ok(())
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
