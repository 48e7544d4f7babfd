//! Where targets come from: what is written in the configuration, and files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Deserialize;

use super::config::{FileDiscovery, TargetGroup};

/// Largest file of targets.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Files that one pattern may name.
const FILES_MAX: usize = 1000;

/// Reads YAML into groups; the root has the reader.
pub type ReadYaml = fn(&str) -> Result<Vec<TargetGroup>, String>;

/// The files of one job, and what was read of them last.
#[derive(Debug, Default)]
pub(super) struct Files {
    read: BTreeMap<PathBuf, FileGroups>,
}

#[derive(Debug)]
struct FileGroups {
    /// When it was written, and its size.
    mark: (Option<SystemTime>, u64),
    groups: Vec<TargetGroup>,
}

/// A group as it stands in JSON; what Prometheus does not know is an error there, too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonGroup {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Files {
    /// Reads what changed, `anew` everything. Whether anything is otherwise than before. A file that cannot be read keeps what it said last;
    /// one that is gone says nothing any more.
    pub(super) fn refresh(&mut self, discoveries: &[FileDiscovery], yaml: ReadYaml, anew: bool) -> bool {
        let mut paths: Vec<PathBuf> = Vec::new();
        for pattern in discoveries.iter().flat_map(|discovery| &discovery.files) {
            paths.extend(matching(pattern));
        }
        let before = self.read.len();
        self.read.retain(|path, _| paths.contains(path));
        let mut changed = self.read.len() != before;
        for path in paths {
            let Ok(metadata) = std::fs::metadata(&path) else {
                changed |= self.read.remove(&path).is_some();
                continue;
            };
            let mark = (metadata.modified().ok(), metadata.len());
            if !anew && self.read.get(&path).is_some_and(|known| known.mark == mark) {
                continue;
            }
            match read(&path, metadata.len(), yaml) {
                Ok(groups) => {
                    changed |= self.read.get(&path).is_none_or(|known| known.groups != groups);
                    self.read.insert(path, FileGroups { mark, groups });
                }
                Err(problem) => {
                    tracing::warn!(file = %path.display(), problem, "targets of a file cannot be read");
                    if let Some(known) = self.read.get_mut(&path) {
                        known.mark = mark;
                    }
                }
            }
        }
        changed
    }

    /// Each group with the file that it stands in.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Path, &TargetGroup)> {
        self.read.iter().flat_map(|(path, file)| file.groups.iter().map(|group| (path.as_path(), group)))
    }
}

/// The files that a name with one `*` in its last part means.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let path = Path::new(pattern);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((begin, end)) = name.split_once('*') else { return vec![path.to_owned()] };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end))
        .take(FILES_MAX)
        .map(|name| path.with_file_name(name))
        .collect();
    found.sort();
    found
}

fn read(path: &Path, bytes: u64, yaml: ReadYaml) -> Result<Vec<TargetGroup>, String> {
    if bytes > FILE_BYTES_MAX {
        return Err(format!("more than {FILE_BYTES_MAX} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    if path.extension().is_some_and(|extension| extension == "json") {
        let groups: Vec<JsonGroup> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        return Ok(groups.into_iter().map(|JsonGroup { targets, labels }| TargetGroup { targets, labels }).collect());
    }
    yaml(&text)
}
