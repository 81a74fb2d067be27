//! The socket over which the agent meets the collector.
#![allow(unsafe_code, reason = "system calls take raw pointers")]

use core::mem::MaybeUninit;
use core::ptr::null;

use super::{Errno, Timespec, address, call, close};
use crate::arch::nr;

/// A connected socket that closes when dropped.
pub struct Socket(i32);

impl Drop for Socket {
    fn drop(&mut self) {
        close(self.0);
    }
}

const SOL_SOCKET: usize = 1;

impl Socket {
    /// One of a pair that is connected already. It waits no longer than `patience_ns`.
    pub fn connected(descriptor: i32, patience_ns: u64) -> Result<Self, Errno> {
        let socket = Self(descriptor);
        socket.set_patience(patience_ns)?;
        Ok(socket)
    }

    fn set_patience(&self, patience_ns: u64) -> Result<(), Errno> {
        const SO_RCVTIMEO: usize = 20;
        const SO_SNDTIMEO: usize = 21;
        let patience = [Timespec::from_ns(patience_ns).seconds, 0];
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            call(nr::SETSOCKOPT, [self.number(), SOL_SOCKET, option, address(&patience), 16])?;
        }
        Ok(())
    }

    /// Connects to the Unix socket at `path` (a name of a file, without NUL), SOCK_SEQPACKET.
    /// Neither sends nor receives wait longer than `patience_ns`.
    pub fn connect(path: &[u8], patience_ns: u64) -> Result<Self, Errno> {
        const AF_UNIX: u16 = 1;
        const SEQPACKET_CLOEXEC: usize = 5 | 0o2000000;
        const ENAMETOOLONG: Errno = Errno(36);
        #[repr(C)]
        struct Address {
            family: u16,
            path: [u8; 108],
        }
        let mut to = Address { family: AF_UNIX, path: [0; 108] };
        // One byte is left for the NUL.
        let room = to.path.get_mut(..107).and_then(|room| room.get_mut(..path.len()));
        room.ok_or(ENAMETOOLONG)?.copy_from_slice(path);
        let socket = call(nr::SOCKET, [AF_UNIX as usize, SEQPACKET_CLOEXEC, 0])?;
        let socket = Self(socket as i32);
        socket.set_patience(patience_ns)?;
        call(nr::CONNECT, [socket.number(), address(&to), size_of::<Address>()])?;
        Ok(socket)
    }

    fn number(&self) -> usize {
        self.0 as usize
    }

    /// Effective user at the other end when it began to listen.
    pub fn peer_user(&self) -> Result<u32, Errno> {
        const SO_PEERCRED: usize = 17;
        let mut credentials = [0u32; 3];
        let mut length = size_of_val(&credentials) as u32;
        let out = core::ptr::from_mut(&mut credentials).addr();
        let length_out = core::ptr::from_mut(&mut length).addr();
        call(nr::GETSOCKOPT, [self.number(), SOL_SOCKET, SO_PEERCRED, out, length_out])?;
        let [_pid, user, _group] = credentials;
        Ok(user)
    }

    /// Sends one message. A peer that is gone is an error, not SIGPIPE.
    pub fn send(&self, message: &[u8]) -> Result<(), Errno> {
        const MSG_NOSIGNAL: usize = 0x4000;
        let (start, length) = (message.as_ptr().addr(), message.len());
        call(nr::SENDTO, [self.number(), start, length, MSG_NOSIGNAL, 0, 0]).map(drop)
    }

    /// Receives one message of `N` bytes with the two descriptors that come with it.
    pub fn receive<const N: usize>(&self) -> Result<([u8; N], [i32; 2]), Errno> {
        const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
        const EPROTO: Errno = Errno(71);
        #[repr(C)]
        struct Ancillary {
            length: usize,
            level: i32,
            kind: i32,
            descriptors: [i32; 2],
        }
        #[repr(C)]
        struct Message {
            name: *const u8,
            name_length: u32,
            parts: *mut [usize; 2],
            part_count: usize,
            control: *mut Ancillary,
            control_length: usize,
            flags: i32,
        }
        let mut bytes = [MaybeUninit::<u8>::zeroed(); N];
        let mut part = [bytes.as_mut_ptr().addr(), N];
        let mut ancillary = Ancillary { length: 0, level: 0, kind: 0, descriptors: [-1; 2] };
        let mut message = Message {
            name: null(),
            name_length: 0,
            parts: &mut part,
            part_count: 1,
            control: &mut ancillary,
            control_length: size_of::<Ancillary>(),
            flags: 0,
        };
        let out = core::ptr::from_mut(&mut message).addr();
        let received = call(nr::RECVMSG, [self.number(), out, MSG_CMSG_CLOEXEC])?;
        if received != N || message.control_length != size_of::<Ancillary>() {
            return Err(EPROTO);
        }
        // SAFETY: all bytes were zeroed above, whatever the kernel wrote since.
        Ok((bytes.map(|byte| unsafe { byte.assume_init() }), ancillary.descriptors))
    }
}
