//! The monotonic clock, read without a system call where the vDSO offers it.
#![allow(unsafe_code, reason = "reads the vDSO's ELF image and calls into it")]

use crate::sys::{self, CLOCK_MONOTONIC, Timespec};

type ClockGettime = unsafe extern "C" fn(i32, *mut Timespec) -> i32;

/// How to read CLOCK_MONOTONIC.
#[derive(Clone, Copy)]
pub struct MonotonicClock(Option<ClockGettime>);

const NAME: &[u8] = b"__vdso_clock_gettime\0";

impl MonotonicClock {
    /// `image`: where the kernel has mapped the vDSO (AT_SYSINFO_EHDR); 0: nowhere.
    ///
    /// # Safety
    /// `image` comes from the auxiliary vector.
    pub unsafe fn find(image: usize) -> Self {
        // SAFETY: the caller says that the kernel mapped an ELF image there.
        Self(unsafe { symbol(image) }.map(|address| {
            // SAFETY: the kernel's function with this name has this type (vdso(7)).
            unsafe { core::mem::transmute::<usize, ClockGettime>(address) }
        }))
    }

    /// Nanoseconds. Async-signal-safe: the vDSO's function takes no lock and no stack to speak of.
    pub fn now_ns(self) -> u64 {
        let Some(clock_gettime) = self.0 else { return sys::clock_ns(CLOCK_MONOTONIC) };
        let mut time = Timespec::default();
        // SAFETY: `time` is valid for the one write; the vDSO stays mapped for good.
        unsafe { clock_gettime(CLOCK_MONOTONIC, &mut time) };
        time.as_ns()
    }
}

/// The address of [`NAME`] in an image whose segments are mapped at their relative addresses.
unsafe fn symbol(image: usize) -> Option<usize> {
    const PT_DYNAMIC: u32 = 2;
    const DT_NULL: u64 = 0;
    const DT_HASH: u64 = 4;
    const DT_STRTAB: u64 = 5;
    const DT_SYMTAB: u64 = 6;
    if image == 0 {
        return None;
    }
    // SAFETY: the kernel made the image, and it is whole: header, program headers, dynamic
    // section and the tables it points to are all within (offsets: elf.h, Elf64_Ehdr and on).
    unsafe {
        let at = |offset: usize| (image + offset) as *const u8;
        let headers = at(at(32).cast::<u64>().read() as usize);
        let count = at(56).cast::<u16>().read() as usize;
        let dynamic = (0..count)
            .map(|index| headers.add(index * 56))
            .find(|header| header.cast::<u32>().read() == PT_DYNAMIC)?;
        let mut entry = at(dynamic.add(16).cast::<u64>().read() as usize).cast::<[u64; 2]>();
        let (mut hash, mut strings, mut symbols) = (None, None, None);
        loop {
            let [tag, value] = entry.read();
            match tag {
                DT_NULL => break,
                DT_HASH => hash = Some(at(value as usize).cast::<u32>()),
                DT_STRTAB => strings = Some(at(value as usize)),
                DT_SYMTAB => symbols = Some(at(value as usize)),
                _ => {}
            }
            entry = entry.add(1);
        }
        let (hash, strings, symbols) = (hash?, strings?, symbols?);
        let chain_count = hash.add(1).read() as usize; // as many as there are symbols
        (0..chain_count).map(|index| symbols.add(index * 24)).find_map(|symbol| {
            let name = strings.add(symbol.cast::<u32>().read() as usize);
            let value = symbol.add(8).cast::<u64>().read() as usize;
            let equal = NAME.iter().enumerate().all(|(i, byte)| name.add(i).read() == *byte);
            (equal && value != 0).then_some(image + value)
        })
    }
}
