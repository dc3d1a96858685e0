//! Topic names and filters: our own grammar, and the general rules of MQTT 3.1.1 and 5 (section 4.7 of both) with bounds
//! on length and levels.
//!
//! ```text
//! lantian/v1/{device}/telemetry|event|status|command|reply|errors     device = [a-z0-9][a-z0-9-]{0,47}
//! v1/devices/me/telemetry                                             ThingsBoard's, the device is the one connected
//! ```

use std::fmt;

/// Longest topic name or filter in bytes. The standard allows 65,535; nobody here needs more than this.
pub const TOPIC_BYTES_MAX: usize = 512;
/// Most levels of a topic name or filter.
pub const TOPIC_LEVELS_MAX: usize = 16;
/// Longest device code.
pub const DEVICE_CODE_BYTES_MAX: usize = 48;
/// What every topic of our own starts with.
pub const ROOT: &str = "lantian/v1/";
/// ThingsBoard's telemetry topic.
pub const THINGSBOARD_TELEMETRY: &str = "v1/devices/me/telemetry";

/// The last level of a topic of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKind {
    Telemetry,
    Event,
    Status,
    Command,
    Reply,
    Errors,
}

impl TopicKind {
    pub const ALL: [Self; 6] = [Self::Telemetry, Self::Event, Self::Status, Self::Command, Self::Reply, Self::Errors];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Event => "event",
            Self::Status => "status",
            Self::Command => "command",
            Self::Reply => "reply",
            Self::Errors => "errors",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "telemetry" => Self::Telemetry,
            "event" => Self::Event,
            "status" => Self::Status,
            "command" => Self::Command,
            "reply" => Self::Reply,
            "errors" => Self::Errors,
            _ => return None,
        })
    }

    /// A device publishes it; the others go to the device.
    pub const fn is_upward(self) -> bool {
        matches!(self, Self::Telemetry | Self::Event | Self::Status | Self::Reply)
    }
}

/// A topic name of our grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic<'a> {
    Device {
        device: &'a str,
        kind: TopicKind,
    },
    /// [`THINGSBOARD_TELEMETRY`].
    Thingsboard,
}

impl<'a> Topic<'a> {
    /// `None`: not a topic of ours.
    pub fn parse(name: &'a str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix(ROOT) {
            let (device, word) = rest.split_once('/')?;
            let kind = TopicKind::from_word(word)?;
            return is_device_code(device).then_some(Self::Device { device, kind });
        }
        (name == THINGSBOARD_TELEMETRY).then_some(Self::Thingsboard)
    }

    /// Whether what is published under it is JSON of [`super::payload`]; a reply to a command has a form of its own.
    pub const fn is_json(self) -> bool {
        match self {
            Self::Device { kind, .. } => kind.is_upward() && !matches!(kind, TopicKind::Reply),
            Self::Thingsboard => true,
        }
    }
}

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { device, kind } => write!(f, "{ROOT}{device}/{}", kind.word()),
            Self::Thingsboard => f.write_str(THINGSBOARD_TELEMETRY),
        }
    }
}

/// `[a-z0-9][a-z0-9-]{0,47}`
pub fn is_device_code(code: &str) -> bool {
    let bytes = code.as_bytes();
    bytes.len() <= DEVICE_CODE_BYTES_MAX
        && bytes.first().is_some_and(|first| *first != b'-')
        && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Why a topic name or filter is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicProblem {
    #[error("a topic is empty")]
    Empty,
    #[error("a topic is longer than {TOPIC_BYTES_MAX} bytes")]
    TooLong,
    #[error("a topic has more than {TOPIC_LEVELS_MAX} levels")]
    TooDeep,
    #[error("a topic holds a control character")]
    ControlCharacter,
    #[error("a topic name holds a wildcard")]
    WildcardInName,
    #[error("a wildcard does not stand alone in its level, or # is not last")]
    WildcardMisplaced,
}

fn check_common(text: &str) -> Result<(), TopicProblem> {
    if text.is_empty() {
        return Err(TopicProblem::Empty);
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(TopicProblem::TooLong);
    }
    if text.bytes().filter(|byte| *byte == b'/').count() >= TOPIC_LEVELS_MAX {
        return Err(TopicProblem::TooDeep);
    }
    if text.chars().any(char::is_control) {
        return Err(TopicProblem::ControlCharacter);
    }
    Ok(())
}

/// Checks a topic name, as PUBLISH and a will carry it.
pub fn check_name(name: &str) -> Result<(), TopicProblem> {
    check_common(name)?;
    if name.bytes().any(|byte| matches!(byte, b'+' | b'#')) {
        return Err(TopicProblem::WildcardInName);
    }
    Ok(())
}

/// Checks a topic filter, as SUBSCRIBE carries it. `$share/...` is an ordinary filter to this function.
pub fn check_filter(filter: &str) -> Result<(), TopicProblem> {
    check_common(filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let misplaced = match level {
            "#" => levels.peek().is_some(),
            "+" => false,
            _ => level.bytes().any(|byte| matches!(byte, b'+' | b'#')),
        };
        if misplaced {
            return Err(TopicProblem::WildcardMisplaced);
        }
    }
    Ok(())
}

/// `$share/{name}/{filter}` of MQTT 5.
pub fn is_shared(filter: &str) -> bool {
    filter.starts_with("$share/")
}

/// Whether a (checked) filter matches a (checked) topic name. A filter that starts with a wildcard does not match a
/// name that starts with `$` (4.7.2).
pub fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        match (level, names.next()) {
            // `a/#` matches `a` too, so `#` is looked at before the name's end.
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(name)) if level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

/// Whether every name that `inner` matches is matched by `outer`, both being checked filters.
pub fn covers(outer: &str, inner: &str) -> bool {
    let mut inners = inner.split('/');
    for level in outer.split('/') {
        match (level, inners.next()) {
            ("#", _) => return true,
            (_, Some("#")) => return false,
            ("+", Some(_)) => {}
            (level, Some(inner)) if level == inner => {}
            _ => return false,
        }
    }
    inners.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn our_topics_read_and_write() {
        for kind in TopicKind::ALL {
            let text = format!("lantian/v1/yj-0001/{}", kind.word());
            let topic = Topic::parse(&text).unwrap();
            assert_eq!(topic, Topic::Device { device: "yj-0001", kind });
            assert_eq!(topic.to_string(), text);
        }
        assert_eq!(Topic::parse("v1/devices/me/telemetry"), Some(Topic::Thingsboard));
        for foreign in [
            "",
            "lantian/v1//telemetry",
            "lantian/v1/A/telemetry",
            "lantian/v1/a/b/event",
            "lantian/v1/a/x",
            "lantian/v1/-a/event",
            "v1/devices/me/attributes",
            "lantian/v1/a/telemetry/",
        ] {
            assert_eq!(Topic::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, name, want) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("#", "a/b", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/x", false),
            ("+/monitor", "$SYS/monitor", false),
            ("$SYS/#", "$SYS/x", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("a//b", "a//b", true),
            ("a/+/b", "a//b", true),
        ] {
            assert_eq!(matches(filter, name), want, "{filter} ~ {name}");
        }
    }

    #[test]
    fn bad_names_and_filters_are_refused() {
        assert_eq!(check_name("a/+"), Err(TopicProblem::WildcardInName));
        assert_eq!(check_name(""), Err(TopicProblem::Empty));
        assert_eq!(check_name("a\0b"), Err(TopicProblem::ControlCharacter));
        assert_eq!(check_filter("a/#/b"), Err(TopicProblem::WildcardMisplaced));
        assert_eq!(check_filter("a#"), Err(TopicProblem::WildcardMisplaced));
        assert_eq!(check_filter("a/b+"), Err(TopicProblem::WildcardMisplaced));
        assert_eq!(check_filter(&"a/".repeat(40)), Err(TopicProblem::TooDeep));
        assert_eq!(check_filter(&"a".repeat(600)), Err(TopicProblem::TooLong));
        assert_eq!(check_filter("+/a/#"), Ok(()));
    }

    #[test]
    fn one_filter_covers_another() {
        assert!(covers("lantian/v1/a/#", "lantian/v1/a/+"));
        assert!(covers("lantian/#", "lantian/v1/+/telemetry"));
        assert!(covers("lantian/v1/a/#", "lantian/v1/a"));
        assert!(!covers("lantian/v1/a/#", "lantian/v1/+/command"));
        assert!(!covers("lantian/v1/a/#", "lantian/#"));
        assert!(!covers("lantian/v1/a/+", "lantian/v1/a/#"));
        assert!(!covers("lantian/#", "#"));
    }

    proptest! {
        #[test]
        fn a_covered_filter_never_matches_more(
            outer in "[ab+](/[ab+]){0,3}(/#)?", inner in "[ab+](/[ab+]){0,3}(/#)?", name in "[ab](/[ab]){0,4}",
        ) {
            if covers(&outer, &inner) && matches(&inner, &name) {
                prop_assert!(matches(&outer, &name));
            }
        }

        #[test]
        fn any_text_is_answered_without_panic(filter in ".{0,40}", name in ".{0,40}") {
            let _ = check_filter(&filter).is_ok() && check_name(&name).is_ok() && matches(&filter, &name);
            let _ = Topic::parse(&name);
        }
    }
}
