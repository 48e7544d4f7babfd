//! Lines are followed: each once, in the order of arrival, whatever is sealed meanwhile.

use super::{
    super::feed::LineFeed,
    lines::{batch, rejecting, shown},
    spans::tenant,
    *,
};
use crate::{AttributeForm, Place, ScanColumn, ScanFilter, ScanRequest};

/// The numbers of the lines that arrived, and whether there was a gap.
fn arrived(feed: &mut LineFeed, rows_max: u64) -> (Vec<u64>, bool, bool) {
    let n = ScanColumn::Attribute { place: Place::Span, key: "n".into(), form: AttributeForm::Text };
    let request = ScanRequest { columns: vec![n], filter: ScanFilter::default() };
    let arrived = feed.arrived(request, rows_max);
    let mut numbers = Vec::new();
    for part in arrived.scan.parts() {
        let batch = arrived.scan.read(part);
        numbers.extend((0..batch.num_rows()).map(|row| shown(&batch, row).parse::<u64>().expect("a number")));
    }
    (numbers, arrived.has_gap, arrived.has_more)
}

async fn until_sealed(store: &Store) {
    store.roll().await;
    until("everything is sealed", || store.snapshot().0.logs.files.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_that_arrives_is_given_once() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let (ours, other) = (tenant("default"), tenant("other"));
    store.append_logs(batch(&ours, &[1, 2])).await.expect("kept");
    let (_, mut feed) = store.follow_lines(ours.clone());
    assert_eq!(arrived(&mut feed, 100), (vec![], false, false), "what was there before is in the snapshot");

    store.append_logs(batch(&ours, &[9, 4, 7])).await.expect("kept");
    assert!(feed.rung().await);
    store.append_logs(batch(&other, &[100])).await.expect("kept");
    store.append_logs(rejecting(&ours, &[5, 6, 8], &[1])).await.expect("kept");
    assert_eq!(arrived(&mut feed, 100), (vec![9, 4, 7, 5, 8], false, false), "in the order of arrival");
    assert_eq!(arrived(&mut feed, 100), (vec![], false, false));

    // A file that is sealed before it was looked at is read all the same; what was sealed in between is not.
    store.append_logs(batch(&ours, &[20, 21])).await.expect("kept");
    until_sealed(&store).await;
    store.append_logs(batch(&ours, &[22])).await.expect("kept");
    assert_eq!(arrived(&mut feed, 100), (vec![20, 21, 22], false, false));
    until_sealed(&store).await;
    store.append_logs(batch(&ours, &[23])).await.expect("kept");
    until_sealed(&store).await;
    store.append_logs(batch(&ours, &[24])).await.expect("kept");
    assert_eq!(arrived(&mut feed, 100), (vec![24], true, false));

    for n in 0..10 {
        store.append_logs(batch(&ours, &[30 + n])).await.expect("kept");
    }
    assert_eq!(arrived(&mut feed, 4), (vec![30, 31, 32, 33], false, true), "as many as are wanted at a time");
    assert_eq!(arrived(&mut feed, 100).0, (34..40).collect::<Vec<_>>());
    store.shutdown().await;
}
