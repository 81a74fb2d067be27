//! Debug information as packages of distributions have it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigspy_tests::{needs, program_with, record_with, run};

use super::{Stripped, is_named, objcopy};

#[test]
fn a_debug_file_beside_the_program_is_found_compressed_or_not() {
    for compression in ["none", "zlib", "zstd"] {
        let app = Stripped::new("phases.c");
        objcopy(&[format!("--compress-debug-sections={compression}").as_ref(), &app.debug]);
        let link = format!("--add-gnu-debuglink={}", app.debug.display());
        objcopy(&[link.as_ref(), &app.program]);
        fs::rename(app.folder.join("debug"), app.folder.join(".debug")).expect("it is ours");
        let recorded = record_with(&["-F", "250"], [&app.program]).expect(5);
        assert!(is_named(&recorded.folded(), "main"), "{compression}: {}", recorded.outcome);
    }
}

#[test]
fn a_debug_file_of_another_build_is_told_and_gives_no_names() {
    let app = Stripped::new("phases.c");
    let other = Stripped::new("split.c");
    fs::copy(&other.debug, &app.debug).expect("it is ours");
    let folder = app.folder.join("debug");
    let folder = folder.to_str().expect("temporary folders have plain names");
    let recorded = record_with(&["-F", "250", "--symbol-dir", folder], [&app.program]).expect(5);
    let (wanted, found) = (app.build_id(), other.build_id());
    let warning = format!(
        "{} is of another build than {} (build-id {}{}, wanted {}{})",
        app.debug.display(),
        app.program.display(),
        found.0,
        found.1,
        wanted.0,
        wanted.1
    );
    assert!(recorded.outcome.stderr.contains(&warning), "{}", recorded.outcome);
    assert!(!is_named(&recorded.folded(), "main"), "{}", recorded.outcome);
}

/// Two programs whose debug files have a third in common.
fn with_common_file() -> (Stripped, PathBuf) {
    needs("dwz", "dwz");
    let app = Stripped::new("deep.cpp");
    let other = app.folder.join("debug/other");
    let built = program_with("pool.cpp", &["-g", "-Wl,--build-id"]);
    fs::copy(built.path, &other).expect("a temporary folder is writable");
    let common = app.folder.join("common");
    let mut dwz = Command::new("dwz");
    dwz.arg("-m").arg(&common).arg("-M").arg(&common).args([&app.debug, &other]);
    run(&mut dwz).expect(0);
    (app, common)
}

fn record(app: &Stripped) -> sigspy_tests::Recorded {
    let folder = app.folder.join("debug");
    let folder = folder.to_str().expect("temporary folders have plain names");
    record_with(&["-F", "250", "--symbol-dir", folder], [&app.program]).expect(0)
}

fn has_alt_link(path: &Path) -> bool {
    let bytes = fs::read(path).expect("it was written");
    let file = object::File::parse(&*bytes).expect("it is an ELF file");
    object::Object::gnu_debugaltlink(&file).expect("it is sound").is_some()
}

#[test]
fn what_dwz_has_moved_to_a_common_file_is_followed() {
    let (app, common) = with_common_file();
    assert!(has_alt_link(&app.debug));
    let recorded = record(&app);
    assert!(is_named(&recorded.folded(), "main"), "{}", recorded.outcome);
    assert!(!recorded.outcome.stderr.contains("is missing"), "{}", recorded.outcome);
    fs::remove_file(common).expect("it is ours");
    let recorded = record(&app);
    let warning = "with a part of the debug information of";
    assert!(recorded.outcome.stderr.contains(warning), "{}", recorded.outcome);
}

#[test]
fn names_of_a_compressed_symbol_table_in_the_program_are_read() {
    needs("xz", "xz-utils");
    let app = Stripped::new("phases.c");
    run(Command::new("xz").arg("--keep").arg(&app.debug)).expect(0);
    let section = format!(".gnu_debugdata={}.xz", app.debug.display());
    objcopy(&["--add-section".as_ref(), section.as_ref(), &app.program]);
    let recorded = record_with(&["-F", "250"], [&app.program]).expect(5);
    assert!(is_named(&recorded.folded(), "main"), "{}", recorded.outcome);
}
