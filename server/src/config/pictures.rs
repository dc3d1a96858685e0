//! Pictures and files of devices: how much is kept, and where terminals send the files of their alarms.

use super::reader::Section;
use ingest::blobs::BlobConfig;
use std::net::{IpAddr, SocketAddr};

/// `[pictures]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pictures {
    /// Bytes of one that comes over HTTP.
    pub(crate) picture_bytes_max: u64,
    pub(crate) blobs: BlobConfig,
}

/// `[jt808.attachments]`, when it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attachments {
    pub(crate) plain: Option<SocketAddr>,
    pub(crate) tls: Option<SocketAddr>,
    /// Where terminals are told to connect to.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) connections_max: u64,
}

pub(super) fn pictures(s: &mut Section<'_>) -> Pictures {
    let mib = |number: u64| number << 20;
    let picture_bytes_max = mib(s.number("mib_max", 8, 1..=64));
    let blob_bytes_max = mib(s.number("file_mib_max", 32, 1..=1024));
    let bytes_max = mib(s.number("gib_max", 20, 1..=100_000) << 10);
    let device_bytes_max = mib(s.number("device_mib_max", 2_048, 1..=1_000_000));
    if blob_bytes_max < picture_bytes_max {
        s.problem("file_mib_max", "is less than mib_max: a picture is a file, too".to_owned());
    }
    if device_bytes_max < blob_bytes_max {
        s.problem("device_mib_max", "is less than file_mib_max: a file of that size would find no room".to_owned());
    }
    if bytes_max < device_bytes_max {
        s.problem("gib_max", "is less than device_mib_max".to_owned());
    }
    Pictures {
        picture_bytes_max,
        blobs: BlobConfig { blob_bytes_max, bytes_max, device_bytes_max, ..BlobConfig::default() },
    }
}

pub(super) fn attachments(s: &mut Section<'_>) -> Option<Attachments> {
    let plain = s.listen("listen", "off");
    let tls = s.tls_listen("0.0.0.0:9811");
    let advertise = s.text("advertise");
    let connections_max = s.number("connections_max", 256, 1..=100_000);
    if plain.is_none() && tls.is_none() {
        return None;
    }
    let wanted =
        "terminals are told to send their files there; write \"203.0.113.5:9810\" or \"files.example.org:9810\"";
    let Some(text) = advertise else {
        s.require("advertise", false, wanted);
        return None;
    };
    let Some((host, port)) = host_and_port(&text) else {
        s.problem("advertise", format!("{text:?} is no host and port; {wanted}"));
        return None;
    };
    Some(Attachments { plain, tls, host, port, connections_max })
}

/// A terminal takes at most 255 bytes of a host, and a port.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let is_name = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let fits = !host.is_empty() && host.len() <= 255 && (host.parse::<IpAddr>().is_ok() || is_name(host));
    fits.then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment};

    fn parsed(text: &str) -> Result<Config, Vec<String>> {
        let nothing = Environment(Box::new(|_| None));
        Config::parse(text, &nothing).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_attachment_server_must_say_where_terminals_find_it() {
        let told = parsed("[jt808.attachments]\nlisten = \"0.0.0.0:9810\"").unwrap_err();
        assert!(told[0].starts_with("jt808.attachments.advertise: is missing"), "{told:?}");
        for wrong in ["9810", ":9810", "host:0", "host:x", "a b:1", "http://host:1"] {
            let text = format!("[jt808.attachments]\nlisten = \"0.0.0.0:9810\"\nadvertise = \"{wrong}\"");
            assert!(parsed(&text).unwrap_err()[0].starts_with("jt808.attachments.advertise"), "{wrong}");
        }
        let text = "[jt808.attachments]\nlisten = \"0.0.0.0:9810\"\nadvertise = \"[2001:db8::1]:9810\"";
        let own = parsed(text).unwrap().gateway.attachments.unwrap();
        assert_eq!((own.host.as_str(), own.port), ("2001:db8::1", 9810));
    }

    #[test]
    fn a_bound_that_no_file_could_meet_is_a_problem() {
        let told = parsed("[pictures]\nmib_max = 64\nfile_mib_max = 32\ndevice_mib_max = 8").unwrap_err();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("pictures.file_mib_max"), "{told:?}");
    }
}
