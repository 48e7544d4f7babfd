//! Tail sampling through kills and power cuts: verdicts stay what they are and what the policies say, and nothing kept is lost.

use std::time::Duration;

use weir_benches::{load::Plan, query::Query, rng::Rng};
use weir_proto::time::Clock;

use crate::{
    disk_image::DiskImage,
    fixture::SMALL,
    judged::Judged,
    rounds::{cut_under_load, killed_under_load, killed_while_it_starts},
    sql::ask,
};

/// Longest wait until everything is decided and sealed.
const SETTLED_MAX: Duration = Duration::from_secs(60);

fn seeded() -> (u64, Rng) {
    // Different moments in each run; printed, so that a failure names its seed.
    let seed = Clock::system().now_ns();
    println!("seed {seed}");
    (seed, Rng::new(seed))
}

/// Settles, and looks at everything: now the ledger is exact.
async fn conclude(judged: &mut Judged) {
    let server = judged.weir.start().await;
    judged.settled(&server, SETTLED_MAX).await;
    let found = judged.verify(&server, None).await;
    assert!(found.kept_traces > 0 && found.dropped_traces > 0, "one-sided: {found}");
    let kept = Query::new(server.query).ledger().await.expect("answers").kept;
    let (_, counted) =
        ask(server.query, "SELECT count(*) AS n, count(DISTINCT span_id) AS m, sum(adjusted_count) AS s FROM spans")
            .await;
    assert_eq!(counted["rows"][0], serde_json::json!({"n": kept, "m": kept, "s": kept as f64}));
    // Once more from what is on the disk alone.
    server.kill().await.expect("killed");
    let server = judged.weir.start().await;
    let again = judged.verify(&server, None).await;
    assert_eq!((again.kept_traces, again.dropped_traces), (found.kept_traces, found.dropped_traces));
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn verdicts_survive_kills() {
    let (seed, mut rng) = seeded();
    let mut judged = Judged::new(seed, SMALL, "250ms", 20);
    for round in 0..14 {
        let server = judged.weir.start().await;
        judged.verify(&server, Some(120)).await;
        let acked_before = judged.weir.record.acked_len();
        let report = killed_under_load(&judged.weir, server, &mut rng, 100).await;
        assert!(judged.weir.record.acked_len() > acked_before, "round {round}: {report}");
        if rng.percent(30) {
            killed_while_it_starts(&judged.weir, &mut rng).await;
        }
    }
    conclude(&mut judged).await;
}

#[tokio::test]
async fn thousands_of_open_traces_survive_kills() {
    let (seed, mut rng) = seeded();
    // Long enough that most kills meet them open, and the last ones meet them as they are decided.
    let mut judged = Judged::new(seed, SMALL, "4s", 100);
    let server = judged.weir.start().await;
    let plan = Plan { spans: Some(24_000), ..Plan::new(server.grpc) };
    let report = judged.weir.load(plan).await;
    assert!(report.all_acked(), "{report}");
    let open = Query::new(server.query).ledger().await.expect("answers").pending;
    assert!(open > 10_000, "only {open} spans are pending");
    server.kill().await.expect("killed");
    for _ in 0..8 {
        let server = judged.weir.start().await;
        judged.verify(&server, Some(100)).await;
        killed_under_load(&judged.weir, server, &mut rng, 40).await;
    }
    conclude(&mut judged).await;
}

#[tokio::test]
async fn verdicts_survive_power_cuts() {
    let (seed, mut rng) = seeded();
    let mut judged = Judged::new(seed, SMALL, "250ms", 20);
    let Some(disk) = DiskImage::new(judged.weir.folder(), 512) else { return };
    judged.weir.options.data = disk.path().join("data");
    for _ in 0..6 {
        let server = judged.weir.start().await;
        judged.verify(&server, Some(120)).await;
        cut_under_load(&judged.weir, server, &disk, &mut rng, 120).await;
    }
    conclude(&mut judged).await;
}
