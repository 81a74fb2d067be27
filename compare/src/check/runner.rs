//! The machine that has measured.

use serde::{Deserialize, Serialize};

/// What CPU times depend on besides the program. Two that are equal may still not be alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Runner {
    /// As the processor calls itself.
    pub cpu_model: Option<String>,
    /// Processors that the program could use.
    pub cpus: usize,
    /// Release of the kernel, as `uname -r`.
    pub kernel: String,
    /// Ticks in a second of CPU time, as observed: the kernel may deliver fewer than were asked for.
    pub tick_hz: Option<f64>,
    /// Image of the container, if that is known.
    pub container_image: Option<String>,
}

impl Runner {
    /// How `self` is another machine than `other`: a phrase for each difference.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let named = |name: &Option<String>| name.clone().unwrap_or_else(|| "unknown".to_owned());
        let tick =
            |tick: Option<f64>| tick.map_or("unknown".to_owned(), |hz| format!("{hz:.0} Hz"));
        let rows = [
            ("CPU", named(&self.cpu_model), named(&other.cpu_model)),
            ("processors", self.cpus.to_string(), other.cpus.to_string()),
            ("kernel", self.kernel.clone(), other.kernel.clone()),
            ("image", named(&self.container_image), named(&other.container_image)),
        ];
        let mut differences: Vec<String> = rows
            .into_iter()
            .filter(|(_, mine, theirs)| mine != theirs)
            .map(|(what, mine, theirs)| format!("{what} {mine} instead of {theirs}"))
            .collect();
        if !is_same_tick(self.tick_hz, other.tick_hz) {
            let (mine, theirs) = (tick(self.tick_hz), tick(other.tick_hz));
            differences.push(format!("ticks at {mine} instead of {theirs}"));
        }
        differences
    }
}

/// What is observed differs a little each time.
fn is_same_tick(a: Option<f64>, b: Option<f64>) -> bool {
    const TOLERANCE: f64 = 0.2;
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.max(b),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let here = Runner {
            cpu_model: Some("Xeon".to_owned()),
            cpus: 2,
            kernel: "6.1".to_owned(),
            tick_hz: Some(97.2),
            container_image: None,
        };
        assert!(here.differences(&Runner { tick_hz: Some(96.0), ..here.clone() }).is_empty());
        let there = Runner { cpus: 4, tick_hz: Some(250.0), ..here.clone() };
        assert_eq!(
            here.differences(&there),
            ["processors 2 instead of 4", "ticks at 97 Hz instead of 250 Hz"]
        );
    }
}
