//! One tick, from the signal to the published record.
//!
//! The assembly entry claims one of our own stacks ([`Stacks`](crate::stacks::Stacks)) and calls
//! [`handle`] on it: whose tick is it, what does it weigh, is a lane free? Then walk, write,
//! publish, and some housekeeping. For a signal of the program's own it says what the program wants
//! done; the entry does that, back on the stack that the signal found, as if we had not been there.
//!
//! All signals are blocked meanwhile, so that no handler interrupts another on the same thread;
//! on other threads they run at the same time. Everything here is async-signal-safe.
#![allow(unsafe_code, reason = "works on signal frames")]

use core::sync::atomic::Ordering::Relaxed;

use sigspy_unwind::{Frame, Memory, Stop};
use sigspy_wire::control::{Clock, state};
use sigspy_wire::lane::Writer;
use sigspy_wire::process::Process;
use sigspy_wire::record::{self, Header, MAX_FRAMES, MAX_STACK_WORDS, MAX_WORDS, flags};
use sigspy_wire::slot::{self, Counts, Slot};

use crate::agent::{self, Agent};
use crate::disposition::Wanted;
use crate::modules::MappedModules;
use crate::siginfo::SigInfo;
use crate::stack_memory::StackMemory;
use crate::sys::timer::{set_profiling_itimer, timer_delete};
use crate::tick::{Delivery, Origin, judge_sigprof, valid_sigprof};
use crate::{arch, held_back, sys, threads};

/// Samples of a thread that have its name with them. At the first it may not have named itself yet.
const SAMPLES_WITH_NAMES: u32 = 2;

/// A tick with everything that was found out about it.
struct Tick {
    agent: &'static Agent,
    of_process: &'static Process,
    writer: Writer<'static>,
    slot: Option<&'static Slot>,
    tid: u32,
    flags: u8,
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

/// Deals with a signal of the ticks' number. What is left to do is up to the program.
pub extern "C" fn handle(info: *const u8, context: *mut u8, wanted: &mut Wanted) {
    *wanted = deal_with(info, context);
}

fn deal_with(info: *const u8, context: *mut u8) -> Wanted {
    // SAFETY: the assembly entry passes on what the kernel gave it.
    let signal = unsafe { SigInfo::read(info) };
    let Some(agent) = agent::get() else { return Wanted::NOTHING };
    let origin = origin_of(agent, &signal);
    if origin == Origin::Program {
        agent.shared.control.foreign.fetch_add(1, Relaxed);
        // SAFETY: as above.
        let is_held_back = unsafe { held_back::hold_back(agent, &signal, info, context) };
        if is_held_back {
            return Wanted::NOTHING;
        }
        // SAFETY: as above.
        return unsafe { agent.program.wanted(context) };
    }
    match agent.shared.control.state.load(Relaxed) {
        state::RUNNING | state::PAUSED if origin == Origin::Knock => {
            threads::arm_old_thread(agent);
        }
        state::RUNNING => {
            if let Some(mut tick) = weigh_and_claim(agent, origin, &signal, context) {
                tick.sample(context);
                threads::reclaim_some(agent);
            }
        }
        state::PAUSED => threads::skip_tick(agent),
        _ => stop(origin, &signal),
    }
    Wanted::NOTHING
}

fn origin_of(agent: &Agent, signal: &SigInfo) -> Origin {
    let own = || slot::find(agent.shared.slots, sys::gettid()).and_then(threads::own_ticker);
    let has_knocked = agent.shared.control.knocks.load(Relaxed) != 0;
    valid_sigprof(signal, agent.cookies, agent.clock, has_knocked, own)
}

fn weigh_and_claim(
    agent: &'static Agent,
    origin: Origin,
    signal: &SigInfo,
    context: *const u8,
) -> Option<Tick> {
    let of_process = agent.process()?;
    let time_ns = agent.monotonic.now_ns();
    let slot = match origin {
        Origin::ThreadTimer { index } => Some(agent.shared.slots.get(index)?),
        _ => threads::slot_of_this_thread(agent).map(|(_, slot)| slot),
    };
    let ticker = slot.and_then(threads::own_ticker);
    let counts = slot.map_or(&agent.shared.control.unslotted, |slot| &slot.counts);
    let expiries = match origin {
        Origin::PerfEvent => 1,
        _ => u64::from(signal.overruns) + 1,
    };
    if judge_sigprof(origin, signal.timer, ticker) != Delivery::Sample {
        counts.ticks.fetch_add(expiries, Relaxed);
        counts.duplicate.fetch_add(expiries, Relaxed);
        return None;
    }
    let weight = weigh(agent, origin, slot, expiries, context);
    let tid = slot.and_then(Slot::owner).unwrap_or_else(sys::gettid);
    let waits =
        |slot: &Slot| threads::was_waiting(tid, slot, weight.ns + weight.blocked_ns, context);
    let is_waiting = agent.clock == Clock::Wall && slot.is_some_and(waits);
    counts.ticks.fetch_add(weight.ticks + weight.blocked_ticks, Relaxed);
    let Some(writer) = claim_lane(agent, tid) else {
        counts.lost.fetch_add(weight.ticks + weight.blocked_ticks, Relaxed);
        counts.lost_ns.fetch_add(weight.ns + weight.blocked_ns, Relaxed);
        return None;
    };
    let flags = if is_waiting { flags::WAITING } else { 0 };
    Some(Tick { agent, of_process, writer, slot, tid, flags, time_ns, weight })
}

/// A lane with room for the longest record. Starts where this thread found one before, so that
/// threads keep apart.
fn claim_lane(agent: &'static Agent, tid: u32) -> Option<Writer<'static>> {
    const MOST_PROBES: usize = 64;
    let lanes = agent.lanes();
    let start = tid as usize;
    (0..lanes.len().min(MOST_PROBES)).find_map(|probe| {
        let index = start.wrapping_add(probe).checked_rem(lanes.len())?;
        lanes.get(index)?.claim(tid, MAX_WORDS)
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
            (now.saturating_sub(agent.weighed_cpu_ns.load(Relaxed)), agent.late_ns(agent.cpus()))
        }
        Origin::ProcessTimer => (expiries.wrapping_mul(period_ns), agent.late_ns(agent.cpus())),
        Origin::PerfEvent => (used_ns(slot), agent.late_ns(1)),
        _ => (expiries.wrapping_mul(period_ns), agent.late_ns(1)),
    };
    let mut weight = Weight { ticks: expiries, ns, ..Weight::default() };
    if ns > late_ns && threads::has_unblocked_signals(sys::gettid(), context) {
        let blocked_ns = ns.saturating_sub(period_ns);
        weight = Weight { ticks: 1, blocked_ticks: expiries - 1, ns: period_ns, blocked_ns };
    }
    if let (Some(slot), Origin::ThreadTimer { .. } | Origin::PerfEvent) = (slot, origin) {
        threads::first_tick(agent, slot, &mut weight);
    }
    agent.weighed_cpu_ns.fetch_add(weight.ns.wrapping_add(weight.blocked_ns), Relaxed);
    weight
}

/// What the interrupted thread has used since its last tick, ns. Not what its perf event has counted:
/// that includes time for which a virtual machine did not run, and nobody is charged.
fn used_ns(slot: Option<&Slot>) -> u64 {
    let now_ns = sys::clock_ns(sys::CLOCK_THREAD_CPUTIME);
    slot.map_or(0, |slot| now_ns.saturating_sub(slot.count_ns.swap(now_ns, Relaxed)))
}

impl Tick {
    /// Walks and publishes.
    fn sample(&mut self, context: *const u8) {
        // SAFETY: `handle` passes on the context that the kernel gave it.
        let registers = unsafe { arch::registers(context) };
        let agent = self.agent;
        let sp = arch::stack_pointer(&registers);
        let mut memory = StackMemory::new(self.tid, sp, self.slot);
        if !memory.has_bounds() {
            self.flags |= flags::UNBOUNDED;
        }
        let header = self.header(sp);
        record::begin(&mut self.writer, &header);
        self.name_thread();
        let cache = agent.stacks.cache_of((&raw const registers).cast());
        let mut modules =
            MappedModules::new(&self.of_process.module_map, agent.arena, header.unloads)
                .with_cache(cache, agent.forks.load(Relaxed));
        let writer = &mut self.writer;
        let mut room = MAX_FRAMES.min(agent.shared.control.most_frames.load(Relaxed) as usize);
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
            self.leave_unfinished(&frame, &mut memory);
        }
        let stop = if modules.is_stale() { record::STALE } else { stop as u8 };
        self.publish(stop);
    }

    fn header(&self, sp: u64) -> Header {
        Header {
            time_ns: self.time_ns,
            tid: self.tid,
            process: self.agent.process.load(Relaxed),
            weight_ns: self.weight.ns,
            blocked_ns: self.weight.blocked_ns,
            sp,
            unloads: self.of_process.unloads(),
        }
    }

    /// Adds the thread's name to its first samples. That of a main thread is known.
    fn name_thread(&mut self) {
        let is_due = |slot: &&Slot| slot.named.load(Relaxed) < SAMPLES_WITH_NAMES;
        let Some(slot) = self.slot.filter(is_due) else { return };
        if self.tid == self.agent.pid() {
            return;
        }
        slot.named.fetch_add(1, Relaxed);
        self.flags |= flags::NAMED;
        for word in sys::thread_name() {
            self.writer.push(word);
        }
    }

    fn counts(&self) -> &'static Counts {
        self.slot.map_or(&self.agent.shared.control.unslotted, |slot| &slot.counts)
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

    /// Completes the record and makes it visible. The claim goes with the tick.
    fn publish(&mut self, stop: u8) {
        if self.agent.shared.control.timed.load(Relaxed) != 0 {
            self.flags |= flags::TIMED;
            self.writer.push(self.agent.monotonic.now_ns().wrapping_sub(self.time_ns));
        }
        record::finish(&mut self.writer, stop, self.flags);
        let counts = self.counts();
        counts.recorded.fetch_add(self.weight.ticks, Relaxed);
        counts.delayed.fetch_add(self.weight.blocked_ticks, Relaxed);
    }
}

/// After the end of a recording: no timer shall tick for nothing.
fn stop(origin: Origin, signal: &SigInfo) {
    match origin {
        Origin::ProcessItimer => {
            let _ = set_profiling_itimer(0, 0); // cannot fail with valid pointers
        }
        Origin::PerfEvent => sys::close(signal.descriptor()),
        Origin::ThreadTimer { .. } | Origin::ProcessTimer => timer_delete(signal.timer),
        Origin::Knock | Origin::Program => {}
    }
}

/// Tells the collector of CPU time for which the calling thread had its ticks stopped, as it had
/// blocked their signal. Not from a handler.
pub fn record_blocked(agent: &'static Agent, slot: &Slot, blocked_ns: u64) {
    if blocked_ns == 0 || agent.shared.control.state.load(Relaxed) != state::RUNNING {
        return;
    }
    agent.weighed_cpu_ns.fetch_add(blocked_ns, Relaxed);
    let tid = slot.owner().unwrap_or(0);
    let Some(mut writer) = claim_lane(agent, tid) else {
        slot.counts.lost_ns.fetch_add(blocked_ns, Relaxed);
        return;
    };
    let time_ns = agent.monotonic.now_ns();
    let process = agent.process.load(Relaxed);
    let header = Header { time_ns, tid, process, blocked_ns, ..Header::default() };
    record::begin(&mut writer, &header);
    record::finish(&mut writer, Stop::End as u8, 0);
}

/// A tick that the program has taken off its queue, by waiting for SIGPROF among other signals:
/// it is lost, and so is its weight. False: it is no tick of ours.
pub fn swallow(agent: &'static Agent, info: *const u8) -> bool {
    // SAFETY: the caller passes a siginfo_t that the kernel has filled in.
    let signal = unsafe { SigInfo::read(info) };
    let origin = origin_of(agent, &signal);
    if origin == Origin::Program {
        return false;
    }
    if origin == Origin::Knock {
        threads::arm_old_thread(agent);
        return true;
    }
    let expiries = u64::from(signal.overruns) + 1;
    let slot = threads::slot_of_this_thread(agent).map(|(_, slot)| slot);
    let counts = slot.map_or(&agent.shared.control.unslotted, |slot| &slot.counts);
    let ticker = slot.and_then(threads::own_ticker);
    counts.ticks.fetch_add(expiries, Relaxed);
    if judge_sigprof(origin, signal.timer, ticker) == Delivery::Sample {
        counts.lost.fetch_add(expiries, Relaxed);
        counts.lost_ns.fetch_add(expiries.wrapping_mul(agent.period_ns), Relaxed);
    } else {
        counts.duplicate.fetch_add(expiries, Relaxed);
    }
    true
}
