//! Where code comes from: modules (files) and places in them.

use std::fmt;

/// Index into [`Profile::modules`](crate::Profile::modules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u32);

/// Index into [`Profile::locations`](crate::Profile::locations).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationId(pub u32);

/// The bytes of `.note.gnu.build-id`: the name of a module for everything that concerns symbols.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildId(pub Vec<u8>);

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildId({self})")
    }
}

/// A file that was mapped executable, or the vDSO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// As `/proc/PID/maps` spells it, without " (deleted)"; `[vdso]` for the vDSO.
    pub path: String,
    /// `None` where the file has no build-id note.
    pub build_id: Option<BuildId>,
    /// The whole ELF image, for modules that are no file (the vDSO).
    pub image: Option<Vec<u8>>,
}

impl Module {
    /// The last part of the path: `libc.so.6`.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// A place in code. One location may be several frames, when functions were inlined there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// `None` for code that belongs to no module, such as the output of a JIT compiler: see
    /// [`Profile::code_names`](crate::Profile::code_names).
    pub module: Option<ModuleId>,
    /// The address to look up. With a module: relative, as the file's own program headers and
    /// symbols spell it. Without: the runtime address. For a frame that made a call this is one
    /// less than the return address, and so lies inside the call instruction.
    pub address: u64,
}
