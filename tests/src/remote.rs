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
use sigspy_unwind::{
    Cache, Cached, CompileError, EXACT, Frame, Memory, Modules, Registers, Rule, Stop, Table,
    compile, walk,
};

use crate::ptrace::{self, Tid};

/// The stack that a step looks at is mostly in the first of these bytes above the stack pointer.
const WINDOW: usize = 8192;

/// One ELF file.
pub struct Image {
    pub bytes: Vec<u8>,
    /// Empty: there is no call frame information to make one of.
    table: Vec<u8>,
}

/// Code of a file, as it is mapped.
pub struct Code {
    pub start: u64,
    pub end: u64,
    /// Runtime addresses minus those of the file.
    pub bias: u64,
    pub name: String,
    pub image: Rc<Image>,
}

struct Mapping {
    start: u64,
    end: u64,
    is_executable: bool,
}

pub struct Target {
    pid: Tid,
    memory: File,
    images: HashMap<String, Option<Rc<Image>>>,
    code: Vec<Code>,
    maps: String,
    /// How often it has changed.
    changes: u64,
    /// Rules that were found in `code`.
    cache: Box<Cache>,
    /// All mappings, by rising address.
    mappings: Vec<Mapping>,
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
            maps: String::new(),
            changes: 0,
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

    /// Reads where everything is; the number that it returns is another one when that has changed.
    pub fn read_maps(&mut self) -> u64 {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).expect("it lives");
        if maps == self.maps {
            return self.changes;
        }
        (self.code, self.mappings) = (Vec::new(), Vec::new());
        for line in maps.lines() {
            let mut words = line.split_ascii_whitespace();
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (range, permissions, offset) = (word(), word(), word());
            let name = words.nth(2).unwrap_or_default().to_owned();
            let number = |text: &str| u64::from_str_radix(text, 16).expect("maps have numbers");
            let (start, end) = range.split_once('-').expect("maps have ranges");
            let (start, end) = (number(start), number(end));
            let is_executable = permissions.contains('x');
            self.mappings.push(Mapping { start, end, is_executable });
            if is_executable
                && let Some(image) = self.image(&name, start, end)
                && let Some(address) = address_of(&image, number(&offset))
            {
                self.code.push(Code { start, end, bias: start - address, name, image });
            }
        }
        self.maps = maps;
        self.changes += 1;
        self.changes
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
            let table = match compile(&bytes) {
                Ok(compiled) => compiled.bytes,
                Err(CompileError::NoCallFrameInformation) => Vec::new(),
                Err(error) => panic!("{name}: {error}"),
            };
            Rc::new(Image { bytes, table })
        });
        self.images.insert(name.to_owned(), image.clone());
        image
    }

    /// All code of files.
    pub fn code(&self) -> &[Code] {
        &self.code
    }

    pub fn code_at(&self, pc: u64) -> Option<&Code> {
        self.code.iter().find(|code| code.start <= pc && pc < code.end)
    }

    /// Whether an address is in a module; looks again where it is in none.
    pub fn is_code(&mut self, pc: u64) -> bool {
        if self.code_at(pc).is_none() {
            self.read_maps();
        }
        self.code_at(pc).is_some()
    }

    /// Whether there is code at an address, of a file or made at run time.
    pub fn may_execute(&self, pc: u64) -> bool {
        self.mapping_at(pc).is_some_and(|mapping| mapping.is_executable)
    }

    /// What tells one stack from another: where the mapping ends that holds `sp`.
    pub fn stack_at(&mut self, sp: u64) -> u64 {
        if self.mapping_at(sp).is_none() {
            self.read_maps(); // it has grown, or is new
        }
        self.mapping_at(sp).map_or(0, |mapping| mapping.end)
    }

    fn mapping_at(&self, address: u64) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| mapping.start <= address && address < mapping.end)
    }

    /// The stack, leaf first, by tables.
    pub fn walk(&mut self, registers: &Registers) -> (Vec<u64>, Stop) {
        self.is_code(registers.pc);
        let mut frames = Vec::new();
        let mut modules = &*self;
        let mut memory = &*self;
        let stop = walk(&mut Frame::interrupted(registers), &mut modules, &mut memory, &mut |pc| {
            frames.push(pc);
            frames.len() < 4096
        });
        (frames, stop)
    }

    /// The rule by which a frame of a walk is left.
    pub fn rule(&self, frame: u64) -> Option<Rule> {
        let is_exact = frame & EXACT != 0;
        let pc = (frame & !EXACT).wrapping_sub(u64::from(!is_exact));
        let mut modules = self;
        let (table, relative) = modules.find(pc)?;
        table.lookup(relative)
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

/// Registers as the walker wants them.
pub fn in_dwarf_order(registers: &ptrace::Registers) -> Registers {
    let ptrace::Registers {
        rax,
        rdx,
        rcx,
        rbx,
        rsi,
        rdi,
        rbp,
        rsp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        ..
    } = *registers;
    let (r14, r15) = (registers.r14, registers.r15);
    let general = [rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15];
    Registers { general, pc: registers.rip }
}

impl Modules for &Target {
    fn find(&mut self, pc: u64) -> Option<(Table<'_>, u64)> {
        let code = self.code_at(pc)?;
        Some((Table::new(&code.image.table)?, pc.wrapping_sub(code.bias)))
    }

    fn cached(&self) -> Option<Cached<'_>> {
        Some(self.cache.for_modules(0, self.changes))
    }
}

impl Memory for &Target {
    fn word(&mut self, address: u64) -> Option<u64> {
        self.read_word(address)
    }
}
