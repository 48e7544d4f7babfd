//! What cannot be read is left out, and the answer says so.

use std::{fs, os::unix::fs::FileExt, path::Path};

use super::{traffic::*, *};
use crate::sql::encoding::ArrowStream;

const QUESTIONS: &[&str] = &[
    "SELECT name FROM spans",
    "SELECT service, count(attributes['user']) FROM spans GROUP BY service",
    "SELECT (SELECT max(name) FROM spans) AS name",
    "SELECT count(*) FROM spans a JOIN spans b USING (span_id)",
];

/// Inverts half of one segment's spans.
fn damage(folder: &Path) -> bool {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if damage(&path) {
                return true;
            }
        } else if path.ends_with("spans.parquet") {
            let file = fs::File::options().read(true).write(true).open(&path).expect("opens");
            let mut bytes = vec![0; file.metadata().expect("there").len() as usize / 2];
            file.read_exact_at(&mut bytes, 64).expect("read");
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
            file.write_all_at(&bytes, 64).expect("written");
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_damaged_data_says_so() {
    for sealed in [SPANS, 400] {
        let filled = filled(sealed).await;
        let snapshot = filled.store.snapshot();
        let asking = tokio::task::spawn_blocking(move || {
            for text in QUESTIONS {
                let whole = ask(&snapshot, text, SqlConfig::default(), Box::new(Json::default())).expect("an answer");
                assert!(whole["error"].is_null() && !whole["rows"][0].is_null(), "{text}: {whole}");
            }
            assert!(damage(filled.folder.path()));
            for text in
                ["SELECT span_id FROM spans", "SELECT service, count(attributes['user']) FROM spans GROUP BY service"]
            {
                let snapshot = filled.store.snapshot();
                let partial = ask(&snapshot, text, SqlConfig::default(), Box::new(Json::default())).expect("an answer");
                let message = partial["error"]["message"].as_str().unwrap_or_default();
                assert!(message.contains("could not be read"), "{text}: {partial}");
                assert_eq!(partial["error"]["code"], 500);
                let error = ask(&snapshot, text, SqlConfig::default(), Box::new(ArrowStream::default()))
                    .expect_err("no stream");
                assert!(matches!(error, SqlError::Damaged(..)), "{text}: {error}");
            }
        });
        asking.await.expect("no assertion failed");
    }
}
