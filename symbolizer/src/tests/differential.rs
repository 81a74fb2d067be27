//! Our names and lines beside those of binutils' addr2line, for addresses all over real programs.
//!
//! They have to agree on the innermost function and its line, but for what is known:
//! * code that no line describes, and padding: addr2line gives it to the function before;
//! * functions that were inlined, and that addr2line passes over: it names one that called them;
//! * functions that the debug information only knows by their last name (`operator()` of a lambda):
//!   we show the whole path of the symbol;
//! * names with a suffix (`.cold`, `.isra.0`, `@@VERSION`): debug information has none.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use object::ObjectSection;

use super::folder::Folder;
use super::*;
use crate::demangle::demangle;

const STL: &str = "\
#include <algorithm>\n#include <iostream>\n#include <map>\n#include <memory>\n\
#include <string>\n#include <vector>\n\
struct Shape { virtual double area() const = 0; virtual ~Shape() = default; };\n\
struct Box : Shape { double x; explicit Box(double x) : x(x) {} double area() const override { return x * x; } };\n\
int main(int argc, char **argv) {\n\
  std::map<std::string, std::vector<std::unique_ptr<Shape>>> all;\n\
  for (int i = 0; i < argc * 100; i++) all[std::to_string(i % 7)].push_back(std::make_unique<Box>(i));\n\
  std::vector<double> areas;\n\
  for (auto &[name, shapes] : all) for (auto &shape : shapes) areas.push_back(shape->area());\n\
  std::sort(areas.begin(), areas.end(), [](double a, double b) { return a > b; });\n\
  for (double area : areas) std::cout << area << ' ' << std::to_string(area).find('7');\n\
}\n";

const COLLECTIONS: &str = "\
use std::collections::{BTreeMap, HashMap, HashSet};\n\
fn main() {\n\
    let words: Vec<String> = std::env::args().chain((0..999).map(|n| format!(\"{n:x}\"))).collect();\n\
    let mut counts: HashMap<char, BTreeMap<usize, HashSet<&str>>> = HashMap::new();\n\
    for word in &words {\n\
        let first = word.chars().next().unwrap_or(' ');\n\
        counts.entry(first).or_default().entry(word.len()).or_default().insert(word);\n\
    }\n\
    let mut sorted: Vec<_> = counts.iter().flat_map(|(_, by_length)| by_length.values()).collect();\n\
    sorted.sort_by_key(|words| std::cmp::Reverse(words.len()));\n\
    println!(\"{sorted:?}\");\n\
}\n";

/// Functions at an address, innermost first, and the line of the first.
#[derive(Debug)]
struct Place {
    functions: Vec<String>,
    line: Option<u32>,
}

/// Addresses spread evenly over the code.
fn spread(program: &Path) -> Vec<u64> {
    let count = if std::env::var_os("SIGSPY_FULL").is_some() { 50_000 } else { 2_000 };
    let bytes = fs::read(program).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let text = elf.section_by_name(".text").unwrap();
    let (start, size) = (text.address(), text.size());
    (0..count).map(|i| start + size * i / count).collect()
}

/// What addr2line says, names demangled as we do it.
fn by_addr2line(program: &Path, addresses: &[u64]) -> Vec<Place> {
    let mut tool = Command::new("addr2line");
    tool.args(["-a", "-f", "-i", "-e"]).arg(program);
    let mut tool = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = tool.stdin.take().unwrap();
    let text: String = addresses.iter().map(|address| format!("{address:#x}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = tool.wait_with_output().unwrap();
    writer.join().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = output.lines().collect();
    let heads = (0..lines.len()).filter(|index| lines[*index].starts_with("0x"));
    let place = |head: usize| Place {
        functions: vec![demangle(lines[head + 1].as_bytes()).0],
        line: line_of(lines[head + 2]),
    };
    heads.map(place).collect()
}

/// The line in `file:line (discriminator 1)`.
fn line_of(text: &str) -> Option<u32> {
    let line = text.split(" (").next()?.rsplit(':').next()?;
    line.parse().ok().filter(|line| *line > 0)
}

/// True for places that should be the same, and are.
fn same(ours: &Place, theirs: &Place) -> bool {
    ours.line == theirs.line && ours.functions[0] == theirs.functions[0]
}

/// True for places that differ in one of the ways that are known.
fn explained(ours: &Place, theirs: &Place) -> bool {
    let (name, short) =
        (&theirs.functions[0], |name: &str| name.split('(').next().map(str::to_owned));
    let is_padding = ours.functions[0].contains("+0x");
    let has_suffix = name.starts_with(&ours.functions[0]);
    let is_last_name =
        short(&ours.functions[0]).zip(short(name)).is_some_and(|(a, b)| a.ends_with(&b));
    let is_caller = ours.functions.contains(name);
    theirs.line.is_none()
        || is_padding
        || ours.line == theirs.line && (has_suffix || is_last_name || is_caller)
}

fn agree(program: PathBuf) {
    let addresses = spread(&program);
    let ours = look_up(&module(&program), &addresses).0;
    let ours = ours.iter().map(|frames| Place {
        functions: frames.iter().map(|frame| frame.function.to_string()).collect(),
        line: frames[0].line,
    });
    let ours: Vec<Place> = ours.collect();
    let theirs = by_addr2line(&program, &addresses);
    assert_eq!(ours.len(), theirs.len());
    let pairs = addresses.iter().zip(ours.iter().zip(&theirs));
    let unequal: Vec<_> = pairs.filter(|(_, (ours, theirs))| !same(ours, theirs)).collect();
    let unexplained = unequal.iter().filter(|(_, (ours, theirs))| !explained(ours, theirs));
    let unexplained: Vec<_> = unexplained.collect();
    assert!(unexplained.is_empty(), "{}: {unexplained:x?}", program.display());
    assert!(unequal.len() * 10 < ours.len(), "{}: {} differ", program.display(), unequal.len());
}

#[test]
fn rust_is_named_as_by_addr2line() {
    let folder = Folder::new("differential-rust");
    fs::write(folder.file("app.rs"), COLLECTIONS).unwrap();
    let options = ["--edition=2024", "-g", "-O", "-Clink-arg=-Wl,--build-id", "app.rs"];
    folder.run("rustc", &options);
    agree(folder.file("app"));
}

#[test]
fn cxx_is_named_as_by_addr2line() {
    for (name, arguments) in [("v5", ["-g", "-gdwarf-5"]), ("v4", ["-gdwarf-4", "-gz"])] {
        let folder = Folder::new(&format!("differential-{name}"));
        agree(folder.compile_with("c++", "app.cc", STL, &arguments));
    }
}
