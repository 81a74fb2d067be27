//! One row of call frame information as a rule.

use gimli::{
    CfaRule, Expression, Operation, Register, RegisterRule, UnwindSection, UnwindTableRow,
};

use super::elf::Reader;
use crate::arch;
use crate::rule::{Kind, ReturnAddress, Rule, Saved};

type Fde<'a> = gimli::FrameDescriptionEntry<Reader<'a>>;

/// [`Rule::UNSUPPORTED`] where the format cannot express the row.
pub fn rule_of<'a, S: UnwindSection<Reader<'a>>>(
    row: &UnwindTableRow<usize>,
    fde: &Fde<'a>,
    section: &S,
) -> Rule {
    if fde.is_signal_trampoline() {
        return Rule::SIGNAL;
    }
    Row { row, fde, section }.rule().unwrap_or(Rule::UNSUPPORTED)
}

struct Row<'r, 'a, S> {
    row: &'r UnwindTableRow<usize>,
    fde: &'r Fde<'a>,
    section: &'r S,
}

impl<'a, S: UnwindSection<Reader<'a>>> Row<'_, 'a, S> {
    fn rule(&self) -> Option<Rule> {
        let (mut return_address, mut rbp, mut rbx) = (None, Saved::Kept, Saved::Kept);
        for (register, rule) in self.row.registers() {
            if *register == self.fde.cie().return_address_register() {
                if *rule == RegisterRule::Undefined {
                    return Some(Rule::END);
                }
                return_address = return_address_of(rule);
            } else if *register == RBP {
                rbp = self.saved(rule);
            } else if *register == RBX {
                rbx = self.saved(rule);
            } else if *register == RSP && *rule != RegisterRule::ValOffset(0) {
                return None;
            }
        }
        Some(Rule { return_address: return_address?, rbp, rbx, ..self.cfa()? })
    }

    fn cfa(&self) -> Option<Rule> {
        match self.row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                Some(Rule::cfa(general(*register)?, i32::try_from(*offset).ok()?))
            }
            CfaRule::Expression(expression) => {
                cfa_by_expression(&self.operations(expression.get(self.section).ok()?)?)
            }
        }
    }

    fn saved(&self, rule: &RegisterRule<usize>) -> Saved {
        match rule {
            RegisterRule::SameValue => Saved::Kept,
            RegisterRule::Offset(offset) => words(*offset).map_or(Saved::Lost, Saved::At),
            RegisterRule::Expression(expression) => expression
                .get(self.section)
                .ok()
                .and_then(|expression| saved_beside_rbp(&self.operations(expression)?))
                .map_or(Saved::Lost, Saved::BesideRbp),
            _ => Saved::Lost,
        }
    }

    /// `None`: malformed, or longer than any pattern that is known.
    fn operations(&self, expression: Expression<Reader<'a>>) -> Option<Vec<Operation<Reader<'a>>>> {
        const LONGEST: usize = 9;
        let mut parser = expression.operations(self.fde.cie().encoding());
        let mut operations = Vec::with_capacity(LONGEST);
        while let Some(operation) = parser.next().ok()? {
            if operations.len() == LONGEST {
                return None;
            }
            operations.push(operation);
        }
        Some(operations)
    }
}

const RBP: Register = Register(arch::RBP as u16);
const RBX: Register = Register(arch::RBX as u16);
const RSP: Register = Register(arch::RSP as u16);
const R9: Register = Register(arch::R9 as u16);
/// In call frame information, the program counter of the frame itself.
const PC: Register = Register(arch::REGISTERS as u16);

fn return_address_of(rule: &RegisterRule<usize>) -> Option<ReturnAddress> {
    match rule {
        RegisterRule::Offset(offset) => {
            (*offset == -(arch::RETURN_ADDRESS as i64)).then_some(ReturnAddress::BelowCfa)
        }
        RegisterRule::Register(register) => Some(ReturnAddress::Register(general(*register)?)),
        _ => None,
    }
}

fn cfa_by_expression(operations: &[Operation<Reader>]) -> Option<Rule> {
    use Operation::{
        And, Deref, Ge, Mul, Plus, PlusConstant, RegisterOffset, Shl, UnsignedConstant,
    };
    match *operations {
        [
            RegisterOffset { register, offset, .. },
            Deref { size: 8, space: false, .. },
            ref more @ ..,
        ] => {
            let second = match *more {
                [] => 0,
                [PlusConstant { value }] => i32::try_from(value).ok()?,
                _ => return None,
            };
            let offset = i32::try_from(offset).ok()?;
            Some(Rule { kind: Kind::Deref, second, ..Rule::cfa(general(register)?, offset) })
        }
        [
            RegisterOffset { register, offset, .. },
            RegisterOffset { register: R9, offset: 0, .. },
            UnsignedConstant { value: 8 },
            Mul,
            Plus,
            Deref { size: 8, space: false, .. },
            PlusConstant { value },
        ] => {
            let (offset, second) = (i32::try_from(offset).ok()?, i32::try_from(value).ok()?);
            Some(Rule { kind: Kind::Indexed, second, ..Rule::cfa(general(register)?, offset) })
        }
        [
            RegisterOffset { register: RSP, offset, .. },
            RegisterOffset { register: PC, offset: 0, .. },
            UnsignedConstant { value: 15 },
            And,
            UnsignedConstant { value: threshold @ 0..16 },
            Ge,
            UnsignedConstant { value: 3 },
            Shl,
            Plus,
        ] => Some(Rule::plt(i32::try_from(offset).ok()?, threshold as i32)),
        _ => None,
    }
}

fn saved_beside_rbp(operations: &[Operation<Reader>]) -> Option<i16> {
    match *operations {
        [Operation::RegisterOffset { register: RBP, offset, .. }] => words(offset),
        _ => None,
    }
}

fn words(offset: i64) -> Option<i16> {
    if offset % 8 == 0 { i16::try_from(offset / 8).ok() } else { None }
}

fn general(register: Register) -> Option<u8> {
    u8::try_from(register.0).ok().filter(|number| *number < arch::REGISTERS)
}
