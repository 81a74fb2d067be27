//! One tick, from the signal to the published record, in three steps that the assembly entry
//! calls in turn:
//!
//! 1. [`prepare`], on the stack that the signal found: whose tick is it, what does it weigh, is
//!    a lane free? A signal of the program's own goes to the program, and that is the end of it.
//! 2. [`sample`], on the stack of the lane: walk, write, publish; then some housekeeping.
//! 3. [`release`], back on the first stack: frees the lane, and its stack with it.
//!
//! All signals are blocked meanwhile, so that no handler interrupts another on the same thread;
//! on other threads they run at the same time. Everything here is async-signal-safe.
#![allow(unsafe_code, reason = "works on signal frames and on the stacks of lanes")]

use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use sigspy_unwind::{Frame, Memory, Stop};
use sigspy_wire::control::{Clock, state};
use sigspy_wire::lane::Writer;
use sigspy_wire::record::{self, Header, MAX_FRAMES, MAX_STACK_WORDS, MAX_WORDS, flags};
use sigspy_wire::slot::{Counts, Slot};

use crate::agent::{self, Agent, LANE_STACK, LANE_STRIDE};
use crate::modules::MappedModules;
use crate::siginfo::SigInfo;
use crate::stack::StackMemory;
use crate::tick::{Delivery, Origin, judge_sigprof, valid_sigprof};
use crate::{arch, sys, threads};

/// A tick with everything that [`prepare`] found out about it.
#[repr(align(16))]
pub struct Tick {
    agent: &'static Agent,
    writer: Writer<'static>,
    slot: Option<(usize, &'static Slot)>,
    tid: u32,
    flags: u8,
    overruns: u32,
    time_ns: u64,
    weight: Weight,
}

/// What a tick stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Expiries that go with the stack, and those while SIGPROF was blocked.
    pub ticks: u64,
    pub blocked_ticks: u64,
    /// The same as CPU time.
    pub ns: u64,
    pub blocked_ns: u64,
}

/// Decides about a SIGPROF. Null: it is dealt with. Otherwise a tick to be sampled, at the top
/// of the stack of the lane it has claimed.
pub extern "C" fn prepare(info: *const u8, context: *const u8) -> *mut Tick {
    // SAFETY: the assembly entry passes on what the kernel gave it.
    let signal = unsafe { SigInfo::read(info) };
    let Some(agent) = agent::get() else { return ptr::null_mut() };
    let origin = valid_sigprof(&signal, agent.cookies, agent.clock == Clock::Process);
    if origin == Origin::Program {
        agent.shared.control.foreign.fetch_add(1, Relaxed);
        // SAFETY: as above; and no lane is claimed, so that the program's handler may do what it
        // likes, also never return.
        unsafe { agent.program.deliver(agent.pid, info, context) };
        return ptr::null_mut();
    }
    if agent.shared.control.state.load(Relaxed) != state::RUNNING {
        stop(origin, signal.timer);
        return ptr::null_mut();
    }
    weigh_and_claim(agent, origin, &signal, context).unwrap_or(ptr::null_mut())
}

#[inline(never)]
fn weigh_and_claim(
    agent: &'static Agent,
    origin: Origin,
    signal: &SigInfo,
    context: *const u8,
) -> Option<*mut Tick> {
    let time_ns = agent.monotonic.now_ns();
    let slot = match origin {
        Origin::ThreadTimer { index } => Some((index, agent.shared.slots.get(index)?)),
        _ => threads::slot_of_this_thread(agent),
    };
    let own_timer = slot.and_then(|(_, slot)| threads::own_timer(slot));
    let counts = slot.map_or(&agent.shared.control.unslotted, |(_, slot)| &slot.counts);
    let expiries = u64::from(signal.overruns) + 1;
    if judge_sigprof(origin, signal.timer, own_timer) != Delivery::Sample {
        counts.ticks.fetch_add(expiries, Relaxed);
        counts.duplicate.fetch_add(expiries, Relaxed);
        if let Some((index, slot)) = slot {
            threads::seen_without_own_tick(agent, index, slot);
        }
        threads::reclaim_some(agent);
        return None;
    }
    let weight = weigh(agent, origin, slot.map(|(_, slot)| slot), expiries, context);
    let tid = slot.and_then(|(_, slot)| slot.owner()).unwrap_or_else(sys::gettid);
    counts.ticks.fetch_add(weight.ticks + weight.blocked_ticks, Relaxed);
    let Some((lane, writer)) = claim_lane(agent, tid) else {
        counts.lost.fetch_add(weight.ticks + weight.blocked_ticks, Relaxed);
        counts.lost_ns.fetch_add(weight.ns + weight.blocked_ns, Relaxed);
        return None;
    };
    let flags = if matches!(origin, Origin::ThreadTimer { .. }) { 0 } else { flags::PROCESS_TICK };
    let overruns = signal.overruns;
    let tick = Tick { agent, writer, slot, tid, flags, overruns, time_ns, weight };
    // SAFETY: the stacks are `lanes` times LANE_STRIDE bytes of our own mapping; `lane` is below
    // that number, and its claim makes us the only user. LANE_STACK and Tick are 16-aligned.
    unsafe {
        let top = agent.lane_stacks.add(lane * LANE_STRIDE + 4096 + LANE_STACK).cast::<Tick>();
        let place = top.sub(1);
        place.write(tick);
        Some(place)
    }
}

/// A lane with room for the longest record. Starts where this thread found one before, so that
/// threads keep apart.
fn claim_lane(agent: &'static Agent, tid: u32) -> Option<(usize, Writer<'static>)> {
    const MOST_PROBES: usize = 64;
    let lanes = agent.shared.lanes;
    let start = tid as usize;
    (0..lanes.len().min(MOST_PROBES)).find_map(|probe| {
        let index = start.wrapping_add(probe).checked_rem(lanes.len())?;
        Some((index, lanes.get(index)?.claim(tid, MAX_WORDS)?))
    })
}

fn weigh(
    agent: &Agent,
    origin: Origin,
    slot: Option<&Slot>,
    expiries: u64,
    context: *const u8,
) -> Weight {
    let period_ns = agent.period_ns;
    let (ns, late_ns) = match origin {
        Origin::ProcessItimer => {
            let now = sys::clock_ns(sys::CLOCK_PROCESS_CPUTIME);
            let before = agent.weighed_cpu_ns.fetch_max(now, Relaxed);
            (now.saturating_sub(before), agent.late_ns(agent.cpus()))
        }
        Origin::ProcessTimer => (expiries.wrapping_mul(period_ns), agent.late_ns(agent.cpus())),
        _ => (expiries.wrapping_mul(period_ns), agent.late_ns(1)),
    };
    let mut weight = Weight { ticks: expiries, ns, ..Weight::default() };
    if ns > late_ns && threads::has_unblocked_signals(agent.pid, context) {
        let blocked_ns = ns.saturating_sub(period_ns);
        weight = Weight { ticks: 1, blocked_ticks: expiries - 1, ns: period_ns, blocked_ns };
    }
    if let (Some(slot), false) = (slot, origin == Origin::ProcessItimer) {
        threads::settle(slot, origin, period_ns, &mut weight);
    }
    weight
}

/// Walks and publishes. Runs on the stack of the lane that `tick` has claimed.
pub extern "C" fn sample(tick: *mut Tick, context: *const u8) {
    // SAFETY: the assembly entry passes the tick that `prepare` has just written, and is the
    // only one who has it until `release`.
    let tick = unsafe { &mut *tick };
    // SAFETY: the assembly entry passes on the context that the kernel gave it.
    let registers = unsafe { arch::registers(context) };
    let agent = tick.agent;
    let sp = arch::stack_pointer(&registers);
    let mut memory = StackMemory::new(agent.pid, sp, tick.slot.map(|(_, slot)| slot));
    if !memory.has_bounds() {
        tick.flags |= flags::UNBOUNDED;
    }
    tick.writer.push(0); // the first word is known at the end
    for word in tick.header(sp).words() {
        tick.writer.push(word);
    }
    let mut modules = MappedModules::new(agent.shared.module_map, agent.arena);
    let writer = &mut tick.writer;
    let mut room = MAX_FRAMES;
    let mut frame = Frame::interrupted(&registers);
    let stop = sigspy_unwind::walk(&mut frame, &mut modules, &mut memory, &mut |pc| {
        if room == 0 {
            return false;
        }
        room -= 1;
        writer.push(pc);
        true
    });
    if stop == Stop::Unknown {
        tick.leave_unfinished(&frame, &mut memory);
    }
    let stop = if modules.is_stale() { record::STALE } else { stop as u8 };
    tick.publish(stop);
    if let Some((index, slot)) = tick.slot {
        threads::after_sample(agent, index, slot, tick.tid, tick.flags);
    }
}

impl Tick {
    fn header(&self, sp: u64) -> Header {
        Header {
            time_ns: self.time_ns,
            tid: self.tid,
            overruns: self.overruns,
            weight_ns: self.weight.ns,
            blocked_ns: self.weight.blocked_ns,
            sp,
        }
    }

    fn counts(&self) -> &'static Counts {
        self.slot.map_or(&self.agent.shared.control.unslotted, |(_, slot)| &slot.counts)
    }

    /// Adds what the collector needs to go on from `frame`.
    fn leave_unfinished(&mut self, frame: &Frame, memory: &mut StackMemory) {
        self.flags |= flags::UNFINISHED;
        for word in frame.to_words() {
            self.writer.push(word);
        }
        let mut count = 0;
        while count < MAX_STACK_WORDS as u64
            && let Some(word) = memory.word(frame.stack_pointer().wrapping_add(count * 8))
        {
            self.writer.push(word);
            count += 1;
        }
        self.writer.push(count);
    }

    /// Completes the record and makes it visible. The claim stays.
    fn publish(&mut self, stop: u8) {
        if self.agent.shared.control.timed.load(Relaxed) != 0 {
            self.flags |= flags::TIMED;
            self.writer.push(self.agent.monotonic.now_ns().wrapping_sub(self.time_ns));
        }
        let length = self.writer.pushed();
        self.writer.set(0, record::first_word(length, stop, self.flags));
        self.writer.publish();
        let counts = self.counts();
        counts.recorded.fetch_add(self.weight.ticks, Relaxed);
        counts.delayed.fetch_add(self.weight.blocked_ticks, Relaxed);
    }
}

/// Gives the lane back. Runs on the stack that the signal found, as the next owner may use the
/// lane's stack at once.
pub extern "C" fn release(tick: *mut Tick) {
    // SAFETY: the assembly entry passes the tick of this signal, once. The lane is still ours
    // while the writer is moved out; dropping the writer is what gives it back.
    drop(unsafe { ptr::read(&raw const (*tick).writer) });
}

/// After the end of a recording: no timer shall tick for nothing.
fn stop(origin: Origin, timer: u32) {
    match origin {
        Origin::ProcessItimer => {
            let _ = sys::set_profiling_itimer(0, 0); // cannot fail with valid pointers
        }
        _ => sys::timer_delete(timer),
    }
}
