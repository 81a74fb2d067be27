//! Input for programs that work on text.

/// Text that compresses about as well as prose does, the same in every run.
pub fn prose(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = (state >> 33) % 5000;
        text += &format!("{:x} ", word * word);
    }
    text.truncate(bytes);
    text.into_bytes()
}
