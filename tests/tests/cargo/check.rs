//! `cargo sigspy check` in a repository: the package is in a folder below its root.

use super::*;

const MANIFEST: &str =
    "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
/// `parse` takes so many milliseconds of CPU time.
const PARSE: &str = "\
unsafe extern \"C\" {
    fn clock_gettime(clock: i32, now: *mut [i64; 2]) -> i32;
}
fn cpu_ms() -> i64 {
    let mut now = [0; 2];
    unsafe { clock_gettime(2, &mut now) };
    now[0] * 1000 + now[1] / 1_000_000
}
#[inline(never)]
pub fn parse(ms: i64) {
    let (end, mut sum) = (cpu_ms() + ms, 1);
    while cpu_ms() < end {
        for number in 0..100_000 {
            sum = (sum * 31 + number) % 1_000_003;
        }
    }
    std::hint::black_box(sum);
}
";
/// Reads the file that it is told to, if any.
const MAIN: &str = "mod parse;\nfn main() {\n    if let Some(path) = std::env::args().nth(1) {\n        \
                    std::fs::read(path).unwrap();\n    }\n    \
                    parse::parse(MS);\n    println!(\"work 1\");\n}\n";
const MS: u64 = 100;

struct Repository {
    folder: TempDir,
    cache: TempDir,
}

impl Repository {
    /// One commit, in the branch main.
    fn new() -> Self {
        let repository = Self { folder: TempDir::new(), cache: TempDir::new() };
        fs::create_dir_all(repository.folder.join("app/src")).unwrap();
        repository.folder.write(".gitignore", "target\nCargo.lock\n");
        repository.folder.write("app/Cargo.toml", MANIFEST);
        repository.folder.write("app/src/parse.rs", PARSE);
        repository.does(1);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("first");
        repository
    }

    fn git(&self, words: &[&str]) -> Outcome {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(self.folder.path());
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        run(git.args(words)).expect(0)
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Makes the program do so many times as much as the first.
    fn does(&self, times: u64) {
        let ms = (times * MS).to_string();
        self.folder.write("app/src/main.rs", MAIN.replace("MS", &ms));
    }

    fn check(&self, words: &str) -> Outcome {
        let mut check = cargo_sigspy(&self.folder.join("app"));
        check.env("XDG_CACHE_HOME", self.cache.path()).env_remove("GITHUB_ACTIONS");
        check.args(["check", "--runs", "3", "--warm-up", "0"]).args(words.split_whitespace());
        run(&mut check)
    }
}

#[test]
fn uncommitted_work_that_takes_longer_fails_the_check_and_has_its_place_in_the_repository() {
    let _alone = processors();
    let repository = Repository::new();
    repository.does(4);
    let failed = repository.check("--sarif ../check.sarif").expect(1);
    let text = failed.text();
    assert!(text.contains("app::parse::parse (parse.rs:"), "{failed}");
    assert!(text.contains("base: merge base with main at "), "{failed}");
    assert!(text.contains("head: HEAD and uncommitted changes at "), "{failed}");
    let sarif = fs::read_to_string(repository.folder.join("check.sarif")).expect("it was written");
    assert!(sarif.contains(r#""uri":"app/src/parse.rs""#), "{sarif}");
    assert!(sarif.contains(r#""startLine":"#), "{sarif}");
}

#[test]
fn two_commits_that_do_the_same_pass_and_leave_what_is_here_alone() {
    let _alone = processors();
    let repository = Repository::new();
    repository.does(4);
    repository.commit("more");
    repository.folder.write("readme", "changes nothing");
    repository.commit("a text");
    repository.folder.write("app/input", "only here");
    repository.folder.write("app/src/main.rs", "nothing that can be compiled");
    let before = repository.git(&["status", "--porcelain"]).text();
    let passed = repository.check("--base main~ --head main --work work -- input").expect(0);
    assert!(passed.text().contains("base: main~ at "), "{passed}");
    assert!(passed.text().contains("head: main at "), "{passed}");
    assert_eq!(repository.git(&["status", "--porcelain"]).text(), before);
    let again = repository.check("--base main~ --head main --runs 1 --inconclusive pass").expect(0);
    assert!(!again.stderr.contains("Compiling"), "nothing has changed:\n{again}");
}

#[test]
fn a_base_that_does_not_build_is_an_error_that_names_it() {
    let repository = Repository::new();
    repository.folder.write("app/src/main.rs", "fn main() { nonsense }");
    repository.commit("broken");
    repository.does(1);
    let failed = repository.check("--base HEAD").expect(2);
    assert!(failed.stderr.contains("cannot find value `nonsense`"), "{failed}");
    let error = failed.errors().pop().expect("it says so").to_owned();
    assert!(error.contains("the base, HEAD at "), "{failed}");
    assert!(error.contains("cannot be built"), "{failed}");
}
