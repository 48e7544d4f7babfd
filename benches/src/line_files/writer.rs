//! Writes lines into files, all at once or at a rate.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use weir_proto::time::Clock;

use crate::lines::Lines;

/// Seed of what is written.
const SEED: u64 = 7;
/// Lines of one service that follow each other.
const BATCH: u64 = 1000;
/// How often something is written at a rate.
const STEP: Duration = Duration::from_millis(20);

/// Writes so many lines into one file; how many bytes they have.
pub(super) fn write_all(path: &Path, lines: u64) -> anyhow::Result<u64> {
    let mut out = std::io::BufWriter::new(File::create(path)?);
    let base_ns = Clock::system().now_ns() - lines * 1000;
    let mut bytes = 0;
    let mut line = String::new();
    for number in 0..lines {
        line.clear();
        Lines::new(SEED).write(number, number / BATCH, base_ns + number * 1000, &mut line);
        line.push('\n');
        out.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
    }
    out.flush()?;
    Ok(bytes)
}

/// Files that grow.
pub(super) struct Growing {
    files: Vec<File>,
    written: u64,
}

impl Growing {
    /// So many files, with a line in each.
    pub(super) fn new(folder: &Path, files: u64) -> anyhow::Result<Self> {
        let open = |number: u64| {
            let path = folder.join(format!("app-{number}.log"));
            File::options().create(true).append(true).open(path)
        };
        let mut growing = Self { files: (0..files).map(open).collect::<Result<_, _>>()?, written: 0 };
        growing.write(files)?;
        Ok(growing)
    }

    /// Lines so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes so many lines, a part of them to each file.
    fn write(&mut self, lines: u64) -> anyhow::Result<()> {
        let now_ns = Clock::system().now_ns();
        let files = self.files.len() as u64;
        let mut texts = vec![String::new(); self.files.len()];
        for number in self.written..self.written + lines {
            // A file is a service's.
            let text = &mut texts[(number % files) as usize];
            Lines::new(SEED).write(number, number % files, now_ns, text);
            text.push('\n');
        }
        for (file, text) in self.files.iter_mut().zip(&texts).filter(|(_, text)| !text.is_empty()) {
            file.write_all(text.as_bytes())?;
        }
        self.written += lines;
        Ok(())
    }

    /// Writes so many lines a second for so long.
    pub(super) async fn grow(&mut self, rate: u64, seconds: u64) -> anyhow::Result<()> {
        let (begun, before) = (Instant::now(), self.written);
        let steps = seconds * 1000 / STEP.as_millis() as u64;
        for step in 1..=steps {
            let due = rate * seconds * step / steps;
            self.write(due - (self.written - before))?;
            sleep_until(begun + STEP * step as u32).await;
        }
        Ok(())
    }
}

/// Writes files with a few lines each, which nobody adds to.
pub(super) fn write_idle(folder: &Path, files: u64) -> anyhow::Result<u64> {
    const LINES: u64 = 10;

    for file in 0..files {
        let mut text = String::new();
        for number in file * LINES..(file + 1) * LINES {
            Lines::new(SEED).write(number, file, Clock::system().now_ns(), &mut text);
            text.push('\n');
        }
        fs::write(folder.join(format!("idle-{file}.log")), text)?;
    }
    Ok(files * LINES)
}
