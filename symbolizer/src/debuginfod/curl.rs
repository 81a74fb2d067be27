//! Fetches files by HTTP, with the system's curl: it knows the certificates and proxies of the
//! machine.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use crate::demangle::clean;

/// Nobody waits longer for a connection: seconds.
const LONGEST_CONNECT_S: u64 = 10;
/// Slower than this is silence: bytes in the time of the patience.
const LEAST_BYTES: u64 = 100 << 10;
/// curl's own exit status for an answer of 400 and above, with `--fail`.
const HTTP_ERROR: i32 = 22;
const NOT_FOUND: &[u8] = b"404";

/// What an answer may cost.
pub struct Limits {
    /// How long a server may say next to nothing.
    pub patience: Duration,
    /// How long it may take in all.
    pub longest: Duration,
    /// Bytes of a file at most.
    pub largest: u64,
}

/// Why a file did not come.
#[derive(Debug)]
pub enum Failure {
    /// The server does not have it.
    NotThere,
    /// curl cannot be run.
    NoCurl(io::Error),
    /// What curl says: no connection, a time-out, an error of the server.
    Transfer(String),
    TooLarge(u64),
    /// Something else was sent than what was asked for.
    WrongAnswer,
    /// It cannot be written to disk.
    Keep(io::Error),
}

impl Failure {
    /// Whether it is of no use to ask the server for other files.
    pub fn is_of_the_server(&self) -> bool {
        !matches!(self, Self::NotThere | Self::TooLarge(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("does not have the file"),
            Self::NoCurl(error) => write!(
                f,
                "was not asked, as curl cannot be run ({error}); install curl, or unset DEBUGINFOD_URLS"
            ),
            Self::Transfer(message) => write!(f, "does not answer as it should: {message}"),
            Self::TooLarge(most) => {
                write!(f, "has sent a file of more than {} MiB, which is too large", most >> 20)
            }
            Self::WrongAnswer => f.write_str("has sent something else than was asked for"),
            Self::Keep(error) => {
                write!(f, "was not asked, as its answer cannot be written to disk: {error}")
            }
        }
    }
}

/// Writes what is at `url` to `file`. `got` is told of bytes as they come.
pub fn fetch(url: &str, limits: &Limits, file: &File, got: &dyn Fn(u64)) -> Result<(), Failure> {
    let mut curl = command(url, limits).spawn().map_err(Failure::NoCurl)?;
    if let Some(output) = curl.stdout.take()
        && let Err(failure) = copy(output, limits.largest, file, got)
    {
        let _ = curl.kill(); // it may have ended by itself
        let _ = curl.wait(); // there is nothing more to know
        return Err(failure);
    }
    let output = curl.wait_with_output().map_err(Failure::NoCurl)?;
    if output.status.success() { Ok(()) } else { Err(failure(&output)) }
}

fn command(url: &str, limits: &Limits) -> Command {
    let patience = limits.patience.as_secs().max(1);
    let mut command = Command::new("curl");
    command.args(["--disable", "--silent", "--show-error", "--fail", "--globoff"]);
    command.args(["--location", "--max-redirs", "5", "--proto", "=http,https"]);
    command.args(["--user-agent", concat!("sigspy/", env!("CARGO_PKG_VERSION"))]);
    command.arg("--connect-timeout").arg(patience.min(LONGEST_CONNECT_S).to_string());
    command.arg("--max-time").arg(limits.longest.as_secs().max(1).to_string());
    command.arg("--speed-time").arg(patience.to_string());
    command.arg("--speed-limit").arg((LEAST_BYTES / patience).max(1).to_string());
    command.args(["--write-out", "%{stderr}%{http_code}", "--url", url]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn copy(
    mut output: ChildStdout,
    largest: u64,
    mut file: &File,
    got: &dyn Fn(u64),
) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let read = output.read(&mut buffer).map_err(Failure::Keep)?;
        if read == 0 {
            return Ok(());
        }
        length += read as u64;
        if length > largest {
            return Err(Failure::TooLarge(largest));
        }
        file.write_all(&buffer[..read]).map_err(Failure::Keep)?;
        got(read as u64);
    }
}

/// Why curl has failed, by its exit status and its last words: a message, then the status of the
/// answer.
fn failure(output: &Output) -> Failure {
    let (message, status) = output.stderr.split_at(output.stderr.len().saturating_sub(3));
    if output.status.code() == Some(HTTP_ERROR) && status == NOT_FOUND {
        return Failure::NotThere;
    }
    let message = String::from_utf8_lossy(message);
    // `curl: (7) Failed to connect`
    let message = message.rsplit_once("curl: ").map_or(&*message, |(_, message)| message);
    let message = message.split_once(") ").map_or(message, |(_, message)| message);
    let first_line = message.trim().lines().next().unwrap_or("curl does not say why");
    Failure::Transfer(clean(first_line).into_owned())
}
