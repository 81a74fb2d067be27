fn main() {
    println!("{}", shop::digit_sums(20_000_000));
}
