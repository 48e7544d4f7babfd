//! `make torture`: kills, power cuts and a soak with faults, with and without tail sampling, all counted against an oracle.
//!
//! The oracle is this process: it outlives every server, knows which batches were acknowledged and what the policies must keep.
//! Not a part of `make test`; `--quick` takes two minutes, all of it some hours.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use weir_proto::time::Clock;

#[path = "../e2e/disk_image.rs"]
#[allow(dead_code, reason = "the end-to-end tests use all of it")]
mod disk_image;
#[path = "../e2e/fixture.rs"]
#[allow(dead_code, reason = "the end-to-end tests use all of it")]
mod fixture;
#[path = "../e2e/rounds.rs"]
mod rounds;

mod beside;
mod campaign;
mod kills;
mod soak;
mod totals;

use campaign::Campaign;
use totals::Totals;

/// Kills servers, cuts the power, injects faults, and counts what became of every acknowledged span, line and sample.
#[derive(Debug, Clone, Parser)]
struct Options {
    /// Rounds that end with `kill -9`.
    #[arg(long, default_value_t = 500)]
    kills: u64,
    /// Rounds that end with a power cut (as root, on a loop device).
    #[arg(long, default_value_t = 100)]
    cuts: u64,
    /// Seconds of load with faults injected.
    #[arg(long, default_value_t = 3600)]
    soak: u64,
    /// Spans a second of the soak.
    #[arg(long, default_value_t = 1000)]
    soak_rate: u32,
    /// Traces that wait for their verdict through twenty further kills, and as many power cuts.
    #[arg(long, default_value_t = 50_000)]
    open_traces: u64,
    /// The short form, of two minutes on a machine of its own: 20 kills, 4 cuts, 30 s of soak, 2,000 open traces.
    #[arg(long)]
    quick: bool,
    /// Only with, or only without tail sampling.
    #[arg(long, value_enum, default_value = "both")]
    sampling: Sampling,
    /// Names the moments; a failure prints it.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sampling {
    Both,
    With,
    Without,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.quick {
        options = Options { kills: 20, cuts: 4, soak: 30, open_traces: 2_000, ..options };
    }
    let seed = options.seed.unwrap_or_else(|| Clock::system().now_ns());
    println!("torture: seed {seed}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let totals = runtime.block_on(run(&options, seed));
    println!("\n{totals}");
    if totals.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Half of the rounds without tail sampling, half with it, unless only one is asked for.
async fn run(options: &Options, seed: u64) -> Totals {
    let ways: &[bool] = match options.sampling {
        Sampling::Both => &[false, true],
        Sampling::With => &[true],
        Sampling::Without => &[false],
    };
    let share = |count: u64| count.div_ceil(ways.len() as u64);
    let mut totals = Totals::default();
    for &sampled in ways {
        let name = if sampled { "with tail sampling" } else { "without sampling" };
        if options.kills > 0 {
            let mut campaign = Campaign::new(format!("kills, {name}"), seed, sampled.then_some("300ms"), None);
            kills::kills(&mut campaign, share(options.kills)).await;
            totals.add(campaign.totals);
        }
        if sampled && options.open_traces > 0 {
            let wait = if options.quick { "5s" } else { "30s" };
            let mut campaign = Campaign::new("kills, many open traces".into(), seed + 1, Some(wait), None);
            kills::with_open_traces(&mut campaign, options.open_traces).await;
            totals.add(campaign.totals);
            if options.cuts > 0
                && let Some(mut campaign) =
                    Campaign::on_a_disk("power cuts, many open traces".into(), seed + 1, Some(wait))
            {
                kills::with_open_traces(&mut campaign, options.open_traces).await;
                totals.add(campaign.totals);
            }
        }
        if options.cuts > 0
            && let Some(mut campaign) =
                Campaign::on_a_disk(format!("power cuts, {name}"), seed + 2, sampled.then_some("300ms"))
        {
            kills::cuts(&mut campaign, share(options.cuts)).await;
            totals.add(campaign.totals);
        }
        if options.soak > 0 {
            let wait = sampled.then_some("2s");
            let title = format!("soak, {name}");
            let mut campaign = Campaign::on_a_disk(title.clone(), seed + 3, wait)
                .unwrap_or_else(|| Campaign::new(title, seed + 3, wait, None));
            let duration = Duration::from_secs(share(options.soak));
            soak::soak(&mut campaign, duration, f64::from(options.soak_rate)).await;
            totals.add(campaign.totals);
        }
    }
    totals
}
