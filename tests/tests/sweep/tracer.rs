//! Runs a program to its end and, between its marks, interrupts it at every instruction boundary
//! with a tick.
//!
//! One thread at a time is swept, the others run. A tick is given to the thread where it stands,
//! with what the kernel says about genuine ones; the handler runs at full speed, and a hardware
//! breakpoint stops the thread where the handler returns to. There, everything must be as before.
//! Then the thread executes one instruction.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use nix::libc::{PTRACE_EVENT_CLONE, PTRACE_EVENT_EXEC, PTRACE_EVENT_STOP, SIGPROF, SIGTRAP};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sigspy_tests::Random;
use sigspy_tests::ptrace::{self, Go, Registers, Stop, Tid};

use crate::region::{Density, Region, Traced};
use crate::ticks::Ticks;

/// Numbers of the system calls that do not exist, and whom they are about; see `marks.h`.
const BEGIN: u64 = 5_157_001;
const END: u64 = 5_157_002;
const NEXT_THREAD: u64 = 1;
const NEXT_PROGRAM: u64 = 2;

const TRAP_HWBKPT: i32 = 4;
const RED_ZONE: usize = 128;

/// Vector registers and the red zone are compared at one tick in so many.
const EVERYTHING_EVERY: u64 = 16;

/// What the handler has blocked: all signals but SIGKILL and SIGSTOP, which cannot be, and SIGTRAP,
/// which the kernel takes out when a breakpoint stops a thread that blocks it.
const ALL_SIGNALS: u64 = !(1 << 8 | 1 << 18 | 1 << 4);

const TICKS_IN_A_ROW: u64 = 64;
const PAUSE: Duration = Duration::from_millis(2);

/// Traces the process `pid`, which has stopped itself and will execute another program, to the end.
pub fn trace(pid: Tid, density: Density, random: Random) -> Traced {
    ptrace::share_a_processor(pid);
    ptrace::share_a_processor(0);
    ptrace::seize(pid);
    kill(Pid::from_raw(pid), Signal::SIGCONT).expect("it has just been attached to");
    let mut tracer = Tracer {
        pid,
        density,
        random,
        executed: false,
        ticks: Ticks::of(pid),
        known: BTreeSet::from([pid]),
        next_thread: None,
        next_program: None,
        starting: None,
        sweeping: None,
        traced: Traced::default(),
    };
    while let Some((tid, stop)) = ptrace::wait() {
        tracer.handle(tid, stop);
    }
    Traced { counts: tracer.ticks.counts, ..tracer.traced }
}

struct Tracer {
    pid: Tid,
    density: Density,
    random: Random,
    executed: bool,
    ticks: Ticks,
    /// Threads that have been seen.
    known: BTreeSet<Tid>,
    /// The name of the region that the next new thread, or the next program, begins with.
    next_thread: Option<String>,
    next_program: Option<String>,
    /// The name of the region that begins when this program has a timer.
    starting: Option<String>,
    sweeping: Option<Tid>,
    traced: Traced,
}

impl Tracer {
    /// A stop of a thread that is not being swept.
    fn handle(&mut self, tid: Tid, stop: Stop) {
        let is_new = self.known.insert(tid);
        match stop {
            Stop::Ended(status) => self.ended(tid, status),
            Stop::Event(PTRACE_EVENT_EXEC) => self.executed(tid),
            Stop::Event(PTRACE_EVENT_STOP) if is_new && self.next_thread.is_some() => {
                let name = self.next_thread.take().unwrap_or_default();
                self.sweep(tid, name, Place::Thread);
            }
            Stop::Syscall => self.at_syscall(tid),
            Stop::Event(_) => ptrace::resume(tid, Go::ToSyscall, 0),
            Stop::Signal(signal) => {
                self.notice(tid, signal);
                ptrace::resume(tid, Go::ToSyscall, signal);
            }
        }
    }

    fn ended(&mut self, tid: Tid, status: i32) {
        if tid == self.pid {
            self.traced.status = Some(status);
        }
    }

    fn executed(&mut self, tid: Tid) {
        self.executed = true;
        self.ticks.executed();
        self.starting = self.next_program.take();
        ptrace::resume(tid, Go::ToSyscall, 0);
    }

    fn at_syscall(&mut self, tid: Tid) {
        if self.starting.is_some() && self.ticks.has_own_timer(tid) {
            let name = self.starting.take().unwrap_or_default();
            return self.sweep(tid, name, Place::Program);
        }
        let registers = ptrace::registers(tid);
        if registers.orig_rax != BEGIN {
            ptrace::resume(tid, Go::ToSyscall, 0);
            return;
        }
        let name = text(&ptrace::read::<32>(tid, registers.rdi));
        match registers.rsi {
            NEXT_THREAD => self.next_thread = Some(name),
            NEXT_PROGRAM => self.next_program = Some(name),
            _ => return self.sweep(tid, name, Place::Thread),
        }
        // Over the exit from the same call.
        self.step(tid).expect("the call that does not exist does not end the thread");
        ptrace::resume(tid, Go::ToSyscall, 0);
    }

    /// Sweeps from here to the end of the region, of the thread, or of the program.
    fn sweep(&mut self, tid: Tid, name: String, place: Place) {
        assert_eq!(self.sweeping, None, "{name} begins in the middle of another region");
        self.sweeping = Some(tid);
        let mut region = Region { name, ..Region::default() };
        while let Some(registers) = self.step(tid) {
            if registers.rax == END && ptrace::read(tid, registers.rip) == [0x0f, 0x05] {
                ptrace::set_breakpoints(tid, &[]);
                ptrace::resume(tid, Go::ToSyscall, 0);
                break;
            }
            region.instructions += 1;
            if ptrace::signal_mask(tid) & (1 << (SIGPROF - 1)) != 0 {
                region.blocked += 1;
            } else if self.is_chosen(region.instructions) {
                self.inject(tid, &registers, &region, place);
                region.swept += 1;
                self.pause(region.swept);
            }
        }
        self.sweeping = None;
        self.ticks.settle(tid);
        self.traced.regions.push(region);
    }

    /// Lets the collector read, now and then: ticks come faster than at any rate it is made for.
    fn pause(&self, swept: u64) {
        if swept.is_multiple_of(TICKS_IN_A_ROW) {
            thread::sleep(PAUSE);
        }
    }

    fn is_chosen(&mut self, number: u64) -> bool {
        let Density { all_of_first, then_one_in } = self.density;
        number <= all_of_first || self.random.below(then_one_in) == 0
    }

    /// Executes one instruction. `None`: it was the thread's last one in this program.
    fn step(&mut self, tid: Tid) -> Option<Registers> {
        let mut signal = 0;
        loop {
            ptrace::resume(tid, Go::OneInstruction, signal);
            signal = 0;
            match self.wait_for(tid) {
                Stop::Ended(status) => {
                    self.ended(tid, status);
                    return None;
                }
                Stop::Event(PTRACE_EVENT_EXEC) => {
                    self.sweeping = None;
                    self.executed(tid);
                    return None;
                }
                Stop::Signal(SIGTRAP) => {
                    // The breakpoint of an earlier tick stops a thread before the instruction.
                    if ptrace::signal_info(tid).code != TRAP_HWBKPT {
                        return Some(ptrace::registers(tid));
                    }
                }
                Stop::Signal(SIGPROF) => {
                    self.notice(tid, SIGPROF);
                    let registers = ptrace::registers(tid);
                    self.run_handler(tid, &registers, "a genuine tick");
                }
                Stop::Signal(other) => signal = other,
                Stop::Event(PTRACE_EVENT_CLONE | PTRACE_EVENT_STOP) => {}
                stop => panic!("thread {tid} had {stop:?} in the middle of a step"),
            }
        }
    }

    /// Waits for the next stop of a thread; meanwhile the others run.
    fn wait_for(&mut self, tid: Tid) -> Stop {
        loop {
            let (other, stop) = ptrace::wait().expect("the thread is traced and has not ended");
            if other == tid {
                return stop;
            }
            self.handle(other, stop);
        }
    }

    /// Delivers a tick where the thread stands, at a stop for SIGTRAP.
    fn inject(&mut self, tid: Tid, at: &Registers, region: &Region, place: Place) {
        let tick = self.ticks.for_thread(tid);
        let here = format!("{region}, at {:#x}", at.rip);
        ptrace::set_signal_info(tid, &tick);
        match place {
            Place::Thread if self.ticks.is_certain(tid) => self.ticks.counts.injected += 1,
            _ => self.ticks.counts.either += 1,
        }
        let everything = region.instructions.is_multiple_of(EVERYTHING_EVERY);
        let before = everything.then(|| Everything::of(tid, at));
        let mask = ptrace::signal_mask(tid);
        self.run_handler(tid, at, &here);
        assert_eq!(ptrace::signal_mask(tid), mask, "the signal mask after a tick in {here}");
        if let Some(before) = before {
            let same = Everything::of(tid, at) == before;
            assert!(same, "vector registers or the red zone are changed after a tick in {here}");
        }
    }

    /// Lets the thread take a SIGPROF and run the handler to its end, back to where it stands.
    fn run_handler(&mut self, tid: Tid, before: &Registers, here: &str) {
        ptrace::set_breakpoints(tid, &[before.rip]);
        // A thread that was stopped here before would return with the flag, and pass.
        ptrace::clear_resume_flag(tid, before);
        let mut signal = SIGPROF;
        loop {
            ptrace::resume(tid, Go::Freely, signal);
            signal = match self.wait_for(tid) {
                Stop::Signal(SIGTRAP) => {
                    let after = ptrace::registers(tid);
                    assert_eq!(after.rip, before.rip, "a trap in the handler, after {here}");
                    if after.rsp == before.rsp {
                        let (after, before) = (comparable(after), comparable(*before));
                        assert_eq!(after, before, "registers after a tick in {here}");
                        return;
                    }
                    // The handler itself passes here, as it does in the vDSO.
                    assert_eq!(ptrace::signal_mask(tid), ALL_SIGNALS, "mask in the handler");
                    self.traced.inside += 1;
                    0
                }
                Stop::Signal(signal) => {
                    self.notice(tid, signal);
                    signal
                }
                stop => panic!("{stop:?} in the handler, after a tick in {here}"),
            };
        }
    }

    /// Counts the ticks among the signals of the kernel, once the program has begun.
    fn notice(&mut self, tid: Tid, signal: i32) {
        if signal == SIGPROF && self.executed {
            self.ticks.notice(tid);
        }
    }
}

/// Where a region begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a thread, old or new, of a process with timers.
    Thread,
    /// In a program that starts, where the agent has just made the timer.
    Program,
}

/// What is compared now and then.
#[derive(PartialEq, Eq)]
struct Everything {
    vectors: Vec<u8>,
    red_zone: [u8; RED_ZONE],
}

impl Everything {
    fn of(tid: Tid, registers: &Registers) -> Self {
        let red_zone = ptrace::read(tid, registers.rsp - RED_ZONE as u64);
        Self { vectors: ptrace::vector_registers(tid), red_zone }
    }
}

/// Registers without what is the kernel's affair: the number of the last system call, and the flag
/// that lets a thread pass a breakpoint.
fn comparable(registers: Registers) -> Registers {
    Registers { orig_rax: 0, eflags: registers.eflags & !ptrace::RESUME_FLAG, ..registers }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
