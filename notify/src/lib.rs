//! Sends messages: robots of WeCom, DingTalk and Feishu, e-mail over SMTP, `CloudEvents` over HTTP. It decides nothing: to whom, when
//! and what is written is `cases::notify`'s. The only home of lettre, and of TLS towards receivers.
//!
//! | call | promise |
//! |---|---|
//! | [`Sender::new`] | reads the authority's file, if there is one |
//! | [`Sender::send`] | one attempt within [`Limits::timeout`]; says why it did not work, and whether the receiver may have it all the same |
//!
//! An attempt is bounded: time to connect, time in all, bytes that are read of an answer. Redirects are never followed. Unless
//! [`Limits::private_addresses`] allows it, a hook's address must not be of the local machine or network, whatever name it has.

mod address;
mod email;
mod hook;
mod sender;
mod sign;

pub use sender::{Limits, Sender, SenderError};
