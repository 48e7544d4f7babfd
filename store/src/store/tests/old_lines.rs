//! Lines of folders of earlier formats come back byte for byte: as they lie there, gone on with, merged, and after another start.

use std::path::{Path, PathBuf};

use super::{
    lines::{append_lines, scanned},
    spans::tenant,
    *,
};
use crate::{ScanColumn, ScanFilter};

/// What lies beside a folder's lines.
#[derive(Debug, serde::Deserialize)]
struct Beside {
    samples: u64,
    /// Of whoever writes samples of its own.
    notes: usize,
}

impl Beside {
    fn of(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("samples.json"));
        text.map_or(Self { samples: 480, notes: 0 }, |text| serde_json::from_str(&text).expect("counts"))
    }
}

/// Folders with lines, and those lines.
fn folders() -> Vec<(PathBuf, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/formats");
    let entries = std::fs::read_dir(path).expect("listed").map(|entry| entry.expect("an entry").path());
    let with_lines = entries.filter_map(|folder| {
        let text = std::fs::read_to_string(folder.join("lines.json")).ok()?;
        Some((folder, serde_json::from_str(&text).expect("a list of texts")))
    });
    with_lines.collect()
}

/// The bodies that do not come from [`append_lines`].
fn bodies(store: &Store) -> Vec<String> {
    let own = |key: &str| ScanColumn::Attribute {
        place: crate::Place::Span,
        key: key.into(),
        form: crate::AttributeForm::Text,
    };
    let columns = vec![ScanColumn::Body, ScanColumn::ScopeName, own("n")];
    let rows = scanned(&store.snapshot(), &tenant("default"), columns, ScanFilter::default());
    let of_maker = rows.iter().filter_map(|row| Some(row.rsplit_once("|maker|")?.0.to_owned()));
    let mut bodies: Vec<String> = of_maker.collect();
    bodies.sort();
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_earlier_formats_come_back() {
    let folders = folders();
    assert!(!folders.is_empty());
    for (fixture, mut expected) in folders {
        expected.sort();
        let folder = temp_folder();
        copy(&fixture.join("data"), folder.path());
        let beside = Beside::of(&fixture);
        for life in 0..3u64 {
            let store = open(options(folder.path())).await;
            assert_eq!(bodies(&store), expected, "{}", fixture.display());
            append_lines(&store, life * 60..life * 60 + 60).await;
            store.roll().await;
            until_settled(&store).await;
            assert_eq!(bodies(&store), expected, "{}", fixture.display());
            let ledger = store.snapshot().ledger();
            assert_eq!(ledger.metrics[&tenant("default")].accepted, beside.samples, "{}", fixture.display());
            assert_eq!(store.notes(&tenant("default")).len(), beside.notes, "{}", fixture.display());
            store.shutdown().await;
        }
        assert!(!folder.path().join("quarantine").read_dir().expect("there").any(|_| true), "nothing was damaged");
    }
}
