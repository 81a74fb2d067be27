//! How the agent comes to its shared memory, and how it starts.
//!
//! Runs once, from the constructor: before `main`, on the main thread, with no other threads.
//! Whatever fails, the program runs on without us; the collector sees why in the control page,
//! or that nobody came.
#![allow(unsafe_code, reason = "maps shared memory")]

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};

use sigspy_wire::control::{self, Clock};
use sigspy_wire::handshake::{Hello, Welcome};
use sigspy_wire::layout::{self, Parts};

use crate::agent::{self, Agent, LANE_STRIDE};
use crate::disposition::{self, Disposition};
use crate::sys::{self, Errno, Socket};
use crate::threads;
use crate::tick::Cookies;
use crate::vdso::MonotonicClock;

/// How long a silent collector can hold up the start of the program.
const PATIENCE_NS: u64 = 2_000_000_000;
const EPERM: Errno = Errno(1);
const EPROTO: Errno = Errno(71);

/// What the constructor found on the initial stack.
#[derive(Clone, Copy)]
pub struct Start {
    /// Path of the collector's socket.
    pub socket: &'static [u8],
    /// AT_SYSINFO_EHDR, 0 if there is none.
    pub vdso: usize,
    /// Something to make secrets of.
    pub random: u64,
}

/// Meets the collector and starts sampling.
pub fn start(start: Start) -> Result<(), Errno> {
    let (shared, arena) = meet(start.socket)?;
    let result = arm(start, shared, arena);
    let state = match result {
        Ok(()) => control::agent::ARMED,
        Err(Errno(number)) => {
            shared.control.errno.store(number, Relaxed);
            control::agent::FAILED
        }
    };
    shared.control.agent.store(state, Release);
    result
}

fn meet(path: &[u8]) -> Result<(Parts<'static>, &'static [u8]), Errno> {
    let socket = Socket::connect(path, PATIENCE_NS)?;
    let peer = socket.peer_user()?;
    // What comes over this socket steers what the handler reads, so it comes from this user.
    if peer != 0 && peer != sys::geteuid() {
        return Err(EPERM);
    }
    socket.send(&Hello::OURS.to_bytes())?;
    let (message, [memory, tables]) = socket.receive::<16>()?;
    let mapped = map(&message, memory, tables);
    sys::close(memory);
    sys::close(tables);
    mapped
}

fn map(
    message: &[u8; 16],
    memory: i32,
    tables: i32,
) -> Result<(Parts<'static>, &'static [u8]), Errno> {
    let welcome = Welcome::from_bytes(message).ok_or(EPROTO)?;
    let lanes = welcome.lanes as usize;
    if lanes == 0 || lanes > layout::MAX_LANES {
        return Err(EPROTO);
    }
    let base = sys::map_shared(memory, layout::length(lanes), true)?;
    let arena = sys::map_shared(tables, welcome.arena_length as usize, false)?;
    // SAFETY: both were mapped just now and stay so for good. The collector has sealed the files
    // against shrinking. Tables are written while they are read; the walker treats every byte as
    // a guess.
    unsafe {
        let arena = core::slice::from_raw_parts(arena, welcome.arena_length as usize);
        Ok((Parts::at(base, lanes), arena))
    }
}

fn arm(start: Start, shared: Parts<'static>, arena: &'static [u8]) -> Result<(), Errno> {
    let clock = Clock::from_u32(shared.control.clock.load(Relaxed)).ok_or(EPROTO)?;
    let agent = agent::install(Agent {
        shared,
        arena,
        lane_stacks: map_lane_stacks(shared.lanes.len())?,
        clock,
        cookies: Cookies::new(start.random),
        period_ns: shared.control.period_ns.load(Relaxed),
        kernel_tick_ns: shared.control.kernel_tick_ns.load(Relaxed),
        pid: sys::getpid(),
        // SAFETY: the constructor took it from the auxiliary vector.
        monotonic: unsafe { MonotonicClock::find(start.vdso) },
        program: Disposition::default(),
        weighed_cpu_ns: AtomicU64::new(sys::clock_ns(sys::CLOCK_PROCESS_CPUTIME)),
        used_slots: [const { AtomicU64::new(0) }; _],
        reclaim_turns: AtomicU64::new(0),
        reclaim_next: AtomicU64::new(0),
        random: AtomicU64::new(start.random),
    });
    let before = disposition::install_handler()?;
    agent.program.set(&before);
    if !agent.arms_at_thread_start() {
        agent.with_source(|source| source.set_process_cpu_profiler(agent.times()))?;
    }
    threads::adopt_new_thread(agent); // the main thread: it is known to live
    Ok(())
}

/// Private stacks, a guard page below each.
fn map_lane_stacks(lanes: usize) -> Result<*mut u8, Errno> {
    let stacks = sys::map_anonymous(lanes * LANE_STRIDE)?;
    for lane in 0..lanes {
        // SAFETY: page `lane * LANE_STRIDE` lies in the mapping made just now, which nobody uses.
        unsafe { sys::guard(stacks.add(lane * LANE_STRIDE)) };
    }
    Ok(stacks)
}
