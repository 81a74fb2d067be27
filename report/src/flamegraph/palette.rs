//! Colours, by the names that they have in `flamegraph.pl`.

use std::str::FromStr;

use inferno::flamegraph::color;

/// The colours of a flame graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette(color::Palette);

impl Palette {
    /// What palettes are called.
    pub const NAMES: [&str; 15] = [
        "hot", "mem", "io", "red", "green", "blue", "aqua", "yellow", "purple", "orange", "wakeup",
        "java", "perl", "js", "rust",
    ];

    pub(super) fn colors(self) -> color::Palette {
        self.0
    }
}

/// `hot`: from yellow to red.
impl Default for Palette {
    fn default() -> Self {
        Self(color::Palette::Basic(color::BasicPalette::Hot))
    }
}

/// Reads a name. Fails with a sentence that names the others.
impl FromStr for Palette {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let unknown = || format!("`{name}` is no palette; take one of {}", Self::NAMES.join(", "));
        if Self::NAMES.contains(&name) { name.parse().map(Self) } else { Err(unknown()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_a_palette() {
        for name in Palette::NAMES {
            assert!(name.parse::<Palette>().is_ok(), "{name}");
        }
        assert!("pink".parse::<Palette>().unwrap_err().contains("hot, mem"));
    }
}
