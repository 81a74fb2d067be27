//! The place where agents find us: a socket in a folder of our own.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind,
    getsockopt, listen, recv, sendmsg, socket, sockopt,
};
use sigspy_wire::handshake::{Hello, Welcome};

/// A listening socket in a private folder, which goes when this is dropped.
pub struct Meeting {
    folder: PathBuf,
    socket: OwnedFd,
}

impl Meeting {
    pub fn new() -> io::Result<Self> {
        let folder = create_private_folder()?;
        let meeting = listen_in(&folder);
        if meeting.is_err() {
            let _ = fs::remove_dir_all(&folder); // the first error is the one to report
        }
        Ok(Self { socket: meeting?, folder })
    }

    /// A folder that only this user can look into.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where agents connect to.
    pub fn path(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }

    /// Polls as readable when somebody comes.
    pub fn socket(&self) -> impl AsFd + '_ {
        &self.socket
    }

    /// The next agent that has come. `None`: nobody waits.
    pub fn next(&self) -> Option<Arrival> {
        let descriptor =
            accept4(self.socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)
                .ok()?;
        #[allow(unsafe_code, reason = "accept4 returns a bare number")]
        // SAFETY: the descriptor is new and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Some(Arrival::new(socket))
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder); // what cannot be removed stays
    }
}

const SOCKET: &str = "agents";

fn create_private_folder() -> io::Result<PathBuf> {
    let place = env::var_os("XDG_RUNTIME_DIR").map_or_else(env::temp_dir, PathBuf::from);
    let places = if place.is_dir() { [place, env::temp_dir()] } else { [env::temp_dir(), place] };
    let mut result = Err(io::ErrorKind::NotFound.into());
    for place in places {
        for attempt in 0..100 {
            let folder = place.join(format!("sigspy-{}-{attempt}", std::process::id()));
            // Fails where anything of that name exists: nobody can have prepared it for us.
            result = fs::DirBuilder::new().mode(0o700).create(&folder).map(|()| folder);
            match &result {
                Ok(_) => return result,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
    }
    result
}

fn listen_in(folder: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(&folder.join(SOCKET))?)?;
    listen(&socket, Backlog::MAXCONN)?;
    Ok(socket)
}

/// An agent that waits for its answer. Dropping it sends the agent away: its program runs
/// without.
pub struct Arrival {
    socket: OwnedFd,
    since: Instant,
}

impl Arrival {
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, since: Instant::now() }
    }

    pub fn since(&self) -> Instant {
        self.since
    }

    pub fn socket(&self) -> impl AsFd + '_ {
        &self.socket
    }

    /// Who it is: its pid, and the one by which it knows itself, if it is one of this user's
    /// processes and of our build. `Err(WouldBlock)`: it has not said hello yet.
    pub fn hello(&self) -> io::Result<Option<(u32, u32)>> {
        let mut message = [0; 16];
        let length = recv(self.socket.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT)?;
        let peer = getsockopt(&self.socket, sockopt::PeerCredentials)?;
        let hello = Hello::from_bytes(&message).filter(|_| length == message.len());
        let ours = peer.uid() == nix::unistd::geteuid().as_raw();
        let pid = u32::try_from(peer.pid()).ok().filter(|&pid| pid != 0 && ours);
        Ok(pid.zip(hello.map(|hello| hello.pid)))
    }

    /// Hands over the shared memory and the arena of tables.
    pub fn welcome(
        self,
        lanes: usize,
        arena_length: usize,
        memory: impl AsFd,
        arena: impl AsFd,
    ) -> io::Result<()> {
        let (lanes, arena_length) = (lanes as u32, arena_length as u32);
        let message = Welcome { lanes, arena_length }.to_bytes();
        let descriptors = [memory.as_fd().as_raw_fd(), arena.as_fd().as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let parts = [IoSlice::new(&message)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.socket.as_raw_fd(), &parts, &rights, flags, None)?;
        Ok(())
    }
}
