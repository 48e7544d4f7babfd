//! `/api/v1/differences`: what is different about a selection of spans.

use serde::Serialize;

use super::{
    asked::{Asked, Because, HOUR_NS, counted, number, rounded},
    attributes::json_of,
    range::{Understood, range_named},
};
use crate::{
    explore::{
        attributes::{AttributeCounts, count},
        condition,
        differences::{Difference, differences as compare},
        durations::percentiles,
        plan::{Plan, asked_keys},
        red::Counted,
    },
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

/// Spans of each side that are looked at.
const SPANS_MAX: usize = 20_000;
const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 200;
/// Values of an attribute that are shown, and ids that are named.
const VALUES_MAX: usize = 10;
const IDS_MAX: usize = 100;

#[derive(Debug, Serialize)]
struct Body {
    a: SideBody,
    b: SideBody,
    partial: bool,
    partial_because: Because,
    weighted: bool,
    /// Both sides have enough spans to be trusted.
    enough: bool,
    attributes: Vec<AttributeBody>,
    left_out: LeftOut,
}

#[derive(Debug, Serialize)]
struct SideBody {
    range: Understood,
    spans: u64,
    /// There are more: these are some of them.
    sampled: bool,
    calls: f64,
    errors: f64,
    p50_ns: Option<u64>,
    p95_ns: Option<u64>,
    p99_ns: Option<u64>,
}

#[derive(Debug, Serialize)]
struct AttributeBody {
    key: String,
    score: f64,
    values: Vec<ValueBody>,
    values_left_out: usize,
}

#[derive(Debug, Serialize)]
struct ValueBody {
    value: serde_json::Value,
    a_share: f64,
    b_share: f64,
    a_spans: u64,
    b_spans: u64,
}

#[derive(Debug, Serialize)]
struct LeftOut {
    /// Differ on nearly every span.
    ids: Vec<String>,
    /// Attributes whose differences may be chance.
    noise: usize,
}

/// Selection `a.` of what `q` and the range choose, against selection `b.`, or against all of that but `a.`.
pub(in crate::http) fn differences(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let mut asked = Asked::of(call, HOUR_NS)?.until_now(call);
    let limit = number(call, "limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    if counted(call, Counted::All)? == Counted::Entries {
        asked.plan.of_entries();
    }
    let (a, mut asked_of) = selection(call, "a")?;
    let has_b = ["b.q", "b.from", "b.to"].into_iter().any(|name| call.first(name).is_some());
    asked_of.extend(asked_keys(&asked.conditions));
    let scan = |request| view.scan(&call.tenant, request);
    let mut plan_a = asked.plan.clone();
    plan_a.add_all(&a);
    let of_a = count(&plan_a, None, SPANS_MAX, &scan, call.deadline);
    let (plan_b, of_b) = if has_b {
        let (b, asked_of_b) = selection(call, "b")?;
        asked_of.extend(asked_of_b);
        let mut plan = asked.plan.clone();
        plan.add_all(&b);
        let counts = count(&plan, None, SPANS_MAX, &scan, call.deadline);
        (plan, counts)
    } else {
        let counts = count(&asked.plan, Some(&a.by_rows()), SPANS_MAX, &scan, call.deadline);
        (asked.plan.clone(), counts)
    };
    let mut because = Because::default();
    because.late(of_a.is_late || of_b.is_late);
    because.damaged(of_a.is_damaged || of_b.is_damaged, call);
    because.add(of_a.keys_left_out + of_b.keys_left_out > 0, "too many keys");
    let found = compare(&of_a, &of_b, &asked_of);
    let body = Body {
        partial: because.is_partial(),
        partial_because: because,
        weighted: of_a.weighted || of_b.weighted,
        enough: found.enough,
        attributes: found.list.into_iter().take(limit).map(AttributeBody::of).collect(),
        left_out: LeftOut { ids: found.ids.into_iter().take(IDS_MAX).collect(), noise: found.noise },
        a: SideBody::of(&plan_a, of_a),
        b: SideBody::of(&plan_b, of_b),
    };
    let answer = Answer::json_within(&call.allowance, &body, false)?.ok_or(Failure::Busy)?;
    Ok(answer.that_is_partial(body.partial))
}

/// Reads `a.q`, `a.from` and `a.to`, and which keys these ask about.
fn selection(call: &Call, side: &str) -> Result<(Plan, std::collections::HashSet<String>), Failure> {
    let conditions = condition::parse(call.first(&format!("{side}.q")).unwrap_or_default())?;
    let mut plan = Plan::of(&conditions)?;
    plan.filter.start_ns = range_named(call, [&format!("{side}.from"), &format!("{side}.to")])?;
    Ok((plan, asked_keys(&conditions)))
}

impl SideBody {
    fn of(plan: &Plan, mut counts: AttributeCounts) -> Self {
        let buckets: Vec<(u32, f64)> = counts.durations.buckets().map(|(_, bucket, weight)| (bucket, weight)).collect();
        let [p50_ns, p95_ns, p99_ns] = percentiles(&buckets, [0.5, 0.95, 0.99]).map_or([None; 3], |all| all.map(Some));
        Self {
            range: Understood::of(&plan.filter.start_ns),
            spans: counts.spans,
            sampled: counts.is_sample,
            calls: rounded(counts.weight),
            errors: rounded(counts.errors),
            p50_ns,
            p95_ns,
            p99_ns,
        }
    }
}

impl AttributeBody {
    fn of(difference: Difference) -> Self {
        let values_left_out = difference.values.len().saturating_sub(VALUES_MAX);
        let share = |share: f64| (share * 1e4).round() / 1e4;
        let values = difference.values.into_iter().take(VALUES_MAX).map(|one| ValueBody {
            value: one.value.map_or(serde_json::Value::Null, |value| json_of(&value).0),
            a_share: share(one.a),
            b_share: share(one.b),
            a_spans: one.a_spans,
            b_spans: one.b_spans,
        });
        Self { key: difference.key, score: share(difference.score), values: values.collect(), values_left_out }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{explore::held, http::fixtures::call};

    /// 400 calls, every tenth of version 1.8, which are slow in one region.
    fn drawn() -> String {
        let line = |n: u64| {
            let is_new = n.is_multiple_of(10);
            let version = if is_new { "1.8" } else { "1.7" };
            let region = ["eu", "us"][(n / 10 % 2) as usize];
            let end = n + if is_new { 5_000 } else { 100 };
            format!(
                "cart/add {n}..{end} server trace={} r.version={version} r.region={region} id_like=x{n} same=1 n={}",
                n + 1,
                n % 3
            )
        };
        (0..400).map(line).collect::<Vec<_>>().join("\n")
    }

    async fn ask(query: &[(&str, &str)]) -> Value {
        let mut answers = Vec::new();
        for sealed in [false, true] {
            let held = held::drawn(&drawn(), sealed).await;
            let mut all = vec![("from", "0"), ("to", "1")];
            all.extend_from_slice(query);
            let answer = differences(&call(&[], &all), &held.store.snapshot()).expect("answers");
            answers.push(serde_json::from_slice::<Value>(&answer.body).expect("JSON"));
        }
        assert_eq!(answers[0], answers[1]);
        answers.pop().expect("two")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_slow_ones_are_of_the_new_version() {
        let body = ask(&[("a.q", "duration>1us")]).await;
        assert_eq!(
            (&body["a"]["spans"], &body["b"]["spans"], &body["enough"]),
            (&json!(40), &json!(360), &json!(true))
        );
        let keys: Vec<_> =
            body["attributes"].as_array().expect("a list").iter().map(|one| one["key"].clone()).collect();
        assert_eq!(keys, [json!("version")]);
        let values = json!([
            {"value": "1.7", "a_share": 0.0, "b_share": 1.0, "a_spans": 0, "b_spans": 360},
            {"value": "1.8", "a_share": 1.0, "b_share": 0.0, "a_spans": 40, "b_spans": 0},
        ]);
        assert_eq!(body["attributes"][0]["values"], values);
        assert_eq!(body["left_out"]["ids"], json!(["id_like"]));
        assert!(body["a"]["p50_ns"].as_u64() > Some(4_900) && body["b"]["p99_ns"].as_u64() < Some(110));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_selections() {
        let body = ask(&[("a.q", "version=1.8"), ("b.q", "version=1.7 region=us")]).await;
        assert_eq!((&body["a"]["spans"], &body["b"]["spans"]), (&json!(40), &json!(180)));
        // What told them apart says nothing new.
        assert_eq!(body["attributes"], json!([]));
        let few = ask(&[("a.from", "0"), ("a.to", "1970-01-01T00:00:00.000000005Z")]).await;
        assert_eq!((&few["a"]["spans"], &few["enough"]), (&json!(6), &json!(false)));
    }
}
