//! Builds the agent as a freestanding shared object, to be embedded into the command line.
//!
//! Plain `rustc`, as cargo cannot yet make one package's shared object an input of another. The
//! agent has no dependencies but two crates of this workspace, so three calls do it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates in the order of their dependencies.
const LIBRARIES: [&str; 2] = ["wire", "unwind"];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let workspace = manifest.parent().expect("the workspace is above this package");
    for name in LIBRARIES {
        compile(workspace, &out, name, &["--crate-type=rlib"]);
    }
    compile(
        workspace,
        &out,
        "profiler",
        &[
            "--crate-type=cdylib",
            "--cfg=sigspy_agent",
            "-Clto=fat",
            "-Clink-arg=-nostdlib",
            "-Clink-arg=-nostartfiles",
            // All symbols at load time, never unloaded, no executable stack.
            "-Clink-arg=-Wl,-z,now,-z,nodelete,-z,noexecstack,-Bsymbolic,--build-id=sha1",
            "-Clink-arg=-Wl,-soname,libsigspy.so",
        ],
    );
}

fn compile(workspace: &Path, out: &Path, folder: &str, flags: &[&str]) {
    let source = workspace.join(folder).join("src");
    println!("cargo::rerun-if-changed={}", source.display());
    let crate_name = format!("sigspy_{folder}");
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"));
    rustc.arg(source.join("lib.rs")).arg("--crate-name").arg(&crate_name);
    rustc.args(["--edition=2024", "--out-dir"]).arg(out).arg("-L").arg(out);
    rustc.args(["-Copt-level=3", "-Ccodegen-units=1", "-Cpanic=abort", "-Cdebuginfo=0"]);
    rustc.args(["-Coverflow-checks=no", "-Cforce-unwind-tables=yes", "-Crelocation-model=pic"]);
    rustc.arg("--target").arg(env::var_os("TARGET").expect("cargo sets TARGET"));
    for library in LIBRARIES.iter().filter(|library| **library != folder) {
        let file = out.join(format!("libsigspy_{library}.rlib"));
        if file.exists() {
            rustc.arg("--extern").arg(format!("sigspy_{library}={}", file.display()));
        }
    }
    let status = rustc.args(flags).status().expect("rustc runs");
    assert!(status.success(), "the agent's crate {folder} does not compile: {rustc:?}");
}
