//! A check as JUnit XML, in the form that Jenkins reads.
//!
//! The check itself, the CPU time as a whole, each function that was found and each budget is a test:
//! a failure is a regression, an error is a measurement that is invalid, and what cannot be told is
//! skipped.
//!
//! Source: junit-10.xsd of Jenkins' xUnit plugin.

use std::io::{self, BufWriter, Write};

use sigspy_compare::check::{BudgetOutcome, CheckResult, Found, Outcome, Standing, Verdict};

use super::words;
use crate::error::Error;

struct Test {
    name: String,
    class: &'static str,
    ending: Ending,
    /// Why it ended so.
    message: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed,
    Skipped,
    Error,
}

/// Writes one suite. Fails when the writer does.
pub fn check_junit(result: &CheckResult, out: &mut dyn Write) -> Result<(), Error> {
    let mut out = BufWriter::new(out);
    let tests = tests(result);
    let count = |ending| tests.iter().filter(|test| test.ending == ending).count();
    let (failures, errors) = (count(Ending::Failed), count(Ending::Error));
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", tests.len());
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"sigspy check\" {counts}>")?;
    let skipped = count(Ending::Skipped);
    writeln!(out, "  <testsuite name=\"sigspy check\" {counts} skipped=\"{skipped}\">")?;
    tests.iter().try_for_each(|test| write_test(test, &mut out))?;
    let setup = words::setup(result).iter().map(|line| words::sentence(line)).collect::<Vec<_>>();
    writeln!(out, "    <system-out>{}</system-out>", escaped(&setup.join("\n")))?;
    writeln!(out, "  </testsuite>\n</testsuites>")?;
    Ok(out.flush()?)
}

fn tests(result: &CheckResult) -> Vec<Test> {
    let check = Test {
        name: "verdict".to_owned(),
        class: "sigspy.check",
        ending: match result.verdict {
            Verdict::Ok => Ending::Passed,
            Verdict::Regression => Ending::Failed,
            Verdict::Inconclusive => Ending::Skipped,
            Verdict::Invalid => Ending::Error,
        },
        message: result.reasons.join("; "),
    };
    let found = result.findings.iter().map(of_finding);
    std::iter::once(check).chain(found).chain(result.budgets.iter().map(of_budget)).collect()
}

fn of_finding(found: &Found) -> Test {
    let ending = match found.standing {
        Standing::Regression => Ending::Failed,
        Standing::Suspect => Ending::Skipped,
        Standing::Waived | Standing::NotConfirmed | Standing::Improvement => Ending::Passed,
    };
    let message = format!("{found}: {}", words::standing(found));
    Test { name: found.subject.name(), class: "sigspy.function", ending, message }
}

fn of_budget(budget: &BudgetOutcome) -> Test {
    let ending = match budget.outcome {
        Outcome::Within | Outcome::NoSuchFunction => Ending::Passed,
        Outcome::Exceeded => Ending::Failed,
        Outcome::CannotTell => Ending::Skipped,
    };
    let name = format!("{} ({})", budget.functions, words::metric(budget.metric));
    Test { name, class: "sigspy.budget", ending, message: budget.to_string() }
}

fn write_test(test: &Test, out: &mut dyn Write) -> io::Result<()> {
    let message = escaped(&words::sentence(&test.message));
    let element = match test.ending {
        Ending::Passed => format!("<system-out>{message}</system-out>"),
        Ending::Failed => format!("<failure type=\"cpu-regression\" message=\"{message}\"/>"),
        Ending::Skipped => format!("<skipped message=\"{message}\"/>"),
        Ending::Error => format!("<error type=\"invalid\" message=\"{message}\"/>"),
    };
    let (name, class) = (escaped(&words::name(&test.name)), test.class);
    writeln!(out, "    <testcase classname=\"{class}\" name=\"{name}\">")?;
    writeln!(out, "      {element}\n    </testcase>")
}

/// Text in XML, also in an attribute. What XML cannot express is not in presentable text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
