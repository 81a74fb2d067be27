//! Names of C++, as cpp_demangle prints them and as debug information has them.

use super::{behind_brackets, is_in_name};

const ANONYMOUS: &str = "(anonymous namespace)";
const OPERATOR: &str = "operator";
/// Operators that look like brackets, the longer ones first.
const BRACKETS: [&str; 12] =
    ["()", "<=>", "<<=", "<<", "<=", "<", "->*", "->", ">>=", ">>", ">=", ">"];
/// What may stand behind parameters.
const QUALIFIERS: [&str; 5] = [" const", " volatile", " &&", " &", " noexcept"];
/// Namespaces that nobody writes.
const INLINE_NAMESPACES: [&str; 2] = ["std::__cxx11::", "std::__1::"];

/// `name` without template arguments, parameters and what follows them. `None` for a name that
/// makes no sense.
pub fn readable(name: &str) -> Option<String> {
    if name.starts_with('{') {
        return None; // a thunk, whose function is in its parameters
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        rest = take(&mut out, c, rest)?;
    }
    out.truncate(out.trim_end().len());
    Some(INLINE_NAMESPACES.into_iter().fold(out, |out, long| out.replace(long, "std::")))
}

/// Writes what `rest` begins with, and returns what follows.
fn take<'n>(out: &mut String, c: char, rest: &'n str) -> Option<&'n str> {
    let behind = &rest[c.len_utf8()..];
    match c {
        'o' if is_operator(out, rest) => {
            let symbol = &rest[OPERATOR.len()..];
            let sign = BRACKETS.into_iter().find(|sign| symbol.starts_with(sign)).unwrap_or("");
            out.push_str(&rest[..OPERATOR.len() + sign.len()]);
            Some(&symbol[sign.len()..])
        }
        '<' if rest.starts_with("<lambda") && !out.ends_with(is_in_name) => {
            out.push_str("{lambda}");
            Some(&rest[behind_brackets(rest, '<', '>')?..])
        }
        '<' => {
            out.truncate(out.trim_end().len()); // `operator< <int>`
            Some(&rest[behind_brackets(rest, '<', '>')?..])
        }
        '(' if rest.starts_with(ANONYMOUS) => {
            out.push_str(ANONYMOUS);
            Some(&rest[ANONYMOUS.len()..])
        }
        '(' => Some(without_qualifiers(&rest[behind_brackets(rest, '(', ')')?..])),
        '[' if rest.starts_with("[abi:") => Some(&rest[behind_brackets(rest, '[', ']')?..]),
        '>' | ')' | '}' if !(c == '}' && out.contains('{')) => None,
        _ => {
            out.push(c);
            Some(behind)
        }
    }
}

fn is_operator(out: &str, rest: &str) -> bool {
    let symbol = rest.strip_prefix(OPERATOR);
    symbol.is_some_and(|symbol| !symbol.starts_with(is_in_name)) && !out.ends_with(is_in_name)
}

fn without_qualifiers(mut rest: &str) -> &str {
    let next = |rest| QUALIFIERS.into_iter().find_map(|word| str::strip_prefix(rest, word));
    while let Some(behind) = next(rest) {
        rest = behind;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_real_programs_are_readable() {
        let table = [
            (
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
                "std::vector::push_back",
            ),
            (
                "app::Engine::run(std::vector<std::__cxx11::basic_string<char, \
                 std::char_traits<char>, std::allocator<char> > > const&) &",
                "app::Engine::run",
            ),
            (
                "std::__cxx11::basic_string<char>::basic_string(std::__cxx11::basic_string<char>&&)",
                "std::basic_string::basic_string",
            ),
            (
                "std::char_traits<char>::copy(char*, char const*, unsigned long)",
                "std::char_traits::copy",
            ),
            (
                "(anonymous namespace)::Node<double>::operator bool() const",
                "(anonymous namespace)::Node::operator bool",
            ),
            (
                "(anonymous namespace)::Node<double>::operator()(double) const",
                "(anonymous namespace)::Node::operator()",
            ),
            ("bool operator< <int>(Node<int> const&, Node<int> const&)", "bool operator<"),
            ("std::operator<< <std::char_traits<char> >(std::ostream&, char)", "std::operator<<"),
            ("app::operator<<(std::ostream&, app::Engine&)", "app::operator<<"),
            ("std::unique_ptr<T>::operator->() const", "std::unique_ptr::operator->"),
            ("operator new(unsigned long)", "operator new"),
            (
                "main::{lambda(auto:1&, auto:2&)#1}::operator()(int) const",
                "main::{lambda#1}::operator()",
            ),
            ("f(int) const::{lambda()#2}::operator()() const", "f::{lambda#2}::operator()"),
            ("main()::<lambda(auto:1&)>::operator()<int>", "main::{lambda}::operator()"),
            ("operator()<__gnu_cxx::__normal_iterator<int*, std::vector<int> > >", "operator()"),
            ("__sort<__gnu_cxx::__ops::_Iter_comp_iter<main()::<lambda(auto:1&)> > >", "__sort"),
            (
                "std::_Function_handler<void (), app::run()::{lambda()#1}>::_M_invoke(std::_Any_data const&)",
                "std::_Function_handler::_M_invoke",
            ),
            (
                "llvm::DbgVariableRecord::DbgVariableRecord(llvm::Metadata*)",
                "llvm::DbgVariableRecord::DbgVariableRecord",
            ),
            (
                "non-virtual thunk to llvm::Pass::run(llvm::Function&)",
                "non-virtual thunk to llvm::Pass::run",
            ),
            ("to_string[abi:cxx11](int)", "to_string"),
            (
                "std::__1::basic_ostream<char>::~basic_ostream()",
                "std::basic_ostream::~basic_ostream",
            ),
            (
                "std::__exception_ptr::exception_ptr::operator void (std::exception_ptr::*)()()",
                "std::__exception_ptr::exception_ptr::operator void",
            ),
            ("main", "main"),
        ];
        for (name, expected) in table {
            assert_eq!(readable(name).as_deref(), Some(expected), "{name}");
        }
    }
}
