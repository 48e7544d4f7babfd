//! Reads recovered journal files into the head.

use std::sync::Arc;

use crate::{
    head::HeadFile,
    journal::{JournalFile, Newer, Recovered},
    lane::lane::Laned,
};

/// Threads that read recovered journal files into the head.
const REPLAY_THREADS: usize = 4;

/// Reads recovered files into the head, several at a time: they are independent of each other. `take` gets what was read, in the
/// journal's order.
pub(super) fn replay<T: Send, L: Laned>(
    recovered: &Recovered,
    replay: impl Fn(&Arc<JournalFile>) -> Result<T, Newer> + Sync,
    mut take: impl FnMut(T) -> Arc<HeadFile<L>>,
) -> Result<Vec<Arc<HeadFile<L>>>, Newer> {
    let mut files = Vec::with_capacity(recovered.files.len());
    // No more at a time: the marks of their spans take memory.
    for journal_files in recovered.files.chunks(REPLAY_THREADS) {
        let replayed: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = journal_files.iter().map(|file| scope.spawn(|| replay(file))).collect();
            threads.into_iter().map(|thread| thread.join().expect("replay does not panic")).collect()
        });
        for replayed in replayed {
            files.push(take(replayed?));
        }
    }
    Ok(files)
}
