//! Identity and grants at the edge: a snapshot in memory of devices, bridges and their credentials. A look-up is a hash
//! map's; a token check is one keyed hash. Rebuilt as a whole after each change.

use crate::keys::Keys;
use crate::terminals::{self, Claimed, Claims};
use ahash::AHashMap;
use bytes::Bytes;
use model::envelope::ProtocolKind;
use model::facts::Facts;
use model::id::{DeviceId, PrincipalId};
use model::principal::{Admission, Attempt, DeviceAtEdge, Grants, Principal, Registration};
use model::register::Device;
use model::seams::{DeviceDirectory, Registered};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Ids of bridges begin here; below it a principal is the device of the same number.
pub(crate) const BRIDGES_FROM: i64 = 1_000_000_000;
pub(crate) const TOKEN: &str = "token";
const AUTH_CODE: &str = "jt808";
/// 128 bits, written as 32 hexadecimal digits.
const AUTH_CODE_BYTES: usize = 16;

/// A stored credential.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secret {
    pub(crate) version: u32,
    pub(crate) revoked: bool,
    pub(crate) hash: Option<Vec<u8>>,
    /// HJ 212.
    pub(crate) password: Option<Arc<str>>,
    /// JT/T 808: who holds the phone, see [`crate::terminals`].
    pub(crate) terminal: Option<Arc<str>>,
}

/// A stored bridge or observer.
#[derive(Debug, Clone)]
pub(crate) struct StoredBridge {
    pub(crate) id: i64,
    pub(crate) name: Arc<str>,
    pub(crate) grants: Grants,
    pub(crate) enabled: bool,
}

/// All credentials and bridges as stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    pub(crate) of: AHashMap<i64, Secret>,
    pub(crate) bridges: Vec<StoredBridge>,
}

/// The directory that the edge asks. See [`DeviceDirectory`].
#[derive(Debug)]
pub struct Directory {
    keys: Keys,
    snapshot: RwLock<Arc<Snapshot>>,
    changes: watch::Sender<u64>,
    claims: Claims,
}

#[derive(Debug, Default)]
struct Snapshot {
    revision: u64,
    devices: AHashMap<DeviceId, Arc<DeviceAtEdge>>,
    by_code: AHashMap<Arc<str>, Arc<DeviceAtEdge>>,
    by_identity: AHashMap<ProtocolKind, AHashMap<Arc<str>, Arc<DeviceAtEdge>>>,
    bridges: AHashMap<Arc<str>, Arc<StoredBridge>>,
    bridge_ids: AHashMap<i64, Arc<StoredBridge>>,
    principals: AHashMap<i64, Arc<Principal>>,
    secrets: Arc<Secrets>,
}

impl Directory {
    pub(crate) fn new(keys: Keys, facts: &Facts, secrets: Secrets) -> Self {
        let snapshot = Snapshot::build(facts, Arc::new(secrets), 1);
        let (changes, _) = watch::channel(snapshot.revision);
        Self { keys, snapshot: RwLock::new(Arc::new(snapshot)), changes, claims: Claims::new() }
    }

    /// The revision, as an event: whoever holds a connection looks at once whether it is still admitted.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    pub(crate) fn set_facts(&self, facts: &Facts) {
        let secrets = Arc::clone(&self.now().secrets);
        self.put(facts, secrets);
    }

    pub(crate) fn set_secrets(&self, secrets: Secrets, facts: &Facts) {
        self.put(facts, Arc::new(secrets));
    }

    fn put(&self, facts: &Facts, secrets: Arc<Secrets>) {
        let next = Snapshot::build(facts, secrets, self.now().revision + 1);
        let revision = next.revision;
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.changes.send_replace(revision);
    }

    fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.now().secrets)
    }

    /// The authentication code of a terminal: derived from phone and version, so that it is bound to both.
    pub(crate) fn auth_code(&self, device: DeviceId, phone: &str, version: u32) -> String {
        let owner = format!("{}\0{version}", normal(ProtocolKind::Jt808, phone));
        let hash = self.keys.hash(AUTH_CODE, device.0, owner.as_bytes());
        hash.iter().take(AUTH_CODE_BYTES).fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            // Writing into a String cannot fail.
            write!(text, "{byte:02X}").ok();
            text
        })
    }

    fn check(snapshot: &Snapshot, device: &DeviceAtEdge, right: impl FnOnce(&Secret) -> bool) -> Admission {
        let secret = snapshot.secrets.of.get(&device.id.0).filter(|secret| !secret.revoked);
        if !secret.is_some_and(right) {
            return Admission::WrongSecret;
        }
        if !device.enabled {
            return Admission::Disabled;
        }
        snapshot.principals.get(&device.id.0).map_or(Admission::WrongSecret, |p| Admission::Granted(Arc::clone(p)))
    }

    fn admit_mqtt(&self, snapshot: &Snapshot, name: &str, password: &[u8]) -> Admission {
        let by_code = || snapshot.by_code.get(name).filter(|device| device.protocol == ProtocolKind::Mqtt);
        let device = snapshot.find(ProtocolKind::Mqtt, name).or_else(by_code);
        if let Some(device) = device {
            return Self::check(snapshot, device, |secret| self.token_matches(device.id.0, password, secret));
        }
        let Some(bridge) = snapshot.bridges.get(name) else { return Admission::UnknownIdentity };
        let secret = snapshot.secrets.of.get(&bridge.id).filter(|secret| !secret.revoked);
        if !secret.is_some_and(|secret| self.token_matches(bridge.id, password, secret)) {
            return Admission::WrongSecret;
        }
        if !bridge.enabled {
            return Admission::Disabled;
        }
        snapshot.principals.get(&bridge.id).map_or(Admission::WrongSecret, |p| Admission::Granted(Arc::clone(p)))
    }

    /// What a registration is answered by what stands on disk; `None`: nobody holds the phone.
    fn standing(&self, snapshot: &Snapshot, device: &Arc<DeviceAtEdge>, terminal: &str) -> Option<Registration> {
        let secret = snapshot.secrets.of.get(&device.id.0).filter(|secret| !secret.revoked && device.enabled);
        let Some(secret) = secret else { return Some(Registration::Unknown) };
        let holder = secret.terminal.as_ref()?;
        if !terminals::is_held_by(holder, terminal) {
            return Some(Registration::Taken { device: Arc::clone(device), holder: named(holder) });
        }
        Some(Registration::Granted(Bytes::from(self.auth_code(device.id, &device.identity, secret.version))))
    }

    /// The answer to a terminal whose claim was written, or could not be.
    pub(crate) fn registered(&self, device: DeviceId, terminal: &str) -> Registration {
        let snapshot = self.now();
        let Some(device) = snapshot.devices.get(&device) else { return Registration::Unknown };
        self.standing(&snapshot, device, terminal).unwrap_or(Registration::Unavailable)
    }

    /// Somebody has the code though no terminal was given it: it was set by hand, so none may ask for it any more.
    fn code_is_known(&self, snapshot: &Snapshot, device: DeviceId) {
        let Some(secret) = snapshot.secrets.of.get(&device.0).filter(|secret| secret.terminal.is_none()) else {
            return;
        };
        // Without room it is claimed when the terminal authenticates the next time.
        self.claims.claim(device, secret.version, terminals::BY_HAND, None);
    }

    fn token_matches(&self, owner: i64, token: &[u8], secret: &Secret) -> bool {
        secret.hash.as_ref().is_some_and(|hash| self.keys.matches(TOKEN, owner, token, hash))
    }
}

impl DeviceDirectory for Directory {
    fn admit(&self, attempt: Attempt<'_>) -> Admission {
        let snapshot = self.now();
        match attempt {
            Attempt::Mqtt { client_id: _, username, password } => {
                let Some(name) = username else { return Admission::UnknownIdentity };
                self.admit_mqtt(&snapshot, name, password.unwrap_or_default())
            }
            Attempt::Hj212 { mn, password } => {
                let Some(device) = snapshot.find(ProtocolKind::Hj212, mn) else { return Admission::UnknownIdentity };
                Self::check(&snapshot, device, |secret| {
                    secret.password.as_ref().is_some_and(|right| same(right.as_bytes(), password.as_bytes()))
                })
            }
            Attempt::Jt808 { phone, auth_code } => {
                let Some(device) = snapshot.find(ProtocolKind::Jt808, phone) else { return Admission::UnknownIdentity };
                let admission = Self::check(&snapshot, device, |secret| {
                    same(self.auth_code(device.id, phone, secret.version).as_bytes(), auth_code)
                });
                if matches!(admission, Admission::Granted(_)) {
                    self.code_is_known(&snapshot, device.id);
                }
                admission
            }
        }
    }

    fn device(&self, id: DeviceId) -> Option<Arc<DeviceAtEdge>> {
        self.now().devices.get(&id).cloned()
    }

    fn device_by_code(&self, code: &str) -> Option<Arc<DeviceAtEdge>> {
        self.now().by_code.get(code).cloned()
    }

    fn device_by_identity(&self, protocol: ProtocolKind, identity: &str) -> Option<Arc<DeviceAtEdge>> {
        self.now().find(protocol, identity).cloned()
    }

    fn devices(&self, protocol: ProtocolKind) -> Vec<Arc<DeviceAtEdge>> {
        let snapshot = self.now();
        let mut devices: Vec<_> = snapshot.devices.values().filter(|d| d.protocol == protocol).cloned().collect();
        devices.sort_unstable_by_key(|device| device.id);
        devices
    }

    fn register_terminal(&self, phone: &str, terminal: &str, done: Registered) -> Registration {
        let snapshot = self.now();
        let Some(device) = snapshot.find(ProtocolKind::Jt808, phone) else { return Registration::Unknown };
        if let Some(answer) = self.standing(&snapshot, device, terminal) {
            return answer;
        }
        let version = snapshot.secrets.of.get(&device.id.0).map_or(0, |secret| secret.version);
        match self.claims.claim(device.id, version, terminal, Some(done)) {
            Claimed::Waits => Registration::Pending,
            Claimed::Taken(holder) => Registration::Taken { device: Arc::clone(device), holder: named(&holder) },
            Claimed::NoRoom => Registration::Unavailable,
        }
    }

    fn hj212_password(&self, id: DeviceId) -> Option<Arc<str>> {
        self.now().secrets.of.get(&id.0)?.password.clone()
    }

    fn bridge(&self, name: &str) -> Option<Arc<Principal>> {
        let snapshot = self.now();
        let bridge = snapshot.bridges.get(name).filter(|bridge| bridge.enabled)?;
        snapshot.secrets.of.get(&bridge.id).filter(|secret| !secret.revoked)?;
        snapshot.principals.get(&bridge.id).cloned()
    }

    fn revision(&self) -> u64 {
        self.now().revision
    }

    fn still_admitted(&self, principal: &Principal) -> bool {
        let snapshot = self.now();
        let id = principal.id.0;
        let on = if id >= BRIDGES_FROM {
            snapshot.bridge_ids.get(&id).is_some_and(|bridge| bridge.enabled && bridge.grants == principal.grants)
        } else {
            snapshot.devices.get(&DeviceId(id)).is_some_and(|device| device.enabled)
        };
        let secret = snapshot.secrets.of.get(&id);
        on && secret.is_some_and(|secret| !secret.revoked && secret.version == principal.credential_version)
    }
}

impl Snapshot {
    fn build(facts: &Facts, secrets: Arc<Secrets>, revision: u64) -> Self {
        let mut snapshot = Self { revision, secrets, ..Self::default() };
        let version = |secrets: &Secrets, id: i64| secrets.of.get(&id).map_or(0, |secret| secret.version);
        for device in facts.devices.values() {
            let at_edge = Arc::new(at_edge(device, facts));
            snapshot.devices.insert(device.id, Arc::clone(&at_edge));
            snapshot.by_code.insert(Arc::clone(&at_edge.code), Arc::clone(&at_edge));
            let identity = normal(device.protocol, &device.identity);
            let of_protocol = snapshot.by_identity.entry(device.protocol).or_default();
            of_protocol.insert(identity.into(), Arc::clone(&at_edge));
            let principal = Principal {
                id: PrincipalId(device.id.0),
                name: Arc::clone(&at_edge.code),
                grants: Grants::One(device.id),
                credential_version: version(&snapshot.secrets, device.id.0),
            };
            snapshot.principals.insert(device.id.0, Arc::new(principal));
        }
        for bridge in &snapshot.secrets.bridges {
            let principal = Principal {
                id: PrincipalId(bridge.id),
                name: Arc::clone(&bridge.name),
                grants: bridge.grants.clone(),
                credential_version: version(&snapshot.secrets, bridge.id),
            };
            snapshot.principals.insert(bridge.id, Arc::new(principal));
            let bridge = Arc::new(bridge.clone());
            snapshot.bridge_ids.insert(bridge.id, Arc::clone(&bridge));
            snapshot.bridges.insert(Arc::clone(&bridge.name), bridge);
        }
        snapshot
    }

    fn find(&self, protocol: ProtocolKind, identity: &str) -> Option<&Arc<DeviceAtEdge>> {
        self.by_identity.get(&protocol)?.get(normal(protocol, identity))
    }
}

fn at_edge(device: &Device, facts: &Facts) -> DeviceAtEdge {
    let profile = facts.profiles.get(&device.profile);
    let poll = device.poll.clone().map(|mut poll| {
        poll.registers = profile.map(|profile| profile.registers.clone()).unwrap_or_default();
        Arc::new(poll)
    });
    DeviceAtEdge {
        id: device.id,
        code: device.code.as_str().into(),
        protocol: device.protocol,
        identity: device.identity.as_str().into(),
        strictness: profile.map(|profile| profile.strictness).unwrap_or_default(),
        offset_minutes: profile.map_or(model::time::BEIJING_OFFSET_MINUTES, |profile| profile.offset_minutes),
        principal: PrincipalId(device.id.0),
        poll,
        enabled: device.enabled,
    }
}

/// An identity in the form it is compared in: a phone without its leading zeros, which the 2013 and 2019 headers pad with.
pub(crate) fn normal(protocol: ProtocolKind, identity: &str) -> &str {
    match protocol {
        ProtocolKind::Jt808 => identity.trim_start_matches('0'),
        ProtocolKind::Mqtt | ProtocolKind::Hj212 | ProtocolKind::Modbus => identity,
    }
}

/// The holder as a person reads it.
fn named(holder: &Arc<str>) -> Option<Arc<str>> {
    Some(Arc::clone(holder)).filter(|holder| **holder != *terminals::BY_HAND)
}

/// Equality whose time does not tell where two secrets differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
