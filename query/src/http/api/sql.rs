//! `/api/v1/sql`: one SQL query, its rows as JSON or as an Arrow stream.

use std::{sync::Arc, time::Duration};

use axum::extract::{Query as Parameters, Request};
use http::{HeaderMap, Method, Uri, header};
use serde_json::Value;
use tokio::time::{timeout, timeout_at};
use weir_port::{Caller, Leash, Unauthenticated};
use weir_store::ReadError;

use crate::{
    coding::Coding,
    http::{
        answer::Failure,
        body, moment,
        routes::{App, Streaming},
        stream::Streamed,
    },
    sql::{
        compressed::Compressed,
        encoding::{ArrowStream, Encoding, Json},
        engine::Query,
        error::SqlError,
        stop::Stop,
    },
};

/// How long after its deadline a query may take to say that it was late, before it is said for it.
const LATE_MAX: Duration = Duration::from_secs(1);

/// Answers once there are rows, or none are to come: until then an error has its own status.
pub(in crate::http) fn sql(app: App, request: Request) -> Streaming {
    Box::pin(answer(app, request))
}

async fn answer(app: App, request: Request) -> Result<Streamed, Failure> {
    let tenant = (app.authenticate)(&Caller::of_request(&request)).map_err(|Unauthenticated| Failure::Unauthorized)?;
    let leash = request.extensions().get::<Leash>().cloned();
    let coding = Coding::accepted(request.headers());
    let encoding = Compressed::of(encoding(request.headers()), coding);
    let encoding = encoding.map_err(|error| Failure::Unwritable(error.to_string()))?;
    let content_type = encoding.content_type();
    let in_address = parameter(request.uri(), &TIME)?;
    let Sent { text, time } = sent(&app, request).await?;
    let now_ns = in_address.or(time).map(|text| read_time(&text)).transpose()?;
    let turn = app.gate.turn().await?;
    let deadline = turn.until;
    let source = Arc::clone(&app.source);
    let tables = Box::new(move |stop: &Arc<Stop>| source.tables(tenant, now_ns, stop));
    let mut rest = app.engine.ask(Query { text, tables, now_ns, deadline: deadline.into(), encoding }, turn);
    let let_go = deadline + LATE_MAX;
    match timeout_at(let_go, rest.chunks.recv()).await {
        Ok(Some(Ok(first))) => Ok(Streamed { content_type, coding, first, rest, deadline: let_go, leash }),
        Ok(Some(Err(error))) => Err(error.into()),
        Ok(None) => Err(Failure::Panicked),
        Err(_) => Err(Failure::TimedOut),
    }
}

fn encoding(headers: &HeaderMap) -> Box<dyn Encoding> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for media_type in accepted.flat_map(|value| value.split(',')) {
        let name = media_type.split(';').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case(ArrowStream::CONTENT_TYPE) {
            return Box::new(ArrowStream::default());
        }
    }
    Box::new(Json::default())
}

/// What was sent: a query, and the time as of which is asked where the body that wraps it says one.
struct Sent {
    text: String,
    time: Option<String>,
}

/// The body of a POST, whatever it is called (curl calls it a form); of a GET, the parameter `query` or `sql`.
async fn sent(app: &App, request: Request) -> Result<Sent, Failure> {
    let bytes_max = app.config.sql.text_bytes_max.get();
    let sent = if request.method() == Method::POST {
        let reading = timeout(app.config.read_timeout, body::whole(request.into_body(), bytes_max));
        let text = reading.await.map_err(|_| Failure::BadRequest("the body did not arrive in time".into()))??;
        unwrapped(String::from_utf8(text).map_err(|_| Failure::BadRequest("the query is not UTF-8".into()))?)?
    } else {
        Sent { text: parameter(request.uri(), &NAMES)?.unwrap_or_default(), time: None }
    };
    if sent.text.len() > bytes_max {
        return Err(Failure::BodyTooLarge(bytes_max));
    }
    if sent.text.trim().is_empty() {
        return Err(Failure::BadRequest("there is no query: POST it as the body, or GET with ?query=".into()));
    }
    Ok(sent)
}

/// The names under which a query is looked for.
const NAMES: [&str; 2] = ["query", "sql"];

/// The name of the time as of which is asked.
const TIME: [&str; 1] = ["time"];

/// Unix ns that `now()` can be.
fn read_time(text: &str) -> Result<u64, Failure> {
    match moment::rfc3339(text).or_else(|| moment::unix(text)) {
        Some(ns) if i64::try_from(ns).is_ok() => Ok(ns),
        Some(_) => Err(Failure::BadRequest(format!("time: {text:?} is too late: the last is 2262-04-11T23:47:16Z"))),
        None => {
            Err(Failure::BadRequest(format!("time: {text:?} is no time: write 2026-01-31T12:00:00Z or Unix seconds")))
        }
    }
}

/// The first parameter that has one of these names.
fn parameter(uri: &Uri, names: &[&str]) -> Result<Option<String>, Failure> {
    let pairs = Parameters::<Vec<(String, String)>>::try_from_uri(uri);
    let pairs = pairs.map_err(|rejection| Failure::BadRequest(rejection.to_string()))?.0;
    Ok(pairs.into_iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, text)| text))
}

/// The query itself, where a body wraps it as other systems want it: no SQL begins like JSON, or like a form.
fn unwrapped(body: String) -> Result<Sent, Failure> {
    let text = body.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with(['{', '"']) {
        return of_json(text);
    }
    if NAMES.iter().chain(&TIME).any(|name| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        && let Ok(uri) = format!("/?{}", text.trim_end()).parse()
        && let Some(text) = parameter(&uri, &NAMES)?
    {
        return Ok(Sent { text, time: parameter(&uri, &TIME)? });
    }
    let is_bare = text.len() == body.len();
    Ok(Sent { text: if is_bare { body } else { text.to_owned() }, time: None })
}

/// A text, or an object that has one; its time may be a number.
fn of_json(text: &str) -> Result<Sent, Failure> {
    let words = "the body begins as JSON does, but is no text and has none under \"query\" or \"sql\": POST the SQL itself, or \
                 {\"query\": \"SELECT …\"}";
    let mut json: Value = serde_json::from_str(text).map_err(|_| Failure::BadRequest(words.into()))?;
    let (found, time) = match &mut json {
        Value::Object(members) => (NAMES.iter().find_map(|name| members.remove(*name)), members.remove(TIME[0])),
        _ => (Some(json), None),
    };
    let Some(Value::String(text)) = found else { return Err(Failure::BadRequest(words.into())) };
    let time = match time {
        None | Some(Value::Null) => None,
        Some(Value::String(time)) => Some(time),
        Some(other) => Some(other.to_string()),
    };
    Ok(Sent { text, time })
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::TimedOut | SqlError::Gone => Self::TimedOut,
            SqlError::Failed => Self::Panicked,
            SqlError::Damaged(..) => Self::Read(ReadError::Damaged(error.to_string())),
            other => Self::BadRequest(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
