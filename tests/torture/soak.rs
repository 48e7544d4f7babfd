//! A long load through one fault after another: kills, power cuts, failed syncs, disks that are full or read-only, orderly stops.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use weir_benches::{load::Plan, server::Server};

use crate::{campaign::Campaign, rounds::power_off};

/// A life without an end of its own lasts this long at most.
const LIFE_MAX_MS: u64 = 15_000;
/// Lives of a chapter.
const CHAPTER_LIVES: u64 = 20;
/// A failing sync is one of the first so many of a process.
const SYNCS_MAX: u64 = 1_500;

/// What is left of a disk that is made full.
const LEFT_BYTES: u64 = 64 << 10;

/// How a life ends, or is made hard.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill,
    PowerCut,
    FailedSync,
    ReadOnly,
    Full,
    Stop,
}

/// Load at `rate` spans a second for this long.
pub(crate) async fn soak(campaign: &mut Campaign, duration: Duration, rate: f64) {
    let started = Instant::now();
    let mut lives = 0;
    while started.elapsed() < duration {
        life(campaign, rate).await;
        lives += 1;
        if lives % CHAPTER_LIVES == 0 {
            end_chapter(campaign).await;
        }
    }
    end_chapter(campaign).await;
}

async fn end_chapter(campaign: &mut Campaign) {
    let server = campaign.weir.start().await;
    campaign.end_chapter(&server).await;
    server.kill().await.expect("killed");
    campaign.totals.kills += 1;
}

fn choose(campaign: &mut Campaign) -> Fault {
    let on_a_disk = campaign.disk.is_some();
    match campaign.rng.below(10) {
        0..=1 if on_a_disk => Fault::PowerCut,
        2 if on_a_disk => Fault::ReadOnly,
        3..=4 if on_a_disk => Fault::Full,
        5..=6 => Fault::FailedSync,
        7 => Fault::Stop,
        _ => Fault::Kill,
    }
}

async fn life(campaign: &mut Campaign, rate: f64) {
    let fault = choose(campaign);
    let nth = campaign.rng.below(SYNCS_MAX) + 1;
    if matches!(fault, Fault::FailedSync) {
        campaign.weir.options.env = vec![("WEIR_FAULT_FAIL_SYNC".into(), nth.to_string())];
    }
    // It may fail before it is ready.
    let started = Server::start(&campaign.weir.options).await;
    campaign.weir.options.env.clear();
    let Ok(server) = started else {
        campaign.totals.faults += 1;
        if !matches!(fault, Fault::FailedSync) {
            campaign.totals.example(format!("did not start: {}", campaign.weir.options.log()));
        }
        return;
    };
    let length = Duration::from_millis(campaign.rng.below(LIFE_MAX_MS) + 500);
    let plan = Plan {
        rate: Some(rate),
        duration: Some(length + Duration::from_secs(5)),
        stop_when_lost: true,
        ..Plan::new(server.grpc)
    };
    let query = server.query;
    let weir = &campaign.weir;
    let disk = campaign.disk.as_ref();
    let end = async {
        match fault {
            Fault::Kill => {
                sleep(length).await;
                server.kill().await.map_err(anyhow::Error::from)
            }
            Fault::PowerCut => {
                sleep(length).await;
                power_off(weir, server, disk.expect("chosen on a disk only")).await;
                Ok(())
            }
            // It exits by itself, or its nth sync never comes.
            Fault::FailedSync => server.exited(length + Duration::from_secs(10)).await.map(drop).or(Ok(())),
            Fault::ReadOnly => {
                let disk = disk.expect("chosen on a disk only");
                sleep(length / 2).await;
                // Refused while files are open for writing, on some kernels: then this is a life like another.
                disk.try_read_only(true);
                sleep(length / 2).await;
                disk.try_read_only(false);
                server.kill().await.map_err(anyhow::Error::from)
            }
            Fault::Full => {
                let disk = disk.expect("chosen on a disk only");
                sleep(length / 3).await;
                disk.fill(LEFT_BYTES);
                sleep(length / 3).await;
                disk.free();
                sleep(length / 3).await;
                server.kill().await.map_err(anyhow::Error::from)
            }
            Fault::Stop => {
                sleep(length).await;
                server.stop(Duration::from_secs(60)).await.map(drop)
            }
        }
    };
    let load = async { tokio::join!(timeout(length + Duration::from_secs(120), weir.load(plan)), end) };
    let (report, ended) = campaign.beside.during(query, &weir.record, load).await;
    if matches!(fault, Fault::PowerCut) {
        disk.expect("chosen on a disk only").boot();
        weir.record.set_deaf(false);
    }
    match fault {
        Fault::Kill => campaign.totals.kills += 1,
        Fault::PowerCut => campaign.totals.cuts += 1,
        _ => campaign.totals.faults += 1,
    }
    if let Err(error) = ended {
        campaign.totals.example(format!("{fault:?}: {error:#}"));
    }
    if report.is_err() {
        campaign.totals.example(format!("{fault:?}: the load did not end"));
    }
    let server = campaign.next_life().await;
    server.kill().await.expect("killed");
}
