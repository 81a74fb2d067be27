//! Where the result of a check goes.

use std::path::PathBuf;

use clap::Args;

/// Files to write, `-` for standard output. The text is there unless another format is.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Results")]
pub struct Outputs {
    /// Write all that was found out, which --from reads again
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a summary for a comment
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write SARIF, for code scanning
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Write JUnit XML, for lists of tests
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write GitLab's code quality report
    #[arg(long, value_name = "FILE")]
    pub code_quality: Option<PathBuf>,
    /// Write metrics, in the text format of OpenMetrics
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// The folder of the sources as debug information names it, if they were compiled elsewhere: what
    /// follows is a path in this repository
    #[arg(long, value_name = "FOLDER")]
    pub source_prefix: Vec<String>,
    /// Leave the step summary and the annotations of GitHub Actions alone, which are written where
    /// GITHUB_ACTIONS and GITHUB_STEP_SUMMARY are set
    #[arg(long)]
    pub no_ci: bool,
}
