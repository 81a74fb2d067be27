//! pool: four threads take jobs from a channel; some jobs panic. Output is the same in every run.

use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};
use std::{panic, process, thread};

fn work(job: u64) -> u64 {
    let mut words = Vec::new();
    let mut state = job + 1;
    for _ in 0..20_000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        words.push(format!("{}", state >> 33));
    }
    words.sort();
    assert!(job % 7 != 0, "job {job} panicked at {}", words[0]);
    words.iter().flat_map(|word| word.bytes()).fold(0, |sum, byte| {
        sum.rotate_left(5) ^ u64::from(byte)
    })
}

fn main() {
    panic::set_hook(Box::new(|_| ()));
    let (send_job, jobs) = mpsc::channel();
    let (send_result, results) = mpsc::channel();
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        for _ in 0..4 {
            let (jobs, send_result) = (&jobs, send_result.clone());
            scope.spawn(move || {
                while let Some(job) = jobs.lock().ok().and_then(|jobs| jobs.recv().ok()) {
                    let result = panic::catch_unwind(|| work(job)).map_err(|_| "panicked");
                    send_result.send((job, result)).expect("main is listening");
                }
            });
        }
        for job in 0..200 {
            send_job.send(job).expect("the workers are listening");
        }
        drop(send_job);
    });
    drop(send_result);
    for (job, result) in results.iter().collect::<BTreeMap<_, _>>() {
        println!("{job} {result:?}");
    }
    process::exit(5);
}
