//! One connection's conversation: frames come in, steps go out.
//!
//! Guarantees, in the order of the checks: a message whose signature does not hold ends the
//! connection, and nothing that it says has an effect or a signed answer; a sequence grows; the
//! cluster version is the device's; the drive is not locked and awake; the priority is one the
//! identity may use; sizes are in bounds. Only then is the request parsed, its permission asked
//! for, and its work made, which is good for the opening of the store that was there before all
//! checks. A member of a batch goes through the same checks; what would be its answer is kept for
//! END.
//! Not here: doing the work, and when (`net`).

use std::sync::Arc;

use kinetic_proto::envelope::HmacAuthView;
use kinetic_proto::schema::command::Status;
use kinetic_proto::schema::message::AuthType;
use kinetic_proto::{
    CommandView, Frame, FrameValue, HeaderView, MessageType, MessageView, StatusCode,
};
use kinetic_store::Priority;

use super::batches::{Account, Batches, End, Ended, Member};
use super::manner::Manner;
use super::reply::{Route, Signer};
use super::unsolicited::Farewell;
use crate::auth::{Access, Channel, Identity, IdentityTable};
use crate::device::{Device, PowerLevel};
use crate::ops::batch::{self, RefusedBatch};
use crate::ops::entry::Source;
use crate::ops::pinop::PinOperation;
use crate::ops::push::Granted;
use crate::ops::request::{PIN_OPERATION, part_of};
use crate::ops::status::{asleep, going_down, locked, out_of_time};
use crate::ops::{
    self, Answer, Change, Control, Invalid, Read, Request, Work, Write, answers_with_entry,
};

/// What all sessions of a drive share.
#[derive(Debug)]
pub struct Drive {
    /// The drive.
    pub device: Device,
    /// Who may use it.
    pub identities: IdentityTable,
    /// What the open batches of all connections hold.
    pub batches: Arc<Account>,
}

impl Drive {
    /// Forgets all open batches of a store that has been closed. For whoever locks or erases the
    /// drive, once that is done and before it is told of.
    pub fn forget_ended_batches(&self) {
        self.batches.keep_only(self.device.epoch());
    }
}

/// What to do with a frame.
#[derive(Debug)]
pub enum Step {
    /// Send this answer.
    Answer(Route, Answer),
    /// Commit this and answer by the outcome.
    Write(Route, Write),
    /// Commit this, and have the batch make an answer of the outcome.
    EndBatch(Route, Write, Ended),
    /// Nothing now: a batch keeps this request, and it has no answer of its own.
    Kept(MessageType),
    /// Read this and answer with it.
    Read(Route, Read),
    /// Push this and answer with what came of it, by then if the request says so, in microseconds
    /// of the clock.
    Push(Route, Granted, Option<u64>),
    /// Change the drive so, and answer by the outcome, before anything else of this connection.
    Change(Route, Change),
    /// Send this as the last frame and close.
    HangUp(Farewell),
}

/// One connection's conversation.
#[derive(Debug)]
pub struct Session {
    connection_id: i64,
    channel: Channel,
    greatest_sequence: Option<u64>,
    caller: Option<Caller>,
    batches: Batches,
    now_us: u64,
    urgency: Priority,
}

/// A command whose sender is known, and the frame that it came in.
struct Heard<'a> {
    frame: &'a Frame,
    command: &'a CommandView<'a>,
    pin: Option<&'a [u8]>,
    route: Route,
}

/// The identity that spoke last. The copy belongs to the connection alone, so that signing for
/// it touches no memory that other connections write.
#[derive(Debug)]
struct Caller {
    generation: u64,
    identity: Arc<Identity>,
}

impl Session {
    /// A conversation on a new connection.
    #[must_use]
    pub fn new(connection_id: i64, channel: Channel) -> Self {
        Self {
            connection_id,
            channel,
            greatest_sequence: None,
            caller: None,
            batches: Batches::default(),
            now_us: 0,
            urgency: Priority::NORMAL,
        }
    }

    /// The connection's id.
    #[must_use]
    pub fn connection_id(&self) -> i64 {
        self.connection_id
    }

    /// The list of identities by which the last request was granted.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.caller.as_ref().map_or(0, |caller| caller.generation)
    }

    /// What time it is, by the clock by which requests come.
    pub fn tell_time(&mut self, now_us: u64) {
        self.now_us = now_us;
    }

    /// How urgent the last request was.
    #[must_use]
    pub fn urgency(&self) -> Priority {
        self.urgency
    }

    /// Judges one frame that came at `arrived_us`.
    pub fn receive(&mut self, drive: &Drive, frame: &Frame, arrived_us: u64) -> Step {
        match self.check(drive, frame, arrived_us) {
            Ok(step) => step,
            Err(step) => *step,
        }
    }

    /// Either way a step; `Err` is the early way out.
    fn check(&mut self, drive: &Drive, frame: &Frame, arrived_us: u64) -> Result<Step, Box<Step>> {
        // First of all: what is judged by an older list of identities is of an older opening.
        let epoch = drive.device.epoch();
        let message = MessageView::parse(&frame.message)
            .map_err(|_why| hang_up(Farewell::Malformed("message")))?;
        let command = CommandView::parse(message.command_bytes())
            .map_err(|_why| hang_up(Farewell::Malformed("command")))?;
        let signer = self
            .authenticate(drive, &message, &command)
            .map_err(hang_up)?;
        let header = command.header.unwrap_or_default();
        let kind = header.message_type();
        let greatest = match &signer {
            Signer::Identity(identity) => identity.max_priority,
            Signer::Pin => None,
        };
        let manner = Manner::of(&header, greatest, arrived_us);
        self.urgency = manner.priority;
        let route = Route {
            signer,
            connection_id: self.connection_id,
            sequence: header.sequence.unwrap_or(0),
            request: kind,
            arrived_us,
            manner,
            epoch,
            cluster_version: None,
        };
        if !self.batches.is_empty() || kind == MessageType::START_BATCH {
            self.batches.belong_to(epoch);
        }
        let member_of = match (&route.signer, kind) {
            (Signer::Identity(_), MessageType::PUT | MessageType::DELETE) => header.batch_id,
            _ => None,
        };
        let heard = Heard {
            frame,
            command: &command,
            pin: message.pin_auth.and_then(|auth| auth.pin),
            route,
        };
        if let Some(id) = member_of {
            return self.member(id, drive, heard);
        }
        let (route, access, request) = self.judge(drive, heard)?;
        if route.manner.is_over(self.now_us) {
            return Err(refuse(route, with_entry(kind, Answer::of(out_of_time()))));
        }
        Ok(match ops::begin(request, &access, &drive.device) {
            Work::Done(answer) => Step::Answer(route, answer),
            Work::Write(write) => Step::Write(route, write),
            Work::Read(read) => Step::Read(route, read.within(limit_ms(&header), arrived_us)),
            Work::Push(push) => {
                let until =
                    |limit_ms: u64| arrived_us.saturating_add(limit_ms.saturating_mul(1000));
                Step::Push(route, push, limit_ms(&header).map(until))
            }
            Work::Change(change) => Step::Change(route, change),
            Work::Batch(control) => {
                let id = header.batch_id.unwrap_or(0);
                match self.control(drive, id, control) {
                    Ok(End::Answer(answer)) => Step::Answer(route, answer),
                    Ok(End::Commit(write, ended)) => Step::EndBatch(route, write, ended),
                    Err(refused) => Step::Answer(route, Answer::of(refused.into())),
                }
            }
        })
    }

    /// The checks of a command that is authenticated, up to a request that keeps all limits.
    fn judge(
        &mut self,
        drive: &Drive,
        heard: Heard<'_>,
    ) -> Result<(Route, Access, Request), Box<Step>> {
        let Heard {
            frame,
            command,
            pin,
            route,
        } = heard;
        let Some(header) = &command.header else {
            let status = StatusCode::HEADER_REQUIRED.with_text("the command has no header");
            return Err(refuse(route, Answer::of(status)));
        };
        let kind = route.request;
        self.check_sequence(&route)?;
        let Signer::Identity(identity) = &route.signer else {
            if let Err(status) = awake(drive, kind) {
                return Err(refuse(route, Answer::of(status)));
            }
            let step = match self.pin_operation(drive, frame, (command, kind, pin)) {
                Ok(change) => Box::new(Step::Change(route, change)),
                Err(invalid) => refuse(route, Answer::of(invalid.into())),
            };
            return Err(step);
        };
        let access = Access::new(Arc::clone(identity), self.channel);
        let route = check_header(drive, &access, header, route)?;
        let route = self.check_batch(header, route)?;
        if let Err(denied) = ops::admit(kind, &access) {
            return Err(refuse(route, Answer::of(denied.into())));
        }
        match parse(drive, frame, command, kind) {
            Ok(request) => Ok((route, access, request)),
            Err(invalid) => Err(refuse(route, with_entry(kind, Answer::of(invalid.into())))),
        }
    }

    /// A PUT or DELETE that names a batch: kept, with whatever would have been its answer.
    fn member(&mut self, id: u32, drive: &Drive, heard: Heard<'_>) -> Result<Step, Box<Step>> {
        if !self.batches.is_open(id) {
            return Err(hang_up(Farewell::UnknownBatch(id)));
        }
        let (kind, sequence) = (heard.route.request, heard.route.sequence);
        let mutation = match self.judge(drive, heard) {
            Ok((_, access, request)) => batch::member(request, &access),
            Err(step) => match *step {
                Step::Answer(_, answer) => Err(answer.status),
                other => return Err(Box::new(other)),
            },
        };
        let member = Member { sequence, mutation };
        self.batches
            .add(id, member, &drive.device.limits)
            .map_err(|over| hang_up(Farewell::BatchOverLimit(over)))?;
        Ok(Step::Kept(kind))
    }

    fn control(&mut self, drive: &Drive, id: u32, control: Control) -> Result<End, RefusedBatch> {
        let batches = &mut self.batches;
        match control {
            Control::Start => {
                batches.start(id, &drive.device.limits, &drive.batches)?;
                // A lock or an erase may have looked for batches before this one was among them.
                batches.belong_to(drive.device.epoch());
            }
            Control::End => return batches.end(id),
            Control::Abort => batches.abort(id)?,
        }
        Ok(End::Answer(Answer::success()))
    }

    /// Nothing but its members and its end may name an open batch.
    fn check_batch(&self, header: &HeaderView, route: Route) -> Result<Route, Box<Step>> {
        match (header.batch_id, route.request) {
            (
                Some(_),
                MessageType::PUT
                | MessageType::DELETE
                | MessageType::START_BATCH
                | MessageType::END_BATCH
                | MessageType::ABORT_BATCH,
            ) => Ok(route),
            (Some(batch), kind) if self.batches.is_open(batch) => {
                let refused = RefusedBatch::NotAMember { kind, batch };
                Err(refuse(route, with_entry(kind, Answer::of(refused.into()))))
            }
            _ => Ok(route),
        }
    }

    /// A PIN operation, which is authenticated by its PIN alone.
    fn pin_operation(
        &self,
        drive: &Drive,
        frame: &Frame,
        (command, kind, pin): (&CommandView<'_>, MessageType, Option<&[u8]>),
    ) -> Result<Change, Invalid> {
        if kind != MessageType::PINOP {
            return Err(Invalid::NotAPinOperation(kind));
        }
        if self.channel == Channel::Plain {
            return Err(Invalid::NeedsTls(kind));
        }
        let source = source(drive, frame)?;
        let operation = part_of(PIN_OPERATION, kind, (command, &source))?;
        PinOperation::parse(operation, pin, source.limits).map(Change::Pin)
    }

    /// Whoever signed, or why the connection ends. An absent `authType` is read as HMACAUTH: that
    /// demands the most.
    fn authenticate(
        &mut self,
        drive: &Drive,
        message: &MessageView<'_>,
        command: &CommandView<'_>,
    ) -> Result<Signer, Farewell> {
        let number = message.auth_type.unwrap_or(AuthType::Hmacauth as i32);
        match AuthType::try_from(number) {
            Ok(AuthType::Hmacauth) => {}
            Ok(AuthType::Pinauth) => return Ok(Signer::Pin),
            Ok(AuthType::Unsolicitedstatus | AuthType::InvalidAuthType) | Err(_) => {
                return Err(Farewell::AuthType(number));
            }
        }
        let Some(HmacAuthView { identity, hmac }) = message.hmac_auth else {
            let no_header = command.header.is_none();
            return Err(if no_header {
                Farewell::NoHeader
            } else {
                Farewell::NotSigned
            });
        };
        let number = identity.unwrap_or(0);
        let identity = self
            .identity(drive, number)
            .ok_or(Farewell::UnknownIdentity(number))?;
        identity
            .key
            .verify(message.command_bytes(), hmac.unwrap_or_default())
            .map_err(|_why| Farewell::WrongHmac(number))?;
        Ok(Signer::Identity(Arc::clone(identity)))
    }

    /// The identity of this number, from the table only when the list or the number changed.
    fn identity(&mut self, drive: &Drive, number: i64) -> Option<&Arc<Identity>> {
        let generation = drive.identities.generation();
        let kept = self.caller.as_ref().is_some_and(|caller| {
            caller.generation == generation && caller.identity.number == number
        });
        if !kept {
            let identity = Arc::new(drive.identities.find(number)?);
            self.caller = Some(Caller {
                generation,
                identity,
            });
        }
        self.caller.as_ref().map(|caller| &caller.identity)
    }

    fn check_sequence(&mut self, route: &Route) -> Result<(), Box<Step>> {
        let found = route.sequence;
        match self.greatest_sequence {
            Some(last) if found <= last => {
                let status = Invalid::Sequence { found, last }.into();
                Err(refuse(route.clone(), Answer::of(status)))
            }
            _ => {
                self.greatest_sequence = Some(found);
                Ok(())
            }
        }
    }
}

/// The milliseconds that a request gives itself, if it does.
fn limit_ms(header: &HeaderView) -> Option<u64> {
    let given = [header.timeout, header.time_quanta];
    given.into_iter().flatten().filter(|limit| *limit > 0).min()
}

/// The answer as clients expect it to this type of request.
fn with_entry(kind: MessageType, answer: Answer) -> Answer {
    if answers_with_entry(kind) {
        answer.with_entry()
    } else {
        answer
    }
}

fn refuse(route: Route, answer: Answer) -> Box<Step> {
    Box::new(Step::Answer(route, answer))
}

fn hang_up(farewell: Farewell) -> Box<Step> {
    Box::new(Step::HangUp(farewell))
}

/// A drive that sleeps serves nothing but what may wake it, and one that ends nothing at all.
fn awake(drive: &Drive, kind: MessageType) -> Result<(), Status> {
    match drive.device.power() {
        PowerLevel::Hibernate if kind != MessageType::SET_POWER_LEVEL => Err(asleep()),
        PowerLevel::Operational | PowerLevel::Hibernate => Ok(()),
        PowerLevel::Shutdown => Err(going_down()),
    }
}

/// Cluster version, lock, power level, TLS, priority.
fn check_header(
    drive: &Drive,
    access: &Access,
    header: &HeaderView,
    route: Route,
) -> Result<Route, Box<Step>> {
    let (found, current) = (
        header.cluster_version.unwrap_or(0),
        drive.device.cluster_version(),
    );
    if found != current {
        let text = format!(
            "the request names cluster version {found}, and the drive has cluster version {current}"
        );
        let route = Route {
            cluster_version: Some(current),
            ..route
        };
        let status = StatusCode::VERSION_FAILURE.with_text(text);
        return Err(refuse(route, Answer::of(status)));
    }
    if drive.device.is_locked() && route.request != MessageType::PINOP {
        return Err(refuse(route, Answer::of(locked())));
    }
    if let Err(status) = awake(drive, route.request) {
        return Err(refuse(route, Answer::of(status)));
    }
    if route.request == MessageType::SECURITY && access.channel() == Channel::Plain {
        let invalid = Invalid::NeedsTls(route.request);
        return Err(refuse(route, Answer::of(invalid.into())));
    }
    // One that is absent asks for nothing: it is the smaller of NORMAL and the greatest.
    if let (Some(priority), Some(greatest)) = (header.priority, access.identity().max_priority)
        && priority > greatest
    {
        let text = format!("priority {priority} is above {greatest}, the identity's greatest");
        let status = StatusCode::NOT_AUTHORIZED.with_text(text);
        return Err(refuse(route, Answer::of(status)));
    }
    Ok(route)
}

/// Sizes and fields. An over-long value was thrown away as it came, whoever sent it for whatever.
fn parse(
    drive: &Drive,
    frame: &Frame,
    command: &CommandView<'_>,
    kind: MessageType,
) -> Result<Request, Invalid> {
    Request::parse(kind, command, &source(drive, frame)?)
}

/// What comes with a request beside its fields.
fn source<'a>(drive: &'a Drive, frame: &'a Frame) -> Result<Source<'a>, Invalid> {
    let limits = &drive.device.limits;
    let value = match &frame.value {
        FrameValue::Whole(value) => value.clone(),
        FrameValue::Oversize { length } => {
            return Err(Invalid::TooLarge {
                field: "value",
                size: *length as usize,
                limit: limits.max_value_size.unwrap_or(u32::MAX),
            });
        }
    };
    Ok(Source {
        message: &frame.message,
        value,
        limits,
    })
}

#[cfg(test)]
mod tests;
