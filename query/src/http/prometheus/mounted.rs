//! The paths about rules and alerts, for the query endpoint.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use serde::Serialize;

use super::{Success, rules};
use crate::{
    alerting::serve::Alerting,
    http::{form, mount::Mount},
};

impl Alerting {
    /// What shows rules, alerts and Alertmanagers, as Prometheus does.
    pub fn mounts(&self) -> Vec<Mount> {
        let (of_rules, of_alerts, of_alertmanagers) = (self.clone(), self.clone(), self.clone());
        vec![
            Mount::get("/prometheus/api/v1/rules", "Prometheus: rules, and what came of them.", move |request| {
                let pairs = form::pairs(request.uri().query().unwrap_or_default().as_bytes());
                let groups = of_rules.groups();
                let found = rules::rules(groups.iter().map(AsRef::as_ref), &pairs);
                async move { answer(found) }
            }),
            Mount::get("/prometheus/api/v1/alerts", "Prometheus: alerts, pending and firing.", move |_| {
                let groups = of_alerts.groups();
                let found = rules::alerts(groups.iter().map(AsRef::as_ref));
                async move { answer(Ok(found)) }
            }),
            Mount::get("/prometheus/api/v1/alertmanagers", "Prometheus: who is told of alerts.", move |_| {
                let found = rules::alertmanagers(of_alertmanagers.alertmanagers());
                async move { answer(Ok(found)) }
            }),
        ]
    }
}

/// In the order in which Prometheus writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    status: &'static str,
    error_type: &'static str,
    error: String,
}

fn answer<T: Serialize>(found: Result<T, String>) -> Response {
    let (status, json) = match found {
        Ok(data) => (StatusCode::OK, serde_json::to_string(&Success::of(data))),
        Err(error) => {
            let refusal = Refusal { status: "error", error_type: "bad_data", error };
            (StatusCode::BAD_REQUEST, serde_json::to_string(&refusal))
        }
    };
    let mut response = Response::new(Body::from(json.expect("texts and numbers can be written")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
