//! Perf maps that others write, remove, and leave behind.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::recording::Event;

const NOW: u64 = u64::MAX;
const OWN_PID: u32 = 42;

/// The /tmp of a process.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("sigspy-code-names-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder); // of a process that had our pid before
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn map(&self) -> PathBuf {
        self.0.join(format!("perf-{OWN_PID}.map"))
    }

    fn append(&self, text: &str) {
        let mut file = File::options().append(true).create(true).open(self.map()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Of a process with this folder.
    fn names(&self) -> CodeNames {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let folder = open(&self.0, flags, Mode::empty()).unwrap();
        CodeNames::within(std::process::id(), OWN_PID, Some(Rc::new(folder)), Vec::new())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Names of locations, in the order in which they were told.
fn told(journal: &mut Journal) -> Vec<(u32, String)> {
    let name = |event| match event {
        Event::CodeName { location, name } => Some((location, name)),
        _ => None,
    };
    journal.events.drain(..).filter_map(name).collect()
}

fn called(location: u32, name: &str) -> (u32, String) {
    (location, name.to_owned())
}

#[test]
fn what_has_a_name_is_told_once_and_what_has_none_yet_later() {
    let (folder, mut journal) = (Folder::new("later"), Journal::new(0));
    let mut names = folder.names();
    let early = names.location(0x1008, NOW, &mut journal);
    folder.append("1000 10 early\n2000 10 known\n3000 10 ne");
    names.follow(&mut journal);
    let known = names.location(0x2000, NOW, &mut journal);
    assert_eq!(names.location(0x2000, NOW, &mut journal), known);
    assert_eq!(names.location(0x1008, NOW, &mut journal), early);
    let never = names.location(0x3000, NOW, &mut journal);
    assert_eq!(told(&mut journal), [called(early, "early"), called(known, "known")]);
    folder.append("ver\n");
    names.finish(&mut journal);
    assert_eq!(told(&mut journal), [called(never, "never")]);
}

#[test]
fn an_address_that_is_used_again_is_another_location() {
    let (folder, mut journal) = (Folder::new("again"), Journal::new(0));
    let mut names = folder.names();
    folder.append("1000 10 first\n");
    let unknown = names.location(0x1000, NOW, &mut journal);
    names.follow(&mut journal);
    let between = system::monotonic_ns();
    let first = names.location(0x1000, between, &mut journal);
    assert_eq!(first, unknown);
    names.follow(&mut journal);
    folder.append("1000 10 second\n");
    names.location(0x1000, between, &mut journal);
    names.follow(&mut journal);
    let second = names.location(0x1000, NOW, &mut journal);
    assert_ne!(first, second);
    // A sample that comes late.
    assert_eq!(names.location(0x1000, between, &mut journal), first);
    assert_eq!(told(&mut journal), [called(first, "first"), called(second, "second")]);
}

#[test]
fn a_map_that_is_removed_is_read_to_its_end_and_its_successor_from_the_beginning() {
    let (folder, mut journal) = (Folder::new("removed"), Journal::new(0));
    let mut names = folder.names();
    let locations = [0x1000, 0x2000, 0x3000].map(|at| names.location(at, NOW, &mut journal));
    folder.append("1000 10 a\n");
    names.follow(&mut journal);
    folder.append("2000 10 b\n");
    fs::remove_file(folder.map()).unwrap();
    folder.append("3000 10 c\n");
    names.read(&mut journal);
    let mut told = told(&mut journal);
    told.sort_unstable();
    let expected = locations.into_iter().zip(["a", "b", "c"].map(str::to_owned));
    assert_eq!(told, expected.collect::<Vec<_>>());
}

#[test]
fn a_map_that_is_begun_anew_is_read_from_the_beginning() {
    let (folder, mut journal) = (Folder::new("anew"), Journal::new(0));
    let mut names = folder.names();
    folder.append("1000 10 a\n5000 10 a\n");
    names.read(&mut journal);
    File::create(folder.map()).unwrap();
    folder.append("1000 10 b\n");
    names.read(&mut journal);
    let location = names.location(0x1000, NOW, &mut journal);
    assert_eq!(told(&mut journal), [called(location, "b")]);
}

#[test]
fn what_an_earlier_process_has_left_is_not_believed() {
    let (folder, mut journal) = (Folder::new("stale"), Journal::new(0));
    folder.append("1000 10 stale\n");
    let file = File::options().append(true).open(folder.map()).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(100)).unwrap();
    let mut names = folder.names();
    folder.append("2000 10 new\n");
    names.location(0x1000, NOW, &mut journal);
    let new = names.location(0x2000, NOW, &mut journal);
    names.finish(&mut journal);
    assert_eq!(told(&mut journal), [called(new, "new")]);
}

#[test]
fn a_child_of_fork_has_the_names_of_its_parent_and_its_own() {
    let (folder, mut journal) = (Folder::new("child"), Journal::new(0));
    let mut parent = folder.names();
    folder.append("1000 20 of parent\n");
    parent.read(&mut journal);
    let mut child = parent.of_child(OWN_PID + 1);
    fs::write(folder.0.join("perf-43.map"), "1000 10 of child\n").unwrap();
    child.read(&mut journal);
    let own = child.location(0x1000, NOW, &mut journal);
    let inherited = child.location(0x1010, NOW, &mut journal);
    let parents = parent.location(0x1010, NOW, &mut journal);
    let expected =
        [called(own, "of child"), called(inherited, "of parent"), called(parents, "of parent")];
    assert_eq!(told(&mut journal), expected);
}

#[test]
fn what_is_no_plain_file_is_not_opened() {
    let (folder, mut journal) = (Folder::new("odd"), Journal::new(0));
    fs::write(folder.0.join("elsewhere"), "1000 10 a\n").unwrap();
    let mut names = folder.names();
    let mut check = |what| {
        names.location(0x1000, NOW, &mut journal);
        names.follow(&mut journal);
        assert!(names.file.is_none() && told(&mut journal).is_empty(), "{what}");
    };
    symlink("elsewhere", folder.map()).unwrap();
    check("a link");
    fs::remove_file(folder.map()).unwrap();
    nix::unistd::mkfifo(&folder.map(), Mode::S_IRWXU).unwrap();
    check("a pipe");
    fs::remove_file(folder.map()).unwrap();
    fs::create_dir(folder.map()).unwrap();
    check("a folder");
}

#[test]
fn a_line_without_an_end_costs_what_lies_on_it() {
    let (folder, mut journal) = (Folder::new("endless"), Journal::new(0));
    let mut names = folder.names();
    folder.append(&"x".repeat(3 * BUFFER));
    folder.append("\n1000 10 behind\n");
    let location = names.location(0x1000, NOW, &mut journal);
    names.follow(&mut journal);
    assert_eq!(told(&mut journal), [called(location, "behind")]);
    // A file that claims to be long is no longer read than others.
    File::options().append(true).open(folder.map()).unwrap().set_len(1 << 40).unwrap();
    names.location(0x2000, NOW, &mut journal);
    names.follow(&mut journal);
    assert_eq!(names.file.as_ref().map(|file| file.left), Some(0));
}
