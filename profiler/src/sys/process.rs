//! Starting another program that is no child of this one.

use core::ffi::c_char;

use super::{Errno, call, write_error};
use crate::arch::nr;

/// What is said when there is no collector.
pub const NO_COLLECTOR: &[u8] = b"sigspy: cannot start the collector, so nothing is recorded; \
    ask `sigspy agent --path` again\n";

/// Runs `program` as a process that the calling one knows nothing of: in a session of its own,
/// no child (so that the program waits for none that it did not make), with nothing on standard
/// input and output. `keep` stays open in it, under the same number.
///
/// # Safety
/// `program` is a C string, `arguments` and `environment` are lists of such, ended by null. All of
/// it stays valid for the call.
#[allow(unsafe_code, reason = "passes on pointers of the caller")]
pub unsafe fn spawn_stranger(
    program: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    keep: i32,
) -> Result<(), Errno> {
    const ANY_KIND_OF_CHILD: usize = 0x4000_0000; // __WALL
    // A child without an exit signal: no SIGCHLD, and wait() does not see it.
    let child = call(nr::CLONE, [0, 0, 0, 0, 0])?;
    if child == 0 {
        let _ = call(nr::SETSID, []); // a new process leads no group: it cannot fail
        if call(nr::CLONE, [0, 0, 0, 0, 0]) == Ok(0) {
            leave_files(keep);
            let strings = [program.addr(), arguments.addr(), environment.addr()];
            let _ = call(nr::EXECVE, strings);
            write_error(NO_COLLECTOR); // and the agent sees that nobody answers
        }
        exit(0);
    }
    call(nr::WAIT4, [child, 0, ANY_KIND_OF_CHILD, 0]).map(drop)
}

fn leave_files(keep: i32) {
    const READ_WRITE: usize = 2;
    const F_SETFD: usize = 2;
    if let Ok(null) = call(nr::OPEN, [c"/dev/null".as_ptr().addr(), READ_WRITE, 0]) {
        let _ = call(nr::DUP2, [null, 0]);
        let _ = call(nr::DUP2, [null, 1]);
    }
    let _ = call(nr::FCNTL, [keep as usize, F_SETFD, 0]); // not to be closed by exec
}

fn exit(status: usize) -> ! {
    loop {
        let _ = call(nr::EXIT_GROUP, [status]);
    }
}

/// Two connected sockets, SOCK_SEQPACKET, closed by exec.
pub fn socket_pair() -> Result<[i32; 2], Errno> {
    const AF_UNIX: usize = 1;
    const SEQPACKET_CLOEXEC: usize = 5 | 0o2000000;
    let mut pair = [0i32; 2];
    let out = core::ptr::from_mut(&mut pair).addr();
    call(nr::SOCKETPAIR, [AF_UNIX, SEQPACKET_CLOEXEC, 0, out])?;
    Ok(pair)
}
