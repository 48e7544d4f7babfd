//! Every metric is explained where operators look for it.

use std::fs;

use crate::source::{files, root};

#[test]
fn every_metric_has_its_row() {
    let page = |name: &str| fs::read_to_string(root().join("docs").join(name)).expect("the page is there");
    let pages = page("operations.md") + &page("http.md");
    let mut metrics = 0;
    for file in files().iter().filter(|file| ["store", "collector", "query"].contains(&file.folder())) {
        // What stands between quotes, without a blank or a dot: a name. Crates have ours too.
        for text in file.text.split('"').filter(|text| text.starts_with("weir_")) {
            let is_name = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if !is_name || text.matches('_').count() < 2 && root().join(text.trim_start_matches("weir_")).is_dir() {
                continue;
            }
            let explained = pages.contains(&format!("`{text}`")) || pages.contains(&format!("`{text}{{"));
            assert!(explained, "{}: {text} is neither in docs/operations.md nor in docs/http.md", file.path);
            metrics += 1;
        }
    }
    assert!(metrics > 20, "only {metrics} metrics found");
}
