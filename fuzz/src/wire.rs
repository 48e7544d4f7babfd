//! Bytes from the network: the scan, what is transcoded to be scanned, tracestates.

use weir_proto::{
    exposition::{Entry, Exposition, TextFormat},
    otlp::{
        json::{TranscodeLimits, transcode_traces},
        metrics,
        traces::{
            Attributes, Checks, KeySet, Limits, ScanError, ScannedSpan, SpanView, ValueView, array_values, canonical,
            key_values, scan, scan_chosen,
        },
    },
    remote_write::{self, WriteVersion},
    tracestate::{OtelState, Threshold, adjusted_count, write},
    zipkin::{TranscodeOptions, transcode_spans},
};

const LIMITS: Limits = Limits { depth_max: 16, attributes_max: 64, span_bytes_max: 4096 };
/// Of what comes out of JSON.
const BYTES_MAX: usize = 1 << 20;

/// What admission takes, replay takes, and both see the same; the selective scan shows the same spans as the whole one; what needs
/// merging is read in one pass after it was merged.
pub fn otlp_scan(payload: &[u8]) {
    let admitted = spans_of(payload, Checks::Admission(LIMITS));
    let replayed = spans_of(payload, Checks::Journalled);
    match (&admitted, &replayed) {
        (Ok(admitted), Ok(replayed)) => assert!(same(admitted.iter(), replayed.iter()), "admission sees other spans"),
        (Ok(_), Err(error)) => panic!("admitted, but not replayed: {error}"),
        (Err(ScanError::NotCanonical), _) => {
            if let Ok(merged) = canonical(payload) {
                spans_of(&merged, Checks::Admission(LIMITS)).expect("merged bytes are canonical");
            }
        }
        (Err(_), _) => {}
    }
    let Ok(spans) = &admitted else { return };
    for skip in [1, 2, 3] {
        let every = || spans.iter().skip(skip - 1).step_by(skip);
        let mut chosen = Vec::new();
        let ordinals = every().map(|span| span.ordinal);
        scan_chosen(payload, ordinals, |span| chosen.push(*span)).expect("the whole scan went well");
        assert!(same(every(), chosen.iter()), "the selective scan shows other spans");
    }
    for span in spans.iter().filter(|span| span.fault.is_none()) {
        look_through(span);
    }
}

/// What JSON becomes, the scan takes.
pub fn otlp_json(json: &[u8]) {
    let limits = TranscodeLimits { depth_max: LIMITS.depth_max, bytes_max: BYTES_MAX };
    if let Ok(payload) = transcode_traces(json, limits) {
        assert!(payload.len() <= json.len().min(BYTES_MAX), "protobuf is the shorter one");
        spans_of(&payload, Checks::Admission(LIMITS)).expect("what comes out is canonical");
        otlp_scan(&payload);
    }
}

/// What Zipkin's JSON becomes, the scan takes.
pub fn zipkin(json: &[u8]) {
    for parse_string_tags in [false, true] {
        let options =
            TranscodeOptions { parse_string_tags, received_at_ns: 1_700_000_000_000_000_000, bytes_max: BYTES_MAX };
        if let Ok(payload) = transcode_spans(json, options) {
            assert!(payload.len() <= BYTES_MAX);
            assert!(payload.len() <= json.len() * weir_proto::zipkin::EXPANSION_MAX, "longer than is accounted for");
            spans_of(&payload, Checks::Admission(LIMITS)).expect("what comes out is canonical");
            otlp_scan(&payload);
        }
    }
}

/// A threshold that was written is read back, and writing it again changes nothing.
pub fn tracestate(trace_state: &[u8]) {
    let before = OtelState::read(trace_state);
    assert!(adjusted_count(trace_state) >= 1.0);
    let threshold = Threshold::new(0x80_0000_0000_0000);
    let mut once = Vec::new();
    if !write(trace_state, threshold, None, &mut once) {
        assert_eq!(once, trace_state, "left as it was");
        return;
    }
    let after = OtelState::read(&once);
    assert_eq!((after.threshold, after.randomness), (threshold, before.randomness));
    let mut twice = Vec::new();
    assert!(write(&once, threshold, None, &mut twice), "what was written is well formed");
    assert_eq!(once, twice);
}

/// With key sets that claim the keys that are there.
fn spans_of(payload: &[u8], checks: Checks) -> Result<Vec<ScannedSpan<'_>>, ScanError> {
    let mut spans = Vec::new();
    scan(payload, checks, |span| spans.push(*span))?;
    for view in spans.iter().map(|span: &ScannedSpan<'_>| &span.span) {
        for attribute in view.attributes.raw() {
            assert!(view.keys.may_share(KeySet::of(attribute.key)), "a key is not claimed: {attribute:?}");
        }
    }
    Ok(spans)
}

/// Compares everything but the faults, of which replay knows from the frame, and the sets of keys, which are admission's.
fn same<'a>(
    some: impl ExactSizeIterator<Item = &'a ScannedSpan<'a>>,
    others: impl ExactSizeIterator<Item = &'a ScannedSpan<'a>>,
) -> bool {
    let text = |span: &ScannedSpan<'a>| {
        let view = SpanView { keys: KeySet::ALL, ..span.span };
        format!("{:?}", ScannedSpan { fault: None, span: view, ..*span })
    };
    some.len() == others.len() && some.zip(others).all(|(one, other)| text(one) == text(other))
}

/// Reads all that admission has vouched for: nothing of it ends early.
fn look_through(span: &ScannedSpan<'_>) {
    let span_view = &span.span;
    for attributes in [&span_view.attributes, &span.resource.attributes, &span.scope.attributes] {
        look_at_attributes(attributes);
    }
    assert_eq!(span_view.events.iter().count(), span_view.events.len());
    assert_eq!(span_view.links.iter().count(), span_view.links.len());
    for event in span_view.events.iter() {
        look_at_attributes(&event.attributes);
    }
    for link in span_view.links.iter() {
        look_at_attributes(&link.attributes);
    }
}

fn look_at_attributes(attributes: &Attributes<'_>) {
    assert_eq!(attributes.iter().count(), attributes.len());
    for (attribute, raw) in attributes.iter().zip(attributes.raw()) {
        assert_eq!(attribute.key, raw.key);
        if let Some(text) = raw.short_text() {
            assert!(matches!(attribute.value, ValueView::Str(same) if same == text));
        }
        look_at_value(attribute.value);
    }
}

/// Nesting is bounded: admission refuses what is deeper.
fn look_at_value(value: ValueView<'_>) {
    match value {
        ValueView::Str(text) => assert!(std::str::from_utf8(text).is_ok(), "admitted, but not UTF-8"),
        ValueView::Array(array) => array_values(array).for_each(look_at_value),
        ValueView::KvList(list) => key_values(list).for_each(|entry| look_at_value(entry.value)),
        _ => {}
    }
}

/// Any bytes as what a target exposes, in both formats: an end, or words; a series that is recalled is read like one that is not.
pub fn exposition(bytes: &[u8]) {
    for format in [TextFormat::Prometheus, TextFormat::OpenMetrics] {
        let mut lengths = Vec::new();
        let mut values = Vec::new();
        let mut exposition = Exposition::new(bytes, format);
        let ended = loop {
            match exposition.next(|_| None) {
                Ok(Some(Entry::Sample(sample))) => {
                    for (name, _) in exposition.pairs().iter() {
                        assert!(!name.is_empty() || sample.series.contains(&b'"'), "a name of nothing");
                    }
                    lengths.push(sample.series.len());
                    values.push((sample.value.to_bits(), sample.time_ms));
                }
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let (mut known, mut again) = (lengths.iter(), Vec::new());
        let mut exposition = Exposition::new(bytes, format);
        while let Ok(Some(entry)) = exposition.next(|_| known.next().copied()) {
            if let Entry::Sample(sample) = entry {
                again.push((sample.value.to_bits(), sample.time_ms));
            }
        }
        assert!(!ended || again == values, "recalled lines differ");
    }
}

/// Any bytes as a remote write request of both versions, and as OTLP metrics: an error, or whole parts.
pub fn remote_write(bytes: &[u8]) {
    for version in [WriteVersion::V1, WriteVersion::V2] {
        let _ = remote_write::walk(
            version,
            bytes,
            |series| {
                for histogram in series.histograms.iter().filter_map(|(_, _, histogram)| histogram.as_ref().ok()) {
                    let buckets: u64 = histogram.positive_spans.iter().map(|span| u64::from(span.length)).sum();
                    assert_eq!(buckets, histogram.positive_counts.len() as u64);
                }
            },
            |_| (),
        );
    }
    let limits = Limits { depth_max: 64, attributes_max: 1024, span_bytes_max: 1 << 20 };
    let _ = metrics::scan(bytes, Checks::Admission(limits), |scanned| {
        for message in scanned.metric.points() {
            if let Ok((point, _)) = metrics::NumberPoint::read(message, limits) {
                point.attributes().iter().for_each(|attribute| drop(metrics::in_words(attribute.value)));
            }
            let _ = metrics::HistogramPoint::read(message, limits);
            let _ = metrics::ExponentialPoint::read(message, limits);
            let _ = metrics::SummaryPoint::read(message, limits);
        }
    });
}
