//! Completion scripts and the manual, as shells and man(1) see them.

use std::fs;
use std::process::Command;

use sigspy_tests::{TempDir, needs, run, sigspy};

/// Loads the script and completes the last of `words`, as bash does when TAB is pressed.
fn completed_by_bash(words: &[&str]) -> Vec<String> {
    let script = r#"
        eval "$("$SIGSPY" completions bash)"
        complete -p sigspy > /dev/null || exit 1
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        _sigspy sigspy "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || exit 2
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new(needs("bash", "bash"));
    bash.args(["--norc", "-c", script, "bash"]).args(words).env("SIGSPY", sigspy());
    let outcome = run(&mut bash).expect(0);
    assert_eq!(outcome.stderr, "", "{outcome}");
    outcome.text().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    assert_eq!(completed_by_bash(&["sigspy", "flam"]), ["flamegraph"]);
    assert_eq!(completed_by_bash(&["sigspy", "record", "--start-p"]), ["--start-paused"]);
    let clocks = completed_by_bash(&["sigspy", "record", "--clock", ""]);
    assert!(clocks.contains(&"thread".to_owned()), "{clocks:?}");
}

#[test]
fn there_is_a_script_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let outcome = run(Command::new(sigspy()).args(["completions", shell])).expect(0);
        assert!(outcome.text().contains("flamegraph"), "{outcome}");
        assert_eq!(outcome.stderr, "", "{outcome}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_command_and_groff_finds_no_fault_in_it() {
    let folder = TempDir::new();
    run(Command::new(sigspy()).arg("man").arg(folder.join("man1"))).expect(0);
    let pages = fs::read_dir(folder.join("man1")).expect("the folder was made");
    let pages: Vec<_> = pages.map(|page| page.expect("a folder can be read").path()).collect();
    let help = run(Command::new(sigspy()).arg("--help")).expect(0).text();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.map_while(|line| line.split_whitespace().next());
    for command in commands.filter(|command| *command != "help") {
        let page = folder.join(format!("man1/sigspy-{command}.1"));
        assert!(pages.contains(&page), "{} is missing", page.display());
    }
    assert!(pages.contains(&folder.join("man1/cargo-sigspy.1")), "{pages:?}");
    for page in pages {
        let groff = needs("groff", "groff-base");
        let outcome = run(Command::new(groff).args(["-man", "-Tutf8", "-ww"]).arg(page)).expect(0);
        assert_eq!(outcome.stderr, "", "{outcome}");
        assert!(outcome.text().contains("General Commands Manual"), "{outcome}");
    }
}
