//! What is larger than it may be, or cannot be read: long lines, lines of many parts, many files, damaged disks.

use std::{fs, io::Write};

use prost::Message;
use weir_proto::{
    TenantId,
    otlp::{
        logs::IdNames,
        messages::{
            collector::logs::v1::ExportLogsServiceRequest,
            logs::v1::{ResourceLogs, ScopeLogs},
        },
    },
};

use super::world::World;
use crate::{
    admission::{AdmissionRules, admit_own_lines},
    processors::Processing,
    receivers::filelog::{content::faults, door::LIMITS},
};

#[test]
fn the_rest_of_a_line_is_left_out_through_kills() {
    for packages in 0..4 {
        let mut world = World::new(r#"{"max_log_size": "64KiB", "max_log_size_behavior": "truncate"}"#);
        world.append("a.log", "first\n");
        world.append("a.log", "x".repeat(3 << 20));
        world.poll_until_killed(packages);
        world.append("a.log", "y".repeat(3 << 20));
        world.poll_until_killed(packages);
        world.append("a.log", "\nnext\n");
        world.poll();
        let bodies = world.bodies();
        assert_eq!(bodies.len(), 3, "{packages}");
        assert_eq!((bodies[0].as_str(), bodies[2].as_str()), ("first", "next"));
        assert!(bodies[1].len() == 64 << 10 && bodies[1].bytes().all(|byte| byte == b'x'));
        assert_eq!(world.attributes(1), ["log.file.name=a.log", "weir.log.cut=true"]);
        assert_eq!(world.attributes(2), ["log.file.name=a.log"]);
    }
}

#[test]
fn a_line_that_no_frame_may_have_is_cut() {
    let mut world = World::new(
        r#"{"max_log_size": "4MiB", "operators": [
            {"type": "copy", "from": "body", "to": "attributes.again"}, {"type": "copy", "from": "body", "to": "attributes.more"},
            {"type": "copy", "from": "body", "to": "resource.too"}]}"#,
    );
    world.append("a.log", "before\n");
    world.append("a.log", "é".repeat(3 << 19));
    world.append("a.log", "\nafter\n");
    world.poll();
    let bodies = world.bodies();
    assert_eq!((bodies.len(), bodies[0].as_str(), bodies[2].as_str()), (3, "before", "after"));
    assert!(bodies[1].len() > 1 << 18 && bodies[1].chars().all(|char| char == 'é'));
    assert_eq!(world.attributes(1).last().map(String::as_str), Some("weir.log.cut=true"));
    assert!(world.journal.0.lock().bytes_max.0 < 6 << 20);
}

#[test]
fn what_is_let_go_of_at_once_goes_in_several_frames() {
    for packages in [0, 1, 2, 3, 100] {
        let mut world = World::new(
            r#"{"operators": [{"type": "recombine", "combine_field": "body", "is_first_entry": "body startsWith 'first'",
                "force_flush_period": "2s"}]}"#,
        );
        for file in 0..40 {
            world.append(&format!("{file}.log"), format!("first {file} {}\n and\n", "x".repeat(1500)));
        }
        world.poll();
        assert!(world.bodies().is_empty());
        world.wait(3000);
        world.poll_until_killed(packages);
        world.poll();
        world.wait(3000);
        world.poll();
        let mut bodies = world.bodies();
        assert!(bodies.iter().all(|body| body.ends_with("x\nand")));
        bodies.sort();
        bodies.dedup();
        assert_eq!((bodies.len(), world.bodies().len()), (40, 40), "{packages}");
        assert!(world.journal.0.lock().bytes_max.0 < 20 << 10);
    }
}

#[test]
fn where_many_files_stand_goes_in_several_frames() {
    for packages in [0, 1, 3, 100] {
        let mut world = World::new("{}");
        let name = |file: u32| format!("{file}-{}.log", "n".repeat(100));
        for file in 0..200 {
            world.append(&name(file), format!("line {file}\n"));
        }
        world.poll_until_killed(packages);
        world.poll();
        // All of them move at once: each is to be told of, and no line is.
        for file in 0..200 {
            world.rename(&name(file), &format!("{}.1.log", name(file)));
        }
        world.append("a.log", "more\n");
        world.poll_until_killed(packages);
        world.poll();
        let mut bodies = world.bodies();
        bodies.sort();
        bodies.dedup();
        assert_eq!((bodies.len(), world.bodies().len()), (201, 201), "{packages}");
        let (_, cursors) = world.journal.0.lock().bytes_max;
        assert!(cursors < 12 << 10, "{cursors}");
    }
}

#[test]
fn a_damaged_part_of_a_disk_keeps_lines_behind_it_only() {
    let mut world = World::new("{}");
    let lines: Vec<String> = (0..3000).map(|n| format!("line {n}")).collect();
    world.append("a.log", lines.join("\n") + "\n");
    world.append("b.log", "other\n");
    faults::fail_at(9000..9001);
    world.poll();
    let before = world.bodies();
    assert!(before.len() > 600 && before.contains(&"other".into()), "{}", before.len());
    world.wait(10_000);
    world.poll();
    assert_eq!(world.bodies(), before);
    world.kill();
    world.poll();
    assert_eq!(world.bodies(), before);
    faults::none();
    world.wait(600_000);
    world.poll();
    let mut bodies = world.bodies();
    bodies.retain(|body| body != "other");
    assert_eq!(bodies, lines);
}

#[test]
fn a_damaged_compressed_file_gives_what_is_before_the_damage() {
    let mut world = World::new(r#"{"include": ["DIR/*"], "compression": "gzip"}"#);
    let lines: Vec<String> = (0..60_000).map(|n| format!("line {n} {}", n * 7919)).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all((lines.join("\n") + "\n").as_bytes()).expect("written");
    let whole = encoder.finish().expect("written");
    let mut damaged = whole.clone();
    let at = damaged.len() * 3 / 4;
    damaged[at..at + 100].fill(0xff);
    fs::write(world.path("a.gz"), &damaged).expect("written");
    fs::write(world.path("cut.gz"), &whole[..whole.len() / 2]).expect("written");
    world.append("b.log", "other\n");
    for _ in 0..3 {
        world.poll();
        world.wait(5000);
    }
    let bodies = world.bodies();
    assert!(bodies.contains(&"other".into()));
    assert!(bodies.len() > 60_000, "{}", bodies.len());
    // None twice of each.
    let count = |line: &String| bodies.iter().filter(|body| *body == line).count();
    assert!([0, 100, 20_000].into_iter().all(|n| count(&lines[n]) == 2), "once of each file");
}

#[test]
fn json_of_any_depth_that_lines_may_have() {
    let forms = [("[", "]"), (r#"{"a":"#, "}")];
    for (depth, (open, close)) in
        [5, 31, 32, 33, 34, 100, 199, 200, 201].into_iter().flat_map(|depth| forms.map(|form| (depth, form)))
    {
        let mut world = World::new(r#"{"operators": [{"type": "json_parser"}]}"#);
        // A list within the innermost.
        let text = format!(r#"{{"a":{}[1]{}}}"#, open.repeat(depth - 2), close.repeat(depth - 2));
        world.append("a.log", format!("{text}\n"));
        world.shows(&[&text]);
        let attributes = world.attributes(0);
        assert_eq!(attributes.iter().any(|pair| pair.starts_with("a=")), depth <= 200, "{depth}");
        let records = world.records().into_iter().map(|(record, _)| record).collect();
        let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        let payload = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        let rules = AdmissionRules {
            limits: LIMITS,
            accept_past: None,
            accept_future: None,
            processing: Processing::NONE,
            line_ids: IdNames::USUAL,
        };
        let admitted = admit_own_lines(TenantId::default(), payload.into(), 1, &rules).expect("a request");
        assert_eq!(admitted.batch.rejected, [], "{depth}");
    }
}

#[test]
fn ten_gibibytes_without_a_text() {
    let mut world = World::new("{}");
    world.append("a.log", "one\n");
    fs::File::options().write(true).open(world.path("a.log")).and_then(|file| file.set_len(10 << 30)).expect("made");
    world.append("a.log", "\ntwo\n");
    world.shows(&["one", "two"]);
    world.kill();
    world.append("a.log", "three\n");
    world.shows(&["one", "two", "three"]);
}
