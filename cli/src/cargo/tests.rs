//! The command line of `cargo sigspy`.

use super::*;

fn parsed(line: &str) -> Result<CargoCommand, String> {
    let line = ["cargo-sigspy", "sigspy"].into_iter().chain(line.split_whitespace());
    let words = words(line.map(OsString::from));
    let arguments = parse(&words).map_err(|error| error.to_string())?;
    Ok(arguments.wanted())
}

fn flamegraph(line: &str) -> CargoFlamegraph {
    match parsed(line) {
        Ok(CargoCommand::Flamegraph(arguments)) => *arguments,
        other => panic!("{line} is {other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    CargoArguments::command().debug_assert();
}

#[test]
fn every_flag_of_cargo_flamegraph_is_understood() {
    let flags = [
        "-v",
        "--verbose",
        "-o x.svg",
        "--output x.svg",
        "--open",
        "--root",
        "--root=-E",
        "-F 997",
        "--freq 997",
        "-z 3",
        "--compression-level 3",
        "-c cmd",
        "--cmd cmd",
        "--ignore-status",
        "--no-inline",
        "--title t",
        "--subtitle t",
        "--deterministic",
        "-i",
        "--inverted",
        "--reverse",
        "--notes n",
        "--min-width 0.1",
        "--image-width 1200",
        "--palette rust",
        "--skip-after main --skip-after f",
        "--flamechart",
        "--dev",
        "--profile x",
        "-p a",
        "--package a",
        "-b a",
        "--bin a",
        "--target x86_64-unknown-linux-gnu",
        "--example a",
        "--test a",
        "--unit-test",
        "--unit-test a",
        "--unit-test=a",
        "--unit-test-kind lib",
        "--unit-test-kind bin",
        "--unit-bench",
        "--unit-bench a",
        "--bench a",
        "--manifest-path a/Cargo.toml",
        "-f a,b",
        "--features a",
        "--no-default-features",
        "-r",
        "--release",
        "-- a -b --bin c",
    ];
    for flag in flags {
        flamegraph(flag);
        flamegraph(&format!("flamegraph {flag}"));
    }
}

#[test]
fn letters_mean_what_they_mean_to_cargo() {
    let arguments = flamegraph("-r -f a -p b -F 250");
    assert!(arguments.build.release);
    assert_eq!(arguments.build.features, ["a"]);
    assert_eq!(arguments.build.package, ["b"]);
    assert_eq!(arguments.sampling.rate, 250);
}

#[test]
fn one_program_is_chosen_at_a_time() {
    assert!(parsed("--bin a --example b").unwrap_err().contains("cannot be used with"));
    assert!(parsed("--dev --release").is_err());
}

#[test]
fn a_program_has_the_arguments_after_the_dashes() {
    assert_eq!(flamegraph("--bin a -- --bin b -F 1").arguments, ["--bin", "b", "-F", "1"]);
    assert!(parsed("--bin a b").is_err(), "as with cargo flamegraph");
}

#[test]
fn the_word_that_cargo_puts_first_may_be_missing() {
    let words = ["cargo-sigspy", "record", "--bin", "a"].map(OsString::from);
    let arguments = parse(&words).unwrap();
    assert!(matches!(arguments.wanted(), CargoCommand::Record(_)));
}

#[test]
fn flags_of_all_commands_may_stand_before_the_command() {
    assert!(matches!(parsed("-q test --per-test"), Ok(CargoCommand::Test(_))));
    assert!(matches!(parsed("--color=never -v bench"), Ok(CargoCommand::Bench(_))));
    assert!(matches!(parsed("-q --bin test"), Ok(CargoCommand::Flamegraph(_))));
}

#[test]
fn tests_and_benchmarks_are_chosen_as_cargo_has_it() {
    let words =
        "test --per-test -n 5 --lib --bin a --test b --workspace --exclude c filter -- --ignored";
    assert!(matches!(parsed(words), Ok(CargoCommand::Test(_))));
    assert!(matches!(parsed("bench --bench a --bench b filter -- -x"), Ok(CargoCommand::Bench(_))));
    assert!(parsed("test -n 5").is_err(), "there is no list then");
}
