//! Debug information in files of its own, and files that are not what was recorded.

use std::fs;

use super::folder::{Folder, INLINING};
use super::*;

/// A stripped program beside `app.debug`, which has its debug information.
pub fn split(folder: &Folder, arguments: &[&str]) -> (Module, u64) {
    let program = folder.compile(INLINING, arguments);
    let (address, _) = symbol(&program, "outer");
    folder.run("objcopy", &["--only-keep-debug", "app", "app.debug"]);
    folder.run("strip", &["app"]);
    (module(&program), address)
}

/// Where a debug file of the module belongs below the folder.
pub fn store(folder: &Folder, module: &Module) -> std::path::PathBuf {
    let id = module.build_id.as_ref().unwrap().to_string();
    let path = folder.file(&format!(".build-id/{}/{}.debug", &id[..2], &id[2..]));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

#[test]
fn a_debug_file_is_found_by_build_id() {
    let folder = Folder::new("by-id");
    let (module, address) = split(&folder, &["-g"]);
    let program = fs::read(folder.file("app")).unwrap();
    fs::rename(folder.file("app.debug"), store(&folder, &module)).unwrap();
    let (frames, cause) = look_up_with(folder.path(), &module, &[address]);
    assert!(cause.is_none(), "{cause:?}");
    assert_eq!(&*frames[0].last().unwrap().function, "outer");
    assert_eq!(frames[0].last().unwrap().line, Some(3));
    // Also when the program itself is gone, or is another one by now.
    fs::remove_file(folder.file("app")).unwrap();
    assert_eq!(look_up_with(folder.path(), &module, &[address]).0, frames);
    fs::write(folder.file("app"), &program[..program.len() / 2]).unwrap();
    let (found, cause) = look_up_with(folder.path(), &module, &[address]);
    assert!(found == frames && cause.is_none(), "{cause:?}");
}

#[test]
fn a_debug_file_may_hold_symbols_alone() {
    let folder = Folder::new("symbols-alone");
    let (module, address) = split(&folder, &[]);
    fs::rename(folder.file("app.debug"), store(&folder, &module)).unwrap();
    let (frames, cause) = look_up_with(folder.path(), &module, &[address]);
    assert!(are(&frames[0], &["outer"]));
    assert!(matches!(cause, Some(Cause::NoDebugInfo)), "{cause:?}");
}

#[test]
fn a_debug_link_is_followed_where_the_checksum_is_right() {
    let folder = Folder::new("link");
    let (_, address) = split(&folder, &["-g", "-Wl,--build-id=none"]);
    folder.run("objcopy", &["--add-gnu-debuglink=app.debug", "app"]);
    let module = module(&folder.file("app"));
    assert_eq!(module.build_id, None);
    let (frames, cause) = look_up(&module, &[address]);
    assert!(cause.is_none(), "{cause:?}");
    assert_eq!(&*frames[0].last().unwrap().function, "outer");
    let mut debug = fs::read(folder.file("app.debug")).unwrap();
    debug.push(0);
    fs::write(folder.file("app.debug"), debug).unwrap();
    let (frames, cause) = look_up(&module, &[address]);
    assert!(are(&frames[0], &[&format!("app+{address:#x}")]));
    assert!(matches!(cause, Some(Cause::Foreign { wanted: None, .. })), "{cause:?}");
}

#[test]
fn a_debug_link_is_followed_where_the_build_id_is_right() {
    let folder = Folder::new("link-id");
    let (module, address) = split(&folder, &["-g"]);
    folder.run("objcopy", &["--add-gnu-debuglink=app.debug", "app"]);
    fs::create_dir(folder.file(".debug")).unwrap();
    fs::rename(folder.file("app.debug"), folder.file(".debug/app.debug")).unwrap();
    let (frames, cause) = look_up(&module, &[address]);
    assert!(cause.is_none() && &*frames[0].last().unwrap().function == "outer", "{cause:?}");
}

#[test]
fn a_debug_file_of_another_program_is_not_believed() {
    let folder = Folder::new("foreign");
    let (module, address) = split(&folder, &["-g"]);
    let other = Folder::new("foreign-other");
    let (foreign, _) = split(&other, &["-g", "-Dinner=another"]);
    assert_ne!(module.build_id, foreign.build_id);
    fs::copy(other.file("app.debug"), store(&folder, &module)).unwrap();
    let (frames, cause) = look_up_with(folder.path(), &module, &[address]);
    assert!(are(&frames[0], &[&format!("app+{address:#x}")]));
    let Some(Cause::Foreign { path, found, wanted }) = cause else { panic!("{cause:?}") };
    assert_eq!((path, found), (store(&folder, &module), foreign.build_id));
    assert_eq!(wanted, module.build_id);
}

#[test]
fn a_debug_file_of_another_build_is_told_of_where_symbols_are_found() {
    let folder = Folder::new("foreign-symbols");
    let (module, address) = split(&folder, &[]);
    let other = Folder::new("foreign-symbols-other");
    split(&other, &["-g", "-Dinner=another"]);
    fs::rename(folder.file("app.debug"), store(&folder, &module)).unwrap();
    let sources = Sources {
        folders: vec![other.path().to_owned()],
        debug_root: folder.path().to_owned(),
        ..Sources::default()
    };
    let (frames, cause) = look_up_in(&sources, &module, &[address]);
    assert!(are(&frames[0], &["outer"]));
    assert!(matches!(cause, Some(Cause::Foreign { .. })), "{cause:?}");
}

#[test]
fn a_file_that_was_replaced_gives_no_names() {
    let folder = Folder::new("replaced");
    let program = folder.compile(INLINING, &["-g"]);
    let recorded = module(&program);
    let (address, _) = symbol(&program, "outer");
    folder.compile(INLINING, &["-g", "-Dinner=another"]);
    let (frames, cause) = look_up(&recorded, &[address]);
    assert!(are(&frames[0], &[&format!("app+{address:#x}")]));
    let Some(Cause::Replaced { recorded: id, found: Some(found) }) = cause else {
        panic!("{cause:?}")
    };
    assert!(Some(&id) == recorded.build_id.as_ref() && found != id);
    fs::remove_file(&program).unwrap();
    assert!(matches!(look_up(&recorded, &[address]).1, Some(Cause::Missing(_))));
}

#[test]
fn a_pipe_in_place_of_a_file_is_not_waited_for() {
    let folder = Folder::new("pipe");
    folder.run("mkfifo", &["pipe"]);
    let path = folder.file("pipe").to_str().unwrap().to_owned();
    let module = Module { path, build_id: None, image: None };
    let (frames, cause) = look_up(&module, &[0x10]);
    assert!(are(&frames[0], &["pipe+0x10"]));
    assert!(matches!(cause, Some(Cause::Missing(_))));
}
