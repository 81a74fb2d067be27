//! Which functions of two sets of profiles differ, by how much, and how sure that is.
//!
//! Everything here is a function of [`Profile`](sigspy_model::Profile)s and their
//! [`Symbols`](sigspy_model::Symbols): no file is opened, nothing is run or printed. [`Comparison`]
//! does it all; [`result`] is what is written down of it, and [`check`] what a build is told.
//!
//! A function is known by its [`Key`] on both sides. Its samples are counted run by run
//! ([`functions`]), tested ([`stats`]), and named anew or explained where they only moved.

pub mod check;
mod comparison;
mod doubts;
pub mod functions;
mod key;
#[cfg(test)]
mod made_up;
mod name;
mod programs;
mod renames;
pub mod result;
mod shift;
pub mod stats;
mod toolchain;

pub use comparison::{Comparison, Noise, Options, Suspects};
pub use doubts::{doubts, faults};
pub use functions::{Input, Naming, Site};
pub use key::Key;
pub use name::Generics;
pub use toolchain::{RUST_DEPS, path_in_rust_library};
