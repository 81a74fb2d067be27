//! What one ELF file has to offer, for people who wonder why names or callers are missing.

use std::path::{Path, PathBuf};

use object::{Object, ObjectSection, SectionFlags};
use sigspy_model::{BuildId, Module, ModuleId};

use crate::elf::{self, Image};
use crate::files::Files;
use crate::functions;
use crate::problem::{Cause, Problem};
use crate::sources::Sources;

/// What is known about a program or library, without running it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub build_id: Option<BuildId>,
    /// The loader that the program asks for; libraries and static programs have none.
    pub interpreter: Option<String>,
    /// There is a symbol table of all functions, here or in a debug file.
    pub has_symbols: bool,
    pub debug_info: Option<DebugInfoFound>,
    /// Made by Go's own compiler, which keeps frame pointers instead of unwind information.
    pub is_go: bool,
    /// Bytes of code,
    pub code: u64,
    /// and how many of them have unwind information.
    pub unwindable: u64,
}

/// Debug information that symbolizing would use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugInfoFound {
    pub file: PathBuf,
    pub has_lines: bool,
    pub is_compressed: bool,
}

/// Looks at the file at `path`, and for its debug file where symbolizing would.
pub fn inspect(path: &Path, sources: &Sources) -> Result<Inspection, Problem> {
    let path = path.to_string_lossy().into_owned();
    let module = Module { path, build_id: None, image: None };
    let files = Files::find(&module, None, sources);
    let Some(own) = files.own.as_ref().and_then(Image::elf) else {
        let cause = files.cause.unwrap_or(Cause::NoSymbols);
        return Err(Problem { module: ModuleId(0), path: module.path, cause });
    };
    let images = [files.own.as_ref(), files.debug.as_ref()];
    // A table of symbols that was packed into the program is part of it.
    let place = |image: &Image<'_>| image.path().unwrap_or(Path::new(&module.path)).to_owned();
    let described = images.iter().flatten().filter_map(|image| Some((place(image), image.elf()?)));
    let described: Vec<_> = described.collect();
    let has_symbols = described.iter().any(|(_, elf)| elf::has_symbols(elf));
    let with_debug_info = described.iter().find(|(_, elf)| elf::has_debug_info(elf));
    let (code, unwindable) = functions::unwindable(&own);
    Ok(Inspection {
        build_id: elf::build_id(&own),
        interpreter: interpreter(&own),
        has_symbols,
        debug_info: with_debug_info.map(|(path, elf)| debug_info(path, elf)),
        is_go: own.section_by_name(".gopclntab").is_some(),
        code,
        unwindable,
    })
}

fn interpreter(elf: &object::File<'_>) -> Option<String> {
    const LONGEST: usize = 4096;
    let section = elf.section_by_name(".interp")?;
    let bytes = section.data().ok()?.split(|&byte| byte == 0).next()?;
    let path = bytes.get(..LONGEST).unwrap_or(bytes);
    Some(String::from_utf8_lossy(path).into_owned())
}

fn debug_info(path: &Path, elf: &object::File<'_>) -> DebugInfoFound {
    let section = |name| {
        elf.section_by_name(name).filter(|section: &object::Section<'_, '_>| section.size() > 0)
    };
    DebugInfoFound {
        file: path.to_owned(),
        has_lines: section(".debug_line").is_some(),
        is_compressed: section(".debug_info").is_some_and(|section| is_compressed(&section)),
    }
}

fn is_compressed<'d>(section: &impl ObjectSection<'d>) -> bool {
    let by_flag = matches!(section.flags(), SectionFlags::Elf { sh_flags, .. }
        if sh_flags.contains(object::elf::SHF_COMPRESSED));
    by_flag || section.name().is_ok_and(|name| name.starts_with(".zdebug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_what_it_offers() {
        let found = inspect(&std::env::current_exe().unwrap(), &Sources::default()).unwrap();
        assert!(found.interpreter.is_some_and(|loader| loader.contains("ld-linux")));
        assert!(found.has_symbols);
        assert!(0 < found.unwindable && found.unwindable <= found.code);
    }

    #[test]
    fn a_file_that_is_no_program_is_refused() {
        let cause = |path| inspect(Path::new(path), &Sources::default()).unwrap_err().cause;
        assert!(matches!(cause("/etc/passwd"), Cause::Unreadable(_)));
        assert!(matches!(cause("/no/such/file"), Cause::Missing(_)));
    }
}
