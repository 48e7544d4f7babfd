//! Drawn traces with each span's own time and its time on the path; the rules that hold for any trace, on random ones.

use super::*;
use crate::drawn::rows;

/// Checks `name start..end … | self path`: own time and time on the critical path, `-` where the path does not lead.
#[track_caller]
fn check(drawn: &str) {
    let (mut spans, mut expected) = (String::new(), Vec::new());
    for line in drawn.lines().filter(|line| !line.trim().is_empty()) {
        let (span, times) = line.split_once('|').expect("times after a bar");
        spans += &format!("{span}\n");
        expected.push(format!("{} {}", span.split_whitespace().next().expect("a name"), times.trim()));
    }
    let rows = rows(&spans);
    let nodes: Vec<_> = rows.iter().map(Node::of).collect();
    let times = of_trace(&nodes, &Tree::of(&nodes));
    let mut actual = Vec::new();
    for (row, time) in rows.iter().zip(times) {
        let path = if time.on_critical_path { time.critical_path_ns.to_string() } else { "-".into() };
        actual.push(format!("{} {} {path}", row.span.name, time.self_ns));
    }
    assert_eq!(actual, expected, "{drawn}");
}

#[test]
fn one_after_the_other() {
    check(
        "root 0..100 | 60 60
           db 10..40 | 25 25
             net 20..25 | 5 5
           cache 80..90 | 10 10",
    );
}

#[test]
fn beside_each_other_the_last_to_end_counts() {
    check(
        "root 0..100 | 10 10
           slow 10..100 | 90 90
           fast 10..60 | 50 -",
    );
    // The first was not over when the second began: what the root did until then was not to wait for the first.
    check(
        "root 0..100 | 10 60
           first 10..70 | 60 -
           last 60..100 | 40 40",
    );
}

#[test]
fn back_to_back_is_one_after_the_other() {
    check(
        "root 0..100 | 20 20
           a 10..50 | 40 40
           b 50..90 | 40 40",
    );
}

#[test]
fn a_child_is_clipped_to_its_parent() {
    check(
        "root 10..100 | 30 30
           early 0..20 | 20 10
           middle 30..50 | 20 20
           late 70..130 | 40 10
             inner 60..90 | 30 20
           before 0..5 | 5 -",
    );
}

#[test]
fn of_two_that_outlive_the_parent_the_closer_one_counts() {
    check(
        "root 0..100 | 10 20
           runaway 10..500 | 490 -
           waited 20..101 | 81 80",
    );
}

#[test]
fn a_message_is_not_waited_for() {
    check(
        "root 0..50 server | 48 48
           send 10..12 producer | 2 2
             later 30..90 consumer | 30 20
               db 40..70 client | 30 20",
    );
}

#[test]
fn a_consumer_that_outlives_its_producer_is_not_waited_for() {
    check(
        "root 0..50 server | 40 40
           send 10..20 producer | 10 10
             later 15..90 consumer | 75 40",
    );
    // Any other child would have been, in part.
    check(
        "root 0..50 server | 40 40
           call 10..20 client | 5 5
             late 15..90 server | 75 5",
    );
}

#[test]
fn a_message_that_is_answered_is_waited_for() {
    check(
        "root 0..50 server | 10 10
           send 10..50 producer | 10 10
             work 15..45 consumer | 30 30",
    );
}

#[test]
fn after_its_parent_a_child_goes_its_own_way() {
    check(
        "root 0..50 | 50 50
           async 60..90 | 20 20
             db 70..80 | 10 10",
    );
}

#[test]
fn several_roots_share_the_time() {
    check(
        "
         orphan 0..20 parent=7 | 20 -
         second 50..150 | 100 50
         main 10..100 | 90 90
         tail 120..160 parent=8 | 40 10",
    );
}

#[test]
fn without_a_true_root_the_first_span_is_one() {
    check(
        "
         a 0..50 parent=7 | 30 30
           b 10..30 | 20 20
         c 40..60 parent=8 | 20 10",
    );
}

#[test]
fn nothing_takes_no_time() {
    check("a 5..5 | 0 -");
    check(
        "a 0..10 | 10 10
           b 5..5 | 0 -
             c 5..5 | 0 -
           d 10..10 | 0 -",
    );
    // It ends before it starts.
    check("a 10..5 | 0 -");
}

#[test]
fn circles_and_shared_ids() {
    check("a 0..10 id=1 parent=2 | 6 6\n b 2..6 id=2 parent=1 | 4 4");
    check(
        "web 0..100 server id=1 | 20 20
         call 10..90 client id=2 parent=1 | 20 20
         cart 20..80 server id=2 parent=1 | 50 50
         sql 30..40 client id=3 parent=2 | 10 10",
    );
}

#[test]
fn a_row_that_came_twice_counts_once() {
    check(
        "root 0..100 | 60 60
         db 10..50 id=5 parent=1001 | 30 30
         again 10..50 id=5 parent=1001 | 40 -
         net 20..30 parent=5 | 10 10",
    );
}

#[test]
fn a_parent_whose_time_is_all_below_is_on_the_path() {
    check(
        "root 0..10 | 0 0
           only 0..10 | 10 10",
    );
}

#[test]
fn of_one_call() {
    let rows = rows("root 0..100\n  a 10..60\n    b 20..30\n  c 40..90");
    let nodes: Vec<_> = rows.iter().map(Node::of).collect();
    let mut times = vec![SpanTime::default(); nodes.len()];
    of_call(&nodes, &Tree::of(&nodes), 1, &mut times);
    let path: Vec<_> = times.iter().map(|time| time.critical_path_ns).collect();
    assert_eq!(path, [0, 40, 10, 0]);
}

/// Numbers that look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A trace of so many spans, each below an earlier one, with times up to `time_ns`; nothing in it is detached.
fn random(numbers: &mut Numbers, spans: u64, time_ns: u64) -> Vec<Node> {
    let mut nodes = vec![node(1, None, 0, time_ns)];
    for id in 2..=spans {
        let parent = 1 + numbers.below(id - 1);
        let start_ns = numbers.below(time_ns);
        let end_ns = start_ns + numbers.below(time_ns - start_ns + 1);
        // Not after the parent's end: such a child stands as a root.
        let start_ns = start_ns.min(nodes[parent as usize - 1].end_ns.saturating_sub(1));
        nodes.push(node(id, Some(parent), start_ns, end_ns.max(start_ns)));
    }
    nodes
}

fn node(id: u64, parent: Option<u64>, start_ns: u64, end_ns: u64) -> Node {
    let bytes = |id: u64| weir_proto::SpanId(id.to_be_bytes());
    Node { id: Some(bytes(id)), parent_id: parent.map(bytes), start_ns, end_ns, kind: 1 }
}

/// The definition, as it is read: no sorting, no stack.
fn path_by_definition(nodes: &[Node], tree: &Tree, span: u32, window: (u64, u64), path_ns: &mut [u64]) {
    let mut cursor_ns = window.1;
    loop {
        let mut last = None;
        for &child in tree.children(span) {
            let node = &nodes[child as usize];
            let (start_ns, end_ns) = (node.start_ns.max(window.0), node.end_ns.min(window.1));
            if start_ns < end_ns && end_ns <= cursor_ns && !is_detached(node, &nodes[span as usize]) {
                last = last.max(Some((end_ns, Reverse(node.end_ns), Reverse(start_ns), Reverse(child))));
            }
        }
        let Some((end_ns, _, Reverse(start_ns), Reverse(child))) = last else { break };
        path_ns[span as usize] += cursor_ns - end_ns;
        path_by_definition(nodes, tree, child, (start_ns, end_ns), path_ns);
        cursor_ns = start_ns;
    }
    path_ns[span as usize] += cursor_ns - window.0;
}

#[test]
fn random_traces_agree_with_the_definition() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..400 {
        let spans = 1 + numbers.below(40);
        let nodes = random(&mut numbers, spans, 60);
        let tree = Tree::of(&nodes);
        let mut times = vec![SpanTime::default(); nodes.len()];
        of_call(&nodes, &tree, 0, &mut times);
        let mut path_ns = vec![0; nodes.len()];
        path_by_definition(&nodes, &tree, 0, (0, 60), &mut path_ns);
        let walked: Vec<_> = times.iter().map(|time| time.critical_path_ns).collect();
        assert_eq!(walked, path_ns, "round {round}: {nodes:?}");
        assert_eq!(walked.iter().sum::<u64>(), 60, "round {round}: the path is as long as the call");
        for (span, (time, node)) in (0..).zip(of_trace(&nodes, &tree).iter().zip(&nodes)) {
            let alone = |ns: &u64| {
                let mut children = tree.children(span).iter().map(|&child| &nodes[child as usize]);
                !children.any(|child| !is_detached(child, node) && (child.start_ns..child.end_ns).contains(ns))
            };
            let alone_ns = (node.start_ns..node.end_ns).filter(alone).count() as u64;
            assert_eq!(time.self_ns, alone_ns, "round {round}, span {span}: {nodes:?}");
            assert!(time.critical_path_ns <= node.duration_ns(), "round {round}, span {span}");
        }
    }
}

#[test]
fn a_hundred_thousand_spans_deep_or_wide() {
    const SPANS: u64 = 100_000;
    let deep: Vec<_> = (1..=SPANS).map(|id| node(id, (id > 1).then(|| id - 1), id, 3 * SPANS - id)).collect();
    let wide: Vec<_> = (1..=SPANS)
        .map(|id| match id {
            1 => node(1, None, 0, 3 * SPANS),
            _ => node(id, Some(1), 3 * id - 3, 3 * id - 1),
        })
        .collect();
    for nodes in [deep, wide] {
        let times = of_trace(&nodes, &Tree::of(&nodes));
        let path_ns: u64 = times.iter().map(|time| time.critical_path_ns).sum();
        assert_eq!(path_ns, nodes[0].duration_ns());
        assert!(times.iter().all(|time| time.on_critical_path));
    }
}
