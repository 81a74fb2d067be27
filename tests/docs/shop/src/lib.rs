//! A program and a library to be profiled by the commands of the documentation.

/// Some work: the sum of the digits of all numbers below `limit`.
#[inline(never)]
pub fn digit_sums(limit: u64) -> u64 {
    (0..limit).map(digit_sum).sum()
}

fn digit_sum(mut number: u64) -> u64 {
    let mut sum = 0;
    while number > 0 {
        sum += number % 10;
        number /= 10;
    }
    sum
}

#[cfg(test)]
mod tests {
    #[test]
    fn sums_of_many_numbers() {
        assert!(super::digit_sums(3_000_000) > 0);
    }

    #[test]
    fn sums_of_few_numbers() {
        assert_eq!(super::digit_sums(11), 46);
    }
}
