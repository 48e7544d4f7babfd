//! Who calls whom: calls between services, found by a column scan over spans.
//!
//! A call is a span whose parent (by id, within one trace) is of another service, or a server below a client, or a consumer below a
//! producer, of the same one. A server that shares its client's id (Zipkin) is its child. A consumer is also called by the producers
//! and clients that it links to, and without a parent by any span that it links to, in whatever trace they are: so batches of messages count
//! message by message. A client or producer that nobody
//! answered with a span calls what its attributes name ([`Callee`] other than a service), unless spans of it are left out.
//!
//! Spans are held in memory until their trace is complete: at most [`SPANS_HELD_MAX`] at a time. More are read in up to [`PASSES_MAX`] passes, each
//! of which holds only the traces whose hash falls to it. Of still more, one pass is read, which then is a sample of all traces, and
//! calls are multiplied.
//!
//! Of what sampling keeps, a call counts as many times as it stands for, in percentiles, too.

mod call;
mod graph;
mod join;
mod read;

use std::{ops::RangeInclusive, time::Instant};

use weir_store::{ScanFilter, ScanRequest};

use crate::batches::Batches;
pub(crate) use call::Callee;
use call::Names;
pub(crate) use graph::Dependency;
use graph::Graph;
use join::join;
use read::{Pass, Reader};

/// Spans and links that a query holds at a time, 40 bytes each.
const SPANS_HELD_MAX: usize = if cfg!(test) { 16 } else { 3_000_000 };

/// How often a query reads what it has to read: with the bound above, up to 9.6 million spans are all counted.
const PASSES_MAX: u64 = 4;

/// The share of its time that a query keeps back for finding the calls in what it has read.
const JOINING_SHARE: u32 = 8;

/// What a query found.
#[derive(Debug)]
pub(crate) struct Found {
    /// By caller and callee.
    pub(crate) dependencies: Vec<Dependency>,
    /// Spans looked at.
    pub(crate) spans: u64,
    /// 1 when all traces were looked at, 8 when one in eight was: then calls and errors are estimates.
    pub(crate) traces_one_in: u64,
    /// Sampling left out others that some of the spans stand for: then calls, errors and percentiles are estimates.
    pub(crate) weighted: bool,
    /// Something was left out: the deadline came, a bound was reached, or data could not be read.
    pub(crate) partial: bool,
}

/// The columns of the spans that start within the range; with what clients say of whom they call, or without.
pub(crate) fn request(start_ns: RangeInclusive<u64>, with_peers: bool) -> ScanRequest {
    ScanRequest { columns: read::columns(with_peers), filter: ScanFilter { start_ns, ..ScanFilter::default() } }
}

/// Counts the calls in what [`request`] asked for.
pub(crate) fn dependencies(batches: &dyn Batches, deadline: Instant) -> Found {
    let parts_rows_max = batches.parts_rows_max();
    let (passes, traces_one_in) = plan(parts_rows_max.iter().sum());
    let (mut names, mut graph) = (Names::default(), Graph::default());
    let (mut spans, mut partial) = (0, false);
    let mut pass = Pass::new(passes * traces_one_in, SPANS_HELD_MAX);
    let now = Instant::now();
    let reading_until = deadline - deadline.saturating_duration_since(now) / JOINING_SHARE;
    for number in 0..passes {
        pass.begin(number);
        for part in 0..parts_rows_max.len() {
            if Instant::now() >= reading_until {
                partial = true;
                break;
            }
            Reader::of(&batches.read(part)).read(&mut names, &mut pass);
        }
        partial |= pass.left_out > 0;
        spans += pass.spans.len() as u64;
        partial |= !join(&mut pass.spans, &mut pass.links, &mut graph, deadline);
    }
    partial |= batches.is_partial() || names.left_out > 0 || graph.left_out > 0;
    let dependencies = graph.dependencies(&names, traces_one_in);
    Found { dependencies, spans, traces_one_in, weighted: pass.is_weighted, partial }
}

/// In how many passes to read so many rows, and of how many traces one is looked at.
fn plan(rows: u64) -> (u64, u64) {
    // A fifth to spare: traces do not fall to passes evenly.
    let pass_rows = (SPANS_HELD_MAX as u64 / 5 * 4).max(1);
    let passes = rows.div_ceil(pass_rows).max(1);
    if passes <= PASSES_MAX { (passes, 1) } else { (1, passes) }
}

#[cfg(test)]
mod tests;
