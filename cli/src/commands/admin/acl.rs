//! `acl get|set|add|remove`.
//!
//! Guarantees: what is shown has no keys; an identity that is removed can sign nothing any more.
//! The protocol has no request that reads the list: `get` asks for the log that our drives publish,
//! and says so where there is none. Not here: the file of a list (`list`).

use kinetic_client::{Acl, Client, Error};

use super::fleet::{Record, agree, each};
use super::list;
use crate::args::{AclCommand, AclFileArgs, GlobalArgs, RevokeArgs};
use crate::failure::Failure;
use crate::limits::RANDOM_KEY_BYTES;
use crate::output::Output;
use crate::secrets::random;

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
    match client.acls().await {
        Ok(acls) => list::record(acls),
        Err(error) if error.is_not_found() => Err(Failure::Unpublished),
        Err(error) => Err(Failure::of("acl get")(error)),
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
    let work = move |client: Client| {
        let setting = client.set_acls(acls.clone()).merge();
        async move { finish(setting.await, "acl add") }
    };
    each(global, output, "added", work).await
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
    let work = move |client: Client| {
        let acls = acls.clone();
        async move {
            must_be_listed(&client, &acls).await?;
            finish(client.set_acls(acls).merge().await, "acl remove")
        }
    };
    each(global, output, "removed", work).await
}

/// A number that was mistyped must not be reported as removed, where the drive tells its list.
async fn must_be_listed(client: &Client, acls: &[Acl]) -> Result<(), Failure> {
    let listed = match client.acls().await {
        Ok(listed) => listed,
        Err(error) if error.status().is_some() => return Ok(()),
        Err(error) => return Err(Failure::of("acl remove")(error)),
    };
    let is_listed = |acl: &&Acl| listed.iter().any(|one| one.identity == acl.identity);
    match acls.iter().find(|acl| !is_listed(acl)) {
        Some(Acl { identity, .. }) => Err(Failure::NoSuchIdentity(*identity)),
        None => Ok(()),
    }
}

fn finish(outcome: Result<(), Error>, action: &str) -> Result<Record, Failure> {
    outcome.map_err(Failure::of(action))?;
    Ok(Record::default())
}
