//! What three stacks of one moment say about each other.
//!
//! Ours has to be right. A stack that differs from it is explained by what another witness says, or
//! by a fact about the code where it differs; a difference without an explanation is a failure.

use ::framehop::Error;
use sigspy_tests::remote::Target;
use sigspy_unwind::{EXACT, Kind, Stop};

use crate::tracer::Testimony;

/// The same moment, leaf first.
pub struct Stacks {
    pub ours: Vec<u64>,
    pub stop: Stop,
    pub framehop: Vec<u64>,
    pub error: Option<Error>,
    pub libgcc: Testimony,
    /// Where the program has really returned to, where that was asked.
    pub returned: Option<u64>,
}

impl Stacks {
    /// Whether libgcc knows nothing about the very code that was interrupted.
    pub fn is_leaf_unknown(&self) -> bool {
        matches!(&self.libgcc, Testimony::Stack(pcs, true) if pcs.len() == 1)
    }
}

/// Why stacks may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// libgcc ends in code without call frame information, where ours goes on.
    LibgccStops,
    /// framehop does not evaluate expressions that read memory, and libgcc is with ours.
    FramehopExpression,
    /// framehop keeps no register but rip, rsp and rbp, and libgcc is with ours.
    FramehopRegister,
    /// framehop differs for another reason, and libgcc is with ours.
    FramehopAlone,
    /// framehop differs in code without call frame information; the program returns to our frame.
    FramehopMisled,
    /// framehop ends in code without call frame information, where ours goes on.
    FramehopStops,
    /// framehop goes on from code without call frame information to where no code is.
    FramehopStrays,
    /// Ours says that it is not whole, in code without call frame information.
    Unfinished,
    /// Ours lacks the caller, whose return address was put on the stack without a call.
    Pushed,
    /// libgcc has crashed on the way.
    Crash,
    /// libgcc has not come back: it waits for a lock.
    Lock,
}

impl Reason {
    pub fn text(self) -> &'static str {
        match self {
            Self::LibgccStops => "libgcc stops in code without call frame information",
            Self::FramehopExpression => {
                "framehop reads no memory in expressions, libgcc is with ours"
            }
            Self::FramehopRegister => "framehop lacks a register, libgcc is with ours",
            Self::FramehopAlone => "framehop differs, libgcc is with ours",
            Self::FramehopMisled => "framehop differs, the program returns to where ours says",
            Self::FramehopStops => "framehop stops in code without call frame information",
            Self::FramehopStrays => "framehop goes on to no code, from one without information",
            Self::Unfinished => "ours says that it is not whole, in code without information",
            Self::Pushed => "ours lacks a caller that has not called, but pushed and jumped",
            Self::Crash => "libgcc has crashed",
            Self::Lock => "libgcc waits for a lock",
        }
    }
}

/// What was found: reasons, and behind how many frames they apply.
pub type Verdict = Result<Vec<(Reason, usize)>, &'static str>;

pub fn judge(stacks: &Stacks, target: &Target) -> Verdict {
    let mut reasons = Vec::new();
    let libgcc = match &stacks.libgcc {
        Testimony::Stack(pcs, is_cut) => Some((&pcs[..], *is_cut)),
        Testimony::Crashed => {
            reasons.push((Reason::Crash, 0));
            None
        }
        Testimony::TimedOut => {
            reasons.push((Reason::Lock, 0));
            None
        }
    };
    if let Some((pcs, is_cut)) = libgcc {
        reasons.extend(judge_by_libgcc(stacks, pcs, is_cut)?);
    }
    let ours: Vec<u64> = stacks.ours.iter().map(|pc| pc & !EXACT).collect();
    let same = common(&ours, &stacks.framehop);
    if same < ours.len().max(stacks.framehop.len()) {
        reasons.extend(explain_framehop(&ours, stacks, libgcc, same, target)?);
    }
    if let Some(returned) = stacks.returned.filter(|returned| ours.get(1) != Some(returned)) {
        if may_follow_call(target.instruction(returned - 8)) {
            return Err("the program returns to another place than ours says");
        }
        reasons.push((Reason::Pushed, 1));
    }
    if libgcc.is_none() && stacks.stop != Stop::End {
        return Err("ours is not whole, and no witness says why");
    }
    Ok(reasons)
}

/// libgcc has the last word on what comes before the place where it knows no more.
fn judge_by_libgcc(stacks: &Stacks, pcs: &[u64], is_cut: bool) -> Verdict {
    let ours = &stacks.ours;
    let same = common(ours, pcs);
    match (same == ours.len(), same == pcs.len()) {
        (false, false) => Err("ours and libgcc's differ"),
        (true, false) => Err("ours is shorter than libgcc's"),
        (false, true) if !is_cut => Err("ours goes on behind the outermost function of libgcc"),
        (_, true) if !is_cut && stacks.stop != Stop::End => Err("ours does not end with libgcc's"),
        (is_same, true) => {
            let stops = (!is_same).then_some((Reason::LibgccStops, same));
            let unfinished = (stacks.stop != Stop::End).then_some((Reason::Unfinished, ours.len()));
            Ok(stops.into_iter().chain(unfinished).collect())
        }
    }
}

fn explain_framehop(
    ours: &[u64],
    stacks: &Stacks,
    libgcc: Option<(&[u64], bool)>,
    same: usize,
    target: &Target,
) -> Verdict {
    let Some((pcs, is_cut)) = libgcc else { return Err("framehop differs, without a witness") };
    let is_confirmed = same < pcs.len() || !is_cut;
    let reason = match stacks.framehop.get(same) {
        _ if is_confirmed => fault_of_framehop(stacks, same, target),
        _ if same > pcs.len() => return Err("framehop differs, where libgcc is not any more"),
        Some(_) if same == ours.len() && stacks.stop == Stop::End => {
            return Err("framehop goes on behind our outermost function");
        }
        _ if same == ours.len() => return Ok(Vec::new()), // counted as unfinished
        _ if same == 1 && stacks.returned.is_some() => Reason::FramehopMisled,
        None => Reason::FramehopStops,
        Some(pc) if !target.may_execute(*pc) => Reason::FramehopStrays,
        Some(_) => return Err("framehop differs, in code without call frame information"),
    };
    Ok(vec![(reason, same)])
}

/// What framehop cannot do that the frame behind which it differs needs.
fn fault_of_framehop(stacks: &Stacks, same: usize, target: &Target) -> Reason {
    const KEPT: [u8; 2] = [6, 7]; // rbp and rsp
    let last = same.checked_sub(1).and_then(|last| stacks.ours.get(last));
    match last.and_then(|frame| target.rule(*frame)) {
        Some(rule) if matches!(rule.kind, Kind::Deref | Kind::Indexed | Kind::Signal) => {
            Reason::FramehopExpression
        }
        Some(rule) if rule.kind == Kind::Register && !KEPT.contains(&rule.register) => {
            Reason::FramehopRegister
        }
        _ => Reason::FramehopAlone,
    }
}

/// Whether bytes could end with a call, direct or by any operand.
fn may_follow_call(code: [u8; 8]) -> bool {
    let is_indirect = |bytes: &[u8]| bytes[0] == 0xff && bytes[1] >> 3 & 7 == 2;
    code[3] == 0xe8 || code.windows(2).any(is_indirect)
}

/// How many of the first frames are the same.
pub fn common(ours: &[u64], theirs: &[u64]) -> usize {
    ours.iter().zip(theirs).take_while(|(one, other)| one == other).count()
}
