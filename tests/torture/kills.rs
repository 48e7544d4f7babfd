//! Rounds of load that end with `kill -9` or a power cut.

use std::time::Duration;

use weir_benches::{load::Plan, server::Server};

use crate::{
    campaign::Campaign,
    rounds::{cut_under_load, killed_under_load, killed_while_it_starts, power_off},
};

/// Rounds of a chapter.
const CHAPTER_ROUNDS: u64 = 25;
/// Acknowledged batches of a round at most.
const ACKS_MAX: u64 = 120;
/// Rounds of a campaign with many open traces.
const OPEN_ROUNDS: u64 = 20;

/// So many kills; some while the server recovers.
pub(crate) async fn kills(campaign: &mut Campaign, rounds: u64) {
    let mut chapter_end = CHAPTER_ROUNDS;
    while campaign.totals.kills < rounds {
        let server = campaign.next_life().await;
        killed(campaign, server).await;
        if campaign.rng.percent(30) && campaign.totals.kills < rounds {
            killed_while_it_starts(&campaign.weir, &mut campaign.rng).await;
            campaign.totals.kills += 1;
        }
        if campaign.totals.kills >= chapter_end.min(rounds) {
            chapter_end += CHAPTER_ROUNDS;
            conclude(campaign).await;
        }
    }
}

/// So many power cuts.
pub(crate) async fn cuts(campaign: &mut Campaign, rounds: u64) {
    while campaign.totals.cuts < rounds {
        let server = campaign.next_life().await;
        cut(campaign, server).await;
        if campaign.totals.cuts.is_multiple_of(CHAPTER_ROUNDS) || campaign.totals.cuts >= rounds {
            conclude(campaign).await;
        }
    }
}

/// Kills, or on a disk power cuts, while this many traces, and more and more of them, wait for their verdicts; then while they are
/// decided.
pub(crate) async fn with_open_traces(campaign: &mut Campaign, traces: u64) {
    let server = campaign.next_life().await;
    let plan = Plan { spans: Some(traces * 8), ..Plan::new(server.grpc) };
    let report = campaign.weir.load(plan).await;
    if !report.all_acked() {
        campaign.totals.example(format!("not everything was acknowledged: {report}"));
    }
    match &campaign.disk {
        Some(disk) => {
            power_off(&campaign.weir, server, disk).await;
            disk.boot();
            campaign.weir.record.set_deaf(false);
            campaign.totals.cuts += 1;
        }
        None => {
            server.kill().await.expect("killed");
            campaign.totals.kills += 1;
        }
    }
    for _ in 1..OPEN_ROUNDS {
        let server = campaign.next_life().await;
        match campaign.disk {
            Some(_) => cut(campaign, server).await,
            None => killed(campaign, server).await,
        }
    }
    conclude(campaign).await;
}

async fn killed(campaign: &mut Campaign, server: Server) {
    let Campaign { weir, rng, beside, .. } = campaign;
    let address = server.query;
    beside.during(address, &weir.record, killed_under_load(weir, server, rng, ACKS_MAX)).await;
    campaign.totals.kills += 1;
}

async fn cut(campaign: &mut Campaign, server: Server) {
    let Campaign { weir, rng, beside, disk, .. } = campaign;
    let address = server.query;
    let disk = disk.as_ref().expect("made on a disk");
    beside.during(address, &weir.record, cut_under_load(weir, server, disk, rng, ACKS_MAX)).await;
    campaign.totals.cuts += 1;
}

async fn conclude(campaign: &mut Campaign) {
    let server = campaign.weir.start().await;
    campaign.end_chapter(&server).await;
    // In good order, so that a chapter also begins with what a stop leaves.
    let status = server.stop(Duration::from_secs(60)).await;
    if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        campaign.totals.example(format!("stopped with {status:?}"));
    }
}
