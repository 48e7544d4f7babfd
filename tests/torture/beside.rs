//! Lines and samples that are sent beside the spans, and counted like them: each has a number that no other has.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    net::SocketAddr,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::sleep;
use weir_benches::{client::Http1, load::Record, query::Query, series::written};
use weir_proto::{Signal, time::Clock};

use crate::totals::Totals;

/// Lines, or samples, of a request.
const REQUEST_ITEMS: u64 = 10;
/// Between two requests.
const PAUSE: Duration = Duration::from_millis(15);

/// What became of an item, as far as its sender knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Sent,
    Acked,
}

/// The items of a chapter, by signal and number.
pub(crate) struct Beside {
    /// Names the chapter's stream and series.
    chapter: u64,
    /// The first number's time.
    start_ns: u64,
    fates: Mutex<BTreeMap<(Signal, u64), Fate>>,
    /// Accepted before the chapter, says the ledger.
    accepted_before: HashMap<Signal, u64>,
}

impl Beside {
    pub(crate) fn new(chapter: u64) -> Self {
        let start_ns = Clock::system().now_ns() / 1_000_000 * 1_000_000;
        Self { chapter, start_ns, fates: Mutex::default(), accepted_before: HashMap::new() }
    }

    /// Sends in turn until `load` has ended, which may end the server.
    pub(crate) async fn during<T>(&self, address: SocketAddr, record: &Record, load: impl Future<Output = T>) -> T {
        let send = async {
            let client = Http1::new(address);
            loop {
                for signal in [Signal::Logs, Signal::Metrics] {
                    self.send(&client, address, signal, record).await;
                    sleep(PAUSE).await;
                }
            }
        };
        tokio::select! {
            ended = load => ended,
            () = send => unreachable!("it goes on for ever"),
        }
    }

    async fn send(&self, client: &Http1, address: SocketAddr, signal: Signal, record: &Record) {
        let first =
            self.fates.lock().range((signal, 0)..=(signal, u64::MAX)).next_back().map_or(0, |((_, n), _)| n + 1);
        let numbers = first..first + REQUEST_ITEMS;
        self.fates.lock().extend(numbers.clone().map(|number| ((signal, number), Fate::Sent)));
        let answer = match signal {
            Signal::Logs => client.post("/loki/api/v1/push", self.lines(numbers.clone()).into_bytes()).await,
            _ => {
                let samples: Vec<(f64, i64)> = numbers.clone().map(|n| (n as f64, self.time_ms(n))).collect();
                let chapter = self.chapter.to_string();
                let labels = [("__name__", "torture"), ("chapter", chapter.as_str())];
                let mut request = written::one_series(&labels, &samples);
                let host = address.to_string().parse().expect("an address");
                request.headers_mut().insert("host", host);
                client.send(request).await
            }
        };
        // What arrives after a cut of power would not have arrived.
        if answer.is_ok_and(|(status, _)| status.is_success()) && !record.is_deaf() {
            self.fates.lock().extend(numbers.map(|number| ((signal, number), Fate::Acked)));
        }
    }

    /// A push of lines, every third of them no JSON.
    fn lines(&self, numbers: std::ops::Range<u64>) -> String {
        let mut values = String::new();
        for number in numbers {
            let time_ns = self.start_ns + number * 1_000_000;
            let separator = if values.is_empty() { "" } else { "," };
            let line = match number % 3 {
                0 => format!("number {number} of them"),
                _ => format!(r#"{{\"n\":{number},\"level\":\"info\",\"words\":\"one of many\"}}"#),
            };
            write!(values, r#"{separator}["{time_ns}","{line}"]"#).expect("a string");
        }
        let chapter = self.chapter;
        format!(r#"{{"streams":[{{"stream":{{"app":"torture","chapter":"{chapter}"}},"values":[{values}]}}]}}"#)
    }

    fn time_ms(&self, number: u64) -> i64 {
        (self.start_ns / 1_000_000 + number) as i64
    }

    /// Compares everything with what is there; the next chapter begins.
    pub(crate) async fn conclude(&mut self, query: &Query, name: &str, totals: &mut Totals) {
        for signal in [Signal::Logs, Signal::Metrics] {
            let found = match signal {
                Signal::Logs => self.found_lines(query).await,
                _ => self.found_samples(query).await,
            };
            let found = found.unwrap_or_else(|error| panic!("{name}: {error:#}"));
            self.count(signal, &found, name, totals);
            let (_, ledger) = query.json("/api/v1/ledger").await.expect("the ledger answers");
            let tally = &ledger[signal.name()]["default"];
            let [accepted, kept, damaged] = ["accepted", "kept", "damaged"].map(|of| tally[of].as_u64().unwrap_or(0));
            let before = self.accepted_before.insert(signal, accepted).unwrap_or(0);
            let there = found.values().sum::<u64>();
            // Beside them Weir writes samples of its own: the chapter's are some of those.
            let is_exact = if signal == Signal::Logs { accepted - before == there } else { accepted - before >= there };
            if !is_exact || kept != accepted || damaged > 0 {
                totals.ledger_faults += 1;
                totals.example(format!("{name}: {there} {signal} of the chapter, {before} before: {tally}"));
            }
        }
        let accepted_before = std::mem::take(&mut self.accepted_before);
        *self = Self { accepted_before, ..Self::new(self.chapter + 1) };
    }

    fn count(&self, signal: Signal, found: &BTreeMap<u64, u64>, name: &str, totals: &mut Totals) {
        let fates = self.fates.lock();
        let of_signal =
            || fates.iter().filter(|((of, _), _)| *of == signal).map(|((_, number), fate)| (*number, *fate));
        let acked = || of_signal().filter(|(_, fate)| *fate == Fate::Acked);
        let lost: Vec<u64> = acked().map(|(number, _)| number).filter(|number| !found.contains_key(number)).collect();
        let doubled: u64 = found.values().map(|count| count - 1).sum();
        let foreign = found.keys().filter(|number| !fates.contains_key(&(signal, **number))).count() as u64;
        // Of a request all is there or nothing.
        let torn = (0..found.keys().next_back().map_or(0, |last| last / REQUEST_ITEMS + 1))
            .filter(|request| {
                let there = found.range(request * REQUEST_ITEMS..(request + 1) * REQUEST_ITEMS).count() as u64;
                there != 0 && there != REQUEST_ITEMS
            })
            .count() as u64;
        totals.items_acked += acked().count() as u64;
        totals.lost += lost.len() as u64;
        totals.duplicated += doubled;
        totals.wrong += foreign + torn;
        if !lost.is_empty() || doubled + foreign + torn > 0 {
            let some: Vec<&u64> = lost.iter().take(10).collect();
            totals.example(format!(
                "{name}: {signal}: {} lost ({some:?}), {doubled} doubled, {foreign} foreign, {torn} torn",
                lost.len()
            ));
        }
    }

    /// How often each number is among the chapter's lines.
    async fn found_lines(&self, query: &Query) -> anyhow::Result<BTreeMap<u64, u64>> {
        let chapter = self.chapter;
        let sql = format!(
            "SELECT body FROM logs WHERE resource['app'] = 'torture' AND resource['chapter'] = '{chapter}' \
             OR attributes['app'] = 'torture' AND attributes['chapter'] = '{chapter}'"
        );
        let answer = query.sql(&sql).await?;
        let mut found = BTreeMap::new();
        for row in answer["rows"].as_array().into_iter().flatten() {
            let line = row[0].as_str().unwrap_or_default();
            let digits = line.trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            // One that is not as it was sent is nobody's number.
            let number = digits[..end].parse().unwrap_or(u64::MAX);
            let is_whole = line == format!("number {number} of them")
                || line == format!(r#"{{"n":{number},"level":"info","words":"one of many"}}"#);
            *found.entry(if is_whole { number } else { u64::MAX }).or_default() += 1;
        }
        Ok(found)
    }

    /// The numbers among the chapter's samples; of a time there is one sample at most.
    async fn found_samples(&self, query: &Query) -> anyhow::Result<BTreeMap<u64, u64>> {
        let last = self.fates.lock().keys().map(|(_, number)| *number).max().unwrap_or(0);
        let (end, range) = (self.time_ms(last + 1) as f64 / 1e3, last / 1000 + 2);
        let path = format!(
            "/prometheus/api/v1/query?query=torture%7Bchapter%3D%22{}%22%7D%5B{range}s%5D&time={end}",
            self.chapter
        );
        let (status, answer) = query.json(&path).await?;
        anyhow::ensure!(status.is_success(), "{path}: {status}: {answer}");
        let mut found = BTreeMap::new();
        for sample in answer["data"]["result"][0]["values"].as_array().into_iter().flatten() {
            let value: f64 = sample[1].as_str().unwrap_or_default().parse()?;
            let number = value as u64;
            let time_ms = (sample[0].as_f64().unwrap_or_default() * 1e3).round() as i64;
            *found.entry(if self.time_ms(number) == time_ms { number } else { u64::MAX }).or_default() += 1;
        }
        Ok(found)
    }
}
