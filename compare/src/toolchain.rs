//! Source files that come with a compiler.

/// Whether a source file is of the standard library of Rust or C++, or of the compiler's headers.
///
/// Functions that are inlined from there are part of what calls them: their names tell nobody where
/// a change was made, and callers that have nothing in common would be added up.
pub fn is_of_toolchain(file: &str) -> bool {
    let is_rust = path_in_rust_library(file).is_some() || file.starts_with(RUST_DEPS);
    let is_cpp = file.contains("/include/c++/");
    let is_c = (file.starts_with("/usr/include/") && file.contains("/bits/"))
        || ["/lib/gcc/", "/lib/clang/"].iter().any(|folder| file.contains(folder));
    is_rust || is_cpp || is_c
}

/// Where the crates are that Rust's standard library is made of.
pub const RUST_DEPS: &str = "/rust/deps/";

/// The path below `library` of a source file of Rust's own, as rustc, rustup or Debian have it.
pub fn path_in_rust_library(file: &str) -> Option<&str> {
    let below = |start| file.strip_prefix(start)?.split_once("/library/");
    let of_rustup = || file.split_once("/rustlib/src/rust/library/");
    let parts = below("/rustc/").or_else(|| below("/usr/src/rustc-")).or_else(of_rustup);
    parts.map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_compilers_are_known_by_their_folders() {
        for file in [
            "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/iter/range.rs",
            "/home/me/.rustup/toolchains/stable/lib/rustlib/src/rust/library/alloc/src/vec/mod.rs",
            "/usr/src/rustc-1.85.0/library/core/src/slice/iter.rs",
            "/rust/deps/hashbrown-0.16.1/src/map.rs",
            "/usr/include/c++/14/bits/stl_vector.h",
            "/opt/gcc/lib/../include/c++/v1/__algorithm/min.h",
            "/usr/include/x86_64-linux-gnu/bits/string_fortified.h",
            "/usr/lib/gcc/x86_64-linux-gnu/14/include/emmintrin.h",
            "/usr/lib/llvm-19/lib/clang/19/include/avx2intrin.h",
        ] {
            assert!(is_of_toolchain(file), "{file}");
        }
        for file in [
            "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/memchr-2.7.4/src/lib.rs",
            "/home/me/library/core/src/book.rs",
            "/usr/include/eigen3/Eigen/src/Core/Matrix.h",
            "src/bits/main.c",
            "",
        ] {
            assert!(!is_of_toolchain(file), "{file}");
        }
    }
}
