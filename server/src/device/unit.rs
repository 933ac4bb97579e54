//! The drive as a unit: what operations are given.
//!
//! Guarantee: everything here answers from memory but the store itself.
//! Not here: who may do what (`auth`), and anything of a connection.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use arc_swap::ArcSwap;

use super::identity::DriveNames;
use super::medium::{Medium, Open};
use super::messages::Messages;
use super::statistics::{Incidents, Statistics};
use super::vitals::Vitals;
use kinetic_proto::Limits;
use kinetic_proto::schema::command;
use kinetic_proto::schema::command::get_log::{Capacity, Configuration};

/// Ports that a drive listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ports {
    /// Of the plain listener.
    pub plain: Option<u16>,
    /// Of the TLS listener.
    pub tls: Option<u16>,
}

/// How awake a drive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerLevel {
    /// It serves.
    Operational,
    /// It sleeps: it serves nothing but what may wake it.
    Hibernate,
    /// It is about to end.
    Shutdown,
}

impl PowerLevel {
    /// The one that has this number on the wire, if it can be set.
    #[must_use]
    pub fn from_wire(number: i32) -> Option<Self> {
        match command::PowerLevel::try_from(number).ok()? {
            command::PowerLevel::Operational => Some(Self::Operational),
            command::PowerLevel::Hibernate => Some(Self::Hibernate),
            command::PowerLevel::Shutdown => Some(Self::Shutdown),
            command::PowerLevel::Fail | command::PowerLevel::InvalidLevel => None,
        }
    }

    fn to_wire(self) -> command::PowerLevel {
        match self {
            Self::Operational => command::PowerLevel::Operational,
            Self::Hibernate => command::PowerLevel::Hibernate,
            Self::Shutdown => command::PowerLevel::Shutdown,
        }
    }
}

impl std::fmt::Display for PowerLevel {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.to_wire().as_str_name())
    }
}

/// What is done when the drive is to end.
type OnStop = Box<dyn Fn() + Send + Sync>;

/// What whoever runs the drive has decided about it.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    /// The key of the factory identity.
    pub factory_key: Vec<u8>,
    /// Rounds of PBKDF2 for PINs that are set from now on.
    pub pin_rounds: u32,
    /// The Ed25519 public key that firmware must be signed by, if any.
    pub firmware_key: Option<[u8; 32]>,
    /// Whether other machines can reach it.
    pub exposed: bool,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Policy")
            .field("pin_rounds", &self.pin_rounds)
            .field("firmware_key", &self.firmware_key)
            .finish_non_exhaustive()
    }
}

/// One drive.
pub struct Device {
    /// Where the keys are.
    pub medium: Medium,
    /// What it is called.
    pub names: DriveNames,
    /// What it enforces and reports.
    pub limits: Limits,
    /// What was decided about it.
    pub policy: Policy,
    /// What it has done.
    pub statistics: Statistics,
    /// Who came, and what went wrong with them.
    pub incidents: Incidents,
    /// What happened to it.
    pub messages: Messages,
    ports: Ports,
    vitals: RwLock<Arc<Vitals>>,
    power: ArcSwap<PowerLevel>,
    on_stop: OnceLock<OnStop>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Device")
            .field("names", &self.names)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

impl Device {
    /// The drive on this medium, reached at these ports.
    #[must_use]
    pub fn new(medium: Medium, ports: Ports, limits: Limits, policy: Policy) -> Self {
        let names = DriveNames::of(medium.uuid());
        let messages = Messages::default();
        messages.note(&format!("drive {} started", names.serial_number));
        Self {
            medium,
            names,
            limits,
            policy,
            statistics: Statistics::default(),
            incidents: Incidents::default(),
            messages,
            ports,
            vitals: RwLock::default(),
            power: ArcSwap::from_pointee(PowerLevel::Operational),
            on_stop: OnceLock::new(),
        }
    }

    /// The store, unless the drive is locked.
    #[must_use]
    pub fn store(&self) -> Option<Open> {
        self.medium.store()
    }

    /// Which opening of the store there is, unless the drive is locked.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.store().map(|store| store.epoch())
    }

    /// The store, if it is still in this opening. The drive is not opened anew while this is held.
    #[must_use]
    pub fn store_of(&self, epoch: Option<u64>) -> Option<Open> {
        self.store().filter(|store| Some(store.epoch()) == epoch)
    }

    /// Whether only PIN operations are served.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        !self.medium.is_open()
    }

    /// The cluster version that every request must name.
    pub fn cluster_version(&self) -> i64 {
        self.medium.cluster_version()
    }

    /// How awake it is.
    #[must_use]
    pub fn power(&self) -> PowerLevel {
        **self.power.load()
    }

    /// It is so awake from now on.
    pub fn set_power(&self, level: PowerLevel) {
        self.power.store(Arc::new(level));
    }

    /// What is done when the drive is told to end; the first one counts.
    pub fn on_stop(&self, act: impl Fn() + Send + Sync + 'static) {
        // A drive is served once.
        let _ = self.on_stop.set(Box::new(act));
    }

    /// Has it end, where somebody serves it.
    pub fn ask_to_stop(&self) {
        if let Some(act) = self.on_stop.get() {
            act();
        }
    }

    /// Load, temperatures and interfaces as last seen.
    pub fn vitals(&self) -> Arc<Vitals> {
        let vitals = self.vitals.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&vitals)
    }

    /// Keeps what was seen of the host.
    pub fn set_vitals(&self, vitals: Vitals) {
        *self.vitals.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(vitals);
    }

    /// Body of GETLOG CAPACITIES.
    pub fn capacity(store: &Open) -> Capacity {
        let status = store.status();
        Capacity {
            nominal_capacity_in_bytes: Some(status.capacity_bytes),
            portion_full: Some(share(status.used_bytes, status.capacity_bytes)),
        }
    }

    /// The version of this program, whether the drive is sealed, and what firmware is stored.
    fn version(&self) -> String {
        let mut version = env!("CARGO_PKG_VERSION").to_owned();
        if !self.medium.is_sealed() {
            version.push_str(" (the drive is not sealed)");
        }
        if let Some(firmware) = &self.medium.settings().firmware {
            version.push_str(" (");
            version.push_str(&firmware.summary(self.policy.firmware_key.as_ref()));
            version.push(')');
        }
        version
    }

    /// Body of GETLOG CONFIGURATION, and of the hello.
    pub fn configuration(&self) -> Configuration {
        let text = |text: &str| Some(text.to_owned());
        Configuration {
            vendor: text("kineticd"),
            model: text("kineticd software drive"),
            serial_number: Some(self.names.serial_number.clone().into()),
            version: Some(self.version()),
            interface: self.vitals().interfaces.clone(),
            port: self.ports.plain.map(u32::from),
            tls_port: self.ports.tls.map(u32::from),
            compilation_date: text(env!("KINETIC_SOURCE_DATE")),
            source_hash: text(env!("KINETIC_SOURCE_HASH")),
            world_wide_name: Some(self.names.world_wide_name.clone().into()),
            protocol_version: text(PROTOCOL_VERSION),
            protocol_compilation_date: text(env!("KINETIC_SOURCE_DATE")),
            protocol_source_hash: text(env!("KINETIC_SOURCE_HASH")),
            current_power_level: Some(self.power().to_wire().into()),
        }
    }
}

/// A share from 0 to 1, as exactly as its message can say it.
fn share(part: u64, whole: u64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the message holds a 32-bit float"
    )]
    let share = (part as f64 / whole.max(1) as f64) as f32;
    share.clamp(0.0, 1.0)
}

/// The version of the protocol that the drive speaks.
const PROTOCOL_VERSION: &str = "4.0.1";
