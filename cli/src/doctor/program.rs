//! What a program allows, from its file alone.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use sigspy_collector::{check_program, find_program};
use sigspy_symbolizer::{Inspection, Sources, inspect};

use super::check::{Check, Examination};
use crate::message;

/// Looks at a program as a shell would find it.
pub fn examine(name: &OsStr, sources: &Sources) -> Examination {
    let found = find_program(name);
    let checks = match &found {
        Ok(path) => checks(path, path, sources),
        Err(error) => vec![refused(error)],
    };
    let shown = found.unwrap_or_else(|_| name.into());
    Examination { subject: shown.display().to_string(), checks }
}

/// Whether the agent can get into the file at `path`, and what the profile would have. `shown`: what
/// the file is called.
pub fn checks(path: &Path, shown: &Path, sources: &Sources) -> Vec<Check> {
    let program = match check_program(path) {
        Ok(program) => program,
        Err(error) => return vec![refused(&error)],
    };
    let mut checks = Vec::new();
    if program != path {
        checks.push(Check::ok("script", format!("run by {}", program.display())));
    }
    let shown = if program == path { shown } else { &program };
    checks.extend(interpreter(shown));
    match inspect(&program, sources) {
        Ok(found) => checks.extend([
            loader(&found),
            unwinding(&found),
            symbols(shown, &found),
            debug_info(&program, &found),
        ]),
        Err(problem) => {
            let remedy = "without, functions are shown as addresses";
            checks.push(Check::warn("file", message::with_causes(&problem), remedy));
        }
    }
    checks
}

/// How an interpreter is asked for the names of what it interprets.
fn interpreter(program: &Path) -> Option<Check> {
    const FLAGS: [(&str, &str); 3] = [
        (
            "java",
            "java -XX:+PreserveFramePointer -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit",
        ),
        ("node", "node --perf-basic-prof --interpreted-frames-native-stack"),
        ("python3", "python3 -X perf, from 3.12 on"),
    ];
    let name = program.file_name()?.to_str()?;
    let (_, flags) = FLAGS.iter().find(|(prefix, _)| name.starts_with(prefix))?;
    Some(Check::ok("interpreter", format!("functions of its programs have names with `{flags}`")))
}

/// The error has its remedy behind a semicolon.
fn refused(error: &sigspy_collector::Error) -> Check {
    let text = message::with_causes(error);
    let (found, remedy) = text.split_once("; ").unwrap_or((&text, "see `sigspy record --help`"));
    Check::no("program", found, remedy)
}

fn loader(found: &Inspection) -> Check {
    const NAME: &str = "loader";
    match found.interpreter.as_deref() {
        Some(loader) if loader.contains("ld-linux") => {
            Check::ok(NAME, format!("{loader}, of glibc"))
        }
        Some(loader) => Check::warn(
            NAME,
            format!("{loader}, which sigspy is not tested with"),
            "build it for glibc if there are no samples",
        ),
        None => Check::ok(NAME, "named by the program headers alone"),
    }
}

fn unwinding(found: &Inspection) -> Check {
    const NAME: &str = "stacks";
    /// The start-up code of a C library and some assembly have none, which costs nothing.
    const START_UP: u64 = 1024;
    const MOST: f64 = 0.9;
    const HALF: f64 = 0.5;
    let share = found.unwindable as f64 / found.code.max(1) as f64;
    let is_little = found.code - found.unwindable <= START_UP;
    if found.is_go {
        return Check::ok(NAME, "by the frame pointers that Go keeps");
    }
    let percent = format!("{:.1} % of the code has unwind information", 100.0 * share);
    match share >= if is_little { HALF } else { MOST } {
        true => Check::ok(NAME, percent),
        false => Check::warn(
            NAME,
            format!("{percent}; the rest needs frame pointers"),
            "compile with -fasynchronous-unwind-tables or -fno-omit-frame-pointer",
        ),
    }
}

fn symbols(program: &Path, found: &Inspection) -> Check {
    const NAME: &str = "names";
    let build_id = found.build_id.as_ref().map_or("none".to_owned(), ToString::to_string);
    let checked = match found.has_symbols || found.debug_info.is_some() {
        true => Check::ok(NAME, "of all functions"),
        false => Check::warn(
            NAME,
            format!("only of what {} exports; it is stripped", program.display()),
            "keep its symbols, or install its debug package",
        ),
    };
    checked.with_detail(format!("build-id: {build_id}"))
}

fn debug_info(program: &Path, found: &Inspection) -> Check {
    const NAME: &str = "lines";
    const REMEDY: &str = "build with -g (Rust: debug = \"line-tables-only\"), or install its debug \
                          package";
    let Some(debug) = &found.debug_info else {
        return Check::warn(NAME, "none, and no inlined functions", REMEDY);
    };
    let place = match debug.file == program {
        true => "in the program itself".to_owned(),
        false => format!("in {}", debug.file.display()),
    };
    let packed = if debug.is_compressed { ", compressed" } else { "" };
    match debug.has_lines {
        true => Check::ok(NAME, format!("{place}{packed}")),
        false => {
            Check::warn(NAME, format!("none, though there is debug information {place}"), REMEDY)
        }
    }
}

/// The file of a process, and what the process calls it. In a container, or after an update, that may
/// be the path of another file here.
pub fn of_process(pid: u32) -> io::Result<(PathBuf, PathBuf)> {
    let own = PathBuf::from(format!("/proc/{pid}/exe"));
    let called = fs::read_link(&own)?;
    let file = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    let is_here = file(&own).is_ok_and(|own| file(&called).is_ok_and(|here| here == own));
    Ok((if is_here { called.clone() } else { own }, called))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_known_by_its_file_even_if_another_has_its_name() {
        let path = std::env::temp_dir().join(format!("sigspy-program-{}", std::process::id()));
        fs::copy("/bin/sleep", &path).unwrap();
        let mut process = Command::new(&path).arg("60").spawn().unwrap();
        assert_eq!(of_process(process.id()).unwrap(), (path.clone(), path.clone()));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another").unwrap();
        let (file, called) = of_process(process.id()).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(file, PathBuf::from(format!("/proc/{}/exe", process.id())));
        assert!(called.display().to_string().starts_with(&path.display().to_string()));
        fs::remove_file(&path).unwrap();
    }
}
