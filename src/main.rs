//! The `weir` binary: reads the command line and runs the command.

mod alerting;
mod allocator;
mod archive;
mod banner;
mod cli;
mod config;
mod data;
mod demo;
mod logging;
mod receivers;
mod rules;
mod samplers;
mod scrapers;
mod shutdown;
mod sql;
mod wiring;

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use clap::Parser;

use crate::{
    cli::{Cli, Command, DemoOptions, RunOptions},
    config::{Config, ConfigError, FreedMemory},
};

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    // A wrong command line ends here with exit code 2 and the usage; --help and --version with 0.
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Run(options) => run(&options),
        Command::Demo(options) => play(&options),
        Command::Validate { config } => validate(&config),
        Command::Convert { file, output } => convert(&file, output.as_deref()),
        Command::Sql(options) => sql::run(&options),
        Command::Rules(command) => return ended(rules::run(&command)),
        Command::Archive(command) => return ended(archive::run(&command)),
    };
    ended(outcome.map(|()| ExitCode::SUCCESS))
}

/// Says what went wrong.
fn ended(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            for line in in_words(&error).lines() {
                eprintln!("weir: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Raises the limit on open files as far as this process may: each journal file that is not sealed takes some, each connection one.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit on open files stays at {:?}", limit.current);
    }
}

/// `weir run`.
fn run(options: &RunOptions) -> anyhow::Result<()> {
    logging::start(&options.logging)?;
    raise_file_limit();
    let config = match &options.config {
        Some(file) => Config::load(file)?,
        None => Config::built_in(),
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if config.freed_memory == FreedMemory::GiveBack {
        allocator::give_back_freed_memory();
    }
    let plan = wiring::Plan {
        data: data::folder(options.data.as_deref(), config.storage.path.as_deref(), &data::Places::of_process()),
        config_file: options.config.clone(),
        config,
        shop: None,
    };
    start(plan)
}

/// `weir demo`.
fn play(options: &DemoOptions) -> anyhow::Result<()> {
    logging::start(&options.logging)?;
    raise_file_limit();
    let stage = demo::Stage::set(options)?;
    let (data, shop) = (stage.data.clone(), Some(stage.shop.clone()));
    let plan = wiring::Plan { data, config_file: options.config.clone(), config: stage.config.clone(), shop };
    // The stage, with its folder, stays until all is over.
    start(plan)
}

fn start(plan: wiring::Plan) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let outcome = runtime.block_on(wiring::run(plan));
    // Everything that matters has been waited for; a blocking read that is still going must not hold the exit back.
    runtime.shutdown_background();
    outcome
}

/// `weir validate`.
fn validate(file: &std::path::Path) -> anyhow::Result<()> {
    let outcome = Config::load(file);
    let warnings = match &outcome {
        Ok(config) => &config.warnings[..],
        Err(ConfigError::Wrong { warnings, .. }) => warnings,
        Err(ConfigError::Unreadable { .. }) => &[],
    };
    for warning in warnings {
        eprintln!("weir: warning: {warning}");
    }
    let config = outcome?;
    alerting::check_rules(&config, file)?;
    println!("{}: valid; {}", file.display(), config.summary());
    Ok(())
}

/// `weir convert`.
fn convert(file: &std::path::Path, output: Option<&std::path::Path>) -> anyhow::Result<()> {
    let text = config::convert(file)?;
    match output {
        Some(output) => std::fs::write(output, text).with_context(|| format!("cannot write {}", output.display())),
        None => std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout"),
    }
}

/// The error and its causes, each once: many of our messages name their cause already.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !words.ends_with(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}
