//! The commands: one file for each group of verbs, and here which is which.
//!
//! Guarantees: what a command printed has reached the reader when it succeeds. Not here: import
//! and export (`transfer`) and the benchmark (`bench`).

mod consent;
mod list;
mod logs;

mod extended;

mod read;
mod status;
mod write;

mod admin;
mod batch;
mod drive;
mod media;
mod pdu;
mod peers;
mod shell;

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::args::{Arguments, Command, DebugCommand, GlobalArgs};
use crate::failure::Failure;
use crate::output::Output;
use crate::{bench, transfer};

/// Does what the arguments say.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { global, command } = arguments;
    let mut output = Output::new(global.output);
    let out = &mut output;
    match command {
        Command::Put(args) => brief(write::put(&global, args, out))?,
        Command::Get(args) => brief(read::get(&global, args, out))?,
        Command::Head(args) => brief(read::head(&global, args, out))?,
        Command::Delete(args) => brief(write::delete(&global, args, out))?,
        Command::List(args) => brief(list::list(&global, args, out))?,
        Command::Count(args) => brief(extended::count(&global, args, out))?,
        Command::Exists(args) => brief(extended::exists(&global, args, out))?,
        Command::Digest(args) => brief(extended::digest(&global, args, out))?,
        Command::Diff(args) => brief(extended::diff(&global, args, out))?,
        Command::Next(args) => brief(read::next(&global, args, out))?,
        Command::Prev(args) => brief(read::previous(&global, args, out))?,
        Command::Discover(args) => brief(peers::discover(args, out))?,
        Command::Ping => brief(status::ping(&global, out))?,
        Command::Info => brief(status::info(&global, out))?,
        Command::Log(args) => brief(status::log(&global, args, out))?,
        Command::Flush => brief(write::flush(&global, out))?,
        Command::Batch(args) => brief(batch::batch(&global, args, out))?,
        Command::Scan(args) => brief(media::scan(&global, args, out))?,
        Command::Optimize => brief(media::optimize(&global, out))?,
        Command::Push(args) => brief(peers::push(&global, args, out))?,
        Command::Replicate(args) => brief(peers::replicate(&global, args, out))?,
        Command::Limits => brief(status::show_limits(&global, out))?,
        Command::Lock(args) => brief(admin::lock(&global, args, out))?,
        Command::Unlock(args) => brief(admin::unlock(&global, args, out))?,
        Command::Erase(args) => brief(admin::erase(&global, args, out))?,
        Command::Power(args) => brief(admin::power(&global, args, out))?,
        Command::Pin(command) => brief(admin::pin(&global, command, out))?,
        Command::Acl(command) => brief(admin::acl(&global, command, out))?,
        Command::ClusterVersion(command) => brief(admin::cluster_version(&global, command, out))?,
        Command::Firmware(args) => brief(admin::firmware(&global, args, out))?,
        Command::Import(args) => busy(transfer::import(&global, args, out))?,
        Command::Export(args) => busy(transfer::export(&global, args, out))?,
        Command::Bench(args) => brief(bench::run(&global, args, out))?,
        Command::Completions(args) => shell::completions(&args, out)?,
        Command::Man(args) => shell::man(&args)?,
        Command::Debug(DebugCommand::Pdu(args)) => pdu::pdu(&global, &args, out)?,
        Command::Drive(command) => drive::drive(command, out)?,
    }
    output.finish()
}

/// Runs a command of a few requests: on this thread, which starts fastest.
fn brief(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    runtime(Builder::new_current_thread().enable_all())?.block_on(command)
}

/// Runs a command of many requests, on as many threads as there are processors.
fn busy(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    runtime(Builder::new_multi_thread().enable_all())?.block_on(command)
}

fn runtime(builder: &mut Builder) -> Result<Runtime, Failure> {
    builder.build().map_err(|source: io::Error| Failure::File {
        path: "the runtime".into(),
        source,
    })
}

/// Connects, with the arguments that every command has.
async fn connect(global: &GlobalArgs) -> Result<kinetic_client::Client, Failure> {
    crate::connect::connect(global).await
}
