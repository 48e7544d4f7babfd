//! Files of the verdict journal retire, and those that a few cached verdicts pin are written again.

use super::*;

fn verdict_files(store: &Sampled) -> usize {
    super::super::files_below(&store.shared.options.path.join("journal/verdicts")).len()
}

/// Batches of traces, decided and sealed one after the other; a kept trace at first, and only dropped ones later.
async fn decide_many(store: &Sampled, rounds: u64) -> usize {
    let mut most = 0;
    for round in 0..rounds {
        let first = 1000 + round * 1000;
        // Never the span that a trace is kept for.
        store.append((first..first + 300).filter(|n| n % 5 < 2)).await;
        store.pass(1010);
        store.sample();
        store.roll().await;
        store.seal().await;
        store.tidy();
        most = most.max(verdict_files(store));
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_nobody_needs_go() {
    let folder = temp_folder();
    let store = Sampled::open(folder.path(), Script::caching(10)).await;
    let most = decide_many(&store, 40).await;
    assert!(most <= 5, "{most} files and the MARK");
    assert!(store.shared.verdicts().files()[0].number() > 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_cached_verdicts_do_not_pin_a_file() {
    let (folder, copied) = (temp_folder(), temp_folder());
    let store = Sampled::open(folder.path(), Script::caching(10)).await;
    store.append(0..10).await;
    store.pass(1010);
    store.sample();
    let most = decide_many(&store, 40).await;
    assert!((3..=9).contains(&most), "{most} files and the MARK");
    // The kept trace from the beginning is known all the same, and after a stop.
    store.append([3]).await;
    store.turn();
    assert_eq!(store.standings()[&3], store::Standing::Kept("wanted".into()));
    let store = store.kill(copied.path()).await;
    store.append([4]).await;
    store.turn();
    assert_eq!((store.standings()[&3].clone(), store.standings()[&4].clone()), {
        let kept = store::Standing::Kept("wanted".into());
        (kept.clone(), kept)
    });
    assert_eq!(store.status().cached_kept_traces, 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_from_before_a_stop_go() {
    let (folder, copied) = (temp_folder(), temp_folder());
    let store = Sampled::open(folder.path(), Script::caching(10)).await;
    store.append(0..40).await;
    store.pass(1010);
    store.sample();
    let store = store.kill(copied.path()).await;
    assert_eq!(store.status().cached_dropped_traces, 5);
    let most = decide_many(&store, 40).await;
    assert!((3..=9).contains(&most), "{most} files and the MARK");
    assert!(store.shared.verdicts().files()[0].number() > 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_stays_while_an_unsealed_span_needs_it() {
    let (folder, copied) = (temp_folder(), temp_folder());
    let store = Sampled::open(folder.path(), Script::caching(0)).await;
    store.append(0..10).await;
    store.pass(1010);
    store.sample();
    store.roll().await;
    for round in 0..20 {
        let first = 1000 + round * 1000;
        store.append((first..first + 300).filter(|n| n % 5 < 2)).await;
        store.pass(1010);
        store.sample();
        store.tidy();
    }
    let store = store.kill(copied.path()).await;
    assert_eq!(store.standings()[&2], store::Standing::Kept("wanted".into()));
    assert!(verdict_files(&store) > 8);
    store.roll().await;
    store.seal().await;
    store.tidy();
    assert!(verdict_files(&store) <= 2);
    store.close().await;
}
