use sigspy_model::{Process, ProcessId, Thread, ThreadId};

use super::*;
use crate::check::Rename;
use crate::made_up::{Run, Side};
use crate::stats::sizes::Normalization;

/// Five runs of 6000 samples or so, which differ by a percent or so, with `change` made to each.
fn side(change: impl Fn(Run, u32) -> Run) -> Side {
    let noise = [100, 101, 99, 102, 98];
    Side::of(noise.map(|percent| {
        let run = (0..8).fold(Run::of("app"), |run, function| {
            let wave = [0, 1, 2, 1, 0, -1, -2, -1][(function as usize + percent as usize) % 8];
            let samples = (700 * (percent as i32 + wave) / 100) as u32;
            run.samples(&["main", "work", &format!("f{function}")], samples)
        });
        change(run, percent)
    }))
}

fn compared(base: &Side, head: &Side) -> result::Comparison {
    Comparison::new(&base.inputs(), &head.inputs(), &Options::default()).result()
}

fn function<'a>(result: &'a result::Comparison, name: &str) -> &'a Function {
    let found = result.functions.iter().find(|one| one.function == name);
    found.unwrap_or_else(|| panic!("no {name} in {:#?}", result.functions))
}

fn with<'a>(name: &'a str, samples: u32) -> impl Fn(Run, u32) -> Run + 'a {
    move |run, percent| run.samples(&["main", name], samples * percent / 100)
}

#[test]
fn equal_sides_show_nothing() {
    let result = compared(&side(with("x", 400)), &side(with("x", 400)));
    assert_eq!((result.slower().count(), result.faster().count()), (0, 0));
    assert_eq!(result.total.finding, Finding::NoEvidence);
    assert!(result.noise_is_known && result.notes.is_empty());
    let x = function(&result, "x");
    assert!((x.base_s - 4.0).abs() < 0.1 && x.base_s == x.head_s, "{x:?}");
    assert!(x.change.is_some_and(|change| change.low < 1.0 && change.high > 1.0));
}

#[test]
fn a_slower_function_is_named_with_its_change() {
    let result = compared(&side(with("x", 400)), &side(with("x", 600)));
    let names: Vec<_> = result.slower().map(|one| &*one.function).collect();
    assert_eq!(names, ["x"]);
    let change = function(&result, "x").change.unwrap();
    assert!(change.low > 1.4 && change.low < 1.5 && change.high > 1.5, "{change:?}");
    assert_eq!(compared(&side(with("x", 600)), &side(with("x", 400))).faster().count(), 1);
}

#[test]
fn a_function_that_shrinks_makes_no_other_slower() {
    let result = compared(&side(with("x", 8000)), &side(with("x", 1000)));
    assert_eq!(result.slower().count(), 0);
    assert_eq!(result.faster().count(), 1);
}

#[test]
fn functions_of_one_side_are_new_and_gone() {
    let result = compared(&side(with("old", 400)), &side(with("x", 900)));
    assert_eq!(function(&result, "x").labels, [Label::New]);
    assert_eq!(function(&result, "old").labels, [Label::Gone]);
}

#[test]
fn a_function_that_moved_is_one() {
    let (base, head) = (side(with("a::parse", 400)), side(with("b::parse", 400)));
    let result = compared(&base, &head);
    assert_eq!(function(&result, "b::parse").labels, [Label::Renamed("a::parse".to_owned())]);
    assert_eq!((result.slower().count(), result.faster().count()), (0, 0));
    assert!(result.functions.iter().all(|one| one.function != "a::parse"));
}

#[test]
fn a_function_in_the_same_lines_of_a_file_was_renamed() {
    let (base, head) = (side(with("read@io.c:10", 400)), side(with("fetch@io.c:10", 400)));
    let fetch = function(&compared(&base, &head), "fetch").clone();
    assert_eq!(fetch.labels, [Label::Renamed("read in app".to_owned())]);
    assert_eq!((fetch.file.as_deref(), fetch.line), (Some("io.c"), Some(10)));
}

#[test]
fn a_function_that_was_renamed_is_known_from_noisy_runs_too() {
    // By chance all runs of the head were slow in it, and those of the base were not.
    let noisy = |name: &'static str, samples: [u32; 5]| {
        side(move |run, percent| run.samples(&["main", name], samples[percent as usize - 98]))
    };
    let base = || noisy("read@io.c:10", [40, 28, 33, 50, 36]);
    for name in ["other::read@io.c:90", "fetch@io.c:10"] {
        let result = compared(&base(), &noisy(name, [70, 48, 56, 62, 50]));
        let name = name.split_once('@').unwrap().0;
        assert!(matches!(&*function(&result, name).labels, [Label::Renamed(_)]), "{result:?}");
    }
}

#[test]
fn a_function_that_was_renamed_and_takes_longer_is_compared_with_what_it_was() {
    let (base, head) = (side(with("read@io.c:10", 400)), side(with("fetch@io.c:10", 1200)));
    let fetch = function(&compared(&base, &head), "fetch").clone();
    assert!(fetch.change.is_some_and(|change| (2.9..3.1).contains(&change.ratio)), "{fetch:?}");
}

#[test]
fn a_function_that_was_renamed_by_rule_is_one() {
    let (base, head) = (side(with("old::parse", 400)), side(with("new::parse", 600)));
    let mut options = Options::default();
    options.naming.rules = vec![Rename { from: "old::*".into(), to: "new::*".into() }];
    let result = Comparison::new(&base.inputs(), &head.inputs(), &options).result();
    let parse = function(&result, "new::parse");
    assert_eq!((parse.finding, &*parse.labels), (Finding::Slower, &[][..]));
    assert!(result.functions.iter().all(|one| one.function != "old::parse"));
}

#[test]
fn a_function_is_where_the_head_has_it() {
    let (base, head) = (side(with("f@old.c:10", 400)), side(with("f@new.c:20", 400)));
    let result = compared(&base, &head);
    let found = function(&result, "f");
    assert_eq!((found.file.as_deref(), found.line), (Some("new.c"), Some(20)));
}

#[test]
fn callers_of_a_suspect_are_told_nearest_first() {
    let run = || Run::of("app").samples(&["main@main.c:3", "f@lib.c:7 => x@x.c:1"], 400);
    let (base, head) = (Side::of([run(), run()]), Side::of([run(), run()]));
    let comparison = Comparison::new(&base.inputs(), &head.inputs(), &Options::default());
    let key = Key { module: "app".into(), function: "x".into() };
    let suspects = Suspects { functions: vec![key.clone()], total: false };
    let site = |file: &str, line| Site { file: file.to_owned(), line };
    assert_eq!(comparison.sites(&suspects)[&key], [site("lib.c", 7), site("main.c", 3)]);
}

#[test]
fn a_function_that_moved_is_found_again_by_the_runs_that_confirm() {
    let (base, head) = (side(with("a::parse", 4000)), side(with("b::parse", 4600)));
    let first = Comparison::new(&base.inputs(), &head.inputs(), &Options::default());
    let suspects = first.suspects();
    assert_eq!(suspects.functions.len(), 1, "{suspects:?}");
    let (_, confirmed) = first.confirmed(&suspects, &base.inputs(), &head.inputs());
    assert_eq!(confirmed.functions, suspects.functions);
}

#[test]
fn what_was_not_slower_again_is_not_confirmed() {
    let (base, head) = (side(with("x", 400)), side(with("x", 600)));
    let first = Comparison::new(&base.inputs(), &head.inputs(), &Options::default());
    let suspects = first.suspects();
    let (again, confirmed) = first.confirmed(&suspects, &base.inputs(), &base.inputs());
    assert!(!suspects.is_empty() && confirmed.is_empty());
    assert_eq!(function(&again.result(), "x").finding, Finding::NoEvidence);
}

/// `inner` takes over from `outer`, its only caller.
fn moved_cost(outer: u32, inner: u32) -> impl Fn(Run, u32) -> Run {
    move |run, percent| {
        let run = run.samples(&["main", "outer"], outer * percent / 100);
        run.samples(&["main", "outer", "inner"], inner * percent / 100)
    }
}

#[test]
fn cost_that_moved_within_a_caller_is_no_regression() {
    let result = compared(&side(moved_cost(6000, 2000)), &side(moved_cost(3000, 5000)));
    let inner = function(&result, "inner");
    assert_eq!(inner.labels, [Label::CostShift("outer in app".to_owned())]);
    assert_eq!((inner.finding, result.slower().count()), (Finding::Slower, 0));
    let result = compared(&side(moved_cost(6000, 2000)), &side(moved_cost(6000, 5000)));
    assert_eq!(result.slower().count(), 1);
}

#[test]
fn cost_that_moved_to_a_new_function_is_no_regression() {
    let result = compared(&side(with("outer", 6000)), &side(moved_cost(2000, 4000)));
    let inner = function(&result, "inner");
    assert_eq!(inner.labels, [Label::New, Label::CostShift("outer in app".to_owned())]);
    assert_eq!(result.slower().count(), 0);
    let result = compared(&side(with("outer", 6000)), &side(moved_cost(6000, 4000)));
    assert_eq!(result.slower().count(), 1);
}

/// Nothing is known of `outer` as a whole.
fn with_noisy_rest(outer: u32, inner: u32) -> Side {
    side(move |run, percent| {
        let rest = 20_000 * (10 * percent - 900) / 100;
        moved_cost(outer, inner)(run, percent).samples(&["main", "outer", "rest"], rest)
    })
}

#[test]
fn cost_that_moved_is_known_though_the_rest_of_the_caller_is_noisy() {
    let result = compared(&with_noisy_rest(1000, 0), &with_noisy_rest(200, 800));
    assert!(function(&result, "inner").is_cost_shift() && result.slower().count() == 0);
    let result = compared(&with_noisy_rest(1000, 0), &with_noisy_rest(1000, 800));
    assert_eq!(result.slower().count(), 1);
}

#[test]
fn cost_that_moved_is_known_from_noisy_runs_too() {
    // These differ by 8 %, so it cannot be ruled out that the caller has gained half as much.
    let noisy = |outer, inner| {
        side(move |run, percent| moved_cost(outer, inner)(run, 100 + 5 * percent - 500))
    };
    let result = compared(&noisy(1000, 400), &noisy(700, 700));
    assert!(function(&result, "inner").is_cost_shift() && result.slower().count() == 0);
    let result = compared(&noisy(1000, 400), &noisy(1000, 700));
    assert_eq!(result.slower().count(), 1);
}

#[test]
fn cost_that_a_caller_took_back_is_no_regression() {
    let result = compared(&with_noisy_rest(300, 1000), &with_noisy_rest(900, 400));
    let outer = function(&result, "outer");
    assert_eq!(outer.labels, [Label::CostShift("outer in app".to_owned())]);
    assert_eq!((outer.finding, result.slower().count()), (Finding::Slower, 0));
    let result = compared(&with_noisy_rest(300, 1000), &with_noisy_rest(900, 1000));
    assert_eq!(result.slower().count(), 1);
}

#[test]
fn what_others_take_less_of_a_common_function_excuses_nobody() {
    let sides = |parse, copy| {
        side(move |run, percent| {
            let run = run.samples(&["run", "parse"], parse * percent / 100);
            let run = run.samples(&["run", "parse", "libc!copy"], 30 * percent / 100);
            run.samples(&["main", "write", "libc!copy"], copy * percent / 100)
        })
    };
    let result = compared(&sides(1000, 3000), &sides(1500, 2600));
    let names: Vec<_> = result.slower().map(|one| &*one.function).collect();
    assert_eq!(names, ["parse"]);
}

#[test]
fn what_a_function_has_given_up_is_counted_once() {
    let sides = |outer, inner| {
        side(move |run, percent| {
            let run = run.samples(&["main", "outer"], outer * percent / 100);
            let into =
                |run: Run, name| run.samples(&["main", "outer", name], inner * percent / 100);
            ["a", "b", "c"].into_iter().fold(run, into)
        })
    };
    assert_eq!(compared(&sides(2000, 500), &sides(1000, 1500)).slower().count(), 3);
    assert_eq!(compared(&sides(2000, 500), &sides(500, 1000)).slower().count(), 0);
}

#[test]
fn a_caller_that_is_much_faster_does_not_hide_that_its_callee_is_slower() {
    let result = compared(&side(moved_cost(6000, 2000)), &side(moved_cost(3000, 3000)));
    let names: Vec<_> = result.slower().map(|one| &*one.function).collect();
    assert_eq!(names, ["inner"]);
}

#[test]
fn one_run_on_each_side_makes_nothing_suspect_and_says_so() {
    let one = |count| Side::of([Run::of("app").samples(&["x"], count).samples(&["y"], 500)]);
    let (base, head) = (one(500), one(5000));
    let comparison = Comparison::new(&base.inputs(), &head.inputs(), &Options::default());
    assert!(comparison.suspects().is_empty());
    let result = comparison.result();
    assert!(!result.noise_is_known && result.detectable.is_empty());
    assert!(result.notes[0].starts_with("there is one run on each side"));
    let change = function(&result, "x").change.unwrap();
    assert!(change.low > 8.0 && change.high < 12.0, "{change:?}");
}

#[test]
fn the_program_may_have_another_name_and_its_libraries_another_version() {
    let run = |program, library: &str| {
        let call = format!("{library}!memcpy");
        let run = Run::of(program).samples(&["main"], 500);
        Side::of([run.samples(&["main", &call], 500)])
    };
    let (base, head) = (run("app-old", "/lib/libc-2.31.so"), run("app-new", "/lib/libc.so.6"));
    let result = compared(&base, &head);
    let keys: Vec<String> = result.functions.iter().map(Function::key).collect();
    assert_eq!(keys, ["app-new!main", "libc!memcpy"]);
}

#[test]
fn the_program_is_one_whoever_has_started_it() {
    let run = |program, wrapper| {
        let run = Run::of(program).samples(&["main"], 500).samples(&["main", "work"], 400);
        Side::of([run.started_by(wrapper)])
    };
    for wrapper in ["env", "sh"] {
        let result = compared(&run("v1", "env"), &run("v2", wrapper));
        let keys: Vec<String> = result.functions.iter().map(Function::key).collect();
        assert_eq!(keys, ["v2!main", "v2!work"]);
        assert!(result.functions.iter().all(|one| one.labels.is_empty()), "{result:?}");
    }
}

#[test]
fn programs_that_are_on_both_sides_keep_their_names() {
    let run = |first, second: &str| {
        let other = format!("{second}!main");
        let mut run = Run::of(first).samples(&["main"], 500).samples(&[&other], 400);
        let process = run.profile.processes[0].clone();
        run.profile.processes.push(Process { name: second.to_owned(), ..process });
        let thread = run.profile.threads[0].clone();
        run.profile.threads.push(Thread { process: ProcessId(1), ..thread });
        run.profile.samples[1].thread = ThreadId(1);
        Side::of([run])
    };
    let result = compared(&run("cc1", "as"), &run("as", "cc1"));
    let keys: Vec<String> = result.functions.iter().map(Function::key).collect();
    assert_eq!(keys, ["as!main", "cc1!main"]);
}

#[test]
fn an_equal_name_says_more_than_an_equal_line() {
    let named = |path: &str| {
        let path = path.to_owned();
        move |run: Run, percent: u32| {
            let one = |run: Run, n: u32| {
                let name = format!("{path}::g{n}@all.c:7");
                run.samples(&["main", &name], (500 + n) * percent / 100)
            };
            (1..=7).fold(run, one)
        }
    };
    let result = compared(&side(named("a")), &side(named("b")));
    for n in 1..=7 {
        let labels = &function(&result, &format!("b::g{n}")).labels;
        assert_eq!(*labels, [Label::Renamed(format!("a::g{n}"))]);
    }
}

#[test]
fn inlined_functions_count_for_their_callers_if_one_side_does_not_know_them() {
    let informed = Side::of([Run::of("app").samples(&["main@a.c:1 => helper@a.c:9"], 500)]);
    let blind = Side::of([Run::of("app").samples(&["main"], 500)]);
    let result = compared(&informed, &blind);
    assert_eq!(result.functions.len(), 1);
    assert_eq!(result.functions[0].function, "main");
    assert!(result.notes.iter().any(|note| note.starts_with("debug information of app was")));
    assert_eq!(compared(&informed, &informed).functions[0].function, "helper");
}

#[test]
fn what_is_inlined_from_the_standard_library_is_part_of_its_caller() {
    let next = "next@/rustc/1f/library/core/src/iter/range.rs:7";
    let inlined = format!("score@app.rs:3 => {next}");
    let stacks = [(&*inlined, 200), ("score@app.rs:3 => mix@app.rs:9", 100), (next, 100)];
    let count =
        |run: Run, (stack, count): (&str, u32)| run.samples(&["main@app.rs:1", stack], count);
    let side = Side::of([stacks.into_iter().fold(Run::of("app"), count)]);
    let result = compared(&side, &side);
    let share = |name| function(&result, name).base_share;
    assert_eq!([share("score"), share("mix"), share("next")], [0.5, 0.25, 0.25]);
    assert_eq!(function(&result, "score").file.as_deref(), Some("app.rs"));
}

#[test]
fn without_normalization_a_slow_machine_is_a_slow_program() {
    let (base, head) = (
        side(with("x", 700)),
        side(|run, percent| {
            let mut run = with("x", 700)(run, percent);
            run.profile.samples.iter_mut().for_each(|sample| sample.ticks *= 2);
            run.profile.samples.iter_mut().for_each(|sample| sample.weight_ns *= 2);
            run.profile.accounting.recorded_ns *= 2;
            run
        }),
    );
    let slower = |normalization| {
        let mut options = Options::default();
        options.functions.normalization = normalization;
        let result = Comparison::new(&base.inputs(), &head.inputs(), &options).result();
        assert_eq!(result.total.finding, Finding::Slower);
        result.slower().count()
    };
    assert_eq!(slower(Normalization::Auto), 0);
    assert_eq!(slower(Normalization::Cpu), 0);
    assert_eq!(slower(Normalization::None), 9);
}

#[test]
fn a_higher_rate_is_not_more_time() {
    let (base, head) = (
        side(with("x", 700)),
        side(|run, percent| {
            let mut run = with("x", 700)(run, percent);
            run.profile.samples.iter_mut().for_each(|sample| sample.ticks *= 10);
            run
        }),
    );
    let mut options = Options::default();
    options.functions.normalization = Normalization::None;
    let result = Comparison::new(&base.inputs(), &head.inputs(), &options).result();
    assert_eq!((result.slower().count(), result.faster().count()), (0, 0));
}

#[test]
fn nothing_at_all_is_compared_without_a_panic() {
    let empty = Side::of([Run::of("app")]);
    let nothing = Side::of([]);
    for (base, head) in [(&empty, &empty), (&empty, &nothing), (&nothing, &nothing)] {
        assert_eq!(compared(base, head).functions, []);
    }
}

#[test]
fn code_without_names_is_one_function_and_the_comparison_says_so() {
    let run = |first: &str, second: &str| {
        let stack = |run: Run, name: &str| run.samples(&["main", &format!("libx.so.1!{name}")], 50);
        Side::of([stack(stack(Run::of("app").samples(&["main"], 100), first), second)])
    };
    let (base, head) = (run("libx.so.1+0x10", "libx.so.1+0x20"), run("libx.so.1+0x30", "[anon]"));
    let result = compared(&base, &head);
    assert_eq!(result.functions.len(), 2);
    assert!(result.notes.iter().any(|note| note.starts_with("50 % of the CPU time is in code of")));
}

#[test]
fn samples_that_stand_for_unequal_times_are_weighed() {
    let run = |work: u64| {
        let mut run = Run::of("app").samples(&["main", "work"], 1);
        for other in ["a", "b", "c", "d", "e"] {
            run = run.samples(&["main", other], 1);
        }
        run.profile.samples[0].weight_ns = work * 1_000_000_000;
        Side::of([run])
    };
    let (base, head) = (run(1), run(3));
    let mut options = Options::default();
    options.functions.normalization = Normalization::None;
    let result = Comparison::new(&base.inputs(), &head.inputs(), &options).result();
    let work = function(&result, "work");
    assert!((work.base_s - 1.0).abs() < 1e-6 && (work.head_s - 3.0).abs() < 1e-6, "{work:?}");
}
