//! What clients ask before they ask anything else, and `status/…`: what runs, and how much is in memory.

use serde_json::{Value, json};
use weir_proto::Signal;
use weir_store::{AppendError, Ranked};

use crate::{
    http::{
        about::About,
        answer::{Answer, Failure, TEXT},
        call::Call,
        moment,
        view::{OpensViews, View},
    },
    promql::syntax::duration,
};

/// The version of Prometheus whose API and language this is: clients choose by it what they send.
const SPEAKS: &str = "3.14.0";

/// Names in each list of `status/tsdb`, unless another number is asked for.
const RANKED: usize = 10;
const RANKED_MAX: usize = 10_000;

fn success(data: &Value) -> Result<Answer, Failure> {
    Answer::json(&json!({"status": "success", "data": data}), false)
}

/// `/prometheus/api/v1/status/buildinfo`.
pub(in crate::http) fn buildinfo() -> Result<Answer, Failure> {
    let weir = concat!("weir-", env!("CARGO_PKG_VERSION"));
    success(&json!({
        "version": SPEAKS,
        "revision": weir,
        "branch": "weir",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `/prometheus/api/v1/status/config`: Weir's own, without secrets.
pub(in crate::http) fn config(about: &About) -> Result<Answer, Failure> {
    success(&json!({"yaml": about.configuration}))
}

/// `/prometheus/api/v1/status/flags`: there are none, but clients read the limits of queries from them.
pub(in crate::http) fn flags(call: &Call, source: &dyn OpensViews) -> Result<Answer, Failure> {
    let promql = call.promql;
    let text = |length: std::time::Duration| duration::format(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
    success(&json!({
        "query.lookback-delta": text(promql.lookback_delta),
        "query.max-samples": promql.samples_max.to_string(),
        "storage.tsdb.path": source.store_status(&call.tenant).map(|status| status.path.display().to_string()),
        "storage.tsdb.retention.time": retention(call, source),
        "web.enable-lifecycle": "false",
        "web.enable-remote-write-receiver": "true",
    }))
}

/// How long samples are kept, as Prometheus writes durations; empty for ever.
fn retention(call: &Call, source: &dyn OpensViews) -> String {
    let signals = source.store_status(&call.tenant).map(|status| status.signals).unwrap_or_default();
    let metrics = signals.into_iter().find(|status| status.signal == Signal::Metrics);
    let kept = metrics.and_then(|status| status.retention);
    kept.map_or(String::new(), |kept| duration::format(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)))
}

/// `/prometheus/api/v1/status/runtimeinfo`.
pub(in crate::http) fn runtimeinfo(call: &Call, source: &dyn OpensViews) -> Result<Answer, Failure> {
    let started = moment::written(call.about.started_ns);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let folder = std::env::current_dir().unwrap_or_default();
    success(&json!({
        "startTime": started,
        "CWD": folder.display().to_string(),
        "hostname": std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim_end(),
        "serverTime": moment::written(call.now_ns),
        "reloadConfigSuccess": true,
        "lastConfigTime": started,
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": threads,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": retention(call, source),
    }))
}

/// `/prometheus/api/v1/status/tsdb`: of the series in memory.
pub(in crate::http) fn tsdb(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let limit = match call.first("limit") {
        None => RANKED,
        Some(text) => match text.parse::<i64>() {
            Ok(limit) if limit < 1 => return Err(Failure::BadRequest("limit must be a positive number".into())),
            Ok(limit) => usize::try_from(limit).unwrap_or(RANKED_MAX).min(RANKED_MAX),
            Err(_) => return Err(Failure::BadRequest("limit must be a positive number".into())),
        },
    };
    let found = view.series_statistics(&call.tenant, limit);
    let ranked = |list: &[Ranked]| -> Vec<Value> {
        list.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    success(&json!({
        "headStats": {
            "numSeries": found.series,
            "numLabelPairs": found.label_pairs,
            "chunkCount": found.chunks,
            "minTime": found.time_ms.0,
            "maxTime": found.time_ms.1,
        },
        "seriesCountByMetricName": ranked(&found.series_by_metric),
        "labelValueCountByLabelName": ranked(&found.values_by_label),
        "memoryInBytesByLabelName": ranked(&found.bytes_by_label),
        "seriesCountByLabelValuePair": ranked(&found.series_by_pair),
    }))
}

/// `/prometheus/api/v1/status/walreplay`: it is over before anybody can ask.
pub(in crate::http) fn walreplay() -> Result<Answer, Failure> {
    success(&json!({"min": 0, "max": 0, "current": 0}))
}

/// `/prometheus/-/healthy`.
pub(in crate::http) fn healthy() -> Result<Answer, Failure> {
    Ok(Answer::text(TEXT, "Weir is healthy.\n".into()))
}

/// `/prometheus/-/ready`.
pub(in crate::http) fn ready(readiness: Result<(), AppendError>) -> Result<Answer, Failure> {
    match readiness {
        Ok(()) => Ok(Answer::text(TEXT, "Weir is ready.\n".into())),
        Err(reason) => Err(Failure::NotReady(reason.to_string())),
    }
}
