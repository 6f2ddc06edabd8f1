//! `rinit config images pull`: the images of a control plane into the container runtime's store. It
//! asks nothing else of the host, since images are often pulled where no node will be made.

use std::sync::Arc;

use rinit_cli::PullArguments;
use rinit_diag::{ExitCode, Problem};
use rinit_host::{HostError, Runtime};
use rinit_plan::{Gate, PullPolicy};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{loopback, machine};
use crate::commands::{refuse, resolve};
use crate::{printer, settings};

/// How many images are pulled at a time, unless the file wants one after another.
const AT_A_TIME: usize = 4;

/// How a pull ended well.
enum Pulled {
    Now,
    Before,
}

/// Pulls what is missing, several at a time. All that fails is reported.
pub(super) async fn pull(arguments: &PullArguments) -> Result<(), ExitCode> {
    let mut overrides = arguments.flags.overrides.clone();
    overrides.cri_socket = arguments
        .cri_socket
        .clone()
        .filter(|socket| !socket.is_empty());
    let options = settings::reading(arguments.allow_unknown_fields);
    let documents =
        settings::readable(arguments.config.as_deref(), options, &overrides).map_err(refuse)?;
    let mut host = loopback::stand_in(&documents).await?;
    let sockets = machine().await?.cri_sockets;
    host.cri_sockets = sockets
        .iter()
        .map(|socket| socket.trim_start_matches("unix://").to_owned())
        .collect();
    let facts = resolve(&documents, &overrides, &host)?;
    if let Some(Gate::Refuse { message, hint }) = facts.ambiguous_runtime() {
        printer::problem(&Problem { message, hint });
        return Err(ExitCode::Blocked);
    }
    let failed = |error: &HostError| {
        printer::problem(&Problem::from_error(error));
        ExitCode::Failure
    };
    let runtime = Runtime::connect(&facts.node.cri_socket)
        .await
        .map_err(|error| failed(&error))?;
    let asked = documents.init.as_ref();
    let is_serial = asked.and_then(|init| init.node_registration.image_pull_serial) == Some(true);
    let places = Arc::new(Semaphore::new(if is_serial { 1 } else { AT_A_TIME }));
    let again = facts.node.image_pull_policy == PullPolicy::Always;
    let mut pulls = JoinSet::new();
    for image in facts.needed_images() {
        let (runtime, places) = (runtime.clone(), places.clone());
        pulls.spawn(async move {
            // It is never closed.
            let _place = places.acquire().await;
            let outcome = one(&runtime, &image, again).await;
            (image, outcome)
        });
    }
    let mut code = Ok(());
    while let Some(ended) = pulls.join_next().await {
        match ended {
            Ok((image, Ok(Pulled::Now))) => {
                printer::data(&format!("[config/images] Pulled {image}\n"));
            }
            Ok((image, Ok(Pulled::Before))) => {
                printer::data(&format!("[config/images] Found {image}\n"));
            }
            Ok((_, Err(error))) => code = Err(failed(&error)),
            Err(error) => {
                printer::error(&format!("a pull did not end: {error}"), None);
                code = Err(ExitCode::Failure);
            }
        }
    }
    code
}

async fn one(runtime: &Runtime, image: &str, again: bool) -> Result<Pulled, HostError> {
    if !again && runtime.has_image(image).await? {
        return Ok(Pulled::Before);
    }
    printer::progress(&format!("pulling {image}"));
    runtime
        .pull(image, |tried, error| {
            printer::progress(&format!("try {tried} failed: {}", rinit_diag::chain(error)));
        })
        .await?;
    Ok(Pulled::Now)
}
