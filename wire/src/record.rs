//! Records as words: what a handler writes into a lane for each tick.
//!
//! ```text
//! word 0   length in words | stop << 16 | flags << 24 | MAGIC << 48
//! word 1   CLOCK_MONOTONIC, ns
//! word 2   tid | index of the process << 32
//! word 3   weight of the stack, ns of CPU time
//! word 4   time for which SIGPROF had been blocked, ns of CPU time
//! word 5   stack pointer of the interrupted instruction
//! word 6   libraries that had been unloaded in the process, see process::Unloads
//! word 7.. with flags::NAMED: the thread's name, padded with zeros, as NAME_WORDS words
//!   ..     program counters, leaf first; bit 63 set: exact, else a return address
//!   ..     with flags::UNFINISHED: the frame at which the walk ended, as STATE_WORDS words, then
//!          the stack from its stack pointer up, then the number of words of that stack
//! last     with flags::TIMED: how long the handler took, ns
//! ```
//! A record without weight and frames tells of blocked time alone.
//! With flags::EXEC the record is no sample: a process is about to become another program, or
//! could not become it ([`Exec`]).
//! ```text
//! word 3   CPU time that the process has used, ns; 0: it is not one of this memory
//! word 4   its pid
//! word 5   see exec
//! word 7.. path of the program, without NUL, padded with zeros
//! ```
//! The first samples of a thread have its name: the thread may be gone before anybody asks for it.
//! Main threads, and those without a slot, have none.
//! A walk is unfinished where it came into a module that the agent has no table for yet. The
//! collector, who will have it, goes on with the copy of the stack.
//!
//! A reader that finds a word 0 without the magic, or a length that does not fit, cannot know
//! where the next record starts: it gives up what is in the lane, once.

use crate::lane::Writer;
use crate::process::Unloads;

/// Marks the first word of a record.
pub const MAGIC: u64 = 0x5359;
/// Words before the frames.
pub const HEADER_WORDS: usize = 7;
/// Frames in a record at most; deeper stacks are cut.
pub const MAX_FRAMES: usize = 1024;
/// Words of a thread's name.
pub const NAME_WORDS: usize = 2;
/// Words of the frame in an unfinished record.
pub const STATE_WORDS: usize = 5;
/// Words of stack in an unfinished record at most: 16 KiB.
pub const MAX_STACK_WORDS: usize = 2048;
/// Longest record.
pub const MAX_WORDS: usize =
    HEADER_WORDS + NAME_WORDS + MAX_FRAMES + STATE_WORDS + MAX_STACK_WORDS + 2;

/// As the reason why a walk ended, beside the walker's own: modules changed under it.
pub const STALE: u8 = 0xff;

/// Bits in word 0.
pub mod flags {
    /// The stack's bounds were not known: the collector should publish them.
    pub const UNBOUNDED: u8 = 1;
    /// The frames are preceded by the thread's name.
    pub const NAMED: u8 = 2;
    /// The last word is the handler's own time.
    pub const TIMED: u8 = 4;
    /// The frames are followed by a state and a stack.
    pub const UNFINISHED: u8 = 8;
    /// The thread was not running: it waited in a system call.
    pub const WAITING: u8 = 16;
    /// Not a sample, but an [`Exec`](super::Exec).
    pub const EXEC: u8 = 32;
}

/// Bits in word 5 of an [`Exec`].
pub mod exec {
    /// Its environment will make it load the agent.
    pub const HAS_AGENT: u64 = 1;
    /// It has failed: the process goes on as what it was.
    pub const FAILED: u64 = 2;
}

/// Words of a path at most.
pub const MAX_PATH_WORDS: usize = 64;
/// Longest record about exec.
pub const MAX_EXEC_WORDS: usize = HEADER_WORDS + MAX_PATH_WORDS;

/// Everything about a sample but its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub time_ns: u64,
    pub tid: u32,
    /// Index of its process.
    pub process: u32,
    pub weight_ns: u64,
    pub blocked_ns: u64,
    pub sp: u64,
    pub unloads: Unloads,
}

impl Header {
    /// Words 1 to 6. Async-signal-safe.
    pub fn words(&self) -> [u64; HEADER_WORDS - 1] {
        let ids = u64::from(self.tid) | u64::from(self.process) << 32;
        let unloads = self.unloads.to_word();
        [self.time_ns, ids, self.weight_ns, self.blocked_ns, self.sp, unloads]
    }
}

/// Begins a record in room that has been claimed for it: what goes between the header and
/// [`finish`] the caller pushes. Async-signal-safe.
pub fn begin<const N: usize>(writer: &mut Writer<'_, N>, header: &Header) {
    writer.push(0); // known at the end
    for word in header.words() {
        writer.push(word);
    }
}

/// Completes a record and makes it visible. Async-signal-safe.
pub fn finish<const N: usize>(writer: &mut Writer<'_, N>, stop: u8, flags: u8) {
    writer.set(0, first_word(writer.pushed(), stop, flags));
    writer.publish();
}

/// Word 0. Async-signal-safe.
pub fn first_word(length: u64, stop: u8, flags: u8) -> u64 {
    length & 0xffff | u64::from(stop) << 16 | u64::from(flags) << 24 | MAGIC << 48
}

/// One record, as found in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub header: Header,
    /// Why the walk ended, as number.
    pub stop: u8,
    pub flags: u8,
    /// With [`flags::NAMED`].
    pub name: Option<[u64; NAME_WORDS]>,
    pub frames: &'a [u64],
    /// With [`flags::UNFINISHED`].
    pub unfinished: Option<Unfinished<'a>>,
    /// With [`flags::TIMED`].
    pub handler_ns: Option<u64>,
}

/// A process that becomes another program, or has failed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exec<'a> {
    pub time_ns: u64,
    pub pid: u32,
    /// `None`: the process is not one of this memory, but a child without an entry.
    pub cpu_ns: Option<u64>,
    pub has_agent: bool,
    pub failed: bool,
    path: &'a [u64],
}

impl Exec<'_> {
    /// The bytes of the path, followed by zeros.
    pub fn path(&self) -> impl Iterator<Item = u8> {
        text(self.path)
    }
}

/// The bytes of words up to a zero.
fn text(words: &[u64]) -> impl Iterator<Item = u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).take_while(|&byte| byte != 0)
}

impl Record<'_> {
    /// The bytes of the thread's name.
    pub fn name(&self) -> Option<impl Iterator<Item = u8>> {
        self.name.as_ref().map(|words| text(words))
    }

    /// What it says, if it is no sample.
    pub fn exec(&self) -> Option<Exec<'_>> {
        let Header { time_ns, weight_ns, blocked_ns, sp, .. } = self.header;
        (self.flags & flags::EXEC != 0).then_some(Exec {
            time_ns,
            pid: blocked_ns as u32,
            cpu_ns: Some(weight_ns).filter(|&ns| ns != 0),
            has_agent: sp & exec::HAS_AGENT != 0,
            failed: sp & exec::FAILED != 0,
            path: self.frames.get(..self.frames.len().min(MAX_PATH_WORDS)).unwrap_or_default(),
        })
    }
}

/// Where a walk ended for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished<'a> {
    pub state: [u64; STATE_WORDS],
    /// From the stack pointer of the frame up.
    pub stack: &'a [u64],
}

/// Takes the record at the start of `words`, which come from a target and may be anything.
/// `None`: this is no record. Otherwise the record and the words behind it.
pub fn decode(words: &[u64]) -> Option<(Record<'_>, &[u64])> {
    let &[first, time_ns, ids, weight_ns, blocked_ns, sp, unloads, ..] = words else { return None };
    let length = (first & 0xffff) as usize;
    if first >> 48 != MAGIC || length > MAX_WORDS {
        return None;
    }
    let (record, rest) = words.split_at_checked(length)?;
    let mut frames = record.get(HEADER_WORDS..)?;
    let flags = (first >> 24) as u8;
    let (mut name, mut handler_ns) = (None, None);
    if flags & flags::NAMED != 0 {
        let (&first, others) = frames.split_first_chunk()?;
        (name, frames) = (Some(first), others);
    }
    if flags & flags::TIMED != 0 {
        let (&last, others) = frames.split_last()?;
        (handler_ns, frames) = (Some(last), others);
    }
    let mut unfinished = None;
    if flags & flags::UNFINISHED != 0 {
        let (known, rest) = split_unfinished(frames)?;
        (frames, unfinished) = (known, Some(rest));
    }
    let (tid, process, unloads) = (ids as u32, (ids >> 32) as u32, Unloads::from_word(unloads));
    let header = Header { time_ns, tid, process, weight_ns, blocked_ns, sp, unloads };
    let stop = (first >> 16) as u8;
    Some((Record { header, stop, flags, name, frames, unfinished, handler_ns }, rest))
}

fn split_unfinished(words: &[u64]) -> Option<(&[u64], Unfinished<'_>)> {
    let (&count, words) = words.split_last()?;
    let start = words.len().checked_sub(usize::try_from(count).ok()?)?;
    let (words, stack) = words.split_at_checked(start)?;
    let (frames, state) = words.split_last_chunk()?;
    Some((frames, Unfinished { state: *state, stack }))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn encode(record: &Record) -> Vec<u64> {
        let mut words = Vec::from([0]);
        words.extend(record.header.words());
        words.extend(record.name.iter().flatten());
        words.extend(record.frames);
        if let Some(unfinished) = record.unfinished {
            words.extend(unfinished.state);
            words.extend(unfinished.stack);
            words.push(unfinished.stack.len() as u64);
        }
        words.extend(record.handler_ns);
        words[0] = first_word(words.len() as u64, record.stop, record.flags);
        words
    }

    proptest! {
        #[test]
        fn records_survive_the_trip(
            frames in proptest::collection::vec(any::<u64>(), 0..MAX_FRAMES),
            ids: (u32, u32), times: (u64, u64, u64, u64, u64), stop: u8, timed: Option<u64>,
            behind in proptest::collection::vec(any::<u64>(), 0..8),
            name: Option<[u64; NAME_WORDS]>, state: Option<[u64; STATE_WORDS]>,
            stack in proptest::collection::vec(any::<u64>(), 0..MAX_STACK_WORDS),
        ) {
            let (tid, process) = ids;
            let (time_ns, weight_ns, blocked_ns, sp, unloads) = times;
            let unloads = Unloads::from_word(unloads);
            let header = Header { time_ns, tid, process, weight_ns, blocked_ns, sp, unloads };
            let unfinished = state.map(|state| Unfinished { state, stack: &stack });
            let flag = |is_set, flag| if is_set { flag } else { 0 };
            let flags = flag(timed.is_some(), flags::TIMED)
                | flag(name.is_some(), flags::NAMED)
                | flag(unfinished.is_some(), flags::UNFINISHED);
            let frames = &frames;
            let record =
                Record { header, stop, flags, name, frames, unfinished, handler_ns: timed };
            let mut words = encode(&record);
            words.extend(&behind);
            prop_assert_eq!(decode(&words), Some((record, &behind[..])));
        }

        #[test]
        fn any_words_are_a_record_or_not_but_never_a_panic(
            mut words in proptest::collection::vec(any::<u64>(), 0..64), length: u16, flags: u8,
        ) {
            decode(&words);
            if let Some(first) = words.first_mut() {
                *first = first_word(length.into(), 0, flags);
            }
            if let Some((record, rest)) = decode(&words) {
                prop_assert!(record.frames.len() + rest.len() <= words.len());
            }
        }
    }

    #[test]
    fn a_record_about_exec_has_a_path() {
        let path = u64::from_le_bytes(*b"/bin/tru");
        let sp = exec::HAS_AGENT | exec::FAILED;
        let header = Header { time_ns: 9, blocked_ns: 7, sp, ..Header::default() };
        let frames = &[path, u64::from(b'e')];
        let flags = flags::EXEC;
        let (name, unfinished, handler_ns) = (None, None, None);
        let record = Record { header, stop: 0, flags, name, frames, unfinished, handler_ns };
        let exec = record.exec().unwrap();
        assert_eq!((exec.pid, exec.cpu_ns, exec.has_agent, exec.failed), (7, None, true, true));
        assert_eq!(exec.path().collect::<Vec<_>>(), b"/bin/true");
    }

    #[test]
    fn a_record_that_is_cut_is_no_record() {
        let words = [first_word(8, 0, 0), 1, 2, 3, 4, 5, 6, 7];
        assert!(decode(&words).is_some());
        assert!((0..8).all(|length| decode(&words[..length]).is_none()));
    }
}
