//! A `weir run` under test: started on free ports, waited for by its banner, killed when dropped.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for anything that a process should do within a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running weir.
pub(crate) struct Weir {
    child: Child,
    /// Lines of its log, as they come.
    log: mpsc::Receiver<String>,
    pub(crate) banner: String,
}

/// All in one on free ports.
pub(crate) const FREE_PORTS: &str = "
receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}}}
query: {endpoint: '127.0.0.1:0'}
";

/// `weir run` with this configuration and data folder, not started.
pub(crate) fn command(config: &Path, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(["run", "--config"]).arg(config).arg("--data").arg(data);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Weir {
    /// Starts it and waits until everything listens.
    pub(crate) fn start(config: &Path, data: &Path) -> Self {
        let mut child = command(config, data).spawn().expect("the binary starts");
        let log = lines(child.stderr.take().expect("stderr is piped"));
        let output = lines(child.stdout.take().expect("stdout is piped"));
        let mut weir = Self { child, log, banner: String::new() };
        while !weir.banner.contains("Stop:") {
            match output.recv_timeout(PATIENCE) {
                Ok(line) => weir.banner = format!("{}{line}\n", weir.banner),
                Err(_) => panic!("no banner; so far {:?}; log: {:?}", weir.banner, weir.log.iter().collect::<Vec<_>>()),
            }
        }
        weir
    }

    /// The address in the banner's line that starts with `name`.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let line = self.banner.lines().find(|line| line.trim_start().starts_with(name)).expect("a line of the banner");
        let address = line.split_whitespace().last().expect("a last word").trim_start_matches("http://");
        address.replace("localhost", "127.0.0.1").parse().expect("an address")
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is still there");
    }

    /// Waits for a line of the log that contains `text`.
    pub(crate) fn logged(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("`{text}` was not logged: {seen:?}"),
            }
        }
    }

    /// Waits for its end.
    pub(crate) fn exit(mut self) -> ExitStatus {
        // The log ends when the process does: no polling.
        while self.log.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().expect("it ended")
    }
}

/// Runs a command that is expected to end by itself, soon; its exit code and its log.
pub(crate) fn ended(mut command: Command) -> (Option<i32>, String) {
    let mut child = command.spawn().expect("the binary starts");
    let log = lines(child.stderr.take().expect("stderr is piped"));
    let mut words = String::new();
    loop {
        match log.recv_timeout(PATIENCE) {
            Ok(line) => words = format!("{words}{line}\n"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                panic!("it did not end; log: {words}");
            }
        }
    }
    (child.wait().expect("it ended").code(), words)
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they come, read by a thread of their own.
fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
