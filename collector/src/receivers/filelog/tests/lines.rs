//! What becomes of single lines: where reading begins, ends that are missing, zeros, long ones, odd files.

use std::fs;

use super::world::World;

#[test]
fn where_reading_begins() {
    let mut world = World::new(r#"{"start_at": "end"}"#);
    world.append("a.log", "old\n");
    world.poll();
    // A file that comes later is new.
    world.append("b.log", "new b\n");
    world.append("a.log", "new a\n");
    world.poll();
    let mut bodies = world.bodies();
    bodies.sort();
    assert_eq!(bodies, ["new a", "new b"]);
    // What came while nobody read is read.
    world.kill();
    world.append("a.log", "newer a\n");
    world.append("c.log", "new c\n");
    world.poll();
    assert_eq!(world.bodies().len(), 4);
}

#[test]
fn where_files_ended_is_known_before_anything_is_written() {
    let mut world = World::new(r#"{"start_at": "end"}"#);
    world.append("a.log", "old\n");
    world.poll();
    world.kill();
    world.append("a.log", "new\n");
    world.shows(&["new"]);
}

#[test]
fn files_that_patterns_fit_no_more_are_left() {
    let mut world = World::new("{}");
    world.append("a.log", "one\n");
    world.append("b.txt", "two\n");
    world.shows(&["one"]);
    world.kill();
    let other = World::new(&format!(r#"{{"include": ["{}/*.txt"]}}"#, world.path("").display()));
    world.config = other.config;
    world.append("a.log", "not any more\n");
    world.shows(&["one", "two"]);
}

#[test]
fn folders_in_which_nothing_happens_are_looked_at_less_often() {
    let mut world = World::new("{}");
    world.append("a.log", "one\n");
    world.shows(&["one"]);
    world.wait(20_000);
    world.shows(&["one"]);
    world.append("a.log", "two\n");
    world.append("b.log", "three\n");
    // What is open is looked at each time.
    world.shows(&["one", "two"]);
    world.wait(1000);
    world.shows(&["one", "two", "three"]);
    world.append("c.log", "four\n");
    world.shows(&["one", "two", "three", "four"]);
}

#[test]
fn a_line_without_its_end_waits() {
    let mut world = World::new("{}");
    world.append("a.log", "one\ntw");
    world.shows(&["one"]);
    world.wait(400);
    world.append("a.log", "o");
    world.shows(&["one"]);
    world.wait(400);
    world.shows(&["one"]);
    world.wait(200);
    world.shows(&["one", "two"]);
    world.append("a.log", "\nthree\n");
    world.shows(&["one", "two", "three"]);
    let mut never = World::new(r#"{"force_flush_period": "0s"}"#);
    never.append("a.log", "x");
    never.poll();
    never.wait(3_600_000);
    never.shows::<&str>(&[]);
    never.append("a.log", "y\n");
    never.shows(&["xy"]);
}

#[test]
fn zeros_are_no_text() {
    let mut world = World::new("{}");
    // Space that was taken in advance, and is written to later.
    world.append("a.log", [&b"one\n"[..], &[0; 5000]].concat());
    world.shows(&["one"]);
    world.wait(10_000);
    world.shows(&["one"]);
    let file = fs::OpenOptions::new().write(true).open(world.path("a.log")).expect("opened");
    std::os::unix::fs::FileExt::write_all_at(&file, b"two\n", 4).expect("written");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(2_000_000_000)).expect("set");
    world.shows(&["one", "two"]);
    // A hole that a crash left, with lines behind it.
    world.append("a.log", "three\n");
    world.shows(&["one", "two", "three"]);
    let mut holes = World::new("{}");
    holes.append("b.log", [&vec![0; 3 << 20][..], b"after\n"].concat());
    holes.shows(&["after"]);
    holes.kill();
    holes.append("b.log", "more\n");
    holes.shows(&["after", "more"]);
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_flagged() {
    let mut world = World::new("{}");
    world.append("a.log", b"good\nb\xffd\n");
    world.shows(&["good", "b\u{fffd}d"]);
    assert_eq!(world.attributes(0), ["log.file.name=a.log"]);
    assert_eq!(world.attributes(1), ["log.file.name=a.log", "weir.log.invalid_utf8=true"]);
}

#[test]
fn a_line_without_any_end_becomes_several() {
    let mut world = World::new(r#"{"max_log_size": "64KiB"}"#);
    let line = "x".repeat(10 << 20);
    world.append("a.log", &line);
    world.append("a.log", "\nnext\n");
    world.poll();
    let bodies = world.bodies();
    assert_eq!((bodies.len(), bodies.last().map(String::as_str)), (161, Some("next")));
    assert_eq!(bodies[..160].concat(), line);
}

#[test]
fn what_is_no_file_is_left_alone() {
    let mut world = World::new("{}");
    fs::create_dir(world.path("folder.log")).expect("made");
    let pipe = world.path("pipe.log");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()));
    world.append("a.log", "x\n");
    world.append("empty.log", "");
    world.shows(&["x"]);
}

#[test]
fn of_several_names_it_is_the_files_own() {
    let mut world = World::new("{}");
    std::os::unix::fs::symlink("z.log", world.path("a.log")).expect("linked");
    world.append("z.log", "x\n");
    world.shows(&["x"]);
    assert_eq!(world.attributes(0), ["log.file.name=z.log"]);
    world.kill();
    world.append("z.log", "y\n");
    world.shows(&["x", "y"]);
    assert_eq!(world.attributes(1), ["log.file.name=z.log"]);
}

#[test]
fn what_is_known_of_a_file() {
    let mut world = World::new(
        r#"{"include_file_path": true, "include_file_record_number": true, "include_file_record_offset": true,
            "include_file_permissions": true, "include_file_owner_name": true, "attributes": {"env": "prod"},
            "include_file_name_resolved": true, "resource": {"service.name": "cart"}}"#,
    );
    world.append("a.log", "x\n\ny\n");
    world.poll();
    let path = world.path("a.log").display().to_string();
    let attributes = world.attributes(1);
    for expected in [
        "log.file.name=a.log",
        &format!("log.file.path={path}"),
        "log.file.name_resolved=a.log",
        // Empty lines count, and are none.
        "log.file.record_number=3",
        "log.file.record_offset=3",
        "env=prod",
    ] {
        assert!(attributes.iter().any(|pair| pair == expected), "{expected}: {attributes:?}");
    }
    assert!(attributes.iter().any(|pair| pair.starts_with("log.file.permissions=06")), "{attributes:?}");
    assert_eq!(super::world::shown(&world.records()[0].1), ["service.name=cart"]);
}

#[test]
fn excluded_and_old_files() {
    let mut world = World::new(r#"{"exclude": ["DIR/b*"], "exclude_older_than": "1h"}"#);
    world.append("a.log", "a\n");
    world.append("b.log", "b\n");
    world.append("c.log", "c\n");
    let old = fs::File::options().append(true).open(world.path("c.log")).expect("opened");
    old.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).expect("set");
    world.shows(&["a"]);
    world.append("c.log", "c2\n");
    world.shows(&["a", "c", "c2"]);
}

#[test]
fn times_that_are_not_taken_are_kept_beside_the_line() {
    let mut world = World::new(
        r#"{"operators": [{"type": "time_parser", "parse_from": "body", "layout_type": "epoch", "layout": "s"}]}"#,
    );
    world.append("a.log", "1000000000\n");
    world.poll();
    let (record, _) = &world.records()[0];
    assert_eq!(record.time_unix_nano, 0);
    assert!(record.observed_time_unix_nano > 0);
    assert_eq!(
        world.attributes(0)[1..],
        ["weir.log.time=1000000000000000000", "weir.log.time_outside=past"].map(String::from)
    );
}

#[test]
fn every_encoding_has_its_lines() {
    let mut world = World::new(r#"{"encoding": "utf-16le"}"#);
    let utf16: Vec<u8> = "größe\nĊx\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    world.append("a.log", utf16);
    world.shows(&["größe", "Ċx"]);
    let mut marked = World::new("{}");
    marked.append("a.log", "\u{feff}one\n\u{feff}two\n");
    marked.shows(&["one", "\u{feff}two"]);
    let mut raw = World::new(r#"{"encoding": "nop"}"#);
    raw.append("a.log", b"\xff\x00\n");
    raw.shows(&["[255, 0]"]);
}
