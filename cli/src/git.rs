//! What git knows of the sources, asked by its own program.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{error, fmt, fs, io};

/// Where the work of others is found, the most telling first.
const DEFAULT_BRANCHES: [&str; 5] =
    ["refs/remotes/origin/HEAD", "origin/main", "origin/master", "main", "master"];
/// Variables by which git is told of another repository than the one that a folder is in. Hooks have
/// them, for one.
const OF_ANOTHER_REPOSITORY: [&str; 6] = [
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
];

/// Why git does not give what is needed.
#[derive(Debug)]
pub enum GitError {
    NotFound(io::Error),
    /// This folder is in none.
    NoRepository(PathBuf),
    /// Nothing by this name.
    NoCommit(String),
    /// There is no default branch, or it has nothing in common with HEAD.
    NoDefaultBase,
    /// HEAD is this commit, and nothing is uncommitted.
    NothingChanged(String),
    /// A folder of the sources that a commit does not have.
    NoFolder {
        folder: PathBuf,
        commit: String,
    },
    /// Git has said why.
    Failed(String),
}

/// A repository with its files.
#[derive(Debug)]
pub struct Repository {
    /// Without symbolic links.
    root: PathBuf,
}

/// A commit, and what people call it.
#[derive(Clone, Debug)]
pub struct Commit {
    pub name: String,
    pub hash: String,
}

impl Repository {
    /// The repository that a folder is in.
    pub fn around(folder: &Path) -> Result<Self, GitError> {
        let output = run(folder, ["rev-parse", "--show-toplevel"])?;
        let Some(root) = path(&output).filter(|_| output.status.success()) else {
            let is_none = String::from_utf8_lossy(&output.stderr).contains("not a git repository");
            let none = || GitError::NoRepository(folder.to_owned());
            return Err(if is_none { none() } else { failed(&output) });
        };
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit of that name: a branch, a tag, a hash and so on.
    pub fn commit(&self, name: &str) -> Result<Commit, GitError> {
        let hash =
            self.line(["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])?;
        let hash = hash.ok_or_else(|| GitError::NoCommit(name.to_owned()))?;
        Ok(Commit { name: name.to_owned(), hash })
    }

    /// The last commit that HEAD and the default branch have in common.
    pub fn merge_base(&self, head: &Commit) -> Result<Commit, GitError> {
        for name in DEFAULT_BRANCHES {
            let Ok(branch) = self.commit(name) else { continue };
            let hash = self.line(["merge-base", &branch.hash, &head.hash])?;
            let hash = hash.ok_or(GitError::NoDefaultBase)?;
            let name = name.trim_start_matches("refs/remotes/");
            return Ok(Commit { name: format!("merge base with {name}"), hash });
        }
        Err(GitError::NoDefaultBase)
    }

    /// Whether files are not as in HEAD, or not in it at all; those that are ignored do not count.
    pub fn has_changes(&self) -> Result<bool, GitError> {
        Ok(!self.succeed(["status", "--porcelain"])?.stdout.is_empty())
    }

    /// Whether HEAD, or what is to become it, has a file.
    pub fn knows(&self, file: &Path) -> Result<bool, GitError> {
        let words = ["ls-files", "--error-unmatch", "--"].map(OsStr::new);
        let output = run(&self.root, words.into_iter().chain([file.as_os_str()]))?;
        Ok(output.status.success())
    }

    /// Makes `folder` a work tree with the files of a commit and no others. Files that stay as they
    /// were are not touched, so that what was built of them need not be built again.
    ///
    /// A work tree, not a copy of the files: build scripts ask git which commit this is, and filters
    /// and submodules are a matter of the repository.
    pub fn check_out(&self, commit: &Commit, folder: &Path) -> Result<(), GitError> {
        if !self.has_work_tree(folder)? || self.update(commit, folder).is_err() {
            self.add_work_tree(commit, folder)?;
        }
        if folder.join(".gitmodules").exists() && self.has_submodules()? {
            succeed(
                folder,
                ["submodule", "--quiet", "update", "--init", "--recursive", "--force"],
            )?;
        }
        Ok(())
    }

    fn add_work_tree(&self, commit: &Commit, folder: &Path) -> Result<(), GitError> {
        let removed = if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) };
        removed.map_err(|error| GitError::Failed(format!("{}: {error}", folder.display())))?;
        let words = ["worktree", "add", "--quiet", "--force", "--detach"].map(OsStr::new);
        let what = [folder.as_os_str(), OsStr::new(&commit.hash)];
        self.succeed(words.into_iter().chain(what)).map(drop)
    }

    fn update(&self, commit: &Commit, folder: &Path) -> Result<(), GitError> {
        succeed(folder, ["checkout", "--quiet", "--force", "--detach", &commit.hash])?;
        succeed(folder, ["clean", "--quiet", "-ffdx"]).map(drop)
    }

    /// Whether a folder is a work tree of this repository, and not of another that was here before.
    fn has_work_tree(&self, folder: &Path) -> Result<bool, GitError> {
        if !folder.join(".git").is_file() {
            return Ok(false);
        }
        let words = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
        let (ours, its) = (self.succeed(words)?, run(folder, words)?);
        Ok(its.status.success() && its.stdout == ours.stdout)
    }

    /// Whether submodules are checked out here.
    fn has_submodules(&self) -> Result<bool, GitError> {
        let status = self.succeed(["submodule", "status"])?;
        let mut lines = status.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.any(|line| line[0] != b'-'))
    }

    /// A line of output; `None` if git fails.
    fn line<const N: usize>(&self, words: [&str; N]) -> Result<Option<String>, GitError> {
        let output = run(&self.root, words)?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().filter(|_| output.status.success()).map(str::to_owned))
    }

    fn succeed(
        &self,
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Output, GitError> {
        succeed(&self.root, words)
    }
}

fn succeed(
    folder: &Path,
    words: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Output, GitError> {
    let output = run(folder, words)?;
    if output.status.success() {
        return Ok(output);
    }
    Err(failed(&output))
}

/// What git says last is why, or what to do.
fn failed(output: &Output) -> GitError {
    let text = String::from_utf8_lossy(&output.stderr);
    let reason =
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
    GitError::Failed(reason.trim_start_matches("fatal: ").to_owned())
}

/// Runs git in a folder, without hooks, and without a question to anybody.
fn run(
    folder: &Path,
    words: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Output, GitError> {
    let mut git = Command::new("git");
    git.args(["-c", "core.hooksPath=/dev/null"]).args(words).current_dir(folder);
    git.stdin(Stdio::null()).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    for name in OF_ANOTHER_REPOSITORY {
        git.env_remove(name);
    }
    sigspy_collector::leave_limit_as_it_was(&mut git);
    git.output().map_err(GitError::NotFound)
}

/// The path that git has printed.
fn path(output: &Output) -> Option<PathBuf> {
    let bytes = output.stdout.strip_suffix(b"\n")?;
    Some(OsString::from_vec(bytes.to_owned()).into())
}

impl fmt::Display for GitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(_) => f.write_str("cannot run git; put it into PATH"),
            Self::NoRepository(folder) => write!(
                f,
                "{} is in no git repository, so there is no commit to compare with; `sigspy check` \
                 compares any two programs",
                folder.display()
            ),
            Self::NoCommit(name) => write!(
                f,
                "there is no commit {name} here; name another, or fetch it (with the history, where \
                 a service has left it out)"
            ),
            Self::NoDefaultBase => f.write_str(
                "there is no default branch (origin/HEAD, main, master) that HEAD has left, or its \
                 history was not fetched; name a commit with --base",
            ),
            Self::NothingChanged(commit) => write!(
                f,
                "nothing has changed since {commit}, which is in the default branch; name an earlier \
                 commit with --base"
            ),
            Self::NoFolder { folder, commit } => write!(
                f,
                "there is no folder {} in {commit}; begin in one that both commits have",
                folder.display()
            ),
            Self::Failed(reason) => write!(
                f,
                "git cannot check out what is to be compared: {reason}; see what git says of the \
                 same commit"
            ),
        }
    }
}

impl error::Error for GitError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::NotFound(error) => Some(error),
            _ => None,
        }
    }
}
