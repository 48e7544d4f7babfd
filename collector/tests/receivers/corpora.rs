//! Real data of other projects, where it lies beside ours.

use std::path::PathBuf;

/// The files of `../shared/corpora/<folder>`, by name; none, and a word about it, where there is no such folder.
pub(crate) fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora").join(folder);
    let Ok(entries) = std::fs::read_dir(&path) else {
        println!("not run with real data: there is no {}", path.display());
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        println!("with {}", path.display());
        files.push((name, std::fs::read(&path).expect("a readable file")));
    }
    files.sort();
    files
}
