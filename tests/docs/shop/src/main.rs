fn main() {
    let limit = std::env::args().nth(1).and_then(|limit| limit.parse().ok()).unwrap_or(20_000_000);
    println!("{}", shop::digit_sums(limit));
}
