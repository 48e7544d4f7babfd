//! What sealing costs when most spans are dropped. With `WEIR_FIGURES=<batches of 1000>` in a release build the times are worth
//! reading; `valgrind --tool=callgrind --toggle-collect=weir_store::store::sealer::seal` counts instructions.

use prost::Message;
use weir_proto::otlp::traces::{Checks, scan};

use super::{
    by_hand::Verdicts,
    spans::{self, tenant},
    *,
};
use crate::{
    head::{BatchSummaries, SpanRows},
    segment::tests::shop::Shop,
    store::TracesBatch,
};

/// Time on the processor of this thread so far.
fn cpu_ns() -> u64 {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    spent.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

fn batch(shop: &mut Shop) -> TracesBatch {
    let payload = shop.batch(1000).encode_to_vec();
    let mut summaries = BatchSummaries::with_capacity(1000);
    scan(&payload, Checks::Journalled, |scanned| {
        summaries.push(scanned.ordinal, scanned.resource_ordinal, &scanned.resource, &scanned.span);
    })
    .expect("own bytes");
    let items = summaries.len() as u32;
    let empty = spans::batch(&tenant("default"), &[], clock().now_ns());
    TracesBatch { payload: payload.into(), items, summaries, generation: 1, ..empty }
}

#[tokio::test]
async fn a_span_that_is_dropped_costs_little() {
    let batches = std::env::var("WEIR_FIGURES").ok().and_then(|text| text.parse().ok()).unwrap_or(6u64);
    for kept_of_100 in [0, 5, 20, 100] {
        let folder = temp_folder();
        let options = StoreOptions {
            journal_file_bytes_max: 64 << 20,
            seal_bytes_max: 256 << 20,
            commit_bytes_max: 1 << 20,
            ..options(folder.path())
        };
        let store = StillStore::open_with(options, Disk::default(), clock()).await;
        let mut shop = Shop::new(30);
        for _ in 0..batches {
            store.append_batch(batch(&mut shop)).await;
        }
        store.roll().await;
        let mut verdicts = Verdicts::default();
        verdicts.take_in(&store.shared);
        verdicts.decide(&store.shared, |trace| {
            let keep = u64::from(trace.0[3]) * 256 + u64::from(trace.0[4]) < kept_of_100 * 65536 / 100;
            Some(("some", keep, if kept_of_100 == 100 { 1.0 } else { 100.0 / kept_of_100.max(1) as f64 }))
        });
        let before = store.snapshot().ledger().traces[&tenant("default")].clone();
        let shared = store.shared.clone();
        let (sealed, spent_ns) = tokio::task::spawn_blocking(move || {
            let files = crate::upkeep::run::next_run::<SpanRows>(&shared).expect("decided");
            let started = cpu_ns();
            let sealed = super::super::sealer::seal(&shared, &files).expect("sealed");
            (sealed, cpu_ns() - started)
        })
        .await
        .expect("no panic");
        let after = store.snapshot().ledger().traces[&tenant("default")].clone();
        assert_eq!(before, after);
        println!(
            "{kept_of_100} % kept: {:.0} ns per arrived span, {} kept of {}, {} frames read, {} passed over",
            spent_ns as f64 / after.accepted as f64,
            after.kept,
            after.accepted,
            sealed.frames_read,
            sealed.frames_passed_over,
        );
    }
}
