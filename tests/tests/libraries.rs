//! Code that comes and goes while a program runs.

use std::ffi::OsString;

use sigspy_tests::{processors, program, program_with, record_with};

/// Three libraries, one after the other, of one size: the loader puts each where the last one was.
#[test]
fn libraries_that_follow_one_another_at_one_address_keep_their_names() {
    let _turn = processors();
    let names = ["alpha", "beta", "gamma"];
    let mut command: Vec<OsString> = vec![program("reload.c").path.into()];
    for name in names {
        let name_flag = format!("-DNAME={name}");
        let library = program_with("library.c", &["-shared", "-fPIC", &name_flag]);
        command.extend([library.path.into(), name.into()]);
    }
    let recorded = record_with(&["-F", "250"], command).expect(0);
    let outcome = &recorded.outcome;
    let places = names.map(|name| outcome.words(&format!("at_{name}")));
    assert!(places.iter().all(|place| *place == places[0]), "not at one address: {outcome}");
    let folded = recorded.folded();
    for name in names {
        // 75 samples each; one at either end may stand for the neighbour's time, too.
        let share = folded.weight_of(name) as f64 / outcome.number(name) as f64;
        assert!(
            (0.9..1.1).contains(&share),
            "{share} of {name}\n{}\n{outcome}",
            folded.heaviest(9)
        );
    }
    // Behind each of them, stacks are cut for up to 50 ms, until the collector has looked.
    assert!(folded.weight_of("main") as f64 > 0.8 * folded.sampled() as f64, "{outcome}");
}

/// `iconv` loads a library that the program knows nothing of.
#[test]
fn libraries_that_the_c_library_loads_have_names_and_whole_stacks() {
    let _turn = processors();
    let recorded = record_with(&["-F", "250"], [program("reload.c")]).expect(0);
    let folded = recorded.folded();
    let converting = folded.weight_of("convert") as f64;
    let share = converting / recorded.outcome.number("convert") as f64;
    assert!((0.9..1.1).contains(&share), "{share}\n{}", folded.heaviest(9));
    // By its functions, where there is debug information for the C library.
    let is_of_library = |frame: &String| frame.contains("EUC-JP.so") || frame.contains("euc_jp");
    let in_library = folded.only(|frames| frames.iter().any(is_of_library));
    let is_whole = |frames: &[String]| frames.iter().any(|frame| frame == "main");
    assert!(in_library.sampled() as f64 > 0.2 * converting, "{}", folded.heaviest(9));
    let whole = in_library.only(is_whole).sampled() as f64;
    assert!(whole > 0.9 * in_library.sampled() as f64, "{}", folded.heaviest(9));
}
