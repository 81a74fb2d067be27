//! Counts of samples, run by run, and what they allow to conclude.
//!
//! One number for each function and run is the observation, not one for each sample: machines,
//! memory layouts and inputs make runs differ by more than the chance of sampling, so thousands of
//! samples of one run say little about the next. The steps:
//! ```text
//! counts     samples of each function in each run                            (counts)
//! sizes      how much a run has of everything: the median of ratios          (sizes)
//! variance   of each function, moderated by that of all functions            (moderation)
//! test       is the change more than a minimum effect?                       (change)
//! rates      false discoveries among all functions that were tested          (discovery)
//! total      the same question for the CPU time of whole runs                (total)
//! power      the smallest change that would have been seen                   (power)
//! ```

pub mod change;
pub mod counts;
pub mod discovery;
pub mod distribution;
pub mod moderation;
pub mod power;
pub mod sizes;
pub mod total;
