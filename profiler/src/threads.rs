//! Threads as the handler meets them: adoption, settling of weights, reclaiming of timers.
//!
//! A thread starts without a timer of its own and is sampled by the process-wide one, whose
//! ticks are worth (1 + overruns) periods, whichever thread they find: ticks that find a thread
//! with a timer are dropped with their weight, so the estimate is unbiased. A thread that has
//! been found twice lives long enough to get its own timer.
//!
//! # Settling
//! Until adoption the weight of a thread is right in the mean only: two ticks stand for whatever
//! time passed. At adoption its real CPU time is read, and the difference becomes a debt that
//! later samples pay off, a part of their weight each. They begin at a fixed CPU time of the
//! thread ([`settling_starts_ns`]), not at a fixed time after adoption: how long a thread lives
//! then does not depend on how early the ticks happened to find it, and what is paid stays
//! zero in the mean, for threads of any length.
#![allow(unsafe_code, reason = "reads registers and code where a signal came")]

use core::mem::MaybeUninit;
use core::sync::atomic::Ordering::Relaxed;

use sigspy_wire::record::flags;
use sigspy_wire::slot::{self, Slot};

use crate::agent::Agent;
use crate::handler::Weight;
use crate::tick::{Origin, Times, ahead, catch_up};
use crate::{arch, sys};

/// A thread found so often gets its own timer.
const FOUND_ENOUGH: u32 = 2;
/// So many ticks of the process-wide timer on a thread whose own timer does not tick: the timer
/// belonged to another thread with the same tid.
const FOUND_TOO_OFTEN: u32 = 64;
/// One tick in so many looks for threads that are gone, and at so many of them: together, as the
/// list of slots is long and out of the caches by then.
const RECLAIM_EVERY: u64 = 16;
const RECLAIM_CHECKS: usize = 128;

/// The slot of the calling thread. `None`: all slots are taken, and it is sampled without.
pub fn slot_of_this_thread(agent: &'static Agent) -> Option<(usize, &'static Slot)> {
    let (index, slot) = slot::find_or_claim(agent.shared.slots, sys::gettid())?;
    let word = agent.used_slots.get(index / 64)?;
    word.fetch_or(1 << (index % 64), Relaxed);
    Some((index, slot))
}

/// The timer of a slot's thread.
pub fn own_timer(slot: &Slot) -> Option<u32> {
    slot.timer.load(Relaxed).checked_sub(1)
}

/// CPU time of a thread from which on its debt is paid: so late that all but one in a million
/// threads have been adopted before.
fn settling_starts_ns(period_ns: u64) -> u64 {
    const BY_KERNEL_TICKS_NS: u64 = 100_000_000;
    period_ns.saturating_mul(16).saturating_add(BY_KERNEL_TICKS_NS)
}

/// Books `weight` for the thread, and lets it pay a part of its debt.
pub fn settle(slot: &Slot, origin: Origin, period_ns: u64, weight: &mut Weight) {
    let is_own_tick = matches!(origin, Origin::ThreadTimer { .. });
    if is_own_tick {
        take_lead(slot, period_ns, weight);
    }
    let weighed = slot.weighed_ns.load(Relaxed) + weight.ns + weight.blocked_ns;
    slot.weighed_ns.store(weighed, Relaxed);
    let debt = slot.debt_ns.load(Relaxed);
    if debt == 0 || !is_own_tick || weighed < settling_starts_ns(period_ns) {
        return;
    }
    let most = (weight.ns / 2) as i64;
    let paid = debt.clamp(-most, most);
    slot.debt_ns.store(debt - paid, Relaxed);
    weight.ns = weight.ns.wrapping_add_signed(paid);
}

/// The first tick of a thread that was armed when it began stands for more than its timer says,
/// and the next one is due earlier.
fn take_lead(slot: &Slot, period_ns: u64, weight: &mut Weight) {
    let (Some(lead_ns), Some(timer)) = (slot.lead.load(Relaxed).checked_sub(1), own_timer(slot))
    else {
        return;
    };
    slot.lead.store(0, Relaxed);
    let armed_ns = slot.weighed_ns.load(Relaxed);
    let ran_ns = sys::clock_ns(sys::CLOCK_THREAD_CPUTIME).saturating_sub(armed_ns);
    let (expiries, next_ns) = catch_up(ran_ns, lead_ns.into(), period_ns);
    weight.ns = expiries.wrapping_mul(period_ns).saturating_sub(weight.blocked_ns);
    let _ = sys::timer_start(timer, next_ns, period_ns); // else it is late, as it was
}

/// After a sample is published: the tick that has found a thread often enough adopts it.
pub fn after_sample(agent: &Agent, index: usize, slot: &Slot, tid: u32, flags: u8) {
    if flags & flags::PROCESS_TICK == 0 {
        slot.found.store(0, Relaxed);
        if agent.arms_at_thread_start() {
            reclaim_some(agent); // there are no other ticks to do it
        }
        return;
    }
    let found = slot.found.load(Relaxed) + 1;
    slot.found.store(found, Relaxed);
    if found >= FOUND_ENOUGH {
        adopt(agent, index, slot, tid);
    }
    reclaim_some(agent);
}

/// Gives the calling thread, which a tick has found, a timer of its own.
pub fn adopt(agent: &Agent, index: usize, slot: &Slot, tid: u32) {
    arm(agent, index, slot, tid, agent.times(), None);
}

/// Gives the calling thread, which has just begun, a timer of its own. It owes nothing for the
/// time before, nor for another thread that had its id.
pub fn adopt_new_thread(agent: &'static Agent) {
    let Some((index, slot)) = slot_of_this_thread(agent) else { return };
    let times = agent.times();
    let since_tick_ns = agent.monotonic.since_kernel_tick_ns().min(agent.kernel_tick_ns);
    let (first_ns, lead_ns) = ahead(times.first_ns, since_tick_ns);
    arm(agent, index, slot, sys::gettid(), Times { first_ns, ..times }, lead_ns);
    slot.debt_ns.store(0, Relaxed);
}

fn arm(agent: &Agent, index: usize, slot: &Slot, tid: u32, times: Times, lead_ns: Option<u64>) {
    match agent.with_source(|source| source.set_thread_cpu_profiler(tid, index, times)) {
        Ok(Some(timer)) => {
            let used = sys::clock_ns(sys::CLOCK_THREAD_CPUTIME);
            let weighed = slot.weighed_ns.swap(used, Relaxed);
            slot.debt_ns.store(used as i64 - weighed as i64, Relaxed);
            slot.found.store(0, Relaxed);
            slot.lead.store(lead_ns.map_or(0, |ns| ns as u32 + 1), Relaxed);
            slot.timer.store(timer.wrapping_add(1), Relaxed);
        }
        Ok(None) => {}
        Err(_) => {
            agent.shared.control.timer_failures.fetch_add(1, Relaxed);
        }
    }
}

/// The process-wide tick has found a thread that has its own timer. If that one never ticks
/// between, it is the timer of a dead thread whose tid was given out again.
pub fn seen_without_own_tick(agent: &Agent, index: usize, slot: &Slot) {
    let found = slot.found.load(Relaxed) + 1;
    slot.found.store(found, Relaxed);
    if found < FOUND_TOO_OFTEN {
        return;
    }
    if let Some(stale) = own_timer(slot) {
        sys::timer_delete(stale);
        slot.timer.store(0, Relaxed);
        slot.weighed_ns.store(0, Relaxed);
        if let Some(tid) = slot.owner() {
            adopt(agent, index, slot, tid);
        }
    }
}

/// Frees slots and deletes timers of threads that are gone. Some at a time, in turn.
pub fn reclaim_some(agent: &Agent) {
    if !agent.reclaim_turns.fetch_add(1, Relaxed).is_multiple_of(RECLAIM_EVERY) {
        return;
    }
    let words = &agent.used_slots;
    let start = agent.reclaim_next.load(Relaxed) as usize;
    let mut checks = 0;
    for step in 0..words.len() {
        let position = start.wrapping_add(step) % words.len();
        let Some(word) = words.get(position) else { return };
        let mut bits = word.load(Relaxed);
        while bits != 0 {
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            checks += 1;
            reclaim_if_dead(agent, position * 64 + bit);
        }
        if checks >= RECLAIM_CHECKS {
            agent.reclaim_next.store(position as u64 + 1, Relaxed);
            return;
        }
    }
}

fn reclaim_if_dead(agent: &Agent, index: usize) {
    let Some(slot) = agent.shared.slots.get(index) else { return };
    let Some(tid) = slot.owner() else { return };
    if sys::thread_exists(agent.pid, tid) || !slot.begin_reclaim(tid) {
        return;
    }
    if let Some(timer) = own_timer(slot) {
        sys::timer_delete(timer);
    }
    if let Some(word) = agent.used_slots.get(index / 64) {
        word.fetch_and(!(1 << (index % 64)), Relaxed);
    }
    slot.free();
}

/// Whether the interrupted thread has just changed its signal mask: a tick that was kept waiting
/// is delivered when the mask lets it through, so this is how the end of a time with SIGPROF
/// blocked looks. A late tick alone does not tell: CPU timers are looked at when the kernel's
/// tick finds the thread running, and on a busy machine that takes many ticks to happen.
pub fn has_unblocked_signals(pid: u32, context: *const u8) -> bool {
    // SAFETY: the handler passes on the context that the kernel gave it.
    let registers = unsafe { arch::registers(context) };
    let mut code = [MaybeUninit::new(0); arch::CODE_BEFORE];
    let from = registers.pc.wrapping_sub(code.len() as u64);
    let length = sys::read_own_memory(pid, from, &mut code);
    // SAFETY: all bytes were zero, whatever the kernel has written since.
    let bytes = code.map(|byte| unsafe { byte.assume_init() });
    length == code.len() && arch::returns_from_sigprocmask(bytes)
}
