//! Runs of both sides in turn.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use sigspy_compare::Input;
use sigspy_symbolizer::Sources;

use super::folder::Folder;
use super::workload::Workload;
use crate::args::Sampling;
use crate::error::Error;
use crate::named::Named;
use crate::{interrupt, message, named, record};

/// Bytes of output in which the work is looked for.
const LONGEST_OUTPUT: u64 = 1 << 30;

/// Both sides, ready to run.
pub struct Bench<'a> {
    /// Base and head; those that are run.
    pub workloads: [Option<Workload>; 2],
    pub sampling: &'a Sampling,
    /// The word before the number that says how much was done.
    pub work: Option<&'a str>,
    pub folder: Folder,
}

/// A run.
pub struct Run {
    named: Named,
    /// `None` if it should have said how much it did, and has not.
    work: Option<f64>,
}

/// The runs of both sides: base and head.
#[derive(Default)]
pub struct Runs([Vec<Run>; 2]);

impl Bench<'_> {
    /// Makes `count` runs of each side: base, head, head, base, and so on, so that a machine that
    /// gets slower by and by does so for both. Ends with the first run that has failed.
    pub fn run(&self, what: &str, count: u16) -> Result<Runs, Error> {
        let mut runs = Runs::default();
        for pair in 0..count {
            let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
            for side in order {
                let Some(workload) = &self.workloads[side] else { continue };
                interrupt::heed()?;
                let run = self.run_one(side, workload, &format!("{what}{}", pair + 1))?;
                let failed = run.named.profile.meta.exit_code != Some(0);
                runs.0[side].push(run);
                if failed {
                    return Ok(runs);
                }
            }
        }
        Ok(runs)
    }

    fn run_one(&self, side: usize, workload: &Workload, number: &str) -> Result<Run, Error> {
        let name = format!("{}-{number}", ["base", "head"][side]);
        let output = self.folder.join(&format!("{name}.txt"));
        let recording = self.folder.join(&format!("{name}.sigspy"));
        if self.sampling.force {
            remove(&output)?;
        }
        let program = workload.program(output.clone());
        let recorded = record::record_quietly(self.sampling, &recording, program)?;
        interrupt::heed()?;
        let code = recorded.ended.exit_code();
        let (mut named, _) = recorded.into_named(self.sampling);
        named.symbols = named.symbols.with_files(|file| workload.path_in_sources(file));
        named.profile.meta.exit_code = Some(code.into());
        let work = self.work.map_or(Ok(Some(1.0)), |word| work(&output, word))?;
        let cpu_s = named.profile.accounting.cpu_ns.unwrap_or(0) as f64 / 1e9;
        message::note(&format!("{name}: {cpu_s:.3} s CPU"));
        Ok(Run { named, work })
    }
}

/// Removes what is there, if anything is.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::Create(path.into(), error))
        }
        _ => Ok(()),
    }
}

impl Run {
    /// A run that was kept.
    pub fn read(recording: &Path, work: Option<f64>) -> Result<Self, Error> {
        Ok(Self { named: named::read(recording, Sources::default())?, work })
    }

    /// Keeps it, with names.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        let Named { profile, symbols } = &self.named;
        sigspy_collector::write(profile, Some(symbols), out).map(drop)
    }

    pub fn work(&self) -> Option<f64> {
        self.work
    }
}

/// The number after `word` in the last line of a file that begins with it.
fn work(output: &Path, word: &str) -> Result<Option<f64>, Error> {
    let failed = |error| Error::ReadOutput(output.into(), error);
    let mut lines = BufReader::new(File::open(output).map_err(failed)?.take(LONGEST_OUTPUT));
    let (mut line, mut work) = (Vec::new(), None);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(work);
        }
        work = number_after(&String::from_utf8_lossy(&line), word).or(work);
    }
}

fn number_after(line: &str, word: &str) -> Option<f64> {
    let rest = line.strip_prefix(word)?.trim_start_matches([':', '=', ' ', '\t']);
    let number = rest.split_whitespace().next()?.parse().ok();
    number.filter(|number: &f64| number.is_finite() && *number > 0.0)
}

impl Runs {
    /// With these as the base.
    pub fn with_base(self, base: Vec<Run>) -> Self {
        let [_, head] = self.0;
        Self([base, head])
    }

    pub fn of_head(&self) -> impl Iterator<Item = &Run> + Clone {
        self.0[1].iter()
    }

    /// As a comparison takes them. The work counts if runs are to be divided by it.
    pub fn inputs(&self, side: usize, divided_by_work: bool) -> Vec<Input<'_>> {
        let input = |run: &'_ Run| (if divided_by_work { run.work } else { None }).unwrap_or(1.0);
        let inputs = self.0[side].iter().map(|run| Input {
            profile: &run.named.profile,
            symbols: &run.named.symbols,
            work: input(run),
        });
        inputs.collect()
    }

    /// What is wrong with the work that was done, in sentences.
    pub fn faults_of_work(&self, divided_by_work: bool) -> Vec<String> {
        let mut works = self.0.iter().flatten().map(|run| run.work);
        let Some(first) = works.next() else { return Vec::new() };
        let rest: Vec<Option<f64>> = works.collect();
        if first.is_none() || rest.contains(&None) {
            return vec!["a run does not say how much it has done, as --work expects".to_owned()];
        }
        match rest.iter().find(|work| **work != first) {
            Some(other) if !divided_by_work => vec![format!(
                "the runs did not do the same work ({} and {}), so their CPU times cannot be \
                 compared; --normalize work divides by it",
                first.unwrap_or_default(),
                other.unwrap_or_default()
            )],
            _ => Vec::new(),
        }
    }

    /// Samples for each second of CPU time, over all runs: the kernel may give fewer than were asked
    /// for. `None` without CPU time.
    pub fn samples_per_second(&self) -> Option<f64> {
        let profiles = || self.0.iter().flatten().map(|run| &run.named.profile);
        let seconds: f64 =
            profiles().map(|profile| profile.accounting.total_ns() as f64 / 1e9).sum();
        let samples: u64 =
            profiles().flat_map(|profile| &profile.samples).map(|one| u64::from(one.ticks)).sum();
        (seconds > 0.0).then(|| samples as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_the_number_after_its_word() {
        assert_eq!(number_after("requests: 1200 in 3 s\n", "requests"), Some(1200.0));
        assert_eq!(number_after("work=3.5\n", "work"), Some(3.5));
        for line in ["work\n", "work none\n", "work 0\n", "work inf\n", "more work 5\n"] {
            assert_eq!(number_after(line, "work"), None, "{line}");
        }
    }
}
