//! Anything in any order: numbered lines, rotation of every kind, looks, refusals and kills at random; then each line once.

mod kind;
mod story;

use self::{
    kind::{Form, Kind, Names, Random, Step, Text, USUAL},
    story::Story,
};

/// How many stories: `WEIR_STORIES` for more.
fn seeds() -> u64 {
    std::env::var("WEIR_STORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

/// `WEIR_STORIES_FROM` for others.
fn seeds_from() -> u64 {
    std::env::var("WEIR_STORIES_FROM").ok().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// A story that goes wrong, without steps that are not needed for that.
fn shortened(kind: Kind, mut steps: Vec<Step>) -> Vec<Step> {
    let mut run = steps.len() / 2;
    while run > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + run).min(steps.len()));
            match Story::tell(kind, &fewer) {
                Err(_) => steps = fewer,
                Ok(()) => at += run,
            }
        }
        run /= 2;
    }
    steps
}

fn tell_many(kind: Kind, first_seed: u64, length: usize) {
    let mut wrong = Vec::new();
    let first_seed = first_seed + seeds_from();
    for seed in first_seed..first_seed + seeds() {
        let mut random = Random::of(seed);
        let mut steps = Vec::new();
        while steps.len() < length {
            Step::add_some(&mut steps, &mut random, kind);
        }
        if Story::tell(kind, &steps).is_err() {
            wrong.push((seed, steps));
        }
    }
    let count = wrong.len();
    if let Some((seed, steps)) = wrong.into_iter().next() {
        let short = shortened(kind, steps.clone());
        let mut known = String::new();
        let told = Story::tell_to(kind, &short, &mut |line| known += &line).err();
        panic!("{count} of {} stories, {}, seed {seed}: {told:?}\n{short:?}\n{known}", seeds(), kind.keys);
    }
}

const ALL_NAMES: &str = r#"{"include": ["DIR/[abc].log*"], "compression": "gzip"}"#;

#[test]
fn each_line_once_whatever_happens() {
    tell_many(Kind { keys: ALL_NAMES, ..USUAL }, 0, 120);
}

#[test]
fn each_line_once_though_rotated_files_have_other_names() {
    tell_many(USUAL, 10_000, 120);
    tell_many(Kind { names: Names::Dated, ..USUAL }, 15_000, 120);
    tell_many(Kind { names: Names::Inside, keys: r#"{"include": ["DIR/a.log"]}"#, ..USUAL }, 20_000, 120);
}

#[test]
fn each_line_once_through_links() {
    let keys = r#"{"include": ["DIR/links/*.log"], "symlink_roots": ["DIR"]}"#;
    tell_many(Kind { keys, names: Names::Dated, ..USUAL }, 90_000, 120);
    tell_many(Kind { keys, look_every: 12, streams: 2, ..USUAL }, 95_000, 60);
}

#[test]
fn each_line_once_though_nobody_looks_for_long() {
    for (at, keys) in [ALL_NAMES, "{}", r#"{"include": ["DIR/a.log*"]}"#].into_iter().enumerate() {
        let at = at as u64 * 1000;
        tell_many(Kind { keys, look_every: 12, ..USUAL }, 30_000 + at, 60);
        tell_many(Kind { keys, look_every: 40, ..USUAL }, 40_000 + at, 60);
    }
}

#[test]
fn each_line_once_though_files_begin_alike() {
    let banner = "-- a banner that every file begins with, longer than what files are known by --\n";
    let all_names = r#"{"include": ["DIR/a.log*"], "compression": "gzip", "fingerprint_size": "16b"}"#;
    for (at, keys) in [r#"{"fingerprint_size": "16b"}"#, all_names].into_iter().enumerate() {
        tell_many(Kind { keys, banner, ..USUAL }, 50_000 + at as u64 * 1000, 60);
        tell_many(Kind { keys, banner, look_every: 12, ..USUAL }, 60_000 + at as u64 * 1000, 60);
    }
}

#[test]
fn none_twice_though_old_files_are_deleted() {
    for (at, keys) in [ALL_NAMES, "{}"].into_iter().enumerate() {
        tell_many(Kind { keys, keep: 3, ..USUAL }, 70_000 + at as u64 * 1000, 120);
        tell_many(Kind { keys, keep: 2, look_every: 12, ..USUAL }, 80_000 + at as u64 * 1000, 120);
    }
}

#[test]
fn each_line_once_whosever_clock_the_file_system_has() {
    for (at, apart_ms) in [-3_600_000, 3_600_000].into_iter().enumerate() {
        let kind = Kind { apart_ms, steps_clock: false, ..USUAL };
        tell_many(Kind { keys: ALL_NAMES, ..kind }, 100_000 + at as u64 * 1000, 60);
        tell_many(Kind { look_every: 8, ..kind }, 105_000 + at as u64 * 1000, 60);
    }
}

#[test]
fn each_line_once_with_more_files_than_may_be_open() {
    // Under all of their names: what is renamed to another one, not held open, and gone before the journal takes it, nobody can read.
    let two = r#"{"include": ["DIR/*.log*"], "compression": "gzip", "max_concurrent_files": 2}"#;
    let one = r#"{"include": ["DIR/*.log*"], "compression": "gzip", "max_concurrent_files": 1}"#;
    for (at, keys) in [two, one].into_iter().enumerate() {
        tell_many(Kind { keys, streams: 3, looks_until_late: 3, ..USUAL }, 110_000 + at as u64 * 1000, 120);
        tell_many(
            Kind { keys, streams: 3, looks_until_late: 3, look_every: 12, ..USUAL },
            115_000 + at as u64 * 1000,
            120,
        );
    }
}

#[test]
fn each_line_once_though_written_in_halves() {
    let all_names = r#"{"include": ["DIR/*.log*"], "compression": "gzip", "force_flush_period": "0s"}"#;
    for (at, keys) in [all_names, r#"{"force_flush_period": "0s"}"#].into_iter().enumerate() {
        tell_many(Kind { keys, has_halves: true, ..USUAL }, 120_000 + at as u64 * 1000, 120);
        tell_many(Kind { keys, has_halves: true, look_every: 12, ..USUAL }, 125_000 + at as u64 * 1000, 60);
    }
}

#[test]
fn each_line_once_in_records_of_several() {
    let all_names =
        r#"{"include": ["DIR/*.log*"], "compression": "gzip", "multiline": {"line_start_pattern": "^line"}}"#;
    let joined = r#"{"operators": [{"type": "recombine", "combine_field": "body", "is_first_entry": "body matches '^line'",
        "force_flush_period": "1s"}]}"#;
    let joined_all = r#"{"include": ["DIR/*.log*"], "compression": "gzip", "operators": [{"type": "recombine",
        "combine_field": "body", "is_first_entry": "body matches '^line'", "force_flush_period": "1s"}]}"#;
    for (at, keys) in
        [all_names, r#"{"multiline": {"line_start_pattern": "^line"}}"#, joined, joined_all].into_iter().enumerate()
    {
        let kind = Kind { keys, form: Form::Records, has_halves: true, looks_until_late: 3, ..USUAL };
        tell_many(kind, 130_000 + at as u64 * 1000, 120);
        tell_many(Kind { look_every: 12, ..kind }, 135_000 + at as u64 * 1000, 60);
    }
}

#[test]
fn each_line_once_in_other_encodings() {
    let kind = Kind { text: Text::Utf16le, keys: r#"{"encoding": "utf-16le"}"#, ..USUAL };
    tell_many(kind, 140_000, 120);
    let keys = r#"{"include": ["DIR/*.log*"], "compression": "gzip", "encoding": "utf-16be"}"#;
    tell_many(Kind { keys, text: Text::Utf16be, look_every: 8, ..kind }, 141_000, 120);
}

#[test]
fn each_line_once_though_writers_keep_their_place() {
    for (at, keys) in [ALL_NAMES, "{}"].into_iter().enumerate() {
        tell_many(Kind { keys, has_places: true, ..USUAL }, 150_000 + at as u64 * 1000, 120);
        tell_many(Kind { keys, has_places: true, look_every: 12, ..USUAL }, 155_000 + at as u64 * 1000, 60);
    }
}

#[test]
fn each_line_once_though_files_move_out_of_patterns_and_back() {
    tell_many(Kind { keys: ALL_NAMES, has_moves: true, ..USUAL }, 160_000, 120);
    tell_many(Kind { keys: ALL_NAMES, has_moves: true, look_every: 12, streams: 2, ..USUAL }, 161_000, 60);
}

#[test]
fn each_line_once_though_reads_fail() {
    let names = Names::Dated;
    for (at, keys) in [ALL_NAMES, "{}"].into_iter().enumerate() {
        let kind = Kind { keys, has_faults: true, looks_until_late: 4, names, ..USUAL };
        tell_many(kind, 170_000 + at as u64 * 1000, 120);
        tell_many(Kind { names: Names::Behind, look_every: 8, ..kind }, 175_000 + at as u64 * 1000, 60);
    }
}

#[test]
fn each_line_once_of_files_that_are_not_too_old() {
    let keys = r#"{"exclude_older_than": "2h", "include": ["DIR/*.log*"], "compression": "gzip"}"#;
    tell_many(Kind { keys, steps_clock: false, ..USUAL }, 180_000, 120);
    tell_many(Kind { keys, may_miss: true, ..USUAL }, 181_000, 120);
}

#[test]
fn each_line_once_from_the_end_on() {
    let keys = r#"{"start_at": "end", "include": ["DIR/*.log*"], "compression": "gzip"}"#;
    tell_many(Kind { keys, skips_first: true, ..USUAL }, 190_000, 120);
    tell_many(Kind { keys: r#"{"start_at": "end"}"#, skips_first: true, look_every: 12, ..USUAL }, 191_000, 60);
}
