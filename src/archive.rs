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

/// Looks without progress, after which what fails is said, and no longer waited for.
const IDLE_FAILING: u32 = 10;

/// The same where nothing is said to fail: ten minutes, in which a large segment comes.
const IDLE_MAX: u32 = 2_000;

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
    /// Whether it is the range, or one of the ranges, that was asked for.
    fn is_of(&self, asked: &Asked<'_>) -> bool {
        asked.is_of(&self.signal)
            && self.from_ns.parse::<i128>() == Ok(asked.from_ns)
            && self.to_ns.parse::<i128>() == Ok(asked.to_ns)
    }

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

impl Failing {
    /// Whether it is one of these segments that fails.
    fn is_of(&self, segments: &[Segment]) -> bool {
        segments.iter().any(|Segment { signal, id, .. }| {
            self.what.starts_with(&format!("segment {id} of ")) && self.what.ends_with(&format!("'s {signal}"))
        })
    }
}

#[derive(Debug, Deserialize)]
struct Segments {
    segments: Vec<Segment>,
}

#[derive(Debug, Deserialize)]
struct Segment {
    signal: String,
    id: String,
    from_ns: String,
    to_ns: String,
}

/// The range that somebody wants on local disk.
struct Asked<'a> {
    /// Of all when there is none.
    signal: Option<&'a str>,
    from_ns: i128,
    to_ns: i128,
}

impl Asked<'_> {
    fn is_of(&self, signal: &str) -> bool {
        self.signal.is_none_or(|asked| asked == signal)
    }

    /// Whether something of the segment lies in it.
    fn has(&self, segment: &Segment) -> bool {
        let (Ok(from_ns), Ok(to_ns)) = (segment.from_ns.parse::<i128>(), segment.to_ns.parse::<i128>()) else {
            return false;
        };
        self.is_of(&segment.signal) && from_ns <= self.to_ns && self.from_ns <= to_ns
    }
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
        false => {
            let signal = options.signal.as_deref();
            let (from_ns, to_ns) = (i128::from(from_ms) * 1_000_000, i128::from(to_ms) * 1_000_000);
            wait_for(&server, &Asked { signal, from_ns, to_ns })?
        }
    };
    print(&status);
    Ok(ExitCode::SUCCESS)
}

/// Follows how what is pinned comes back to local disk. Whoever ends this ends only the watching.
fn wait_for(server: &Server, asked: &Asked<'_>) -> anyhow::Result<Status> {
    let (mut last, mut idle) = (String::new(), 0_u32);
    loop {
        let status = status(server)?;
        let coming: Vec<String> = (status.pins.iter())
            .filter(|pin| pin.is_of(asked) && !pin.is_done())
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
        let is_due = idle > 0 && idle.is_multiple_of(IDLE_FAILING);
        if idle > IDLE_MAX || is_due && (status.away || fails(server, &status, asked)?) {
            print(&status);
            bail!("not everything is on local disk yet: weir goes on, `weir archive status` says how far it is");
        }
        server.wait(TICK);
    }
}

/// Whether a segment fails of which something lies in the range.
fn fails(server: &Server, status: &Status, asked: &Asked<'_>) -> anyhow::Result<bool> {
    if status.failing.is_empty() {
        return Ok(false);
    }
    let answered = server.get("/api/v1/segments")?;
    if answered.status != 200 {
        bail!("{}", refusal(&answered.body));
    }
    let Segments { mut segments } =
        serde_json::from_slice(&answered.body).context("the answer is not what was expected")?;
    segments.retain(|segment| asked.has(segment));
    Ok(status.failing.iter().any(|failing| failing.is_of(&segments)))
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
    fn only_the_range_that_was_asked_for_is_followed() {
        let share = |segments| Share { segments, rows: 0, bytes: 0 };
        let pin = |signal: &str, from_ns: &str, to_ns: &str| Pin {
            signal: signal.to_owned(),
            from_ns: from_ns.to_owned(),
            to_ns: to_ns.to_owned(),
            all: share(2),
            here: share(1),
        };
        let of = |signal| Asked { signal, from_ns: 1_000_000, to_ns: 9_000_000 };
        for (pin, signal, expected) in [
            (pin("traces", "1000000", "9000000"), None, true),
            (pin("traces", "1000000", "9000000"), Some("traces"), true),
            (pin("logs", "1000000", "9000000"), Some("traces"), false),
            (pin("traces", "1000000", "8000000"), None, false),
        ] {
            assert_eq!(pin.is_of(&of(signal)), expected, "{pin:?}");
        }
        let segment = |id: &str, from_ns: &str, to_ns: &str| Segment {
            signal: "traces".to_owned(),
            id: id.to_owned(),
            from_ns: from_ns.to_owned(),
            to_ns: to_ns.to_owned(),
        };
        let mut segments =
            vec![segment("1-1-0", "0", "1000000"), segment("1-1-1", "9000001", "9000002"), segment("2-2-0", "5", "6")];
        segments.retain(|segment| of(None).has(segment));
        assert_eq!(segments.iter().map(|segment| segment.id.as_str()).collect::<Vec<_>>(), ["1-1-0"]);
        for (what, expected) in [
            ("segment 1-1-0 of default's traces", true),
            ("segment 1-1-0 of default's logs", false),
            ("segment 1-1-1 of default's traces", false),
            ("the table of default's traces", false),
        ] {
            let failing = Failing { what: what.to_owned(), error: "no".to_owned() };
            assert_eq!(failing.is_of(&segments), expected, "{what}");
        }
    }

    #[test]
    fn sizes_are_in_their_unit() {
        assert_eq!([size(5), size(2048), size(3 << 29)], ["5 B", "2.0 KiB", "1.5 GiB"]);
        assert_eq!(refusal(br#"{"error": "there is no archive"}"#), "there is no archive");
        assert_eq!(refusal(br#"{"error": {"code": 400, "message": "no such signal"}}"#), "no such signal");
        assert_eq!(refusal(b"not JSON\n"), "not JSON");
        assert_eq!(shown("1700000000000000000"), "2023-11-14T22:13:20Z");
    }
}
