//! Real programs, stopped at random moments: our stacks are those of framehop and of libgcc.
//!
//! Where neither of them knows the code, as it was made at run time or has no call frame
//! information, the program itself is asked: it goes on until it comes to the first address that it
//! could return to, which must be the one that our stack says.

mod compare;
mod framehop;
mod programs;
mod table;
mod tracer;

use std::fs::File;
use std::process::Stdio;

use sigspy_tests::remote::Target;
use sigspy_tests::{Program as Built, Random, TempDir, full, program_in};

use crate::compare::{Stacks, judge};
use crate::framehop::Framehop;
use crate::programs::{MORE, Program, SHORT, write_inputs};
use crate::table::Row;
use crate::tracer::{Moment, Tracer, WITNESS};

fn witness() -> Built {
    let signal = format!("-DWITNESS={WITNESS}");
    program_in("live", "witness.c", &["-shared", "-fPIC", &signal, "-lgcc_s"])
}

/// Looks at one program.
fn look_at(program: &Program, folder: &TempDir, wanted: u64, random: &mut Random) -> Row {
    let mut command = program.command(folder);
    command.env("LD_PRELOAD", witness().path).stdin(Stdio::null());
    command.stdout(File::create(folder.join("output")).expect("the folder is ours"));
    let mut tracer = Tracer::start(command.stderr(Stdio::null()));
    let mut framehop = Framehop::default();
    let mut row = Row::new(program.name());
    while row.moments < wanted
        && let Some(moment) = tracer.next_moment(random)
    {
        framehop.read_maps(&mut tracer.target);
        let (ours, stop) = tracer.target.walk(&moment.registers);
        let (theirs, error) = framehop.walk(&tracer.target, &moment.registers);
        let libgcc = tracer.testimony(&moment);
        let mut stacks = Stacks { ours, stop, framehop: theirs, error, libgcc, returned: None };
        if stacks.is_leaf_unknown() && stacks.ours.len() > 1 {
            let addresses = return_addresses(&stacks, &moment, &tracer.target);
            stacks.returned = tracer.go_on_to(moment, &addresses);
        } else {
            tracer.go_on(moment);
        }
        let verdict = judge(&stacks, &tracer.target);
        row.add(&stacks, &verdict, &tracer.target);
    }
    row.status = tracer.status;
    row
}

/// Where the interrupted function may return to: by ours, by framehop, or if it has no frame yet or
/// any more.
fn return_addresses(stacks: &Stacks, moment: &Moment, target: &Target) -> Vec<u64> {
    let sp = moment.registers.general[7];
    let top = target.read_word(sp);
    let second = target.read_word(sp + 8).filter(|_| top == Some(moment.registers.general[6]));
    let on_top = [top, second].into_iter().flatten();
    let of_walks = [&stacks.ours, &stacks.framehop].into_iter().filter_map(|pcs| pcs.get(1));
    let mut addresses: Vec<u64> = of_walks.copied().chain(on_top).collect();
    addresses.retain(|address| target.may_execute(*address));
    addresses
}

#[test]
fn stacks_of_real_programs_are_those_of_framehop_and_libgcc() {
    let (wanted, fewest) = if full() { (1000, 100) } else { (100, 20) };
    let mut random = Random::new();
    let folder = TempDir::new();
    write_inputs(&folder);
    let programs = SHORT.iter().chain(MORE.iter().filter(|_| full()));
    let mut faults = Vec::new();
    println!("{}", Row::HEADING);
    for program in programs {
        let row = look_at(program, &folder, wanted, &mut random);
        print!("{row}");
        faults.extend(row.faults(program, fewest));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
