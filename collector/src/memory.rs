//! Memory that we share with targets: memfds that nobody can shrink under us or them.
#![allow(unsafe_code, reason = "gives shared memory its type")]

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use memmap2::{MmapOptions, MmapRaw};
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{Whence, lseek};
use sigspy_wire::control::ENVIRONMENT_WORDS;
use sigspy_wire::control::{Clock, state};

use crate::image;
use crate::maps::FileId;
use crate::system;
use sigspy_wire::lane::Lane;
use sigspy_wire::layout::{self, Parts};
use sigspy_wire::process::Process;
use sigspy_wire::slot::Slot;

/// What others may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    ReadAndWrite,
    /// Only the mapping made before the seal can write (Linux 5.1; before, this is no seal).
    ReadOnlyForOthers,
}

/// A memfd and our mapping of it.
pub struct SealedMemory {
    file: File,
    map: MmapRaw,
}

impl SealedMemory {
    pub fn new(name: &CStr, length: usize, seal: Seal) -> io::Result<Self> {
        let descriptor: OwnedFd =
            memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        let file = File::from(descriptor);
        file.set_len(length as u64)?;
        let map = MmapOptions::new().map_raw(&file)?;
        let size = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
        fcntl(&file, FcntlArg::F_ADD_SEALS(size))?;
        if seal == Seal::ReadOnlyForOthers {
            const F_SEAL_FUTURE_WRITE: i32 = 0x10;
            let future_write = SealFlag::from_bits_retain(F_SEAL_FUTURE_WRITE);
            let _ = fcntl(&file, FcntlArg::F_ADD_SEALS(future_write)); // older kernels: no
        }
        Ok(Self { file, map })
    }

    pub fn descriptor(&self) -> impl AsFd + '_ {
        &self.file
    }

    pub fn map(&self) -> &MmapRaw {
        &self.map
    }
}

/// What an agent is told to do.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub clock: Clock,
    /// CPU time between two ticks, ns.
    pub period_ns: u64,
    /// Each record says how long its handler took.
    pub timed: bool,
    /// Which children are profiled.
    pub follow: Follow,
    /// The signal that ticks arrive as; `None`: the usual one of the clock.
    pub tick_signal: Option<i32>,
    /// The signal by which programs can be told to pause the recording and to go on.
    pub toggle_signal: Option<i32>,
    /// Frames of a stack at most.
    pub max_depth: u32,
}

impl Settings {
    /// SIGPROF, but not for perf events: a signal of theirs that is pending when a program replaces
    /// itself comes to the new one, so it has to be one that does no harm.
    fn tick_signal(&self) -> i32 {
        match (self.clock, self.tick_signal) {
            (Clock::Process, _) => libc::SIGPROF, // the kernel knows no other
            (_, Some(signal)) => signal,
            (Clock::Perf, None) => libc::SIGWINCH,
            (Clock::Thread | Clock::Wall, None) => libc::SIGPROF,
        }
    }
}

/// Which children of the program are profiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// All that can be, also those that are given another environment.
    All,
    /// Those that inherit the environment.
    Environment,
    /// None.
    Nothing,
}

/// What all memories of a session have in common. Found out once, as some of it takes time.
pub struct MemoryPlan {
    pub settings: Settings,
    lanes: usize,
    kernel_tick_ns: u64,
    environment: Vec<u8>,
}

impl MemoryPlan {
    /// `environment`: what a program needs to load the agent and to find us, `NAME=value` each
    /// ended by NUL.
    pub fn new(settings: Settings, environment: Vec<u8>) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let (lanes, kernel_tick_ns) = (layout::lanes_for(cpus), system::kernel_tick_ns());
        Self { settings, lanes, kernel_tick_ns, environment }
    }
}

/// Lanes that each process has from its start: enough for the short lives that most of them have.
const FIRST_LANES: usize = 4;

/// The memory shared with one process.
pub struct TargetMemory {
    memory: SealedMemory,
    lanes: usize,
}

impl TargetMemory {
    /// Everything but the slots is allocated now: a target must not die of a full /dev/shm when
    /// a handler writes.
    pub fn new(plan: &MemoryPlan) -> io::Result<Self> {
        let (lanes, settings) = (plan.lanes, &plan.settings);
        let length = layout::length(lanes);
        let memory = SealedMemory::new(c"sigspy-lanes", length, Seal::ReadAndWrite)?;
        let first_lanes = lanes.min(FIRST_LANES);
        let target = Self { memory, lanes };
        target.allocate(0..layout::MORE_PROCESSES)?;
        target.allocate(layout::LANES..layout::lane(first_lanes))?;
        let control = target.parts().control;
        control.lanes.store(first_lanes as u32, Relaxed);
        control.clock.store(settings.clock as u32, Relaxed);
        control.period_ns.store(settings.period_ns, Relaxed);
        control.kernel_tick_ns.store(plan.kernel_tick_ns, Relaxed);
        control.timed.store(settings.timed.into(), Relaxed);
        control.follow_forks.store((settings.follow != Follow::Nothing).into(), Relaxed);
        control.restore_environment.store((settings.follow == Follow::All).into(), Relaxed);
        control.tick_signal.store(settings.tick_signal() as u32, Relaxed);
        control.most_frames.store(settings.max_depth, Relaxed);
        control.toggle_signal.store(settings.toggle_signal.unwrap_or(0) as u32, Relaxed);
        // One that is too long is not restored, rather than cut.
        if plan.environment.len() < ENVIRONMENT_WORDS * 8 {
            for (word, bytes) in control.environment.iter().zip(plan.environment.chunks(8)) {
                let mut padded = [0; 8];
                padded[..bytes.len()].copy_from_slice(bytes);
                word.store(u64::from_le_bytes(padded), Relaxed);
            }
        } else {
            control.restore_environment.store(0, Relaxed);
        }
        control.state.store(state::RUNNING, Relaxed);
        Ok(target)
    }

    pub fn descriptor(&self) -> impl AsFd + '_ {
        self.memory.descriptor()
    }

    fn allocate(&self, part: Range<usize>) -> io::Result<()> {
        let (start, length) = (part.start as i64, part.len() as i64);
        Ok(fallocate(&self.memory.file, FallocateFlags::empty(), start, length)?)
    }

    /// How `/proc/PID/maps` names the file behind it.
    pub fn file_id(&self) -> FileId {
        self.memory.file.metadata().map_or(FileId::default(), |data| image::file_id(&data))
    }

    /// All lanes that the process may ever have.
    pub fn most_lanes(&self) -> usize {
        self.lanes
    }

    /// The lanes that it has.
    pub fn lanes(&self) -> &[Lane] {
        let parts = self.parts();
        let count = parts.control.lanes.load(Relaxed) as usize;
        parts.lanes.get(..count).unwrap_or(parts.lanes)
    }

    /// Gives it all lanes. They cost time to make, so programs that live for a moment have few.
    pub fn add_lanes(&self) {
        let count = self.lanes().len();
        if count < self.lanes {
            let start = layout::lane(count);
            if self.allocate(start..layout::length(self.lanes)).is_ok() {
                self.parts().control.lanes.store(self.lanes as u32, Relaxed);
            }
        }
    }

    /// Entries of the table of processes that may have been used, the first one aside.
    pub fn used_processes(&self) -> Vec<Range<usize>> {
        let (from, until) = (layout::MORE_PROCESSES, layout::SLOT_TABLE);
        self.used(from..until, layout::PROCESS_TABLE, size_of::<Process>())
    }

    pub fn parts(&self) -> Parts<'_> {
        // SAFETY: the mapping is page-aligned, `length(lanes)` bytes long and lives as long as
        // `self`. The seals keep the file from shrinking under it.
        unsafe { Parts::at(self.memory.map.as_mut_ptr(), self.lanes) }
    }

    /// The slots that may have been used, as ranges of indices. Looks for holes in the file, as
    /// reading a hole would fill it with memory.
    pub fn used_slots(&self) -> Vec<Range<usize>> {
        self.used(layout::SLOT_TABLE..layout::LANES, layout::SLOT_TABLE, size_of::<Slot>())
    }

    /// Elements of a table at `base` that lie in `part` and have memory behind them.
    fn used(&self, part: Range<usize>, base: usize, size: usize) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let (mut offset, end) = (part.start as i64, part.end as i64);
        while let Ok(data) = lseek(&self.memory.file, offset, Whence::SeekData)
            && data < end
            && let Ok(hole) = lseek(&self.memory.file, data, Whence::SeekHole)
        {
            offset = hole.min(end);
            let (first, behind) = (data as usize - base, offset as usize - base);
            ranges.push(first / size..behind.div_ceil(size));
        }
        ranges
    }
}
