//! Queues, messages and senders against addresses that misbehave.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_proto::{metrics::Labels, relabel::RelabelConfig, time::Clock};

use super::{
    queue::Queue,
    webhook::{Groups, Message},
    *,
};
use crate::alerting::group::SentAlert;

fn out(name: &str, ends_at_ms: i64, is_resolved: bool, is_new: bool) -> OutAlert {
    OutAlert {
        labels: Labels::new([("alertname", name)]).expect("a set"),
        annotations: Arc::from(Vec::new()),
        starts_at_ms: 1000,
        ends_at_ms,
        generator_url: "http://weir/".into(),
        is_resolved,
        is_new,
    }
}

fn sent(name: &str, at_ms: i64) -> SentAlert {
    SentAlert {
        labels: Labels::new([("alertname", name), ("zone", "a")]).expect("a set"),
        annotations: Arc::from(vec![("summary".to_owned(), "so".to_owned()), ("empty".to_owned(), String::new())]),
        starts_at_ms: 1_700_000_000_000,
        ends_at_ms: at_ms,
        expr: "a > 1".into(),
        is_resolved: false,
        is_new: true,
    }
}

fn origin() -> Origin {
    Origin { file: "a.yml".to_owned(), group: "g".to_owned() }
}

fn ends(alerts: &[OutAlert]) -> Vec<i64> {
    alerts.iter().map(|alert| alert.ends_at_ms).collect()
}

#[test]
fn a_queue_holds_the_newest_state_of_each_alert_oldest_first() {
    let mut queue = Queue::new(3);
    for (name, end) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
        assert_eq!(queue.push(out(name, end, false, false)), 0);
    }
    let taken = queue.take(2);
    assert_eq!(ends(&taken), [3, 2]);
    // While they were under way one of them changed.
    queue.push(out("b", 5, true, true));
    assert_eq!(queue.give_back(taken), 0);
    assert_eq!(queue.push(out("d", 6, false, false)), 1, "the oldest goes");
    assert_eq!(ends(&queue.take(9)), [4, 5, 6]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn a_webhook_is_told_of_changes_with_all_that_fires() {
    let mut groups = Groups::new(100, true);
    let next = |groups: &mut Groups| groups.next("http://weir", 2000);
    let shown = |message: &Message| {
        let json: Value = serde_json::from_slice(&message.body).expect("JSON");
        let one = |alert: &Value| {
            format!(
                "{}:{}",
                alert["labels"]["alertname"].as_str().expect("a name"),
                alert["status"].as_str().expect("one")
            )
        };
        let alerts: Vec<_> = json["alerts"].as_array().expect("alerts").iter().map(one).collect();
        format!("{} {}", json["status"].as_str().expect("a status"), alerts.join(" "))
    };
    let push =
        |groups: &mut Groups, alerts: Vec<OutAlert>| assert_eq!(groups.push((&origin(), 1000), alerts.into_iter()), 0);
    push(&mut groups, vec![out("a", 9000, false, true), out("b", 9000, false, true)]);
    let first = next(&mut groups).expect("news");
    assert_eq!(shown(&first), "firing a:firing b:firing");
    groups.told(&first);
    push(&mut groups, vec![out("a", 9000, false, false)]);
    assert!(next(&mut groups).is_none(), "nothing new");
    push(&mut groups, vec![out("a", 1500, true, true)]);
    let second = next(&mut groups).expect("news");
    assert_eq!(shown(&second), "firing a:resolved b:firing");
    // It did not arrive; meanwhile the other one ended, too.
    groups.failed(&second);
    push(&mut groups, vec![out("a", 1500, true, false), out("b", 1600, true, true)]);
    let third = next(&mut groups).expect("news");
    assert_eq!(shown(&third), "resolved a:resolved b:resolved");
    groups.told(&third);
    assert!(next(&mut groups).is_none());
    assert_eq!(groups.len(), 0);
    let json: Value = serde_json::from_slice(&third.body).expect("JSON");
    assert_eq!((json["version"].as_str(), json["truncatedAlerts"].as_u64()), (Some("4"), Some(0)));
    assert_eq!(json["groupLabels"], serde_json::json!({"file": "a.yml", "group": "g"}));
}

#[test]
fn fingerprints_are_those_of_alertmanager() {
    let labels = Labels::new([("alertname", "Sql"), ("name", "x")]).expect("a set");
    assert_eq!(format!("{:016x}", webhook::fingerprint(&labels)), "823b8ef29dc88b0b");
}

#[test]
fn news_are_known_when_all_webhooks_know_them() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told: Told = {
        let heard = Arc::clone(&heard);
        Arc::new(move |_: &Origin, slot_ms| heard.lock().push(slot_ms))
    };
    let knowledge = told::Knowledge::new(2, told);
    for (webhook, slot_ms) in [(0, 1000), (1, 1000), (1, 3000), (0, 2000)] {
        knowledge.learn(webhook, &origin(), slot_ms);
    }
    assert_eq!(*heard.lock(), [1000, 1000, 2000]);
}

#[test]
fn alerts_get_external_labels_are_relabelled_and_written() {
    let steps = |json: Value| serde_json::from_value::<Vec<RelabelConfig>>(json).expect("valid");
    let links = Links {
        external_labels: vec![("zone".to_owned(), "x".to_owned()), ("cluster".to_owned(), "c".to_owned())],
        external_url: "http://weir:4320".to_owned(),
        relabel: steps(serde_json::json!([{"source_labels": ["alertname"], "regex": "Quiet", "action": "drop"}])),
    };
    assert_eq!(links.outgoing(&sent("Quiet", 0)), None);
    let alert = links.outgoing(&sent("A", 1_700_000_240_000)).expect("kept");
    let own = steps(serde_json::json!([{"regex": "cluster", "action": "labeldrop"}]));
    let alert = alert.relabelled(&own).expect("kept");
    assert_eq!(
        serde_json::to_string(&alert.posted()).expect("written"),
        concat!(
            r#"{"labels":{"alertname":"A","zone":"a"},"annotations":{"summary":"so"},"#,
            r#""startsAt":"2023-11-14T22:13:20Z","endsAt":"2023-11-14T22:17:20Z","#,
            r#""generatorURL":"http://weir:4320/graph?g0.expr=a+%3E+1&g0.tab=1"}"#
        )
    );
}

/// Addresses that answer as told, and remember what they were told.
#[derive(Default)]
struct Fake {
    urls: Vec<String>,
    answers: Mutex<Vec<Result<u16, String>>>,
    told: Mutex<Vec<String>>,
    more: Notify,
    /// Never answers at this address.
    stuck: Option<String>,
}

impl Peers for Arc<Fake> {
    fn list(&self) -> PeerList {
        PeerList { active: self.urls.clone(), dropped: vec!["http://dropped/".to_owned()] }
    }

    fn post(&self, url: &str, body: Bytes) -> Posting {
        if self.stuck.as_deref() == Some(url) {
            return Box::pin(std::future::pending());
        }
        let json: Value = serde_json::from_slice(&body).expect("JSON");
        let names: Vec<_> = json.as_array().expect("a list").iter().map(|alert| alert["endsAt"].to_string()).collect();
        let answer = self.answers.lock().pop().unwrap_or(Ok(200));
        self.told.lock().push(format!("{url} {} {answer:?}", names.join(" ")));
        self.more.notify_one();
        Box::pin(async move { answer.map(|status| Posted { status, said: String::new() }) })
    }
}

async fn told(fake: &Arc<Fake>, count: usize) -> Vec<String> {
    loop {
        let told = fake.told.lock().clone();
        if told.len() >= count {
            return told;
        }
        tokio::time::timeout(Duration::from_secs(30), fake.more.notified()).await.expect("told in time");
    }
}

fn started(fake: &Arc<Fake>, stop: &CancellationToken, tracker: &TaskTracker) -> Arc<Receivers> {
    let receiver =
        Receiver { kind: ReceiverKind::Alertmanager, relabel: Vec::new(), peers: Arc::new(Arc::clone(fake)) };
    let limits = NotifyLimits { queue_alerts_max: 10, batch_alerts_max: 2 };
    let told = Arc::new(|_: &Origin, _: i64| {});
    Receivers::start(vec![receiver], (limits, Links::default()), told, &Clock::fixed(0), tracker, stop.clone())
}

#[tokio::test]
async fn a_batch_that_failed_comes_again_and_one_that_was_refused_does_not() {
    let answers = vec![Ok(200), Ok(400), Ok(429), Ok(503), Err("connection refused".to_owned())];
    let fake = Arc::new(Fake { urls: vec!["u".to_owned()], answers: Mutex::new(answers), ..Fake::default() });
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let receivers = started(&fake, &stop, &tracker);
    receivers.send(&origin(), 1000, &[sent("a", 1000), sent("b", 2000), sent("c", 3000)]);
    let (first, second) = (r#""1970-01-01T00:00:01Z" "1970-01-01T00:00:02Z""#, r#""1970-01-01T00:00:03Z""#);
    assert_eq!(
        told(&fake, 5).await,
        [
            format!(r#"u {first} Err("connection refused")"#),
            format!("u {first} Ok(503)"),
            format!("u {first} Ok(429)"),
            format!("u {first} Ok(400)"),
            format!("u {second} Ok(200)"),
        ]
    );
    assert_eq!(receivers.alertmanagers().dropped, ["http://dropped/"]);
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

#[tokio::test]
async fn an_address_that_never_answers_does_not_hold_up_another() {
    let fake = Arc::new(Fake {
        urls: vec!["slow".to_owned(), "quick".to_owned()],
        stuck: Some("slow".to_owned()),
        ..Fake::default()
    });
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let receivers = started(&fake, &stop, &tracker);
    for second in 1..4_i64 {
        receivers.send(&origin(), 1000, &[sent("a", second * 1000)]);
        let all = told(&fake, second as usize).await;
        assert_eq!(all.last().expect("told"), &format!(r#"quick "1970-01-01T00:00:0{second}Z" Ok(200)"#));
    }
    stop.cancel();
}
