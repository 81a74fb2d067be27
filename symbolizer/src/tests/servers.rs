//! debuginfod servers: one made of a socket, that answers as it is told.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use super::debug_files::split;
use super::folder::Folder;
use super::*;
use crate::Servers;

/// What a server says to each question.
type Answer = dyn Fn(&mut TcpStream) + Send + Sync;

struct Server {
    url: String,
    questions: Arc<AtomicUsize>,
}

impl Server {
    /// Runs until the tests end.
    fn start(answer: Box<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let questions = Arc::new(AtomicUsize::new(0));
        let counter = questions.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                counter.fetch_add(1, SeqCst);
                answer(&mut connection);
            }
        });
        Self { url, questions }
    }

    fn asked(&self) -> usize {
        self.questions.load(SeqCst)
    }
}

fn status(status: &'static str, body: Vec<u8>) -> Box<Answer> {
    Box::new(move |connection| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        let head = head + "Connection: close\r\n\r\n";
        // A client that has had enough goes away.
        let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body));
    })
}

/// A stripped program, an address in it, its debug file, and a folder for answers.
struct Case {
    folder: Folder,
    module: Module,
    address: u64,
    debug: Vec<u8>,
}

impl Case {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let (module, address) = split(&folder, &["-g"]);
        let debug = fs::read(folder.file("app.debug")).unwrap();
        fs::remove_file(folder.file("app.debug")).unwrap();
        Self { folder, module, address, debug }
    }

    fn sources(&self, urls: &[&str]) -> Sources {
        let urls = urls.iter().map(|url| url.to_string()).collect();
        let mut servers = Servers::new(urls, self.folder.file("answers"));
        servers.patience = Duration::from_secs(2);
        let debug_root = "/nonexistent".into();
        Sources { servers: Some(servers), debug_root, ..Sources::default() }
    }

    fn has_lines(&self, sources: &Sources) -> bool {
        let (frames, _) = look_up_in(sources, &self.module, &[self.address]);
        frames[0].iter().any(|frame| frame.line.is_some())
    }

    fn answer(&self) -> std::path::PathBuf {
        let id = self.module.build_id.as_ref().unwrap();
        self.folder.file(&format!("answers/{id}/debuginfo"))
    }
}

fn troubles(sources: &Sources) -> Vec<String> {
    sources.servers.as_ref().unwrap().troubles()
}

#[test]
fn what_a_server_has_is_fetched_once_and_kept() {
    let case = Case::new("served");
    let server = Server::start(status("200 OK", case.debug.clone()));
    let sources = case.sources(&[&server.url]);
    assert!(case.has_lines(&sources), "{:?}", troubles(&sources));
    assert_eq!(fs::read(case.answer()).unwrap(), case.debug);
    assert!(case.has_lines(&case.sources(&[&server.url])));
    assert_eq!(server.asked(), 1);
    assert!(troubles(&sources).is_empty());
}

#[test]
fn what_no_server_has_is_not_asked_for_again() {
    let case = Case::new("not-served");
    let servers = [(); 2].map(|()| Server::start(status("404 Not Found", b"no".to_vec())));
    for _ in 0..2 {
        let sources = case.sources(&[&servers[0].url, &servers[1].url]);
        assert!(!case.has_lines(&sources));
        assert!(troubles(&sources).is_empty());
    }
    assert_eq!(servers.map(|server| server.asked()), [1, 1]);
    assert_eq!(fs::metadata(case.answer()).unwrap().len(), 0);
}

#[test]
fn an_old_answer_in_the_negative_is_forgotten() {
    let case = Case::new("not-served-then");
    let server = Server::start(status("200 OK", case.debug.clone()));
    fs::create_dir_all(case.answer().parent().unwrap()).unwrap();
    let empty = fs::File::create(case.answer()).unwrap();
    assert!(!case.has_lines(&case.sources(&[&server.url])));
    let then = std::time::SystemTime::now() - Duration::from_secs(3600);
    empty.set_modified(then).unwrap();
    assert!(case.has_lines(&case.sources(&[&server.url])));
}

#[test]
fn a_server_that_fails_is_told_and_the_next_one_asked() {
    let case = Case::new("failing");
    let broken = Server::start(status("500 Internal Server Error", Vec::new()));
    let sound = Server::start(status("200 OK", case.debug.clone()));
    let sources = case.sources(&[&broken.url, "http://127.0.0.1:1", &sound.url]);
    assert!(case.has_lines(&sources));
    let troubles = troubles(&sources);
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(troubles.iter().any(|trouble| trouble.contains("500")), "{troubles:?}");
    assert!(troubles.iter().any(|trouble| trouble.contains("connect")), "{troubles:?}");
}

#[test]
fn a_server_that_is_gone_is_asked_once_and_nothing_is_remembered() {
    let case = Case::new("gone");
    let broken = Server::start(status("503 Service Unavailable", Vec::new()));
    let sources = case.sources(&[&broken.url]);
    assert!(!case.has_lines(&sources) && !case.has_lines(&sources));
    assert_eq!(broken.asked(), 1);
    assert!(!case.answer().exists());
}

#[test]
fn answers_that_are_something_else_are_not_kept() {
    let case = Case::new("garbage");
    let other = fs::read("/proc/self/exe").unwrap();
    for garbage in [b"<html>please log in</html>".to_vec(), Vec::new(), other] {
        let server = Server::start(status("200 OK", garbage));
        let sources = case.sources(&[&server.url]);
        assert!(!case.has_lines(&sources));
        let troubles = troubles(&sources);
        assert!(troubles[0].ends_with("something else than was asked for"), "{troubles:?}");
        let left = fs::read_dir(case.folder.file("answers")).unwrap().count();
        assert_eq!(left, 0);
    }
}

#[test]
fn wrong_and_broken_files_among_the_answers_of_others_are_replaced() {
    let case = Case::new("wrong-answer");
    fs::create_dir_all(case.answer().parent().unwrap()).unwrap();
    let other = fs::read("/proc/self/exe").unwrap();
    for wrong in [&other, &case.debug[..case.debug.len() / 2]] {
        fs::write(case.answer(), wrong).unwrap();
        assert!(!case.has_lines(&case.sources(&["http://127.0.0.1:1"])));
        let server = Server::start(status("200 OK", case.debug.clone()));
        assert!(case.has_lines(&case.sources(&[&server.url])));
        assert_eq!(fs::read(case.answer()).unwrap(), case.debug);
    }
}

/// A file among the answers, for another build-id, that was last used long ago.
fn old(case: &Case, id: &str, name: &str) -> std::path::PathBuf {
    let path = case.folder.file("answers").join(id).join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(&path).unwrap();
    let then = std::time::SystemTime::now() - Duration::from_secs(30 * 24 * 3600);
    file.set_times(fs::FileTimes::new().set_accessed(then).set_modified(then)).unwrap();
    path
}

#[test]
fn unused_answers_are_removed_as_the_folder_says() {
    for (setting, is_left) in
        [(None, false), (Some("9999999"), true), (Some("?"), true), (Some("1\n"), false)]
    {
        let case = Case::new("unused");
        let unused = old(&case, "abcd", "debuginfo");
        if let Some(setting) = setting {
            fs::write(case.folder.file("answers/max_unused_age_s"), setting).unwrap();
        }
        let server = Server::start(status("200 OK", case.debug.clone()));
        assert!(case.has_lines(&case.sources(&[&server.url])));
        assert_eq!(unused.exists(), is_left, "{setting:?}");
    }
}

#[test]
fn what_was_on_its_way_when_its_process_was_killed_is_removed() {
    let case = Case::new("left");
    let [ours, of_others] =
        ["debuginfo.123-4", "debuginfo.aB3xYz"].map(|name| old(&case, "ab", name));
    let alone = old(&case, "cd", "debuginfo.123-5");
    let server = Server::start(status("200 OK", case.debug.clone()));
    assert!(case.has_lines(&case.sources(&[&server.url])));
    assert!(!ours.exists() && of_others.exists() && !alone.parent().unwrap().exists());
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let case = Case::new("slow");
    let server = Server::start(Box::new(|connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while connection.write_all(&[0; 64]).is_ok() {
            thread::sleep(Duration::from_millis(1)); // faster than nothing
        }
    }));
    let mut sources = case.sources(&[&server.url]);
    let servers = sources.servers.as_mut().unwrap();
    (servers.patience, servers.longest) = (Duration::from_secs(60), Duration::from_secs(1));
    assert!(!case.has_lines(&sources));
    assert!(troubles(&sources)[0].contains("timed out"), "{:?}", troubles(&sources));
}

#[test]
fn an_endless_answer_is_cut_off() {
    let case = Case::new("endless");
    let server = Server::start(Box::new(|connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while connection.write_all(&[0; 4096]).is_ok() {}
    }));
    let mut sources = case.sources(&[&server.url]);
    sources.servers.as_mut().unwrap().largest = 1 << 20;
    assert!(!case.has_lines(&sources));
    let troubles = troubles(&sources);
    assert!(troubles[0].ends_with("more than 1 MiB, which is too large"), "{troubles:?}");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let case = Case::new("silent");
    let server = Server::start(Box::new(|connection| {
        // Until the client has gone.
        let _ = std::io::copy(connection, &mut std::io::sink());
    }));
    let sources = case.sources(&[&server.url]);
    assert!(!case.has_lines(&sources));
    let troubles = troubles(&sources);
    assert!(troubles[0].contains("too slow"), "{troubles:?}");
}
