use std::path::Path;

use serde_json::Value;
use sigspy_compare::Site;
use sigspy_compare::check::{Standing, Subject};
use sigspy_compare::result::Label;

use super::made_up::{found, hostile, inconclusive, invalid, ok, regression};
use super::*;

type Format = fn(&CheckResult, &mut dyn Write) -> Result<(), Error>;

const FORMATS: [(&str, Format); 8] = [
    ("txt", check_text),
    ("md", check_markdown),
    ("annotations", |result, out| check_annotations(result, &in_repository, out)),
    ("sarif", |result, out| check_sarif(result, &in_repository, out)),
    ("gitlab.json", |result, out| check_code_quality(result, &in_repository, out)),
    ("metrics", check_metrics),
    ("junit.xml", check_junit),
    ("json", check_json),
];

/// The repository is in `/home/ci/app`; hostile files are in it, too.
fn in_repository(file: &str) -> Option<String> {
    match file.strip_prefix('/') {
        Some(_) => file.strip_prefix("/home/ci/app/").map(str::to_owned),
        None => Some(file.to_owned()),
    }
}

fn written(format: Format, result: &CheckResult) -> String {
    let mut out = Vec::new();
    format(result, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn format(name: &str) -> Format {
    FORMATS.into_iter().find(|(one, _)| *one == name).unwrap().1
}

fn json(name: &str, result: &CheckResult) -> Value {
    serde_json::from_str(&written(format(name), result)).unwrap()
}

/// What is written is what is kept in `golden/`; with `SIGSPY_BLESS=1` it is kept anew.
#[test]
fn each_format_is_as_it_was() {
    let results = [
        ("regression", regression()),
        ("ok", ok()),
        ("inconclusive", inconclusive()),
        ("invalid", invalid()),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check/golden");
    let is_blessed = std::env::var_os("SIGSPY_BLESS").is_some();
    for (name, result) in &results {
        for (end, format) in FORMATS {
            let path = folder.join(format!("{name}.{end}"));
            let text = written(format, result);
            if is_blessed {
                std::fs::write(&path, &text).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(text == kept, "{} is no more:\n{text}", path.display());
        }
    }
}

#[test]
fn a_result_can_be_read_again() {
    let text = written(check_json, &regression());
    assert_eq!(serde_json::from_str::<CheckResult>(&text).unwrap(), regression());
}

#[test]
fn runs_that_were_compared_in_pairs_are_said_to_be() {
    let mut result = ok();
    let says_so = |result: &CheckResult| written(check_text, result).contains("in pairs");
    assert!(!says_so(&result));
    result.comparison.as_mut().unwrap().paired = true;
    assert!(says_so(&result));
}

/// Each is a way out of one of the formats.
const HOSTILE: [&str; 9] = [
    "`a`|b|\n\n# title\n<script>alert(1)</script>",
    "</details><img src=x onerror=alert(1)>@everyone #1 [a](http://b)",
    "]]></failure><testcase name=\"x\"/>&amp;&#0;\"'",
    "a%0Ab::error file=x,line=1,title=t::boom\r\n::stop-commands::x",
    "\"} 1\nevil{a=\"\\\"} 2\n# EOF\n",
    "\u{0}\u{1b}[31mred\u{7}\u{ffff}\u{2028}\u{202e}",
    "../../../etc/passwd",
    "",
    "日本語::関数<'a>",
];

#[test]
fn markdown_is_short_and_names_cannot_break_out_of_it() {
    let longest = ["\u{1f525}", "@", "`", "|"].map(|one| one.repeat(10_000));
    for text in HOSTILE.into_iter().chain(longest.iter().map(String::as_str)) {
        let markdown = written(check_markdown, &hostile(text));
        assert!(markdown.len() < 60_000, "{} bytes", markdown.len());
        let at_start = |mark: &str| markdown.lines().filter(|line| line.starts_with(mark)).count();
        assert_eq!((at_start("</details>"), at_start("# ")), (1, 0), "{markdown}");
        for line in markdown.lines().filter(|line| !line.contains('`')) {
            let bare = |mark: &str| line.replace(&format!("\\{mark}"), "").contains(mark);
            let is_ours = line.starts_with('<') || line.starts_with("###");
            assert!(is_ours || !(bare("<") || bare("[") || bare("@") || bare("#")), "{line}");
        }
        let rows = markdown.lines().filter(|line| line.starts_with("| 1.000"));
        for row in rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 8, "{row}");
        }
    }
}

#[test]
fn an_annotation_is_one_command() {
    for text in HOSTILE {
        let lines = written(format("annotations"), &hostile(text));
        assert_eq!(lines.lines().count(), 10, "{lines}");
        for line in lines.lines() {
            let (properties, message) = line[2..].split_once("::").unwrap();
            assert!(properties.starts_with("error "), "{line}");
            assert!(properties.matches(',').count() <= 2, "{line}");
            assert!(!message.contains('\r'), "{line}");
        }
    }
}

#[test]
fn xml_is_well_formed_whatever_names_are() {
    for text in HOSTILE {
        let xml = written(check_junit, &hostile(text));
        assert_eq!(xml.matches("<testcase ").count(), xml.matches("</testcase>").count());
        assert_eq!(xml.matches("<testcase ").count(), 1 + 200 + 4, "{xml}");
        let is_fit = |c: char| c == '\n' || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
        assert!(xml.chars().all(is_fit), "{xml}");
    }
}

#[test]
fn a_metric_is_one_line() {
    for text in HOSTILE {
        let mut result = hostile(text);
        let name = |name: &str| made_up::function(name, None);
        result.comparison.as_mut().unwrap().functions = vec![name(text), name("other")];
        let metrics = written(check_metrics, &result);
        let functions = metrics.lines().filter(|line| line.contains("function=\""));
        assert_eq!(functions.count(), 2, "{metrics}");
        assert_eq!(metrics.matches("# EOF\n").count(), 1, "{metrics}");
        assert!(metrics.ends_with("\n# EOF\n"), "{metrics}");
    }
}

#[test]
fn only_what_is_in_the_repository_is_shown_there() {
    let sarif = json("sarif", &regression());
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let place = |result: &Value| {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone()
    };
    let places: Vec<Value> = results.iter().map(place).collect();
    assert_eq!(places, ["src/parse.c", "src/db.c"]);
    assert_eq!(results[1]["suppressions"][0]["justification"], "writes are durable now");
    let notifications = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert!(notifications.to_string().contains("1 slower, in no file"), "{notifications}");

    let issues = json("gitlab.json", &regression());
    assert_eq!(issues.as_array().unwrap().len(), 2);
    assert_eq!(issues[0]["location"]["path"], "src/parse.c");
}

#[test]
fn a_function_of_a_library_is_shown_at_its_nearest_caller_in_the_repository() {
    let mut result = regression();
    let site = |file: &str, line| Site { file: file.to_owned(), line };
    result.findings[1].sites =
        vec![site("/rustc/core.rs", 3), site("/home/ci/app/src/main.c", 5), site("src/far.c", 9)];
    let issues = json("gitlab.json", &result);
    assert_eq!(issues[1]["location"]["path"], "src/main.c");
    assert_eq!(issues[1]["location"]["lines"]["begin"], 5);
}

#[test]
fn a_fingerprint_is_that_of_the_function() {
    let fingerprint = |result: &CheckResult| {
        let sarif = json("sarif", result);
        sarif["runs"][0]["results"][0]["partialFingerprints"]["sigspyFunction/v1"].clone()
    };
    let mut moved = regression();
    if let Subject::Function(function) = &mut moved.findings[0].subject {
        function.line = Some(700);
    }
    assert_eq!(fingerprint(&moved), fingerprint(&regression()));
    assert_ne!(fingerprint(&regression()), fingerprint(&hostile("other")));
}

#[test]
fn what_is_on_one_side_only_has_no_ratio() {
    let change = |label| {
        let mut found = found(Standing::Improvement, "parse", None);
        if let Subject::Function(function) = &mut found.subject {
            function.labels.push(label);
        }
        words::change_of(&found).0
    };
    assert_eq!(change(Label::New), "new");
    assert_eq!(change(Label::Gone), "gone");
}
