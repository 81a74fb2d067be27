//! The stack of a traced process by framehop, from the same files and the same memory.

use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{Error, ExplicitModuleSectionInfo, Unwinder};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};
use sigspy_tests::remote::{Code, Target};
use sigspy_unwind::Registers;

/// A copy of a section that all mappings of a file share.
#[derive(Clone, Default)]
struct Bytes(Rc<[u8]>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

type Sections = ExplicitModuleSectionInfo<Bytes>;

/// What framehop knows about a process.
#[derive(Default)]
pub struct Framehop {
    unwinder: UnwinderX86_64<Bytes>,
    cache: CacheX86_64,
    /// By name of the file.
    sections: HashMap<String, Sections>,
    /// The number of what was read.
    read: u64,
}

impl Framehop {
    /// Takes over where everything is.
    pub fn read_maps(&mut self, target: &mut Target) {
        let number = target.read_maps();
        if self.read == number {
            return;
        }
        self.read = number;
        self.unwinder = UnwinderX86_64::new();
        self.cache = CacheX86_64::new();
        for code in target.code() {
            let known = self.sections.entry(code.name.clone()).or_insert_with(|| sections(code));
            let (name, range) = (code.name.clone(), code.start..code.end);
            self.unwinder.add_module(framehop::Module::new(name, range, code.bias, known.clone()));
        }
    }

    /// Program counters, and why it ends before the outermost function, if it says that it does.
    pub fn walk(&mut self, target: &Target, registers: &Registers) -> (Vec<u64>, Option<Error>) {
        let [_, _, _, _, _, _, rbp, rsp, ..] = registers.general;
        let start = UnwindRegsX86_64::new(registers.pc, rsp, rbp);
        let mut read = |address| target.read_word(address).ok_or(());
        let mut frames = self.unwinder.iter_frames(registers.pc, start, &mut self.cache, &mut read);
        let mut found = Vec::new();
        while found.len() < 4096 {
            match frames.next() {
                Ok(Some(frame)) => found.push(frame.address()),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
        (found, None)
    }
}

fn sections(code: &Code) -> Sections {
    let elf = ElfFile64::<object::LittleEndian>::parse(&*code.image.bytes).expect("an ELF file");
    let section = |name| elf.section_by_name(name);
    let range = |name| section(name).map(|one| one.address()..one.address() + one.size());
    let bytes = |name| section(name).and_then(|one| Some(Bytes(one.data().ok()?.into())));
    Sections {
        base_svma: 0,
        text_svma: range(".text"),
        got_svma: range(".got"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: bytes(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: bytes(".eh_frame_hdr"),
        debug_frame: bytes(".debug_frame"),
        ..Default::default()
    }
}
