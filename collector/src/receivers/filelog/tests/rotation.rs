//! What rotation does to files, live and while nobody reads.

use std::fs;

use super::world::World;

/// `n` lines from `from` on, each with its end.
fn lines(from: u32, n: u32) -> String {
    (from..from + n).map(|n| format!("line {n}\n")).collect()
}

fn expected(n: u32) -> Vec<String> {
    (0..n).map(|n| format!("line {n}")).collect()
}

/// Runs a story twice: with the reader there all the time, and killed before each step.
fn live_and_down(keys: &str, story: impl Fn(&mut World, &dyn Fn(&mut World))) {
    let mut world = World::new(keys);
    story(&mut world, &|_| ());
    let mut world = World::new(keys);
    story(&mut world, &World::kill);
}

#[test]
fn renamed_and_made_anew() {
    for keys in ["{}", r#"{"include": ["DIR/*.log*"]}"#] {
        live_and_down(keys, |world, pause| {
            world.append("a.log", lines(0, 10));
            world.shows(&expected(10));
            pause(world);
            world.append("a.log", lines(10, 5));
            world.rename("a.log", "a.log.1");
            world.append("a.log", lines(15, 5));
            world.shows(&expected(20));
            pause(world);
            // Its writer has not noticed yet.
            world.append("a.log.1", lines(20, 1));
            world.shows(&expected(21));
        });
    }
}

#[test]
fn rotated_several_times_in_a_row() {
    for keys in ["{}", r#"{"include": ["DIR/*.log*"]}"#] {
        live_and_down(keys, |world, pause| {
            world.append("a.log", lines(0, 10));
            world.shows(&expected(10));
            pause(world);
            world.append("a.log", lines(10, 5));
            world.rename("a.log", "a.log.1");
            world.append("a.log", lines(15, 5));
            world.rename("a.log.1", "a.log.2");
            world.rename("a.log", "a.log.1");
            world.append("a.log", lines(20, 5));
            world.shows(&expected(25));
            pause(world);
            world.append("a.log", lines(25, 5));
            world.shows(&expected(30));
        });
    }
}

#[test]
fn older_files_of_rotation_are_left_alone() {
    let mut world = World::new("{}");
    world.append("a.log.1", "old\n");
    let old = fs::File::options().append(true).open(world.path("a.log.1")).expect("opened");
    old.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).expect("set");
    world.append("a.log", lines(0, 2));
    world.shows(&expected(2));
    world.rename("a.log.1", "a.log.2");
    world.rename("a.log", "a.log.1");
    world.append("a.log", lines(2, 2));
    world.shows(&expected(4));
}

#[test]
fn copied_and_cut() {
    for keys in ["{}", r#"{"include": ["DIR/*.log*"]}"#] {
        live_and_down(keys, |world, pause| {
            world.append("a.log", lines(0, 10));
            world.shows(&expected(10));
            pause(world);
            // What nobody had read yet is in the copy alone.
            world.append("a.log", lines(10, 5));
            world.copy("a.log", "a.log.1");
            world.truncate("a.log");
            world.append("a.log", lines(15, 2));
            world.shows(&expected(17));
            pause(world);
            world.append("a.log", lines(17, 3));
            world.shows(&expected(20));
        });
    }
}

#[test]
fn cut_and_killed_before_the_journal_heard_of_it() {
    for keys in ["{}", r#"{"include": ["DIR/*.log*"]}"#] {
        let mut world = World::new(keys);
        world.append("a.log", lines(0, 10));
        world.shows(&expected(10));
        let before = world.journal.0.lock().cursors.clone();
        world.copy("a.log", "a.log.1");
        world.truncate("a.log");
        world.append("a.log", lines(10, 2));
        world.shows(&expected(12));
        world.kill();
        // What is in the file now is durable; that it is not the file before is not.
        world.journal.0.lock().cursors.extend(before);
        world.shows(&expected(12));
        world.append("a.log", lines(12, 1));
        world.shows(&expected(13));
    }
}

#[test]
fn cut_and_grown_past_where_it_was_read_to() {
    for keys in ["{}", r#"{"include": ["DIR/*.log*"]}"#] {
        live_and_down(keys, |world, pause| {
            world.append("a.log", lines(0, 10));
            world.shows(&expected(10));
            pause(world);
            world.copy("a.log", "a.log.1");
            world.truncate("a.log");
            world.append("a.log", lines(10, 40));
            world.shows(&expected(50));
        });
    }
}

#[test]
fn cut_with_the_same_beginning_and_grown() {
    live_and_down("{}", |world, pause| {
        let banner = format!("{}\n", "=".repeat(2000));
        world.append("a.log", format!("{banner}{}", lines(0, 10)));
        world.poll();
        assert_eq!(world.bodies().len(), 11);
        pause(world);
        world.truncate("a.log");
        world.append("a.log", format!("{banner}{}", lines(10, 20)));
        world.poll();
        assert_eq!(world.bodies()[11..].len(), 21, "the banner, and twenty lines");
        assert_eq!(world.bodies().last().map(String::as_str), Some("line 29"));
    });
}

#[test]
fn a_copy_that_is_being_made_waits() {
    let mut world = World::new(r#"{"include": ["DIR/*.log*"]}"#);
    world.append("a.log", lines(0, 100));
    world.shows(&expected(100));
    // Half of it, then all of it, then the cut.
    let content = fs::read(world.path("a.log")).expect("read");
    world.append("a.log.1", &content[..content.len() / 2]);
    world.shows(&expected(100));
    world.append("a.log", lines(100, 1));
    world.append("a.log.1", &content[content.len() / 2..]);
    world.append("a.log.1", lines(100, 1));
    world.shows(&expected(101));
    world.truncate("a.log");
    world.append("a.log", lines(101, 1));
    world.shows(&expected(102));
}

#[test]
fn compressed_before_anybody_saw_anything_in_it() {
    for keys in ["{}", r#"{"include": ["DIR/*.log*"]}"#] {
        let mut world = World::new(keys);
        world.append("a.log", lines(0, 10));
        world.shows(&expected(10));
        world.rename("a.log", "a.log.1");
        world.append("a.log", "");
        world.gzip("a.log.1", "a.log.2.gz");
        world.poll();
        // Known while it was empty, then all between two polls: an open descriptor is what is left of it.
        world.append("a.log", lines(10, 5));
        world.rename("a.log", "a.log.1");
        world.gzip("a.log.1", "a.log.1.gz");
        world.append("a.log", lines(15, 5));
        world.shows(&expected(20));
        world.kill();
        world.append("a.log", lines(20, 1));
        world.shows(&expected(21));
    }
}

#[test]
fn a_copy_and_what_gzip_makes_of_it_at_once() {
    for keys in ["{}", r#"{"include": ["DIR/*.log*"]}"#] {
        let mut world = World::new(keys);
        world.append("a.log", lines(0, 10));
        world.shows(&expected(10));
        world.copy("a.log", "a.log.1");
        world.truncate("a.log");
        world.append("a.log", lines(10, 3));
        world.copy("a.log.1", "a.log.x");
        world.gzip("a.log.1", "a.log.1.gz");
        world.rename("a.log.x", "a.log.1");
        world.shows(&expected(13));
        world.remove("a.log.1");
        world.shows(&expected(13));
        world.kill();
        world.append("a.log", lines(13, 1));
        world.shows(&expected(14));
    }
}

#[test]
fn renamed_and_compressed() {
    for keys in [
        "{}",
        r#"{"include": ["DIR/*.log*"], "compression": "gzip"}"#,
        r#"{"include": ["DIR/*.log*"], "compression": "auto"}"#,
        r#"{"include": ["DIR/*.log*"]}"#,
    ] {
        live_and_down(keys, |world, pause| {
            world.append("a.log", lines(0, 10));
            world.shows(&expected(10));
            pause(world);
            world.append("a.log", lines(10, 5));
            world.rename("a.log", "a.log.1");
            world.append("a.log", lines(15, 5));
            world.gzip("a.log.1", "a.log.1.gz");
            world.shows(&expected(20));
            pause(world);
            world.append("a.log", lines(20, 1));
            world.shows(&expected(21));
            // Compressed a day later.
            world.rename("a.log", "a.log.1");
            world.shows(&expected(21));
            pause(world);
            world.gzip("a.log.1", "a.log.2.gz");
            world.append("a.log", lines(21, 1));
            world.shows(&expected(22));
        });
    }
}

#[test]
fn what_is_seen_before_anything_is_in_it() {
    // gzip, and cp, make a file first and write to it then.
    for keys in ["{}", r#"{"include": ["DIR/*.log*"], "compression": "auto"}"#, r#"{"include": ["DIR/*.log*"]}"#] {
        for header in [0, 10] {
            live_and_down(keys, |world, pause| {
                world.append("a.log", lines(0, 10));
                world.shows(&expected(10));
                world.rename("a.log", "a.log.1");
                world.append("a.log", lines(10, 2));
                world.copy("a.log.1", "w");
                world.gzip("w", "x");
                let whole = fs::read(world.path("x")).expect("read");
                world.append("a.log.1.gz", &whole[..header]);
                world.shows(&expected(12));
                pause(world);
                world.append("a.log.1.gz", &whole[header..]);
                world.remove("a.log.1");
                world.shows(&expected(12));
                world.rename("a.log.1.gz", "a.log.2.gz");
                world.append("a.log", lines(12, 1));
                world.shows(&expected(13));
            });
        }
        live_and_down(keys, |world, pause| {
            world.append("a.log", lines(0, 10));
            world.shows(&expected(10));
            world.append("a.log.1", "");
            world.shows(&expected(10));
            pause(world);
            world.copy("a.log", "a.log.1");
            world.shows(&expected(10));
            world.truncate("a.log");
            world.append("a.log", lines(10, 1));
            world.shows(&expected(11));
        });
    }
    // One that nobody wrote to goes elsewhere, and is written to there.
    live_and_down("{}", |world, pause| {
        world.append("a.log", "");
        world.shows(&expected(0));
        pause(world);
        world.rename("a.log", "b.log");
        world.append("b.log", lines(0, 5));
        world.shows(&expected(5));
    });
    let mut world = World::new("{}");
    world.append("a.log", "");
    world.shows(&expected(0));
    world.append("a.log", lines(0, 5));
    world.rename("a.log", "a.log.1");
    world.append("a.log", lines(5, 5));
    world.shows(&expected(10));
    // Cut, and written the same again: a job that says as much each night.
    let mut world = World::new("{}");
    for nights in 1..4 {
        world.append("job.log", lines(0, 5));
        let expected: Vec<String> = (0..nights).flat_map(|_| expected(5)).collect();
        world.shows(&expected);
        world.truncate("job.log");
        world.shows(&expected);
    }
    // Gone while nothing was in it: its descriptor is what is left of it.
    let mut world = World::new(r#"{"max_concurrent_files": 1}"#);
    world.append("a.log", "");
    world.poll();
    let held = fs::File::options().append(true).open(world.path("a.log")).expect("opened");
    world.remove("a.log");
    world.poll();
    std::io::Write::write_all(&mut &held, lines(0, 3).as_bytes()).expect("written");
    world.shows(&expected(3));
    // What begins with space that nobody wrote to is not empty.
    let mut world = World::new(r#"{"include": ["DIR/*.gz"], "compression": "gzip"}"#);
    world.append("x", [vec![0; 4096], lines(0, 2).into_bytes()].concat());
    world.gzip("x", "x.gz");
    world.shows(&expected(2));
    // Asked for, it is read however it began.
    let mut world = World::new(r#"{"include": ["DIR/*.gz"], "compression": "gzip"}"#);
    world.append("a.gz", "");
    world.poll();
    world.append("x", lines(0, 5));
    world.gzip("x", "y");
    world.append("a.gz", fs::read(world.path("y")).expect("read"));
    world.shows(&expected(5));
}

#[test]
fn files_that_gzip_made_are_read_when_they_are_asked_for() {
    for (keys, shown) in
        [(r#"{"include": ["DIR/*.gz"], "compression": "gzip"}"#, 3), (r#"{"include": ["DIR/*.gz"]}"#, 0)]
    {
        let mut world = World::new(keys);
        world.append("x", lines(0, 3));
        world.gzip("x", "x.gz");
        world.shows(&expected(shown));
        world.kill();
        world.shows(&expected(shown));
    }
    // Cut off: what can be read is.
    let mut world = World::new(r#"{"include": ["DIR/*.gz"], "compression": "gzip"}"#);
    world.append("x", lines(0, 50_000));
    world.gzip("x", "y");
    let whole = fs::read(world.path("y")).expect("read");
    world.append("z.gz", &whole[..whole.len() / 2]);
    world.poll();
    let some = world.bodies().len();
    assert!(some > 1000 && some < 50_000, "{some}");
    world.append("z.gz", &whole[whole.len() / 2..]);
    world.shows(&expected(50_000));
}

#[test]
fn files_that_cannot_be_decompressed_are_tried_again_now_and_then() {
    let mut world = World::new(r#"{"include": ["DIR/*.gz"], "compression": "gzip"}"#);
    world.append("x", lines(0, 50_000));
    world.gzip("x", "y");
    let mut broken = fs::read(world.path("y")).expect("read");
    let middle = broken.len() / 2;
    broken[middle..middle + 100].fill(0xff);
    world.append("z.gz", &broken);
    world.poll();
    let some = world.bodies().len();
    world.wait(10_000);
    world.poll();
    assert!(some < 50_000 && world.bodies().len() - some <= 1, "{some} and {}", world.bodies().len());
    // Put right, it is read on.
    fs::copy(world.path("y"), world.path("z.gz")).expect("copied");
    world.wait(10_000);
    world.poll();
    world.wait(10_000);
    world.poll();
    assert!(world.bodies().len() >= 50_000);
}

#[test]
fn deleted() {
    let mut world = World::new("{}");
    world.append("a.log", lines(0, 10));
    world.shows(&expected(10));
    // Its reader has it open.
    world.append("a.log", lines(10, 5));
    world.remove("a.log");
    world.shows(&expected(15));
    world.append("a.log", lines(15, 5));
    world.shows(&expected(20));
    world.kill();
    world.remove("a.log");
    world.shows(&expected(20));
}

#[test]
fn another_file_with_the_inode_of_one_that_is_gone() {
    live_and_down("{}", |world, pause| {
        world.append("a.log", lines(0, 10));
        world.shows(&expected(10));
        pause(world);
        // The same inode by force.
        world.truncate("a.log");
        world.rename("a.log", "b.log");
        world.append("b.log", lines(10, 30));
        world.shows(&expected(40));
    });
}

#[test]
fn another_file_with_the_same_first_kilobyte() {
    live_and_down("{}", |world, pause| {
        let banner = "=".repeat(3000);
        world.append("a.log", format!("{banner}\n{}", lines(0, 10)));
        world.poll();
        pause(world);
        world.append("b.log", format!("{banner}\n{}", lines(10, 10)));
        world.poll();
        pause(world);
        // Its name is like that of a copy.
        world.append("a-2.log", format!("{banner}\n{}", lines(20, 10)));
        world.poll();
        let mut expected = Vec::new();
        for part in 0..3 {
            expected.push(banner.clone());
            expected.extend((part * 10..part * 10 + 10).map(|n| format!("line {n}")));
        }
        assert_eq!(world.bodies(), expected);
    });
}

#[test]
fn beginnings_that_grow() {
    live_and_down("{}", |world, pause| {
        for n in 0..100 {
            world.append("a.log", format!("line {n}\n"));
            world.shows(&expected(n + 1));
            pause(world);
        }
        world.rename("a.log", "b.log");
        world.shows(&expected(100));
    });
}

#[test]
fn moved_out_of_the_pattern() {
    live_and_down("{}", |world, pause| {
        world.append("a.log", lines(0, 10));
        world.shows(&expected(10));
        pause(world);
        world.append("a.log", lines(10, 5));
        world.rename("a.log", "moved");
        world.shows(&expected(15));
        pause(world);
        world.rename("moved", "c.log");
        world.append("c.log", lines(15, 1));
        world.shows(&expected(16));
    });
}

#[test]
fn links_are_followed_within_the_folders() {
    let mut world = World::new(r#"{"include": ["DIR/links/*.log"], "symlink_roots": ["DIR/files"]}"#);
    for folder in ["links", "files", "elsewhere"] {
        fs::create_dir(world.path(folder)).expect("made");
    }
    world.append("files/a", lines(0, 2));
    world.append("elsewhere/b", "secret\n");
    let link = |from: &str, to: &str| std::os::unix::fs::symlink(world.path(to), world.path(from)).expect("linked");
    link("links/a.log", "files/a");
    link("links/a2.log", "files/a");
    link("links/b.log", "elsewhere/b");
    link("links/c.log", "nowhere");
    world.shows(&expected(2));
    // The link leads elsewhere from now on; the file that it led to is read to its end.
    world.append("files/a", lines(2, 1));
    world.append("files/d", lines(3, 1));
    for name in ["links/a.log", "links/a2.log"] {
        world.remove(name);
    }
    std::os::unix::fs::symlink(world.path("files/d"), world.path("links/a.log")).expect("linked");
    world.shows(&expected(4));
}

#[test]
fn what_a_link_leads_to_is_rotated_where_it_is() {
    live_and_down(r#"{"include": ["DIR/links/*.log"], "symlink_roots": ["DIR/files"]}"#, |world, pause| {
        for folder in ["links", "files"] {
            fs::create_dir(world.path(folder)).expect("made");
        }
        world.append("files/x-json.log", lines(0, 5));
        std::os::unix::fs::symlink(world.path("files/x-json.log"), world.path("links/0.log")).expect("linked");
        world.shows(&expected(5));
        pause(world);
        world.append("files/x-json.log", lines(5, 5));
        world.rename("files/x-json.log", "files/x-json.log.1");
        world.append("files/x-json.log", lines(10, 5));
        world.rename("files/x-json.log.1", "files/x-json.log.2");
        world.rename("files/x-json.log", "files/x-json.log.1");
        world.append("files/x-json.log", lines(15, 5));
        world.shows(&expected(20));
    });
}

#[test]
fn more_files_than_may_be_open() {
    for keys in [r#"{"max_concurrent_files": 3}"#, r#"{"max_concurrent_files": 3, "max_batches": 1}"#] {
        live_and_down(keys, |world, pause| {
            for round in 0..3 {
                for file in 0..20 {
                    world.append(&format!("{file:02}.log"), format!("{file} {round}\n"));
                }
                world.poll();
                pause(world);
            }
            let mut bodies = world.bodies();
            bodies.sort();
            let mut expected: Vec<String> =
                (0..20).flat_map(|file| (0..3).map(move |round| format!("{file} {round}"))).collect();
            expected.sort();
            assert_eq!(bodies, expected);
        });
    }
}

#[test]
fn the_last_line_of_what_gzip_made_waits_as_any_other() {
    for (multiline, text, shown) in [
        ("{}", "a\nb", &["a", "b"][..]),
        ("{}", "only", &["only"]),
        (r#"{"line_start_pattern": "^START"}"#, "START g\n h\nSTART i\n j\n", &["START g\n h", "START i\n j"]),
    ] {
        let multiline = if multiline == "{}" { String::new() } else { format!(r#", "multiline": {multiline}"#) };
        let keys = format!(r#"{{"include": ["DIR/*.log*"], "compression": "gzip"{multiline}}}"#);
        let mut world = World::new(&keys);
        world.append("x", text);
        world.gzip("x", "x.log.gz");
        world.shows(&shown[..shown.len() - 1]);
        world.wait(600);
        world.shows(shown);
        world.wait(60_000);
        world.shows(shown);
        // Rotated and compressed while nobody looked.
        let mut world = World::new(&keys);
        world.append("x.log", text);
        world.poll();
        world.kill();
        world.gzip("x.log", "x.log.1.gz");
        world.shows(&shown[..shown.len() - 1]);
        world.wait(600);
        world.shows(shown);
    }
}
