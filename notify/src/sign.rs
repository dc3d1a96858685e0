//! How receivers want requests signed. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// DingTalk: HMAC of `timestamp\nsecret` (milliseconds) with the secret as key, Base64.
pub(crate) fn dingtalk(secret: &str, at_ms: i64) -> String {
    STANDARD.encode(mac(secret.as_bytes(), format!("{at_ms}\n{secret}").as_bytes()))
}

/// Feishu: HMAC of nothing with `timestamp\nsecret` (seconds) as key, Base64.
pub(crate) fn feishu(secret: &str, at_s: i64) -> String {
    STANDARD.encode(mac(format!("{at_s}\n{secret}").as_bytes(), b""))
}

/// Ours for webhooks: `t=<seconds>,v1=<hex HMAC of "<seconds>.<body>">`.
pub(crate) fn webhook(secret: &str, at_s: i64, body: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut told = format!("{at_s}.").into_bytes();
    told.extend_from_slice(body);
    mac(secret.as_bytes(), &told).iter().fold(format!("t={at_s},v1="), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn mac(key: &[u8], told: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    <Hmac<Sha256>>::new_from_slice(key).map_or([0; 32], |mut mac| {
        mac.update(told);
        mac.finalize().into_bytes().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values made with Python's hmac module.
    #[test]
    fn signatures_are_as_the_receivers_compute_them() {
        assert_eq!(dingtalk("SECabc", 1_700_000_000_000), DINGTALK);
        assert_eq!(feishu("demo", 1_700_000_000), FEISHU);
        assert_eq!(webhook("key", 1_700_000_000, b"{}"), WEBHOOK);
    }

    const DINGTALK: &str = "jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM=";
    const FEISHU: &str = "8oT2n3SMKFfEnDoiwer8BUM/SjKLwe9SqoEIHlhDTKo=";
    const WEBHOOK: &str = "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
}
