//! The API server as a client sees it: reads, the write styles of plans, waits, and which errors
//! are worth another try.
//!
//! Works on kubeconfig texts and JSON values. An object is compared by what rinit writes: a field
//! that the server or somebody else added is no difference.
//!
//! This crate never reads a file of rinit's own, never asks the server which kinds it has, never
//! puts the value of a Secret into an error or a difference, and never decides what the cluster
//! should hold.

mod admins;
mod client;
mod compare;
mod error;
mod kinds;
mod node;
mod retry;
mod token;
mod write;

pub use admins::{cluster_admins_binding, ensure_cluster_admins, inspect_cluster_admins};
pub use client::{Client, Timeouts};
pub use compare::{Difference, compare, overlay, render};
pub use error::ClusterError;
pub use node::{inspect_node_mark, mark_node};
pub use retry::Patience;
pub use token::{
    TokenStanding, Tokens, create_token, delete_token, ensure_token, inspect_token, list_tokens,
    live_drawn_token, token_secret,
};
pub use write::{Desired, Outcome, Standing, Written};

/// What the functions of this crate return.
pub type Result<T, E = ClusterError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers run actions side by side, on several threads. This holds if it compiles.
    #[test]
    fn calls_may_move_between_threads() {
        fn is_send(_: impl Send) {}
        fn all(
            client: &Client,
            desired: &Desired<'_>,
            mark: &rinit_plan::NodeMark,
            token: &rinit_plan::BootstrapTokenSpec,
            patience: &Patience,
        ) {
            let now = jiff::Timestamp::UNIX_EPOCH;
            is_send(Client::from_kubeconfig("", None, Timeouts::default()));
            is_send(client.probe("/livez"));
            is_send(client.inspect(desired, patience));
            is_send(client.write(desired, patience));
            is_send(ensure_cluster_admins(client, Some(client), patience));
            is_send(inspect_cluster_admins(client, patience));
            is_send(mark_node(client, mark, patience));
            is_send(inspect_node_mark(client, mark, patience));
            is_send(ensure_token(client, token, now, patience));
            is_send(inspect_token(client, token, now, patience));
            is_send(live_drawn_token(client, token, now, patience));
        }
        let _ = all;
    }
}
