//! Stops a program at random moments, and has libgcc walk the stack of the very same moment in it.
//!
//! A thread is stopped by a signal that the program does not use, and executes some instructions
//! one by one. Then it takes the signal: at the first instruction of the handler, which is that of
//! `witness.c`, the kernel's frame tells all registers of the moment, and the stack above is as it
//! was. The handler stops again with what libgcc has found.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSTOP, SIGTRAP};
use sigspy_tests::ptrace::{self, Go, Stop, Tid};
use sigspy_tests::remote::Target;
use sigspy_tests::{Random, mask_has};
use sigspy_unwind::Registers;

/// A signal for real-time programs, of which none here is one.
pub const WITNESS: i32 = 51;

/// Between two moments at most.
const LONGEST_RUN_US: u64 = 2000;
const MOST_STEPS: u64 = 300;
/// libgcc needs far less, unless it waits for a lock that the thread holds.
const PATIENCE: Duration = Duration::from_secs(2);
/// For a thread that runs to take a signal, unless it has just blocked it.
const BRIEFLY: Duration = Duration::from_millis(50);
/// Within it, functions that call no others return.
const SOON: Duration = Duration::from_millis(20);
/// What stops the handler: its breakpoint, or a fault.
const FAULTS: [i32; 5] = [SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL];
/// A program has begun, and is not idle for longer.
const LONGEST_SILENCE: Duration = Duration::from_secs(20);

/// A thread at the first instruction of the handler.
pub struct Moment {
    tid: Tid,
    /// Where the kernel has put the registers.
    context: u64,
    pub registers: Registers,
}

/// What libgcc has found.
pub enum Testimony {
    /// Program counters as the walker gives them; and whether the last is in code that libgcc
    /// knows nothing about.
    Stack(Vec<u64>, bool),
    Crashed,
    TimedOut,
}

pub struct Tracer {
    child: Child,
    pid: Tid,
    pub target: Target,
    known: BTreeSet<Tid>,
    pub status: Option<i32>,
}

impl Tracer {
    /// Starts a program, which must have `witness.c` in its LD_PRELOAD.
    pub fn start(command: &mut Command) -> Self {
        let child = ptrace::start(command);
        let pid = child.id() as Tid;
        ptrace::share_a_processor(pid);
        ptrace::share_a_processor(0);
        ptrace::trace_new_threads(pid);
        ptrace::resume(pid, Go::Freely, 0);
        let target = Target::new(pid);
        Self { child, pid, target, known: BTreeSet::from([pid]), status: None }
    }

    /// Lets the program run for a while and stops a thread of it. `None`: it has ended, or idles.
    pub fn next_moment(&mut self, random: &mut Random) -> Option<Moment> {
        let begin = Instant::now();
        while begin.elapsed() < LONGEST_SILENCE {
            self.run_for(Duration::from_micros(random.below(LONGEST_RUN_US)));
            if self.status.is_some() {
                return None;
            }
            let found = self.busy_thread(random).and_then(|tid| self.stop(tid, random));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// What libgcc says about the moment.
    pub fn testimony(&mut self, moment: &Moment) -> Testimony {
        ptrace::resume(moment.tid, Go::Freely, 0);
        let testimony = match self.wait_for(moment.tid, Go::Freely, &FAULTS, PATIENCE) {
            Some(SIGTRAP) => self.answer(ptrace::registers(moment.tid).rax),
            Some(_) => Testimony::Crashed,
            None => {
                ptrace::send(self.pid, moment.tid, SIGTRAP);
                let stopped = self.wait_for(moment.tid, Go::Freely, &[SIGTRAP], PATIENCE);
                stopped.expect("the handler does not block this signal");
                Testimony::TimedOut
            }
        };
        if !matches!(testimony, Testimony::Stack(..)) {
            self.leave_handler(moment);
        }
        testimony
    }

    /// The moment is over.
    pub fn go_on(&mut self, moment: Moment) {
        ptrace::resume(moment.tid, Go::Freely, 0);
    }

    /// The same; and the first of these addresses that the thread comes to when the frame of the
    /// moment has gone, if that is soon.
    pub fn go_on_to(&mut self, moment: Moment, addresses: &[u64]) -> Option<u64> {
        let (tid, sp) = (moment.tid, moment.registers.general[7]);
        let begin = Instant::now();
        ptrace::set_breakpoints(tid, addresses);
        ptrace::resume(tid, Go::Freely, 0);
        let mut found = None;
        while let Some(left) = SOON.checked_sub(begin.elapsed())
            && self.wait_for(tid, Go::Freely, &[SIGTRAP], left).is_some()
        {
            let registers = ptrace::registers(tid);
            found = Some(registers.rip).filter(|rip| registers.rsp > sp && addresses.contains(rip));
            if found.is_some() {
                break;
            }
            ptrace::resume(tid, Go::Freely, 0);
        }
        if found.is_none() {
            ptrace::send(self.pid, tid, WITNESS);
            self.wait_for(tid, Go::Freely, &[WITNESS], PATIENCE)?;
        }
        ptrace::set_breakpoints(tid, &[]);
        ptrace::resume(tid, Go::Freely, 0);
        found
    }

    fn answer(&self, address: u64) -> Testimony {
        let word = |index| self.target.read_word(address + 8 * index).expect("it is in witness.c");
        let pcs = (0..word(0)).map(|index| word(2 + index));
        // The frames of the handler come before what it has interrupted.
        let is_handlers = |pc: &u64| pc & sigspy_unwind::EXACT == 0;
        Testimony::Stack(pcs.skip_while(is_handlers).collect(), word(1) != 0)
    }

    /// Has the thread return from the handler, wherever in it it is.
    fn leave_handler(&self, moment: &Moment) {
        let restorer = self.target.read_word(moment.context - 8).expect("the kernel's frame");
        let mut registers = ptrace::registers(moment.tid);
        (registers.rip, registers.rsp) = (restorer, moment.context);
        registers.orig_rax = u64::MAX; // no system call is to be made again
        ptrace::set_registers(moment.tid, &registers);
    }

    fn run_for(&mut self, time: Duration) {
        let begin = Instant::now();
        loop {
            while let Some((tid, stop)) = ptrace::poll() {
                self.handle(tid, stop);
            }
            let left = time.saturating_sub(begin.elapsed());
            if left.is_zero() || self.status.is_some() {
                return;
            }
            thread::sleep(left.min(Duration::from_micros(500)));
        }
    }

    /// A thread that runs, has the witness, and does not block its signal.
    fn busy_thread(&self, random: &mut Random) -> Option<Tid> {
        let tids: Vec<Tid> = self.known.iter().copied().filter(|&tid| self.is_busy(tid)).collect();
        tids.get(random.below(tids.len().max(1) as u64) as usize).copied()
    }

    fn is_busy(&self, tid: Tid) -> bool {
        let path = format!("/proc/{}/task/{tid}/status", self.pid);
        let status = fs::read_to_string(path).unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        let has = |mask, signal| mask_has(&status, mask, signal);
        let blocks = has("SigBlk", WITNESS) || has("SigBlk", SIGTRAP);
        state.is_some_and(|state| state.trim().starts_with('R'))
            && has("SigCgt", WITNESS)
            && !blocks
    }

    fn stop(&mut self, tid: Tid, random: &mut Random) -> Option<Moment> {
        ptrace::send(self.pid, tid, WITNESS);
        self.wait_for(tid, Go::Freely, &[WITNESS], BRIEFLY)?;
        // As often at what the signal has found as behind some steps.
        let steps = random.below(2) * random.below(MOST_STEPS);
        for _ in 0..steps {
            self.step(tid)?;
        }
        ptrace::resume(tid, Go::OneInstruction, WITNESS);
        self.wait_for(tid, Go::OneInstruction, &[SIGTRAP], PATIENCE)?;
        let handler = ptrace::registers(tid);
        assert_eq!(handler.rdi, WITNESS as u64, "the thread is at the handler of the witness");
        self.target.has_moved_on(handler.rdx);
        let registers = self.interrupted(handler.rdx);
        self.target.has_moved_on(registers.general[7]);
        Some(Moment { tid, context: handler.rdx, registers })
    }

    /// Executes an instruction, unless that is a system call, which may take its time.
    fn step(&mut self, tid: Tid) -> Option<()> {
        const SYSCALL: [u8; 2] = [0x0f, 0x05];
        let rip = ptrace::registers(tid).rip;
        if !self.target.instruction(rip).starts_with(&SYSCALL) {
            ptrace::resume(tid, Go::OneInstruction, 0);
            self.wait_for(tid, Go::OneInstruction, &[SIGTRAP], PATIENCE)?;
        }
        Some(())
    }

    /// From a `ucontext_t`.
    fn interrupted(&self, context: u64) -> Registers {
        // The order of `gregset_t`, from r8 on, as numbers of DWARF; then rip.
        const ORDER: [usize; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7];
        const GENERAL: u64 = 40;
        let word = |index: usize| {
            self.target.read_word(context + GENERAL + 8 * index as u64).expect("the kernel's frame")
        };
        let mut registers = Registers { pc: word(ORDER.len()), ..Registers::default() };
        ORDER.iter().enumerate().for_each(|(at, number)| registers.general[*number] = word(at));
        registers
    }

    /// Waits until one of these signals stops the thread, which takes others meanwhile. `None`: it
    /// has ended, or there is none.
    fn wait_for(&mut self, tid: Tid, how: Go, signals: &[i32], patience: Duration) -> Option<i32> {
        let begin = Instant::now();
        while self.known.contains(&tid) && begin.elapsed() < patience {
            match ptrace::poll() {
                Some((stopped, Stop::Signal(signal))) if stopped == tid => {
                    if signals.contains(&signal) {
                        return Some(signal);
                    }
                    let is_stray = [WITNESS, SIGTRAP].contains(&signal);
                    ptrace::resume(tid, how, if is_stray { 0 } else { signal });
                }
                Some((stopped, stop)) => self.handle(stopped, stop),
                None if begin.elapsed() < Duration::from_micros(50) => thread::yield_now(),
                None => thread::sleep(Duration::from_micros(20)),
            }
        }
        None
    }

    /// A stop that nobody waits for.
    fn handle(&mut self, tid: Tid, stop: Stop) {
        let is_new = !matches!(stop, Stop::Ended(_)) && self.known.insert(tid);
        match stop {
            Stop::Ended(status) => {
                self.known.remove(&tid);
                if tid == self.pid {
                    self.status = Some(status);
                }
            }
            Stop::Signal(SIGSTOP) if is_new => ptrace::resume(tid, Go::Freely, 0),
            Stop::Signal(WITNESS | SIGTRAP) => ptrace::resume(tid, Go::Freely, 0), // too late
            Stop::Signal(signal) => ptrace::resume(tid, Go::Freely, signal),
            Stop::Syscall | Stop::Event(_) => ptrace::resume(tid, Go::Freely, 0),
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.child.kill(); // or it has ended
        while ptrace::wait().is_some() {}
    }
}
