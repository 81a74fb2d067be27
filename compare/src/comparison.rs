//! From profiles to findings.

#[cfg(test)]
mod tests;

use crate::doubts::doubts;
use std::collections::BTreeMap;

use crate::functions::{FunctionId, Functions, Input, Naming, Site};
use crate::key::Key;
use crate::renames::{pairs, sum};
use crate::result::{
    self, Detectable, Finding, Function, Label, Normalized, Ratio, Rules, Side, Total,
};
use crate::shift::Changes;
use crate::stats::change::{Analysis, Change, Settings, Tested, analyse, analyse_again};
use crate::stats::counts::{mean, sum as sum_of};
use crate::stats::moderation::Prior;
use crate::stats::power::{detectable, detectable_total};
use crate::stats::sizes::Normalization;
use crate::stats::total::{TotalSettings, total_change, variance_of_total};

/// Shares of functions for which it is said what would have been seen.
const SHARES: [f64; 5] = [0.3, 0.1, 0.05, 0.02, 0.01];
/// Samples of a run from which on a function with none on the other side is new, or gone.
const SOME: f64 = 3.0;

/// To confirm what is suspect, false discoveries are to be so many times rarer: where one function has
/// truly changed, others are suspect with it more often. Much rarer would hide what is slower in a
/// program of few functions, where what is suspect has not shown much more clearly.
const MORE_SURELY: f64 = 2.5;

/// Share of the CPU time from which on it matters that code has no names.
const MUCH: f64 = 0.1;

/// How two sides are compared.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub naming: Naming,
    pub functions: Settings,
    pub total: TotalSettings,
    /// Whether each run of the base has run next to the one of the head with the same number.
    pub in_turn: bool,
}

/// How much runs of one side differ: standard deviations as parts of the whole, 0.02 is 2 %. Where
/// runs are compared in pairs, what both have in common is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// CPU time of a run, for each unit of work.
    pub total: f64,
    /// A function, besides the chance of sampling, runs being made equally long.
    pub functions: f64,
}

/// Two sides, compared.
pub struct Comparison {
    pub functions: Functions,
    analysis: Analysis,
    options: Options,
    /// Names in the base of functions of the head.
    renamed: Vec<(FunctionId, Key)>,
    /// Functions whose cost came from elsewhere, and from where.
    shifts: Vec<(FunctionId, String)>,
    /// What is wrong with the profiles, in sentences.
    doubts: Vec<String>,
}

/// What one comparison makes suspect, for another to confirm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspects {
    pub functions: Vec<Key>,
    /// The CPU time as a whole.
    pub total: bool,
}

impl Suspects {
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty() && !self.total
    }
}

impl Comparison {
    /// Compares all functions.
    pub fn new(base: &[Input<'_>], head: &[Input<'_>], options: &Options) -> Self {
        let mut functions = counted(base, head, options);
        let analysis = analyse(&functions.own, &options.functions);
        let pairs = pairs(&functions, &analysis, options.functions.filter.least_samples);
        let renamed: Vec<_> =
            pairs.iter().map(|(old, new)| (*new, functions.keys[*old].clone())).collect();
        pairs.iter().for_each(|(old, new)| functions.merge(*old, *new));
        let analysis = analyse(&functions.own, &options.functions);
        let doubts = doubts(base, head);
        Self::finished(functions, analysis, options.clone(), renamed, doubts)
    }

    /// Compares the suspects alone, in runs that had no part in making them suspect. The second
    /// value is what these show again.
    ///
    /// Who looks at hundreds of functions finds something: only what shows twice is a regression.
    pub fn confirmed(
        &self,
        suspects: &Suspects,
        base: &[Input<'_>],
        head: &[Input<'_>],
    ) -> (Self, Suspects) {
        let mut options = self.options.clone();
        let new_name =
            |(id, old): &(FunctionId, Key)| (old.clone(), self.functions.keys[*id].clone());
        options.naming.renamed.extend(self.renamed.iter().map(new_name));
        options.functions.false_discoveries /= MORE_SURELY;
        let functions = counted(base, head, &options);
        let rows: Vec<FunctionId> =
            suspects.functions.iter().filter_map(|key| functions.find(key)).collect();
        let analysis = analyse_again(&functions.own, &rows, &options.functions);
        let again = Self::finished(functions, analysis, options, Vec::new(), doubts(base, head));
        let mut confirmed = again.suspects();
        confirmed.total &= suspects.total;
        (again, confirmed)
    }

    fn finished(
        functions: Functions,
        analysis: Analysis,
        options: Options,
        renamed: Vec<(FunctionId, Key)>,
        doubts: Vec<String>,
    ) -> Self {
        let changed: Vec<FunctionId> =
            analysis.slower().chain(analysis.faster()).map(|one| one.row).collect();
        let changes = Changes { functions: &functions, analysis: &analysis, changed: &changed };
        let shift = |id: &FunctionId| Some((*id, changes.place_of_shift(*id)?));
        let shifts = changed.iter().filter_map(shift).collect();
        Self { functions, analysis, options, renamed, shifts, doubts }
    }

    /// What is slower by more than chance explains, cost that was only moved left out. Nothing is,
    /// without several runs.
    pub fn suspects(&self) -> Suspects {
        if !self.noise_is_known() {
            return Suspects::default();
        }
        let is_shift = |row| self.shifts.iter().any(|(id, _)| *id == row);
        let slower = self.analysis.slower().filter(|one| !is_shift(one.row));
        let functions = slower.map(|one| self.functions.keys[one.row].clone()).collect();
        Suspects { functions, total: self.total_finding() == Finding::Slower }
    }

    /// Where suspects were called from, nearest first.
    pub fn sites(&self, suspects: &Suspects) -> BTreeMap<Key, Vec<Site>> {
        let sites = |key: &Key| {
            Some((key.clone(), self.functions.facts[self.functions.find(key)?].sites()))
        };
        suspects.functions.iter().filter_map(sites).collect()
    }

    /// How much runs differ by themselves; `None` with one run on each side.
    pub fn noise(&self) -> Option<Noise> {
        let counts = &self.functions.own;
        let total = variance_of_total(counts).filter(|_| self.noise_is_known())?;
        let Prior { scale, excess, .. } = self.analysis.prior;
        Some(Noise { total: total.sqrt(), functions: (scale * excess).sqrt() })
    }

    fn noise_is_known(&self) -> bool {
        self.analysis.df > 0.0
    }

    /// All that is known, to be written down.
    pub fn result(&self) -> result::Comparison {
        let mut functions: Vec<Function> = self.rows().map(|id| self.function(id)).collect();
        let size = |one: &Function| one.difference_s().abs();
        functions.sort_by(|a, b| size(b).total_cmp(&size(a)).then_with(|| a.key().cmp(&b.key())));
        let Options { functions: settings, total, .. } = &self.options;
        let counts = &self.functions.own;
        let seen = |share: f64| {
            let slowdown = detectable(counts, &self.analysis, settings, share)?;
            Some(Detectable { share, slowdown })
        };
        result::Comparison {
            base: self.side(0),
            head: self.side(1),
            normalization: normalized(self.analysis.normalization),
            paired: counts.is_paired(),
            noise_is_known: self.noise_is_known(),
            rules: Rules {
                least_effect: settings.least_effect,
                least_cost: settings.least_cost,
                false_discoveries: settings.false_discoveries,
                total_least_effect: total.least_effect,
                total_alpha: total.alpha,
            },
            total: Total {
                change: total_change(counts).map(|change| ratio(&change)),
                finding: self.total_finding(),
                detectable: detectable_total(counts, total),
            },
            functions,
            detectable: SHARES.into_iter().filter_map(seen).collect(),
            notes: self.notes(),
        }
    }

    /// The stacks of all runs by the names of their functions, outermost first, with the CPU seconds of
    /// a run of each side, resized. Equal names are one function, and stacks are in the order of
    /// their names.
    pub fn stacks(&self) -> Vec<(Vec<&str>, [f64; 2])> {
        let factors = self.side_factors();
        let named = self.functions.stacks.iter().map(|(path, [base, head])| {
            let names = path.iter().map(|id| &*self.functions.keys[*id].function).collect();
            (names, [base * factors[0], head * factors[1]])
        });
        let mut stacks: Vec<(Vec<&str>, [f64; 2])> = named.collect();
        stacks.sort_by(|(a, _), (b, _)| a.cmp(b));
        stacks.dedup_by(|(name, from), (kept, to)| {
            let equal = name == kept;
            if equal {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
            }
            equal
        });
        stacks
    }

    /// From the CPU seconds of all runs of a side to those of one, resized.
    fn side_factors(&self) -> [f64; 2] {
        let runs = &self.functions.own.runs;
        let samples: Vec<f64> = runs.iter().map(|run| run.samples).collect();
        let resized = self.seconds(&samples);
        let seconds: Vec<f64> =
            runs.iter().map(|run| run.samples * run.seconds_per_sample).collect();
        let (base, head) = self.functions.own.sides(&seconds);
        [resized[0] / sum_of(base).max(1e-9), resized[1] / sum_of(head).max(1e-9)]
    }

    fn rows(&self) -> impl Iterator<Item = FunctionId> {
        let rows = self.functions.own.rows.iter().zip(&self.functions.total).enumerate();
        rows.filter(|(_, (own, _))| sum_of(own) > 0.0).map(|(id, _)| id)
    }

    fn side(&self, side: usize) -> Side {
        let counts = &self.functions.own;
        let (base, head) = counts.sides(&counts.runs);
        let runs = [base, head][side];
        let mean = |of: fn(&crate::stats::counts::RunTotal) -> f64| {
            mean(&runs.iter().map(of).collect::<Vec<_>>())
        };
        Side {
            runs: runs.len(),
            cpu_s: mean(|run| run.cpu_s),
            samples: mean(|run| run.samples),
            work: mean(|run| run.work),
        }
    }

    fn total_finding(&self) -> Finding {
        let TotalSettings { least_effect, alpha } = self.options.total;
        let Some(change) = total_change(&self.functions.own) else { return Finding::NotTested };
        let is = |direction| change.p_value(direction, least_effect.ln_1p()) <= alpha;
        match (is(1.0), is(-1.0)) {
            (true, _) => Finding::Slower,
            (_, true) => Finding::Faster,
            _ => Finding::NoEvidence,
        }
    }

    fn function(&self, id: FunctionId) -> Function {
        let key = &self.functions.keys[id];
        let facts = &self.functions.facts[id];
        let tested = self.analysis.tested.iter().find(|one| one.row == id);
        let [base_s, head_s] = self.seconds(&self.functions.own.rows[id]);
        let [base_share, head_share] = self.shares(&self.functions.own.rows[id]);
        let [base_total_share, head_total_share] = self.shares(&self.functions.total[id]);
        let most = facts.lines().iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
        Function {
            module: key.module.to_string(),
            function: key.function.to_string(),
            file: facts.file().map(str::to_owned),
            line: most.map(|(line, _)| *line),
            base_s,
            head_s,
            base_share,
            head_share,
            base_total_share,
            head_total_share,
            change: tested.map(|one| ratio(&one.change)),
            q_value: tested.map(q_value),
            finding: tested.map_or(Finding::NotTested, |one| self.finding(one)),
            labels: self.labels(id),
        }
    }

    /// Of each side, a run on average, resized.
    fn seconds(&self, row: &[f64]) -> [f64; 2] {
        let counts = &self.functions.own;
        // The geometric mean, as sizes are resized around theirs.
        let logs: Vec<f64> = counts.runs.iter().map(|run| run.seconds_per_sample.ln()).collect();
        let of_sample = mean(&logs).exp();
        let resized = self.analysis.resized(row);
        let (base, head) = counts.sides(&resized);
        [mean(base) * of_sample, mean(head) * of_sample]
    }

    fn shares(&self, row: &[f64]) -> [f64; 2] {
        let counts = &self.functions.own;
        let all: Vec<f64> = counts.runs.iter().map(|run| run.samples).collect();
        let ((base, head), (all_base, all_head)) = (counts.sides(row), counts.sides(&all));
        let share = |part: &[f64], all: &[f64]| sum_of(part) / sum_of(all).max(1.0);
        [share(base, all_base), share(head, all_head)]
    }

    fn finding(&self, one: &Tested) -> Finding {
        match one {
            _ if self.analysis.slower().any(|slower| slower.row == one.row) => Finding::Slower,
            _ if self.analysis.faster().any(|faster| faster.row == one.row) => Finding::Faster,
            _ => Finding::NoEvidence,
        }
    }

    fn labels(&self, id: FunctionId) -> Vec<Label> {
        let (base, head) = self.functions.own.sides(&self.functions.own.rows[id]);
        let new = (sum_of(base) == 0.0 && mean(head) >= SOME).then_some(Label::New);
        let gone = (sum_of(head) == 0.0 && mean(base) >= SOME).then_some(Label::Gone);
        let renamed = self.renamed.iter().find(|(renamed, _)| *renamed == id);
        let renamed = renamed.map(|(_, old)| Label::Renamed(old.to_string()));
        let shift = self.shifts.iter().find(|(shifted, _)| *shifted == id);
        let shift = shift.map(|(_, place)| Label::CostShift(place.clone()));
        [new, gone, renamed, shift].into_iter().flatten().collect()
    }

    /// Modules with much code that has no names, and their shares.
    fn nameless(&self) -> impl Iterator<Item = (&str, f64)> {
        let shares = self.functions.keys.iter().zip(&self.functions.own.rows);
        let nameless = shares.filter(|(key, _)| key.is_unknown() && !key.module.is_empty());
        let shares = nameless.map(|(key, row)| {
            let [base, head] = self.shares(row);
            (&*key.module, base.max(head))
        });
        shares.filter(|(_, share)| *share >= MUCH)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.doubts.clone();
        if !self.noise_is_known() {
            notes.push(
                "there is one run on each side, so nothing is known about how much runs differ by \
                 themselves: intervals and q-values know of the chance of sampling alone, and a \
                 difference may be noise; record each side at least three times"
                    .to_owned(),
            );
        }
        notes.extend(self.nameless().map(|(module, share)| {
            format!(
                "{:.0} % of the CPU time is in code of {module} without names, which is compared as one \
                 function; keep its symbols or install its debug package",
                share * 100.0
            )
        }));
        let uninformed = &self.functions.without_inlined;
        if !uninformed.is_empty() {
            let modules: Vec<&str> = uninformed.iter().map(String::as_str).collect();
            notes.push(format!(
                "debug information of {} was there on one side only, so inlined functions count for \
                 their callers",
                modules.join(", ")
            ));
        }
        notes
    }
}

fn counted(base: &[Input<'_>], head: &[Input<'_>], options: &Options) -> Functions {
    let mut functions = Functions::count(base, head, &options.naming);
    functions.own.in_turn = options.in_turn;
    functions
}

/// In the direction of the change.
fn q_value(one: &Tested) -> f64 {
    if one.change.log_ratio >= 0.0 { one.slower } else { one.faster }
}

fn ratio(change: &Change) -> Ratio {
    let (ratio, low, high) = change.ratio();
    Ratio { ratio, low, high }
}

fn normalized(normalization: Normalization) -> Normalized {
    match normalization {
        Normalization::Auto => Normalized::MedianOfRatios,
        Normalization::Cpu => Normalized::Cpu,
        Normalization::None => Normalized::None,
        Normalization::Work => Normalized::Work,
    }
}

impl Functions {
    /// Makes `old` and `new` one function with the name and the place of `new`.
    fn merge(&mut self, old: FunctionId, new: FunctionId) {
        for rows in [&mut self.own.rows, &mut self.total] {
            let moved = std::mem::take(&mut rows[old]);
            rows[new] = sum(&rows[new], &moved);
            rows[old] = vec![0.0; moved.len()];
        }
        let stacks = std::mem::take(&mut self.stacks);
        for (mut path, [base, head]) in stacks {
            path.iter_mut().filter(|id| **id == old).for_each(|id| *id = new);
            let sides = self.stacks.entry(path).or_default();
            sides[0] += base;
            sides[1] += head;
        }
    }
}
