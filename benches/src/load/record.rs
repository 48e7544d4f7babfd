//! Which batches were sent and which were acknowledged: in memory, and in a file that outlives this process.
//!
//! The file is text: a line `weir-load 1 <seed> <spans per batch> <templates> <accepted before>`, then `s <batch> <base ns>` before a
//! batch is sent, `a <batch>` after its ack, `p <batch>` when some of its spans were rejected.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, bail};
use parking_lot::Mutex;

use crate::shop::{BatchKey, Traffic};

/// What is known of a batch that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchFate {
    /// Sent; refused, or never answered.
    Unacked,
    /// Acknowledged whole.
    Acked,
    /// Acknowledged with rejected spans.
    Partial,
}

/// Every batch sent with one [`Traffic`].
#[derive(Debug, Default)]
pub struct Record {
    batches: Mutex<BTreeMap<u64, (u64, BatchFate)>>,
    file: Option<Mutex<File>>,
    accepted_before: u64,
    deaf: AtomicBool,
}

impl Record {
    /// In memory only. `accepted_before`: spans in the server's ledger before the first batch.
    pub fn new(accepted_before: u64) -> Self {
        Self { accepted_before, ..Self::default() }
    }

    /// Kept in a new file as well.
    pub fn create(path: &Path, traffic: &Traffic, templates: usize, accepted_before: u64) -> anyhow::Result<Self> {
        let mut file = File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
        let (seed, spans) = (traffic.seed(), traffic.spans_per_batch());
        writeln!(file, "weir-load 1 {seed} {spans} {templates} {accepted_before}")?;
        Ok(Self { file: Some(Mutex::new(file)), accepted_before, ..Self::default() })
    }

    /// Reads a file, and makes the traffic that it records. A torn last line is left out.
    pub fn read(path: &Path) -> anyhow::Result<(Traffic, Self)> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut lines = BufReader::new(file).lines();
        let head = lines.next().context("an empty file")??;
        let parts: Vec<_> = head.split(' ').collect();
        let ["weir-load", "1", seed, spans, templates, accepted_before] = parts[..] else {
            bail!("{} is not a record of loadgen", path.display());
        };
        let traffic = Traffic::new(seed.parse()?, spans.parse()?, templates.parse()?);
        let record = Self::new(accepted_before.parse()?);
        for line in lines {
            let line = line?;
            let parts: Vec<_> = line.split(' ').collect();
            match parts[..] {
                ["s", number, base_ns] => {
                    record.note(BatchKey { number: number.parse()?, base_ns: base_ns.parse()? }, BatchFate::Unacked);
                }
                ["a", number] => record.settle(number.parse()?, BatchFate::Acked),
                ["p", number] => record.settle(number.parse()?, BatchFate::Partial),
                _ => break,
            }
        }
        Ok((traffic, record))
    }

    /// Call before a batch is sent.
    pub fn sent(&self, batch: BatchKey) -> std::io::Result<()> {
        self.line(format_args!("s {} {}\n", batch.number, batch.base_ns))?;
        self.note(batch, BatchFate::Unacked);
        Ok(())
    }

    /// Call when a batch was acknowledged, before it is counted.
    pub fn acked(&self, number: u64, rejected: u64) -> std::io::Result<()> {
        if self.deaf.load(Ordering::SeqCst) {
            return Ok(());
        }
        let fate = if rejected == 0 { BatchFate::Acked } else { BatchFate::Partial };
        self.line(format_args!("{} {number}\n", if rejected == 0 { 'a' } else { 'p' }))?;
        self.settle(number, fate);
        Ok(())
    }

    /// From now on acks are not heard, or heard again: what arrives after a cut of power would not have arrived.
    pub fn set_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, Ordering::SeqCst);
    }

    /// Whether acks are not heard.
    pub fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::SeqCst)
    }

    /// Everything sent so far.
    pub fn batches(&self) -> Vec<(BatchKey, BatchFate)> {
        let batches = self.batches.lock();
        batches.iter().map(|(&number, &(base_ns, fate))| (BatchKey { number, base_ns }, fate)).collect()
    }

    /// Batches sent.
    pub fn len(&self) -> usize {
        self.batches.lock().len()
    }

    /// Whether nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Batches acknowledged whole.
    pub fn acked_len(&self) -> usize {
        let batches = self.batches.lock();
        batches.values().filter(|(_, fate)| *fate == BatchFate::Acked).count()
    }

    /// Spans in the server's ledger before the first batch.
    pub fn accepted_before(&self) -> u64 {
        self.accepted_before
    }

    fn note(&self, batch: BatchKey, fate: BatchFate) {
        self.batches.lock().insert(batch.number, (batch.base_ns, fate));
    }

    fn settle(&self, number: u64, fate: BatchFate) {
        if let Some(batch) = self.batches.lock().get_mut(&number) {
            batch.1 = fate;
        }
    }

    fn line(&self, line: std::fmt::Arguments<'_>) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        // One write: after a kill of this process a line is whole or torn, never mixed.
        file.lock().write_all(line.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_but_for_its_torn_end() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = folder.path().join("acked");
        let traffic = Traffic::new(3, 10, 2);
        let record = Record::create(&path, &traffic, 2, 40).expect("created");
        for number in 0..3 {
            record.sent(BatchKey { number, base_ns: 1000 + number }).expect("written");
        }
        record.acked(0, 0).expect("written");
        record.acked(1, 2).expect("written");
        File::options().append(true).open(&path).expect("opens").write_all(b"a").expect("written");
        let (again, read) = Record::read(&path).expect("read");
        assert_eq!((again.seed(), again.spans_per_batch(), read.accepted_before()), (3, 10, 40));
        assert_eq!(read.batches(), record.batches());
        let fates: Vec<_> = read.batches().into_iter().map(|(_, fate)| fate).collect();
        assert_eq!(fates, [BatchFate::Acked, BatchFate::Partial, BatchFate::Unacked]);
    }
}
