//! The section `[tls]`: one certificate for every `tls_listen`. Its files are read apart from the configuration's text
//! ([`Config::look_at_certificate`]), since only `serve` and `config check` need them.

use super::{Config, Problem, Section};
use model::time::IngestTime;
use std::path::PathBuf;
use std::time::Duration;
use tls::{ClientAuth, Files, WARN_DAYS};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) files: Files,
    /// `client_ca` is named and not used.
    pub(crate) authority_idle: bool,
    pub(crate) reload: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) handshakes_max: u64,
}

/// `None`: no certificate is named.
pub(super) fn read(s: &mut Section<'_>) -> Option<Tls> {
    let certificate = s.text("certificate").map(PathBuf::from);
    let key = s.text("key").map(PathBuf::from);
    let client_auth = s.one_of("client_auth", "none", &["none", "optional", "required"]);
    let client_ca = s.text("client_ca").map(PathBuf::from);
    let reload = Duration::from_secs(s.number("reload_s", 10, 1..=86_400));
    let handshake_timeout = Duration::from_secs(s.number("handshake_timeout_s", 10, 1..=120));
    let handshakes_max = s.number("handshakes_max", 1_024, 1..=100_000);
    if client_auth != "none" {
        s.require("client_ca", client_ca.is_some(), "client certificates are checked against an authority");
    }
    if certificate.is_some() || key.is_some() {
        s.require("certificate", certificate.is_some(), "a key alone is of no use");
        s.require("key", key.is_some(), "a certificate alone is of no use");
    }
    let authority_idle = client_auth == "none" && client_ca.is_some();
    let clients = match (client_auth, client_ca) {
        ("optional", Some(file)) => ClientAuth::Optional(file),
        ("required", Some(file)) => ClientAuth::Required(file),
        _ => ClientAuth::None,
    };
    let files = Files { certificate: certificate?, key: key?, clients };
    Some(Tls { files, authority_idle, reload, handshake_timeout, handshakes_max })
}

/// Who listens for TLS wants a certificate.
pub(super) fn wanted_by(config: &Config, problems: &mut Vec<Problem>) {
    let listeners = [
        ("mqtt.tls_listen", config.gateway.mqtt_tls),
        ("hj212.tls_listen", config.gateway.hj212_tls),
        ("jt808.tls_listen", config.gateway.jt808_tls),
        ("modbus.dtu_tls_listen", config.gateway.dtu_tls),
        ("web.tls_listen", config.web.tls_listen),
        ("jt808.attachments.tls_listen", config.gateway.attachments.as_ref().and_then(|own| own.tls)),
    ];
    let wanting = listeners.iter().find(|(_, address)| address.is_some());
    let told = problems.iter().any(|problem| problem.key == "tls.certificate" || problem.key == "tls.key");
    if let (Some((key, _)), None, false) = (wanting, &config.tls, told) {
        let message = format!("is missing: {key} wants one, and its key");
        problems.push(Problem { key: "tls.certificate".to_owned(), message });
    }
}

impl Config {
    /// Reads the certificate's files. Returns what somebody should look at.
    ///
    /// # Errors
    /// Every problem, with its key.
    pub(crate) fn look_at_certificate(&self, now: IngestTime) -> Result<Vec<Problem>, Vec<Problem>> {
        let Some(own) = &self.tls else { return Ok(Vec::new()) };
        let named = |problem: tls::Problem| Problem { key: format!("tls.{}", problem.key), message: problem.message };
        let loaded = tls::load(&own.files).map_err(|problems| problems.into_iter().map(named).collect::<Vec<_>>())?;
        let mut warnings: Vec<Problem> = loaded.warnings.into_iter().map(named).collect();
        let days = loaded.validity.days_left(now);
        let (from, to) = (loaded.validity.from, loaded.validity.to);
        let age = if days < 0 {
            Some(format!("it has expired at {to}; devices that check it stay away"))
        } else if now < from {
            Some(format!("it is not valid before {from}; is the clock right?"))
        } else {
            (days < WARN_DAYS).then(|| format!("it expires at {to}, in {days} days"))
        };
        warnings.extend(age.map(|message| Problem { key: "tls.certificate".to_owned(), message }));
        if own.authority_idle {
            let message = "nobody is checked against it while tls.client_auth is \"none\"".to_owned();
            warnings.push(Problem { key: "tls.client_ca".to_owned(), message });
        }
        Ok(warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Environment;
    use super::*;
    use model::time::parse_rfc3339;
    use tls::testing::Authority;

    fn parsed(text: &str) -> Result<Config, Vec<String>> {
        let nothing = Environment(Box::new(|_| None));
        Config::parse(text, &nothing).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn at(text: &str) -> IngestTime {
        IngestTime(parse_rfc3339(text).unwrap())
    }

    #[test]
    fn a_tls_port_without_a_certificate_is_a_problem_and_half_a_pair_too() {
        let told = parsed("[mqtt]\ntls_listen = \"0.0.0.0:8883\"").unwrap_err();
        assert_eq!(told, ["tls.certificate: is missing: mqtt.tls_listen wants one, and its key"]);
        let told = parsed("[web]\ntls_listen = \"x\"\n[tls]\nkey = \"k\"\nclient_auth = \"required\"").unwrap_err();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("web.tls_listen: \"x\" is no address; write \"0.0.0.0:8443\""), "{told:?}");
        assert!(told[1].starts_with("tls.client_ca: is missing"), "{told:?}");
        assert!(told[2].starts_with("tls.certificate: is missing"), "{told:?}");
    }

    #[test]
    fn a_tls_port_clashes_like_any_other() {
        let told =
            parsed("[tls]\ncertificate = \"c\"\nkey = \"k\"\n[hj212]\ntls_listen = \"0.0.0.0:9212\"").unwrap_err();
        assert!(told[0].starts_with("hj212.tls_listen: 0.0.0.0:9212 is taken by hj212.listen"), "{told:?}");
    }

    #[test]
    fn the_files_are_looked_at_with_the_keys_they_belong_to() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("district");
        let files = authority.server_until((2030, 6, 1)).write(folder.path());
        let text = |key: &std::path::Path| {
            format!("[tls]\ncertificate = {:?}\nkey = {key:?}\nclient_ca = \"unused\"\n", files.certificate)
        };
        let config = parsed(&text(&files.key)).unwrap();
        let keys = |now: &str| -> Vec<String> {
            config.look_at_certificate(at(now)).unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(keys("2029-01-01T00:00:00Z").len(), 1);
        assert!(keys("2029-01-01T00:00:00Z")[0].starts_with("tls.client_ca: nobody is checked"));
        assert!(keys("2030-05-12T00:00:00Z")[0].contains("in 20 days"));
        assert!(keys("2030-06-02T00:00:00Z")[0].starts_with("tls.certificate: it has expired at 2030-06-01"));
        assert!(keys("2019-01-01T00:00:00Z")[0].contains("not valid before"));
        std::fs::write(folder.path().join("other.pem"), authority.server().key).unwrap();
        let problems = parsed(&text(&folder.path().join("other.pem"))).unwrap();
        let problems = problems.look_at_certificate(at("2029-01-01T00:00:00Z")).unwrap_err();
        assert_eq!(problems[0].key, "tls.key");
        assert!(problems[0].message.contains("does not belong to"), "{problems:?}");
    }
}
