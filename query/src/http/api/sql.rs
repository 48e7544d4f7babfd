//! `/api/v1/sql`: one SQL query, its rows as JSON or as an Arrow stream.

use std::{sync::Arc, time::Duration};

use axum::extract::{Query as Parameters, Request};
use http::{HeaderMap, Method, header};
use tokio::time::{timeout, timeout_at};
use weir_store::ReadError;

use crate::{
    coding::Coding,
    http::{
        answer::Failure,
        body,
        leash::Leash,
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
    let tenant = (app.authenticate)(request.headers()).ok_or(Failure::Unauthorized)?;
    let leash = request.extensions().get::<Leash>().cloned();
    let coding = Coding::accepted(request.headers());
    let encoding = Compressed::of(encoding(request.headers()), coding);
    let encoding = encoding.map_err(|error| Failure::Unwritable(error.to_string()))?;
    let content_type = encoding.content_type();
    let text = text(&app, request).await?;
    let turn = app.gate.turn().await?;
    let deadline = turn.until;
    let source = Arc::clone(&app.source);
    let spans = Box::new(move |stop: &Arc<Stop>| source.spans(tenant, stop));
    let mut rest = app.engine.ask(Query { text, spans, deadline: deadline.into(), encoding }, turn);
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

/// The body of a POST, whatever it is called (curl calls it a form); of a GET, the parameter `query`.
async fn text(app: &App, request: Request) -> Result<String, Failure> {
    let bytes_max = app.config.sql.text_bytes_max.get();
    let text = if request.method() == Method::POST {
        let reading = timeout(app.config.read_timeout, body::whole(request.into_body(), bytes_max));
        let text = reading.await.map_err(|_| Failure::BadRequest("the body did not arrive in time".into()))??;
        String::from_utf8(text).map_err(|_| Failure::BadRequest("the query is not UTF-8".into()))?
    } else {
        let pairs = Parameters::<Vec<(String, String)>>::try_from_uri(request.uri());
        let pairs = pairs.map_err(|rejection| Failure::BadRequest(rejection.to_string()))?.0;
        pairs.into_iter().find(|(name, _)| name == "query").map(|(_, text)| text).unwrap_or_default()
    };
    if text.len() > bytes_max {
        return Err(Failure::BodyTooLarge(bytes_max));
    }
    if text.trim().is_empty() {
        return Err(Failure::BadRequest("there is no query: POST it as the body, or GET with ?query=".into()));
    }
    Ok(text)
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::TimedOut | SqlError::Gone => Self::TimedOut,
            SqlError::Failed => Self::Panicked,
            SqlError::Damaged(_) => Self::Read(ReadError::Damaged(error.to_string())),
            other => Self::BadRequest(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
