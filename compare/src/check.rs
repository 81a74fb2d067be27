//! What `sigspy check` has found out, as data, and what follows from it.
//!
//! Whoever runs both sides says what was run ([`Setup`]) and what was seen ([`Evidence`]).
//! [`decide`] makes a [`CheckResult`] of it, which is the one source of all that is shown, and has
//! the exit status. In between, [`Policy::unwaived`] says which suspects are worth more runs:
//!
//! ```text
//! first runs    -> Comparison::new -> suspects() -> policy.unwaived(..)
//!     none?     -> decide with `confirmation: None`
//!     some?     -> fresh runs -> Comparison::confirmed -> decide with `confirmation: Some(..)`
//! ```
//!
//! Nothing that could not be told is called ok: it is [`Verdict::Inconclusive`], with the reason.

mod budget;
mod date;
mod decide;
#[cfg(test)]
mod made_up;
mod pattern;
mod policy;
mod result;
mod runner;

pub use date::{BadDate, Date};
pub use decide::{Confirmation, Evidence, decide};
pub use pattern::Pattern;
pub use policy::{Accept, Budget, Ignore, Metric, Policy, Rename, TOTAL};
pub use result::{
    Baseline, BudgetOutcome, CheckResult, CheckedSide, Found, Order, Outcome, Plan, SCHEMA, Setup,
    Source, Standing, Subject, Verdict, Waiver,
};
pub use runner::Runner;
