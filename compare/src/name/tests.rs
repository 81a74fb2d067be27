use super::*;

fn frame(name: &str, language: Language) -> Frame {
    Frame { function: name.into(), file: None, line: None, language, inlined: false }
}

#[track_caller]
fn assert_names(language: Language, generics: Generics, table: &[(&str, &str)]) {
    for (name, expected) in table {
        assert_eq!(canonical(&frame(name, language), generics), *expected, "{name}");
    }
}

#[test]
fn what_a_compiler_adds_is_no_part_of_a_name() {
    let table = [
        ("main", "main"),
        ("lzma_encode.cold", "lzma_encode"),
        ("lzma_encode.part.0", "lzma_encode"),
        ("sort_by.isra.0.cold", "sort_by"),
        ("ggc_set_mark.constprop.12", "ggc_set_mark"),
        ("cse_main.lto_priv.0", "cse_main"),
        ("_dl_relocate.llvm.13482719", "_dl_relocate"),
        ("memcpy.localalias", "memcpy"),
        ("compare.clone.3", "compare"),
        ("version.2", "version.2"),
        (".cold", ".cold"),
        ("runtime.mallocgc", "runtime.mallocgc"),
        ("__memmove_avx_unaligned_erms", "__memmove_avx_unaligned_erms"),
    ];
    assert_names(Language::Plain, Generics::Merge, &table);
}

#[test]
fn a_word_of_compilers_may_be_a_name_elsewhere() {
    let names = [
        "main.split",
        "main.exit",
        "os.exit",
        "java/lang/String.split",
        "java/lang/Object.clone",
        "net/http.body.part",
        "time.now.cold",
        "std.mem.split.clone.3",
        "fast.warm",
    ];
    let table = names.map(|name| (name, name));
    assert_names(Language::Plain, Generics::Merge, &table);
    assert_names(Language::Rust, Generics::Merge, &[("app::work.llvm.123.cold", "app::work")]);
    assert_names(Language::Cpp, Generics::Merge, &[("print(...) [clone .cold]", "print")]);
}

#[test]
fn code_without_a_name_is_one_function() {
    let table = [
        ("xz+0x1f40", "?"),
        ("libfoo.so.1+0xabc", "?"),
        ("[anon]", "?"),
        ("0x7f12", "?"),
        ("", "?"),
    ];
    assert_names(Language::Plain, Generics::Merge, &table);
}

#[test]
fn both_manglings_of_rust_have_one_name() {
    let table = [
        ("app::work::h0123456789abcdef", "app::work"),
        ("core[369c8b9e1df8da3a]::fmt::write", "core::fmt::write"),
        ("alloc::vec::Vec<T>::push", "alloc::vec::Vec<_>::push"),
        ("<alloc::vec::Vec<u8>>::push", "alloc::vec::Vec<_>::push"),
        (
            "<alloc::vec::Vec<u8> as core::clone::Clone>::clone",
            "<alloc::vec::Vec<_> as core::clone::Clone>::clone",
        ),
        ("core::ptr::drop_in_place<alloc::string::String>", "core::ptr::drop_in_place<_>"),
        ("core::ptr::drop_in_place::<alloc::string::String>", "core::ptr::drop_in_place<_>"),
        ("core::str::<impl str>::len", "str::len"),
        ("<str>::len", "str::len"),
        (
            "core::fmt::num::imp::<impl core::fmt::Display for u32>::fmt",
            "<u32 as core::fmt::Display>::fmt",
        ),
        ("<u32 as core::fmt::Display>::fmt", "<u32 as core::fmt::Display>::fmt"),
        ("<[u8; 8] as app::Sum>::sum", "<[u8; 8] as app::Sum>::sum"),
        ("<&T as core::fmt::Debug>::fmt", "<&T as core::fmt::Debug>::fmt"),
        ("<<A as B>::C as D>::m", "<<A as B>::C as D>::m"),
        ("<app::S as core::ops::Fn<fn(u8) -> u8>>::call", "<app::S as core::ops::Fn<_>>::call"),
        ("__rustc[5224e6b81cd82a8f]::__rust_alloc", "__rustc::__rust_alloc"),
    ];
    assert_names(Language::Rust, Generics::Merge, &table);
}

#[test]
fn closures_of_rust_belong_to_the_function_around_them() {
    let table = [
        ("app::main::{{closure}}", "app::main"),
        ("app::main::{closure#0}", "app::main"),
        ("app::main::{closure#1}::{closure#0}", "app::main"),
        ("app::main::{closure#0}::inner", "app::main::inner"),
        ("app::serve::{async_fn#0}", "app::serve"),
        (
            "core::ops::function::FnOnce::call_once{{vtable.shim}}",
            "core::ops::function::FnOnce::call_once",
        ),
        (
            "<app::Task as core::future::Future>::poll::{closure#2}",
            "<app::Task as core::future::Future>::poll",
        ),
        ("app::{impl#3}::run", "app::{impl}::run"),
    ];
    assert_names(Language::Rust, Generics::Merge, &table);
}

#[test]
fn templates_and_overloads_merge() {
    let table = [
        ("space::foo(int, bool, char)", "space::foo"),
        (
            "std::vector<int, std::allocator<int> >::push_back(int const&)",
            "std::vector<_>::push_back",
        ),
        ("std::vector<int>::size() const", "std::vector<_>::size"),
        ("add<int>(int, int)", "add<_>"),
        ("(anonymous namespace)::parse(char const*)", "(anonymous namespace)::parse"),
        ("std::operator<< <char>(std::ostream&, char const*)", "std::operator<< <_>"),
        ("Key::operator<(Key const&) const", "Key::operator<"),
        ("Map<A, (Kind)1>::operator[](int)", "Map<_>::operator[]"),
        ("F::operator()(int) const", "F::operator()"),
        ("S::operator bool() const", "S::operator bool"),
        ("std::__cxx11::to_string[abi:cxx11](int)", "std::__cxx11::to_string"),
        ("non-virtual thunk to B::run()", "B::run"),
        ("foo(int) [clone .part.0] [clone .cold]", "foo"),
    ];
    assert_names(Language::Cpp, Generics::Merge, &table);
}

#[test]
fn lambdas_belong_to_the_function_around_them() {
    let table = [
        ("main::{lambda(int)#1}::operator()(int) const", "main"),
        (
            "run(int)::{lambda()#2}::operator()() const::{lambda(char)#1}::operator()(char) const",
            "run",
        ),
        ("main::{lambda()#1}::_FUN()", "main"),
        ("main::$_0::operator()(int) const", "main"),
        (
            "std::_Function_handler<void (), main::{lambda()#1}>::_M_invoke(std::_Any_data const&)",
            "std::_Function_handler<_>::_M_invoke",
        ),
    ];
    assert_names(Language::Cpp, Generics::Merge, &table);
}

#[test]
fn arguments_are_kept_where_they_are_wanted() {
    let rust = [
        ("<alloc::vec::Vec<u8>>::push", "alloc::vec::Vec<u8>::push"),
        ("core::mem::drop::<app::main::{closure#7}>", "core::mem::drop<app::main::{closure}>"),
    ];
    assert_names(Language::Rust, Generics::Keep, &rust);
    let cpp = [
        ("std::vector<int>::push_back(int const&)", "std::vector<int>::push_back(int const&)"),
        ("std::vector<int>::size() const", "std::vector<int>::size() const"),
    ];
    assert_names(Language::Cpp, Generics::Keep, &cpp);
}

#[test]
fn names_of_unknown_language_are_told_by_their_looks() {
    let table = [
        ("app::main::{{closure}}", "app::main"),
        ("app::work::h0123456789abcdef", "app::work"),
        ("space::foo(int)", "space::foo"),
        ("py::work:/app/main.py", "py::work:/app/main.py"),
        ("LazyCompile:*work /app/main.js:12:3", "LazyCompile:work /app/main.js"),
        ("LazyCompile:~work /app/main.js:12:3", "LazyCompile:work /app/main.js"),
        ("Builtin:Add", "Builtin:Add"),
        ("/app/v2/worker", "/app/v2/worker"),
    ];
    assert_names(Language::Plain, Generics::Merge, &table);
}

#[test]
fn the_crate_is_that_of_the_type_or_of_the_trait() {
    let table = [
        ("app::work", Some("app")),
        ("<alloc::vec::Vec<_> as core::clone::Clone>::clone", Some("alloc")),
        ("<u32 as core::fmt::Display>::fmt", Some("core")),
        ("<[T] as app::Sum>::sum", Some("app")),
        ("str::len", None),
        ("main", None),
    ];
    for (name, expected) in table {
        assert_eq!(crate_of(name, Language::Rust), expected, "{name}");
    }
}

#[test]
fn brackets_that_do_not_match_do_no_harm() {
    let hostile =
        ["<", ">>>", "a<b", "a(b", "f(]", "::", "::::", "operator<", "{", "$_0", "{{closure}}"];
    let deep = "<".repeat(10_000);
    for name in hostile.iter().copied().chain([deep.as_str(), "é<ü>(ß)::{lambda"]) {
        for language in [Language::Rust, Language::Cpp, Language::Plain] {
            for generics in [Generics::Merge, Generics::Keep] {
                assert!(!canonical(&frame(name, language), generics).is_empty(), "{name}");
            }
        }
    }
}
