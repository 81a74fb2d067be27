//! From all locations of a profile to their frames.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use sigspy_model::{Frame, Language, Location, LocationId, Module, ModuleId, Symbols};

use crate::demangle::clean;
use crate::lookup::MANY;
use crate::module::{self, Answer, Common};
use crate::pool;
use crate::problem::Problem;
use crate::shelf::Shelf;
use crate::sources::Sources;
use crate::texts::Texts;

/// The name of code that belongs to no module.
const ANONYMOUS: &str = "[anon]";

/// Frames of every location, and what stood in the way of better ones.
#[derive(Debug)]
pub struct Symbolized {
    pub symbols: Symbols,
    /// In the order of the modules, at most one each.
    pub problems: Vec<Problem>,
}

/// Looks up every location in the files that `sources` lead to. Each address of a module is looked up once, however many locations
/// share it. Code without a module has the name that `code_names` gives to its location.
///
/// `progress` is called from several threads, after each module, with how many modules are done
/// and how many have locations at all. At most as many threads run as there are CPUs for us.
/// Problems with files never fail the whole: they are in [`Symbolized::problems`].
pub fn symbolize(
    modules: &[Module],
    locations: &[Location],
    code_names: &BTreeMap<LocationId, String>,
    sources: &Sources,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Symbolized {
    let jobs = jobs(modules, locations);
    let shelf = sources.cache.as_deref().and_then(Shelf::open);
    let common = Common { sources, shelf, texts: Texts::default() };
    let done = AtomicUsize::new(0);
    let finish = |job: &Job<'_>| {
        let answer = module::symbolize(job.module, job.id, &job.addresses, &common);
        // Relaxed: only a count.
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
        answer
    };
    let (large, small): (Vec<&Job<'_>>, Vec<_>) =
        jobs.iter().partition(|job| job.addresses.len() > MANY);
    let mut answered: BTreeMap<ModuleId, Answered<'_>> = BTreeMap::new();
    answered.extend(large.iter().map(|job| (job.id, Answered::new(job, finish(job)))));
    let rest = pool::map(&small, |job| finish(job));
    answered
        .extend(small.iter().zip(rest).map(|(job, answer)| (job.id, Answered::new(job, answer))));

    let frames = (0..).map(LocationId).zip(locations).map(|(id, location)| match location.module {
        Some(module) => {
            answered.get_mut(&module).and_then(|answered| answered.frames(location.address))
        }
        None => Some(vec![compiled(code_names.get(&id))]),
    });
    let frames = frames.map(|frames| frames.unwrap_or_else(|| vec![compiled(None)])).collect();
    let problems = answered.into_iter().filter_map(|(id, Answered { job, answer, .. })| {
        answer.cause.map(|cause| Problem {
            module: id,
            path: clean(&job.module.path).into_owned(),
            cause,
        })
    });
    Symbolized { problems: problems.collect(), symbols: Symbols::new(frames) }
}

/// The addresses wanted of one module, sorted, each once.
struct Job<'m> {
    id: ModuleId,
    module: &'m Module,
    addresses: Vec<u64>,
    /// How many locations want each.
    wanted: Vec<usize>,
}

fn jobs<'m>(modules: &'m [Module], locations: &[Location]) -> Vec<Job<'m>> {
    let mut wanted: BTreeMap<ModuleId, Vec<u64>> = BTreeMap::new();
    for location in locations {
        if let Some(id) = location.module {
            wanted.entry(id).or_default().push(location.address);
        }
    }
    let job = |(id, mut addresses): (ModuleId, Vec<u64>)| {
        addresses.sort_unstable();
        let wanted = addresses.chunk_by(|a, b| a == b).map(<[u64]>::len).collect();
        addresses.dedup();
        modules.get(id.0 as usize).map(|module| Job { id, module, addresses, wanted })
    };
    wanted.into_iter().filter_map(job).collect()
}

/// A job that is done.
struct Answered<'j> {
    job: &'j Job<'j>,
    answer: Answer,
    /// How many locations still want each address.
    wanted: Vec<usize>,
}

impl<'j> Answered<'j> {
    fn new(job: &'j Job<'j>, answer: Answer) -> Self {
        Self { job, answer, wanted: job.wanted.clone() }
    }

    /// The frames for one of the locations that want them. They are copied for all but the last.
    fn frames(&mut self, address: u64) -> Option<Vec<Frame>> {
        let index = self.job.addresses.binary_search(&address).ok()?;
        let frames = self.answer.frames.get_mut(index)?;
        let wanted = self.wanted.get_mut(index)?;
        *wanted -= 1;
        Some(if *wanted == 0 { std::mem::take(frames) } else { frames.clone() })
    }
}

/// Code that no file holds.
fn compiled(name: Option<&String>) -> Frame {
    let function = name.map_or(ANONYMOUS.into(), |name| clean(name)).into();
    Frame { function, file: None, line: None, language: Language::Plain, inlined: false }
}
