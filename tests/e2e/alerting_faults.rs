//! Rules while something fails: the disk is full, whoever is told is away, a group and its file are renamed.

use std::{
    fs::File,
    net::SocketAddr,
    path::Path,
    sync::mpsc,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use weir_benches::query::Query;

use crate::{
    alerting::{send_load, take, wait_for, webhook},
    disk_image::DiskImage,
    process::{FREE_PORTS, Weir},
    raw_http::post_to,
};

/// The first rule that is shown, when its group has this name.
async fn rule(weir: &Weir, group: &str) -> Option<Value> {
    let query = Query::new(weir.address("queries"));
    let (_, body) = query.json("/prometheus/api/v1/rules?type=alert").await.ok()?;
    let groups = body["data"]["groups"].as_array()?;
    groups.iter().find(|known| known["name"] == group).map(|group| group["rules"][0].clone())
}

async fn rule_is(weir: &Weir, group: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_for("the rule", async || rule(weir, group).await.filter(|rule| is(rule))).await
}

/// The next message of a webhook.
async fn heard(told: &mpsc::Receiver<Value>) -> Value {
    let begin = Instant::now();
    loop {
        if let Ok(message) = told.try_recv() {
            return message;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing was told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn write_config(folder: &Path, hook: SocketAddr, storage: &str) {
    let alerting = format!("alerting: {{rule_files: ['*.rules'], webhooks: [{{url: 'http://{hook}/'}}]}}\n");
    std::fs::write(folder.join("weir.yaml"), format!("{FREE_PORTS}{storage}{alerting}")).expect("written");
}

/// Puts a file of rules there as a whole: whoever looks for changes meanwhile sees all of it or nothing.
fn put_rules(folder: &Path, name: &str, text: &str) {
    let unfinished = folder.join("unfinished");
    std::fs::write(&unfinished, text).expect("written");
    std::fs::rename(&unfinished, folder.join(name)).expect("renamed");
}

const ALWAYS: &str = "groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: vector(1), for: 2s}]}]\n";

#[tokio::test]
async fn rules_go_on_while_the_disk_is_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = DiskImage::new(folder.path(), 96) else { return };
    let (hook, told) = webhook();
    write_config(folder.path(), hook, "storage: {free_min: 24MiB, journal: {file_size_max: 1MiB}}\n");
    let (config, data) = (folder.path().join("weir.yaml"), disk.path().join("data"));
    let weir = Weir::start(&config, &data);
    let query = Query::new(weir.address("queries"));
    let ballast = disk.path().join("ballast");
    let file = File::create(&ballast).expect("a file");
    let free = rustix::fs::statvfs(disk.path()).expect("known");
    let bytes = free.f_bavail * free.f_frsize - (16 << 20);
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).expect("there is room");
    wait_for("full", async || (!query.ready().await).then_some(())).await;

    // The alert waits, fires and is told of; that nothing of it is stored is said.
    put_rules(folder.path(), "a.rules", ALWAYS);
    let (status, _) = post_to("/-/reload", weir.address("queries"), &[], Vec::new()).await;
    assert_eq!(status.as_u16(), 200);
    let message = heard(&told).await;
    assert_eq!(
        (&message["status"], &message["alerts"][0]["labels"]["alertname"]),
        (&json!("firing"), &json!("Always"))
    );
    let starts_at = message["alerts"][0]["startsAt"].clone();
    let shown = rule_is(&weir, "g", |rule| rule["health"] == "err").await;
    let error = shown["lastError"].as_str().unwrap_or_default();
    assert!(error.starts_with("cannot store: "), "{shown}");
    assert_eq!(shown["state"], "firing", "{shown}");

    // With room the state that waited is written, and survives.
    drop(file);
    std::fs::remove_file(&ballast).expect("freed");
    let shown = rule_is(&weir, "g", |rule| rule["health"] == "ok").await;
    let active_at = shown["alerts"][0]["activeAt"].clone();
    weir.signal(Signal::KILL);
    assert!(!weir.exit().success());
    let weir = Weir::start(&config, &data);
    let shown = rule_is(&weir, "g", |rule| rule["health"] == "ok" && rule["state"] != "unknown").await;
    assert_eq!((&shown["state"], &shown["alerts"][0]["activeAt"]), (&json!("firing"), &active_at), "{shown}");
    // It may be told again, as it was; it does not begin anew.
    for again in told.try_iter() {
        assert_eq!((&again["status"], &again["alerts"][0]["startsAt"]), (&json!("firing"), &starts_at));
    }
}

#[tokio::test]
async fn a_group_that_is_renamed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let (hook, told) = webhook();
    write_config(folder.path(), hook, "");
    let rules = |name: &str, group: &str| {
        put_rules(folder.path(), name, &ALWAYS.replace("name: g", &format!("name: {group}")));
    };
    rules("a.rules", "g");
    let (config, data) = (folder.path().join("weir.yaml"), folder.path().join("data"));
    let weir = Weir::start(&config, &data);
    let shown = rule_is(&weir, "g", |rule| rule["state"] == "firing").await;
    let active_at = shown["alerts"][0]["activeAt"].clone();
    assert_eq!(heard(&told).await["status"], "firing");

    // The group while it runs, its file while nothing does, then both: two files never change at once for who looks.
    rules("a.rules", "h");
    let (status, _) = post_to("/-/reload", weir.address("queries"), &[], Vec::new()).await;
    assert_eq!(status.as_u16(), 200);
    let goes_on = |shown: &Value| (shown["state"].clone(), shown["alerts"][0]["activeAt"].clone());
    let shown = rule_is(&weir, "h", |rule| rule["health"] == "ok").await;
    assert_eq!(goes_on(&shown), (json!("firing"), active_at.clone()), "{shown}");
    weir.signal(Signal::KILL);
    assert!(!weir.exit().success());
    std::fs::rename(folder.path().join("a.rules"), folder.path().join("b.rules")).expect("renamed");
    let weir = Weir::start(&config, &data);
    let shown = rule_is(&weir, "h", |rule| rule["health"] == "ok").await;
    assert_eq!(goes_on(&shown), (json!("firing"), active_at.clone()), "{shown}");
    weir.signal(Signal::KILL);
    assert!(!weir.exit().success());
    rules("c.rules", "i");
    std::fs::remove_file(folder.path().join("b.rules")).expect("removed");
    let weir = Weir::start(&config, &data);
    let shown = rule_is(&weir, "i", |rule| rule["health"] == "ok").await;
    assert_eq!(goes_on(&shown), (json!("firing"), active_at), "{shown}");
    assert!(told.try_iter().all(|message| message["status"] == "firing"), "something ended");
}

/// The alerts that are shown.
async fn alerts(weir: &Weir) -> Option<Vec<Value>> {
    let query = Query::new(weir.address("queries"));
    let (_, body) = query.json("/prometheus/api/v1/alerts").await.ok()?;
    body["data"]["alerts"].as_array().cloned()
}

#[tokio::test]
async fn an_alertmanager_that_was_away_is_told_what_is_newest() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody listens there until later, nor can anybody else take it.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = socket.local_addr().expect("an address");
    let rules = "groups: [{name: g, interval: 1s, rules: [{alert: High, expr: load > 1}]}]\n";
    std::fs::write(folder.path().join("a.rules"), rules).expect("written");
    let alerting = format!(
        "alerting: {{rule_files: ['*.rules'], alertmanagers: [{{static_configs: [{{targets: ['{address}']}}]}}]}}\n"
    );
    let config = folder.path().join("weir.yaml");
    std::fs::write(&config, format!("{FREE_PORTS}{alerting}")).expect("written");
    let weir = Weir::start(&config, &folder.path().join("data"));
    let fires = async || alerts(&weir).await.filter(|alerts| !alerts.is_empty());
    send_load(&weir, 1.5).await;
    let first = wait_for("firing", fires).await[0]["activeAt"].clone();
    send_load(&weir, 0.2).await;
    wait_for("over", async || alerts(&weir).await.filter(Vec::is_empty)).await;
    send_load(&weir, 1.5).await;
    let second = wait_for("firing again", fires).await[0]["activeAt"].clone();
    assert_ne!(first, second);

    let listener = socket.listen(16).and_then(|listener| listener.into_std()).expect("it listens");
    // Its own thread waits.
    listener.set_nonblocking(false).expect("set");
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || while take(&stream, &sender).is_some() {});
        }
    });
    // Of the first time nobody has to know any more.
    let message = heard(&told).await;
    assert_eq!((message.as_array().map(Vec::len), &message[0]["startsAt"]), (Some(1), &second), "{message}");
    send_load(&weir, 0.2).await;
    wait_for("over again", async || alerts(&weir).await.filter(Vec::is_empty)).await;
    let message = heard(&told).await;
    let (starts_at, ends_at) = (message[0]["startsAt"].as_str(), message[0]["endsAt"].as_str());
    assert_eq!(starts_at, second.as_str(), "{message}");
    assert!(ends_at > starts_at, "{message}");
}
