//! The table of endpoints, and the application built from it.

use std::{pin::Pin, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Query, RawPathParams, Request},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use http::{HeaderValue, Method, StatusCode, header};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;
use weir_port::{Authenticate, Caller, Unauthenticated};
use weir_proto::time::Clock;
use weir_store::ReadError;

use super::{
    QueryConfig,
    about::About,
    allowance::Allowance,
    answer::{Answer, ErrorStyle, Failure},
    api, body,
    call::Call,
    elsewhere, form,
    gate::{Gate, run_short},
    health, host, index, jaeger, jaeger_v3,
    laid_traces::LaidTraces,
    loki, metrics,
    mount::{Mount, MountKind},
    prometheus,
    site::Site,
    stream::Streamed,
    tail,
    view::{OpensViews, View},
};
use crate::{coding::Coding, sql::engine::Engine};

/// One endpoint. All of them answer GET and HEAD, those that take a query as their body POST as well.
pub(super) struct Route {
    /// As axum writes paths.
    pub(super) path: &'static str,
    /// For the list at `/api`.
    pub(super) about: &'static str,
    /// Whether the path leads somewhere as it stands.
    pub(super) links: bool,
    action: Action,
}

/// An answer that goes on without an end, once it has begun.
pub(super) type Beginning = Pin<Box<dyn Future<Output = Result<Response, Failure>> + Send>>;

/// An answer that may begin.
pub(super) type Streaming = Pin<Box<dyn Future<Output = Result<Streamed, Failure>> + Send>>;

#[derive(Clone, Copy)]
enum Action {
    /// Reads one tenant's data: takes a credential and a turn.
    Read(fn(&Call, &dyn View) -> Result<Answer, Failure>),
    /// The same; the parameters may come as a form, by POST.
    Form(fn(&Call, &dyn View) -> Result<Answer, Failure>),
    /// The same, and asks about the process besides.
    Ask(fn(&Call, &dyn OpensViews) -> Result<Answer, Failure>),
    /// Changes something, by POST alone; the parameters may come as a form.
    Change(fn(&Call, &dyn OpensViews) -> Result<Answer, Failure>),
    /// As [`Self::Read`]; the parameters may come as a JSON body, by POST.
    Search(fn(&Call, &dyn View) -> Result<Answer, Failure>),
    /// Says something about the process: open to everybody, at once.
    Tell(fn(&App) -> Result<Answer, Failure>),
    /// Sends its answer while it computes it; asks for credential and turn itself.
    Stream(fn(App, Request) -> Streaming),
    /// Goes on until the client or the process ends: asks for credential and place itself.
    Follow(fn(App, Request) -> Beginning),
}

impl Route {
    const fn read(
        path: &'static str,
        links: bool,
        about: &'static str,
        read: fn(&Call, &dyn View) -> Result<Answer, Failure>,
    ) -> Self {
        Self { path, about, links, action: Action::Read(read) }
    }

    const fn ask(
        path: &'static str,
        links: bool,
        about: &'static str,
        ask: fn(&Call, &dyn OpensViews) -> Result<Answer, Failure>,
    ) -> Self {
        Self { path, about, links, action: Action::Ask(ask) }
    }

    const fn change(
        path: &'static str,
        about: &'static str,
        change: fn(&Call, &dyn OpensViews) -> Result<Answer, Failure>,
    ) -> Self {
        Self { path, about, links: false, action: Action::Change(change) }
    }

    const fn search(
        path: &'static str,
        about: &'static str,
        search: fn(&Call, &dyn View) -> Result<Answer, Failure>,
    ) -> Self {
        Self { path, about, links: false, action: Action::Search(search) }
    }

    const fn form(
        path: &'static str,
        about: &'static str,
        read: fn(&Call, &dyn View) -> Result<Answer, Failure>,
    ) -> Self {
        Self { path, about, links: false, action: Action::Form(read) }
    }

    const fn tell(path: &'static str, about: &'static str, tell: fn(&App) -> Result<Answer, Failure>) -> Self {
        Self { path, about, links: true, action: Action::Tell(tell) }
    }

    const fn stream(path: &'static str, about: &'static str, stream: fn(App, Request) -> Streaming) -> Self {
        Self { path, about, links: false, action: Action::Stream(stream) }
    }

    const fn follow(path: &'static str, about: &'static str, follow: fn(App, Request) -> Beginning) -> Self {
        Self { path, about, links: false, action: Action::Follow(follow) }
    }

    pub(super) fn methods(&self) -> &'static str {
        if matches!(self.action, Action::Change(_)) {
            "POST"
        } else if matches!(self.action, Action::Stream(_) | Action::Search(_) | Action::Form(_)) {
            "GET,HEAD,POST"
        } else {
            "GET,HEAD"
        }
    }
}

/// Every endpoint, in the order of the list at `/api`; docs/http.md shows each with an example.
pub(super) const ROUTES: &[Route] = &[
    Route::tell("/api", "This list. The web UI is at <code>/</code>.", |app| index::page(&app.mounts)),
    Route::read("/jaeger/api/services", true, "Jaeger: the services.", jaeger::services),
    Route::read(
        "/jaeger/api/services/{service}/operations",
        false,
        "Jaeger: the operations of a service.",
        jaeger::operation_names,
    ),
    Route::read(
        "/jaeger/api/operations",
        false,
        "Jaeger: the operations of ?service= with their kind.",
        jaeger::operations,
    ),
    Route::read("/jaeger/api/traces", false, "Jaeger: search the traces of ?service=.", jaeger::search),
    Route::read("/jaeger/api/traces/{id}", false, "Jaeger: one trace.", jaeger::trace),
    Route::read("/jaeger/api/dependencies", true, "Jaeger: which service calls which.", jaeger::dependencies),
    Route::read("/jaeger/api/v3/services", true, "Jaeger v3: the services.", jaeger_v3::services),
    Route::read(
        "/jaeger/api/v3/operations",
        false,
        "Jaeger v3: the operations of ?service= with their kind.",
        jaeger_v3::operations,
    ),
    Route::search("/jaeger/api/v3/traces", "Jaeger v3: search, whole traces as OTLP JSON.", jaeger_v3::search),
    Route::search("/jaeger/api/v3/trace-summaries", "Jaeger v3: search, each trace in brief.", jaeger_v3::summaries),
    Route::read("/jaeger/api/v3/traces/{id}", false, "Jaeger v3: one trace as OTLP JSON.", jaeger_v3::trace),
    Route::read("/jaeger/api/v3/dependencies", false, "Jaeger v3: which service calls which.", jaeger_v3::dependencies),
    Route::tell("/jaeger/api/v3/capabilities", "Jaeger v3: what a search can do.", |_| jaeger_v3::capabilities()),
    Route::read(
        "/api/v1/trace/{id}",
        false,
        "One trace as OTLP JSON, each span with its own time, its time on the critical path and its log records.",
        api::trace,
    ),
    Route::read(
        "/api/v1/trace/{id}/columns",
        false,
        "One trace as columns in the order of a waterfall, a window of rows at a time.",
        api::columns,
    ),
    Route::read("/api/v1/trace/{id}/find", false, "The rows of a trace that have ?q= in them.", api::within),
    Route::read("/api/v1/trace/{id}/spans/{span}", false, "One span in full, with its lines.", api::span),
    Route::read("/api/v1/dependencies", true, "Which service calls which, errors and percentiles.", api::dependencies),
    Route::read(
        "/api/v1/bottlenecks",
        false,
        "Where the time of a ?service='s &amp;operation= goes.",
        api::bottlenecks,
    ),
    Route::read(
        "/api/v1/red",
        true,
        "Rate, errors and durations ?by= service, operation or any attribute, in steps.",
        api::red,
    ),
    Route::read("/api/v1/search", true, "The newest traces with a span that fulfils ?q=, each in brief.", api::search),
    Route::read("/api/v1/heatmap", true, "Spans by time and duration.", api::heatmap),
    Route::read(
        "/api/v1/differences",
        false,
        "What is different about the spans of ?a.q=, ?a.from= and ?a.to=: attributes by how far their shares differ.",
        api::differences,
    ),
    Route::ask("/api/v1/find", false, "Where ?q= leads, whatever was pasted; or why there is nothing.", api::find),
    Route::read("/api/v1/attributes", true, "The keys that spans have, and their frequent values.", api::attributes),
    Route::ask(
        "/api/v1/status",
        true,
        "What runs, with what configuration, and how much there is of what.",
        api::status,
    ),
    Route::read("/api/v1/services", true, "The services and how many operations each has.", api::services),
    Route::stream(
        "/api/v1/sql",
        "SQL over the tables spans and logs: POST the query as the body, or GET with ?query=.",
        api::sql,
    ),
    Route::follow("/api/v1/tail", "Lines of ?query= as they arrive, as server-sent events.", tail::events),
    Route::ask("/api/v1/segments", true, "What lies where: every segment, here and in the archive.", api::segments),
    Route::ask("/api/v1/archive", true, "How the archive fares.", api::archive),
    Route::change(
        "/api/v1/archive/check",
        "POST: looks whether the archive is whole; ?deep=true reads all of it.",
        api::check_archive,
    ),
    Route::change("/api/v1/archive/pin", "POST: keeps what lies from ?from= to &amp;to= on local disk.", api::pin),
    Route::read("/api/v1/ledger", true, "What became of everything that was received.", api::ledger),
    Route::tell(
        "/api/v1/sampling",
        "How tail sampling fares: what policies keep, what waits, what came late.",
        |app| api::sampling(app.source.as_ref()),
    ),
    Route::form("/prometheus/api/v1/query", "Prometheus: PromQL at one ?time=.", prometheus::query),
    Route::form(
        "/prometheus/api/v1/query_range",
        "Prometheus: PromQL from ?start= to &amp;end= every &amp;step=.",
        prometheus::query_range,
    ),
    Route::form("/prometheus/api/v1/query_exemplars", "Prometheus: examples of series.", prometheus::query_exemplars),
    Route::form("/prometheus/api/v1/format_query", "Prometheus: a query, printed well.", prometheus::format_query),
    Route::form("/prometheus/api/v1/parse_query", "Prometheus: a query's tree.", prometheus::parse_query),
    Route::form("/prometheus/api/v1/series", "Prometheus: the series that ?match[]= fits.", prometheus::series),
    Route::form("/prometheus/api/v1/labels", "Prometheus: names of labels.", prometheus::labels),
    Route::read(
        "/prometheus/api/v1/label/{name}/values",
        false,
        "Prometheus: values of a label.",
        prometheus::label_values,
    ),
    Route::read("/prometheus/api/v1/metadata", true, "Prometheus: types and helps of metrics.", prometheus::metadata),
    Route::tell("/prometheus/api/v1/status/buildinfo", "Prometheus: what is running.", |_| prometheus::buildinfo()),
    Route::tell("/prometheus/api/v1/status/config", "Prometheus: the configuration, as Weir reads it.", |app| {
        prometheus::config(&app.about)
    }),
    Route::ask("/prometheus/api/v1/status/flags", true, "Prometheus: limits of queries.", prometheus::flags),
    Route::ask("/prometheus/api/v1/status/runtimeinfo", true, "Prometheus: since when.", prometheus::runtimeinfo),
    Route::read("/prometheus/api/v1/status/tsdb", true, "Prometheus: series and labels in memory.", prometheus::tsdb),
    Route::tell("/prometheus/api/v1/status/walreplay", "Prometheus: nothing is left to be read.", |_| {
        prometheus::walreplay()
    }),
    Route::read(
        "/prometheus/federate",
        false,
        "Prometheus: the newest samples of the series that ?match[]= fits, to be scraped.",
        prometheus::federate,
    ),
    Route::tell("/prometheus/-/healthy", "Prometheus: 200 while the process lives.", |_| prometheus::healthy()),
    Route::tell("/prometheus/-/ready", "Prometheus: 200 while data is taken.", |app| {
        prometheus::ready(app.source.readiness())
    }),
    Route::tell("/-/healthy", "The same for who probes Prometheus without its prefix.", |_| prometheus::healthy()),
    Route::tell("/-/ready", "The same: whether data is taken.", |app| prometheus::ready(app.source.readiness())),
    Route::form("/loki/api/v1/query", "Loki: a metric query at one moment.", loki::query),
    Route::form("/loki/api/v1/query_range", "Loki: lines or numbers over a time.", loki::query_range),
    Route::form("/loki/api/v1/labels", "Loki: the names of labels.", loki::labels),
    Route::form("/loki/api/v1/label", "Loki: the names of labels.", loki::labels),
    Route::form("/loki/api/v1/label/{name}/values", "Loki: the values of a label.", loki::label_values),
    Route::form("/loki/api/v1/series", "Loki: the streams that fit ?match[]=.", loki::series),
    Route::form("/loki/api/v1/index/stats", "Loki: how many streams, lines and bytes.", loki::stats),
    Route::form("/loki/api/v1/index/volume", "Loki: bytes by labels.", loki::volume),
    Route::form("/loki/api/v1/index/volume_range", "Loki: bytes by labels and step.", loki::volume_range),
    Route::form("/loki/api/v1/detected_labels", "Loki: labels and the number of their values.", loki::detected_labels),
    Route::form("/loki/api/v1/detected_fields", "Loki: the fields of the newest lines.", loki::detected_fields),
    Route::form(
        "/loki/api/v1/detected_field/{name}/values",
        "Loki: the values of a field in the newest lines.",
        loki::detected_field_values,
    ),
    Route::form("/loki/api/v1/patterns", "Loki: what repeats in lines, by level and step.", loki::patterns),
    Route::follow("/loki/api/v1/tail", "Loki: lines of ?query= as they arrive, by WebSocket.", tail::websocket),
    Route::form("/loki/api/v1/format_query", "Loki: a query as it is printed.", loki::format_query),
    Route::read("/loki/api/v1/drilldown-limits", true, "Loki: what a client may ask.", loki::drilldown_limits),
    Route::tell("/loki/api/v1/status/buildinfo", "Loki: what the server is.", |_| loki::build_info()),
    Route::tell("/healthz", "200 while the process lives.", |_| health::alive()),
    Route::tell("/readyz", "200 while data is taken; else 503 and the reason.", |app| {
        health::ready(app.source.readiness())
    }),
    Route::tell("/ready", "The same for senders to Loki that ask before they push.", |app| {
        health::ready(app.source.readiness())
    }),
    Route::tell("/metrics", "Weir's own metrics for Prometheus.", |_| metrics::render()),
];

/// What requests are served with.
#[derive(Clone)]
pub(super) struct App {
    pub(super) source: Arc<dyn OpensViews>,
    pub(super) authenticate: Authenticate,
    pub(super) gate: Gate,
    pub(super) allowance: Allowance,
    pub(super) laid_traces: LaidTraces,
    pub(super) engine: Arc<Engine>,
    pub(super) clock: Clock,
    pub(super) config: Arc<QueryConfig>,
    pub(super) mounts: Arc<[Mount]>,
    pub(super) about: Arc<About>,
    pub(super) site: Arc<Site>,
    /// Places of those who follow lines.
    pub(super) tails: Arc<Semaphore>,
    /// The process ends.
    pub(super) stop: CancellationToken,
}

/// The service behind the port.
pub(super) fn router(app: &App) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let app = app.clone();
        let serve = move |request: Request| serve(app, route, request);
        let methods = match route.methods() {
            "POST" => post(serve),
            both if both.contains("POST") => get(serve.clone()).post(serve),
            _ => get(serve),
        };
        router = router.route(route.path, methods);
    }
    for mount in app.mounts.iter() {
        let answer = Arc::clone(&mount.answer);
        let answer = move |request: Request| answer(request);
        router = match mount.kind {
            MountKind::Push => router.route(mount.path, post(answer)),
            MountKind::Show => router.route(mount.path, get(answer)),
            MountKind::Below => {
                let (root, below) = (format!("{}/", mount.path), format!("{}/{{*below}}", mount.path));
                router
                    .route(mount.path, any(answer.clone()))
                    .route(&root, any(answer.clone()))
                    .route(&below, any(answer))
            }
        };
    }
    router = app.site.mount(router);
    let mounts = Arc::clone(&app.mounts);
    let not_allowed = |request: Request| async move {
        let path = request.uri().path();
        let mount = mounts.iter().find(|mount| mount.path == path);
        let others = mount.map_or("GET,HEAD", |mount| mount.kind.methods());
        let failure =
            Failure::MethodNotAllowed(ROUTES.iter().find(|route| route.path == path).map_or(others, Route::methods));
        metrics::count("none", failure.outcome(), Instant::now());
        failure.into_response(ErrorStyle::of(path))
    };
    let about = Arc::clone(&app.about);
    let not_found = move |request: Request| {
        let path = request.uri().path();
        let advice = elsewhere::advice(path, &about.receivers);
        let advice = advice.unwrap_or_else(|| "nothing is served at this path; /api lists what is".into());
        let failure = Failure::NotFound(advice);
        metrics::count("none", failure.outcome(), Instant::now());
        std::future::ready(failure.into_response(ErrorStyle::of(path)))
    };
    let (limits, mounts) = (Arc::clone(&app.config), Arc::clone(&app.mounts));
    router
        .method_not_allowed_fallback(not_allowed)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(app.config.request_bytes_max.get()))
        .layer(axum::middleware::from_fn(move |request: Request, next: axum::middleware::Next| {
            let limits = Arc::clone(&limits);
            // A push has a limit of its own.
            let is_push = mounts.iter().any(|mount| mount.takes(request.uri().path()));
            async move {
                let within = match host::is_ours(&request, &limits.hosts) {
                    false => Err(Failure::StrangeHost),
                    true if is_push => Ok(()),
                    true => within_limits(&limits, &request),
                };
                let response = match within {
                    Ok(()) => next.run(request).await,
                    Err(failure) => {
                        let style = ErrorStyle::of(request.uri().path());
                        let _ = timeout(limits.read_timeout, body::pass_over(request.into_body())).await;
                        failure.into_response(style)
                    }
                };
                secured(response)
            }
        }))
}

async fn serve(app: App, route: &'static Route, request: Request) -> Response {
    let begin = Instant::now();
    let style = ErrorStyle::of(route.path);
    let result = match route.action {
        Action::Tell(tell) => {
            let coding = Coding::accepted(request.headers());
            run_short(move || Ok(tell(&app)?.coded(coding))).await
        }
        Action::Read(read) => answer(&app, reading(read), request, None).await,
        Action::Ask(ask) => answer(&app, ask, request, None).await,
        Action::Change(change) => {
            let posted: Posted = |body| Ok(form::pairs(body));
            answer(&app, change, request, Some(posted)).await
        }
        Action::Search(read) => {
            let posted: Posted = jaeger_v3::parameters;
            answer(&app, reading(read), request, Some(posted)).await
        }
        Action::Form(read) => {
            let posted: Posted = match style {
                // The one of Prometheus' that says what is wrong with a form.
                ErrorStyle::Prometheus if route.path.ends_with("/series") => form::checked_pairs,
                ErrorStyle::Prometheus => |body| Ok(form::sound_pairs(body)),
                _ => |body| Ok(form::pairs(body)),
            };
            let query = request.uri().query().unwrap_or_default();
            match posted(query.as_bytes()) {
                Ok(_) => answer(&app, reading(read), request, Some(posted)).await,
                Err(failure) => Err(failure),
            }
        }
        Action::Stream(stream) => match stream(app, request).await {
            Ok(streamed) => return streamed.into_response(metrics::Streaming::of(route.path, begin)),
            Err(failure) => Err(failure),
        },
        Action::Follow(follow) => match follow(app, request).await {
            Ok(response) => {
                metrics::count(route.path, "ok", begin);
                return response;
            }
            Err(failure) => Err(failure),
        },
    };
    match result {
        Ok(answer) => {
            metrics::count(route.path, if answer.partial { "partial" } else { "ok" }, begin);
            answer.into_response()
        }
        Err(failure) => {
            if failure.status().as_u16() == 500 {
                tracing::error!(path = route.path, error = %failure, "a query failed");
            }
            metrics::count(route.path, failure.outcome(), begin);
            failure.into_response(style)
        }
    }
}

/// An endpoint that reads one view.
fn reading(
    read: fn(&Call, &dyn View) -> Result<Answer, Failure>,
) -> impl Fn(&Call, &dyn OpensViews) -> Result<Answer, Failure> + Send + 'static {
    move |call, source| {
        let view = source.view();
        call.reads(view.as_ref());
        read(call, view.as_ref())
    }
}

/// Reads the parameters of a body.
type Posted = fn(&[u8]) -> Result<Vec<(String, String)>, Failure>;

async fn answer(
    app: &App,
    ask: impl Fn(&Call, &dyn OpensViews) -> Result<Answer, Failure> + Send + 'static,
    request: Request,
    posted: Option<Posted>,
) -> Result<Answer, Failure> {
    let tenant = (app.authenticate)(&Caller::of_request(&request)).map_err(|Unauthenticated| Failure::Unauthorized)?;
    let coding = Coding::accepted(request.headers());
    let (mut parts, body) = request.into_parts();
    let path = RawPathParams::from_request_parts(&mut parts, &()).await;
    let path = path.map_err(|rejection| Failure::BadRequest(rejection.to_string()))?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut query = if ErrorStyle::of(parts.uri.path()) == ErrorStyle::Prometheus {
        form::sound_pairs(parts.uri.query().unwrap_or_default().as_bytes())
    } else {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        query.map_err(|rejection| Failure::BadRequest(rejection.to_string()))?.0
    };
    if let Some(parameters) = posted.filter(|_| parts.method == Method::POST) {
        let reading = timeout(app.config.read_timeout, body::whole(body, app.config.request_bytes_max.get()));
        let body = reading.await.map_err(|_| Failure::BadRequest("the body did not arrive in time".into()))??;
        // What a body says counts before what the address says.
        query.splice(..0, parameters(&body)?);
    }
    let (now_ns, traces_max, spans_max) = (app.clock.now_ns(), app.config.traces_max.get(), app.config.spans_max.get());
    let (trace_rows_max, about) = (app.config.trace_rows_max.get(), Arc::clone(&app.about));
    let categorizes_labels = loki::categorizes_labels(&parts.headers);
    let (logql, promql) = (app.config.logql.clone(), app.config.promql);
    // Goes with this future, when nobody waits for it any more.
    let waiting = Arc::new(());
    let client = Some(Arc::downgrade(&waiting));
    let (source, allowance) = (Arc::clone(&app.source), app.allowance.clone());
    let laid_traces = app.laid_traces.clone();
    let run = move |deadline| {
        let rows = allowance.rows().into();
        let call = Call {
            tenant,
            path,
            query,
            deadline,
            now_ns,
            traces_max,
            spans_max,
            logql,
            promql,
            client,
            categorizes_labels,
            trace_rows_max,
            allowance,
            rows,
            laid_traces,
            about,
            missing: Default::default(),
        };
        match ask(&call, source.as_ref()) {
            Ok(mut answer) => {
                answer.missing = call.missing();
                answer.partial |= !answer.missing.is_empty();
                call.let_rows_go();
                Ok(answer.held(&call.allowance)?.coded(coding))
            }
            // Nothing is there because of it: in the same words.
            Err(Failure::Read(ReadError::Damaged(what))) if !call.missing().is_empty() => {
                Err(Failure::Read(ReadError::Damaged(format!("{what}: {}", call.missing().join("; ")))))
            }
            Err(failure) => Err(failure),
        }
    };
    let answer = app.gate.run(run).await;
    drop(waiting);
    answer
}

fn within_limits(config: &QueryConfig, request: &Request) -> Result<(), Failure> {
    let uri_bytes = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri_bytes > config.uri_bytes_max.get() {
        return Err(Failure::UriTooLong(config.uri_bytes_max.get()));
    }
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let body_bytes = declared.and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
    if body_bytes > config.request_bytes_max.get() as u64 {
        return Err(Failure::BodyTooLarge(config.request_bytes_max.get()));
    }
    Ok(())
}

/// Browsers must not guess types, frame the page, run anything in it, or keep answers. No CORS: other sites read nothing.
fn secured(mut response: Response) -> Response {
    let is_unchanged = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // The web UI's page and files say for themselves how long they may be kept, and the page what it may do.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) && !is_unchanged {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
        );
    }
    response
}
