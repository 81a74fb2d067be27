//! Every command in the documentation does what a reader sees it do: it runs and ends with 0.
//!
//! Commands are the lines of blocks marked `sh`, and those after a `$` in blocks marked `console`.
//! Those of a page run one after another in one folder, in which the programs and files are that
//! the pages speak of, with this `sigspy` in PATH.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sigspy_tests::{TempDir, copy_folder, needs, processors, prose, run_within, sigspy, workspace};

/// Commands that are not run, and why that is no loss.
const NOT_RUN: [&str; 3] = [
    "./tests/run",              // is what runs this test
    "cargo install --path cli", // builds what `tests/run` has built
    "cargo build --release",    // so does this
];
/// How a page for people who have only cloned the repository says `sigspy`.
const FROM_A_CLONE: &str = "cargo run --release -- ";
/// For the commands of one page.
const PATIENCE: Duration = Duration::from_secs(400);

/// The commands of a page as one shell script.
fn script(page: &str) -> String {
    let mut script = String::new();
    let mut language = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), language) {
            (Some(named), None) => language = Some(named),
            (Some(_), Some(_)) => language = None,
            (None, Some("sh")) => script += &command(line),
            (None, Some("console")) => {
                script += &line.strip_prefix("$ ").map(command).unwrap_or_default()
            }
            (None, _) => {}
        }
    }
    script
}

/// A line of a script; empty for one that is not run.
fn command(line: &str) -> String {
    let line = line.replace(FROM_A_CLONE, "sigspy ");
    if NOT_RUN.iter().any(|one| line.trim_start().starts_with(one)) {
        return String::new();
    }
    line + "\n"
}

/// What the pages take for granted.
fn prepare(folder: &TempDir) {
    let docs = workspace().join("tests/docs");
    copy_folder(&docs, folder.path());
    needs("cc", "gcc");
    for name in ["app", "server"] {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-g", "-o"]).arg(folder.join(name)).arg(docs.join("app.c"));
        assert!(cc.status().expect("cc runs").success());
    }
    copy_folder(&docs.join("shop"), &folder.join("regex-syntax")); // any crate in one file will do
    folder.write("some-big-file", prose(3_000_000));
}

/// Runs the commands of the page at `path`.
fn try_out(path: &str) {
    let page = fs::read_to_string(workspace().join(path)).expect("the page is there");
    let script = script(&page);
    if script.is_empty() {
        return;
    }
    let _turn = processors();
    let folder = TempDir::new();
    prepare(&folder);
    let binaries = sigspy().canonicalize().expect("it is there");
    let binaries = binaries.parent().expect("it is in a folder").to_owned();
    let search = std::env::var("PATH").unwrap_or_default();
    let mut bash = Command::new("bash");
    bash.args(["-eu", "-o", "pipefail", "-x", "-c", &script]).current_dir(folder.path());
    bash.env("PATH", format!("{}:{search}", binaries.display()));
    bash.env("TMPDIR", folder.path());
    run_within(PATIENCE, &mut bash).expect(0);
}

/// All pages with commands in them.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(workspace().join("docs")).expect("there is a folder of pages");
    let docs = docs.map(|entry| PathBuf::from("docs").join(entry.expect("readable").file_name()));
    let mut pages: Vec<_> =
        docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.push("README.md".into());
    pages.sort();
    pages
}

macro_rules! pages {
    ($($test:ident: $path:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            try_out($path);
        })*

        #[test]
        fn every_page_is_tried_out() {
            let tried: Vec<PathBuf> = [$($path),*].map(PathBuf::from).to_vec();
            let missing: Vec<_> = pages().into_iter().filter(|page| !tried.contains(page)).collect();
            assert!(missing.is_empty(), "add these to the list in docs.rs: {missing:?}");
        }
    };
}

pages! {
    the_readme: "README.md",
    cargo: "docs/cargo.md",
    ci: "docs/ci.md",
    comparing: "docs/comparing.md",
    cost: "docs/cost.md",
    formats: "docs/formats.md",
    interpreters: "docs/interpreters.md",
    json: "docs/json.md",
    limits: "docs/limits.md",
    measuring: "docs/measuring.md",
    messages: "docs/messages.md",
    names: "docs/names.md",
    preload: "docs/preload.md",
    reading: "docs/reading.md",
    result: "docs/result.md",
    settings: "docs/settings.md",
}

/// Links between pages lead somewhere.
#[test]
fn links_lead_to_files_and_sections() {
    let mut pages = pages();
    pages.extend(["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from));
    for page in &pages {
        let text = fs::read_to_string(workspace().join(page)).expect("the page is there");
        for link in links(&text) {
            let (path, section) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.parent().expect("it is in a folder");
            let target = if path.is_empty() { page.clone() } else { folder.join(path) };
            let target = workspace().join(target);
            assert!(target.exists(), "{}: {link}", page.display());
            let linked = if section.is_empty() { None } else { fs::read_to_string(&target).ok() };
            let known = linked.is_none_or(|text| text.lines().any(|line| anchor(line) == section));
            assert!(known, "{}: no section {link}", page.display());
        }
    }
}

/// Links to files of this repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|link| !link.contains("://") && !link.contains(char::is_whitespace))
}

/// What a link to the section below this line says.
fn anchor(line: &str) -> String {
    let title = line.strip_prefix('#').map_or("", |rest| rest.trim_start_matches('#').trim());
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}
