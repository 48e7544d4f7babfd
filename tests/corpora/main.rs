//! The fuzz corpora as plain tests: every input that was ever interesting, through the functions that the fuzzer calls.
//!
//! `WEIR_SEEDS=write cargo test --test corpora` writes the seeds that Weir makes itself again, after a change of a format.

use std::{fs, path::PathBuf};

use weir_proto::{
    otlp::json::{TranscodeLimits, transcode_traces},
    time::Clock,
};

#[path = "../../fuzz/src/chunk.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod chunk;
#[path = "../../fuzz/src/files.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod files;
#[path = "../../fuzz/src/journal.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod journal;
#[path = "../../fuzz/src/logql.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod logql;
#[path = "../../fuzz/src/promql.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod promql;
#[path = "../../fuzz/src/rules.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod rules;
#[path = "../../fuzz/src/segment.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod segment;
#[path = "../../fuzz/src/shipped.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod shipped;
#[path = "../../fuzz/src/sql.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod sql;
#[path = "../../fuzz/src/wire.rs"]
#[allow(unreachable_pub, reason = "a library's in fuzz/")]
mod wire;

/// A target's name in fuzz/targets and fuzz/corpora, and its function.
type Target = (&'static str, fn(&[u8]));

/// Every target.
const TARGETS: [Target; 16] = [
    ("otlp_scan", wire::otlp_scan),
    ("otlp_json", wire::otlp_json),
    ("zipkin", wire::zipkin),
    ("elasticsearch_bulk", shipped::elasticsearch_bulk),
    ("splunk_hec", shipped::splunk_hec),
    ("syslog", shipped::syslog),
    ("exposition", wire::exposition),
    ("remote_write", wire::remote_write),
    ("tracestate", wire::tracestate),
    ("journal_recovery", journal::journal_recovery),
    ("segment_footer", segment::segment_footer),
    ("sql_guard", sql::sql_guard),
    ("promql", promql::promql),
    ("logql", logql::logql),
    ("rules", rules::rules),
    ("chunk", chunk::chunk),
];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// The inputs of a target, sorted by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder("corpora").join(target)).expect("a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("readable"))).collect()
}

#[test]
fn every_input_holds() {
    for (target, holds) in TARGETS {
        let inputs = corpus(target);
        assert!(inputs.len() >= 3, "{target}: {} seeds", inputs.len());
        for (path, input) in inputs {
            // A panic names the input.
            println!("{}", path.display());
            holds(&input);
        }
    }
}

#[test]
fn every_target_is_here() {
    let names = |folder: PathBuf| {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("readable").path().file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let mut listed: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    listed.sort();
    assert_eq!((names(folder("targets")), names(folder("corpora"))), (listed.clone(), listed));
}

/// Damages each seed at places spread over it: what the fuzzer begins with.
#[test]
fn damaged_seeds_hold() {
    for (target, holds) in TARGETS {
        for (path, input) in corpus(target) {
            println!("{}", path.display());
            let step = (input.len() / 20).max(1);
            for at in (0..input.len()).step_by(step) {
                let mut damaged = input.clone();
                damaged[at] ^= 1 << (at % 8);
                holds(&damaged);
                holds(&input[..at]);
            }
        }
    }
}

/// What Weir writes today passes, and is in the corpora.
#[test]
fn seeds_of_our_own_hold() {
    let payload = |name: &str| {
        let json = fs::read(folder("corpora/otlp_json").join(name)).expect("a seed");
        transcode_traces(&json, TranscodeLimits { depth_max: 8, bytes_max: 1 << 20 }).expect("valid")
    };
    let (two_spans, everything) = (payload("two_spans.json"), payload("everything.json"));
    let segments = vec![
        ("two_spans", segment::seed(&two_spans)),
        ("everything", segment::seed(&everything)),
        ("no_spans", segment::seed(&[])),
    ];
    let seeds = [
        ("otlp_scan", wire::otlp_scan as fn(&[u8]), vec![("two_spans", two_spans), ("everything", everything)]),
        ("journal_recovery", journal::journal_recovery, journal::seeds()),
        ("segment_footer", segment::segment_footer, segments),
    ];
    for (target, holds, seeds) in seeds {
        for (name, input) in seeds {
            holds(&input);
            let path = folder("corpora").join(target).join(format!("{name}.bin"));
            if std::env::var("WEIR_SEEDS").is_ok_and(|value| value == "write") {
                fs::write(&path, &input).expect("written");
            }
            assert!(path.exists(), "{} is missing: WEIR_SEEDS=write makes it", path.display());
        }
    }
}

/// Numbers that look random, and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        // Xorshift: Marsaglia, "Xorshift RNGs", 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    fn range(&mut self, end: usize) -> std::ops::Range<usize> {
        let start = self.below(end + 1);
        start..start + self.below((end - start).min(64) + 1)
    }

    /// An input with a few things changed: bytes, pieces of it left out or twice, pieces of other inputs.
    fn mutated(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = inputs[self.below(inputs.len())].clone();
        for _ in 0..1 + self.below(6) {
            let range = self.range(input.len());
            match self.below(5) {
                0 if !input.is_empty() => {
                    let at = self.below(input.len());
                    input[at] ^= 1 << self.below(8);
                }
                1 => drop(input.drain(range)),
                2 => {
                    let piece = input[range].repeat(1 + self.below(30));
                    let at = self.below(input.len() + 1);
                    input.splice(at..at, piece);
                }
                3 => {
                    let other = &inputs[self.below(inputs.len())];
                    let piece = other[self.range(other.len())].to_vec();
                    input.splice(range, piece);
                }
                _ => {
                    let word = [b"(" as &[u8], b")", b"''", b"0", b"-", b",", b"\0", b"\xff", b"\"", b"[", b"{}"]
                        [self.below(11)];
                    input.splice(range, word.repeat(1 + self.below(3)));
                }
            }
        }
        input.truncate(64 << 10);
        input
    }
}

/// Changes seeds at random, some of each target: `WEIR_FUZZ=sql_guard:600` as many of one as are done in ten minutes, each written to
/// fuzz/found before it is tried. `WEIR_FUZZ_SEED` is the seed that a run printed: the same inputs again.
#[test]
fn changed_seeds_hold() {
    let asked = std::env::var("WEIR_FUZZ").ok();
    let asked = asked.as_deref().map(|asked| asked.split_once(':').unwrap_or((asked, "0")));
    if let Some((wanted, _)) = asked {
        assert!(TARGETS.iter().any(|(target, _)| *target == wanted), "WEIR_FUZZ: there is no target {wanted}");
    }
    let given = std::env::var("WEIR_FUZZ_SEED").ok();
    let given = given.map(|seed| seed.parse::<u64>().expect("WEIR_FUZZ_SEED is a number"));
    // By itself the same every time: what is new is looked for by whoever asks for it. Xorshift stays at zero.
    let own = if asked.is_some() { Clock::system().now_ns() } else { 0x5eed_0000 };
    let seed = given.unwrap_or(own).max(1);
    println!("WEIR_FUZZ_SEED={seed}");
    let seconds = asked.and_then(|(_, seconds)| seconds.parse().ok()).unwrap_or(0);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    for (target, holds) in TARGETS.into_iter().filter(|(target, _)| asked.is_none_or(|(wanted, _)| wanted == *target)) {
        let inputs: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, input)| input).collect();
        let mut dice = Dice(seed);
        let mut tried = 0_u64;
        while tried < 200 || std::time::Instant::now() < until {
            let input = dice.mutated(&inputs);
            if asked.is_some() {
                let found = folder("found").join(target);
                fs::create_dir_all(&found).expect("made");
                fs::write(found.join("tried"), &input).expect("written");
            }
            if let Err(panic) = std::panic::catch_unwind(|| holds(&input)) {
                let path = folder("found").join(format!("{target}.broken"));
                fs::create_dir_all(folder("found")).expect("made");
                fs::write(&path, &input).expect("written");
                println!("{} breaks {target}", path.display());
                std::panic::resume_unwind(panic);
            }
            tried += 1;
        }
        println!("{target}: {tried} inputs");
    }
}
