//! Sizes and speeds. With `WEIR_FIGURES=<batches of 1000>` in a release build the speeds are worth reading.

use crate::{
    ask::{
        filter::ScanFilter,
        pruned::{Pruned, ReadCounts},
        request::ReadBounds,
        search::NewestTraces,
    },
    disk::Disk,
    ledger::Tally,
    segment::{Builder as _, SpanBuilder, merge, write_segment},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prost::Message;
use weir_proto::otlp::traces::{Checks, scan};

use super::{
    id,
    searching::{offer, request},
    shop::Shop,
};

/// Bytes a span may take on disk, index included.
const SPAN_BYTES_MAX: f64 = 45.0;

/// Time on the processor of this thread so far; where the system does not tell, of the clock.
fn now(start: Instant) -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ns = spent.and_then(|text| text.split(' ').next()?.parse().ok());
    ns.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

#[test]
fn a_span_is_small_on_disk() {
    let batches = std::env::var("WEIR_FIGURES").ok().and_then(|text| text.parse().ok()).unwrap_or(12usize);
    let folder = match std::env::var("WEIR_FIGURES_DIR") {
        Ok(path) => tempfile::Builder::new().disable_cleanup(true).tempdir_in(path).expect("a folder"),
        Err(_) => tempfile::tempdir().expect("a folder"),
    };
    let start = Instant::now();
    let level = std::env::var("WEIR_FIGURES_LEVEL").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut shop = Shop::new(20);
    let mut segments = Vec::new();
    for part in 0..2u32 {
        let payloads: Vec<Vec<u8>> = (0..batches / 2).map(|_| shop.batch(1000).encode_to_vec()).collect();
        let payload_bytes: usize = payloads.iter().map(Vec::len).sum();
        let started = now(start);
        let mut attributes = 0;
        for payload in &payloads {
            scan(payload, Checks::Journalled, |span| attributes += span.span.attributes.iter().count())
                .expect("own bytes");
        }
        let scanned = now(start) - started;
        let started = now(start);
        let mut builder = SpanBuilder::new();
        for payload in &payloads {
            builder.push_payload(payload, &[]).expect("own bytes");
        }
        let pushed = now(start) - started;
        let rows = builder.rows();
        let started = now(start);
        let segment =
            write_segment(&Disk::default(), folder.path(), &id(part + 1, part + 1, 0), &builder, Tally::default(), 1)
                .expect("written");
        println!(
            "seal: {rows} spans of {} B, {} attributes; scan {} ns, push {} ns, write {} ns, {:.1} B on disk (index {:.2}), {:.0} B in memory a span",
            payload_bytes as u64 / rows,
            attributes as u64 / rows,
            scanned.as_nanos() as u64 / rows,
            pushed.as_nanos() as u64 / rows,
            (now(start) - started).as_nanos() as u64 / rows,
            segment.bytes() as f64 / rows as f64,
            segment.manifest.index.as_ref().expect("written").bytes as f64 / rows as f64,
            builder.memory_bytes() as f64 / rows as f64,
        );
        segments.push(Arc::new(segment));
    }
    let started = now(start);
    let merged = merge(&Disk::default(), folder.path(), &id(1, 2, 1), &segments, level, &|| false).expect("merged");
    let rows = merged.rows();
    let took = (now(start) - started).as_nanos() as u64 / rows;
    let bytes = merged.bytes() as f64 / rows as f64;
    println!("merge: {took} ns a span, {bytes:.1} B on disk a span, {} B held open", merged.memory_bytes());
    if std::env::var_os("WEIR_FIGURES").is_some() {
        print_columns(&merged);
        print_lookups(&merged);
    }
    // Development builds have tiny pages and row groups, which carry as much overhead as rows.
    assert!(cfg!(debug_assertions) || batches < 200 || bytes <= SPAN_BYTES_MAX, "{bytes} B a span");
    assert_eq!(rows, batches as u64 / 2 * 2000);
}

fn print_columns(segment: &crate::segment::Segment) {
    let mut columns: Vec<(i64, i64, String)> = (segment.specs().iter().enumerate())
        .map(|(number, spec)| {
            let chunks = segment.metadata.row_groups().iter().map(|group| group.column(number));
            let bytes = chunks.clone().map(|chunk| chunk.compressed_size()).sum();
            let plain = chunks.map(|chunk| chunk.uncompressed_size()).sum();
            let first = segment.metadata.row_group(0).column(number);
            let encodings: Vec<_> = first.encodings().collect();
            (bytes, plain, format!("{} {encodings:?} {:?}", spec.name, first.compression()))
        })
        .collect();
    columns.sort();
    for (bytes, plain, name) in columns.into_iter().rev() {
        let rows = segment.rows() as f64;
        println!("{:7.3} B ({:7.3} plain) {name}", bytes as f64 / rows, plain as f64 / rows);
    }
}

/// Offers the traces of the newest rows of each part, newest parts first.
fn read_newest(segment: &crate::segment::Segment, filter: &ScanFilter, limit: usize, newest: &mut NewestTraces) {
    let request = request(filter);
    let mut parts = segment.parts(filter, &mut Pruned::default(), &|| false).expect("intact");
    parts.sort_by_key(|part| std::cmp::Reverse(part.start_ns.1));
    for part in parts.iter().filter(|part| part.start_ns.1 > 0) {
        let bounds =
            ReadBounds { start_min_ns: newest.floor_ns(), newest: Some(limit.saturating_mul(12)), rows_max: None };
        offer(&segment.read_part(part, &request, &bounds, &ReadCounts::default()).expect("intact"), newest);
    }
}

fn print_lookups(segment: &crate::segment::Segment) {
    let mut newest = NewestTraces::new(200);
    let start = Instant::now();
    let started = now(start);
    read_newest(segment, &ScanFilter::default(), 200, &mut newest);
    println!("search for anything: {:?}", (now(start) - started));
    let traces = newest.into_traces();
    let started = now(start);
    let spans: usize = traces.iter().map(|&trace| segment.trace(trace).expect("intact").len()).sum();
    println!("trace by id: {:?} each, {} spans", (now(start) - started) / traces.len() as u32, spans / traces.len());
    let started = now(start);
    let located = segment.locate(&traces[..20], usize::MAX).expect("intact").expect("no bound");
    let mut of_traces = vec![crate::ask::span::TraceRows::default(); 20];
    segment.read_located(&located, &mut |_| true, &mut of_traces).expect("intact");
    let spans: usize = of_traces.iter().map(|trace| trace.rows.len()).sum();
    println!("20 traces in one pass: {:?}, {spans} spans", now(start) - started);
    for (key, value) in [
        ("exception.type", "none"),
        ("exception.type", "TimeoutError"),
        ("order.id", "ord_none"),
        ("feature.flag", "flag-3"),
        ("http.response.status_code", "500"),
        ("user.id", "user-77"),
    ] {
        let tags = vec![crate::ask::tag::TagFilter::attribute(key, value)];
        let filter = ScanFilter { tags, ..Default::default() };
        for limit in [20, 1_000_000] {
            let mut newest = NewestTraces::new(limit);
            let started = now(start);
            read_newest(segment, &filter, limit, &mut newest);
            println!("search {key}={value}: {:?}, {} traces", now(start) - started, newest.into_traces().len());
        }
    }
}
