//! Some files in one input: for each a byte that names it, its length in four (little endian), its bytes.

use std::path::Path;

/// Most files of an input.
const FILES_MAX: usize = 16;

/// The files of an input: index of the name, and content. A length beyond the end means as much as there is.
pub(super) fn unpack(mut input: &[u8]) -> Vec<(usize, &[u8])> {
    let mut files = Vec::new();
    while let Some((head, rest)) = input.split_first_chunk::<5>()
        && files.len() < FILES_MAX
    {
        let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let (content, behind) = rest.split_at(len.min(rest.len()));
        files.push((usize::from(head[0]), content));
        input = behind;
    }
    files
}

/// The opposite, for seeds: the files of a folder that have one of these names.
#[cfg(test)]
pub(super) fn pack(folder: &Path, names: &[&str]) -> Vec<u8> {
    let mut input = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let Ok(content) = std::fs::read(folder.join(name)) else { continue };
        input.push(index as u8);
        input.extend_from_slice(&(content.len() as u32).to_le_bytes());
        input.extend_from_slice(&content);
    }
    input
}

/// Writes the files of an input into a folder under these names.
pub(super) fn write(input: &[u8], names: &[&str], folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    for (index, content) in unpack(input) {
        std::fs::write(folder.join(names[index % names.len()]), content).expect("written");
    }
}

/// A folder in memory where there is one: syncs cost nothing there.
pub(super) fn temp_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}
