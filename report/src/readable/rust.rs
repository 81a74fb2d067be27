//! Names of Rust, as rustc-demangle prints them: legacy and v0.

use super::{DEEPEST, behind_brackets, is_arrow, is_in_name};

const CLOSURE: &str = "{{closure}}";
const AS: &str = " as ";
const FOR: &str = " for ";
const IMPL: &str = "<impl ";
/// Says little without the type whose values it drops.
const DROP: &str = "drop_in_place";

/// `name` without type arguments and numbers; traits are told by their last name. `None` for a
/// name that makes no sense.
pub fn readable(name: &str) -> Option<String> {
    let mut writer = Writer { out: String::with_capacity(name.len()), open: Vec::new() };
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        rest = writer.take(c, rest)?;
    }
    writer.open.is_empty().then_some(writer.out)
}

/// The name so far.
struct Writer {
    out: String,
    /// Types in angle brackets that have not ended yet.
    open: Vec<Bracketed>,
}

/// `<Type>`, `<Type as Trait>` or `<impl Trait for Type>`, or arguments that are kept.
struct Bracketed {
    /// Where `<` is in the output.
    start: usize,
    /// Where `as` or `for` is.
    middle: Option<usize>,
    is_arguments: bool,
}

impl Writer {
    /// Writes what `rest` begins with, and returns what follows.
    fn take<'n>(&mut self, c: char, rest: &'n str) -> Option<&'n str> {
        let behind = &rest[c.len_utf8()..];
        match c {
            '<' if self.is_behind_name() && !rest.starts_with(IMPL) => return self.arguments(rest),
            '<' => self.open(false)?,
            '>' if !self.out.ends_with(is_arrow) => self.close()?,
            '{' => {
                let end = behind_brackets(rest, '{', '}')?;
                self.braces(rest[..end].trim_matches(['{', '}']));
                return Some(&rest[end..]);
            }
            ' ' => {
                self.middle(rest);
                self.out.push(c);
            }
            _ => self.out.push(c),
        }
        Some(behind)
    }

    /// `Vec<` or `foo::<`, and not `<` at the begin of a path.
    fn is_behind_name(&self) -> bool {
        let path = self.out.strip_suffix("::").unwrap_or(&self.out);
        path.ends_with(|c: char| is_in_name(c) || matches!(c, '}' | '>' | ']'))
    }

    fn arguments<'n>(&mut self, rest: &'n str) -> Option<&'n str> {
        self.trim_colons();
        if self.out.ends_with(DROP) {
            self.open(true)?;
            return Some(&rest[1..]);
        }
        Some(&rest[behind_brackets(rest, '<', '>')?..])
    }

    fn trim_colons(&mut self) {
        let trimmed = self.out.strip_suffix("::").map_or(self.out.len(), str::len);
        self.out.truncate(trimmed);
    }

    fn open(&mut self, is_arguments: bool) -> Option<()> {
        let bracketed = Bracketed { start: self.out.len(), middle: None, is_arguments };
        self.open.push(bracketed);
        self.out.push('<');
        (self.open.len() < DEEPEST).then_some(())
    }

    /// Remembers where the innermost brackets say `as` or `for`.
    fn middle(&mut self, rest: &str) {
        if let Some(open) = self.open.last_mut()
            && open.middle.is_none()
        {
            let word = if self.out[open.start..].starts_with(IMPL) { FOR } else { AS };
            open.middle = rest.starts_with(word).then_some(self.out.len());
        }
    }

    fn close(&mut self) -> Option<()> {
        let Bracketed { start, middle, is_arguments } = self.open.pop()?;
        let inner = self.out.split_off(start);
        let inner = &inner[1..];
        if is_arguments {
            self.out.push_str(&format!("<{inner}>"));
            return Some(());
        }
        let middle = middle.map(|middle| middle - start - 1);
        let (subject, of_trait) = match (inner.strip_prefix(&IMPL[1..]), middle) {
            (None, None) => (inner, None),
            (None, Some(at)) => (&inner[..at], Some(&inner[at + AS.len()..])),
            (Some(inherent), None) => (inherent, None),
            (Some(_), Some(at)) => (&inner[at + FOR.len()..], inner.get(IMPL.len() - 1..at)),
        };
        if inner.starts_with(&IMPL[1..]) {
            self.drop_path();
        }
        let subject = without_bounds(subject);
        match of_trait.and_then(|of_trait| of_trait.rsplit("::").next()) {
            Some(of_trait) => self.out.push_str(&format!("<{subject} as {of_trait}>")),
            None if is_plain(subject) => self.out.push_str(subject),
            None => self.out.push_str(&format!("<{subject}>")),
        }
        Some(())
    }

    /// Removes the path in which an `impl` stands: its type says more.
    fn drop_path(&mut self) {
        let is_part = |c: char| is_in_name(c) || matches!(c, ':' | '{' | '}');
        let path = self.out.trim_end_matches(is_part).len();
        self.out.truncate(path);
    }

    /// `{closure#0}`, `{{closure}}`, `{shim:vtable#0}`, `{{vtable.shim}}`, `{constant#0}` ...
    fn braces(&mut self, content: &str) {
        let kind = content.split('#').next().unwrap_or_default();
        match kind {
            "closure" | "closure_env" | "async_closure" => {
                let nested = self.out.strip_suffix("::").unwrap_or(&self.out);
                match nested.ends_with(CLOSURE) {
                    true => self.trim_colons(),
                    false => self.out.push_str(CLOSURE),
                }
            }
            "async_fn" | "async_fn_env" | "vtable.shim" | "reify.shim" => self.trim_colons(),
            shim if shim.starts_with("shim:") => self.trim_colons(),
            _ => self.out.push_str(&format!("{{{{{kind}}}}}")),
        }
    }
}

/// `dyn Fn + Send` without what only says how a value may be used.
fn without_bounds(subject: &str) -> &str {
    let first = subject.split('+').next().filter(|_| subject.contains("dyn "));
    first.map_or(subject, str::trim_end)
}

/// Whether a type can stand in a path without brackets.
fn is_plain(subject: &str) -> bool {
    !subject.contains(' ') && !subject.starts_with(['&', '*', '(']) && !subject.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_real_programs_are_readable() {
        let table = [
            // rustc, v0
            (
                "<rustc_resolve::Resolver>::resolve_crate::{closure#0}",
                "rustc_resolve::Resolver::resolve_crate::{{closure}}",
            ),
            ("<thin_vec::ThinVec<rustc_ast::ast::PathSegment>>::push", "thin_vec::ThinVec::push"),
            (
                "<rustc_parse::parser::Parser>::collect_tokens_for_expr::<<rustc_parse::parser::\
                 Parser>::parse_expr_dot_or_call::{closure#0}>",
                "rustc_parse::parser::Parser::collect_tokens_for_expr",
            ),
            (
                "<rustc_resolve::late::LateResolutionVisitor as rustc_ast::visit::Visitor>::visit_fn",
                "<rustc_resolve::late::LateResolutionVisitor as Visitor>::visit_fn",
            ),
            (
                "rustc_query_impl::execution::try_execute_query::<rustc_middle::query::caches::\
                 DefIdCache<rustc_middle::query::erase::ErasedData<[u8; 16]>>, false>",
                "rustc_query_impl::execution::try_execute_query",
            ),
            (
                "<thin_vec::ThinVec<_> as core::ops::drop::Drop>::drop::drop_non_singleton::\
                 <alloc::boxed::Box<rustc_ast::ast::Item>>",
                "<thin_vec::ThinVec as Drop>::drop::drop_non_singleton",
            ),
            (
                "<core::iter::adapters::GenericShunt<core::iter::adapters::map::Map<\
                 <rustc_metadata::creader::CrateMetadataRef>::get_module_children::{closure#0}, \
                 core::result::Result<rustc_middle::metadata::ModChild, !>::Ok>, \
                 core::result::Result<core::convert::Infallible, !>> as \
                 core::iter::traits::iterator::Iterator>::next",
                "<core::iter::adapters::GenericShunt as Iterator>::next",
            ),
            (
                "<std::thread::lifecycle::spawn_unchecked<rustc_interface::util::run<(), \
                 rustc_driver_impl::run_compiler::{closure#0}>::{closure#1}, ()>::{closure#0} as \
                 core::ops::function::FnOnce<()>>::call_once::{shim:vtable#0}",
                "<std::thread::lifecycle::spawn_unchecked::{{closure}} as FnOnce>::call_once",
            ),
            (
                "<dyn rustc_hir_analysis::hir_ty_lowering::HirTyLowerer>::lower_ty",
                "<dyn rustc_hir_analysis::hir_ty_lowering::HirTyLowerer>::lower_ty",
            ),
            (
                "<&dyn core::ops::function::Fn<(), Output = i32> + core::marker::Sync + \
                 core::panic::unwind_safe::RefUnwindSafe as core::ops::function::FnOnce<()>>::call_once",
                "<&dyn core::ops::function::Fn as FnOnce>::call_once",
            ),
            (
                "core::ptr::drop_in_place::<alloc::vec::Vec<rustc_ast::ast::ExprKind>>",
                "core::ptr::drop_in_place<alloc::vec::Vec>",
            ),
            (
                "<std::sys::thread::unix::Thread>::new::thread_start",
                "std::sys::thread::unix::Thread::new::thread_start",
            ),
            ("<str>::parse::<f64>", "str::parse"),
            (
                "<[u32]>::sort_unstable_by_key::<u8, app::main::{closure#2}::{closure#0}>",
                "[u32]::sort_unstable_by_key",
            ),
            ("<[u8; 32] as core::fmt::Debug>::fmt", "<[u8; 32] as Debug>::fmt"),
            (
                "<fn(u8) -> u8 as core::ops::function::FnOnce<(u8,)>>::call_once",
                "<fn(u8) -> u8 as FnOnce>::call_once",
            ),
            (
                "<(u8, alloc::vec::Vec<u8>) as core::hash::Hash>::hash::<H>",
                "<(u8, alloc::vec::Vec) as Hash>::hash",
            ),
            (
                "<<app::Store as app::Open>::Handle as core::ops::drop::Drop>::drop",
                "<<app::Store as Open>::Handle as Drop>::drop",
            ),
            // legacy
            (
                "std::sync::once::Once::call_once::{{closure}}",
                "std::sync::once::Once::call_once::{{closure}}",
            ),
            ("alloc::vec::Vec<T,A>::extend_from_slice", "alloc::vec::Vec::extend_from_slice"),
            (
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "core::ops::function::FnOnce::call_once",
            ),
            (
                "core::ops::function::impls::<impl core::ops::function::FnOnce<A> for &mut F>::call_once",
                "<&mut F as FnOnce>::call_once",
            ),
            ("core::slice::<impl [T]>::iter", "[T]::iter"),
            ("alloc::str::<impl str>::replace", "str::replace"),
            (
                "serde::de::impls::<impl serde::de::Deserialize for u64>::deserialize",
                "<u64 as Deserialize>::deserialize",
            ),
            (
                "core::ptr::drop_in_place<alloc::vec::Vec<alloc::string::String>>",
                "core::ptr::drop_in_place<alloc::vec::Vec>",
            ),
            (
                "core::ptr::drop_in_place<core::iter::adapters::map::Map<alloc::vec::into_iter::\
                 IntoIter<u8>,fn(app::Value) .> std::path::PathBuf>>",
                "core::ptr::drop_in_place<core::iter::adapters::map::Map>",
            ),
            (
                "<dyn core::any::Any+core::marker::Sync+core::marker::Send>::downcast_ref",
                "<dyn core::any::Any>::downcast_ref",
            ),
            (
                "<serde_json::de::MapAccess<R> as serde::de::MapAccess>::next_key_seed",
                "<serde_json::de::MapAccess as MapAccess>::next_key_seed",
            ),
            (
                "<rayon_core::job::StackJob<L,F,R> as rayon_core::job::Job>::execute",
                "<rayon_core::job::StackJob as Job>::execute",
            ),
            (
                "tokio::runtime::task::core::Core<T,S>::poll::{{closure}}::{{closure}}",
                "tokio::runtime::task::core::Core::poll::{{closure}}",
            ),
            // async functions, as debug information calls their bodies
            ("app::server::handle::{async_fn#0}", "app::server::handle"),
            ("app::server::handle::{async_block#1}", "app::server::handle::{{async_block}}"),
        ];
        for (name, expected) in table {
            assert_eq!(readable(name).as_deref(), Some(expected), "{name}");
        }
    }
}
