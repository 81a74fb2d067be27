//! Real files: our own executable, what compilers make, the vDSO, and damaged copies.

mod damage;
mod debug_files;
mod differential;
mod folder;
mod kept;
mod nameless;
mod names;
mod places;
mod servers;
mod split;

use std::collections::BTreeMap;
use std::path::Path;

use object::{Object, ObjectSymbol};
use sigspy_model::{BuildId, Frame, Location, LocationId, Module, ModuleId};

use crate::problem::Cause;
use crate::{Sources, symbolize};

/// The module at `path`, as recorded now.
fn module(path: &Path) -> Module {
    let bytes = std::fs::read(path).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let build_id = elf.build_id().unwrap().map(|id| BuildId(id.to_vec()));
    Module { path: path.to_str().unwrap().to_owned(), build_id, image: None }
}

/// Frames of each address, and what the module's problem is, with debug files in `debug_root`.
fn look_up_with(
    debug_root: &Path,
    module: &Module,
    addresses: &[u64],
) -> (Vec<Vec<Frame>>, Option<Cause>) {
    let sources = Sources { debug_root: debug_root.to_owned(), ..Sources::default() };
    look_up_in(&sources, module, addresses)
}

fn look_up_in(
    sources: &Sources,
    module: &Module,
    addresses: &[u64],
) -> (Vec<Vec<Frame>>, Option<Cause>) {
    let location = |address: &u64| Location { module: Some(ModuleId(0)), address: *address };
    let locations: Vec<_> = addresses.iter().map(location).collect();
    let modules = std::slice::from_ref(module);
    let found = symbolize(modules, &locations, &BTreeMap::new(), sources, &|_, _| ());
    let ids = (0..addresses.len()).map(|index| LocationId(index as u32));
    let frames = ids.map(|id| found.symbols.frames(id).to_vec()).collect();
    (frames, found.problems.into_iter().next().map(|problem| problem.cause))
}

/// The same where no debug files are installed.
fn look_up(module: &Module, addresses: &[u64]) -> (Vec<Vec<Frame>>, Option<Cause>) {
    look_up_with(Path::new("/nonexistent"), module, addresses)
}

/// Names of the functions at one address, innermost first.
fn functions(module: &Module, address: u64) -> Vec<String> {
    let (frames, _) = look_up(module, &[address]);
    frames[0].iter().map(|frame| frame.function.to_string()).collect()
}

/// Address and size of the symbol of this name, else of one whose raw name holds it.
fn symbol(path: &Path, name: &str) -> (u64, u64) {
    let bytes = std::fs::read(path).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let holds = |symbol: &object::Symbol<'_, '_>| symbol.name().is_ok_and(|n| n.contains(name));
    let exact = elf.symbols().find(|symbol| symbol.name() == Ok(name));
    let symbol = exact.or_else(|| elf.symbols().find(holds)).unwrap();
    (symbol.address(), symbol.size())
}

/// Frames of every address of the symbol whose raw name holds `part`.
fn all_of(path: &Path, part: &str) -> Vec<Vec<Frame>> {
    let (start, size) = symbol(path, part);
    look_up(&module(path), &(start..start + size).collect::<Vec<_>>()).0
}

/// True if the frames have these names, innermost first.
fn are(frames: &[Frame], names: &[&str]) -> bool {
    frames.iter().map(|frame| &*frame.function).eq(names.iter().copied())
}
