//! Threads as the agent meets them: arming, and what becomes of the timers of those that end.
//!
//! Each thread is armed when it starts ([`interpose::threads`](crate::interpose)). Those of which
//! the C library knows nothing, or that were there before us, are found by the collector, who
//! knocks: it sends them a SIGPROF with a cookie of ours. A thread for which there is no timer
//! (RLIMIT_SIGPENDING) is sampled by the process-wide one, which is started for it.
#![allow(unsafe_code, reason = "reads registers and code where a signal came")]

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sigspy_wire::control::Clock;
use sigspy_wire::slot::{self, Slot};

use crate::agent::Agent;
use crate::handler::Weight;
use crate::sys::perf::set_period;
use crate::sys::timer::timer_start;
use crate::tick::{Ticker, Times, ahead, catch_up};
use crate::{arch, sys};

/// One tick, or start of a thread, in so many looks for threads that are gone, and at so many of
/// them: together, as the list of slots is long and out of the caches by then.
const RECLAIM_EVERY: u64 = 16;
const RECLAIM_CHECKS: usize = 128;

/// The slot of the calling thread. `None`: all slots are taken, and it is sampled without.
pub fn slot_of_this_thread(agent: &'static Agent) -> Option<(usize, &'static Slot)> {
    let (index, slot) = slot::find_or_claim(agent.shared.slots, agent.pid(), sys::gettid())?;
    let word = agent.used_slots.get(index / 64)?;
    word.fetch_or(1 << (index % 64), Relaxed);
    Some((index, slot))
}

/// What ticks for a slot's thread alone.
pub fn own_ticker(slot: &Slot) -> Option<Ticker> {
    Ticker::from_word(slot.timer.load(Relaxed))
}

/// Arms the main thread of a process that has just begun.
pub fn arm_main_thread(agent: &'static Agent) {
    let times = agent.times();
    let since_tick_ns = agent.monotonic.since_kernel_tick_ns().min(agent.kernel_tick_ns);
    let (first_ns, lead_ns) = match agent.clock {
        Clock::Thread => ahead(times.first_ns, since_tick_ns),
        _ => (times.first_ns, None),
    };
    arm(agent, Times { first_ns, ..times }, lead_ns.map_or(Age::Old, Age::Ahead));
}

/// Arms the calling thread, which has just begun: see [`first_tick`].
pub fn arm_new_thread(agent: &'static Agent) {
    let times = agent.times();
    let first_ns = if agent.clock == Clock::Thread { 1 } else { times.first_ns };
    arm(agent, Times { first_ns, ..times }, Age::Young);
}

/// Arms the calling thread, which has been running for a while.
pub fn arm_old_thread(agent: &'static Agent) {
    arm(agent, agent.times(), Age::Old);
}

/// What the first tick of a thread stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    /// What its timer says.
    Old,
    /// For its whole life so far, and those of other short threads: see [`first_tick`].
    Young,
    /// It should have come earlier by so much: see [`take_lead`].
    Ahead(u64),
}

/// In [`Slot::first`]: what to do at the first tick. Others are a lead in ns + FIRST_LEAD.
const NOTHING: u32 = 0;
const IS_YOUNG: u32 = 1;
const SETS_PERIOD: u32 = 2;
const FIRST_LEAD: u32 = 3;

impl Age {
    fn to_word(self) -> u32 {
        match self {
            Self::Old => NOTHING,
            Self::Young => IS_YOUNG,
            Self::Ahead(ns) => (ns as u32).saturating_add(FIRST_LEAD),
        }
    }
}

/// The calling thread blocks the signal of ticks: nothing ticks for it until [`unpark`]. A tick that
/// is pending is there for all to see, and hides the program's own signals.
pub fn park(slot: &Slot) {
    HAS_PARKED.store(true, Relaxed);
    let Some(ticker) = own_ticker(slot) else { return };
    let used_ns = sys::clock_ns(sys::CLOCK_THREAD_CPUTIME);
    slot.parked_ns.store(used_ns.saturating_add(1), Relaxed); // first: the collector knocks at neither
    slot.timer.store(0, Relaxed);
    ticker.disarm();
}

/// Whether any thread ever did.
pub fn has_parked() -> bool {
    HAS_PARKED.load(Relaxed)
}

static HAS_PARKED: AtomicBool = AtomicBool::new(false);

/// The calling thread lets ticks through again. Returns the CPU time that it has used meanwhile, ns.
pub fn unpark(agent: &'static Agent, slot: &Slot) -> u64 {
    let Some(since_ns) = slot.parked_ns.load(Relaxed).checked_sub(1) else { return 0 };
    arm_old_thread(agent);
    slot.parked_ns.store(0, Relaxed);
    sys::clock_ns(sys::CLOCK_THREAD_CPUTIME).saturating_sub(since_ns)
}

fn arm(agent: &'static Agent, times: Times, age: Age) {
    let Some((index, slot)) = slot_of_this_thread(agent) else { return };
    if let Some(stale) = own_ticker(slot) {
        slot.timer.store(0, Relaxed);
        stale.disarm(); // of a dead thread that had this id
    }
    if age == Age::Young {
        slot.named.store(0, Relaxed); // another one of this id had the slot
    }
    slot.first.store(age.to_word(), Relaxed);
    slot.count_ns.store(sys::clock_ns(sys::CLOCK_THREAD_CPUTIME), Relaxed);
    match agent.with_source(|source| source.set_thread_cpu_profiler(sys::gettid(), index, times)) {
        Ok(Some(ticker)) => {
            if matches!(ticker, Ticker::PerfEvent(_)) && age == Age::Old {
                slot.first.store(SETS_PERIOD, Relaxed);
            }
            // The collector may have knocked meanwhile: then the handler has armed this thread.
            if slot.timer.compare_exchange(0, ticker.to_word(), Relaxed, Relaxed).is_err() {
                ticker.disarm();
            }
        }
        Ok(None) => {}
        Err(_) => {
            agent.shared.control.timer_failures.fetch_add(1, Relaxed);
            agent.start_process_timer();
        }
    }
}

/// The first tick of a thread is not like others.
pub fn first_tick(agent: &Agent, slot: &Slot, weight: &mut Weight) {
    match slot.first.swap(NOTHING, Relaxed) {
        NOTHING => {}
        SETS_PERIOD => set_usual_period(agent, slot),
        IS_YOUNG => stand_for_the_short(agent, slot, weight),
        lead => take_lead(slot, (lead - FIRST_LEAD).into(), agent.period_ns, weight),
    }
}

/// A tick during a pause: what was used until now, no later tick stands for.
pub fn skip_tick(agent: &'static Agent) {
    if let Some((_, slot)) = slot_of_this_thread(agent) {
        slot.first.store(NOTHING, Relaxed);
        slot.count_ns.store(sys::clock_ns(sys::CLOCK_THREAD_CPUTIME), Relaxed);
        set_usual_period(agent, slot);
    }
}

/// A young thread. Most of what short threads use falls between two looks of the kernel at CPU
/// timers: nobody sees it, and then they are gone. So a young thread's timer is due at the first
/// look that finds it running, and its first tick stands for all that it has used until then, and
/// for what the process has used and no tick has stood for yet: others like it.
fn stand_for_the_short(agent: &Agent, slot: &Slot, weight: &mut Weight) {
    if weight.blocked_ns > 0 {
        return;
    }
    match own_ticker(slot) {
        Some(Ticker::Timer(timer)) => {
            let now_ns = sys::clock_ns(sys::CLOCK_THREAD_CPUTIME);
            weight.ns = now_ns.saturating_sub(slot.count_ns.load(Relaxed));
            let _ = timer_start(timer, agent.period_ns, agent.period_ns); // else it ticks as before
        }
        _ => set_usual_period(agent, slot),
    }
    weight.ns = weight.ns.saturating_add(agent.claim_unweighed_ns(weight.ns));
}

/// The first tick of a perf event comes after a random part of the period.
fn set_usual_period(agent: &Agent, slot: &Slot) {
    if let Some(Ticker::PerfEvent(event)) = own_ticker(slot) {
        set_period(event, agent.period_ns);
    }
}

/// The first tick of a main thread that should have come earlier by `lead_ns`, and the next one is
/// due earlier, too.
fn take_lead(slot: &Slot, lead_ns: u64, period_ns: u64, weight: &mut Weight) {
    let Some(Ticker::Timer(timer)) = own_ticker(slot) else { return };
    let armed_ns = slot.count_ns.load(Relaxed);
    let ran_ns = sys::clock_ns(sys::CLOCK_THREAD_CPUTIME).saturating_sub(armed_ns);
    let (expiries, next_ns) = catch_up(ran_ns, lead_ns, period_ns);
    weight.ns = expiries.wrapping_mul(period_ns).saturating_sub(weight.blocked_ns);
    let _ = timer_start(timer, next_ns, period_ns); // else it is late, as it was
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
    let is_of_this_process = slot.pid.load(Relaxed) == agent.pid();
    if is_of_this_process {
        if sys::thread_exists(agent.pid(), tid) || !slot.begin_reclaim(tid) {
            return;
        }
        if let Some(ticker) = own_ticker(slot) {
            ticker.disarm();
        }
    }
    if let Some(word) = agent.used_slots.get(index / 64) {
        word.fetch_and(!(1 << (index % 64)), Relaxed);
    }
    if is_of_this_process {
        slot.free();
    }
}

/// Whether the interrupted thread has just changed its signal mask: a tick that was kept waiting
/// is delivered when the mask lets it through, so this is how the end of a time with SIGPROF
/// blocked looks. A late tick alone does not tell: CPU timers are looked at when the kernel's
/// tick finds the thread running, and on a busy machine that takes many ticks to happen.
pub fn has_unblocked_signals(tid: u32, context: *const u8) -> bool {
    // SAFETY: the handler passes on the context that the kernel gave it.
    let pc = unsafe { arch::registers(context) }.pc;
    code_is(tid, pc.wrapping_sub(arch::RT_SIGPROCMASK.len() as u64), arch::RT_SIGPROCMASK)
}

/// Whether the interrupted thread was waiting, for a tick of the wall clock that stands for
/// `weight_ns`: it has run for less than half of that time, and it was in a system call.
pub fn was_waiting(tid: u32, slot: &Slot, weight_ns: u64, context: *const u8) -> bool {
    let used = sys::clock_ns(sys::CLOCK_THREAD_CPUTIME);
    let before = slot.count_ns.swap(used, Relaxed);
    if used.saturating_sub(before) >= weight_ns / 2 {
        return false;
    }
    // SAFETY: the handler passes on the context that the kernel gave it.
    let pc = unsafe { arch::registers(context) }.pc;
    let call = arch::SYSTEM_CALL;
    // A call that will be made again is interrupted before its instruction.
    code_is(tid, pc.wrapping_sub(call.len() as u64), call) || code_is(tid, pc, call)
}

/// Whether `bytes` are the code at `address`, which may be anything.
fn code_is<const N: usize>(tid: u32, address: u64, bytes: [u8; N]) -> bool {
    let mut code = [MaybeUninit::new(0); N];
    let length = sys::read_own_memory(tid, address, &mut code);
    // SAFETY: all bytes were zero, whatever the kernel has written since.
    length == N && code.map(|byte| unsafe { byte.assume_init() }) == bytes
}
