//! `weir archive`: asks a running weir how its archive fares, and has it do something there.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use serde::Deserialize;
use weir_proto::time::Clock;

use crate::{
    cli::{ArchiveCommand, PinOptions},
    rules::{moment, server::Server},
};

/// How often progress is asked for.
const TICK: Duration = Duration::from_millis(300);

/// Looks without progress before what fails is said, and no longer waited for.
const IDLE_MAX: u32 = 10;

#[derive(Debug, Deserialize)]
struct Status {
    url: Option<String>,
    #[serde(default)]
    away: bool,
    #[serde(default)]
    signals: Vec<OfSignal>,
    #[serde(default)]
    pins: Vec<Pin>,
    #[serde(default)]
    failing: Vec<Failing>,
    check: Option<Check>,
}

#[derive(Debug, Deserialize)]
struct OfSignal {
    signal: String,
    lag_s: u64,
    waiting: Share,
    uploaded: Share,
    committed: Share,
    removed: Share,
}

#[derive(Debug, Deserialize)]
struct Share {
    segments: u64,
    rows: u64,
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Pin {
    signal: String,
    from_ns: String,
    to_ns: String,
    all: Share,
    here: Share,
}

impl Pin {
    /// How far it is.
    fn progress(&self) -> String {
        let (here, all) = (&self.here, &self.all);
        let sizes = (size(here.bytes), size(all.bytes));
        format!("{} of {} segments, {} of {} are here", here.segments, all.segments, sizes.0, sizes.1)
    }

    fn is_done(&self) -> bool {
        self.here.segments == self.all.segments
    }
}

#[derive(Debug, Deserialize)]
struct Failing {
    what: String,
    error: String,
}

#[derive(Debug, Deserialize)]
struct Check {
    running: bool,
    checked: u64,
    segments: u64,
    rows: u64,
    findings: Vec<Finding>,
    findings_left_out: u64,
    failed: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    object: String,
    what: String,
}

/// Runs one of the commands.
pub(crate) fn run(command: &ArchiveCommand) -> anyhow::Result<ExitCode> {
    match command {
        ArchiveCommand::Status { url } => {
            let server = Server::new(url)?;
            print(&status(&server)?);
            Ok(ExitCode::SUCCESS)
        }
        ArchiveCommand::Verify { deep, url } => verify(&Server::new(url)?, *deep),
        ArchiveCommand::Pin(options) => pin(options),
    }
}

fn status(server: &Server) -> anyhow::Result<Status> {
    let answered = server.get("/api/v1/archive")?;
    if answered.status != 200 {
        bail!("{}", refusal(&answered.body));
    }
    let status: Status = serde_json::from_slice(&answered.body).context("the answer is not what was expected")?;
    if status.url.is_none() {
        bail!("there is no archive: storage.archive.url names one");
    }
    Ok(status)
}

fn print(status: &Status) {
    let away = if status.away { " (does not answer)" } else { "" };
    println!("{}{away}", status.url.as_deref().unwrap_or_default());
    println!("{:<8} {:<26} {:>9} {:>15} {:>10}", "signal", "", "segments", "rows", "size");
    for of in &status.signals {
        let shares = [
            ("on local disk only", &of.waiting),
            ("uploaded", &of.uploaded),
            ("in the table", &of.committed),
            ("removed, not deleted yet", &of.removed),
        ];
        for (what, share) in shares {
            let size = size(share.bytes);
            println!("{:<8} {what:<26} {:>9} {:>15} {size:>10}", of.signal, share.segments, share.rows);
        }
        if of.lag_s > 0 {
            println!("{:<8} overdue by {}", of.signal, moment::length(of.lag_s as i64 * 1000));
        }
    }
    for pin in &status.pins {
        let (from, to) = (shown(&pin.from_ns), shown(&pin.to_ns));
        println!("{:<8} stays on local disk: {from} to {to} ({})", pin.signal, pin.progress());
    }
    for Failing { what, error } in &status.failing {
        println!("fails, and is tried again: {what}: {error}");
    }
}

/// Begins a check, follows it, and says what it found. Fails when something is missing.
fn verify(server: &Server, deep: bool) -> anyhow::Result<ExitCode> {
    let answered = server.form("/api/v1/archive/check", &[("deep", if deep { "true" } else { "false" })])?;
    if answered.status != 200 {
        bail!("{}", refusal(&answered.body));
    }
    let mut last = u64::MAX;
    let check = loop {
        let check = status(server)?.check.context("the answer says nothing of a check")?;
        if check.checked != last {
            last = check.checked;
            eprintln!("{} of {} segments, {} rows", check.checked, check.segments, check.rows);
        }
        if !check.running {
            break check;
        }
        server.wait(TICK);
    };
    for finding in &check.findings {
        println!("{}: {}", finding.object, finding.what);
    }
    if check.findings_left_out > 0 {
        println!("and {} more", check.findings_left_out);
    }
    if let Some(failed) = check.failed {
        bail!("the check did not come to its end: {failed}");
    }
    let found = check.findings.len() as u64 + check.findings_left_out;
    println!("{} segments, {} rows: {}", check.checked, check.rows, if found == 0 { "all there" } else { "not whole" });
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn pin(options: &PinOptions) -> anyhow::Result<ExitCode> {
    let now_ms = (Clock::system().now_ns() / 1_000_000) as i64;
    let from_ms = moment::read(&options.from, now_ms).map_err(anyhow::Error::msg).context("--from")?;
    let to_ms = moment::read(&options.to, now_ms).map_err(anyhow::Error::msg).context("--to")?;
    if from_ms > to_ms {
        bail!("--from is after --to");
    }
    // As ns, which nobody takes for another unit.
    let (from, to) = (format!("{from_ms}000000"), format!("{to_ms}000000"));
    let mut fields = vec![("from", from.as_str()), ("to", to.as_str())];
    if options.remove {
        fields.push(("unpin", "true"));
    }
    if let Some(signal) = &options.signal {
        fields.push(("signal", signal.as_str()));
    }
    let server = Server::new(&options.url)?;
    let answered = server.form("/api/v1/archive/pin", &fields)?;
    if answered.status != 200 {
        bail!("{}", refusal(&answered.body));
    }
    let status = match options.remove {
        true => status(&server)?,
        false => wait_for_pins(&server)?,
    };
    print(&status);
    Ok(ExitCode::SUCCESS)
}

/// Follows how what is pinned comes back to local disk. Whoever ends this ends only the watching.
fn wait_for_pins(server: &Server) -> anyhow::Result<Status> {
    let (mut last, mut idle) = (String::new(), 0);
    loop {
        let status = status(server)?;
        let coming: Vec<String> = (status.pins.iter())
            .filter(|pin| !pin.is_done())
            .map(|pin| format!("{}: {}", pin.signal, pin.progress()))
            .collect();
        if coming.is_empty() {
            return Ok(status);
        }
        let said = coming.join("; ");
        if said == last {
            idle += 1;
        } else {
            eprintln!("{said}");
            (last, idle) = (said, 0);
        }
        // It goes on trying, and says so.
        if idle > IDLE_MAX && (status.away || !status.failing.is_empty()) {
            print(&status);
            bail!("not everything is on local disk yet: weir goes on, `weir archive status` says how far it is");
        }
        server.wait(TICK);
    }
}

/// The server's own words.
fn refusal(body: &[u8]) -> String {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &answer["error"];
    let words = error["message"].as_str().or_else(|| error.as_str()).map(str::to_owned);
    words.unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned())
}

fn shown(ns: &str) -> String {
    ns.parse::<i64>().map_or_else(|_| ns.to_owned(), |ns| moment::shown(ns / 1_000_000))
}

fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, shift)| bytes >> shift > 0);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(unit, shift)| format!("{:.1} {unit}", bytes as f64 / (1u64 << shift) as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_their_unit() {
        assert_eq!([size(5), size(2048), size(3 << 29)], ["5 B", "2.0 KiB", "1.5 GiB"]);
        assert_eq!(refusal(br#"{"error": "there is no archive"}"#), "there is no archive");
        assert_eq!(refusal(br#"{"error": {"code": 400, "message": "no such signal"}}"#), "no such signal");
        assert_eq!(refusal(b"not JSON\n"), "not JSON");
        assert_eq!(shown("1700000000000000000"), "2023-11-14T22:13:20Z");
    }
}
