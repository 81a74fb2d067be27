//! Findings for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::check::{Check, Examination, State};

/// One line for each check, its remedy below, the verdict last.
pub fn text(examinations: &[Examination], is_verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let names = examinations.iter().flat_map(|one| &one.checks).map(|check| check.name.len());
    let width = names.max().unwrap_or(0);
    for examination in examinations {
        writeln!(out, "{}", examination.subject)?;
        for check in &examination.checks {
            line(check, width, is_verbose, out)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", verdict(examinations))
}

fn line(check: &Check, width: usize, is_verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let state = match check.state {
        State::Ok => "ok",
        State::Warn => "warn",
        State::No => "no",
    };
    writeln!(out, "  {state:4}  {:width$}  {}", check.name, check.found)?;
    let indent = " ".repeat(width + 10);
    if let Some(remedy) = &check.remedy {
        writeln!(out, "{indent}-> {remedy}")?;
    }
    let details = check.details.iter().filter(|_| is_verbose);
    details.into_iter().try_for_each(|detail| writeln!(out, "{indent}{detail}"))
}

/// In one sentence.
fn verdict(examinations: &[Examination]) -> String {
    let of = |state| {
        let found = examinations.iter().filter(move |one| one.state() == state);
        found.map(|one| one.subject.as_str()).collect::<Vec<_>>().join(" and ")
    };
    let all = examinations.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>().join(", ");
    match examinations.iter().map(Examination::state).max() {
        Some(State::No) => format!("no: profiling does not work for {}", of(State::No)),
        Some(State::Warn) => format!("ok: profiling works for {all}, with what is said above"),
        _ => format!("ok: profiling works for {all}"),
    }
}

/// The same as one JSON object.
pub fn json(examinations: &[Examination], out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        works: bool,
        verdict: String,
        examinations: &'a [Examination],
    }
    let works = examinations.iter().all(|one| one.state() != State::No);
    let verdict = verdict(examinations);
    let document = Document { version: 1, works, verdict, examinations };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(subject: &str, checks: Vec<Check>) -> Examination {
        Examination { subject: subject.to_owned(), checks }
    }

    fn printed(examinations: &[Examination], is_verbose: bool) -> String {
        let mut bytes = Vec::new();
        text(examinations, is_verbose, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_check_is_a_line_and_a_remedy_stands_below_it() {
        let checks = vec![
            Check::ok("tick", "250 Hz").with_detail("as measured"),
            Check::warn("stacks", "half", "build them"),
        ];
        let host = [examined("this host", checks)];
        let lines = "this host\n  ok    tick    250 Hz\n  warn  stacks  half\n                -> build \
                     them\n\nok: profiling works for this host, with what is said above\n";
        assert_eq!(printed(&host, false), lines);
        assert!(printed(&host, true).contains("250 Hz\n                as measured\n"));
    }

    #[test]
    fn the_verdict_names_what_does_not_work() {
        let good = examined("this host", vec![Check::ok("tick", "250 Hz")]);
        let bad = examined("./app", vec![Check::no("linking", "static", "link it dynamically")]);
        assert_eq!(verdict(std::slice::from_ref(&good)), "ok: profiling works for this host");
        assert_eq!(verdict(&[good, bad]), "no: profiling does not work for ./app");
    }
}
