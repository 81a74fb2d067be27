//! What a file looks like.

use crate::{Error, Format, perf, pprof};

/// How much of a file is looked at, bytes.
const ENOUGH: usize = 64 << 10;

/// What JSON, XML, SVG and HTML begin with. Names of functions may begin with `<` or `[`, too.
const OTHERS: [&[u8]; 6] = [b"{", b"[{", b"[\n", b"<?xml", b"<svg", b"<!"];

/// The format of a file by its first bytes.
pub fn sniff(bytes: &[u8]) -> Result<Format, Error> {
    let start = &bytes[..bytes.len().min(ENOUGH)];
    match start {
        [0x1f, 0x8b, ..] => return Ok(Format::Pprof),
        [b'P', b'E', b'R', b'F', b'I', b'L', b'E', ..] => return Err(Error::PerfData),
        [b'S', b'I', b'G', b'S', b'P', b'Y', ..] => return Err(Error::Recording),
        _ => {}
    }
    if OTHERS.iter().any(|other| start.starts_with(other)) {
        return Err(Error::UnknownFormat);
    }
    if !is_text(start) {
        return if pprof::is_likely(bytes) { Ok(Format::Pprof) } else { Err(Error::UnknownFormat) };
    }
    let text = String::from_utf8_lossy(start);
    let frames = text.lines().filter(|line| perf::frame(line).is_some());
    Ok(if frames.count() > 0 { Format::Perf } else { Format::Folded })
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_what_they_begin_with() {
        let of = |bytes: &[u8]| sniff(bytes).ok();
        assert_eq!(of(b"\x1f\x8b\x08"), Some(Format::Pprof));
        assert_eq!(of(b"\x48\x01\n\x04\x08\x01\x10\x02\x32\0"), Some(Format::Pprof));
        assert_eq!(of(b"main;work 3\n"), Some(Format::Folded));
        assert_eq!(of(b"[lost] 3\n"), Some(Format::Folded));
        assert_eq!(of(b"<T as U>::f 3\n"), Some(Format::Folded));
        assert_eq!(of(b"app 7 1.5: cycles: \n\t 55d0 main (/bin/app)\n"), Some(Format::Perf));
        assert!(matches!(sniff(b"PERFILE2\0"), Err(Error::PerfData)));
        assert!(matches!(sniff(b"SIGSPY\r\n"), Err(Error::Recording)));
        assert!(matches!(sniff(b"{\"version\": 1}"), Err(Error::UnknownFormat)));
        assert!(matches!(sniff(b"\x7fELF\x02"), Err(Error::UnknownFormat)));
    }
}
