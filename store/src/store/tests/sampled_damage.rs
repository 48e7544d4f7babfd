//! Lost and broken files among sampled spans: the ledger stays exact, or says what is not known any more.

use super::{
    by_hand::Verdicts,
    check,
    sampled::{by_rule, check_record, kept, records},
    spans::{self, tenant},
    *,
};
use crate::{
    ledger::{HEAD_SAMPLER, Tally, UNKNOWN_POLICY},
    store::TracesBatch,
};

fn dropped_by(tally: &Tally, policy: &str) -> u64 {
    tally.dropped.get(policy).copied().unwrap_or(0)
}

#[tokio::test]
async fn a_damaged_frame_hurts_only_what_would_have_been_kept() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let tenant = tenant("default");
    let mut verdicts = Verdicts::default();
    let mut sent = Numbers::new();
    for batch in 0..4 {
        sent.extend(store.append_sampled(&tenant, batch * 15..batch * 15 + 15).await);
    }
    store.roll().await;
    verdicts.take_in(&store.shared);
    verdicts.decide(&store.shared, by_rule(0..60));
    let view = store.shared.views.current();
    let file = &view.traces.files[0];
    let broken: Vec<_> = file.frames(file.end()).map(|frame| frame.offset.position()).skip(1).take(2).collect();
    // Of the second frame the header, of the third the payload.
    let path = file.journal().path().to_owned();
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[broken[0] as usize + 40] ^= 1;
    bytes[broken[1] as usize + 400] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    drop(view);

    let before = check::tally(&store.snapshot(), &tenant);
    assert_eq!((before.accepted, before.kept, dropped_by(&before, "some"), before.damaged), (60, 40, 20, 0));
    let sealed = store.seal_run().await.expect("decided");
    assert_eq!(sealed.frames_read, 4);
    let lost: Numbers = (15..45).collect();
    let left: Numbers = kept(&sent).difference(&lost).copied().collect();
    for life in 0..2 {
        let found = records(&store.snapshot(), &tenant, &sent);
        assert_eq!(found.keys().copied().collect::<Numbers>(), left, "life {life}");
        found.iter().for_each(|(&n, record)| check_record(n, record));
        let tally = check::tally(&store.snapshot(), &tenant);
        assert_eq!((tally.accepted, tally.kept, dropped_by(&tally, "some"), tally.damaged), (60, 20, 20, 20));
        assert!(store.shared.views.current().sampled.by_tenant.is_empty());
    }
    store.close().await;
    let again = StillStore::open(folder.path()).await;
    assert_eq!(check::tally(&again.snapshot(), &tenant).damaged, 20);
}

/// Appends and seals: two files that are kept in part, one that is dropped whole, one kept in part.
async fn four_runs(folder: &Path) -> StillStore {
    let store = StillStore::open(folder).await;
    let (red, blue) = (tenant("red"), tenant("blue"));
    let mut verdicts = Verdicts::default();
    for file in 0..4 {
        // Traces 2, 5, 8 are dropped.
        let numbers: Vec<u64> = if file == 2 {
            [10, 25, 40].map(|first| first..first + 5).into_iter().flatten().collect()
        } else {
            (0..15).collect()
        };
        store.append_sampled(&red, numbers.iter().map(|n| file * 150 + n)).await;
        // Of blue only the first file has anything that is kept.
        store.append_sampled(&blue, if file == 0 { 0..15 } else { 10..15 }).await;
        store.roll().await;
        verdicts.take_in(&store.shared);
        verdicts.decide(&store.shared, by_rule(0..1000));
        assert!(store.seal().await);
    }
    store
}

#[tokio::test]
async fn a_lost_catalog_takes_the_names_of_policies_with_it_at_most() {
    for merged in [false, true] {
        let folder = temp_folder();
        let store = four_runs(folder.path()).await;
        let before = store.snapshot().ledger();
        if merged {
            assert!(store.merge().await || store.segments() == 4);
        }
        store.close().await;
        std::fs::remove_file(folder.path().join("catalog.sqlite")).expect("there");
        for _ in 0..2 {
            let store = StillStore::open(folder.path()).await;
            let after = store.snapshot().ledger();
            // The newest segment of red is that of the last run: it knows of the third one, too.
            assert_eq!(after.traces[&tenant("red")], before.traces[&tenant("red")]);
            // The segment of blue is older than what was dropped last.
            let (was, is) = (&before.traces[&tenant("blue")], &after.traces[&tenant("blue")]);
            assert_eq!((was.accepted, was.kept, dropped_by(was, "some")), (30, 10, 20));
            assert_eq!((is.accepted, is.kept, is.damaged, &is.rejected), (30, 10, 0, &was.rejected));
            assert_eq!((dropped_by(is, "some"), dropped_by(is, UNKNOWN_POLICY)), (5, 15));
            assert!(is.balances());
            store.close().await;
        }
    }
}

/// A batch of which head sampling took `head_dropped` spans.
fn thinned(tenant: &TenantId, numbers: std::ops::Range<u64>, head_dropped: u32) -> TracesBatch {
    let batch = spans::batch(tenant, &Vec::from_iter(numbers), clock().now_ns());
    TracesBatch { head_dropped, ..batch }
}

#[tokio::test]
async fn what_head_sampling_dropped_stays_in_the_ledger() {
    let folder = temp_folder();
    let tenant = tenant("default");
    let store = StillStore::open(folder.path()).await;
    let tally = |store: &StillStore| {
        let tally = check::tally(&store.snapshot(), &tenant);
        (tally.accepted, tally.kept, dropped_by(&tally, HEAD_SAMPLER), tally.damaged)
    };
    store.append_batch(thinned(&tenant, 0..10, 90)).await;
    // A batch that was dropped whole.
    store.append_batch(thinned(&tenant, 0..0, 100)).await;
    assert_eq!(tally(&store), (200, 10, 190, 0));
    store.roll().await;
    store.append_batch(thinned(&tenant, 10..20, 5)).await;
    store.roll().await;
    store.append_batch(thinned(&tenant, 20..30, 7)).await;
    assert_eq!(tally(&store), (232, 30, 202, 0));
    store.close().await;
    let store = StillStore::open(folder.path()).await;
    assert_eq!(tally(&store), (232, 30, 202, 0));
    assert!(store.seal().await);
    assert_eq!(tally(&store), (232, 30, 202, 0));
    store.close().await;

    // The second file is gone, with the catalog or without: what head sampling dropped of it is known all the same.
    for catalog_too in [false, true] {
        let copied = temp_folder();
        copy(folder.path(), copied.path());
        std::fs::remove_file(copied.path().join("journal/traces/0000000002.journal")).expect("there");
        if catalog_too {
            std::fs::remove_file(copied.path().join("catalog.sqlite")).expect("there");
        }
        for life in 0..3 {
            let store = StillStore::open(copied.path()).await;
            assert_eq!(tally(&store), (232, 20, 202, 10), "catalog too: {catalog_too}, life {life}");
            if life == 1 {
                store.roll().await;
                while store.seal().await {}
                assert_eq!(tally(&store), (232, 20, 202, 10));
            }
            store.close().await;
        }
    }
}
