//! `/api/v1/segments` and `/api/v1/archive`: what lies where, how the archive fares, and what it is asked to do.

use serde::Serialize;
use weir_proto::Signal;
use weir_store::{ArchiveCheck, ArchiveStatus, PinStatus, SegmentPlace, Share};

use crate::http::{
    answer::{Answer, Failure},
    call::Call,
    moment::{rfc3339, unix},
    view::OpensViews,
};

const NO_ARCHIVE: &str = "there is no archive: storage.archive.url names one";

#[derive(Debug, Serialize)]
struct SegmentsBody {
    segments: Vec<SegmentBody>,
}

#[derive(Debug, Serialize)]
struct SegmentBody {
    signal: &'static str,
    id: String,
    rows: u64,
    from_ns: String,
    to_ns: String,
    /// `local`, `archive`, or both.
    places: Vec<&'static str>,
    local_bytes: Option<u64>,
    archived: Option<&'static str>,
    archived_bytes: u64,
    object: Option<String>,
    pinned: bool,
}

impl From<SegmentPlace> for SegmentBody {
    fn from(place: SegmentPlace) -> Self {
        let local = place.local_bytes.map(|_| "local");
        Self {
            signal: place.signal.name(),
            id: place.id,
            rows: place.rows,
            from_ns: place.time_ns.0.to_string(),
            to_ns: place.time_ns.1.to_string(),
            places: local.into_iter().chain(place.archived.map(|_| "archive")).collect(),
            local_bytes: place.local_bytes,
            archived: place.archived,
            archived_bytes: place.archived_bytes,
            object: place.object,
            pinned: place.pinned,
        }
    }
}

#[derive(Debug, Serialize)]
struct ArchiveBody {
    url: String,
    away: bool,
    signals: Vec<SignalBody>,
    pins: Vec<PinBody>,
    failing: Vec<FailingBody>,
    check: CheckBody,
}

/// What failed lately and is tried again.
#[derive(Debug, Serialize)]
struct FailingBody {
    what: String,
    error: String,
}

#[derive(Debug, Serialize)]
struct SignalBody {
    signal: &'static str,
    lag_s: u64,
    waiting: ShareBody,
    uploaded: ShareBody,
    committed: ShareBody,
    removed: ShareBody,
}

#[derive(Debug, Serialize)]
struct ShareBody {
    segments: u64,
    rows: u64,
    bytes: u64,
}

impl From<Share> for ShareBody {
    fn from(Share { segments, rows, bytes }: Share) -> Self {
        Self { segments, rows, bytes }
    }
}

#[derive(Debug, Serialize)]
struct PinBody {
    signal: &'static str,
    from_ns: String,
    to_ns: String,
    /// Segments with something in it, and those of them that are on local disk.
    all: ShareBody,
    here: ShareBody,
}

#[derive(Debug, Serialize)]
struct CheckBody {
    running: bool,
    deep: bool,
    checked: u64,
    segments: u64,
    rows: u64,
    findings: Vec<FindingBody>,
    findings_left_out: u64,
    failed: Option<String>,
}

#[derive(Debug, Serialize)]
struct FindingBody {
    object: String,
    what: String,
}

impl From<ArchiveCheck> for CheckBody {
    fn from(check: ArchiveCheck) -> Self {
        let findings = check.findings.into_iter();
        Self {
            running: check.running,
            deep: check.deep,
            checked: check.checked,
            segments: check.segments,
            rows: check.rows,
            findings: findings.map(|finding| FindingBody { object: finding.object, what: finding.what }).collect(),
            findings_left_out: check.findings_left_out,
            failed: check.failed,
        }
    }
}

/// Every segment of the caller's: what is where. `signal` chooses.
pub(in crate::http) fn segments(call: &Call, source: &dyn OpensViews) -> Result<Answer, Failure> {
    let signal = call.first("signal").map(signal_named).transpose()?;
    let places = source.segments(&call.tenant).into_iter();
    let chosen = places.filter(|place| signal.is_none_or(|signal| place.signal == signal));
    Answer::json(&SegmentsBody { segments: chosen.map(SegmentBody::from).collect() }, false)
}

/// How the archive fares.
pub(in crate::http) fn archive(call: &Call, source: &dyn OpensViews) -> Result<Answer, Failure> {
    let Some(status) = source.archive_status(&call.tenant) else {
        return Answer::json(&serde_json::json!({"url": null}), false);
    };
    let ArchiveStatus { url, is_away, signals, pins, failing, check } = status;
    let signals = signals.into_iter().map(|of| SignalBody {
        signal: of.signal.name(),
        lag_s: of.lag_s,
        waiting: of.waiting.into(),
        uploaded: of.uploaded.into(),
        committed: of.committed.into(),
        removed: of.removed.into(),
    });
    let pin = |pin: PinStatus| PinBody {
        signal: pin.signal.name(),
        from_ns: pin.from_ns.to_string(),
        to_ns: pin.to_ns.to_string(),
        all: pin.all.into(),
        here: pin.here.into(),
    };
    let pins = pins.into_iter().map(pin).collect();
    let failing = failing.into_iter().map(|(what, error)| FailingBody { what, error }).collect();
    let (away, signals, check) = (is_away, signals.collect(), check.into());
    Answer::json(&ArchiveBody { url, away, signals, pins, failing, check }, false)
}

/// Begins to look whether everything is there; `deep=true` reads it, too. Answers how far that is.
pub(in crate::http) fn check(call: &Call, source: &dyn OpensViews) -> Result<Answer, Failure> {
    let begun = source.check_archive(call.flag("deep")?);
    let begun = begun.ok_or_else(|| Failure::NotFound(NO_ARCHIVE.to_owned()))?;
    Answer::json(&CheckBody::from(begun), false)
}

/// Keeps what lies between `from` and `to` on local disk; `unpin=true`: no more. `signal` chooses, else it is all that go to the archive.
pub(in crate::http) fn pin(call: &Call, source: &dyn OpensViews) -> Result<Answer, Failure> {
    let range = (moment(call, "from")?, moment(call, "to")?);
    if range.0 > range.1 {
        return Err(Failure::BadRequest("parameter 'from' is after 'to'".to_owned()));
    }
    let is_wanted = !call.flag("unpin")?;
    let signals = match call.first("signal") {
        Some(name) => vec![signal_named(name)?],
        None => Signal::ALL.to_vec(),
    };
    for signal in signals {
        let changed = source.pin(signal, range, is_wanted);
        let changed = changed.ok_or_else(|| Failure::NotFound(NO_ARCHIVE.to_owned()))?;
        changed.map_err(Failure::Execution)?;
    }
    archive(call, source)
}

fn signal_named(name: &str) -> Result<Signal, Failure> {
    let known = Signal::ALL.into_iter().find(|signal| signal.name() == name);
    known.ok_or_else(|| Failure::BadRequest(format!("parameter 'signal': `{name}` is not traces, logs or metrics")))
}

/// RFC 3339, or Unix seconds.
fn moment(call: &Call, name: &str) -> Result<u64, Failure> {
    let text = call.first(name).ok_or_else(|| Failure::BadRequest(format!("parameter '{name}' is missing")))?;
    rfc3339(text).or_else(|| unix(text)).ok_or_else(|| {
        Failure::BadRequest(format!(
            "parameter '{name}': `{text}` is no time; write 2026-01-31T12:00:00Z or Unix seconds"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures::{Held, call};

    #[test]
    fn without_an_archive_it_says_so() {
        let held = Held::default();
        let body = archive(&call(&[], &[]), &held).expect("answers").body;
        assert_eq!(String::from_utf8_lossy(&body), r#"{"url":null}"#);
        assert!(matches!(check(&call(&[], &[]), &held), Err(Failure::NotFound(_))));
        let wrong = [("from", "1"), ("to", "0")];
        assert!(matches!(pin(&call(&[], &wrong), &held), Err(Failure::BadRequest(_))));
        assert!(matches!(segments(&call(&[], &[("signal", "x")]), &held), Err(Failure::BadRequest(_))));
    }
}
