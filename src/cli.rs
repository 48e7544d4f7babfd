//! The command line: what can be asked of `weir`, with the help that teaches it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Receives traces, logs and metrics, keeps them on local disk and makes them searchable at once.
#[derive(Debug, Parser)]
#[command(name = "weir", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start receiving, keeping and answering; stops on Ctrl-C or SIGTERM.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunOptions),
    /// Run with a shop in front of it: half an hour of traffic, and an incident under way.
    ///
    /// Opens what `weir run` opens, sends itself traces and log lines of a shop of twenty services, and every ten minutes rolls a bad
    /// version of one of them out to a few.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoOptions),
    /// Check a configuration file without starting anything.
    ///
    /// Prints `file:line:column: what is wrong` for everything that is, and exits with 1 when the file cannot be used.
    /// Warns of what has no effect.
    #[command(after_help = VALIDATE_EXAMPLES)]
    Validate {
        /// The configuration to check (YAML).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make of an OpenTelemetry Collector's file one that runs here.
    ///
    /// What cannot be used is left out and said in comments at the beginning, each with its place; comments of the file are not kept.
    #[command(after_help = CONVERT_EXAMPLES)]
    Convert {
        /// The Collector's configuration (YAML).
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where the result is written; left out: stdout.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Ask a running weir in SQL; the tables are `spans` and `logs`.
    ///
    /// Exits with 1 when the query is wrong, or its answer not whole. docs/sql.md lists columns and functions.
    #[command(after_help = SQL_EXAMPLES)]
    Sql(SqlOptions),
    /// Check files of rules, run their unit tests, or see what they would have done.
    #[command(subcommand, after_help = RULES_EXAMPLES)]
    Rules(RulesCommand),
    /// Ask a running weir how its archive fares, whether it is whole, or to keep a time on local disk.
    #[command(subcommand, after_help = ARCHIVE_EXAMPLES)]
    Archive(ArchiveCommand),
}

/// What to do with the archive.
#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// What is on local disk only, what the bucket has, what its tables have.
    Status {
        /// The weir that is asked: its `query.endpoint`.
        #[arg(long, alias = "endpoint", value_name = "URL", default_value = "http://127.0.0.1:4320")]
        url: String,
    },
    /// Look whether the bucket has everything that it should have, and name what it has not.
    ///
    /// Exits with 1 when something is missing or wrong.
    Verify {
        /// Read every byte and compare its checksum.
        #[arg(long)]
        deep: bool,
        /// The weir that is asked: its `query.endpoint`.
        #[arg(long, alias = "endpoint", value_name = "URL", default_value = "http://127.0.0.1:4320")]
        url: String,
    },
    /// Keep what lies in a range of time on local disk, whatever retention says.
    Pin(PinOptions),
}

/// Options of `weir archive pin`.
#[derive(Debug, Args)]
pub(crate) struct PinOptions {
    /// When it begins: -7d, 2026-01-31T12:00:00Z, or Unix seconds.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: String,
    /// When it ends.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "now")]
    pub(crate) to: String,
    /// traces, logs or metrics; left out: all.
    #[arg(long, value_name = "SIGNAL")]
    pub(crate) signal: Option<String>,
    /// Take back what was said of exactly this range.
    #[arg(long)]
    pub(crate) remove: bool,
    /// The weir that is asked: its `query.endpoint`.
    #[arg(long, alias = "endpoint", value_name = "URL", default_value = "http://127.0.0.1:4320")]
    pub(crate) url: String,
}

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check files of rules: Prometheus' format, with groups in SQL and LogQL beside.
    ///
    /// Prints `file:line:column: what is wrong` for everything that is. Exits with 1 when a file cannot be used, with 3
    /// when rules are there twice and --lint-fatal is set.
    Check(CheckOptions),
    /// Run unit tests of rules: files as promtool has them.
    ///
    /// Exits with 1 when a test fails. docs/alerting.md says what Weir has beside.
    Test(TestOptions),
    /// Ask a running weir what the rules of a file would have done.
    ///
    /// Says which alerts would have fired, when and for how long, and how many samples recording rules would have given.
    Replay(ReplayOptions),
}

/// Options of `weir rules replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayOptions {
    /// The file of rules.
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// When it begins: -7d, 2026-01-31T12:00:00Z, or Unix seconds.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: String,
    /// When it ends.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "now")]
    pub(crate) to: String,
    /// How often rules of groups without an interval are evaluated.
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pub(crate) interval: String,
    /// The weir that is asked: its `query.endpoint`.
    #[arg(long, alias = "endpoint", value_name = "URL", default_value = "http://127.0.0.1:4320")]
    pub(crate) url: String,
    /// Write what recording rules would have given, as far back as `storage.accept.past` takes it.
    #[arg(long)]
    pub(crate) write: bool,
}

/// Options of `weir rules check`.
#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// Files, or patterns in quotes such as 'alerts/*.yml'; without any, stdin.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// What is looked for beside mistakes: all, duplicate-rules or none.
    #[arg(long, value_name = "LINT", default_value = "duplicate-rules")]
    pub(crate) lint: String,
    /// Exit with 3 when something is found that is no mistake.
    #[arg(long)]
    pub(crate) lint_fatal: bool,
}

/// Options of `weir rules test`.
#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    /// Files of tests, or patterns in quotes.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<String>,
    /// Only tests whose names match this regular expression; several are alternatives.
    #[arg(long, value_name = "REGEX")]
    pub(crate) run: Vec<String>,
    /// Show what differs instead of all that is expected and all that is there.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Write a report in JUnit's XML, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

/// Options of `weir sql`.
#[derive(Debug, Args)]
pub(crate) struct SqlOptions {
    /// The query, or `-` to read it from stdin.
    #[arg(value_name = "SQL")]
    pub(crate) query: String,
    /// Where it runs: its `query.endpoint`.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4320")]
    pub(crate) endpoint: String,
    /// How rows are printed.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = SqlFormat::Table)]
    pub(crate) format: SqlFormat,
}

/// Forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SqlFormat {
    /// For people.
    Table,
    /// With a line of names.
    Csv,
    /// One object a line.
    Json,
}

/// Options of `weir run`.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The configuration (YAML, in the OpenTelemetry Collector's shape); without it, everything on loopback.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where data is kept; goes before `storage.path` of the configuration. Without either:
    /// $XDG_STATE_HOME/weir, ~/.local/state/weir, or ./weir-data when there is no home.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) logging: LogOptions,
}

/// Options of `weir demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// Where data is kept; without it in a temporary folder, which is gone afterwards.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The configuration, with an OTLP receiver that speaks HTTP; without it, everything on loopback, with tail sampling.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How many times faster the story goes: with 10, a roll-out every minute.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// Which traffic: the same seed makes the same.
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    pub(crate) seed: u64,
    /// Spans a second, about.
    #[arg(long, value_name = "SPANS", default_value_t = 200.0)]
    pub(crate) rate: f64,
    #[command(flatten)]
    pub(crate) logging: LogOptions,
}

/// What is logged, and how. Logs go to stderr.
#[derive(Debug, Args)]
pub(crate) struct LogOptions {
    /// error, warn, info, debug, trace, or a filter such as `info,weir_store=debug`; goes before RUST_LOG.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How a log line is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// Shapes of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  weir run                                  all in one on this machine, default data folder
  weir run --data /var/lib/weir             the same, data kept there
  weir demo                                 something to look at: a shop, and an incident
  weir run --config weir.yaml               as the file says
  weir validate --config weir.yaml          check the file first
  weir convert otel.yaml -o weir.yaml       start from a Collector's file
  weir sql \"SELECT service, count(*) FROM spans GROUP BY service\"
  weir rules check 'alerts/*.yml'           read rules as Prometheus does

Then send traces from any OpenTelemetry SDK and look at them:
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 my-app
  curl localhost:4320/jaeger/api/services
  curl -G localhost:4320/jaeger/api/traces -d service=checkout -d minDuration=100ms

Exit codes: 0 stopped as asked, 1 an error (in words, on stderr), 2 a wrong command line.";

const RUN_EXAMPLES: &str = "\
Examples:
  weir run                                  OTLP/gRPC on 127.0.0.1:4317, OTLP/HTTP on :4318, queries on :4320
  weir run --config configs/all_in_one.yaml every setting of that, written out
  weir run --log-level debug                more to read
  RUST_LOG=info,weir_store=debug weir run   more of one part

Signals: SIGTERM and SIGINT answer what was received, write it down and exit 0; a second one exits at once.
SIGHUP reads the configuration file again: changed processors take effect, the log says which other sections
need a restart; a bad file changes nothing.";

const DEMO_EXAMPLES: &str = "\
Examples:
  weir demo                                 look at http://localhost:4320
  weir demo --data ./demo                   the same, kept
  weir demo --speed 10                      a roll-out every minute

The story: version 1.8.0 of the service cart answers 5 % of the calls. Its P99 triples, and 12 % of its calls fail:
those of large carts in one region. Who calls it suffers. Then it is rolled back, and after a while tried again.";

const VALIDATE_EXAMPLES: &str = "\
Examples:
  weir validate --config weir.yaml
  HOST=0.0.0.0 weir validate --config weir.yaml     with the variables that ${env:NAME} in it needs";

const CONVERT_EXAMPLES: &str = "\
Examples:
  weir convert otel-collector.yaml
  weir convert otel-collector.yaml -o weir.yaml && weir validate --config weir.yaml";

const SQL_EXAMPLES: &str = "\
Examples:
  weir sql \"SELECT service, count(*), p99(duration_ns) FROM spans GROUP BY service\"
  weir sql --format csv \"SELECT * FROM spans WHERE status_code = 'error' LIMIT 100\" > errors.csv
  weir sql --endpoint http://weir.example:4320 - < query.sql
  weir sql \"EXPLAIN ANALYZE SELECT count(*) FROM spans WHERE service = 'cart'\"";

const ARCHIVE_EXAMPLES: &str = "\
Examples:
  weir archive status
  weir archive verify --deep
  weir archive pin --from 2026-01-31T00:00:00Z --to 2026-02-01T00:00:00Z   the day of an incident";

const RULES_EXAMPLES: &str = "\
Examples:
  weir rules check 'alerts/*.yml'
  weir rules test tests.yml --diff
  weir rules test tests.yml --run 'disk.*'
  weir rules replay alerts.yml --from -7d   what would have fired; --write fills recording rules backwards";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
