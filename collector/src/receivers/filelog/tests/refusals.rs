//! The journal refuses, for any reason and for long, while files are written and rotated: each line once, and those that follow.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_proto::{
    TenantId,
    otlp::{Limits, logs::IdNames, messages::collector::logs::v1::ExportLogsServiceRequest},
    time::Clock,
};
use weir_store::{AppendError, journal::SourceCursors};

use super::world::text;
use crate::{
    Append, Arrival,
    admission::AdmissionRules,
    processors::Processing,
    receivers::filelog::{FilelogConfig, Surroundings, start},
};

fn append(path: &Path, numbers: std::ops::Range<u32>) {
    let text: String = numbers.map(|n| format!("line {n}\n")).collect();
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    file.expect("opened").write_all(text.as_bytes()).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_once_however_the_journal_refuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("a.log");
    let keys = serde_json::json!({
        "include": [format!("{}/*.log", folder.path().display())], "start_at": "beginning", "poll_interval": "5ms",
    });
    let config: FilelogConfig = serde_json::from_value(keys).expect("a configuration");
    let refusals: [fn() -> AppendError; 3] =
        [|| AppendError::DiskFull, || AppendError::Busy("a queue is full"), || AppendError::TooLarge { bytes_max: 1 }];
    let (refused, refusing) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let kept: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let (news, mut heard) = watch::channel(0_u32);
    let append_lines: Append = {
        let (kept, refused, refusing, news) = (kept.clone(), refused.clone(), refusing.clone(), Arc::new(news));
        Arc::new(move |arrival: Arrival| {
            let reason = refusing.load(Ordering::SeqCst);
            let outcome = if reason > 0 { Err(refusals[reason as usize - 1]()) } else { Ok(()) };
            match &outcome {
                Err(_) => {
                    refused.fetch_add(1, Ordering::SeqCst);
                }
                Ok(()) => {
                    let Arrival::Lines(batch) = arrival else { panic!("lines") };
                    let request = ExportLogsServiceRequest::decode(&batch.payload[..]).expect("a request");
                    let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
                    for record in scopes.flat_map(|scope| scope.log_records) {
                        *kept.lock().entry(text(record.body.as_ref())).or_default() += 1;
                    }
                }
            }
            news.send_modify(|news| *news += 1);
            let answer: BoxFuture<'static, _> = Box::pin(std::future::ready(outcome));
            answer
        })
    };
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let limits = Limits { depth_max: 64, attributes_max: 128, span_bytes_max: 1 << 20 };
    let around = Surroundings {
        receiver: "filelog".into(),
        tenant: TenantId::default(),
        append: append_lines,
        rules: AdmissionRules {
            limits,
            accept_past: None,
            accept_future: None,
            processing: Processing::NONE,
            line_ids: IdNames::USUAL,
        },
        clock: Clock::system(),
        cursors: SourceCursors::default(),
        tracker: tracker.clone(),
        stop: stop.clone(),
    };
    append(&log, 0..10);
    start(&config, around).expect("usable");
    let mut written = 10;
    for reason in [1, 2, 3, 1, 2] {
        refusing.store(reason, Ordering::SeqCst);
        let before = refused.load(Ordering::SeqCst);
        append(&log, written..written + 10);
        written += 10;
        while refused.load(Ordering::SeqCst) < before + 2 {
            tokio::time::timeout(Duration::from_secs(30), heard.changed()).await.expect("it is asked").expect("open");
        }
        // Rotated in three ways while nothing is taken.
        for rotation in 0..3 {
            let old = folder.path().join(format!("a.log.{written}.{rotation}"));
            match rotation {
                0 => fs::rename(&log, &old).expect("renamed"),
                1 => {
                    fs::copy(&log, &old).expect("copied");
                    fs::OpenOptions::new().write(true).open(&log).expect("opened").set_len(0).expect("cut");
                }
                _ => {
                    fs::rename(&log, &old).expect("renamed");
                    append(&log, written..written + 1);
                    written += 1;
                }
            }
            append(&log, written..written + 10);
            written += 10;
        }
        refusing.store(0, Ordering::SeqCst);
        while kept.lock().len() < written as usize {
            tokio::time::timeout(Duration::from_secs(30), heard.changed()).await.expect("it goes on").expect("open");
        }
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    let kept = kept.lock();
    assert!(kept.values().all(|count| *count == 1), "{kept:?}");
}
