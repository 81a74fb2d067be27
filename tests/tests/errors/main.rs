//! Every error that sigspy has, provoked for real: its exit status, and that it says in one line what
//! happened and what to do. An error without a test fails [`every_error_has_a_test`].

mod cargo;
mod checks;
mod commits;
mod imports;
mod programs;
mod recordings;
mod variants;
mod words;

use std::collections::BTreeSet;
use std::process::Command;

use sigspy_tests::{TempDir, run, sigspy};

/// Errors by their place in the code, and what provokes them.
const TESTED: &[(&str, fn())] = &[
    ("cli BadEnvironment", words::the_environment_is_no_good),
    ("cli BinaryToTerminal", recordings::bytes_are_not_for_a_terminal),
    ("cli Build", commits::the_base_does_not_build),
    ("cli Cargo", cargo::cargo_has_failed),
    ("cli CargoMetadata", cargo::cargo_speaks_in_tongues),
    ("cli Check", checks::there_is_no_command_to_check),
    ("cli Config", words::a_setting_is_wrong),
    ("cli Create", recordings::a_file_cannot_be_written),
    ("cli DamagedRecording", recordings::names_are_for_whole_recordings),
    ("cli Exists", recordings::a_file_of_somebody_else_stays),
    ("cli Folder", recordings::a_folder_cannot_be_read),
    ("cli Handover", cargo::cargo_and_we_do_not_understand_one_another),
    ("cli Interrupted", checks::a_check_is_interrupted),
    ("cli Loss", recordings::more_is_lost_than_was_allowed),
    ("cli NoBaseline", checks::a_folder_has_something_else_than_a_baseline),
    ("cli NoCache", words::the_agent_has_no_place),
    ("cli NoCargo", cargo::cargo_is_not_there),
    ("cli NoRecording", recordings::there_is_no_recording),
    ("cli NoRecordings", recordings::a_folder_has_no_recordings),
    ("cli NoResult", checks::a_result_is_none),
    ("cli NoSamples", programs::a_program_did_nothing),
    ("cli NoSocket", words::nobody_has_asked_for_a_collector),
    ("cli NotEmpty", checks::a_folder_for_recordings_has_files),
    ("cli NothingToCheck", checks::there_is_no_command_to_check),
    ("cli NothingToRun", cargo::cargo_runs_nothing),
    ("cli PostProcess", imports::a_command_gives_no_stacks),
    ("cli Read", imports::a_file_does_not_exist),
    ("cli ReadConfig", words::settings_cannot_be_read),
    ("cli ReadOutput", checks::the_output_of_a_run_is_gone),
    ("cli ReadResult", checks::a_result_does_not_exist),
    ("cli ResultVersion", checks::a_result_is_of_the_future),
    ("cli SeveralToRun", cargo::cargo_runs_several),
    ("cli SeveralToStdout", checks::two_results_are_for_standard_output),
    ("cli UnfinishedRecording", recordings::a_recording_has_no_end),
    ("cli UnitOfTime", recordings::ticks_are_for_folded_stacks),
    ("cli UnknownFormat", recordings::a_name_does_not_tell_the_format),
    ("cli Usage", words::a_flag_does_not_exist),
    ("choice Nothing", cargo::nothing_can_be_run),
    ("choice Several", cargo::several_can_be_run),
    ("collector EmptyRecording", recordings::a_recording_has_nothing_in_it),
    ("collector Folder", programs::a_program_is_a_folder),
    ("collector NotAProgram", programs::a_program_is_a_text),
    ("collector NotARecording", recordings::a_recording_is_a_text),
    ("collector NotExecutable", programs::a_program_is_not_executable),
    ("collector NotFound", programs::a_program_does_not_exist),
    ("collector OpenRecording", recordings::a_recording_does_not_exist),
    ("collector OtherArchitecture", programs::a_program_is_for_another_machine),
    ("collector OtherVersion", recordings::a_recording_is_of_the_future),
    ("collector Session", programs::there_is_no_place_to_meet),
    ("collector SetUserId", programs::a_program_gains_rights),
    ("collector Spawn", programs::a_program_has_no_loader),
    ("collector StaticallyLinked", programs::a_program_is_static),
    ("collector Write", recordings::the_disk_is_full_while_recording),
    ("git Failed", commits::git_cannot_check_out),
    ("git NoCommit", commits::a_commit_is_not_there),
    ("git NoDefaultBase", commits::there_is_no_default_branch),
    ("git NoFolder", commits::a_folder_is_new),
    ("git NoRepository", commits::there_is_no_repository),
    ("git NotFound", commits::git_is_not_there),
    ("git NothingChanged", commits::nothing_has_changed),
    ("import BadLine", imports::a_line_is_no_stack),
    ("import BadPprof", imports::a_profile_of_pprof_is_none),
    ("import Bomb", imports::a_file_unpacks_to_too_much),
    ("import Empty", imports::a_file_has_no_samples),
    ("import Gzip", imports::a_file_cannot_be_unpacked),
    ("import Negative", imports::a_profile_is_a_difference),
    ("import NoTime", imports::a_profile_is_not_of_time),
    ("import PerfData", imports::a_file_is_of_perf_record),
    ("import Recording", imports::a_file_is_a_recording_already),
    ("import TooMuchTime", imports::a_profile_is_longer_than_anybody_lives),
    ("import UnknownFormat", imports::a_file_is_of_no_known_format),
    ("merge TooMuch", imports::recordings_are_too_much_together),
    ("merge WallAndCpu", imports::recordings_are_of_wall_and_of_cpu_time),
    ("report NoSamples", recordings::a_flame_graph_of_nothing),
    ("report Write", recordings::the_disk_is_full_while_reporting),
];

/// Errors that cannot be provoked, and why.
const UNTESTED: &[(&str, &str)] = &[
    ("cli Collector", "stands for those of the collector"),
    ("cli Git", "stands for those of git"),
    ("cli Import", "stands for those of importing"),
    ("cli Merge", "stands for those of merging"),
    ("cli NoChoice", "stands for those of choosing what cargo builds"),
    ("cli Report", "stands for those of reports"),
    ("merge Nothing", "the command line asks for two"),
    ("report Draw", "a defect, of which none is known"),
];

#[test]
fn every_error_has_a_test() {
    let known: BTreeSet<String> = TESTED.iter().map(|(name, _)| *name).map(str::to_owned).collect();
    let untested = UNTESTED.iter().map(|(name, _)| (*name).to_owned());
    let known: BTreeSet<String> = known.into_iter().chain(untested).collect();
    let written = variants::all();
    let new: Vec<_> = written.difference(&known).collect();
    assert!(new.is_empty(), "provoke these, and add them to TESTED: {new:?}");
    let gone: Vec<_> = known.difference(&written).collect();
    assert!(gone.is_empty(), "these are no errors any more: {gone:?}");
}

/// `sigspy` in a folder.
fn sigspy_in(folder: &TempDir) -> Command {
    let mut command = Command::new(sigspy());
    command.current_dir(folder.path());
    command
}

/// Runs a command that must fail: with one line that has all `words`, nothing on standard output, and
/// no sign of a defect.
#[track_caller]
fn refused(command: &mut Command, code: i32, words: &[&str]) {
    let outcome = run(command).expect(code);
    let errors = outcome.errors();
    assert_eq!(errors.len(), 1, "there should be one line with an error:\n{outcome}");
    for word in words {
        assert!(errors[0].contains(word), "the error does not say `{word}`:\n{outcome}");
    }
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    assert_eq!(outcome.text(), "", "an error belongs on stderr:\n{outcome}");
}
