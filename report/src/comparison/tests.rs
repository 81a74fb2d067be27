use super::*;
use sigspy_compare::result::{Detectable, Label, Normalized, Ratio, Rules, Side, Total};

fn ratio(ratio: f64) -> Ratio {
    Ratio { ratio, low: ratio - 0.1, high: ratio + 0.1 }
}

fn function(name: &str, base_s: f64, head_s: f64, finding: Finding) -> Function {
    Function {
        module: "app".to_owned(),
        function: name.to_owned(),
        file: Some("src/app.c".to_owned()),
        line: Some(7),
        base_s,
        head_s,
        base_share: base_s / 10.0,
        head_share: head_s / 10.0,
        base_total_share: base_s / 10.0,
        head_total_share: head_s / 10.0,
        change: (finding != Finding::NotTested).then(|| ratio(head_s / base_s.max(0.01))),
        q_value: (finding != Finding::NotTested).then_some(0.0001),
        finding,
        labels: Vec::new(),
    }
}

fn comparison() -> Comparison {
    let side = |cpu_s| Side { runs: 5, cpu_s, samples: 1000.0, work: 1.0 };
    let mut slower = function("pa|rse", 2.0, 3.0, Finding::Slower);
    slower.labels = vec![Label::Renamed("read".to_owned())];
    let mut new = function("fresh", 0.0, 1.5, Finding::NoEvidence);
    new.labels = vec![Label::New];
    Comparison {
        base: side(10.0),
        head: side(11.0),
        normalization: Normalized::MedianOfRatios,
        paired: false,
        noise_is_known: true,
        rules: Rules {
            least_effect: 0.05,
            least_cost: 0.002,
            false_discoveries: 0.05,
            total_least_effect: 0.02,
            total_alpha: 0.01,
        },
        total: Total {
            change: Some(ratio(1.1)),
            finding: Finding::NoEvidence,
            detectable: Some(0.25),
        },
        functions: vec![
            new,
            slower,
            function("rest", 4.0, 3.9, Finding::NoEvidence),
            function("small", 0.01, 0.0, Finding::NotTested),
        ],
        detectable: vec![Detectable { share: 0.1, slowdown: 0.2 }],
        notes: vec!["a note".to_owned()],
    }
}

fn options(limit: usize) -> ComparisonOptions {
    ComparisonOptions { base: "old".to_owned(), head: "new".to_owned(), limit, name_width: 100 }
}

#[test]
fn a_comparison_says_what_was_found_and_what_would_have_been() {
    let mut out = Vec::new();
    comparison_text(&comparison(), &options(3), &mut out).unwrap();
    let expected = "\
5 runs of old: 10.000 s CPU and 1000 samples each
5 runs of new: 11.000 s CPU and 1000 samples each
CPU time: +10.0 % [+0.0, +20.0], no evidence of a change; one of +25.0 % would have been seen
functions: 1 slower, 0 faster, of 3 with enough samples
note: a slowdown would have been seen from about +20.0 % of a function of 10 %
note: a note
note: CPU time of functions is compared as if all runs were equally long (median of ratios)

Functions by difference of their own CPU time in a run

before s  after s  change   95 % interval       q   share  function
   2.000    3.000  +50.0 %  [+40.0, +60.0]  <0.001  30.0 %  pa|rse in app  (slower, was read)
   0.000    1.500     new               -  <0.001  15.0 %  fresh in app
   4.000    3.900  −2.5 %   [−12.5, +7.5]  <0.001  40.0 %  rest in app
... and 1 more
";
    let squeezed = |text: &str| -> Vec<Vec<String>> {
        text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    };
    assert_eq!(squeezed(&String::from_utf8(out).unwrap()), squeezed(expected));
}

#[test]
fn names_do_not_break_out_of_a_table_in_markdown() {
    let mut out = Vec::new();
    comparison_markdown(&comparison(), &options(1), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let row = "| 2.000 | 3.000 | +50.0 % | [+40.0, +60.0] | <0.001 | 30.0 % | `pa\\|rse in app` |";
    assert!(text.contains(row), "{text}");
    assert!(text.starts_with("**CPU time: +10.0 %"), "{text}");
    assert!(text.contains("\n... and 3 more\n"), "{text}");
}

#[test]
fn json_can_be_read_again() {
    let mut out = Vec::new();
    comparison_json(&comparison(), &mut out).unwrap();
    assert_eq!(serde_json::from_slice::<Comparison>(&out).unwrap(), comparison());
}
