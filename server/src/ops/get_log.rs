//! GETLOG: what the drive says of itself.
//!
//! Guarantees: answered from memory, whatever is asked; each content is in the answer once, even
//! if its type was named twice; types the drive does not know are repeated and have no content. Who
//! asks for the list of identities needs TLS and the permission to change it, too, or gets nothing.

use bytes::Bytes;
use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::get_log::{Device as NamedLog, Type};
use kinetic_proto::schema::command::{GetLog, Status};

use super::acl_log::{self, ACL_LOG};
use super::answer::{Answer, AnswerBody};
use super::extended::{CAPABILITIES_LOG, capabilities};
use super::invalid::Invalid;
use super::messages_log;
use super::scrub_log::{self, SCRUB_LOG};
use super::status::locked;
use crate::auth::{Access, Channel, Grant, grant, with_known_key};
use crate::device::{Device, Open};
use crate::limits::{LOG_TYPES, WARNINGS};

/// A GETLOG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    types: Vec<i32>,
    device_log: Option<Bytes>,
}

impl Logs {
    /// Reads the fields that a GETLOG has.
    pub fn parse(request: Option<Box<GetLog>>) -> Result<Self, Invalid> {
        let request = request.unwrap_or_default();
        let count = request.types.len();
        if count == 0 {
            return Err(Invalid::NoLogTypes);
        }
        if count > LOG_TYPES {
            let limit = LOG_TYPES;
            return Err(Invalid::TooManyLogTypes { count, limit });
        }
        Ok(Self {
            types: request.types,
            device_log: request.device.and_then(|device| device.name),
        })
    }
}

/// What somebody may read.
#[derive(Debug)]
pub struct Permit {
    logs: Grant<grant::GetLog>,
    /// Where the list of identities was asked for.
    list: Option<Grant<grant::Security>>,
    /// Where it was asked what scrub has found.
    scrub: Option<Grant<grant::Range>>,
}

impl Logs {
    /// Asks for all that it takes to read these logs.
    pub fn permit(&self, access: &Access) -> Result<Permit, Status> {
        let wants = |name: &str| {
            let named = self.device_log.as_deref() == Some(name.as_bytes());
            named && self.types.contains(&Type::Device.into())
        };
        let wants_list = wants(ACL_LOG);
        if wants_list && access.channel() == Channel::Plain {
            return Err(Invalid::LogNeedsTls(ACL_LOG).into());
        }
        Ok(Permit {
            logs: access.to_drive()?,
            list: wants_list.then(|| access.to_drive()).transpose()?,
            scrub: wants(SCRUB_LOG).then(|| access.to_drive()).transpose()?,
        })
    }
}

/// Collects what was asked for.
#[must_use]
pub fn run(permit: &Permit, request: &Logs, device: &Device) -> Answer {
    let Some(store) = device.store() else {
        return Answer::of(locked());
    };
    let mut log = GetLog {
        types: request.types.clone(),
        ..GetLog::default()
    };
    let mut status = StatusCode::SUCCESS.to_message();
    let mut value = Bytes::new();
    for &number in &request.types {
        match Type::try_from(number) {
            Ok(Type::Utilizations) => log.utilizations = device.vitals().utilizations(),
            Ok(Type::Temperatures) => log.temperatures = device.vitals().temperatures(),
            Ok(Type::Capacities) => log.capacity = Some(Device::capacity(&store)),
            Ok(Type::Configuration) => log.configuration = Some(device.configuration()),
            Ok(Type::Statistics) => log.statistics = device.statistics.to_message(),
            Ok(Type::Messages) => log.messages = Some(messages(device)),
            Ok(Type::Limits) => log.limits = Some(device.limits.to_message()),
            Ok(Type::Device) => match device_log(request, permit, (device, &store)) {
                Ok(content) => {
                    let name = request.device_log.clone();
                    log.device = Some(NamedLog { name });
                    value = content;
                }
                Err(absent) => status = absent,
            },
            Ok(Type::InvalidType) | Err(_) => {}
        }
    }
    Answer {
        status,
        body: AnswerBody::Log(Box::new(log)),
        value,
    }
}

/// What anybody who runs the drive should put right, most urgent first.
#[must_use]
pub fn warnings(device: &Device) -> Vec<String> {
    let settings = device.medium.settings();
    let known = with_known_key(&settings, &device.policy.factory_key);
    let open_to_erase = device.policy.exposed && settings.erase_pin.is_none();
    let open_to_erase = open_to_erase.then(|| {
        "warning: no erase PIN is set, and other machines can reach the drive: whoever does can \
         erase it; set one with `kinetic pin set erase`"
            .to_owned()
    });
    let sentence = |identity| {
        format!(
            "warning: identity {identity} has the factory key, which everybody knows: give it \
             another"
        )
    };
    let known = known.into_iter().map(sentence);
    let mut warnings: Vec<String> = known.chain(open_to_erase).collect();
    if !device.medium.is_sealed() {
        let text = "warning: the drive is not sealed: whoever has the disk can read everything";
        warnings.push(text.to_owned());
    }
    warnings
}

/// Warnings, then what happened.
fn messages(device: &Device) -> Bytes {
    let mut text = String::new();
    for warning in warnings(device).into_iter().take(WARNINGS) {
        text.push_str(&warning);
        text.push('\n');
    }
    [Bytes::from(text), device.messages.text()].concat().into()
}

/// The content of the device log that is named, or why there is none.
fn device_log(
    request: &Logs,
    permit: &Permit,
    (device, store): (&Device, &Open),
) -> Result<Bytes, Status> {
    let absent = |text: String| Err(StatusCode::NOT_FOUND.with_text(text));
    if let Some(grant) = &permit.scrub {
        return Ok(scrub_log::content(grant, store));
    }
    match (request.device_log.as_deref(), &permit.list) {
        (None, _) => absent("GETLOG DEVICE needs device.name".to_owned()),
        (Some(CAPABILITIES_LOG), _) => Ok(capabilities()),
        (Some(_), Some(grant)) => acl_log::content(grant, device).map_err(Status::from),
        (Some(name), None) => {
            if let Some(from) = messages_log::asked_from(name) {
                return Ok(messages_log::content(&permit.logs, device, from));
            }
            let shown = String::from_utf8_lossy(name.get(..name.len().min(64)).unwrap_or(name));
            absent(format!("there is no device log named `{shown}`"))
        }
    }
}
