//! Threads that block all signals.
//!
//! A program that blocks all signals in a thread means its own, not our ticks: so the interposed
//! functions ([`interpose::mask`](crate::interpose::mask)) leave SIGPROF out of such a mask, and
//! show it as blocked when the program looks. It is a matter of the mask alone: one in which the
//! signals of [`WITNESSES`] are blocked, that nobody names one by one, and SIGPROF is not, is one
//! of those. Whoever inherits the mask, inherits this.
//!
//! A SIGPROF of the program's own that such a thread gets is held back, as it would be without
//! us: it is sent again, after SIGPROF has really been blocked. From then on nothing ticks for the
//! thread until it unblocks the signal, as a tick that is pending is there for all to see.
//!
//! Programs that deal with SIGPROF themselves are left alone: where one has an action for it, or
//! lets it alone through, nothing is left out of its masks.
#![allow(unsafe_code, reason = "works on signal frames")]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use sigspy_wire::slot;

use crate::agent::Agent;
use crate::siginfo::{SI_TKILL, SigInfo};
use crate::sys::signal::{send_again, tick_bit};
use crate::{arch, sys, threads};

/// SIGTTOU, SIGXFSZ, SIGVTALRM, SIGWINCH, SIGIO.
const WITNESSES: u64 = 1 << 21 | 1 << 24 | 1 << 25 | 1 << 27 | 1 << 28;

/// Whether a mask is one of those that nobody makes signal by signal. Async-signal-safe.
pub fn blocks_everything(mask: u64) -> bool {
    let witnesses = WITNESSES & !tick_bit();
    mask & witnesses == witnesses
}

const NEVER: u32 = 0;
const HAPPENED: u32 = 1;
const NO_MORE: u32 = 2;
/// Whether SIGPROF was left out of a mask. A value of its own that orders nothing.
static LEFT_OUT: AtomicU32 = AtomicU32::new(NEVER);

/// Whether SIGPROF was ever left out of a mask. Async-signal-safe.
pub fn happened() -> bool {
    LEFT_OUT.load(Relaxed) == HAPPENED
}

/// Remembers that SIGPROF is left out of a mask. False: that is not done any more.
pub fn begin() -> bool {
    let begun = LEFT_OUT.compare_exchange(NEVER, HAPPENED, Relaxed, Relaxed);
    begun.is_ok() || begun == Err(HAPPENED)
}

/// The program wants SIGPROF where it blocks everything else: no more of this.
pub fn end() {
    LEFT_OUT.store(NO_MORE, Relaxed);
}

/// The mask as the program believes it to be. Async-signal-safe.
pub fn as_the_program_knows_it(mask: u64) -> u64 {
    let is_left_out = happened() && blocks_everything(mask);
    mask | if is_left_out { tick_bit() } else { 0 }
}

/// Holds a SIGPROF of the program's own back, if the interrupted thread believes to have blocked
/// it. False: it is to be delivered. Async-signal-safe.
///
/// # Safety
/// `info` and `context` are what the kernel passed to the handler that is now running, and
/// `signal` is what `info` says.
pub unsafe fn hold_back(
    agent: &Agent,
    signal: &SigInfo,
    info: *const u8,
    context: *mut u8,
) -> bool {
    // SAFETY: the caller passes the kernel's own context.
    let mask = unsafe { arch::interrupted_mask(context) };
    // Where it is really blocked, and comes all the same, the thread waits for it (sigsuspend, ppoll):
    // the mask is the one to go back to.
    if as_the_program_knows_it(mask) == mask {
        return false;
    }
    let tid = sys::gettid();
    if let Some(slot) = slot::find(agent.shared.slots, tid) {
        threads::park(slot);
    }
    // SAFETY: as above.
    unsafe {
        arch::block_on_return(context, tick_bit());
        send_again(sys::getpid(), tid, info, signal.code == SI_TKILL);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_what_it_is_until_sigprof_was_left_out_of_one() {
        assert_eq!(as_the_program_knows_it(!tick_bit()), !tick_bit());
        LEFT_OUT.store(HAPPENED, Relaxed);
        assert_eq!(as_the_program_knows_it(!tick_bit()), u64::MAX);
        assert_eq!(as_the_program_knows_it(1 << 13), 1 << 13, "one signal is not all");
        LEFT_OUT.store(NO_MORE, Relaxed);
        assert_eq!(as_the_program_knows_it(!tick_bit()), !tick_bit());
    }
}
