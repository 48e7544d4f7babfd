//! Of the language as a whole: scripts, errors in Prometheus' words, limits.

mod errors;
mod limits;
mod scripts;

use super::engine::{Options, Outcome, QueryError, Times, Unstopped};
use super::{engine, script};

/// What a query may take when nothing else is said.
const OPTIONS: Options =
    Options { lookback_ms: 300_000, subquery_step_ms: 60_000, samples_max: 1_000_000, bytes_max: 1 << 26, threads: 1 };

/// Of 64 series that count up every 10 s for an hour.
const COUNTERS: &str = "load 10s\n  counted{a=\"0\", b=\"x\"} 0+1x360\n";

fn counters() -> script::Loaded {
    let line = |at: usize| format!("  counted{{a=\"{}\", b=\"{at}\"}} 0+{}x360\n", at % 4, at + 1);
    script::loaded(&(COUNTERS.to_owned() + &(0..64).map(line).collect::<String>()))
}

fn asked(loaded: &script::Loaded, query: &str, options: &Options) -> Result<Outcome, QueryError> {
    let times = Times { start_ms: 0, end_ms: 3_600_000, step_ms: 60_000 };
    engine::range(loaded, query, times, options, &Unstopped)
}
