//! Programs that read what sigspy writes, from npm.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{needs, run, workspace};

/// The output of a script of `tests/formats`, which needs packages from npm; null if that is no JSON.
pub fn node(script: &str, arguments: &[&Path]) -> Value {
    let folder = workspace().join("tests/formats");
    assert!(
        folder.join("node_modules").exists(),
        "readers are missing: npm install --no-package-lock --prefix tests/formats"
    );
    let mut node = Command::new(needs("node", "nodejs"));
    let outcome = run(node.arg(folder.join(script)).args(arguments)).expect(0);
    serde_json::from_slice(&outcome.stdout).unwrap_or(Value::Null)
}
