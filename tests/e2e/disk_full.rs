//! A disk that fills up, or turns read-only: receivers refuse, queries answer, and it goes on when the disk does.

use std::{fs, fs::File, path::Path, time::Duration};

use tokio::time::{Instant, sleep};
use weir_benches::{load::Plan, query::Query, server::Server};

use crate::{
    disk_image::DiskImage,
    fixture::{SMALL, Weir},
    shippers::refused_as_busy,
};

#[tokio::test]
async fn below_the_limit_it_refuses_and_recovers_by_itself() {
    fill_and_free("  free_min: 24MiB\n  journal: {file_size_max: 1MiB, file_age_max: 1h}\n  seal: {age_max: 1h}\n")
        .await;
}

#[tokio::test]
async fn without_a_limit_the_last_byte_is_refused_too() {
    fill_and_free("  free_min: 0\n  journal: {file_size_max: 1MiB, file_age_max: 1h}\n  seal: {age_max: 1h}\n").await;
}

async fn fill_and_free(storage: &str) {
    let mut weir = Weir::new(31, storage);
    let Some(disk) = DiskImage::new(weir.folder(), 96) else { return };
    weir.options.data = disk.path().join("data");
    weir.options.receivers = "  splunk_hec: {endpoint: '127.0.0.1:0'}\n".into();
    let ballast = disk.path().join("ballast");
    fill(&ballast, 40 << 20);
    let mut server = weir.start().await;
    let query = Query::new(server.query);
    let refused = Instant::now();
    // Bounded by the file system: it holds some 100,000 spans at most.
    loop {
        let report = weir.load(Plan { spans: Some(2_000), ..Plan::new(server.grpc) }).await;
        if !report.failed.is_empty() {
            let as_specified = report.failed.keys().all(|status| status == "UNAVAILABLE");
            assert!(as_specified, "{report}\n{}", weir.options.log());
            break;
        }
        assert!(refused.elapsed() < Duration::from_secs(60), "never refused: {report}");
    }
    assert!(server.runs(), "it stopped: {}", weir.options.log());
    weir.verify(&server, Some(100)).await;
    if storage.contains("24MiB") {
        refused_as_busy(&server).await;
    }
    fs::remove_file(&ballast).expect("freed");
    let freed = Instant::now();
    while !weir.load(Plan { spans: Some(20), ..Plan::new(server.grpc) }).await.all_acked() {
        assert!(freed.elapsed() < Duration::from_secs(20), "refuses though there is space: {}", weir.options.log());
        sleep(Duration::from_millis(100)).await;
    }
    weir.send(&server, 1_000).await;
    weir.verify(&server, Some(100)).await;
    assert!(query.ready().await);
    server.kill().await.expect("killed");
    let server = weir.start().await;
    weir.verify(&server, Some(200)).await;
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn a_disk_that_turns_read_only_acknowledges_nothing_more() {
    let mut weir = Weir::new(32, SMALL);
    let Some(disk) = DiskImage::new(weir.folder(), 128) else { return };
    weir.options.data = disk.path().join("data");
    let server = weir.start().await;
    weir.send(&server, 2_000).await;
    server.kill().await.expect("killed");
    disk.set_read_only(true);
    // It may refuse to start, in words, or start and refuse requests; it may not acknowledge.
    match Server::start(&weir.options).await {
        Err(error) => {
            let text = format!("{error:#}");
            assert!(text.contains("ead-only file system") && !text.contains("panicked"), "{text}");
        }
        Ok(server) => {
            let report = weir.load(Plan { spans: Some(500), ..Plan::new(server.grpc) }).await;
            assert_eq!(report.acked, 0, "{report}");
            server.kill().await.expect("killed");
        }
    }
    disk.set_read_only(false);
    let server = weir.start().await;
    weir.verify(&server, None).await;
    weir.send(&server, 1_000).await;
    weir.verify(&server, None).await;
    server.kill().await.expect("killed");
}

fn fill(path: &Path, bytes: u64) {
    let file = File::create(path).expect("created");
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).expect("allocated");
}
