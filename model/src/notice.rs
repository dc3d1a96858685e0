//! What people are told of alerts, and by what: the words between who decides it (`cases`) and who sends it (`notify`). No I/O.
//!
//! A message is for one channel. Its key stays the same over all attempts, so that a receiver that keeps keys takes it once.

use crate::time::IngestTime;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// 企业微信群机器人
    Wecom,
    /// 钉钉自定义机器人
    Dingtalk,
    /// 飞书自定义机器人
    Feishu,
    /// E-mail over SMTP.
    Email,
    /// `CloudEvents` 1.0 as JSON over HTTP.
    Webhook,
}

impl ChannelKind {
    pub const ALL: [Self; 5] = [Self::Wecom, Self::Dingtalk, Self::Feishu, Self::Email, Self::Webhook];

    /// Messages a minute that the receiver takes, as the makers of the robots document it for WeCom and DingTalk (20); ours for others.
    pub const fn per_minute(self) -> u32 {
        match self {
            Self::Wecom | Self::Dingtalk => 20,
            Self::Feishu | Self::Email => 60,
            Self::Webhook => 120,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    #[default]
    Zh,
    En,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// TLS from the first byte (usually port 465).
    #[default]
    Tls,
    /// Plain first, then STARTTLS, which must succeed (usually port 587).
    Starttls,
    /// None: for a relay on the same machine.
    None,
}

/// Where e-mail goes and through whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    pub host: String,
    pub port: u16,
    #[serde(default)]
    pub security: Security,
    /// Empty: without a log-in.
    #[serde(default)]
    pub user: String,
    pub from: String,
    pub to: Vec<String>,
}

/// What is not secret about a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSettings {
    #[serde(default)]
    pub language: Language,
    pub per_minute_max: u32,
    /// A message that could not be sent for so long is given up.
    pub deadline_minutes: u32,
    #[serde(default)]
    pub email: Option<Email>,
}

/// Never shown and never logged.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSecret {
    /// The hook's address: whoever knows it may write to the group.
    #[serde(default)]
    pub url: String,
    /// What requests are signed with, or the password of the mail account.
    #[serde(default)]
    pub secret: String,
}

impl std::fmt::Debug for ChannelSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChannelSecret(..)")
    }
}

/// A channel as it is sent by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: i64,
    pub name: String,
    pub kind: ChannelKind,
    pub settings: ChannelSettings,
    pub secret: ChannelSecret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    Raised,
    /// What was told is over.
    Ended,
    /// What was told does not stand: late or corrected data took it back.
    Withdrawn,
    /// Nobody acknowledged it in time.
    Escalated,
    Test,
}

impl MessageKind {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Ended => "ended",
            Self::Withdrawn => "withdrawn",
            Self::Escalated => "escalated",
            Self::Test => "test",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The same over all attempts.
    pub key: String,
    pub kind: MessageKind,
    pub made: IngestTime,
    /// One line.
    pub title: String,
    /// Lines of plain text, without markup.
    pub lines: Vec<String>,
    /// The same for machines.
    pub data: serde_json::Value,
}

/// Why a message did not go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For the log of deliveries; without secrets.
    pub reason: String,
    /// Trying again cannot help.
    pub lasting: bool,
    /// The receiver may have it all the same.
    pub maybe: bool,
    /// What the receiver asked to wait.
    pub wait_ms: Option<i64>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Cuts a text to so many bytes, at a character, and shows that it was cut.
#[must_use]
pub fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let mut end = bytes_max.saturating_sub('…'.len_utf8());
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_characters_and_within_the_bound() {
        assert_eq!(cut("油烟", 6), "油烟");
        for max in 3..9 {
            let short = cut("油烟超标", max);
            assert!(short.len() <= max && short.ends_with('…'), "{max}: {short}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = ChannelSecret { url: "https://x/?key=abc".into(), secret: "def".into() };
        assert_eq!(format!("{secret:?}"), "ChannelSecret(..)");
    }
}
