//! Files from other places than the system's: folders that somebody names, what was kept of a
//! program, other root folders, and a file in the file.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use super::debug_files::{split, store};
use super::folder::{Folder, INLINING};
use super::*;
use crate::Kept;

fn folders(folders: &[PathBuf]) -> Sources {
    let debug_root = "/nonexistent".into();
    Sources { folders: folders.to_vec(), debug_root, ..Sources::default() }
}

/// The file at `path`, kept while the program ran, and the root folder of that.
fn kept(file: Option<&Path>, root: Option<&Path>) -> Sources {
    let file = file.map(|path| Arc::new(File::open(path).unwrap()));
    let root = root.map(|path| Arc::new(File::open(path).unwrap().into()));
    let kept = [(ModuleId(0), Kept { file, root })].into();
    Sources { kept, ..folders(&[]) }
}

fn has_lines(frames: &[Vec<Frame>]) -> bool {
    frames[0].iter().any(|frame| frame.line.is_some())
}

#[test]
fn a_folder_may_hold_debug_files_by_any_name_that_is_usual() {
    let folder = Folder::new("named");
    let (module, address) = split(&folder, &["-g"]);
    folder.run("objcopy", &["--add-gnu-debuglink=app.debug", "app"]);
    fs::create_dir(folder.file("symbols")).unwrap();
    let below = folder.path().strip_prefix("/").unwrap();
    let id = module.build_id.as_ref().unwrap().to_string();
    let debug = folder.file("app.debug");
    let places = [
        PathBuf::from(format!(".build-id/{}/{}.debug", &id[..2], &id[2..])),
        PathBuf::from(format!("{}/{}.debug", &id[..2], &id[2..])),
        "app.debug".into(),
        ".debug/app.debug".into(),
        "app".into(),
        below.join("app.debug"),
        below.join("app"),
    ];
    fs::rename(&debug, folder.file("kept")).unwrap();
    for place in places {
        let place = folder.file("symbols").join(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::rename(folder.file("kept"), &place).unwrap();
        let sources = folders(&[folder.file("symbols")]);
        let (frames, cause) = look_up_in(&sources, &module, &[address]);
        assert!(has_lines(&frames) && cause.is_none(), "{}: {cause:?}", place.display());
        fs::rename(&place, folder.file("kept")).unwrap();
    }
}

#[test]
fn a_program_that_is_not_here_is_found_in_a_folder() {
    let folder = Folder::new("elsewhere");
    let path = folder.compile(INLINING, &[]);
    let (address, _) = symbol(&path, "outer");
    let module = Module { path: "/no/such/folder/app".to_owned(), ..module(&path) };
    let sources = folders(&["/nonexistent".into(), folder.path().to_owned()]);
    let (frames, cause) = look_up_in(&sources, &module, &[address]);
    assert!(are(&frames[0], &["outer"]));
    assert!(matches!(cause, Some(Cause::NoDebugInfo)), "{cause:?}");
}

#[test]
fn another_build_in_a_folder_is_told_and_not_used() {
    let folder = Folder::new("elsewhere-foreign");
    let path = folder.compile(INLINING, &["-g"]);
    let (address, _) = symbol(&path, "outer");
    let module = Module { path: "/no/such/folder/app".to_owned(), ..module(&path) };
    folder.compile(INLINING, &["-g", "-Dinner=another"]);
    let sources = folders(&[folder.path().to_owned()]);
    let (frames, cause) = look_up_in(&sources, &module, &[address]);
    assert!(are(&frames[0], &[&format!("app+{address:#x}")]));
    assert!(matches!(cause, Some(Cause::Foreign { path: other, .. }) if other == path));
}

#[test]
fn a_problem_is_told_without_control_characters() {
    let path = "/no/such\u{1b}[2J/app".to_owned();
    let module = Module { path, build_id: None, image: None };
    let locations = [Location { module: Some(ModuleId(0)), address: 1 }];
    let found = symbolize(&[module], &locations, &BTreeMap::new(), &folders(&[]), &|_, _| ());
    let problem = &found.problems[0];
    assert!(problem.to_string().starts_with("/no/such\u{fffd}[2J/app cannot be opened"));
    assert_eq!(problem.path, "/no/such\u{fffd}[2J/app");
}

#[test]
fn damaged_files_in_a_folder_are_passed_over() {
    let folder = Folder::new("elsewhere-damaged");
    let (module, address) = split(&folder, &["-g"]);
    let debug = fs::read(folder.file("app.debug")).unwrap();
    fs::create_dir(folder.file("symbols")).unwrap();
    for damage in [&debug[..debug.len() / 2], b"", b"no ELF file"] {
        fs::write(folder.file("symbols/app.debug"), damage).unwrap();
        let sources = folders(&[folder.file("symbols"), folder.path().to_owned()]);
        let (frames, cause) = look_up_in(&sources, &module, &[address]);
        assert!(has_lines(&frames) && cause.is_none(), "{cause:?}");
    }
}

#[test]
fn the_file_that_ran_has_the_names_whatever_is_at_its_path_now() {
    let folder = Folder::new("kept");
    let path = folder.compile(INLINING, &["-g"]);
    let (address, _) = symbol(&path, "outer");
    let module = module(&path);
    let sources = kept(Some(&path), None);
    let (expected, cause) = look_up_in(&sources, &module, &[address]);
    assert!(has_lines(&expected) && cause.is_none(), "{cause:?}");
    fs::remove_file(&path).unwrap();
    let (frames, cause) = look_up_in(&sources, &module, &[address]);
    assert!(frames == expected && matches!(cause, Some(Cause::Removed)), "{cause:?}");
    folder.compile(INLINING, &["-g", "-Dinner=another"]);
    let (frames, cause) = look_up_in(&sources, &module, &[address]);
    assert!(frames == expected, "{frames:?}");
    let now = super::module(&path).build_id;
    assert!(
        matches!(&cause, Some(Cause::ReplacedWhileRunning { found }) if *found == now),
        "{cause:?}"
    );
}

#[test]
fn without_a_build_id_only_the_file_that_ran_is_believed() {
    let folder = Folder::new("kept-nameless");
    let path = folder.compile(INLINING, &["-g", "-Wl,--build-id=none"]);
    let (address, _) = symbol(&path, "outer");
    let module = module(&path);
    assert!(has_lines(&look_up_in(&kept(Some(&path), None), &module, &[address]).0));
    // It is also there in our root, of which the program knew nothing.
    for sources in [kept(None, None), kept(None, Some(&folder.file("..")))] {
        let (frames, cause) = look_up_in(&sources, &module, &[address]);
        assert!(are(&frames[0], &[&format!("app+{address:#x}")]), "{frames:?}");
        assert!(matches!(cause, Some(Cause::Unproven)), "{cause:?}");
    }
}

#[test]
fn the_same_file_again_is_no_reason_for_a_word() {
    let folder = Folder::new("kept-same");
    let path = folder.compile(INLINING, &["-g"]);
    let (address, _) = symbol(&path, "outer");
    let sources = kept(Some(&path), None);
    fs::copy(&path, folder.file("copy")).unwrap();
    fs::rename(folder.file("copy"), &path).unwrap();
    let (frames, cause) = look_up_in(&sources, &module(&path), &[address]);
    assert!(has_lines(&frames) && cause.is_none(), "{cause:?}");
}

#[test]
fn a_file_that_was_kept_by_mistake_is_not_believed() {
    let folder = Folder::new("kept-wrong");
    let path = folder.compile(INLINING, &["-g"]);
    let (address, _) = symbol(&path, "outer");
    let sources = kept(Some(Path::new("/bin/sh")), None);
    let (frames, cause) = look_up_in(&sources, &module(&path), &[address]);
    assert!(has_lines(&frames) && cause.is_none(), "{cause:?}");
}

#[test]
fn debug_files_are_looked_for_in_the_root_folder_of_the_program() {
    let folder = Folder::new("root");
    let (module, address) = split(&folder, &["-g"]);
    let program = folder.file("root/opt/app");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::rename(folder.file("app"), &program).unwrap();
    let module = Module { path: "/opt/app".to_owned(), ..module };
    // A link that is absolute begins in that root folder, too.
    fs::rename(folder.file("app.debug"), folder.file("root/opt/real.debug")).unwrap();
    let link = store(&folder, &module);
    let below = link.strip_prefix(folder.path()).unwrap();
    let in_root = folder.file("root/usr/lib/debug").join(below);
    fs::create_dir_all(in_root.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/opt/real.debug", &in_root).unwrap();
    let sources = kept(None, Some(&folder.file("root")));
    let sources = Sources { debug_root: "/usr/lib/debug".into(), ..sources };
    let (frames, cause) = look_up_in(&sources, &module, &[address]);
    assert!(has_lines(&frames) && cause.is_none(), "{cause:?}");
}

#[test]
fn links_in_the_root_folder_of_a_program_do_not_lead_out_of_it() {
    let folder = Folder::new("root-escape");
    let path = folder.compile(INLINING, &["-g"]);
    fs::create_dir(folder.file("root")).unwrap();
    std::os::unix::fs::symlink("../app", folder.file("root/program")).unwrap();
    let module = Module { path: "/program".to_owned(), ..module(&path) };
    let sources = kept(None, Some(&folder.file("root")));
    let (_, cause) = look_up_in(&sources, &module, &[0x10]);
    assert!(matches!(cause, Some(Cause::Missing(_))), "{cause:?}");
}

/// A program without symbols but for those in `.gnu_debugdata`, as Fedora makes it.
fn with_mini_debug_info(folder: &Folder, damage: impl Fn(&mut Vec<u8>)) -> (Module, u64) {
    let program = folder.compile(INLINING, &[]);
    let (address, _) = symbol(&program, "outer");
    folder.run("objcopy", &["--only-keep-debug", "app", "mini"]);
    folder.run("strip", &["app"]);
    folder.run("xz", &["--force", "mini"]);
    let mut packed = fs::read(folder.file("mini.xz")).unwrap();
    damage(&mut packed);
    fs::write(folder.file("mini.xz"), packed).unwrap();
    folder.run("objcopy", &["--add-section", ".gnu_debugdata=mini.xz", "app"]);
    (module(&program), address)
}

#[test]
fn a_symbol_table_in_the_file_itself_has_the_names() {
    let folder = Folder::new("mini");
    let (module, address) = with_mini_debug_info(&folder, |_| ());
    let (frames, cause) = look_up(&module, &[address]);
    assert!(are(&frames[0], &["outer"]), "{frames:?}");
    assert!(matches!(cause, Some(Cause::NoDebugInfo)), "{cause:?}");
}

#[test]
fn a_damaged_symbol_table_in_the_file_costs_names() {
    let folder = Folder::new("mini-damaged");
    let cut = |packed: &mut Vec<u8>| packed.truncate(packed.len() / 2);
    let flip = |packed: &mut Vec<u8>| {
        let middle = packed.len() / 2;
        packed[middle] ^= 0xff;
    };
    let text = |packed: &mut Vec<u8>| *packed = b"no xz file".to_vec();
    for damage in [&cut as &dyn Fn(&mut Vec<u8>), &flip, &text] {
        let (module, address) = with_mini_debug_info(&folder, damage);
        let (frames, cause) = look_up(&module, &[address]);
        assert!(are(&frames[0], &[&format!("app+{address:#x}")]), "{frames:?}");
        assert!(matches!(cause, Some(Cause::NoSymbols)), "{cause:?}");
    }
}

/// A file full of holes can claim any size.
#[test]
fn a_huge_symbol_table_in_the_file_is_not_copied() {
    let folder = Folder::new("mini-huge");
    let (module, address) = with_mini_debug_info(&folder, |_| ());
    let mut bytes = fs::read(folder.file("app")).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let section = elf.section_by_name(".gnu_debugdata").unwrap();
    let index = object::ObjectSection::index(&section).0;
    let header = u64::from_le_bytes(bytes[0x28..0x30].try_into().unwrap()) as usize + index * 64;
    let (size, offset) = (200 << 30, bytes.len() as u64);
    bytes[header + 24..][..8].copy_from_slice(&offset.to_le_bytes()); // sh_offset
    bytes[header + 32..][..8].copy_from_slice(&u64::to_le_bytes(size)); // sh_size
    fs::write(folder.file("app"), bytes).unwrap();
    File::options().write(true).open(folder.file("app")).unwrap().set_len(offset + size).unwrap();
    let (frames, _) = look_up(&module, &[address]);
    assert!(are(&frames[0], &[&format!("app+{address:#x}")]), "{frames:?}");
}

#[test]
fn compressed_debug_files_are_read() {
    for kind in ["zlib", "zstd"] {
        let folder = Folder::new(&format!("compressed-{kind}"));
        let (module, address) = split(&folder, &["-g"]);
        folder.run("objcopy", &[&format!("--compress-debug-sections={kind}"), "app.debug"]);
        let (frames, cause) = look_up_in(&folders(&[folder.path().into()]), &module, &[address]);
        assert!(has_lines(&frames) && cause.is_none(), "{kind}: {cause:?}");
    }
}
