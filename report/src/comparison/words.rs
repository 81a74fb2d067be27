//! The numbers of a comparison as people read them.

use sigspy_compare::result::{Comparison, Finding, Function, Label, Normalized, Ratio, Side};

use crate::names::{presentable, shortened};

/// `+12.3 %`; `×4.2` for much more.
pub fn change(ratio: f64) -> String {
    match ratio {
        _ if !ratio.is_finite() => "-".to_owned(),
        10.0.. => format!("×{ratio:.0}"),
        3.0.. => format!("×{ratio:.1}"),
        _ => format!("{:+.1} %", (ratio - 1.0) * 100.0).replace('-', "−"),
    }
}

/// `[+1.2, +3.4]`, in percent, or in times for much more.
pub fn interval(ratio: &Ratio) -> String {
    let bound = |bound: f64| match bound {
        _ if !bound.is_finite() => "∞".to_owned(),
        _ if ratio.ratio >= 3.0 => format!("×{bound:.1}"),
        _ => format!("{:+.1}", (bound - 1.0) * 100.0).replace('-', "−"),
    };
    format!("[{}, {}]", bound(ratio.low), bound(ratio.high))
}

pub fn q_value(q: Option<f64>) -> String {
    match q {
        None => "-".to_owned(),
        Some(q) if q < 0.001 => "<0.001".to_owned(),
        Some(q) => format!("{q:.3}"),
    }
}

/// What is shown as the change of a function, and as its interval.
pub fn change_of(function: &Function) -> (String, String) {
    changed(&function.labels, function.change)
}

/// As [`change_of`], by a change that was measured otherwise. What is on one side only has no ratio.
pub fn changed(labels: &[Label], measured: Option<Ratio>) -> (String, String) {
    let label = |label| labels.contains(&label);
    match measured {
        _ if label(Label::New) => ("new".to_owned(), "-".to_owned()),
        _ if label(Label::Gone) => ("gone".to_owned(), "-".to_owned()),
        Some(ratio) => (change(ratio.ratio), interval(&ratio)),
        None => ("-".to_owned(), "-".to_owned()),
    }
}

/// `slower`, `faster`, with a `?` if that may be noise, and what else is known: empty for most.
pub fn remark(function: &Function, noise_is_known: bool) -> String {
    let doubt = if noise_is_known { "" } else { "?" };
    let finding = match function.finding {
        Finding::Slower => Some(format!("slower{doubt}")),
        Finding::Faster => Some(format!("faster{doubt}")),
        Finding::NoEvidence | Finding::NotTested => None,
    };
    let labels = function.labels.iter().filter_map(|label| match label {
        Label::New | Label::Gone => None,
        Label::Renamed(from) => Some(format!("was {from}")),
        Label::CostShift(within) => Some(format!("cost moved within {within}")),
    });
    finding.into_iter().chain(labels).collect::<Vec<_>>().join(", ")
}

/// `parse in libjson`, fit to be shown.
pub fn name(function: &Function, width: usize) -> String {
    let Function { module, function, .. } = function;
    let name = match &**module {
        "" => function.clone(),
        module if function == "?" => format!("[unknown] in {module}"),
        _ if function.contains("::") => function.clone(),
        module => format!("{function} in {module}"),
    };
    shortened(&presentable(name), width).into_owned()
}

/// The runs of a side, in one line.
pub fn side(label: &str, side: &Side) -> String {
    let one = side.runs == 1;
    let runs = if one { "1 run".to_owned() } else { format!("{} runs", side.runs) };
    let each = if one { "" } else { " each" };
    let work =
        if side.work == 1.0 { String::new() } else { format!(", {} units of work", side.work) };
    format!(
        "{runs} of {label}: {:.3} s CPU and {:.0} samples{each}{work}",
        side.cpu_s, side.samples
    )
}

/// What is to be thought of the CPU time as a whole, in one line.
pub fn total(comparison: &Comparison) -> String {
    let Comparison { base, head, total, .. } = comparison;
    let Some(ratio) = total.change else {
        return format!(
            "CPU time: {}, and nothing is known about how much runs differ by themselves",
            change(head.cpu_s / head.work / (base.cpu_s / base.work))
        );
    };
    let finding = match total.finding {
        Finding::Slower => "slower",
        Finding::Faster => "faster",
        Finding::NoEvidence | Finding::NotTested => "no evidence of a change",
    };
    let seen = match (total.finding, total.detectable) {
        (Finding::NoEvidence, Some(least)) => {
            format!("; one of {} would have been seen", change(1.0 + least))
        }
        _ => String::new(),
    };
    format!("CPU time: {} {}, {finding}{seen}", change(ratio.ratio), interval(&ratio))
}

/// What the functions are compared by.
pub fn normalization(comparison: &Comparison) -> &'static str {
    match comparison.normalization {
        Normalized::MedianOfRatios => {
            "CPU time of functions is compared as if all runs were equally long (median of ratios)"
        }
        Normalized::Cpu => "shares of the CPU time are compared",
        Normalized::None => "CPU time is compared as it was measured",
        Normalized::Work => "CPU time for each unit of work is compared",
    }
}

/// What would have been seen, in one sentence.
pub fn detectable(comparison: &Comparison) -> Option<String> {
    let one = |of: &sigspy_compare::result::Detectable| {
        format!("{} of a function of {:.0} %", change(1.0 + of.slowdown), of.share * 100.0)
    };
    let all: Vec<String> = comparison.detectable.iter().map(one).collect();
    (!all.is_empty())
        .then(|| format!("a slowdown would have been seen from about {}", all.join(", ")))
}

/// What was found among the functions, in one line.
pub fn findings(comparison: &Comparison) -> String {
    if !comparison.noise_is_known {
        return "functions: differences larger than the chance of sampling explains are marked, and \
                may still be noise"
            .to_owned();
    }
    let (slower, faster) = (comparison.slower().count(), comparison.faster().count());
    let tested = comparison.functions.iter().filter(|one| one.change.is_some()).count();
    format!("functions: {slower} slower, {faster} faster, of {tested} with enough samples")
}
