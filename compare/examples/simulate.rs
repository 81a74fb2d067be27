//! How often the gate is wrong and what it finds, by rate of samples and CPU time of a run.
//! Prints a table in Markdown. The number of trials of each cell is the only argument.

#[path = "../tests/error_rates/profile.rs"]
mod profile;
#[path = "../tests/error_rates/trial.rs"]
mod trial;
#[path = "../tests/error_rates/world.rs"]
mod world;

use trial::{Outcome, trial};
use world::{CROWDED, Change, DRIFTING, NOISY, Plan, QUIET};

/// How much slower the function is.
const FACTORS: [f64; 4] = [1.1, 1.2, 1.3, 1.5];

fn main() {
    let trials = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(300);
    println!(
        "| machine | Hz | CPU s | runs | share | unchanged, fails | +10 % | +20 % | +30 % | +50 % | +50 %, another blamed | half from its caller, fails | half to its caller, fails | all +20 % |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let machines =
        [("quiet", QUIET), ("noisy", NOISY), ("drifting", DRIFTING), ("crowded", CROWDED)];
    for (name, noise) in machines {
        for rate in [97.0, 250.0, 997.0] {
            for (cpu_s, runs) in [(10.0, 5), (60.0, 5), (60.0, 10)] {
                row(name, &Plan { noise, rate, cpu_s, runs, share: 0.02 }, trials);
            }
        }
        for cpu_s in [1.5, 4.0, 10.0] {
            row(name, &Plan { noise, rate: 250.0, cpu_s, runs: 5, share: 0.4 }, trials);
        }
        row(name, &Plan { noise, rate: 250.0, cpu_s: 4.0, runs: 20, share: 0.4 }, trials);
    }
}

fn row(name: &str, plan: &Plan, trials: u64) {
    let percent = |change, is: fn(&Outcome) -> bool| {
        let count = (0..trials).filter(|seed| is(&trial(*seed, plan, change))).count();
        format!("{:.1} %", 100.0 * count as f64 / trials as f64)
    };
    let unchanged = percent(Change::Nothing, Outcome::fails);
    let slower = FACTORS.map(Change::Function);
    let powers = slower.map(|change| percent(change, Outcome::finds_function)).join(" | ");
    let wrong = percent(slower[3], Outcome::blames_another);
    let moved = percent(Change::FromCaller(0.5), Outcome::fails);
    let moved_back = percent(Change::ToCaller(0.5), Outcome::fails);
    let total = percent(Change::All(1.2), Outcome::finds_total);
    let Plan { rate, cpu_s, runs, share, .. } = plan;
    let share = format!("{:.0} %", share * 100.0);
    println!(
        "| {name} | {rate} | {cpu_s} | {runs} | {share} | {unchanged} | {powers} | {wrong} | {moved} | {moved_back} | {total} |"
    );
}
