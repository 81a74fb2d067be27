//! The agent, which is part of this binary, and the file that programs load it from.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The shared object, as the build script has made it.
pub const AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libsigspy_profiler.so"));

/// The agent as a file in `cache`, named after its SHA-256 and checked against it; written if it
/// is not there or not right. `None` if it cannot be written: then the recorder makes a copy.
pub fn unpack(cache: &Path) -> Option<PathBuf> {
    let sum = Sha256::digest(AGENT);
    let name: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = cache.join("agent");
    let path = folder.join(format!("libsigspy-{name}.so"));
    let is_right = fs::read(&path).is_ok_and(|bytes| Sha256::digest(bytes) == sum);
    if !is_right {
        write(&folder, &path).ok()?;
    }
    Some(path)
}

/// Whether a module is the agent, by its path: here, or where a recorder makes a copy.
pub fn is_agent(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("libsigspy") && name.ends_with(".so")
}

/// The link beside the agent's file by which the agent finds this program, to be its collector.
pub fn link_collector(agent: &Path) -> io::Result<()> {
    let own = std::env::current_exe()?;
    let link = agent.with_extension("collector");
    if fs::read_link(&link).is_ok_and(|known| known == own) {
        return Ok(());
    }
    let temporary = link.with_extension(format!("{}.link", std::process::id()));
    std::os::unix::fs::symlink(own, &temporary)?;
    fs::rename(&temporary, &link)
}

fn write(folder: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let _ = fs::remove_file(&temporary); // of an earlier process with this pid
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(AGENT)?;
    fs::rename(&temporary, path)
}
