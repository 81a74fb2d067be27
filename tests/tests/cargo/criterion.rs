//! Benchmarks with Criterion, which comes from crates.io.

use sigspy_tests::lasting_target;

use super::*;

/// The share of a frame, from its title: `name (1,234 µs, 12.3%)`.
fn percent(svg: &str, function: &str) -> f64 {
    let title = svg.split("<title>").find(|title| title.starts_with(function));
    let percent = title.and_then(|title| title.split_once("%)")?.0.rsplit(' ').next());
    percent.map_or(0.0, |percent| percent.parse().expect("a title ends with a share"))
}

#[test]
fn benchmarks_of_criterion_begin_where_they_are_measured() {
    let folder = fixture("criterion");
    let mut command = cargo_sigspy(folder.path());
    command.env("CARGO_TARGET_DIR", lasting_target("criterion"));
    command.args(["--locked", "--bench", "fib", "-F", "997", "--", "--profile-time", "1"]);
    let outcome = run(&mut command).expect(0);
    assert!(share(&folder, "fib::fibonacci") > 0.8, "{outcome}");
    let svg = fs::read_to_string(folder.join("flamegraph.svg")).unwrap();
    let begins = "criterion::benchmark_group::BenchmarkGroup::bench_function::{{closure}}";
    assert!(percent(&svg, begins) > 80.0, "{outcome}");
    assert!(percent(&svg, "__libc_start_call_main") < 10.0, "{outcome}");
}
