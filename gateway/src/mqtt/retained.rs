//! The last message of each topic that was published with the retain flag. Bounded in number and bytes; a new topic
//! beyond the bound is not retained and counted.

use super::session::Message;
use model::time::IngestTime;
use protocol::mqtt::topic;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Retained {
    messages: BTreeMap<Arc<str>, Arc<Message>>,
    bytes: usize,
    messages_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Changed,
    /// Nothing to do: an empty message for a topic that holds none.
    Same,
    Full,
}

impl Retained {
    pub(crate) const fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self { messages: BTreeMap::new(), bytes: 0, messages_max, bytes_max }
    }

    /// An empty payload takes the topic's message away.
    pub(crate) fn put(&mut self, message: &Message) -> Kept {
        let topic = message.topic_text();
        if message.payload.is_empty() {
            return if self.take(topic) { Kept::Changed } else { Kept::Same };
        }
        let old = self.messages.get(topic).map(|old| size(old));
        let bytes = self.bytes - old.unwrap_or(0) + size(message);
        if bytes > self.bytes_max || (old.is_none() && self.messages.len() >= self.messages_max) {
            return Kept::Full;
        }
        self.bytes = bytes;
        self.messages.insert(topic.into(), Arc::new(message.compact()));
        Kept::Changed
    }

    fn take(&mut self, topic: &str) -> bool {
        let old = self.messages.remove(topic);
        self.bytes -= old.as_deref().map_or(0, size);
        old.is_some()
    }

    pub(crate) fn get(&self, topic: &str) -> Option<Arc<Message>> {
        self.messages.get(topic).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Messages whose topic the filter matches, by topic.
    pub(crate) fn matching(&self, filter: &str, now: IngestTime) -> Vec<Arc<Message>> {
        let alive = |message: &&Arc<Message>| !message.is_expired(now);
        let Some(wildcard) = filter.find(['+', '#']) else {
            return self.messages.get(filter).filter(alive).cloned().into_iter().collect();
        };
        // `a/#` matches `a` too, so the walk begins one byte before the slash.
        let prefix = filter.get(..wildcard.saturating_sub(1)).unwrap_or_default();
        self.messages
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(topic, _)| topic.starts_with(prefix))
            .filter(|(topic, _)| topic::matches(filter, topic))
            .map(|(_, message)| message)
            .filter(alive)
            .cloned()
            .collect()
    }

    /// Takes out what has expired and returns the topics.
    pub(crate) fn expire(&mut self, now: IngestTime) -> Vec<Arc<str>> {
        let gone: Vec<Arc<str>> = self
            .messages
            .iter()
            .filter(|(_, message)| message.is_expired(now))
            .map(|(topic, _)| Arc::clone(topic))
            .collect();
        for topic in &gone {
            self.take(topic);
        }
        gone
    }
}

fn size(message: &Message) -> usize {
    message.topic.len() * 2 + message.payload.len() + 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(topic: &'static str, payload: &'static str) -> Message {
        Message {
            topic: Bytes::from_static(topic.as_bytes()),
            payload: Bytes::from_static(payload.as_bytes()),
            qos: 0,
            retain: true,
            expires: None,
            properties: None,
            publisher: 0,
        }
    }

    #[test]
    fn wildcards_find_their_topics_and_an_empty_message_clears() {
        let mut retained = Retained::new(10, 100_000);
        for topic in ["a", "a/b", "a/b/c", "b/b"] {
            assert_eq!(retained.put(&message(topic, "x")), Kept::Changed);
        }
        let found = |retained: &Retained, filter: &str| -> Vec<String> {
            retained.matching(filter, IngestTime(0)).iter().map(|m| m.topic_text().to_owned()).collect()
        };
        assert_eq!(found(&retained, "a/#"), ["a", "a/b", "a/b/c"]);
        assert_eq!(found(&retained, "+/b"), ["a/b", "b/b"]);
        assert_eq!(found(&retained, "a/b"), ["a/b"]);
        assert_eq!(retained.put(&message("a/b", "")), Kept::Changed);
        assert_eq!(retained.put(&message("a/b", "")), Kept::Same);
        assert_eq!(found(&retained, "a/b"), Vec::<String>::new());
    }

    #[test]
    fn a_full_store_refuses_new_topics_only() {
        let mut retained = Retained::new(1, 100_000);
        assert_eq!(retained.put(&message("a", "x")), Kept::Changed);
        assert_eq!(retained.put(&message("b", "x")), Kept::Full);
        assert_eq!(retained.put(&message("a", "y")), Kept::Changed);
        assert_eq!(retained.len(), 1);
    }
}
