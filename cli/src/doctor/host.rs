//! What the host allows.

use std::path::Path;
use std::{env, fs, thread};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit};

use super::check::Check;
use super::perf;
use crate::{agent, record};

/// The first kernel with all that the collector needs: pidfd_open.
const FIRST_KERNEL: (u32, u32) = (5, 3);
/// Fewer timers than this are soon used up: there is one for each thread.
const FEW_TIMERS: u64 = 256;

pub fn kernel() -> Check {
    const NAME: &str = "kernel";
    let Ok(uname) = nix::sys::utsname::uname() else {
        return Check::warn(NAME, "unknown", "sigspy is for Linux 5.3 or newer on x86-64");
    };
    let (release, machine) = (uname.release().to_string_lossy(), uname.machine().to_string_lossy());
    let found = format!("Linux {release} on {machine}");
    match version(&release) {
        _ if machine != "x86_64" => Check::no(NAME, found, "sigspy is for x86-64"),
        Some(version) if version < FIRST_KERNEL => {
            Check::no(NAME, found, "sigspy needs Linux 5.3 or newer")
        }
        _ => Check::ok(NAME, found),
    }
}

/// Major and minor.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub fn processors() -> Check {
    const NAME: &str = "processors";
    match thread::available_parallelism().map_or(1, usize::from) {
        1 => Check::warn(
            NAME,
            "1: the collector competes with the program, and may lose samples",
            "keep the rate low, or allow a second one",
        ),
        many => Check::ok(NAME, many.to_string()),
    }
}

pub fn container() -> Check {
    const NAME: &str = "container";
    let marks = [("/.dockerenv", "Docker"), ("/run/.containerenv", "Podman")];
    let by_file = marks.iter().find(|(file, _)| Path::new(file).exists()).map(|(_, kind)| *kind);
    let kubernetes = env::var_os("KUBERNETES_SERVICE_HOST").map(|_| "Kubernetes");
    let cgroups = fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
    let names = ["docker", "kubepods", "lxc", "containerd"];
    let by_cgroup = names.into_iter().find(|name| cgroups.contains(name));
    match kubernetes.or(by_file).or(by_cgroup) {
        Some(kind) => Check::ok(NAME, format!("{kind}; sigspy needs no privilege in it")),
        None => Check::ok(NAME, "none was found"),
    }
}

pub fn timers() -> Check {
    const NAME: &str = "timers";
    let Ok((limit, _)) = getrlimit(Resource::RLIMIT_SIGPENDING) else {
        return Check::ok(NAME, "no limit is known");
    };
    let used = queued_signals().unwrap_or(0);
    let left = limit.saturating_sub(used);
    let found = format!("{left} can be created, one for each thread");
    let checked = if left < FEW_TIMERS {
        Check::warn(NAME, found, "raise `ulimit -i`; without, the clock of the process stands in")
    } else {
        Check::ok(NAME, found)
    };
    checked.with_detail(format!("RLIMIT_SIGPENDING is {limit}, of which {used} are in use"))
}

/// Of all processes of this user, timers included.
fn queued_signals() -> Option<u64> {
    super::process::status_of("self").ok()?.field("SigQ")?.split('/').next()?.parse().ok()
}

/// Nothing but `--clock perf` needs them, so that this is never a warning.
pub fn perf_events() -> Check {
    const NAME: &str = "perf events";
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
    let paranoid = paranoid.map_or("unknown".to_owned(), |text| text.trim().to_owned());
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(limit, _)| limit);
    let checked = match (perf::try_to_open(true), perf::try_to_open(false)) {
        (Ok(()), _) => Check::ok(NAME, "permitted, for --clock perf"),
        (Err(_), Ok(())) => Check::ok(NAME, "permitted outside of the kernel, for --clock perf"),
        (Err(_), Err(error)) => {
            Check::ok(NAME, format!("not permitted ({error}), so --clock perf does not work"))
                .with_detail("nothing else needs them")
        }
    };
    checked
        .with_detail(format!("perf_event_paranoid is {paranoid}"))
        .with_detail(format!("RLIMIT_NOFILE is {files}; --clock perf opens a file for each thread"))
}

pub fn system_calls() -> Check {
    const NAME: &str = "seccomp";
    let status = super::process::status_of("self");
    match status.ok().and_then(|status| Some(status.field("Seccomp")?.to_owned())).as_deref() {
        Some("2") => Check::ok(NAME, "a filter is in place; the trial says whether it matters"),
        _ => Check::ok(NAME, "no filter"),
    }
}

pub fn shared_memory() -> Check {
    const NAME: &str = "shared memory";
    const LENGTH: i64 = 1 << 20;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let created = memfd_create("sigspy-doctor", flags)
        .and_then(|memory| nix::unistd::ftruncate(memory, LENGTH));
    match created {
        Ok(()) => Check::ok(NAME, "memfd works"),
        Err(error) => Check::no(
            NAME,
            format!("memfd does not work: {error}"),
            "allow memfd_create in the filter of system calls",
        ),
    }
}

/// The agent is loaded from there; without, each recording makes a copy for itself.
pub fn cache() -> Check {
    const NAME: &str = "cache";
    const REMEDY: &str = "set XDG_CACHE_HOME to a folder that can be written to and is not mounted \
                          noexec; until then each recording begins a little later";
    let Some(folder) = record::cache_folder() else {
        return Check::warn(NAME, "there is no folder for it", REMEDY);
    };
    let shown = folder.display();
    match agent::unpack(&folder) {
        None => Check::warn(NAME, format!("{shown} cannot be written to"), REMEDY),
        Some(agent) if sigspy_collector::can_be_preloaded(&agent) => {
            Check::ok(NAME, shown.to_string())
                .with_detail(format!("the agent is {}", agent.display()))
        }
        Some(_) => Check::warn(
            NAME,
            format!("programs cannot load the agent from {shown}"),
            format!("{REMEDY} (nor may its path have a space or a colon)"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_kernels_are_understood() {
        assert_eq!(version("6.8.0-45-generic"), Some((6, 8)));
        assert_eq!(version("5.10.0+rc1"), Some((5, 10)));
        assert_eq!(version("rolling"), None);
        assert!((5, 2) < FIRST_KERNEL && (5, 3) >= FIRST_KERNEL && (6, 0) > FIRST_KERNEL);
    }
}
