//! Sums over the calls of an operation where the time on their critical paths goes.

mod category;

use std::collections::{HashMap, hash_map::Entry};

use serde::Serialize;
use weir_store::SpanRecord;

use crate::{
    critical_path::{self, SpanTime},
    trace::service,
    tree::{Node, Tree},
    weight::{Weight, WeightedHistogram},
};
pub(crate) use category::Category;

/// Different (service, operation, category) that are told apart; the time of more is in the categories only.
const CONTRIBUTORS_MAX: usize = if cfg!(test) { 10 } else { 10_000 };

/// Contributors in an answer.
const CONTRIBUTORS_SHOWN_MAX: usize = if cfg!(test) { 4 } else { 20 };

/// Spans of a service, of one name if given.
#[derive(Debug, Clone)]
pub(crate) struct Calls<'a> {
    pub(crate) service: &'a str,
    pub(crate) operation: Option<&'a str>,
    /// When they start, Unix ns.
    pub(crate) start_ns: std::ops::RangeInclusive<u64>,
}

/// Times in ns: their sum, and percentiles (3 significant digits) over calls, each as many times as it stands for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Times {
    total_ns: u64,
    p50_ns: u64,
    p95_ns: u64,
    p99_ns: u64,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    /// Traces looked at that have such a call: of what is kept, whatever each stands for.
    traces: u64,
    /// At most one of those that are in one another: the outermost. Each counts as many times as it stands for, in times, too.
    calls: u64,
    /// Calls among the spans that are here, which all other figures rest on.
    calls_seen: u64,
    /// Sampling left out others that some of them stand for: the figures are estimates.
    weighted: bool,
    duration: Times,
    categories: Vec<CategoryTime>,
    /// Largest first.
    contributors: Vec<Contributor>,
}

#[derive(Debug, Serialize)]
struct CategoryTime {
    category: Category,
    /// Of the calls' duration, 0 to 1.
    share: f64,
    #[serde(flatten)]
    times: Times,
}

#[derive(Debug, Serialize)]
struct Contributor {
    service: String,
    operation: String,
    category: Category,
    share: f64,
    total_ns: u64,
    /// Spans on a critical path.
    spans: u64,
}

/// Collects trace by trace.
#[derive(Debug)]
pub(crate) struct Bottlenecks<'a> {
    calls: Calls<'a>,
    traces: u64,
    calls_seen: u64,
    calls_weight: f64,
    duration: Durations,
    by_category: [Durations; Category::ALL.len()],
    contributors: HashMap<(String, String, Category), Contribution>,
}

#[derive(Debug, Default)]
struct Contribution {
    total_ns: f64,
    spans: f64,
}

/// Of calls, in ns.
#[derive(Debug)]
struct Durations {
    total_ns: f64,
    histogram: WeightedHistogram,
}

impl<'a> Bottlenecks<'a> {
    pub(crate) fn new(calls: Calls<'a>) -> Self {
        Self {
            calls,
            traces: 0,
            calls_seen: 0,
            calls_weight: 0.0,
            duration: Durations::new(),
            by_category: std::array::from_fn(|_| Durations::new()),
            contributors: HashMap::new(),
        }
    }

    /// Adds the calls in one trace, resends folded.
    pub(crate) fn add(&mut self, rows: &[SpanRecord]) {
        let nodes: Vec<_> = rows.iter().map(Node::of).collect();
        let tree = Tree::of(&nodes);
        let order = tree.top_down();
        let services: Vec<_> = rows.iter().map(|row| service(&row.resource)).collect();
        let mut categories = vec![Category::Own; rows.len()];
        // Whether a span is a call, or within one.
        let mut within = vec![false; rows.len()];
        let mut outermost = Vec::new();
        for &span in &order {
            let at = span as usize;
            categories[at] = Category::of(&rows[at].span);
            if let Some(parent) = tree.parent(span).map(|parent| parent as usize) {
                within[at] = within[parent];
                if services[parent] == services[at] {
                    categories[at] = categories[at].below(categories[parent], &rows[at].span);
                }
            }
            if !within[at] && self.calls.have(services[at], &rows[at]) {
                within[at] = true;
                outermost.push(span);
            }
        }
        let mut times = vec![SpanTime::default(); rows.len()];
        for &call in &outermost {
            // No call is within another: each fills times of its own.
            critical_path::of_call(&nodes, &tree, call, &mut times);
            let weight = Weight(rows[call as usize].adjusted_count);
            self.calls_seen += 1;
            self.calls_weight += weight.0;
            let mut by_category_ns = [0; Category::ALL.len()];
            for span in tree.below(call) {
                let at = span as usize;
                if times[at].on_critical_path {
                    by_category_ns[categories[at] as usize] += times[at].critical_path_ns;
                    let of = (services[at], rows[at].span.name.as_str(), categories[at]);
                    self.contribute(of, times[at].critical_path_ns, weight);
                }
            }
            self.duration.add(nodes[call as usize].duration_ns(), weight);
            for (durations, ns) in self.by_category.iter_mut().zip(by_category_ns) {
                durations.add(ns, weight);
            }
        }
        self.traces += u64::from(!outermost.is_empty());
    }

    fn contribute(&mut self, (service, operation, category): (&str, &str, Category), ns: u64, weight: Weight) {
        let full = self.contributors.len() >= CONTRIBUTORS_MAX;
        let contribution = match self.contributors.entry((service.to_owned(), operation.to_owned(), category)) {
            Entry::Vacant(_) if full => return,
            Entry::Vacant(entry) => entry.insert(Contribution::default()),
            Entry::Occupied(entry) => entry.into_mut(),
        };
        contribution.total_ns += ns as f64 * weight.0;
        contribution.spans += weight.0;
    }

    /// Shares and percentiles.
    pub(crate) fn found(self) -> Found {
        let all_ns = self.duration.total_ns;
        let mut contributors: Vec<_> = self.contributors.into_iter().collect();
        contributors
            .sort_by(|(a, a_time), (b, b_time)| b_time.total_ns.total_cmp(&a_time.total_ns).then_with(|| a.cmp(b)));
        contributors.truncate(CONTRIBUTORS_SHOWN_MAX);
        let contributor = |((service, operation, category), time): (_, Contribution)| {
            let share = share(time.total_ns, all_ns);
            let (total_ns, spans) = (time.total_ns.round() as u64, time.spans.round() as u64);
            Contributor { service, operation, category, share, total_ns, spans }
        };
        let categories = Category::ALL.into_iter().zip(&self.by_category).map(|(category, durations)| CategoryTime {
            category,
            share: share(durations.total_ns, all_ns),
            times: durations.times(),
        });
        Found {
            traces: self.traces,
            calls: self.calls_weight.round() as u64,
            calls_seen: self.calls_seen,
            // No span stands for less than itself.
            weighted: self.calls_weight != self.calls_seen as f64,
            duration: self.duration.times(),
            categories: categories.collect(),
            contributors: contributors.into_iter().map(contributor).collect(),
        }
    }
}

impl Calls<'_> {
    fn have(&self, service: &str, row: &SpanRecord) -> bool {
        service == self.service
            && self.operation.is_none_or(|name| name == row.span.name)
            && self.start_ns.contains(&row.span.start_time_unix_nano)
    }
}

impl Durations {
    fn new() -> Self {
        Self { total_ns: 0.0, histogram: WeightedHistogram::new(3) }
    }

    fn add(&mut self, ns: u64, weight: Weight) {
        self.total_ns += ns as f64 * weight.0;
        self.histogram.record(ns, weight);
    }

    fn times(&self) -> Times {
        let percentile = |share| self.histogram.percentile(share);
        let total_ns = self.total_ns.round() as u64;
        Times { total_ns, p50_ns: percentile(0.50), p95_ns: percentile(0.95), p99_ns: percentile(0.99) }
    }
}

fn share(part_ns: f64, all_ns: f64) -> f64 {
    if all_ns == 0.0 { 0.0 } else { part_ns / all_ns }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawn::rows;

    fn calls<'a>(service: &'a str, operation: Option<&'a str>) -> Calls<'a> {
        Calls { service, operation, start_ns: 0..=u64::MAX }
    }

    /// ns by category: own, database, external, queue, cache.
    fn totals(found: &Found) -> Vec<u64> {
        found.categories.iter().map(|time| time.times.total_ns).collect()
    }

    const ORDER: &str = "
        shop/order 0..100 server
          shop/select 5..25 client db.system.name=postgresql
            shop/connect 5..10
          shop/get 25..30 client db.system=redis
          shop/POST 30..80 client http.request.method=POST
            pay/charge 35..75 server
              pay/insert 40..70 client db.system=mysql
          shop/send 80..90 producer messaging.system=kafka
            mail/process 95..300 consumer messaging.system=kafka";

    #[test]
    fn time_is_split_by_what_it_is_spent_on() {
        let mut bottlenecks = Bottlenecks::new(calls("shop", Some("order")));
        bottlenecks.add(&rows(ORDER));
        let found = bottlenecks.found();
        assert_eq!((found.traces, found.calls, found.duration.total_ns), (1, 1, 100));
        assert!(!found.weighted);
        // Own: 0..5, 90..100, and what charge does itself. External: on the way to pay and back.
        assert_eq!(totals(&found), [25, 50, 10, 10, 5]);
        let shares: Vec<_> = found.categories.iter().map(|time| (time.share * 100.0).round()).collect();
        assert_eq!(shares, [25.0, 50.0, 10.0, 10.0, 5.0]);
        let first = &found.contributors[0];
        assert_eq!((first.service.as_str(), first.operation.as_str()), ("pay", "insert"));
        assert_eq!((first.total_ns, first.spans, first.category), (30, 1, Category::Database));
        assert_eq!(found.contributors.len(), CONTRIBUTORS_SHOWN_MAX);
    }

    #[test]
    fn a_call_within_a_trace_is_looked_at_by_itself() {
        let mut bottlenecks = Bottlenecks::new(calls("pay", None));
        bottlenecks.add(&rows(ORDER));
        bottlenecks.add(&rows("shop/other 0..10"));
        let found = bottlenecks.found();
        assert_eq!((found.traces, found.calls), (1, 1));
        assert_eq!(totals(&found), [10, 30, 0, 0, 0]);
    }

    #[test]
    fn percentiles_are_over_calls_and_the_outermost_counts() {
        let mut bottlenecks = Bottlenecks::new(calls("a", Some("f")));
        bottlenecks.add(&rows(
            "
            b/loop 0..1000
              a/f 0..10
                a/f 2..8
              a/f 10..110
                a/sql 20..100 db.system=x
              a/f 500..530",
        ));
        let found = bottlenecks.found();
        assert_eq!((found.traces, found.calls), (1, 3));
        assert_eq!(found.duration, Times { total_ns: 140, p50_ns: 30, p95_ns: 100, p99_ns: 100 });
        let own = &found.categories[0].times;
        assert_eq!(*own, Times { total_ns: 60, p50_ns: 20, p95_ns: 30, p99_ns: 30 });
        // Most calls have no database at all.
        assert_eq!(found.categories[1].times, Times { total_ns: 80, p50_ns: 0, p95_ns: 80, p99_ns: 80 });
    }

    #[test]
    fn a_call_counts_as_many_times_as_it_stands_for() {
        let mut bottlenecks = Bottlenecks::new(calls("a", Some("f")));
        bottlenecks.add(&rows("a/f 0..1000 error"));
        bottlenecks.add(&rows("a/f 0..100 count=99.4\n  a/sql 20..80 db.system=x count=99.4"));
        let found = bottlenecks.found();
        assert_eq!((found.traces, found.calls, found.calls_seen, found.weighted), (2, 100, 2, true));
        assert_eq!(found.duration, Times { total_ns: 10_940, p50_ns: 100, p95_ns: 100, p99_ns: 100 });
        assert_eq!(totals(&found)[..2], [4976, 5964]);
        let sql = &found.contributors[0];
        assert_eq!((sql.operation.as_str(), sql.total_ns, sql.spans), ("sql", 5964, 99));
    }

    #[test]
    fn calls_beyond_the_range_do_not_count() {
        let mut bottlenecks = Bottlenecks::new(Calls { start_ns: 5..=20, ..calls("a", Some("f")) });
        bottlenecks.add(&rows("b/loop 0..50\n  a/f 0..10\n  a/f 20..40\n  a/f 41..45"));
        assert_eq!(bottlenecks.found().duration.total_ns, 20);
    }

    #[test]
    fn many_names_stay_within_the_bound() {
        let mut bottlenecks = Bottlenecks::new(calls("a", Some("f")));
        let mut drawn = "a/f 0..100\n".to_owned();
        for n in 0..20 {
            drawn += &format!("  a/n{n} {}..{}\n", n * 5, n * 5 + 5);
        }
        bottlenecks.add(&rows(&drawn));
        assert_eq!(bottlenecks.contributors.len(), CONTRIBUTORS_MAX);
        assert_eq!(totals(&bottlenecks.found()), [100, 0, 0, 0, 0]);
    }

    #[test]
    fn nothing_found_is_zero() {
        let found = Bottlenecks::new(calls("a", None)).found();
        assert_eq!((found.traces, found.calls), (0, 0));
        assert_eq!(found.duration, Times { total_ns: 0, p50_ns: 0, p95_ns: 0, p99_ns: 0 });
        assert_eq!(found.categories[0].share, 0.0);
    }
}
