//! Names with brackets, read from left to right.

/// Where the bracket that opens at `start` is closed: the index after it. `None` if it is not.
/// `->` closes nothing.
pub fn after_bracket(name: &str, start: usize) -> Option<usize> {
    let bytes = name.as_bytes();
    let mut expected = Vec::new();
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        let skipped = operator_length(name, at);
        if skipped > 0 {
            at += skipped;
            continue;
        }
        match byte {
            b'<' => expected.push(b'>'),
            b'(' => expected.push(b')'),
            b'[' => expected.push(b']'),
            b'{' => expected.push(b'}'),
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' | b')' | b']' | b'}' if expected.pop() != Some(byte) => return None,
            _ => {}
        }
        at += 1;
        if expected.is_empty() {
            return Some(at);
        }
    }
    None
}

/// Length of `operator<<` and its like at `at`, whose brackets are none; 0 for anything else.
pub fn operator_length(name: &str, at: usize) -> usize {
    const WORD: &str = "operator";
    /// The longer first.
    const SYMBOLS: [&str; 13] =
        ["<<=", ">>=", "<=>", "->*", "<<", ">>", "<=", ">=", "->", "()", "[]", "<", ">"];
    let bytes = name.as_bytes();
    let starts = bytes[at..].starts_with(WORD.as_bytes());
    let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
    if !starts || before.is_ascii_alphanumeric() || before == b'_' {
        return 0;
    }
    let rest = &bytes[at + WORD.len()..];
    let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(symbol.as_bytes()));
    symbol.map_or(0, |symbol| WORD.len() + symbol.len())
}

/// The parts of a path: what stands between `::` outside of all brackets.
pub fn segments(name: &str) -> Vec<&str> {
    let bytes = name.as_bytes();
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let operator = operator_length(name, at);
        if operator > 0 {
            at += operator;
        } else if matches!(bytes[at], b'<' | b'(' | b'[' | b'{') {
            match after_bracket(name, at) {
                Some(after) => at = after,
                None => break,
            }
        } else if bytes[at..].starts_with(b"::") {
            parts.push(&name[start..at]);
            at += 2;
            start = at;
        } else {
            at += 1;
        }
    }
    parts.push(&name[start..]);
    parts
}
