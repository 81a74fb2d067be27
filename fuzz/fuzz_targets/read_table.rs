//! Any bytes as a table, and walks by it through made-up memory: every walk ends.
//!
//! ```text
//! 17 words  registers, program counter
//! 1 byte    number of words on the stack
//! words     the stack
//! rest      the table
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigspy_fuzz as _;
use sigspy_unwind::{FRAME_WORDS, Frame, Memory, Modules, Registers, Table, walk};

const STACK: u64 = 0x7ffe_0000_0000;
const MODULE: u64 = 0x40_0000;
const MODULE_SIZE: u64 = 1 << 20;
/// Changes of the stack in one walk at most, as in unwind/src/frame.rs; each may lead to a place below.
const MAX_SWITCHES: usize = 8;

fuzz_target!(|input: &[u8]| {
    let Some((words, rest)) = input.split_first_chunk::<{ 17 * 8 }>() else { return };
    let words = words_of(words);
    let Some((&count, rest)) = rest.split_first() else { return };
    let Some((stack, table)) = rest.split_at_checked(8 * usize::from(count)) else { return };
    let stack = words_of(stack);
    let Some(table) = Table::new(table) else { return };

    let is_sound = table.validate();
    for address in words.iter().chain(&stack).flat_map(|word| [*word, word % MODULE_SIZE]) {
        assert!(table.lookup(address).is_some() || !is_sound);
    }

    let mut general = [0; 16];
    general.copy_from_slice(&words[..16]);
    let registers = Registers { general, pc: words[16] };
    assert_ends(Frame::interrupted(&registers), table, &stack);
    let mut state = [0; FRAME_WORDS];
    state.copy_from_slice(&words[..FRAME_WORDS]);
    assert_ends(Frame::from_words(state), table, &stack);
});

/// Each frame takes a word of the stack at least, until the walk goes to another stack.
fn assert_ends(mut frame: Frame, table: Table, stack: &[u64]) {
    let most = (1 + MAX_SWITCHES) * (stack.len() + 3);
    let mut frames = 0;
    walk(&mut frame, &mut OneModule(table), &mut Stack(stack), &mut |_| {
        frames += 1;
        assert!(frames <= most);
        true
    });
}

struct OneModule<'a>(Table<'a>);

impl Modules for OneModule<'_> {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        let relative = pc.checked_sub(MODULE).filter(|relative| *relative < MODULE_SIZE)?;
        Some((self.0, relative))
    }
}

struct Stack<'a>(&'a [u64]);

impl Memory for Stack<'_> {
    fn word(&mut self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(STACK).filter(|offset| offset.is_multiple_of(8))?;
        self.0.get(usize::try_from(offset / 8).ok()?).copied()
    }
}

fn words_of(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
}
