//! Frames that stand for what has no frame, as sigspy itself writes them.

use sigspy_model::{StackKind, Stop};

/// The last frame of a thread that did not run.
pub const WAITING: &str = "[waiting]";

/// Time without a stack, by the frame that stands for it.
pub fn stackless(name: &str) -> Option<StackKind> {
    match name {
        "[lost]" => Some(StackKind::Lost),
        "[SIGPROF blocked]" => Some(StackKind::Blocked),
        "[unsampled]" => Some(StackKind::Unsampled),
        _ => None,
    }
}

/// Why a stack is not whole, by its first frame.
pub fn incomplete(name: &str) -> Option<Stop> {
    match name.strip_prefix("[incomplete: ")?.strip_suffix(']')? {
        "no unwind table" => Some(Stop::NoTable),
        "unwind rule" => Some(Stop::BadRule),
        "outside of the stack" => Some(Stop::OutOfStack),
        "deeper than --max-depth" => Some(Stop::Truncated),
        "modules changed" => Some(Stop::Stale),
        _ => None,
    }
}
