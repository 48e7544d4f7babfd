//! Tests of the catalog: what is committed is there again, all of it or nothing.

use super::*;

fn id(first_file: u32, last_file: u32, generation: u32) -> SegmentId {
    SegmentId { signal: Signal::Traces, tenant: TenantId::default(), first_file, last_file, generation }
}

fn ledger(accepted: u64, rejected: u64) -> BTreeMap<TenantId, Tally> {
    let tally = Tally {
        accepted,
        kept: accepted - 1,
        damaged: 1,
        rejected: BTreeMap::from([("too_old".to_owned(), rejected)]),
        ..Tally::default()
    };
    BTreeMap::from([(TenantId::default(), tally)])
}

async fn open(folder: &Path) -> Catalog {
    Catalog::open(&folder.join("catalog.sqlite")).await.expect("opens")
}

/// What another process would find.
async fn reopened(folder: &Path) -> CatalogState {
    let catalog = open(folder).await;
    let mut state = catalog.state(Signal::Traces).await.expect("readable");
    catalog.close().await;
    state.segments.sort();
    state
}

#[tokio::test]
async fn each_change_is_there_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = open(folder.path()).await;
    assert_eq!(reopened(folder.path()).await, CatalogState::default());
    let empty = CatalogState { first_unsealed_file: Some(1), ..CatalogState::default() };
    catalog.rebuild(Signal::Traces, &empty).await.expect("rebuilt");
    assert_eq!(reopened(folder.path()).await, empty);

    catalog
        .seal(Signal::Traces, 1..3, &[(id(1, 2, 0), 10)], &ledger(11, 2), &SourceCursors::default())
        .await
        .expect("sealed");
    catalog
        .seal(Signal::Traces, 3..4, &[(id(3, 3, 0), 5)], &ledger(6, 1), &SourceCursors::default())
        .await
        .expect("sealed");
    let mut state = reopened(folder.path()).await;
    assert_eq!(state.first_unsealed_file, Some(4));
    assert_eq!(state.segments, [(id(1, 2, 0), 10), (id(3, 3, 0), 5)]);
    let tally = state.ledger.remove(&TenantId::default()).expect("known");
    assert_eq!((tally.accepted, tally.kept, tally.damaged, tally.rejected["too_old"]), (17, 15, 2, 3));

    catalog.merge(&[id(1, 2, 0), id(3, 3, 0)], &id(1, 3, 1), 15).await.expect("merged");
    assert_eq!(reopened(folder.path()).await.segments, [(id(1, 3, 1), 15)]);
    // Retention keeps the ledger; damage moves it.
    catalog
        .seal(Signal::Traces, 4..5, &[(id(4, 4, 0), 5)], &BTreeMap::new(), &SourceCursors::default())
        .await
        .expect("sealed");
    catalog.remove(&[(id(4, 4, 0), 5)], false).await.expect("removed");
    catalog.remove(&[(id(1, 3, 1), 15)], true).await.expect("removed");
    let state = reopened(folder.path()).await;
    let tally = &state.ledger[&TenantId::default()];
    assert_eq!((tally.accepted, tally.kept, tally.damaged), (17, 0, 17));
    assert_eq!((state.segments.len(), state.first_unsealed_file), (0, Some(5)));

    // Rebuilding forgets everything before.
    catalog.rebuild(Signal::Traces, &empty).await.expect("rebuilt");
    assert_eq!(reopened(folder.path()).await, empty);
}

#[tokio::test]
async fn signals_do_not_touch_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = open(folder.path()).await;
    let empty = CatalogState { first_unsealed_file: Some(1), ..CatalogState::default() };
    for signal in Signal::ALL {
        catalog.rebuild(signal, &empty).await.expect("rebuilt");
    }
    // The same files, and the same name.
    let of_logs = SegmentId { signal: Signal::Logs, ..id(1, 2, 0) };
    catalog
        .seal(Signal::Traces, 1..3, &[(id(1, 2, 0), 10)], &ledger(11, 2), &SourceCursors::default())
        .await
        .expect("sealed");
    catalog
        .seal(Signal::Logs, 1..3, &[(of_logs.clone(), 7)], &ledger(8, 0), &SourceCursors::default())
        .await
        .expect("sealed");
    let before = reopened(folder.path()).await;
    assert_eq!(before.segments, [(id(1, 2, 0), 10)]);
    catalog.remove(&[(of_logs.clone(), 7)], true).await.expect("removed");
    assert_eq!(reopened(folder.path()).await, before);
    let logs = catalog.state(Signal::Logs).await.expect("readable");
    assert_eq!((logs.segments.len(), logs.ledger[&TenantId::default()].damaged), (0, 8));
    catalog.rebuild(Signal::Logs, &empty).await.expect("rebuilt");
    assert_eq!(reopened(folder.path()).await, before);
    assert_eq!(catalog.state(Signal::Logs).await.expect("readable"), empty);
}

#[tokio::test]
async fn a_seal_from_elsewhere_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = open(folder.path()).await;
    let empty = CatalogState { first_unsealed_file: Some(1), ..CatalogState::default() };
    catalog.rebuild(Signal::Traces, &empty).await.expect("rebuilt");
    catalog
        .seal(Signal::Traces, 1..3, &[(id(1, 2, 0), 10)], &ledger(11, 0), &SourceCursors::default())
        .await
        .expect("sealed");
    let before = reopened(folder.path()).await;
    let refused =
        catalog.seal(Signal::Traces, 1..4, &[(id(1, 3, 0), 10)], &ledger(11, 0), &SourceCursors::default()).await;
    assert!(matches!(refused, Err(CatalogError::SealedElsewhere { expected: 1, found: 3 })), "{refused:?}");
    // The second segment is listed already: the first is not added either.
    let refused = catalog
        .seal(Signal::Traces, 3..5, &[(id(3, 4, 0), 7), (id(1, 2, 0), 10)], &ledger(8, 0), &SourceCursors::default())
        .await;
    assert!(matches!(refused, Err(CatalogError::Database(_))), "{refused:?}");
    assert_eq!(reopened(folder.path()).await, before);
}

#[tokio::test]
async fn a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = open(folder.path()).await;
    let raised = sqlx::query("UPDATE catalog SET value = 4 WHERE key = 'version'").execute(&catalog.0).await;
    raised.expect("raised");
    catalog.close().await;
    let refused = Catalog::open(&folder.path().join("catalog.sqlite")).await.expect_err("too new");
    assert!(matches!(refused, CatalogError::TooNew { found: 4, supported: 3 }), "{refused}");
}

#[tokio::test]
async fn values_that_nobody_writes_are_an_error() {
    for change in [
        "INSERT INTO ledger VALUES ('traces', 'default', 'eaten', '', 1)",
        "INSERT INTO ledger VALUES ('traces', 'no tenant', 'kept', '', 1)",
        "INSERT INTO segments VALUES ('traces', 'default', '1-2-3', 1)",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = open(folder.path()).await;
        sqlx::query(change).execute(&catalog.0).await.expect("changed");
        let error = catalog.state(Signal::Traces).await.expect_err("unreadable");
        assert!(matches!(error, CatalogError::Unreadable(_)), "{error}");
    }
}

#[tokio::test]
async fn after_a_full_disk_changes_are_durable_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("catalog.sqlite");
    let catalog = Catalog::open(&path).await.expect("new");
    catalog
        .rebuild(Signal::Traces, &CatalogState { first_unsealed_file: Some(1), ..Default::default() })
        .await
        .expect("written");
    let many: Vec<_> = (0..500).map(|file| (id(file, file, 0), 1)).collect();
    for _ in 0..3 {
        // Each connection has its own limit, and a refused change closes its connection.
        sqlx::query("PRAGMA max_page_count = 1").execute(&catalog.0).await.expect("set");
        let refused = catalog
            .seal(Signal::Traces, 1..2, &many, &BTreeMap::new(), &SourceCursors::default())
            .await
            .expect_err("no space");
        assert!(refused.is_refusal() && !refused.is_damage(), "{refused}");
    }
    let moved = catalog
        .seal(Signal::Traces, 7..8, &[], &BTreeMap::new(), &SourceCursors::default())
        .await
        .expect_err("not there");
    assert!(matches!(moved, CatalogError::SealedElsewhere { expected: 7, found: 1 }), "{moved}");
    sqlx::query("PRAGMA max_page_count = 100000").execute(&catalog.0).await.expect("space again");
    catalog.seal(Signal::Traces, 1..2, &many, &BTreeMap::new(), &SourceCursors::default()).await.expect("sealed");
    catalog.seal(Signal::Traces, 2..3, &[], &BTreeMap::new(), &SourceCursors::default()).await.expect("sealed");
    // What another connection sees is committed.
    let state = Catalog::open(&path).await.expect("there").state(Signal::Traces).await.expect("readable");
    assert_eq!((state.first_unsealed_file, state.segments.len()), (Some(3), 500));
}

#[tokio::test]
async fn values_of_a_wrong_type_are_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = open(folder.path()).await;
    for table in ["segments VALUES ('traces', x'ff', 'id', 1)", "ledger VALUES ('traces', 'a', 'kept', '', x'00')"] {
        let insert = format!("DELETE FROM segments; INSERT INTO {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&catalog.0).await.expect("inserted");
        let error = catalog.state(Signal::Traces).await.expect_err("unreadable");
        assert!(error.is_damage(), "{error}");
    }
}

#[tokio::test]
async fn cursors_move_with_the_seal() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = open(folder.path()).await;
    let empty = CatalogState { first_unsealed_file: Some(1), ..CatalogState::default() };
    catalog.rebuild(Signal::Traces, &empty).await.expect("rebuilt");
    let cursors = |pairs: &[(&'static str, &'static str)]| {
        let mut cursors = SourceCursors::default();
        pairs.iter().for_each(|&(source, cursor)| cursors.set(source, cursor));
        cursors
    };
    let none = BTreeMap::new();
    catalog.seal(Signal::Traces, 1..2, &[], &none, &cursors(&[("a", "1"), ("b", "1")])).await.expect("sealed");
    // Not with one that is refused.
    let late = cursors(&[("a", "9")]);
    catalog.seal(Signal::Traces, 1..2, &[], &none, &late).await.expect_err("sealed elsewhere");
    assert_eq!(reopened(folder.path()).await.cursors, cursors(&[("a", "1"), ("b", "1")]));
    catalog.seal(Signal::Traces, 2..3, &[], &none, &cursors(&[("a", "2"), ("b", "")])).await.expect("sealed");
    assert_eq!(reopened(folder.path()).await.cursors, cursors(&[("a", "2")]));
}
