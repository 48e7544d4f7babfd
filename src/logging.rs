//! Starts logging to stderr.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::cli::{LogFormat, LogOptions};

/// What is logged when neither `--log-level` nor `RUST_LOG` says.
const LEVEL_DEFAULT: &str = "info";

/// Logs from now on. Errors when the level cannot be understood.
pub(crate) fn start(options: &LogOptions) -> anyhow::Result<()> {
    let from_environment = std::env::var("RUST_LOG").ok().filter(|level| !level.is_empty());
    let (source, level) = match (&options.log_level, from_environment) {
        (Some(level), _) => ("--log-level", level.clone()),
        (None, Some(level)) => ("RUST_LOG", level),
        (None, None) => ("the default level", LEVEL_DEFAULT.to_owned()),
    };
    let filter = EnvFilter::builder()
        .parse(&level)
        .with_context(|| format!("{source}: cannot read `{level}`; use error, warn, info, debug or trace"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match options.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}
