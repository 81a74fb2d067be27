//! The machine that measures.

use std::thread::available_parallelism;
use std::{env, fs};

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
        container_image: image(|name| env::var(name).ok()),
    }
}

/// What services say: GitLab the image of the container, GitHub that of the machine.
fn image(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let of_machine = || Some(format!("{} {}", variable("ImageOS")?, variable("ImageVersion")?));
    variable("CI_JOB_IMAGE").or_else(of_machine)
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_image_is_what_the_service_calls_it() {
        let image = |variables: &'static [(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(key, _)| *key == name);
            super::image(|name| find(name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(image(&[("CI_JOB_IMAGE", "rust:1")]).as_deref(), Some("rust:1"));
        let github = &[("ImageOS", "ubuntu24"), ("ImageVersion", "20261101.1")];
        assert_eq!(image(github).as_deref(), Some("ubuntu24 20261101.1"));
        assert_eq!(image(&[("ImageOS", "ubuntu24")]), None);
    }
}
