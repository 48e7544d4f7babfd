//! A failed fsync: the process stops by itself, nothing was falsely acknowledged, and the next start has it all.

use std::time::Duration;

use weir_benches::{load::Plan, rng::Rng, server::Server};

use crate::fixture::{SMALL, Weir};

#[tokio::test]
async fn a_failed_sync_stops_the_process_and_loses_nothing() {
    if !cfg!(debug_assertions) {
        println!("not run: the switch that fails a sync is in debug builds only");
        return;
    }
    let weir = Weir::new(21, SMALL);
    let mut rng = Rng::new(21);
    let mut stopped = 0;
    for round in 0..8u64 {
        // The nth sync of the process: early ones hit recovery and the first file, later ones commits, seals and the catalog.
        let nth = round * 9 + rng.below(9) + 1;
        let mut faulty = weir.options.clone();
        faulty.env.push(("WEIR_FAULT_FAIL_SYNC".into(), nth.to_string()));
        // It may fail before it is ready: then it must have exited with an error, which is what `Err` says.
        if let Ok(server) = Server::start(&faulty).await {
            let plan = Plan {
                rate: Some(5_000.0),
                duration: Some(Duration::from_secs(15)),
                stop_when_lost: true,
                ..Plan::new(server.grpc)
            };
            let report = weir.load(plan).await;
            let exit = server.exited(Duration::from_secs(20)).await;
            let exit = exit.unwrap_or_else(|error| panic!("sync {nth}: {error}; {report}\n{}", weir.options.log()));
            assert!(!exit.success(), "sync {nth}: {exit}");
            stopped += 1;
        }
        let server = weir.start().await;
        weir.verify(&server, Some(100)).await;
        server.kill().await.expect("killed");
    }
    assert!(stopped >= 5, "only {stopped} of 8 failed while it was running");
    let server = weir.start().await;
    weir.verify(&server, None).await;
}
