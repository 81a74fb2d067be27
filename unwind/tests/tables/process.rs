//! This process as the walker sees it, and as libgcc sees it.

use std::arch::asm;
use std::ffi::{c_int, c_void};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use object::elf::{FileHeader64, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use sigspy_unwind::{EXACT, Frame, Memory, Modules, Registers, Stop, Table, compile, walk};

use crate::files::{self, Mapping};

struct Module {
    start: u64,
    end: u64,
    bias: u64,
    table: Vec<u8>,
}

/// All code that was mapped when it was made, and memory as it is.
pub struct Process {
    modules: Vec<Module>,
    memory: File,
}

/// Made once. Later reads of it neither allocate nor lock: handlers use it.
pub fn this_process() -> &'static Process {
    static PROCESS: OnceLock<Process> = OnceLock::new();
    PROCESS.get_or_init(|| {
        let code = files::mappings().into_iter().filter(|mapping| mapping.is_code);
        let modules = code.filter_map(|mapping| module(&mapping)).collect();
        Process { modules, memory: File::open("/proc/self/mem").unwrap() }
    })
}

fn module(mapping: &Mapping) -> Option<Module> {
    let image = files::image(mapping)?;
    let table = compile(&image).unwrap().bytes;
    let little = object::LittleEndian;
    let segments = FileHeader64::parse(&*image).unwrap().program_headers(little, &*image).unwrap();
    let segment = segments.iter().find(|segment| {
        let page_offset = segment.p_offset(little) & !0xfff;
        let is_code = segment.p_flags(little).contains(PF_X);
        segment.p_type(little) == PT_LOAD && is_code && page_offset == mapping.file_offset
    })?;
    let bias = mapping.start.wrapping_sub(segment.p_vaddr(little) & !0xfff);
    Some(Module { start: mapping.start, end: mapping.end, bias, table })
}

impl Modules for &Process {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        let module = self.modules.iter().find(|module| module.start <= pc && pc < module.end)?;
        Some((Table::new(&module.table)?, pc.wrapping_sub(module.bias)))
    }
}

impl Memory for &Process {
    fn word(&mut self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        self.memory.read_exact_at(&mut word, address).ok()?;
        Some(u64::from_le_bytes(word))
    }
}

/// Program counters as [`walk`] gives them, in memory that a handler can use.
#[derive(Clone)]
pub struct Stack {
    frames: [u64; Self::ROOM],
    length: usize,
}

impl Stack {
    const ROOM: usize = 4096;

    pub const fn new() -> Self {
        Self { frames: [0; Self::ROOM], length: 0 }
    }

    fn push(&mut self, frame: u64) -> bool {
        let place = self.frames.get_mut(self.length);
        self.length += usize::from(place.is_some());
        place.map(|place| *place = frame).is_some()
    }

    pub fn frames(&self) -> &[u64] {
        &self.frames[..self.length]
    }
}

/// By tables.
pub fn stack_from(registers: &Registers) -> (Stack, Stop) {
    let (mut modules, mut memory) = (this_process(), this_process());
    let mut stack = Stack::new();
    let stop = walk(&mut Frame::interrupted(registers), &mut modules, &mut memory, &mut |pc| {
        stack.push(pc)
    });
    (stack, stop)
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        each: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, is_exact: *mut c_int) -> usize;
}

/// By libgcc, from the caller on.
#[inline(always)]
pub fn stack_by_libgcc() -> Stack {
    let mut stack = Stack::new();
    // SAFETY: `push_frame` is what libgcc wants to call, with the pointer that is given here.
    unsafe { _Unwind_Backtrace(push_frame, (&raw mut stack).cast()) };
    stack
}

extern "C" fn push_frame(context: *mut c_void, stack: *mut c_void) -> c_int {
    let mut is_exact = 0;
    // SAFETY: libgcc passes a valid context, and the pointer of `stack_by_libgcc`.
    let (pc, stack) = unsafe {
        (_Unwind_GetIPInfo(context, &raw mut is_exact) as u64, &mut *stack.cast::<Stack>())
    };
    if pc != 0 {
        stack.push(if is_exact == 0 { pc } else { pc | EXACT });
    }
    0
}

/// The registers of the function that this is inlined into.
#[inline(always)]
pub fn registers() -> Registers {
    let mut words = [0_u64; 17];
    // SAFETY: writes the 17 words of the array and nothing else.
    unsafe {
        asm!(
            "mov [rax], rax", "mov [rax + 8], rdx", "mov [rax + 16], rcx", "mov [rax + 24], rbx",
            "mov [rax + 32], rsi", "mov [rax + 40], rdi", "mov [rax + 48], rbp",
            "mov [rax + 56], rsp", "mov [rax + 64], r8", "mov [rax + 72], r9",
            "mov [rax + 80], r10", "mov [rax + 88], r11", "mov [rax + 96], r12",
            "mov [rax + 104], r13", "mov [rax + 112], r14", "mov [rax + 120], r15",
            "lea rcx, [rip]", "mov [rax + 128], rcx",
            in("rax") words.as_mut_ptr(), out("rcx") _, options(nostack));
    }
    let [general @ .., pc] = words;
    Registers { general, pc }
}

/// Walks from where it is inlined by both ways, and compares all but the first frame, which
/// holds two calls at two places.
#[inline(always)]
pub fn checked_stack() -> Vec<u64> {
    let (ours, stop) = stack_from(&registers());
    let theirs = stack_by_libgcc();
    assert_eq!(stop, Stop::End);
    assert_eq!(format!("{:x?}", &ours.frames()[1..]), format!("{:x?}", &theirs.frames()[1..]));
    assert_eq!(ours.frames()[0] >> 63, 1);
    ours.frames().to_vec()
}

/// Whether a frame is in the module whose file name starts like this.
pub fn is_in(frame: u64, name: &str) -> bool {
    let pc = frame & !EXACT;
    files::mappings().iter().any(|mapping| {
        let file = mapping.name.rsplit('/').next().unwrap_or_default();
        mapping.start <= pc && pc <= mapping.end && file.starts_with(name)
    })
}
