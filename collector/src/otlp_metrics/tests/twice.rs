//! Points of one series at one time, and deltas that come late: what is stored, and what the sender is told.

use weir_proto::metrics::{LabelMatcher, METRIC_NAME, MatchOp};
use weir_store::SeriesSamples;

use super::*;

const NOW_MS: u64 = NOW_NS / 1_000_000;

/// A store, and what takes metrics in: anew when it is told.
struct Served {
    store: Store,
    intake: MetricsIntake,
    _folder: tempfile::TempDir,
}

/// What a counter of the metric `n` says: its scope, its start and its time after [`NOW_MS`], its value.
type Said<'s> = (&'s str, u64, u64, u64);

impl Served {
    async fn new(change: impl FnOnce(&mut MetricsConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store =
            Store::open(StoreOptions::new(folder.path()), None, Clock::fixed(NOW_NS)).await.expect("a new store");
        let mut config = MetricsConfig::default();
        change(&mut config);
        let intake = MetricsIntake::new(config, SampleDoor::new(&store, AcceptWindow::default()));
        Self { store, intake, _folder: folder }
    }

    /// As after a crash: only the store knows anything.
    fn crash(&mut self) {
        let door = SampleDoor::new(&self.store, AcceptWindow::default());
        self.intake = MetricsIntake::new(self.intake.config.clone(), door);
    }

    /// A request with a ScopeMetrics for each; answers how many points were taken, and what is said of the rest.
    async fn send(&self, temporality: u32, all: &[Said<'_>]) -> (u64, String) {
        let scopes: Vec<Value> = all
            .iter()
            .map(|&(scope, start, time, value)| {
                let at = |ms: u64| ((NOW_MS + ms) * 1_000_000).to_string();
                let point = json!([{"startTimeUnixNano": at(start), "timeUnixNano": at(time), "asInt": value}]);
                let metrics = json!([{"name": "n", "sum": {
                    "dataPoints": point, "aggregationTemporality": temporality, "isMonotonic": true
                }}]);
                json!({"scope": {"name": scope}, "metrics": metrics})
            })
            .collect();
        let request = json!({"resourceMetrics": [{"scopeMetrics": scopes}]});
        let limits = TranscodeLimits { depth_max: 64, bytes_max: 1 << 20 };
        let payload = transcode_request(Signal::Metrics, request.to_string().as_bytes(), limits).expect("JSON").payload;
        let limits = Limits { depth_max: 64, attributes_max: 100, span_bytes_max: 1 << 20 };
        let translated =
            self.intake.translate(TenantId::default(), payload.into(), NOW_NS, limits).expect("well formed");
        let (accepted, partial) = self.intake.append(translated).await.expect("stored");
        (accepted, partial.map_or(String::new(), |partial| partial.message))
    }

    /// The counter's samples, and how many the ledger has.
    fn stored(&self) -> (String, u64) {
        let snapshot = self.store.snapshot();
        let named = LabelMatcher { name: METRIC_NAME.into(), op: MatchOp::Equal, value: "n_total".into() };
        let mut text = String::new();
        let found = snapshot.series(&TenantId::default(), &[named], i64::MIN, i64::MAX).expect("readable");
        for series in found.iter() {
            let mut samples = SeriesSamples::default();
            series.read(i64::MIN, i64::MAX, &mut samples).expect("readable");
            for (time_ms, value) in samples.times_ms.iter().zip(&samples.values) {
                text += &format!("{value}@{} ", *time_ms as u64 - NOW_MS);
            }
        }
        let ledger = snapshot.ledger();
        let tally = ledger.metrics.get(&TenantId::default()).cloned().unwrap_or_default();
        assert_eq!(tally.accepted, tally.kept);
        (text.trim_end().to_owned(), tally.kept)
    }
}

const CUMULATIVE: u32 = 2;
const DELTA: u32 = 1;

#[tokio::test]
async fn conflicts_are_said() {
    let served = Served::new(|_| ()).await;
    let (accepted, words) = served.send(CUMULATIVE, &[("a", 0, 10, 2), ("b", 0, 10, 5)]).await;
    let expected = "1 data points rejected: conflict 1 (metric \"n\": scopes \"a\" and \"b\" have different values of one \
                    series at one time, the first counts (receivers.otlp.metrics.promote_scope_metadata: true keeps them \
                    apart))";
    assert_eq!((accepted, words.as_str()), (1, expected));
    assert_eq!(served.stored(), ("2@10".into(), 1));
    // The same values, in one request and in the next.
    let same = [("a", 0, 20, 3), ("b", 0, 20, 3)];
    assert_eq!(served.send(CUMULATIVE, &same).await, (2, String::new()));
    assert_eq!(served.send(CUMULATIVE, &same).await, (2, String::new()));
    assert_eq!(served.stored(), ("2@10 3@20".into(), 2));
    let (accepted, words) = served.send(CUMULATIVE, &[("a", 0, 20, 4), ("a", 0, 30, 4), ("a", 0, 30, 5)]).await;
    let expected = "2 data points rejected: conflict 2 (metric \"n\": another value of its series is stored at its time, \
                    and stays (of two senders of one series? service.instance.id tells them apart); metric \"n\": two \
                    different values of one series at one time, the first counts)";
    assert_eq!(accepted, 1);
    assert!(
        words.starts_with("2 data points rejected: conflict 2 (metric \"n\": another value"),
        "{words}\n{expected}"
    );
    assert_eq!(served.stored(), ("2@10 3@20 4@30".into(), 3));
    let apart = Served::new(|config| config.promote_scope_metadata = true).await;
    assert_eq!(apart.send(CUMULATIVE, &[("a", 0, 10, 2), ("b", 0, 10, 5)]).await, (2, String::new()));
    assert_eq!(apart.stored(), ("2@10 5@10".into(), 2));
}

#[tokio::test]
async fn deltas_of_two_scopes_add_up() {
    let mut served = Served::new(|_| ()).await;
    let first = [("a", 0, 10, 2), ("b", 0, 10, 5)];
    assert_eq!(served.send(DELTA, &first).await, (2, String::new()));
    assert_eq!(served.send(DELTA, &first).await, (2, String::new()), "sent again");
    assert_eq!(served.stored(), ("7@10".into(), 1));
    served.crash();
    assert_eq!(served.send(DELTA, &first).await, (2, String::new()), "and again");
    assert_eq!(served.send(DELTA, &[("a", 10, 20, 1)]).await, (1, String::new()));
    // The other one in a request of its own: what is stored stays.
    assert_eq!(served.send(DELTA, &[("b", 10, 20, 1)]).await, (1, String::new()));
    assert_eq!(served.stored(), ("7@10 8@20 9@21".into(), 3));
    served.crash();
    assert_eq!(served.send(DELTA, &[("b", 10, 20, 1), ("a", 20, 30, 1), ("b", 20, 30, 1)]).await, (3, String::new()));
    assert_eq!(served.stored(), ("7@10 8@20 9@21 11@30".into(), 4));
}

#[tokio::test]
async fn late_deltas_count_once() {
    let mut served = Served::new(|_| ()).await;
    let said = |start: u64, time: u64, value: u64| [("a", start, time, value)];
    for (start, time, value) in [(0, 10, 1), (10, 20, 2), (40, 50, 16)] {
        assert_eq!(served.send(DELTA, &said(start, time, value)).await, (1, String::new()));
    }
    served.crash();
    for _ in 0..2 {
        assert_eq!(served.send(DELTA, &said(30, 40, 8)).await, (1, String::new()));
        served.crash();
        assert_eq!(served.send(DELTA, &said(20, 30, 4)).await, (1, String::new()));
    }
    assert_eq!(served.stored(), ("1@10 3@20 19@50 27@51 31@52".into(), 5));
    let (accepted, words) = served.send(DELTA, &said(15, 25, 100)).await;
    let expected = "1 data points rejected: too_old 1 (a late delta of n_total overlaps what was counted";
    assert!(accepted == 0 && words.starts_with(expected), "{words}");
    // Late ones of the same request go into the total that it brings.
    let late = [("a", 70, 80, 32), ("a", 50, 60, 64), ("a", 60, 70, 128)];
    assert_eq!(served.send(DELTA, &late).await, (3, String::new()));
    assert_eq!(served.stored(), ("1@10 3@20 19@50 27@51 31@52 255@80".into(), 6));
    // Without a gap for a while, nothing needs to be noted.
    assert_eq!(served.store.notes(&TenantId::default()).len(), 1);
    for n in 8..20 {
        served.send(DELTA, &said(n * 10, n * 10 + 10, 0)).await;
    }
    assert_eq!(served.store.notes(&TenantId::default()), []);
}

#[tokio::test]
async fn deltas_of_many_scopes_add_up() {
    for scopes in [18, 40_u64] {
        let mut served = Served::new(|_| ()).await;
        let names: Vec<String> = (0..scopes).map(|scope| scope.to_string()).collect();
        for round in 1..5 {
            let all: Vec<Said<'_>> = names.iter().map(|name| (name.as_str(), round * 10 - 10, round * 10, 1)).collect();
            for _ in 0..2 {
                assert_eq!(served.send(DELTA, &all).await, (scopes, String::new()));
            }
            let (samples, count) = served.stored();
            assert!(samples.ends_with(&format!("{}@{}", round * scopes, round * 10)), "{samples}");
            assert_eq!(count, round);
            served.crash();
        }
    }
}

#[tokio::test]
async fn totals_that_conflict_are_not_counted() {
    let served = Served::new(|_| ()).await;
    let notes = || served.store.notes(&TenantId::default());
    assert_eq!(served.send(DELTA, &[("a", 0, 10, 2), ("b", 0, 10, 5)]).await, (2, String::new()));
    let noted = notes();
    assert_eq!(noted.len(), 1);
    // Somebody else's.
    assert_eq!(served.send(CUMULATIVE, &[("c", 0, 20, 100)]).await, (1, String::new()));
    let (accepted, words) = served.send(DELTA, &[("a", 10, 20, 1)]).await;
    assert!(accepted == 0 && words.starts_with("1 data points rejected: conflict 1"), "{words}");
    assert_eq!(notes(), noted);
    assert_eq!(served.send(DELTA, &[("a", 20, 30, 4)]).await, (1, String::new()));
    assert_eq!(served.stored(), ("7@10 100@20 11@30".into(), 3));
}
