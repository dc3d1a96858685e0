//! The tables `[[broker]]`: existing brokers that are read from.

use super::{Config, Environment, Problem, Section};
use gateway::broker::{BrokerConfig, BrokerVersion};
use std::path::PathBuf;
use std::time::Duration;
use tls::Connector;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The authority that a broker over TLS is checked against; `None`: a plain connection.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) bridge: String,
    pub(crate) topics: Vec<String>,
    pub(crate) strip: String,
    /// Name of the group of a shared subscription; empty: none.
    pub(crate) share: String,
    pub(crate) client_id: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) is_version_5: bool,
    pub(crate) keep_alive_s: u64,
    pub(crate) session_expiry_s: u64,
}

const BROKERS_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 48;

pub(super) fn read(root: &mut Section<'_>, environment: &Environment) -> Vec<Broker> {
    let brokers: Vec<Broker> =
        root.tables("broker", BROKERS_MAX, |s| one(s, environment)).into_iter().flatten().collect();
    let mut names: Vec<&str> = brokers.iter().map(|broker| broker.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()) {
        let name = twice.first().copied().unwrap_or_default().to_owned();
        root.problem("broker", format!("{name:?} is the name of two brokers; give each its own"));
    }
    brokers
}

fn one(s: &mut Section<'_>, environment: &Environment) -> Option<Broker> {
    let name = s.text("name");
    s.require("name", name.is_some(), "the page, the log and the variable of its password say it");
    let name = name.unwrap_or_default();
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && (name.len() > NAME_CHARS_MAX || !name.chars().all(fit)) {
        s.problem("name", format!("{name:?} must be at most {NAME_CHARS_MAX} of a-z, 0-9 and -"));
    }
    let url = s.text("url");
    s.require("url", url.is_some(), "write \"mqtt://host:1883\", or \"mqtts://host:8883\" for TLS");
    let place = url.as_deref().map(|url| Place::read(url).map_err(|why| s.problem("url", format!("{url:?} {why}"))));
    let place = place.and_then(Result::ok);
    let bridge = s.text("bridge");
    s.require(
        "bridge",
        bridge.is_some(),
        "its grants say which devices the broker speaks for; see `lantian bridge add`",
    );
    let topics: Vec<String> = s.list("topics");
    s.require("topics", !topics.is_empty(), "list the filters to subscribe to");
    for topic in &topics {
        if let Err(problem) = protocol::mqtt::topic::check_filter(topic) {
            s.problem("topics", format!("{topic:?}: {problem}"));
        } else if protocol::mqtt::topic::is_shared(topic) {
            s.problem("topics", format!("{topic:?}: name the group under share, and the topic without it"));
        }
    }
    let strip = s.text("strip").unwrap_or_default();
    let share = s.text("share").unwrap_or_default();
    if share.contains(['/', '+', '#']) {
        s.problem("share", format!("{share:?} must not hold / + or #"));
    }
    let client_id = s.text("client_id").unwrap_or_else(|| format!("lantian-{name}"));
    let username = s.text("username");
    let password = s.secret("password", "password_file", environment);
    let ca_file = s.text("ca_file").map(PathBuf::from);
    let (certificate, key) = (s.text("certificate").map(PathBuf::from), s.text("key").map(PathBuf::from));
    let is_version_5 = s.one_of("protocol", "3.1.1", &["3.1.1", "5"]) == "5";
    let keep_alive_s = s.number("keep_alive_s", 60, 5..=3_600);
    let session_expiry_s = s.number("session_expiry_s", 604_800, 60..=31_536_000);
    let place = place?;
    if place.is_tls {
        s.require("ca_file", ca_file.is_some(), "a broker over TLS is checked against its authority's certificate");
    } else if ca_file.is_some() || certificate.is_some() {
        s.problem("url", "must begin with mqtts:// when certificates are named".into());
    }
    if certificate.is_some() != key.is_some() {
        s.problem("certificate", "wants its key beside it, and a key its certificate".into());
    }
    Some(Broker {
        name,
        host: place.host,
        port: place.port,
        ca_file,
        certificate: certificate.zip(key),
        bridge: bridge?,
        topics,
        strip,
        share,
        client_id,
        username,
        password,
        is_version_5,
        keep_alive_s,
        session_expiry_s,
    })
}

struct Place {
    host: String,
    port: u16,
    is_tls: bool,
}

impl Place {
    fn read(url: &str) -> Result<Self, &'static str> {
        const FORM: &str = "is no address of a broker; write \"mqtt://host:1883\", or \"mqtts://host:8883\" for TLS";
        let (is_tls, rest) = match url.split_once("://") {
            Some(("mqtt" | "tcp", rest)) => (false, rest),
            Some(("mqtts" | "ssl" | "tls", rest)) => (true, rest),
            _ => return Err(FORM),
        };
        if rest.contains('@') {
            return Err("must not hold a user or a password; write username and password_file");
        }
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| FORM)?,
            None => {
                if is_tls {
                    8883
                } else {
                    1883
                }
            }
        };
        let fit = !host.is_empty() && !host.contains(['/', ' ', '?', '#']);
        if fit { Ok(Self { host: host.to_owned(), port, is_tls }) } else { Err(FORM) }
    }
}

impl Broker {
    /// Reads the certificates.
    pub(crate) fn open(&self, packet_kib_max: u64) -> Result<BrokerConfig, Problem> {
        let own = self.certificate.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let tls = self.ca_file.as_ref().map(|ca_file| Connector::open(ca_file, own)).transpose();
        let tls =
            tls.map_err(|error| Problem { key: format!("broker.{}.ca_file", self.name), message: error.to_string() })?;
        let shared = |topic: &String| {
            if self.share.is_empty() { topic.clone() } else { format!("$share/{}/{topic}", self.share) }
        };
        Ok(BrokerConfig {
            name: self.name.clone(),
            host: self.host.clone(),
            port: self.port,
            tls,
            version: if self.is_version_5 { BrokerVersion::V5 } else { BrokerVersion::V3 },
            client_id: self.client_id.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            bridge: self.bridge.clone(),
            filters: self.topics.iter().map(shared).collect(),
            strip: self.strip.clone(),
            keep_alive: Duration::from_secs(self.keep_alive_s),
            session_expiry_s: u32::try_from(self.session_expiry_s).unwrap_or(u32::MAX),
            packet_bytes_max: usize::try_from(packet_kib_max << 10).unwrap_or(usize::MAX),
            append_timeout: Duration::from_secs(5),
        })
    }
}

impl Config {
    /// Problems with the brokers' certificates.
    pub(crate) fn look_at_brokers(&self) -> Vec<Problem> {
        let opened = self.brokers.iter().map(|broker| broker.open(self.gateway.mqtt_packet_kib_max));
        opened.filter_map(Result::err).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<Problem>> {
        let password = |name: &str| (name == "LANTIAN_BROKER_CITY_1_PASSWORD").then(|| "secret".to_owned());
        Config::parse(text, &Environment(Box::new(password)))
    }

    const CITY: &str =
        "[[broker]]\nname = \"city-1\"\nurl = \"mqtt://broker.example\"\nbridge = \"city\"\ntopics = [\"a/#\"]\n";

    #[test]
    fn a_broker_is_read_with_its_password_from_the_environment() {
        let broker = parse(&format!("{CITY}share = \"g\"\n")).unwrap().brokers.remove(0);
        assert_eq!(
            (broker.host.as_str(), broker.port, broker.password.as_deref()),
            ("broker.example", 1883, Some("secret"))
        );
        let opened = broker.open(256).unwrap();
        assert_eq!(opened.filters, ["$share/g/a/#"]);
        assert_eq!((opened.version, opened.client_id.as_str()), (BrokerVersion::V3, "lantian-city-1"));
    }

    #[test]
    fn every_problem_of_a_broker_is_named() {
        let told = |text: &str| -> Vec<String> {
            parse(text).unwrap_err().iter().map(|problem| problem.key.clone()).collect()
        };
        assert_eq!(told("[[broker]]\n"), ["broker[0].name", "broker[0].url", "broker[0].bridge", "broker[0].topics"]);
        assert_eq!(told(&CITY.replace("mqtt:", "mqtts:")), ["broker.city-1.ca_file"]);
        for url in ["http://x", "mqtt://", "mqtt://u:p@h", "mqtt://h:x", "h:1883"] {
            assert_eq!(told(&CITY.replace("mqtt://broker.example", url)), ["broker.city-1.url"], "{url}");
        }
        assert_eq!(told(&CITY.replace("a/#", "a/#/b")), ["broker.city-1.topics"]);
        assert_eq!(told(&CITY.replace("a/#", "$share/x/a")), ["broker.city-1.topics"]);
        assert_eq!(told(&format!("{CITY}{CITY}")), ["broker"]);
        assert_eq!(told(&format!("{CITY}passwrd_file = \"x\"")), ["broker.city-1.passwrd_file"]);
        assert_eq!(told("broker = 3"), ["broker"]);
    }
}
