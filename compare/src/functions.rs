//! The functions of several profiles, and their samples in each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sigspy_model::{Clock, Frame, Location, LocationId, Profile, StackKind, Symbols};

use crate::check::Rename;
use crate::key::{self, Key};
use crate::name::Generics;
use crate::programs::Programs;
use crate::stats::counts::{Counts, RunTotal};
use crate::toolchain;

/// A run: its profile, and how much was done in it.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub profile: &'a Profile,
    pub symbols: &'a Symbols,
    /// In a unit of the workload; 1 where every run does the same.
    pub work: f64,
}

/// Index of a function.
pub type FunctionId = usize;

/// What is known about a function besides its samples.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Samples in which it was called by each.
    pub callers: BTreeMap<FunctionId, f64>,
    pub callees: BTreeSet<FunctionId>,
    /// Of each side.
    files: [Option<Arc<str>>; 2],
    /// Samples of its own of each side, by line.
    lines: [BTreeMap<u32, f64>; 2],
    /// Samples of its own of the head, by how far out a caller is, and where in that the call.
    sites: BTreeMap<(usize, Place), f64>,
}

/// A file and a line.
type Place = (Arc<str>, u32);

/// Callers that are remembered of each stack, inlined ones included.
const NEAREST: usize = 16;
/// Sites of a function that are told.
const SITES: usize = 32;

/// Where a function was called from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    pub file: String,
    pub line: u32,
}

impl Facts {
    /// Where it is in the head, whose source is there to look at; else in the base.
    pub fn file(&self) -> Option<&str> {
        let [base, head] = &self.files;
        head.as_deref().or(base.as_deref())
    }

    /// Samples of its own by line, of the head if it has any.
    pub fn lines(&self) -> &BTreeMap<u32, f64> {
        let [base, head] = &self.lines;
        if head.is_empty() { base } else { head }
    }

    /// Where it was called from in the head: the nearest callers first, of those equally near the
    /// ones with most samples.
    pub fn sites(&self) -> Vec<Site> {
        let mut sites: Vec<_> = self.sites.iter().collect();
        sites.sort_by(|((a, _), most), ((b, _), least)| a.cmp(b).then(least.total_cmp(most)));
        let site = |((_, (file, line)), _): (&(usize, Place), _)| Site {
            file: file.to_string(),
            line: *line,
        };
        sites.into_iter().take(SITES).map(site).collect()
    }
}

/// The functions of all runs.
#[derive(Default)]
pub struct Functions {
    pub keys: Vec<Key>,
    pub facts: Vec<Facts>,
    /// Samples in which the function was running itself.
    pub own: Counts,
    /// Samples with the function on the stack, once each, by function and run.
    pub total: Vec<Vec<f64>>,
    /// CPU seconds of each side by stack, outermost function first. Not resized.
    pub stacks: BTreeMap<Vec<FunctionId>, [f64; 2]>,
    /// Modules whose inlined functions are known on one side only, and count for their callers.
    pub without_inlined: BTreeSet<String>,
    ids: HashMap<Key, FunctionId>,
}

/// How functions are told apart.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    pub generics: Generics,
    /// Functions that go by another name: the one they have, the one they shall have.
    pub renamed: Vec<(Key, Key)>,
    /// Functions of the base that go by another name in the head. The first that matches counts.
    pub rules: Vec<Rename>,
}

impl Naming {
    /// The key of a frame of the base, as it would be in the head.
    fn key_of_base(&self, frame: &Frame, module: &str) -> Key {
        let key = Key::new(frame, module, self.generics);
        let renamed = self.rules.iter().find_map(|rule| rule.renamed(&key.function));
        renamed.map_or(key, |name| Key::named(name, frame.language, module))
    }
}

impl Functions {
    /// Counts the samples of all runs.
    pub fn count(base: &[Input<'_>], head: &[Input<'_>], naming: &Naming) -> Self {
        let mut functions = Self::default();
        let inputs: Vec<Input<'_>> = base.iter().chain(head).copied().collect();
        functions.own.base = base.len();
        let programs = Programs::of(base, head);
        functions.without_inlined = differently_informed(base, head, &programs);
        for (run, input) in inputs.iter().enumerate() {
            let side = usize::from(run >= base.len());
            Run::new(&mut functions, input, naming, &programs, side).count(run);
        }
        let runs = inputs.len();
        functions
            .own
            .rows
            .iter_mut()
            .chain(&mut functions.total)
            .for_each(|row| row.resize(runs, 0.0));
        functions
    }

    /// The function with a key, if any run has it.
    pub fn find(&self, key: &Key) -> Option<FunctionId> {
        self.ids.get(key).copied()
    }

    fn id(&mut self, key: Key) -> FunctionId {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = self.keys.len();
        self.keys.push(key.clone());
        self.facts.push(Facts::default());
        self.own.rows.push(Vec::new());
        self.total.push(Vec::new());
        self.ids.insert(key, id);
        id
    }
}

/// Modules of which one side knows inlined functions and the other does not.
fn differently_informed(
    base: &[Input<'_>],
    head: &[Input<'_>],
    programs: &Programs,
) -> BTreeSet<String> {
    let (base, head) = (informed(base, 0, programs), informed(head, 1, programs));
    let differs = |(module, known): (&String, &bool)| {
        head.get(module).is_some_and(|other| other != known).then(|| module.clone())
    };
    base.iter().filter_map(differs).collect()
}

/// By module, whether debug information was there for any of its code.
fn informed(inputs: &[Input<'_>], side: usize, programs: &Programs) -> BTreeMap<String, bool> {
    let mut known = BTreeMap::new();
    for Input { profile, symbols, .. } in inputs {
        for (location, id) in profile.locations.iter().zip((0..).map(LocationId)) {
            let Some(name) = module_of(profile, location, side, programs) else { continue };
            let has_debug_information = symbols.frames(id).iter().any(|frame| frame.file.is_some());
            *known.entry(name.to_owned()).or_default() |= has_debug_information;
        }
    }
    known
}

/// The canonical module of a location, as the head calls it.
fn module_of<'a>(
    profile: &'a Profile,
    location: &Location,
    side: usize,
    programs: &'a Programs,
) -> Option<&'a str> {
    let path = profile.modules.get(location.module?.0 as usize).map_or("", |module| &module.path);
    let name = key::module(path);
    Some(if side == 0 { programs.in_head(name) } else { name })
}

fn is_of_toolchain(frame: &Frame) -> bool {
    frame.file.as_deref().is_some_and(toolchain::is_of_toolchain)
}

/// One profile on its way into [`Functions`].
struct Run<'f, 'a> {
    functions: &'f mut Functions,
    profile: &'a Profile,
    work: f64,
    side: usize,
    /// Functions at each location, innermost first.
    locations: Vec<Vec<FunctionId>>,
    /// Places of the functions at each location, innermost first.
    places: Vec<Vec<Option<Place>>>,
}

impl<'f, 'a> Run<'f, 'a> {
    fn new(
        functions: &'f mut Functions,
        input: &Input<'a>,
        naming: &Naming,
        programs: &Programs,
        side: usize,
    ) -> Self {
        let Input { profile, symbols, work } = *input;
        let renamed: HashMap<&Key, &Key> =
            naming.renamed.iter().map(|(from, to)| (from, to)).collect();
        let (mut locations, mut places) = (Vec::new(), Vec::new());
        for (location, id) in profile.locations.iter().zip((0..).map(LocationId)) {
            let module = module_of(profile, location, side, programs);
            let physical = module.is_some_and(|it| functions.without_inlined.contains(it));
            let module = module.unwrap_or_default();
            let counts = |frame: &&Frame| !frame.inlined || !(physical || is_of_toolchain(frame));
            let frames: Vec<&Frame> = symbols.frames(id).iter().filter(counts).collect();
            places.push(frames.iter().map(|frame| frame.file.clone().zip(frame.line)).collect());
            let known = |frame: &Frame| {
                let key = match side {
                    0 => naming.key_of_base(frame, module),
                    _ => Key::new(frame, module, naming.generics),
                };
                let id = functions.id(renamed.get(&key).map_or(key, |to| (*to).clone()));
                let file = &mut functions.facts[id].files[side];
                *file = file.take().or_else(|| frame.file.clone());
                id
            };
            locations.push(frames.into_iter().map(known).collect());
        }
        Self { functions, profile, work, side, locations, places }
    }

    fn count(&mut self, run: usize) {
        let mut of_stacks: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for sample in &self.profile.samples {
            if matches!(self.profile.stack(sample.stack).kind, StackKind::Walked(_)) {
                let (samples, seconds) = of_stacks.entry(sample.stack.0).or_default();
                *samples += f64::from(sample.ticks);
                *seconds += sample.weight_ns as f64 / 1e9;
            }
        }
        let samples: f64 = of_stacks.values().map(|(samples, _)| samples).sum();
        let seconds: f64 = of_stacks.values().map(|(_, seconds)| seconds).sum();
        let seconds_per_sample =
            if samples > 0.0 && seconds > 0.0 { seconds / samples } else { 1.0 };
        let is_uneven = is_uneven(self.profile);
        for (stack, (ticks, of_stack)) in of_stacks {
            let samples = if is_uneven { of_stack / seconds_per_sample } else { ticks };
            self.count_stack(stack as usize, samples, of_stack, run);
        }
        let cpu_s = cpu_ns(self.profile) as f64 / 1e9;
        self.functions.own.runs.push(RunTotal {
            cpu_s,
            samples,
            seconds_per_sample,
            work: self.work,
        });
    }

    fn count_stack(&mut self, stack: usize, samples: f64, seconds: f64, run: usize) {
        let locations = &self.profile.stacks[stack].locations;
        let of_location = |id: &LocationId| self.locations[id.0 as usize].iter().copied();
        let mut path: Vec<FunctionId> = locations.iter().flat_map(of_location).collect();
        let Some(leaf) = path.first().copied() else { return };
        add(&mut self.functions.own.rows[leaf], run, samples);
        let places = locations.iter().flat_map(|id| &self.places[id.0 as usize]).take(NEAREST);
        let facts = &mut self.functions.facts[leaf];
        for (distance, place) in places.enumerate() {
            match place {
                Some((_, line)) if distance == 0 => {
                    *facts.lines[self.side].entry(*line).or_default() += samples;
                }
                Some(place) if self.side == 1 => {
                    *facts.sites.entry((distance, place.clone())).or_default() += samples;
                }
                _ => {}
            }
        }
        for called in path.windows(2) {
            *self.functions.facts[called[0]].callers.entry(called[1]).or_default() += samples;
            self.functions.facts[called[1]].callees.insert(called[0]);
        }
        let distinct: BTreeSet<FunctionId> = path.iter().copied().collect();
        distinct.into_iter().for_each(|id| add(&mut self.functions.total[id], run, samples));
        path.reverse();
        self.functions.stacks.entry(path).or_default()[self.side] += seconds;
    }
}

/// Whether ticks stand for so different times that counting them says little: profiles of other tools
/// may have one sample for all that was seen of a stack. By the number of equal samples that would
/// tell as much.
///
/// Source: L. Kish, Survey Sampling (1965).
fn is_uneven(profile: &Profile) -> bool {
    const EVEN: f64 = 0.9;
    let (mut ticks, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for sample in profile.samples.iter().filter(|sample| sample.ticks > 0) {
        let (count, weight) = (f64::from(sample.ticks), sample.weight_ns as f64);
        ticks += count;
        sum += weight;
        squares += weight * weight / count;
    }
    squares > 0.0 && sum * sum / squares < EVEN * ticks
}

/// Rows grow with the runs that a function is in.
fn add(row: &mut Vec<f64>, run: usize, samples: f64) {
    if row.len() <= run {
        row.resize(run + 1, 0.0);
    }
    row[run] += samples;
}

/// What the kernel charged; what samples stand for where that is not known or not what was recorded.
fn cpu_ns(profile: &Profile) -> u64 {
    let accounting = &profile.accounting;
    match profile.meta.clock {
        Clock::Wall => accounting.total_ns(),
        _ => accounting.cpu_ns.filter(|ns| *ns > 0).unwrap_or_else(|| accounting.total_ns()),
    }
}
