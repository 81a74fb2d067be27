//! `frames ROUNDS`: walks the stack of this thread, of that many distinct functions, by our tables
//! with a cache of rules and without, by framehop and by libgcc. Prints a line for each round,
//! unwinder and depth: frames, ns for a frame, and ns for a frame when nothing is in the
//! processor's caches.
//!
//! All of them read the stack with plain loads and push the same program counters into the same
//! buffer; caches of rules are warm, also where the processor's caches are not.
#![allow(unsafe_code, reason = "registers, plain loads from the stack, libgcc")]

use std::arch::asm;
use std::ffi::{c_int, c_void};
use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, MustNotAllocateDuringUnwind, Unwinder};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSegment};
use sigspy_unwind::{Cache, Cached, Frame, Memory, Modules, Registers, Table, compile, walk};

const DEPTHS: [usize; 3] = [30, 100, 500];
/// Frames in one measurement with warm caches.
const FRAMES: usize = 100_000;
/// More than caches hold.
const FLUSH: usize = 128 << 20;
/// Walks with cold caches in one measurement.
const COLD_WALKS: usize = 5;

struct Module {
    start: u64,
    end: u64,
    bias: u64,
    table: Vec<u8>,
}

/// As the agent keeps them: sorted, with the module of the frame before at hand.
struct Process<'a> {
    modules: &'a [Module],
    last: usize,
    cached: Option<Cached<'a>>,
}

impl Modules for Process<'_> {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        let mut module = self.modules.get(self.last)?;
        if pc < module.start || module.end <= pc {
            self.last = self.modules.partition_point(|module| module.start <= pc).checked_sub(1)?;
            module = self.modules.get(self.last).filter(|module| pc < module.end)?;
        }
        Some((Table::new(&module.table)?, pc.wrapping_sub(module.bias)))
    }

    fn cached(&self) -> Option<Cached<'_>> {
        self.cached
    }
}

/// The stack of this thread.
#[derive(Clone, Copy)]
struct Stack {
    low: u64,
    high: u64,
}

impl Memory for Stack {
    fn word(&mut self, address: u64) -> Option<u64> {
        let is_inside = self.low <= address && address <= self.high - 8;
        // SAFETY: it is inside of the mapping of the stack that we run on.
        is_inside.then(|| unsafe { (address as *const u64).read_unaligned() })
    }
}

/// All that they need.
struct Unwinders {
    modules: Vec<Module>,
    framehop: UnwinderX86_64<Vec<u8>, MustNotAllocateDuringUnwind>,
    cache: CacheX86_64<MustNotAllocateDuringUnwind>,
    our_cache: Box<Cache>,
}

/// Where a walk begins, and what it has found.
struct Walk {
    registers: Registers,
    stack: Stack,
    frames: [u64; 1024],
    length: usize,
}

impl Walk {
    #[inline(always)]
    fn push(&mut self, pc: u64) -> bool {
        let place = self.frames.get_mut(self.length);
        self.length += usize::from(place.is_some());
        place.map(|place| *place = pc).is_some()
    }
}

type Unwind = fn(&mut Unwinders, &mut Walk);

fn ours(unwinders: &mut Unwinders, walk: &mut Walk) {
    walk_with(unwinders, walk, Some(unwinders.our_cache.for_modules(0, 0)));
}

fn without_cache(unwinders: &mut Unwinders, walk: &mut Walk) {
    walk_with(unwinders, walk, None);
}

#[inline(always)]
fn walk_with(unwinders: &Unwinders, walk_: &mut Walk, cached: Option<Cached<'_>>) {
    let mut modules = Process { modules: &unwinders.modules, last: 0, cached };
    let mut stack = walk_.stack;
    let mut frame = Frame::interrupted(&walk_.registers);
    walk(&mut frame, &mut modules, &mut stack, &mut |pc| walk_.push(pc));
}

fn framehop(unwinders: &mut Unwinders, walk: &mut Walk) {
    let [_, _, _, _, _, _, rbp, rsp, ..] = walk.registers.general;
    let pc = walk.registers.pc;
    let registers = UnwindRegsX86_64::new(pc, rsp, rbp);
    let mut stack = walk.stack;
    let mut read = |address| stack.word(address).ok_or(());
    let mut frames = unwinders.framehop.iter_frames(pc, registers, &mut unwinders.cache, &mut read);
    while let Ok(Some(frame)) = frames.next() {
        if !walk.push(frame.address()) {
            break;
        }
    }
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        each: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

fn libgcc(_: &mut Unwinders, walk: &mut Walk) {
    // SAFETY: `push_frame` is what libgcc wants to call, with the pointer that is given here.
    unsafe { _Unwind_Backtrace(push_frame, (walk as *mut Walk).cast()) };
}

extern "C" fn push_frame(context: *mut c_void, walk: *mut c_void) -> c_int {
    // SAFETY: libgcc passes a valid context, and the pointer of `libgcc`.
    let (pc, walk) = unsafe { (_Unwind_GetIP(context) as u64, &mut *walk.cast::<Walk>()) };
    walk.push(pc);
    0
}

/// Functions that differ, so that each is compiled by itself: 512 of them.
#[inline(never)]
fn level<const N: usize>(deeper: usize, bottom: &mut dyn FnMut()) {
    let kept = black_box([N; 3]);
    match deeper.checked_sub(1) {
        Some(deeper) => LEVELS[(N + 1) / 64 % 8][(N + 1) / 8 % 8][(N + 1) % 8](deeper, bottom),
        None => bottom(),
    }
    black_box(kept);
}

macro_rules! eight {
    ($make:ident, $n:expr) => {
        [
            $make!($n * 8),
            $make!($n * 8 + 1),
            $make!($n * 8 + 2),
            $make!($n * 8 + 3),
            $make!($n * 8 + 4),
            $make!($n * 8 + 5),
            $make!($n * 8 + 6),
            $make!($n * 8 + 7),
        ]
    };
}
macro_rules! one {
    ($n:expr) => {
        level::<{ $n }>
    };
}
macro_rules! row {
    ($n:expr) => {
        eight!(one, ($n))
    };
}
macro_rules! square {
    ($n:expr) => {
        eight!(row, ($n))
    };
}

type Level = fn(usize, &mut dyn FnMut());

static LEVELS: [[[Level; 8]; 8]; 8] = eight!(square, 0);

/// Of the function that this is inlined into.
#[inline(always)]
fn registers() -> Registers {
    let mut registers = Registers::default();
    let [_, _, _, rbx, _, _, rbp, rsp, ..] = &mut registers.general;
    // SAFETY: reads registers only.
    unsafe {
        asm!("mov {}, rbx", "mov {}, rbp", "mov {}, rsp", "lea {}, [rip]", out(reg) *rbx,
            out(reg) *rbp, out(reg) *rsp, out(reg) registers.pc, options(nomem, nostack));
    }
    registers
}

/// A line of /proc/self/maps: start, end, whether it is code, offset in the file, name.
fn mappings() -> Vec<(u64, u64, bool, u64, String)> {
    let maps = fs::read_to_string("/proc/self/maps").expect("maps can be read");
    let number = |text: &str| u64::from_str_radix(text, 16).expect("maps have numbers");
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let is_code = words.next()?.contains('x');
        let offset = number(words.next()?);
        let name = words.nth(2).unwrap_or_default().to_owned();
        Some((number(start), number(end), is_code, offset, name))
    };
    maps.lines().filter_map(parse).collect()
}

fn image(start: u64, end: u64, name: &str) -> Option<Vec<u8>> {
    if name == "[vdso]" {
        let mut image = vec![0; (end - start) as usize];
        File::open("/proc/self/mem").ok()?.read_exact_at(&mut image, start).ok()?;
        return Some(image);
    }
    fs::read(name).ok().filter(|bytes| bytes.starts_with(b"\x7fELF"))
}

impl Unwinders {
    /// For the code that is mapped now.
    fn new() -> Self {
        let (mut modules, mut framehop) = (Vec::new(), UnwinderX86_64::new());
        for (start, end, is_code, offset, name) in mappings() {
            let Some(image) = image(start, end, &name).filter(|_| is_code) else { continue };
            let elf = ElfFile64::<object::LittleEndian>::parse(&*image).expect("an ELF file");
            let in_page = |segment: &&object::read::elf::ElfSegment64<_>| {
                segment.file_range().0 & !0xfff == offset && segment.permissions().executable()
            };
            let segments: Vec<_> = elf.segments().collect();
            let Some(segment) = segments.iter().find(in_page) else { continue };
            let bias = start.wrapping_sub(segment.address() & !0xfff);
            let table = compile(&image).expect("there is call frame information").bytes;
            modules.push(Module { start, end, bias, table });
            let section = |name| elf.section_by_name(name);
            let range = |name| section(name).map(|one| one.address()..one.address() + one.size());
            let bytes = |name| section(name).and_then(|one| Some(one.data().ok()?.to_vec()));
            let sections = ExplicitModuleSectionInfo {
                base_svma: 0,
                text_svma: range(".text"),
                got_svma: range(".got"),
                eh_frame_svma: range(".eh_frame"),
                eh_frame: bytes(".eh_frame"),
                eh_frame_hdr_svma: range(".eh_frame_hdr"),
                eh_frame_hdr: bytes(".eh_frame_hdr"),
                ..Default::default()
            };
            framehop.add_module(framehop::Module::new(name, start..end, bias, sections));
        }
        modules.sort_by_key(|module| module.start);
        Self { modules, framehop, cache: CacheX86_64::new_in(), our_cache: Box::default() }
    }
}

fn this_stack() -> Stack {
    let here = registers().general[7];
    let found = mappings().into_iter().find(|mapping| mapping.0 <= here && here < mapping.1);
    let (low, high, ..) = found.expect("the stack is mapped");
    Stack { low, high }
}

/// ns for a frame, over some walks.
fn time(walks: usize, walk: &mut Walk, unwind: &mut impl FnMut(&mut Walk)) -> f64 {
    let start = Instant::now();
    let mut frames = 0;
    for _ in 0..walks {
        walk.length = 0;
        unwind(walk);
        frames += walk.length;
    }
    start.elapsed().as_nanos() as f64 / frames as f64
}

fn flush(buffer: &mut [u64]) {
    buffer.iter_mut().for_each(|word| *word = word.wrapping_add(1));
    black_box(buffer);
}

/// Measures all of them, in turn, on the stack that it is called on.
fn measure(round: usize, unwinders: &mut Unwinders, buffer: &mut [u64], depth: usize) {
    let all: [(&str, Unwind); 4] =
        [("sigspy", ours), ("tables", without_cache), ("framehop", framehop), ("libgcc", libgcc)];
    let stack = this_stack();
    let mut walk = Walk { registers: registers(), stack, frames: [0; 1024], length: 0 };
    for turn in 0..all.len() {
        let (name, unwind) = all[(round + turn) % all.len()];
        let mut unwind = |walk: &mut Walk| unwind(unwinders, walk);
        time(3, &mut walk, &mut unwind);
        let found = walk.length;
        assert!((depth - 5..depth + 5).contains(&found), "{name} found {found} frames of {depth}");
        let warm = time(FRAMES / depth, &mut walk, &mut unwind);
        let cold = (0..COLD_WALKS).map(|_| {
            flush(buffer);
            time(1, &mut walk, &mut unwind)
        });
        let cold = cold.sum::<f64>() / COLD_WALKS as f64;
        println!("{name} {depth} {found} {warm:.2} {cold:.2}");
    }
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok());
    let rounds: usize = rounds.expect("usage: frames ROUNDS");
    let mut unwinders = Unwinders::new();
    let mut buffer = vec![0; FLUSH / 8];
    for round in 0..rounds {
        for depth in DEPTHS {
            // some ten others are of this file, the standard library and libc
            let bottom = &mut || measure(round, &mut unwinders, &mut buffer, depth);
            LEVELS[0][0][0](depth - 10, bottom);
        }
    }
}
