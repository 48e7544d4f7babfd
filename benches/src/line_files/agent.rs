//! What an agent costs: a hundred files that grow, a thousand that do not.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{AGENTS_STORAGE, Reader, Tailing, logs, temporary, writer};
use crate::process;

/// Files that grow, and how fast they do together.
const GROWING: (u64, u64) = (100, 10_000);
/// Files that do not.
const IDLE: u64 = 1000;
/// What comes before is not measured: files are found, caches filled.
const WARM: Duration = Duration::from_secs(5);

pub(super) async fn growing(tailing: Tailing<'_>) -> anyhow::Result<()> {
    let folder = temporary(tailing)?;
    let (files, rate) = GROWING;
    println!("{files} files, {rate} lines a second for {} s:", tailing.seconds);
    grow(Reader::weir(tailing, folder.path(), AGENTS_STORAGE).await?, tailing, &folder).await?;
    if let Some(binary) = tailing.otelcol {
        let folder = temporary(tailing)?;
        grow(Reader::otelcol(binary, folder.path()).await?, tailing, &folder).await?;
    }
    Ok(())
}

async fn grow(reader: Reader, tailing: Tailing<'_>, folder: &tempfile::TempDir) -> anyhow::Result<()> {
    let (files, rate) = GROWING;
    let mut growing = writer::Growing::new(&logs(folder.path())?, files)?;
    growing.grow(rate, WARM.as_secs()).await?;
    let (begun, before_s, pid) = (Instant::now(), reader.cpu_s()?, reader.pid()?);
    let (mut resident, mut anonymous) = (Vec::new(), Vec::new());
    for _ in 0..tailing.seconds {
        growing.grow(rate, 1).await?;
        resident.extend(process::resident_bytes(pid));
        anonymous.extend(process::memory_bytes(pid));
    }
    let (took_s, cpu_s) = (begun.elapsed().as_secs_f64(), reader.cpu_s()? - before_s);
    reader.until_read(growing.written()).await?;
    println!(
        "    {}: {:.1} % of a core, RSS {:.0} MiB at most, {:.0} MiB of it anonymous",
        reader.name(),
        cpu_s / took_s * 100.0,
        mib(&resident),
        mib(&anonymous)
    );
    reader.stop().await
}

fn mib(samples: &[u64]) -> f64 {
    samples.iter().max().copied().unwrap_or_default() as f64 / f64::from(1 << 20)
}

pub(super) async fn idle(tailing: Tailing<'_>) -> anyhow::Result<()> {
    let folder = temporary(tailing)?;
    let lines = writer::write_idle(&logs(folder.path())?, IDLE)?;
    println!("{IDLE} idle files:");
    rest(Reader::weir(tailing, folder.path(), AGENTS_STORAGE).await?, tailing, lines).await?;
    if let Some(binary) = tailing.otelcol {
        rest(Reader::otelcol(binary, folder.path()).await?, tailing, lines).await?;
    }
    Ok(())
}

async fn rest(reader: Reader, tailing: Tailing<'_>, lines: u64) -> anyhow::Result<()> {
    reader.until_read(lines).await?;
    // Folders in which nothing happens are looked at more rarely after ten seconds.
    sleep(WARM * 3).await;
    let (begun, before_s) = (Instant::now(), reader.cpu_s()?);
    sleep(Duration::from_secs(tailing.seconds)).await;
    let (took_s, cpu_s) = (begun.elapsed().as_secs_f64(), reader.cpu_s()? - before_s);
    let resident = process::resident_bytes(reader.pid()?).unwrap_or_default();
    println!("    {}: {:.2} % of a core, RSS {:.0} MiB", reader.name(), cpu_s / took_s * 100.0, mib(&[resident]));
    reader.stop().await
}
