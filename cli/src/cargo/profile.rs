//! The profile that programs are built with, and what it takes to read them.
//!
//! Debug information is needed for inlined functions and lines, and most release profiles have none.
//! Nobody needs to change a Cargo.toml: cargo takes a profile by `--config`. It has a folder of its
//! own in the target folder, so that what the user builds is not built again and again.
//!
//! `debug = "limited"` is the least that will do: with "line-tables-only", inlined functions have
//! names without their paths (`{closure#0}` for `app::run::{closure#0}`).

use std::ffi::OsString;

/// The name of our profile, and of its folder.
const PROFILE: &str = "sigspy";

/// The profile that ours is made from if the user has not said.
pub fn usual(command: &str) -> &'static str {
    if command == "bench" { "bench" } else { "release" }
}

/// Flags of cargo for a profile that is like `base`, but has debug lines and symbols.
pub fn flags(base: &str) -> Vec<OsString> {
    let mut settings = vec![
        format!("profile.{PROFILE}.debug=\"limited\""),
        format!("profile.{PROFILE}.strip=false"),
    ];
    // A workspace may have a profile of our name itself.
    if base != PROFILE {
        settings.push(format!("profile.{PROFILE}.inherits={base:?}"));
    }
    let mut flags: Vec<OsString> = Vec::new();
    for setting in settings {
        flags.extend(["--config".into(), setting.into()]);
    }
    flags.extend(["--profile".into(), PROFILE.into()]);
    flags
}

/// What is said before.
pub fn announcement(base: &str) -> String {
    format!(
        "building as with --profile {base}, with debug lines, in a folder of its own ({PROFILE})"
    )
}

/// The functions of test and benchmark harnesses that call what is tested or measured. Where stacks
/// begin if the user has not said.
pub fn harness(command: &str) -> Vec<String> {
    let functions: &[&str] = match command {
        // Criterion, then libtest. The innermost counts.
        "bench" => &[
            "<criterion::routine::Function as Routine>::warm_up",
            "<criterion::routine::Function as Routine>::bench",
            "criterion::benchmark_group::BenchmarkGroup::bench_function::{{closure}}",
            "test::bench::Bencher::iter",
        ],
        "test" => &["test::__rust_begin_short_backtrace"],
        _ => &[],
    };
    functions.iter().map(|&function| function.to_owned()).collect()
}
