//! Processes that are no targets: those that are to become one, and those that never do. The
//! second are gaps in the recording, and it says why.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sigspy_model::Gap;
use sigspy_wire::handshake::SOCKET_VARIABLE;
use sigspy_wire::record::Exec;

use crate::journal::{Journal, NewProcess};
use crate::recording::{Event, gap_number};
use crate::{Error, launch, system};

/// A program that has been executed, and whose agent has not come after so long, has none: where it
/// should come, and where it cannot be expected to.
const PATIENCE: Duration = Duration::from_secs(3);
const LITTLE_PATIENCE: Duration = Duration::from_millis(300);
/// How often we look for children of which nobody has told us.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Threads of a process whose children are looked for.
const MOST_THREADS: usize = 16;
/// Arrivals that are remembered, as news of their exec may come after them.
const MOST_ARRIVALS: usize = 4096;

/// A process that becomes another program, or could not.
pub struct Execution {
    time_ns: u64,
    pid: u32,
    parent: u32,
    /// CPU time that the process had used as what it was before, ns; `None` for a child that had
    /// only been made for this.
    before_ns: Option<u64>,
    path: PathBuf,
    has_agent: bool,
    failed: bool,
}

impl Execution {
    /// `pid`: the process, as we know it. `teller`: who has told us, the parent or the process itself.
    pub fn new(exec: &Exec<'_>, pid: u32, teller: u32) -> Self {
        use std::os::unix::ffi::OsStringExt;
        let path = std::ffi::OsString::from_vec(exec.path().collect());
        Self {
            time_ns: exec.time_ns,
            pid,
            parent: if pid == teller { system::parent_of(teller).unwrap_or(0) } else { teller },
            before_ns: exec.cpu_ns,
            path: path.into(),
            has_agent: exec.has_agent,
            failed: exec.failed,
        }
    }
}

/// A process whose agent is to come.
struct Expected {
    execution: Execution,
    since: Instant,
    pidfd: Option<OwnedFd>,
}

impl Expected {
    fn is_gone(&self) -> bool {
        self.pidfd.as_ref().is_none_or(system::is_readable)
    }
}

/// A process without an agent.
struct Stranger {
    process: u32,
    pid: u32,
    pidfd: OwnedFd,
    /// CPU time that it had used as another program, ns.
    before_ns: u64,
    cpu_ns: u64,
}

impl Stranger {
    fn measure(&mut self) {
        if let Some(cpu_ns) = system::cpu_ns(self.pid) {
            self.cpu_ns = cpu_ns.saturating_sub(self.before_ns);
        }
    }
}

/// All of them.
#[derive(Default)]
pub struct Children {
    expected: HashMap<u32, Expected>,
    strangers: Vec<Stranger>,
    /// When agents have come, CLOCK_MONOTONIC in ns.
    arrived: HashMap<u32, u64>,
    /// Children that we have found by ourselves, and when.
    found: HashMap<u32, Instant>,
    looked: Option<Instant>,
    /// Targets that have become something without an agent, since somebody took this.
    pub left: Vec<u32>,
}

impl Children {
    /// A process becomes another program.
    pub fn execute(&mut self, execution: Execution) {
        let pid = execution.pid;
        if execution.failed {
            self.expected.remove(&pid);
        } else if self.arrived.get(&pid).is_none_or(|&arrived| arrived < execution.time_ns) {
            let pidfd = system::open_pidfd(pid).ok();
            self.expected.insert(pid, Expected { execution, since: Instant::now(), pidfd });
        }
    }

    /// The agent in a process has come. Returns CPU time that it used without one, ns.
    pub fn arrive(&mut self, pid: u32, journal: &mut Journal) -> u64 {
        if self.arrived.len() >= MOST_ARRIVALS {
            self.arrived.clear();
        }
        self.arrived.insert(pid, system::monotonic_ns());
        self.expected.remove(&pid);
        self.found.remove(&pid);
        let before = self.strangers.extract_if(.., |stranger| stranger.pid == pid);
        before.map(|stranger| finish(stranger, journal)).sum()
    }

    /// The agent in a process has been sent away.
    pub fn decline(&mut self, pid: u32, journal: &mut Journal) {
        self.arrive(pid, journal);
        let parent = system::parent_of(pid).unwrap_or(0);
        self.add_living(pid, parent, 0, Gap::NotWanted, journal);
    }

    /// Poll as readable when one has ended.
    pub fn pidfds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.strangers.iter().map(|stranger| stranger.pidfd.as_fd())
    }

    /// Looks what has become of them. `targets`: the processes that have an agent; `certain`: those of
    /// them whose ids are certain. Returns the CPU time of those that have ended, ns.
    pub fn look(&mut self, targets: &[u32], certain: &[u32], journal: &mut Journal) -> u64 {
        self.strangers.iter_mut().for_each(Stranger::measure);
        let has_ended = |stranger: &mut Stranger| system::is_readable(&stranger.pidfd);
        let ended: Vec<_> = self.strangers.extract_if(.., has_ended).collect();
        let ended_ns = ended.into_iter().map(|stranger| finish(stranger, journal)).sum();
        self.give_up_waiting(false, journal);
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            self.looked = Some(Instant::now());
            self.look_for_children(targets, certain, journal);
        }
        ended_ns
    }

    /// The end of the recording. Returns CPU time, as [`Children::look`].
    pub fn finish(&mut self, journal: &mut Journal) -> u64 {
        self.give_up_waiting(true, journal);
        self.strangers.iter_mut().for_each(Stranger::measure);
        self.strangers.drain(..).map(|stranger| finish(stranger, journal)).sum()
    }

    fn give_up_waiting(&mut self, all: bool, journal: &mut Journal) {
        let is_late = |expected: &Expected| {
            let patience = if expected.execution.has_agent { PATIENCE } else { LITTLE_PATIENCE };
            all || expected.is_gone() || expected.since.elapsed() >= patience
        };
        let late = self.expected.extract_if(|_, expected| is_late(expected));
        for (pid, expected) in late.collect::<Vec<_>>() {
            let is_gone = expected.is_gone();
            let execution = expected.execution;
            let file = if is_gone { resolve(&execution) } else { executable(pid) };
            let Some(gap) = why_without_agent(&file, execution.has_agent) else { continue };
            if is_gone {
                add_dead(&execution, &file, gap, journal);
            } else {
                self.left.extend(execution.before_ns.map(|_| pid));
                let before_ns = execution.before_ns.unwrap_or(0);
                self.add_living(pid, execution.parent, before_ns, gap, journal);
            }
        }
    }

    fn add_living(
        &mut self,
        pid: u32,
        parent: u32,
        before_ns: u64,
        gap: Gap,
        journal: &mut Journal,
    ) {
        let Ok(pidfd) = system::open_pidfd(pid) else { return };
        let name = system::process_name(pid);
        let time_ns = system::monotonic_ns();
        let process = journal.process(NewProcess { pid, parent: Some(parent), name, time_ns });
        journal.events.push(Event::Gap { process, reason: gap_number(gap) });
        let mut stranger = Stranger { process, pid, pidfd, before_ns, cpu_ns: 0 };
        stranger.measure();
        self.strangers.push(stranger);
    }

    /// Children that nobody has told us of: programs that make their system calls themselves.
    fn look_for_children(&mut self, targets: &[u32], certain: &[u32], journal: &mut Journal) {
        let strangers: Vec<u32> = self.strangers.iter().map(|stranger| stranger.pid).collect();
        let is_known = |pid: &u32| {
            targets.contains(pid) || strangers.contains(pid) || self.expected.contains_key(pid)
        };
        let parents = certain.iter().chain(&strangers);
        let children: Vec<(u32, u32)> = parents
            .flat_map(|&parent| children_of(parent).into_iter().map(move |pid| (pid, parent)))
            .filter(|(pid, _)| !is_known(pid))
            .collect();
        self.found.retain(|pid, _| children.iter().any(|(child, _)| child == pid));
        for (pid, parent) in children {
            let since = *self.found.entry(pid).or_insert_with(Instant::now);
            // It may be on its way to us, or to executing something.
            if since.elapsed() < LOOK_EVERY {
                continue;
            }
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let knows_us = environment
                .split(|&byte| byte == 0)
                .any(|variable| variable.starts_with(SOCKET_VARIABLE.as_bytes()));
            let gap = match why_without_agent(&executable(pid), knows_us) {
                Some(Gap::Unknown) if same_executable(pid, parent) => Gap::BareFork,
                Some(gap) => gap,
                None => continue,
            };
            self.found.remove(&pid);
            self.add_living(pid, parent, 0, gap, journal);
        }
    }
}

fn finish(stranger: Stranger, journal: &mut Journal) -> u64 {
    let Stranger { process, cpu_ns, .. } = stranger;
    let time_ns = journal.since_start(system::monotonic_ns());
    journal.events.push(Event::ProcessCpu { process, cpu_ns });
    journal.events.push(Event::ProcessEnd { process, time_ns });
    cpu_ns
}

/// A process that was gone before we could look: nothing is known of its CPU time.
fn add_dead(execution: &Execution, file: &Path, gap: Gap, journal: &mut Journal) {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parent = Some(execution.parent);
    let (pid, time_ns) = (execution.pid, execution.time_ns);
    let process = journal.process(NewProcess { pid, parent, name, time_ns });
    journal.events.push(Event::Gap { process, reason: gap_number(gap) });
    let time_ns = journal.since_start(system::monotonic_ns());
    journal.events.push(Event::ProcessEnd { process, time_ns });
}

fn executable(pid: u32) -> PathBuf {
    format!("/proc/{pid}/exe").into()
}

fn same_executable(pid: u32, other: u32) -> bool {
    let file = |pid| fs::read_link(executable(pid)).ok();
    file(pid).is_some() && file(pid) == file(other)
}

/// The file that was executed, as well as can be told afterwards.
fn resolve(execution: &Execution) -> PathBuf {
    let path = &execution.path;
    if path.components().count() > 1 || path.has_root() {
        let folder = fs::read_link(format!("/proc/{}/cwd", execution.parent)).unwrap_or_default();
        return folder.join(path);
    }
    launch::find(path.as_os_str()).unwrap_or_else(|_| path.clone())
}

/// Why the agent is not in a process that runs the program at `path`. `None`: there is no such
/// program, so the process has not become it.
fn why_without_agent(path: &Path, has_agent: bool) -> Option<Gap> {
    match launch::check(path) {
        Err(Error::StaticallyLinked(_)) => Some(Gap::StaticallyLinked),
        Err(Error::OtherArchitecture(_)) => Some(Gap::OtherArchitecture),
        Err(Error::SetUserId(_)) => Some(Gap::SetUserId),
        Err(_) => None,
        Ok(_) if !has_agent => Some(Gap::Environment),
        Ok(_) => Some(Gap::Unknown),
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .take(MOST_THREADS)
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|children| {
            children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        })
        .collect()
}
