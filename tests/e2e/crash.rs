//! `kill -9` at random moments under load: what was acknowledged is there exactly once, again and again.

use std::time::Duration;

use weir_benches::{query::Query, rng::Rng};
use weir_proto::time::Clock;

use crate::{
    fixture::{NEVER_SEAL, SMALL, Weir, journal_files},
    rounds::{killed_under_load, killed_while_it_starts},
};

/// Kills in each of the two tests.
const ROUNDS: usize = 12;

#[tokio::test]
async fn killed_while_it_seals_and_merges() {
    kill_rounds(SMALL).await;
}

#[tokio::test]
async fn killed_while_everything_is_in_the_journal() {
    kill_rounds(NEVER_SEAL).await;
}

#[tokio::test]
async fn killed_after_its_newest_file_was_rolled_and_is_empty() {
    let storage = "  free_min: 1MiB\n  journal: {file_age_max: 200ms}\n  seal: {size_max: 10GiB, age_max: 1h}\n";
    let weir = Weir::new(22, storage);
    let server = weir.start().await;
    weir.send(&server, 600).await;
    let query = Query::new(server.query);
    let rolled = query.until("rolled", Duration::from_secs(20), |metrics| {
        metrics.get("weir_journal_unsealed_files").is_some_and(|files| *files >= 1.0)
            && journal_files(&weir.options.data).len() >= 2
    });
    rolled.await.expect("the file is closed by age");
    server.kill().await.expect("killed");
    let server = weir.start().await;
    weir.verify(&server, None).await;
}

async fn kill_rounds(storage: &str) {
    // Different moments in each run; printed, so that a failure names its seed.
    let seed = Clock::system().now_ns();
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let weir = Weir::new(seed, storage);
    for round in 0..ROUNDS {
        let server = weir.start().await;
        weir.verify(&server, Some(150)).await;
        let acked_before = weir.record.acked_len();
        let report = killed_under_load(&weir, server, &mut rng, 120).await;
        assert!(weir.record.acked_len() > acked_before, "round {round}: {report}");
        if rng.percent(40) {
            killed_while_it_starts(&weir, &mut rng).await;
        }
    }
    let server = weir.start().await;
    weir.verify(&server, None).await;
}
