//! Questions about stored lines, asked through HTTP of a server that has them: how long each takes, and its CPU time; beside VictoriaLogs, where it is there.

mod fill;
mod pace;
mod questions;
mod truth;
mod victoria_logs;

use std::{fs, path::Path, time::Duration};

use anyhow::ensure;
use http::StatusCode;
use tokio::time::Instant;

pub(crate) use self::fill::at_rest;
pub use self::{
    pace::{Pace, pace},
    truth::truth,
};
use self::{
    questions::{Question, questions},
    victoria_logs::VictoriaLogs,
};
use crate::{
    client::Http1,
    process,
    server::{Server, ServerOptions},
};

/// Lines of a batch; each is of one second.
const BATCH: u64 = 1000;
const SEED: u64 = 7;

/// What is asked of whom.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Weir's binary.
    pub weir: &'a Path,
    /// VictoriaLogs' binary, where it is there.
    pub victoria_logs: Option<&'a Path>,
    /// A folder that stays.
    pub folder: &'a Path,
    /// Lines in all.
    pub lines: u64,
    /// How often each question is asked, after the first time.
    pub rounds: u64,
}

/// Starts servers on the folder, which are filled unless they were before, and asks them.
///
/// # Errors
///
/// When a server cannot be started or filled, or does not answer.
pub async fn ask(asking: Asking<'_>) -> anyhow::Result<()> {
    let Asking { weir, folder, lines, .. } = asking;
    fs::create_dir_all(folder)?;
    let (is_new, is_new_beside) = (!folder.join("data").exists(), !VictoriaLogs::data(folder).exists());
    eprintln!("starting on {}", folder.display());
    let server = start(weir, folder).await?;
    let batches = lines / BATCH;
    let filled = fill::weir(&server, folder, is_new, batches).await?;
    println!("{}", filled.told("Weir", batches * BATCH));
    let beside = match asking.victoria_logs {
        None => {
            println!(
                "VictoriaLogs: skipped: --victoria-logs PATH is missing; docs/performance.md says how it is built"
            );
            None
        }
        Some(binary) => {
            let peer = VictoriaLogs::start(binary, folder).await?;
            println!(
                "{}",
                fill::victoria_logs(&peer, (folder, is_new_beside), filled.base_ns, batches)
                    .await?
                    .told("VictoriaLogs", lines)
            );
            Some(peer)
        }
    };
    for question in questions(filled.base_ns, batches)? {
        measure(&question, &server, beside.as_ref(), asking.rounds).await?;
    }
    server.stop(Duration::from_secs(60)).await?;
    Ok(())
}

async fn start(binary: &Path, folder: &Path) -> anyhow::Result<Server> {
    let mut options = ServerOptions::new(binary, folder);
    options.storage = "  retention: {logs: forever}\n  accept: any\n".into();
    options.query = "  timeout: 120s\n".into();
    options.ready_max = Duration::from_secs(300);
    Server::start(&options).await
}

/// Asks both in turn, and says how long each took.
async fn measure(
    question: &Question,
    server: &Server,
    beside: Option<&VictoriaLogs>,
    rounds: u64,
) -> anyhow::Result<()> {
    let mut ours = Times::default();
    let mut theirs = Times::default();
    let weir = Http1::new(server.query);
    for round in 0..=rounds {
        ours.ask(&weir, server.pid(), &question.weir, round == 0).await?;
        if let (Some(peer), Some(path)) = (beside, &question.victoria_logs) {
            theirs.ask(&Http1::new(peer.address), peer.pid()?, path, round == 0).await?;
        }
    }
    println!("{}: {}", question.name, ours.told());
    if beside.is_some() && question.victoria_logs.is_some() {
        println!("    VictoriaLogs: {}", theirs.told());
    }
    Ok(())
}

/// How long answers took. The first time apart: the others find the files in memory.
#[derive(Debug, Default)]
struct Times {
    first_ms: f64,
    ms: Vec<f64>,
    cpu_s: f64,
    bytes: usize,
}

impl Times {
    async fn ask(&mut self, http: &Http1, pid: u32, path: &str, is_first: bool) -> anyhow::Result<()> {
        let cpu = || process::cpu_s(pid).unwrap_or_default();
        let (begun, before_s) = (Instant::now(), cpu());
        let (status, answer) = http.get(path).await?;
        ensure!(status == StatusCode::OK, "{path}: {status} {}", String::from_utf8_lossy(&answer));
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        self.bytes = answer.len();
        if is_first {
            self.first_ms = ms;
        } else {
            self.ms.push(ms);
            self.cpu_s += cpu() - before_s;
        }
        Ok(())
    }

    fn told(&self) -> String {
        let mut ms = self.ms.clone();
        ms.sort_by(f64::total_cmp);
        let (middle, longest) = (ms[ms.len() / 2], ms[ms.len() - 1]);
        let cpu_ms = self.cpu_s / ms.len() as f64 * 1e3;
        let Self { first_ms, bytes, .. } = self;
        format!("{middle:.0} ms (first {first_ms:.0}, longest {longest:.0}), CPU {cpu_ms:.0} ms, {bytes} B")
    }
}
