//! A signal with which the program can be told to pause the recording, and to go on.

use core::sync::atomic::Ordering::{AcqRel, Relaxed};

use sigspy_wire::control::state::{PAUSED, RUNNING};

use crate::agent::{self, Agent};
use crate::sys::signal::{KernelAction, set_action};

/// Waits for the signal, if there is to be one. Whatever the program does about that signal later
/// replaces this.
pub fn watch(agent: &Agent) {
    const SA_RESTART: u64 = 0x1000_0000;
    const SA_ONSTACK: u64 = 0x0800_0000;
    let signal = agent.shared.control.toggle_signal.load(Relaxed);
    if signal != 0 {
        let handler = toggle as *const () as usize;
        let flags = SA_RESTART | SA_ONSTACK;
        let action = KernelAction { handler, flags, ..KernelAction::default() };
        let _ = set_action(signal as i32, Some(&action)); // else it is not a signal to catch
    }
}

/// The handler. The collector sees the new state when it looks next, and since when it is so.
extern "C" fn toggle(_signal: i32) {
    let Some(agent) = agent::get() else { return };
    let state = &agent.shared.control.state;
    agent.shared.control.toggled_ns.store(agent.monotonic.now_ns(), Relaxed);
    let paused = state.compare_exchange(RUNNING, PAUSED, AcqRel, Relaxed);
    if paused == Err(PAUSED) {
        let _ = state.compare_exchange(PAUSED, RUNNING, AcqRel, Relaxed); // or it has ended
    }
}
