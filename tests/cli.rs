//! The command line through the built binary: help, validation, exit codes.

use std::process::{Command, Output};

fn weir(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(args)
        .env_remove("RUST_LOG")
        .env("XDG_STATE_HOME", "/nonexistent")
        .output()
        .expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A configuration in a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weir.yaml");
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("UTF-8").to_owned();
    (folder, path)
}

#[test]
fn help_teaches_by_example() {
    let help = weir(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for line in [
        "Examples:",
        "weir run --config weir.yaml",
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 my-app",
        "curl localhost:4320/jaeger/api/services",
        "Exit codes:",
    ] {
        assert!(stdout(&help).contains(line), "{line} is missing in\n{}", stdout(&help));
    }
    let told = stdout(&help).to_lowercase();
    assert!(["traces", "logs", "metrics"].iter().all(|signal| told.contains(signal)), "{told}");
    let run = weir(&["run", "--help"]);
    assert!(stdout(&run).contains("SIGHUP"), "{}", stdout(&run));
}

#[test]
fn version_is_the_packages() {
    let version = weir(&["--version"]);
    assert_eq!(
        (version.status.code(), stdout(&version).trim()),
        (Some(0), concat!("weir ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for args in [&["rum"][..], &[], &["run", "--dat", "x"], &["validate"], &["run", "--log-format", "xml"]] {
        let output = weir(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    assert!(stderr(&weir(&["rum"])).contains("run"), "suggests the nearest command");
}

#[test]
fn validate_says_yes() {
    let (_folder, path) = file("receivers: {otlp: {}}\nstorage: {retention: {traces: forever}}\n");
    let output = weir(&["validate", "--config", &path]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    assert_eq!(stdout(&output), format!("{path}: valid; receivers: otlp\n"));
}

#[test]
fn validate_warns_of_what_has_no_effect() {
    let (_folder, path) = file(
        "receivers: {otlp: }\nprocessors:\n  probabilistic_sampler: {sampling_percentage: 5}\n\
         service: {pipelines: {traces: {receivers: [otlp]}}}\n",
    );
    let output = weir(&["validate", "--config", &path]);
    let warning = format!(
        "weir: warning: {path}:3:3: processor `probabilistic_sampler` has no effect: it is in no pipeline that a receiver feeds\n"
    );
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), warning.clone()));
    assert_eq!(stdout(&output), format!("{path}: valid; receivers: otlp\n"));
    // `run` says it in the log, before it touches anything.
    let run = weir(&["run", "--config", &path, "--data", "/dev/null/data"]);
    assert_eq!(run.status.code(), Some(1));
    let warning = warning.trim_start_matches("weir: warning: ");
    assert!(stderr(&run).contains(warning.trim_end()) && stderr(&run).contains("WARN"), "{}", stderr(&run));
}

#[test]
fn two_listeners_at_one_address_are_refused() {
    let (_folder, path) = file("query:\n  endpoint: 0.0.0.0:4318\n");
    for args in [&["validate", "--config", &path][..], &["run", "--config", &path, "--data", "/dev/null/data"]] {
        let output = weir(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let expected =
            format!("weir: {path}:2:13: query.endpoint (0.0.0.0:4318) and receivers.otlp.protocols.http.endpoint");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
}

#[test]
fn validate_says_where_it_is_wrong() {
    let (_folder, path) = file("storage:\n  retenton: {traces: 7d}\n");
    let output = weir(&["validate", "--config", &path]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    let expected = format!("weir: {path}:2:3: unknown key `retenton`; did you mean `retention`?");
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
    // `run` reads the same file and stops before it touches anything.
    let run = weir(&["run", "--config", &path, "--data", "/nonexistent/data"]);
    assert_eq!((run.status.code(), stderr(&run)), (Some(1), stderr(&output)));
}

#[test]
fn validate_says_everything_at_once() {
    let (_folder, path) = file("storage:\n  retenton: {}\nprocessors: {batch: }\nquery: {timeout: soon}\n");
    let output = weir(&["validate", "--config", &path]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    let begins = ["weir: warning: ", "weir: ", "weir: "].into_iter().zip([":3:14: ", ":2:3: ", ":4:18: "]);
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 3, "{said}");
    for (line, (prefix, place)) in said.lines().zip(begins) {
        assert!(line.starts_with(&format!("{prefix}{path}{place}")), "{said}");
    }
}

#[test]
fn a_collectors_file_is_converted() {
    let (_folder, path) = file(
        "receivers: {otlp: {protocols: {grpc: }}}\nprocessors: {batch: }\nexporters: {debug: }\n\
         service: {pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [debug]}}}\n",
    );
    let printed = weir(&["convert", &path]);
    assert_eq!((printed.status.code(), stderr(&printed)), (Some(0), String::new()));
    let converted = format!("{path}.weir");
    assert_eq!(weir(&["convert", &path, "-o", &converted]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&converted).expect("written"), stdout(&printed));
    let output = weir(&["validate", "--config", &converted]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let unreadable = weir(&["convert", "/nonexistent/otel.yaml"]);
    assert_eq!((unreadable.status.code(), stdout(&unreadable)), (Some(1), String::new()));
}

#[test]
fn a_missing_file_is_named() {
    let output = weir(&["validate", "--config", "/nonexistent/weir.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "weir: cannot read /nonexistent/weir.yaml: No such file or directory (os error 2)\n");
}

#[test]
fn variables_reach_the_file() {
    let (_folder, path) = file("storage: {size_max: '${env:WEIR_TEST_SIZE}'}\n");
    let run = |size: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(["validate", "--config", &path]).env_remove("WEIR_TEST_SIZE");
        if let Some(size) = size {
            command.env("WEIR_TEST_SIZE", size);
        }
        command.output().expect("the binary starts").status.code()
    };
    assert_eq!((run(Some("1GiB")), run(Some("tiny")), run(None)), (Some(0), Some(1), Some(1)));
}

#[test]
fn an_unreadable_log_level_is_refused() {
    let output = weir(&["run", "--log-level", "weir=loud", "--data", "/nonexistent/data"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("weir: --log-level: cannot read `weir=loud`"), "{}", stderr(&output));
}
