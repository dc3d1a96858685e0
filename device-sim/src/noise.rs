//! Seeded noise that depends only on (seed, device, quantity, time): the same reading comes out whenever it is asked for,
//! in whichever order, so that a repeated or late message says what the first one said.

/// A well-mixed number from the parts (the finaliser of splitmix64 over each part).
pub fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9E37_79B9_7F4A_7C15, |state, part| {
        let mut z = state ^ part.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// Uniform in [0, 1).
pub fn uniform(parts: &[u64]) -> f64 {
    // 53 bits fit a double exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in a double")]
    let numerator = (mix(parts) >> 11) as f64;
    numerator / 9_007_199_254_740_992.0
}

/// Uniform in [-1, 1).
pub fn signed(parts: &[u64]) -> f64 {
    uniform(parts).mul_add(2.0, -1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_spread_and_repeatable() {
        let draws: Vec<f64> = (0..10_000).map(|i| uniform(&[7, i])).collect();
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert!(draws.iter().all(|d| (0.0..1.0).contains(d)));
        assert!((uniform(&[7, 3]) - draws[3]).abs() < f64::EPSILON);
    }
}
