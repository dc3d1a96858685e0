//! A publish whose topic says what its payload does not: topic, a zero byte, payload. A topic name holds no zero byte
//! (MQTT 5, 1.5.4), so the two come apart again.

/// Topic and payload as one run of bytes.
pub fn join(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut titled = Vec::with_capacity(topic.len() + 1 + payload.len());
    titled.extend_from_slice(topic.as_bytes());
    titled.push(0);
    titled.extend_from_slice(payload);
    titled
}

/// Topic and payload of what [`join`] made.
pub fn split(titled: &[u8]) -> Option<(&str, &[u8])> {
    let end = titled.iter().position(|byte| *byte == 0)?;
    let topic = std::str::from_utf8(titled.get(..end)?).ok()?;
    Some((topic, titled.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn topic_and_payload_come_apart_as_they_were(
            topic in "[^\u{0}]{0,40}", payload in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let joined = join(&topic, &payload);
            prop_assert_eq!(split(&joined), Some((topic.as_str(), payload.as_slice())));
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = split(&bytes);
        }
    }
}
