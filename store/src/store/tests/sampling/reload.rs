//! Another configuration while Weir runs, and sampling switched off and on.

use std::{
    sync::{atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::*;
use crate::{disk::Disk, sampling::ReloadError};

/// Wants the fourth span of every trace; what [`script::every_third`] wants was wanted before.
fn other() -> Script {
    Script { generation: 2, wants: |n| n % 5 == 3, wanted: script::every_third, ..Script::new() }
}

async fn reload(store: &mut Sampled, script: Option<Script>) -> Result<(), ReloadError> {
    let sampling = script.and_then(Script::shared);
    store.shared.sampled.reload(sampling.clone())?;
    store.shared.traces.journal.roll().await;
    store.sampling = sampling;
    Ok(())
}

fn standing(keep: bool) -> store::Standing {
    if keep { store::Standing::Kept("wanted".into()) } else { store::Standing::Dropped("rest".into()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_are_judged_as_when_they_began() {
    let folder = temp_folder();
    let mut store = Sampled::open(folder.path(), Script::new()).await;
    store.append([0, 5, 16]).await;
    store.pass(500);
    reload(&mut store, Some(other())).await.expect("taken");
    assert_eq!(reload(&mut store, Some(Script { generation: 3, ..other() })).await, Err(ReloadError::StillPending));
    // Traces 0, 1 and 3 began before: only the third span of trace 0 and 3 counts. Traces 2 and 4 begin now.
    store.append([2, 8, 18, 12, 23]).await;
    store.sample();
    assert_eq!(reload(&mut store, Some(Script { generation: 3, ..other() })).await, Err(ReloadError::StillPending));
    store.pass(510);
    store.sample();
    let decided = |store: &Sampled, n| store.standings()[&n].clone();
    assert_eq!(
        [0, 2, 5, 8, 16, 18].map(|n| decided(&store, n)),
        [true, true, false, false, false, false].map(standing)
    );
    assert_eq!([12, 23].map(|n| decided(&store, n)), [store::Standing::Pending, store::Standing::Pending]);
    let third = Script { generation: 3, wants: |_| true, wanted: |n| n % 5 == 3, ..Script::new() };
    reload(&mut store, Some(third)).await.expect("nothing of the first is pending");
    store.pass(600);
    store.sample();
    assert_eq!([12, 23].map(|n| decided(&store, n)), [standing(false), standing(true)]);
    store.append([25]).await;
    store.pass(1010);
    store.sample();
    assert_eq!(decided(&store, 25), standing(true));
    assert_eq!(store.status().generation, 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_judge_goes_on_from_what_was_learned() {
    let folder = temp_folder();
    let mut store = Sampled::open(folder.path(), Script { mood: script::Mood::Learns, ..Script::new() }).await;
    store.append(0..10).await;
    store.pass(1010);
    store.sample();
    reload(&mut store, Some(Script { mood: script::Mood::Learns, ..other() })).await.expect("taken");
    store.append(10..15).await;
    store.sample();
    let policies = store.status().policies;
    assert_eq!((&policies["observed"], &policies["used"]), (&15.into(), &2.into()));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_was_marked_before_a_reload_is_marked_again() {
    let folder = temp_folder();
    let mut store = Sampled::open(folder.path(), Script::new()).await;
    let admitted_by = store.sampling.clone();
    reload(&mut store, Some(other())).await.expect("taken");
    let now = std::mem::replace(&mut store.sampling, admitted_by);
    store.append([2, 8]).await;
    store.sampling = now;
    store.pass(1010);
    store.sample();
    assert_eq!([2, 8].map(|n| store.standings()[&n].clone()), [standing(false), standing(true)]);
    let same = reload(&mut store, Some(other())).await;
    assert_eq!(same, Err(ReloadError::SameGeneration { generation: 2 }));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sampling_is_switched_off_and_on() {
    let folders = [temp_folder(), temp_folder(), temp_folder()];
    let mut store = Sampled::open(folders[0].path(), Script::new()).await;
    store.append([0, 2, 5]).await;
    store.pass(1010);
    store.sample();
    store.append([1, 6, 10]).await;
    store.sample();
    // Off: what has a verdict keeps it, what has none is kept, what comes is not sampled.
    store.sampling = None;
    let store = store.kill(folders[1].path()).await;
    store.pass(10);
    store.sample();
    store.append([7, 11]).await;
    store.sample();
    let off = store::Standing::Kept("sampling_off".into());
    let wanted: Standings = [
        kept([0, 1, 2]),
        dropped([5, 6]),
        Standings::from([(10, off.clone())]),
        Standings::from([7, 11].map(|n| (n, store::Standing::Unsampled))),
    ]
    .concat_all();
    assert_eq!(store.standings(), wanted);
    assert_eq!(store.shared.sampled.undecided_from(), crate::Offset(u64::MAX));
    // On again, with other policies: nothing of that changes.
    let mut store = store;
    store.sampling = other().shared();
    let mut store = store.kill(folders[2].path()).await;
    assert_eq!(store.standings(), wanted);
    store.append([13]).await;
    store.sample();
    assert_eq!(store.standings()[&13], store::Standing::Pending);
    reload(&mut store, None).await.expect("off");
    store.pass(1010);
    store.sample();
    assert_eq!(store.standings()[&13], standing(true), "by the judge under whom it began");
    store.append([18]).await;
    assert_eq!(store.standings()[&18], store::Standing::Unsampled);
    store.roll().await;
    store.seal().await;
    let sent: Numbers = [0, 1, 2, 5, 6, 7, 10, 11, 13, 18].into();
    assert_eq!(store.visible(&sent), [0, 1, 2, 7, 10, 11, 13, 18].into());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_pending_traces_are_marked_until_the_last_is_decided() {
    let folder = temp_folder();
    let script = Script::new();
    let is_retired = script.is_retired.clone();
    let mut store = Sampled::open(folder.path(), script).await;
    store.append([0, 5]).await;
    store.pass(500);
    let admitted_by = store.sampling.clone();
    reload(&mut store, None).await.expect("off");
    store.sampling = admitted_by;
    // Trace 0 gets the span that makes it worth keeping; trace 2 begins now.
    store.append([2, 10]).await;
    store.pass(10);
    store.sample();
    assert!(!is_retired.load(Ordering::Relaxed));
    let off = store::Standing::Kept("sampling_off".into());
    assert_eq!(store.standings(), [pending([0, 2, 5]), Standings::from([(10, off.clone())])].concat_all());
    store.pass(510);
    store.sample();
    assert_eq!(store.standings(), [kept([0, 2]), dropped([5]), Standings::from([(10, off)])].concat_all());
    assert!(is_retired.load(Ordering::Relaxed), "nobody has to mark spans any more");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_another_follows_does_not_retire() {
    let folder = temp_folder();
    let script = Script::new();
    let is_retired = script.is_retired.clone();
    let mut store = Sampled::open(folder.path(), script).await;
    reload(&mut store, Some(other())).await.expect("taken");
    store.sample();
    assert!(!store.status().reloading);
    assert!(!is_retired.load(Ordering::Relaxed), "receivers may still mark spans with it");
    store.close().await;
}

/// Done once, as the next view is swapped in.
static MEANWHILE: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

fn meanwhile(_: &View) {
    let act = MEANWHILE.lock().take();
    if let Some(act) = act {
        act();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_does_not_come_between_marks_and_their_frame() {
    let folder = temp_folder();
    let (options, clock) = (super::super::options(folder.path()), super::super::clock());
    let store = Sampled::open_watched(options, Disk::default(), Script::new().shared(), clock, meanwhile).await;
    store.append([0]).await;
    store.sample();
    let (state, next) = (store.shared.sampled.clone(), other().shared());
    let (threads, started) = mpsc::channel();
    // The frame is marked and not fed yet: if nothing holds the reload up, it is done before that.
    *MEANWHILE.lock() = Some(Box::new(move || {
        let (reload, began) = (std::thread::spawn(move || state.reload(next)), Instant::now());
        while !reload.is_finished() && began.elapsed() < Duration::from_millis(100) {
            std::thread::yield_now();
        }
        threads.send(reload).expect("somebody waits for it");
    }));
    store.append([2]).await;
    started.recv().expect("started").join().expect("no panic").expect("taken");
    store.pass(1010);
    store.sample();
    assert_eq!(store.standings(), kept([0, 2]));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_stands_still_while_weir_is_down() {
    let (folder, copied) = (temp_folder(), temp_folder());
    let store = Sampled::open(folder.path(), Script::new()).await;
    store.append([0]).await;
    store.pass(600);
    store.append([5]).await;
    store.sample();
    super::super::copy(folder.path(), copied.path());
    let (options, clock) = (super::super::options(copied.path()), store.clock.clone());
    store.close().await;
    clock.set(clock.now_ns() + 3_600_000_000_000);
    let store = Sampled::open_with(options, Disk::default(), Script::new().shared(), clock).await;
    store.sample();
    assert_eq!(store.standings(), pending([0, 5]));
    store.pass(390);
    store.sample();
    assert_eq!(store.standings(), pending([0, 5]));
    store.pass(20);
    store.sample();
    assert_eq!(store.standings(), [dropped([0]), pending([5])].concat_all());
    store.close().await;
}
