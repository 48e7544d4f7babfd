//! OTLP over gRPC and HTTP: what every OpenTelemetry SDK and Collector speaks.

mod answer;
mod config;
mod grpc;
mod http;

use std::{io, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_port::{Authenticate, Budget, Lifetime, Listening, Server, ServerOptions};
use weir_proto::{Signal, time::Clock};

pub use config::{GrpcConfig, HttpConfig, Keepalive, KeepaliveServerParameters, OtlpConfig, Protocols};

use self::{grpc::Grpc, http::Http};
use super::intake::{Intake, Post};
use crate::{Append, admission::AdmissionRules, otlp_metrics::MetricsIntake, samples::SampleDoor};

const MIB: usize = 1 << 20;

/// Opens the ports and serves until `shutdown`; the tracker's tasks end once the last request is answered.
///
/// `samples` is where metrics go. `rules` are the config's `span_limits` and the storage's accepted times. Fails when a port cannot be opened or the
/// config is not usable ([`OtlpConfig::check`]).
#[expect(clippy::too_many_arguments, reason = "what a receiver is started with, each once")]
pub async fn start(
    config: &OtlpConfig,
    rules: AdmissionRules,
    clock: Clock,
    append: Append,
    samples: SampleDoor,
    authenticate: Authenticate,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> io::Result<Vec<Listening>> {
    config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let budget = Budget::new(config.inflight_mib_max * MIB);
    let metrics = Some(Arc::new(MetricsIntake::new(config.metrics.clone(), samples)));
    let intake = Arc::new(Intake { append, metrics, authenticate, clock, rules, budget });
    let mut listening = Vec::new();
    // Both ports are opened before either serves: a start that fails leaves nothing behind.
    let grpc = match &config.protocols.grpc {
        Some(grpc) => Some((grpc, Server::bind(&grpc.endpoint, grpc_options(grpc)).await?)),
        None => None,
    };
    let http = match &config.protocols.http {
        Some(http) => Some((http, Server::bind(&http.endpoint, http.server_options(http::PROTOCOL)).await?)),
        None => None,
    };
    if let Some((config, server)) = grpc {
        listening.push(Listening { protocol: "OTLP/gRPC", address: server.address()? });
        let handler = Arc::new(Grpc {
            intake: intake.clone(),
            message_bytes_max: config.max_recv_msg_size_mib * MIB,
            read_timeout: config.read_timeout,
        });
        let answer = move |request| {
            let handler = handler.clone();
            async move { handler.answer(request).await }
        };
        tracker.spawn(server.serve(answer, tracker.clone(), shutdown.clone()));
    }
    if let Some((config, server)) = http {
        listening.push(Listening { protocol: "OTLP/HTTP", address: server.address()? });
        let handler = Arc::new(Http {
            post: Post {
                intake,
                paths: vec![
                    (config.traces_url_path.clone(), Signal::Traces),
                    (config.logs_url_path.clone(), Signal::Logs),
                    (config.metrics_url_path.clone(), Signal::Metrics),
                ],
                body_bytes_max: config.max_request_body_size,
                read_timeout: config.read_timeout,
            },
            cors: config.cors.clone(),
        });
        let answer = move |request| {
            let handler = handler.clone();
            async move { handler.answer(request).await }
        };
        tracker.spawn(server.serve(answer, tracker.clone(), shutdown));
    }
    Ok(listening)
}

fn grpc_options(config: &GrpcConfig) -> ServerOptions {
    let keepalive = &config.keepalive.server_parameters;
    ServerOptions {
        protocol: grpc::PROTOCOL,
        connections_max: config.connections_max,
        header_bytes_max: config.header_bytes_max,
        header_timeout: config.read_timeout,
        streams_max: config.max_concurrent_streams,
        ping_interval: keepalive.time,
        ping_timeout: keepalive.timeout,
        lifetime: Lifetime {
            first_bytes_timeout: config.read_timeout,
            idle_max: keepalive.max_connection_idle,
            age_max: keepalive.max_connection_age,
            age_grace: keepalive.max_connection_age_grace,
        },
        ..ServerOptions::http(grpc::PROTOCOL, config.read_timeout, config.read_timeout)
    }
}
