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
use sigspy_wire::control::{Clock, state};
use sigspy_wire::layout::{self, Parts};
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
    /// Threads are armed when they start, as they must be where [`prefers_main_thread`].
    pub arm_at_thread_start: bool,
}

/// Whether the kernel (before 6.4) delivers the signal of a process-wide timer to the main
/// thread whenever that can take it, instead of to the thread whose time has expired.
///
/// Source: linux commit bcb7ee79029d, "posix-timers: Prefer delivery of signals to the current
/// thread".
pub fn prefers_main_thread() -> bool {
    let release = nix::sys::utsname::uname().ok();
    let release = release.as_ref().and_then(|uname| uname.release().to_str());
    release.and_then(version).is_some_and(|version| version < (6, 4))
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The memory shared with one process.
pub struct TargetMemory {
    memory: SealedMemory,
    lanes: usize,
}

impl TargetMemory {
    /// Everything but the slots is allocated now: a target must not die of a full /dev/shm when
    /// a handler writes.
    pub fn new(settings: &Settings) -> io::Result<Self> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes = layout::lanes_for(cpus);
        let length = layout::length(lanes);
        let memory = SealedMemory::new(c"sigspy-lanes", length, Seal::ReadAndWrite)?;
        for part in [0..layout::SLOT_TABLE, layout::LANES..length] {
            let (start, length) = (part.start as i64, part.len() as i64);
            fallocate(&memory.file, FallocateFlags::empty(), start, length)?;
        }
        let target = Self { memory, lanes };
        let control = target.parts().control;
        control.lanes.store(lanes as u32, Relaxed);
        control.clock.store(settings.clock as u32, Relaxed);
        control.period_ns.store(settings.period_ns, Relaxed);
        control.kernel_tick_ns.store(kernel_tick_ns(), Relaxed);
        control.timed.store(settings.timed.into(), Relaxed);
        control.arm_at_thread_start.store(settings.arm_at_thread_start.into(), Relaxed);
        control.state.store(state::RUNNING, Relaxed);
        Ok(target)
    }

    pub fn descriptor(&self) -> impl AsFd + '_ {
        self.memory.descriptor()
    }

    pub fn lanes(&self) -> usize {
        self.lanes
    }

    pub fn parts(&self) -> Parts<'_> {
        // SAFETY: the mapping is page-aligned, `length(lanes)` bytes long and lives as long as
        // `self`. The seals keep the file from shrinking under it.
        unsafe { Parts::at(self.memory.map.as_mut_ptr(), self.lanes) }
    }

    /// The slots that may have been used, as ranges of indices. Looks for holes in the file, as
    /// reading a hole would fill it with memory.
    pub fn used_slots(&self) -> Vec<Range<usize>> {
        let index = |offset: i64| (offset as usize - layout::SLOT_TABLE) / size_of::<Slot>();
        let mut ranges = Vec::new();
        let mut offset = layout::SLOT_TABLE as i64;
        while let Ok(data) = lseek(&self.memory.file, offset, Whence::SeekData)
            && data < layout::LANES as i64
            && let Ok(hole) = lseek(&self.memory.file, data, Whence::SeekHole)
        {
            offset = hole.min(layout::LANES as i64);
            ranges.push(index(data)..index(offset));
        }
        ranges
    }
}

/// Length of the kernel's tick, ns: the resolution of its coarse clock.
fn kernel_tick_ns() -> u64 {
    let coarse = nix::time::ClockId::CLOCK_MONOTONIC_COARSE;
    nix::time::clock_getres(coarse)
        .map_or(4_000_000, |tick| tick.tv_sec() as u64 * 1_000_000_000 + tick.tv_nsec() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_told_apart_by_their_release() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("6.18.5"), Some((6, 18)));
        assert_eq!(version("5.15.0-91-generic"), Some((5, 15)));
        assert_eq!(version("odd"), None);
    }
}
