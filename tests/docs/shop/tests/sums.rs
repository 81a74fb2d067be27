#[test]
fn sums_grow() {
    assert!(shop::digit_sums(2_000_000) < shop::digit_sums(4_000_000));
}
