//! One row of call frame information in a made-up frame: by gimli, and by our rule.

use gimli::{
    CfaRule, EvaluationResult, Expression, Register, RegisterRule, UnwindExpression, UnwindOffset,
    UnwindSection, UnwindTableRow, Value, X86_64,
};
use sigspy_unwind::{Kind, ReturnAddress, Rule, Saved};

use crate::section::{Fde, Reader};

/// How much of a row its rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    Whole,
    /// Less, or the same with a restriction: the reason, judged by gimli's row alone.
    Less(&'static str),
}

/// A frame in which all registers and all words of memory are different.
pub struct MadeUp<'r, 'a, S> {
    pub section: &'r S,
    pub fde: &'r Fde<'a>,
    pub row: &'r UnwindTableRow<usize>,
    pub pc: u64,
}

const GENERAL_REGISTERS: u16 = 16;

impl<'a, S: UnwindSection<Reader<'a>>> MadeUp<'_, 'a, S>
where
    S::Offset: UnwindOffset<usize>,
{
    /// The error says what is different.
    pub fn compare(&self, rule: &Rule) -> Result<Exactness, &'static str> {
        let return_address = self.row.register(self.fde.cie().return_address_register());
        if self.fde.is_signal_trampoline() {
            return self.compare_trampoline(rule);
        }
        if return_address == Some(RegisterRule::Undefined) {
            let same = *rule == Rule::END;
            return same.then_some(Exactness::Whole).ok_or("not the outermost function");
        }
        if rule.kind == Kind::Unsupported {
            return self.why_unsupported().map(Exactness::Less).ok_or("a row that is supported");
        }
        if !matches!(rule.kind, Kind::Register | Kind::Plt | Kind::Deref | Kind::Indexed) {
            return Err("another kind of rule");
        }
        let same = match return_address {
            Some(RegisterRule::Offset(-8)) => rule.return_address == ReturnAddress::BelowCfa,
            Some(RegisterRule::Register(Register(number))) => {
                rule.return_address == ReturnAddress::Register(number as u8)
            }
            _ => false,
        };
        if !same {
            return Err("another return address");
        }
        let cfa = self.cfa();
        if self.cfa_by_rule(rule) != cfa {
            return Err("another CFA");
        }
        let rbp = self.compare_saved(X86_64::RBP, rule.rbp, cfa)?;
        let rbx = self.compare_saved(X86_64::RBX, rule.rbx, cfa)?;
        let found = [rbp, rbx, self.restriction(rule)].into_iter();
        Ok(found.into_iter().find(|one| *one != Exactness::Whole).unwrap_or(Exactness::Whole))
    }

    /// The kernel's frame is where our rule takes it to be.
    fn compare_trampoline(&self, rule: &Rule) -> Result<Exactness, &'static str> {
        let places =
            [(X86_64::RA, 168), (X86_64::RSP, 160), (X86_64::RBP, 120), (X86_64::RBX, 128)];
        let kernels = places.iter().all(|(register, offset)| {
            let place = self.row.register(*register).and_then(|rule| self.place(&rule, self.cfa()));
            place == Some(value_of(X86_64::RSP, self.pc) + offset)
        });
        match (*rule == Rule::SIGNAL, kernels) {
            (false, _) => Err("not a signal trampoline"),
            (true, true) => Ok(Exactness::Whole),
            (true, false) => Ok(Exactness::Less("signal trampoline with a frame of another form")),
        }
    }

    fn why_unsupported(&self) -> Option<&'static str> {
        match self.row.register(X86_64::RSP) {
            None | Some(RegisterRule::ValOffset(0)) => {}
            Some(_) => return Some("unsupported: stack pointer of the caller is not the CFA"),
        }
        match self.row.register(self.fde.cie().return_address_register()) {
            None => return Some("unsupported: return address not described"),
            Some(RegisterRule::Offset(-8)) => {}
            Some(RegisterRule::Register(Register(0..GENERAL_REGISTERS))) => {}
            Some(_) => return Some("unsupported: return address elsewhere"),
        }
        match self.row.cfa() {
            CfaRule::Expression(_) => Some("unsupported: CFA by an expression of another form"),
            CfaRule::RegisterAndOffset { register: Register(GENERAL_REGISTERS..), .. } => {
                Some("unsupported: CFA by a register that is none of the 16")
            }
            CfaRule::RegisterAndOffset { .. } => None,
        }
    }

    /// Rules that hold only where the thread was interrupted, as callers' registers are not known.
    fn restriction(&self, rule: &Rule) -> Exactness {
        let in_callers = [X86_64::RSP, X86_64::RBP, X86_64::RBX];
        if !in_callers.contains(&Register(rule.register.into())) {
            Exactness::Less("only where interrupted: CFA by another register")
        } else if rule.return_address != ReturnAddress::BelowCfa {
            Exactness::Less("only where interrupted: return address in a register")
        } else {
            Exactness::Whole
        }
    }

    fn compare_saved(
        &self,
        register: Register,
        saved: Saved,
        cfa: u64,
    ) -> Result<Exactness, &'static str> {
        let rule = self.row.register(register).unwrap_or(RegisterRule::SameValue);
        let same = match (&rule, saved) {
            (RegisterRule::SameValue, _) => saved == Saved::Kept,
            (RegisterRule::Undefined, _) => saved == Saved::Lost,
            (_, Saved::Lost) => return Ok(Exactness::Less(why_lost(&rule))),
            (rule, Saved::Kept) => {
                let beside_itself = self.place(rule, cfa) == Some(value_of(X86_64::RBP, self.pc));
                if register == X86_64::RBP && beside_itself {
                    return Ok(Exactness::Less("rbp in its register again, and not beside it"));
                }
                false
            }
            (rule, Saved::At(words)) => self.place(rule, cfa) == Some(beside(cfa, words)),
            (rule, Saved::BesideRbp(words)) => {
                self.place(rule, cfa) == Some(beside(value_of(X86_64::RBP, self.pc), words))
            }
        };
        same.then_some(Exactness::Whole).ok_or("a register saved elsewhere")
    }

    /// Where a register is saved, by gimli.
    fn place(&self, rule: &RegisterRule<usize>, cfa: u64) -> Option<u64> {
        match rule {
            RegisterRule::Offset(offset) => Some(cfa.wrapping_add_signed(*offset)),
            RegisterRule::Expression(expression) => self.evaluate(expression, Some(cfa)),
            _ => None,
        }
    }

    /// By gimli.
    fn cfa(&self) -> u64 {
        match self.row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                value_of(*register, self.pc).wrapping_add_signed(*offset)
            }
            CfaRule::Expression(expression) => self.evaluate(expression, None).unwrap(),
        }
    }

    fn evaluate(&self, expression: &UnwindExpression<usize>, cfa: Option<u64>) -> Option<u64> {
        let expression: Expression<Reader> = expression.get(self.section).ok()?;
        let mut evaluation = expression.evaluation(self.fde.cie().encoding());
        cfa.into_iter().for_each(|cfa| evaluation.set_initial_value(cfa));
        let mut state = evaluation.evaluate().ok()?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = Value::Generic(value_of(register, self.pc));
                    evaluation.resume_with_register(value).ok()?
                }
                EvaluationResult::RequiresMemory { address, .. } => {
                    evaluation.resume_with_memory(Value::Generic(word_at(address))).ok()?
                }
                _ => return None,
            };
        }
        match cfa {
            None => evaluation.value_result()?.to_u64(!0).ok(),
            Some(_) => match evaluation.result().first()?.location {
                gimli::Location::Address { address } => Some(address),
                _ => None,
            },
        }
    }

    fn cfa_by_rule(&self, rule: &Rule) -> u64 {
        let base = value_of(Register(rule.register.into()), self.pc);
        let base = base.wrapping_add_signed(rule.offset.into());
        match rule.kind {
            Kind::Plt => base + if self.pc % 16 >= rule.second as u64 { 8 } else { 0 },
            Kind::Deref => word_at(base).wrapping_add_signed(rule.second.into()),
            Kind::Indexed => {
                let index = value_of(Register(9), self.pc);
                let element = base.wrapping_add(index.wrapping_mul(8));
                word_at(element).wrapping_add_signed(rule.second.into())
            }
            _ => base,
        }
    }
}

/// Of a register that gimli can find.
fn why_lost(rule: &RegisterRule<usize>) -> &'static str {
    match rule {
        RegisterRule::Offset(_) => "rbp or rbx lost: too far from the CFA, or at no whole word",
        RegisterRule::Expression(_) => "rbp or rbx lost: place by an expression of another form",
        RegisterRule::Register(_) => "rbp or rbx lost: in another register",
        _ => "rbp or rbx lost: a value that is not in memory",
    }
}

fn beside(base: u64, words: i16) -> u64 {
    base.wrapping_add_signed(i64::from(words) * 8)
}

fn value_of(register: Register, pc: u64) -> u64 {
    if register == X86_64::RA { pc } else { 0x7ffe_0000_0000 + u64::from(register.0) * 0x10_0000 }
}

fn word_at(address: u64) -> u64 {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
