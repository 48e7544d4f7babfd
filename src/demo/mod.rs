//! `weir demo`: a weir with a shop in front of it, in which something goes wrong every ten minutes.

mod send;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weir_proto::time::Clock;
use weir_shop::{Demo, Sent, Story};

use self::send::Sender;
use crate::{cli::DemoOptions, config::Config};

/// What runs without a configuration file.
const BUILT_IN: &str = include_str!("../../configs/demo.yaml");

/// From one roll-out to the next, unless `--speed` makes it shorter.
const PERIOD: Duration = Duration::from_secs(600);

/// How much there is when the page is opened first.
const HISTORY: Duration = Duration::from_secs(30 * 60);

/// Of the history sent at a time.
const HISTORY_STEP: Duration = Duration::from_secs(10);

/// How often what has happened is sent.
const LIVE_STEP: Duration = Duration::from_millis(500);

/// The shop of a demo.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    seed: u64,
    speed: f64,
    spans_per_second: f64,
}

/// A demo's configuration and its data folder, which is gone when this is dropped unless somebody asked for it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) config: Config,
    pub(crate) data: PathBuf,
    pub(crate) shop: Shop,
    _own: Option<tempfile::TempDir>,
}

impl Stage {
    /// As asked for.
    pub(crate) fn set(options: &DemoOptions) -> anyhow::Result<Self> {
        anyhow::ensure!(options.speed > 0.0, "--speed must be above 0");
        anyhow::ensure!(options.rate > 0.0 && options.rate <= 100_000.0, "--rate must be between 0 and 100000");
        let config = match &options.config {
            Some(file) => Config::load(file)?,
            None => Config::of_text(BUILT_IN, "configs/demo.yaml")?,
        };
        let (data, own) = match &options.data {
            Some(folder) => (folder.clone(), None),
            None => {
                let own = tempfile::Builder::new().prefix("weir-demo-").tempdir();
                let own = own.context("cannot make a temporary folder; name one with --data")?;
                (own.path().to_owned(), Some(own))
            }
        };
        let shop = Shop { seed: options.seed, speed: options.speed, spans_per_second: options.rate };
        Ok(Self { config, data, shop, _own: own })
    }
}

impl Shop {
    /// Sends half an hour of history to the OTLP/HTTP port, then what happens, until `stop`.
    pub(crate) async fn open(self, otlp_http: std::net::SocketAddr, stop: CancellationToken) {
        tokio::select! {
            () = self.sell(otlp_http) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn sell(self, otlp_http: std::net::SocketAddr) {
        let clock = Clock::system();
        let now_ns = clock.now_ns();
        let period_ns = PERIOD.as_nanos() as f64 / self.speed;
        let shop = Demo::new(self.seed, Story::under_way(now_ns, period_ns as u64), self.spans_per_second);
        let mut sender = Sender::new(otlp_http);
        let began = Instant::now();
        let (mut from_ns, mut spans, mut lines) = (now_ns - HISTORY.as_nanos() as u64, 0, 0);
        while from_ns < now_ns {
            let to_ns = (from_ns + HISTORY_STEP.as_nanos() as u64).min(now_ns);
            let sent = between(&shop, from_ns, to_ns).await;
            spans += sent.spans;
            lines += sent.lines;
            self.deliver(&mut sender, sent).await;
            from_ns = to_ns;
        }
        info!("the demo's last half hour is there: {spans} spans and {lines} log lines in {:.1?}", began.elapsed());
        let mut ticks = tokio::time::interval(LIVE_STEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // A machine that slept has nothing to make up for.
            let to_ns = clock.now_ns();
            from_ns = from_ns.max(to_ns.saturating_sub(HISTORY.as_nanos() as u64));
            let sent = between(&shop, from_ns, to_ns.max(from_ns)).await;
            from_ns = to_ns.max(from_ns);
            self.deliver(&mut sender, sent).await;
        }
    }

    /// Until they are taken, or are worth no more tries.
    async fn deliver(&self, sender: &mut Sender, sent: Sent) {
        for (path, body) in [("/v1/traces", sent.traces), ("/v1/logs", sent.logs)] {
            if body.is_empty() {
                continue;
            }
            if let Err(error) = sender.post(path, body).await {
                warn!("the demo's shop cannot deliver to {path}: {error:#}");
            }
        }
    }
}

/// Made where it keeps nobody waiting.
async fn between(shop: &Demo, from_ns: u64, to_ns: u64) -> Sent {
    tokio::task::block_in_place(|| shop.between(from_ns, to_ns))
}
