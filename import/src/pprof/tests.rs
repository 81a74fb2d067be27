use super::*;
use crate::Unit;

/// A field that holds bytes.
fn bytes(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = varint((number << 3 | 2).into());
    field.extend(varint(bytes.len()));
    field.extend(bytes);
    field
}

/// A message of numbers, from field 1 on.
fn numbers(values: &[usize]) -> Vec<u8> {
    let field = |(number, value): (usize, &usize)| [varint(number << 3), varint(*value)].concat();
    (1..).zip(values).flat_map(field).collect()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn imported(file: &[u8]) -> Imported {
    let options = Options { format: Some(Format::Pprof), unit: Unit::default(), name: "x".into() };
    crate::import(file, &options).unwrap()
}

/// With the strings "", "cpu", "ns" and `more`.
fn file(more: &[&str]) -> Vec<u8> {
    let strings = ["", "cpu", "ns"].iter().chain(more);
    let mut file = bytes(1, &numbers(&[1, 2]));
    strings.for_each(|text| file.extend(bytes(6, text.as_bytes())));
    file
}

#[test]
fn long_messages_and_texts_that_all_refer_to_do_not_take_long() {
    const COUNT: usize = 20_000;
    let long = "x".repeat(500_000);
    let unknown = [numbers(&[1, 3, 3, 3, 3]), bytes(15, b"").repeat(250_000)].concat();
    let mut file = file(&[&long, "process"]);
    file.extend(bytes(3, &[numbers(&[1, 0, 0, 0, 3, 3]), bytes(15, b"").repeat(250_000)].concat()));
    file.extend(bytes(5, &unknown));
    for id in 1..=COUNT {
        let line = bytes(4, &numbers(&[1, id]));
        file.extend(bytes(4, &[numbers(&[id, 1]), line].concat()));
        let sample = [numbers(&[id, 1]), bytes(3, &numbers(&[4, 3]))].concat();
        file.extend(bytes(2, &sample));
    }
    let profile = imported(&file).profile;
    assert_eq!((profile.samples.len(), profile.locations.len()), (COUNT, COUNT));
    assert!(profile.processes[0].name.len() < long.len());
}

#[test]
fn lines_of_one_function_are_told_apart() {
    let mut file = file(&["f", "f.c"]);
    file.extend(bytes(5, &numbers(&[7, 3, 3, 4])));
    for (id, line) in [(1, 10), (2, 20)] {
        file.extend(bytes(4, &[numbers(&[id]), bytes(4, &numbers(&[7, line]))].concat()));
        file.extend(bytes(2, &numbers(&[id, 5])));
    }
    let Imported { symbols, .. } = imported(&file);
    let frames = [0, 1].map(|id| symbols.frames(LocationId(id))[0].clone());
    assert_eq!(frames.each_ref().map(|frame| frame.line), [Some(10), Some(20)]);
    assert!(frames.iter().all(|frame| &*frame.function == "f"));
    assert!(frames.iter().all(|frame| frame.file.as_deref() == Some("f.c")));
}
