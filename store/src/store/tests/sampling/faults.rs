//! A full disk while verdicts are due, a judge that panics, verdicts that are damaged.

use super::{super::super::Store, *};
use crate::{disk::Disk, lane::errors::AppendError, upkeep::housekeeping};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_delays_verdicts_and_refuses_receivers() {
    let folder = temp_folder();
    for space_bytes in [0, 100] {
        let folder = folder.path().join(space_bytes.to_string());
        std::fs::create_dir(&folder).expect("made");
        let disk = Disk::default();
        let sampling = Script::new().shared();
        let store =
            Sampled::open_with(super::super::options(&folder), disk.clone(), sampling, super::super::clock()).await;
        store.append(0..5).await;
        store.pass(1010);
        store.sample();
        // A journal file that is there has its space: the next one does not.
        store.shared.verdicts().roll().await;
        store.append(5..10).await;
        store.pass(1010);
        disk.faults().set_space_bytes(space_bytes);
        super::super::until("refused", || {
            store.turn();
            store.shared.sampled.is_stuck()
        })
        .await;
        assert_eq!(store.standings(), [kept(0..5), pending(5..10)].concat_all());
        housekeeping::inspect(&store.shared);
        let refusal = store.shared.traces.refusal();
        assert!(matches!(refusal, Some(AppendError::DiskFull)), "{refusal:?}");
        assert!(store.status().waits_for_space);
        store.pass(1000);
        store.turn();
        disk.faults().set_space_bytes(u64::MAX);
        super::super::until("written", || {
            store.turn();
            !store.shared.sampled.is_stuck() && store.standings() == [kept(0..5), dropped(5..10)].concat_all()
        })
        .await;
        housekeeping::inspect(&store.shared);
        assert!(store.shared.traces.refusal().is_none());
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sampler_that_falls_behind_refuses_receivers() {
    let folder = temp_folder();
    let store = Sampled::open(folder.path(), Script::new()).await;
    let refusal = || {
        housekeeping::inspect(&store.shared);
        store.shared.traces.refusal()
    };
    for batch in 0..4 {
        assert!(refusal().is_none());
        store.append(batch * 500..batch * 500 + 500).await;
    }
    let refused = refusal();
    assert!(matches!(refused, Some(AppendError::Busy("sampling has fallen behind"))), "{refused:?}");
    assert_eq!(store.status().lag_spans, 2000);
    // However late it is: all of a trace is taken in before it is decided.
    store.pass(60_000);
    store.sample();
    assert!(refusal().is_none());
    let status = store.status();
    assert_eq!((status.lag_spans, status.late_kept_spans + status.late_dropped_spans), (0, 0));
    assert_eq!(status.kept["wanted"].spans + status.dropped["rest"].spans, 2000);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_judge_that_panics_stops_the_store_and_loses_nothing() {
    let folder = temp_folder();
    let mut script = Script { mood: script::Mood::Panics, ..Script::new() };
    script.options.decision_wait = std::time::Duration::ZERO;
    let sampling = script.shared();
    let clock = super::super::clock();
    let store =
        Store::open_on(Disk::default(), super::super::options(folder.path()), sampling.clone(), clock.clone()).await;
    let store = store.expect("opens");
    let mut batch = spans::batch(&spans::tenant("default"), &[0, 1, 2], clock.now_ns());
    script::mark(&mut batch, &*sampling.expect("a script"));
    store.append_traces(batch).await.expect("appended");
    clock.set(clock.now_ns() + 1_000_000_000);
    assert!(store.failed().await.contains("panicked"));
    assert!(matches!(store.readiness(weir_proto::Signal::Traces), Err(AppendError::Stopped)));
    store.shutdown().await;
    drop(store);
    let store = Sampled::open(folder.path(), Script::new()).await;
    assert_eq!(store.standings(), pending([0, 1, 2]));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_of_the_verdict_journal_stops_the_store() {
    let folder = temp_folder();
    let disk = Disk::default();
    let (sampling, clock) = (Script::new().shared(), super::super::clock());
    let options = super::super::options(folder.path());
    let store = Store::open_on(disk.clone(), options, sampling.clone(), clock.clone()).await.expect("opens");
    let mut batch = spans::batch(&spans::tenant("default"), &[0, 1, 2], clock.now_ns());
    script::mark(&mut batch, &*sampling.expect("a script"));
    store.append_traces(batch).await.expect("appended");
    // The name of its first file, then the verdicts.
    disk.faults().fail_sync(disk.faults().syncs() + 2);
    clock.set(clock.now_ns() + 1_010_000_000);
    let reason = store.failed().await;
    assert!(reason.contains("sync"), "{reason}");
    let view = store.0.shared.views.current();
    assert_eq!(view.verdicts, 1, "the frame was taken in, and nothing decided took effect");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_verdicts_are_made_again() {
    let (folder, copied) = (temp_folder(), temp_folder());
    let store = Sampled::open(folder.path(), Script::new()).await;
    store.append(0..10).await;
    store.pass(1010);
    store.sample();
    store.append(10..20).await;
    store.pass(1010);
    store.sample();
    super::super::copy(folder.path(), copied.path());
    let file = copied.path().join("journal/verdicts/0000000001.journal");
    let mut bytes = std::fs::read(&file).expect("there");
    // In the payload of the first frame.
    let at = bytes.windows(6).position(|window| window == b"wanted").expect("a policy's name");
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let options = super::super::options(copied.path());
    let store_after = Sampled::open_with(options, Disk::default(), Script::new().shared(), store.clock.clone()).await;
    let standings = store_after.standings();
    assert_eq!(standings, [pending(0..10), dropped(10..15), kept(15..20)].concat_all());
    store_after.pass(2000);
    store_after.sample();
    assert_eq!(store_after.standings(), store.standings());
    store.close().await;
    store_after.close().await;
}
