//! Stops of every kind: what was acknowledged is there again, with or without the catalog.

use super::{spans::tenant, *};

/// Appends two batches and closes the journal file.
async fn fill_file(store: &StillStore, sent: &mut Numbers) {
    let first = sent.len() as u64;
    for start in [first, first + 14] {
        sent.extend(store.append(&tenant("default"), start..start + 14).await);
    }
    store.roll().await;
}

/// Opens copies of the folder as it is now: as after `kill -9`, the same without a catalog, and with a ruined one.
async fn comes_back(folder: &Path, sent: &Numbers) {
    for catalog in ["as it is", "gone", "ruined"] {
        let copied = temp_folder();
        copy(folder, copied.path());
        for name in ["catalog.sqlite", "catalog.sqlite-wal"].map(|name| copied.path().join(name)) {
            match catalog {
                // What is left of it says nothing then.
                "gone" if !name.ends_with("catalog.sqlite-wal") => std::fs::remove_file(name).expect("removed"),
                "ruined" => std::fs::write(name, "neither a database nor a log of one. ".repeat(999)).expect("written"),
                _ => {}
            }
        }
        for life in 0..3 {
            let store = StillStore::open(copied.path()).await;
            eprintln!("catalog {catalog}, life {life}");
            store.shows_all(&tenant("default"), sent);
            if life == 1 {
                store.settle().await;
                store.shows_all(&tenant("default"), sent);
            }
            store.close().await;
        }
        assert_eq!(copied.path().join("quarantine/catalog.sqlite").exists(), catalog == "ruined");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_under_way_comes_back() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let mut sent = Numbers::new();
    comes_back(folder.path(), &sent).await;
    for _ in 0..3 {
        fill_file(&store, &mut sent).await;
    }
    comes_back(folder.path(), &sent).await;
    assert!(store.seal().await);
    comes_back(folder.path(), &sent).await;
    for _ in 0..2 {
        fill_file(&store, &mut sent).await;
    }
    while store.seal().await {}
    let held = store.snapshot();
    assert!(store.merge().await);
    // The merged segment's inputs are still there: a snapshot names them.
    comes_back(folder.path(), &sent).await;
    drop(held);
    comes_back(folder.path(), &sent).await;
    fill_file(&store, &mut sent).await;
    sent.extend(store.append(&tenant("default"), 10_000..10_003).await);
    comes_back(folder.path(), &sent).await;
    store.close().await;
    comes_back(folder.path(), &sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_seal_is_done_again() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let red = store.append(&tenant("red"), 0..10).await;
    let blue = store.append(&tenant("blue"), 10..20).await;
    store.roll().await;
    let half_sealed = temp_folder();
    copy(folder.path(), half_sealed.path());
    assert!(store.seal().await);
    // As if the stop had come between the segments of the two.
    let segment = "segments/traces/red/0000000001-0000000001-0";
    for file in ["spans.parquet", "traces.idx", "manifest.json"] {
        let to = half_sealed.path().join(segment);
        std::fs::create_dir_all(&to).expect("made");
        std::fs::copy(folder.path().join(segment).join(file), to.join(file)).expect("copied");
    }
    for catalog_too in [false, true] {
        let copied = temp_folder();
        copy(half_sealed.path(), copied.path());
        if catalog_too {
            std::fs::remove_file(copied.path().join("catalog.sqlite")).expect("removed");
        }
        let store = StillStore::open(copied.path()).await;
        for _ in 0..2 {
            store.shows_all(&tenant("red"), &red);
            store.shows_all(&tenant("blue"), &blue);
            store.settle().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_shut_down_opens_as_it_was() {
    let folder = temp_folder();
    let mut sent = Numbers::new();
    for life in 0..4 {
        let store = open(options(folder.path())).await;
        sent.extend(append_all(&store, &tenant("default"), life * 100..life * 100 + 87).await);
        if life == 2 {
            store.roll().await;
            until_settled(&store).await;
        }
        store.shutdown().await;
        let refused = append(&store, &tenant("default"), &[999_999]).await;
        assert!(matches!(refused, Err(AppendError::Stopped)), "{refused:?}");
        drop(store);
        let still = StillStore::open(folder.path()).await;
        still.shows_all(&tenant("default"), &sent);
        still.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_dropped_gives_its_folder_back() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let sent = append_all(&store, &tenant("default"), 0..50).await;
    let threads = std::sync::Arc::downgrade(&store.0.shared);
    let snapshot = store.snapshot();
    drop(store);
    until("its threads have ended", || threads.strong_count() == 0).await;
    let lock = std::fs::File::open(folder.path().join("LOCK")).expect("there");
    until("the folder is given back", || lock.try_lock().is_ok()).await;
    drop(lock);
    assert_eq!(check::visible(&snapshot, &tenant("default"), &sent), sent);
    let again = open(options(folder.path())).await;
    let snapshot = again.snapshot();
    assert_eq!(check::visible(&snapshot, &tenant("default"), &sent), sent);
    again.shutdown().await;
}
