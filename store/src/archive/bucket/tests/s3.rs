//! The bucket before a real S3 server, with bad weather between: versitygw, where `tests/needs.sh` could install it, or any
//! other at `WEIR_TEST_S3` (`127.0.0.1:5000`, a bucket `weir` for the keys `testkey` and `testsecret`).

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::{
    proxy::{Proxy, Weather},
    *,
};

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Option<Child>,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// Where `tests/needs.sh` puts it: `test-bin` in the target folder, from which the test itself runs.
fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a test has a file");
    let installed = test.ancestors().map(|folder| folder.join("test-bin/versitygw")).find(|path| path.exists());
    installed.or_else(|| std::env::var_os("WEIR_VERSITYGW").map(PathBuf::from))
}

/// Starts one, with an empty bucket `weir`; `None`, said, where there is none.
pub(crate) async fn server() -> Option<Server> {
    let folder = tempfile::tempdir().expect("temp folder");
    if let Ok(address) = std::env::var("WEIR_TEST_S3") {
        let address = address.parse().expect("WEIR_TEST_S3 is an address and a port");
        return Some(Server { address, process: None, _folder: folder });
    }
    let Some(program) = program() else {
        println!("not run: `make test` installs versitygw where Go is (tests/needs.sh)");
        return None;
    };
    std::fs::create_dir(folder.path().join("weir")).expect("made");
    // A port that was free a moment ago; the next one, when somebody was quicker.
    for _ in 0..10 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = free.local_addr().expect("bound");
        drop(free);
        let mut process = Command::new(&program)
            .args(["--quiet", "--access", "testkey", "--secret", "testsecret", "--port", &address.to_string(), "posix"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("versitygw runs");
        loop {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Some(Server { address, process: Some(process), _folder: folder });
            }
            if process.try_wait().expect("its state").is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    panic!("versitygw did not start");
}

fn s3_bucket(proxy: &Proxy, prefix: &str, attempts_max: u32) -> Bucket {
    let mut options = BucketOptions::new(&format!("s3://weir/{prefix}"));
    options.endpoint = Some(format!("http://{}", proxy.address));
    options.allow_http = true;
    options.path_style = true;
    options.access_key_id = Some("testkey".to_owned());
    options.secret_access_key = Some("testsecret".to_owned());
    options.part_bytes = 5 << 20;
    options.retry.attempts_max = attempts_max;
    options.breaker.failures_max = u32::MAX;
    options.request_timeout = Duration::from_secs(5);
    Bucket::open(options, Surroundings::simulated(Clock::fixed(SECOND_NS))).expect("opened")
}

#[tokio::test]
async fn a_real_server_behaves_as_the_model_does() {
    let Some(server) = server().await else { return };
    let proxy = Proxy::start(server.address).await;
    let bucket = s3_bucket(&proxy, &format!("fair/{}", std::process::id()), 3);
    assert!(bucket.get("x").await.expect_err("not there").is_not_found());
    assert_eq!(bucket.put_new("x", Bytes::from("one")).await.expect("new"), Put::Written);
    assert_eq!(bucket.put_new("x", Bytes::from("one")).await.expect("same"), Put::AlreadyThere);
    let error = bucket.put_new("x", Bytes::from("two")).await.expect_err("another");
    assert!(matches!(error, BucketError::Conflict { .. }), "{error}");
    bucket.put("x", Bytes::from("over")).await.expect("over");
    assert_eq!(bucket.get("x").await.expect("there"), "over");
    let beyond = bucket.get_ranges("x", std::slice::from_ref(&(2..9))).await.expect_err("beyond its end");
    assert!(matches!(beyond, BucketError::Corrupt { .. }), "{beyond}");
    let beyond = bucket.get_ranges("x", std::slice::from_ref(&(100..109))).await.expect_err("beyond its end");
    assert!(matches!(beyond, BucketError::Corrupt { .. }), "{beyond}");

    let folder = tempfile::tempdir().expect("temp folder");
    let file = folder.path().join("f");
    let large = content(12 << 20, 3);
    std::fs::write(&file, &large).expect("written");
    let uploaded = bucket.put_file("p/large", &file, Some(crc32c::crc32c(&large))).await.expect("uploaded");
    assert_eq!(uploaded.put, Put::Written);
    assert_eq!(bucket.put_file("p/large", &file, None).await.expect("there").put, Put::AlreadyThere);
    let got = bucket.get_ranges("p/large", &[7..9, 11 << 20..(11 << 20) + 5]).await.expect("read");
    assert_eq!(got[1], large[11 << 20..(11 << 20) + 5]);
    // The completion asks for a name that nothing has, where the server knows the condition.
    let there = bucket.upload_for_test("p/large", &file).await;
    assert!(matches!(there, Ok(false) | Err(BucketError::Away { .. })), "{there:?}");

    let keys: Vec<String> = bucket.list("", None).map_ok(|head| head.key).try_collect().await.expect("listed");
    assert_eq!(keys, ["p/large", "x"]);
    bucket.delete_many(&[keys, vec!["none".to_owned()]].concat()).await.expect("deleted");
    assert!(bucket.head("x").await.expect_err("gone").is_not_found());
    proxy.weather(Weather { denied: 1000, ..Weather::default() });
    let before = proxy.requests();
    let error = bucket.get("x").await.expect_err("refused");
    assert!(matches!(error, BucketError::Denied { .. }) && error.to_string().contains("AccessDenied"), "{error}");
    assert_eq!(proxy.requests() - before, 1);
    proxy.weather(Weather { away: true, ..Weather::default() });
    assert!(bucket.get("x").await.expect_err("away").is_away());
}

#[tokio::test]
async fn a_real_server_in_bad_weather_keeps_what_was_acknowledged() {
    let Some(server) = server().await else { return };
    let proxy = Proxy::start(server.address).await;
    let bucket = s3_bucket(&proxy, &format!("foul/{}", std::process::id()), 60);
    let folder = tempfile::tempdir().expect("temp folder");
    let storm = Weather {
        unavailable: 300,
        conflict: 100,
        lost_reply: 50,
        truncated: 50,
        flipped_up: 50,
        ..Weather::default()
    };
    proxy.weather(storm);
    for number in 0..10_u8 {
        let small = Bytes::from(content(1000 + usize::from(number), number));
        bucket.put_new(&format!("small/{number}"), small.clone()).await.expect("written");
        assert_eq!(bucket.get(&format!("small/{number}")).await.expect("read"), small);
    }
    for number in 0..3_u8 {
        let file = folder.path().join("large");
        let large = content((11 << 20) + usize::from(number), number);
        std::fs::write(&file, &large).expect("written");
        let uploaded = bucket.put_file(&format!("large/{number}"), &file, None).await.expect("uploaded");
        assert_eq!(uploaded.crc32c, crc32c::crc32c(&large));
    }
    let keys: Vec<String> = bucket.list("", None).map_ok(|head| head.key).try_collect().await.expect("listed");
    assert_eq!(keys.len(), 13);
    bucket.delete_many(&keys).await.expect("deleted");
    let left: Vec<Head> = bucket.list("", None).try_collect().await.expect("listed");
    assert!(left.is_empty());
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_given_up() {
    let Some(server) = server().await else { return };
    let proxy = Proxy::start(server.address).await;
    let mut bucket = s3_bucket(&proxy, &format!("slow/{}", std::process::id()), 2);
    bucket.put_new("x", Bytes::from("content")).await.expect("new");
    let mut options = bucket.shared.options.clone();
    options.request_timeout = Duration::from_millis(200);
    bucket = Bucket::open(options, Surroundings::simulated(Clock::fixed(SECOND_NS))).expect("opened");
    proxy.weather(Weather { hanging: 1000, ..Weather::default() });
    assert!(bucket.get("x").await.expect_err("half of it").is_away());
    proxy.weather(Weather::default());
    assert_eq!(bucket.get("x").await.expect("all of it"), "content");
}
