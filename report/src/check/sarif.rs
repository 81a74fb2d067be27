//! A check as SARIF, for the code scanning of GitHub and others.
//!
//! Source: OASIS, Static Analysis Results Interchange Format 2.1.0; GitHub Docs, SARIF support for
//! code scanning.

use std::io::Write;

use serde_json::{Value, json};
use sigspy_compare::check::{CheckResult, Found, Standing, Verdict, Waiver};

use super::{Place, Repository, fingerprint, place, words};
use crate::error::Error;
use crate::json;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const HOME: &str = env!("CARGO_PKG_REPOSITORY");

/// Writes one run with a result for each slower function whose place is in the repository, as code
/// scanning refuses a file with a result that has none. How many have none is said as a notification,
/// as are the reasons of the verdict. Fails when the writer does.
pub fn check_sarif(
    result: &CheckResult,
    repository: &dyn Repository,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let slower = result.findings.iter().filter(|found| level(found.standing).is_some());
    let results: Vec<Value> = slower
        .clone()
        .filter_map(|found| Some(finding(found, &place(found, repository)?)))
        .collect();
    let elsewhere = slower.count() - results.len();
    let file = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver(result) },
            "invocations": [{
                "executionSuccessful": result.verdict != Verdict::Invalid,
                "toolExecutionNotifications": notifications(result, elsewhere),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    Ok(json::write(&file, out)?)
}

fn driver(result: &CheckResult) -> Value {
    json!({
        "name": "sigspy",
        "version": result.setup.version,
        "informationUri": HOME,
        "rules": [{
            "id": "cpu-regression",
            "name": "CpuRegression",
            "shortDescription": { "text": "A function takes more CPU time than before." },
            "fullDescription": {
                "text": "In several runs of the program before and after the change, and in more \
                         runs made to confirm it, the function has taken more CPU time of its own \
                         than chance explains."
            },
            "defaultConfiguration": { "level": "error" },
            "properties": { "tags": ["performance"] },
        }],
    })
}

/// `None` for what is not slower.
fn level(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Regression => Some("error"),
        Standing::Suspect => Some("warning"),
        Standing::Waived => Some("note"),
        Standing::NotConfirmed | Standing::Improvement => None,
    }
}

fn finding(found: &Found, place: &Place) -> Value {
    let mut value = json!({
        "ruleId": "cpu-regression",
        "ruleIndex": 0,
        "level": level(found.standing),
        "message": { "text": words::sentence(&found.to_string()) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&place.path), "uriBaseId": "%SRCROOT%" },
                "region": { "startLine": place.line },
            },
            "logicalLocations": [{ "fullyQualifiedName": words::name(&found.key()) }],
        }],
        "partialFingerprints": {
            "sigspyFunction/v1": fingerprint(found),
            // Found again by the function, not by what stands in the line.
            "primaryLocationLineHash": format!("{}:1", fingerprint(found)),
        },
    });
    if let Some(waiver) = &found.waiver {
        let (Waiver::Ignored { reason, .. } | Waiver::Accepted { reason, .. }) = waiver;
        value["suppressions"] =
            json!([{ "kind": "external", "justification": words::sentence(reason) }]);
    }
    value
}

fn notifications(result: &CheckResult, elsewhere: usize) -> Vec<Value> {
    let level = if result.verdict == Verdict::Ok { "note" } else { "warning" };
    let notification = |text: &str, level: &str| json!({ "level": level, "message": { "text": words::sentence(text) } });
    let reasons = result.reasons.iter().map(|reason| notification(reason, level));
    let rest = format!("{elsewhere} slower, in no file of this repository; see the report");
    let rest = (elsewhere > 0).then(|| notification(&rest, "note"));
    reasons.chain(rest).collect()
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
