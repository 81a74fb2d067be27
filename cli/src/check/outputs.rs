//! Writes a result wherever it is to go.

use std::path::Path;

use sigspy_compare::check::CheckResult;
use sigspy_report::{self as report, Repository};

use super::github;
use super::repository::Checkout;
use crate::args;
use crate::error::Error;
use crate::sink::{STDOUT, Sink};

type Format = fn(&CheckResult, &dyn Repository, &mut Sink) -> Result<(), report::Error>;

/// Files that can be written, before the program has run for long.
pub struct Outputs {
    /// `None` if standard output has another format.
    text: Option<Sink>,
    sinks: Vec<(Format, Sink)>,
    checkout: Checkout,
    no_ci: bool,
}

impl Outputs {
    /// Creates all files. Fails if one cannot be, or is somebody else's and `force` is not said.
    pub fn create(wanted: &args::Outputs, force: bool) -> Result<Self, Error> {
        let files = files(wanted);
        let stdouts = files.iter().filter(|(_, path)| *path == Path::new(STDOUT)).count();
        if stdouts > 1 {
            return Err(Error::SeveralToStdout);
        }
        let text = (stdouts == 0).then(|| Sink::create(Path::new(STDOUT), false)).transpose()?;
        let sink = |(format, path)| Ok((format, Sink::create(path, force)?));
        Ok(Self {
            text,
            sinks: files.into_iter().map(sink).collect::<Result<_, Error>>()?,
            checkout: Checkout::new(&wanted.source_prefix),
            no_ci: wanted.no_ci,
        })
    }

    /// Writes all files, and tells the service that runs this what it shows to people. The text has
    /// another end.
    pub fn write(self, result: &CheckResult, end: &str) -> Result<(), Error> {
        if let Some(mut sink) = self.text {
            report::check_text(result, &mut sink)?;
            sink.finish(end)?;
        }
        for (format, mut sink) in self.sinks {
            format(result, &self.checkout, &mut sink)?;
            sink.finish("")?;
        }
        if !self.no_ci {
            github::tell(result, &self.checkout);
        }
        Ok(())
    }
}

/// The files that were asked for.
fn files(wanted: &args::Outputs) -> Vec<(Format, &Path)> {
    let formats: [(Format, &Option<_>); 6] = [
        (|result, _, out| report::check_json(result, out), &wanted.json),
        (|result, _, out| report::check_markdown(result, out), &wanted.markdown),
        (|result, repository, out| report::check_sarif(result, repository, out), &wanted.sarif),
        (|result, _, out| report::check_junit(result, out), &wanted.junit),
        (
            |result, repository, out| report::check_code_quality(result, repository, out),
            &wanted.code_quality,
        ),
        (|result, _, out| report::check_metrics(result, out), &wanted.metrics),
    ];
    formats.into_iter().filter_map(|(format, path)| Some((format, path.as_deref()?))).collect()
}
