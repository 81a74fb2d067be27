//! The machine that measures.

use std::fs;
use std::thread::available_parallelism;

use sigspy_compare::check::Runner;

/// This one, which has delivered so many samples for each second of CPU time.
pub fn this(samples_per_second: Option<f64>) -> Runner {
    let kernel = nix::sys::utsname::uname().ok();
    let kernel = kernel.map(|name| name.release().to_string_lossy().into_owned());
    Runner {
        cpu_model: fs::read_to_string("/proc/cpuinfo").ok().as_deref().and_then(model),
        cpus: available_parallelism().map_or(1, Into::into),
        kernel: kernel.unwrap_or_default(),
        tick_hz: samples_per_second,
        container_image: None,
    }
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
