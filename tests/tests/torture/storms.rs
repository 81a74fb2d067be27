//! Storms: threads, processes, libraries, jumps, stacks and mappings, thousands of each.

use sigspy_tests::{Program, program_in, record_at};

use crate::case::{Case, torture_program};

#[test]
fn malloc_storms() {
    Case::new("malloc_storm.c").threads(9).check();
}

#[test]
fn fork_storms() {
    Case::new("fork_storm.c").threads(4).check();
}

#[test]
fn vfork_fork_spawn_and_exec_storms() {
    // 2 threads, 12 rounds of 4 programs.
    Case::new("exec_storm.c").threads(3 + 2 * 12 * 4).check();
}

/// Libraries of equal functions whose code and frames differ in size.
fn plugins() -> [Program; 5] {
    ["1", "2", "3", "4", "5"].map(|salt| {
        let salt = format!("-DSALT={salt}");
        program_in("torture", "plugin.c", &["-shared", "-fPIC", &salt])
    })
}

#[test]
fn libraries_that_come_and_go() {
    plugins().iter().fold(Case::new("dl_storm.c").threads(4), Case::argument).check();
}

/// A library may lie where another one was a moment ago. Whose code it is may be unknown then, and
/// the stack cut and marked as such, but none that claims to be whole may be made up.
#[test]
fn stacks_through_libraries_that_come_and_go_are_right_or_cut() {
    through_libraries("-DCALLS=1");
    let whole = through_libraries("-DCALLS=200");
    assert!(whole > 0.1, "{whole} of the stacks are whole where libraries stay for a moment");
}

/// Checks the stacks of threads that call functions in libraries, and returns the share of whole ones.
fn through_libraries(calls: &str) -> f64 {
    let mut command = vec![program_in("torture", "dl_storm.c", &[calls]).path, "4".into()];
    command.extend(plugins().map(|plugin| plugin.path));
    let recorded = record_at(4000, command).expect(0);
    let calls = ["clone3", "start_thread", "run", "plugin", "callback", "churn", "compute"];
    let is_cut = |frames: &[String]| frames[0].starts_with("[incomplete");
    let is_true = |frames: &[String]| {
        let ranks = frames.iter().map(|frame| calls.iter().position(|call| call == frame));
        let from_the_root = frames.iter().zip(calls).take(3).all(|(frame, call)| frame == call);
        ranks.clone().all(|rank| rank.is_some()) && ranks.is_sorted() && from_the_root
    };
    let is_in_plugin = |frames: &[String]| frames.iter().any(|frame| frame == "plugin");
    let folded = recorded.folded();
    let in_plugin = folded.only(|frames| is_in_plugin(frames) && !is_cut(frames));
    let made_up = in_plugin.only(|frames| !is_true(frames));
    let facts = || format!("{}\n{}", made_up.heaviest(20), recorded.outcome);
    assert_eq!(made_up.total(), 0, "ns of {} that cannot be:\n{}", in_plugin.total(), facts());
    in_plugin.total() as f64 / folded.total() as f64
}

#[test]
fn threads_that_outlive_the_main_thread() {
    let [_, _, plugin, ..] = plugins();
    Case::new("leader.c").argument(&plugin).threads(2).check();
    let command = [torture_program("leader.c").path, "3".into(), plugin.path];
    let recorded = record_at(997, command).expect(4);
    let folded = recorded.folded();
    let incomplete = folded.weight_below("[incomplete");
    // Until the collector has seen the library, which is loaded in the middle, its code is unknown.
    let allowed = folded.total() / 10;
    let facts = || format!("{}\n{}", folded.heaviest(10), recorded.outcome);
    assert!(incomplete < allowed, "{incomplete} ns in incomplete stacks:\n{}", facts());
    let called_back = folded.weight_of("plugin");
    assert!(called_back > folded.total() / 4, "{called_back} ns below `plugin`:\n{}", facts());
}

#[test]
fn threads_that_end_in_every_way() {
    Case::new("thread_storm.c").threads(1 + 300 * 5).check();
}

#[test]
fn ten_thousand_short_threads() {
    Case::new("short_threads.c").threads(10_001).check();
}

#[test]
fn threads_on_the_smallest_stacks() {
    Case::new("min_threads.c").threads(1 + 60 * 8).check();
}

#[test]
fn longjmp_out_of_calls_and_handlers() {
    Case::new("jump_storm.c").threads(4).check();
}

#[test]
fn a_sigprof_handler_that_never_returns() {
    Case::new("escape.c").threads(4).check();
}

#[test]
fn exceptions() {
    Case::new("throw_storm.cpp").threads(4).check();
}

#[test]
fn alternate_stacks_that_change_all_the_time() {
    Case::new("altstack_storm.c").threads(5).check();
}

#[test]
fn stack_overflows_that_are_survived() {
    Case::new("overflow_storm.c").threads(3).check();
}

#[test]
fn memory_mapped_protected_and_unmapped() {
    Case::new("map_storm.c").threads(5 + 150).check();
}

#[test]
fn a_stack_that_loses_its_upper_end() {
    Case::new("sawn_stack.c").check();
}

#[test]
fn calls_on_other_stacks() {
    Case::new("call_on_stack.c").check();
}

#[test]
fn fibers() {
    Case::new("fibers.c").threads(3).check();
}
