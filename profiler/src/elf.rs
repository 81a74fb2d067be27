//! Symbols of an ELF image in memory, found as the loader finds them: by hash.
#![allow(unsafe_code, reason = "reads the image's tables in memory")]

use core::ffi::{CStr, c_char};

/// The dynamic symbols of one image.
pub struct Symbols {
    /// Runtime address minus relative address.
    bias: usize,
    names: *const c_char,
    symbols: *const Symbol,
    hash: Hash,
}

#[derive(Clone, Copy)]
enum Hash {
    Gnu(*const u32),
    SysV(*const u32),
}

#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: usize,
    size: usize,
}

const DT_NULL: usize = 0;
const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_GNU_HASH: usize = 0x6fff_fef5;

impl Symbols {
    /// # Safety
    /// `dynamic` is the dynamic section of an image that is mapped at `bias` and stays so.
    pub unsafe fn read(bias: usize, dynamic: *const [usize; 2]) -> Option<Self> {
        let address = |tag| {
            // SAFETY: the caller says that this is a dynamic section.
            let value = unsafe { entry(dynamic, tag) }?;
            // glibc has made addresses of the offsets, except in the vDSO; musl has not.
            Some(if value < bias { bias.wrapping_add(value) } else { value })
        };
        let gnu = address(DT_GNU_HASH).map(|hash| Hash::Gnu(hash as *const u32));
        let hash = gnu.or_else(|| address(DT_HASH).map(|hash| Hash::SysV(hash as *const u32)))?;
        let (names, symbols) = (address(DT_STRTAB)?, address(DT_SYMTAB)?);
        Some(Self { bias, names: names as *const c_char, symbols: symbols as *const Symbol, hash })
    }

    /// The runtime address of a function.
    pub fn find(&self, name: &CStr) -> Option<usize> {
        // SAFETY: `read` was given an image whose tables are whole and stay mapped.
        let index = unsafe {
            match self.hash {
                Hash::Gnu(table) => self.find_gnu(table, name),
                Hash::SysV(table) => self.find_sysv(table, name),
            }
        }?;
        // SAFETY: as above.
        let symbol = unsafe { &*self.symbols.add(index) };
        Some(self.bias.wrapping_add(symbol.value))
    }

    /// Source: Ali Bahrami, "GNU Hash ELF Sections", 2006.
    unsafe fn find_gnu(&self, table: *const u32, name: &CStr) -> Option<usize> {
        let step = |hash: u32, byte: &u8| hash.wrapping_mul(33).wrapping_add((*byte).into());
        let hash = name.to_bytes().iter().fold(5381, step);
        // SAFETY: the caller passes a table that is laid out like this.
        unsafe {
            let [buckets, first, bloom_words, _] = *table.cast::<[u32; 4]>();
            let bucket_table = table.add(4).add(bloom_words as usize * 2);
            let chains = bucket_table.add(buckets as usize);
            let mut index = *bucket_table.add(hash.checked_rem(buckets)? as usize);
            while let Some(chain) = index.checked_sub(first) {
                let chained = *chains.add(chain as usize);
                if chained | 1 == hash | 1 && self.is(index as usize, name) {
                    return Some(index as usize);
                }
                if chained & 1 == 1 {
                    return None;
                }
                index = index.wrapping_add(1);
            }
            None
        }
    }

    /// The table has as many chains as there are symbols; a look at each is enough for the few
    /// images that have no better table.
    unsafe fn find_sysv(&self, table: *const u32, name: &CStr) -> Option<usize> {
        // SAFETY: the caller passes a table that begins with the numbers of buckets and chains.
        unsafe {
            let [_, count] = *table.cast::<[u32; 2]>();
            (1..count as usize).find(|&index| self.is(index, name))
        }
    }

    unsafe fn is(&self, index: usize, name: &CStr) -> bool {
        const FUNCTION: u8 = 2;
        // SAFETY: the caller took the index from the image's own tables.
        unsafe {
            let symbol = &*self.symbols.add(index);
            symbol.section != 0
                && symbol.info & 0xf == FUNCTION
                && CStr::from_ptr(self.names.add(symbol.name as usize)) == name
        }
    }
}

/// The value of the entry with a tag.
///
/// # Safety
/// `dynamic` is the dynamic section of a mapped image.
pub unsafe fn entry(mut dynamic: *const [usize; 2], wanted: usize) -> Option<usize> {
    // SAFETY: the caller passes a dynamic section, which ends with DT_NULL.
    unsafe {
        loop {
            match *dynamic {
                [tag, value] if tag == wanted => return Some(value),
                [DT_NULL, _] => return None,
                _ => dynamic = dynamic.add(1),
            }
        }
    }
}

/// A program header.
#[repr(C)]
pub struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: usize,
    address: usize,
}

/// Bytes from one program header to the next.
const PROGRAM_HEADER: usize = 56;
const PT_DYNAMIC: u32 = 2;
const PT_PHDR: u32 = 6;

/// The dynamic section of an image, by its program headers; `bias` if it is known otherwise than
/// from the headers themselves. With it the bias.
///
/// # Safety
/// There are `count` program headers at `headers`, of an image that is mapped and stays so.
pub unsafe fn dynamic_section(
    headers: *const ProgramHeader,
    count: usize,
    bias: Option<usize>,
) -> Option<(usize, *const [usize; 2])> {
    let header = |kind| {
        // SAFETY: the caller says how many there are.
        let at = |index| unsafe { &*headers.byte_add(index * PROGRAM_HEADER) };
        (0..count).map(at).find(|header| header.kind == kind)
    };
    let own_place = |header: &ProgramHeader| headers.addr().wrapping_sub(header.address);
    let bias = bias.or_else(|| header(PT_PHDR).map(own_place)).unwrap_or(0);
    Some((bias, bias.wrapping_add(header(PT_DYNAMIC)?.address) as *const [usize; 2]))
}

/// The symbols of the image whose ELF header is at `image`.
///
/// # Safety
/// The image is mapped there as a whole, and stays so.
pub unsafe fn image_symbols(image: usize) -> Option<Symbols> {
    const PROGRAM_HEADERS: usize = 32;
    const PROGRAM_HEADER_COUNT: usize = 56;
    // SAFETY: the caller says that there is an ELF header (elf.h, Elf64_Ehdr).
    unsafe {
        let headers = *((image + PROGRAM_HEADERS) as *const usize);
        let count = *((image + PROGRAM_HEADER_COUNT) as *const u16);
        let headers = image.wrapping_add(headers) as *const ProgramHeader;
        let (bias, dynamic) = dynamic_section(headers, count.into(), Some(image))?;
        Symbols::read(bias, dynamic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn getauxval(kind: u64) -> u64;
    }

    #[test]
    fn the_vdso_has_a_clock() {
        const AT_SYSINFO_EHDR: u64 = 33;
        // SAFETY: the kernel maps an image there.
        let symbols = unsafe { image_symbols(getauxval(AT_SYSINFO_EHDR) as usize) }.unwrap();
        assert!(symbols.find(c"__vdso_clock_gettime").is_some());
    }
}
