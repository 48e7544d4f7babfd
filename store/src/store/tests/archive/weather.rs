//! The whole store before a real S3 server in bad weather: whatever becomes of requests and answers, no row is lost or doubled here, in
//! the archive, or in its table.

use super::*;
use crate::archive::bucket::tests::{
    proxy::{Proxy, Weather},
    s3::server,
};

/// Steps that may fail before one goes through.
const TRIES_MAX: u64 = 100;

/// Longer than whatever failed rests, and than the bucket counts as away.
const LATER_NS: u64 = 61 * SECOND_NS;

fn weathers() -> Vec<(&'static str, Weather)> {
    let fair = Weather::default();
    vec![
        ("fair", fair.clone()),
        ("a third is refused", Weather { unavailable: 300, ..fair.clone() }),
        ("a tenth conflicts", Weather { conflict: 100, ..fair.clone() }),
        ("replies are lost", Weather { lost_reply: 150, ..fair.clone() }),
        ("answers are cut", Weather { truncated: 150, ..fair.clone() }),
        ("bits of requests are flipped", Weather { flipped_up: 100, ..fair.clone() }),
        ("bits of answers are flipped", Weather { flipped_down: 50, ..fair.clone() }),
        ("answers are slow", Weather { bytes_per_s: 32 << 10, ..fair.clone() }),
        ("listings are old", Weather { old_listings: true, ..fair.clone() }),
        (
            "everything",
            Weather { unavailable: 300, conflict: 100, lost_reply: 50, truncated: 50, flipped_down: 20, ..fair },
        ),
    ]
}

/// A store whose archive is behind a proxy.
struct Place {
    proxy: Proxy,
    clock: Clock,
    prefix: String,
}

impl Place {
    fn options(&self, folder: &Path) -> StoreOptions {
        let archive = ArchiveOptions {
            segment_bytes_min: 0,
            commit_interval: Duration::ZERO,
            endpoint: Some(format!("http://{}", self.proxy.address)),
            path_style: true,
            allow_http: true,
            access_key_id: Some("testkey".to_owned()),
            secret_access_key: Some("testsecret".to_owned()),
            ..ArchiveOptions::new(format!("s3://weir/{}", self.prefix))
        };
        StoreOptions { archive: Some(archive), size_bytes_max: Some(0), ..options(folder) }
    }

    fn later(&self) {
        self.clock.set(self.clock.now_ns() + LATER_NS);
    }

    /// Opens it, at the first try that goes through.
    async fn open(&self, folder: &Path) -> StillStore {
        for _ in 0..TRIES_MAX {
            match StillStore::try_open(self.options(folder), Disk::default(), self.clock.clone()).await {
                Ok(store) => return store,
                Err(error) => println!("not opened: {error}"),
            }
            self.later();
        }
        panic!("it does not open");
    }

    /// Archives until all is done.
    async fn archive(&self, store: &StillStore, weather: &str) {
        for _ in 0..TRIES_MAX {
            let done = store.archive().await;
            let is_all = store.stages().iter().all(|(_, stage)| *stage == Stage::Committed);
            if done.is_ok() && is_all && store.stages().len() == store.segments() {
                return;
            }
            self.later();
        }
        panic!("{weather}: it does not end: {:?}", store.stages());
    }
}

/// What is read in bad weather is right, or says that something is missing.
fn answers_or_says_so(store: &StillStore, sent: &Numbers, weather: &str) {
    let snapshot = store.snapshot();
    let mut whole = Numbers::new();
    for trace in spans::traces_of(sent.iter().copied()) {
        let read = snapshot.trace_up_to(&tenant("default"), trace, 100).expect("readable");
        let found: Numbers = read.rows.iter().map(spans::number_of).collect();
        let wanted: Numbers = sent.iter().copied().filter(|&n| spans::trace_of(n) == trace).collect();
        assert!(found.is_subset(&wanted) && found.len() == read.rows.len(), "{weather}: {found:?}");
        assert!(read.is_damaged || found == wanted, "{weather}: {found:?} of {wanted:?}, and nobody says so");
        whole.extend(found);
    }
    println!("{weather}: {} of {} spans read", whole.len(), sent.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_weather_loses_or_doubles_a_row() {
    let Some(server) = server().await else { return };
    let folder = temp_folder();
    let clock = Clock::fixed(spans::start_ns(100_000));
    let place =
        Place { proxy: Proxy::start(server.address).await, clock, prefix: format!("weather/{}", std::process::id()) };
    let store = place.open(folder.path()).await;
    let (mut sent, mut next) = (Numbers::new(), 0);
    for (weather, of_proxy) in weathers() {
        sent.extend(segments(&store, next..next + 20).await);
        next += 20;
        place.proxy.weather(of_proxy);
        place.archive(&store, weather).await;
        // From here on they are read from there.
        store.apply_retention().await;
        answers_or_says_so(&store, &sent, weather);
        place.proxy.weather(Weather::default());
        assert_eq!(store.table_rows().await, sent.len() as u64, "{weather}");
        place.later();
        store.shows_all(&tenant("default"), &sent);
        let tally = check::tally(&store.snapshot(), &tenant("default"));
        assert_eq!((tally.accepted, tally.kept, tally.damaged), (next, next, 0), "{weather}");
    }
    // While nobody is there, or nobody may, everything stays here.
    for of_proxy in [Weather { away: true, ..Weather::default() }, Weather { denied: 1000, ..Weather::default() }] {
        sent.extend(segments(&store, next..next + 20).await);
        next += 20;
        place.proxy.weather(of_proxy);
        for _ in 0..5 {
            store.archive().await.expect_err("no");
            place.later();
        }
        store.apply_retention().await;
        let view = store.shared.views.current();
        assert_eq!(view.all_segments().filter(|segment| !segment.is_archived()).count(), 2);
        place.proxy.weather(Weather::default());
        place.later();
        place.archive(&store, "fair again").await;
        store.apply_retention().await;
        assert_eq!(store.table_rows().await, sent.len() as u64);
        store.shows_all(&tenant("default"), &sent);
    }
    let archive = store.shared.archive.clone().expect("there is one");
    archive.begin_check(true);
    until("checked", || !archive.check_status().running).await;
    let check = archive.check_status();
    assert_eq!((check.findings, check.failed, check.rows), (Vec::new(), None, sent.len() as u64));
    drop(archive);
    let before = check::tally(&store.snapshot(), &tenant("default"));
    store.leave().await;
    // The bucket alone, in whatever weather that changes no byte.
    for (weather, of_proxy) in weathers().into_iter().filter(|(_, of_proxy)| of_proxy.flipped_down == 0) {
        let anew = temp_folder();
        place.proxy.weather(of_proxy);
        let store = place.open(anew.path()).await;
        place.proxy.weather(Weather::default());
        place.later();
        assert_eq!((store.segments(), store.archived_segments()), (sent.len() / 10, sent.len() / 10), "{weather}");
        store.shows_all(&tenant("default"), &sent);
        assert_eq!(check::tally(&store.snapshot(), &tenant("default")), before, "{weather}");
        store.leave().await;
    }
}
