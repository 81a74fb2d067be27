//! The images that the loader has loaded, and which of them has a function next.
//!
//! In place of `dlsym`, which takes the loader's lock, and which glibc before 2.34 keeps in a
//! library of its own.
#![allow(unsafe_code, reason = "reads the loader's list in memory")]

use core::ffi::{CStr, c_char};

use crate::elf::{ProgramHeader, Symbols, dynamic_section, entry};

const DT_DEBUG: usize = 21;

/// The loader's list of images, in the order in which they are searched (`struct link_map`).
#[repr(C)]
pub struct LinkMap {
    bias: usize,
    name: *const c_char,
    dynamic: *const [usize; 2],
    next: *const LinkMap,
}

/// The list, as the program's DT_DEBUG entry tells debuggers.
///
/// # Safety
/// `headers` and `count` are AT_PHDR and AT_PHNUM of this process, and its loader has run.
pub unsafe fn loaded_images(headers: *const ProgramHeader, count: usize) -> *const LinkMap {
    #[repr(C)]
    struct Debug {
        version: i32,
        images: *const LinkMap,
    }
    // SAFETY: the kernel tells where the headers of the program are; the loader stores the
    // address of its `struct r_debug` in the dynamic section before it runs any code.
    unsafe {
        let debug =
            dynamic_section(headers, count, None).and_then(|(_, dynamic)| entry(dynamic, DT_DEBUG));
        match debug.map(|address| address as *const Debug) {
            Some(debug) if !debug.is_null() => (*debug).images,
            _ => core::ptr::null(),
        }
    }
}

/// The function `name` in the first image behind the one where it is `own`.
///
/// # Safety
/// `images` is the loader's list, and nobody loads or unloads meanwhile.
pub unsafe fn find_behind(mut images: *const LinkMap, name: &CStr, own: usize) -> Option<usize> {
    let mut is_behind = false;
    // SAFETY: the caller passes the list, which ends with a null pointer.
    while let Some(image) = unsafe { images.as_ref() } {
        images = image.next;
        // SAFETY: images in the list are loaded.
        let symbols = unsafe { Symbols::read(image.bias, image.dynamic) };
        match symbols.and_then(|symbols| symbols.find(name)) {
            Some(found) if found == own => is_behind = true,
            Some(found) if is_behind => return Some(found),
            _ => {}
        }
    }
    None
}

/// The function `name` in the first image that has it.
///
/// # Safety
/// As for [`find_behind`].
pub unsafe fn find(mut images: *const LinkMap, name: &CStr) -> Option<usize> {
    // SAFETY: the caller passes the list, which ends with a null pointer.
    while let Some(image) = unsafe { images.as_ref() } {
        images = image.next;
        // SAFETY: images in the list are loaded.
        let symbols = unsafe { Symbols::read(image.bias, image.dynamic) };
        if let Some(found) = symbols.and_then(|symbols| symbols.find(name)) {
            return Some(found);
        }
    }
    None
}

/// The file of the image that lies nearest below `address`: that of the agent, for one in it.
///
/// # Safety
/// As for [`find_behind`].
pub unsafe fn file_of(images: *const LinkMap, address: usize) -> Option<&'static CStr> {
    let mut nearest: Option<&LinkMap> = None;
    // SAFETY: the caller passes the list, which ends with a null pointer; names are C strings, and
    // that of an image that is never unloaded stays.
    unsafe {
        let mut next = images;
        while let Some(image) = next.as_ref() {
            next = image.next;
            let is_nearer = nearest.is_none_or(|nearest| nearest.bias < image.bias);
            if image.bias <= address && is_nearer {
                nearest = Some(image);
            }
        }
        nearest.map(|image| CStr::from_ptr(image.name))
    }
}

/// Whether an image of that name, up to its version, is loaded.
///
/// # Safety
/// As for [`find_behind`].
pub unsafe fn is_loaded(mut images: *const LinkMap, name: &[u8]) -> bool {
    // SAFETY: as for `file_of`.
    unsafe {
        while let Some(image) = images.as_ref() {
            images = image.next;
            let path = CStr::from_ptr(image.name).to_bytes();
            let file = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            if file.starts_with(name) {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn getauxval(kind: u64) -> u64;
        fn qsort();
        fn malloc_usable_size();
    }
    const AT_PHDR: u64 = 3;
    const AT_PHNUM: u64 = 5;

    fn images() -> *const LinkMap {
        // SAFETY: these are the values of this process.
        unsafe { loaded_images(getauxval(AT_PHDR) as *const _, getauxval(AT_PHNUM) as usize) }
    }

    fn find(name: &CStr) -> Option<usize> {
        // SAFETY: the tests load nothing.
        unsafe { super::find(images(), name) }
    }

    #[test]
    fn functions_of_the_c_library_are_found_where_the_loader_finds_them() {
        assert_eq!(find(c"qsort"), Some(qsort as *const () as usize));
        assert_eq!(find(c"malloc_usable_size"), Some(malloc_usable_size as *const () as usize));
        assert_eq!(find(c"no_such_function"), None);
    }

    #[test]
    fn what_is_behind_an_image_is_not_the_image_itself() {
        let own = qsort as *const () as usize;
        // SAFETY: the tests load nothing.
        let behind = |own| unsafe { find_behind(images(), c"qsort", own) };
        assert_eq!(behind(own), None, "only the C library has it");
        assert_eq!(behind(1), None, "nobody has it there");
    }
}
