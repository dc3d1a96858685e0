//! The configuration: one TOML file, read and validated as a whole before any port opens. Defaults are safe and local.
//! What a district edits (profiles, rules, limits, registers) is not here: it is versioned data, see `lantian apply`.
//!
//! `config/example.toml` shows every key with its default; a test compares the two.

mod broker;
mod limits;
mod notify;
mod pictures;
mod reader;
mod tls;

pub(crate) use broker::Broker;
use dashboards::Network;
use gateway::limits::LimitsConfig;
use ingest::chunks::QuarantineRetention;
pub(crate) use notify::Notify;
pub(crate) use pictures::{Attachments, Pictures};
use reader::Section;
pub(crate) use reader::{Environment, Problem};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
pub(crate) use tls::Tls;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    /// `None`: SQLite in the data folder.
    pub(crate) database_url: Option<String>,
    pub(crate) journal: Journal,
    pub(crate) gateway: Gateway,
    pub(crate) brokers: Vec<Broker>,
    pub(crate) pictures: Pictures,
    pub(crate) limits: LimitsConfig,
    pub(crate) web: Web,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) tls: Option<Tls>,
    pub(crate) quarantine: QuarantineRetention,
    pub(crate) notify: Notify,
    pub(crate) influx: Option<Influx>,
    pub(crate) log: Log,
    pub(crate) stop_deadline: Duration,
    /// The district's administrative region, which limit rows are matched with.
    pub(crate) region: String,
    /// Name shown on the page.
    pub(crate) district: String,
    /// Code of the calendar that deadlines run on; the first one when there is none of that code.
    pub(crate) calendar: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) segment_mib: u64,
    pub(crate) queue_mib: u64,
    pub(crate) archive_days: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gateway {
    pub(crate) in_flight_mib: u64,
    pub(crate) mqtt: Option<SocketAddr>,
    pub(crate) mqtt_tls: Option<SocketAddr>,
    pub(crate) mqtt_connections_max: u64,
    pub(crate) mqtt_packet_kib_max: u64,
    pub(crate) hj212: Option<SocketAddr>,
    pub(crate) hj212_tls: Option<SocketAddr>,
    pub(crate) hj212_connections_max: u64,
    pub(crate) jt808: Option<SocketAddr>,
    pub(crate) jt808_tls: Option<SocketAddr>,
    pub(crate) jt808_connections_max: u64,
    pub(crate) jt808_udp: Option<SocketAddr>,
    pub(crate) attachments: Option<Attachments>,
    pub(crate) modbus: bool,
    /// Where 4G modems with Modbus slaves behind them dial in.
    pub(crate) dtu: Option<SocketAddr>,
    pub(crate) dtu_tls: Option<SocketAddr>,
    pub(crate) dtu_connections_max: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Web {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) tls_listen: Option<SocketAddr>,
    pub(crate) dir: Option<PathBuf>,
    /// A proxy in front speaks TLS: cookies are marked `Secure`.
    pub(crate) https: bool,
    pub(crate) connections_max: u64,
    pub(crate) connections_per_address_max: u64,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    /// Whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<Network>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Influx {
    pub(crate) url: String,
    pub(crate) api: InfluxApi,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InfluxApi {
    V1 { database: String, user: Option<String>, password: Option<String> },
    V2 { org: String, bucket: String, token: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) json: bool,
}

impl Config {
    /// Reads a configuration file's text.
    ///
    /// # Errors
    /// Every problem, with its key.
    pub(crate) fn parse(text: &str, environment: &Environment) -> Result<Self, Vec<Problem>> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| vec![Problem { key: "(file)".into(), message: error.to_string() }])?;
        let mut problems = Vec::new();
        let mut root = Section::new("", table, &mut problems);
        let config = read(&mut root, environment);
        root.close();
        one_listener_each(&config, &mut problems);
        tls::wanted_by(&config, &mut problems);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}

fn read(root: &mut Section<'_>, environment: &Environment) -> Config {
    let (data_dir, database_url) = root.section("data", |s| {
        let dir = s.path("dir", "data");
        (dir, s.secret("database_url", "database_url_file", environment))
    });
    let (region, district, calendar) = root.section("district", |s| {
        let mut text = |key, default: &str| s.text(key).unwrap_or_else(|| default.to_owned());
        (text("region", ""), text("name", ""), text("calendar", "office"))
    });
    Config {
        data_dir,
        database_url,
        journal: root.section("journal", |s| Journal {
            segment_mib: s.number("segment_mib", 64, 1..=4096),
            queue_mib: s.number("queue_mib", 32, 1..=4096),
            archive_days: s.number("archive_days", 1826, 1..=36_500),
        }),
        gateway: Gateway {
            in_flight_mib: root.section("gateway", |s| s.number("in_flight_mib", 32, 1..=4096)),
            ..gateway(root)
        },
        brokers: broker::read(root, environment),
        pictures: root.section("pictures", pictures::pictures),
        limits: root.section("limits", limits::read),
        web: root.section("web", |s| Web {
            listen: s.listen("listen", "127.0.0.1:8080"),
            tls_listen: s.tls_listen("0.0.0.0:8443"),
            dir: s.text("dir").map(PathBuf::from),
            https: s.flag("https", false),
            connections_max: s.number("connections_max", 2_000, 10..=100_000),
            connections_per_address_max: s.number("connections_per_address_max", 200, 1..=100_000),
            header_timeout: Duration::from_secs(s.number("header_timeout_s", 10, 1..=300)),
            // A request may take 30 s without a byte passing.
            idle_timeout: Duration::from_secs(s.number("idle_timeout_s", 75, 40..=3_600)),
            trusted_proxies: s.list("trusted_proxies"),
        }),
        tls: root.section("tls", tls::read),
        metrics_listen: root.section("metrics", |s| s.listen("listen", "127.0.0.1:9600")),
        quarantine: root.section("quarantine", |s| QuarantineRetention {
            age_ms_max: i64::try_from(s.number("days", 90, 1..=3_650)).unwrap_or(90) * 86_400_000,
            rows_max: s.number("rows_max", 100_000, 1_000..=10_000_000),
            rows_per_device_max: s.number("rows_per_device_max", 10_000, 100..=1_000_000),
        }),
        notify: root.section("notify", notify::read),
        influx: root.section("influx", |s| influx(s, environment)),
        log: root.section("log", |s| Log {
            filter: log_filter(s),
            json: s.one_of("format", "text", &["text", "json"]) == "json",
        }),
        stop_deadline: root.section("stop", |s| Duration::from_secs(s.number("deadline_s", 20, 1..=600))),
        region,
        district,
        calendar,
    }
}

/// Two listeners cannot share a port, neither at one address nor where one of them listens at all addresses.
fn one_listener_each(config: &Config, problems: &mut Vec<Problem>) {
    let files = config.gateway.attachments.as_ref();
    let listeners = [
        ("mqtt.listen", config.gateway.mqtt),
        ("hj212.listen", config.gateway.hj212),
        ("jt808.listen", config.gateway.jt808),
        ("web.listen", config.web.listen),
        ("mqtt.tls_listen", config.gateway.mqtt_tls),
        ("hj212.tls_listen", config.gateway.hj212_tls),
        ("jt808.tls_listen", config.gateway.jt808_tls),
        ("modbus.dtu_listen", config.gateway.dtu),
        ("modbus.dtu_tls_listen", config.gateway.dtu_tls),
        ("web.tls_listen", config.web.tls_listen),
        ("jt808.attachments.listen", files.and_then(|own| own.plain)),
        ("jt808.attachments.tls_listen", files.and_then(|own| own.tls)),
        ("metrics.listen", config.metrics_listen),
    ];
    let known: Vec<(&str, SocketAddr)> =
        listeners.into_iter().filter_map(|(key, address)| Some((key, address?))).collect();
    for (place, (key, address)) in known.iter().enumerate() {
        let clashes = |other: &&(&str, SocketAddr)| {
            let (a, b) = (address.ip(), other.1.ip());
            let all = |one: std::net::IpAddr, two: std::net::IpAddr| {
                one.is_unspecified() && (one.is_ipv6() || one.is_ipv4() == two.is_ipv4())
            };
            address.port() != 0 && address.port() == other.1.port() && (a == b || all(a, b) || all(b, a))
        };
        if let Some((earlier, at)) = known.iter().take(place).find(clashes) {
            let message = format!("{address} is taken by {earlier} ({at}); give each listener a port of its own");
            problems.push(Problem { key: (*key).to_owned(), message });
        }
    }
}

/// The log's filter; a word alone must be a level, so that a level with a slip of the pen is not read as a target's name.
fn log_filter(s: &mut Section<'_>) -> String {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let Some(filter) = s.text("filter") else { return "info".to_owned() };
    let stray = filter
        .split(',')
        .map(str::trim)
        .find(|one| !one.contains(['=', '[']) && !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(one)));
    if let Some(stray) = stray {
        s.problem("filter", format!("{stray:?} is no level; write one of {}, or target=level", LEVELS.join(", ")));
    } else if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
        s.problem("filter", format!("cannot be read: {error}; write it as \"info,gateway=debug\""));
    }
    filter
}

fn gateway(root: &mut Section<'_>) -> Gateway {
    let (mqtt, mqtt_tls, mqtt_connections_max, mqtt_packet_kib_max) = root.section("mqtt", |s| {
        (
            s.listen("listen", "127.0.0.1:1883"),
            s.tls_listen("0.0.0.0:8883"),
            s.number("connections_max", 20_000, 1..=1_000_000),
            s.number("packet_kib_max", 256, 1..=65_536),
        )
    });
    let framed = |s: &mut Section<'_>, plain: &str, tls: &str| {
        (s.listen("listen", plain), s.tls_listen(tls), s.number("connections_max", 10_000, 1..=1_000_000))
    };
    let (hj212, hj212_tls, hj212_connections_max) =
        root.section("hj212", |s| framed(s, "127.0.0.1:9212", "0.0.0.0:9213"));
    let ((jt808, jt808_tls, jt808_connections_max), jt808_udp, attachments) = root.section("jt808", |s| {
        let udp = s.address("udp_listen", "off", "0.0.0.0:9808");
        (framed(s, "127.0.0.1:9808", "0.0.0.0:9809"), udp, s.section("attachments", pictures::attachments))
    });
    let (modbus, dtu, dtu_tls, dtu_connections_max) = root.section("modbus", |s| {
        (
            s.flag("poll", true),
            s.optional_listen("dtu_listen", "0.0.0.0:9502"),
            s.optional_listen("dtu_tls_listen", "0.0.0.0:9503"),
            s.number("dtu_connections_max", 4_096, 1..=100_000),
        )
    });
    Gateway {
        in_flight_mib: 0,
        mqtt,
        mqtt_tls,
        mqtt_connections_max,
        mqtt_packet_kib_max,
        hj212,
        hj212_tls,
        hj212_connections_max,
        jt808,
        jt808_tls,
        jt808_connections_max,
        jt808_udp,
        attachments,
        modbus,
        dtu,
        dtu_tls,
        dtu_connections_max,
    }
}

fn influx(s: &mut Section<'_>, environment: &Environment) -> Option<Influx> {
    let url = s.text("url");
    let api = s.one_of("api", "v2", &["v1", "v2"]);
    let (database, user) = (s.text("database"), s.text("user"));
    let password = s.secret("password", "password_file", environment);
    let (org, bucket) = (s.text("org"), s.text("bucket"));
    let token = s.secret("token", "token_file", environment);
    let url = url?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        s.problem("url", format!("{url:?} must start with http:// or https://"));
    }
    let api = if api == "v1" {
        s.require("database", database.is_some(), "the 1.x API writes into a database");
        InfluxApi::V1 { database: database.unwrap_or_default(), user, password }
    } else {
        s.require("org", org.is_some(), "the v2 API writes for an organisation");
        s.require("bucket", bucket.is_some(), "the v2 API writes into a bucket");
        s.require("token_file", token.is_some(), "the v2 API needs a token");
        InfluxApi::V2 {
            org: org.unwrap_or_default(),
            bucket: bucket.unwrap_or_default(),
            token: token.unwrap_or_default(),
        }
    };
    Some(Influx { url, api })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Environment {
        Environment(Box::new(|_| None))
    }

    const EXAMPLE: &str = include_str!("../../../config/example.toml");

    #[test]
    fn the_example_is_the_defaults() {
        let example = Config::parse(EXAMPLE, &nothing()).unwrap();
        let empty = Config::parse("", &nothing()).unwrap();
        assert_eq!(example, empty);
    }

    #[test]
    fn the_examples_commented_keys_are_known_too() {
        let text: String = EXAMPLE
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .filter(|line| !line.contains("_file"))
            .fold(String::new(), |text, line| text + line + "\n");
        let secrets = Environment(Box::new(|name| (name == "LANTIAN_INFLUX_TOKEN").then(|| "secret".to_owned())));
        let config = Config::parse(&text, &secrets).unwrap();
        assert!(matches!(config.influx, Some(Influx { api: InfluxApi::V2 { .. }, .. })));
    }

    #[test]
    fn every_problem_is_named_with_its_key() {
        let text = r#"
            colour = "blue"
            [mqtt]
            listen = "nowhere"
            conections_max = 5
            [journal]
            segment_mib = 0
            queue_mib = "big"
            [influx]
            url = "ftp://x"
            token = "in the open"
        "#;
        let problems = Config::parse(text, &nothing()).unwrap_err();
        let keys: Vec<&str> = problems.iter().map(|p| p.key.as_str()).collect();
        for key in [
            "colour",
            "mqtt.listen",
            "mqtt.conections_max",
            "journal.segment_mib",
            "journal.queue_mib",
            "influx.url",
            "influx.token",
            "influx.org",
        ] {
            assert!(keys.contains(&key), "{key} is missing from {problems:?}");
        }
        assert!(problems.iter().any(|p| p.message.contains("did you mean connections_max?")), "{problems:?}");
    }

    #[test]
    fn two_listeners_at_one_port_are_a_named_problem() {
        let text = "[mqtt]\nlisten = \"0.0.0.0:8080\"\n[hj212]\nlisten = \"127.0.0.1:9600\"";
        let problems = Config::parse(text, &nothing()).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("web.listen: 127.0.0.1:8080 is taken by mqtt.listen (0.0.0.0:8080)"), "{told:?}");
        assert!(told[1].starts_with("metrics.listen: 127.0.0.1:9600 is taken by hj212.listen"), "{told:?}");
        // Port 0 is any free port, and two addresses may have the same port.
        let text =
            "[mqtt]\nlisten = \"127.0.0.1:0\"\n[hj212]\nlisten = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.2:9808\"";
        assert!(Config::parse(text, &nothing()).is_ok());
    }

    #[test]
    fn a_filter_that_the_log_cannot_read_is_a_problem() {
        for wrong in ["inof", "gateway=loud", "info,", "=", "info,gateway"] {
            let problems = Config::parse(&format!("[log]\nfilter = \"{wrong}\""), &nothing()).unwrap_err();
            assert_eq!(problems[0].key, "log.filter", "{problems:?}");
        }
        for right in ["info", "WARN", "info,gateway=debug", "off"] {
            assert!(Config::parse(&format!("[log]\nfilter = \"{right}\""), &nothing()).is_ok(), "{right}");
        }
    }

    #[test]
    fn trusted_proxies_are_addresses_or_networks() {
        let text = "[web]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]";
        assert_eq!(Config::parse(text, &nothing()).unwrap().web.trusted_proxies.len(), 2);
        for wrong in ["[\"proxy.example\"]", "[1]", "\"10.0.0.1\""] {
            let problems = Config::parse(&format!("[web]\ntrusted_proxies = {wrong}"), &nothing()).unwrap_err();
            assert_eq!(problems[0].key, "web.trusted_proxies", "{problems:?}");
        }
    }

    #[test]
    fn defaults_are_local() {
        let config = Config::parse("", &nothing()).unwrap();
        for address in
            [config.gateway.mqtt, config.gateway.hj212, config.gateway.jt808, config.web.listen, config.metrics_listen]
        {
            assert!(address.unwrap().ip().is_loopback());
        }
    }
}
