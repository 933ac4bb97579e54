//! `acl get|set|add|remove`.
//!
//! Guarantees: what is shown has no keys; an identity that is removed can sign nothing any more.
//! The protocol has no request that reads the list, so `get` asks for a log of the name
//! `org.kinetic.acl`, which a drive may publish, and says so where there is none. Not here: the
//! file of a list (`list`).

use kinetic_client::{Acl, Client, Error};
use serde_json::Value;

use super::fleet::{Record, agree, each};
use super::list;
use crate::args::{AclCommand, AclFileArgs, GlobalArgs, RevokeArgs};
use crate::failure::Failure;
use crate::limits::RANDOM_KEY_BYTES;
use crate::output::Output;
use crate::secrets::random;

/// The log in which a drive tells its list, as JSON and without keys.
const LIST_LOG: &str = "org.kinetic.acl";

pub(in crate::commands) async fn acl(
    global: &GlobalArgs,
    command: AclCommand,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        AclCommand::Get => each(global, output, "", get).await,
        AclCommand::Set(args) => set(global, args, output).await,
        AclCommand::Add(args) => add(global, args, output).await,
        AclCommand::Remove(args) => remove(global, args, output).await,
    }
}

async fn get(client: Client) -> Result<Record, Failure> {
    let log = client.log(&[]).device(LIST_LOG).await;
    let log = match log {
        Err(error) if error.is_not_found() => return Err(Failure::Unpublished),
        other => other.map_err(Failure::of("acl get"))?,
    };
    let mut list: Value =
        serde_json::from_slice(&log.value).map_err(|_broken| Failure::Unpublished)?;
    redact(&mut list);
    Ok(vec![("acl", list)])
}

/// No drive should tell keys; what one tells all the same is not passed on.
fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let is_key = name.eq_ignore_ascii_case("key") && !member.is_boolean();
                if is_key {
                    *member = "(not shown)".into();
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

async fn set(global: &GlobalArgs, args: AclFileArgs, output: &mut Output) -> Result<(), Failure> {
    let acls = list::read(&args.file)?;
    let question = format!(
        "Identities that are not among these {} will be gone. Replace the list of",
        acls.len()
    );
    agree(global, &args.consent, &question)?;
    let work = move |client: Client| {
        let setting = client.set_acls(acls.clone());
        async move { finish(setting.await, "acl set") }
    };
    each(global, output, "set", work).await
}

async fn add(global: &GlobalArgs, args: AclFileArgs, output: &mut Output) -> Result<(), Failure> {
    let acls = list::read(&args.file)?;
    merge(global, output, ("added", acls)).await
}

async fn remove(global: &GlobalArgs, args: RevokeArgs, output: &mut Output) -> Result<(), Failure> {
    let named: Vec<String> = args.identities.iter().map(i64::to_string).collect();
    let question = format!("Take key and permissions of {} away on", named.join(", "));
    agree(global, &args.consent, &question)?;
    let revoke = |&identity: &i64| -> Result<Acl, Failure> {
        let key: [u8; RANDOM_KEY_BYTES] = random()?;
        Ok(Acl {
            identity,
            key: key.to_vec().into(),
            scopes: Vec::new(),
            max_priority: None,
        })
    };
    let acls = args.identities.iter().map(revoke);
    let acls = acls.collect::<Result<Vec<Acl>, Failure>>()?;
    merge(global, output, ("removed", acls)).await
}

async fn merge(
    global: &GlobalArgs,
    output: &mut Output,
    (done, acls): (&str, Vec<Acl>),
) -> Result<(), Failure> {
    let work = move |client: Client| {
        let setting = client.set_acls(acls.clone()).merge();
        async move { finish(setting.await, "acl") }
    };
    each(global, output, done, work).await
}

fn finish(outcome: Result<(), Error>, action: &str) -> Result<Record, Failure> {
    outcome.map_err(Failure::of(action))?;
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_that_a_drive_tells_is_not_shown() {
        let mut list = json!({"identities": [{"identity": 1, "key": "s3cret",
            "factory_key": true, "scopes": [{"Key": "s3cret"}]}]});
        redact(&mut list);
        let text = list.to_string();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("factory_key\":true"), "{text}");
    }
}
