//! Files are tailed while the power fails, and while the disk is full: each line is there once.

use weir_benches::{query::Query, rng::Rng};

use crate::{
    disk_image::DiskImage,
    filelog::{Writer, each_is_there_once, lines_come},
    fixture::{SMALL, Weir},
    rounds::power_off,
};

/// Power cuts while lines are written and files rotated.
const ROUNDS: u64 = 20;

#[tokio::test]
async fn each_line_once_through_power_cuts_and_rotation() {
    let mut weir = Weir::new(95, SMALL);
    let Some(disk) = DiskImage::new(weir.folder(), 512) else { return };
    weir.options.data = disk.path().join("data");
    let mut writer = Writer::new(&mut weir);
    let mut rng = Rng::new(95);
    writer.write(10);
    let mut server = weir.start().await;
    lines_come(&Query::new(server.query), 10).await;
    for _ in 0..ROUNDS {
        for _ in 0..3 + rng.below(5) {
            writer.go_on(&mut rng);
            tokio::task::yield_now().await;
        }
        lines_come(&Query::new(server.query), rng.below(writer.written)).await;
        power_off(&weir, server, &disk).await;
        disk.boot();
        writer.write(1 + rng.below(100));
        server = weir.start().await;
    }
    each_is_there_once(&Query::new(server.query), writer.written, || weir.options.log()).await;
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn a_full_disk_answers_what_it_has() {
    let mut weir = Weir::new(96, SMALL);
    let Some(disk) = DiskImage::new(weir.folder(), 128) else { return };
    weir.options.data = disk.path().join("data");
    let mut writer = Writer::new(&mut weir);
    writer.write(100);
    let server = weir.start().await;
    let query = Query::new(server.query);
    lines_come(&query, 100).await;
    // Not even a folder has room.
    disk.fill(0);
    for _ in 0..5 {
        each_is_there_once(&query, writer.written, || weir.options.log()).await;
    }
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn each_line_once_through_a_full_disk() {
    let mut weir = Weir::new(98, SMALL);
    let Some(disk) = DiskImage::new(weir.folder(), 128) else { return };
    weir.options.data = disk.path().join("data");
    let mut writer = Writer::new(&mut weir);
    let mut rng = Rng::new(98);
    writer.write(100);
    let mut server = weir.start().await;
    let query = Query::new(server.query);
    lines_come(&query, 100).await;
    for left_bytes in [3 << 20, 0] {
        let before = writer.written;
        disk.fill(left_bytes);
        // More than there is space for, and rotated again and again meanwhile.
        for _ in 0..20 {
            writer.write(900);
            writer.go_on(&mut rng);
        }
        lines_come(&query, before + left_bytes.min(1)).await;
        assert!(server.runs(), "it stopped: {}", weir.options.log());
        disk.free();
        assert_eq!(lines_come(&query, writer.written).await, writer.written);
    }
    each_is_there_once(&query, writer.written, || weir.options.log()).await;
    server.kill().await.expect("killed");
}
