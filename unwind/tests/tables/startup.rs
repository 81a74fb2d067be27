//! A walk on the main thread, from before `main`.

use std::sync::OnceLock;

use sigspy_unwind::{Frame, Memory, Registers, Stop, walk};

use crate::process::{is_in, registers, this_process};

/// Words of the stack that are kept: more than the few frames take, less than what arguments
/// and environment put above them.
const WORDS: usize = 128;

static AT_START: OnceLock<(Registers, [u64; WORDS])> = OnceLock::new();

#[used]
#[unsafe(link_section = ".init_array")]
static CALLED_AT_START: extern "C" fn() = keep_the_stack;

extern "C" fn keep_the_stack() {
    let registers = registers();
    let sp = registers.general[7] as *const [u64; WORDS];
    // SAFETY: below the stack pointer lie the callers' frames, arguments and the environment.
    AT_START.get_or_init(|| (registers, unsafe { sp.read_volatile() }));
}

struct Kept<'a> {
    start: u64,
    words: &'a [u64],
}

impl Memory for Kept<'_> {
    fn word(&mut self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(self.start)?;
        self.words.get((offset / 8) as usize).copied()
    }
}

#[test]
fn the_main_thread_ends_at_the_start_of_the_program() {
    let (registers, words) = AT_START.get().unwrap();
    let mut memory = Kept { start: registers.general[7], words };
    let mut frames = Vec::new();
    let stop =
        walk(&mut Frame::interrupted(registers), &mut this_process(), &mut memory, &mut |pc| {
            frames.push(pc);
            true
        });
    assert_eq!(stop, Stop::End, "{frames:x?}");
    assert!(is_in(*frames.last().unwrap(), "tables-"), "{frames:x?}");
}
