//! Tenants do not see each other, also when their trace ids are the same.

use super::{check, spans::tenant, *};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_with_the_same_trace_ids_do_not_see_each_other() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let (red, blue, nobody) = (tenant("red"), tenant("blue"), tenant("nobody"));
    let (mut of_red, mut of_blue) = (Numbers::new(), Numbers::new());
    let check = |store: &StillStore, of_red: &Numbers, of_blue: &Numbers| {
        let all: Numbers = of_red.union(of_blue).copied().collect();
        for (tenant, sent) in [(&red, of_red), (&blue, of_blue), (&nobody, &Numbers::new())] {
            let snapshot = store.snapshot();
            assert_eq!(check::visible(&snapshot, tenant, &all), *sent);
            check::answers(&snapshot, tenant, sent);
        }
        assert!(!store.snapshot().ledger().traces.contains_key(&nobody));
    };
    for round in 0..8 {
        // Spans of one trace alternate between the two; red has more and other operations.
        let numbers = round * 40..round * 40 + 40;
        of_red.extend(store.append(&red, numbers.clone().filter(|n| n % 2 == 0 || n % 7 == 3)).await);
        of_blue.extend(store.append(&blue, numbers.filter(|n| n % 2 == 1 && n % 7 != 3)).await);
        check(&store, &of_red, &of_blue);
        store.roll().await;
        if round % 2 == 1 {
            assert!(store.seal().await);
            check(&store, &of_red, &of_blue);
        }
    }
    while store.seal().await {}
    let sealed = store.segments();
    while store.merge().await {}
    assert!(store.segments() < sealed, "nothing was merged");
    check(&store, &of_red, &of_blue);
    store.close().await;
    let again = StillStore::open(folder.path()).await;
    check(&again, &of_red, &of_blue);
}
