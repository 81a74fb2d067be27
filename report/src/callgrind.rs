//! For KCachegrind, QCachegrind and `callgrind_annotate`.
//!
//! As in profiles of callgrind itself, functions are those that were not inlined; of code that was,
//! the lines are shown, in the file that they come from (`fi`, `fe`).
//!
//! A function is inclusive of what it calls by the sum of its calls. Of a function that calls
//! itself, directly or not, only the innermost call on a stack is written: its own callees have
//! their callers, and no time counts twice.
//!
//! Source: Valgrind manual, Callgrind Format Specification.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufWriter, Write};

use sigspy_model::{ModuleId, Profile, Sample, Symbols};

use crate::error::Error;
use crate::names::{NameId, presentable};
use crate::paths::Roots;
use crate::quality::quality;
use crate::rows::{Detail, Row, Rows};

/// Writes functions with their nanoseconds by line, and their calls. Processes, where there are
/// several, and threads on request, are functions that call the others. Fails when the writer
/// does.
pub fn callgrind(
    profile: &Profile,
    symbols: &Symbols,
    threads: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let rows = Rows::new(profile, symbols, Roots::of(profile, threads), Detail::Lines);
    let graph = Graph::new(profile, &rows);
    let mut out = BufWriter::new(out);
    write_head(profile, &mut out)?;
    let mut writer = Writer { profile, rows: &rows, out: &mut out, written: HashSet::new() };
    for (function, costs) in &graph.functions {
        writer.function(function, costs)?;
    }
    Ok(out.flush()?)
}

fn write_head(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let total_ns: u64 = profile.samples.iter().map(|sample| sample.weight_ns).sum();
    writeln!(out, "# callgrind format\nversion: 1")?;
    writeln!(out, "creator: sigspy {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "cmd: {}", presentable(profile.meta.argv.join(" ")))?;
    writeln!(out, "desc: {}", quality(profile))?;
    writeln!(out, "positions: line\nevent: ns : CPU time in nanoseconds\nevents: ns")?;
    writeln!(out, "summary: {total_ns}")
}

/// A function that was not inlined.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Function {
    module: Option<ModuleId>,
    file: Option<NameId>,
    name: NameId,
}

/// A line, not always of the function's own file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: Option<NameId>,
    /// 0 if unknown.
    line: u32,
}

/// The time of a function, ns.
#[derive(Default)]
struct Costs {
    own: BTreeMap<Place, u64>,
    /// By where the call is, and whom it calls.
    calls: BTreeMap<(Place, Function), u64>,
}

#[derive(Default)]
struct Graph {
    functions: BTreeMap<Function, Costs>,
}

impl Graph {
    fn new(profile: &Profile, rows: &Rows<'_>) -> Self {
        let mut loads: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        let mut path = Vec::new();
        for sample in &profile.samples {
            add(profile, rows, sample, &mut path, &mut loads);
        }
        let mut graph = Self::default();
        for (path, weight_ns) in &loads {
            graph.add(&calls(rows, path), *weight_ns);
        }
        graph
    }

    /// Adds a stack, root first.
    fn add(&mut self, calls: &[(Function, Place)], weight_ns: u64) {
        let mut seen = HashMap::new();
        for (index, (function, _)) in calls.iter().enumerate() {
            seen.insert(*function, index);
        }
        for (index, (function, place)) in calls.iter().enumerate() {
            if seen.get(function) != Some(&index) {
                continue;
            }
            let costs = self.functions.entry(*function).or_default();
            match calls.get(index + 1) {
                None => *costs.own.entry(*place).or_default() += weight_ns,
                Some((callee, _)) => {
                    *costs.calls.entry((*place, *callee)).or_default() += weight_ns;
                }
            }
        }
    }
}

fn add(
    profile: &Profile,
    rows: &Rows<'_>,
    sample: &Sample,
    path: &mut Vec<u32>,
    loads: &mut BTreeMap<Vec<u32>, u64>,
) {
    rows.path(profile, sample, path);
    match loads.get_mut(path.as_slice()) {
        Some(weight_ns) => *weight_ns += sample.weight_ns,
        None => _ = loads.insert(path.clone(), sample.weight_ns),
    }
}

/// Functions that were not inlined, root first, and where each of them was: in the innermost
/// function that was inlined there.
fn calls(rows: &Rows<'_>, path: &[u32]) -> Vec<(Function, Place)> {
    let mut calls: Vec<(Function, Place)> = Vec::new();
    for row in path {
        let Row { function: name, file, line, module, inlined } = rows.rows[*row as usize];
        let place = Place { file, line: line.unwrap_or(0) };
        match calls.last_mut().filter(|_| inlined) {
            Some((_, innermost)) => *innermost = place,
            None => calls.push((Function { module, file, name }, place)),
        }
    }
    calls
}

struct Writer<'a> {
    profile: &'a Profile,
    rows: &'a Rows<'a>,
    out: &'a mut dyn Write,
    /// Names are written out once, and are a number in parentheses from then on.
    written: HashSet<(Kind, u32)>,
}

/// Each kind of name has numbers of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Object,
    File,
    Function,
}

impl Writer<'_> {
    fn function(&mut self, function: &Function, costs: &Costs) -> io::Result<()> {
        writeln!(self.out)?;
        self.object("ob", function.module)?;
        self.file("fl", function.file)?;
        self.name("fn", function.name)?;
        let mut at = function.file;
        for (place, weight_ns) in &costs.own {
            self.go(&mut at, *place, function)?;
            writeln!(self.out, "{} {weight_ns}", place.line)?;
        }
        for ((place, callee), weight_ns) in &costs.calls {
            self.go(&mut at, *place, function)?;
            self.object("cob", callee.module)?;
            self.file("cfi", callee.file)?;
            self.name("cfn", callee.name)?;
            writeln!(self.out, "calls=1 0\n{} {weight_ns}", place.line)?;
        }
        Ok(())
    }

    /// Says that what follows is in another file, or in that of the function again.
    fn go(&mut self, at: &mut Option<NameId>, to: Place, home: &Function) -> io::Result<()> {
        if *at == to.file {
            return Ok(());
        }
        *at = to.file;
        self.file(if to.file == home.file { "fe" } else { "fi" }, to.file)
    }

    fn object(&mut self, key: &str, module: Option<ModuleId>) -> io::Result<()> {
        let module = module.map(|module| module.0);
        let path = module.map_or("???", |index| &self.profile.modules[index as usize].path);
        let path = presentable(path).into_owned();
        self.compressed(key, Kind::Object, module.map_or(0, |index| index + 1), &path)
    }

    fn file(&mut self, key: &str, file: Option<NameId>) -> io::Result<()> {
        let name = file.map_or("???", |file| self.rows.names.get(file));
        self.compressed(key, Kind::File, file.map_or(0, |file| file.index() as u32 + 1), name)
    }

    fn name(&mut self, key: &str, name: NameId) -> io::Result<()> {
        let text = self.rows.names.get(name);
        self.compressed(key, Kind::Function, name.index() as u32 + 1, text)
    }

    fn compressed(&mut self, key: &str, kind: Kind, number: u32, text: &str) -> io::Result<()> {
        match self.written.insert((kind, number)) {
            true => writeln!(self.out, "{key}=({number}) {text}"),
            false => writeln!(self.out, "{key}=({number})"),
        }
    }
}
