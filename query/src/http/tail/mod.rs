//! Lines as they arrive: by WebSocket as Loki sends them, and as server-sent events.
//!
//! Whoever follows reads the store's lines for himself, as fast as his client takes them ([`follow`]): a slow client holds up nobody, is
//! told when lines were sealed before it could have them, and is cut when it takes nothing at all.

mod asked;
mod events;
mod follow;
mod handshake;
mod message;
mod sha1;
mod socket;

use std::sync::{Arc, LazyLock};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use prometheus::{IntCounterVec, IntGauge, register_int_counter_vec, register_int_gauge};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use self::{asked::Asked, follow::Follower};
use super::{
    answer::Failure,
    routes::{App, Beginning},
};

/// Messages that wait to be sent: the next one is read while one is sent.
const MESSAGES_MAX: usize = 2;

static FOLLOWERS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("weir_tail_clients", "Clients that follow lines now")
        .expect("each metric is registered once, under a valid name")
});

static ENDED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Clients that no longer follow lines, by why";
    register_int_counter_vec!("weir_tail_clients_ended_total", text, &["reason"])
        .expect("each metric is registered once, under a valid name")
});

static GAPS: LazyLock<prometheus::IntCounter> = LazyLock::new(|| {
    let text = "Times that a client was too slow to have every line";
    prometheus::register_int_counter!("weir_tail_gaps_total", text)
        .expect("each metric is registered once, under a valid name")
});

/// One of `query.logql.tails_max`; given back when dropped.
struct Seat(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Seat {
    fn take(app: &App) -> Result<Self, Failure> {
        let Ok(permit) = Arc::clone(&app.tails).try_acquire_owned() else {
            let tails_max = app.config.logql.tails_max;
            return Err(Failure::BadRequest(format!(
                "{tails_max} clients follow lines already (query.logql.tails_max)"
            )));
        };
        FOLLOWERS.inc();
        Ok(Self(permit))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        FOLLOWERS.dec();
    }
}

/// `/loki/api/v1/tail`.
pub(super) fn websocket(app: App, request: Request) -> Beginning {
    Box::pin(async move {
        let asked = Asked::of(&app, &request, asked::LOKI)?;
        let accepted = match handshake::accepted(&request) {
            Ok(accepted) => accepted,
            Err(refused) => return Ok(*refused),
        };
        let place = Seat::take(&app)?;
        let write_timeout = app.config.write_timeout;
        let stop = app.stop.clone();
        let upgrading = hyper::upgrade::on(request);
        let messages = begin(&app, asked, message::loki)?;
        tokio::spawn(async move {
            let why = match upgrading.await {
                Ok(upgraded) => socket::serve(upgraded, messages, stop, write_timeout).await,
                Err(_) => "gone",
            };
            ENDED.with_label_values(&[why]).inc();
            drop(place);
        });
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        *response.body_mut() = Body::empty();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
        Ok(response)
    })
}

/// `/api/v1/tail`.
pub(super) fn events(app: App, request: Request) -> Beginning {
    Box::pin(async move {
        let asked = Asked::of(&app, &request, asked::OWN)?;
        let place = Seat::take(&app)?;
        let messages = begin(&app, asked, message::events)?;
        let mut response = Response::new(Body::new(events::Events::new(messages, app.stop.clone(), place)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        // Proxies that gather answers would keep lines back.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        Ok(response)
    })
}

/// Begins to read for a client; messages end when it fails, or nothing more can arrive.
fn begin(app: &App, asked: Asked, written: message::Written) -> Result<mpsc::Receiver<String>, Failure> {
    let tenant = &asked.call.tenant;
    let (view, feed) = app.source.follow(tenant).ok_or_else(|| Failure::NotFound("no lines can arrive here".into()))?;
    let (sender, messages) = mpsc::channel(MESSAGES_MAX);
    let follower = Follower { asked, written, sender, stop: app.stop.clone() };
    let runtime = tokio::runtime::Handle::current();
    // Reads where blocking is allowed, as long as it takes: there are `tails_max` of them at most.
    tokio::task::spawn_blocking(move || follower.run(view, feed, &runtime));
    Ok(messages)
}
