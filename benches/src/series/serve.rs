//! Serves the targets: one port, a path for each, bodies made as they are asked for.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::node::Node;

/// Answers `/N` with what target N exposes, another scrape each time, until the process ends.
pub fn serve(listener: TcpListener, targets: u64) -> io::Result<()> {
    let node = Arc::new(Node::default());
    let scrapes: Arc<Vec<AtomicU64>> = Arc::new((0..targets).map(|_| AtomicU64::new(0)).collect());
    for connection in listener.incoming() {
        let (connection, node, scrapes) = (connection?, node.clone(), scrapes.clone());
        std::thread::spawn(move || {
            if let Err(error) = answer(connection, &node, &scrapes) {
                eprintln!("a connection ended: {error}");
            }
        });
    }
    Ok(())
}

fn answer(connection: TcpStream, node: &Node, scrapes: &[AtomicU64]) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    let (mut line, mut body) = (String::new(), String::new());
    loop {
        let mut target = None;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            if let Some(rest) = line.strip_prefix("GET /") {
                target = rest.split([' ', '?']).next().and_then(|number| number.parse::<u64>().ok());
            }
        }
        let Some(counter) = target.and_then(|target| scrapes.get(target as usize)) else {
            writer.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        node.body(target.unwrap_or_default(), counter.fetch_add(1, Ordering::Relaxed), &mut body);
        let length = body.len();
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\n\r\n"
        )?;
        writer.write_all(body.as_bytes())?;
    }
}
