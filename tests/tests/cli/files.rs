//! Files that are written, and those that are not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use sigspy_tests::{
    TempDir, export, program, record, run, run_with_mounts, shell_with_mounts, sigspy,
    unprivileged_sigspy,
};

use crate::{assert_error, made_up, record_in};

#[test]
fn a_recording_without_a_name_gets_one_and_is_the_default_afterwards() {
    let folder = TempDir::new();
    let sigspy_here = || {
        let mut command = Command::new(sigspy());
        command.current_dir(folder.path());
        command
    };
    run(sigspy_here().args(["record", "--"]).arg(program("split.c")).arg("0.5")).expect(0);
    let link = fs::read_link(folder.join("sigspy.sigspy")).expect("a link to the recording");
    let name = link.to_string_lossy().into_owned();
    assert!(name.starts_with("sigspy-split-") && name.ends_with(".sigspy"), "{name}");
    let report = run(sigspy_here().arg("report")).expect(0);
    assert!(report.text().contains("burn_48_percent"), "{report}");
    let exported = run(sigspy_here().args(["export", "--format", "folded"])).expect(0);
    assert!(exported.text().contains("main;burn_48_percent"), "{exported}");
}

#[test]
fn a_file_of_someone_else_is_not_overwritten() {
    let folder = TempDir::new();
    let notes = folder.write("recording.sigspy", "my notes\n");
    let outcome = run(record_in(&folder).args(["--", "true"]));
    assert_error(&outcome, 125, &["recording.sigspy", "--force"]);
    assert_eq!(fs::read(&notes).expect("it is there"), b"my notes\n");

    run(record_in(&folder).args(["--force", "--"]).arg(program("split.c")).arg("0.5")).expect(0);
    run(&mut export(&notes)).expect(0);
}

#[test]
fn a_recording_cannot_be_written_into_nowhere() {
    let folder = TempDir::new();
    let mut command = Command::new(sigspy());
    command.args(["record", "-o", "nowhere/recording.sigspy", "--", "echo", "run"]);
    let outcome = run(command.current_dir(folder.path()));
    assert_error(&outcome, 125, &["nowhere/recording.sigspy"]);
}

#[test]
fn an_export_to_a_file_leaves_stdout_empty() {
    let recorded = record([program("split.c").as_ref(), "1".as_ref()]).expect(0);
    let file = recorded.folder().join("split.folded");
    let on_stdout = run(&mut export(&recorded.path)).expect(0).text();
    let outcome = run(export(&recorded.path).arg("-o").arg(&file)).expect(0);
    assert_eq!(outcome.text(), "", "{outcome}");
    assert_eq!(fs::read_to_string(file).expect("it was written"), on_stdout);
}

#[test]
fn files_are_for_their_owner_alone() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    for (command, file) in [("flamegraph", "app.svg"), ("export", "app.folded")] {
        let mut sigspy = sigspy_of(command, &recording);
        run(sigspy.arg("-o").arg(folder.join(file))).expect(0);
        let mode = fs::metadata(folder.join(file)).expect("it was written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// `sigspy COMMAND -i RECORDING`, or what stands for it.
fn sigspy_of(command: &str, recording: &Path) -> Command {
    let mut sigspy = Command::new(sigspy());
    sigspy.arg(command);
    match command {
        "export" => sigspy.args(["--format", "folded"]).arg(recording),
        _ => sigspy.arg("-i").arg(recording),
    };
    sigspy
}

#[test]
fn links_are_not_followed() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    let precious = folder.write("precious", "mine");
    for (link, target) in [("link", "precious"), ("dangling", "nothing-yet")] {
        symlink(target, folder.join(link)).expect("the folder is ours");
        for flags in [&[][..], &["--force"]] {
            let mut sigspy = sigspy_of("export", &recording);
            let outcome = run(sigspy.args(flags).arg("-o").arg(folder.join(link)));
            assert_error(&outcome, 125, &[link, "is no recording or flame graph of sigspy"]);
        }
    }
    assert_eq!(fs::read(precious).expect("it is there"), b"mine");
    assert!(!folder.join("nothing-yet").exists());
}

#[test]
fn a_flame_graph_of_ours_is_kept_when_there_is_a_new_one() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    let draw = |title: &str| {
        let mut sigspy = sigspy_of("flamegraph", &recording);
        run(sigspy.current_dir(folder.path()).args(["--title", title])).expect(0)
    };
    draw("the first one");
    draw("the second one");
    let text = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
    assert!(text("flamegraph.svg").contains("the second one"));
    assert!(text("flamegraph.svg.old").contains("the first one"));
}

#[test]
fn a_recording_that_cannot_be_read_moves_nothing() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    run(sigspy_of("flamegraph", &recording).current_dir(folder.path())).expect(0);
    let nowhere = folder.join("mistyped.sigspy");
    let mut draw = Command::new(sigspy());
    draw.args(["flamegraph", "--input"]).arg(&nowhere).current_dir(folder.path());
    run(&mut draw).expect(125);
    // Without a file of that name it is taken for a program, which is not there either.
    run(sigspy_of("flamegraph", &nowhere).current_dir(folder.path())).expect(127);
    let mut diff = Command::new(sigspy());
    diff.arg("diff").arg(&recording).arg(&nowhere).arg("-o").arg(folder.join("flamegraph.svg"));
    run(&mut diff).expect(125);
    assert!(folder.join("flamegraph.svg").exists());
    assert!(!folder.join("flamegraph.svg.old").exists());
}

#[test]
fn a_difference_may_be_written_over_what_was_compared() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    let mut diff = Command::new(sigspy());
    run(diff.arg("diff").args([&recording, &recording]).arg("-o").arg(&recording)).expect(0);
    let recorded = fs::read(folder.join("app.sigspy.old")).expect("the recording is kept");
    assert!(recorded.starts_with(b"SIGSPY"));
}

#[test]
fn the_recording_behind_a_picture_for_a_pipe_has_a_name_of_its_own() {
    let folder = TempDir::new();
    let mut draw = Command::new("bash");
    let script = "\"$0\" flamegraph -o >(cat >picture.svg) -- \"$1\" 0.5 && wait $!";
    draw.args(["-c", script]).arg(sigspy()).arg(program("split.c"));
    run(draw.current_dir(folder.path())).expect(0);
    let picture = fs::read_to_string(folder.join("picture.svg")).expect("it was written");
    assert!(picture.contains("burn_48_percent"));
    let link = fs::read_link(folder.join("sigspy.sigspy")).expect("a link to the recording");
    assert!(link.to_string_lossy().starts_with("sigspy-split-"), "{}", link.display());
}

#[test]
fn the_revision_is_that_of_the_folder_even_in_a_hook_of_git() {
    let folder = TempDir::new();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
        run(git.current_dir(folder.path())).expect(0).text()
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
    let revision = git(&["rev-parse", "HEAD"]);
    let other = TempDir::new();
    run(Command::new("git").args(["init", "--quiet"]).arg(other.path())).expect(0);
    let mut record = record_in(&folder);
    record.current_dir(folder.path()).env("GIT_DIR", other.join(".git"));
    run(record.args(["--", "true"])).expect(0);
    let mut json = Command::new(sigspy());
    json.args(["export", "--format", "json"]).arg(folder.join("recording.sigspy"));
    assert!(run(&mut json).expect(0).text().contains(revision.trim()), "{revision}");
}

#[test]
fn a_file_named_as_the_last_recording_is_left_alone() {
    let folder = TempDir::new();
    folder.write("sigspy.sigspy", "mine");
    let mut sigspy = Command::new(sigspy());
    sigspy.current_dir(folder.path()).args(["record", "--", "true"]);
    run(&mut sigspy).expect(0);
    assert_eq!(fs::read(folder.join("sigspy.sigspy")).expect("it is there"), b"mine");
}

#[test]
fn nothing_is_left_in_a_folder_that_cannot_be_written_to() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    let mut sigspy = unprivileged_sigspy(&folder);
    fs::set_permissions(&recording, fs::Permissions::from_mode(0o644)).expect("it is ours");
    fs::create_dir(folder.join("closed")).expect("the folder is ours");
    fs::set_permissions(folder.join("closed"), fs::Permissions::from_mode(0o555)).expect("ours");
    sigspy.args(["export", "--format", "folded", "-o", "closed/app.folded"]).arg(&recording);
    assert_error(&run(&mut sigspy), 125, &["cannot write closed/app.folded: Permission denied"]);
    assert!(!folder.join("closed/app.folded").exists());
}

/// What was begun is removed, so that no half of a flame graph is taken for one.
#[test]
fn nothing_is_left_on_a_disk_that_is_full() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    let disk = folder.join("disk");
    fs::create_dir(&disk).expect("the folder is ours");
    let script = r#"
        mount -t tmpfs -o size=4k none "$1" || exit 99
        "$2" flamegraph -i "$3" -o "$1/app.svg"
        status=$?
        ls "$1"
        exit $status
    "#;
    let mut command = shell_with_mounts(script);
    command.arg(&disk).arg(sigspy()).arg(&recording);
    let outcome = run_with_mounts(&mut command);
    assert_error(&outcome, 125, &["cannot write", "No space left on device"]);
}

#[test]
fn standard_output_has_what_was_asked_for_and_nothing_else() {
    let folder = TempDir::new();
    let recording = made_up::recording(&folder.join("app.sigspy"));
    let mut drawn = sigspy_of("flamegraph", &recording);
    let graph = run(drawn.args(["-v", "-o", "-"])).expect(0).text();
    assert!(graph.starts_with("<?xml") && graph.trim_end().ends_with("<!-- sigspy -->"), "{graph}");
    let mut recorded = Command::new(sigspy());
    recorded.args(["record", "-v", "--", "echo", "the program's own"]);
    let outcome = run(recorded.current_dir(folder.path())).expect(0);
    assert_eq!(outcome.text(), "the program's own\n", "{outcome}");
}
