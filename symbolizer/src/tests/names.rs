//! What code is called, with the file itself at hand.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};
use std::task::{Context, Poll, Waker};

use super::folder::{Folder, INLINING};
use super::*;

#[inline(always)]
fn inlined_here(x: u64) -> u64 {
    black_box(x) * 3
}

#[inline(never)]
fn known_function(x: u64) -> u64 {
    inlined_here(x) + 1
}

#[test]
fn our_own_functions_have_files_and_lines_and_inlined_callees() {
    assert_eq!(black_box(known_function as fn(u64) -> u64)(2), 7);
    let exe = std::env::current_exe().unwrap();
    let here = |name: &str| format!("sigspy_symbolizer::tests::names::{name}");
    let all = all_of(&exe, "known_function");
    let (inner, outer) = (here("inlined_here"), here("known_function"));
    assert!(all.iter().all(|frames| *frames.last().unwrap().function == *outer));
    let [callee, caller] =
        all.iter().find(|frames| are(frames, &[&inner, &outer])).unwrap() as &[Frame]
    else {
        unreachable!()
    };
    assert!(callee.inlined && !caller.inlined);
    let file = |frame: &Frame| frame.file.as_ref().unwrap().ends_with("src/tests/names.rs");
    assert!(file(callee) && file(caller));
    let lines = (callee.line.unwrap(), caller.line.unwrap());
    assert!(lines.0 < lines.1 && lines.1 < line!(), "{lines:?}");
}

async fn async_here(x: u64) -> u64 {
    black_box(x) * 5
}

#[test]
fn bodies_of_async_functions_are_told_from_closures() {
    let mut future = std::pin::pin!(async_here(2));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(10));
    let exe = std::env::current_exe().unwrap();
    let bytes = fs::read(&exe).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let mangled = ["10async_here0", "10async_here28_$u7b$$u7b$closure$u7d$$u7d$"]; // v0 and legacy
    let is_body = |name: &&str| mangled.iter().any(|body| name.contains(body));
    let symbol = elf.symbols().filter_map(|symbol| symbol.name().ok()).find(is_body).unwrap();
    let all = all_of(&exe, symbol);
    let name = "sigspy_symbolizer::tests::names::async_here::{async_fn#0}";
    assert!(all.iter().all(|frames| &*frames.last().unwrap().function == name), "{all:?}");
}

#[test]
fn inlined_functions_of_c_are_frames() {
    for (name, arguments) in [("plain", &["-g"] as &[_]), ("zlib", &["-g", "-gz"])] {
        let folder = Folder::new(name);
        let program = folder.compile(INLINING, arguments);
        let all = all_of(&program, "outer");
        let frames = all.iter().find(|frames| are(frames, &["inner", "outer"])).unwrap();
        assert_eq!((frames[0].line, frames[1].line), (Some(2), Some(3)), "{name}");
        assert!(frames[0].file.as_ref().unwrap().ends_with("app.c"));
        assert!(look_up(&module(&program), &[]).1.is_none());
    }
}

#[test]
fn without_debug_information_the_symbol_table_gives_names() {
    let folder = Folder::new("symtab");
    let program = folder.compile(INLINING, &[]);
    let (address, size) = symbol(&program, "outer");
    let (frames, cause) = look_up(&module(&program), &[address, address + size - 1]);
    assert!(frames.iter().all(|frames| are(frames, &["outer"])));
    assert!(frames.iter().flatten().all(|frame| frame.line.is_none() && frame.file.is_none()));
    assert!(matches!(cause, Some(Cause::NoDebugInfo)), "{cause:?}");
}

#[test]
fn of_a_name_without_end_the_beginning_is_shown() {
    let name = "x".repeat(100_000);
    let function = format!("__attribute__((noinline)) int {name}(int x) {{ return x / 3; }}");
    let source = format!("{function}\nint main(int argc, char **argv) {{ return {name}(argc); }}");
    for debug in ["-g0", "-g"] {
        let folder = Folder::new("endless");
        let program = folder.compile(&source, &[debug]);
        let lengths = |frames: &Vec<Frame>| frames[0].function.len();
        assert!(all_of(&program, &name).iter().map(lengths).all(|length| length == 16 << 10));
    }
}

#[test]
fn an_exported_function_does_not_lend_its_name_to_hidden_ones() {
    let folder = Folder::new("exported");
    let source =
        "int sink; static __attribute__((noinline)) int hidden(int x) { return sink += x; }
                  int exported(int x) { return hidden(x) + hidden(x + 1); }";
    let program = folder.compile(source, &["-shared", "-fPIC"]);
    let (exported, size) = symbol(&program, "exported");
    let (hidden, _) = symbol(&program, "hidden");
    folder.run("strip", &["app"]);
    let module = module(&program);
    assert_eq!(functions(&module, exported + size - 1), ["exported"]);
    assert_eq!(functions(&module, hidden), [format!("app+{hidden:#x}")]);
}

#[test]
fn assembly_without_sizes_reaches_to_the_next_symbol_of_its_section() {
    let folder = Folder::new("assembly");
    let source = "\
        .globl main\n.text\nmain: xorl %eax, %eax\n ret\n.skip 64, 0x90\n\
        second: nop\n .skip 8192, 0x90\n.section .other, \"ax\"\nthird: ret\n";
    let program = folder.compile_with("cc", "app.s", source, &[]);
    let module = module(&program);
    let (main, _) = symbol(&program, "main");
    let (second, _) = symbol(&program, "second");
    let (third, _) = symbol(&program, "third");
    assert_eq!(functions(&module, main + 10), ["main"]);
    assert_eq!(functions(&module, second), ["second"]);
    assert_eq!(functions(&module, second + 4095), ["second"]);
    assert_eq!(functions(&module, second + 4096), [format!("app+{:#x}", second + 4096)]);
    assert_eq!(functions(&module, third), ["third"]);
    assert_eq!(functions(&module, third + 1), [format!("app+{:#x}", third + 1)]);
}

#[test]
fn cxx_names_are_demangled_templates_included() {
    let folder = Folder::new("cxx");
    let source = "\
        #include <map>\n#include <string>\nnamespace space { struct Thing {\n\
        template <class T> __attribute__((noinline)) int put(T const& all) const {\n\
        return all.size(); } }; }\n\
        int main() { std::map<int, std::string> m; return space::Thing().put(m); }\n";
    for debug in ["-g", "-g0"] {
        let program = folder.compile_with("c++", "app.cc", source, &[debug]);
        let frames = all_of(&program, "Thing3put");
        let name = &frames[0].last().unwrap().function;
        assert!(name.starts_with("space::Thing::put<std::map<int, std::"), "{name}");
        assert!(name.contains(" const&) const"), "{name}");
    }
}

#[test]
fn a_lambda_is_named_with_the_function_around_it() {
    let folder = Folder::new("lambda");
    let source = "\
        volatile int sink; template <class F> __attribute__((noinline)) int call(F f) {\n\
        return f(1) + f(2); }\n\
        int main() { return call([](int x) __attribute__((noinline)) { return sink += x; }); }\n";
    let program = folder.compile_with("c++", "app.cc", source, &["-g"]);
    let frames = all_of(&program, "ZZ4mainENKUl");
    let name = &frames[0].last().unwrap().function;
    assert!(name.starts_with("main::{lambda(int)#1}::operator()(int)"), "{name}");
}

#[test]
fn old_rust_names_are_demangled_in_real_files() {
    let folder = Folder::new("legacy");
    let source = "\
        __attribute__((noinline)) int work(int) __asm__(\"_ZN3app4work17h0123456789abcdefE\");\n\
        int work(int x) { __asm__(\"\"); return x; }\nint main(int c, char **v) { return work(c); }\n";
    let program = folder.compile(source, &[]);
    let (address, _) = symbol(&program, "4work");
    assert_eq!(functions(&module(&program), address), ["app::work"]);
}

#[test]
fn stubs_are_called_after_the_function_they_jump_to() {
    let source = "int puts(const char *); int getpid(void);
                  int main(void) { getpid(); return puts(\"\") + getpid(); }";
    for arguments in [["-Wl,-z,lazy", "-fcf-protection=none"], ["-Wl,-z,now", "-fcf-protection"]] {
        let folder = Folder::new(&format!("plt{}", arguments[0].len() + arguments[1].len()));
        let program = folder.compile(source, &arguments);
        let bytes = fs::read(&program).unwrap();
        let elf = object::File::parse(&*bytes).unwrap();
        let mut found = Vec::new();
        for stub in crate::plt::stubs(&elf) {
            found.extend(functions(&module(&program), stub.start));
            assert_eq!(functions(&module(&program), stub.end - 1), found[found.len() - 1..]);
        }
        found.retain(|name| !name.starts_with("__")); // of the C runtime
        found.sort_unstable();
        assert_eq!(found, ["getpid@plt", "puts@plt"], "{arguments:?}");
    }
}

#[test]
fn functions_of_the_vdso_are_named() {
    let (start, end) = vdso_range();
    let mut image = vec![0; (end - start) as usize];
    let mut memory = fs::File::open("/proc/self/mem").unwrap();
    memory.seek(SeekFrom::Start(start)).unwrap();
    memory.read_exact(&mut image).unwrap();
    let elf = object::File::parse(&*image).unwrap();
    let named = |name: &str| elf.dynamic_symbols().find(|symbol| symbol.name() == Ok(name));
    let address = named("__vdso_clock_gettime").unwrap().address();
    let path = "[vdso]".to_owned();
    let module = Module { path, build_id: None, image: Some(image.clone()) };
    let (frames, cause) = look_up(&module, &[0x10, address]);
    assert!(cause.is_none(), "{cause:?}");
    assert!(are(&frames[0], &["[vdso]+0x10"]));
    assert!(are(&frames[1], &["__vdso_clock_gettime"]));
}

fn vdso_range() -> (u64, u64) {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap();
    let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
    let number = |text| u64::from_str_radix(text, 16).unwrap();
    (number(start), number(end))
}

#[test]
fn code_without_a_module_or_with_an_unknown_one_is_anonymous() {
    for module in [None, Some(ModuleId(7))] {
        let location = Location { module, address: 0x1234 };
        let found = symbolize(&[], &[location], &BTreeMap::new(), &Sources::default(), &|_, _| ());
        assert!(are(found.symbols.frames(LocationId(0)), &["[anon]"]));
        assert!(found.problems.is_empty());
    }
}

#[test]
fn code_without_a_module_has_the_name_that_the_program_gave_it() {
    let location = |module| Location { module, address: 0x1234 };
    let names = ["py::work:/app/@main.py", "two\nlines", "of a module"];
    let names = (0..).map(LocationId).zip(names.map(str::to_owned)).collect();
    let locations = [None, None, Some(ModuleId(7)), None].map(location);
    let symbols = symbolize(&[], &locations, &names, &Sources::default(), &|_, _| ()).symbols;
    for (id, name) in (0..).zip(["py::work:/app/@main.py", "two\u{fffd}lines", "[anon]", "[anon]"])
    {
        assert!(are(symbols.frames(LocationId(id)), &[name]), "{name:?}");
    }
}

#[test]
fn equal_locations_have_equal_frames_and_progress_is_told() {
    let exe = std::env::current_exe().unwrap();
    let (address, _) = symbol(&exe, "known_function");
    let modules = [module(&exe), module(&exe)];
    let location = |id| Location { module: Some(ModuleId(id)), address };
    let told = std::sync::Mutex::new(Vec::new());
    let progress = |done, all| told.lock().unwrap().push((done, all));
    let locations = [location(1), location(0), location(1)];
    let found = symbolize(&modules, &locations, &BTreeMap::new(), &Sources::default(), &progress);
    let frames = |id| found.symbols.frames(LocationId(id));
    assert!(!frames(0).is_empty() && frames(0) == frames(1) && frames(1) == frames(2));
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    assert_eq!(told, [(1, 2), (2, 2)]);
}

#[test]
fn many_addresses_are_the_same_as_few() {
    let exe = std::env::current_exe().unwrap();
    let (start, _) = symbol(&exe, "known_function");
    let module = module(&exe);
    let addresses: Vec<u64> = (0..2 * crate::lookup::MANY as u64).map(|i| start + 7 * i).collect();
    let (many, _) = look_up(&module, &addresses);
    let few: Vec<_> = addresses.chunks(1000).flat_map(|part| look_up(&module, part).0).collect();
    assert_eq!(many, few);
}
