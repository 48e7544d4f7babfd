//! What Prometheus' API says of targets: `/api/v1/targets`, `/api/v1/targets/metadata` and `/api/v1/scrape_pools`.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use weir_proto::metrics::Labels;

use super::{scraper::Scraper, target::without_password};
use crate::samples::period_in_words;

/// What a query string asks for.
#[derive(Debug, Default)]
struct Asked {
    state: String,
    pool: String,
    match_target: String,
    metric: String,
    limit: String,
}

/// The answer's body. `query` is the URI's, still encoded; `hostname` stands for loopback addresses.
pub fn targets(scrapers: &[Arc<Scraper>], query: &str, hostname: &str) -> String {
    let asked = Asked::of(query);
    let state = asked.state.to_ascii_lowercase();
    let (with_active, with_dropped) = match state.as_str() {
        "" | "any" => (true, true),
        "active" => (true, false),
        "dropped" => (false, true),
        _ => (false, false),
    };
    let (mut active, mut dropped, mut counts) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (name, view) in scrapers.iter().flat_map(|scraper| scraper.views()) {
        if !asked.pool.is_empty() && asked.pool != name {
            continue;
        }
        let view = view.lock();
        if with_active {
            for (plan, status) in &view.active {
                let (target, status) = (&plan.target, status.lock().clone());
                let url = without_password(&target.url);
                let health = match (status.last_scrape_ns, status.last_error.is_empty()) {
                    (0, _) => "unknown",
                    (_, true) => "up",
                    (_, false) => "down",
                };
                active.push(json!({
                    "discoveredLabels": target.discovered,
                    "labels": target.labels.iter().collect::<BTreeMap<_, _>>(),
                    "scrapePool": name,
                    "scrapeUrl": url,
                    "globalUrl": global_url(&url, hostname),
                    "lastError": status.last_error,
                    "lastScrape": rfc3339(status.last_scrape_ns),
                    "lastScrapeDuration": status.last_duration.as_secs_f64(),
                    "health": health,
                    "scrapeInterval": period_in_words(target.interval * target.samples_per_probe),
                    "scrapeTimeout": period_in_words(target.timeout),
                }));
            }
        }
        if with_dropped {
            let of_pool = view.dropped.iter();
            dropped.extend(of_pool.map(|labels| json!({"discoveredLabels": labels, "scrapePool": name})));
            counts.insert(name, view.dropped_count);
        }
    }
    let counts = if with_dropped { json!(counts) } else { Value::Null };
    let data = json!({"activeTargets": active, "droppedTargets": dropped, "droppedTargetCounts": counts});
    json!({"status": "success", "data": data}).to_string()
}

/// The answer's body: what targets say of their families. `reads` makes a test of labels of a selector; an error is the client's.
pub fn targets_metadata<T: Fn(&Labels) -> bool>(
    scrapers: &[Arc<Scraper>],
    query: &str,
    reads: impl Fn(&str) -> Result<T, String>,
) -> Result<String, String> {
    let asked = Asked::of(query);
    let limit = match &*asked.limit {
        "" => usize::MAX,
        text => {
            let limit = text.parse::<i64>().map_err(|_| "limit must be a number".to_owned())?;
            usize::try_from(limit).unwrap_or(usize::MAX)
        }
    };
    let test = (!asked.match_target.is_empty()).then(|| reads(&asked.match_target)).transpose();
    let test = test.map_err(|error| format!("invalid parameter \"match_target\": {error}"))?;
    let mut all = Vec::new();
    for (_, view) in scrapers.iter().flat_map(|scraper| scraper.views()) {
        for (plan, status) in &view.lock().active {
            let labels = &plan.target.labels;
            if test.as_ref().is_some_and(|takes| !takes(labels)) {
                continue;
            }
            if all.len() >= limit {
                break;
            }
            let target = labels.iter().collect::<BTreeMap<_, _>>();
            let said = status.lock().said.clone();
            for family in said.iter().filter(|family| asked.metric.is_empty() || asked.metric == family.family) {
                let mut one = json!({
                    "target": target, "type": family.metric_type.name(), "help": family.help, "unit": family.unit,
                });
                if asked.metric.is_empty() {
                    one["metric"] = family.family.clone().into();
                }
                all.push(one);
            }
        }
    }
    Ok(json!({"status": "success", "data": all}).to_string())
}

/// The answer's body.
pub fn scrape_pools(scrapers: &[Arc<Scraper>]) -> String {
    let mut pools: Vec<String> = scrapers.iter().flat_map(|scraper| scraper.pools()).collect();
    pools.sort();
    json!({"status": "success", "data": {"scrapePools": pools}}).to_string()
}

impl Asked {
    fn of(query: &str) -> Self {
        let mut asked = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "state" if asked.state.is_empty() => asked.state = decoded(value),
                "scrapePool" if asked.pool.is_empty() => asked.pool = decoded(value),
                "match_target" if asked.match_target.is_empty() => asked.match_target = decoded(value),
                "metric" if asked.metric.is_empty() => asked.metric = decoded(value),
                "limit" if asked.limit.is_empty() => asked.limit = decoded(value),
                _ => {}
            }
        }
        asked
    }
}

/// Percent-decoded; what is no valid escape stays.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escape = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (byte, escape.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'+', _) => out.push(b' '),
            (b'%', Some(escaped)) => {
                out.push(escaped);
                rest = &after[2..];
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The address as others may reach it.
fn global_url(url: &str, hostname: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    for local in ["localhost", "127.0.0.1", "[::1]"] {
        if let Some(after) = rest.strip_prefix(local)
            && (after.is_empty() || after.starts_with([':', '/']))
        {
            return format!("{scheme}://{hostname}{after}");
        }
    }
    url.to_owned()
}

/// Unix ns as Go writes times; year 1 for none, as its zero time.
fn rfc3339(unix_ns: u64) -> String {
    if unix_ns == 0 {
        return "0001-01-01T00:00:00Z".into();
    }
    let (seconds, ns) = (unix_ns / 1_000_000_000, unix_ns % 1_000_000_000);
    let (days, second) = ((seconds / 86_400) as i64, seconds % 86_400);
    // Days to a date, with years that begin in March (Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_things() {
        assert_eq!(rfc3339(1_709_210_096_123_456_789), "2024-02-29T12:34:56.123456789Z");
        assert_eq!(rfc3339(0), "0001-01-01T00:00:00Z");
        assert_eq!(global_url("http://127.0.0.1:4320/metrics", "host"), "http://host:4320/metrics");
        assert_eq!(global_url("http://localhoster/metrics", "host"), "http://localhoster/metrics");
        assert_eq!(decoded("a%20b+c%2"), "a b c%2");
    }
}
