//! How often the kernel looks at CPU timers: that bounds how many different stacks there can be.

use std::time::Duration;

use nix::sys::signal::{SigEvent, SigSet, SigevNotify, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::{ClockId, clock_getres, clock_gettime};

use super::check::Check;

/// CPU time that is used for measuring.
const LENGTH: Duration = Duration::from_millis(200);
/// Shorter than the tick of any kernel.
const PERIOD: Duration = Duration::from_micros(500);

/// What was seen while a thread worked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tick {
    /// Signals for each second of CPU time.
    pub signals_hz: f64,
    /// The part of all expiries that the kernel delivered or counted: 1 if it is honest.
    pub accounted: f64,
}

/// Works for a moment under a CPU timer of this thread.
pub fn measure() -> nix::Result<Tick> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGPROF);
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&mask), Some(&mut before))?;
    let measured = measure_blocked(&mask);
    // The timer is gone; what it may have left behind must not arrive.
    if let Ok(left) = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK) {
        while let Ok(Some(_)) = left.read_signal() {}
    }
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    measured
}

fn measure_blocked(mask: &SigSet) -> nix::Result<Tick> {
    let arrivals = SignalFd::with_flags(mask, SfdFlags::SFD_NONBLOCK)?;
    let thread_id = nix::unistd::gettid().as_raw();
    let notify = SigevNotify::SigevThreadId { signal: Signal::SIGPROF, thread_id, si_value: 0 };
    let mut timer = Timer::new(ClockId::CLOCK_THREAD_CPUTIME_ID, SigEvent::new(notify))?;
    let start = cpu_time()?;
    timer.set(Expiration::Interval(PERIOD.into()), TimerSetTimeFlags::empty())?;
    let (mut signals, mut expiries) = (0_u64, 0_u64);
    let used = loop {
        if let Some(signal) = arrivals.read_signal()? {
            signals += 1;
            expiries += 1 + u64::from(signal.ssi_overrun);
        }
        let used = cpu_time()? - start;
        if used >= LENGTH {
            break used;
        }
    };
    let expected = used.as_secs_f64() / PERIOD.as_secs_f64();
    let signals_hz = signals as f64 / used.as_secs_f64();
    Ok(Tick { signals_hz, accounted: expiries as f64 / expected })
}

fn cpu_time() -> nix::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// The kernel's own word for it: CONFIG_HZ.
fn kernel_hz() -> Option<f64> {
    let resolution: Duration = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).ok()?.into();
    Some(1.0 / resolution.as_secs_f64())
}

/// Says how fine CPU timers are.
pub fn check(measured: &nix::Result<Tick>) -> Check {
    const NAME: &str = "tick";
    /// Of the expiries, as the measurement itself ends between two ticks.
    const NEARLY_ALL: f64 = 0.9;
    let tick = match measured {
        Ok(tick) => tick,
        Err(error) => {
            let found = format!("a CPU timer cannot be created: {error}");
            let remedy = "raise `ulimit -i`; until then the clock of the process stands in";
            return Check::warn(NAME, found, remedy);
        }
    };
    let kernel = kernel_hz().unwrap_or(tick.signals_hz);
    let found = format!(
        "{kernel:.0} Hz: at most so many stacks a second for each thread; more is counted as weight"
    );
    let checked = match tick.accounted >= NEARLY_ALL {
        true => Check::ok(NAME, found),
        false => Check::warn(
            NAME,
            format!("the kernel counts only {:.0} % of the expiries", 100.0 * tick.accounted),
            "compare totals with those of time(1) before you believe them",
        ),
    };
    let (signals, accounted) = (tick.signals_hz, 100.0 * tick.accounted);
    checked.with_detail(format!(
        "a CPU timer of 2000 Hz delivered {signals:.0} signals a second, with counts that make up \
         {accounted:.0} % of its expiries"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expiry_is_delivered_or_counted() {
        let tick = measure().unwrap();
        assert!(tick.signals_hz > 10.0, "{tick:?}");
        assert!((0.5..=1.1).contains(&tick.accounted), "{tick:?}");
    }

    #[test]
    fn a_kernel_that_forgets_expiries_is_found_out() {
        let text = |accounted| check(&Ok(Tick { signals_hz: 250.0, accounted })).found;
        assert!(text(1.0).contains("at most so many stacks"));
        assert!(text(0.25).contains("only 25 %"));
    }
}
