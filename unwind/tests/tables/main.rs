//! Tables of real files, and walks through real stacks.
#![allow(unsafe_code, reason = "stacks, signals and callbacks of C functions")]

mod compiled;
mod every_file;
mod files;
mod garbage;
mod linkage;
mod linked;
mod live;
mod made_up;
mod process;
mod reference;
mod rows;
mod section;
mod startup;
mod storm;
mod synthesised;
