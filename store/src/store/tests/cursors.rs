//! Where sources stand: durable with their lines, wherever those lie, and when the catalog is lost.

use super::{lines, spans::tenant, *};
use crate::head::LineSummaries;

fn cursors(store: &Store) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    store.line_cursors().iter().map(|(source, cursor)| (text(source), text(cursor))).collect()
}

async fn append(store: &Store, numbers: &[u64], stands: &[(&str, &str)]) {
    let mut batch = lines::batch(&tenant("a"), if numbers.is_empty() { &[0][..] } else { numbers });
    if numbers.is_empty() {
        batch.items = 0;
        batch.payload = Vec::<u8>::new().into();
        batch.summaries = LineSummaries::default();
    }
    for (source, cursor) in stands {
        batch.cursors.set(source.as_bytes().to_vec(), cursor.as_bytes().to_vec());
    }
    store.append_logs(batch).await.expect("appended");
}

fn pairs(stands: &[(&str, &str)]) -> Vec<(String, String)> {
    stands.iter().map(|(source, cursor)| ((*source).to_owned(), (*cursor).to_owned())).collect()
}

#[tokio::test]
async fn the_newest_cursor_counts_wherever_its_lines_lie() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    append(&store, &[1, 2], &[("x", "1"), ("y", "1")]).await;
    store.roll().await;
    until_settled(&store).await;
    assert_eq!(cursors(&store), pairs(&[("x", "1"), ("y", "1")]), "sealed");
    append(&store, &[3], &[("x", "2"), ("z", "1")]).await;
    append(&store, &[4], &[("y", "")]).await;
    let expected = pairs(&[("x", "2"), ("z", "1")]);
    assert_eq!(cursors(&store), expected, "in the journal");
    store.shutdown().await;
    drop(store);

    let store = open(options(folder.path())).await;
    assert_eq!(cursors(&store), expected, "recovered");
    store.roll().await;
    until_settled(&store).await;
    assert_eq!(cursors(&store), expected, "sealed after a start");
    store.shutdown().await;
    drop(store);

    // A catalog that is lost is made again with them.
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("catalog.sqlite{suffix}")));
    }
    let store = open(options(folder.path())).await;
    assert_eq!(cursors(&store), expected, "without a catalog");
    store.shutdown().await;
}

#[tokio::test]
async fn a_frame_without_lines_may_have_cursors() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    append(&store, &[], &[("x", "end")]).await;
    store.roll().await;
    until_settled(&store).await;
    assert_eq!(cursors(&store), pairs(&[("x", "end")]));
    append(&store, &[1], &[]).await;
    store.shutdown().await;
    drop(store);
    let store = open(options(folder.path())).await;
    assert_eq!(cursors(&store), pairs(&[("x", "end")]));
    store.shutdown().await;
}
