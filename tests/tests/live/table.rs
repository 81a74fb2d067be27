//! What was found about one program, and how it is printed.

use std::collections::BTreeMap;
use std::fmt;

use sigspy_tests::remote::Target;
use sigspy_unwind::EXACT;

use crate::compare::{Reason, Stacks, Verdict, common};
use crate::programs::Program;
use crate::tracer::Testimony;

/// One moment in so many may have no stack of libgcc's; at as many framehop may differ for no
/// reason that is known.
const RARELY: u64 = 100;
/// Frames of an example.
const LONGEST: usize = 40;

pub struct Row {
    name: &'static str,
    pub moments: u64,
    frames: u64,
    /// Moments at which the whole stack is the same.
    like_framehop: u64,
    like_libgcc: u64,
    /// Moments at which the program itself has confirmed where ours goes on.
    confirmed: u64,
    /// Why not, and behind which functions.
    reasons: BTreeMap<Reason, BTreeMap<String, u64>>,
    wrong: u64,
    /// The first one that is wrong.
    example: Option<String>,
    pub status: Option<i32>,
}

impl Row {
    pub const HEADING: &str =
        "program    moments   frames  as framehop   as libgcc  as program   wrong";

    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            moments: 0,
            frames: 0,
            like_framehop: 0,
            like_libgcc: 0,
            confirmed: 0,
            reasons: BTreeMap::new(),
            wrong: 0,
            example: None,
            status: None,
        }
    }

    pub fn add(&mut self, stacks: &Stacks, verdict: &Verdict, target: &Target) {
        self.moments += 1;
        self.frames += stacks.ours.len() as u64;
        let plain: Vec<u64> = stacks.ours.iter().map(|pc| pc & !EXACT).collect();
        self.like_framehop += u64::from(plain == stacks.framehop);
        if let Testimony::Stack(pcs, _) = &stacks.libgcc {
            self.like_libgcc += u64::from(stacks.ours == *pcs);
        }
        let is_confirmed = stacks.returned.is_some() && stacks.returned.as_ref() == plain.get(1);
        self.confirmed += u64::from(is_confirmed);
        match verdict {
            Ok(reasons) => reasons.iter().for_each(|&(reason, same)| {
                let last = same.checked_sub(1).and_then(|last| plain.get(last));
                let place = last.map_or_else(String::new, |pc| function(*pc, target));
                *self.reasons.entry(reason).or_default().entry(place).or_default() += 1;
            }),
            Err(error) => {
                self.wrong += 1;
                self.example.get_or_insert_with(|| example(error, stacks, target));
            }
        }
    }

    fn count(&self, reason: Reason) -> u64 {
        self.reasons.get(&reason).map_or(0, |places| places.values().sum())
    }

    /// What must not be.
    pub fn faults(&self, program: &Program, fewest: u64) -> Vec<String> {
        let mut faults = Vec::new();
        let mut demand = |is_so: bool, fault: String| {
            if !is_so {
                faults.push(format!("{}: {fault}", self.name));
            }
        };
        let (moments, status) = (self.moments, self.status);
        demand(moments >= fewest, format!("only {moments} moments, status {status:?}"));
        demand(status.is_none_or(|status| status < 128), format!("it has died: {status:?}"));
        let example = self.example.as_deref().unwrap_or_default();
        demand(self.wrong == 0, format!("{} of {moments} are wrong: {example}", self.wrong));
        let short = self.count(Reason::Unfinished) + self.count(Reason::Pushed);
        let allowed = program.short.map_or(0, |one_in| moments.div_ceil(one_in));
        demand(short <= allowed, format!("{short} of {moments} lack frames"));
        let alone = self.count(Reason::FramehopAlone);
        demand(alone <= moments.div_ceil(RARELY), format!("framehop differs at {alone} moments"));
        let missing = self.count(Reason::Crash) + self.count(Reason::Lock);
        demand(missing <= moments.div_ceil(RARELY), format!("{missing} without libgcc's"));
        faults
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, moments, frames, like_framehop, like_libgcc, confirmed, wrong, .. } = self;
        writeln!(
            f,
            "{name:<10} {moments:>7} {frames:>8} {like_framehop:>12} {like_libgcc:>11} \
             {confirmed:>11} {wrong:>7}"
        )?;
        for (reason, places) in &self.reasons {
            let mut most: Vec<_> = places.iter().collect();
            most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let most: Vec<_> = most.iter().take(3).map(|(place, _)| place.as_str()).collect();
            let count = self.count(*reason);
            writeln!(f, "    {count:>6} {}: {}", reason.text(), most.join(", "))?;
        }
        Ok(())
    }
}

/// Function and module, without the place in it.
fn function(pc: u64, target: &Target) -> String {
    let place = target.describe(pc);
    match (place.split_once('+'), place.split_once(" in ")) {
        (Some((function, _)), Some((_, module))) => format!("{function} in {module}"),
        (None, Some((_, module))) => format!("some code in {module}"),
        _ => place,
    }
}

fn example(error: &str, stacks: &Stacks, target: &Target) -> String {
    let lines = |pcs: &[u64]| -> String {
        let line = |pc: &u64| format!("  {pc:x} {}\n", target.describe(pc & !EXACT));
        pcs.iter().take(LONGEST).map(line).collect()
    };
    let Stacks { ours, stop, framehop, error: framehop_error, libgcc, returned } = stacks;
    let (pcs, is_cut) = match libgcc {
        Testimony::Stack(pcs, is_cut) => (&pcs[..], *is_cut),
        Testimony::Crashed | Testimony::TimedOut => (&[][..], true),
    };
    format!(
        "{error}; has returned to {returned:x?}\nours, to {stop:?}:\n{}\
         framehop's, {} the same, to {framehop_error:?}:\n{}libgcc's, {} the same{}:\n{}",
        lines(ours),
        common(&ours.iter().map(|pc| pc & !EXACT).collect::<Vec<_>>(), framehop),
        lines(framehop),
        common(ours, pcs),
        if is_cut { ", to code that it knows nothing about" } else { "" },
        lines(pcs)
    )
}
