//! Damaged and deleted files: each hurts only itself, is counted, and never keeps the server from starting.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use weir_benches::{
    query::{Query, Tally},
    server::Server,
    verify::{Verification, verify},
};

use crate::fixture::{NEVER_SEAL, SMALL, Weir, files, journal_files};

/// What the store has, compared with what was sent, when some of it may be lost.
async fn look(weir: &Weir, server: &Server) -> Verification {
    let query = Arc::new(Query::new(server.query));
    verify(&query, &weir.traffic, &weir.record, None, 0).await.expect("queries answer")
}

/// Nothing there that was not sent, nothing twice; what is missing is exactly what the ledger calls damaged.
fn assert_only_damaged(found: &Verification, sent: u64) {
    assert_eq!((found.duplicated, found.foreign, found.different), (0, 0, 0), "{found}");
    let Tally { accepted, damaged, .. } = found.ledger;
    assert_eq!((accepted, damaged), (sent, found.missing), "{found}");
    assert!(found.ledger.balances(), "{found}");
    assert!(damaged > 0 && damaged < sent, "{found}");
}

#[tokio::test]
async fn a_damaged_segment_hurts_only_itself() {
    let weir = Weir::new(41, SMALL);
    let server = weir.start().await;
    for _ in 0..3 {
        weir.send(&server, 2_000).await;
        weir.sealed(&server).await;
    }
    let exit = server.stop(Duration::from_secs(20)).await.expect("stops");
    assert!(exit.success());
    let victim = largest(&weir.options.data.join("segments"));
    flip(&victim, 0.5);
    let server = weir.start().await;
    // However it is noticed, at start-up or by a query: the rest goes on, and new spans come in.
    let found = look(&weir, &server).await;
    assert_eq!((found.duplicated, found.foreign, found.different), (0, 0, 0), "{found}");
    assert!(found.missing <= 6_000, "{found}");
    weir.send(&server, 1_000).await;
    let query = Query::new(server.query);
    assert!(query.ready().await);
    assert!(query.ledger().await.expect("a ledger").balances());
    let exit = server.stop(Duration::from_secs(20)).await.expect("stops");
    assert!(exit.success());
}

#[tokio::test]
async fn a_lost_catalog_is_made_again_from_the_segments() {
    let weir = Weir::new(42, SMALL);
    let server = weir.start().await;
    weir.send(&server, 3_000).await;
    weir.sealed(&server).await;
    weir.send(&server, 1_000).await;
    server.kill().await.expect("killed");
    for file in files(&weir.options.data) {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("catalog.sqlite")) {
            fs::remove_file(file).expect("deleted");
        }
    }
    let server = weir.start().await;
    weir.verify(&server, None).await;
}

#[tokio::test]
async fn a_damaged_catalog_is_made_again_from_the_segments() {
    let weir = Weir::new(43, SMALL);
    let server = weir.start().await;
    weir.send(&server, 3_000).await;
    weir.sealed(&server).await;
    server.kill().await.expect("killed");
    let catalog = weir.options.data.join("catalog.sqlite");
    let len = fs::metadata(&catalog).expect("a catalog").len();
    File::options()
        .write(true)
        .open(&catalog)
        .expect("opens")
        .write_all_at(&vec![0xa5; len as usize], 0)
        .expect("written");
    let server = weir.start().await;
    weir.verify(&server, None).await;
    weir.send(&server, 500).await;
    weir.verify(&server, None).await;
}

#[tokio::test]
async fn a_damaged_frame_is_counted_and_the_others_are_there() {
    let weir = Weir::new(44, NEVER_SEAL);
    let server = weir.start().await;
    weir.send(&server, 6_000).await;
    server.kill().await.expect("killed");
    // In the middle of the first file: long before the durable mark.
    let first = journal_files(&weir.options.data).remove(0);
    flip(&first, 0.4);
    let server = weir.start().await;
    let found = look(&weir, &server).await;
    assert_only_damaged(&found, 6_000);
    assert!(found.missing <= 200, "one frame: {found}");
    weir.send(&server, 500).await;
    server.kill().await.expect("killed");
    // Counted once, not once at each start.
    let server = weir.start().await;
    let again = look(&weir, &server).await;
    assert_eq!(again.ledger.damaged, found.ledger.damaged, "{again}");
}

#[tokio::test]
async fn a_journal_file_deleted_by_hand_is_counted_as_damaged() {
    let weir = Weir::new(45, NEVER_SEAL);
    let server = weir.start().await;
    weir.send(&server, 8_000).await;
    server.kill().await.expect("killed");
    let files = journal_files(&weir.options.data);
    assert!(files.len() >= 3, "{files:?}");
    fs::remove_file(&files[1]).expect("deleted");
    let server = weir.start().await;
    assert_only_damaged(&look(&weir, &server).await, 8_000);
    weir.send(&server, 500).await;
    let exit = server.stop(Duration::from_secs(20)).await.expect("stops");
    assert!(exit.success());
    let server = weir.start().await;
    assert_only_damaged(&look(&weir, &server).await, 8_500);
}

/// Inverts 16 bytes at this share of the file's length.
fn flip(path: &Path, share: f64) {
    let file = File::options().read(true).write(true).open(path).expect("opens");
    let at = (file.metadata().expect("there").len() as f64 * share) as u64;
    let mut bytes = [0; 16];
    file.read_exact_at(&mut bytes, at).expect("read");
    file.write_all_at(&bytes.map(|byte| !byte), at).expect("written");
}

fn largest(folder: &Path) -> PathBuf {
    files(folder).into_iter().max_by_key(|file| fs::metadata(file).map_or(0, |about| about.len())).expect("a file")
}
