//! Names: where they come from, and what is said when they do not.

mod debug_files;
mod replaced;
mod server;
mod symbolize;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigspy_tests::{Folded, TempDir, needs, program_with, run};

/// A program without symbols, and its debug file.
struct Stripped {
    folder: TempDir,
    program: PathBuf,
    debug: PathBuf,
}

impl Stripped {
    fn new(source: &str) -> Self {
        let folder = TempDir::new();
        let (program, debug) = (folder.join("app"), folder.join("debug/app.debug"));
        let built = program_with(source, &["-g", "-Wl,--build-id"]);
        fs::copy(built.path, &program).expect("a temporary folder is writable");
        fs::create_dir(folder.join("debug")).expect("a temporary folder is writable");
        objcopy(&["--only-keep-debug".as_ref(), &program, &debug]);
        objcopy(&["--strip-all".as_ref(), &program]);
        Self { folder, program, debug }
    }

    /// `ab` and `cdef`.
    fn build_id(&self) -> (String, String) {
        let bytes = fs::read(&self.program).expect("the program was built");
        let file = object::File::parse(&*bytes).expect("it is an ELF file");
        let id = object::Object::build_id(&file).expect("its notes are sound").expect("it has one");
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        (id[..2].to_owned(), id[2..].to_owned())
    }

    /// Moves the debug file below `root`, to where its build-id says.
    fn install_debug_file(&self, root: &Path) {
        let (first, rest) = self.build_id();
        let folder = root.join(".build-id").join(first);
        fs::create_dir_all(&folder).expect("the folder is writable");
        fs::rename(&self.debug, folder.join(rest + ".debug")).expect("both are in one folder");
    }
}

fn objcopy(arguments: &[&Path]) {
    needs("objcopy", "binutils");
    run(Command::new("objcopy").args(arguments)).expect(0);
}

/// Whether most of the time has a function of this name.
fn is_named(folded: &Folded, function: &str) -> bool {
    folded.weight_of(function) > folded.total() / 2
}
