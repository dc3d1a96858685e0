//! A small baseline JPEG encoder (ITU-T T.81: 4:4:4, one quantisation table and one pair of Huffman tables for all components), so that
//! simulated cameras send real pictures. Whole blocks only; nothing here must be fast.

/// An RGB picture in lines from the top.
#[derive(Debug, Clone)]
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Canvas {
    /// Sides are rounded up to whole blocks of 8.
    pub fn new(width: usize, height: usize) -> Self {
        let (width, height) = (width.next_multiple_of(8), height.next_multiple_of(8));
        Self { width, height, pixels: vec![[0; 3]; width * height] }
    }

    /// Paints every point by its place.
    pub fn paint(&mut self, colour: impl Fn(usize, usize) -> [u8; 3]) {
        let width = self.width;
        for (at, pixel) in self.pixels.iter_mut().enumerate() {
            *pixel = colour(at % width, at / width);
        }
    }

    /// A filled rectangle, cut at the borders.
    pub fn rect(&mut self, (left, top): (usize, usize), (width, height): (usize, usize), colour: [u8; 3]) {
        for y in top..(top + height).min(self.height) {
            for x in left..(left + width).min(self.width) {
                if let Some(pixel) = self.pixels.get_mut(y * self.width + x) {
                    *pixel = colour;
                }
            }
        }
    }

    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8];
        segment(&mut out, 0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        let table: Vec<u8> = std::iter::once(0).chain(ZIGZAG.iter().map(|at| QUANTISATION[*at])).collect();
        segment(&mut out, 0xDB, &table);
        let side = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let mut frame = vec![8];
        frame.extend(side(self.height));
        frame.extend(side(self.width));
        frame.extend([3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
        segment(&mut out, 0xC0, &frame);
        segment(&mut out, 0xC4, &[&[0x00][..], &DC_COUNTS, &DC_VALUES].concat());
        segment(&mut out, 0xC4, &[&[0x10][..], &AC_COUNTS, &AC_VALUES].concat());
        segment(&mut out, 0xDA, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
        let (dc, ac) = (codes(&DC_COUNTS, &DC_VALUES), codes(&AC_COUNTS, &AC_VALUES));
        let mut bits = Bits { out, word: 0, count: 0 };
        let mut last = [0_i32; 3];
        for top in (0..self.height).step_by(8) {
            for left in (0..self.width).step_by(8) {
                for (component, last) in last.iter_mut().enumerate() {
                    self.block((left, top), component, last, (&dc, &ac), &mut bits);
                }
            }
        }
        bits.finish()
    }

    fn block(
        &self,
        (left, top): (usize, usize),
        component: usize,
        last: &mut i32,
        codes: (&Codes, &Codes),
        bits: &mut Bits,
    ) {
        let mut samples = [0.0_f64; 64];
        for (at, sample) in samples.iter_mut().enumerate() {
            let pixel = self.pixels.get((top + at / 8) * self.width + left + at % 8).copied().unwrap_or_default();
            let [red, green, blue] = pixel.map(f64::from);
            *sample = match component {
                0 => 0.299 * red + 0.587 * green + 0.114 * blue - 128.0,
                1 => -0.168_736 * red - 0.331_264 * green + 0.5 * blue,
                _ => 0.5 * red - 0.418_688 * green - 0.081_312 * blue,
            };
        }
        let transformed = cosine(&samples);
        let mut zeros = 0_u8;
        for (order, at) in ZIGZAG.iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "a coefficient has at most 11 bits")]
            let value = (transformed[*at] / f64::from(QUANTISATION[*at])).round() as i32;
            if order == 0 {
                let difference = value - *last;
                *last = value;
                let size = size_of(difference);
                bits.symbol(codes.0, size);
                bits.magnitude(difference, size);
            } else if value == 0 {
                zeros += 1;
            } else {
                while zeros >= 16 {
                    bits.symbol(codes.1, 0xF0);
                    zeros -= 16;
                }
                let size = size_of(value);
                bits.symbol(codes.1, zeros << 4 | size);
                bits.magnitude(value, size);
                zeros = 0;
            }
        }
        if zeros > 0 {
            bits.symbol(codes.1, 0);
        }
    }
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    out.extend([0xFF, marker]);
    out.extend(u16::try_from(body.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(body);
}

/// The cosine transform of a block, row by row and column by column.
fn cosine(samples: &[f64; 64]) -> [f64; 64] {
    let once = |values: &[f64; 64]| {
        let mut out = [0.0; 64];
        for (at, slot) in out.iter_mut().enumerate() {
            let (line, frequency) = (at / 8, at % 8);
            let scale = if frequency == 0 { 0.125_f64.sqrt() } else { 0.5 };
            let terms = (0..8_usize).map(|x| {
                #[expect(clippy::cast_precision_loss, reason = "numbers below 128")]
                let angle = ((2 * x + 1) * frequency) as f64 * std::f64::consts::PI / 16.0;
                values[line * 8 + x] * angle.cos()
            });
            *slot = scale * terms.sum::<f64>();
        }
        out
    };
    let turned = |values: [f64; 64]| {
        let mut out = [0.0; 64];
        for (at, value) in values.into_iter().enumerate() {
            out[at % 8 * 8 + at / 8] = value;
        }
        out
    };
    turned(once(&turned(once(samples))))
}

/// Code and length of each symbol.
type Codes = [(u16, u8); 256];

fn codes(counts: &[u8; 16], values: &[u8]) -> Codes {
    let mut codes = [(0, 0); 256];
    let (mut code, mut values) = (0_u16, values.iter());
    for (length, count) in (1..).zip(counts) {
        for value in values.by_ref().take(usize::from(*count)) {
            codes[usize::from(*value)] = (code, length);
            code += 1;
        }
        code <<= 1;
    }
    codes
}

/// Bits of a magnitude.
fn size_of(value: i32) -> u8 {
    u8::try_from(32 - value.unsigned_abs().leading_zeros()).unwrap_or(0)
}

struct Bits {
    out: Vec<u8>,
    word: u32,
    count: u8,
}

impl Bits {
    fn symbol(&mut self, codes: &Codes, symbol: u8) {
        let (code, length) = codes[usize::from(symbol)];
        self.put(u32::from(code), length);
    }

    fn magnitude(&mut self, value: i32, size: u8) {
        let low = if value < 0 { value - 1 } else { value };
        self.put(low.cast_unsigned() & ((1 << size) - 1), size);
    }

    fn put(&mut self, bits: u32, length: u8) {
        self.word = self.word << length | bits;
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = u8::try_from(self.word >> self.count & 0xFF).unwrap_or(0);
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
        self.word &= (1 << self.count) - 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.count) % 8;
        self.put((1 << missing) - 1, missing);
        self.out.extend([0xFF, 0xD9]);
        self.out
    }
}

const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];
/// T.81 table K.1.
const QUANTISATION: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];
/// T.81 table K.3.
const DC_COUNTS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const DC_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// T.81 table K.5.
const AC_COUNTS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D];
#[rustfmt::skip]
const AC_VALUES: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3,
    0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_markers_in_order_and_no_bare_one_in_its_data() {
        let mut canvas = Canvas::new(60, 30);
        canvas.paint(|x, y| [u8::try_from(x * 4).unwrap(), u8::try_from(y * 8).unwrap(), 90]);
        canvas.rect((10, 10), (20, 90), [255, 255, 255]);
        let file = canvas.encode();
        assert_eq!((&file[..3], &file[file.len() - 2..]), (&[0xFF, 0xD8, 0xFF][..], &[0xFF, 0xD9][..]));
        let (mut at, mut markers) = (2, Vec::new());
        while markers.last() != Some(&0xDA) {
            assert_eq!(file[at], 0xFF);
            markers.push(file[at + 1]);
            at += 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        }
        assert_eq!(markers, [0xE0, 0xDB, 0xC0, 0xC4, 0xC4, 0xDA]);
        let data = &file[at..file.len() - 2];
        assert!(data.windows(2).all(|two| two[0] != 0xFF || two[1] == 0));
        assert_eq!(canvas.encode(), file);
    }

    #[test]
    fn one_colour_is_one_coefficient() {
        let mut canvas = Canvas::new(8, 8);
        canvas.paint(|_, _| [200, 200, 200]);
        // Luminance 72 × 8 / 16 = 36 has six bits; the other two are zero; each block then ends at once.
        let file = canvas.encode();
        let data = &file[file.len() - 6..file.len() - 2];
        assert_eq!(data, [0b1110_1001, 0b0010_1000, 0b1010_0010, 0b1011_1111]);
    }
}
