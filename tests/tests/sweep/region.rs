//! What is to be swept, and what was.

use std::fmt;

use crate::ticks::Counts;

/// Which instructions of a region get a tick: the first ones all, then one in so many, at random.
#[derive(Clone, Copy, Debug)]
pub struct Density {
    pub all_of_first: u64,
    pub then_one_in: u64,
}

/// What was swept between two marks.
#[derive(Clone, Debug, Default)]
pub struct Region {
    pub name: String,
    /// Instructions executed one by one.
    pub instructions: u64,
    /// Of these, those before which a tick was delivered.
    pub swept: u64,
    /// Those where SIGPROF was blocked, so that it would have waited.
    pub blocked: u64,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, instructions, swept, blocked } = self;
        write!(f, "{name}: {swept} of {instructions} instructions swept")?;
        write!(f, ", SIGPROF blocked at {blocked}")
    }
}

/// What happened to a program, from its first exec to its end.
#[derive(Clone, Debug, Default)]
pub struct Traced {
    pub regions: Vec<Region>,
    pub counts: Counts,
    /// So often the handler itself was stopped, with all signals blocked.
    pub inside: u64,
    pub status: Option<i32>,
}
