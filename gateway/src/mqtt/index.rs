//! All filters of all sessions as a tree of topic levels, so that a topic finds its subscribers in as many steps as it
//! has levels, whatever the number of filters. A number grows with every change; a connection keeps what it found until then.

use super::session::{Session, Subscription};
use ahash::AHashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

#[derive(Debug, Default)]
pub(crate) struct Index {
    root: RwLock<Node>,
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct Node {
    children: AHashMap<Box<str>, Node>,
    any: Option<Box<Node>>,
    here: Vec<Entry>,
    /// `#` below this level.
    rest: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    session: Arc<Session>,
    subscription: Subscription,
}

/// One subscriber of a topic, with the best of its matching filters.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) session: Arc<Session>,
    pub(crate) qos: u8,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) subscription_ids: Vec<u32>,
    /// Only filters that are served by the fan-out matched.
    pub(crate) via_router: bool,
}

/// Who gets a topic's messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matched {
    pub(crate) targets: Vec<Target>,
    /// The fan-out has a subscriber.
    pub(crate) router: bool,
}

impl Matched {
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

impl Index {
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Adds a filter or replaces the session's same filter.
    pub(crate) fn insert(&self, session: &Arc<Session>, subscription: Subscription) {
        let mut root = self.root.write().unwrap_or_else(PoisonError::into_inner);
        let filter = Arc::clone(&subscription.filter);
        let entries = root.entries(&filter);
        entries.retain(|entry| entry.session.number != session.number);
        entries.push(Entry { session: Arc::clone(session), subscription });
        drop(root);
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn remove(&self, session: u64, filter: &str) {
        let mut root = self.root.write().unwrap_or_else(PoisonError::into_inner);
        root.remove(session, filter);
        drop(root);
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The subscribers of a topic name, each once.
    pub(crate) fn find(&self, topic: &str) -> Matched {
        let mut matched = Matched::default();
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        root.find(Some(topic), !topic.starts_with('$'), &mut matched);
        matched
    }
}

fn split(filter: &str) -> (&str, Option<&str>) {
    filter.split_once('/').map_or((filter, None), |(level, rest)| (level, Some(rest)))
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.any.is_none() && self.here.is_empty() && self.rest.is_empty()
    }

    fn entries(&mut self, filter: &str) -> &mut Vec<Entry> {
        let mut node = self;
        let mut left = Some(filter);
        while let Some(filter) = left {
            let (level, rest) = split(filter);
            node = match level {
                "#" => return &mut node.rest,
                "+" => node.any.get_or_insert_default(),
                _ => node.children.entry(level.into()).or_default(),
            };
            left = rest;
        }
        &mut node.here
    }

    /// Also takes out the nodes that have become empty. Depth is bounded by the levels of a checked filter.
    fn remove(&mut self, session: u64, filter: &str) {
        let (level, rest) = split(filter);
        let drop_from = |entries: &mut Vec<Entry>| entries.retain(|entry| entry.session.number != session);
        if level == "#" {
            drop_from(&mut self.rest);
            return;
        }
        let child = if level == "+" { self.any.as_deref_mut() } else { self.children.get_mut(level) };
        let Some(child) = child else { return };
        match rest {
            Some(rest) => child.remove(session, rest),
            None => drop_from(&mut child.here),
        }
        if child.is_empty() {
            if level == "+" {
                self.any = None;
            } else {
                self.children.remove(level);
            }
        }
    }

    fn find(&self, topic: Option<&str>, wildcards: bool, matched: &mut Matched) {
        if wildcards {
            collect(&self.rest, matched);
        }
        let Some(topic) = topic else {
            collect(&self.here, matched);
            return;
        };
        let (level, rest) = split(topic);
        if let Some(child) = self.children.get(level) {
            child.find(rest, true, matched);
        }
        if let Some(any) = self.any.as_deref().filter(|_| wildcards) {
            any.find(rest, true, matched);
        }
    }
}

fn collect(entries: &[Entry], matched: &mut Matched) {
    for Entry { session, subscription } in entries {
        matched.router |= subscription.via_router;
        let ids = subscription.id;
        match matched.targets.iter_mut().find(|target| target.session.number == session.number) {
            Some(target) => {
                target.qos = target.qos.max(subscription.qos);
                target.no_local &= subscription.no_local;
                target.retain_as_published |= subscription.retain_as_published;
                target.via_router &= subscription.via_router;
                target.subscription_ids.extend(ids);
            }
            None => matched.targets.push(Target {
                session: Arc::clone(session),
                qos: subscription.qos,
                no_local: subscription.no_local,
                retain_as_published: subscription.retain_as_published,
                subscription_ids: ids.into_iter().collect(),
                via_router: subscription.via_router,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::session::SessionKey;
    use super::*;
    use model::id::PrincipalId;
    use proptest::prelude::*;
    use protocol::mqtt::topic;

    fn session(number: u64) -> Arc<Session> {
        let key = SessionKey { principal: PrincipalId(1), client_id: number.to_string().into() };
        Arc::new(Session::new(number, key))
    }

    fn subscription(filter: &str, qos: u8) -> Subscription {
        Subscription {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            id: None,
            via_router: false,
        }
    }

    #[test]
    fn overlapping_filters_of_one_session_deliver_once_at_the_best_qos() {
        let index = Index::default();
        let one = session(1);
        index.insert(&one, subscription("lantian/#", 0));
        index.insert(&one, subscription("lantian/v1/+/event", 2));
        let matched = index.find("lantian/v1/a/event");
        assert_eq!(matched.targets.len(), 1);
        assert_eq!(matched.targets[0].qos, 2);
    }

    #[test]
    fn a_filter_that_is_taken_out_leaves_no_nodes() {
        let index = Index::default();
        for filter in ["a/b/c", "a/+/c", "a/#", "#", "+"] {
            index.insert(&session(1), subscription(filter, 0));
        }
        for filter in ["a/b/c", "a/+/c", "a/#", "#", "+", "never/there"] {
            index.remove(1, filter);
        }
        assert!(index.root.read().unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_plain_matching_finds(
            filters in proptest::collection::vec("[ab+$](/[ab+]){0,3}(/#)?|#", 1..8), name in "[ab$](/[ab]){0,4}",
        ) {
            let filters: Vec<String> = filters.into_iter().filter(|filter| topic::check_filter(filter).is_ok()).collect();
            let index = Index::default();
            for (number, filter) in filters.iter().enumerate() {
                index.insert(&session(number as u64), subscription(filter, 0));
            }
            let mut found: Vec<u64> = index.find(&name).targets.iter().map(|target| target.session.number).collect();
            found.sort_unstable();
            let plain: Vec<u64> =
                filters.iter().enumerate().filter(|(_, f)| topic::matches(f, &name)).map(|(n, _)| n as u64).collect();
            prop_assert_eq!(found, plain);
        }
    }
}
