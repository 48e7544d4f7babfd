//! Lines that belong together: across files, apart by stream, through kills.

use super::world::{World, shown};

const CRI: &str =
    r#"{"include": ["DIR/*.log"], "operators": [{"type": "container", "add_metadata_from_filepath": false}]}"#;

fn cri(second: u32, stream: &str, tag: &str, text: &str) -> String {
    format!("2026-01-01T00:00:{second:02}.5Z {stream} {tag} {text}\n")
}

#[test]
fn parts_are_joined_apart_by_stream() {
    let mut world = World::new(CRI);
    world.append("0.log", cri(1, "stdout", "P", "a "));
    world.append("0.log", cri(2, "stderr", "P", "x "));
    world.append("0.log", cri(3, "stdout", "F", "b"));
    world.append("0.log", cri(4, "stderr", "F", "y"));
    world.append("0.log", cri(5, "stdout", "F", ""));
    world.shows(&["a b", "x y", ""]);
    assert_eq!(
        world.attributes(0),
        ["log.file.name=0.log", "log.iostream=stdout", "logtag=P"]
            .into_iter()
            .map(String::from)
            .chain(world.attributes(0).into_iter().skip(3))
            .collect::<Vec<_>>()
    );
}

#[test]
fn parts_survive_kills_and_rotation() {
    for kills in [false, true] {
        let mut world = World::new(CRI);
        let pause = |world: &mut World| {
            if kills {
                world.kill();
            }
        };
        world.append("0.log", cri(1, "stdout", "F", "before"));
        world.append("0.log", cri(2, "stdout", "P", "one "));
        world.append("0.log", cri(3, "stderr", "F", "between"));
        world.shows(&["before", "between"]);
        pause(&mut world);
        world.append("0.log", cri(4, "stdout", "P", "two "));
        world.append("0.log", cri(5, "stderr", "F", "again"));
        world.shows(&["before", "between", "again"]);
        pause(&mut world);
        world.rename("0.log", "0.log.20260101");
        world.append("0.log", cri(6, "stdout", "F", "three"));
        world.append("0.log", cri(7, "stdout", "F", "last"));
        world.shows(&["before", "between", "again", "one two three", "last"]);
        pause(&mut world);
        world.append("0.log", cri(8, "stdout", "F", "end"));
        world.shows(&["before", "between", "again", "one two three", "last", "end"]);
    }
}

#[test]
fn lines_of_docker_are_joined_until_their_end() {
    let mut world = World::new(CRI);
    let docker =
        |text: &str| format!("{{\"log\":{text:?},\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:01.5Z\"}}\n");
    world.append("c.log", docker("whole\n") + &docker("part ") + &docker("and part\n"));
    world.shows(&["whole", "part and part"]);
    // One that never ends is let go.
    world.append("c.log", docker("open"));
    world.shows(&["whole", "part and part"]);
    world.wait(6000);
    world.shows(&["whole", "part and part", "open"]);
    world.kill();
    world.shows(&["whole", "part and part", "open"]);
}

#[test]
fn lines_of_docker_that_never_have_an_end_are_lines_all_the_same() {
    let mut world = World::new(CRI);
    for second in 1..4 {
        let time = format!("2026-01-01T00:00:0{second}.5Z");
        world.append("c.log", format!("{{\"log\":\"line {second}\",\"stream\":\"stdout\",\"time\":\"{time}\"}}\n"));
    }
    world.shows(&["line 1", "line 2"]);
    world.wait(6000);
    world.shows(&["line 1", "line 2", "line 3"]);
}

#[test]
fn the_pod_is_found_in_the_path() {
    let mut world = World::new(
        r#"{"include": ["DIR/pods/*/*/*.log"], "operators": [{"type": "container"}, {"type": "json_parser"}]}"#,
    );
    std::fs::create_dir_all(world.path("pods/shop_cart-7d_1a2b-3c/app")).expect("made");
    world.append("pods/shop_cart-7d_1a2b-3c/app/2.log", cri(1, "stdout", "F", r#"{"level":"warn","n":1}"#));
    world.poll();
    let resource = shown(&world.records()[0].1);
    let expected = [
        "k8s.namespace.name=shop",
        "k8s.pod.name=cart-7d",
        "k8s.pod.uid=1a2b-3c",
        "k8s.container.name=app",
        "k8s.container.restart_count=2",
    ];
    assert_eq!(resource, expected);
    assert!(world.attributes(0).contains(&"level=warn".to_owned()), "{:?}", world.attributes(0));
}

#[test]
fn stack_traces_are_recombined() {
    let keys = r#"{"preserve_leading_whitespaces": true,
        "operators": [{"type": "recombine", "combine_field": "body", "is_first_entry": "body matches '^[^\\\\s]'"}]}"#;
    for kills in [false, true] {
        let mut world = World::new(keys);
        for line in ["one\n", "error\n", "  at a\n", "  at b\n", "two\n"] {
            world.append("a.log", line);
            world.poll();
            if kills {
                world.kill();
            }
        }
        world.shows(&["one", "error\n  at a\n  at b"]);
        world.wait(6000);
        world.shows(&["one", "error\n  at a\n  at b", "two"]);
    }
}
