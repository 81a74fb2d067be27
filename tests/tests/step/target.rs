//! A traced process as the walker sees it: its modules with their tables, and its memory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use nix::libc;
use object::elf::{FileHeader64, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Object, ObjectSymbol};
use sigspy_tests::ptrace::{Registers, Tid};
use sigspy_unwind::{Cache, Cached, Frame, Memory, Modules, Stop, Table, compile, walk};

/// The stack that a step looks at is mostly in the first of these bytes above the stack pointer.
const WINDOW: usize = 8192;

/// One ELF file.
struct Image {
    bytes: Vec<u8>,
    table: Vec<u8>,
}

struct Code {
    start: u64,
    end: u64,
    bias: u64,
    name: String,
    image: Rc<Image>,
}

pub struct Target {
    pid: Tid,
    memory: File,
    images: HashMap<String, Option<Rc<Image>>>,
    code: Vec<Code>,
    /// How often `code` was read, and rules that were found by it.
    readings: u64,
    cache: Box<Cache>,
    /// All mappings, by rising address.
    mappings: Vec<(u64, u64)>,
    window_start: u64,
    window: [u8; WINDOW],
    /// As many bytes of it are there.
    window_length: usize,
    names: RefCell<HashMap<u64, String>>,
}

impl Target {
    pub fn new(pid: Tid) -> Self {
        let memory = File::open(format!("/proc/{pid}/mem")).expect("its tracer may read it");
        let mut target = Self {
            pid,
            memory,
            images: HashMap::new(),
            code: Vec::new(),
            readings: 0,
            cache: Box::default(),
            mappings: Vec::new(),
            window_start: 0,
            window: [0; WINDOW],
            window_length: 0,
            names: RefCell::default(),
        };
        target.read_maps();
        target
    }

    /// Reads where everything is.
    fn read_maps(&mut self) {
        self.readings += 1;
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).expect("it lives");
        (self.code, self.mappings) = (Vec::new(), Vec::new());
        for line in maps.lines() {
            let mut words = line.split_ascii_whitespace();
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (range, permissions, offset) = (word(), word(), word());
            let name = words.nth(2).unwrap_or_default().to_owned();
            let number = |text: &str| u64::from_str_radix(text, 16).expect("maps have numbers");
            let (start, end) = range.split_once('-').expect("maps have ranges");
            let (start, end) = (number(start), number(end));
            self.mappings.push((start, end));
            if permissions.contains('x')
                && let Some(image) = self.image(&name, start, end)
                && let Some(address) = address_of(&image, number(&offset))
            {
                self.code.push(Code { start, end, bias: start - address, name, image });
            }
        }
    }

    fn image(&mut self, name: &str, start: u64, end: u64) -> Option<Rc<Image>> {
        if let Some(known) = self.images.get(name) {
            return known.clone();
        }
        let bytes = if name == "[vdso]" {
            let mut bytes = vec![0; (end - start) as usize];
            self.memory.read_exact_at(&mut bytes, start).ok().map(|()| bytes)
        } else {
            fs::read(name).ok().filter(|bytes| bytes.starts_with(b"\x7fELF"))
        };
        let image = bytes.map(|bytes| {
            let table = compile(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")).bytes;
            Rc::new(Image { bytes, table })
        });
        self.images.insert(name.to_owned(), image.clone());
        image
    }

    fn code_at(&self, pc: u64) -> Option<&Code> {
        self.code.iter().find(|code| code.start <= pc && pc < code.end)
    }

    /// Whether an address is in a module; looks again where it is in none.
    pub fn is_code(&mut self, pc: u64) -> bool {
        if self.code_at(pc).is_none() {
            self.read_maps();
        }
        self.code_at(pc).is_some()
    }

    /// What tells one stack from another: where the mapping ends that holds `sp`.
    pub fn stack_at(&mut self, sp: u64) -> u64 {
        let find = |target: &Self| {
            target
                .mappings
                .iter()
                .find(|(start, end)| *start <= sp && sp < *end)
                .map(|range| range.1)
        };
        find(self).unwrap_or_else(|| {
            self.read_maps(); // it has grown, or is new
            find(self).unwrap_or(0)
        })
    }

    /// The stack, leaf first, by tables.
    pub fn walk(&mut self, registers: &Registers) -> (Vec<u64>, Stop) {
        self.is_code(registers.rip);
        let mut frames = Vec::new();
        let interrupted = in_dwarf_order(registers);
        let mut modules = &*self;
        let mut memory = &*self;
        let stop =
            walk(&mut Frame::interrupted(&interrupted), &mut modules, &mut memory, &mut |pc| {
                frames.push(pc);
                frames.len() < 4096
            });
        (frames, stop)
    }

    /// Reads the part of the stack again that steps look at. Call this behind each step.
    pub fn has_moved_on(&mut self, sp: u64) {
        self.window_start = sp & !7;
        let local = libc::iovec { iov_base: self.window.as_mut_ptr().cast(), iov_len: WINDOW };
        let remote = libc::iovec { iov_base: self.window_start as *mut _, iov_len: WINDOW };
        self.window_length = read_vector(self.pid, local, remote);
    }

    pub fn read_word(&self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        let offset = address.wrapping_sub(self.window_start);
        let in_window = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.window.get(offset..)?.first_chunk::<8>().copied());
        match in_window {
            Some(known) => word = known,
            None => self.memory.read_exact_at(&mut word, address).ok()?,
        }
        Some(u64::from_le_bytes(word))
    }

    /// Eight bytes of code.
    pub fn instruction(&self, pc: u64) -> [u8; 8] {
        let mut bytes = [0; 8];
        let _ = self.memory.read_at(&mut bytes, pc); // at the end of a mapping they are fewer
        bytes
    }

    /// `function in module`, for people.
    pub fn describe(&self, pc: u64) -> String {
        self.names.borrow_mut().entry(pc).or_insert_with(|| self.name_of(pc)).clone()
    }

    fn name_of(&self, pc: u64) -> String {
        let Some(code) = self.code_at(pc) else { return format!("{pc:#x} in no module") };
        let relative = pc.wrapping_sub(code.bias);
        let module = code.name.rsplit('/').next().unwrap_or_default();
        let elf = object::File::parse(&*code.image.bytes).expect("it was compiled");
        let symbols = elf.symbols().chain(elf.dynamic_symbols());
        let below = symbols.filter(|symbol| symbol.is_definition() && symbol.address() <= relative);
        let nearest = below.max_by_key(|symbol| (symbol.address(), symbol.size()));
        match nearest.and_then(|symbol| Some((symbol.name().ok()?, relative - symbol.address()))) {
            Some((name, offset)) => format!("{name}+{offset:#x} in {module}"),
            None => format!("{relative:#x} in {module}"),
        }
    }
}

/// Where the segment begins that is mapped from `offset` on.
fn address_of(image: &Image, offset: u64) -> Option<u64> {
    let little = object::LittleEndian;
    let header = FileHeader64::parse(&*image.bytes).ok()?;
    let segment = header.program_headers(little, &*image.bytes).ok()?.iter().find(|segment| {
        segment.p_type(little) == PT_LOAD
            && segment.p_flags(little).contains(PF_X)
            && segment.p_offset(little) & !0xfff == offset
    })?;
    Some(segment.p_vaddr(little) & !0xfff)
}

#[allow(unsafe_code, reason = "process_vm_readv takes addresses")]
fn read_vector(pid: Tid, local: libc::iovec, remote: libc::iovec) -> usize {
    // SAFETY: `local` is memory of the caller; the kernel checks the other address.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(read).unwrap_or(0)
}

fn in_dwarf_order(registers: &Registers) -> sigspy_unwind::Registers {
    let Registers { rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, .. } =
        *registers;
    let (r14, r15) = (registers.r14, registers.r15);
    let general = [rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15];
    sigspy_unwind::Registers { general, pc: registers.rip }
}

impl Modules for &Target {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        let code = self.code_at(pc)?;
        Some((Table::new(&code.image.table)?, pc.wrapping_sub(code.bias)))
    }

    fn cached(&self) -> Option<Cached<'_>> {
        Some(self.cache.for_modules(0, self.readings))
    }
}

impl Memory for &Target {
    fn word(&mut self, address: u64) -> Option<u64> {
        self.read_word(address)
    }
}
