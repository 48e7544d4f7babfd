//! One round of load that ends badly: the server is killed, or the power is cut, at a random moment after a random ack.

use std::time::Duration;

use tokio::time::sleep;
use weir_benches::{
    load::{LoadReport, Plan},
    rng::Rng,
    server::Server,
};

use crate::{disk_image::DiskImage, fixture::Weir};

/// 5,000 spans a second until the server is gone.
pub(crate) fn until_lost(server: &Server) -> Plan {
    Plan {
        rate: Some(5_000.0),
        duration: Some(Duration::from_secs(20)),
        stop_when_lost: true,
        ..Plan::new(server.grpc)
    }
}

/// Kills the server after the ack of one of the next `acks_max` batches, or somewhere between two acks.
pub(crate) async fn killed_under_load(weir: &Weir, server: Server, rng: &mut Rng, acks_max: u64) -> LoadReport {
    let plan = until_lost(&server);
    let enough = weir.record.acked_len() + rng.below(acks_max) as usize + 1;
    let moment = Duration::from_micros(rng.below(10_000));
    let kill = async {
        wait_for_acks(weir, enough).await;
        sleep(moment).await;
        server.kill().await
    };
    let (report, killed) = tokio::join!(weir.load(plan), kill);
    killed.expect("killed");
    report
}

/// Starts it and kills it while it recovers.
pub(crate) async fn killed_while_it_starts(weir: &Weir, rng: &mut Rng) {
    let mut child = weir.options.spawn().expect("starts");
    sleep(Duration::from_micros(rng.below(60_000))).await;
    child.kill().await.expect("killed");
}

/// Cuts the power of the disk that the server's data are on, and boots again.
pub(crate) async fn cut_under_load(weir: &Weir, server: Server, disk: &DiskImage, rng: &mut Rng, acks_max: u64) {
    cut_beside(weir, server, disk, rng, acks_max, std::future::ready(())).await;
}

/// As [`cut_under_load`], with others who send until the record is deaf or the server gone.
pub(crate) async fn cut_beside(
    weir: &Weir,
    server: Server,
    disk: &DiskImage,
    rng: &mut Rng,
    acks_max: u64,
    others: impl Future<Output = ()>,
) {
    let plan = until_lost(&server);
    let enough = weir.record.acked_len() + rng.below(acks_max) as usize + 1;
    let moment = Duration::from_micros(rng.below(8_000));
    let cut = async {
        wait_for_acks(weir, enough).await;
        sleep(moment).await;
        power_off(weir, server, disk).await;
    };
    tokio::join!(weir.load(plan), cut, others);
    disk.boot();
    weir.record.set_deaf(false);
}

/// Cuts the power, and kills what is left of the server a moment later. Then the disk may boot, and the record hear again.
pub(crate) async fn power_off(weir: &Weir, server: Server, disk: &DiskImage) {
    // A real cut stops the process in the same instant; here it goes on for a moment, and a sync that was under way may
    // still return 0 (ext4 does not report an extent that it could not convert any more). Acks up to here count.
    weir.record.set_deaf(true);
    disk.cut_power();
    // Nor may a dead disk make it hang or take requests without end.
    sleep(Duration::from_millis(100)).await;
    server.kill().await.expect("killed");
}

/// Bounded: under a load that nobody answers the plan ends, and the round with it.
async fn wait_for_acks(weir: &Weir, enough: usize) {
    for _ in 0..20_000 {
        if weir.record.acked_len() >= enough {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
}
