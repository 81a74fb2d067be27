//! Builds the programs in `programs/` and `torture/`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::binary::{target, workspace};

/// What a program is written in, and so how it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    C,
    Cpp,
    Rust,
}

/// A test program, built and ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
}

impl AsRef<OsStr> for Program {
    fn as_ref(&self) -> &OsStr {
        self.path.as_os_str()
    }
}

/// The program `programs/SOURCE`, optimized, without frame pointers and without debug information.
pub fn program(source: &str) -> Program {
    program_with(source, &[])
}

/// The program `programs/SOURCE`, built with more flags.
pub fn program_with(source: &str, flags: &[&str]) -> Program {
    program_in("programs", source, flags)
}

/// The program `FOLDER/SOURCE` beside the tests, built with more flags.
pub fn program_in(folder: &str, source: &str, flags: &[&str]) -> Program {
    build(None, folder, source, flags)
}

/// The same by another compiler than that of the system: `clang` or `clang++`.
pub fn program_by(compiler: &str, folder: &str, source: &str, flags: &[&str]) -> Program {
    build(Some(compiler), folder, source, flags)
}

fn build(other: Option<&str>, folder: &str, source: &str, flags: &[&str]) -> Program {
    let source_path = workspace().join("tests").join(folder).join(source);
    let by = other.unwrap_or_default();
    let name = format!("{folder}-{}{by}{}", source.replace('.', "-"), flags.concat());
    let built = target().join("sigspy-programs").join(name);
    fs::create_dir_all(&built).expect("the target folder is writable");
    let path = built.join(source_path.file_stem().expect("a source has a name"));

    let lock = File::create(built.join("lock")).expect("the target folder is writable");
    lock.lock().expect("Linux can lock a file");
    if modified(&path) < modified(&source_path).max(newest_header()) {
        compile(other, &source_path, flags, &path);
    }
    Program { path }
}

/// When a header of any program was changed last.
fn newest_header() -> Option<SystemTime> {
    let folders = ["programs", "torture"].map(|folder| workspace().join("tests").join(folder));
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let files = entries.map(|entry| entry.expect("a folder can be read").path());
    let headers = files.filter(|path| path.extension() == Some(OsStr::new("h")));
    headers.map(|path| modified(&path)).max().flatten()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn compile(other: Option<&str>, source: &Path, flags: &[&str], output: &Path) {
    let (cc, cxx) = (other.unwrap_or("cc"), other.unwrap_or("c++"));
    let package = |usual| if other.is_some() { "clang" } else { usual };
    let mut compiler = match language(source) {
        Language::C => compiler(cc, package("gcc"), &["-O2", "-fomit-frame-pointer", "-pthread"]),
        Language::Cpp => compiler(
            cxx,
            package("g++"),
            &["-std=c++17", "-O2", "-fomit-frame-pointer", "-pthread"],
        ),
        Language::Rust => Command::new("rustc"),
    };
    if language(source) == Language::Rust {
        compiler.args(["--edition=2024", "-O", "-Cforce-frame-pointers=no"]);
    }
    let result = compiler.arg(source).args(flags).arg("-o").arg(output).output();
    let result = result.unwrap_or_else(|error| panic!("cannot run {compiler:?}: {error}"));
    let errors = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{compiler:?} failed:\n{errors}");
}

fn compiler(name: &str, package: &str, flags: &[&str]) -> Command {
    needs(name, package);
    let mut command = Command::new(name);
    command.args(flags);
    command
}

fn language(source: &Path) -> Language {
    match source.extension().and_then(OsStr::to_str) {
        Some("c") => Language::C,
        Some("cpp") => Language::Cpp,
        Some("rs") => Language::Rust,
        _ => panic!("{} is in no language that we can build", source.display()),
    }
}

/// Fails, saying what to install, unless a program is found in `PATH`; returns where it is.
pub fn needs(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: apt-get install {package}"))
}
