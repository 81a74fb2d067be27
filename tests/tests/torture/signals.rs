//! Signals of the program's own, faults among them, blocked, waited for and ignored.

use crate::case::Case;

#[test]
fn signals_and_real_faults() {
    Case::new("signal_storm.c").threads(5).check();
}

#[test]
fn blocked_signals() {
    Case::new("masked.c").threads(5).check();
}

#[test]
fn a_thread_asleep_while_others_block_all_signals() {
    Case::new("asleep.c").threads(2).check_alone();
}

#[test]
fn a_handler_that_did_not_ask_for_the_alternate_stack() {
    Case::new("own_stack.c").check();
}

#[test]
fn a_sigprof_of_the_programs_own_that_waits_behind_the_mask() {
    Case::new("pending.c").check_alone();
}

#[test]
fn system_calls_that_a_sigprof_of_the_programs_own_interrupts() {
    Case::new("restart.c").check_alone();
}

#[test]
fn a_program_that_waits_for_all_signals() {
    Case::new("wait_for_all.c").threads(2).check();
}
