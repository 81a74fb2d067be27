//! The agent is a guest in other people's programs: it brings nothing and asks for nothing.
//!
//! These are properties of the shared object that is loaded into the program, so it is that file
//! that is looked at: the one that `sigspy record` unpacks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::elf::{self, ProgramFlags, ProgramType};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader, Sym};
use object::{Endianness, Object, ObjectSymbol};
use sigspy_tests::{TempDir, program, run, sigspy};

/// What the agent may look up in the program, where it is there: weak symbols.
const WANTED: [&str; 2] = ["environ", "getauxval"];

/// What the agent puts itself in front of.
const INTERPOSED: [&str; 24] = [
    "_Fork",
    "clone",
    "dlclose",
    "dlopen",
    "execl",
    "execle",
    "execlp",
    "execv",
    "execve",
    "execveat",
    "execvp",
    "execvpe",
    "fexecve",
    "posix_spawn",
    "posix_spawnp",
    "pthread_create",
    "pthread_sigmask",
    "sigaction",
    "signal",
    "sigprocmask",
    "sigtimedwait",
    "sigwait",
    "sigwaitinfo",
    "thrd_create",
];

type Elf<'data> = ElfFile64<'data, Endianness>;

/// Profiles a program with an empty cache, and hands the agent it finds there to `check`.
fn with_agent(check: impl FnOnce(&Elf)) {
    let folder = TempDir::new();
    let cache = folder.join("cache");
    let mut sigspy = Command::new(sigspy());
    sigspy.args(["record", "-o"]).arg(folder.join("recording.sigspy")).arg("--");
    sigspy.arg(program("exit_code.c")).env("XDG_CACHE_HOME", &cache).env_remove("SIGSPY_CACHE");
    let outcome = run(&mut sigspy).expect(0);

    let agents = shared_objects_below(&cache);
    assert_eq!(agents.len(), 1, "agents in the cache: {agents:?}\n{outcome}");
    let bytes = fs::read(&agents[0]).expect("the agent can be read");
    check(&Elf::parse(&*bytes).expect("the agent is a 64-bit ELF file"));
}

fn shared_objects_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths
        .flat_map(|path| if path.is_dir() { shared_objects_below(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "so"))
        .collect()
}

/// The flags of the segments of a kind.
fn segments<'a>(agent: &'a Elf, kind: ProgramType) -> impl Iterator<Item = ProgramFlags> + 'a {
    let endian = agent.endian();
    let headers = agent.elf_program_headers().iter();
    headers.filter(move |header| header.p_type(endian) == kind).map(move |h| h.p_flags(endian))
}

#[test]
fn it_has_no_thread_local_storage() {
    with_agent(|agent| assert_eq!(segments(agent, elf::PT_TLS).count(), 0));
}

#[test]
fn it_needs_no_library() {
    with_agent(|agent| {
        let (endian, data) = (agent.endian(), agent.data());
        let sections = agent.elf_header().sections(endian, data).expect("it has sections");
        let (entries, _) = sections
            .dynamic(endian, data)
            .expect("the dynamic section is well formed")
            .expect("a shared object has a dynamic section");
        let needed = entries.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED);
        assert_eq!(needed.count(), 0, "entries DT_NEEDED");
    });
}

#[test]
fn it_asks_the_program_for_next_to_nothing() {
    with_agent(|agent| {
        for symbol in agent.dynamic_symbols().filter(ObjectSymbol::is_undefined) {
            let name = symbol.name().expect("a name");
            if name.is_empty() {
                continue; // the null symbol that every table begins with
            }
            assert!(WANTED.contains(&name), "`{name}` is undefined");
            assert!(symbol.is_weak(), "`{name}` must be weak: the program may not have it");
        }
    });
}

#[test]
fn it_shows_the_program_nothing_but_what_it_interposes() {
    with_agent(|agent| {
        let endian = agent.endian();
        let mut names: Vec<_> = agent
            .dynamic_symbols()
            .filter(|symbol| !symbol.is_undefined())
            .filter(|symbol| symbol.elf_symbol().st_visibility() != elf::STV_HIDDEN)
            .filter(|symbol| symbol.elf_symbol().st_shndx(endian) != elf::SHN_ABS)
            .map(|symbol| symbol.name().expect("a name"))
            .collect();
        names.sort_unstable();
        assert_eq!(names, INTERPOSED);
    });
}

#[test]
fn it_has_no_code_that_panics() {
    with_agent(|agent| {
        let all = agent.symbols().chain(agent.dynamic_symbols());
        let panicking: Vec<_> = all
            .filter_map(|symbol| symbol.name().ok())
            .filter(|n| n.contains("panicking"))
            .collect();
        assert_eq!(panicking, [""; 0]);
    });
}

#[test]
fn it_has_no_memory_that_is_both_writable_and_executable() {
    with_agent(|agent| {
        let both =
            segments(agent, elf::PT_LOAD).filter(|flags| flags.contains(elf::PF_W | elf::PF_X));
        assert_eq!(both.count(), 0, "segments that are both");
    });
}

#[test]
fn it_does_not_make_the_stack_of_the_program_executable() {
    with_agent(|agent| {
        let stacks: Vec<_> = segments(agent, elf::PT_GNU_STACK).collect();
        assert_eq!(stacks.len(), 1, "without PT_GNU_STACK the stack would become executable");
        assert!(!stacks[0].contains(elf::PF_X), "the stack would become executable");
    });
}
