//! Go with cgo: goroutines have stacks of their own, and C functions run on another one.

use std::env;
use std::process::Command;

use sigspy_tests::{Folded, TempDir, needs, processors, record_with, run};

const RATE: [&str; 2] = ["-F", "250"];

/// The share of a function's time, as the program says it, that is in stacks which begin at the start
/// of a goroutine and have these frames, outermost first.
fn share_below(folded: &Folded, path: &[&str], ns: u64) -> f64 {
    let is_it = |frames: &[String]| {
        let mut left = frames.iter();
        frames[0] == "runtime.goexit" && path.iter().all(|one| left.any(|frame| frame == one))
    };
    folded.weight_where(is_it) as f64 / ns as f64
}

#[test]
fn stacks_reach_from_c_functions_and_goroutines_to_the_start() {
    needs("go", "golang-go");
    let folder = TempDir::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/goroutines.go");
    let program = folder.join("goroutines");
    let mut build = Command::new("go");
    build.arg("build").arg("-o").arg(&program).arg(source).current_dir(folder.path());
    run(build.env("GOCACHE", folder.join("cache")).env("GO111MODULE", "off")).expect(0);

    let _turn = processors();
    let recorded = record_with(&RATE, [&program]).expect(0);
    let (folded, outcome) = (recorded.folded(), &recorded.outcome);
    let in_go = ["main.measured", "main.below", "main.inGo"];
    let in_c = ["runtime.main", "main.main", "main._Cfunc_in_c", "in_c"];
    for (name, path) in [("in_go", &in_go[..]), ("in_c", &in_c)] {
        let share = share_below(&folded, path, outcome.number(name));
        let heaviest = folded.heaviest(12);
        assert!((0.9..1.1).contains(&share), "{share} of {name}\n{heaviest}\n{outcome}");
    }
    // The rest of what is not whole is the collector's, on a stack from which no way leads back.
    let cut = folded.only(|frames| frames[0].starts_with("[incomplete"));
    let known = cut.weight_where(|frames| frames[1] == "runtime.systemstack");
    let unknown = (cut.total() - known) as f64 / folded.total() as f64;
    assert!(unknown < 0.01, "{unknown} is cut elsewhere\n{}\n{outcome}", cut.heaviest(12));
}
