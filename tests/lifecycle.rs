//! Starting, reloading and stopping the binary.

mod process;

use std::{net::TcpStream, path::PathBuf};

use process::{FREE_PORTS, Weir, command, ended};
use rustix::process::Signal;

/// A configuration and a data folder in a folder of their own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        place.configure(FREE_PORTS);
        place
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("weir.yaml")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.config(), text).expect("written");
    }

    fn start(&self) -> Weir {
        Weir::start(&self.config(), &self.data())
    }

    /// Runs it when it is expected to refuse: its exit code and words.
    fn refused(&self) -> (Option<i32>, String) {
        ended(command(&self.config(), &self.data()))
    }
}

#[test]
fn the_banner_names_ports_that_are_open() {
    let place = Place::new();
    let weir = place.start();
    for name in ["OTLP/gRPC", "OTLP/HTTP", "queries"] {
        TcpStream::connect(weir.address(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{}", weir.banner));
    }
    assert!(weir.banner.contains(&place.data().display().to_string()), "{}", weir.banner);
}

#[test]
fn sigterm_and_sigint_drain_and_exit_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let weir = place.start();
        let port = weir.address("OTLP/gRPC");
        weir.signal(signal);
        assert_eq!(weir.exit().code(), Some(0), "{signal:?}");
        TcpStream::connect(port).expect_err("the port is closed");
        // What was drained opens again.
        place.start();
    }
}

#[test]
fn sighup_checks_the_file_and_a_bad_one_changes_nothing() {
    let place = Place::new();
    let weir = place.start();
    weir.signal(Signal::HUP);
    weir.logged("is valid and says what is running already");
    place.configure(&format!("{FREE_PORTS}storage: {{retenton: {{}}}}\n"));
    weir.signal(Signal::HUP);
    let line = weir.logged("nothing changed");
    assert!(line.contains("weir.yaml:4:11: unknown key `retenton`"), "{line}");
    place.configure(&format!("{FREE_PORTS}storage: {{retention: {{traces: 1d}}}}\n"));
    weir.signal(Signal::HUP);
    let line = weir.logged("need a restart");
    assert!(line.ends_with("need a restart: storage"), "{line}");
    TcpStream::connect(weir.address("OTLP/gRPC")).expect("still there");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let place = Place::new();
    for (section, name) in [
        (format!("receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{address}'}}}}}}}}"), "receiver otlp"),
        (format!("receivers: {{}}\nquery: {{endpoint: '{address}'}}"), "query.endpoint"),
    ] {
        place.configure(&section);
        let (code, words) = place.refused();
        assert_eq!(code, Some(1), "{words}");
        for part in [name, &address.to_string(), "in use"] {
            assert!(words.contains(part), "{part} is missing: {words}");
        }
    }
}

#[test]
fn a_second_process_on_the_same_folder_refuses() {
    let place = Place::new();
    let weir = place.start();
    let (code, words) = place.refused();
    assert_eq!(code, Some(1), "{words}");
    for part in ["another weir", &place.data().display().to_string(), "--data"] {
        assert!(words.contains(part), "{part} is missing: {words}");
    }
    TcpStream::connect(weir.address("queries")).expect("the first goes on");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    // A file where the folder should be: refused for root as for anyone.
    std::fs::write(place.data(), "").expect("written");
    let (code, words) = place.refused();
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(&place.data().display().to_string()), "{words}");
}
