//! The power fails under load: after the next boot, everything acknowledged is there.

use weir_benches::rng::Rng;
use weir_proto::time::Clock;

use crate::{
    disk_image::DiskImage,
    fixture::{SMALL, Weir},
    rounds::cut_under_load,
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
        cut_under_load(&weir, server, &disk, &mut rng, 150).await;
    }
    let server = weir.start().await;
    weir.verify(&server, None).await;
    server.kill().await.expect("killed");
}
