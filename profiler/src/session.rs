//! How the agent comes to its shared memory, and how it starts.
//!
//! Runs once, from the constructor: before `main`, on the main thread, with no other threads.
//! Whatever fails, the program runs on without us; the collector sees why in the control page,
//! or that nobody came.
#![allow(unsafe_code, reason = "maps shared memory")]

use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};

use sigspy_wire::control::{self, Clock};
use sigspy_wire::handshake::{Hello, Welcome};
use sigspy_wire::layout::{self, Parts};

use crate::agent::{self, Agent};
use crate::disposition::{self, Disposition};
use crate::environment::Environment;
use crate::stacks::Stacks;
use crate::sys::signal::set_tick_signal;
use crate::sys::socket::Socket;
use crate::sys::timer::{Notify, timer_create, timer_delete};
use crate::sys::{self, Errno};
use crate::tick::Cookies;
use crate::vdso::MonotonicClock;
use crate::{threads, toggle};

/// How long a silent collector can hold up the start of the program.
const PATIENCE_NS: u64 = 2_000_000_000;
const EPERM: Errno = Errno(1);
const EAGAIN: Errno = Errno(11);
const EPROTO: Errno = Errno(71);

/// What the constructor found on the initial stack.
#[derive(Clone, Copy)]
pub struct Start {
    /// Where the collector is.
    pub collector: Collector,
    /// AT_SYSINFO_EHDR, 0 if there is none.
    pub vdso: usize,
    /// Something to make secrets of.
    pub random: u64,
}

/// Where the collector is.
#[derive(Clone, Copy)]
pub enum Collector {
    /// It listens at this path.
    Listens(&'static [u8]),
    /// It has been started for us and is at the other end of this socket.
    Started(i32),
}

/// Meets the collector and starts sampling.
pub fn start(start: Start) -> Result<(), Errno> {
    let (shared, arena) = meet(start.collector)?;
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

fn meet(collector: Collector) -> Result<(Parts<'static>, &'static [u8]), Errno> {
    let socket = match collector {
        Collector::Listens(path) => Socket::connect(path, PATIENCE_NS)?,
        Collector::Started(descriptor) => Socket::connected(descriptor, PATIENCE_NS)?,
    };
    let peer = socket.peer_user()?;
    // What comes over this socket steers what the handler reads, so it comes from this user.
    if peer != 0 && peer != sys::geteuid() {
        return Err(EPERM);
    }
    socket.send(&Hello { pid: sys::getpid() }.to_bytes())?;
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
    let clock = if has_timers() {
        clock
    } else {
        shared.control.timer_failures.fetch_add(1, Relaxed);
        Clock::Process
    };
    shared.control.clock.store(clock as u32, Relaxed);
    let cookies = Cookies::new(start.random);
    shared.control.knock_cookie.store(cookies.knock(), Relaxed);
    let agent = agent::install(Agent {
        shared,
        arena,
        stacks: Stacks::map()?,
        clock,
        cookies,
        period_ns: shared.control.period_ns.load(Relaxed),
        kernel_tick_ns: shared.control.kernel_tick_ns.load(Relaxed),
        pid: AtomicU32::new(sys::getpid()),
        process: AtomicU32::new(0),
        forks: AtomicU32::new(0),
        process_timer: AtomicU32::new(0),
        high_descriptors: high_descriptors(),
        environment: Environment::read(shared.control),
        // SAFETY: the constructor took it from the auxiliary vector.
        monotonic: unsafe { MonotonicClock::find(start.vdso) },
        program: Disposition::default(),
        weighed_cpu_ns: AtomicU64::new(sys::clock_ns(sys::CLOCK_PROCESS_CPUTIME)),
        used_slots: [const { AtomicU64::new(0) }; _],
        seen_unloads: AtomicU64::new(0),
        unloads_begun: AtomicU32::new(0),
        seen_resumes: AtomicU64::new(0),
        reclaim_turns: AtomicU64::new(0),
        reclaim_next: AtomicU64::new(0),
        random: AtomicU64::new(start.random),
    });
    set_tick_signal(shared.control.tick_signal.load(Relaxed));
    let before = disposition::install_handler(true)?;
    agent.program.set(&before);
    toggle::watch(agent);
    arm_process(agent)
}

/// Arms what a process begins with: its main thread, and a timer for all that may get none.
pub fn arm_process(agent: &'static Agent) -> Result<(), Errno> {
    let timer = agent.with_source(|source| source.set_process_cpu_profiler(agent.times()))?;
    agent.process_timer.store(timer.map_or(0, |id| id.wrapping_add(1)), Relaxed);
    threads::arm_main_thread(agent);
    Ok(())
}

/// Whether the process may have timers: not where RLIMIT_SIGPENDING is used up.
fn has_timers() -> bool {
    const NOBODY: Notify = Notify::Process;
    timer_create(sys::CLOCK_PROCESS_CPUTIME, NOBODY, 0).map(timer_delete) != Err(EAGAIN)
}

/// A number for descriptors that few programs reach with their own.
fn high_descriptors() -> usize {
    const ENOUGH: u64 = 3000;
    (sys::descriptor_limit() / 4 * 3).min(ENOUGH) as usize
}
