//! Text of programs in Markdown, where none of it may mean anything.

/// As [`code`], in a cell of a table, which a bar would end.
pub fn code_in_cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// `text` in the letters of code, which is shown as it is: between more backticks than are in it.
pub fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// `text` as prose. Marks that mean something are escaped. Mentions and references (`@name`, `#12`)
/// are looked for after that, in what is shown, so they are broken by a space of no width.
pub fn prose(text: &str) -> String {
    const HARMLESS: &str = ",;()%+'\"";
    let mut escaped = String::with_capacity(text.len());
    let mut last = ' ';
    for c in text.chars() {
        let is_decimal_point = c == '.' && last != 'w'; // but `www.` would be a link
        if c.is_ascii_punctuation() && !HARMLESS.contains(c) && !is_decimal_point {
            escaped.push('\\');
        }
        escaped.push(c);
        if matches!(c, '@' | '#') {
            escaped.push('\u{200b}');
        }
        last = c;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_ends_where_it_should() {
        assert_eq!(code("f"), "`f`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`|`"), "`` `|` ``");
    }

    #[test]
    fn a_bar_is_escaped_in_cells_alone() {
        assert_eq!(code_in_cell("a | b"), "`a \\| b`");
        assert_eq!(code("a | b"), "`a | b`");
    }

    #[test]
    fn prose_has_no_marks_links_or_mentions() {
        assert_eq!(prose("+12.5 % (a, b)"), "+12.5 % (a, b)");
        assert_eq!(prose("<b>*x*"), "\\<b\\>\\*x\\*");
        assert_eq!(prose("http://w.x www.x"), "http\\:\\/\\/w\\.x www\\.x");
        assert_eq!(prose("@all #1"), "\\@\u{200b}all \\#\u{200b}1");
    }
}
