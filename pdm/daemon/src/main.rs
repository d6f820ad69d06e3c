//! The `pdm` binary: the daemon and its command line.

mod background;
mod cli;
mod clock;
mod compose;
mod config;
mod crash;
mod embedded;
mod events;
mod failure;
mod guard;
mod identity;
mod mesh;
mod rdap;
mod secrets;
mod servers;
mod telemetry;
mod turns;

use std::process::ExitCode;

use clap::Parser as _;

/// A sweep of ten thousand names takes and frees much at once; this allocator gives it back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // A second provider cannot be there yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Two workers: the work is waiting, and memory is counted.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => Err(failure::Failure::refused(error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("pdm: {failure}");
            failure.status()
        }
    }
}
