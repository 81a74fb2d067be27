//! Names that were looked up before, and are on disk.

use std::fs;
use std::path::PathBuf;

use super::folder::{Folder, INLINING};
use super::*;

/// A program, and a folder of caches beside it.
struct Case {
    folder: Folder,
    program: PathBuf,
    sources: Sources,
}

impl Case {
    fn new(name: &str, arguments: &[&str]) -> Self {
        let folder = Folder::new(name);
        let program = folder.compile(INLINING, arguments);
        let debug_root = folder.path().to_owned();
        let sources =
            Sources { debug_root, cache: Some(folder.file("cache")), ..Sources::default() };
        Self { folder, program, sources }
    }

    /// Frames of each address, when the files are old enough to have an entry.
    fn frames(&self, part: std::ops::Range<u64>) -> Vec<Vec<Frame>> {
        for file in fs::read_dir(self.folder.path()).unwrap() {
            wait_until_old(&file.unwrap().path());
        }
        look_up_in(&self.sources, &module(&self.program), &part.collect::<Vec<_>>()).0
    }

    /// Addresses of `outer`.
    fn outer(&self) -> std::ops::Range<u64> {
        let (start, size) = symbol(&self.program, "outer");
        start..start + size
    }

    /// All entries.
    fn entries(&self) -> Vec<PathBuf> {
        let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten();
        let groups = inside(self.folder.file("cache").join(crate::shelf::FOLDER));
        let entries = groups.flat_map(|group| inside(group.unwrap().path()));
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Gives a function another name in the only entry.
    fn rename(&self, from: &str, to: &str) {
        let [entry] = self.entries().try_into().unwrap();
        let mut bytes = fs::read(&entry).unwrap().split_off(4);
        let place = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        bytes[place..][..to.len()].copy_from_slice(to.as_bytes());
        fs::write(entry, [&crc32fast::hash(&bytes).to_le_bytes()[..], &bytes].concat()).unwrap();
    }

    /// Makes the debug information of the program useless, without a change of its sections.
    fn spoil(&self) {
        let mut bytes = fs::read(&self.program).unwrap();
        let elf = object::File::parse(&*bytes).unwrap();
        let (offset, size) =
            object::ObjectSection::file_range(&elf.section_by_name(".debug_info").unwrap())
                .unwrap();
        bytes[offset as usize..][..size as usize].fill(0);
        fs::write(&self.program, bytes).unwrap();
    }
}

fn wait_until_old(path: &Path) {
    while sigspy_cache::file_key(&fs::metadata(path).unwrap()).is_none() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn names_are_looked_up_once() {
    let case = Case::new("kept", &["-g"]);
    let first = case.frames(case.outer());
    assert!(first.iter().any(|frames| are(frames, &["inner", "outer"])));
    case.rename("inner", "known");
    assert!(case.frames(case.outer()).iter().any(|frames| are(frames, &["known", "outer"])));
    assert_eq!(case.entries().len(), 1);
}

#[test]
fn a_file_with_the_build_id_and_the_sections_of_another_has_its_own_names() {
    let case = Case::new("kept-forged", &["-g"]);
    assert!(case.frames(case.outer()).iter().any(|frames| are(frames, &["inner", "outer"])));
    case.spoil();
    assert!(case.frames(case.outer()).iter().all(|frames| are(frames, &["outer"])));
}

#[test]
fn a_file_that_was_just_written_has_no_entry() {
    let case = Case::new("kept-young", &["-g"]);
    let addresses: Vec<u64> = case.outer().collect();
    fs::write(&case.program, fs::read(&case.program).unwrap()).unwrap();
    look_up_in(&case.sources, &module(&case.program), &addresses);
    assert_eq!(case.entries().len(), 0);
}

#[test]
fn entries_grow_by_what_is_new() {
    let case = Case::new("kept-grows", &["-g"]);
    let (start, end) = (case.outer().start, case.outer().end);
    case.frames(start..start + 4);
    let all = case.frames(start..end);
    case.rename("outer", "known");
    let renamed = case.frames(start..end);
    assert_eq!(renamed.len(), all.len());
    assert!(renamed.iter().all(|frames| &*frames.last().unwrap().function == "known"));
}

#[test]
fn damaged_and_foreign_entries_are_replaced() {
    let case = Case::new("kept-damaged", &["-g"]);
    let frames = case.frames(case.outer());
    let [entry] = case.entries().try_into().unwrap();
    let good = fs::read(&entry).unwrap();
    for bad in [&good[..good.len() / 2], b"", b"something else"] {
        fs::write(&entry, bad).unwrap();
        assert_eq!(case.frames(case.outer()), frames);
        assert_eq!(fs::read(&entry).unwrap(), good);
    }
}

#[test]
fn debug_information_that_appears_is_used_and_gone_is_not() {
    let case = Case::new("kept-better", &["-g"]);
    let outer = case.outer();
    let complete = fs::read(&case.program).unwrap();
    case.folder.run("strip", &["app"]);
    let stripped = case.frames(outer.clone());
    assert!(stripped.iter().all(|frames| frames.len() == 1 && frames[0].line.is_none()));
    let id = module(&case.program).build_id.unwrap().to_string();
    let debug_file = case.folder.file(&format!(".build-id/{}/{}.debug", &id[..2], &id[2..]));
    fs::create_dir_all(debug_file.parent().unwrap()).unwrap();
    fs::write(&debug_file, complete).unwrap();
    wait_until_old(&debug_file);
    assert!(case.frames(outer.clone()).iter().any(|frames| are(frames, &["inner", "outer"])));
    fs::remove_file(&debug_file).unwrap();
    assert_eq!(case.frames(outer), stripped);
    assert_eq!(case.entries().len(), 2);
}

#[test]
fn names_that_lack_a_unit_are_not_kept() {
    let case = Case::new("kept-split", &["-g", "-gsplit-dwarf"]);
    let unit = case.folder.unit();
    let there = fs::read(&unit).unwrap();
    fs::remove_file(&unit).unwrap();
    assert!(case.frames(case.outer()).iter().all(|frames| frames.len() == 1));
    assert_eq!(case.entries().len(), 0);
    fs::write(&unit, there).unwrap();
    assert!(case.frames(case.outer()).iter().any(|frames| are(frames, &["inner", "outer"])));
    fs::remove_file(&unit).unwrap();
    assert!(case.frames(case.outer()).iter().any(|frames| are(frames, &["inner", "outer"])));
}

#[test]
fn a_module_without_a_build_id_has_no_entry() {
    let case = Case::new("kept-anonymous", &["-g", "-Wl,--build-id=none"]);
    assert!(case.frames(case.outer()).iter().any(|frames| are(frames, &["inner", "outer"])));
    assert_eq!(case.entries().len(), 0);
}
