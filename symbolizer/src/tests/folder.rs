//! Folders for compiled programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

/// A C program: `main` calls `outer`, which has `inner` (line 2) inlined.
pub const INLINING: &str = "\
volatile int sink;
static inline __attribute__((always_inline)) int inner(int x) { return x * sink + x / (sink | 1); }
__attribute__((noinline)) int outer(int x) { sink = inner(x) + 1; return sink; }
int main(int argc, char **argv) { (void)argv; return outer(argc); }
";

/// A folder of its own for a test, removed at its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sigspy-symbolizer-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Compiles C into an executable with a build-id, called `app`.
    pub fn compile(&self, source: &str, arguments: &[&str]) -> PathBuf {
        self.compile_with("cc", "app.c", source, arguments)
    }

    pub fn compile_with(&self, by: &str, name: &str, text: &str, arguments: &[&str]) -> PathBuf {
        let source = self.file(name);
        fs::write(&source, text).unwrap();
        let program = self.file("app");
        let mut command = Command::new(by);
        command.args(["-O2", "-Wl,--build-id"]).args(arguments);
        run(command.arg("-o").arg(&program).arg(&source));
        program
    }

    /// The `.dwo` file that a compiler left.
    pub fn unit(&self) -> PathBuf {
        let paths = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut units = paths.filter(|path| path.extension().is_some_and(|kind| kind == "dwo"));
        units.next().unwrap()
    }

    /// Runs a tool in the folder.
    pub fn run(&self, tool: &str, arguments: &[&str]) {
        run(Command::new(tool).args(arguments).current_dir(&self.0));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // a folder left behind harms no other test
    }
}
