//! Where source files are in the repository.

use std::env;
use std::path::{Component, Path, PathBuf};

use sigspy_report::Repository;

/// The repository that this folder is in.
pub struct Checkout {
    /// `None` outside of one.
    root: Option<PathBuf>,
    /// Folders in the spelling of debug information that stand for the root.
    prefixes: Vec<PathBuf>,
}

impl Checkout {
    pub fn new(prefixes: &[String]) -> Self {
        let here = env::current_dir().ok();
        let is_root = |folder: &&Path| folder.join(".git").exists();
        let root = here.as_deref().and_then(|here| here.ancestors().find(is_root));
        Self::at(root.map(Path::to_owned), prefixes)
    }

    fn at(root: Option<PathBuf>, prefixes: &[String]) -> Self {
        let prefixes = prefixes.iter().map(PathBuf::from);
        Self { prefixes: prefixes.chain(root.clone()).collect(), root }
    }
}

impl Repository for Checkout {
    fn path_of(&self, file: &str) -> Option<String> {
        let (root, file) = (self.root.as_ref()?, Path::new(file));
        let below = self.prefixes.iter().find_map(|prefix| file.strip_prefix(prefix).ok());
        let path = below.or_else(|| file.is_relative().then_some(file))?;
        let names = path.components().filter(|part| *part != Component::CurDir);
        let names: Option<Vec<&str>> = names
            .map(|part| match part {
                Component::Normal(name) => name.to_str(),
                _ => None, // leads out of the repository, or may
            })
            .collect();
        let path = names?.join("/");
        root.join(&path).is_file().then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_repository_have_a_path_in_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let checkout = Checkout::at(Some(root.to_owned()), &["/build/cli".to_owned()]);
        let path_of = |file: &str| checkout.path_of(file);
        let lib = Some("src/lib.rs".to_owned());
        assert_eq!(path_of(&format!("{}/src/lib.rs", root.display())), lib);
        assert_eq!(path_of("/build/cli/src/lib.rs"), lib);
        assert_eq!(path_of("./src/lib.rs"), lib);
        for elsewhere in ["/rustc/abc/src/lib.rs", "src/../../Cargo.toml", "src/none.rs", "src", ""]
        {
            assert_eq!(path_of(elsewhere), None, "{elsewhere}");
        }
        assert_eq!(Checkout::at(None, &[]).path_of("src/lib.rs"), None);
    }
}
