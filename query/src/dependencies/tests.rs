//! Drawn traces before, calls after.

use std::time::{Duration, Instant};

use weir_store::SpanRecord;

use super::*;
use crate::{batches::held::HeldBatches, drawn::rows};

fn found(rows: &[SpanRecord], with_peers: bool) -> Found {
    let batches = HeldBatches::of(rows, &request(0..=u64::MAX, with_peers));
    dependencies(&batches, Instant::now() + Duration::from_secs(60))
}

/// `caller>callee calls/errors`, with the kind of a callee that is no service.
fn calls(drawn: &str) -> Vec<String> {
    let found = found(&rows(drawn), true);
    assert!(!found.partial);
    lines(&found)
}

fn lines(found: &Found) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &found.dependencies {
        let kind = if one.callee_kind == Callee::Service { String::new() } else { format!(" {:?}", one.callee_kind) };
        lines.push(format!("{}>{}{kind} {}/{}", one.caller, one.callee, one.calls, one.errors));
    }
    lines
}

#[test]
fn a_child_of_another_service_is_a_call() {
    let drawn = "
        web/GET 0..90 server
          web/call 10..80 client
            cart/GET 20..70 server
              cart/work 30..40
                mail/odd 31..35
          web/work 81..85";
    assert_eq!(calls(drawn), ["cart>mail 1/0", "web>cart 1/0"]);
}

#[test]
fn within_a_service_only_client_and_server_are() {
    assert_eq!(calls("a/f 0..9 client\n  a/g 1..8 server\n    a/h 2..3"), ["a>a 1/0"]);
    assert_eq!(calls("a/f 0..9 producer\n  a/g 1..8 consumer"), ["a>a 1/0"]);
    assert_eq!(calls("a/f 0..9 server\n  a/g 1..8 client"), Vec::<String>::new());
}

#[test]
fn either_side_may_say_that_it_failed() {
    assert_eq!(calls("a/f 0..9 client error\n  b/g 1..8 server"), ["a>b 1/1"]);
    assert_eq!(calls("a/f 0..9 client\n  b/g 1..8 server error"), ["a>b 1/1"]);
    // That of a server which called is about the server.
    assert_eq!(calls("a/f 0..9 server error\n  b/g 1..8 server"), ["a>b 1/0"]);
}

#[test]
fn a_shared_id_is_a_call() {
    let drawn = "
        web/GET 0..9 server id=1
        web/call 1..8 client id=2 parent=1
        cart/GET 2..7 server id=2 parent=1
        stock/GET 3..6 server id=3 parent=2";
    assert_eq!(calls(drawn), ["cart>stock 1/0", "web>cart 1/0"]);
}

#[test]
fn a_resend_counts_once() {
    let once = rows("a/f 0..9 client\n  b/g 1..8 server");
    let mut twice = once.clone();
    twice.extend(once);
    assert_eq!(lines(&found(&twice, true)), ["a>b 1/0"]);
}

#[test]
fn ids_are_of_their_trace() {
    assert_eq!(calls("a/f 0..9 client id=5\nb/g 1..8 server id=6 parent=5 trace=2"), Vec::<String>::new());
}

#[test]
fn messages_count_by_link_whatever_the_trace() {
    let drawn = "
        shop/send 0..9 producer id=1 trace=1 messaging.system=kafka
        shop/send 0..9 producer id=1 trace=2 messaging.system=kafka
        shop/send 0..9 producer id=2 trace=2 messaging.system=kafka
        mail/batch 20..30 consumer id=7 trace=3 link=1:1 link=2:1 link=2:1
        pack/work 20..30 consumer id=8 trace=1 parent=1 link=1:1 error
        note/work 20..30 internal id=9 trace=4 link=2:2
        shop/POST 0..9 server id=3 trace=5 error
        bill/work 20..30 consumer id=4 trace=6 link=5:3
        bill/work 20..30 consumer id=5 trace=5 parent=77 link=5:3";
    assert_eq!(calls(drawn), ["shop>bill 1/0", "shop>kafka Queue 1/0", "shop>mail 2/0", "shop>pack 1/1"]);
}

#[test]
fn what_sends_no_spans_is_named_by_the_client() {
    let drawn = "
        a/sql 0..9 client db.system=postgresql server.address=10.0.0.1
        a/get 0..9 client db.system.name=redis error
        a/pay 0..9 client peer.service=bank server.address=bank.example
        a/put 0..9 client server.address=s3.example
        a/put 0..9 client
        a/sql 0..9 internal db.system=postgresql";
    let expected =
        ["a>bank External 1/0", "a>postgresql Database 1/0", "a>redis Cache 1/1", "a>s3.example External 1/0"];
    assert_eq!(calls(drawn), expected);
    let answered = "a/call 0..9 client server.address=b.example\n  b/GET 1..8 server";
    assert_eq!(calls(answered), ["a>b 1/0"]);
    assert_eq!(lines(&found(&rows(drawn), false)), Vec::<String>::new());
}

#[test]
fn circles_and_lost_parents_end() {
    assert_eq!(calls("a/f 0..9 id=1 parent=1\nb/g 0..9 id=2 parent=77"), Vec::<String>::new());
    assert_eq!(calls("a/f 0..9 id=1 parent=2\nb/g 0..9 id=2 parent=1"), ["a>b 1/0", "b>a 1/0"]);
}

#[test]
fn percentiles_are_of_the_callee() {
    let mut drawn = String::new();
    for n in 1..=100 {
        drawn += &format!("a/f 0..500 client id={n} trace={n}\nb/g 1..{} server id=1000 parent={n} trace={n}\n", 1 + n);
    }
    let one = &in_passes(&rows(&drawn), 1)[0];
    assert_eq!((one.calls, one.p50_ns, one.p99_ns), (100, 50, 99));
}

#[test]
fn a_call_counts_as_many_times_as_it_stands_for() {
    let drawn = "
        a/f 0..500 client trace=1 id=1 error
        b/g 1..201 server trace=1 id=2 parent=1
        a/f 0..500 client trace=2 id=1 count=20.6
        b/g 1..11 server trace=2 id=2 parent=1 count=20.6
        a/f 0..500 client trace=3 id=1 count=20.6
        b/g 1..21 server trace=3 id=2 parent=1 count=20.6";
    let found = found(&rows(drawn), true);
    assert!(found.weighted);
    let one = &found.dependencies[0];
    // 42.2, not 1 + 21 + 21.
    assert_eq!((one.calls, one.calls_seen, one.errors), (42, 3, 1));
    assert_eq!((one.p50_ns, one.p99_ns), (20, 200), "of 42 calls 20 took 10 ns, one took 200");
    let unsampled = self::found(&rows("a/f 0..9 client\n  b/g 1..8 server"), true);
    assert!(!unsampled.weighted);
}

#[test]
fn a_call_weighs_what_its_rarer_side_does() {
    let calls = |drawn| calls(drawn).join(" ");
    assert_eq!(calls("a/f 0..9 client count=2\n  b/g 1..8 server count=8 error"), "a>b 8/8");
    assert_eq!(calls("a/f 0..9 client count=8\n  b/g 1..8 server"), "a>b 8/0");
    assert_eq!(calls("a/f 0..9 client db.system=redis count=4 error"), "a>redis Cache 4/4");
    let message = "a/send 0..9 producer id=1 trace=1 count=3\nb/take 9..10 consumer id=2 trace=2 link=1:1 count=2";
    assert_eq!(calls(message), "a>b 3/0");
}

#[test]
fn a_resend_that_waits_weighs_what_its_twin_does() {
    let waiting = rows("a/f 0..9 client\n  b/g 1..8 server");
    let kept = rows("a/f 0..9 client count=5\n  b/g 1..8 server count=5");
    for both in [[waiting.clone(), kept.clone()].concat(), [kept, waiting].concat()] {
        assert_eq!(lines(&found(&both, true)), ["a>b 5/0"]);
    }
}

/// As a query finds them that holds all it likes.
fn in_passes(rows: &[SpanRecord], passes: u64) -> Vec<Dependency> {
    let batches = HeldBatches::of(rows, &request(0..=u64::MAX, true));
    let (mut names, mut graph) = (Names::default(), Graph::default());
    let mut pass = Pass::new(passes, usize::MAX);
    for number in 0..passes {
        pass.begin(number);
        for part in 0..batches.parts_rows_max().len() {
            Reader::of(&batches.read(part)).read(&mut names, &mut pass);
        }
        assert!(passes == 1 || pass.spans.len() < rows.len(), "no pass has it all");
        assert!(join(&mut pass.spans, &mut pass.links, &mut graph, Instant::now() + Duration::from_secs(60)));
    }
    graph.dependencies(&names, 1)
}

/// Traces of two spans whose consumer links into the trace before.
fn many(traces: u64) -> Vec<SpanRecord> {
    let mut drawn = String::new();
    for n in 1..=traces {
        drawn += &format!(
            "a/f 0..9 producer id=1 trace={n}\nb/g 1..8 consumer id=2 parent=1 trace={n} link={}:1\n",
            n.saturating_sub(1).max(1)
        );
    }
    rows(&drawn)
}

#[test]
fn passes_find_what_one_would() {
    let rows = many(24);
    let whole = in_passes(&rows, 1);
    // Each trace's own message, and that of the trace before; the first links to its own.
    assert_eq!((whole.len(), whole[0].calls), (1, 47));
    for passes in [2, 3, 7] {
        assert_eq!(in_passes(&rows, passes), whole);
    }
}

#[test]
fn of_very_many_traces_some_are_looked_at() {
    let rows = many(300);
    let found = found(&rows, true);
    // Twelve spans a pass are meant.
    assert_eq!(found.traces_one_in, 50);
    assert!(found.spans > 0 && found.spans <= SPANS_HELD_MAX as u64, "{}", found.spans);
    let calls = found.dependencies[0].calls;
    assert!(calls.is_multiple_of(50) && (200..=1000).contains(&calls), "{calls} calls of 599");
}

#[test]
fn one_id_for_everything_takes_no_longer() {
    let code = |n: u32| call::Code::of(n as usize);
    let span = |n: u32| call::CallSpan {
        trace: 1,
        id: 7,
        parent: 7,
        duration_ns: 1.0,
        weight: 1.0,
        service: code(n),
        peer: call::Code::NOBODY,
        kind: call::CallKind::Server,
        is_error: false,
    };
    let link = |n: u32| call::CallLink {
        trace: 1,
        id: 7,
        consumer: u64::from(n),
        duration_ns: 1.0,
        weight: 1.0,
        service: code(1),
        is_error: false,
        has_parent: false,
    };
    let (mut spans, mut links): (Vec<_>, Vec<_>) = (1..=100_000).map(|n| (span(n), link(n))).unzip();
    let mut graph = Graph::default();
    // 10^10 comparisons would take longer.
    assert!(join(&mut spans, &mut links, &mut graph, Instant::now() + Duration::from_secs(10)));
    assert!(graph.left_out > 90_000, "{}", graph.left_out);
    assert!(!join(&mut spans, &mut Vec::new(), &mut graph, Instant::now()), "no look at the clock");
}

#[test]
fn held_spans_are_small() {
    assert_eq!(size_of::<call::CallSpan>(), 40);
    assert_eq!(size_of::<call::CallLink>(), 40);
}

#[test]
fn bounds_are_kept_and_said() {
    assert_eq!([0, 12, 13, 48, 49, 120].map(plan), [(1, 1), (1, 1), (2, 1), (4, 1), (1, 5), (1, 10)]);
    // One trace of more spans than are held.
    let drawn: String = (1..=20).map(|n| format!("a/f 0..9 id={n}\n")).collect();
    assert!(found(&rows(&drawn), true).partial);
    // More services than are told apart.
    let drawn: String = (1..=9).map(|n| format!("s{n}/f 0..9 id={n}\n")).collect();
    assert!(found(&rows(&drawn), true).partial);
    // More pairs than are counted.
    let drawn: String =
        (1..=6).map(|n| format!("s/f 0..9 client id={n}\n  t{n}/g 0..9 server id={}\n", n + 10)).collect();
    let found = found(&rows(&drawn), true);
    assert!(found.partial);
    assert_eq!(found.dependencies.len(), 5);
}

#[test]
fn a_deadline_leaves_the_rest_out() {
    let batches = HeldBatches::of(&many(3), &request(0..=u64::MAX, true));
    let found = dependencies(&batches, Instant::now());
    assert!(found.partial);
    assert_eq!((found.spans, found.dependencies.len()), (0, 0));
}
