//! The power fails under load: after the next boot, everything acknowledged is there.

use std::time::Duration;

use tokio::time::sleep;
use weir_benches::{load::Plan, rng::Rng};
use weir_proto::time::Clock;

use crate::{
    disk_image::DiskImage,
    fixture::{SMALL, Weir},
};

/// Power cuts in a run.
const ROUNDS: usize = 6;

#[tokio::test]
async fn what_was_acknowledged_survives_power_cuts() {
    let seed = Clock::system().now_ns();
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut weir = Weir::new(seed, SMALL);
    let Some(disk) = DiskImage::new(weir.folder(), 512) else { return };
    weir.options.data = disk.path().join("data");
    for _ in 0..ROUNDS {
        let server = weir.start().await;
        weir.verify(&server, Some(150)).await;
        let plan = Plan {
            rate: Some(5_000.0),
            duration: Some(Duration::from_secs(20)),
            stop_when_lost: true,
            ..Plan::new(server.grpc)
        };
        let enough = weir.record.acked_len() + rng.below(150) as usize + 1;
        let moment = Duration::from_micros(rng.below(8_000));
        let cut = async {
            while weir.record.acked_len() < enough {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(moment).await;
            // A real cut stops the process in the same instant; here it goes on for a moment, and a sync that was under way may
            // still return 0 (ext4 does not report an extent that it could not convert any more). Acks up to here count.
            weir.record.set_deaf(true);
            disk.cut_power();
            // Nor may a dead disk make it hang or take requests without end.
            sleep(Duration::from_millis(100)).await;
            server.kill().await
        };
        let (_, killed) = tokio::join!(weir.load(plan), cut);
        killed.expect("killed");
        disk.boot();
        weir.record.set_deaf(false);
    }
    let server = weir.start().await;
    weir.verify(&server, None).await;
    server.kill().await.expect("killed");
}
