//! Threads that nobody samples: those that were made without the C library, or before the agent
//! was there. They are told, by the signal of ticks with a cookie that the agent knows, to arm themselves.
//!
//! A signal to a process that does not catch it would end that process. So we knock only where the
//! kernel says that the signal is caught and that it has room for what the signal carries.
#![allow(unsafe_code, reason = "rt_tgsigqueueinfo has no safe wrapper")]

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sigspy_wire::control::{Clock, agent};
use sigspy_wire::layout::Parts;
use sigspy_wire::slot::{self, Slot};

/// A thread that arms itself does so within a moment of its start.
const MOMENT: Duration = Duration::from_millis(10);
/// Threads that were looked for in vain are looked for again after so long.
const AGAIN: Duration = Duration::from_millis(200);

/// What is known about the threads of one process.
#[derive(Default)]
pub struct Knocker {
    /// Links of the folder of its threads: two more than it has threads.
    links: u64,
    looked: Option<Instant>,
    /// Threads without a timer, and since when.
    strangers: HashMap<u32, Instant>,
}

impl Knocker {
    /// Looks for such threads if there are others than before, and knocks.
    pub fn look(&mut self, pid: u32, parts: Parts<'_>) {
        let control = parts.control;
        let is_armed = control.agent.load(Relaxed) == agent::ARMED;
        if !is_armed || control.clock.load(Relaxed) == Clock::Process as u32 {
            return;
        }
        let folder = format!("/proc/{pid}/task");
        let links = fs::metadata(&folder).map_or(0, |folder| folder.nlink());
        let waits = !self.strangers.is_empty()
            && self.looked.is_none_or(|looked| looked.elapsed() >= MOMENT);
        let rested = self.looked.is_none_or(|looked| looked.elapsed() >= AGAIN);
        let is_changed = links != self.links && rested;
        if !waits && !is_changed {
            return;
        }
        (self.links, self.looked) = (links, Some(Instant::now()));
        let Ok(threads) = fs::read_dir(folder) else { return };
        let mut strangers = HashMap::new();
        for thread in threads.flatten() {
            let Some(tid) = thread.file_name().to_str().and_then(|tid| tid.parse().ok()) else {
                continue;
            };
            // A thread that has blocked the signal has stopped its timer itself, and starts it again. The
            // kernel keeps one of our signals and the program's own: the first.
            let is_armed =
                |slot: &Slot| slot.timer.load(Relaxed) != 0 || slot.parked_ns.load(Relaxed) != 0;
            if !slot::find(parts.slots, tid).is_some_and(is_armed) {
                let since = self.strangers.get(&tid).copied();
                strangers.insert(tid, since.unwrap_or_else(Instant::now));
            }
        }
        self.strangers = strangers;
        let signal = control.tick_signal.load(Relaxed);
        let due = self.strangers.iter().filter(|(_, since)| since.elapsed() >= MOMENT);
        for (&tid, _) in due {
            if may_knock(pid, tid, signal, control.clock.load(Relaxed) == Clock::Wall as u32) {
                control.knocks.fetch_add(1, Relaxed);
                knock(pid, tid, signal, control.knock_cookie.load(Relaxed));
            }
        }
    }
}

/// Whether a thread can be told without harm, and without being woken if it sleeps: then there is
/// no hurry.
fn may_knock(pid: u32, tid: u32, signal: u32, also_asleep: bool) -> bool {
    let bit = 1u64.checked_shl(signal.wrapping_sub(1)).unwrap_or(0);
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")) else {
        return false;
    };
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.map(str::trim).unwrap_or_default()
    };
    let mask = |name| u64::from_str_radix(field(name), 16).unwrap_or(0);
    let (used, limit) = field("SigQ:").split_once('/').unwrap_or_default();
    let (used, limit) = (used.parse().unwrap_or(u64::MAX), limit.parse().unwrap_or(0));
    let is_caught = mask("SigCgt:") & bit != 0;
    let is_open = mask("SigBlk:") & bit == 0;
    is_caught && is_open && used < limit / 2 && (also_asleep || field("State:").starts_with('R'))
}

fn knock(pid: u32, tid: u32, signal: u32, cookie: u64) {
    const SI_QUEUE: u64 = -1i32 as u32 as u64;
    let own = u64::from(std::process::id());
    // siginfo_t: number and error, code, pid and user, value (asm-generic/siginfo.h).
    let mut info = [0u64; 16];
    info[..4].copy_from_slice(&[signal.into(), SI_QUEUE, own, cookie]);
    // SAFETY: the kernel reads a siginfo_t of 128 bytes from `info`.
    unsafe {
        libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, tid, signal, &raw const info);
    }
}
