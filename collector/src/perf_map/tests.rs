//! Perf maps that were made up.

use proptest::prelude::*;

use super::*;

const LATER: u64 = u64::MAX;

fn map(text: &str) -> PerfMap {
    let mut map = PerfMap::default();
    assert_eq!(map.append(0, text.as_bytes()), text.len());
    map
}

fn name(map: &PerfMap, address: u64, time_ns: u64) -> Option<&str> {
    map.find(address, time_ns).map(|name| &**name)
}

/// The names at addresses 0x1000, 0x1010, ...: `-` where there is none.
fn names(map: &PerfMap) -> String {
    let at = |place: u64| name(map, 0x1000 + 0x10 * place, LATER).unwrap_or("-");
    (0..8).map(at).collect()
}

#[test]
fn lines_are_taken_apart() {
    let map = map("1000 10 py::work:/app/main.py\n\
                   0x0000000000002000 0x0000000000000020 void Hot.run(int, long)  \r\n\
                   7f00dead0000 1 a\n");
    assert_eq!(name(&map, 0x1000, LATER), Some("py::work:/app/main.py"));
    assert_eq!(name(&map, 0x100f, LATER), Some("py::work:/app/main.py"));
    assert_eq!(name(&map, 0x1010, LATER), None);
    assert_eq!(name(&map, 0xfff, LATER), None);
    assert_eq!(name(&map, 0x201f, LATER), Some("void Hot.run(int, long)"));
    assert_eq!(name(&map, 0x7f00_dead_0000, LATER), Some("a"));
}

#[test]
fn lines_without_sense_are_skipped() {
    let nonsense = "\n1000\n1000 10\n1000 10 \n1000 10    \n 10 name\nname 10 1000\n1000 name 10\n\
                    1000 0 empty\n+1000 10 sign\n1000 -10 sign\n0x0x1000 10 twice\n0x 10 nothing\n\
                    ffffffffffffffff 10 beyond\n1000 ffffffffffffffff beyond\n\
                    10000000000000000 1 beyond\n800000000000 1 kernel\n\x00\x01\x02 \x7f\n";
    assert!(map(nonsense).is_empty());
    let mut behind = map(nonsense);
    behind.append(0, b"1000 10 \xff\xfe\n");
    assert_eq!(name(&behind, 0x1000, LATER), Some("\u{fffd}\u{fffd}"));
}

#[test]
fn what_is_no_whole_line_yet_is_left() {
    let mut map = PerfMap::default();
    assert_eq!(map.append(0, b"1000 10 a\n1010 10 b"), 10);
    assert_eq!(map.append(0, b"1010 10 bc"), 0);
    assert_eq!(map.append(0, b"1010 10 bcd\n"), 12);
    assert_eq!(name(&map, 0x1010, LATER), Some("bcd"));
}

#[test]
fn a_long_name_is_cut() {
    let map = map(&format!("1000 10 {}\n1010 10 x{}\n", "ä".repeat(9000), "ä".repeat(9000)));
    assert_eq!(name(&map, 0x1000, LATER), Some(&*"ä".repeat(LONGEST_NAME / 2)));
    let cut = name(&map, 0x1010, LATER).unwrap();
    assert!(cut.starts_with("xää") && cut.ends_with("ä\u{fffd}"));
}

#[test]
fn a_later_line_takes_the_place_of_what_it_overlaps() {
    for (lines, expected) in [
        ("1000 40 a\n1000 40 b\n", "bbbb----"),
        ("1000 40 a\n1010 20 b\n", "abba----"),
        ("1000 40 a\n1030 30 b\n", "aaabbb--"),
        ("1010 30 a\n1000 20 b\n", "bbaa----"),
        ("1010 10 a\n1030 10 b\n1000 60 c\n", "cccccc--"),
        ("1000 20 a\n1020 20 b\n1040 20 c\n1010 40 d\n", "addddc--"),
        ("1000 80 a\n1020 20 b\n1030 20 c\n", "aabccaaa"),
    ] {
        assert_eq!(names(&map(lines)), expected, "{lines}");
    }
}

#[test]
fn what_was_there_when_a_sample_was_taken_is_its_name() {
    let mut map = PerfMap::default();
    map.append(100, b"1000 10 first\n");
    map.append(200, b"1000 10 second\n1010 10 other\n");
    assert_eq!(name(&map, 0x1000, 150), Some("first"));
    assert_eq!(name(&map, 0x1000, 200), Some("first"));
    assert_eq!(name(&map, 0x1000, 201), Some("second"));
    // Told later than needed.
    assert_eq!(name(&map, 0x1010, 50), Some("other"));
    map.append(300, b"1000 10 third\n");
    assert_eq!(name(&map, 0x1000, 250), Some("second"));
    assert_eq!(name(&map, 0x1000, 350), Some("third"));
    assert_eq!(name(&map, 0x1010, 350), Some("other"));
}

#[test]
fn names_have_a_limit() {
    let mut map = PerfMap::default();
    let mut text = Vec::new();
    for place in 0..MOST_PIECES as u64 + 10 {
        text.extend(format!("{:x} 1 f\n", 0x1000 + 2 * place).bytes());
    }
    map.append(0, &text);
    assert_eq!(map.fresh.0.len(), MOST_PIECES);
}

/// Lines that overlap, and nonsense between them.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..40_u64, 0..20_u64, 0..9_u8)
            .prop_map(|(start, length, name)| format!("{start:x} {length:x} {name}")),
        "[0-9a-fx +-]{0,12}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn the_last_line_that_covers_an_address_names_it(
        looks in proptest::collection::vec(proptest::collection::vec(line(), 0..12), 1..5),
    ) {
        let mut map = PerfMap::default();
        let mut expected = vec![None; 64];
        for (since, lines) in (1..).zip(&looks) {
            let text = lines.join("\n") + "\n";
            map.append(since, text.as_bytes());
            for line in text.split('\n').filter_map(|line| Line::parse(line.as_bytes())) {
                for address in (line.start..line.end).take_while(|address| *address < 64) {
                    expected[address as usize] = Some(line.name().to_string());
                }
            }
            for (address, expected) in (0..).zip(&expected) {
                prop_assert_eq!(name(&map, address, LATER), expected.as_deref());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        looks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4),
    ) {
        let mut map = PerfMap::default();
        for (since, text) in (0..).zip(looks) {
            prop_assert!(map.append(since, &text) <= text.len());
            map.find(7, 1);
        }
    }
}
