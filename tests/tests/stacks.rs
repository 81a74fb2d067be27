//! Stacks are whole: from the interrupted instruction to the start of the program or thread.

use sigspy_tests::statistics::{Part, implausible_shares};
use sigspy_tests::{Folded, Recorded, program, program_with, record_at, record_with};

const RATE: u32 = 997;

/// Share of the CPU time that must have a whole stack.
const WHOLE: f64 = 0.995;

/// Where programs and threads begin, in glibc and musl.
const ROOTS: [&str; 8] = [
    "_start",
    "__libc_start_main",
    "__libc_start_call_main",
    "main",
    "clone",
    "clone3",
    "__clone3",
    "start_thread",
];

/// The functions of `deep.cpp` that burn CPU time at the bottom, and their number of levels.
const BOTTOMS: [(&str, usize); 6] = [
    ("burn_below_5", 5),
    ("burn_below_20", 20),
    ("burn_below_50", 50),
    ("burn_below_100", 100),
    ("burn_below_200", 200),
    ("burn_below_500", 500),
];

fn is_whole(frames: &[String]) -> bool {
    let root = frames.first().map_or("", String::as_str);
    let plain = root.split('@').next().unwrap_or(root);
    ROOTS.iter().any(|known| plain.trim_end_matches(".cold").starts_with(known))
}

fn assert_whole(recorded: &Recorded, folded: &Folded) {
    let sampled = folded.sampled();
    assert!(sampled > 0, "no samples:\n{}", recorded.outcome);
    let broken = folded.only(|frames| !frames[0].starts_with('[') && !is_whole(frames));
    let incomplete = folded.weight_below("[incomplete");
    let whole = (sampled - incomplete - broken.total()) as f64 / sampled as f64;
    assert!(
        whole > WHOLE,
        "only {:.2} % of the stacks are whole ({incomplete} ns incomplete); the others:\n{}\n{}",
        100.0 * whole,
        folded.only(|frames| !is_whole(frames)).heaviest(10),
        recorded.outcome
    );
}

#[test]
fn stacks_through_callbacks_and_exceptions_are_whole() {
    let recorded = record_at(RATE, [program("deep.cpp").as_ref(), "4".as_ref()]).expect(0);
    let folded = recorded.folded();
    assert_whole(&recorded, &folded);
    assert_depths(&folded);
    assert_shares(&recorded, &folded);
}

/// A stack of `burn_below_N` has N calls of `descend`, no more and no less.
fn assert_depths(folded: &Folded) {
    for (bottom, levels) in BOTTOMS {
        let stacks = folded.only(|frames| is_whole(frames) && frames.iter().any(|f| f == bottom));
        assert!(stacks.total() > 0, "no stack has {bottom}:\n{}", folded.heaviest(10));
        let wrong = stacks.only(|frames| count(frames, "descend") != levels);
        let share = wrong.total() as f64 / stacks.total() as f64;
        assert!(
            share <= 1.0 - WHOLE,
            "{:.2} % of the stacks of {bottom} do not have {levels} levels:\n{}",
            100.0 * share,
            wrong.heaviest(3)
        );
    }
}

fn count(frames: &[String], function: &str) -> usize {
    frames.iter().filter(|frame| *frame == function).count()
}

fn assert_shares(recorded: &Recorded, folded: &Folded) {
    let names = BOTTOMS.iter().map(|(name, _)| *name).chain(["burn_in_catch"]);
    let parts: Vec<Part> = names
        .map(|name| Part {
            name: name.to_owned(),
            true_ns: recorded.outcome.number(name),
            measured_ns: folded.weight_of(name),
        })
        .collect();
    let found = implausible_shares(&parts, recorded.unit_ns(997));
    assert!(found.is_empty(), "{}\n{}", found.join("\n"), recorded.outcome);
}

#[test]
fn callbacks_of_qsort_are_seen_in_the_c_library() {
    let recorded = record_at(RATE, [program("deep.cpp").as_ref(), "2".as_ref()]).expect(0);
    let folded = recorded.folded();
    let below_qsort = folded.weight_where(|frames| {
        let callback = frames.iter().position(|frame| frame == "compare");
        let caller = callback.and_then(|i| i.checked_sub(1)).map(|i| &frames[i]);
        caller.is_some_and(|caller| caller != "descend_in_qsort")
    });
    assert!(below_qsort > 0, "qsort calls no callback:\n{}", folded.heaviest(5));
}

#[test]
fn of_stacks_that_are_too_deep_the_innermost_frames_are_kept() {
    let options = ["-F", "997", "--max-depth", "2"];
    let command = [program("split.c").path, "1".into()];
    let recorded = record_with(&options, command).expect(0);
    let folded = recorded.folded();
    let is_cut = |frames: &[String]| {
        frames.len() == 3 && frames[0] == "[incomplete: deeper than --max-depth]"
    };
    let cut = folded.only(|frames| is_cut(frames) && frames[2].starts_with("burn_"));
    assert!(cut.total() as f64 > 0.9 * folded.total() as f64, "{}", folded.heaviest(9));
}

#[test]
fn leaves_are_the_functions_that_do_the_work() {
    let recorded = record_at(RATE, [program("split.c").as_ref(), "2".as_ref()]).expect(0);
    let folded = recorded.folded();
    assert_whole(&recorded, &folded);
    // The rest is in the clock that they read, and in main.
    let burning = folded.weight_where(|frames| {
        frames.last().is_some_and(|leaf| leaf.starts_with("burn_") && leaf.ends_with("_percent"))
    });
    let share = burning as f64 / folded.sampled() as f64;
    assert!(share > 0.95, "only {:.1} %:\n{}", 100.0 * share, folded.heaviest(10));
}

#[test]
fn stacks_of_threads_begin_where_the_thread_does() {
    for source in ["threads.c", "threads.rs"] {
        let command = [program(source).as_ref(), "4".as_ref(), "3".as_ref()].map(ToOwned::to_owned);
        let recorded = record_at(RATE, command).expect(0);
        let folded = recorded.folded();
        assert_whole(&recorded, &folded);
        let working = folded.weight_where(|frames| {
            frames.iter().any(|frame| frame == "work" || frame.ends_with("::work"))
        });
        let share = working as f64 / folded.sampled() as f64;
        assert!(share > 0.99, "{source}: {:.1} %:\n{}", 100.0 * share, folded.heaviest(10));
    }
}

#[test]
fn inlined_functions_have_frames_of_their_own() {
    let inlined = program_with("inlined.c", &["-g"]);
    let recorded = record_at(RATE, [inlined.as_ref(), "2".as_ref()]).expect(0);
    let folded = recorded.folded();
    let expected = ["outer", "middle_[i]", "innermost_[i]"];
    let found = folded.weight_where(|frames| frames.ends_with(&expected.map(str::to_owned)));
    let share = found as f64 / folded.sampled() as f64;
    assert!(share > 0.98, "only {:.1} %:\n{}", 100.0 * share, folded.heaviest(10));
}

#[test]
fn stacks_of_programs_as_the_distribution_ships_them_are_whole() {
    let script = "import hashlib, json, re\n\
                  words = [str(i * i) for i in range(60000)]\n\
                  for _ in range(80):\n\
                  \x20   json.loads(json.dumps(sorted(words)))\n\
                  \x20   re.sub(r'(\\d)1(\\d)', r'\\2\\1', ' '.join(words))\n\
                  print(hashlib.sha256(' '.join(words).encode()).hexdigest())";
    let recorded = record_at(RATE, ["/usr/bin/python3", "-c", script]).expect(0);
    assert_whole(&recorded, &recorded.folded());
}
