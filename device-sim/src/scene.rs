//! What a truck's camera sees, drawn: sky, road, a truck body with its cover, all from a seed; and a bar whose length grows with the second,
//! so that no two pictures are alike.

use crate::jpeg::Canvas;
use crate::noise::{mix, uniform};

const WIDTH: usize = 320;
const HEIGHT: usize = 184;

/// A JPEG of about ten kilobytes.
pub fn picture(seed: u64, at_ms: i64) -> Vec<u8> {
    let minute = at_ms.div_euclid(60_000).unsigned_abs();
    let draw = |what: u64| uniform(&[seed, 71, what]);
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    let horizon = 84 + place(draw(0), 16);
    let (haze, grass) = (shade(draw(1), 40), shade(draw(2), 40));
    canvas.paint(|x, y| {
        let grain = u8::try_from(mix(&[seed, minute, (y * WIDTH + x) as u64]) % 10).unwrap_or(0);
        let depth = u8::try_from(y * 255 / HEIGHT).unwrap_or(255);
        if y < horizon {
            [120 + depth / 3 + grain, 150 + depth / 3, 190 + depth / 8 + haze / 4]
        } else if x.abs_diff(WIDTH / 2) < 30 + (y - horizon) * 3 / 2 {
            [88 + grain, 88 + grain, 92 + grain]
        } else {
            [96 + grain, 112 + grass, 70 + grain]
        }
    });
    // Lane marks come nearer from minute to minute.
    for step in 0..6 {
        let y = horizon + 4 + (step * 18 + usize::try_from(minute % 18).unwrap_or(0)) % (HEIGHT - horizon);
        let width = 2 + (y - horizon) / 14;
        canvas.rect((WIDTH / 2 - width / 2, y), (width, 3 + width), [226, 226, 214]);
    }
    let left = 70 + place(draw(3), 70);
    let body = [shade(draw(4), 90) + 60, shade(draw(5), 60) + 50, shade(draw(6), 60) + 40];
    canvas.rect((left, 74), (112, 52), body);
    canvas.rect((left + 4, 66), (104, 12), [38, 92 + grass, 52]);
    canvas.rect((left + 112, 86), (30, 40), [214, 172, 40]);
    canvas.rect((left + 118, 91), (20, 13), [60, 80, 96]);
    for wheel in [8, 30, 84, 118] {
        canvas.rect((left + wheel, 122), (17, 15), [26, 26, 28]);
        canvas.rect((left + wheel + 5, 126), (7, 7), [120, 120, 124]);
    }
    let second = usize::try_from(at_ms.div_euclid(1_000).rem_euclid(60)).unwrap_or(0);
    canvas.rect((8, HEIGHT - 14), (124, 8), [20, 20, 24]);
    canvas.rect((10, HEIGHT - 12), (2 + second * 2, 4), [240, 200, 60]);
    canvas.encode()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "0 ≤ draw < 1"
)]
fn place(draw: f64, range: usize) -> usize {
    (draw * range as f64) as usize
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ draw < 1")]
fn shade(draw: f64, range: u8) -> u8 {
    (draw * f64::from(range)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_small_repeatable_and_each_another() {
        let at = 1_767_240_000_000;
        let one = picture(7, at);
        assert!((4_000..60_000).contains(&one.len()), "{} bytes", one.len());
        assert_eq!(one, picture(7, at));
        assert_ne!(one, picture(7, at + 1_000));
        assert_ne!(one, picture(8, at));
    }
}
