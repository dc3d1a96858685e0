//! A stable 64-bit hash of a record's content: the same on every machine and in every version, since two copies of a record may meet
//! years apart. Not against an adversary: a device that forges a collision loses its own record only.

use model::record::Body;

/// Hash of the body; remarks do not count.
pub fn content(body: &Body) -> u64 {
    let mut hash = Mixer::new();
    for value in &body.values {
        let head = u64::from(value.quantity.0) << 16 | (value.statistic as u64) << 8 | value.flag as u64;
        hash.word(head);
        hash.word(value.value.to_bits());
    }
    if let Some(fix) = body.fix {
        hash.word(1);
        hash.word(fix.place.lon.to_bits());
        hash.word(fix.place.lat.to_bits());
        hash.word(fix.speed_kmh.to_bits());
        let small =
            u64::from(fix.heading_deg) << 32 | u64::from(fix.altitude_m.cast_unsigned()) << 1 | u64::from(fix.fixed);
        hash.word(small);
        hash.word(u64::from(fix.status) << 32 | u64::from(fix.alarm));
    }
    if let Some(event) = &body.happening {
        hash.word(2);
        hash.text(&event.what);
        hash.word(event.end.map_or(0, |end| end.0.cast_unsigned() ^ 1 << 63));
        hash.text(event.plate.as_deref().unwrap_or("\u{0}"));
        for (name, value) in &event.attributes {
            hash.text(name);
            hash.text(value);
        }
        for picture in &event.pictures {
            hash.text(picture);
        }
    }
    hash.finish()
}

/// Slot of an event: tells apart two things at one moment.
pub fn slot(what: &str, plate: Option<&str>) -> u32 {
    let mut hash = Mixer::new();
    hash.text(what);
    hash.text(plate.unwrap_or_default());
    // 0 is the slot of everything that is no event.
    u32::try_from(hash.finish() >> 32).unwrap_or(0).max(1)
}

/// Hash of a frame as it was received.
pub fn frame(raw: &[u8]) -> u64 {
    let mut hash = Mixer::new();
    hash.bytes(raw);
    hash.finish()
}

/// Multiply and fold the two halves together, word by word.
struct Mixer(u64);

impl Mixer {
    const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(0xa076_1d64_78bd_642f_u64);
        let (low, high) = halves(product);
        self.0 = low ^ high.rotate_left(23) ^ 0x2545_f491_4f6c_dd1d;
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn finish(mut self) -> u64 {
        self.word(0x51);
        self.0
    }
}

fn halves(product: u128) -> (u64, u64) {
    let low = product & u128::from(u64::MAX);
    (u64::try_from(low).unwrap_or(0), u64::try_from(product >> 64).unwrap_or(0))
}
