//! Runs test scripts of PromQL: `cargo run --release -p weir-query --example promqltest -- FILES`.

use std::process::ExitCode;

use weir_query::script;

fn main() -> ExitCode {
    let files: Vec<_> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: promqltest FILES");
        return ExitCode::FAILURE;
    }
    let (mut passed, mut failed) = (0, 0);
    for file in &files {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                println!("{file}: cannot be read: {error}");
                failed += 1;
                continue;
            }
        };
        let report = script::run(&text);
        println!("{file}: {} passed, {} failed", report.passed, report.failures.len());
        for failure in &report.failures {
            println!("  {file}:{}: {}", failure.line, failure.reason);
        }
        passed += report.passed;
        failed += report.failures.len();
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
