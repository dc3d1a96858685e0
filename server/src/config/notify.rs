//! `[notify]`: bounds of what we send to others, and what stands in it.

use super::reader::Section;
use ::notify::Limits;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notify {
    pub(crate) limits: Limits,
    /// Where people open the page; empty: messages have no links.
    pub(crate) page_url: String,
}

pub(super) fn read(s: &mut Section<'_>) -> Notify {
    let page_url = s.text("page_url").unwrap_or_default();
    if !page_url.is_empty() && !page_url.starts_with("https://") && !page_url.starts_with("http://") {
        s.problem("page_url", format!("{page_url:?} must start with http:// or https://"));
    }
    let source = s.text("source").unwrap_or_else(|| "urn:lantian".to_owned());
    if source.is_empty() || !source.bytes().all(|byte| byte.is_ascii_graphic()) {
        s.problem("source", format!("{source:?} is no URI; write one as \"urn:lantian:410104\""));
    }
    Notify {
        limits: Limits {
            connect_timeout: Duration::from_secs(s.number("connect_timeout_s", 5, 1..=60)),
            timeout: Duration::from_secs(s.number("timeout_s", 15, 1..=120)),
            private_addresses: s.flag("private_addresses", false),
            ca_file: s.text("ca_file").map(PathBuf::from),
            source,
        },
        page_url,
    }
}
