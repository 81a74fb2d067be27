//! Results of checks are what those who define their formats want. The results are those in
//! `report/src/check/golden`, which the writers are tested with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigspy_tests::{TempDir, needs, node, program, record, run, sigspy, workspace};

/// Results whose names end so.
fn results(end: &str) -> Vec<PathBuf> {
    let folder = workspace().join("report/src/check/golden");
    let files = fs::read_dir(folder).expect("there is a folder of results");
    let paths = files.map(|file| file.expect("it can be read").path());
    let results: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    assert!(results.len() >= 4, "{results:?}");
    results
}

fn is_as_documented(file: &Path, options: &[&str]) {
    let schema = workspace().join("docs/result.schema.json");
    let options = ["--no-more"].iter().chain(options).map(Path::new);
    node("schema.mjs", &[&*schema, file].into_iter().chain(options).collect::<Vec<_>>());
}

#[test]
fn results_are_as_their_schema_says() {
    let results = results(".json").into_iter();
    for result in results.filter(|path| !path.to_string_lossy().ends_with(".gitlab.json")) {
        is_as_documented(&result, &[]);
    }
}

#[test]
fn comparisons_are_as_their_schema_says() {
    let folder = TempDir::new();
    let recorded = record([program("threads.c").path]);
    let mut diff = Command::new(sigspy());
    diff.arg("diff").args([&recorded.path, &recorded.path]).args(["-f", "json"]);
    let comparison = folder.write("diff.json", run(&mut diff).expect(0).text().as_bytes());
    is_as_documented(&comparison, &["--of", "comparison"]);
}

#[test]
fn sarif_is_valid_by_its_official_schema() {
    let schema = "tests/formats/node_modules/@microsoft/jest-sarif/lib/schemas";
    let schema = workspace().join(schema).join("sarif-2.1.0-rtm.5.json");
    for result in results(".sarif") {
        node("schema.mjs", &[&schema, &result]);
    }
}

#[test]
fn junit_xml_is_valid_by_the_schema_of_jenkins() {
    let schema = workspace().join("tests/formats/schemas/junit-10.xsd");
    assert!(schema.exists(), "the schema is missing: tests/run downloads it");
    let mut xmllint = Command::new(needs("xmllint", "libxml2-utils"));
    run(xmllint.args(["--noout", "--schema"]).arg(schema).args(results(".junit.xml"))).expect(0);
}
