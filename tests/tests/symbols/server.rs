//! A real debuginfod server.

use std::cell::OnceCell;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use sigspy_tests::{
    Folded, Recorded, Running, export, needs, record_in, run, sigspy, spawn, wait_until,
};

use super::{Stripped, is_named};

struct Server {
    running: Running,
    url: String,
}

impl Server {
    /// Serves the files in `folder`.
    fn start(folder: &Path) -> Self {
        needs("debuginfod", "debuginfod");
        needs("curl", "curl");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = free.expect("there is a free port").port().to_string();
        let mut command = Command::new("debuginfod");
        command.args(["-d", ":memory:", "-p", &port, "-F"]).arg(folder);
        Self { running: spawn(&mut command), url: format!("http://127.0.0.1:{port}") }
    }

    fn wait_for(&self, id: &str) {
        let url = format!("{}/buildid/{id}/debuginfo", self.url);
        wait_until("the server has found the debug file", || {
            let output = Command::new("curl").args(["-s", "-f", "-o", "/dev/null", &url]).status();
            output.expect("curl can be run").success()
        });
    }

    fn stop(self) {
        self.running.signal(Signal::SIGKILL);
        self.running.wait_within(Duration::from_secs(30));
    }
}

/// Records with names from the server at `url`.
fn record(app: &Stripped, url: &str) -> Recorded {
    let answers = app.folder.join("answers");
    let answers = answers.to_str().expect("temporary folders have plain names");
    let environment = [("DEBUGINFOD_URLS", url), ("DEBUGINFOD_CACHE_PATH", answers)];
    record_in(&environment, &["-F", "250"], [&app.program]).expect(5)
}

fn answer(app: &Stripped) -> std::path::PathBuf {
    let (first, rest) = app.build_id();
    app.folder.join(format!("answers/{first}{rest}/debuginfo"))
}

#[test]
fn names_come_from_a_debuginfod_server_and_then_from_the_folder_of_its_answers() {
    let app = Stripped::new("phases.c");
    let server = Server::start(&app.folder.join("debug"));
    let (first, rest) = app.build_id();
    server.wait_for(&(first + &rest));
    let recorded = record(&app, &server.url);
    assert!(is_named(&recorded.folded(), "main"), "{}", recorded.outcome);
    assert_eq!(fs::read(answer(&app)).unwrap(), fs::read(&app.debug).unwrap());
    server.stop();
    let recorded = record(&app, "http://127.0.0.1:1");
    assert!(is_named(&recorded.folded(), "main"), "{}", recorded.outcome);
}

#[test]
fn what_the_server_does_not_have_is_remembered() {
    let app = Stripped::new("phases.c");
    let other = Stripped::new("split.c");
    let server = Server::start(&other.folder.join("debug"));
    let (first, rest) = other.build_id();
    server.wait_for(&(first + &rest));
    let recorded = record(&app, &server.url);
    assert!(!is_named(&recorded.folded(), "main"), "{}", recorded.outcome);
    assert!(!recorded.outcome.stderr.contains("debuginfod server"), "{}", recorded.outcome);
    assert_eq!(fs::metadata(answer(&app)).expect("it is remembered").len(), 0);
    server.stop();
}

#[test]
fn a_server_that_is_gone_is_told_in_one_line() {
    let app = Stripped::new("phases.c");
    let recorded = record(&app, "http://127.0.0.1:1");
    let lines = recorded.outcome.stderr.lines();
    let told = lines.filter(|line| line.contains("debuginfod server http://127.0.0.1:1")).count();
    assert_eq!(told, 1, "{}", recorded.outcome);
    assert!(!answer(&app).exists());
    let without = run(Command::new("ls").arg(app.folder.join("answers")));
    assert!(!without.text().contains("debuginfo."), "{without}");
}

#[test]
fn a_signal_ends_the_look_up_and_the_recording_stays() {
    needs("curl", "curl");
    let app = Stripped::new("phases.c");
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    silent.set_nonblocking(true).expect("it is a socket");
    let url = format!("http://{}", silent.local_addr().expect("it is bound"));
    let (recording, answers) = (app.folder.join("x.sigspy"), app.folder.join("answers"));
    let mut command = Command::new(sigspy());
    command.env("DEBUGINFOD_URLS", url).env("DEBUGINFOD_CACHE_PATH", answers);
    command.args(["record", "-F", "250", "-o"]).arg(&recording).arg("--").arg(&app.program);
    let running = spawn(&mut command);
    let asked = OnceCell::new();
    wait_until("the server is asked", || silent.accept().is_ok_and(|one| asked.set(one).is_ok()));
    running.signal(Signal::SIGTERM);
    let outcome = running.wait_and_kill_the_rest(Duration::from_secs(20)).expect(128 + 15);
    let folded = run(&mut export(&recording)).expect(0);
    let folded = Folded::parse(&folded.text(), 1000).expect("folded stacks");
    assert!(folded.sampled() > 50_000_000, "{outcome}");
}
